/* shapes_params.c: a node's parameters, from attributes or constant inputs, checked against its
 * inputs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/shapes.h"
#include "pk_ops.h"

enum pare_status op_fail(const struct op_node *o, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const char *op =
        o->node->attr.op_name != NULL ? o->node->attr.op_name : pare_op_name(o->node->op);
    return pare_error(o->err, PARE_ERR_FORMAT, o->where, "node '%.150s' (%.60s): %s", o->node->name,
                      op, what);
}

bool op_has(const struct op_node *o, int k)
{
    return k >= 0 && k < o->node->n_in && o->node->in[k] >= 0;
}

int64_t view_elements(const struct pare_view *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++) {
        if (v->dims[i] < 0 || __builtin_mul_overflow(n, v->dims[i], &n)) {
            return -1;
        }
    }
    return v->rank < 0 ? -1 : n;
}

const char *view_text(const struct pare_view *v, char *buf, size_t size)
{
    struct pare_tensor t = {.rank = v->rank};
    memcpy(t.dims, v->dims, sizeof t.dims);
    pare_tensor_shape_text(&t, buf, size);
    return buf;
}

int view_ints(const struct pare_view *v, int64_t *values, int max)
{
    int64_t n = view_elements(v);
    if (n < 0 || n > max || (n > 0 && v->data == NULL)) {
        return -1;
    }
    for (int i = 0; i < (int)n; i++) {
        switch (v->dtype) {
        case PARE_I64:
            memcpy(&values[i], (const char *)v->data + 8 * (size_t)i, 8);
            break;
        case PARE_I32:
            values[i] = ((const int32_t *)v->data)[i];
            break;
        case PARE_I16:
            values[i] = ((const int16_t *)v->data)[i];
            break;
        case PARE_I8:
            values[i] = ((const int8_t *)v->data)[i];
            break;
        case PARE_U8:
        case PARE_BOOL:
            values[i] = ((const uint8_t *)v->data)[i];
            break;
        default:
            return -1;
        }
    }
    return (int)n;
}

double view_number(const struct pare_view *v, int64_t i)
{
    return pk_load((enum pk_dtype)v->dtype, v->data, (size_t)i);
}

enum pare_status op_axis(const struct op_node *o, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank) {
        return op_fail(o, "axis %lld, expected %d to %d", (long long)axis, -rank, rank - 1);
    }
    *out = (int)(axis < 0 ? axis + rank : axis);
    return PARE_OK;
}

enum pare_status op_ints(const struct op_node *o, int k, const char *what, int64_t *values, int max,
                         int *n)
{
    *n = op_has(o, k) ? view_ints(&o->in[k], values, max) : -1;
    return *n >= 0 ? PARE_OK
                   : op_fail(o, "its %s (input %d) must be a constant list of at most %d integers",
                             what, k, max);
}

enum pare_status op_axes(const struct op_node *o, int k, int rank, int *n, int *axes)
{
    const struct pare_attr *a = &o->node->attr;
    int64_t values[PARE_MAX_RANK];
    bool seen[PARE_MAX_RANK] = {false};
    enum pare_status status = PARE_OK;
    *n = a->n_axes;
    if (a->n_axes < 0 && op_has(o, k)) {
        status = op_ints(o, k, "axes", values, PARE_MAX_RANK, n);
    } else {
        for (int i = 0; i < a->n_axes && i < PARE_MAX_RANK; i++) {
            values[i] = a->axes[i];
        }
    }
    for (int i = 0; i < *n && status == PARE_OK; i++) {
        status = op_axis(o, values[i], rank, &axes[i]);
        if (status == PARE_OK && seen[axes[i]]) {
            status = op_fail(o, "axis %d is named twice", axes[i]);
        } else if (status == PARE_OK) {
            seen[axes[i]] = true;
        }
    }
    return status;
}

/* ---- slice ---- */

/* One axis of `size` elements, from begin towards end (exclusive) by step, as ONNX and numpy clamp
 * them. */
