/* depthwise_u8s8_avx512.c: depthwise convolution on byte codes, two pixels of a row in each
 * vpmaddwd. */
#include "vec_avx512.h"

#include "../pk_tables.h"

#define GROUP 2
#define T_X uint8_t
#define T_W int8_t
#define T_ACC int32_t
#define INTEGER 1
#define T_C int16_t
#define T_P int16_t
#define vacc __m512i
#define V_ZERO() _mm512_setzero_si512()
#define V_LOAD(p) _mm512_loadu_si512(p)
#define V_MADD(acc, a, w) _mm512_add_epi32(acc, _mm512_madd_epi16(a, w))
#define V_PUT(p, acc) _mm512_storeu_si512(p, acc)
#define PK_EPILOGUE pk_epilogue_i32_avx512
#define PK_PAD(code) ((uint8_t)(code))
#define DEPTHWISE_NAME depthwise_u8s8_avx512

/* Sixteen channels at a time; the permutation makes up for unpacks that work within 128-bit lanes.
 * `stride`: elements between vectors of channels. */
PK_INLINE void interleave(int16_t *to, const uint8_t *const *pixels, size_t n, size_t stride)
{
    for (size_t first = 0; first < n; first += 16, to += stride) {
        const __mmask16 lanes = v_lanes(n - first < 16 ? (int)(n - first) : 16);
        __m256i p[2];
        PK_UNROLL
        for (int i = 0; i < 2; i++) {
            const __m128i bytes = _mm_maskz_loadu_epi8(lanes, pixels[i] + first);
            p[i] = _mm256_permute4x64_epi64(_mm256_cvtepu8_epi16(bytes), 0xd8);
        }
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_unpacklo_epi16(p[0], p[1]));
        _mm256_storeu_si256((__m256i *)(void *)(to + 16), _mm256_unpackhi_epi16(p[0], p[1]));
    }
}

PK_INLINE void interleave_run(int16_t *to, const uint8_t *from, ptrdiff_t pitch, size_t groups,
                              size_t n, size_t stride)
{
    for (size_t g = 0; g < groups; g++, to += VL * GROUP, from += GROUP * pitch) {
        const uint8_t *const pixels[GROUP] = {from, from + pitch};
        interleave(to, pixels, n, stride);
    }
}

PK_INLINE int16_t weight_of(int8_t w)
{
    return w;
}

#include "depthwise_body.h"
