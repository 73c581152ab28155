/* depthwise_f16_neon.c: depthwise convolution on fp16 operands, widened once; sums in fp32. */
#include "vec_neon.h"

#include "../pk_tables.h"

#define GROUP 1
#define T_X uint16_t
#define T_C float
#define T_W uint16_t
#define T_P float
#define T_ACC float
#define INTEGER 0
#define vacc float32x4_t
#define V_ZERO() vdupq_n_f32(0.0f)
#define V_LOAD(p) vld1q_f32(p)
#define V_MADD(acc, a, w) vfmaq_f32(acc, a, w)
#define V_PUT(p, acc) vst1q_f32(p, acc)
#define PK_EPILOGUE pk_epilogue_f32_neon
#define PK_PAD(code) ((void)(code), (uint16_t)0)
#define DEPTHWISE_NAME depthwise_f16_neon

PK_INLINE void interleave(float *to, const uint16_t *const *pixels, size_t n, size_t stride)
{
    const uint16_t *from = pixels[0];
    for (; n > 0; to += stride, from += VL) {
        const vm lanes = v_lanes(n < VL ? (int)n : VL);
        v_store_all(to, v_load_f16(from, lanes));
        n -= n < VL ? n : VL;
    }
}

PK_INLINE void interleave_run(float *to, const uint16_t *from, ptrdiff_t pitch, size_t groups, size_t n,
                              size_t stride)
{
    for (size_t g = 0; g < groups; g++, to += VL, from += pitch) {
        const uint16_t *const pixels[GROUP] = {from};
        interleave(to, pixels, n, stride);
    }
}

PK_INLINE float weight_of(uint16_t w)
{
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(w))), 0);
}

#include "depthwise_body.h"
