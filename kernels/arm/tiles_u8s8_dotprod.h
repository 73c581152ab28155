/*
 * tiles_u8s8_dotprod.h: tiles for conv_body.h with SDOT: 8 rows times 8 channels, sixteen steps of
 * K at a time. A row brings sixteen codes in one vector, whose four lanes multiply two vectors of
 * weights (four codes of four channels): 64 SDOT of 16 products for 16 loads.
 */
enum { LINE = 4 }; /* codes of a channel in one SDOT */

#define panel_head offsets_head

#define DOT_LANE(lane)                                                                             \
    do {                                                                                           \
        int8x16_t b[2];                                                                            \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < nv; j++) {                                                             \
            b[j] = vld1q_s8(w + ((lane)*nv + j) * VL * LINE);                                      \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < mr; r++) {                                                             \
            PK_UNROLL                                                                              \
            for (int j = 0; j < nv; j++) {                                                         \
                s[r][j] = vdotq_laneq_s32(s[r][j], b[j], x[r], lane);                              \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* acc[mr][WIDE] = a * w + offsets; mr and nv are constants. */
PK_INLINE void dot_tile(size_t groups, const char *a, size_t lda, const int8_t *w, int32_t *acc,
                        const int mr, const int nv)
{
    int32x4_t s[8][2];
    int8x16_t x[8];
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            s[r][j] = vreinterpretq_s32_s8(vld1q_s8(w + j * VL * LINE));
        }
    }
    w += nv * VL * LINE;
    for (; groups >= 4; groups -= 4, a += 16, w += 4 * nv * VL * LINE) {
        PK_UNROLL
        for (int r = 0; r < mr; r++) {
            x[r] = vld1q_s8((const int8_t *)a + (size_t)r * lda);
        }
        DOT_LANE(0);
        DOT_LANE(1);
        DOT_LANE(2);
        DOT_LANE(3);
    }
    for (; groups > 0; groups--, a += 4, w += nv * VL * LINE) {
        PK_UNROLL
        for (int r = 0; r < mr; r++) {
            int32_t codes;
            memcpy(&codes, a + (size_t)r * lda, sizeof codes);
            x[r] = vreinterpretq_s8_s32(vdupq_n_s32(codes));
        }
        DOT_LANE(0);
    }
    PK_UNROLL
    for (int r = 0; r < mr; r++) {
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            vst1q_s32(acc + r * WIDE + j * VL, s[r][j]);
        }
    }
}

/* One row: four sets of sums, each over every fourth group, hide the latency. */
PK_INLINE void dot_row(size_t groups, const char *a, const int8_t *w, int32_t *acc, const int nv)
{
    int32x4_t s[4][2];
    PK_UNROLL
    for (int j = 0; j < nv; j++) {
        s[0][j] = vreinterpretq_s32_s8(vld1q_s8(w + j * VL * LINE));
        s[1][j] = s[2][j] = s[3][j] = vdupq_n_s32(0);
    }
    const int step = nv * VL * LINE;
    w += step;
    for (; groups >= 4; groups -= 4, a += 16, w += 4 * step) {
        const int8x16_t x = vld1q_s8((const int8_t *)a);
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            const int8_t *p = w + j * VL * LINE;
            s[0][j] = vdotq_laneq_s32(s[0][j], vld1q_s8(p), x, 0);
            s[1][j] = vdotq_laneq_s32(s[1][j], vld1q_s8(p + step), x, 1);
            s[2][j] = vdotq_laneq_s32(s[2][j], vld1q_s8(p + 2 * step), x, 2);
            s[3][j] = vdotq_laneq_s32(s[3][j], vld1q_s8(p + 3 * step), x, 3);
        }
    }
    for (; groups > 0; groups--, a += 4, w += step) {
        int32_t codes;
        memcpy(&codes, a, sizeof codes);
        const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(codes));
        PK_UNROLL
        for (int j = 0; j < nv; j++) {
            s[0][j] = vdotq_s32(s[0][j], vld1q_s8(w + j * VL * LINE), x);
        }
    }
    PK_UNROLL
    for (int j = 0; j < nv; j++) {
        vst1q_s32(acc + j * VL, vaddq_s32(vaddq_s32(s[0][j], s[1][j]), vaddq_s32(s[2][j], s[3][j])));
    }
}

#define DOT_TILE(name, mr, nv)                                                                     \
    static void name(size_t groups, const char *a, size_t lda, const int8_t *w, int32_t *acc)      \
    {                                                                                              \
        dot_tile(groups, a, lda, w, acc, mr, nv);                                                  \
    }
#define DOT_ROW(name, nv)                                                                          \
    static void name(size_t groups, const char *a, size_t lda, const int8_t *w, int32_t *acc)      \
    {                                                                                              \
        (void)lda;                                                                                 \
        dot_row(groups, a, w, acc, nv);                                                            \
    }
DOT_TILE(tile_8x2, 8, 2)
DOT_TILE(tile_4x2, 4, 2)
DOT_TILE(tile_8x1, 8, 1)
DOT_TILE(tile_4x1, 4, 1)
DOT_ROW(tile_1x2, 2)
DOT_ROW(tile_1x1, 1)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},
    {8, 4, tile_8x1, tile_4x1, tile_1x1},
    {8, 4, tile_8x2, tile_4x2, tile_1x2},
};
