/*
 * onnx_ops_shape.c: constants and operators that only move values. What older operator sets write
 * as attributes and newer ones as inputs ends in the same place; constant axes are read here
 * already.
 */
#include "model/onnx.h"

#include <stdio.h>
#include <string.h>

static int axis_of(struct onnx_node *n, int fallback)
{
    return onnx_int_in(n, "axis", fallback, -PARE_MAX_RANK, PARE_MAX_RANK);
}

void onnx_op_identity(struct onnx_node *n, enum pare_op op)
{
    onnx_emit(n, op, 1, n->in, 1, n->out);
    onnx_set_rank(n->c, n->out[0], onnx_rank(n->c, n->in[0]));
}

/* ---- constants ---- */

static void set_const(struct onnx_node *n, int t, enum pare_dtype dtype, int rank, int64_t count,
                      const void *data)
{
    struct pare_tensor *tensor = &n->c->g->tensors[t];
    if (data == NULL) {
        onnx_fail_nomem(n->c);
        return;
    }
    tensor->dtype = dtype;
    tensor->rank = rank;
    tensor->dims[0] = count;
    tensor->data = data;
    tensor->size_bytes = pare_dtype_bytes(dtype, count);
    tensor->file_offset = (size_t)(n->at - n->c->file.data);
}

static void constant_list(struct onnx_node *n, int t)
{
    int64_t count = 0;
    if (onnx_has(n, "value_ints")) {
        const void *data = onnx_list(n, "value_ints", true, &count);
        if (n->c->status == PARE_OK) {
            set_const(n, t, PARE_I64, 1, count, data);
        }
    } else {
        const void *data = onnx_list(n, "value_floats", false, &count);
        if (n->c->status == PARE_OK) {
            set_const(n, t, PARE_F32, 1, count, data);
        }
    }
}

static void constant_value(struct onnx_node *n, int t)
{
    char what[192];
    snprintf(what, sizeof what, "the constant of node '%.120s'", n->label);
    if (onnx_has(n, "value")) {
        struct pare_pb_span proto = onnx_proto(n, "value");
        onnx_read_tensor(n->c, proto, t, what);
    } else if (onnx_has(n, "value_int")) {
        int64_t *value = pare_arena_alloc(&n->c->g->arena, sizeof *value);
        if (value != NULL) {
            *value = onnx_int(n, "value_int", 0);
        }
        set_const(n, t, PARE_I64, 0, 1, value);
    } else if (onnx_has(n, "value_float")) {
        float *value = pare_arena_alloc(&n->c->g->arena, sizeof *value);
        if (value != NULL) {
            *value = onnx_float(n, "value_float", 0.0f);
        }
        set_const(n, t, PARE_F32, 0, 1, value);
    } else if (onnx_has(n, "value_ints") || onnx_has(n, "value_floats")) {
        constant_list(n, t);
    } else if (onnx_has(n, "value_string") || onnx_has(n, "value_strings")) {
        n->unknown = "text constants are not supported";
    } else {
        onnx_node_fail(n, onnx_has(n, "sparse_value") ? "sparse tensors are not supported"
                                                      : "it has no value");
    }
}

void onnx_op_constant(struct onnx_node *n, enum pare_op op)
{
    (void)op;
    int t = n->out[0];
    struct onnx_extra *extra = onnx_extra_at(n->c, t);
    if (extra == NULL) {
        return;
    }
    if (extra->declared || n->c->g->tensors[t].producer >= 0) {
        onnx_node_fail(n, "its output '%.200s' is made elsewhere too", n->c->g->tensors[t].name);
        return;
    }
    constant_value(n, t);
    extra->declared = n->unknown == NULL;
}

/* ---- copies ---- */

/* At run time dropout does nothing. */
void onnx_op_dropout(struct onnx_node *n, enum pare_op op)
{
    int mask = onnx_output(n, 1), training = onnx_input(n, 2);
    const struct pare_tensor *t = training >= 0 ? &n->c->g->tensors[training] : NULL;
    if (t != NULL && (t->data == NULL || t->size_bytes != 1 || *(const uint8_t *)t->data != 0)) {
        n->unknown = "training mode is not supported";
        return;
    }
    if (mask >= 0 && (n->c->g->tensors[mask].rank >= 0 || n->c->opset >= 12)) {
        pare_graph_warn(n->c->g, "node '%.150s' (Dropout): its mask is not made", n->label);
    }
    onnx_op_identity(n, op);
}

