#include "pipeline/ops.h"

#include <math.h>

double pare_exp(double x)
{
    if (isnan(x) || x > 709.0) {
        return isnan(x) ? x : HUGE_VAL;
    }
    if (x < -740.0) {
        return 0;
    }
    /* x = n ln2 + r, |r| <= 0.35; ln2 in two parts so that n ln2 is exact */
    const double n = rint(x * 1.4426950408889634);
    const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    double sum = 1;
    for (int k = 13; k >= 1; k--) {
        sum = 1 + sum * r / k;
    }
    return ldexp(sum, (int)n);
}

double pare_sigmoid(double x)
{
    return 1 / (1 + pare_exp(-x));
}

static enum pare_status same_shape(const struct pare_value *v, struct pare_arena *arena,
                                   struct pare_value **out, struct pare_error *err)
{
    *out = pare_value_new(arena, v->rank, v->dims);
    return *out == NULL ? pare_error_nomem(err) : PARE_OK;
}

int pare_op_argmax(const struct pare_value *v)
{
    const int64_t n = pare_value_elements(v);
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
        if (!isnan(v->data[i]) && (best < 0 || v->data[i] > v->data[best])) {
            best = i;
        }
    }
    return (int)best;
}

static void softmax_row(const float *x, int64_t n, float *y)
{
    float top = -HUGE_VALF;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (x[i] > top) {
            top = x[i];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        const double e = isfinite(top) && !isnan(x[i]) ? pare_exp((double)x[i] - (double)top) : 0;
        y[i] = (float)e;
        sum += e;
    }
    for (int64_t i = 0; i < n; i++) {
        y[i] = sum > 0 ? (float)(y[i] / sum) : (float)(1.0 / (double)n);
    }
}

enum pare_status pare_op_softmax(const struct pare_value *v, struct pare_arena *arena,
                                 struct pare_value **out, struct pare_error *err)
{
    const enum pare_status status = same_shape(v, arena, out, err);
    const int64_t n = pare_value_elements(v);
    const int64_t row = v->rank > 0 ? v->dims[v->rank - 1] : 1;
    for (int64_t i = 0; status == PARE_OK && i < n; i += row) {
        softmax_row(v->data + i, row, (*out)->data + i);
    }
    return status;
}

enum pare_status pare_op_sigmoid(const struct pare_value *v, struct pare_arena *arena,
                                 struct pare_value **out, struct pare_error *err)
{
    const enum pare_status status = same_shape(v, arena, out, err);
    const int64_t n = pare_value_elements(v);
    for (int64_t i = 0; status == PARE_OK && i < n; i++) {
        (*out)->data[i] = (float)pare_sigmoid((double)v->data[i]);
    }
    return status;
}

/* New points minus the first one; checks that the numbers are points. */
static enum pare_status from_first(const struct pare_value *points, int k, struct pare_arena *arena,
                                   struct pare_value **out, struct pare_error *err)
{
    const int64_t n = pare_value_elements(points);
    if (k < 1 || n < k || n % k != 0) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "%lld numbers are no points of %d each",
                          (long long)n, k);
    }
    const enum pare_status status = same_shape(points, arena, out, err);
    for (int64_t i = 0; status == PARE_OK && i < n; i++) {
        (*out)->data[i] = points->data[i] - points->data[i % k];
    }
    return status;
}

static void divide(struct pare_value *v, float by)
{
    const int64_t n = pare_value_elements(v);
    for (int64_t i = 0; by > 0 && i < n; i++) {
        v->data[i] /= by;
    }
}

enum pare_status pare_op_normalise(const struct pare_value *points, int k, struct pare_arena *arena,
                                   struct pare_value **out, struct pare_error *err)
{
    const enum pare_status status = from_first(points, k, arena, out, err);
    if (status != PARE_OK) {
        return status;
    }
    const int64_t n = pare_value_elements(points);
    float top = 0;
    for (int64_t i = 0; i < n; i++) {
        const float a = fabsf((*out)->data[i]);
        if (a > top) {
            top = a;
        }
    }
    divide(*out, top);
    return PARE_OK;
}

