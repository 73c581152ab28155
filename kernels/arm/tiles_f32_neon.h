/*
 * tiles_f32_neon.h: fp32 tiles for conv_body.h: 8 rows times 8 channels, four steps of K at a
 * time. A row brings four steps in one vector, whose lanes multiply two vectors of weights: 64
 * multiply-adds of four lanes for 16 loads.
 */
#define F32_LANE(lane)                                                                             \
    do {                                                                                           \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < nv; j++) {                                                             \
            b[j] = vld1q_f32(w + ((lane)*nv + j) * VL);                                            \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < mr; r++) {                                                             \
            PK_UNROLL                                                                              \
            for (int j = 0; j < nv; j++) {                                                         \
                s[r][j] = vfmaq_laneq_f32(s[r][j], b[j], x[r], lane);                              \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* acc[mr][WIDE] = a * w; mr and nv are constants. */
PK_INLINE void f32_tile(size_t groups, const char *a, size_t lda, const float *w, float *acc,
                        const int mr, const int nv)
{
    float32x4_t s[8][2], x[8], b[2];
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            s[r][j] = vdupq_n_f32(0.0f);
        }
    }
    for (; groups >= 4; groups -= 4, a += 16, w += 4 * nv * VL) {
        PK_UNROLL
        for (int r = 0; r < mr; r++) {
            x[r] = vld1q_f32((const float *)(const void *)(a + (size_t)r * lda));
        }
        F32_LANE(0);
        F32_LANE(1);
        F32_LANE(2);
        F32_LANE(3);
    }
    for (; groups > 0; groups--, a += 4, w += nv * VL) {
        PK_UNROLL
        for (int r = 0; r < mr; r++) {
            x[r] = vld1q_dup_f32((const float *)(const void *)(a + (size_t)r * lda));
        }
        F32_LANE(0);
    }
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            vst1q_f32(acc + r * WIDE + j * VL, s[r][j]);
        }
    }
}

/* One row: four sets of sums, each over every fourth step, hide the latency. */
PK_INLINE void f32_row(size_t groups, const char *a, const float *w, float *acc, const int nv)
{
    const float *x = (const float *)(const void *)a;
    float32x4_t s[4][2];
    PK_UNROLL
    for (int i = 0; i < 4; i++) {
        s[i][0] = s[i][1] = vdupq_n_f32(0.0f);
    }
    for (; groups >= 4; groups -= 4, x += 4, w += 4 * nv * VL) {
        const float32x4_t four = vld1q_f32(x);
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            s[0][j] = vfmaq_laneq_f32(s[0][j], vld1q_f32(w + j * VL), four, 0);
            s[1][j] = vfmaq_laneq_f32(s[1][j], vld1q_f32(w + (nv + j) * VL), four, 1);
            s[2][j] = vfmaq_laneq_f32(s[2][j], vld1q_f32(w + (2 * nv + j) * VL), four, 2);
            s[3][j] = vfmaq_laneq_f32(s[3][j], vld1q_f32(w + (3 * nv + j) * VL), four, 3);
        }
    }
    for (; groups > 0; groups--, x++, w += nv * VL) {
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            s[0][j] = vfmaq_f32(s[0][j], vld1q_f32(w + j * VL), vld1q_dup_f32(x));
        }
    }
    PK_UNROLL
    for (int j = 0; j < nv; j++) {
        vst1q_f32(acc + j * VL, vaddq_f32(vaddq_f32(s[0][j], s[1][j]), vaddq_f32(s[2][j], s[3][j])));
    }
}

#define F32_TILE(name, mr, nv)                                                                     \
    static void name(size_t groups, const char *a, size_t lda, const float *w, float *acc)         \
    {                                                                                              \
        f32_tile(groups, a, lda, w, acc, mr, nv);                                                  \
    }
#define F32_ROW(name, nv)                                                                          \
    static void name(size_t groups, const char *a, size_t lda, const float *w, float *acc)         \
    {                                                                                              \
        (void)lda;                                                                                 \
        f32_row(groups, a, w, acc, nv);                                                            \
    }
F32_TILE(tile_8x2, 8, 2)
F32_TILE(tile_4x2, 4, 2)
F32_TILE(tile_8x1, 8, 1)
F32_TILE(tile_4x1, 4, 1)
F32_ROW(tile_1x2, 2)
F32_ROW(tile_1x1, 1)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},
    {8, 4, tile_8x1, tile_4x1, tile_1x1},
    {8, 4, tile_8x2, tile_4x2, tile_1x2},
};
