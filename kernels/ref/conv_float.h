/*
 * conv_float.h: dense, depthwise and fully connected layers on float operands, sums in double
 * rounded once to fp32. The including file defines first:
 *   T_X, REAL(x)   element type of x and of weights; its value as float
 *   CONV_NAME, DEPTHWISE_NAME, FC_NAME   tables pk_<name>
 */
#include "ref.h"

#include "../pk_tables.h"

#include <string.h>

/* Sum of one output element of a dense convolution. */
static float dense_at(const struct pk_conv *c, const T_X *x, const T_X *weights, int oy, int ox,
                      int channel)
{
    const int depth = c->in_c / c->groups;
    const int first =
        channel / (c->out_c / c->groups) * depth; /* first input channel of the group */
    const T_X *w = weights + (ptrdiff_t)channel * c->kernel_h * c->kernel_w * depth;
    double sum = 0;
    for (int ky = 0; ky < c->kernel_h; ky++) {
        for (int kx = 0; kx < c->kernel_w; kx++) {
            const ptrdiff_t at = pk_ref_tap(c, oy, ox, ky, kx);
            for (int i = 0; at >= 0 && i < depth; i++) {
                const double product =
                    (double)REAL(x[at * c->in_c + first + i]) *
                                       REAL(w[(ky * c->kernel_w + kx) * depth + i]);
                sum += product;
            }
        }
    }
    return (float)sum;
}

/* Sum of one output element of a depthwise convolution. */
static float depthwise_at(const struct pk_conv *c, const T_X *x, const T_X *weights, int oy,
                          int ox, int channel)
{
    const int multiplier = c->out_c / c->in_c;
    double sum = 0;
    for (int ky = 0; ky < c->kernel_h; ky++) {
        for (int kx = 0; kx < c->kernel_w; kx++) {
            const ptrdiff_t at = pk_ref_tap(c, oy, ox, ky, kx);
            if (at >= 0) {
                const double product = (double)REAL(x[at * c->in_c + channel / multiplier]) *
                                       REAL(weights[(ky * c->kernel_w + kx) * c->out_c + channel]);
                sum += product;
            }
        }
    }
    return (float)sum;
}

static void run_dense(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                      const struct pk_epilogue *e, void *scratch)
{
    (void)scratch;
    (void)pad_code;
    for (int oy = 0; oy < c->out_h; oy++) {
        for (int ox = 0; ox < c->out_w; ox++) {
            for (int channel = 0; channel < c->out_c; channel++) {
                const float acc = dense_at(c, x, packed, oy, ox, channel);
                pk_ref_epilogue(e, (size_t)oy * (size_t)c->out_w + (size_t)ox, channel, acc);
            }
        }
    }
}

static void run_depthwise(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                          const struct pk_epilogue *e, void *scratch)
{
    (void)scratch;
    (void)pad_code;
    for (int oy = 0; oy < c->out_h; oy++) {
        for (int ox = 0; ox < c->out_w; ox++) {
            for (int channel = 0; channel < c->out_c; channel++) {
                const float acc = depthwise_at(c, x, packed, oy, ox, channel);
                pk_ref_epilogue(e, (size_t)oy * (size_t)c->out_w + (size_t)ox, channel, acc);
            }
        }
    }
}

/* The reference computes from the weights as they are: packing is a copy. */
static size_t dense_size(const struct pk_conv *c)
{
    return pk_ref_dense_weights(c) * sizeof(T_X);
}

static size_t depthwise_size(const struct pk_conv *c)
{
    return pk_ref_depthwise_weights(c) * sizeof(T_X);
}

static void pack_dense(const struct pk_conv *c, const void *weights, void *packed)
{
    memcpy(packed, weights, dense_size(c));
}

static void pack_depthwise(const struct pk_conv *c, const void *weights, void *packed)
{
    memcpy(packed, weights, depthwise_size(c));
}

#define REF_TABLE_2(name, size, pack, run)                                                         \
    const struct pk_layer_kernel pk_##name = {#name, size, pack, pk_ref_no_scratch, run}
#define REF_TABLE(name, size, pack, run) REF_TABLE_2(name, size, pack, run)
REF_TABLE(CONV_NAME, dense_size, pack_dense, run_dense);
REF_TABLE(DEPTHWISE_NAME, depthwise_size, pack_depthwise, run_depthwise);
REF_TABLE(FC_NAME, dense_size, pack_dense, run_dense);
