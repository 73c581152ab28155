/* conv_f16_fp16.c: convolution in half precision arithmetic (FMLA on eight halves). */
#include "vec_neon.h"

#include "../pk_tables.h"

#define T_X uint16_t
#define T_A uint16_t
#define T_W uint16_t
#define T_P uint16_t
#define T_ACC float
#define K_GROUP 1
#define NV 2
#define VL 8 /* halves of a vector, for conv_body.h; the epilogue counts in fours */
#define OWN_TILES "../arm/tiles_f16_fp16.h"
#define PK_EPILOGUE pk_epilogue_f32_neon
#define PK_PAD(code) ((void)(code), (uint16_t)0)
#define CONV_NAME conv_f16_fp16
#define FC_NAME fc_f16_fp16

PK_INLINE void copy_row(uint16_t *to, const uint16_t *from, size_t n)
{
    for (; n >= 8; n -= 8, to += 8, from += 8) {
        vst1q_u16(to, vld1q_u16(from));
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

PK_INLINE uint16_t weight_of(uint16_t w)
{
    return w;
}

#include "conv_body.h"
