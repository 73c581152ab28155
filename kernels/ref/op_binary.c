/* op_binary.c: elementwise functions of two arrays with broadcasting; batch normalisation. */
#include <string.h>

#include "op_math.h"
#include "op_types.h"

/* One row: y[i] = f(a[i * sa], b[i * sb]); the three common step pairs are loops of their own, to
 * vectorise. */
#define ROW(type, expression)                                                                      \
    do {                                                                                           \
        if (sa == 1 && sb == 1) {                                                                  \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type u = a[i], v = b[i];                                                     \
                y[i] = (type)(expression);                                                         \
            }                                                                                      \
        } else if (sa == 1 && sb == 0) {                                                           \
            const type v = b[0];                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type u = a[i];                                                               \
                y[i] = (type)(expression);                                                         \
            }                                                                                      \
        } else if (sa == 0 && sb == 1) {                                                           \
            const type u = a[0];                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type v = b[i];                                                               \
                y[i] = (type)(expression);                                                         \
            }                                                                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type u = a[i * sa], v = b[i * sb];                                           \
                y[i] = (type)(expression);                                                         \
            }                                                                                      \
        }                                                                                          \
        return;                                                                                    \
    } while (0)

/* NaN in either operand wins min and max, as in numpy. */
#define ROW_FLOAT(name, type, power)                                                               \
    static void name(enum pk_binary_op op, int64_t n, const type *a, int64_t sa, const type *b,    \
                     int64_t sb, type *y)                                                          \
    {                                                                                              \
        switch (op) {                                                                              \
        case PK_ADD:                                                                               \
            ROW(type, u + v);                                                                      \
        case PK_SUB:                                                                               \
            ROW(type, u - v);                                                                      \
        case PK_MUL:                                                                               \
            ROW(type, u *v);                                                                       \
        case PK_DIV:                                                                               \
            ROW(type, u / v);                                                                      \
        case PK_MIN:                                                                               \
            ROW(type, u < v || u != u ? u : v);                                                    \
        case PK_MAX:                                                                               \
            ROW(type, u > v || u != u ? u : v);                                                    \
        case PK_POW:                                                                               \
            ROW(type, power);                                                                      \
        case PK_PRELU:                                                                             \
            ROW(type, u > 0 ? u : u * v);                                                          \
        }                                                                                          \
    }

ROW_FLOAT(row_f32, float, op_pow_d((double)u, (double)v))
ROW_FLOAT(row_f64, double, op_pow_d(u, v))

static int64_t int_pow(int64_t u, int64_t v)
{
    uint64_t r = 1, base = (uint64_t)u;
    if (v < 0) {
        return u == 1 ? 1 : u == -1 ? ((v & 1) != 0 ? -1 : 1) : 0;
    }
    for (uint64_t k = (uint64_t)v; k > 0; k >>= 1) {
        r = (k & 1u) != 0 ? r * base : r;
        base *= base;
    }
    return (int64_t)r;
}

/* `wide` is unsigned of at least 32 bits, in which overflow wraps. */
#define ROW_INT(name, type, wide)                                                                  \
    static void name(enum pk_binary_op op, int64_t n, const type *a, int64_t sa, const type *b,    \
                     int64_t sb, type *y)                                                          \
    {                                                                                              \
        switch (op) {                                                                              \
        case PK_ADD:                                                                               \
            ROW(type, (wide)u + (wide)v);                                                          \
        case PK_SUB:                                                                               \
            ROW(type, (wide)u - (wide)v);                                                          \
        case PK_MUL:                                                                               \
            ROW(type, (wide)u *(wide)v);                                                           \
        case PK_DIV:                                                                               \
            ROW(type, v == 0 ? 0 : v == (type)-1 && (type)-1 < 1 ? (type)(0 - (wide)u) : u / v);   \
        case PK_MIN:                                                                               \
            ROW(type, u < v ? u : v);                                                              \
        case PK_MAX:                                                                               \
            ROW(type, u > v ? u : v);                                                              \
        case PK_POW:                                                                               \
            ROW(type, int_pow((int64_t)u, (int64_t)v));                                            \
        case PK_PRELU:                                                                             \
            ROW(type, u > 0 ? (wide)u : (wide)u * (wide)v);                                        \
        }                                                                                          \
    }

ROW_INT(row_i8, int8_t, uint32_t)
ROW_INT(row_u8, uint8_t, uint32_t)
ROW_INT(row_i16, int16_t, uint32_t)
ROW_INT(row_u16, uint16_t, uint32_t)
ROW_INT(row_i32, int32_t, uint32_t)
ROW_INT(row_u32, uint32_t, uint32_t)
ROW_INT(row_i64, int64_t, uint64_t)
ROW_INT(row_u64, uint64_t, uint64_t)

