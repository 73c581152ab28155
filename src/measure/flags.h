/* flags.h: what is wrong with a layer at every level, in words: weights that are no numbers, dead channels, constants. */
#ifndef PARE_FLAGS_H
#define PARE_FLAGS_H

#include "base/strbuf.h"
#include "model/graph.h"
#include "quant/range.h"

/* Appends "text; text" to `text`: weights that are not finite, channels of zeros whose bias is large beside the others'
 * reach (they keep their bias alone), inputs that are constant, never seen or not finite. c may be NULL. */
void pare_layer_flags(const struct pare_graph *g, int node, const struct pare_calibration *c, struct pare_strbuf *text);

#endif
