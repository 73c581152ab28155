/*
 * own_error.h: one layer alone, with the activations fused to it, as a small graph that can run at fp32 and at a level.
 */
#ifndef PARE_OWN_ERROR_H
#define PARE_OWN_ERROR_H

#include "measure/engine.h"

struct pare_own;

/* The layer `node` of a graph with its calibration (by tensor index of g), its weights by `maker` (of g; NULL = default). */
enum pare_status pare_own_new(const struct pare_graph *g, int node, const struct pare_calibration *c,
                              struct pare_level level, enum pk_isa isa, const struct pare_maker *maker,
                              struct pare_own **own,
                              struct pare_error *err);
void pare_own_free(struct pare_own *own);
/* Runs both on the reference's float input x[n]; mean squared error, mean square of the float output, share of
 * clipped outputs; scale of the output grid (0 for float levels). */
enum pare_status pare_own_run(struct pare_own *own, const float *x, size_t n, double *mse, double *power,
                              double *clipped, double *scale, struct pare_error *err);
/* Standard deviation of the layer's float output over the calibration data. */
double pare_own_sigma(const struct pare_own *own);

#endif
