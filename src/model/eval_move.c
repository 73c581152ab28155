/* eval_move.c: operators that move values. They work on any element of 1, 2, 4 or 8 bytes. */
#include <string.h>

#include "model/eval_ops.h"

static size_t element(const struct pare_view *v)
{
    return pk_dtype_size(eval_type(v));
}

static void dense_steps(const struct pare_view *v, int64_t *step)
{
    int64_t n = 1;
    for (int i = v->rank - 1; i >= 0; i--) {
        step[i] = n;
        n *= v->dims[i];
    }
}

/* RESHAPE and its kin: the same elements in the same order, also packed ones. */
enum pare_status eval_copy(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0], *y = &j->out[0];
    size_t bytes = pare_dtype_bytes(x->dtype, view_elements(x));
    if (x->dtype != y->dtype || bytes != pare_dtype_bytes(y->dtype, view_elements(y))) {
        return op_fail(&j->o, "%s becomes %s", pare_dtype_name(x->dtype),
                       pare_dtype_name(y->dtype));
    }
    if (bytes > 0 && x->data != y->data) {
        memmove(y->data, x->data, bytes);
    }
    return PARE_OK;
}

/* CONCAT, and PACK: which is CONCAT of inputs with one more axis of size 1. */
enum pare_status eval_concat(const struct eval_job *j)
{
    const struct pare_view *y = &j->out[0];
    size_t elem = element(y), outer, n, inner, at = 0;
    bool pack = j->o.node->op == PARE_OP_PACK;
    int axis;
    enum pare_status status = op_axis(&j->o, j->o.node->attr.axis, y->rank, &axis);
    if (status != PARE_OK || elem == 0) {
        return status != PARE_OK ? status : eval_refuse(j, y->dtype);
    }
    eval_split_at(y, axis, &outer, &n, &inner);
    for (int k = 0; k < j->o.node->n_in; k++) {
        const struct pare_view *x = &j->o.in[k];
        size_t part = pack ? 1 : (size_t)x->dims[axis], row = part * inner * elem;
        if (x->dtype != y->dtype || at + part > n) {
            return op_fail(&j->o, "input %d does not fit the output", k);
        }
        for (size_t o = 0; o < outer && row > 0; o++) {
            memcpy((char *)y->data + (o * n + at) * inner * elem, (const char *)x->data + o * row,
                   row);
        }
        at += part;
    }
    return PARE_OK;
}

/* Parts of sizes[k] (or of 1 each) along an axis, to the outputs. */
static enum pare_status distribute(const struct eval_job *j, int axis, bool unpack)
{
    const struct pare_view *x = &j->o.in[0];
    size_t elem = element(x), outer, n, inner, at = 0;
    if (elem == 0) {
        return eval_refuse(j, x->dtype);
    }
    eval_split_at(x, axis, &outer, &n, &inner);
    for (int k = 0; k < j->o.node->n_out; k++) {
        const struct pare_view *y = &j->out[k];
        /* An output that nobody wants still has its place. */
        size_t part = unpack                         ? 1
                      : j->o.node->attr.n_sizes >= 0 ? (size_t)j->o.node->attr.sizes[k]
                                                     : (size_t)y->dims[axis];
        size_t row = part * inner * elem;
        for (size_t o = 0; o < outer && y->data != NULL && row > 0; o++) {
            memcpy((char *)y->data + o * row, (const char *)x->data + (o * n + at) * inner * elem,
                   row);
        }
        at += part;
    }
    return at <= n ? PARE_OK : op_fail(&j->o, "the parts are larger than the input");
}

enum pare_status eval_split(const struct eval_job *j)
{
    int axis;
    enum pare_status status = op_axis(&j->o, j->o.node->attr.axis, j->o.in[0].rank, &axis);
    return status == PARE_OK ? distribute(j, axis, false) : status;
}

enum pare_status eval_unpack(const struct eval_job *j)
{
    int axis;
    enum pare_status status = op_axis(&j->o, j->o.node->attr.axis, j->o.in[0].rank, &axis);
    return status == PARE_OK ? distribute(j, axis, true) : status;
}

enum pare_status eval_transpose(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    int perm[PARE_MAX_RANK];
    enum pare_status status = op_perm(&j->o, perm);
    if (status != PARE_OK || element(x) == 0) {
        return status != PARE_OK ? status : eval_refuse(j, x->dtype);
    }
    if (eval_count(x) > 0) {
        pk_transpose(element(x), x->rank, x->dims, perm, x->data, j->out[0].data);
    }
    return PARE_OK;
}

enum pare_status eval_slice(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    struct op_slice s;
    int64_t from_step[PARE_MAX_RANK], to_step[PARE_MAX_RANK], from = 0;
    size_t elem = element(x);
    enum pare_status status = op_slice(&j->o, &s);
    if (status != PARE_OK || elem == 0) {
        return status != PARE_OK ? status : eval_refuse(j, x->dtype);
    }
    dense_steps(x, from_step);
    dense_steps(&j->out[0], to_step);
    for (int i = 0; i < x->rank; i++) {
        if (s.count[i] == 0) {
            return PARE_OK;
        }
        from += s.begin[i] * from_step[i];
        from_step[i] *= s.count[i] > 1 ? s.step[i] : 1; /* an unused step may be huge */
    }
    pk_copy_nd(elem, x->rank, s.count, (const char *)x->data + (size_t)from * elem, from_step,
               j->out[0].data, to_step);
    return PARE_OK;
}

