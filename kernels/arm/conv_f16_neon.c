/* conv_f16_neon.c: convolution on fp16 operands, widened once; sums in fp32. */
#include "vec_neon.h"

#include "rows.h"

#include "../pk_tables.h"

#define T_X uint16_t
#define T_A float
#define T_W uint16_t
#define T_P float
#define T_ACC float
#define K_GROUP 1
#define NV 2
#define OWN_TILES "../arm/tiles_f32_neon.h"
#define PK_EPILOGUE pk_epilogue_f32_neon
#define PK_PAD(code) ((void)(code), 0.0f)
#define CONV_NAME conv_f16_neon
#define FC_NAME fc_f16_neon

PK_INLINE void copy_row(float *to, const uint16_t *from, size_t n)
{
    copy_f16(to, from, n);
}

PK_INLINE float weight_of(uint16_t w)
{
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(w))), 0);
}

#include "conv_body.h"
