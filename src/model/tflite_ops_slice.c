/* tflite_ops_slice.c: SLICE and STRIDED_SLICE with its five masks. */
#include <string.h>

#include "model/tflite_reader.h"

static int rank_of(const struct tfl_op *o, int tensor)
{
    return tfl_tensor_of(o, tensor)->rank;
}

static int add_slice(const struct tfl_op *o, const char *suffix, int x, int n, const int64_t *begin,
                     const int64_t *end, const int64_t *step, int out)
{
    int node = tfl_node(o, PARE_OP_SLICE, suffix, 1, &x, out);
    if (node >= 0) {
        struct pare_attr *attr = &o->r->g->nodes[node].attr;
        attr->n_axes = n;
        for (int i = 0; i < n; i++) {
            attr->axes[i] = i;
            attr->begin[i] = begin[i];
            attr->end[i] = end[i];
            attr->step[i] = step[i];
        }
    }
    return node;
}

enum pare_status tfl_op_slice(const struct tfl_op *o)
{
    int64_t begin[PARE_MAX_RANK], end[PARE_MAX_RANK], step[PARE_MAX_RANK];
    int x = tfl_input(o, 0), n = tfl_ints(o, 1, begin, PARE_MAX_RANK),
        n_end = tfl_ints(o, 2, end, PARE_MAX_RANK);
    if (n < 0 || n_end < 0) {
        return tfl_unknown(o, "has a position that is known only at run time");
    }
    if (x < 0) {
        return tfl_no_memory(o);
    }
    if (n != n_end || (rank_of(o, x) >= 0 && rank_of(o, x) != n)) {
        return tfl_op_fail(o, "has %d positions and %d sizes for a tensor of rank %d", n, n_end,
                           rank_of(o, x));
    }
    for (int i = 0; i < n; i++) {
        int64_t size = end[i];
        step[i] = 1;
        if (begin[i] < 0 || begin[i] > INT32_MAX || size < -1 || size > INT32_MAX ||
            (rank_of(o, x) >= 0 &&
             begin[i] + (size > 0 ? size : 0) > tfl_tensor_of(o, x)->dims[i])) {
            return tfl_op_fail(o, "takes %lld values from %lld along dimension %d", (long long)size,
                               (long long)begin[i], i);
        }
        end[i] = size == -1 ? INT64_MAX : begin[i] + size;
    }
    return add_slice(o, NULL, x, n, begin, end, step, o->out[0]) >= 0 ? PARE_OK : tfl_no_memory(o);
}

/* What a STRIDED_SLICE means, dimension by dimension. */
struct strided {
    int64_t begin[PARE_MAX_RANK], end[PARE_MAX_RANK], step[PARE_MAX_RANK];
    int rank;
    int n_drop, n_new;
    int64_t drop[PARE_MAX_RANK],
        added[PARE_MAX_RANK]; /* axes before dropping; axes of the result */
};

struct strided_masks {
    int32_t begin, end, ellipsis, new_axis, shrink;
    bool end_is_size;
};

static enum pare_status one_dimension(const struct tfl_op *o, const struct strided_masks *m, int i,
                                      const int64_t *begin, const int64_t *end, const int64_t *step,
                                      int64_t size, struct strided *s, int dim)
{
    int32_t bit = (int32_t)(1u << i);
    if (step[i] == 0 || step[i] < INT32_MIN || step[i] > INT32_MAX) {
        return tfl_op_fail(o, "the step along dimension %d is %lld", dim, (long long)step[i]);
    }
    if (begin[i] < INT32_MIN || begin[i] > INT32_MAX || end[i] < INT32_MIN || end[i] > INT32_MAX) {
        return tfl_op_fail(o, "a position along dimension %d is out of range", dim);
    }
    if ((m->shrink & bit) != 0) { /* one index; the dimension goes */
        int64_t at = begin[i] < 0 ? begin[i] + size : begin[i];
        if (at < 0 || at >= size || step[i] < 0) {
            return tfl_op_fail(o, "index %lld is not in dimension %d of size %lld",
                               (long long)begin[i], dim, (long long)size);
        }
        s->begin[dim] = at;
        s->end[dim] = at + 1;
        s->step[dim] = 1;
        s->drop[s->n_drop++] = dim;
        return PARE_OK;
    }
    s->step[dim] = step[i];
    s->begin[dim] = (m->begin & bit) == 0 ? begin[i] : step[i] > 0 ? 0 : INT64_MAX;
    s->end[dim] = (m->end & bit) != 0 ? (step[i] > 0 ? INT64_MAX : INT64_MIN)
                  : m->end_is_size    ? begin[i] + end[i]
                                      : end[i];
    return PARE_OK;
}