void onnx_op_concat(struct onnx_node *n, enum pare_op op)
{
    if (!onnx_has(n, "axis") && n->c->opset >= 4) {
        onnx_node_fail(n, "the attribute 'axis' is missing");
        return;
    }
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0) {
            onnx_node_fail(n, "input %d is missing", i);
            return;
        }
    }
    int axis = axis_of(n, 1);
    onnx_emit(n, op, n->n_in, n->in, 1, n->out)->axis = axis;
    onnx_set_rank(n->c, n->out[0], onnx_rank(n->c, n->in[0]));
}

void onnx_op_split(struct onnx_node *n, enum pare_op op)
{
    struct onnx_importer *c = n->c;
    int axis = axis_of(n, 0), count = -1, rank = onnx_rank(c, n->in[0]);
    int64_t parts = onnx_int(n, "num_outputs", n->n_out);
    int64_t *sizes = pare_arena_array(&c->g->arena, (size_t)n->n_out, sizeof *sizes);
    int *out = pare_arena_array(&c->g->arena, (size_t)n->n_out, sizeof *out);
    if (sizes == NULL || out == NULL) {
        onnx_fail_nomem(c);
        return;
    }
    count = onnx_ints(n, "split", sizes, n->n_out);
    if (parts != n->n_out || (count >= 0 && count != n->n_out)) {
        onnx_node_fail(n, "it has %d outputs, expected %lld", n->n_out,
                       count >= 0 ? (long long)count : (long long)parts);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (sizes[i] < 0) {
            onnx_node_fail(n, "the attribute 'split' holds %lld, expected 0 or more",
                           (long long)sizes[i]);
            return;
        }
    }
    for (int i = 0; i < n->n_out; i++) {
        char suffix[32];
        snprintf(suffix, sizeof suffix, "/%d", i);
        out[i] = n->out[i] >= 0 ? n->out[i] : onnx_fresh(n, suffix, c->g->tensors[n->in[0]].dtype);
        onnx_set_rank(c, out[i], rank);
    }
    struct pare_attr *a = onnx_emit(n, op, n->n_in, n->in, n->n_out, out);
    a->axis = axis;
    a->n_sizes = count;
    a->sizes = count >= 0 ? sizes : NULL;
}

/* ---- shapes ---- */

/* Length of a constant or declared list; -1 when it is not known. */
static int list_length(const struct onnx_node *n, int t)
{
    const struct pare_tensor *tensor = t >= 0 ? &n->c->g->tensors[t] : NULL;
    return tensor != NULL && tensor->rank == 1 && tensor->dims[0] >= 0 &&
                   tensor->dims[0] <= PARE_MAX_RANK
               ? (int)tensor->dims[0]
               : -1;
}

void onnx_op_reshape(struct onnx_node *n, enum pare_op op)
{
    int in[2] = {n->in[0], onnx_input(n, 1)};
    bool allow_zero = onnx_flag(n, "allowzero", false);
    if (in[1] < 0) {
        int64_t dims[PARE_MAX_RANK];
        int count = onnx_ints(n, "shape", dims, PARE_MAX_RANK);
        if (count < 0) {
            onnx_node_fail(n, "it has no shape");
            return;
        }
        in[1] = onnx_const_ints(n, "/shape", dims, count);
    }
    onnx_emit(n, op, 2, in, 1, n->out)->allow_zero = allow_zero;
    onnx_set_rank(n->c, n->out[0], list_length(n, in[1]));
}

/* SQUEEZE and UNSQUEEZE */
void onnx_op_squeeze(struct onnx_node *n, enum pare_op op)
{
    int axes[PARE_MAX_RANK], rank = onnx_rank(n->c, n->in[0]);
    int n_axes = onnx_axes(n, axes);
    bool from_input = n_axes < 0 && onnx_input(n, 1) >= 0;
    if (op == PARE_OP_UNSQUEEZE && n_axes < 0 && !from_input) {
        onnx_node_fail(n, "it has no axes");
        return;
    }
    struct pare_attr *a = onnx_emit(n, op, from_input ? 2 : 1, n->in, 1, n->out);
    a->n_axes = n_axes;
    for (int i = 0; i < n_axes; i++) {
        a->axes[i] = axes[i];
    }
    if (rank >= 0 && n_axes >= 0) {
        onnx_set_rank(n->c, n->out[0], op == PARE_OP_UNSQUEEZE ? rank + n_axes : rank - n_axes);
    }
}

