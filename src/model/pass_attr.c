/*
 * pass_attr.c: constant inputs become attributes, so that the other passes and the planner see one
 * form: SLICE, PAD, REDUCE, SQUEEZE, UNSQUEEZE, CLIP, SPLIT with n_in == 1, RESIZE with the axes
 * that it changes.
 */
#include <math.h>
#include <string.h>

#include "model/passes.h"

/* Integers of constant input k; count, or -1 when it is absent or not constant. */
static int ints_of(const struct pare_graph *g, const struct pare_node *n, int k, int64_t *values,
                   int max)
{
    return k < n->n_in && n->in[k] >= 0 ? pare_tensor_const_ints(&g->tensors[n->in[k]], values, max)
                                        : -1;
}

static bool has(const struct pare_node *n, int k)
{
    return k < n->n_in && n->in[k] >= 0;
}

static bool set_axes(struct pare_attr *attr, const int64_t *axes, int n, int rank)
{
    int checked[PARE_MAX_RANK];
    for (int i = 0; i < n; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank) {
            return false;
        }
        checked[i] = (int)axis;
    }
    memcpy(attr->axes, checked, sizeof checked);
    attr->n_axes = n;
    return true;
}

static void slice_attributes(struct pare_graph *g, struct pare_node *n)
{
    int64_t begin[PARE_MAX_RANK], end[PARE_MAX_RANK], axes[PARE_MAX_RANK], step[PARE_MAX_RANK];
    int rank = g->tensors[n->in[0]].rank, n_begin = ints_of(g, n, 1, begin, PARE_MAX_RANK);
    int n_end = ints_of(g, n, 2, end, PARE_MAX_RANK);
    if (n->n_in < 3 || rank < 0 || n_begin < 0 || n_begin != n_end || n_begin > rank) {
        return;
    }
    for (int i = 0; i < n_begin; i++) {
        axes[i] = i;
        step[i] = 1;
    }
    if ((has(n, 3) && ints_of(g, n, 3, axes, PARE_MAX_RANK) != n_begin) ||
        (has(n, 4) && ints_of(g, n, 4, step, PARE_MAX_RANK) != n_begin) ||
        !set_axes(&n->attr, axes, n_begin, rank)) {
        return;
    }
    memcpy(n->attr.begin, begin, sizeof begin);
    memcpy(n->attr.end, end, sizeof end);
    memcpy(n->attr.step, step, sizeof step);
    n->n_in = 1;
}

static void pad_attributes(struct pare_graph *g, struct pare_node *n)
{
    int64_t pads[2 * PARE_MAX_RANK], axes[PARE_MAX_RANK];
    int rank = g->tensors[n->in[0]].rank, n_pads = ints_of(g, n, 1, pads, 2 * PARE_MAX_RANK),
        n_axes = n_pads / 2;
    float value = 0.0f;
    if (n->n_in < 2 || rank < 0 || n_pads < 0 || n_pads % 2 != 0 || n_axes > rank ||
        (has(n, 2) && !pass_scalar(g, n->in[2], &value))) {
        return;
    }
    for (int i = 0; i < n_axes; i++) {
        axes[i] = i;
    }
    if (has(n, 3) ? ints_of(g, n, 3, axes, PARE_MAX_RANK) != n_axes : n_axes != rank) {
        return;
    }
    if (!set_axes(&n->attr, axes, n_axes, rank)) {
        return;
    }
    for (int i = 0; i < n_axes; i++) {
        n->attr.pad_before[i] = pads[i];
        n->attr.pad_after[i] = pads[n_axes + i];
    }
    n->attr.value = has(n, 2) ? value : n->attr.value;
    n->n_in = 1;
}

/* REDUCE_*, SQUEEZE, UNSQUEEZE: axes in input 1. */
static void axes_attributes(struct pare_graph *g, struct pare_node *n)
{
    int64_t axes[PARE_MAX_RANK];
    int count = ints_of(g, n, 1, axes, PARE_MAX_RANK), rank = g->tensors[n->in[0]].rank;
    if (n->n_in < 2) {
        return;
    }
    if (n->in[1] < 0) {
        n->n_in = 1;
        return;
    }
    if (count < 0 || rank < 0) {
        return;
    }
    bool reduce = n->op != PARE_OP_SQUEEZE && n->op != PARE_OP_UNSQUEEZE;
    if (count == 0 && reduce) { /* none named: all, or (with the flag) none */
        n->attr.n_axes = n->attr.noop_with_empty_axes ? 0 : -1;
        n->n_in = 1;
        return;
    }
    if (set_axes(&n->attr, axes, count, n->op == PARE_OP_UNSQUEEZE ? rank + count : rank)) {
        n->n_in = 1;
    }
}

