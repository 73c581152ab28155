/* tflite_ops_shape.c: operators that move values without changing them. */
#include <string.h>

#include "model/tflite_reader.h"

static int rank_of(const struct tfl_op *o, int tensor)
{
    return tfl_tensor_of(o, tensor)->rank;
}

/* An axis of a tensor of this rank, non-negative where the rank is known. */
static enum pare_status check_axis(const struct tfl_op *o, int64_t axis, int rank, int *checked)
{
    int limit = rank >= 0 ? rank : PARE_MAX_RANK;
    if (axis < -limit || axis >= limit) {
        return tfl_op_fail(o, "axis %lld is not in a tensor of rank %d", (long long)axis, rank);
    }
    *checked = (int)(rank >= 0 && axis < 0 ? axis + rank : axis);
    return PARE_OK;
}

/* All inputs, converted; NULL when memory is out or one is absent. */
static int *all_inputs(const struct tfl_op *o)
{
    int *in = pare_arena_array(&o->r->g->arena, (size_t)o->n_in, sizeof *in);
    for (int i = 0; in != NULL && i < o->n_in; i++) {
        in[i] = tfl_input(o, i);
        if (in[i] < 0) {
            return NULL;
        }
    }
    return in;
}

static bool lacks_input(const struct tfl_op *o)
{
    for (int i = 0; i < o->n_in; i++) {
        if (o->in[i] < 0) {
            return true;
        }
    }
    return false;
}

enum pare_status tfl_op_concat(const struct tfl_op *o)
{
    int axis = 0, activation = pare_fb_i8(&o->options, 1, 0);
    if (lacks_input(o)) {
        return tfl_op_fail(o, "lacks an input");
    }
    int *in = all_inputs(o);
    if (in == NULL) {
        return tfl_no_memory(o);
    }
    if (!tfl_activation_ok(activation)) {
        return tfl_op_fail(o, "has the unknown fused activation %d", activation);
    }
    enum pare_status status =
        check_axis(o, pare_fb_i32(&o->options, 0, 0), rank_of(o, in[0]), &axis);
    if (status != PARE_OK) {
        return status;
    }
    int node = tfl_node_act(o, PARE_OP_CONCAT, o->n_in, in, activation);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.axis = axis;
    return PARE_OK;
}

/* Adds a node with all the operator's outputs. */
static int many_outputs(const struct tfl_op *o, enum pare_op op, int x)
{
    struct pare_graph *g = o->r->g;
    int node = pare_graph_add_node(g, op, o->name, 1, &x, o->n_out, o->out);
    if (node >= 0) {
        g->nodes[node].attr.op_name = o->type;
        g->nodes[node].file_offset = o->file_offset;
    }
    return node;
}

enum pare_status tfl_op_split(const struct tfl_op *o)
{
    bool given = o->code == 102; /* SPLIT_V x, sizes, axis; SPLIT axis, x */
    int x = tfl_input(o, given ? 0 : 1), axis = 0, n_sizes = -1;
    int64_t axis64;
    int64_t *sizes = NULL;
    if (tfl_ints(o, given ? 2 : 0, &axis64, 1) != 1) {
        return tfl_unknown(o, "has an axis that is known only at run time");
    }
    if (x < 0) {
        return tfl_no_memory(o);
    }
    enum pare_status status = check_axis(o, axis64, rank_of(o, x), &axis);
    if (status != PARE_OK) {
        return status;
    }
    if (pare_fb_i32(&o->options, 0, o->n_out) != o->n_out) {
        return tfl_op_fail(o, "splits into %d parts and has %d outputs",
                           pare_fb_i32(&o->options, 0, o->n_out), o->n_out);
    }
    if (given) {
        sizes = pare_arena_array(&o->r->g->arena, (size_t)o->n_out, sizeof *sizes);
        n_sizes = sizes != NULL ? tfl_ints(o, 1, sizes, o->n_out) : -1;
        if (sizes == NULL) {
            return tfl_no_memory(o);
        }
        if (n_sizes != o->n_out) {
            return tfl_op_fail(o, "has sizes that do not fit its %d outputs", o->n_out);
        }
        int64_t rest = rank_of(o, x) >= 0 ? tfl_tensor_of(o, x)->dims[axis < 0 ? 0 : axis] : -1;
        int unknown = -1;
        for (int i = 0; i < n_sizes; i++) {
            if (sizes[i] < -1 || (sizes[i] == -1 && unknown >= 0) || sizes[i] > INT32_MAX) {
                return tfl_op_fail(o, "part %d has size %lld", i, (long long)sizes[i]);
            }
            unknown = sizes[i] == -1 ? i : unknown;
            rest -= sizes[i] > 0 ? sizes[i] : 0;
        }
        if (unknown >= 0 && rest < 0) {
            return tfl_op_fail(o, "has parts larger than what is split");
        }
        if (unknown >= 0) {
            sizes[unknown] = rest;
        }
    }
    int node = many_outputs(o, PARE_OP_SPLIT, x);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.axis = axis;
    o->r->g->nodes[node].attr.n_sizes = n_sizes;
    o->r->g->nodes[node].attr.sizes = sizes;
    return PARE_OK;
}

