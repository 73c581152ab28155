/* low_expand_avx2.h: weight codes of 4 and 2 bits to bytes, 32 at a time, in the layout of kernels
 * with VL = 8, NV = 2 and K_GROUP = 4. */
#ifndef PARE_PK_LOW_EXPAND_AVX2_H
#define PARE_PK_LOW_EXPAND_AVX2_H

#include "vec_avx2.h"

#define LOW_COLUMN 8
#define LOW_LINE 4
#define LOW_PANEL 16
#define LOW_ROUND LOW_COLUMN

/* The codes of one field of 32 stored bytes, looked up in a table. */
PK_INLINE __m256i low_codes(__m256i stored, size_t field, const int bits)
{
    const __m256i codes = _mm256_broadcastsi128_si256(
        bits == 4 ? _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1)
                  : _mm_setr_epi8(0, 1, -2, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const size_t shift = field * (size_t)bits;
    const __m256i moved = shift == 0   ? stored
                          : shift == 2 ? _mm256_srli_epi16(stored, 2)
                          : shift == 4 ? _mm256_srli_epi16(stored, 4)
                                       : _mm256_srli_epi16(stored, 6);
    const __m256i index = _mm256_and_si256(moved, _mm256_set1_epi8((char)(bits == 4 ? 15 : 3)));
    return _mm256_shuffle_epi8(codes, index);
}

PK_INLINE void low_expand_vector(int8_t *to, const uint8_t *from, size_t field, const int bits)
{
    const __m256i stored = _mm256_loadu_si256((const __m256i *)(const void *)from);
    _mm256_storeu_si256((__m256i *)(void *)to, low_codes(stored, field, bits));
}

#define LOW_EXPAND(to, from, field, bits) low_expand_vector(to, from, field, bits)

#endif
