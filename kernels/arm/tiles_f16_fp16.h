/*
 * tiles_f16_fp16.h: tiles for conv_body.h in half precision arithmetic: 8 rows times 16 channels,
 * eight steps of K at a time by the lanes of a vector. After CHUNK steps the sums are widened and
 * added to the fp32 sums, which stay in memory.
 */
enum { CHUNK = 64 };

/* GCC 12 makes of vfmaq_laneq_f16 a DUP for every lane. x: v0..v15, others have no lanes here. */
#define HALF_MADD(s, b, x, lane)                                                                   \
    __asm__("fmla %0.8h, %1.8h, %2.h[" #lane "]" : "+w"(s) : "w"(b), "x"(x))

#define HALF_LANE(lane)                                                                            \
    do {                                                                                           \
        float16x8_t b[2];                                                                          \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < nq; j++) {                                                             \
            b[j] = vreinterpretq_f16_u16(vld1q_u16(w + (lane)*step + 8 * j));                      \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < mr; r++) {                                                             \
            PK_UNROLL                                                                              \
            for (int j = 0; j < nq; j++) {                                                         \
                HALF_MADD(s[r][j], b[j], x[r], lane);                                              \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* Up to CHUNK steps for mr rows and nq times 8 channels, whose weights lie `step` apart; mr and nq
 * are constants. */
PK_INLINE void half_chunk(size_t n, const char *a, size_t lda, const uint16_t *w, size_t step,
                          float *acc, bool first, const int mr, const int nq)
{
    float16x8_t s[8][2], x[8];
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < nq; j++) {
            s[r][j] = vreinterpretq_f16_u16(vdupq_n_u16(0));
        }
    }
    for (; n >= 8; n -= 8, a += 16, w += 8 * step) {
        PK_UNROLL
        for (int r = 0; r < mr; r++) {
            x[r] = vreinterpretq_f16_u16(
                vld1q_u16((const uint16_t *)(const void *)(a + (size_t)r * lda)));
        }
        HALF_LANE(0);
        HALF_LANE(1);
        HALF_LANE(2);
        HALF_LANE(3);
        HALF_LANE(4);
        HALF_LANE(5);
        HALF_LANE(6);
        HALF_LANE(7);
    }
    for (; n > 0; n--, a += 2, w += step) {
        PK_UNROLL
        for (int r = 0; r < mr; r++) {
            x[r] = vreinterpretq_f16_u16(
                vld1q_dup_u16((const uint16_t *)(const void *)(a + (size_t)r * lda)));
        }
        HALF_LANE(0);
    }
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < nq; j++) {
            float *to = acc + r * WIDE + 8 * j;
            const float32x4_t low = vcvt_f32_f16(vget_low_f16(s[r][j])),
                              high = vcvt_high_f32_f16(s[r][j]);
            vst1q_f32(to, first ? low : vaddq_f32(vld1q_f32(to), low));
            vst1q_f32(to + 4, first ? high : vaddq_f32(vld1q_f32(to + 4), high));
        }
    }
}

PK_INLINE void half_tile(size_t groups, const char *a, size_t lda, const uint16_t *w, size_t step,
                         float *acc, const int mr, const int nq)
{
    for (size_t k = 0; k < groups; k += CHUNK) {
        const size_t n = groups - k < CHUNK ? groups - k : CHUNK;
        half_chunk(n, a + 2 * k, lda, w + k * step, step, acc, k == 0, mr, nq);
    }
}

#define HALF_TILE(name, mr, nq)                                                                    \
    static void name(size_t groups, const char *a, size_t lda, const uint16_t *w, float *acc)      \
    {                                                                                              \
        half_tile(groups, a, lda, w, 8 * (nq), acc, mr, nq);                                       \
    }
HALF_TILE(tile_8x2, 8, 2)
HALF_TILE(tile_4x2, 4, 2)
HALF_TILE(tile_1x2, 1, 2)
HALF_TILE(tile_8x1, 8, 1)
HALF_TILE(tile_4x1, 4, 1)
HALF_TILE(tile_1x1, 1, 1)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},
    {8, 4, tile_8x1, tile_4x1, tile_1x1},
    {8, 4, tile_8x2, tile_4x2, tile_1x2},
};
