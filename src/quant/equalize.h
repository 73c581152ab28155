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

/*
 * streams.c: the same idea for what layers read, from calibration data. Channels that only homogeneous operators connect
 * (relu, prelu, add, max pool, channel padding, concat, resize ...) form a stream, through any number of branches and
 * residual adds. Every channel of a stream is divided by one number, so that on the tensors that layers read its peaks
 * come to the same height: wholly where depthwise layers read them (their scales are per channel), and to the square root of
 * peak over weight where others do. The layers in front and behind take it up; the float function stays the same.
 * A stream that reaches an input, an output, a relu6 or any other operator is left alone.
 *
 * peaks: [n_tensors] of largest |value| per last-axis channel, or NULL. What methods ask for by `streams`.
 */
enum pare_status pare_equalize_streams(struct pare_graph *g, const struct pare_method *methods,
                                       const float *const *peaks, const char *stage, json_t *notes,
                                       struct pare_error *err);

#endif
