/*
 * pass_dense.c: layers in their canonical form. MATMUL and GEMM with a constant matrix become
 * FULLY_CONNECTED, CONV with one input channel per group becomes DEPTHWISE.
 */
#include <string.h>

#include "model/passes.h"

/* Matrix b [K, N] (or [N, K] when transposed) as float32 weights [N, K] times alpha; -1: no memory.
 */
static int dense_weights(struct pass *p, int b, bool transposed, float alpha)
{
    struct pare_graph *g = p->g;
    const struct pare_tensor *t = &g->tensors[b];
    int64_t rows = t->dims[t->rank - 2], cols = t->dims[t->rank - 1];
    int64_t n = transposed ? rows : cols, k = transposed ? cols : rows, dims[2] = {n, k};
    if (transposed && alpha == 1.0f && t->rank == 2) {
        return b;
    }
    const float *from = t->data;
    float *to;
    int w = pass_new_f32(p, t->name, 2, dims, &to);
    if (w < 0) {
        return -1;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < k; j++) {
            to[i * k + j] = alpha * (transposed ? from[i * k + j] : from[j * n + i]);
        }
    }
    return w;
}

/* A constant matrix: rank 2, or more with leading ones. */
static bool is_matrix(const struct pare_graph *g, int t)
{
    const struct pare_tensor *m = &g->tensors[t];
    if (pass_const_f32(g, t) == NULL || m->rank < 2) {
        return false;
    }
    for (int i = 0; i + 2 < m->rank; i++) {
        if (m->dims[i] != 1) {
            return false;
        }
    }
    return m->dims[m->rank - 1] > 0 && m->dims[m->rank - 2] > 0;
}

static enum pare_status matmul_to_dense(struct pass *p, int node)
{
    struct pare_graph *g = p->g;
    struct pare_node *n = &g->nodes[node];
    const struct pare_tensor *a = &g->tensors[n->in[0]], *b = &g->tensors[n->in[1]];
    if (a->data != NULL || a->dtype != PARE_F32 || a->rank < 1 || !is_matrix(g, n->in[1]) ||
        (b->rank > 2 && b->rank > a->rank)) {
        return PARE_OK;
    }
    int w = dense_weights(p, n->in[1], false, 1.0f);
    if (w < 0) {
        return pass_no_memory(p);
    }
    n->in[1] = w;
    n->op = PARE_OP_FULLY_CONNECTED;
    p->changed = true;
    return PARE_OK;
}

/* beta * c as a bias of n values: -1 absent, -2 not possible, -3 no memory. */
static int dense_bias(struct pass *p, int c, float beta, int64_t n)
{
    int64_t given, dims[1] = {n};
    float *bias;
    if (c < 0 || beta == 0.0f) {
        return -1;
    }
    const float *values = pass_vector(p->g, c, &given);
    if (values == NULL || (given != n && given != 1)) {
        return -2;
    }
    if (beta == 1.0f && given == n && p->g->tensors[c].rank == 1) {
        return c;
    }
    int made = pass_new_f32(p, p->g->tensors[c].name, 1, dims, &bias);
    for (int64_t i = 0; made >= 0 && i < n; i++) {
        bias[i] = beta * values[given == n ? i : 0];
    }
    return made >= 0 ? made : -3;
}

static enum pare_status gemm_to_dense(struct pass *p, int node)
{
    struct pare_graph *g = p->g;
    struct pare_node *n = &g->nodes[node];
    const struct pare_tensor *a = &g->tensors[n->in[0]];
    if (a->data != NULL || a->dtype != PARE_F32 || a->rank != 2 || n->attr.trans_a ||
        !is_matrix(g, n->in[1]) || g->tensors[n->in[1]].rank != 2) {
        return PARE_OK;
    }
    int64_t channels = g->tensors[n->in[1]].dims[n->attr.trans_b ? 0 : 1];
    int bias = dense_bias(p, n->n_in > 2 ? n->in[2] : -1, n->attr.beta, channels);
    if (bias == -2) {
        return PARE_OK;
    }
    int w = bias != -3 ? dense_weights(p, n->in[1], n->attr.trans_b, n->attr.alpha) : -1;
    if (w < 0) {
        return pass_no_memory(p);
    }
    n = &g->nodes[node];
    n->in[1] = w;
    if (n->n_in > 2) {
        n->in[2] = bias;
    }
    n->n_in = bias >= 0 ? 3 : 2;
    n->attr.alpha = n->attr.beta = 1.0f;
    n->attr.trans_b = false;
    n->op = PARE_OP_FULLY_CONNECTED;
    p->changed = true;
    return PARE_OK;
}

static enum pare_status conv_to_depthwise(struct pass *p, int node)
{
    static const int perm[3] = {1, 2, 0}; /* [C*m, kh, kw] -> [kh, kw, C*m] */
    struct pare_graph *g = p->g;
    struct pare_node *n = &g->nodes[node];
    if (n->attr.groups < 2 || n->attr.window.n_spatial != 2 || !pass_is_const(g, n->in[1])) {
        return PARE_OK;
    }
    struct pare_tensor flat = g->tensors[n->in[1]];
    const struct pare_tensor *x = &g->tensors[n->in[0]];
    if (flat.rank != 4 || flat.dims[3] != 1 || x->rank != 4 || x->dims[3] != n->attr.groups ||
        !pass_can_permute(&flat)) {
        return PARE_OK;
    }
    int view = pare_graph_add_tensor(g, "", flat.dtype);
    if (view < 0) {
        return pass_no_memory(p);
    }
    flat.rank = 3; /* the last dimension is 1 */
    g->tensors[view] = flat;
    int w = pass_permute_const(p, view, perm);
    if (w < 0) {
        return pass_no_memory(p);
    }
    n = &g->nodes[node];
    n->in[1] = w;
    n->op = PARE_OP_DEPTHWISE;
    p->changed = true;
    return PARE_OK;
}

enum pare_status pass_dense(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes && status == PARE_OK; i++) {
        const struct pare_node *n = &g->nodes[i];
        if (n->n_in < 2 || n->in[0] < 0 || n->in[1] < 0) {
            continue;
        }
        if (n->op == PARE_OP_MATMUL) {
            status = matmul_to_dense(p, i);
        } else if (n->op == PARE_OP_GEMM) {
            status = gemm_to_dense(p, i);
        } else if (n->op == PARE_OP_CONV) {
            status = conv_to_depthwise(p, i);
        }
    }
    return pass_commit(p, status);
}
