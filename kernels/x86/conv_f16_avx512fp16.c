/*
 * conv_f16_avx512fp16.c: convolution in half precision arithmetic, tiles of 6 rows times 64
 * channels and their like.
 *
 * A 32-bit lane holds the sums of one channel's even and odd products. After CHUNK steps of two
 * (64 products in each sum) both are widened and added to the fp32 sums, which stay in memory.
 *
 * Products have 45-53 MAC per cycle, 12544x64x147 (a first layer as one) 40. Its floor, in millions of cycles: 1.84 the multiply,
 * about 0.4 promotions (a tile's 74 steps are 64 and then 10, two of some 90 cycles each behind 890), and, since 147 is odd, rows
 * that are copied, 3.7 MB written and read again; 2.9 measured. (2026-11-21)
 */
#include "vec_avx512.h"

#include "../pk_tables.h"

#define T_X uint16_t
#define T_A uint16_t
#define T_W uint16_t
#define T_P uint16_t
#define T_ACC float
#define K_GROUP 2
#define NV 4
#define PK_EPILOGUE pk_epilogue_f32_avx512
#define PK_PAD(code) ((void)(code), (uint16_t)0)
#define CONV_NAME conv_f16_avx512fp16
#define FC_NAME fc_f16_avx512fp16

enum { CHUNK = 64 };

PK_INLINE void copy_row(uint16_t *to, const uint16_t *from, size_t n)
{
    for (; n >= 32; n -= 32, to += 32, from += 32) {
        _mm512_storeu_si512(to, _mm512_loadu_si512(from));
    }
    const __mmask32 rest = (__mmask32)((1ull << n) - 1);
    _mm512_mask_storeu_epi16(to, rest, _mm512_maskz_loadu_epi16(rest, from));
}

PK_INLINE uint16_t weight_of(uint16_t w)
{
    return w;
}

/* Two neighbouring halves in every 32-bit lane. */
PK_INLINE __m512h broadcast_pair(const char *p)
{
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return (__m512h)_mm512_set1_epi32(pair);
}

PK_INLINE __m512h load_weights(const uint16_t *w)
{
    return (__m512h)_mm512_loadu_si512(w);
}

/* Even and odd sums of sixteen channels, added in fp32. */
PK_INLINE __m512 widened(__m512h sums)
{
    const __m512i order = _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1,
                                           30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i apart = _mm512_permutexvar_epi16(order, (__m512i)sums);
    return _mm512_add_ps(_mm512_cvtph_ps(_mm512_castsi512_si256(apart)),
                         _mm512_cvtph_ps(_mm512_extracti64x4_epi64(apart, 1)));
}

/* Writes the sums of a chunk, or adds them. */
PK_INLINE void promote(float *acc, __m512 sum, bool first)
{
    v_store_all(acc, first ? sum : _mm512_add_ps(v_load_all(acc), sum));
}

#define TILE(name, mr, nv)                                                                         \
    static void name(size_t groups, const char *a, size_t lda, const uint16_t *w, float *acc)      \
    {                                                                                              \
        const size_t lda3 = 3 * lda;                                                               \
        bool first = true;                                                                         \
        do {                                                                                       \
            __m512h s[mr][nv], b[nv];                                                              \
            const size_t chunk = groups < CHUNK ? groups : CHUNK;                                  \
            PK_UNROLL                                                                              \
            for (int r = 0; r < (mr); r++) {                                                       \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++)                                                     \
                    s[r][j] = _mm512_setzero_ph();                                                 \
            }                                                                                      \
            for (size_t i = chunk; i > 0; i--, a += 4, w += (nv)*32) {                             \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++)                                                     \
                    b[j] = load_weights(w + j * 32);                                               \
                const char *q = a;                                                                 \
                PK_UNROLL                                                                          \
                for (int r = 0; r < (mr); r++) {                                                   \
                    const __m512h x =                                                              \
                        broadcast_pair(q + ((r & 3) == 3 ? lda3 : (size_t)(r & 3) * lda));         \
                    PK_UNROLL                                                                      \
                    for (int j = 0; j < (nv); j++)                                                 \
                        s[r][j] = _mm512_fmadd_ph(x, b[j], s[r][j]);                               \
                    q += (r & 3) == 3 ? 4 * lda : 0;                                               \
                }                                                                                  \
            }                                                                                      \
            PK_UNROLL                                                                              \
            for (int r = 0; r < (mr); r++) {                                                       \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++)                                                     \
                    promote(acc + r * WIDE + j * VL, widened(s[r][j]), first);                     \
            }                                                                                      \
            groups -= chunk;                                                                       \
            first = false;                                                                         \
        } while (groups > 0);                                                                      \
    }

