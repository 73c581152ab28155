/*
 * op_conv.c: layers for any number of spatial axes, any type and weights that are not constant:
 * slow and plain, a reference. Floats sum in double and round once.
 */
#include <string.h>

#include "op_types.h"

/* Sum of one output element: real (floats) or whole (integers). */
struct sum {
    double real;
    int64_t whole;
};

static int64_t zero_of(const struct pk_codes *w, int64_t channel)
{
    return w->n > 0 ? w->zero_point[w->n > 1 ? channel : 0] : 0;
}

static double scale_of(const struct pk_codes *w, int64_t channel)
{
    return w->n > 0 ? (double)w->scale[w->n > 1 ? channel : 0] : 1.0;
}

/* Adds n products x[xi + i] * w[wi + i * step]. */
static void add_products(struct sum *s, enum pk_dtype t, const void *x, int64_t xi,
                         const struct pk_codes *w, int64_t wi, int64_t step, int64_t n,
                         int64_t zero)
{
    if (t == PK_DT_F32 && w->type == PK_DT_F32) {
        const float *xs = (const float *)x + xi, *ws = (const float *)w->data + wi;
        for (int64_t i = 0; i < n; i++) {
            s->real += (double)xs[i] * (double)ws[i * step];
        }
    } else if (pk_dtype_is_float(t)) {
        for (int64_t i = 0; i < n; i++) {
            s->real += pk_load(t, x, (size_t)(xi + i)) *
                       (pk_load(w->type, w->data, (size_t)(wi + i * step)) - (double)zero);
        }
    } else {
        for (int64_t i = 0; i < n; i++) {
            uint64_t a = (uint64_t)pk_load_int(t, x, (size_t)(xi + i));
            uint64_t b = (uint64_t)(pk_load_int(w->type, w->data, (size_t)(wi + i * step)) - zero);
            s->whole = (int64_t)((uint64_t)s->whole + a * b);
        }
    }
}

static void store_sum(const struct sum *s, enum pk_dtype t, const struct pk_codes *w,
                      const struct pk_codes *bias, int64_t channel, void *y, int64_t at)
{
    bool has_bias = bias != NULL && bias->data != NULL;
    if (pk_dtype_is_float(t)) {
        double b = has_bias ? pk_load(bias->type, bias->data, (size_t)channel) : 0.0;
        b = has_bias && bias->n > 0 ? (b - (double)zero_of(bias, channel)) * scale_of(bias, channel)
                                    : b;
        /* The sum is rounded to float32 first, then the bias is added: the meaning of the float
         * kernels. */
        double sum = s->real * scale_of(w, channel);
        sum = t == PK_DT_F64 ? sum + b : (double)((float)sum + (float)b);
        pk_store(t, y, (size_t)at, sum);
    } else {
        int64_t b = has_bias ? pk_load_int(bias->type, bias->data, (size_t)channel) : 0;
        pk_store_int(t, y, (size_t)at, (int64_t)((uint64_t)s->whole + (uint64_t)b));
    }
}

static bool types_fit(enum pk_dtype t, const struct pk_codes *w, const struct pk_codes *bias)
{
    bool real = pk_dtype_is_float(t),
         bias_real = bias == NULL || bias->data == NULL || pk_dtype_is_float(bias->type);
    if (pk_dtype_size(t) == 0 || w->data == NULL || w->type >= PK_DT_STRING) {
        return false;
    }
    if (real) { /* codes need a grid */
        return (pk_dtype_is_float(w->type) || w->n > 0) && (bias_real || bias->n > 0);
    }
    return !pk_dtype_is_float(w->type) && w->n == 0 &&
           (bias == NULL || bias->data == NULL || (!bias_real && bias->n == 0));
}

/* Calls of `visit` go over all output positions; returns the next one's index in `at`. */
static void next(const int64_t *size, int64_t *at)
{
    for (int i = 2; i >= 0 && ++at[i] == size[i]; i--) {
        at[i] = 0;
    }
}

/* Input pixel of tap k (flat over the kernel) of output position o, or -1 outside. */
static int64_t tap_pixel(const struct pk_window *w, const int64_t *o, const int64_t *k)
{
    int64_t pixel = 0;
    for (int i = 0; i < 3; i++) {
        int64_t at = o[i] * w->stride[i] - w->pad_before[i] + k[i] * w->dilation[i];
        if (at < 0 || at >= w->in[i]) {
            return -1;
        }
        pixel = pixel * w->in[i] + at;
    }
    return pixel;
}

bool pk_conv_nd(const struct pk_window *w, enum pk_dtype t, const void *x,
                const struct pk_codes *weights, const struct pk_codes *bias, void *y)
{
    int64_t per_group = w->in_c / w->groups, out_per_group = w->out_c / w->groups;
    int64_t n_taps = op_product(3, w->kernel), area = op_product(3, w->in),
            n_out = op_product(3, w->out);
    if (!types_fit(t, weights, bias)) {
        return false;
    }
    for (int64_t p = 0; p < w->batch * n_out; p++) {
        int64_t batch = p / n_out, rest = p % n_out;
        int64_t o[3] = {rest / (w->out[1] * w->out[2]), rest / w->out[2] % w->out[1],
                        rest % w->out[2]};
        for (int64_t c = 0; c < w->out_c; c++) {
            struct sum s = {0};
            int64_t k[3] = {0}, zero = zero_of(weights, c), first = c / out_per_group * per_group;
            for (int64_t tap = 0; tap < n_taps; tap++, next(w->kernel, k)) {
                int64_t pixel = tap_pixel(w, o, k);
                if (pixel >= 0) {
                    add_products(&s, t, x, (batch * area + pixel) * w->in_c + first, weights,
                                 (c * n_taps + tap) * per_group, 1, per_group, zero);
                }
            }
            store_sum(&s, t, weights, bias, c, y, p * w->out_c + c);
        }
    }
    return true;
}

