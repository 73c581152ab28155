/*
 * conv_u8s8_avx2.c: byte codes with vpmaddwd on codes and weights widened to 16 bits; long sums for many channels with seven
 * products of half tiles instead of eight (conv_strassen.h), for which the 16 bits leave room.
 *
 * What binds (Sapphire Rapids, 2026-11-21): three vector ports. vpmaddwd, vpmaddubsw and vpsignb go to two of them (0, 1),
 * additions to all. Ways to exact sums of any codes, operations for 32 products of a vector and the most MAC per cycle:
 *
 *   6     16    weights as two parts in -64..64, each: vpmaddubsw, vpmaddwd by ones, vpaddd
 *   5     19.2  the upper seven bits of codes so, the lowest by vpmaddubsw and vpaddw
 *   4     21.3  vpsignb, vpmaddubsw of |w|, vpmaddwd by ones, vpaddd: three of them on two ports, and not exact at -128
 *   4.25  22.6  codes as two parts of four bits: vpmaddubsw, vpaddw each, eight steps of which fit in 16 bits
 *   4     24    vpmaddwd, vpaddd on 16 bits: the plain tiles here
 *   4     24    the same on (a1 + w2) (a2 + w1): half the products for two additions more
 *   3.5   27.4  seven bits by vpmaddubsw, the lowest bit of four codes by a table of 16 sums of weights: eight times their bytes
 *   3.5   27.4  plain tiles, seven eighths of the products: 7/4 of the plain weights' bytes
 *   3     32    vpmaddubsw, vpmaddwd by ones, vpaddd alone saturate: 2 * 255 * 127 does not fit in 16 bits
 *
 * A loop of the plain step on registers alone does 22.2-22.7 of its 24, so no layer passed 22. In one run beside that loop,
 * which did 21.6-22.2 in that hour (median; best 22.6), plain and seven products in MAC per cycle (median; best):
 *
 *                    plain        seven       time
 *   64x64x256        20.5; 21.0   22.9; 23.2  0.906 [0.905, 0.907]
 *   64x64x576        21.3; 21.5   23.2; 23.5  0.919 [0.919, 0.920]
 *   256x256x256      20.9; 21.6   23.9; 24.8  0.887 [0.884, 0.890]
 *   784x128x1152     20.1; 21.6   22.5; 24.5  0.920 [0.909, 0.934]
 *   196x512x1024     20.4; 22.0   22.9; 24.8  0.939 [0.917, 0.961]
 *   196x256x2304     19.1; 21.7   22.0; 24.6  0.922 [0.910, 0.933]   2 and 3.5 MiB of packed weights, read from the third
 *   1024x1024x1024   19.8; 20.9   21.0; 22.7  0.932 [0.916, 0.963]   cache for every block (loop 21.4, 22.3 in that hour)
 *   3136x64x576      19.1; 20.9   21.6; 23.5  0.929 [0.921, 0.947]   (loop 21.5, 22.6)
 *   256x32x288       19.2; 20.3   21.5; 22.7  0.910 [0.906, 0.913]   (loop 21.1, 22.0)
 *
 * Cycles of 64x64x256 in tiles of 12 rows times 32 channels: 3840-3940 each, 25.0-25.7 MAC per cycle (the loop's 22.5 times 8/7),
 * which is 42 thousand; 3 for widening and adding codes, written to the first cache (a panel of all 64 rows, in the second, took
 * 4.9), the rest for what begins and ends the layer. From a K of 600 on a tile's rows leave the first cache: 8 bytes for a code.
 * Tiles of 8 rows, which would not, take 1.07-1.10 times as long; asking for the next panel's weights gains 0-1 % there and
 * costs 64x64x256 3 %. Windows of 3x3 layers are widened and added where they lie (conv_picture.h), and padding is filled in
 * whole vectors: copied windows, filled so, where they lie: 64>64 8 21.9, 23.0, 23.2; 32>32 16 19.9, 20.9, 22.3; 96>32 10 19.6,
 * 21.0, 21.2. Up to 16 last channels have a panel of half the width: 288>48 14 23.0, by plain tiles 20.8.
 */
#include "finish_codes_avx2.h"

#include "../pk_tables.h"

#include <string.h>

#define T_X uint8_t
#define T_A int16_t
#define T_W int8_t
#define T_P int16_t
#define T_ACC int32_t
#define K_GROUP 2
#define NV 2
#define STEPS 4
#define vacc __m256i
#define V_ZERO() _mm256_setzero_si256()
#define V_BROADCAST(p) _mm256_set1_epi32(two_codes(p))
#define V_WEIGHTS(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define V_MADD(acc, a, w) madd(acc, a, w)
#define V_SUM(a, b) _mm256_add_epi32(a, b)
#define V_PUT(p, acc) _mm256_storeu_si256((__m256i *)(void *)(p), acc)
#define PK_EPILOGUE pk_epilogue_i32_avx2
#define PK_PAD(code) ((int16_t)(uint8_t)(code))
#define FC_NAME fc_u8s8_avx2

