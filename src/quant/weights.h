/*
 * weights.h: float weights to integer codes, per output channel.
 *   W >= 3: symmetric, codes -(2^(W-1)-1) .. 2^(W-1)-1, scale = max|w| / (2^(W-1)-1)
 *   W == 2: codes -2 .. 1, scale = max|w| * k / 8 with the least squared error of the channel, k =
 * 1 .. 8 (why: see .c) W == 1: codes -1, +1 (sign(0) = +1), scale = mean|w| A channel of zeros
 * takes scale 1 and codes 0. Non-finite weights are an error naming the channel.
 */
#ifndef PARE_WEIGHTS_H
#define PARE_WEIGHTS_H

#include <stdint.h>

#include "model/graph.h"
#include "quant/level.h"

struct pare_weight_codes {
    int64_t n_channels, per_channel; /* K */
    int8_t *codes;                   /* in the layer's canonical layout (graph.h) */
    /* Groups of `group` input channels in a row (the last may be smaller), over all taps, each with its own scale: as
     * many as depth / group, rounded up. 1: none (then group is not used). */
    int n_groups, group;
    float *scale;        /* [n_groups][n_channels] */
    int32_t *zero_point; /* [n_groups][n_channels] or NULL: all 0 */
    int32_t *sum;        /* [n_groups][n_channels] sum of codes */
    float *correction;   /* [n_channels] added to the bias by a method (make.h), or NULL */
    float *real;         /* the weights themselves, in the layout of codes, where no byte holds these (powers of two); codes is NULL then */
};

/* Real values of any constant tensor (floats, or integers with or without `quant`). out:
 * [elements]. */
enum pare_status pare_tensor_const_f32(const struct pare_tensor *t, float *out,
                                       struct pare_error *err);
/* Does this layer's file bring codes that are used as they are at w_bits? */
bool pare_weights_imported(const struct pare_graph *g, int node, int w_bits);
/* Float values of a layer's weights, dequantized when the file has codes. out: [elements]. */
enum pare_status pare_weights_f32(const struct pare_graph *g, int node, float *out,
                                  struct pare_error *err);
/* Float bias [out_channels] (zeros when absent; int32 biases dequantized). */
enum pare_status pare_bias_f32(const struct pare_graph *g, int node, float *out,
                               struct pare_error *err);

/* Quantizes layer `node` at w_bits. For a layer whose file brings codes and w_bits is 8 or the
 * file's own: exactly these codes, scales and zero points. Memory from arena. */
enum pare_status pare_weights_quantize(const struct pare_graph *g, int node, int w_bits,
                                       struct pare_arena *arena, struct pare_weight_codes *out,
                                       struct pare_error *err);

#endif