enum pare_status pare_op_normalise_box(const struct pare_value *points, int k,
                                       struct pare_arena *arena, struct pare_value **out,
                                       struct pare_error *err)
{
    if (k < 2) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "points need at least 2 numbers each");
    }
    const enum pare_status status = from_first(points, k, arena, out, err);
    if (status != PARE_OK) {
        return status;
    }
    const int64_t n = pare_value_elements(points);
    float lo[2] = {HUGE_VALF, HUGE_VALF}, hi[2] = {-HUGE_VALF, -HUGE_VALF};
    for (int64_t i = 0; i < n; i += k) {
        for (int a = 0; a < 2; a++) {
            const float x = points->data[i + a];
            lo[a] = x < lo[a] ? x : lo[a];
            hi[a] = x > hi[a] ? x : hi[a];
        }
    }
    divide(*out, fmaxf(hi[0] - lo[0], hi[1] - lo[1]));
    return PARE_OK;
}

enum pare_status pare_op_affine(const struct pare_value *v, const double *factor, int n_factor,
                                const double *offset, int n_offset, struct pare_arena *arena,
                                struct pare_value **out, struct pare_error *err)
{
    const int64_t last = v->rank > 0 ? v->dims[v->rank - 1] : 1;
    if ((n_factor != 1 && n_factor != last) || (n_offset != 1 && n_offset != last)) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "expected 1 or %lld factors and offsets",
                          (long long)last);
    }
    const enum pare_status status = same_shape(v, arena, out, err);
    const int64_t n = pare_value_elements(v);
    for (int64_t i = 0; status == PARE_OK && i < n; i++) {
        (*out)->data[i] = (float)((double)v->data[i] * factor[n_factor == 1 ? 0 : i % last] +
                                  offset[n_offset == 1 ? 0 : i % last]);
    }
    return status;
}

enum pare_status pare_op_clip(const struct pare_value *v, double lo, double hi,
                              struct pare_arena *arena, struct pare_value **out,
                              struct pare_error *err)
{
    const enum pare_status status = same_shape(v, arena, out, err);
    const int64_t n = pare_value_elements(v);
    for (int64_t i = 0; status == PARE_OK && i < n; i++) {
        const double x = (double)v->data[i];
        (*out)->data[i] = (float)(x < lo ? lo : x > hi ? hi : x);
    }
    return status;
}

enum pare_status pare_op_arith(enum pare_arith op, const struct pare_value *a,
                               const struct pare_value *b, struct pare_arena *arena,
                               struct pare_value **out, struct pare_error *err)
{
    const int64_t n = pare_value_elements(a), m = pare_value_elements(b);
    if (m != n && m != 1) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "%lld and %lld elements do not go together",
                          (long long)n, (long long)m);
    }
    const enum pare_status status = same_shape(a, arena, out, err);
    for (int64_t i = 0; status == PARE_OK && i < n; i++) {
        const float x = a->data[i], y = b->data[m == 1 ? 0 : i];
        (*out)->data[i] = op == PARE_ARITH_ADD   ? x + y
                          : op == PARE_ARITH_SUB ? x - y
                          : op == PARE_ARITH_MUL ? x * y
                                                 : x / y;
    }
    return status;
}

enum pare_status pare_op_mse(const struct pare_value *a, const struct pare_value *b, double *mse,
                             struct pare_error *err)
{
    const int64_t n = pare_value_elements(a);
    if (n < 1 || pare_value_elements(b) != n) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "%lld and %lld elements do not go together",
                          (long long)n, (long long)pare_value_elements(b));
    }
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)a->data[i] - (double)b->data[i];
        sum += d * d;
    }
    *mse = sum / (double)n;
    return PARE_OK;
}
