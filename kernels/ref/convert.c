/* convert.c: fp16 and code conversions. */
#include "ref.h"

#include "../pk_tables.h"

#include <math.h>
#include <string.h>

float pk_ref_widen(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = (half >> 10) & 31;
    const uint32_t mantissa = half & 0x3ff;
    uint32_t bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000 | mantissa << 13 | (mantissa != 0 ? 0x400000 : 0);
    } else if (exponent == 0) { /* zero or subnormal: mantissa * 2^-24, exact in fp32 */
        const float magnitude = (float)mantissa * 0x1p-24f;
        return sign != 0 ? -magnitude : magnitude;
    } else {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t pk_ref_narrow(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) { /* NaN: the upper payload bits, made quiet */
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    }
    if (magnitude >= 0x477ff000) { /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00);
    }
    if (magnitude < 0x38800000) { /* below 2^-14: a multiple of 2^-24; lrintf rounds half to even */
        return (uint16_t)(sign | (uint32_t)lrintf(fabsf(value) * 0x1p24f));
    }
    const uint32_t odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | (magnitude - (112u << 23) + 0xfff + odd) >> 13);
}

void pk_f32_to_f16_ref(const float *x, size_t n, uint16_t *h)
{
    for (size_t i = 0; i < n; i++) {
        h[i] = pk_ref_narrow(x[i]);
    }
}

void pk_f16_to_f32_ref(const uint16_t *h, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = pk_ref_widen(h[i]);
    }
}

void pk_quantize_u8_ref(const float *x, size_t n, float inv_scale, float offset, int zero, float lo,
                        float hi, uint8_t *q)
{
    for (size_t i = 0; i < n; i++) {
        q[i] = (uint8_t)(zero + (int)lrintf(pk_ref_clamp((x[i] - offset) * inv_scale, lo, hi)));
    }
}

void pk_dequantize_u8_ref(const uint8_t *q, size_t n, float scale, float offset, int zero, float *x)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = fmaf((float)(q[i] - zero), scale, offset);
    }
}
