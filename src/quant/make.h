/*
 * make.h: weights to codes by a method (method.h): the grid of every output channel, the rounding on it, and the
 * correction of the bias. Defaults give the same codes as pare_weights_quantize.
 *
 * Grids (w ~ scale * (code - zero)):
 *   symmetric       as in weights.h; with mse scales the one of 20 shrunken scales with the least squared error
 *   asymmetric      codes -2^(W-1) .. 2^(W-1) - 1 over [min(w, 0), max(w, 0)], zero point a code (W = 1: as symmetric)
 *   quantized_bits  step 2^(I - W + 1), symmetric = 0, one I for the layer (given, or the least with 2^I >= max|w|);
 *                   one bit: +-1
 *   po2             +-2^rint(log2|w|) with the 2^(W-1) exponents of QKeras' quantized_po2, for each channel shifted so that
 *                   the largest is its largest weight's (none below -126); there is no zero: simulated, no kernel of po2
 *                   hardware, and no byte holds the codes: pare_weight_codes.real
 *   po2:M           quantized_po2(W, max_value M) (inf: none): the exponents are fixed, |w| < 1e-7 takes the least
 *   binary, ternary +-1 times mean |w|; -1, 0, 1 with five rounds of least squares (W does not matter)
 * per=tensor takes one scale (and zero point) for all channels; per=group:N one for every N input channels in a row of
 * each output channel, over all taps (weights.h); layers of at most N input channels keep one per channel. SQuant then
 * bounds the error of every kernel and every group; rounding by samples looks at the whole channel.
 * Imported codes (pare_weights_imported) stay as they are.
 */
#ifndef PARE_MAKE_H
#define PARE_MAKE_H

#include "quant/grid.h"
#include "quant/method.h"
#include "quant/weights.h"

/* Samples of what a layer reads, gathered at random output positions: [n][columns], columns = taps * input channels,
 * padding as 0. n == 0: none. */
struct pare_rows {
    int n, columns;
    float *x;
    float *xq; /* the same positions behind quantized layers; NULL = x */
    bool loud; /* odd rows are of strong positions: means are those of the even ones */
};

struct pare_maker {
    /* Everything by node of one graph: */
    const struct pare_graph *graph;
    struct pare_method *methods; /* [n_nodes] */
    struct pare_rows *rows;      /* [n_nodes] or NULL */
    /* In a sequence (measure/engine_sequence.h): the samples of the one node under way, instead of `rows`. */
    int own_node;
    const struct pare_rows *own;
    int id; /* packed weights are shared by plans whose makers have the same id */
};

/* x: the grid that the layer reads (NULL or F32: as it is). Memory from arena. Errors name the layer. */
enum pare_status pare_maker_weights(const struct pare_maker *m, int node, struct pare_level level,
                                    const struct pare_grid *x, struct pare_arena *arena,
                                    struct pare_weight_codes *out, struct pare_error *err);
/* Are the weights values that no byte holds (po2 of 2 to 8 bits that are not a file's own)? The layer is simulated then. */
bool pare_maker_real(const struct pare_maker *m, int node, struct pare_level level);
/* pare_layer_bytes (bytes.h) by the layer's method. */
int64_t pare_maker_bytes(const struct pare_maker *m, int node, struct pare_level level);
/* Expected value of every channel of `tensor` from the BatchNorm behind it (none, relu or relu6 between);
 * false when there is none. mean: [channels]. */
bool pare_batch_norm_means(const struct pare_graph *g, int tensor, int channels, double *mean);

#endif
