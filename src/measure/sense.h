/*
 * sense.h: what every layer loses at a level. Sample by sample: one fp32 reference pass whose tensors stay in
 * memory; then each cell (layer, level) runs only what is behind its layer, at fp32 with that one layer lowered.
 * Stage calls whose input did not change are taken from the reference.
 *
 * Own error, as TFLite's debugger means it: the float layer and the quantized layer both read the same input (the
 * reference's input, quantized to the level's grid and dequantized); their outputs, with the fused activation,
 * are compared after the quantized one is put on the level's grid of its own output range. Means over samples of
 * each sample's mean squared error.
 */
#ifndef PARE_SENSE_H
#define PARE_SENSE_H

#include "measure/engine.h"

struct pare_sense_cell {
    int n;                   /* samples with own error */
    double mse, power;       /* mean over samples: squared error, mean square of the float output */
    double scale;            /* of the output grid; 0 = none (float levels) */
    double clipped;          /* mean share of outputs beyond the grid */
    double sigma;            /* of the layer's float output over the calibration data */
    char *problem;           /* what is wrong with this layer, in words; NULL = nothing */
    bool failed;             /* it cannot run at this level: no figures */
    double *loss;            /* [samples] */
    signed char *right;      /* [samples] 1 = right, 0 = wrong, -1 = no label */
    json_t *items;           /* [samples] for metrics other than top1 and function, else empty */
};

struct pare_sense {
    int n_layers, first_sample, n_samples;
    signed char *reference_right; /* [n_samples] */
    json_t *reference_items;
    struct pare_sense_cell *cells;/* [n_layers] */
};

/* One level for all layers listed in `wanted` (NULL = all), samples [first, first + n) of a split. Own errors from every
 * own_every-th sample (0 = none). done() after each sample; it may be NULL. */
enum pare_status pare_sense_run(struct pare_engine *e, struct pare_level level, const bool *wanted,
                                enum pare_split split, int first, int n, int own_every, void *self,
                                void (*done)(void *self, int done, int total), struct pare_sense **out,
                                struct pare_error *err);
void pare_sense_free(struct pare_sense *s);
/* {"right": "1101..", "cells": {"detector/conv1": {"n", "mse", "power", "scale", "clipped", "sigma", "loss": [...],
 * "right": "11.."}}}; with "item": [...] beside "right" (of the reference and of each cell) for other metrics. */
json_t *pare_sense_to_json(const struct pare_engine *e, const struct pare_sense *s);

#endif
