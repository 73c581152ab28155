/*
 * own_error.h: one layer alone, with the activations fused to it, as a small graph that can run at fp32, at a level, and with
 * the weights of the level alone.
 */
#ifndef PARE_OWN_ERROR_H
#define PARE_OWN_ERROR_H

#include "measure/engine.h"

struct pare_own;

/*
 * What is measured of one run; x the float input, Q(x) on the level's grid of the input, f the float layer, q the lowered
 * one, G the level's grid of the output (at float levels Q and G change nothing). Names in rows: pare_own_field_name.
 *   own          G(q(Q(x))) beside f(Q(x)): TFLite's debugger's meaning, both read the same input
 *   STEP         G(q(Q(x))) beside f(x): all that lowering this layer does where its input is still float
 *   WEIGHTS      f with quantized weights on x, beside f(x); NaN at fp16
 *   ACTIVATIONS  G(f(Q(x))) beside f(x); NaN where activations stay float
 *   ACCUMULATED  every layer of the stage at the level, beside fp32 (filled by sense.c; NaN where it is not known)
 */
enum pare_own_field {
    PARE_OWN_MSE,          /* mean squared own error */
    PARE_OWN_POWER,        /* mean square of f(Q(x)) */
    PARE_OWN_CLIPPED,      /* share of outputs beyond G by more than half a step */
    PARE_OWN_MEAN,         /* mean own error (bias) */
    PARE_OWN_SD,           /* its standard deviation, of the population */
    PARE_OWN_MAX,          /* largest |own error| */
    PARE_OWN_COSINE,       /* between G(q(Q(x))) and f(Q(x)); NaN when one is all zero */
    PARE_OWN_ELEMENTS,
    PARE_OWN_STEP,         /* mean squared errors from here on */
    PARE_OWN_WEIGHTS,
    PARE_OWN_ACTIVATIONS,
    PARE_OWN_ACCUMULATED,
    PARE_OWN_FIELDS
};
const char *pare_own_field_name(enum pare_own_field field);

/* The layer `node` of a graph with its calibration (by tensor index of g), its weights by `maker` (of g; NULL = default). */
enum pare_status pare_own_new(const struct pare_graph *g, int node, const struct pare_calibration *c,
                              struct pare_level level, enum pk_isa isa, const struct pare_maker *maker,
                              struct pare_own **own,
                              struct pare_error *err);
void pare_own_free(struct pare_own *own);
/* Runs all on the reference's float input x[n]; own: [PARE_OWN_FIELDS]. */
enum pare_status pare_own_run(struct pare_own *own, const float *x, size_t n, double *fields, struct pare_error *err);
/* The grid of the output at an integer level: scale 0 at others; zero as a signed code (TFLite's zero point). */
void pare_own_grid(const struct pare_own *own, double *scale, int *zero);
/* Tensor behind a layer and the activations fused to it. */
int pare_layer_output(const struct pare_graph *g, int node);
/* Standard deviation of the layer's float output over the calibration data. */
double pare_own_sigma(const struct pare_own *own);

#endif
