/* pass_layout_rules.c: which operators run on transposed inputs, and what must be permuted with
 * them. */
#include <string.h>

#include "model/passes_layout.h"

static int64_t elements_of(const struct layout *l, const struct view *v)
{
    return pare_tensor_elements(&l->g->tensors[v->base]);
}

/* One input decides, its constants are scalars or vectors that know no axes. */
static bool unary_rule(struct layout *l, const struct pare_node *n)
{
    struct view v = layout_view(l, n->in[0]);
    int *in = pare_arena_array(&l->g->arena, (size_t)n->n_in, sizeof *in);
    if (v.rank < 0 || in == NULL || l->g->tensors[n->out[0]].rank != v.rank) {
        return false;
    }
    for (int k = 0; k < n->n_in; k++) {
        struct view other =
            n->in[k] >= 0 ? layout_view(l, n->in[k]) : (struct view){.base = -1, .rank = -1};
        in[k] = k == 0 ? v.base : n->in[k] >= 0 ? layout_materialize(l, &other, n->in[k]) : -1;
    }
    layout_emit(l, n, n->n_in, in, v.perm);
    return true;
}

/* ---- elementwise operators with several inputs ---- */

/* A constant of lower or equal rank as it broadcasts under perm. -1: failed. */
static int const_under(struct layout *l, int t, int rank, const signed char *perm)
{
    struct pare_graph *g = l->g;
    if (pare_tensor_elements(&g->tensors[t]) == 1) {
        return t;
    }
    int full = t;
    if (g->tensors[t].rank < rank) { /* leading ones make the ranks equal */
        struct pare_tensor copy = g->tensors[t];
        int ones = rank - copy.rank;
        full = pare_graph_add_tensor(g, "", copy.dtype);
        if (full < 0) {
            return -1;
        }
        memmove(copy.dims + ones, copy.dims, (size_t)copy.rank * sizeof copy.dims[0]);
        for (int i = 0; i < ones; i++) {
            copy.dims[i] = 1;
        }
        if (copy.quant != NULL && copy.quant->axis >= 0) {
            return -1;
        }
        copy.rank = rank;
        g->tensors[full] = copy;
    }
    struct view v = {full, rank, {0, 1, 2, 3, 4, 5, 6, 7}};
    return layout_under(l, &v, perm);
}

/* A lower-rank activation with leading ones, as a view. */
static struct view raised(struct layout *l, const struct view *v, int rank)
{
    struct pare_graph *g = l->g;
    struct view none = {.base = -1, .rank = -1};
    int64_t dims[PARE_MAX_RANK];
    int t = layout_materialize(l, v, -1), ones = rank - v->rank,
        up = t >= 0 ? pass_new_like(l->p, t) : -1;
    if (up < 0) {
        l->failed = true;
        return none;
    }
    for (int i = 0; i < rank; i++) {
        dims[i] = i < ones ? 1 : g->tensors[t].dims[i - ones];
    }
    memcpy(g->tensors[up].dims, dims, sizeof dims);
    g->tensors[up].rank = rank;
    int in[2] = {t, pass_new_ints(l->p, g->tensors[t].name, rank, dims)};
    if (in[1] < 0 || layout_add(l, PARE_OP_RESHAPE, "", 2, in, up) < 0) {
        l->failed = true;
        return none;
    }
    return (struct view){up, rank, {0, 1, 2, 3, 4, 5, 6, 7}};
}

/* The layout in which most of the inputs' elements already lie; transposed ones win ties. Index
 * into in[], or -1 when nothing is transposed. */
static int choose_layout(const struct layout *l, const struct pare_node *n, int rank)
{
    int64_t best_weight = -1;
    int best = -1;
    bool best_plain = true;
    for (int k = 0; k < n->n_in && k < PARE_MAX_INPUTS; k++) {
        struct view v = layout_view(l, n->in[k]);
        int64_t weight = 0;
        if (v.rank != rank || pass_is_const(l->g, v.base)) {
            continue;
        }
        for (int i = 0; i < n->n_in && i < PARE_MAX_INPUTS; i++) {
            struct view other = layout_view(l, n->in[i]);
            if (!pass_is_const(l->g, other.base) && other.rank == rank &&
                memcmp(v.perm, other.perm, (size_t)rank) == 0) {
                weight += elements_of(l, &other);
            }
        }
        bool plain = layout_is_plain(&v);
        if (weight > best_weight || (weight == best_weight && best_plain && !plain)) {
            best = k;
            best_weight = weight;
            best_plain = plain;
        }
    }
    return best >= 0 && !best_plain ? best : -1;
}

