/*
 * depthwise_f16_avx512fp16.c: depthwise convolution in half precision arithmetic, for the windows
 * of depthwise_direct.h (others are left to the sets below). At most MOST_TAPS products are added in
 * fp16, then the sum is widened.
 */
#include "vec_avx512.h"

#include "../pk_tables.h"

#include <string.h>

enum { MOST_TAPS = 64 };

#define T_X uint16_t
#define T_P uint16_t
#define vacc __m512h
#define V_ZERO() _mm512_setzero_ph()
#define V_LOAD(p) (__m512h) _mm512_loadu_si512(p)
#define V_MADD(acc, a, w) _mm512_fmadd_ph(a, w, acc)
#define PK_EPILOGUE pk_epilogue_f32_avx512
#define DIRECT_LANES 32
#define DIRECT_SIZES(X) X(4) X(7) X(10) X(12) X(14)
#define DIRECT_MOST 14
#define DIRECT_MASK __mmask32
#define DIRECT_MASK_OF(n) ((__mmask32)((1ull << (n)) - 1))
#define DIRECT_LOAD(p) V_LOAD(p)
#define DIRECT_LOAD_PART(p, mask) (__m512h) _mm512_maskz_loadu_epi16(mask, p)
#define DIRECT_PUT(to, sum) (v_store_all(to, half_of(sum, 0)), v_store_all((to) + VL, half_of(sum, 1)))
#define DIRECT_PLAIN(d, channel, sum, n) plain_halves(d, channel, sum, n)

/* Sixteen channels of a vector of sums. */
PK_INLINE vf half_of(__m512h sum, const int upper)
{
    const __m512i v = (__m512i)sum;
    return _mm512_cvtph_ps(upper ? _mm512_extracti64x4_epi64(v, 1) : _mm512_castsi512_si256(v));
}

struct direct;
PK_INLINE void plain_halves(const struct direct *d, int channel, const __m512h *sum, const int n);

#include "depthwise_direct.h"

PK_INLINE void plain_halves(const struct direct *d, int channel, const __m512h *sum, const int n)
{
    PK_UNROLL
    for (int upper = 0; upper < 2; upper++) {
        const int lanes = d->lanes - upper * VL;
        if (lanes > 0) {
            const struct plain_f32 p =
                plain_f32_of(d->e->outs, d->pixel, channel + upper * VL, lanes < VL ? lanes : VL);
            PK_UNROLL
            for (int i = 0; i < n; i++) {
                if (i < d->count) {
                    plain_f32_put(&p, half_of(sum[i], upper), i);
                }
            }
        }
    }
}

static size_t packed_size(const struct pk_conv *c)
{
    return !direct_does(c) || c->kernel_h * c->kernel_w > MOST_TAPS
               ? 0
               : pk_round_up((size_t)c->out_c, DIRECT_LANES) * (size_t)(c->kernel_h * c->kernel_w) *
                     sizeof(uint16_t);
}

/* [vector of channels][kernel row][kernel column][DIRECT_LANES], zero beyond the last channel */
static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    uint16_t *to = packed;
    for (int first = 0; first < c->out_c; first += DIRECT_LANES) {
        const int n = c->out_c - first < DIRECT_LANES ? c->out_c - first : DIRECT_LANES;
        for (int tap = 0; tap < c->kernel_h * c->kernel_w; tap++, to += DIRECT_LANES) {
            memset(to, 0, DIRECT_LANES * sizeof *to);
            memcpy(to, (const uint16_t *)weights + (ptrdiff_t)tap * c->out_c + first,
                   (size_t)n * sizeof *to);
        }
    }
}

static size_t scratch_size(const struct pk_conv *c)
{
    (void)c;
    return DIRECT_MOST * DIRECT_LANES * sizeof(float);
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    (void)pad_code;
    direct_run(c, x, packed, e, scratch);
}

const struct pk_layer_kernel pk_depthwise_f16_avx512fp16 = {
    "depthwise_f16_avx512fp16", packed_size, pack, scratch_size, run};
