/* depthwise_u8s8_avx2.c: depthwise convolution on byte codes, two pixels of a row in each
 * vpmaddwd. */
#include "vec_avx2.h"

#include "../pk_tables.h"

#define GROUP 2
#define T_X uint8_t
#define T_W int8_t
#define T_ACC int32_t
#define INTEGER 1
#define T_C int16_t
#define T_P int16_t
#define vacc __m256i
#define V_ZERO() _mm256_setzero_si256()
#define V_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define V_MADD(acc, a, w) _mm256_add_epi32(acc, _mm256_madd_epi16(a, w))
#define V_PUT(p, acc) _mm256_storeu_si256((__m256i *)(void *)(p), acc)
#define PK_EPILOGUE pk_epilogue_i32_avx2
#define PK_PAD(code) ((uint8_t)(code))
#define DEPTHWISE_NAME depthwise_u8s8_avx2

/* Eight channels at a time; `stride`: elements between vectors of channels. */
PK_INLINE void interleave(int16_t *to, const uint8_t *const *pixels, size_t n, size_t stride)
{
    for (size_t first = 0; first < n; first += 8, to += stride) {
        const vm lanes = v_lanes(n - first < 8 ? (int)(n - first) : 8);
        __m128i p[2];
        PK_UNROLL
        for (int i = 0; i < 2; i++) {
            uint8_t part[8] = {0};
            if (lanes.n == 8) {
                p[i] = _mm_cvtepu8_epi16(
                    _mm_loadl_epi64((const __m128i *)(const void *)(pixels[i] + first)));
                continue;
            }
            for (int j = 0; j < lanes.n; j++) {
                part[j] = pixels[i][first + (size_t)j];
            }
            p[i] = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)part));
        }
        _mm_storeu_si128((__m128i *)(void *)to, _mm_unpacklo_epi16(p[0], p[1]));
        _mm_storeu_si128((__m128i *)(void *)(to + 8), _mm_unpackhi_epi16(p[0], p[1]));
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