static bool all_shapes_known(const struct layout *l, const struct pare_node *n)
{
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] < 0 || !pass_shape_known(&l->g->tensors[n->in[k]])) {
            return false;
        }
    }
    return true;
}

static bool broadcast_rule(struct layout *l, const struct pare_node *n)
{
    int rank = l->g->tensors[n->out[0]].rank, in[2];
    if (n->n_in != 2 || rank < 0 || !all_shapes_known(l, n)) {
        return false;
    }
    int chosen = choose_layout(l, n, rank);
    if (chosen < 0) {
        return false;
    }
    struct view lead = layout_view(l, n->in[chosen]);
    for (int k = 0; k < 2; k++) {
        struct view v = layout_view(l, n->in[k]);
        const struct pare_tensor *t = &l->g->tensors[v.base];
        if (pass_is_const(l->g, v.base)) {
            if (!pass_can_permute(t) || (t->quant != NULL && t->quant->axis >= 0)) {
                return false;
            }
            int plain = layout_materialize(l, &v, n->in[k]);
            in[k] = plain >= 0 ? const_under(l, plain, rank, lead.perm) : -1;
        } else if (v.rank < rank && pare_tensor_elements(t) == 1) {
            in[k] = layout_materialize(l, &v, n->in[k]);
        } else {
            v = v.rank < rank ? raised(l, &v, rank) : v;
            in[k] = l->failed ? -1 : layout_under(l, &v, lead.perm);
        }
        if (in[k] < 0) {
            l->failed = true;
            return true;
        }
    }
    layout_emit(l, n, 2, in, lead.perm);
    return true;
}

static bool concat_rule(struct layout *l, const struct pare_node *n)
{
    int rank = l->g->tensors[n->out[0]].rank, axis = n->attr.axis;
    if (rank < 1 || n->n_in > PARE_MAX_INPUTS || !all_shapes_known(l, n)) {
        return false;
    }
    int chosen = choose_layout(l, n, rank);
    int *in = chosen >= 0 ? pare_arena_array(&l->g->arena, (size_t)n->n_in, sizeof *in) : NULL;
    if (in == NULL) {
        return false;
    }
    struct view lead = layout_view(l, n->in[chosen]);
    for (int k = 0; k < n->n_in; k++) {
        struct view v = layout_view(l, n->in[k]);
        in[k] = v.rank == rank ? layout_under(l, &v, lead.perm) : -1;
        if (in[k] < 0) {
            l->failed = true;
            return true;
        }
    }
    int node = layout_emit(l, n, n->n_in, in, lead.perm);
    if (node >= 0) {
        l->g->nodes[node].attr.axis = lead.perm[axis < 0 ? axis + rank : axis];
    }
    return true;
}

/* ---- one transposed input, axes in attributes ---- */

static int real_axis(int axis, int rank)
{
    return axis < 0 ? axis + rank : axis;
}

/* Emits the node on the base of its input; the outputs' view is the same permutation. */
static int on_base(struct layout *l, const struct pare_node *n, const struct view *v, int n_in)
{
    int in[4] = {v->base, -1, -1, -1};
    for (int k = 1; k < n_in && k < 4; k++) {
        in[k] = n->in[k];
    }
    return layout_emit(l, n, n_in, in, v->perm);
}

static bool axis_rule(struct layout *l, const struct pare_node *n)
{
    struct view v = layout_view(l, n->in[0]);
    int axis = real_axis(n->attr.axis, v.rank);
    if (v.rank < 1 || axis < 0 || axis >= v.rank || n->n_in > 3) {
        return false;
    }
    if (n->op == PARE_OP_SOFTMAX && !n->attr.newer_softmax && axis != v.rank - 1) {
        return false; /* runs over several axes at once */
    }
    int node = on_base(l, n, &v, n->n_in);
    if (node >= 0) {
        l->g->nodes[node].attr.axis = v.perm[axis];
        l->g->nodes[node].attr.newer_softmax = true;
    }
    return true;
}

