/* op_unary.c: elementwise functions of one array, and clip. */
#include <string.h>

#include "op_math.h"
#include "op_types.h"

#define EACH(type, expression)                                                                     \
    do {                                                                                           \
        for (size_t i = 0; i < n; i++) {                                                           \
            const type v = x[i];                                                                   \
            y[i] = (type)(expression);                                                             \
        }                                                                                          \
        return;                                                                                    \
    } while (0)

static inline float mish(float v)
{
    float e = op_exp(v < 20.0f ? v : 20.0f), t = e * e + 2.0f * e;
    return v < 20.0f ? v * (t / (t + 2.0f)) : v;
}

static inline float hard_sigmoid(float v, float a, float b)
{
    float t = fmaf(v, a, b);
    t = t > 0.0f ? t : 0.0f;
    return t < 1.0f ? t : 1.0f;
}

static inline float hard_swish(float v)
{
    float t = v + 3.0f;
    t = t > 0.0f ? t : 0.0f;
    t = t < 6.0f ? t : 6.0f;
    return v * (t * (1.0f / 6.0f));
}

static inline float celu(float v, float a, float inverse)
{
    float low = a * op_expm1(v * inverse);
    return v > 0.0f ? v : low;
}

static void unary_f32(enum pk_unary_op op, size_t n, const float *x, float *y, float a, float b)
{
    switch (op) {
    case PK_RELU:
        EACH(float, v > 0.0f ? v : v != v ? v : 0.0f);
    case PK_LEAKY_RELU:
        EACH(float, v > 0.0f ? v : v * a);
    case PK_ELU:
        EACH(float, v > 0.0f ? v : a * op_expm1(v));
    case PK_CELU:
        EACH(float, celu(v, a, 1.0f / a));
    case PK_SIGMOID:
        EACH(float, op_sigmoid(v));
    case PK_HARD_SIGMOID:
        EACH(float, hard_sigmoid(v, a, b));
    case PK_HARD_SWISH:
        EACH(float, hard_swish(v));
    case PK_TANH:
        EACH(float, op_tanh(v));
    case PK_NEG:
        EACH(float, -v);
    case PK_ABS:
        EACH(float, fabsf(v));
    case PK_EXP:
        EACH(float, op_exp(v));
    case PK_SQRT:
        EACH(float, sqrtf(v));
    case PK_RSQRT:
        EACH(float, 1.0f / sqrtf(v));
    case PK_LOG:
        EACH(float, op_log_d((double)v));
    case PK_MISH:
        EACH(float, mish(v));
    case PK_SWISH:
        EACH(float, v *op_sigmoid(a * v));
    case PK_FLOOR:
        EACH(float, floorf(v));
    case PK_CEIL:
        EACH(float, ceilf(v));
    case PK_ROUND:
        EACH(float, op_rint(v));
    case PK_UNARY_COUNT:
        return;
    }
}

static double expm1_d(double v)
{
    if (v > -1e-4 && v < 1e-4) {
        return v + v * v * 0.5 + v * v * v / 6.0;
    }
    return op_exp_d(v) - 1.0;
}

static double sigmoid_d(double v)
{
    double e = op_exp_d(-fabs(v));
    return (v >= 0.0 ? 1.0 : e) / (1.0 + e);
}

static double mish_d(double v)
{
    double e = op_exp_d(v < 40.0 ? v : 40.0), t = e * e + 2.0 * e;
    return v < 40.0 ? v * (t / (t + 2.0)) : v;
}

static double round_d(double v)
{
    return fabs(v) < 4503599627370496.0
               ? copysign((fabs(v) + 4503599627370496.0) - 4503599627370496.0, v)
               : v;
}

static double between(double v, double lo, double hi)
{
    v = v > lo ? v : lo;
    return v < hi ? v : hi;
}

static void unary_f64(enum pk_unary_op op, size_t n, const double *x, double *y, double a, double b)
{
    switch (op) {
    case PK_RELU:
        EACH(double, v > 0.0 ? v : v != v ? v : 0.0);
    case PK_LEAKY_RELU:
        EACH(double, v > 0.0 ? v : v * a);
    case PK_ELU:
        EACH(double, v > 0.0 ? v : a * expm1_d(v));
    case PK_CELU:
        EACH(double, v > 0.0 ? v : a * expm1_d(v / a));
    case PK_SIGMOID:
        EACH(double, sigmoid_d(v));
    case PK_HARD_SIGMOID:
        EACH(double, between(v * a + b, 0.0, 1.0));
    case PK_HARD_SWISH:
        EACH(double, v *between(v + 3.0, 0.0, 6.0) / 6.0);
    case PK_TANH:
        EACH(double, op_tanh_d(v));
    case PK_NEG:
        EACH(double, -v);
    case PK_ABS:
        EACH(double, fabs(v));
    case PK_EXP:
        EACH(double, op_exp_d(v));
    case PK_SQRT:
        EACH(double, sqrt(v));
    case PK_RSQRT:
        EACH(double, 1.0 / sqrt(v));
    case PK_LOG:
        EACH(double, op_log_d(v));
    case PK_MISH:
        EACH(double, mish_d(v));
    case PK_SWISH:
        EACH(double, v *sigmoid_d(a * v));
    case PK_FLOOR:
        EACH(double, floor(v));
    case PK_CEIL:
        EACH(double, ceil(v));
    case PK_ROUND:
        EACH(double, round_d(v));
    case PK_UNARY_COUNT:
        return;
    }
}

