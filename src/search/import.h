/*
 * import.h: configurations that other tools found, to stand beside ours. One text gives a list of points:
 *   [{"config": {layer: level}, "label": text (may be left out), "claimed": {"accuracy", "drop", "latency_ms"}}, ...]
 * A claim is what the other tool says; nothing of it was measured here. Layers that a text does not name are fp32.
 *
 *   table of configurations   CSV with a header: columns named as layers hold levels; run, name or label, accuracy, drop and
 *                             latency_ms are taken, other columns left out (`pare export --format csv` writes such a table)
 *   TFLite debugger           CSV with the columns op_name and tensor_name: one point, the layers listed at int8
 *   AIMET encodings           JSON with param_encodings and activation_encodings, 0.x (an object of lists: bitwidth, dtype) or
 *                             1.x (a list of {name, bw, dtype}): one point. Weights are found by the names of their tensors;
 *                             a layer's activations take the bits of its own input tensor, where that is listed, else the
 *                             most frequent of the file
 *   AIMET accuracy list       JSON list of rows [group, candidate, score, ...]: group a name or a list of names of layers or of
 *                             their weights, candidate [[bits, "int"|"float"] of activations, the same of weights]; every row is a
 *                             point, its group at the candidate. (Shape from AIMET's description, not from a file of it.)
 *   A name that layers of several stages have is an error: pass the layers of one stage.
 *   our own                   JSON with "config"
 */
#ifndef PARE_IMPORT_H
#define PARE_IMPORT_H

#include <stddef.h>

#include "base/json.h"
#include "base/status.h"

#define PARE_IMPORT_MAX_POINTS 1000

struct pare_import_layer {
    const char *name, *short_name; /* "detector/pw3", "pw3" */
    const char *weight, *input, *output; /* names of its tensors; "" = not known */
};

/* *kind: what it was taken for (static text). ERR_FORMAT names the place, what was expected and what was found. */
enum pare_status pare_import_parse(const char *text, size_t size, const char *where, const struct pare_import_layer *layers,
                                   int n_layers, json_t **points, const char **kind, struct pare_error *err);

#endif