/* As one piece: compilers otherwise add the products of several steps first, and spill. */
PK_INLINE __m256i madd(__m256i acc, __m256i a, __m256i w)
{
    __m256i product;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "=&x"(product) : "x"(a), "x"(w));
    return acc;
}

PK_INLINE int two_codes(const char *p)
{
    int codes;
    memcpy(&codes, p, sizeof codes);
    return codes;
}

PK_INLINE void copy_row(int16_t *to, const uint8_t *from, size_t n)
{
    for (; n >= 64; n -= 64, to += 64, from += 64) {
        PK_UNROLL
        for (int i = 0; i < 64; i += 16) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(from + i));
            _mm256_storeu_si256((__m256i *)(void *)(to + i), _mm256_cvtepu8_epi16(bytes));
        }
    }
    for (; n >= 16; n -= 16, to += 16, from += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_cvtepu8_epi16(bytes));
    }
    if (n >= 8) {
        const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)from);
        _mm_storeu_si128((__m128i *)(void *)to, _mm_cvtepu8_epi16(bytes));
        n -= 8, to += 8, from += 8;
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

PK_INLINE int16_t weight_of(int8_t w)
{
    return w;
}

#include "conv_body.h"

#define V_GET(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define V_LESS(a, b) _mm256_sub_epi32(a, b)

PK_INLINE __m256i wide_codes(const uint8_t *p)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* The sums of conv_strassen.h of 16 codes of each quarter. */
PK_INLINE void mix_codes(__m256i a11, __m256i a12, __m256i a21, __m256i a22, int16_t *s12, int16_t *s34, size_t half)
{
    const __m256i s1 = _mm256_add_epi16(a21, a22), s2 = _mm256_sub_epi16(s1, a11);
    V_PUT(s12, s1);
    V_PUT(s12 + half, s2);
    V_PUT(s34, _mm256_sub_epi16(a11, a21));
    V_PUT(s34 + half, _mm256_sub_epi16(a12, s2));
}

/* half: a multiple of 16. */
PK_INLINE void seven_mix(const int16_t *r1, const int16_t *r2, int16_t *s12, int16_t *s34, size_t half)
{
    for (size_t i = 0; i < half; i += 16, r1 += 16, r2 += 16) {
        mix_codes(V_GET(r1), V_GET(r1 + half), V_GET(r2), V_GET(r2 + half), s12 + i, s34 + i, half);
    }
}

/* The same of codes, whose copies are r1, r2 but for A21. */
PK_INLINE void copy_and_mix(__m256i a11, __m256i a12, __m256i a21, __m256i a22, int16_t *r1, int16_t *r2, int16_t *s12,
                            int16_t *s34, size_t half)
{
    V_PUT(r1, a11);
    V_PUT(r1 + half, a12);
    V_PUT(r2 + half, a22);
    mix_codes(a11, a12, a21, a22, s12, s34, half);
}

PK_INLINE void seven_mix_codes(const uint8_t *x1, const uint8_t *x2, int16_t *r1, int16_t *r2, int16_t *s12, int16_t *s34,
                               size_t half)
{
    for (size_t i = 0; i < half; i += 16) {
        copy_and_mix(wide_codes(x1 + i), wide_codes(x1 + half + i), wide_codes(x2 + i), wide_codes(x2 + half + i), r1 + i, r2 + i,
                     s12 + i, s34 + i, half);
    }
}

PK_INLINE void seven_mix_windows(const uint8_t *x1, const uint8_t *x2, const uint32_t *at, int16_t *r1, int16_t *r2, int16_t *s12,
                                 int16_t *s34, size_t half)
{
    const uint32_t *beyond = at + half / 16;
    for (size_t i = 0; i < half; i += 16, at++, beyond++) {
        copy_and_mix(wide_codes(x1 + *at), wide_codes(x1 + *beyond), wide_codes(x2 + *at), wide_codes(x2 + *beyond), r1 + i,
                     r2 + i, s12 + i, s34 + i, half);
    }
}

#include "conv_picture.h"
#include "conv_strassen.h"

static size_t any_packed_size(const struct pk_conv *c)
{
    return seven_does(c) ? seven_packed_size(c) : packed_size(c);
}

static void any_pack(const struct pk_conv *c, const void *weights, void *packed)
{
    (seven_does(c) ? seven_pack : pack)(c, weights, packed);
}

static size_t any_scratch_size(const struct pk_conv *c)
{
    return seven_does(c) ? seven_scratch_size(c) : scratch_size(c);
}

static void any_run(const struct pk_conv *c, const void *x, int pad_code, const void *packed, const struct pk_epilogue *e,
                    void *scratch)
{
    (seven_does(c) ? seven_run : run)(c, x, pad_code, packed, e, scratch);
}

const struct pk_layer_kernel pk_conv_u8s8_avx2 = {"conv_u8s8_avx2", any_packed_size, any_pack, any_scratch_size, any_run};
