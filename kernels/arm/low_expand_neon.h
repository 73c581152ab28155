/* low_expand_neon.h: weight codes of 4 and 2 bits to bytes, 16 at a time. The including file says what
 * the layout is like (LOW_COLUMN ...). */
#ifndef PARE_PK_LOW_EXPAND_NEON_H
#define PARE_PK_LOW_EXPAND_NEON_H

#include "vec_neon.h"

#define LOW_SLICE (192 << 10) /* fits an L2 of 256 KiB with activations beside it */

/* The codes of one field of 16 stored bytes: its sign bit moves to the byte's, and back. */
PK_INLINE int8x16_t low_codes(int8x16_t stored, size_t field, const int bits)
{
    const size_t up = (size_t)(8 - bits) - field * (size_t)bits;
    const int8x16_t high = up == 0   ? stored
                           : up == 2 ? vshlq_n_s8(stored, 2)
                           : up == 4 ? vshlq_n_s8(stored, 4)
                                     : vshlq_n_s8(stored, 6);
    return bits == 4 ? vshrq_n_s8(high, 4) : vshrq_n_s8(high, 6);
}

#define LOW_EXPAND(to, from, field, bits)                                                          \
    vst1q_s8(to, low_codes(vld1q_s8((const int8_t *)(from)), field, bits))

#endif
