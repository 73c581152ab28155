/*
 * pass_bn.c: what follows a layer and is linear per channel goes into its weights and bias:
 * BATCH_NORM (its statistics stay with the node), ADD, SUB, MUL, DIV by a constant vector. Only
 * float32 layers whose output has that one reader. New weights are computed in double and rounded
 * once.
 */
#include <math.h>
#include <string.h>

#include "model/passes.h"

/* y = scale[c] * layer + shift[c]; NULL = 1 or 0. n values each. */
struct affine {
    int64_t n;
    const double *scale, *shift;
};

static bool is_float_layer(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    if (!pare_node_is_layer(g, node) || g->tensors[n->in[1]].dtype != PARE_F32 ||
        g->tensors[n->in[1]].rank < 2 || n->n_out != 1) {
        return false;
    }
    int64_t channels;
    return n->n_in < 3 || n->in[2] < 0 ||
           (pass_vector(g, n->in[2], &channels) != NULL &&
            channels == pare_node_out_channels(g, node));
}

/* The layer that makes t, when only `reader` reads t; -1 otherwise. */
static int layer_before(struct pass *p, int t, int reader)
{
    struct pare_graph *g = p->g;
    t = pass_at(p, t);
    int node = pass_producer(p, t);
    if (node < 0 || node >= p->n_nodes || pass_only_user(p, t) != reader ||
        !is_float_layer(g, node) || g->tensors[t].quant != NULL) {
        return -1;
    }
    return node;
}

static enum pare_status scale_weights(struct pass *p, int layer, const double *scale)
{
    struct pare_graph *g = p->g;
    const struct pare_tensor old = g->tensors[g->nodes[layer].in[1]];
    bool last = g->nodes[layer].op == PARE_OP_DEPTHWISE; /* channels last, else first */
    int64_t n = pare_tensor_elements(&old), channels = last ? old.dims[old.rank - 1] : old.dims[0];
    const float *from = old.data;
    float *to;
    int made = pass_new_f32(p, old.name, old.rank, old.dims, &to);
    if (made < 0) {
        return pass_no_memory(p);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t c = last ? i % channels : i / (n / channels);
        to[i] = (float)((double)from[i] * scale[c]);
    }
    g->tensors[made].source = old.source;
    g->nodes[layer].in[1] = made;
    return PARE_OK;
}

static enum pare_status set_bias(struct pass *p, int layer, const struct affine *a)
{
    struct pare_graph *g = p->g;
    struct pare_node *n = &g->nodes[layer];
    int64_t channels = a->n, dims[1] = {a->n};
    const float *from = n->n_in > 2 && n->in[2] >= 0 ? pass_vector(g, n->in[2], &channels) : NULL;
    float *to;
    int made = pass_new_f32(p, from != NULL ? g->tensors[n->in[2]].name : n->name, 1, dims, &to);
    int *in = pare_arena_array(&g->arena, 3, sizeof *in);
    if (made < 0 || in == NULL) {
        return pass_no_memory(p);
    }
    n = &g->nodes[layer];
    for (int64_t c = 0; c < a->n; c++) {
        double b = from != NULL ? (double)from[c] : 0.0;
        b = a->scale != NULL ? b * a->scale[c] : b;
        to[c] = (float)(a->shift != NULL ? b + a->shift[c] : b);
    }
    memcpy(in, n->in, 2 * sizeof *in);
    in[2] = made;
    n->in = in;
    n->n_in = 3;
    return PARE_OK;
}

/* The layer now makes what `node` made. */
static enum pare_status absorb(struct pass *p, int layer, int node, const struct affine *a)
{
    struct pare_graph *g = p->g;
    bool has_bias = g->nodes[layer].n_in > 2 && g->nodes[layer].in[2] >= 0;
    enum pare_status status = a->scale != NULL ? scale_weights(p, layer, a->scale) : PARE_OK;
    if (status == PARE_OK && (a->shift != NULL || has_bias)) {
        status = set_bias(p, layer, a);
    }
    if (status == PARE_OK) {
        int out = g->nodes[node].out[0];
        g->nodes[layer].out[0] = out;
        g->tensors[out].producer = layer;
        pass_kill(p, node);
    }
    return status;
}

static float *copy_floats(struct pass *p, const float *values, int64_t n)
{
    float *copy = pare_arena_array(&p->g->arena, (size_t)n, sizeof *copy);
    if (copy != NULL) {
        memcpy(copy, values, (size_t)n * sizeof *copy);
    }
    return copy;
}

