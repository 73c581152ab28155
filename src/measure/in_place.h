/*
 * in_place.h: one config under the stopwatch: every stage alone on its real inputs, hot and with cold weights, every
 * layer in place beside the floor of its work, what profiling itself costs, both states of the tile unit where they
 * occur, and several threads at once.
 */
#ifndef PARE_IN_PLACE_H
#define PARE_IN_PLACE_H

#include "measure/stage_inputs.h"

struct pare_in_place_options {
    double seconds;      /* about, for all stages together */
    int samples;         /* inputs are those of so many samples */
    int threads;         /* 1 = no measurement of several */
    void (*done)(void *self, int done, int total);
    void *self;
};

/* levels: [layer_count]. Result JSON (times in ms, null where too few blocks were clean):
 * {"ghz", "tiles": state, "width": additions per cycle,
 *  "stages": {name: {"calls", "whole": TIMING, "timed": TIMING, "profiling": timed over whole, "sum_over_whole",
 *      "parts_agree": within 3 %, "repeated", "other_ms", "cold": TIMING, "cold_over_hot", "tiles_fast_ms", "tiles_slow_ms",
 *      "threads": {"n", "cores", "ms": per run, "alone_ms", "runs_per_s": of all, "speedup": against one with a core to itself,
 *          "own_core", "alone_own_core": shares of the time that the threads had a core}}},
 *  "layers": {name: {"ms", "p10", "p90", "cycles", "cold_ms", "kernel", "macs", "bytes", "weight_bytes", "mac_ms", "byte_ms",
 *      "epilogue_ms", "floor_ms", "share_of_limit", "binds"}}}
 * TIMING = {"n", "min", "median", "p90", "p99", "disturbed", "noisy"}. share_of_limit: floor over time. The sum of the
 * parts is compared with the whole round by round; reading the clock between steps is taken off each of them. */
enum pare_status pare_in_place(struct pare_engine *e, const struct pare_level *levels, enum pare_split split,
                               const struct pare_in_place_options *options, json_t **result, struct pare_error *err);

/* threads.c: `threads` plans of one stage at once, each on its own core. {"n", "cores", ...} as above, new reference. */
enum pare_status pare_time_threads(struct pare_engine *e, int stage, const struct pare_level *levels,
                                   const struct pare_stage_inputs *inputs, int threads, double seconds, json_t **result,
                                   struct pare_error *err);

#endif
