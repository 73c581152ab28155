/*
 * shapes.c: goes through the nodes in order, sets the shape of every output, and computes small
 * constants (Shape -> Gather -> Concat -> Reshape) on the way, because later shapes need their
 * values.
 *
 * A tensor whose shape cannot be known (behind an UNKNOWN node) stays unknown, and so does
 * everything made from it; that is no error. Running inference again on its own result changes
 * nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "model/shapes.h"

static enum pare_status (*const shape_of[PARE_OP_COUNT])(const struct op_node *) = {
    [PARE_OP_CONV] = shape_conv,
    [PARE_OP_DEPTHWISE] = shape_depthwise,
    [PARE_OP_CONV_TRANSPOSE] = shape_conv_transpose,
    [PARE_OP_FULLY_CONNECTED] = shape_fully_connected,
    [PARE_OP_MATMUL] = shape_matmul,
    [PARE_OP_GEMM] = shape_gemm,
    [PARE_OP_BATCH_NORM] = shape_batch_norm,
    [PARE_OP_MAX_POOL] = shape_pool,
    [PARE_OP_AVG_POOL] = shape_pool,
    [PARE_OP_RELU] = shape_same,
    [PARE_OP_CLIP] = shape_same,
    [PARE_OP_LEAKY_RELU] = shape_same,
    [PARE_OP_PRELU] = shape_prelu,
    [PARE_OP_ELU] = shape_same,
    [PARE_OP_CELU] = shape_same,
    [PARE_OP_SIGMOID] = shape_same,
    [PARE_OP_HARD_SIGMOID] = shape_same,
    [PARE_OP_HARD_SWISH] = shape_same,
    [PARE_OP_TANH] = shape_same,
    [PARE_OP_NEG] = shape_same,
    [PARE_OP_ABS] = shape_same,
    [PARE_OP_EXP] = shape_same,
    [PARE_OP_SQRT] = shape_same,
    [PARE_OP_RSQRT] = shape_same,
    [PARE_OP_LOG] = shape_same,
    [PARE_OP_MISH] = shape_same,
    [PARE_OP_SWISH] = shape_same,
    [PARE_OP_FLOOR] = shape_same,
    [PARE_OP_CEIL] = shape_same,
    [PARE_OP_ROUND] = shape_same,
    [PARE_OP_SOFTMAX] = shape_softmax,
    [PARE_OP_ADD] = shape_binary,
    [PARE_OP_SUB] = shape_binary,
    [PARE_OP_MUL] = shape_binary,
    [PARE_OP_DIV] = shape_binary,
    [PARE_OP_MIN] = shape_binary,
    [PARE_OP_MAX] = shape_binary,
    [PARE_OP_POW] = shape_binary,
    [PARE_OP_CONCAT] = shape_concat,
    [PARE_OP_SPLIT] = shape_split,
    [PARE_OP_PACK] = shape_pack,
    [PARE_OP_UNPACK] = shape_unpack,
    [PARE_OP_RESHAPE] = shape_reshape,
    [PARE_OP_SQUEEZE] = shape_squeeze,
    [PARE_OP_UNSQUEEZE] = shape_unsqueeze,
    [PARE_OP_FLATTEN] = shape_flatten,
    [PARE_OP_TRANSPOSE] = shape_transpose,
    [PARE_OP_SLICE] = shape_slice,
    [PARE_OP_GATHER] = shape_gather,
    [PARE_OP_GATHER_ELEMENTS] = shape_gather_elements,
    [PARE_OP_PAD] = shape_pad,
    [PARE_OP_SHAPE] = shape_shape,
    [PARE_OP_IDENTITY] = shape_same,
    [PARE_OP_CAST] = shape_cast,
    [PARE_OP_EXPAND] = shape_expand,
    [PARE_OP_TILE] = shape_tile,
    [PARE_OP_CONSTANT_OF_SHAPE] = shape_fill,
    [PARE_OP_RANGE] = shape_range,
    [PARE_OP_REDUCE_MEAN] = shape_reduce,
    [PARE_OP_REDUCE_MAX] = shape_reduce,
    [PARE_OP_REDUCE_MIN] = shape_reduce,
    [PARE_OP_REDUCE_SUM] = shape_reduce,
    [PARE_OP_RESIZE] = shape_resize,
    [PARE_OP_QUANTIZE] = shape_quantize,
    [PARE_OP_DEQUANTIZE] = shape_dequantize,
    [PARE_OP_REQUANTIZE] = shape_same,
    [PARE_OP_DYNAMIC_QUANTIZE] = shape_dynamic_quantize,
    [PARE_OP_DEPTH_TO_SPACE] = shape_blocks,
    [PARE_OP_SPACE_TO_DEPTH] = shape_blocks,
    [PARE_OP_ARGMAX] = shape_arg,
    [PARE_OP_ARGMIN] = shape_arg,
    [PARE_OP_NMS] = shape_nms,
    [PARE_OP_DETECTION_POSTPROCESS] = shape_detection,
};

/* Inputs that an operator cannot do without. */
static int needed_inputs(enum pare_op op)
{
    switch (op) {
    case PARE_OP_BATCH_NORM:
        return 5;
    case PARE_OP_DETECTION_POSTPROCESS:
        return 3;
    case PARE_OP_RANGE:
        return 3;
    case PARE_OP_CONV:
    case PARE_OP_DEPTHWISE:
    case PARE_OP_CONV_TRANSPOSE:
    case PARE_OP_FULLY_CONNECTED:
    case PARE_OP_MATMUL:
    case PARE_OP_GEMM:
    case PARE_OP_PRELU:
    case PARE_OP_ADD:
    case PARE_OP_SUB:
    case PARE_OP_MUL:
    case PARE_OP_DIV:
    case PARE_OP_MIN:
    case PARE_OP_MAX:
    case PARE_OP_POW:
    case PARE_OP_GATHER:
    case PARE_OP_GATHER_ELEMENTS:
    case PARE_OP_QUANTIZE:
    case PARE_OP_DEQUANTIZE:
    case PARE_OP_NMS:
        return 2;
    default:
        return 1;
    }
}

