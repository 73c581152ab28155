/*
 * range.h: what calibration saw of one tensor, and the calibration of a whole graph.
 * Two passes over the calibration data: extremes and moments, then a histogram between the
 * extremes.
 */
#ifndef PARE_RANGE_H
#define PARE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "base/status.h"

#define PARE_HISTOGRAM_BINS 512

struct pare_range {
    int64_t n; /* finite values seen */
    int64_t n_nonfinite;
    float min, max; /* 0 when n == 0 */
    double sum, sum_squares;
    uint32_t bins[PARE_HISTOGRAM_BINS]; /* second pass: equal bins over [min, max] */
    /* first pass: extremes of single runs, averaged (weight 1/n, at least 1/100) */
    int64_t n_runs;
    float average_min, average_max;
    /* The range of a grid by its number of bits, where a method chose one (clip.h); else min..max. */
    bool clipped;
    float clip_lo[9], clip_hi[9];
    float two_lo, two_hi; /* Lloyd means of a two-valued quantizer, after pare_range_finish */
};

void pare_range_init(struct pare_range *r);
void pare_range_add(struct pare_range *r, const float *x, size_t n);           /* first pass */
void pare_range_add_histogram(struct pare_range *r, const float *x, size_t n); /* second pass */
/* One run (of a first pass of its own) into `to`. */
void pare_range_add_run(struct pare_range *to, const struct pare_range *run);
/* A run's extremes into the averages. */
void pare_range_average(struct pare_range *to, float min, float max);
void pare_range_finish(struct pare_range *r); /* Lloyd's two means from the histogram (converged) */
double pare_range_sigma(const struct pare_range *r);

/* The extremes of single runs in the order in which they were seen: averages depend on it. */
struct pare_run_log {
    int n, cap;
    struct pare_logged_run {
        int tensor;
        float min, max;
    } *runs;
};

/* Ranges of every tensor of a graph, by tensor index. */
struct pare_calibration {
    int n_tensors;
    struct pare_range *ranges;
    struct pare_run_log *log; /* filled by the first pass unless NULL; the caller's */
};
enum pare_status pare_calibration_init(struct pare_calibration *c, int n_tensors,
                                       struct pare_error *err);
void pare_calibration_clear(struct pare_calibration *c);
/* Per tensor: [n, min, max, mean, sigma, two_lo, two_hi, n_nonfinite] and, where a method chose ranges, a ninth entry:
 * [lo, hi] of 2, 3, ... 8 bits in a row (histograms are not kept). */
json_t *pare_calibration_to_json(const struct pare_calibration *c);
enum pare_status pare_calibration_from_json(const json_t *json, struct pare_calibration *c,
                                            struct pare_error *err);

/* ---- calibration in parts (range_part.c): each part sees some of the samples, from new ranges on ---- */

#define PARE_CALIBRATE_PART 32 /* samples */

/* Adds what a part saw in this pass. The same parts in the same order give the same bits wherever each was made; averages of
 * runs need the part's log. The second pass of a part starts from the merged ranges of the first, bins cleared. */
void pare_calibration_merge(struct pare_calibration *to, const struct pare_calibration *part, int pass);
bool pare_run_log_add(struct pare_run_log *log, int tensor, float min, float max); /* false = memory */
void pare_run_log_clear(struct pare_run_log *log);
/* A part between processes, exact: pass 0 {"seen": [null or [n, n_nonfinite, min, max, sum, sum of squares]], "runs"
 * (of a log): [tensor, min, max, ...]}; pass 1 {"bins": [null or text]}. NULL = memory. */
json_t *pare_calibration_part_to_json(const struct pare_calibration *part, int pass);
/* Into a part of as many tensors (and with a log where the runs are wanted). ERR_FORMAT names what is wrong. */
enum pare_status pare_calibration_part_from_json(const json_t *json, int pass, struct pare_calibration *part,
                                                 struct pare_error *err);

#endif
