/* equalize_parts.h: shared by equalize.c and streams.c. */
#ifndef PARE_EQUALIZE_PARTS_H
#define PARE_EQUALIZE_PARTS_H

#include "quant/equalize.h"

struct equalize_work {
    struct pare_graph *g;
    const struct pare_method *methods;
    float **w, **b;      /* by node: own copies, NULL = not touched yet */
    float **absorb;      /* by node: what its outputs were lowered by */
    float **divided;     /* by node: what its outputs were divided by [channels], NULL = nothing */
    int pairs, triples, relu6, absorbed, no_bn, no_bias, codes, shared;
};

/* One layer's weights as the range of input channel i or output channel o sees them. */
struct equalize_shape {
    bool depthwise;
    int out, in, taps; /* depthwise: in == out == channels (multiplier 1) */
};

/* false: a layer whose channels are not scaled one by one. */
bool equalize_shape_of(const struct pare_graph *g, int node, struct equalize_shape *s);
/* Index of the weight of output o, input channel i. */
size_t equalize_at(const struct equalize_shape *s, int o, int tap, int i);
/* Own float copies of a layer's weights and bias; false when its file holds codes or others share them. */
bool equalize_own(struct equalize_work *k, int node, enum pare_status *status, struct pare_error *err);
/* Largest |w| that reads input channel i. */
float equalize_in_range(const struct equalize_work *k, int node, const struct equalize_shape *s, int i);
void equalize_scale_out(struct equalize_work *k, int node, const struct equalize_shape *s, int o, float factor);
void equalize_scale_in(struct equalize_work *k, int node, const struct equalize_shape *s, int i, float factor);
/* A float bias of its own for every layer that asks for streams. */
enum pare_status equalize_own_biases(struct pare_graph *g, const struct pare_method *methods, struct pare_error *err);
/* Can each channel of tensor t lose a constant to the biases around it? (centre.c) */
bool equalize_can_centre(const struct equalize_work *k, int t);
/* Centres such tensors, after scaling; seen as before scaling. Returns how many. */
int equalize_centre(struct equalize_work *k, const struct pare_channel_seen *const *seen);
/* The statistics of a layer follow what its outputs were divided by. */
enum pare_status equalize_move_statistics(struct equalize_work *k, struct pare_error *err);

#endif
