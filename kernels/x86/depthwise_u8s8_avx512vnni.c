/* depthwise_u8s8_avx512vnni.c: depthwise convolution on byte codes: most layers by depthwise_flat.h, the others
 * with four pixels of a row in each vpdpbusd. */
#include "vec_avx512.h"

#include "../pk_tables.h"
#include "depthwise_avx512vnni.h"
#include "depthwise_flat_rows.h"

#define GROUP 4
#define T_X uint8_t
#define T_W int8_t
#define T_ACC int32_t
#define INTEGER 1
#define T_C uint8_t
#define T_P int8_t
#define vacc __m512i
#define V_ZERO() _mm512_setzero_si512()
#define V_START(p) _mm512_loadu_si512(p)
#define V_LOAD(p) _mm512_loadu_si512(p)
#define V_MADD(acc, a, w) _mm512_dpbusd_epi32(acc, a, w)
#define V_PUT(p, acc) _mm512_storeu_si512(p, acc)
#define PK_EPILOGUE pk_epilogue_i32_avx512
#define PK_PAD(code) ((uint8_t)(code))

/* 64 channels at a time. The unpacks work within 128-bit lanes; ordering the 4-byte words first as
 * a transposed 4x4 matrix makes their four results the four vectors of channels. `stride`:
 * elements between those vectors. */
PK_INLINE void interleave(uint8_t *to, const uint8_t *const *pixels, size_t n, size_t stride)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (size_t first = 0; first < n; first += 64, to += 4 * stride) {
        const size_t left = n - first;
        const __mmask64 lanes = left >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
        __m512i p[4];
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            p[i] =
                _mm512_permutexvar_epi32(order, _mm512_maskz_loadu_epi8(lanes, pixels[i] + first));
        }
        const __m512i low01 = _mm512_unpacklo_epi8(p[0], p[1]),
                      high01 = _mm512_unpackhi_epi8(p[0], p[1]);
        const __m512i low23 = _mm512_unpacklo_epi8(p[2], p[3]),
                      high23 = _mm512_unpackhi_epi8(p[2], p[3]);
        _mm512_storeu_si512(to, _mm512_unpacklo_epi16(low01, low23));
        if (left > 16) {
            _mm512_storeu_si512(to + stride, _mm512_unpackhi_epi16(low01, low23));
        }
        if (left > 32) {
            _mm512_storeu_si512(to + 2 * stride, _mm512_unpacklo_epi16(high01, high23));
        }
        if (left > 48) {
            _mm512_storeu_si512(to + 3 * stride, _mm512_unpackhi_epi16(high01, high23));
        }
    }
}

PK_INLINE void interleave_run(uint8_t *to, const uint8_t *from, ptrdiff_t pitch, size_t groups,
                              size_t n, size_t stride)
{
    for (size_t g = 0; g < groups; g++, to += VL * GROUP, from += GROUP * pitch) {
        const uint8_t *const pixels[GROUP] = {from, from + pitch, from + 2 * pitch,
                                              from + 3 * pitch};
        interleave(to, pixels, n, stride);
    }
}

PK_INLINE int8_t weight_of(int8_t w)
{
    return w;
}

#include "depthwise_body.h"

bool pk_depthwise_is_flat(const struct pk_conv *c)
{
    return flat_does(c);
}

size_t pk_depthwise_flat_phase_bytes(const struct pk_conv *c)
{
    return flat_phase_bytes(c);
}

void pk_depthwise_flat_pack_phase(const struct pk_conv *c, const int8_t *weights, int phase, int8_t *to)
{
    flat_pack_phase(c, weights, phase, to);
}

void pk_depthwise_flat_run(const struct pk_conv *c, const void *x, int pad_code, const struct pk_flat_weights *weights,
                           const struct pk_epilogue *e, void *scratch)
{
    flat_run(c, x, pad_code, weights, e, scratch);
}

static size_t any_packed_size(const struct pk_conv *c)
{
    return flat_does(c) ? flat_packed_size(c) : packed_size(c);
}

static void any_pack(const struct pk_conv *c, const void *weights, void *packed)
{
    if (flat_does(c)) {
        const size_t n = pk_depthwise_flat_phase_bytes(c);
        for (int phase = 0; phase < flat_all_phases(c); phase++) {
            flat_pack_phase(c, weights, phase, (int8_t *)packed + (size_t)phase * n);
        }
    } else {
        pack(c, weights, packed);
    }
}

static size_t any_scratch_size(const struct pk_conv *c)
{
    return flat_does(c) ? flat_work_of(c, NULL).bytes : scratch_size(c);
}

static void any_run(const struct pk_conv *c, const void *x, int pad_code, const void *packed, const struct pk_epilogue *e,
                    void *scratch)
{
    if (flat_does(c)) {
        flat_run(c, x, pad_code, &(struct pk_flat_weights){packed, NULL}, e, scratch);
    } else {
        run(c, x, pad_code, packed, e, scratch);
    }
}

const struct pk_layer_kernel pk_depthwise_u8s8_avx512vnni = {"depthwise_u8s8_avx512vnni", any_packed_size, any_pack,
                                                             any_scratch_size, any_run};
const struct pk_layer_kernel pk_depthwise_ring_u8s8_avx512vnni = {"depthwise_ring_u8s8_avx512vnni", packed_size, pack,
                                                                  scratch_size, run};
