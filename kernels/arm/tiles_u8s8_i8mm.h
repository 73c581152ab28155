/*
 * tiles_u8s8_i8mm.h: tiles for conv_body.h with USMMLA: 8 rows times 8 channels, sixteen steps of
 * K at a time. One USMMLA multiplies eight codes of two rows with eight weights of two channels:
 * 32 products, four sums (row by channel). Two rows of sixteen codes become two operands by TRN.
 */
enum { LINE = 8 }; /* codes of a channel in one USMMLA */

/* One group of eight steps: s[pair of rows][pair of channels] += x * w. */
PK_INLINE const int8_t *mm_step(int32x4_t s[4][4], const uint8x16_t *x, const int8_t *w,
                                const int pairs, const int nv)
{
    PK_UNROLL
    for (int j = 0; j < 2 * nv; j++) {
        const int8x16_t b = vld1q_s8(w + j * 2 * LINE);
        PK_UNROLL
        for (int r = 0; r < pairs; r++) {
            s[r][j] = vusmmlaq_s32(s[r][j], x[r], b);
        }
    }
    return w + nv * VL * LINE;
}

/* acc[2 * pairs][WIDE] = a * w; pairs and nv are constants. */
PK_INLINE void mm_tile(size_t groups, const char *a, size_t lda, const int8_t *w, int32_t *acc,
                       const int pairs, const int nv)
{
    int32x4_t s[4][4];
    uint8x16_t low[4], high[4];
    PK_UNROLL
    for (int r = 0; r < pairs; r++) {
        PK_UNROLL
        for (int j = 0; j < 2 * nv; j++) {
            s[r][j] = vdupq_n_s32(0);
        }
    }
    for (; groups >= 2; groups -= 2, a += 16) {
        PK_UNROLL
        for (int r = 0; r < pairs; r++) {
            const uint8_t *p = (const uint8_t *)a + (size_t)(2 * r) * lda;
            const uint64x2_t even = vreinterpretq_u64_u8(vld1q_u8(p)),
                             odd = vreinterpretq_u64_u8(vld1q_u8(p + lda));
            low[r] = vreinterpretq_u8_u64(vtrn1q_u64(even, odd));
            high[r] = vreinterpretq_u8_u64(vtrn2q_u64(even, odd));
        }
        w = mm_step(s, low, w, pairs, nv);
        w = mm_step(s, high, w, pairs, nv);
    }
    if (groups > 0) {
        PK_UNROLL
        for (int r = 0; r < pairs; r++) {
            const uint8_t *p = (const uint8_t *)a + (size_t)(2 * r) * lda;
            low[r] = vcombine_u8(vld1_u8(p), vld1_u8(p + lda));
        }
        mm_step(s, low, w, pairs, nv);
    }
    PK_UNROLL
    for (int r = 0; r < pairs; r++) {
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            const int64x2_t left = vreinterpretq_s64_s32(s[r][2 * j]),
                            right = vreinterpretq_s64_s32(s[r][2 * j + 1]);
            int32_t *to = acc + 2 * r * WIDE + j * VL;
            vst1q_s32(to, vreinterpretq_s32_s64(vtrn1q_s64(left, right)));
            vst1q_s32(to + WIDE, vreinterpretq_s32_s64(vtrn2q_s64(left, right)));
        }
    }
}

/* One row: USDOT, two partial sums of a channel side by side; two sets hide the latency. */
PK_INLINE void mm_row(size_t groups, const char *a, const int8_t *w, int32_t *acc, const int nv)
{
    const uint8_t *x = (const uint8_t *)a;
    int32x4_t s[2][4];
    PK_UNROLL
    for (int j = 0; j < 2 * nv; j++) {
        s[0][j] = s[1][j] = vdupq_n_s32(0);
    }
    for (; groups >= 2; groups -= 2, x += 2 * LINE, w += 2 * nv * VL * LINE) {
        const uint8x16_t first = vcombine_u8(vld1_u8(x), vld1_u8(x)),
                         second = vcombine_u8(vld1_u8(x + LINE), vld1_u8(x + LINE));
        PK_UNROLL
        for (int j = 0; j < 2 * nv; j++) {
            const int8_t *p = w + j * 2 * LINE;
            s[0][j] = vusdotq_s32(s[0][j], first, vld1q_s8(p));
            s[1][j] = vusdotq_s32(s[1][j], second, vld1q_s8(p + nv * VL * LINE));
        }
    }
    if (groups > 0) {
        const uint8x16_t last = vcombine_u8(vld1_u8(x), vld1_u8(x));
        PK_UNROLL
        for (int j = 0; j < 2 * nv; j++) {
            s[0][j] = vusdotq_s32(s[0][j], last, vld1q_s8(w + j * 2 * LINE));
        }
    }
    PK_UNROLL
    for (int j = 0; j < nv; j++) {
        vst1q_s32(acc + j * VL, vpaddq_s32(vaddq_s32(s[0][2 * j], s[1][2 * j]),
                                           vaddq_s32(s[0][2 * j + 1], s[1][2 * j + 1])));
    }
}

#define MM_TILE(name, pairs, nv)                                                                   \
    static void name(size_t groups, const char *a, size_t lda, const int8_t *w, int32_t *acc)      \
    {                                                                                              \
        mm_tile(groups, a, lda, w, acc, pairs, nv);                                                \
    }
#define MM_ROW(name, nv)                                                                           \
    static void name(size_t groups, const char *a, size_t lda, const int8_t *w, int32_t *acc)      \
    {                                                                                              \
        (void)lda;                                                                                 \
        mm_row(groups, a, w, acc, nv);                                                             \
    }
MM_TILE(tile_8x2, 4, 2)
MM_TILE(tile_2x2, 1, 2)
MM_TILE(tile_8x1, 4, 1)
MM_TILE(tile_2x1, 1, 1)
MM_ROW(tile_1x2, 2)
MM_ROW(tile_1x1, 1)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},
    {8, 2, tile_8x1, tile_2x1, tile_1x1},
    {8, 2, tile_8x2, tile_2x2, tile_1x2},
};
