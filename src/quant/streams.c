/* streams.c: see equalize.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/equalize_parts.h"
#include "quant/weights.h"

#define FURTHEST 5.0f /* ln of the largest ratio between two channels' factors */

struct streams {
    struct equalize_work k;
    struct pare_graph *g;
    int *first;             /* [n_tensors] index of channel 0, -1 = no channels */
    int *parent;            /* union-find over channels */
    unsigned char *frozen;  /* by root */
    double *sum, *weight;   /* by root: of the logarithms wanted */
};

static int find(struct streams *s, int i)
{
    while (s->parent[i] != i) {
        s->parent[i] = s->parent[s->parent[i]];
        i = s->parent[i];
    }
    return i;
}

static int channels(const struct streams *s, int t)
{
    const struct pare_tensor *x = &s->g->tensors[t];
    return t >= 0 && s->first[t] >= 0 ? (int)x->dims[x->rank - 1] : 0;
}

static void freeze(struct streams *s, int t)
{
    for (int c = 0; t >= 0 && c < channels(s, t); c++) {
        s->frozen[find(s, s->first[t] + c)] = 1;
    }
}

/* Channels of `a` are those of `b` from `offset` on. */
static void join(struct streams *s, int a, int b, int offset)
{
    if (a < 0 || b < 0 || offset < 0 || channels(s, a) + offset > channels(s, b) || channels(s, a) == 0) {
        freeze(s, a >= 0 ? a : b);
        freeze(s, b >= 0 ? b : a);
        return;
    }
    for (int c = 0; c < channels(s, a); c++) {
        const int i = find(s, s->first[a] + c), j = find(s, s->first[b] + offset + c);
        s->parent[i] = j;
        s->frozen[j] |= s->frozen[i];
    }
}

static void freeze_node(struct streams *s, const struct pare_node *n)
{
    for (int i = 0; i < n->n_in; i++) {
        freeze(s, n->in[i]);
    }
    for (int i = 0; i < n->n_out; i++) {
        freeze(s, n->out[i]);
    }
}

static bool is_constant(const struct streams *s, int t)
{
    return t >= 0 && s->g->tensors[t].data != NULL;
}

static bool same_shape(const struct streams *s, int a, int b)
{
    const struct pare_tensor *x = &s->g->tensors[a], *y = &s->g->tensors[b];
    return x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)(x->rank > 0 ? x->rank : 0) * sizeof x->dims[0]) == 0;
}

static void join_padded(struct streams *s, const struct pare_node *n)
{
    const struct pare_attr *a = &n->attr;
    const int last = s->g->tensors[n->in[0]].rank - 1;
    float value = a->value;
    int64_t before = a->n_axes > 0 ? 0 : a->pad_before[last > 0 ? last : 0];
    for (int i = 0; i < a->n_axes; i++) {
        before = a->axes[i] == last || a->axes[i] == -1 ? a->pad_before[i] : before;
    }
    if (n->n_in > 2 && n->in[2] >= 0 &&
        (pare_tensor_elements(&s->g->tensors[n->in[2]]) != 1 || !is_constant(s, n->in[2]) ||
         pare_tensor_const_f32(&s->g->tensors[n->in[2]], &value, NULL) != PARE_OK)) {
        value = 1.0f;
    }
    if (a->pad_mode != PARE_PAD_CONSTANT || value != 0.0f) {
        freeze_node(s, n);
    } else {
        join(s, n->in[0], n->out[0], (int)before);
    }
}

static void join_node(struct streams *s, int node)
{
    const struct pare_node *n = &s->g->nodes[node];
    int offset = 0;
    switch (n->op) {
    case PARE_OP_RELU:
    case PARE_OP_LEAKY_RELU:
    case PARE_OP_PRELU:
    case PARE_OP_IDENTITY:
    case PARE_OP_RESIZE:
    case PARE_OP_MAX_POOL:
    case PARE_OP_AVG_POOL:
        join(s, n->in[0], n->out[0], 0);
        return;
    case PARE_OP_ADD:
    case PARE_OP_SUB:
        if (is_constant(s, n->in[0]) || is_constant(s, n->in[1]) || !same_shape(s, n->in[0], n->in[1])) {
            break;
        }
        join(s, n->in[0], n->out[0], 0);
        join(s, n->in[1], n->out[0], 0);
        return;
    case PARE_OP_MUL: {
        const int x = is_constant(s, n->in[1]) ? n->in[0] : n->in[1];
        if (is_constant(s, n->in[0]) == is_constant(s, n->in[1]) || !same_shape(s, x, n->out[0])) {
            break;
        }
        join(s, x, n->out[0], 0);
        return;
    }
    case PARE_OP_CONCAT: {
        const int rank = s->g->tensors[n->out[0]].rank;
        const bool last = n->attr.axis == rank - 1 || n->attr.axis == -1;
        for (int i = 0; i < n->n_in; i++) {
            join(s, n->in[i], n->out[0], last ? offset : 0);
            offset += channels(s, n->in[i]);
        }
        return;
    }
    case PARE_OP_PAD:
        join_padded(s, n);
        return;
    default:
        break;
    }
    freeze_node(s, n);
}

