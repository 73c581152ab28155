/*
 * pass_flatten.c: TRANSPOSE, RESHAPE to rows, FULLY_CONNECTED (a network that flattens NCHW): the
 * transpose goes and the columns of the weights are permuted instead.
 */
#include <string.h>

#include "model/passes.h"

/* The first view axis j such that axes before it stay in place and the product of the rest is k; -1
 * = none. */
static int split_axis(const struct pare_tensor *x, const int *perm, int64_t k)
{
    int64_t product = 1;
    int j = x->rank;
    while (j > 0 && product < k) {
        product *= x->dims[perm[--j]];
    }
    for (int i = 0; i < j; i++) {
        if (perm[i] != i) {
            return -1;
        }
    }
    return product == k ? j : -1;
}

/* Weights [N, K] whose columns follow the base's order instead of the view's. */
static int permuted_weights(struct pass *p, int w, const struct pare_tensor *x, const int *perm,
                            int j)
{
    int64_t view_dims[PARE_MAX_RANK + 1];
    int back[PARE_MAX_RANK + 1], n = x->rank - j;
    struct pare_tensor wide = p->g->tensors[w];
    view_dims[0] = wide.dims[0];
    back[0] = 0;
    for (int i = 0; i < n; i++) { /* [N, view axes] -> [N, base axes] */
        view_dims[1 + i] = x->dims[perm[j + i]];
        back[1 + perm[j + i] - j] = 1 + i;
    }
    int view = n + 1 <= PARE_MAX_RANK ? pare_graph_add_tensor(p->g, "", wide.dtype) : -1;
    if (view < 0) {
        return -1;
    }
    struct pare_tensor narrow = wide;
    wide.rank = n + 1;
    memcpy(wide.dims, view_dims, (size_t)(n + 1) * sizeof view_dims[0]);
    p->g->tensors[view] = wide;
    int made = pass_permute_const(p, view, back);
    if (made >= 0) {
        p->g->tensors[made].rank = 2;
        memcpy(p->g->tensors[made].dims, narrow.dims, sizeof narrow.dims);
    }
    return made;
}

static bool readers_are_dense(struct pass *p, int t)
{
    struct pare_graph *g = p->g;
    if (g->tensors[t].is_output || p->first_user[t] == p->first_user[t + 1]) {
        return false;
    }
    for (int i = p->first_user[t]; i < p->first_user[t + 1]; i++) {
        const struct pare_node *n = &g->nodes[p->users[i]];
        if (n->op != PARE_OP_FULLY_CONNECTED || n->in[0] != t || n->in[1] == t ||
            !pass_is_const(g, n->in[1]) || g->tensors[n->in[1]].rank != 2 ||
            !pass_can_permute(&g->tensors[n->in[1]])) {
            return false;
        }
    }
    return true;
}

static enum pare_status try_flatten(struct pass *p, int reshape)
{
    struct pare_graph *g = p->g;
    struct pare_node *r = &g->nodes[reshape];
    int t = r->in[0], producer = t >= 0 ? g->tensors[t].producer : -1, y = r->out[0];
    if (producer < 0 || g->nodes[producer].op != PARE_OP_TRANSPOSE || y >= p->n_tensors ||
        !readers_are_dense(p, y)) {
        return PARE_OK;
    }
    const struct pare_node *transpose = &g->nodes[producer];
    const struct pare_tensor x = g->tensors[transpose->in[0]];
    int64_t k = g->tensors[y].rank > 0 ? g->tensors[y].dims[g->tensors[y].rank - 1] : 0;
    int j = pass_shape_known(&x) && k > 0 ? split_axis(&x, transpose->attr.perm, k) : -1;
    if (j < 0 || x.rank - j + 1 > PARE_MAX_RANK) {
        return PARE_OK;
    }
    for (int i = p->first_user[y]; i < p->first_user[y + 1]; i++) {
        int fc = p->users[i], w = g->nodes[fc].in[1];
        if (g->tensors[w].dims[1] != k) {
            return PARE_OK;
        }
    }
    for (int i = p->first_user[y]; i < p->first_user[y + 1]; i++) {
        int fc = p->users[i];
        int made = permuted_weights(p, g->nodes[fc].in[1], &x, g->nodes[producer].attr.perm, j);
        if (made < 0) {
            return pass_no_memory(p);
        }
        g->nodes[fc].in[1] = made;
    }
    g->nodes[reshape].in[0] = g->nodes[producer].in[0];
    p->changed = true;
    return PARE_OK;
}

enum pare_status pass_flatten(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes && status == PARE_OK; i++) {
        if ((g->nodes[i].op == PARE_OP_RESHAPE || g->nodes[i].op == PARE_OP_FLATTEN) &&
            g->nodes[i].n_in > 0) {
            status = try_flatten(p, i);
        }
    }
    return pass_commit(p, status);
}
