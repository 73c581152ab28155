/* depthwise_u8s8_neon.c: depthwise convolution on byte codes widened to 16 bits: SMLAL makes four
 * exact products for four sums. */
#include "vec_neon.h"

#include "../pk_tables.h"

#define GROUP 1
#define T_X uint8_t
#define T_W int8_t
#define T_ACC int32_t
#define INTEGER 1
#define T_C int16_t
#define T_P int16_t
#define vacc int32x4_t
#define vin int16x4_t
#define V_ZERO() vdupq_n_s32(0)
#define V_LOAD(p) vld1_s16(p)
#define V_MADD(acc, a, w) vmlal_s16(acc, a, w)
#define V_PUT(p, acc) vst1q_s32(p, acc)
#define PK_EPILOGUE pk_epilogue_i32_neon
#define PK_PAD(code) ((uint8_t)(code))
#define DEPTHWISE_NAME depthwise_u8s8_neon

PK_INLINE void interleave(int16_t *to, const uint8_t *const *pixels, size_t n, size_t stride)
{
    const uint8_t *from = pixels[0];
    for (; n >= 16; n -= 16, to += 4 * stride, from += 16) {
        const uint8x16_t x = vld1q_u8(from);
        const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x))),
                        high = vreinterpretq_s16_u16(vmovl_high_u8(x));
        vst1_s16(to, vget_low_s16(low));
        vst1_s16(to + stride, vget_high_s16(low));
        vst1_s16(to + 2 * stride, vget_low_s16(high));
        vst1_s16(to + 3 * stride, vget_high_s16(high));
    }
    for (; n > 0; to += stride, from += VL) {
        const vm lanes = v_lanes(n < VL ? (int)n : VL);
        vst1_s16(to, vmovn_s32(v_load_u8(from, lanes)));
        n -= n < VL ? n : VL;
    }
}

PK_INLINE void interleave_run(int16_t *to, const uint8_t *from, ptrdiff_t pitch, size_t groups,
                              size_t n, size_t stride)
{
    for (size_t g = 0; g < groups; g++, to += VL, from += pitch) {
        const uint8_t *const pixels[GROUP] = {from};
        interleave(to, pixels, n, stride);
    }
}

PK_INLINE int16_t weight_of(int8_t w)
{
    return w;
}

#include "depthwise_body.h"