static void row_half(enum pk_dtype t, enum pk_binary_op op, int64_t n, const uint16_t *a,
                     int64_t sa, const uint16_t *b, int64_t sb, uint16_t *y)
{
    float u[OP_CHUNK], v[OP_CHUNK];
    for (int64_t i = 0; i < n; i += OP_CHUNK) {
        int64_t m = n - i < OP_CHUNK ? n - i : OP_CHUNK;
        for (int64_t k = 0; k < m; k++) {
            u[k] = (float)pk_load(t, a, (size_t)((i + k) * sa));
            v[k] = (float)pk_load(t, b, (size_t)((i + k) * sb));
        }
        row_f32(op, m, u, 1, v, 1, u);
        op_from_f32(t, u, (size_t)m, y, (size_t)i);
    }
}

#define CALL(function, type)                                                                       \
    function(op, n, (const type *)a + at_a, sa, (const type *)b + at_b, sb, (type *)y + at_y)

static bool row(enum pk_binary_op op, enum pk_dtype t, int64_t n, const void *a, int64_t at_a,
                int64_t sa, const void *b, int64_t at_b, int64_t sb, void *y, int64_t at_y)
{
    switch (t) {
    case PK_DT_F32:
        CALL(row_f32, float);
        return true;
    case PK_DT_F64:
        CALL(row_f64, double);
        return true;
    case PK_DT_F16:
    case PK_DT_BF16:
        row_half(t, op, n, (const uint16_t *)a + at_a, sa, (const uint16_t *)b + at_b, sb,
                 (uint16_t *)y + at_y);
        return true;
    case PK_DT_I8:
        CALL(row_i8, int8_t);
        return true;
    case PK_DT_U8:
        CALL(row_u8, uint8_t);
        return true;
    case PK_DT_I16:
        CALL(row_i16, int16_t);
        return true;
    case PK_DT_U16:
        CALL(row_u16, uint16_t);
        return true;
    case PK_DT_I32:
        CALL(row_i32, int32_t);
        return true;
    case PK_DT_U32:
        CALL(row_u32, uint32_t);
        return true;
    case PK_DT_I64:
        CALL(row_i64, int64_t);
        return true;
    case PK_DT_U64:
        CALL(row_u64, uint64_t);
        return true;
    default:
        return false;
    }
}

bool pk_binary(enum pk_binary_op op, enum pk_dtype t, int rank, const int64_t *dims, const void *a,
               const int64_t *a_step, const void *b, const int64_t *b_step, void *y)
{
    struct op_space s;
    int64_t dense[PK_OPS_MAX_RANK], at[PK_OPS_MAX_RANK] = {0}, at_a = 0, at_b = 0, at_y = 0;
    const int64_t *steps[3] = {a_step, b_step, dense};
    op_dense_steps(rank, dims, dense);
    if (!op_space_make(&s, rank, dims, 3, steps)) {
        return true;
    }
    int last = s.rank - 1;
    for (;;) {
        if (!row(op, t, s.dims[last], a, at_a, s.step[0][last], b, at_b, s.step[1][last], y,
                 at_y)) {
            return false;
        }
        int i = last - 1;
        for (; i >= 0; i--) {
            at_a += s.step[0][i];
            at_b += s.step[1][i];
            at_y += s.step[2][i];
            if (++at[i] < s.dims[i]) {
                break;
            }
            at_a -= s.step[0][i] * s.dims[i];
            at_b -= s.step[1][i] * s.dims[i];
            at_y -= s.step[2][i] * s.dims[i];
            at[i] = 0;
        }
        if (i < 0) {
            return true;
        }
    }
}

bool pk_pow(enum pk_dtype t, enum pk_dtype t_power, int rank, const int64_t *dims, const void *a,
            const int64_t *a_step, const void *b, const int64_t *b_step, void *y)
{
    if (t == t_power) {
        return pk_binary(PK_POW, t, rank, dims, a, a_step, b, b_step, y);
    }
    if (pk_dtype_size(t) == 0 || pk_dtype_size(t_power) == 0) {
        return false;
    }
    int64_t at[PK_OPS_MAX_RANK] = {0}, n = op_product(rank, dims), at_a = 0, at_b = 0;
    for (int64_t i = 0; i < n; i++) {
        pk_store(t, y, (size_t)i,
                 op_pow_d(pk_load(t, a, (size_t)at_a), pk_load(t_power, b, (size_t)at_b)));
        for (int k = rank - 1; k >= 0; k--) {
            at_a += a_step[k];
            at_b += b_step[k];
            if (++at[k] < dims[k]) {
                break;
            }
            at_a -= a_step[k] * dims[k];
            at_b -= b_step[k] * dims[k];
            at[k] = 0;
        }
    }
    return true;
}

bool pk_batch_norm(enum pk_dtype t, size_t rows, size_t channels, const void *x, const void *scale,
                   const void *bias, const void *mean, const void *var, float epsilon, void *y)
{
    if (!pk_dtype_is_float(t)) {
        return false;
    }
    for (size_t c = 0; c < channels; c++) {
        double factor = pk_load(t, scale, c) / sqrt(pk_load(t, var, c) + (double)epsilon);
        double offset = pk_load(t, bias, c) - pk_load(t, mean, c) * factor;
        for (size_t r = 0; r < rows; r++) {
            pk_store(t, y, r * channels + c, pk_load(t, x, r * channels + c) * factor + offset);
        }
    }
    return true;
}
