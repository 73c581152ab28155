/* conv_u8s8_avx512vnni.c: byte codes with vpdpbusd, which joins four products per lane without
 * saturation.
 *
 * What binds (Sapphire Rapids, two vector ports, 2026-11-21): four products a lane and cycle on each port, 128 MAC per cycle.
 * 64 codes are 18 operations of the epilogue, 9 cycles, where their products take K / 2: 119.6 at K = 256, 124 at 576, 126 at
 * 1024. Measured 111.8 (64x64x256), 115.5 (256x256x256), 117 (512x512x512), 119 (64x64x576), 120-122 (196 pixels): the loop
 * itself does 122 to 125. 1024x1024x1024 does 90-96 in most blocks and 115-119 in its best: blocks of other sizes, prefetches of
 * the next panel and of the output change nothing, and the same 1024 pixels by 64 or 128 channels do 115. Its 3 MiB are more
 * than the second cache; that the third, which others use too, is what binds is a guess.
 */
#include "finish_codes_avx512.h"

#include "../pk_tables.h"

#include <string.h>

#define T_X uint8_t
#define T_A uint8_t
#define T_W int8_t
#define T_P int8_t
#define T_ACC int32_t
#define K_GROUP 4
#define NV 4
#define STEPS 2
#define vacc __m512i
#define V_ZERO() _mm512_setzero_si512()
#define V_BROADCAST(p) _mm512_set1_epi32(four_codes(p))
#define V_WEIGHTS(p) _mm512_loadu_si512(p)
#define V_MADD(acc, a, w) _mm512_dpbusd_epi32(acc, a, w)
#define V_SUM(a, b) _mm512_add_epi32(a, b)
#define V_PUT(p, acc) _mm512_storeu_si512(p, acc)
#define PK_EPILOGUE pk_epilogue_i32_avx512
#define PK_PAD(code) ((uint8_t)(code))
#define CONV_NAME conv_u8s8_avx512vnni
#define FC_NAME fc_u8s8_avx512vnni

PK_INLINE int four_codes(const char *p)
{
    int codes;
    memcpy(&codes, p, sizeof codes);
    return codes;
}

PK_INLINE void copy_row(uint8_t *to, const uint8_t *from, size_t n)
{
    for (; n >= 64; n -= 64, to += 64, from += 64) {
        _mm512_storeu_si512(to, _mm512_loadu_si512(from));
    }
    if (n <= 16) { /* a wide access would cross cache lines even where its lanes are off */
        const __mmask16 few = v_lanes((int)n);
        _mm_mask_storeu_epi8(to, few, _mm_maskz_loadu_epi8(few, from));
        return;
    }
    const __mmask64 rest = ((__mmask64)1 << n) - 1;
    _mm512_mask_storeu_epi8(to, rest, _mm512_maskz_loadu_epi8(rest, from));
}

PK_INLINE int8_t weight_of(int8_t w)
{
    return w;
}

#include "conv_body.h"
