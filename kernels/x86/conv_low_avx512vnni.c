/*
 * conv_low_avx512vnni.c: dense layers on 4- and 2-bit weights. Many pixels: panels expanded for
 * conv_u8s8_avx512vnni.c. One pixel: fields of a byte go to its high bits in registers, which makes
 * the sums 16 or 64 times as large (exact while K * 255 * 128 < 2^31; larger K are expanded).
 */
/*
 * What binds one row over 64 MiB of int8's weights (8192>8192; one thread, Sapphire Rapids, huge pages, 2026-11-21), weights
 * thrown out of every cache before each run: memory, at all three widths.
 *
 *          MiB   GB/s   speed against w8a8
 *   loop    64   16.7                      reads one word of every line
 *   w8a8    64   15.5   1
 *   w4a8    32   16.2   2.06 [1.97, 2.12]
 *   w2a8    16   15.7   4.24 [3.95, 4.33]
 *
 * So twice and four times the speed is the floor, for as long as w8a8 keeps up with memory too. In pages of 4 KiB it does
 * not (8.5 GB/s), and w4a8 was 2.6, w2a8 5.2 times as fast. Run again and again, 16 and 32 MiB stay in this machine's third
 * cache (28 GB/s) and 64 MiB for the most part do not: 3-5 and 8-14 times.
 */
#include "low_expand_avx512.h"
#include "panel_vnni.h"

#include "../pk_tables.h"

#define LOW_TARGET(k, pixels) panel_vnni(k, pixels)
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

/* Bytes ahead of which weights are asked into the second cache. (Medians from memory 14.8 GB/s, so into the first cache
 * 4 KiB ahead 8.1, not at all 9.5; run again 24.0, 14.1, 15.2; 2026-11-21, a noisy hour.) */
enum { ROW_AHEAD = 16 << 10 };

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
        PK_UNROLL
        for (int j = 0; j < columns; j++)
            _mm_prefetch((const char *)(w + ROW_AHEAD + 64 * j), _MM_HINT_T1);
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
