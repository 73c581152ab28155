/* conv_low_i8mm.c: dense layers on 4- and 2-bit weights: many pixels expanded for conv_u8s8_i8mm.c, one
 * pixel in registers. */
#include "low_expand_neon.h"

#include "../pk_tables.h"

#define LOW_COLUMN 2
#define LOW_LINE 8
#define LOW_PANEL 8
#define LOW_ROUND 4

#include "low_body.h"

/* USDOT: two partial sums of a channel side by side. */
PK_INLINE void row_panel(const uint8_t *x, const uint8_t *w, size_t stored, int32_t *acc,
                         const int columns, const int bits)
{
    const size_t share = (size_t)(8 / bits);
    int32x4_t s[4];
    PK_UNROLL
    for (int j = 0; j < columns; j++)
        s[j] = vdupq_n_s32(0);
    for (; stored > 0; stored--, w += columns * LOW_BYTES, x += share * LOW_LINE) {
        PK_UNROLL
        for (size_t f = 0; f < share; f++) {
            const uint8x8_t half = vld1_u8(x + f * LOW_LINE);
            const uint8x16_t codes = vcombine_u8(half, half);
            PK_UNROLL
            for (int j = 0; j < columns; j++) {
                const int8x16_t v = vld1q_s8((const int8_t *)w + j * LOW_BYTES);
                s[j] = vusdotq_s32(s[j], codes, low_codes(v, f, bits));
            }
        }
    }
    PK_UNROLL
    for (int j = 0; j + 1 < columns; j += 2)
        vst1q_s32(acc + j * LOW_COLUMN, vpaddq_s32(s[j], s[j + 1]));
}

#define ROW_MOST INT32_MAX
#define PK_EPILOGUE pk_epilogue_i32_neon
#include "low_row.h"

LOW_DENSE_ROW(conv_u8s4_i8mm, 4, pk_conv_u8s8_i8mm)
LOW_DENSE_ROW(conv_u8s2_i8mm, 2, pk_conv_u8s8_i8mm)
LOW_DENSE_ROW(fc_u8s4_i8mm, 4, pk_conv_u8s8_i8mm)
LOW_DENSE_ROW(fc_u8s2_i8mm, 2, pk_conv_u8s8_i8mm)
