/* conv_f16_avx2.c: convolution on fp16 operands, widened once; sums in fp32, tiles of 6 rows times
 * 16 channels and their like. */
#include "vec_avx2.h"

#include "rows.h"

#include "../pk_tables.h"

#define T_X uint16_t
#define T_A float
#define T_W uint16_t
#define T_P float
#define T_ACC float
#define K_GROUP 1
#define NV 2
#define vacc __m256
#define V_ZERO() _mm256_setzero_ps()
#define V_BROADCAST(p) _mm256_set1_ps(*(const float *)(const void *)(p))
#define V_WEIGHTS(p) _mm256_loadu_ps(p)
#define V_MADD(acc, a, w) _mm256_fmadd_ps(a, w, acc)
#define V_SUM(a, b) _mm256_add_ps(a, b)
#define V_PUT(p, acc) _mm256_storeu_ps(p, acc)
#define PK_EPILOGUE pk_epilogue_f32_avx2
#define PK_PAD(code) ((void)(code), 0.0f)
#define CONV_NAME conv_f16_avx2
#define FC_NAME fc_f16_avx2

PK_INLINE void copy_row(float *to, const uint16_t *from, size_t n)
{
    copy_f16(to, from, n);
}

PK_INLINE float weight_of(uint16_t w)
{
    return _cvtsh_ss(w);
}

#include "conv_body.h"
