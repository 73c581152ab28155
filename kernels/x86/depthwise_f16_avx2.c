/* depthwise_f16_avx2.c: depthwise convolution on fp16 operands, widened once; sums in fp32. */
#include "vec_avx2.h"

#include "rows.h"

#include "../pk_tables.h"

#define T_X uint16_t
#define T_C float
#define T_W uint16_t
#define T_P float
#define T_ACC float
#define INTEGER 0
#define PIXELS 4
#define COPY_SHARE 4 /* the picture is copied when more than a quarter of its columns touch the edge */
#define PK_EPILOGUE pk_epilogue_f32_avx2
#define PK_PAD(code) ((void)(code), 0.0f)
#define DEPTHWISE_NAME depthwise_f16_avx2

PK_INLINE void copy_row(float *to, const uint16_t *from, size_t n)
{
    copy_f16(to, from, n);
}

PK_INLINE float weight_of(uint16_t w)
{
    return _cvtsh_ss(w);
}

#include "depthwise_float.h"

#include "depthwise_body.h"
