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
void pare_range_finish(struct pare_range *r); /* Lloyd's two means from the histogram (converged) */
double pare_range_sigma(const struct pare_range *r);

/* Ranges of every tensor of a graph, by tensor index. */
struct pare_calibration {
    int n_tensors;
    struct pare_range *ranges;
};
enum pare_status pare_calibration_init(struct pare_calibration *c, int n_tensors,
                                       struct pare_error *err);
void pare_calibration_clear(struct pare_calibration *c);
/* Per tensor: [n, min, max, mean, sigma, two_lo, two_hi, n_nonfinite] and, where a method chose ranges, a ninth entry:
 * [lo, hi] of 2, 3, ... 8 bits in a row (histograms are not kept). */
json_t *pare_calibration_to_json(const struct pare_calibration *c);
enum pare_status pare_calibration_from_json(const json_t *json, struct pare_calibration *c,
                                            struct pare_error *err);

#endif
