/* conv_low_dotprod.c: dense layers on 4- and 2-bit weights: many pixels expanded for
 * conv_u8s8_dotprod.c, one pixel in registers. */
#include "low_expand_neon.h"

#include "codes_neon.h"

#include "../pk_tables.h"

#define LOW_COLUMN 4
#define LOW_LINE 4
#define LOW_PANEL 8
#define LOW_ROUND LOW_COLUMN
#define LOW_HEAD 4
#define panel_head offsets_head

#include "low_body.h"

PK_INLINE void row_panel(const uint8_t *x, const uint8_t *w, size_t stored, int32_t *acc,
                         const int columns, const int bits)
{
    const size_t share = (size_t)(8 / bits);
    int32x4_t s[2][4];
    PK_UNROLL
    for (int j = 0; j < columns; j++) {
        s[j][0] = vreinterpretq_s32_u8(vld1q_u8(w + j * LOW_COLUMN * LOW_HEAD));
        s[j][1] = s[j][2] = s[j][3] = vdupq_n_s32(0);
    }
    w += columns * LOW_COLUMN * LOW_HEAD;
    for (; stored > 0; stored--, w += columns * LOW_BYTES, x += share * LOW_LINE) {
        PK_UNROLL
        for (int j = 0; j < columns; j++) {
            const int8x16_t v = vld1q_s8((const int8_t *)w + j * LOW_BYTES);
            PK_UNROLL
            for (size_t f = 0; f < share; f++) {
                int32_t codes;
                memcpy(&codes, x + f * LOW_LINE, sizeof codes);
                s[j][f] = vdotq_s32(s[j][f], low_codes(v, f, bits), vreinterpretq_s8_s32(vdupq_n_s32(codes)));
            }
        }
    }
    PK_UNROLL
    for (int j = 0; j < columns; j++) {
        vst1q_s32(acc + j * LOW_COLUMN, vaddq_s32(vaddq_s32(s[j][0], s[j][1]), vaddq_s32(s[j][2], s[j][3])));
    }
}

#define ROW_MOST INT32_MAX
#define ROW_COPY(to, from, n) copy_row((int8_t *)(to), from, n)
#include "low_row.h"

LOW_DENSE_ROW(conv_u8s4_dotprod, 4, pk_conv_u8s8_dotprod)
LOW_DENSE_ROW(conv_u8s2_dotprod, 2, pk_conv_u8s8_dotprod)
LOW_DENSE_ROW(fc_u8s4_dotprod, 4, pk_conv_u8s8_dotprod)
LOW_DENSE_ROW(fc_u8s2_dotprod, 2, pk_conv_u8s8_dotprod)
