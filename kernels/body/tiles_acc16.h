/*
 * tiles_acc16.h: tiles for conv_body.h on byte codes and weights of few bits: products of four codes
 * are added in pairs in 16 bits, and only every BUDGET steps of K_GROUP (4) in 32 bits.
 * The including file defines:
 *   BUDGET                 steps whose sums fit: BUDGET * 2 * 255 * |least weight| <= 32767, so 8 for
 *                          -8..7 (32640) and 32 for -2..1 (32640)
 *   V_PRODUCTS(x, w)       codes times weights, added in pairs to 16 bits
 *   V_ADD_16(s, a)         s += a in 16 bits (by assembler: GCC 12 else copies every sum, and spills)
 *   V_WIDEN(s)             neighbouring 16-bit sums added to 32 bits
 *   V_GET(p)               vector of 32-bit sums from memory
 * and what conv_body.h names.
 */
/* acc[mr][WIDE] += a * w over n (at most BUDGET) steps. A function of its own: GCC 12 keeps arrays in
 * registers only where their loops are a function's outermost. */
#define ACC16_PART(mr, nv)                                                                         \
    static __attribute__((noinline)) void part_##mr##x##nv(size_t n, const char *a, size_t lda,    \
                                                           const T_P *w, T_ACC *acc)               \
    {                                                                                              \
        vacc s[mr][nv], b[nv];                                                                     \
        const size_t lda3 = 3 * lda;                                                               \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = V_ZERO();                                                                \
        }                                                                                          \
        for (; n > 0; n--, a += K_GROUP, w += (nv)*VL * K_GROUP) {                                 \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                b[j] = V_WEIGHTS(w + j * VL * K_GROUP);                                            \
            const char *q = a;                                                                     \
            PK_UNROLL                                                                              \
            for (int r = 0; r < (mr); r++) {                                                       \
                const vacc x = V_BROADCAST(q + ((r & 3) == 3 ? lda3 : (size_t)(r & 3) * lda));     \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++)                                                     \
                    V_ADD_16(s[r][j], V_PRODUCTS(x, b[j]));                              \
                q += (r & 3) == 3 ? 4 * lda : 0;                                                   \
            }                                                                                      \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++) {                                                       \
                V_PUT(acc + r * WIDE + j * VL,                                                     \
                      V_SUM(V_GET(acc + r * WIDE + j * VL), V_WIDEN(s[r][j])));                    \
            }                                                                                      \
        }                                                                                          \
    }

#define ACC16_TILE(mr, nv)                                                                         \
    ACC16_PART(mr, nv)                                                                             \
    static void tile_##mr##x##nv(size_t groups, const char *a, size_t lda, const T_P *w, T_ACC *acc)\
    {                                                                                              \
        for (int r = 0; r < (mr); r++) {                                                           \
            for (int j = 0; j < (nv); j++)                                                         \
                V_PUT(acc + r * WIDE + j * VL, V_ZERO());                                          \
        }                                                                                          \
        for (; groups > BUDGET; groups -= BUDGET) {                                                \
            part_##mr##x##nv(BUDGET, a, lda, w, acc);                                              \
            a += BUDGET * K_GROUP;                                                                 \
            w += BUDGET * (nv)*VL * K_GROUP;                                                       \
        }                                                                                          \
        part_##mr##x##nv(groups, a, lda, w, acc);                                                  \
    }

/* One row, n (at most 4 * BUDGET) steps: four sets of sums, each over every fourth, hide the latency. */
#define ACC16_ROW(nv)                                                                              \
    static __attribute__((noinline)) void part_1x##nv(size_t n, const char *a, const T_P *w, T_ACC *acc)\
    {                                                                                              \
        vacc s[4][nv], sum[nv];                                                                    \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (nv); j++)                                                             \
            sum[j] = V_GET(acc + j * VL);                                                          \
        PK_UNROLL                                                                                  \
        for (int i = 0; i < 4; i++) {                                                              \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[i][j] = V_ZERO();                                                                \
        }                                                                                          \
        for (; n >= 4; n -= 4) {                                                                   \
            PK_UNROLL                                                                              \
            for (int i = 0; i < 4; i++) {                                                          \
                const vacc x = V_BROADCAST(a);                                                     \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++)                                                     \
                    V_ADD_16(s[i][j], V_PRODUCTS(x, V_WEIGHTS(w + j * VL * K_GROUP)));   \
                a += K_GROUP, w += (nv)*VL * K_GROUP;                                              \
            }                                                                                      \
        }                                                                                          \
        for (; n > 0; n--, a += K_GROUP, w += (nv)*VL * K_GROUP) {                                 \
            const vacc x = V_BROADCAST(a);                                                         \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                sum[j] = V_SUM(sum[j], V_WIDEN(V_PRODUCTS(x, V_WEIGHTS(w + j * VL * K_GROUP))));   \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int i = 0; i < 4; i++) {                                                              \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                sum[j] = V_SUM(sum[j], V_WIDEN(s[i][j]));                                          \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int j = 0; j < (nv); j++)                                                             \
            V_PUT(acc + j * VL, sum[j]);                                                           \
    }                                                                                              \
    static void tile_1x##nv(size_t groups, const char *a, size_t lda, const T_P *w, T_ACC *acc)    \
    {                                                                                              \
        (void)lda;                                                                                 \
        for (int j = 0; j < (nv); j++)                                                             \
            V_PUT(acc + j * VL, V_ZERO());                                                         \
        for (; groups > 4 * BUDGET; groups -= 4 * BUDGET) {                                        \
            part_1x##nv(4 * BUDGET, a, w, acc);                                                    \
            a += 4 * BUDGET * K_GROUP;                                                             \
            w += 4 * BUDGET * (nv)*VL * K_GROUP;                                                   \
        }                                                                                          \
        part_1x##nv(groups, a, w, acc);                                                            \
    }

#if NV == 4
ACC16_TILE(6, 4)
ACC16_TILE(2, 4)
ACC16_TILE(8, 3)
ACC16_TILE(3, 3)
ACC16_TILE(12, 2)
ACC16_TILE(4, 2)
ACC16_TILE(24, 1)
ACC16_TILE(8, 1)
ACC16_ROW(4)
ACC16_ROW(3)
ACC16_ROW(2)
ACC16_ROW(1)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},
    {24, 8, tile_24x1, tile_8x1, tile_1x1},
    {12, 4, tile_12x2, tile_4x2, tile_1x2},
    {8, 3, tile_8x3, tile_3x3, tile_1x3},
    {6, 2, tile_6x4, tile_2x4, tile_1x4},
};
#else
ACC16_TILE(6, 2)
ACC16_TILE(2, 2)
ACC16_TILE(12, 1)
ACC16_TILE(4, 1)
ACC16_ROW(2)
ACC16_ROW(1)
static const struct tiles all_tiles[NV + 1] = {
    {0, 0, NULL, NULL, NULL},
    {12, 4, tile_12x1, tile_4x1, tile_1x1},
    {6, 2, tile_6x2, tile_2x2, tile_1x2},
};
#endif
