/*
 * op_math.h: exp, log, tanh and their kin without libm, so that results are the same on every
 * machine. The float functions are branch-free and vectorise; errors measured by
 * tests/unit/test_ops.c: exp 0.9, tanh 1.3,
 * sigmoid 2.4 ulp at most.
 */
#ifndef PARE_PK_OP_MATH_H
#define PARE_PK_OP_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t op_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float op_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/*
 * e^r - 1 for |r| <= ln(2) / 2: r + r^2 q(r), q of degree 4, fitted so that the largest relative
 * error of e^r is least (3.1e-9, iterated weighted least squares on 400 Chebyshev nodes).
 */
static inline float op_expm1_core(float r)
{
    float q = 1.3814602e-3f;
    q = q * r + 8.368716e-3f;
    q = q * r + 4.166839e-2f;
    q = q * r + 1.6666521e-1f;
    q = q * r + 4.9999994e-1f;
    return r * r * q + r;
}

/* x = n ln 2 + r with n an integer: returns r and n's low bits. 12582912 = 1.5 * 2^23 rounds to an
 * integer. */
static inline float op_exp_reduce(float x, int32_t *n)
{
    float shifted = x * 1.44269504f + 12582912.0f;
    float whole = shifted - 12582912.0f;
    *n = (int32_t)(op_bits(shifted) - op_bits(12582912.0f));
    /* ln 2 in two parts; the first has 9 bits, so that whole times it is exact. */
    return (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
}

static inline float op_exp(float x)
{
    float limited = x < -104.0f ? -104.0f : x;
    limited = limited > 89.0f ? 89.0f : limited;
    int32_t n;
    float r = op_exp_reduce(limited, &n);
    float e = op_expm1_core(r) + 1.0f;
    /* 2^n in two factors: n may lie below -126 (subnormal results) or be 128. */
    int32_t half = n >> 1;
    return e * op_from_bits((uint32_t)(half + 127) << 23) *
           op_from_bits((uint32_t)(n - half + 127) << 23);
}

/* e^x - 1, exact near 0. */
static inline float op_expm1(float x)
{
    float near = op_expm1_core(x), far = op_exp(x) - 1.0f;
    return fabsf(x) < 0.34f ? near : far;
}

static inline float op_sigmoid(float x)
{
    float e = op_exp(-fabsf(x));
    float top = x >= 0.0f ? 1.0f : e;
    return x != x ? x : top / (1.0f + e);
}

/*
 * |x| < 0.625: x + x^3 p(x^2), p of degree 4 fitted as above (4.1e-9). Else 1 - 2 / (e^(2|x|) + 1).
 */
static inline float op_tanh(float x)
{
    float z = x * x, a = fabsf(x);
    float p = -5.717045e-3f;
    p = p * z + 2.0650588e-2f;
    p = p * z + -5.3743497e-2f;
    p = p * z + 1.3331491e-1f;
    p = p * z + -3.3333284e-1f;
    float near = copysignf(x + x * z * p, x);
    float far = copysignf(1.0f - 2.0f / (op_exp(2.0f * a) + 1.0f), x);
    return x != x ? x : a < 0.625f ? near : far;
}

/* Half to even; larger magnitudes are integers already. */
static inline float op_rint(float x)
{
    float a = fabsf(x), r = (a + 8388608.0f) - 8388608.0f;
    return a < 8388608.0f ? copysignf(r, x) : x;
}

/* ---- double: Taylor series of enough terms (their coefficients are 1/k! and 1/(2k+1)) ---- */

static inline double op_exp_d(double x)
{
    if (x != x) {
        return x;
    }
    x = x < -746.0 ? -746.0 : x > 710.0 ? 710.0 : x;
    double shifted = x * 1.4426950408889634 + 6755399441055744.0;
    double n = shifted - 6755399441055744.0;
    double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    double sum = 1.0;
    for (int k = 14; k >= 1; k--) {
        sum = sum * r / k + 1.0;
    }
    int64_t whole = (int64_t)n, half = whole / 2;
    uint64_t a = (uint64_t)(half + 1023) << 52, b = (uint64_t)(whole - half + 1023) << 52;
    double fa, fb;
    memcpy(&fa, &a, sizeof fa);
    memcpy(&fb, &b, sizeof fb);
    return sum * fa * fb;
}

static inline double op_log_d(double x)
{
    if (!(x > 0.0) || x > 1.7976931348623157e308) {
        return x == 0.0 ? -INFINITY : x > 0.0 ? x : NAN;
    }
    int64_t e = 0;
    if (x < 2.2250738585072014e-308) {
        x *= 18014398509481984.0; /* 2^54 */
        e = -54;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    e += (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        e++;
    }
    /* log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 0.1716 */
    double s = (m - 1.0) / (m + 1.0), z = s * s, sum = 0.0;
    for (int k = 11; k >= 0; k--) {
        sum = sum * z + 1.0 / (2 * k + 1);
    }
    return (double)e * 0.693147180559945309 + 2.0 * s * sum;
}

static inline double op_tanh_d(double x)
{
    double a = fabs(x), e = op_exp_d(2.0 * a);
    if (a < 0.1) { /* x - x^3/3 + 2x^5/15 - 17x^7/315 + 62x^9/2835 - 1382x^11/155925 */
        double z = x * x;
        return x * (1.0 + z * (-1.0 / 3 +
                               z * (2.0 / 15 +
                                    z * (-17.0 / 315 + z * (62.0 / 2835 - z * 1382.0 / 155925)))));
    }
    return copysign(1.0 - 2.0 / (e + 1.0), x);
}

/* x^y for the values that networks hold: negative x only with whole y. */
static inline double op_pow_d(double x, double y)
{
    if (y == 0.0 || x == 1.0) {
        return 1.0;
    }
    if (y == 1.0) {
        return x;
    }
    if (y == 2.0) {
        return x * x;
    }
    if (y == 0.5 && x >= 0.0) {
        return sqrt(x);
    }
    double whole = floor(y);
    int negative = x < 0.0 && whole == y && fmod(whole, 2.0) != 0.0;
    if (x != x || y != y || (x < 0.0 && whole != y)) {
        return NAN;
    }
    if (whole == y && fabs(y) <= 64.0) { /* by squaring: exact where the result is */
        double base = x, r = 1.0;
        for (unsigned k = (unsigned)fabs(y); k > 0; k >>= 1) {
            r = (k & 1u) != 0 ? r * base : r;
            base *= base;
        }
        return y < 0.0 ? 1.0 / r : r;
    }
    double r = x == 0.0 ? (y > 0.0 ? 0.0 : INFINITY) : op_exp_d(y * op_log_d(fabs(x)));
    return negative ? -r : r;
}

#endif