enum pare_status tfl_op_pack(const struct tfl_op *o)
{
    int axis = 0;
    if (lacks_input(o)) {
        return tfl_op_fail(o, "lacks an input");
    }
    int *in = all_inputs(o);
    if (in == NULL) {
        return tfl_no_memory(o);
    }
    int rank = rank_of(o, in[0]);
    if (pare_fb_i32(&o->options, 0, 0) != o->n_in || rank >= PARE_MAX_RANK) {
        return tfl_op_fail(o, "packs %d values of rank %d and has %d inputs",
                           pare_fb_i32(&o->options, 0, 0), rank, o->n_in);
    }
    enum pare_status status =
        check_axis(o, pare_fb_i32(&o->options, 1, 0), rank >= 0 ? rank + 1 : -1, &axis);
    if (status != PARE_OK) {
        return status;
    }
    int node = tfl_node(o, PARE_OP_PACK, NULL, o->n_in, in, o->out[0]);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.axis = axis;
    return PARE_OK;
}

enum pare_status tfl_op_unpack(const struct tfl_op *o)
{
    int axis = 0, x = tfl_input(o, 0);
    if (x < 0) {
        return tfl_no_memory(o);
    }
    int rank = rank_of(o, x);
    enum pare_status status = check_axis(o, pare_fb_i32(&o->options, 1, 0), rank, &axis);
    if (status != PARE_OK) {
        return status;
    }
    if (pare_fb_i32(&o->options, 0, 0) != o->n_out ||
        (rank > 0 && axis >= 0 && tfl_tensor_of(o, x)->dims[axis] != o->n_out)) {
        return tfl_op_fail(o, "has %d outputs, which do not fit its input", o->n_out);
    }
    int node = many_outputs(o, PARE_OP_UNPACK, x);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.axis = axis;
    return PARE_OK;
}

/* A new shape of the file: at most 8 numbers, at most one -1. */
static enum pare_status check_new_shape(const struct tfl_op *o, const int64_t *shape, int n)
{
    int64_t product = 1;
    int n_free = 0, rank = rank_of(o, o->out[0]);
    for (int i = 0; i < n; i++) {
        n_free += shape[i] == -1;
        if (shape[i] < -1 || n_free > 1 ||
            (shape[i] > 0 && __builtin_mul_overflow(product, shape[i], &product))) {
            return tfl_op_fail(o, "dimension %d of the new shape is %lld", i, (long long)shape[i]);
        }
    }
    if (rank >= 0 && rank != n) {
        return tfl_op_fail(o, "the new shape has %d dimensions, its output tensor %d", n, rank);
    }
    return PARE_OK;
}

