/*
 * latency.h: time, measured. One thread pinned to one core, warmed up, the things compared interleaved round by
 * round, inputs cycled; per-step times of every uniform level in place, and end-to-end times of whole configs.
 * A run during which the thread did not have its core (CPU time below 95 % of the time on the wall) is repeated, and a round in
 * which it stays so is left out; samples differ in cost, so a long round alone is no sign. When too few rounds were clean, all
 * count, and "noisy" and "disturbed" (a share) say so. p99 is null below 100 rounds.
 */
#ifndef PARE_LATENCY_H
#define PARE_LATENCY_H

#include "measure/engine.h"

struct pare_times {
    int n;
    double min, median, p10, p90, p99; /* ms */
};

/* Uniform profiles: every stage at every level of levels[n_levels] (first and last layers of the pipeline's
 * sets as given in keep[layer] >= level index, i.e. a layer never goes below levels[keep[layer]]), on the stage's
 * real inputs from `samples` samples of a split.
 * Result JSON: {"stages": {name: {"calls": per sample, "total": {level: [min, median, p10, p90, p99, n]},
 *   "mixed": the times of even layers (of the pipeline) at int8 and odd ones at fp32 (what borders cost),
 *   "other": {level: ms}, "disturbed": share}}, "layers": {name: {level: [median, p10, p90, kernel,
 *   bytes that are written for an element]}}, "glue": ms, "seconds"} */
enum pare_status pare_latency_profile(struct pare_engine *e, const struct pare_level *levels, int n_levels,
                                      const int *keep, enum pare_split split, int samples, double seconds,
                                      void *self, void (*done)(void *self, int done, int total),
                                      json_t **result, struct pare_error *err);

/* End to end: whole samples (glue included, decoding excluded) at each of n_configs configs
 * (levels[n_configs][layer_count]), interleaved, after rounds of one sample whose rolling median settled.
 * {"configs": [[min, median, p10, p90, p99, n], ...], "cycles": [median, ...], "ghz", "seconds", "rounds", "repeated",
 *  "warm_rounds", "disturbed", "noisy"} */
enum pare_status pare_latency_configs(struct pare_engine *e, const struct pare_level *const *configs,
                                      int n_configs, enum pare_split split, int samples, double seconds,
                                      void *self, void (*done)(void *self, int done, int total),
                                      json_t **result, struct pare_error *err);

#endif
