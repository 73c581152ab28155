/* conv_f32_avx512.c: fp32 convolution, tiles of 6 rows times 64 channels and their like. */
#include "vec_avx512.h"

#include "finish_f32_avx512.h"
#include "rows.h"

#include "../pk_tables.h"

#define T_X float
#define T_A float
#define T_W float
#define T_P float
#define T_ACC float
#define K_GROUP 1
#define NV 4
#define STEPS 4
#define vacc __m512
#define V_ZERO() _mm512_setzero_ps()
#define V_BROADCAST(p) _mm512_set1_ps(*(const float *)(const void *)(p))
#define V_WEIGHTS(p) _mm512_loadu_ps(p)
#define V_MADD(acc, a, w) _mm512_fmadd_ps(a, w, acc)
#define V_SUM(a, b) _mm512_add_ps(a, b)
#define V_PUT(p, acc) _mm512_storeu_ps(p, acc)
#define PK_EPILOGUE pk_epilogue_f32_avx512
#define PK_PAD(code) ((void)(code), 0.0f)
#define FC_NAME fc_f32_avx512

PK_INLINE void copy_row(float *to, const float *from, size_t n)
{
    copy_f32(to, from, n);
}

PK_INLINE float weight_of(float w)
{
    return w;
}

#include "conv_body.h"

/* First layers read their windows where they are. */
#define W_START(f, j) V_ZERO()
#define W_POINTWISE 0
#define W_FINISHES 1
#include "conv_window.h"

static size_t any_packed_size(const struct pk_conv *c)
{
    return win_does(c) ? win_packed_size(c) : packed_size(c);
}

static void any_pack(const struct pk_conv *c, const void *weights, void *packed)
{
    (win_does(c) ? win_pack : pack)(c, weights, packed);
}

static size_t any_scratch_size(const struct pk_conv *c)
{
    return win_does(c) ? win_scratch_size(c) : scratch_size(c);
}

static void any_run(const struct pk_conv *c, const void *x, int pad_code, const void *packed, const struct pk_epilogue *e,
                    void *scratch)
{
    (win_does(c) ? win_run : run)(c, x, pad_code, packed, e, scratch);
}

const struct pk_layer_kernel pk_conv_f32_avx512 = {"conv_f32_avx512", any_packed_size, any_pack, any_scratch_size, any_run};
