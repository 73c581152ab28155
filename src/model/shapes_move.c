/* shapes_move.c: shapes of operators that move values without changing them. */
#include <string.h>

#include "model/shapes.h"

enum pare_status shape_concat(const struct op_node *o)
{
    const struct pare_view *first = &o->in[0];
    int64_t dims[PARE_MAX_RANK];
    int axis;
    enum pare_status status = op_axis(o, o->node->attr.axis, first->rank, &axis);
    if (status != PARE_OK) {
        return status;
    }
    memcpy(dims, first->dims, sizeof dims);
    for (int k = 1; k < o->node->n_in; k++) {
        const struct pare_view *v = &o->in[k];
        bool fits = op_has(o, k) && v->rank == first->rank && v->dtype == first->dtype;
        for (int i = 0; fits && i < v->rank; i++) {
            fits = i == axis || v->dims[i] == dims[i];
        }
        char a[64], b[64];
        if (!fits || __builtin_add_overflow(dims[axis], v->dims[axis], &dims[axis])) {
            return op_fail(o, "input %d is %s %s, which does not join %s %s along axis %d", k,
                           pare_dtype_name(v->dtype), view_text(v, a, sizeof a),
                           pare_dtype_name(first->dtype), view_text(first, b, sizeof b), axis);
        }
    }
    return shape_out(o, 0, first->dtype, first->rank, dims);
}

enum pare_status shape_split(const struct op_node *o)
{
    int64_t *sizes = pare_arena_array(&o->g->arena, (size_t)o->node->n_out + 1, sizeof *sizes);
    int axis;
    if (sizes == NULL) {
        return pare_error_nomem(o->err);
    }
    enum pare_status status = op_split(o, &axis, sizes, o->node->n_out);
    for (int k = 0; k < o->node->n_out && status == PARE_OK; k++) {
        int64_t dims[PARE_MAX_RANK];
        memcpy(dims, o->in[0].dims, sizeof dims);
        dims[axis] = sizes[k];
        status = shape_out(o, k, o->in[0].dtype, o->in[0].rank, dims);
    }
    if (status == PARE_OK) { /* the equal parts, or the constant input, once and for all */
        struct pare_attr *a = shape_attr(o);
        a->n_sizes = o->node->n_out;
        a->sizes = sizes;
    }
    return status;
}

enum pare_status shape_pack(const struct op_node *o)
{
    const struct pare_view *first = &o->in[0];
    int64_t dims[PARE_MAX_RANK];
    int axis;
    if (first->rank >= PARE_MAX_RANK) {
        return op_fail(o, "the result would have rank %d, more than %d", first->rank + 1,
                       PARE_MAX_RANK);
    }
    enum pare_status status = op_axis(o, o->node->attr.axis, first->rank + 1, &axis);
    for (int k = 1; k < o->node->n_in && status == PARE_OK; k++) {
        const struct pare_view *v = &o->in[k];
        if (!op_has(o, k) || v->rank != first->rank || v->dtype != first->dtype ||
            (v->rank > 0 &&
             memcmp(v->dims, first->dims, (size_t)v->rank * sizeof v->dims[0]) != 0)) {
            char a[64], b[64];
            status = op_fail(o, "input %d is %s, expected %s like the first", k,
                             view_text(v, a, sizeof a), view_text(first, b, sizeof b));
        }
    }
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i <= first->rank; i++) {
        dims[i] = i < axis ? first->dims[i] : i == axis ? o->node->n_in : first->dims[i - 1];
    }
    return shape_out(o, 0, first->dtype, first->rank + 1, dims);
}

enum pare_status shape_unpack(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t dims[PARE_MAX_RANK];
    int axis, rank = 0;
    enum pare_status status = op_axis(o, o->node->attr.axis, x->rank, &axis);
    if (status == PARE_OK && x->dims[axis] != o->node->n_out) {
        status = op_fail(o, "axis %d has size %lld for %d outputs", axis, (long long)x->dims[axis],
                         o->node->n_out);
    }
    for (int i = 0; i < x->rank && status == PARE_OK; i++) {
        if (i != axis) {
            dims[rank++] = x->dims[i];
        }
    }
    for (int k = 0; k < o->node->n_out && status == PARE_OK; k++) {
        status = shape_out(o, k, x->dtype, rank, dims);
    }
    return status;
}

enum pare_status shape_reshape(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t dims[PARE_MAX_RANK], elements = view_elements(x), known = 1;
    int rank, open = -1;
    char text[64];
    enum pare_status status = op_ints(o, 1, "new shape", dims, PARE_MAX_RANK, &rank);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0 && !o->node->attr.allow_zero) {
            dims[i] = i < x->rank ? x->dims[i] : -2;
        }
        bool is_open = dims[i] == -1;
        if ((is_open && open >= 0) || dims[i] < -1 ||
            (!is_open && __builtin_mul_overflow(known, dims[i], &known))) {
            return op_fail(o, "entry %d of the new shape does not fit an input of %s", i,
                           view_text(x, text, sizeof text));
        }
        open = is_open ? i : open;
    }
    if (open >= 0) {
        dims[open] = known > 0 ? elements / known : 0;
        if (known == 0 || elements % known != 0) {
            return op_fail(o, "%lld elements of %s cannot be shared among %lld",
                           (long long)elements, view_text(x, text, sizeof text), (long long)known);
        }
    } else if (known != elements) {
        return op_fail(o, "the new shape has %lld elements, the input %s has %lld",
                       (long long)known, view_text(x, text, sizeof text), (long long)elements);
    }
    return shape_out(o, 0, x->dtype, rank, dims);
}

