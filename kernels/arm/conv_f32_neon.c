/* conv_f32_neon.c: fp32 convolution. */
#include "vec_neon.h"

#include "rows.h"

#include "../pk_tables.h"

#define T_X float
#define T_A float
#define T_W float
#define T_P float
#define T_ACC float
#define K_GROUP 1
#define NV 2
#define OWN_TILES "../arm/tiles_f32_neon.h"
#define PK_EPILOGUE pk_epilogue_f32_neon
#define PK_PAD(code) ((void)(code), 0.0f)
#define CONV_NAME conv_f32_neon
#define FC_NAME fc_f32_neon

PK_INLINE void copy_row(float *to, const float *from, size_t n)
{
    copy_f32(to, from, n);
}

PK_INLINE float weight_of(float w)
{
    return w;
}

#include "conv_body.h"
