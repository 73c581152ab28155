/* depthwise_f16_avx512.c: depthwise convolution on fp16 operands, widened once; sums in fp32. */
#include "vec_avx512.h"

#include "../pk_tables.h"

#define GROUP 1
#define T_X uint16_t
#define T_C float
#define T_W uint16_t
#define T_P float
#define T_ACC float
#define INTEGER 0
#define vacc __m512
#define V_ZERO() _mm512_setzero_ps()
#define V_LOAD(p) _mm512_loadu_ps(p)
#define V_MADD(acc, a, w) _mm512_fmadd_ps(a, w, acc)
#define V_PUT(p, acc) _mm512_storeu_ps(p, acc)
#define DIRECT_LANES 16
#define DIRECT_SIZES(X) X(4) X(7) X(10) X(12) X(14)
#define DIRECT_MOST 14
#define DIRECT_LOAD(p) v_load_f16(p, v_lanes(VL))
#define DIRECT_LOAD_PART(p, mask) v_load_f16(p, mask)
#define DIRECT_PUT(to, sum) v_store_all(to, sum)
#define PK_EPILOGUE pk_epilogue_f32_avx512
#define PK_PAD(code) ((void)(code), (uint16_t)0)
#define DEPTHWISE_NAME depthwise_f16_avx512

PK_INLINE void interleave(float *to, const uint16_t *const *pixels, size_t n, size_t stride)
{
    const uint16_t *from = pixels[0];
    for (; n > 0; to += stride, from += VL) {
        const vm lanes = v_lanes(n < VL ? (int)n : VL);
        v_store_all(to, v_load_f16(from, lanes));
        n -= n < VL ? n : VL;
    }
}

PK_INLINE void interleave_run(float *to, const uint16_t *from, ptrdiff_t pitch, size_t groups,
                              size_t n, size_t stride)
{
    const vm all = v_lanes(VL);
    size_t first = 0;
    for (; first + 4 * VL <= n; first += 4 * VL, to += 4 * stride, from += 4 * VL) {
        const uint16_t *p = from;
        for (size_t g = 0; g < groups; g++, p += pitch) {
            PK_UNROLL
            for (int i = 0; i < 4; i++) {
                v_store_all(to + (size_t)i * stride + g * VL, v_load_f16(p + i * VL, all));
            }
        }
    }
    for (; first < n; first += VL, to += stride, from += VL) {
        const vm lanes = v_lanes(n - first < VL ? (int)(n - first) : VL);
        const uint16_t *p = from;
        for (size_t g = 0; g < groups; g++, p += pitch) {
            v_store_all(to + g * VL, v_load_f16(p, lanes));
        }
    }
}

PK_INLINE float weight_of(uint16_t w)
{
    return _cvtsh_ss(w);
}

#include "depthwise_body.h"
