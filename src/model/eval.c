/* eval.c: runs one node: checks that the views fit, then hands them to the operator's function. */
#include "model/eval.h"

#include <string.h>

#include "model/eval_ops.h"

_Static_assert((int)PK_DT_COUNT == (int)PARE_DTYPE_COUNT && (int)PK_DT_BOOL == (int)PARE_BOOL &&
                   (int)PK_DT_U2 == (int)PARE_U2 && (int)PK_DT_F64 == (int)PARE_F64,
               "enum pk_dtype mirrors enum pare_dtype");

static enum pare_status (*const eval_of[PARE_OP_COUNT])(const struct eval_job *) = {
    [PARE_OP_CONV] = eval_conv,
    [PARE_OP_DEPTHWISE] = eval_conv,
    [PARE_OP_CONV_TRANSPOSE] = eval_conv,
    [PARE_OP_FULLY_CONNECTED] = eval_fully_connected,
    [PARE_OP_MATMUL] = eval_matmul,
    [PARE_OP_GEMM] = eval_gemm,
    [PARE_OP_BATCH_NORM] = eval_batch_norm,
    [PARE_OP_MAX_POOL] = eval_pool,
    [PARE_OP_AVG_POOL] = eval_pool,
    [PARE_OP_RELU] = eval_unary,
    [PARE_OP_CLIP] = eval_clip,
    [PARE_OP_LEAKY_RELU] = eval_unary,
    [PARE_OP_PRELU] = eval_binary,
    [PARE_OP_ELU] = eval_unary,
    [PARE_OP_CELU] = eval_unary,
    [PARE_OP_SIGMOID] = eval_unary,
    [PARE_OP_HARD_SIGMOID] = eval_unary,
    [PARE_OP_HARD_SWISH] = eval_unary,
    [PARE_OP_TANH] = eval_unary,
    [PARE_OP_NEG] = eval_unary,
    [PARE_OP_ABS] = eval_unary,
    [PARE_OP_EXP] = eval_unary,
    [PARE_OP_SQRT] = eval_unary,
    [PARE_OP_RSQRT] = eval_unary,
    [PARE_OP_LOG] = eval_unary,
    [PARE_OP_MISH] = eval_unary,
    [PARE_OP_SWISH] = eval_unary,
    [PARE_OP_FLOOR] = eval_unary,
    [PARE_OP_CEIL] = eval_unary,
    [PARE_OP_ROUND] = eval_unary,
    [PARE_OP_SOFTMAX] = eval_softmax,
    [PARE_OP_ADD] = eval_binary,
    [PARE_OP_SUB] = eval_binary,
    [PARE_OP_MUL] = eval_binary,
    [PARE_OP_DIV] = eval_binary,
    [PARE_OP_MIN] = eval_binary,
    [PARE_OP_MAX] = eval_binary,
    [PARE_OP_POW] = eval_binary,
    [PARE_OP_CONCAT] = eval_concat,
    [PARE_OP_SPLIT] = eval_split,
    [PARE_OP_PACK] = eval_concat,
    [PARE_OP_UNPACK] = eval_unpack,
    [PARE_OP_RESHAPE] = eval_copy,
    [PARE_OP_SQUEEZE] = eval_copy,
    [PARE_OP_UNSQUEEZE] = eval_copy,
    [PARE_OP_FLATTEN] = eval_copy,
    [PARE_OP_TRANSPOSE] = eval_transpose,
    [PARE_OP_SLICE] = eval_slice,
    [PARE_OP_GATHER] = eval_gather,
    [PARE_OP_GATHER_ELEMENTS] = eval_gather_elements,
    [PARE_OP_PAD] = eval_pad,
    [PARE_OP_SHAPE] = eval_shape,
    [PARE_OP_IDENTITY] = eval_copy,
    [PARE_OP_CAST] = eval_cast,
    [PARE_OP_EXPAND] = eval_expand,
    [PARE_OP_TILE] = eval_tile,
    [PARE_OP_CONSTANT_OF_SHAPE] = eval_fill,
    [PARE_OP_RANGE] = eval_range,
    [PARE_OP_REDUCE_MEAN] = eval_reduce,
    [PARE_OP_REDUCE_MAX] = eval_reduce,
    [PARE_OP_REDUCE_MIN] = eval_reduce,
    [PARE_OP_REDUCE_SUM] = eval_reduce,
    [PARE_OP_RESIZE] = eval_resize,
    [PARE_OP_QUANTIZE] = eval_quantize,
    [PARE_OP_DEQUANTIZE] = eval_quantize,
    [PARE_OP_REQUANTIZE] = eval_copy,
    [PARE_OP_DYNAMIC_QUANTIZE] = eval_dynamic_quantize,
    [PARE_OP_DEPTH_TO_SPACE] = eval_blocks,
    [PARE_OP_SPACE_TO_DEPTH] = eval_blocks,
    [PARE_OP_ARGMAX] = eval_arg,
    [PARE_OP_ARGMIN] = eval_arg,
    [PARE_OP_NMS] = eval_nms,
    [PARE_OP_DETECTION_POSTPROCESS] = eval_detection,
};