enum pare_status tfl_op_reshape(const struct tfl_op *o)
{
    int64_t shape[PARE_MAX_RANK];
    int x = tfl_input(o, 0), n = -1, to = -1;
    struct pare_fb_vector option = pare_fb_vec(&o->options, 0, 4);
    bool has_tensor = o->n_in > 1 && o->in[1] >= 0;
    if (x < 0) {
        return tfl_no_memory(o);
    }
    if (has_tensor && tfl_tensor_of(o, o->in[1])->data == NULL &&
        pare_tensor_elements(tfl_tensor_of(o, o->in[1])) != 0) {
        to = o->in[1]; /* computed in the graph */
    } else if (has_tensor) {
        n = tfl_ints(o, 1, shape, PARE_MAX_RANK);
    } else if (option.n <= PARE_MAX_RANK) {
        for (n = 0; n < (int)option.n; n++) {
            shape[n] = pare_fb_vec_i32(&option, (size_t)n);
        }
        if (n == 1 && shape[0] == 0 && rank_of(o, o->out[0]) <= 0) {
            n = 0; /* old converters write a scalar this way */
        }
    }
    if (to < 0 && n < 0) {
        return tfl_op_fail(o, "the new shape is no list of at most %d integers", PARE_MAX_RANK);
    }
    if (to < 0) {
        enum pare_status status = check_new_shape(o, shape, n);
        if (status != PARE_OK) {
            return status;
        }
        to = tfl_const_ints(o, "shape", n, shape);
    }
    int in[2] = {x, to};
    int node = to >= 0 ? tfl_node(o, PARE_OP_RESHAPE, NULL, 2, in, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.allow_zero = true;
    return PARE_OK;
}

enum pare_status tfl_op_squeeze(const struct tfl_op *o)
{
    struct pare_fb_vector dims = pare_fb_vec(&o->options, 0, 4);
    int64_t axes[PARE_MAX_RANK];
    int x = tfl_input(o, 0);
    int node = x >= 0 ? tfl_node(o, PARE_OP_SQUEEZE, NULL, 1, &x, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    if (dims.n > PARE_MAX_RANK) {
        return tfl_op_fail(o, "has %zu axes", dims.n);
    }
    for (size_t i = 0; i < dims.n; i++) {
        axes[i] = pare_fb_vec_i32(&dims, i);
    }
    return dims.n > 0 ? tfl_axes(o, node, (int)dims.n, axes, rank_of(o, x)) : PARE_OK;
}

enum pare_status tfl_op_expand_dims(const struct tfl_op *o)
{
    int64_t axis;
    int x = tfl_input(o, 0);
    if (tfl_ints(o, 1, &axis, 1) != 1) {
        return tfl_unknown(o, "has an axis that is known only at run time");
    }
    int rank = x >= 0 ? rank_of(o, x) : -1;
    int node = x >= 0 ? tfl_node(o, PARE_OP_UNSQUEEZE, NULL, 1, &x, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    if (rank >= PARE_MAX_RANK) {
        return tfl_op_fail(o, "makes a tensor of rank %d", rank + 1);
    }
    return tfl_axes(o, node, 1, &axis, rank >= 0 ? rank + 1 : -1);
}

enum pare_status tfl_op_transpose(const struct tfl_op *o)
{
    int64_t perm[PARE_MAX_RANK];
    int x = tfl_input(o, 0), n = tfl_ints(o, 1, perm, PARE_MAX_RANK);
    unsigned seen = 0;
    if (n < 0) {
        return tfl_unknown(o, "has a permutation that is known only at run time");
    }
    int node = x >= 0 ? tfl_node(o, PARE_OP_TRANSPOSE, NULL, 1, &x, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    for (int i = 0; i < n; i++) {
        int64_t axis = perm[i] < 0 ? perm[i] + n : perm[i];
        if (axis < 0 || axis >= n || (seen & (1u << axis)) != 0 ||
            (rank_of(o, x) >= 0 && rank_of(o, x) != n)) {
            return tfl_op_fail(o, "its permutation of %d axes does not fit a tensor of rank %d", n,
                               rank_of(o, x));
        }
        seen |= 1u << axis;
        o->r->g->nodes[node].attr.perm[i] = (int)axis;
    }
    return PARE_OK;
}

enum pare_status tfl_op_gather(const struct tfl_op *o)
{
    int axis = 0, in[2] = {tfl_input(o, 0), o->in[1]};
    if (in[0] < 0) {
        return tfl_no_memory(o);
    }
    if (pare_fb_i32(&o->options, 1, 0) != 0) {
        return tfl_unknown(o, "has batch dimensions, which are not supported");
    }
    enum pare_status status =
        check_axis(o, pare_fb_i32(&o->options, 0, 0), rank_of(o, in[0]), &axis);
    if (status != PARE_OK) {
        return status;
    }
    int node = tfl_node(o, PARE_OP_GATHER, NULL, 2, in, o->out[0]);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.axis = axis;
    return PARE_OK;
}

enum pare_status tfl_op_pad(const struct tfl_op *o)
{
    int64_t pads[2 * PARE_MAX_RANK];
    float value = 0.0f;
    int x = tfl_input(o, 0), n = tfl_ints(o, 1, pads, 2 * PARE_MAX_RANK);
    if (n < 0) {
        return tfl_unknown(o, "has a padding that is known only at run time");
    }
    if (o->code == 60) {
        int v = tfl_input(o, 2);
        const struct pare_tensor *t = v >= 0 ? tfl_tensor_of(o, v) : NULL;
        if (t == NULL || t->data == NULL || pare_tensor_elements(t) != 1 || t->dtype != PARE_F32) {
            return tfl_unknown(o, "has a value that is no real constant");
        }
        memcpy(&value, t->data, sizeof value);
    }
    int node = x >= 0 ? tfl_node(o, PARE_OP_PAD, NULL, 1, &x, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    struct pare_attr *attr = &o->r->g->nodes[node].attr;
    if (n % 2 != 0 || (rank_of(o, x) >= 0 && n != 2 * rank_of(o, x))) {
        return tfl_op_fail(o, "has %d paddings for a tensor of rank %d", n, rank_of(o, x));
    }
    attr->n_axes = n / 2;
    attr->value = value;
    for (int i = 0; i < n / 2; i++) {
        if (pads[2 * i] < 0 || pads[2 * i] > INT32_MAX || pads[2 * i + 1] < 0 ||
            pads[2 * i + 1] > INT32_MAX) {
            return tfl_op_fail(o, "dimension %d is padded by %lld and %lld", i,
                               (long long)pads[2 * i], (long long)pads[2 * i + 1]);
        }
        attr->axes[i] = i;
        attr->pad_before[i] = pads[2 * i];
        attr->pad_after[i] = pads[2 * i + 1];
    }
    if (o->code == 100) {
        int mode = pare_fb_i8(&o->options, 0, 0);
        if (mode != 0 && mode != 1) {
            return tfl_op_fail(o, "has the unknown mode %d", mode);
        }
        attr->pad_mode = mode == 0 ? PARE_PAD_REFLECT : PARE_PAD_SYMMETRIC;
    }
    return PARE_OK;
}

enum pare_status tfl_op_shape(const struct tfl_op *o)
{
    struct pare_graph *g = o->r->g;
    enum pare_dtype to = tfl_tensor_of(o, o->out[0])->dtype;
    int x = tfl_input(o, 0), shape = to == PARE_I64 ? o->out[0] : tfl_temp(o, "shape", PARE_I64);
    int node = x >= 0 && shape >= 0 ? tfl_node(o, PARE_OP_SHAPE, NULL, 1, &x, shape) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    g->nodes[node].attr.end[0] = INT64_MAX;
    if (shape != o->out[0]) {
        int cast = tfl_node(o, PARE_OP_CAST, "cast", 1, &shape, o->out[0]);
        if (cast < 0) {
            return tfl_no_memory(o);
        }
        g->nodes[cast].attr.to = to;
    }
    return PARE_OK;
}

enum pare_status tfl_op_tile(const struct tfl_op *o)
{
    int in[2] = {tfl_input(o, 0), o->in[1]};
    enum pare_op op = o->code == 69 ? PARE_OP_TILE : PARE_OP_EXPAND;
    return in[0] >= 0 && tfl_node(o, op, NULL, 2, in, o->out[0]) >= 0 ? PARE_OK : tfl_no_memory(o);
}

enum pare_status tfl_op_fill(const struct tfl_op *o)
{
    int v = tfl_input(o, 1), dims = o->in[0];
    const struct pare_tensor *t = v >= 0 ? tfl_tensor_of(o, v) : NULL;
    if (t == NULL || t->data == NULL || t->dtype != PARE_F32 || pare_tensor_elements(t) != 1) {
        return tfl_unknown(o, "has a value that is no real constant");
    }
    float value;
    memcpy(&value, t->data, sizeof value);
    int node = tfl_node(o, PARE_OP_CONSTANT_OF_SHAPE, NULL, 1, &dims, o->out[0]);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.value = value;
    o->r->g->nodes[node].attr.to = PARE_F32;
    return PARE_OK;
}

enum pare_status tfl_op_range(const struct tfl_op *o)
{
    int in[3] = {tfl_input(o, 0), tfl_input(o, 1), tfl_input(o, 2)};
    return in[0] >= 0 && in[1] >= 0 && in[2] >= 0 &&
                   tfl_node(o, PARE_OP_RANGE, NULL, 3, in, o->out[0]) >= 0
               ? PARE_OK
               : tfl_no_memory(o);
}

enum pare_status tfl_op_block(const struct tfl_op *o)
{
    int block = pare_fb_i32(&o->options, 0, 0), x = tfl_input(o, 0);
    if (block < 1 || block > 4096) {
        return tfl_op_fail(o, "has blocks of %d", block);
    }
    int node = x >= 0 ? tfl_node(o, o->code == 5 ? PARE_OP_DEPTH_TO_SPACE : PARE_OP_SPACE_TO_DEPTH,
                                 NULL, 1, &x, o->out[0])
                      : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.block = block;
    return PARE_OK;
}
