/* conv_low_avxvnni.c: dense layers on 4- and 2-bit weights: many pixels expanded for
 * conv_u8s8_avxvnni.c, one pixel in registers, where the fields of a byte go to its high bits,
 * which makes the sums 16 or 64 times as large (exact while K * 255 * 128 < 2^31). */
#include "low_expand_avx2.h"

#include "../pk_tables.h"

#include "low_body.h"

PK_INLINE __m256i four_codes(const uint8_t *x)
{
    int codes;
    memcpy(&codes, x, sizeof codes);
    return _mm256_set1_epi32(codes);
}

/* Field `field` in the high bits of its byte, 0 below. */
PK_INLINE __m256i high_field(__m256i stored, int field, const int bits)
{
    const int shift = 8 - bits - field * bits;
    const __m256i moved = shift == 0   ? stored
                          : shift == 2 ? _mm256_slli_epi16(stored, 2)
                          : shift == 4 ? _mm256_slli_epi16(stored, 4)
                                       : _mm256_slli_epi16(stored, 6);
    return _mm256_and_si256(moved, _mm256_set1_epi8((char)(bits == 4 ? 0xf0 : 0xc0)));
}

PK_INLINE void row_panel(const uint8_t *x, const uint8_t *w, size_t stored, int32_t *acc,
                         const int columns, const int bits)
{
    const int share = 8 / bits, wide = columns * LOW_BYTES;
    __m256i s[2][4];
    PK_UNROLL
    for (int i = 0; i < 8; i++)
        s[i / 4][i % 4] = _mm256_setzero_si256();
    for (size_t t = 0; t < stored; t++, w += wide, x += LOW_LINE * share) {
        _mm_prefetch((const char *)(w + 4096), _MM_HINT_T0);
        PK_UNROLL
        for (int j = 0; j < columns; j++) {
            const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(w + j * LOW_BYTES));
            PK_UNROLL
            for (int f = 0; f < share; f++)
                s[j][f] = _mm256_dpbusd_avx_epi32(s[j][f], four_codes(x + LOW_LINE * f),
                                                  high_field(v, f, bits));
        }
    }
    PK_UNROLL
    for (int j = 0; j < columns; j++) {
        const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(s[j][0], s[j][1]),
                                             _mm256_add_epi32(s[j][2], s[j][3]));
        _mm256_storeu_si256((__m256i *)(void *)(acc + j * VL),
                            bits == 4 ? _mm256_srai_epi32(sum, 4) : _mm256_srai_epi32(sum, 6));
    }
}

#define ROW_MOST 65000
#define PK_EPILOGUE pk_epilogue_i32_avx2
#include "low_row.h"

LOW_DENSE_ROW(conv_u8s4_avxvnni, 4, pk_conv_u8s8_avxvnni)
LOW_DENSE_ROW(conv_u8s2_avxvnni, 2, pk_conv_u8s8_avxvnni)
LOW_DENSE_ROW(fc_u8s4_avxvnni, 4, pk_conv_u8s8_avxvnni)
LOW_DENSE_ROW(fc_u8s2_avxvnni, 2, pk_conv_u8s8_avxvnni)
