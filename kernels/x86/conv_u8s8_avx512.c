/*
 * conv_u8s8_avx512.c: byte codes with vpmaddwd on codes and weights widened to 16 bits.
 * (vpmaddubsw would halve the work but saturates: 2 * 255 * 127 does not fit in 16 bits.)
 */
#include "finish_codes_avx512.h"

#include "../pk_tables.h"

#include <string.h>

#define T_X uint8_t
#define T_A int16_t
#define T_W int8_t
#define T_P int16_t
#define T_ACC int32_t
#define K_GROUP 2
#define NV 4
#define vacc __m512i
#define V_ZERO() _mm512_setzero_si512()
#define V_BROADCAST(p) _mm512_set1_epi32(two_codes(p))
#define V_WEIGHTS(p) _mm512_loadu_si512(p)
#define V_MADD(acc, a, w) _mm512_add_epi32(acc, _mm512_madd_epi16(a, w))
#define V_SUM(a, b) _mm512_add_epi32(a, b)
#define V_PUT(p, acc) _mm512_storeu_si512(p, acc)
#define PK_EPILOGUE pk_epilogue_i32_avx512
#define PK_PAD(code) ((int16_t)(uint8_t)(code))
#define CONV_NAME conv_u8s8_avx512
#define FC_NAME fc_u8s8_avx512

PK_INLINE int two_codes(const char *p)
{
    int codes;
    memcpy(&codes, p, sizeof codes);
    return codes;
}

PK_INLINE void copy_row(int16_t *to, const uint8_t *from, size_t n)
{
    for (; n >= 32; n -= 32, to += 32, from += 32) {
        const __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)from);
        _mm512_storeu_si512(to, _mm512_cvtepu8_epi16(bytes));
    }
    const __mmask32 rest = ((__mmask32)1 << n) - 1;
    _mm512_mask_storeu_epi16(to, rest, _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(rest, from)));
}

PK_INLINE int16_t weight_of(int8_t w)
{
    return w;
}

#include "conv_body.h"
