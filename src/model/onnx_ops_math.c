/*
 * onnx_ops_math.c: elementwise operators, products, reductions. Operator sets before 7 spread the
 * second operand by the attributes broadcast and axis; here it gets the axes that numpy's rule
 * needs.
 */
#include "model/onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int larger(int a, int b)
{
    return a < 0 || b < 0 ? -1 : a > b ? a : b;
}

void onnx_op_unary(struct onnx_node *n, enum pare_op op)
{
    float alpha = 1.0f, beta = 1.0f;
    switch (op) {
    case PARE_OP_LEAKY_RELU:
        alpha = onnx_float(n, "alpha", 0.01f);
        break;
    case PARE_OP_ELU:
    case PARE_OP_CELU:
    case PARE_OP_SWISH:
        alpha = onnx_float(n, "alpha", 1.0f);
        break;
    case PARE_OP_HARD_SIGMOID:
        alpha = onnx_float(n, "alpha", 0.2f);
        beta = onnx_float(n, "beta", 0.5f);
        break;
    default:
        break;
    }
    struct pare_attr *a = onnx_emit(n, op, 1, n->in, 1, n->out);
    a->alpha = alpha;
    a->beta = beta;
    onnx_set_rank(n->c, n->out[0], onnx_rank(n->c, n->in[0]));
}

/* b with the trailing axes that operator sets before 7 leave out; -1 = not possible (n->unknown is
 * set). */
static int old_broadcast(struct onnx_node *n, int a, int b, int axis)
{
    int rank_a = onnx_rank(n->c, a), rank_b = onnx_rank(n->c, b);
    if (rank_a < 0 || rank_b < 0) {
        n->unknown = "the ranks that its attribute axis needs are not known";
        return -1;
    }
    axis = axis < 0 ? axis + rank_a : axis;
    if (axis < 0 || axis + rank_b > rank_a) {
        onnx_node_fail(n, "axis %d does not fit operands of rank %d and %d", axis, rank_a, rank_b);
        return -1;
    }
    return onnx_unsqueeze_end(n, b, rank_b, rank_a - axis - rank_b, "/broadcast");
}

void onnx_op_binary(struct onnx_node *n, enum pare_op op)
{
    int in[2] = {n->in[0], n->in[1]};
    if (n->c->opset < 7 && onnx_flag(n, "broadcast", false) && onnx_has(n, "axis")) {
        in[1] = old_broadcast(n, in[0], in[1],
                              onnx_int_in(n, "axis", 0, -PARE_MAX_RANK, PARE_MAX_RANK));
        if (in[1] < 0) {
            return;
        }
    }
    onnx_emit(n, op, 2, in, 1, n->out);
    onnx_set_rank(n->c, n->out[0], larger(onnx_rank(n->c, in[0]), onnx_rank(n->c, in[1])));
}

/* in[0] op in[1] op ... into y. */
static void chain(struct onnx_node *n, enum pare_op op, int y)
{
    int sum = n->in[0], rank = onnx_rank(n->c, sum);
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0) {
            onnx_node_fail(n, "input %d is missing", i);
            return;
        }
    }
    if (n->n_in == 1) {
        onnx_emit(n, PARE_OP_IDENTITY, 1, n->in, 1, &y);
    }
    for (int i = 1; i < n->n_in && n->c->status == PARE_OK; i++) {
        bool last = i == n->n_in - 1;
        int in[2] = {sum, n->in[i]};
        rank = larger(rank, onnx_rank(n->c, n->in[i]));
        char suffix[32];
        snprintf(suffix, sizeof suffix, "/%d", i);
        sum = last ? y : onnx_fresh(n, suffix, n->c->g->tensors[sum].dtype);
        if (last) {
            onnx_emit(n, op, 2, in, 1, &sum);
        } else {
            onnx_emit_helper(n, op, suffix, 2, in, 1, &sum);
        }
    }
    onnx_set_rank(n->c, y, rank);
}

void onnx_op_chain(struct onnx_node *n, enum pare_op op)
{
    chain(n, op, n->out[0]);
}

void onnx_op_mean(struct onnx_node *n, enum pare_op op)
{
    if (n->n_in == 1) {
        chain(n, op, n->out[0]);
        return;
    }
    int sum = onnx_fresh(n, "/sum", n->c->g->tensors[n->in[0]].dtype);
    int count = onnx_const_float(n, "/count", (float)n->n_in);
    chain(n, op, sum);
    onnx_emit_helper(n, PARE_OP_DIV, "/mean", 2, (int[]){sum, count}, 1, n->out);
    onnx_set_rank(n->c, n->out[0], onnx_rank(n->c, sum));
}

/* A float32 constant of one element. */
static bool const_float(const struct onnx_node *n, int t, float *value)
{
    if (t < 0) {
        return true;
    }
    const struct pare_tensor *tensor = &n->c->g->tensors[t];
    if (tensor->data == NULL || tensor->dtype != PARE_F32 || tensor->size_bytes != sizeof *value) {
        return false;
    }
    memcpy(value, tensor->data, sizeof *value);
    return true;
}

void onnx_op_clip(struct onnx_node *n, enum pare_op op)
{
    float lo = onnx_float(n, "min", -INFINITY), hi = onnx_float(n, "max", INFINITY);
    int in[3] = {n->in[0], onnx_input(n, 1), onnx_input(n, 2)};
    bool constant = const_float(n, in[1], &lo) && const_float(n, in[2], &hi);
    if (constant && (isnan(lo) || isnan(hi))) {
        onnx_node_fail(n, "a bound is NaN");
        return;
    }
    struct pare_attr *a = onnx_emit(n, op, constant ? 1 : 3, in, 1, n->out);
    a->lo = lo;
    a->hi = hi;
    onnx_set_rank(n->c, n->out[0], onnx_rank(n->c, in[0]));
}