struct pare_attr *shape_attr(const struct op_node *o)
{
    return &o->g->nodes[o->node - o->g->nodes].attr;
}

static enum pare_status write_shape(const struct op_node *o, int k, enum pare_dtype dtype, int rank,
                                    const int64_t *dims, bool check)
{
    struct pare_view v = {.dtype = dtype, .rank = rank};
    char found[96], wanted[96];
    if (k >= o->node->n_out || o->node->out[k] < 0) {
        return PARE_OK;
    }
    struct pare_tensor *t = &o->g->tensors[o->node->out[k]];
    if (rank < 0 || rank > PARE_MAX_RANK) {
        return op_fail(o, "output %d would have rank %d, more than %d", k, rank, PARE_MAX_RANK);
    }
    memcpy(v.dims, dims, (size_t)rank * sizeof v.dims[0]);
    int64_t elements = view_elements(&v);
    bool fits = elements >= 0 && elements <= SHAPES_MAX_ELEMENTS;
    for (int i = 0; i < rank; i++) {
        fits = fits && dims[i] <= SHAPES_MAX_DIM;
    }
    if (!fits) {
        return op_fail(o, "output %d would be %s, more than 2^31 elements", k,
                       view_text(&v, found, sizeof found));
    }
    bool agrees = !check || t->rank < 0 || t->rank == rank;
    for (int i = 0; check && agrees && t->rank >= 0 && i < rank; i++) {
        agrees = t->dims[i] < 0 || t->dims[i] == dims[i];
    }
    if (!agrees) {
        pare_tensor_shape_text(t, wanted, sizeof wanted);
        return op_fail(o, "output %d is %s, but the file says %s", k,
                       view_text(&v, found, sizeof found), wanted);
    }
    t->dtype = dtype;
    t->rank = rank;
    memcpy(t->dims, v.dims, sizeof t->dims);
    return PARE_OK;
}

enum pare_status shape_out(const struct op_node *o, int k, enum pare_dtype dtype, int rank,
                           const int64_t *dims)
{
    return write_shape(o, k, dtype, rank, dims, true);
}

enum pare_status shape_out_bound(const struct op_node *o, int k, enum pare_dtype dtype, int rank,
                                 const int64_t *dims)
{
    return write_shape(o, k, dtype, rank, dims, false);
}

enum pare_status shape_like(const struct op_node *o, int k, const struct pare_view *v)
{
    return write_shape(o, k, v->dtype, v->rank, v->dims, true);
}

/* Views of a node's inputs; false when a shape is not known. */
static bool view_inputs(struct shape_walk *s, const struct pare_node *node)
{
    static const char empty[16];
    for (int k = 0; k < node->n_in; k++) {
        s->views[k] = (struct pare_view){.rank = -1};
        if (node->in[k] < 0) {
            continue;
        }
        const struct pare_tensor *t = &s->g->tensors[node->in[k]];
        if (pare_tensor_elements(t) < 0) {
            return false;
        }
        s->views[k] = shape_view_of(t, t->data != NULL        ? t->data
                                       : shape_is_constant(t) ? empty
                                                              : NULL);
    }
    return true;
}