static void clip_attributes(struct pare_graph *g, struct pare_node *n)
{
    float lo = -INFINITY, hi = INFINITY;
    if (n->n_in > 1) {
        if ((has(n, 1) && !pass_scalar(g, n->in[1], &lo)) ||
            (has(n, 2) && !pass_scalar(g, n->in[2], &hi)) ||
            g->tensors[n->in[0]].dtype != PARE_F32) {
            return;
        }
        n->attr.lo = lo;
        n->attr.hi = hi;
        n->n_in = 1;
    }
    if (n->attr.lo == 0.0f && n->attr.hi == INFINITY && g->tensors[n->in[0]].dtype == PARE_F32) {
        n->op = PARE_OP_RELU;
    }
}

static void split_attributes(struct pare_graph *g, struct pare_node *n)
{
    if (n->n_in < 2 || n->in[1] < 0) {
        return;
    }
    int64_t *sizes = pare_arena_array(&g->arena, (size_t)n->n_out, sizeof *sizes);
    if (sizes != NULL && ints_of(g, n, 1, sizes, n->n_out) == n->n_out) {
        n->attr.sizes = sizes;
        n->attr.n_sizes = n->n_out;
        n->n_in = 1;
    }
}

/* Keeps the entries of `sizes` or `scales` whose axis changes. */
static enum pare_status resize_attributes(struct pass *p, struct pare_node *n)
{
    struct pare_graph *g = p->g;
    const struct pare_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    const float *scales = n->n_in > 2 ? pass_const_f32(g, n->in[2]) : NULL;
    float kept_scales[PARE_MAX_RANK];
    int64_t sizes[PARE_MAX_RANK], kept_sizes[PARE_MAX_RANK];
    int n_sizes = ints_of(g, n, 3, sizes, PARE_MAX_RANK), rank = x->rank, kept = 0;
    int n_entries = n->attr.n_axes < 0 ? rank : n->attr.n_axes, axes[PARE_MAX_RANK];
    if (n->attr.resize.coord == PARE_COORD_TF_CROP_AND_RESIZE ||
        n->attr.resize.aspect != PARE_ASPECT_STRETCH || !pass_shape_known(x) ||
        !pass_shape_known(y) || x->rank != y->rank || n->n_in < 3) {
        return PARE_OK;
    }
    int n_scales = scales != NULL ? (int)pare_tensor_elements(&g->tensors[n->in[2]]) : 0;
    bool by_scale = n_scales == n_entries && n_sizes <= 0,
         by_size = n_sizes == n_entries && n_scales == 0;
    if (!by_scale && !by_size) {
        return PARE_OK;
    }
    for (int i = 0; i < n_entries; i++) {
        int axis = n->attr.n_axes < 0 ? i : n->attr.axes[i];
        if (axis < 0 || axis >= rank) {
            return PARE_OK;
        }
        if (x->dims[axis] != y->dims[axis] || (by_scale && scales[i] != 1.0f)) {
            axes[kept] = axis;
            kept_scales[kept] = by_scale ? scales[i] : 1.0f;
            kept_sizes[kept++] = y->dims[axis];
        }
    }
    if (kept == 0 || kept == n_entries) {
        return PARE_OK;
    }
    const char *name = y->name;
    int64_t dims[1] = {kept};
    int made = by_scale
                   ? pare_graph_add_const(g, name, PARE_F32, 1, dims, kept_scales, (size_t)kept * 4)
                   : pass_new_ints(p, name, kept, kept_sizes);
    if (made < 0) {
        return pass_no_memory(p);
    }
    n->in[1] = -1; /* regions are for crop-and-resize */
    n->in[by_scale ? 2 : 3] = made;
    memcpy(n->attr.axes, axes, sizeof axes);
    n->attr.n_axes = kept;
    return PARE_OK;
}

enum pare_status pass_attributes(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = PARE_OK;
    for (int i = 0; i < g->n_nodes && status == PARE_OK; i++) {
        struct pare_node *n = &g->nodes[i];
        if (n->n_in < 1 || n->in[0] < 0 || n->n_out < 1 || n->out[0] < 0) {
            continue;
        }
        switch (n->op) {
        case PARE_OP_SLICE:
            slice_attributes(g, n);
            break;
        case PARE_OP_PAD:
            pad_attributes(g, n);
            break;
        case PARE_OP_SQUEEZE:
        case PARE_OP_UNSQUEEZE:
        case PARE_OP_REDUCE_MEAN:
        case PARE_OP_REDUCE_MAX:
        case PARE_OP_REDUCE_MIN:
        case PARE_OP_REDUCE_SUM:
            axes_attributes(g, n);
            break;
        case PARE_OP_CLIP:
            clip_attributes(g, n);
            break;
        case PARE_OP_SPLIT:
            split_attributes(g, n);
            break;
        case PARE_OP_RESIZE:
            status = resize_attributes(p, n);
            break;
        default:
            break;
        }
    }
    return status;
}
