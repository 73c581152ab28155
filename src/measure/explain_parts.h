/* explain_parts.h: inside measure/: what explain.c gathers and explain_why.c judges. */
#ifndef PARE_EXPLAIN_PARTS_H
#define PARE_EXPLAIN_PARTS_H

#include "measure/explain.h"
#include "measure/own_error.h"

enum { EXPLAIN_CALLS = 24, EXPLAIN_CURE_CALLS = 6 };

struct explain_histogram {
    double bins[PARE_EXPLAIN_BINS], lo, hi, range_lo, range_hi, clipped, sigma, peak;
};

struct explain_channels {
    int n, dead, worst, n_reach;
    double spread, worst_share, reach[PARE_EXPLAIN_REACHES]; /* reach: in the order of the channels */
};

struct explanation {
    struct pare_engine *e;
    const struct pare_graph *g;
    const struct pare_calibration *calibration;
    struct pare_level level;
    const char *name;
    int stage, node, in, out; /* tensors */
    size_t n_in, n_out;
    int n_calls;
    float *x[EXPLAIN_CALLS], *y[EXPLAIN_CALLS];
    struct explain_histogram weights, input, output;
    struct explain_channels channels, inputs;
    double outside, fields[PARE_OWN_FIELDS], scale;
    int samples_seen; /* runs behind the calibration; 0 = not known */
};

/* Fills c->reach from the reach of each of c->n channels; more than fit: the farthest of every group of neighbours. */
void explain_take_reach(struct explain_channels *c, const float *reach);
/* Weights: histogram, channels, clipped share. */
enum pare_status explain_weights(struct explanation *x, struct pare_error *err);
/* Mean step and part errors of the layer by a method (NULL = the engine's) on the gathered calls. */
enum pare_status explain_errors(struct explanation *x, const char *rule, int calls, double *fields, double *scale, struct pare_error *err);
/* One line: why this layer hurts. */
void explain_why(const struct explanation *x, char *text, size_t size);
/* Other rules on the same calls, best first; a new reference. */
json_t *explain_cures(struct explanation *x);

#endif
