/* low_expand_avx512.h: weight codes of 4 and 2 bits to bytes, 64 at a time. */
#ifndef PARE_PK_LOW_EXPAND_AVX512_H
#define PARE_PK_LOW_EXPAND_AVX512_H

#include "vec_avx512.h"

/* The codes of one field, looked up in a table. */
PK_INLINE void low_expand_vector(int8_t *to, const uint8_t *from, size_t field, const int bits)
{
    const __m512i codes =
        bits == 4 ? _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5,
                                                         -4, -3, -2, -1))
                  : _mm512_broadcast_i32x4(
                        _mm_setr_epi8(0, 1, -2, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m512i stored = _mm512_loadu_si512(from);
    const size_t shift = field * (size_t)bits;
    const __m512i moved = shift == 0   ? stored
                          : shift == 2 ? _mm512_srli_epi16(stored, 2)
                          : shift == 4 ? _mm512_srli_epi16(stored, 4)
                                       : _mm512_srli_epi16(stored, 6);
    const __m512i index = _mm512_and_si512(moved, _mm512_set1_epi8((char)(bits == 4 ? 15 : 3)));
    _mm512_storeu_si512(to, _mm512_shuffle_epi8(codes, index));
}

#define LOW_EXPAND(to, from, field, bits) low_expand_vector(to, from, field, bits)

#endif
