/*
 * pass_layout_reshape.c: a reshape of a transposed tensor. Axes of input and output fall into
 * groups of equal products (NCHW -> [2, C/2, HW]: C with 2, C/2; H, W with HW). A group whose axes
 * lie side by side and in order in the base is reshaped there, and the transpose stays a view.
 * Where they do not, the base is first transposed just so far that they do: the channel shuffle of
 * a ShuffleNet becomes no transpose at all.
 */
#include <string.h>

#include "model/passes_layout.h"

struct group {
    int n_in, n_out;
    int in[PARE_MAX_RANK],
        out[PARE_MAX_RANK]; /* axes of the view; axes of the result; none of size 1 */
};

/* The axes larger than 1 of dims; returns how many. */
static int real_axes_of(const int64_t *dims, int rank, int *axes)
{
    int n = 0;
    for (int i = 0; i < rank; i++) {
        if (dims[i] != 1) {
            axes[n++] = i;
        }
    }
    return n;
}

/* Groups of the axes larger than 1. Both shapes have as many elements, at least 1. Returns the
 * number of groups. */
static int find_groups(const int64_t *in, int in_rank, const int64_t *out, int out_rank,
                       struct group *groups)
{
    int in_axes[PARE_MAX_RANK], out_axes[PARE_MAX_RANK], i = 0, o = 0, n = 0;
    int n_in = real_axes_of(in, in_rank, in_axes), n_out = real_axes_of(out, out_rank, out_axes);
    while (i < n_in && o < n_out) {
        struct group *g = &groups[n++];
        int64_t product_in = in[in_axes[i]], product_out = out[out_axes[o]];
        g->n_in = g->n_out = 1;
        g->in[0] = in_axes[i++];
        g->out[0] = out_axes[o++];
        while (product_in != product_out) {
            if (product_in < product_out) {
                product_in *= in[in_axes[i]];
                g->in[g->n_in++] = in_axes[i++];
            } else {
                product_out *= out[out_axes[o]];
                g->out[g->n_out++] = out_axes[o++];
            }
        }
    }
    return n;
}

/* Groups in the order of the first of their axes in the base. */
static void sort_groups(const struct view *v, const struct group *groups, int n, int *order)
{
    int first[PARE_MAX_RANK];
    for (int g = 0; g < n; g++) {
        first[g] = PARE_MAX_RANK;
        for (int i = 0; i < groups[g].n_in; i++) {
            int at = v->perm[groups[g].in[i]];
            first[g] = at < first[g] ? at : first[g];
        }
        order[g] = g;
    }
    for (int i = 1; i < n; i++) {
        for (int k = i; k > 0 && first[order[k]] < first[order[k - 1]]; k--) {
            int swap = order[k];
            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
    }
}

/* The base with its axes so that every group lies side by side: ones first, then groups in order.
 */
static struct view arranged(const struct layout *l, const struct view *v,
                            const struct group *groups, int n, const int *order)
{
    const struct pare_tensor *base = &l->g->tensors[v->base];
    struct view w = {v->base, v->rank, {0}};
    int at = 0;
    for (int b = 0; b < v->rank; b++) {
        if (base->dims[b] == 1) {
            w.perm[at++] = (signed char)b;
        }
    }
    for (int g = 0; g < n; g++) {
        for (int i = 0; i < groups[order[g]].n_in; i++) {
            w.perm[at++] = v->perm[groups[order[g]].in[i]];
        }
    }
    return w;
}

/* Where the result's axes lie in the new base: ones in front (a batch of one), then the groups in
 * order. A result whose axes keep their order is no view at all. */
static void place_axes(const struct pare_tensor *y, const struct group *groups, int n,
                       const int *order, signed char *perm, int64_t *dims)
{
    bool sorted = true;
    int at = 0;
    for (int g = 0; g < n; g++) {
        sorted = sorted && order[g] == g;
    }
    for (int i = 0; i < y->rank; i++) {
        if (sorted || y->dims[i] == 1) {
            perm[i] = (signed char)at;
            dims[at++] = y->dims[i];
        }
    }
    for (int i = 0; i < n && !sorted; i++) {
        const struct group *group = &groups[order[i]];
        for (int k = 0; k < group->n_out; k++) {
            perm[group->out[k]] = (signed char)at;
            dims[at++] = y->dims[group->out[k]];
        }
    }
}

bool layout_reshape(struct layout *l, const struct pare_node *n)
{
    struct pare_graph *g = l->g;
    const struct pare_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    struct view v = layout_view(l, n->in[0]);
    struct group groups[PARE_MAX_RANK];
    int order[PARE_MAX_RANK], rank = y->rank;
    int64_t dims[PARE_MAX_RANK];
    signed char perm[PARE_MAX_RANK];
    if (v.rank < 0 || !pass_shape_known(x) || !pass_shape_known(y) || pare_tensor_elements(x) < 1 ||
        pare_tensor_elements(x) != pare_tensor_elements(y) || x->quant != y->quant) {
        return false;
    }
    int n_groups = find_groups(x->dims, x->rank, y->dims, rank, groups);
    sort_groups(&v, groups, n_groups, order);
    struct view w = arranged(l, &v, groups, n_groups, order);
    struct view plain = {v.base, v.rank, {0, 1, 2, 3, 4, 5, 6, 7}};
    int from = layout_same(l, &w, &plain) ? v.base : layout_materialize(l, &w, -1);
    place_axes(y, groups, n_groups, order, perm, dims);
    int in[2] = {from, pass_new_ints(l->p, y->name, rank, dims)};
    if (in[0] < 0 || in[1] < 0) {
        l->failed = true;
        return true;
    }
    int node = layout_emit(l, n, 2, in, perm);
    if (node >= 0) {
        g->nodes[node].op = PARE_OP_RESHAPE;
    }
    return true;
}
