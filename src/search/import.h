/*
 * import.h: configurations that other tools found, to stand beside ours. One text gives a list of points:
 *   [{"config": {layer: level}, "label": text (may be left out), "claimed": {"accuracy", "drop", "latency_ms"}}, ...]
 * A claim is what the other tool says; nothing of it was measured here. Layers that a text does not name are fp32.
 *
 *   table of configurations   CSV with a header: columns named as layers hold levels; run, name or label, accuracy, drop and
 *                             latency_ms are taken, other columns left out (`pare export --format csv` writes such a table)
 *   TFLite debugger           CSV with the columns op_name and tensor_name: one point, the layers listed at int8
 *   AIMET encodings           JSON, one point. Weights in param_encodings, what layers read in activation_encodings:
 *                               0.4.0, 0.5.0, 0.6.1   objects of lists {bitwidth, dtype}; of the file for loading into torch:
 *                                                     {module: {"input": {"0": ...}, "output": {"0": ...}}}
 *                               1.0.0                 lists of {name, bw, dtype, enc_type}; LPBQ: compressed_bw
 *                               2.0.0                 lists of {name, output_dtype}, or one list "encodings" of all tensors
 *                             Weights are found by the names of their tensors; activations are those of the layer's input
 *                             tensor, of its module's first input, of the module that writes the tensor, else the most
 *                             frequent of the file; where none is listed they stay float. 16 bits of dtype int are a16, of
 *                             dtype float fp16; a pair that is no level of ours (w4a16) is an error that names it
 *   AIMET accuracy list       JSON list of rows [group, candidate, score, ...] (accuracy_list.json): group a name or a list of
 *                             names, or of [kind, name] of which only weights count; candidate [[bits, "int"|"float"] of
 *                             activations, the same of weights], or as AIMET prints it. Every row with weights is a point, its
 *                             group at the candidate. The pickle beside it is not read
 *   Names of AIMET that no layer has are taken for modules (conv2d_1 of conv2d_1/kernel:0) and found in the weights' names of
 *   TFLite models (model/conv2d_1/Conv2D) where one layer alone fits; the others are listed in the first point: "unknown".
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
