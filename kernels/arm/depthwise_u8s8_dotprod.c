/* depthwise_u8s8_dotprod.c: depthwise convolution on byte codes, four pixels of a row in each
 * SDOT: codes less 128, sums begin with what that takes from them. */
#include "vec_neon.h"

#include "../pk_tables.h"

#define GROUP 4
#define T_X uint8_t
#define T_W int8_t
#define T_ACC int32_t
#define INTEGER 1
#define T_C uint8_t
#define T_P int8_t
#define FLIP 0x80
#define CODE_OFFSET 128
#define V_START(p) vld1q_s32(p)
#define vacc int32x4_t
#define vin uint8x16_t
#define V_ZERO() vdupq_n_s32(0)
#define V_LOAD(p) vld1q_u8((const uint8_t *)(p))
#define V_MADD(acc, a, w) vdotq_s32(acc, vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(w))
#define V_PUT(p, acc) vst1q_s32(p, acc)
#define PK_EPILOGUE pk_epilogue_i32_neon
#define PK_PAD(code) ((uint8_t)(code))
#define DEPTHWISE_NAME depthwise_u8s8_dotprod

#include "interleave_4.h"

PK_INLINE int8_t weight_of(int8_t w)
{
    return w;
}

#include "depthwise_body.h"