bool pk_depthwise_nd(const struct pk_window *w, enum pk_dtype t, const void *x,
                     const struct pk_codes *weights, const struct pk_codes *bias, void *y)
{
    int64_t multiplier = w->out_c / w->in_c, n_taps = op_product(3, w->kernel),
            area = op_product(3, w->in);
    int64_t n_out = op_product(3, w->out);
    if (!types_fit(t, weights, bias)) {
        return false;
    }
    for (int64_t p = 0; p < w->batch * n_out; p++) {
        int64_t batch = p / n_out, rest = p % n_out;
        int64_t o[3] = {rest / (w->out[1] * w->out[2]), rest / w->out[2] % w->out[1],
                        rest % w->out[2]};
        for (int64_t c = 0; c < w->out_c; c++) {
            struct sum s = {0};
            int64_t k[3] = {0}, zero = zero_of(weights, c);
            for (int64_t tap = 0; tap < n_taps; tap++, next(w->kernel, k)) {
                int64_t pixel = tap_pixel(w, o, k);
                if (pixel >= 0) {
                    add_products(&s, t, x, (batch * area + pixel) * w->in_c + c / multiplier,
                                 weights, tap * w->out_c + c, 1, 1, zero);
                }
            }
            store_sum(&s, t, weights, bias, c, y, p * w->out_c + c);
        }
    }
    return true;
}

/* Input pixel from which tap k of a transposed convolution reaches output o, or -1. */
static int64_t source_pixel(const struct pk_window *w, const int64_t *o, const int64_t *k)
{
    int64_t pixel = 0;
    for (int i = 0; i < 3; i++) {
        int64_t at = o[i] + w->pad_before[i] - k[i] * w->dilation[i];
        if (at < 0 || at % w->stride[i] != 0 || at / w->stride[i] >= w->in[i]) {
            return -1;
        }
        pixel = pixel * w->in[i] + at / w->stride[i];
    }
    return pixel;
}

bool pk_conv_transpose_nd(const struct pk_window *w, enum pk_dtype t, const void *x,
                          const struct pk_codes *weights, const struct pk_codes *bias, void *y)
{
    int64_t per_group = w->in_c / w->groups, out_per_group = w->out_c / w->groups;
    int64_t n_taps = op_product(3, w->kernel), area = op_product(3, w->in),
            n_out = op_product(3, w->out);
    if (!types_fit(t, weights, bias)) {
        return false;
    }
    for (int64_t p = 0; p < w->batch * n_out; p++) {
        int64_t batch = p / n_out, rest = p % n_out;
        int64_t o[3] = {rest / (w->out[1] * w->out[2]), rest / w->out[2] % w->out[1],
                        rest % w->out[2]};
        for (int64_t c = 0; c < w->out_c; c++) {
            struct sum s = {0};
            int64_t k[3] = {0}, zero = zero_of(weights, c), first = c / out_per_group * per_group;
            for (int64_t tap = 0; tap < n_taps; tap++, next(w->kernel, k)) {
                int64_t pixel = source_pixel(w, o, k);
                if (pixel >= 0) {
                    add_products(&s, t, x, (batch * area + pixel) * w->in_c + first, weights,
                                 (c * n_taps + tap) * per_group, 1, per_group, zero);
                }
            }
            store_sum(&s, t, weights, bias, c, y, p * w->out_c + c);
        }
    }
    return true;
}

bool pk_matmul(const struct pk_matmul *p, enum pk_dtype t, const void *a, const void *b, void *y)
{
    bool real = pk_dtype_is_float(t);
    if (pk_dtype_size(t) == 0) {
        return false;
    }
    for (int64_t i = 0; i < p->m; i++) {
        for (int64_t j = 0; j < p->n; j++) {
            double sum = 0.0;
            uint64_t whole = 0;
            for (int64_t k = 0; k < p->k; k++) {
                size_t ai = (size_t)(i * p->a_row + k * p->a_col),
                       bi = (size_t)(k * p->b_row + j * p->b_col);
                if (t == PK_DT_F32) {
                    sum += (double)((const float *)a)[ai] * (double)((const float *)b)[bi];
                } else if (real) {
                    sum += pk_load(t, a, ai) * pk_load(t, b, bi);
                } else {
                    whole += (uint64_t)pk_load_int(t, a, ai) * (uint64_t)pk_load_int(t, b, bi);
                }
            }
            size_t at = (size_t)(i * p->n + j), ci = (size_t)(i * p->c_row + j * p->c_col);
            if (real) {
                double v = (double)p->alpha * sum;
                v += p->c != NULL ? (double)p->beta * pk_load(t, p->c, ci) : 0.0;
                pk_store(t, y, at, v);
            } else {
                int64_t c = p->c != NULL ? pk_load_int(t, p->c, ci) : 0;
                bool plain = p->alpha == 1.0f && p->beta == 1.0f;
                if (plain) {
                    pk_store_int(t, y, at, (int64_t)(whole + (uint64_t)c));
                } else {
                    pk_store(t, y, at,
                             (double)p->alpha * (double)(int64_t)whole +
                                 (double)p->beta * (double)c);
                }
            }
        }
    }
    return true;
}
