/*
 * acc16_avx2.h: conv_body.h on byte codes and weights of few bits by vpmaddubsw, whose sums of two
 * products of 0..255 and -8..7 do not saturate, and 16-bit additions (tiles_acc16.h). The including file
 * defines BUDGET and CONV_NAME. One pixel: row_panel for low_row.h.
 */
#include "low_expand_avx2.h"

#include "../pk_tables.h"

#include <string.h>

#define T_X uint8_t
#define T_A uint8_t
#define T_W int8_t
#define T_P int8_t
#define T_ACC int32_t
#define K_GROUP 4
#define NV 2
#define vacc __m256i
#define V_ZERO() _mm256_setzero_si256()
#define V_BROADCAST(p) _mm256_set1_epi32(four_codes(p))
#define V_WEIGHTS(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define V_PRODUCTS(x, w) _mm256_maddubs_epi16(x, w)
#define V_ADD_16(s, a) __asm__("vpaddw %1, %0, %0" : "+x"(s) : "x"(a))
#define V_WIDEN(s) _mm256_madd_epi16(s, _mm256_set1_epi16(1))
#define V_SUM(a, b) _mm256_add_epi32(a, b)
#define V_GET(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define V_PUT(p, acc) _mm256_storeu_si256((__m256i *)(void *)(p), acc)
#define OWN_TILES "tiles_acc16.h"
#define PK_EPILOGUE pk_epilogue_i32_avx2
#define PK_PAD(code) ((uint8_t)(code))

PK_INLINE int four_codes(const char *p)
{
    int codes;
    memcpy(&codes, p, sizeof codes);
    return codes;
}

PK_INLINE void copy_row(uint8_t *to, const uint8_t *from, size_t n)
{
    for (; n >= 32; n -= 32, to += 32, from += 32) {
        V_PUT(to, V_WEIGHTS(from));
    }
    for (; n >= 8; n -= 8, to += 8, from += 8) {
        memcpy(to, from, 8);
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

PK_INLINE int8_t weight_of(int8_t w)
{
    return w;
}

#include "conv_body.h"

#include "low_body.h"

/* Sums in 16 bits of `rounds` (rounds * share <= BUDGET) stored vectors, added to sum. */
PK_INLINE void row_part(const uint8_t *x, const uint8_t *w, size_t rounds, __m256i *sum,
                        const int columns, const int bits)
{
    const int share = 8 / bits;
    __m256i s[2] = {V_ZERO(), V_ZERO()};
    for (; rounds > 0; rounds--, w += columns * LOW_BYTES, x += LOW_LINE * share) {
        _mm_prefetch((const char *)(w + 4096), _MM_HINT_T0);
        PK_UNROLL
        for (int j = 0; j < columns; j++) {
            const __m256i stored = V_WEIGHTS(w + j * LOW_BYTES);
            PK_UNROLL
            for (int f = 0; f < share; f++) {
                V_ADD_16(s[j], V_PRODUCTS(V_BROADCAST((const char *)x + LOW_LINE * f),
                                          low_codes(stored, (size_t)f, bits)));
            }
        }
    }
    PK_UNROLL
    for (int j = 0; j < columns; j++)
        sum[j] = V_SUM(sum[j], V_WIDEN(s[j]));
}

PK_INLINE void row_panel(const uint8_t *x, const uint8_t *w, size_t stored, int32_t *acc,
                         const int columns, const int bits)
{
    const size_t share = (size_t)(8 / bits), most = BUDGET / share, wide = (size_t)columns * LOW_BYTES;
    __m256i sum[2] = {V_ZERO(), V_ZERO()};
    for (; stored > most; stored -= most, x += most * share * LOW_LINE, w += most * wide) {
        row_part(x, w, most, sum, columns, bits);
    }
    row_part(x, w, stored, sum, columns, bits);
    PK_UNROLL
    for (int j = 0; j < columns; j++)
        V_PUT(acc + j * VL, sum[j]);
}

#define ROW_MOST INT32_MAX
#include "low_row.h"