static void slice_axis(struct op_slice *s, int axis, int64_t size, int64_t begin, int64_t end,
                       int64_t step)
{
    int64_t lowest = step < 0 ? -1 : 0, highest = step < 0 ? size - 1 : size;
    begin += begin < 0 ? size : 0;
    begin = begin < 0 ? 0 : begin;
    begin = begin > highest ? highest : begin;
    end += end < 0 ? size : 0;
    end = end < lowest ? lowest : end > highest ? highest : end;
    int64_t span = step < 0 ? begin - end : end - begin;
    /* -(step + 1) cannot overflow as -step would. */
    int64_t stride = step < 0 ? -(step + 1) : step - 1;
    s->begin[axis] = begin;
    s->step[axis] = step;
    s->count[axis] = span <= 0 || size == 0 ? 0
                     : stride >= span       ? 1
                                            : (span - 1) / (stride + 1) + 1;
}

enum pare_status op_slice(const struct op_node *o, struct op_slice *s)
{
    const struct pare_attr *a = &o->node->attr;
    const struct pare_view *x = &o->in[0];
    int64_t begin[PARE_MAX_RANK], end[PARE_MAX_RANK], step[PARE_MAX_RANK];
    int axes[PARE_MAX_RANK], n, n_end, n_step = 0, n_axes;
    enum pare_status status;
    if (a->n_axes >= 0) {
        n = n_end = n_step = a->n_axes;
        memcpy(begin, a->begin, sizeof begin);
        memcpy(end, a->end, sizeof end);
        memcpy(step, a->step, sizeof step);
    } else {
        status = op_ints(o, 1, "starts", begin, PARE_MAX_RANK, &n);
        status = status == PARE_OK ? op_ints(o, 2, "ends", end, PARE_MAX_RANK, &n_end) : status;
        if (status == PARE_OK && op_has(o, 4)) {
            status = op_ints(o, 4, "steps", step, PARE_MAX_RANK, &n_step);
        } else if (status == PARE_OK) {
            for (n_step = 0; n_step < n; n_step++) {
                step[n_step] = 1;
            }
        }
        if (status != PARE_OK) {
            return status;
        }
    }
    status = op_axes(o, 3, x->rank, &n_axes, axes);
    for (int i = 0; status == PARE_OK && n_axes < 0 && i < n; i++) {
        axes[i] = i;
    }
    n_axes = n_axes < 0 ? n : n_axes;
    if (status == PARE_OK && (n != n_end || n != n_step || n != n_axes || n > x->rank)) {
        status = op_fail(o, "%d starts, %d ends, %d axes and %d steps for rank %d", n, n_end,
                         n_axes, n_step, x->rank);
    }
    for (int i = 0; i < x->rank; i++) {
        s->begin[i] = 0;
        s->step[i] = 1;
        s->count[i] = x->dims[i];
    }
    for (int i = 0; i < n && status == PARE_OK; i++) {
        if (step[i] == 0) {
            status = op_fail(o, "the step along axis %d is 0", axes[i]);
        } else {
            slice_axis(s, axes[i], x->dims[axes[i]], begin[i], end[i], step[i]);
        }
    }
    return status;
}

/* ---- pad ---- */

enum pare_status op_pads(const struct op_node *o, int64_t *before, int64_t *after)
{
    const struct pare_attr *a = &o->node->attr;
    int rank = o->in[0].rank, axes[PARE_MAX_RANK], n_axes, n;
    int64_t pads[2 * PARE_MAX_RANK];
    for (int i = 0; i < PARE_MAX_RANK; i++) {
        before[i] = after[i] = 0;
    }
    enum pare_status status = op_axes(o, 3, rank, &n_axes, axes);
    if (status != PARE_OK) {
        return status;
    }
    if (a->n_axes >= 0 && !op_has(o, 1)) {
        for (int i = 0; i < n_axes; i++) {
            before[axes[i]] = a->pad_before[i];
            after[axes[i]] = a->pad_after[i];
        }
    } else {
        status = op_ints(o, 1, "pads", pads, 2 * PARE_MAX_RANK, &n);
        if (status == PARE_OK && n != 2 * (n_axes < 0 ? rank : n_axes)) {
            status = op_fail(o, "%d pads, expected %d", n, 2 * (n_axes < 0 ? rank : n_axes));
        }
        for (int i = 0; i < n / 2 && status == PARE_OK; i++) {
            before[n_axes < 0 ? i : axes[i]] = pads[i];
            after[n_axes < 0 ? i : axes[i]] = pads[n / 2 + i];
        }
    }
    for (int i = 0; i < rank && status == PARE_OK; i++) {
        if (before[i] < -SHAPES_MAX_DIM || before[i] > SHAPES_MAX_DIM ||
            after[i] < -SHAPES_MAX_DIM || after[i] > SHAPES_MAX_DIM) {
            status = op_fail(o, "axis %d is padded by %lld and %lld", i, (long long)before[i],
                             (long long)after[i]);
        }
    }
    return status;
}

