/*
 * perturb.h: how far a level moves a layer's weights: ||Q(w) - w||^2, the squared Euclidean distance over all of its
 * weights, as the plans quantize them (the method included, biases not). What HAWQ multiplies with a trace of the Hessian.
 */
#ifndef PARE_PERTURB_H
#define PARE_PERTURB_H

#include "measure/engine.h"

/* 0 at fp32. Errors name the layer (weights that are not finite). The engine must be prepared for its method. */
enum pare_status pare_perturb_layer(struct pare_engine *e, int layer, struct pare_level level, double *squared,
                                    struct pare_error *err);

#endif