/* SLICE, PAD, RESIZE: a list of axes. */
static bool axes_rule(struct layout *l, const struct pare_node *n)
{
    struct view v = layout_view(l, n->in[0]);
    bool resize = n->op == PARE_OP_RESIZE;
    if (v.rank < 1 || (!resize && (n->n_in != 1 || n->attr.n_axes < 0)) || n->n_in > 4 ||
        l->g->tensors[n->out[0]].rank != v.rank) {
        return false;
    }
    int node = on_base(l, n, &v, n->n_in);
    if (node < 0) {
        return true;
    }
    struct pare_attr *attr = &l->g->nodes[node].attr;
    if (attr->n_axes < 0) {
        attr->n_axes = v.rank;
        for (int i = 0; i < v.rank; i++) {
            attr->axes[i] = i;
        }
    }
    for (int i = 0; i < attr->n_axes; i++) {
        attr->axes[i] = v.perm[real_axis(attr->axes[i], v.rank)];
    }
    return true;
}

/* perm of what is left of a view when the marked base axes go. */
static void drop_axes(const struct view *v, unsigned gone, signed char *perm)
{
    int n = 0;
    for (int i = 0; i < v->rank; i++) {
        if ((gone >> v->perm[i] & 1) != 0) {
            continue;
        }
        int at = 0;
        for (int b = 0; b < v->perm[i]; b++) {
            at += (gone >> b & 1) == 0;
        }
        perm[n++] = (signed char)at;
    }
}

static bool reduce_rule(struct layout *l, const struct pare_node *n)
{
    struct view v = layout_view(l, n->in[0]);
    bool arg = n->op == PARE_OP_ARGMAX || n->op == PARE_OP_ARGMIN;
    signed char perm[PARE_MAX_RANK];
    unsigned gone = 0;
    int axes[PARE_MAX_RANK], n_axes = 0;
    if (v.rank < 1 || n->n_in != 1) {
        return false;
    }
    int given = arg ? 1 : n->attr.n_axes < 0 ? v.rank : n->attr.n_axes;
    for (int i = 0; i < given; i++) {
        int axis = arg ? n->attr.axis : n->attr.n_axes < 0 ? i : n->attr.axes[i];
        axis = real_axis(axis, v.rank);
        if (axis < 0 || axis >= v.rank) {
            return false;
        }
        if ((gone >> v.perm[axis] & 1) == 0) {
            gone |= 1u << v.perm[axis];
            axes[n_axes++] = v.perm[axis];
        }
    }
    for (int i = 1; i < n_axes; i++) { /* ascending, so that equal reductions look equal */
        for (int k = i; k > 0 && axes[k] < axes[k - 1]; k--) {
            int swap = axes[k];
            axes[k] = axes[k - 1];
            axes[k - 1] = swap;
        }
    }
    if (n->attr.keep_dims) {
        memcpy(perm, v.perm, sizeof perm);
    } else {
        drop_axes(&v, gone, perm);
    }
    if (l->g->tensors[n->out[0]].rank != (n->attr.keep_dims ? v.rank : v.rank - n_axes)) {
        return false;
    }
    int node = layout_emit(l, n, 1, &v.base, perm);
    if (node >= 0) {
        struct pare_attr *attr = &l->g->nodes[node].attr;
        attr->axis = arg ? axes[0] : attr->axis;
        attr->n_axes = arg ? attr->n_axes : n_axes;
        memcpy(attr->axes, axes, (size_t)n_axes * sizeof axes[0]);
    }
    return true;
}

/* GATHER with constant indices of rank 0 (the axis goes) or 1; UNPACK (the axis goes). */
static bool pick_rule(struct layout *l, const struct pare_node *n)
{
    struct view v = layout_view(l, n->in[0]);
    int axis = real_axis(n->attr.axis, v.rank), index_rank = 0, n_in = 1, in[2] = {v.base, -1};
    signed char perm[PARE_MAX_RANK];
    if (v.rank < 1 || axis < 0 || axis >= v.rank) {
        return false;
    }
    if (n->op == PARE_OP_GATHER) {
        if (n->n_in != 2 || !pass_is_const(l->g, n->in[1]) || l->g->tensors[n->in[1]].rank > 1) {
            return false;
        }
        index_rank = l->g->tensors[n->in[1]].rank;
        in[1] = n->in[1];
        n_in = 2;
    }
    if (index_rank == 1) {
        memcpy(perm, v.perm, sizeof perm);
    } else {
        drop_axes(&v, 1u << v.perm[axis], perm);
    }
    if (l->g->tensors[n->out[0]].rank != v.rank - 1 + index_rank) {
        return false;
    }
    int node = layout_emit(l, n, n_in, in, perm);
    if (node >= 0) {
        l->g->nodes[node].attr.axis = v.perm[axis];
    }
    return true;
}

