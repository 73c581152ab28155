/*
 * pass_prelu.c: PReLU as converters spell it, relu(x) + alpha * min(x, 0), in the forms
 *   relu(x) + (-alpha) * relu(-x)      relu(x) + alpha * -relu(-x)      relu(x) - alpha * relu(-x)
 *   relu(x) + alpha * min(x, 0)        relu(x) + alpha * (x - |x|) * 0.5
 * alpha any constant along the channels (then PRELU, slope [C]) or one number (LEAKY_RELU).
 */
#include <math.h>
#include <string.h>

#include "model/passes.h"

#define MAX_CHAIN 8

/* t = coef * min(x, 0), where coef = factor * product of vectors. */
struct negative {
    int x;
    double factor;
    int n_vectors;
    int vectors[2]; /* constants along the channels */
};

static const struct pare_node *maker(struct pass *p, int t)
{
    int node = pass_producer(p, t);
    /* A tensor on a grid of its own is not what the formula says. */
    return node >= 0 && p->g->tensors[pass_at(p, t)].quant == NULL ? &p->g->nodes[node] : NULL;
}

static bool is_zero(struct pass *p, int t)
{
    float v;
    return t >= 0 && pass_scalar(p->g, t, &v) && v == 0.0f;
}

/* x when t = max(x, 0); -1 otherwise. */
static int positive_of(struct pass *p, int t)
{
    const struct pare_node *n = maker(p, t);
    if (n == NULL || n->n_in < 1) {
        return -1;
    }
    if (n->op == PARE_OP_RELU ||
        (n->op == PARE_OP_CLIP && n->n_in == 1 && n->attr.lo == 0.0f && n->attr.hi == INFINITY)) {
        return pass_at(p, n->in[0]);
    }
    if (n->op == PARE_OP_MAX && n->n_in == 2) {
        return is_zero(p, n->in[1])   ? pass_at(p, n->in[0])
               : is_zero(p, n->in[0]) ? pass_at(p, n->in[1])
                                      : -1;
    }
    return -1;
}

/* The end of a chain: t = factor * min(x, 0) without constants. */
static bool plain_negative(struct pass *p, int t, struct negative *neg)
{
    const struct pare_node *n = maker(p, t), *inner;
    int y = positive_of(p, t);
    if (y >= 0 && (inner = maker(p, y)) != NULL && inner->op == PARE_OP_NEG) {
        neg->x = pass_at(p, inner->in[0]); /* relu(-x) = -min(x, 0) */
        neg->factor = -neg->factor;
        return true;
    }
    if (n == NULL) {
        return false;
    }
    if (n->op == PARE_OP_CLIP && n->n_in == 1 && n->attr.lo == -INFINITY && n->attr.hi == 0.0f) {
        neg->x = pass_at(p, n->in[0]);
        return true;
    }
    if (n->op == PARE_OP_MIN && n->n_in == 2 && (is_zero(p, n->in[0]) || is_zero(p, n->in[1]))) {
        neg->x = pass_at(p, n->in[is_zero(p, n->in[0]) ? 1 : 0]);
        return true;
    }
    if (n->op == PARE_OP_SUB && n->n_in == 2 && (inner = maker(p, n->in[1])) != NULL &&
        inner->op == PARE_OP_ABS && pass_at(p, inner->in[0]) == pass_at(p, n->in[0])) {
        neg->x = pass_at(p, n->in[0]); /* x - |x| = 2 min(x, 0) */
        neg->factor *= 2.0;
        return true;
    }
    return false;
}

static bool negative_of(struct pass *p, int t, struct negative *neg)
{
    *neg = (struct negative){-1, 1.0, 0, {-1, -1}};
    for (int depth = 0; depth < MAX_CHAIN; depth++) {
        if (plain_negative(p, t, neg)) {
            return true;
        }
        const struct pare_node *n = maker(p, t);
        if (n != NULL && n->op == PARE_OP_NEG) {
            neg->factor = -neg->factor;
            t = n->in[0];
        } else if (n != NULL && n->op == PARE_OP_MUL && n->n_in == 2) {
            int side = pass_is_const(p->g, n->in[0]) ? 0 : 1;
            float scalar;
            if (pass_scalar(p->g, n->in[side], &scalar)) {
                neg->factor *= (double)scalar;
            } else if (pass_is_const(p->g, n->in[side]) && neg->n_vectors < 2) {
                neg->vectors[neg->n_vectors++] = n->in[side];
            } else {
                return false;
            }
            t = n->in[1 - side];
        } else {
            return false;
        }
    }
    return false;
}

