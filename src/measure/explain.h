/*
 * explain.h: why one layer loses what it loses at a level: histograms of its weights and of what it reads and writes on real
 * samples, the ranges that were chosen, what is clipped, channels that are dead or far from the others, and what other
 * rules of `--quantize` would make of the same layer on the same samples (its step error, own_error.h, measured).
 */
#ifndef PARE_EXPLAIN_H
#define PARE_EXPLAIN_H

#include "measure/engine.h"

#define PARE_EXPLAIN_BINS 64
#define PARE_EXPLAIN_REACHES 128

/*
 * {"layer", "level", "calls": n,
 *  "weights" | "input" | "output": {"bins": [64], "lo", "hi" (of the bins), "range_lo", "range_hi" (of the grid; null at float
 *      levels; of weights: the widest channel's), "clipped" (share beyond it), "sigma", "peak" (largest magnitude)},
 *  "channels": {"n", "dead", "spread" (largest reach over the median one), "worst", "worst_share" (of the squared weight error),
 *      "reach": [largest magnitude of each; of more than 128 channels: of groups of neighbours]},
 *  "input_channels": {"n", "dead", "spread", "worst", "reach"}, "seen": calibration samples' values, "outside": share of inputs beyond
 *  what calibration saw,
 *  "rmse": {"own", "step", "weights", "activations"}, "output_sigma", "why": one line,
 *  "cures": [{"rule" (for this layer, behind those that hold), "step_rmse", "gain", "bytes" (more than now)}], best first}
 * From the first n samples of a split. A new reference.
 */
enum pare_status pare_explain(struct pare_engine *e, int layer, struct pare_level level, enum pare_split split, int n,
                              void *self, void (*done)(void *self, int done, int total), json_t **row, struct pare_error *err);

#endif
