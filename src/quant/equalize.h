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

#endif