/* slope[c] = sign * coef[c] as a constant [C]; -1 no memory, -2 not along channels. */
static int slope_of(struct pass *p, const struct negative *neg, double sign)
{
    struct pare_graph *g = p->g;
    const struct pare_tensor *x = &g->tensors[neg->x];
    const float *vectors[2] = {NULL, NULL};
    int64_t dims[1] = {x->rank > 0 ? x->dims[x->rank - 1] : -1}, n;
    float *slope;
    for (int i = 0; i < neg->n_vectors; i++) {
        vectors[i] = pass_vector(g, neg->vectors[i], &n);
        if (vectors[i] == NULL || n != dims[0]) {
            return -2;
        }
    }
    if (dims[0] < 1) {
        return -2;
    }
    int made = pass_new_f32(p, g->tensors[neg->vectors[0]].name, 1, dims, &slope);
    for (int64_t c = 0; made >= 0 && c < dims[0]; c++) {
        double value = sign * neg->factor;
        for (int i = 0; i < neg->n_vectors; i++) {
            value *= (double)vectors[i][c];
        }
        slope[c] = (float)value;
    }
    return made;
}

static enum pare_status write_prelu(struct pass *p, int node, const struct negative *neg,
                                    double sign)
{
    struct pare_graph *g = p->g;
    if (neg->n_vectors == 0) {
        struct pare_node *n = &g->nodes[node];
        n->op = PARE_OP_LEAKY_RELU;
        n->attr.alpha = (float)(sign * neg->factor);
        n->in[0] = neg->x;
        n->n_in = 1;
    } else {
        int slope = slope_of(p, neg, sign);
        if (slope == -2) {
            return PARE_OK;
        }
        if (slope < 0) {
            return pass_no_memory(p);
        }
        struct pare_node *n = &g->nodes[node];
        n->op = PARE_OP_PRELU;
        n->in[0] = neg->x;
        n->in[1] = slope;
    }
    p->report->n_prelu_fused++;
    p->changed = true;
    return PARE_OK;
}

static enum pare_status try_prelu(struct pass *p, int node)
{
    const struct pare_node *n = &p->g->nodes[node];
    struct negative neg;
    if (n->n_in != 2 || n->in[0] < 0 || n->in[1] < 0) {
        return PARE_OK;
    }
    for (int side = 0; side < (n->op == PARE_OP_ADD ? 2 : 1); side++) {
        int x = positive_of(p, n->in[side]);
        if (x >= 0 && negative_of(p, n->in[1 - side], &neg) && neg.x == x) {
            return write_prelu(p, node, &neg, n->op == PARE_OP_ADD ? 1.0 : -1.0);
        }
    }
    return PARE_OK;
}

/* A slope along the channels is written [C]. */
static enum pare_status normalise_slope(struct pass *p, int node)
{
    struct pare_graph *g = p->g;
    struct pare_node *n = &g->nodes[node];
    int64_t channels;
    const float *values = n->n_in == 2 ? pass_vector(g, n->in[1], &channels) : NULL;
    if (values == NULL || g->tensors[n->in[1]].rank == 1) {
        return PARE_OK;
    }
    const char *name = g->tensors[n->in[1]].name;
    int made = pare_graph_add_const(g, name, PARE_F32, 1, &channels, values,
                                    (size_t)channels * sizeof *values);
    if (made < 0) {
        return pass_no_memory(p);
    }
    g->nodes[node].in[1] = made;
    p->changed = true;
    return PARE_OK;
}

enum pare_status pass_prelu(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes && status == PARE_OK; i++) {
        if (g->nodes[i].op == PARE_OP_ADD || g->nodes[i].op == PARE_OP_SUB) {
            status = try_prelu(p, i);
        }
        if (status == PARE_OK && g->nodes[i].op == PARE_OP_PRELU) {
            status = normalise_slope(p, i);
        }
    }
    return pass_commit(p, status);
}