enum pk_dtype eval_type(const struct pare_view *v)
{
    return (enum pk_dtype)v->dtype;
}

size_t eval_count(const struct pare_view *v)
{
    int64_t n = view_elements(v);
    return n > 0 ? (size_t)n : 0;
}

enum pare_status eval_refuse(const struct eval_job *j, enum pare_dtype t)
{
    return op_fail(&j->o, "the operator is not implemented for %s", pare_dtype_name(t));
}

enum pare_status eval_done(const struct eval_job *j, bool done)
{
    return done ? PARE_OK : eval_refuse(j, j->o.in[0].dtype);
}

void eval_broadcast_steps(const struct pare_view *v, int rank, int64_t *step)
{
    int64_t n = 1;
    for (int i = rank - 1; i >= 0; i--) {
        int own = i - (rank - v->rank);
        step[i] = own >= 0 && v->dims[own] != 1 ? n : 0;
        n *= own >= 0 ? v->dims[own] : 1;
    }
}

void eval_split_at(const struct pare_view *v, int axis, size_t *outer, size_t *n, size_t *inner)
{
    *outer = *inner = 1;
    for (int i = 0; i < v->rank; i++) {
        if (i != axis) {
            *(i < axis ? outer : inner) *= (size_t)v->dims[i];
        }
    }
    *n = (size_t)v->dims[axis];
}

uint64_t eval_bits(enum pare_dtype t, double value)
{
    uint64_t bits = 0;
    pk_store((enum pk_dtype)t, &bits, 0, value);
    return bits;
}

static struct pare_view graph_view(const struct pare_graph *g, int tensor)
{
    struct pare_view v = {.rank = -1};
    if (tensor >= 0) {
        const struct pare_tensor *t = &g->tensors[tensor];
        v.dtype = t->dtype;
        v.rank = t->rank;
        memcpy(v.dims, t->dims, sizeof v.dims);
        v.data = (void *)(uintptr_t)t->data;
    }
    return v;
}

size_t pare_op_scratch_bytes(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    struct pare_view in[4];
    struct op_node o = {NULL, n, NULL, NULL, in};
    if (n->op != PARE_OP_RESIZE && n->op != PARE_OP_NMS && n->op != PARE_OP_DETECTION_POSTPROCESS) {
        return 0;
    }
    for (int k = 0; k < 4; k++) {
        in[k] = graph_view(g, k < n->n_in ? n->in[k] : -1);
    }
    if (n->op == PARE_OP_RESIZE) {
        return eval_resize_scratch(&o);
    }
    return n->op == PARE_OP_NMS ? (size_t)in[0].dims[1] * sizeof(int32_t) + 16
                                : eval_detection_scratch(&o);
}

/* Inputs and outputs that must be there and sized. */
static enum pare_status check_views(const struct eval_job *j)
{
    enum pare_op op = j->o.node->op;
    for (int k = 0; k < j->o.node->n_in; k++) {
        /* SHAPE reads no data; the fill value of PAD may come as fill_bits instead. */
        bool spare = op == PARE_OP_SHAPE || (op == PARE_OP_PAD && k == 2);
        if (!spare && op_has(&j->o, k) && j->o.in[k].data == NULL && eval_count(&j->o.in[k]) > 0) {
            return op_fail(&j->o, "input %d has no data", k);
        }
    }
    for (int k = 0; k < j->o.node->n_out; k++) {
        if (j->out[k].data != NULL && view_elements(&j->out[k]) < 0) {
            return op_fail(&j->o, "output %d has no shape", k);
        }
    }
    return PARE_OK;
}

enum pare_status pare_op_eval(const struct pare_graph *g, int node, const struct pare_view *in,
                              struct pare_view *out, void *scratch, struct pare_error *err)
{
    const struct pare_node *n = &g->nodes[node];
    struct eval_job j = {{NULL, n, NULL, err, in}, g, out, scratch};
    if (eval_of[n->op] == NULL) {
        return op_fail(&j.o, "the operator is not known");
    }
    enum pare_status status = check_views(&j);
    /* Only pools, splits and detection have outputs that may be unwanted. */
    bool wanted = n->n_out > 0 && (out[0].data != NULL || n->n_out > 1);
    return status == PARE_OK && wanted ? eval_of[n->op](&j) : status;
}