/* Layers part the streams; one that cannot be scaled holds both its ends. */
static enum pare_status join_layer(struct streams *s, int node, const struct pare_method *methods, struct pare_error *err)
{
    const struct pare_node *n = &s->g->nodes[node];
    struct equalize_shape shape;
    enum pare_status status = PARE_OK;
    if (!methods[node].streams || !equalize_shape_of(s->g, node, &shape) || channels(s, n->in[0]) != shape.in ||
        channels(s, n->out[0]) != shape.out || !equalize_own(&s->k, node, &status, err)) {
        freeze_node(s, n);
        return status;
    }
    s->k.divided[node] = malloc(((size_t)shape.out + 1) * sizeof(float));
    s->k.absorb[node] = calloc((size_t)shape.out + 1, sizeof(float));
    for (int c = 0; s->k.divided[node] != NULL && c < shape.out; c++) {
        s->k.divided[node][c] = 1.0f;
    }
    return s->k.divided[node] != NULL && s->k.absorb[node] != NULL ? PARE_OK : pare_error_nomem(err);
}

/* How wide a channel is for a grid: between its peak, which may be one rare value, and its root mean square, beyond which a
 * detector's rare strong values lie. Points lost at w4a4 on search (2026-11-21), by peak, this, root mean square:
 * hand_gesture 2.5, 2.8, 9.9 (1000 samples, order=alone); mediapipe_hands (40, order=sequence) -, 25.0, 35.0. */
static float width_of(const struct pare_channel_seen *c, bool centred)
{
    const float power = centred ? c->sd : sqrtf(c->mean * c->mean + c->sd * c->sd);
    return sqrtf(power * (centred ? c->peak + fabsf(c->mean) : c->peak));
}

/* What a layer's input wants its channels to be divided by: ln, the highest 0. */
static void wish(struct streams *s, int node, const struct pare_channel_seen *seen)
{
    const int t = s->g->nodes[node].in[0], n = channels(s, t);
    struct equalize_shape shape;
    float most = -INFINITY;
    if (seen == NULL || s->k.w[node] == NULL || !equalize_shape_of(s->g, node, &shape)) {
        return;
    }
    const bool centred = equalize_can_centre(&s->k, t);
    for (int pass = 0; pass < 2; pass++) {
        for (int c = 0; c < n; c++) {
            const float w = shape.depthwise ? 1.0f : equalize_in_range(&s->k, node, &shape, c);
            const float width = width_of(&seen[c], centred);
            if (!(width > 1e-9f) || !(w > 1e-9f)) {
                continue; /* a dead channel wants nothing */
            }
            const float wanted = shape.depthwise ? logf(width) : 0.5f * (logf(width) - logf(w));
            const int root = find(s, s->first[t] + c);
            if (pass == 0) {
                most = wanted > most ? wanted : most;
            } else {
                s->sum[root] += (double)fmaxf(wanted - most, -FURTHEST);
                s->weight[root] += 1.0;
            }
        }
    }
}

static float factor(struct streams *s, int t, int c)
{
    const int root = find(s, s->first[t] + c);
    return s->frozen[root] || s->weight[root] == 0.0 ? 1.0f : expf((float)(s->sum[root] / s->weight[root]));
}

static int apply(struct streams *s, int node)
{
    const struct pare_node *n = &s->g->nodes[node];
    struct equalize_shape shape;
    int moved = 0;
    if (s->k.w[node] == NULL || !equalize_shape_of(s->g, node, &shape)) {
        return 0;
    }
    for (int o = 0; o < shape.out; o++) {
        const float f = factor(s, n->out[0], o);
        moved += f != 1.0f;
        equalize_scale_out(&s->k, node, &shape, o, 1.0f / f);
    }
    for (int i = 0; i < shape.in; i++) {
        const float f = factor(s, n->in[0], i);
        if (shape.depthwise) { /* not its bias */
            for (int tap = 0; tap < shape.taps; tap++) {
                s->k.w[node][(size_t)tap * (size_t)shape.out + (size_t)i] *= f;
            }
        } else {
            equalize_scale_in(&s->k, node, &shape, i, f);
        }
    }
    return moved > 0;
}

