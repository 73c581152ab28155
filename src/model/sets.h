/*
 * sets.h: how layers lie to each other in a graph.
 */
#ifndef PARE_SETS_H
#define PARE_SETS_H

#include "model/graph.h"

/* first[node]: a layer that a graph input reaches without passing another layer; last[node]: a layer from which a
 * graph output is reached so. Both [n_nodes]; false for what is no layer. */
enum pare_status pare_layer_sets(const struct pare_graph *g, bool *first, bool *last, struct pare_error *err);

/* Layers that compute what layer `node` reads at input 0, without another layer between: node indices, at most max;
 * returns their number, -1 when memory is out. Of a sum (or another elementwise join) it is the layer in whose epilogue
 * it runs. */
int pare_layer_sources(const struct pare_graph *g, int node, int *sources, int max);

/* Layers that meet: pairs of node indices that one level would suit, at most max (the rest is left out); returns their
 * number, -1 when memory is out.
 *   shared inputs   both read the same tensor (a level sets how that tensor is stored)
 *   residual        both write what one addition of two activations adds, with nothing between but elementwise operators
 *                   of one operand; the sum of an earlier addition is not followed further */
int pare_layer_shared_inputs(const struct pare_graph *g, int (*pairs)[2], int max);
int pare_layer_residuals(const struct pare_graph *g, int (*pairs)[2], int max);

#endif
