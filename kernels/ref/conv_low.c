/*
 * conv_low.c: dense, depthwise and fully connected layers on weight codes of 4 bits (u8s4), 2 bits
 * (u8s2), and on one-bit codes on both sides (u1s1: activations 0 or 1, weights -1 or +1, or a
 * channel of nothing but 0). The sums are those of conv_u8s8.c on the same codes.
 */
#include "low.h"
#include "ref.h"

#include "../pk_tables.h"

#include <string.h>

static int code_at(const uint8_t *packed, int bits, size_t i)
{
    const size_t share = (size_t)(8 / bits);
    return pk_low_get(packed[i / share], bits, i % share);
}

/* Sum of one output element of a dense convolution. */
static float dense_at(const struct pk_conv *c, const uint8_t *x, int pad_code,
                      const uint8_t *packed, int bits, const struct pk_epilogue *e, int oy, int ox,
                      int channel)
{
    const int depth = c->in_c / c->groups;
    const int first = channel / (c->out_c / c->groups) * depth;
    size_t w = (size_t)channel * (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)depth;
    int64_t acc = 0, sum_x = 0;
    for (int ky = 0; ky < c->kernel_h; ky++) {
        for (int kx = 0; kx < c->kernel_w; kx++) {
            const ptrdiff_t at = pk_ref_tap(c, oy, ox, ky, kx);
            for (int i = 0; i < depth; i++, w++) {
                const int code = at < 0 ? pad_code : x[at * c->in_c + first + i];
                acc += code * code_at(packed, bits, w);
                sum_x += code;
            }
        }
    }
    return pk_ref_finish_i32(e, channel, acc, sum_x);
}

/* Sum of one output element of a depthwise convolution. */
static float depthwise_at(const struct pk_conv *c, const uint8_t *x, int pad_code,
                          const uint8_t *packed, int bits, const struct pk_epilogue *e, int oy,
                          int ox, int channel)
{
    const int multiplier = c->out_c / c->in_c;
    int64_t acc = 0, sum_x = 0;
    for (int ky = 0; ky < c->kernel_h; ky++) {
        for (int kx = 0; kx < c->kernel_w; kx++) {
            const ptrdiff_t at = pk_ref_tap(c, oy, ox, ky, kx);
            const int code = at < 0 ? pad_code : x[at * c->in_c + channel / multiplier];
            const size_t w = (size_t)(ky * c->kernel_w + kx) * (size_t)c->out_c + (size_t)channel;
            acc += code * code_at(packed, bits, w);
            sum_x += code;
        }
    }
    return pk_ref_finish_i32(e, channel, acc, sum_x);
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed, int bits,
                bool depthwise, const struct pk_epilogue *e)
{
    for (int oy = 0; oy < c->out_h; oy++) {
        for (int ox = 0; ox < c->out_w; ox++) {
            const size_t pixel = (size_t)oy * (size_t)c->out_w + (size_t)ox;
            for (int channel = 0; channel < c->out_c; channel++) {
                const float acc =
                    (depthwise ? depthwise_at : dense_at)(c, x, pad_code, packed, bits, e, oy, ox,
                                                          channel);
                pk_ref_epilogue(e, pixel, channel, acc);
            }
        }
    }
}

static size_t size_of(size_t n, int bits)
{
    const size_t share = (size_t)(8 / bits);
    return (n + share - 1) / share;
}

static void pack(const int8_t *weights, size_t n, int bits, uint8_t *packed)
{
    const size_t share = (size_t)(8 / bits);
    memset(packed, 0, size_of(n, bits));
    for (size_t i = 0; i < n; i++) {
        packed[i / share] = pk_low_set(packed[i / share], bits, i % share, weights[i]);
    }
}

#define LOW(bits, suffix, n_weights, depthwise)                                                    \
    static size_t size_##suffix(const struct pk_conv *c)                                           \
    {                                                                                              \
        return size_of(n_weights(c), bits);                                                        \
    }                                                                                              \
    static void pack_##suffix(const struct pk_conv *c, const void *weights, void *packed)          \
    {                                                                                              \
        pack(weights, n_weights(c), bits, packed);                                                 \
    }                                                                                              \
    static void run_##suffix(const struct pk_conv *c, const void *x, int pad_code,                 \
                             const void *packed, const struct pk_epilogue *e, void *scratch)       \
    {                                                                                              \
        (void)scratch;                                                                             \
        run(c, x, pad_code, packed, bits, depthwise, e);                                           \
    }
#define TABLE(name, suffix)                                                                        \
    const struct pk_layer_kernel pk_##name = {#name, size_##suffix, pack_##suffix,                 \
                                              pk_ref_no_scratch, run_##suffix}

LOW(4, dense_4, pk_ref_dense_weights, false)
LOW(2, dense_2, pk_ref_dense_weights, false)
LOW(4, depthwise_4, pk_ref_depthwise_weights, true)
LOW(2, depthwise_2, pk_ref_depthwise_weights, true)
TABLE(conv_u8s4_ref, dense_4);
TABLE(fc_u8s4_ref, dense_4);
TABLE(depthwise_u8s4_ref, depthwise_4);
TABLE(conv_u8s2_ref, dense_2);
TABLE(fc_u8s2_ref, dense_2);
TABLE(depthwise_u8s2_ref, depthwise_2);
TABLE(conv_u1s1_ref, dense_2);
TABLE(fc_u1s1_ref, dense_2);
