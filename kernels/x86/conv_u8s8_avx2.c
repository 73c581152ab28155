/*
 * conv_u8s8_avx2.c: byte codes with vpmaddwd on codes and weights widened to 16 bits. (vpmaddubsw
 * would halve the work but saturates: 2 * 255 * 127 does not fit in 16 bits.)
 *
 * What binds (Sapphire Rapids, 2026-11-21): a step of 16 products is a multiply-add and an addition on three ports, 24 MAC
 * per cycle at most; a loop of these on registers alone does 22.2, the 6x2 tile on an L1 cache 22.1 (K = 128) to 22.7
 * (K = 1024). 64x64x256, in cycles: 46.5 thousand for that loop, 1.3 widening codes, 0.8 epilogue, 1.6 beginning and ending
 * tiles: 50.2, 20.9 MAC per cycle; 196x512x1024 at best 22.0.
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
#define CONV_NAME conv_u8s8_avx2
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
