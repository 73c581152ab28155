/*
 * predict.h: latencies of layers that no table holds, from features that know of padding: tiles of pixels and channels are
 * computed whole, so time goes in stairs. Non-negative least squares on the relative error; the tile sizes are those that
 * predict left-out rows best. The error is measured on rows that took no part in the fit nor in the choice of tile sizes.
 */
#ifndef PARE_PREDICT_H
#define PARE_PREDICT_H

#include <stdbool.h>

#include "pk.h"

enum { PARE_FEATURES = 6, PARE_PREDICT_LEAST = 5 /* rows below which nothing is fitted */ };

struct pare_predict_row {
    struct pk_conv conv;
    double us;
};

struct pare_predictor {
    int n;                      /* rows fitted */
    bool depthwise;
    int mr, nr, kr;             /* pixels, channels, products of a tile */
    double weight[PARE_FEATURES];
    double error, worst;        /* mean and largest |predicted / measured - 1| of held-out rows */
    double least_macs, most_macs; /* the fitted rows' range: beyond, a prediction is an extrapolation */
};

/* false with fewer than PARE_PREDICT_LEAST rows, or when nothing fits. */
bool pare_predictor_fit(const struct pare_predict_row *rows, int n, bool depthwise, struct pare_predictor *p);
double pare_predictor_us(const struct pare_predictor *p, const struct pk_conv *c);

#endif
