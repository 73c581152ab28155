/* op_quant.c: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear as operators between
 * integer arrays. */
#include <math.h>
#include <string.h>

#include "op_math.h"
#include "op_types.h"

/* Index into scale and zero of element [o][a][i]. */
static size_t grid_index(const struct pk_grid *g, size_t o, size_t a, size_t i)
{
    if (g->block == 0) {
        return a;
    }
    size_t blocks = (g->axis + g->block - 1) / g->block;
    return (o * blocks + a / g->block) * g->inner + i;
}

static double round_even(double v)
{
    return fabs(v) < 4503599627370496.0 ? (v + 6755399441055744.0) - 6755399441055744.0 : v;
}

/* A value rounded to float type t. */
static double rounded_to(enum pk_dtype t, double v)
{
    uint64_t bits = 0;
    pk_store(t, &bits, 0, v);
    return pk_load(t, &bits, 0);
}

bool pk_quantize_linear(const struct pk_grid *g, enum pk_dtype from, const void *x,
                        enum pk_dtype to, void *y)
{
    double lo, hi;
    if (pk_dtype_is_float(to) || to >= PK_DT_STRING || to == PK_DT_BOOL ||
        pk_dtype_size(from) == 0) {
        return false;
    }
    /* The division is done in the wider of the two types. */
    enum pk_dtype work = g->scale_type == PK_DT_F64 || from == PK_DT_F64   ? PK_DT_F64
                         : from == PK_DT_F16 && g->scale_type == PK_DT_F16 ? PK_DT_F16
                                                                           : PK_DT_F32;
    op_integer_range(to, &lo, &hi);
    for (size_t o = 0, at = 0; o < g->outer; o++) {
        for (size_t a = 0; a < g->axis; a++) {
            for (size_t i = 0; i < g->inner; i++, at++) {
                size_t k = grid_index(g, o, a, i);
                double scale = pk_load(g->scale_type, g->scale, k);
                double zero = g->zero != NULL ? pk_load(g->zero_type, g->zero, k) : 0.0;
                double q = round_even(rounded_to(work, pk_load(from, x, at) / scale)) + zero;
                q = q > lo ? q : lo;
                q = q < hi ? q : hi;
                pk_store_int(to, y, at, (int64_t)q);
            }
        }
    }
    return true;
}

bool pk_dequantize_linear(const struct pk_grid *g, enum pk_dtype from, const void *x,
                          enum pk_dtype to, void *y)
{
    if (!pk_dtype_is_float(to) || pk_dtype_is_float(from) || from >= PK_DT_STRING) {
        return false;
    }
    for (size_t o = 0, at = 0; o < g->outer; o++) {
        for (size_t a = 0; a < g->axis; a++) {
            for (size_t i = 0; i < g->inner; i++, at++) {
                size_t k = grid_index(g, o, a, i);
                double zero = g->zero != NULL ? pk_load(g->zero_type, g->zero, k) : 0.0;
                pk_store(to, y, at,
                         (pk_load(from, x, at) - zero) * pk_load(g->scale_type, g->scale, k));
            }
        }
    }
    return true;
}

void pk_dynamic_quantize(size_t n, const float *x, uint8_t *y, float *scale, uint8_t *zero)
{
    float lo = 0.0f, hi = 0.0f;
    for (size_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    float s = (hi - lo) / 255.0f;
    s = s > 0.0f ? s : 1.0f;
    float z = op_rint(0.0f - lo / s);
    z = z < 0.0f ? 0.0f : z > 255.0f ? 255.0f : z;
    for (size_t i = 0; i < n; i++) {
        float q = op_rint(x[i] / s) + z;
        y[i] = (uint8_t)(q > 0.0f ? (q < 255.0f ? q : 255.0f) : 0.0f);
    }
    *scale = s;
    *zero = (uint8_t)z;
}