enum pare_status eval_gather(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0], *index = &j->o.in[1];
    size_t outer, n, inner;
    int axis;
    enum pare_status status = op_axis(&j->o, j->o.node->attr.axis, x->rank, &axis);
    if (status != PARE_OK || element(x) == 0) {
        return status != PARE_OK ? status : eval_refuse(j, x->dtype);
    }
    eval_split_at(x, axis, &outer, &n, &inner);
    return pk_gather(element(x), outer, n, inner, x->data, eval_type(index), index->data,
                     eval_count(index), j->out[0].data)
               ? PARE_OK
               : op_fail(&j->o, "an index is not in [-%zu, %zu)", n, n);
}

enum pare_status eval_gather_elements(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0], *index = &j->o.in[1];
    int axis;
    enum pare_status status = op_axis(&j->o, j->o.node->attr.axis, x->rank, &axis);
    if (status != PARE_OK || element(x) == 0) {
        return status != PARE_OK ? status : eval_refuse(j, x->dtype);
    }
    return pk_gather_elements(element(x), x->rank, x->dims, axis, x->data, index->dims,
                              eval_type(index), index->data, j->out[0].data)
               ? PARE_OK
               : op_fail(&j->o, "an index is not in axis %d of size %lld", axis,
                         (long long)x->dims[axis]);
}

enum pare_status eval_pad(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    const struct pare_attr *a = &j->o.node->attr;
    int64_t before[PARE_MAX_RANK], after[PARE_MAX_RANK];
    enum pare_status status = op_pads(&j->o, before, after);
    if (status != PARE_OK || element(x) == 0) {
        return status != PARE_OK ? status : eval_refuse(j, x->dtype);
    }
    /* The value given in x's own type; codes of reals take the fill value that the caller chose. */
    uint64_t fill = j->out[0].fill_bits != 0 ? j->out[0].fill_bits : x->fill_bits;
    if (op_has(&j->o, 2) && j->o.in[2].data != NULL && j->o.in[2].dtype == x->dtype &&
        eval_count(&j->o.in[2]) == 1) {
        fill = 0;
        memcpy(&fill, j->o.in[2].data, element(x));
    } else if (fill == 0 && pk_dtype_is_float(eval_type(x))) {
        fill = eval_bits(x->dtype, (double)a->value);
    }
    pk_pad(element(x), x->rank, x->dims, before, after, (enum pk_pad_mode)a->pad_mode, fill,
           x->data, j->out[0].data);
    return PARE_OK;
}

enum pare_status eval_shape(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    int64_t rank = x->rank, begin = j->o.node->attr.begin[0];
    begin += begin < 0 ? rank : 0;
    begin = begin < 0 ? 0 : begin;
    for (int64_t i = 0; i < j->out[0].dims[0] && begin + i < rank; i++) {
        pk_store_int(eval_type(&j->out[0]), j->out[0].data, (size_t)i, x->dims[begin + i]);
    }
    return PARE_OK;
}

enum pare_status eval_expand(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0], *y = &j->out[0];
    int64_t from[PARE_MAX_RANK], to[PARE_MAX_RANK];
    if (element(x) == 0) {
        return eval_refuse(j, x->dtype);
    }
    eval_broadcast_steps(x, y->rank, from);
    dense_steps(y, to);
    pk_copy_nd(element(x), y->rank, y->dims, x->data, from, y->data, to);
    return PARE_OK;
}

enum pare_status eval_tile(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0], *y = &j->out[0];
    if (element(x) == 0) {
        return eval_refuse(j, x->dtype);
    }
    pk_tile(element(x), x->rank, x->dims, y->dims, x->data, y->data);
    return PARE_OK;
}

enum pare_status eval_fill(const struct eval_job *j)
{
    const struct pare_view *y = &j->out[0];
    if (element(y) == 0) {
        return eval_refuse(j, y->dtype);
    }
    pk_fill(element(y), eval_bits(y->dtype, (double)j->o.node->attr.value), y->data, eval_count(y));
    return PARE_OK;
}

enum pare_status eval_range(const struct eval_job *j)
{
    const struct pare_view *in = j->o.in, *y = &j->out[0];
    bool real = pk_dtype_is_float(eval_type(y));
    if (element(y) == 0 || in[0].dtype != y->dtype || in[2].dtype != y->dtype) {
        return eval_refuse(j, y->dtype);
    }
    for (size_t i = 0; i < eval_count(y); i++) {
        if (real) {
            pk_store(eval_type(y), y->data, i,
                     view_number(&in[0], 0) + (double)i * view_number(&in[2], 0));
        } else {
            uint64_t start = (uint64_t)pk_load_int(eval_type(y), in[0].data, 0);
            uint64_t step = (uint64_t)pk_load_int(eval_type(y), in[2].data, 0);
            pk_store_int(eval_type(y), y->data, i, (int64_t)(start + (uint64_t)i * step));
        }
    }
    return PARE_OK;
}

enum pare_status eval_blocks(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    const struct pare_attr *a = &j->o.node->attr;
    if (element(x) == 0) {
        return eval_refuse(j, x->dtype);
    }
    if (eval_count(x) == 0) {
        return PARE_OK;
    }
    if (j->o.node->op == PARE_OP_DEPTH_TO_SPACE) {
        pk_depth_to_space(element(x), x->dims, a->block, a->crd, x->data, j->out[0].data);
    } else {
        pk_space_to_depth(element(x), x->dims, a->block, x->data, j->out[0].data);
    }
    return PARE_OK;
}

enum pare_status eval_cast(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0], *y = &j->out[0];
    if (x->dtype == PARE_STRING || y->dtype == PARE_STRING) {
        return eval_refuse(j, PARE_STRING);
    }
    pk_cast(eval_type(x), x->data, eval_type(y), y->data, eval_count(x));
    return PARE_OK;
}