enum pare_status shape_squeeze(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t dims[PARE_MAX_RANK];
    bool drop[PARE_MAX_RANK] = {false};
    int axes[PARE_MAX_RANK], n, rank = 0;
    enum pare_status status = op_axes(o, 1, x->rank, &n, axes);
    for (int i = 0; i < n && status == PARE_OK; i++) {
        drop[axes[i]] = true;
        if (x->dims[axes[i]] != 1) {
            status =
                op_fail(o, "axis %d has size %lld, not 1", axes[i], (long long)x->dims[axes[i]]);
        }
    }
    for (int i = 0; i < x->rank; i++) {
        if (!drop[i] && !(n < 0 && x->dims[i] == 1)) {
            dims[rank++] = x->dims[i];
        }
    }
    return status == PARE_OK ? shape_out(o, 0, x->dtype, rank, dims) : status;
}

enum pare_status shape_unsqueeze(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    const struct pare_attr *a = &o->node->attr;
    int64_t dims[PARE_MAX_RANK], ignored[PARE_MAX_RANK];
    bool added[PARE_MAX_RANK] = {false};
    int axes[PARE_MAX_RANK], n = a->n_axes, from = 0;
    enum pare_status status = n < 0 ? op_ints(o, 1, "axes", ignored, PARE_MAX_RANK, &n) : PARE_OK;
    if (status == PARE_OK && x->rank + n > PARE_MAX_RANK) {
        status =
            op_fail(o, "the result would have rank %d, more than %d", x->rank + n, PARE_MAX_RANK);
    }
    int rank = x->rank + n;
    status = status == PARE_OK ? op_axes(o, 1, rank, &n, axes) : status;
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < n; i++) {
        added[axes[i]] = true;
    }
    for (int i = 0; i < rank; i++) {
        dims[i] = added[i] ? 1 : x->dims[from++];
    }
    return shape_out(o, 0, x->dtype, rank, dims);
}

enum pare_status shape_flatten(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t axis = o->node->attr.axis;
    int64_t dims[2] = {1, 1};
    if (axis < -x->rank || axis > x->rank) {
        return op_fail(o, "axis %lld, expected %d to %d", (long long)axis, -x->rank, x->rank);
    }
    axis += axis < 0 ? x->rank : 0;
    for (int i = 0; i < x->rank; i++) {
        int64_t *side = &dims[i < axis ? 0 : 1];
        if (__builtin_mul_overflow(*side, x->dims[i], side)) {
            return op_fail(o, "the flattened size overflows");
        }
    }
    return shape_out(o, 0, x->dtype, 2, dims);
}

enum pare_status shape_transpose(const struct op_node *o)
{
    int64_t dims[PARE_MAX_RANK];
    int perm[PARE_MAX_RANK];
    enum pare_status status = op_perm(o, perm);
    for (int i = 0; i < o->in[0].rank && status == PARE_OK; i++) {
        dims[i] = o->in[0].dims[perm[i]];
    }
    return status == PARE_OK ? shape_out(o, 0, o->in[0].dtype, o->in[0].rank, dims) : status;
}

enum pare_status shape_slice(const struct op_node *o)
{
    struct op_slice s;
    enum pare_status status = op_slice(o, &s);
    return status == PARE_OK ? shape_out(o, 0, o->in[0].dtype, o->in[0].rank, s.count) : status;
}

enum pare_status shape_gather(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0], *at = &o->in[1];
    int64_t dims[PARE_MAX_RANK];
    int axis, rank = 0;
    if (at->dtype != PARE_I32 && at->dtype != PARE_I64) {
        return op_fail(o, "its indices are %s, expected int32 or int64",
                       pare_dtype_name(at->dtype));
    }
    if (x->rank < 1 || x->rank - 1 + at->rank > PARE_MAX_RANK) {
        return op_fail(o, "indices of rank %d into an input of rank %d", at->rank, x->rank);
    }
    enum pare_status status = op_axis(o, o->node->attr.axis, x->rank, &axis);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < axis; i++) {
        dims[rank++] = x->dims[i];
    }
    for (int i = 0; i < at->rank; i++) {
        dims[rank++] = at->dims[i];
    }
    for (int i = axis + 1; i < x->rank; i++) {
        dims[rank++] = x->dims[i];
    }
    return shape_out(o, 0, x->dtype, rank, dims);
}