/* One row: four sets of sums, each over every fourth step, hide the latency. */
#define TILE_ROW(name, nv)                                                                         \
    static void name(size_t groups, const char *a, size_t lda, const uint16_t *w, float *acc)      \
    {                                                                                              \
        (void)lda;                                                                                 \
        bool first = true;                                                                         \
        do {                                                                                       \
            __m512h s[4][nv];                                                                      \
            const size_t chunk = groups < 4 * CHUNK ? groups : 4 * CHUNK;                          \
            PK_UNROLL                                                                              \
            for (int r = 0; r < 4; r++) {                                                          \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++)                                                     \
                    s[r][j] = _mm512_setzero_ph();                                                 \
            }                                                                                      \
            size_t i = chunk;                                                                      \
            for (; i >= 4; i -= 4) {                                                               \
                PK_UNROLL                                                                          \
                for (int r = 0; r < 4; r++, a += 4, w += (nv)*32) {                                \
                    const __m512h x = broadcast_pair(a);                                           \
                    PK_UNROLL                                                                      \
                    for (int j = 0; j < (nv); j++)                                                 \
                        s[r][j] = _mm512_fmadd_ph(x, load_weights(w + j * 32), s[r][j]);           \
                }                                                                                  \
            }                                                                                      \
            PK_UNROLL                                                                              \
            for (int r = 0; r < 3; r++) {                                                          \
                if (i > (size_t)r) {                                                               \
                    const __m512h x = broadcast_pair(a);                                           \
                    PK_UNROLL                                                                      \
                    for (int j = 0; j < (nv); j++)                                                 \
                        s[r][j] = _mm512_fmadd_ph(x, load_weights(w + j * 32), s[r][j]);           \
                    a += 4, w += (nv)*32;                                                          \
                }                                                                                  \
            }                                                                                      \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++) {                                                       \
                const __m512 low = _mm512_add_ps(widened(s[0][j]), widened(s[1][j]));              \
                const __m512 high = _mm512_add_ps(widened(s[2][j]), widened(s[3][j]));             \
                promote(acc + j * VL, _mm512_add_ps(low, high), first);                            \
            }                                                                                      \
            groups -= chunk;                                                                       \
            first = false;                                                                         \
        } while (groups > 0);                                                                      \
    }

#define CONV_TILES()                                                                               \
    TILE(tile_6x4, 6, 4)                                                                           \
    TILE(tile_2x4, 2, 4)                                                                           \
    TILE(tile_8x3, 8, 3)                                                                           \
    TILE(tile_3x3, 3, 3)                                                                           \
    TILE(tile_12x2, 12, 2)                                                                         \
    TILE(tile_4x2, 4, 2)                                                                           \
    TILE(tile_24x1, 24, 1)                                                                         \
    TILE(tile_8x1, 8, 1)                                                                           \
    TILE_ROW(tile_1x4, 4)                                                                          \
    TILE_ROW(tile_1x3, 3)                                                                          \
    TILE_ROW(tile_1x2, 2)                                                                          \
    TILE_ROW(tile_1x1, 1)                                                                          \
    static const struct tiles all_tiles[NV + 1] = {                                                \
        {0, 0, NULL, NULL, NULL},                                                                  \
        {24, 8, tile_24x1, tile_8x1, tile_1x1},                                                    \
        {12, 4, tile_12x2, tile_4x2, tile_1x2},                                                    \
        {8, 3, tile_8x3, tile_3x3, tile_1x3},                                                      \
        {6, 2, tile_6x4, tile_2x4, tile_1x4},                                                      \
    };

#include "conv_body.h"