static bool unary_int(enum pk_unary_op op, enum pk_dtype t, size_t n, const void *x, void *y)
{
    for (size_t i = 0; i < n; i++) {
        int64_t v = pk_load_int(t, x, i);
        switch (op) {
        case PK_RELU:
            v = v > 0 || t == PK_DT_U64 ? v : 0;
            break;
        case PK_NEG:
            v = (int64_t)(0 - (uint64_t)v);
            break;
        case PK_ABS:
            v = v < 0 && t != PK_DT_U64 ? (int64_t)(0 - (uint64_t)v) : v;
            break;
        case PK_FLOOR:
        case PK_CEIL:
        case PK_ROUND:
            break;
        default:
            return false;
        }
        pk_store_int(t, y, i, v);
    }
    return true;
}

bool pk_unary(enum pk_unary_op op, enum pk_dtype t, size_t n, const void *x, void *y, float a,
              float b)
{
    float chunk[OP_CHUNK];
    switch (t) {
    case PK_DT_F32:
        unary_f32(op, n, x, y, a, b);
        return true;
    case PK_DT_F64:
        unary_f64(op, n, x, y, (double)a, (double)b);
        return true;
    case PK_DT_F16:
    case PK_DT_BF16:
        for (size_t i = 0; i < n; i += OP_CHUNK) {
            size_t m = n - i < OP_CHUNK ? n - i : OP_CHUNK;
            op_to_f32(t, x, i, m, chunk);
            unary_f32(op, m, chunk, chunk, a, b);
            op_from_f32(t, chunk, m, y, i);
        }
        return true;
    default:
        return pk_dtype_size(t) > 0 && t != PK_DT_BOOL && unary_int(op, t, n, x, y);
    }
}

#define CLIP(type)                                                                                 \
    do {                                                                                           \
        const type *xs = x;                                                                        \
        type *ys = y;                                                                              \
        type l = 0, h = 0;                                                                         \
        if (lo != NULL) {                                                                          \
            memcpy(&l, lo, sizeof l);                                                              \
        }                                                                                          \
        if (hi != NULL) {                                                                          \
            memcpy(&h, hi, sizeof h);                                                              \
        }                                                                                          \
        for (size_t i = 0; i < n && lo != NULL; i++) {                                             \
            ys[i] = xs[i] > l ? xs[i] : l;                                                         \
        }                                                                                          \
        xs = lo != NULL ? ys : xs;                                                                 \
        for (size_t i = 0; i < n && hi != NULL; i++) {                                             \
            ys[i] = xs[i] < h ? xs[i] : h;                                                         \
        }                                                                                          \
        if (lo == NULL && hi == NULL && n > 0) {                                                   \
            memmove(y, x, n * sizeof l);                                                           \
        }                                                                                          \
    } while (0)

static void clip_half(enum pk_dtype t, size_t n, const void *x, const void *lo, const void *hi,
                      void *y)
{
    for (size_t i = 0; i < n; i++) {
        double v = pk_load(t, x, i), l = lo != NULL ? pk_load(t, lo, 0) : 0.0,
               h = hi != NULL ? pk_load(t, hi, 0) : 0.0;
        v = lo != NULL && !(v > l) ? l : v;
        v = hi != NULL && !(v < h) ? h : v;
        pk_store(t, y, i, v);
    }
}

bool pk_clip(enum pk_dtype t, size_t n, const void *x, const void *lo, const void *hi, void *y)
{
    switch (t) {
    case PK_DT_F32:
        if (lo != NULL && hi != NULL) { /* the common case, in one pass */
            const float *xs = x;
            float *ys = y, l, h;
            memcpy(&l, lo, sizeof l);
            memcpy(&h, hi, sizeof h);
            for (size_t i = 0; i < n; i++) {
                float v = xs[i] > l ? xs[i] : l;
                ys[i] = v < h ? v : h;
            }
            return true;
        }
        CLIP(float);
        return true;
    case PK_DT_F64:
        CLIP(double);
        return true;
    case PK_DT_I8:
        CLIP(int8_t);
        return true;
    case PK_DT_U8:
        CLIP(uint8_t);
        return true;
    case PK_DT_I16:
        CLIP(int16_t);
        return true;
    case PK_DT_U16:
        CLIP(uint16_t);
        return true;
    case PK_DT_I32:
        CLIP(int32_t);
        return true;
    case PK_DT_U32:
        CLIP(uint32_t);
        return true;
    case PK_DT_I64:
        CLIP(int64_t);
        return true;
    case PK_DT_U64:
        CLIP(uint64_t);
        return true;
    case PK_DT_F16:
    case PK_DT_BF16:
        clip_half(t, n, x, lo, hi, y);
        return true;
    default:
        return false;
    }
}
