/*
 * tiles_acc16_neon.h: tiles for conv_body.h on byte codes and weights of few bits with what every AArch64
 * core has: 4 rows times 4 channels, sixteen steps of K at a time. SMLAL and SMLAL2 add sixteen products
 * to eight sums in 16 bits; only every BUDGET times sixteen steps SADALP adds those in 32 bits. So a
 * product takes 2 / 16 instructions instead of 3 / 16.
 * BUDGET: BUDGET * 2 * 128 * |least weight| <= 32767.
 */
enum { STEP = 16, REDUCED = 4 }; /* bytes of a row and of a channel at a time; channels of a tile */

/* sums[mr][REDUCED] += at most BUDGET groups of 4 channels, whose weights lie `step` bytes apart; mr is a
 * constant. */
PK_INLINE void acc16_part(size_t groups, const char *a, size_t lda, const int8_t *w, size_t step,
                          int32x4_t *sums, const int mr)
{
    int16x8_t s[4][REDUCED];
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < REDUCED; j++) {
            s[r][j] = vdupq_n_s16(0);
        }
    }
    for (; groups > 0; groups--, a += STEP, w += step) {
        int8x16_t x[4];
        PK_UNROLL
        for (int r = 0; r < mr; r++) {
            x[r] = vld1q_s8((const int8_t *)a + (size_t)r * lda);
        }
        PK_UNROLL
        for (int j = 0; j < REDUCED; j++) {
            const int8x16_t b = vld1q_s8(w + j * STEP);
            PK_UNROLL
            for (int r = 0; r < mr; r++) {
                s[r][j] = vmlal_s8(s[r][j], vget_low_s8(x[r]), vget_low_s8(b));
                s[r][j] = vmlal_high_s8(s[r][j], x[r], b);
            }
        }
    }
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < REDUCED; j++) {
            sums[r * REDUCED + j] = vpadalq_s16(sums[r * REDUCED + j], s[r][j]);
        }
    }
}

static __attribute__((noinline)) void part_4(size_t groups, const char *a, size_t lda, const int8_t *w,
                                             size_t step, int32x4_t *sums)
{
    acc16_part(groups, a, lda, w, step, sums, 4);
}

static __attribute__((noinline)) void part_1(size_t groups, const char *a, size_t lda, const int8_t *w,
                                             size_t step, int32x4_t *sums)
{
    acc16_part(groups, a, lda, w, step, sums, 1);
}

/* acc[mr][WIDE] = a * w + offsets for nv * 4 channels, four channels after each other. */
PK_INLINE void acc16_tile(size_t groups, const char *a, size_t lda, const int8_t *w, int32_t *acc,
                          const int mr, size_t nv)
{
    const size_t step = nv * REDUCED * STEP;
    const int8_t *offsets = w;
    w += nv * REDUCED * HEAD;
    for (size_t j = 0; j < nv; j++, w += REDUCED * STEP, acc += REDUCED) {
        const int32x4_t offset = vreinterpretq_s32_s8(vld1q_s8(offsets + j * REDUCED * HEAD));
        int32x4_t sums[4 * REDUCED];
        for (int i = 0; i < mr * REDUCED; i++) {
            sums[i] = vdupq_n_s32(0);
        }
        for (size_t done = 0; done < groups; done += BUDGET) {
            const size_t n = groups - done < BUDGET ? groups - done : BUDGET;
            (mr == 4 ? part_4 : part_1)(n, a + done * STEP, lda, w + done * step, step, sums);
        }
        for (int r = 0; r < mr; r++) {
            const int32x4_t *s = sums + r * REDUCED;
            const int32x4_t low = vpaddq_s32(s[0], s[1]), high = vpaddq_s32(s[2], s[3]);
            vst1q_s32(acc + r * WIDE, vaddq_s32(vpaddq_s32(low, high), offset));
        }
    }
}

#define ACC16_TILES(nv)                                                                            \
    static void tile_4x##nv(size_t groups, const char *a, size_t lda, const int8_t *w,             \
                            int32_t *acc)                                                          \
    {                                                                                              \
        acc16_tile(groups, a, lda, w, acc, 4, nv);                                                 \
    }                                                                                              \
    static void tile_1x##nv(size_t groups, const char *a, size_t lda, const int8_t *w,             \
                            int32_t *acc)                                                          \
    {                                                                                              \
        acc16_tile(groups, a, lda, w, acc, 1, nv);                                                 \
    }
ACC16_TILES(1)
ACC16_TILES(2)
ACC16_TILES(3)
ACC16_TILES(4)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},          {4, 1, tile_4x1, tile_1x1, tile_1x1},
    {4, 1, tile_4x2, tile_1x2, tile_1x2}, {4, 1, tile_4x3, tile_1x3, tile_1x3},
    {4, 1, tile_4x4, tile_1x4, tile_1x4},
};