static enum pare_status rewrite(struct streams *s, const struct pare_method *methods,
                                const struct pare_channel_seen *const *seen, int *layers, int *centred, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < s->g->n_nodes; i++) {
        if (pare_node_is_layer(s->g, i)) {
            status = join_layer(s, i, methods, err);
        } else {
            join_node(s, i);
        }
    }
    for (int t = 0; t < s->g->n_tensors; t++) {
        if (s->g->tensors[t].is_input || s->g->tensors[t].is_output) {
            freeze(s, t);
        }
    }
    for (int i = 0; status == PARE_OK && i < s->g->n_nodes; i++) {
        if (pare_node_is_layer(s->g, i)) {
            wish(s, i, seen[s->g->nodes[i].in[0]]);
        }
    }
    for (int i = 0; status == PARE_OK && i < s->g->n_nodes; i++) {
        *layers += pare_node_is_layer(s->g, i) ? apply(s, i) : 0;
    }
    *centred = status == PARE_OK ? equalize_centre(&s->k, seen) : 0;
    return status == PARE_OK ? equalize_move_statistics(&s->k, err) : status;
}

static enum pare_status open_streams(struct streams *s, struct pare_error *err)
{
    const size_t nodes = (size_t)s->g->n_nodes + 1, tensors = (size_t)s->g->n_tensors + 1;
    int n = 0;
    s->k.g = s->g;
    s->k.w = calloc(nodes, sizeof *s->k.w);
    s->k.b = calloc(nodes, sizeof *s->k.b);
    s->k.divided = calloc(nodes, sizeof *s->k.divided);
    s->k.absorb = calloc(nodes, sizeof *s->k.absorb);
    s->first = calloc(tensors, sizeof *s->first);
    for (int t = 0; s->first != NULL && t < s->g->n_tensors; t++) {
        const struct pare_tensor *x = &s->g->tensors[t];
        s->first[t] = -1;
        if (x->data == NULL && x->rank > 0 && x->dims[x->rank - 1] > 0 && x->dims[x->rank - 1] < 1 << 16) {
            s->first[t] = n;
            n += (int)x->dims[x->rank - 1];
        }
    }
    s->parent = calloc((size_t)n + 1, sizeof *s->parent);
    s->frozen = calloc((size_t)n + 1, 1);
    s->sum = calloc((size_t)n + 1, sizeof *s->sum);
    s->weight = calloc((size_t)n + 1, sizeof *s->weight);
    if (s->k.w == NULL || s->k.b == NULL || s->k.divided == NULL || s->k.absorb == NULL || s->first == NULL ||
        s->parent == NULL || s->frozen == NULL || s->sum == NULL || s->weight == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < n; i++) {
        s->parent[i] = i;
    }
    return PARE_OK;
}

static void close_streams(struct streams *s)
{
    for (int i = 0; s->k.divided != NULL && s->k.absorb != NULL && i < s->g->n_nodes; i++) {
        free(s->k.divided[i]);
        free(s->k.absorb[i]);
    }
    free(s->k.w);
    free(s->k.b);
    free(s->k.divided);
    free(s->k.absorb);
    free(s->first);
    free(s->parent);
    free(s->frozen);
    free(s->sum);
    free(s->weight);
}

enum pare_status pare_equalize_streams(struct pare_graph *g, const struct pare_method *methods,
                                       const struct pare_channel_seen *const *seen, const char *stage, json_t *notes,
                                       struct pare_error *err)
{
    struct streams s = {.g = g, .k = {.methods = methods}};
    int layers = 0, centred = 0;
    enum pare_status status = equalize_own_biases(g, methods, err);
    status = status == PARE_OK ? open_streams(&s, err) : status;
    if (status == PARE_OK) {
        status = rewrite(&s, methods, seen, &layers, &centred, err);
    }
    if (status == PARE_OK) {
        json_array_append_new(notes, json_sprintf("%s: channels of what %d layers write were scaled to like widths, "
                                                  "of %d centred", stage, layers, centred));
    }
    close_streams(&s);
    return status;
}
