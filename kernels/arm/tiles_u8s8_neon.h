/*
 * tiles_u8s8_neon.h: tiles for conv_body.h on byte codes with what every AArch64 core has: 4 rows
 * times 4 channels, sixteen steps of K at a time. SMULL and SMLAL2 make eight sums of two products
 * in 16 bits, SADALP adds them in pairs to four 32-bit sums: 16 products in three instructions.
 * Two products of -128 * -128 do not fit in 16 bits, so a panel with a weight of -128 (said in its
 * head) takes SADALP after each multiplication.
 */
enum { STEP = 16, REDUCED = 4 }; /* bytes of a row and of a channel at a time; channels of a tile */

/* The head of a panel, 16 bytes a channel: for every four channels four offsets, then flags. */
static void panel_head(int8_t *to, const int8_t *w, size_t n, size_t width, size_t k)
{
    int32_t flag = 0;
    for (size_t i = 0; i < n * k; i++) {
        flag |= w[i] == -128;
    }
    for (size_t c = 0; c < width; c += REDUCED, to += REDUCED * HEAD) {
        int32_t head[REDUCED * HEAD / 4] = {0};
        for (size_t i = c; i < n && i < c + REDUCED; i++) {
            head[i - c] = offset_of(w + i * k, k);
        }
        head[REDUCED] = flag;
        memcpy(to, head, sizeof head);
    }
}

/* acc[mr][WIDE] for 4 channels, whose weights lie `step` bytes apart; mr and safe (no weight is
 * -128) are constants. */
PK_INLINE void u8s8_block(size_t groups, const char *a, size_t lda, const int8_t *w, size_t step,
                          int32x4_t offset, int32_t *acc, const int mr, const bool safe)
{
    int32x4_t s[4][REDUCED];
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < REDUCED; j++) {
            s[r][j] = vdupq_n_s32(0);
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
                int16x8_t p = vmull_s8(vget_low_s8(x[r]), vget_low_s8(b));
                if (safe) {
                    p = vmlal_high_s8(p, x[r], b);
                } else {
                    s[r][j] = vpadalq_s16(s[r][j], p);
                    p = vmull_high_s8(x[r], b);
                }
                s[r][j] = vpadalq_s16(s[r][j], p);
            }
        }
    }
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        const int32x4_t low = vpaddq_s32(s[r][0], s[r][1]), high = vpaddq_s32(s[r][2], s[r][3]);
        vst1q_s32(acc + r * WIDE, vaddq_s32(vpaddq_s32(low, high), offset));
    }
}

/* mr rows times nv * 4 channels, four channels after each other. */
PK_INLINE void u8s8_tile(size_t groups, const char *a, size_t lda, const int8_t *w, int32_t *acc,
                         const int mr, size_t nv)
{
    const size_t step = nv * REDUCED * STEP;
    for (size_t j = 0; j < nv; j++, w += REDUCED * STEP, acc += REDUCED) {
        const int32_t *head = (const int32_t *)(const void *)w;
        if (head[REDUCED] == 0) {
            u8s8_block(groups, a, lda, w + step, step, vld1q_s32(head), acc, mr, true);
        } else {
            u8s8_block(groups, a, lda, w + step, step, vld1q_s32(head), acc, mr, false);
        }
    }
}

#define U8S8_TILES(nv)                                                                             \
    static void tile_4x##nv(size_t groups, const char *a, size_t lda, const int8_t *w,             \
                            int32_t *acc)                                                          \
    {                                                                                              \
        u8s8_tile(groups, a, lda, w, acc, 4, nv);                                                  \
    }                                                                                              \
    static void tile_1x##nv(size_t groups, const char *a, size_t lda, const int8_t *w,             \
                            int32_t *acc)                                                          \
    {                                                                                              \
        u8s8_tile(groups, a, lda, w, acc, 1, nv);                                                  \
    }
U8S8_TILES(1)
U8S8_TILES(2)
U8S8_TILES(3)
U8S8_TILES(4)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},          {4, 1, tile_4x1, tile_1x1, tile_1x1},
    {4, 1, tile_4x2, tile_1x2, tile_1x2}, {4, 1, tile_4x3, tile_1x3, tile_1x3},
    {4, 1, tile_4x4, tile_1x4, tile_1x4},
};