/* Constants from elsewhere must hold what their shapes say. */
static enum pare_status check_tensor(struct shape_walk *s, const struct pare_tensor *t)
{
    char text[96];
    int64_t elements = pare_tensor_elements(t);
    bool fits = t->rank <= PARE_MAX_RANK;
    for (int i = 0; i < t->rank && fits; i++) {
        fits = t->dims[i] <= SHAPES_MAX_DIM;
    }
    pare_tensor_shape_text(t, text, sizeof text);
    if (!fits || elements > SHAPES_MAX_ELEMENTS) {
        return pare_error(s->err, PARE_ERR_FORMAT, s->where,
                          "tensor '%.150s' is %s, more than 2^31 elements", t->name, text);
    }
    if (t->data != NULL && (elements < 0 || t->size_bytes < pare_dtype_bytes(t->dtype, elements))) {
        return pare_error(s->err, PARE_ERR_FORMAT, s->where,
                          "tensor '%.150s' of %s %s has %zu bytes of data", t->name,
                          pare_dtype_name(t->dtype), text, t->size_bytes);
    }
    return PARE_OK;
}

/* ---- the walk ---- */

static enum pare_status infer_node(struct shape_walk *s, int index)
{
    const struct pare_node *node = &s->g->nodes[index];
    struct op_node o = {s->g, node, s->where, s->err, s->views};
    if (node->op == PARE_OP_UNKNOWN) {
        return PARE_OK;
    }
    for (int k = 0; k < needed_inputs(node->op); k++) {
        if (!op_has(&o, k)) {
            return op_fail(&o, "input %d is missing", k);
        }
    }
    if (node->n_out < 1) {
        return op_fail(&o, "it has no output");
    }
    if (!view_inputs(s, node)) {
        return PARE_OK;
    }
    enum pare_status status = shape_of[node->op](&o);
    return status == PARE_OK && shape_can_fold(s, index) ? shape_fold(s, index) : status;
}

static void drop_folded(struct shape_walk *s)
{
    struct pare_graph *g = s->g;
    int kept = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        if (s->folded[i]) {
            continue;
        }
        if (kept != i) {
            g->nodes[kept] = g->nodes[i];
            for (int k = 0; k < g->nodes[kept].n_out; k++) {
                if (g->nodes[kept].out[k] >= 0) {
                    g->tensors[g->nodes[kept].out[k]].producer = kept;
                }
            }
        }
        kept++;
    }
    g->n_nodes = kept;
}

static enum pare_status prepare(struct shape_walk *s)
{
    struct pare_graph *g = s->g;
    int most = 1;
    for (int i = 0; i < g->n_nodes; i++) {
        most = g->nodes[i].n_in > most ? g->nodes[i].n_in : most;
    }
    s->views = calloc((size_t)most, sizeof *s->views);
    s->consumers = calloc((size_t)g->n_tensors + 1, sizeof *s->consumers);
    s->folded = calloc((size_t)g->n_nodes + 1, sizeof *s->folded);
    if (s->views == NULL || s->consumers == NULL || s->folded == NULL) {
        return pare_error_nomem(s->err);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            if (g->nodes[i].in[k] >= 0) {
                s->consumers[g->nodes[i].in[k]]++;
            }
        }
    }
    for (int i = 0; i < g->n_inputs; i++) { /* an unknown batch is one sample */
        struct pare_tensor *t = &g->tensors[g->inputs[i]];
        if (t->rank > 0 && t->dims[0] < 0) {
            t->dims[0] = 1;
        }
    }
    enum pare_status status = PARE_OK;
    for (int i = 0; i < g->n_tensors && status == PARE_OK; i++) {
        status = g->tensors[i].rank >= 0 ? check_tensor(s, &g->tensors[i]) : PARE_OK;
    }
    return status;
}

enum pare_status pare_shapes_infer(struct pare_graph *g, const char *where, struct pare_error *err)
{
    struct shape_walk s = {.g = g, .where = where, .err = err};
    enum pare_status status = prepare(&s);
    for (int i = 0; i < g->n_nodes && status == PARE_OK; i++) {
        status = infer_node(&s, i);
    }
    if (s.folded != NULL) {
        drop_folded(&s);
    }
    free(s.views);
    free(s.consumers);
    free(s.folded);
    return status;
}
