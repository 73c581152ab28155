/* make_parts.h: shared by the files that make weights (make*.c). */
#ifndef PARE_MAKE_PARTS_H
#define PARE_MAKE_PARTS_H

#include "quant/make.h"

/* The grid of one channel. */
struct make_grid {
    float scale;
    int zero, lo, hi;
    bool signs;  /* codes +-1 only (one bit) */
    bool powers; /* codes +-1, +-2, ... +-hi: +-scale * 2^(|code| - hi) */
    float small; /* powers: what is smaller takes code 1 */
    bool ternary;
};

/* One layer under way; weights of a channel are gathered in the order [tap][input channel]. */
struct make_layer {
    const struct pare_graph *g;
    const char *name;
    int node, channels, k, taps, depth; /* k = taps * depth */
    int groups;                         /* of the convolution; depthwise: one channel each */
    int n_parts, part;                  /* groups of `part` input channels with a grid each; 1: one grid a channel */
    bool depthwise;
    const struct pare_method *method;
    struct pare_level level;
    const struct pare_grid *x;
    const struct pare_rows *rows; /* NULL = none */
    float *w;                     /* [channels][k] */
    int *codes;                   /* [channels][k] */
    struct make_grid *grid;       /* [channels][n_parts] */
    float *correction;            /* [channels] */
};

/* The grids of a channel: [n_parts]. */
static inline struct make_grid *make_grids(const struct make_layer *l, int channel)
{
    return l->grid + (size_t)channel * (size_t)l->n_parts;
}
/* Part of weight i of a channel. */
static inline int make_part(const struct make_layer *l, int i)
{
    return l->n_parts > 1 ? i % l->depth / l->part : 0;
}
int make_code(const struct make_grid *g, float v);
double make_real(const struct make_grid *g, int code);
/* Squared error of nearest rounding. */
double make_error(const struct make_grid *g, const float *w, int k);
/* Column of weight i of channel c in the rows. */
int make_column(const struct make_layer *l, int c, int i);
/* make_samples.c: scales (seqmse), codes (adaround, descent), and the empirical correction; false = memory. */
bool make_by_samples(struct make_layer *l);

#endif
