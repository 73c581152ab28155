/*
 * pass_swish.c: activations spelled out become one node. x * sigmoid(a x) is SWISH(a); clip(x + 3,
 * 0, 6) / 6 is HARD_SIGMOID(1/6, 1/2); x times that is HARD_SWISH, whichever of the three factors
 * meet first.
 */
#include <math.h>

#include "model/passes.h"

static const struct pare_node *maker(struct pass *p, int t)
{
    int node = t >= 0 ? pass_producer(p, t) : -1;
    return node >= 0 && p->g->tensors[pass_at(p, t)].quant == NULL ? &p->g->nodes[node] : NULL;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fabs(b);
}

/* t = u * factor with one constant number: u, or -1. DIV counts as 1/constant. */
static int scaled(struct pass *p, int t, double *factor)
{
    const struct pare_node *n = maker(p, t);
    float c;
    if (n == NULL || n->n_in != 2 || (n->op != PARE_OP_MUL && n->op != PARE_OP_DIV)) {
        return -1;
    }
    if (pass_scalar(p->g, n->in[1], &c) && c != 0.0f) {
        *factor = n->op == PARE_OP_DIV ? 1.0 / (double)c : (double)c;
        return pass_at(p, n->in[0]);
    }
    if (n->op == PARE_OP_MUL && pass_scalar(p->g, n->in[0], &c)) {
        *factor = (double)c;
        return pass_at(p, n->in[1]);
    }
    return -1;
}

/* x when t = clip(x + 3, 0, 6). */
static int shifted_relu6(struct pass *p, int t)
{
    const struct pare_node *clip = maker(p, t);
    float c;
    if (clip == NULL || clip->op != PARE_OP_CLIP || clip->n_in != 1 || clip->attr.lo != 0.0f ||
        clip->attr.hi != 6.0f) {
        return -1;
    }
    const struct pare_node *add = maker(p, clip->in[0]);
    if (add == NULL || add->op != PARE_OP_ADD || add->n_in != 2) {
        return -1;
    }
    for (int side = 0; side < 2; side++) {
        if (pass_scalar(p->g, add->in[side], &c) && c == 3.0f) {
            return pass_at(p, add->in[1 - side]);
        }
    }
    return -1;
}

/* x when t is the hard sigmoid of x with slope 1/6. */
static int hard_sigmoid_of(struct pass *p, int t)
{
    const struct pare_node *n = maker(p, t);
    double factor;
    if (n != NULL && n->op == PARE_OP_HARD_SIGMOID && near((double)n->attr.alpha, 1.0 / 6.0) &&
        near((double)n->attr.beta, 0.5)) {
        return pass_at(p, n->in[0]);
    }
    int u = scaled(p, t, &factor);
    return u >= 0 && near(factor, 1.0 / 6.0) ? shifted_relu6(p, u) : -1;
}

/* x when t = x * clip(x + 3, 0, 6). */
static int product_with_relu6(struct pass *p, int t)
{
    const struct pare_node *n = maker(p, t);
    for (int side = 0; n != NULL && n->op == PARE_OP_MUL && n->n_in == 2 && side < 2; side++) {
        int x = pass_at(p, n->in[side]);
        if (x >= 0 && shifted_relu6(p, n->in[1 - side]) == x) {
            return x;
        }
    }
    return -1;
}

static void become(struct pass *p, int node, enum pare_op op, int x, float alpha, float beta)
{
    struct pare_node *n = &p->g->nodes[node];
    n->op = op;
    n->in[0] = x;
    n->n_in = 1;
    n->attr.alpha = alpha;
    n->attr.beta = beta;
    p->changed = true;
}

static void try_swish(struct pass *p, int node)
{
    const struct pare_node *n = &p->g->nodes[node];
    double factor;
    if (n->n_in != 2 || n->n_out < 1 || n->out[0] < 0) {
        return;
    }
    for (int side = 0; n->op == PARE_OP_MUL && side < 2; side++) {
        int x = pass_at(p, n->in[side]);
        const struct pare_node *s = maker(p, n->in[1 - side]);
        if (x < 0 || pass_is_const(p->g, x)) {
            continue;
        }
        if (hard_sigmoid_of(p, n->in[1 - side]) == x) {
            become(p, node, PARE_OP_HARD_SWISH, x, 1.0f, 1.0f);
            return;
        }
        if (s == NULL || s->op != PARE_OP_SIGMOID) {
            continue;
        }
        int inner = pass_at(p, s->in[0]), under = scaled(p, inner, &factor);
        if (inner == x || under == x) {
            become(p, node, PARE_OP_SWISH, x, inner == x ? 1.0f : (float)factor, 1.0f);
            return;
        }
    }
    int u = n->op == PARE_OP_MUL || n->op == PARE_OP_DIV ? scaled(p, n->out[0], &factor) : -1;
    if (u >= 0 && near(factor, 1.0 / 6.0)) {
        int x = product_with_relu6(p, u), y = shifted_relu6(p, u);
        if (x >= 0) {
            become(p, node, PARE_OP_HARD_SWISH, x, 1.0f, 1.0f);
        } else if (y >= 0) {
            become(p, node, PARE_OP_HARD_SIGMOID, y, 1.0f / 6.0f, 0.5f);
        }
    }
}

enum pare_status pass_swish(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes; i++) {
        if ((g->nodes[i].op == PARE_OP_MUL || g->nodes[i].op == PARE_OP_DIV) &&
            g->tensors[g->nodes[i].out[0]].dtype == PARE_F32) {
            try_swish(p, i);
        }
    }
    return pass_commit(p, PARE_OK);
}