void onnx_op_prelu(struct onnx_node *n, enum pare_op op)
{
    int rank = onnx_rank(n->c, n->in[0]), in[2] = {n->in[0], n->in[1]};
    if (n->c->opset < 7 && rank > 2 && onnx_rank(n->c, in[1]) == 1) {
        in[1] = onnx_unsqueeze_end(n, in[1], 1, rank - 2, "/slope");
    }
    onnx_emit(n, op, 2, in, 1, n->out);
    onnx_set_rank(n->c, n->out[0], rank);
}

void onnx_op_softmax(struct onnx_node *n, enum pare_op op)
{
    bool newer = n->c->opset >= 13;
    int axis = onnx_int_in(n, "axis", newer ? -1 : 1, -PARE_MAX_RANK, PARE_MAX_RANK - 1);
    struct pare_attr *a = onnx_emit(n, op, 1, n->in, 1, n->out);
    a->axis = axis;
    a->newer_softmax = newer;
    onnx_set_rank(n->c, n->out[0], onnx_rank(n->c, n->in[0]));
}

void onnx_op_matmul(struct onnx_node *n, enum pare_op op)
{
    onnx_emit(n, op, 2, n->in, 1, n->out);
    int a = onnx_rank(n->c, n->in[0]), b = onnx_rank(n->c, n->in[1]);
    int rank = larger(a, b);
    onnx_set_rank(n->c, n->out[0], rank > 0 ? rank - (a == 1) - (b == 1) : -1);
}

void onnx_op_gemm(struct onnx_node *n, enum pare_op op)
{
    float alpha = onnx_float(n, "alpha", 1.0f), beta = onnx_float(n, "beta", 1.0f);
    bool trans_a = onnx_flag(n, "transA", false), trans_b = onnx_flag(n, "transB", false);
    struct pare_attr *a = onnx_emit(n, op, n->n_in, n->in, 1, n->out);
    a->alpha = alpha;
    a->beta = beta;
    a->trans_a = trans_a;
    a->trans_b = trans_b;
    onnx_set_rank(n->c, n->out[0], 2);
}

void onnx_op_reduce(struct onnx_node *n, enum pare_op op)
{
    int axes[PARE_MAX_RANK], rank = onnx_rank(n->c, n->in[0]);
    int n_axes = onnx_axes(n, axes);
    bool keep = onnx_flag(n, "keepdims", true), noop = onnx_flag(n, "noop_with_empty_axes", false);
    bool from_input = n_axes < 0 && onnx_input(n, 1) >= 0;
    struct pare_attr *a = onnx_emit(n, op, from_input ? 2 : 1, n->in, 1, n->out);
    a->keep_dims = keep;
    a->noop_with_empty_axes = noop;
    a->n_axes = n_axes > 0 ? n_axes : -1;
    for (int i = 0; i < n_axes; i++) {
        a->axes[i] = axes[i];
    }
    if (!keep && rank >= 0) {
        rank = from_input ? -1 : n_axes > 0 ? rank - n_axes : noop ? rank : 0;
    }
    onnx_set_rank(n->c, n->out[0], rank);
}

void onnx_op_arg(struct onnx_node *n, enum pare_op op)
{
    int axis = onnx_int_in(n, "axis", 0, -PARE_MAX_RANK, PARE_MAX_RANK - 1);
    bool keep = onnx_flag(n, "keepdims", true), last = onnx_flag(n, "select_last_index", false);
    struct pare_attr *a = onnx_emit(n, op, 1, n->in, 1, n->out);
    a->axis = axis;
    a->keep_dims = keep;
    a->select_last = last;
    int rank = onnx_rank(n->c, n->in[0]);
    onnx_set_rank(n->c, n->out[0], rank > 0 && !keep ? rank - 1 : rank);
}

/* Operator sets before 6 write the target type as text. */
static int64_t cast_target(struct onnx_node *n)
{
    static const char *const names[] = {"",        "FLOAT",  "UINT8",  "INT8",   "UINT16",
                                        "INT16",   "INT32",  "INT64",  "STRING", "BOOL",
                                        "FLOAT16", "DOUBLE", "UINT32", "UINT64"};
    if (n->c->opset >= 6) {
        return onnx_int(n, "to", 0);
    }
    struct pare_pb_span text = onnx_string(n, "to", "");
    for (int i = 1; i < (int)(sizeof names / sizeof names[0]); i++) {
        if (pare_pb_is(text, names[i])) {
            return i;
        }
    }
    return 0;
}

void onnx_op_cast(struct onnx_node *n, enum pare_op op)
{
    int to = onnx_dtype(cast_target(n));
    bool saturate = onnx_flag(n, "saturate", true);
    if (to < 0 || to == PARE_STRING) {
        n->unknown = "its target type is not supported";
        return;
    }
    struct pare_attr *a = onnx_emit(n, op, 1, n->in, 1, n->out);
    a->to = (enum pare_dtype)to;
    a->saturate = saturate;
    onnx_set_rank(n->c, n->out[0], onnx_rank(n->c, n->in[0]));
}

void onnx_op_nms(struct onnx_node *n, enum pare_op op)
{
    bool center = onnx_int_in(n, "center_point_box", 0, 0, 1) != 0;
    onnx_emit(n, op, n->n_in, n->in, 1, n->out)->center_point_box = center;
    onnx_set_rank(n->c, n->out[0], 2);
}