static enum pare_status fold_batch_norm(struct pass *p, int node)
{
    struct pare_graph *g = p->g;
    const struct pare_node *n = &g->nodes[node];
    const float *v[4];
    int64_t channels = -1;
    int layer =
        n->n_in == 5 && n->n_out > 0 && n->out[0] >= 0 ? layer_before(p, n->in[0], node) : -1;
    if (layer < 0) {
        return PARE_OK;
    }
    for (int i = 0; i < 4; i++) { /* gamma, beta, mean, variance */
        v[i] = pass_vector(g, n->in[1 + i], &channels);
        if (v[i] == NULL || channels != pare_node_out_channels(g, layer)) {
            return PARE_OK;
        }
    }
    double *scale = pare_arena_array(&g->arena, (size_t)channels, sizeof *scale);
    double *shift = pare_arena_array(&g->arena, (size_t)channels, sizeof *shift);
    struct pare_bn_stats *bn = pare_arena_alloc(&g->arena, sizeof *bn);
    if (scale == NULL || shift == NULL || bn == NULL) {
        return pass_no_memory(p);
    }
    for (int64_t c = 0; c < channels; c++) {
        double spread = (double)v[3][c] + (double)n->attr.epsilon;
        if (!(spread > 0.0)) {
            return PARE_OK; /* stays a node: it gives NaN or Inf, which running it shows */
        }
        scale[c] = (double)v[0][c] / sqrt(spread);
        shift[c] = (double)v[1][c] - (double)v[2][c] * scale[c];
    }
    *bn = (struct pare_bn_stats){(int)channels, copy_floats(p, v[0], channels),
                                 copy_floats(p, v[1], channels), copy_floats(p, v[2], channels),
                                 copy_floats(p, v[3], channels)};
    if (bn->gamma == NULL || bn->beta == NULL || bn->mean == NULL || bn->variance == NULL) {
        return pass_no_memory(p);
    }
    struct affine a = {channels, scale, shift};
    enum pare_status status = absorb(p, layer, node, &a);
    g->nodes[layer].bn = bn;
    p->report->n_bn_folded++;
    return status;
}

/* layer + c, layer - c, c - layer, layer * c, layer / c with c a constant per channel. */
static enum pare_status fold_vector(struct pass *p, int node)
{
    struct pare_graph *g = p->g;
    const struct pare_node *n = &g->nodes[node];
    int64_t given;
    int side = n->n_in == 2 && pass_is_const(g, n->in[0]) ? 0 : 1; /* of the constant */
    const float *c = n->n_in == 2 && n->in[0] >= 0 ? pass_vector(g, n->in[side], &given) : NULL;
    int layer = c != NULL ? layer_before(p, n->in[1 - side], node) : -1;
    if (layer < 0 || g->nodes[layer].bn != NULL || (side == 0 && n->op == PARE_OP_DIV)) {
        return PARE_OK;
    }
    int64_t channels = pare_node_out_channels(g, layer);
    if ((given != channels && given != 1) ||
        !pass_same_shape(&g->tensors[n->out[0]], &g->tensors[n->in[1 - side]])) {
        return PARE_OK;
    }
    bool scales =
        n->op == PARE_OP_MUL || n->op == PARE_OP_DIV || (n->op == PARE_OP_SUB && side == 0);
    bool shifts = n->op == PARE_OP_ADD || n->op == PARE_OP_SUB;
    double *scale = scales ? pare_arena_array(&g->arena, (size_t)channels, sizeof *scale) : NULL;
    double *shift = shifts ? pare_arena_array(&g->arena, (size_t)channels, sizeof *shift) : NULL;
    if ((scales && scale == NULL) || (shifts && shift == NULL)) {
        return pass_no_memory(p);
    }
    for (int64_t i = 0; i < channels; i++) {
        double value = (double)c[given == 1 ? 0 : i];
        if (!isfinite(value) || (n->op == PARE_OP_DIV && value == 0.0)) {
            return PARE_OK;
        }
        if (scales) {
            scale[i] = n->op == PARE_OP_MUL ? value : n->op == PARE_OP_DIV ? 1.0 / value : -1.0;
        }
        if (shifts) {
            shift[i] = n->op == PARE_OP_SUB && side == 1 ? -value : value;
        }
    }
    struct affine a = {channels, scale, shift};
    return absorb(p, layer, node, &a);
}

enum pare_status pass_bn(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes && status == PARE_OK; i++) {
        switch (g->nodes[i].op) {
        case PARE_OP_BATCH_NORM:
            status = fold_batch_norm(p, i);
            break;
        case PARE_OP_ADD:
        case PARE_OP_SUB:
        case PARE_OP_MUL:
        case PARE_OP_DIV:
            status = fold_vector(p, i);
            break;
        default:
            break;
        }
    }
    return pass_commit(p, status);
}