/* QUANTIZE and DEQUANTIZE per channel. */
static bool quantize_rule(struct layout *l, const struct pare_node *n)
{
    struct view v = layout_view(l, n->in[0]);
    int axis = real_axis(n->attr.axis, v.rank);
    if (n->attr.block_size != 0 || v.rank < 1 || n->n_in < 2 || n->in[1] < 0) {
        return false;
    }
    if (l->g->tensors[n->in[1]].rank == 0 || pare_tensor_elements(&l->g->tensors[n->in[1]]) == 1) {
        return unary_rule(l, n);
    }
    if (axis < 0 || axis >= v.rank || n->n_in > 3) {
        return false;
    }
    int node = on_base(l, n, &v, n->n_in);
    if (node >= 0) {
        l->g->nodes[node].attr.axis = v.perm[axis];
    }
    return true;
}

static bool any_transposed(const struct layout *l, const struct pare_node *n)
{
    for (int k = 0; k < n->n_in; k++) {
        struct view v = n->in[k] >= 0 ? layout_view(l, n->in[k]) : (struct view){.rank = -1};
        if (n->in[k] >= 0 && !layout_is_plain(&v)) {
            return true;
        }
    }
    return false;
}

typedef bool (*rule_function)(struct layout *l, const struct pare_node *n);

static const rule_function rules[PARE_OP_COUNT] = {
    [PARE_OP_RELU] = unary_rule,          [PARE_OP_CLIP] = unary_rule,
    [PARE_OP_LEAKY_RELU] = unary_rule,    [PARE_OP_ELU] = unary_rule,
    [PARE_OP_CELU] = unary_rule,          [PARE_OP_SIGMOID] = unary_rule,
    [PARE_OP_HARD_SIGMOID] = unary_rule,  [PARE_OP_HARD_SWISH] = unary_rule,
    [PARE_OP_TANH] = unary_rule,          [PARE_OP_NEG] = unary_rule,
    [PARE_OP_ABS] = unary_rule,           [PARE_OP_EXP] = unary_rule,
    [PARE_OP_SQRT] = unary_rule,          [PARE_OP_RSQRT] = unary_rule,
    [PARE_OP_LOG] = unary_rule,           [PARE_OP_MISH] = unary_rule,
    [PARE_OP_SWISH] = unary_rule,         [PARE_OP_FLOOR] = unary_rule,
    [PARE_OP_CEIL] = unary_rule,          [PARE_OP_ROUND] = unary_rule,
    [PARE_OP_IDENTITY] = unary_rule,      [PARE_OP_CAST] = unary_rule,
    [PARE_OP_REQUANTIZE] = unary_rule,    [PARE_OP_ADD] = broadcast_rule,
    [PARE_OP_SUB] = broadcast_rule,       [PARE_OP_MUL] = broadcast_rule,
    [PARE_OP_DIV] = broadcast_rule,       [PARE_OP_MIN] = broadcast_rule,
    [PARE_OP_MAX] = broadcast_rule,       [PARE_OP_POW] = broadcast_rule,
    [PARE_OP_PRELU] = broadcast_rule,     [PARE_OP_CONCAT] = concat_rule,
    [PARE_OP_SOFTMAX] = axis_rule,        [PARE_OP_SPLIT] = axis_rule,
    [PARE_OP_SLICE] = axes_rule,          [PARE_OP_PAD] = axes_rule,
    [PARE_OP_RESIZE] = axes_rule,         [PARE_OP_REDUCE_MEAN] = reduce_rule,
    [PARE_OP_REDUCE_MAX] = reduce_rule,   [PARE_OP_REDUCE_MIN] = reduce_rule,
    [PARE_OP_REDUCE_SUM] = reduce_rule,   [PARE_OP_ARGMAX] = reduce_rule,
    [PARE_OP_ARGMIN] = reduce_rule,       [PARE_OP_GATHER] = pick_rule,
    [PARE_OP_UNPACK] = pick_rule,         [PARE_OP_QUANTIZE] = quantize_rule,
    [PARE_OP_DEQUANTIZE] = quantize_rule, [PARE_OP_RESHAPE] = layout_reshape,
    [PARE_OP_FLATTEN] = layout_reshape,   [PARE_OP_SQUEEZE] = layout_reshape,
    [PARE_OP_UNSQUEEZE] = layout_reshape,
};

bool layout_rule(struct layout *l, const struct pare_node *n)
{
    return rules[n->op] != NULL && any_transposed(l, n) && rules[n->op](l, n);
}
