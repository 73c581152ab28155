/* depthwise_f32_avx2.c: fp32 depthwise convolution. */
#include "vec_avx2.h"

#include "../pk_tables.h"

#define GROUP 1
#define T_X float
#define T_C float
#define T_W float
#define T_P float
#define T_ACC float
#define INTEGER 0
#define vacc __m256
#define V_ZERO() _mm256_setzero_ps()
#define V_LOAD(p) _mm256_loadu_ps(p)
#define V_MADD(acc, a, w) _mm256_fmadd_ps(a, w, acc)
#define V_PUT(p, acc) _mm256_storeu_ps(p, acc)
#define DIRECT_LANES 8
#define DIRECT_SIZES(X) X(4) X(8)
#define DIRECT_MOST 8
#define DIRECT_LOAD(p) v_load_all(p)
#define DIRECT_LOAD_PART(p, mask) v_load(p, mask)
#define DIRECT_PUT(to, sum) v_store_all(to, sum)
#define PK_EPILOGUE pk_epilogue_f32_avx2
#define PK_PAD(code) ((void)(code), (float)0)
#define DEPTHWISE_NAME depthwise_f32_avx2

PK_INLINE void interleave(float *to, const float *const *pixels, size_t n, size_t stride)
{
    const float *from = pixels[0];
    for (; n > 0; to += stride, from += VL) {
        const vm lanes = v_lanes(n < VL ? (int)n : VL);
        v_store_all(to, v_load(from, lanes));
        n -= n < VL ? n : VL;
    }
}

PK_INLINE void interleave_run(float *to, const float *from, ptrdiff_t pitch, size_t groups,
                              size_t n, size_t stride)
{
    const vm all = v_lanes(VL);
    size_t first = 0;
    for (; first + 4 * VL <= n; first += 4 * VL, to += 4 * stride, from += 4 * VL) {
        const float *p = from;
        for (size_t g = 0; g < groups; g++, p += pitch) {
            PK_UNROLL
            for (int i = 0; i < 4; i++) {
                v_store_all(to + (size_t)i * stride + g * VL, v_load(p + i * VL, all));
            }
        }
    }
    for (; first < n; first += VL, to += stride, from += VL) {
        const vm lanes = v_lanes(n - first < VL ? (int)(n - first) : VL);
        const float *p = from;
        for (size_t g = 0; g < groups; g++, p += pitch) {
            v_store_all(to + g * VL, v_load(p, lanes));
        }
    }
}

PK_INLINE float weight_of(float w)
{
    return w;
}

#include "depthwise_body.h"
