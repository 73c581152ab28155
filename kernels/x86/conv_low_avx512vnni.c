/*
 * conv_low_avx512vnni.c: dense layers on 4- and 2-bit weights. Many pixels: panels expanded for
 * conv_u8s8_avx512vnni.c. One pixel: fields of a byte go to its high bits in registers, which makes
 * the sums 16 or 64 times as large (exact while K * 255 * 128 < 2^31; larger K are expanded).
 */
#include "low_expand_avx512.h"

#include "../pk_tables.h"

#include "low_body.h"

/* Field `field` in the high bits of its byte, 0 below. */
PK_INLINE __m512i high_field(__m512i stored, int field, const int bits)
{
    const int shift = 8 - bits - field * bits;
    const __m512i moved = shift == 0   ? stored
                          : shift == 2 ? _mm512_slli_epi16(stored, 2)
                          : shift == 4 ? _mm512_slli_epi16(stored, 4)
                                       : _mm512_slli_epi16(stored, 6);
    return _mm512_and_si512(moved, _mm512_set1_epi8((char)(bits == 4 ? 0xf0 : 0xc0)));
}

PK_INLINE __m512i four_codes(const uint8_t *x)
{
    int codes;
    memcpy(&codes, x, sizeof codes);
    return _mm512_set1_epi32(codes);
}

/* The sums of one pixel times `columns` columns. x: the codes, readable to stored * share * 4. */
PK_INLINE void row_panel(const uint8_t *x, const uint8_t *w, size_t stored, int32_t *acc,
                         const int columns, const int bits)
{
    const int share = 8 / bits;
    __m512i s[4][4];
    PK_UNROLL
    for (int i = 0; i < 16; i++)
        s[i / 4][i % 4] = _mm512_setzero_si512();
    for (size_t t = 0; t < stored; t++, w += columns * 64, x += 4 * share) {
        _mm_prefetch((const char *)(w + 4096), _MM_HINT_T0);
        if (columns > 1)
            _mm_prefetch((const char *)(w + 4096 + 64), _MM_HINT_T0);
        if (columns > 2)
            _mm_prefetch((const char *)(w + 4096 + 128), _MM_HINT_T0);
        if (columns > 3)
            _mm_prefetch((const char *)(w + 4096 + 192), _MM_HINT_T0);
        PK_UNROLL
        for (int j = 0; j < columns; j++) {
            const __m512i v = _mm512_loadu_si512(w + j * 64);
            PK_UNROLL
            for (int f = 0; f < share; f++)
                s[j][f] = _mm512_dpbusd_epi32(s[j][f], four_codes(x + 4 * f), high_field(v, f, bits));
        }
    }
    PK_UNROLL
    for (int j = 0; j < columns; j++) {
        const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(s[j][0], s[j][1]),
                                             _mm512_add_epi32(s[j][2], s[j][3]));
        _mm512_storeu_si512(acc + j * 16, bits == 4 ? _mm512_srai_epi32(sum, 4) : _mm512_srai_epi32(sum, 6));
    }
}

#define ROW_MOST 65000
#define PK_EPILOGUE pk_epilogue_i32_avx512
#include "low_row.h"

LOW_DENSE_ROW(conv_u8s4_avx512vnni, 4, pk_conv_u8s8_avx512vnni)
LOW_DENSE_ROW(conv_u8s2_avx512vnni, 2, pk_conv_u8s8_avx512vnni)
LOW_DENSE_ROW(fc_u8s4_avx512vnni, 4, pk_conv_u8s8_avx512vnni)
LOW_DENSE_ROW(fc_u8s2_avx512vnni, 2, pk_conv_u8s8_avx512vnni)
