/*
 * pass_layout_reshape.c: a reshape of a transposed tensor. Axes of input and output fall into groups of equal
 * products (NCHW -> [2, C/2, HW]: C with 2, C/2; H, W with HW). A group whose axes lie side by side and in order in the
 * base is reshaped there, and the transpose stays a view. Where they do not, the base is first
 * transposed just so far that they do: the channel shuffle of a ShuffleNet becomes no transpose at all.
 */
#include <string.h>

#include "model/passes_layout.h"

struct group {
    int n_in, n_out;
    int in[PARE_MAX_RANK], out[PARE_MAX_RANK]; /* axes of the view; axes of the result, ones included */
};

/* Groups of the axes larger than 1; result axes of size 1 go with the axis before them, leading ones are
 * counted apart. Returns the number of groups, -1 when the products do not meet. */
static int find_groups(const int64_t *in, int n_in, const int64_t *out, int n_out, struct group *groups, int *leading)
{
    int i = 0, o = 0, n = 0;
    while (o < n_out && out[o] == 1) {
        o++;
    }
    *leading = o;
    while (i < n_in || o < n_out) {
        int64_t product_in = 1, product_out = 1;
        struct group *g = &groups[n];
        if (n == PARE_MAX_RANK) {
            return -1;
        }
        g->n_in = g->n_out = 0;
        do {
            if (product_in <= product_out && i < n_in) {
                product_in *= in[i];
                if (in[i] != 1) {
                    g->in[g->n_in++] = i;
                }
                i++;
            } else if (o < n_out) {
                product_out *= out[o];
                g->out[g->n_out++] = o++;
            } else {
                return -1;
            }
        } while (product_in != product_out || (g->n_in == 0 && i < n_in));
        while (o < n_out && out[o] == 1) {
            g->out[g->n_out++] = o++;
        }
        while (i < n_in && in[i] == 1) {
            i++;
        }
        if (g->n_in == 0) { /* only ones were left */
            if (n > 0 && g->n_out > 0) {
                return -1;
            }
            continue;
        }
        n++;
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

/* The base with its axes so that every group lies side by side: ones first, then groups in order. */
static struct view arranged(const struct layout *l, const struct view *v, const struct group *groups, int n,
                            const int *order)
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

bool layout_reshape(struct layout *l, const struct pare_node *n)
{
    struct pare_graph *g = l->g;
    const struct pare_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    struct view v = layout_view(l, n->in[0]);
    struct group groups[PARE_MAX_RANK];
    int order[PARE_MAX_RANK], leading, rank = y->rank;
    int64_t dims[PARE_MAX_RANK];
    signed char perm[PARE_MAX_RANK];
    if (v.rank < 0 || !pass_shape_known(x) || !pass_shape_known(y) || pare_tensor_elements(x) < 1 ||
        pare_tensor_elements(x) != pare_tensor_elements(y) || x->quant != y->quant) {
        return false;
    }
    int n_groups = find_groups(x->dims, x->rank, y->dims, rank, groups, &leading);
    if (n_groups < 0) {
        return false;
    }
    sort_groups(&v, groups, n_groups, order);
    struct view w = arranged(l, &v, groups, n_groups, order);
    struct view plain = {v.base, v.rank, {0, 1, 2, 3, 4, 5, 6, 7}};
    int from = layout_same(l, &w, &plain) ? v.base : layout_materialize(l, &w, -1);
    int at = leading;
    for (int i = 0; i < leading; i++) {
        perm[i] = (signed char)i;
        dims[i] = 1;
    }
    for (int i = 0; i < n_groups; i++) {
        const struct group *group = &groups[order[i]];
        for (int k = 0; k < group->n_out; k++) {
            perm[group->out[k]] = (signed char)at;
            dims[at++] = y->dims[group->out[k]];
        }
    }
    int in[2] = {from, at == rank ? pass_new_ints(l->p, y->name, rank, dims) : -1};
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