void onnx_op_flatten(struct onnx_node *n, enum pare_op op)
{
    int axis = axis_of(n, 1);
    onnx_emit(n, op, 1, n->in, 1, n->out)->axis = axis;
    onnx_set_rank(n->c, n->out[0], 2);
}

void onnx_op_transpose(struct onnx_node *n, enum pare_op op)
{
    int64_t perm[PARE_MAX_RANK];
    int rank = onnx_rank(n->c, n->in[0]), count = onnx_ints(n, "perm", perm, PARE_MAX_RANK);
    unsigned seen = 0;
    if (count < 0 && rank < 0) {
        n->unknown = "it reverses the axes of a tensor whose rank is not known";
        return;
    }
    for (int i = 0; count < 0 && i < rank; i++) {
        perm[i] = rank - 1 - i;
    }
    count = count < 0 ? rank : count;
    for (int i = 0; i < count && n->c->status == PARE_OK; i++) {
        int64_t p = perm[i];
        if (p < 0 || p >= count || (seen >> p & 1) != 0) {
            onnx_node_fail(n, "the attribute 'perm' is no permutation of 0 to %d", count - 1);
            return;
        }
        seen |= 1u << p;
    }
    if (rank >= 0 && count != rank) {
        onnx_node_fail(n, "the attribute 'perm' has %d numbers, expected %d", count, rank);
        return;
    }
    struct pare_attr *a = onnx_emit(n, op, 1, n->in, 1, n->out);
    for (int i = 0; i < count; i++) {
        a->perm[i] = (int)perm[i];
    }
    onnx_set_rank(n->c, n->out[0], count);
}

/* starts, ends and axes as attributes (operator sets 1 to 9) or as inputs 1 to 4 */
void onnx_op_slice(struct onnx_node *n, enum pare_op op)
{
    int64_t begin[PARE_MAX_RANK], end[PARE_MAX_RANK], axes[PARE_MAX_RANK];
    int rank = onnx_rank(n->c, n->in[0]);
    if (n->n_in > 1) {
        onnx_emit(n, op, n->n_in, n->in, 1, n->out);
        onnx_set_rank(n->c, n->out[0], rank);
        return;
    }
    int n_begin = onnx_ints(n, "starts", begin, PARE_MAX_RANK),
        n_end = onnx_ints(n, "ends", end, PARE_MAX_RANK);
    int n_axes = onnx_ints(n, "axes", axes, PARE_MAX_RANK);
    if (n_begin < 0 || n_end != n_begin || (n_axes >= 0 && n_axes != n_begin)) {
        onnx_node_fail(n, "starts, ends and axes have %d, %d and %d numbers, expected the same",
                       n_begin, n_end, n_axes);
        return;
    }
    struct pare_attr *a = onnx_emit(n, op, 1, n->in, 1, n->out);
    a->n_axes = n_begin;
    for (int i = 0; i < n_begin; i++) {
        int64_t axis = n_axes >= 0 ? axes[i] : i;
        if (axis < -PARE_MAX_RANK || axis >= PARE_MAX_RANK) {
            onnx_node_fail(n, "the attribute 'axes' holds %lld", (long long)axis);
            return;
        }
        a->axes[i] = (int)axis;
        a->begin[i] = begin[i];
        a->end[i] = end[i];
        a->step[i] = 1;
    }
    onnx_set_rank(n->c, n->out[0], rank);
}

void onnx_op_gather(struct onnx_node *n, enum pare_op op)
{
    int axis = axis_of(n, 0), rank = onnx_rank(n->c, n->in[0]), indices = onnx_rank(n->c, n->in[1]);
    onnx_emit(n, op, 2, n->in, 1, n->out)->axis = axis;
    if (op == PARE_OP_GATHER_ELEMENTS) {
        onnx_set_rank(n->c, n->out[0], indices);
    } else if (rank >= 1 && indices >= 0) {
        onnx_set_rank(n->c, n->out[0], rank - 1 + indices);
    }
}

static bool read_pad_mode(struct onnx_node *n, enum pare_pad_mode *mode)
{
    static const struct {
        const char *name;
        enum pare_pad_mode mode;
    } modes[] = {{"constant", PARE_PAD_CONSTANT},
                 {"reflect", PARE_PAD_REFLECT},
                 {"edge", PARE_PAD_EDGE},
                 {"wrap", PARE_PAD_WRAP}};
    struct pare_pb_span text = onnx_string(n, "mode", "constant");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (pare_pb_is(text, modes[i].name)) {
            *mode = modes[i].mode;
            return true;
        }
    }
    n->unknown = "its mode is not supported";
    return false;
}

