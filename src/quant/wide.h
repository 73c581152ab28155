/*
 * wide.h: weights on grids of 16 bits, for the simulated level w16a16: codes would not fit the kernels' bytes, so these
 * are real values w' = scale * rne(w / scale) (asymmetric: with a zero point), by the method's kind of grid:
 *   symmetric       scale = max|w| / (2^15 - 1)          asymmetric   scale = (max - min) / (2^16 - 1), 0 included
 *   quantized_bits  step 2^(I - 15), clipped to [-2^15, 2^15 - 1] steps      po2   +-2^rint(log2|w|), 0 stays 0
 * per channel, tensor or group of input channels (over all taps). Rounding is to nearest whatever the method: a half step of 2^-16 has nothing to gain.
 */
#ifndef PARE_WIDE_H
#define PARE_WIDE_H

#include "quant/method.h"
#include "quant/weights.h"

/* out: [weights], in the layer's layout. Binary and ternary weights, which do not depend on bits, are
 * not made here (PARE_ERR_USAGE). method NULL = symmetric per channel. Errors name the layer. */
enum pare_status pare_weights_wide(const struct pare_graph *g, int node, const struct pare_method *method,
                                   float *out, struct pare_error *err);
/* Input channels that an output channel reads (of its group): what method groups are cut from. */
int64_t pare_layer_depth(const struct pare_graph *g, int node);

#endif
