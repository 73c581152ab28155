/*
 * sense.h: what every layer loses at a level. Sample by sample: one reference pass at the baseline (fp32, or every layer at
 * int8) whose tensors stay in memory; then each cell (layer, level) runs only what is behind its layer, at the baseline with
 * that one layer lowered. Stage calls whose input did not change are taken from the reference.
 *
 * Own error, as TFLite's debugger means it: the float layer and the quantized layer both read the same input (the
 * reference's input, quantized to the level's grid and dequantized); their outputs, with the fused activation,
 * are compared after the quantized one is put on the level's grid of its own output range. Means over samples of
 * each sample's figures (own_error.h has them all). Accumulated: the same tensor when every layer of the stage is at the
 * level and the stage reads the reference's input, beside the reference.
 */
#ifndef PARE_SENSE_H
#define PARE_SENSE_H

#include "measure/engine.h"
#include "measure/own_error.h"

struct pare_sense_cell {
    int n;                   /* samples with own error */
    double own[PARE_OWN_FIELDS]; /* means over them */
    double most;             /* the largest |own error| of all samples */
    double scale;            /* of the output grid; 0 = none (float levels) */
    int zero, tensor;        /* its zero point as a signed code; the tensor behind the layer, -1 = not known */
    double sigma;            /* of the layer's float output over the calibration data */
    bool wanted;
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

struct pare_sense_options {
    struct pare_level level, baseline; /* baseline: the level of all other layers (those that cannot run at it: fp32) */
    const bool *wanted;                /* [n_layers], NULL = all */
    enum pare_split split;
    int first, n;                      /* samples [first, first + n) of the split */
    int own_every;                     /* own errors from every so many samples; 0 = none */
    void *self;
    void (*done)(void *self, int done, int total); /* after each sample; may be NULL */
};
/* One level for all wanted layers. */
enum pare_status pare_sense_run(struct pare_engine *e, const struct pare_sense_options *options, struct pare_sense **out,
                                struct pare_error *err);
void pare_sense_free(struct pare_sense *s);
/* {"right": "1101..", "cells": {"detector/conv1": {"n", the fields of own_error.h, "most", "scale", "zero", "sigma",
 * "loss": [...], "right": "11.."}}}; with "item": [...] beside "right" (of the reference and of each cell) for other
 * metrics. Cells that were not wanted are left out. */
json_t *pare_sense_to_json(const struct pare_engine *e, const struct pare_sense *s);

#endif
