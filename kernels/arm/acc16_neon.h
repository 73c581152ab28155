/*
 * acc16_neon.h: conv_body.h on byte codes and weights of few bits with sums in 16 bits
 * (tiles_acc16_neon.h), and low_body.h over it. The including file defines BUDGET and CONV_NAME.
 */
#include "low_expand_neon.h"

#include "codes_neon.h"

#include "../pk_tables.h"

#include <string.h>

#define K_GROUP 16
#define HEAD 4
#define NV 4
#define panel_head offsets_head
#define OWN_TILES "../arm/tiles_acc16_neon.h"

#include "conv_body.h"

#define LOW_COLUMN 1
#define LOW_LINE 16
#define LOW_PANEL 16
#define LOW_ROUND 4
#define LOW_HEAD HEAD

#include "low_body.h"

/* Sums of `stored` vectors (stored * share <= BUDGET) of four channels, `step` bytes apart. */
PK_INLINE void row_part(const uint8_t *x, const uint8_t *w, size_t stored, size_t step, int32x4_t *sums,
                        const int bits)
{
    const size_t share = (size_t)(8 / bits);
    int16x8_t s[REDUCED];
    PK_UNROLL
    for (int j = 0; j < REDUCED; j++)
        s[j] = vdupq_n_s16(0);
    for (; stored > 0; stored--, w += step, x += share * LOW_LINE) {
        PK_UNROLL
        for (int j = 0; j < REDUCED; j++) {
            const int8x16_t v = vld1q_s8((const int8_t *)w + j * LOW_BYTES);
            PK_UNROLL
            for (size_t f = 0; f < share; f++) {
                const int8x16_t b = low_codes(v, f, bits), codes = vld1q_s8((const int8_t *)x + f * LOW_LINE);
                s[j] = vmlal_s8(s[j], vget_low_s8(codes), vget_low_s8(b));
                s[j] = vmlal_high_s8(s[j], codes, b);
            }
        }
    }
    PK_UNROLL
    for (int j = 0; j < REDUCED; j++)
        sums[j] = vpadalq_s16(sums[j], s[j]);
}

PK_INLINE void row_panel(const uint8_t *x, const uint8_t *w, size_t stored, int32_t *acc, size_t columns,
                         const int bits)
{
    const size_t share = (size_t)(8 / bits), most = BUDGET / share, step = columns * LOW_BYTES;
    const uint8_t *head = w;
    w += columns * LOW_HEAD;
    for (size_t j = 0; j < columns; j += REDUCED, w += REDUCED * LOW_BYTES) {
        int32x4_t s[REDUCED] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
        for (size_t done = 0; done < stored; done += most) {
            const size_t n = stored - done < most ? stored - done : most;
            row_part(x + done * share * LOW_LINE, w + done * step, n, step, s, bits);
        }
        const int32x4_t low = vpaddq_s32(s[0], s[1]), high = vpaddq_s32(s[2], s[3]);
        const int32x4_t offset = vreinterpretq_s32_u8(vld1q_u8(head + j * LOW_HEAD));
        vst1q_s32(acc + j, vaddq_s32(vpaddq_s32(low, high), offset));
    }
}

#define ROW_MOST INT32_MAX
#define ROW_COPY(to, from, n) copy_row((int8_t *)(to), from, n)
#define ROW_CALL(columns, call) call(columns)
#include "low_row.h"