enum pare_status shape_gather_elements(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0], *at = &o->in[1];
    int axis;
    enum pare_status status = op_axis(o, o->node->attr.axis, x->rank, &axis);
    bool fits = x->rank == at->rank && (at->dtype == PARE_I32 || at->dtype == PARE_I64);
    for (int i = 0; fits && i < x->rank; i++) {
        fits = i == axis || at->dims[i] <= x->dims[i];
    }
    if (status == PARE_OK && !fits) {
        char a[64], b[64];
        status = op_fail(o, "indices %s %s do not fit an input of %s", pare_dtype_name(at->dtype),
                         view_text(at, a, sizeof a), view_text(x, b, sizeof b));
    }
    return status == PARE_OK ? shape_out(o, 0, x->dtype, at->rank, at->dims) : status;
}

enum pare_status shape_pad(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t before[PARE_MAX_RANK], after[PARE_MAX_RANK], dims[PARE_MAX_RANK];
    enum pare_pad_mode mode = o->node->attr.pad_mode;
    enum pare_status status = op_pads(o, before, after);
    for (int i = 0; i < x->rank && status == PARE_OK; i++) {
        int64_t most = before[i] > after[i] ? before[i] : after[i];
        dims[i] = x->dims[i] + before[i] + after[i];
        bool fits = dims[i] >= 0 && before[i] > -x->dims[i] - 1 && after[i] > -x->dims[i] - 1;
        if (most > 0 && mode != PARE_PAD_CONSTANT) {
            fits = fits && x->dims[i] > 0 &&
                   (mode == PARE_PAD_EDGE || mode == PARE_PAD_WRAP ||
                    most <= x->dims[i] - (mode == PARE_PAD_REFLECT ? 1 : 0));
        }
        if (!fits) {
            status = op_fail(o, "axis %d of size %lld cannot be padded by %lld and %lld", i,
                             (long long)x->dims[i], (long long)before[i], (long long)after[i]);
        }
    }
    return status == PARE_OK ? shape_out(o, 0, x->dtype, x->rank, dims) : status;
}

enum pare_status shape_shape(const struct op_node *o)
{
    int64_t rank = o->in[0].rank, begin = o->node->attr.begin[0], end = o->node->attr.end[0];
    begin += begin < 0 ? rank : 0;
    end += end < 0 ? rank : 0;
    begin = begin < 0 ? 0 : begin > rank ? rank : begin;
    end = end < 0 ? 0 : end > rank ? rank : end;
    int64_t n = end > begin ? end - begin : 0;
    return shape_out(o, 0, PARE_I64, 1, &n);
}

enum pare_status shape_expand(const struct op_node *o)
{
    struct pare_view want = {.rank = 0};
    int64_t dims[PARE_MAX_RANK];
    int rank;
    enum pare_status status = op_ints(o, 1, "new shape", want.dims, PARE_MAX_RANK, &want.rank);
    status = status == PARE_OK ? shape_broadcast(o, &o->in[0], &want, &rank, dims) : status;
    return status == PARE_OK ? shape_out(o, 0, o->in[0].dtype, rank, dims) : status;
}

enum pare_status shape_tile(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t repeats[PARE_MAX_RANK], dims[PARE_MAX_RANK];
    int n;
    enum pare_status status = op_ints(o, 1, "repeats", repeats, PARE_MAX_RANK, &n);
    if (status == PARE_OK && n != x->rank) {
        status = op_fail(o, "%d repeats for an input of rank %d", n, x->rank);
    }
    for (int i = 0; i < n && status == PARE_OK; i++) {
        if (repeats[i] < 0 || __builtin_mul_overflow(x->dims[i], repeats[i], &dims[i])) {
            status = op_fail(o, "axis %d is repeated %lld times", i, (long long)repeats[i]);
        }
    }
    return status == PARE_OK ? shape_out(o, 0, x->dtype, x->rank, dims) : status;
}

enum pare_status shape_fill(const struct op_node *o)
{
    int64_t dims[PARE_MAX_RANK];
    int rank;
    enum pare_status status = op_ints(o, 0, "shape", dims, PARE_MAX_RANK, &rank);
    return status == PARE_OK ? shape_out(o, 0, o->node->attr.to, rank, dims) : status;
}

enum pare_status shape_range(const struct op_node *o)
{
    int64_t n;
    enum pare_status status = op_range(o, &n);
    return status == PARE_OK ? shape_out(o, 0, o->in[0].dtype, 1, &n) : status;
}

enum pare_status shape_blocks(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t b = o->node->attr.block, square = b * b;
    char text[64];
    bool up = o->node->op == PARE_OP_DEPTH_TO_SPACE;
    if (x->rank != 4 || b < 1 || b > 32768 || (up && x->dims[3] % square != 0) ||
        (!up && (x->dims[1] % b != 0 || x->dims[2] % b != 0))) {
        return op_fail(o, "blocks of %lldx%lld do not fit an input of %s", (long long)b,
                       (long long)b, view_text(x, text, sizeof text));
    }
    int64_t dims[4] = {x->dims[0], up ? x->dims[1] * b : x->dims[1] / b,
                       up ? x->dims[2] * b : x->dims[2] / b,
                       up ? x->dims[3] / square : x->dims[3] * square};
    return shape_out(o, 0, x->dtype, 4, dims);
}
