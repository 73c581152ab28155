/*
 * equalize.h: rewrites of a float network that need no data: cross-layer equalization and high-bias absorption
 * (Nagel et al. 2019; formulas as AIMET uses them).
 *
 * Pairs: layer, (relu)?, layer. Triples: layer, (relu)?, depthwise, (relu)?, layer. Nothing else reads the tensors
 * between, and no graph output. A relu6 between becomes a relu first (the function changes where a value exceeded 6),
 * which the note says. Weights or biases that the file holds as codes, or that several layers share, are left alone.
 */
#ifndef PARE_EQUALIZE_H
#define PARE_EQUALIZE_H

#include <jansson.h>

#include "model/graph.h"
#include "quant/method.h"

/* Rewrites g in place where methods[node] asks for it (both ends). Appends one line per step that did not apply, and one
 * per kind of step that did, to notes (an array), prefixed by `stage`. */
enum pare_status pare_equalize(struct pare_graph *g, const struct pare_method *methods, const char *stage,
                               json_t *notes, struct pare_error *err);

/* What calibration saw of one channel (last axis) of a tensor: largest |value|, mean, standard deviation. */
struct pare_channel_seen {
    float peak, mean, sd;
};

/*
 * streams.c: the same idea for what layers read, from calibration data. Channels that only homogeneous operators connect
 * (relu, prelu, add, max pool, channel padding, concat, resize ...) form a stream, through any number of branches and
 * residual adds. Every channel of a stream is divided by one number, so that on the tensors that layers read its values
 * come to the same width (the geometric mean of peak and root mean square): wholly where depthwise layers read them (their
 * scales are per channel), and to the square root of width over weight where others do. The layers in front and behind take it up; the float function stays
 * the same. A stream that reaches an input, an output, a relu6 or any other operator is left alone.
 * A tensor between layers alone (one writes it, those that read it pad nothing: depthwise to 1x1) is centred besides:
 * every channel loses its mean to the biases in front and behind, which gives each channel a zero point of its own; its
 * width is then that around its mean.
 * Layers that share a constant bias, or have none, get one of their own.
 *
 * seen: [n_tensors] of [channels] for what layers read, or NULL. What methods ask for by `streams`.
 */
enum pare_status pare_equalize_streams(struct pare_graph *g, const struct pare_method *methods,
                                       const struct pare_channel_seen *const *seen, const char *stage, json_t *notes,
                                       struct pare_error *err);

#endif