/* ---- reduce, split, transpose, range ---- */

enum pare_status op_reduced(const struct op_node *o, bool *reduced)
{
    const struct pare_attr *a = &o->node->attr;
    int rank = o->in[0].rank, axes[PARE_MAX_RANK], n;
    enum pare_status status = op_axes(o, 1, rank, &n, axes);
    if (status != PARE_OK) {
        return status;
    }
    bool all = n <= 0 && !a->noop_with_empty_axes;
    for (int i = 0; i < PARE_MAX_RANK; i++) {
        reduced[i] = all && i < rank;
    }
    for (int i = 0; i < n; i++) {
        reduced[axes[i]] = true;
    }
    return PARE_OK;
}

enum pare_status op_split(const struct op_node *o, int *axis, int64_t *sizes, int n_out)
{
    const struct pare_attr *a = &o->node->attr;
    const struct pare_view *x = &o->in[0];
    enum pare_status status = op_axis(o, a->axis, x->rank, axis);
    if (status != PARE_OK) {
        return status;
    }
    int64_t total = x->dims[*axis], sum = 0, part = n_out > 0 ? (total + n_out - 1) / n_out : 0;
    int n = n_out;
    if (a->n_sizes >= 0) {
        n = a->n_sizes;
        for (int i = 0; i < n && i < n_out; i++) {
            sizes[i] = a->sizes[i];
        }
    } else if (op_has(o, 1)) {
        status = op_ints(o, 1, "sizes", sizes, n_out, &n);
    } else {
        /* Equal parts; the last one is smaller where they do not come out even. */
        for (int i = 0; i < n_out; i++) {
            int64_t left = total - i * part;
            sizes[i] = left < 0 ? 0 : left < part ? left : part;
        }
    }
    for (int i = 0; i < n && i < n_out && status == PARE_OK; i++) {
        if (sizes[i] < 0 || sizes[i] > total - sum) {
            return op_fail(o, "part %d has size %lld, and %lld of %lld are left", i,
                           (long long)sizes[i], (long long)(total - sum), (long long)total);
        }
        sum += sizes[i];
    }
    if (status == PARE_OK && (n != n_out || sum != total)) {
        status = op_fail(o, "%d parts of %lld in all for %d outputs and axis %d of size %lld", n,
                         (long long)sum, n_out, *axis, (long long)total);
    }
    return status;
}

enum pare_status op_perm(const struct op_node *o, int *perm)
{
    int rank = o->in[0].rank;
    bool seen[PARE_MAX_RANK] = {false};
    for (int i = 0; i < rank; i++) {
        int axis = o->node->attr.perm[i];
        if (axis < 0 || axis >= rank || seen[axis]) {
            return op_fail(o, "its permutation does not fit an input of rank %d", rank);
        }
        seen[axis] = true;
        perm[i] = axis;
    }
    return PARE_OK;
}

enum pare_status op_range(const struct op_node *o, int64_t *count)
{
    for (int k = 0; k < 3; k++) {
        if (!op_has(o, k) || o->in[k].data == NULL || view_elements(&o->in[k]) != 1) {
            return op_fail(o, "input %d must be a constant number", k);
        }
    }
    double start = view_number(&o->in[0], 0), limit = view_number(&o->in[1], 0),
           step = view_number(&o->in[2], 0);
    double n = ceil((limit - start) / step);
    if (step == 0.0 || !(n <= (double)SHAPES_MAX_ELEMENTS)) {
        return op_fail(o, "a range from %g to %g by %g", start, limit, step);
    }
    *count = n > 0 ? (int64_t)n : 0;
    return PARE_OK;
}
