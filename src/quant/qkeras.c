/* qkeras.c: quantized_bits, quantized_po2, quantized_relu, binary, ternary. */
#include "quant/qkeras.h"

#include <math.h>

#define EPSILON PARE_QKERAS_EPSILON

static float clip(float v, float lo, float hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

float pare_qkeras_bits(float x, int bits, int integer, bool symmetric, bool keep_negative)
{
    const int above = bits - keep_negative;
    if (above <= 0) {
        const float sign = x >= 0.0f ? 1.0f : -1.0f;
        return keep_negative ? sign : (sign + 1.0f) / 2.0f;
    }
    const float m = ldexpf(1.0f, above), mi = ldexpf(1.0f, integer);
    const float lo = keep_negative ? -m + (symmetric ? 1.0f : 0.0f) : 0.0f;
    return mi * clip(rintf(x * m / mi), lo, m - 1.0f) / m;
}

void pare_qkeras_bits_grid(int bits, int integer, bool symmetric, float *step, int *lo, int *hi)
{
    if (bits <= 1) {
        *step = 1.0f;
        *lo = -1;
        *hi = 1;
        return;
    }
    *step = ldexpf(1.0f, integer - bits + 1);
    *lo = -(1 << (bits - 1)) + symmetric;
    *hi = (1 << (bits - 1)) - 1;
}

float pare_qkeras_auto_po2(const float *x, size_t n, size_t stride, int bits, int integer, float *out)
{
    const float mi = ldexpf(1.0f, integer), levels = (float)(((1 << (bits - 1)) - 1) * 2);
    float max = 0.0f, scale;
    for (size_t i = 0; i < n; i++) {
        max = fmaxf(max, fabsf(x[i * stride] / mi));
    }
    scale = ldexpf(1.0f, (int)rintf(log2f(2.0f * max / levels + EPSILON)));
    for (int round = 0; round < 5; round++) {
        double xz = 0.0, zz = 0.0;
        for (size_t i = 0; i < n; i++) {
            const float v = x[i * stride] / mi;
            const float k = floorf(fabsf(v) / scale + 0.5f);
            const float z = copysignf(k < levels / 2.0f ? k : levels / 2.0f, v);
            xz += (double)v * (double)z;
            zz += (double)z * (double)z;
        }
        xz /= (double)n;
        zz /= (double)n;
        scale = ldexpf(1.0f, (int)rintf(log2f((float)(xz / (zz + (double)EPSILON)) + EPSILON)));
    }
    for (size_t i = 0; i < n; i++) {
        const float v = x[i * stride] / mi;
        const float k = floorf(fabsf(v) / scale + 0.5f);
        out[i * stride] = scale * mi * copysignf(k < levels / 2.0f ? k : levels / 2.0f, v);
    }
    return scale;
}

void pare_qkeras_po2_exponents(int bits, float max_value, bool quadratic, int *least, int *most)
{
    const bool need_sign = !(max_value > 0.0f && max_value <= 1.0f);
    const int effective = bits - 1 - need_sign;
    *least = -(1 << (effective > 0 ? effective : 0));
    *most = (1 << (effective > 0 ? effective : 0)) - 1;
    if (quadratic) {
        *most = 2 * (*most / 2);
        *least = 2 * (*least / 2);
    }
}

float pare_qkeras_po2(float x, int bits, float max_value, bool quadratic)
{
    int least, most;
    pare_qkeras_po2_exponents(bits, max_value, quadratic, &least, &most);
    const float sign = x >= 0.0f ? 1.0f : -1.0f;
    float v = fabsf(x);
    if (v < EPSILON) {
        return ldexpf(sign, least);
    }
    if (max_value > 0.0f && v > max_value) {
        v = max_value;
    }
    const float e = quadratic ? 2.0f * rintf(log2f(sqrtf(v))) : rintf(log2f(v));
    return ldexpf(sign, (int)clip(e, (float)least, (float)most));
}

float pare_qkeras_relu(float x, int bits, int integer)
{
    const float m = ldexpf(1.0f, bits), mi = ldexpf(1.0f, integer);
    return mi * clip(rintf(x * m / mi) / m, 0.0f, 1.0f - 1.0f / m);
}

float pare_qkeras_binary(float x)
{
    return x >= 0.0f ? 1.0f : -1.0f;
}

float pare_qkeras_ternary(float x, float threshold)
{
    return x > threshold ? 1.0f : x < -threshold ? -1.0f : 0.0f;
}

float pare_qkeras_ternary_auto(const float *x, size_t n, size_t stride, float *z)
{
    float max = 0.0f;
    for (size_t i = 0; i < n; i++) {
        max = fmaxf(max, fabsf(x[i * stride]));
    }
    float scale = 2.0f * max / 3.0f;
    for (int round = 0; round < 5; round++) {
        double xz = 0.0, zz = 0.0;
        for (size_t i = 0; i < n; i++) {
            z[i * stride] = pare_qkeras_ternary(x[i * stride], scale / 2.0f);
            xz += (double)(x[i * stride] * z[i * stride]);
            zz += (double)(z[i * stride] * z[i * stride]);
        }
        scale = zz > 0.0 ? (float)(xz / zz) : scale;
    }
    for (size_t i = 0; i < n; i++) {
        z[i * stride] = pare_qkeras_ternary(x[i * stride], scale / 2.0f);
    }
    return scale;
}
