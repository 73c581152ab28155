/*
 * bytes.h: what a layer takes where it is kept, at a level and by a method. Packed codes, then what gives them meaning:
 *   codes    fp32 32 bits, fp16 16; else W bits, but a file's own codes keep theirs, binary has 1, ternary 2, and powers of
 *            two W bits for sign and exponent (9 at 16 bits: float32's)
 *   scales   float32: one per output channel, tensor, or output channel and group of input channels; powers of two take a
 *            byte (po2: the largest; quantized_bits and po2:M: one for the layer)
 *   zeros    one code (a byte, two at 16 bits) for every scale: asymmetric weights, and a file's own where one is not 0
 *   bias     4 bytes a channel, where the layer has one or the method corrects it
 */
#ifndef PARE_BYTES_H
#define PARE_BYTES_H

#include "model/graph.h"
#include "quant/level.h"
#include "quant/method.h"

/* m NULL = the defaults. */
int64_t pare_layer_bytes(const struct pare_graph *g, int node, struct pare_level level, const struct pare_method *m);

#endif