/* pads and value as attributes (operator sets 1 to 10) or as inputs 1 to 3 */
void onnx_op_pad(struct onnx_node *n, enum pare_op op)
{
    enum pare_pad_mode mode;
    int64_t pads[2 * PARE_MAX_RANK];
    int count = -1, rank = onnx_rank(n->c, n->in[0]);
    float value = onnx_float(n, "value", 0.0f);
    if (!read_pad_mode(n, &mode)) {
        return;
    }
    if (n->n_in == 1) {
        count = onnx_ints(n, onnx_has(n, "pads") ? "pads" : "paddings", pads, 2 * PARE_MAX_RANK);
        if (count < 0 || count % 2 != 0 || (rank >= 0 && count != 2 * rank)) {
            onnx_node_fail(n, "the attribute 'pads' has %d numbers, expected two for each axis",
                           count);
            return;
        }
    }
    struct pare_attr *a = onnx_emit(n, op, n->n_in, n->in, 1, n->out);
    a->pad_mode = mode;
    a->value = value;
    a->n_axes = count >= 0 ? count / 2 : -1;
    for (int i = 0; i < count / 2; i++) {
        a->axes[i] = i;
        a->pad_before[i] = pads[i];
        a->pad_after[i] = pads[count / 2 + i];
    }
    onnx_set_rank(n->c, n->out[0], rank);
}

void onnx_op_shape(struct onnx_node *n, enum pare_op op)
{
    int64_t begin = onnx_int(n, "start", 0), end = onnx_int(n, "end", INT64_MAX);
    struct pare_attr *a = onnx_emit(n, op, 1, n->in, 1, n->out);
    a->begin[0] = begin;
    a->end[0] = end;
    onnx_set_rank(n->c, n->out[0], 1);
}

/* The fill value of CONSTANT_OF_SHAPE: as a one-element constant in input 1, and its type and
 * value. */
static int fill_value(struct onnx_node *n, enum pare_dtype *dtype, float *value)
{
    char what[192];
    int t = onnx_fresh(n, "/value", PARE_F32);
    snprintf(what, sizeof what, "the value of node '%.120s'", n->label);
    onnx_read_tensor(n->c, onnx_proto(n, "value"), t, what);
    const struct pare_tensor *tensor = &n->c->g->tensors[t];
    int64_t integer = 0;
    if (n->c->status != PARE_OK) {
        return t;
    }
    if (pare_tensor_elements(tensor) != 1) {
        onnx_node_fail(n, "its value has %lld elements, expected 1",
                       (long long)pare_tensor_elements(tensor));
        return t;
    }
    *dtype = tensor->dtype;
    if (tensor->dtype == PARE_F32) {
        memcpy(value, tensor->data, sizeof *value);
    } else if (pare_tensor_const_ints(tensor, &integer, 1) == 1) {
        *value = (float)integer;
    }
    return t;
}

static void emit_constant_of_shape(struct onnx_node *n)
{
    enum pare_dtype dtype = PARE_F32;
    float value = 0.0f;
    int in[2] = {n->in[0], -1};
    bool given = onnx_has(n, "value");
    if (given) {
        in[1] = fill_value(n, &dtype, &value);
    }
    struct pare_attr *a = onnx_emit(n, PARE_OP_CONSTANT_OF_SHAPE, given ? 2 : 1, in, 1, n->out);
    a->to = dtype;
    a->value = value;
    onnx_set_rank(n->c, n->out[0], list_length(n, in[0]));
}

/* EXPAND, TILE, RANGE, CONSTANT_OF_SHAPE */
void onnx_op_fill(struct onnx_node *n, enum pare_op op)
{
    if (op == PARE_OP_CONSTANT_OF_SHAPE) {
        emit_constant_of_shape(n);
        return;
    }
    if (op == PARE_OP_TILE && n->n_in > 2) {
        n->unknown = "Tile of operator set 1 is not supported";
        return;
    }
    onnx_emit(n, op, n->n_in, n->in, 1, n->out);
    int rank = onnx_rank(n->c, n->in[0]);
    if (op == PARE_OP_RANGE) {
        rank = 1;
    } else if (op == PARE_OP_EXPAND) {
        int wanted = list_length(n, n->in[1]);
        rank = rank < 0 || wanted < 0 ? -1 : rank > wanted ? rank : wanted;
    }
    onnx_set_rank(n->c, n->out[0], rank);
}