static enum pare_status plan_strided(const struct tfl_op *o, const struct strided_masks *m, int n,
                                     const int64_t *begin, const int64_t *end, const int64_t *step,
                                     int x, struct strided *s)
{
    int n_named = 0, dim = 0, out = 0;
    bool ellipsis = false;
    memset(s, 0, sizeof *s);
    s->rank = rank_of(o, x);
    for (int i = 0; i < n; i++) {
        bool is_ellipsis = (m->ellipsis >> i & 1) != 0;
        if (is_ellipsis && ellipsis) {
            return tfl_op_fail(o, "has two ellipses");
        }
        ellipsis = ellipsis || is_ellipsis;
        n_named += !is_ellipsis && (m->new_axis >> i & 1) == 0;
    }
    if (n_named > s->rank) {
        return tfl_op_fail(o, "names %d dimensions of a tensor of rank %d", n_named, s->rank);
    }
    for (int i = 0; i < n; i++) {
        if ((m->ellipsis >> i & 1) != 0) {
            for (int k = s->rank - n_named; k > 0; k--, dim++, out++) {
                s->end[dim] = INT64_MAX;
                s->step[dim] = 1;
            }
        } else if ((m->new_axis >> i & 1) != 0) {
            if (s->n_new + s->rank >= PARE_MAX_RANK) {
                return tfl_op_fail(o, "adds too many dimensions");
            }
            s->added[s->n_new++] = out++;
        } else {
            enum pare_status status =
                one_dimension(o, m, i, begin, end, step, tfl_tensor_of(o, x)->dims[dim], s, dim);
            if (status != PARE_OK) {
                return status;
            }
            out += (m->shrink >> i & 1) == 0;
            dim++;
        }
    }
    for (; dim < s->rank; dim++) {
        s->end[dim] = INT64_MAX;
        s->step[dim] = 1;
    }
    return PARE_OK;
}

/* x -> slice -> squeeze -> unsqueeze, as far as they are needed. */
static enum pare_status emit_strided(const struct tfl_op *o, int x, const struct strided *s)
{
    struct pare_graph *g = o->r->g;
    enum pare_dtype dtype = tfl_tensor_of(o, x)->dtype;
    const struct pare_quant *quant = tfl_tensor_of(o, x)->quant;
    bool squeeze = s->n_drop > 0, unsqueeze = s->n_new > 0;
    int sliced = squeeze || unsqueeze ? tfl_temp(o, "slice", dtype) : o->out[0];
    int squeezed = squeeze && unsqueeze ? tfl_temp(o, "squeeze", dtype)
                   : squeeze            ? o->out[0]
                                        : sliced;
    if (sliced < 0 || squeezed < 0 ||
        add_slice(o, sliced == o->out[0] ? NULL : "slice", x, s->rank, s->begin, s->end, s->step,
                  sliced) < 0) {
        return tfl_no_memory(o);
    }
    if (sliced != o->out[0]) {
        g->tensors[sliced].quant = quant;
    }
    if (squeezed != o->out[0]) {
        g->tensors[squeezed].quant = quant;
    }
    if (squeeze) {
        int node = tfl_node(o, PARE_OP_SQUEEZE, unsqueeze ? "squeeze" : NULL, 1, &sliced, squeezed);
        enum pare_status status =
            node < 0 ? tfl_no_memory(o) : tfl_axes(o, node, s->n_drop, s->drop, s->rank);
        if (status != PARE_OK) {
            return status;
        }
    }
    if (unsqueeze) {
        int node = tfl_node(o, PARE_OP_UNSQUEEZE, NULL, 1, &squeezed, o->out[0]);
        return node < 0 ? tfl_no_memory(o)
                        : tfl_axes(o, node, s->n_new, s->added, s->rank - s->n_drop + s->n_new);
    }
    return PARE_OK;
}

enum pare_status tfl_op_strided_slice(const struct tfl_op *o)
{
    int64_t begin[PARE_MAX_RANK], end[PARE_MAX_RANK], step[PARE_MAX_RANK];
    struct strided s;
    int x = tfl_input(o, 0), n = tfl_ints(o, 1, begin, PARE_MAX_RANK);
    int n_end = tfl_ints(o, 2, end, PARE_MAX_RANK), n_step = tfl_ints(o, 3, step, PARE_MAX_RANK);
    struct strided_masks m = {
        pare_fb_i32(&o->options, 0, 0), pare_fb_i32(&o->options, 1, 0),
        pare_fb_i32(&o->options, 2, 0), pare_fb_i32(&o->options, 3, 0),
        pare_fb_i32(&o->options, 4, 0), pare_fb_u8(&o->options, 5, 0) != 0,
    };
    if (n < 0 || n_end < 0 || n_step < 0) {
        return tfl_unknown(o, "has a position that is known only at run time");
    }
    if (n != n_end || n != n_step) {
        return tfl_op_fail(o, "has %d begins, %d ends, %d steps", n, n_end, n_step);
    }
    if (x < 0) {
        return tfl_no_memory(o);
    }
    if (rank_of(o, x) < 0) {
        return tfl_unknown(o, "has an input of unknown rank");
    }
    enum pare_status status = plan_strided(o, &m, n, begin, end, step, x, &s);
    return status == PARE_OK ? emit_strided(o, x, &s) : status;
}
