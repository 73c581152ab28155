/* eval_math.c: elementwise operators, reductions, resize, quantization, detection. */
#include <string.h>

#include "model/eval_ops.h"

static enum pk_unary_op unary_op(enum pare_op op)
{
    switch (op) {
    case PARE_OP_RELU:
        return PK_RELU;
    case PARE_OP_LEAKY_RELU:
        return PK_LEAKY_RELU;
    case PARE_OP_ELU:
        return PK_ELU;
    case PARE_OP_CELU:
        return PK_CELU;
    case PARE_OP_SIGMOID:
        return PK_SIGMOID;
    case PARE_OP_HARD_SIGMOID:
        return PK_HARD_SIGMOID;
    case PARE_OP_HARD_SWISH:
        return PK_HARD_SWISH;
    case PARE_OP_TANH:
        return PK_TANH;
    case PARE_OP_NEG:
        return PK_NEG;
    case PARE_OP_ABS:
        return PK_ABS;
    case PARE_OP_EXP:
        return PK_EXP;
    case PARE_OP_SQRT:
        return PK_SQRT;
    case PARE_OP_RSQRT:
        return PK_RSQRT;
    case PARE_OP_LOG:
        return PK_LOG;
    case PARE_OP_MISH:
        return PK_MISH;
    case PARE_OP_SWISH:
        return PK_SWISH;
    case PARE_OP_FLOOR:
        return PK_FLOOR;
    case PARE_OP_CEIL:
        return PK_CEIL;
    default:
        return PK_ROUND;
    }
}

enum pare_status eval_unary(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    const struct pare_attr *a = &j->o.node->attr;
    return eval_done(j, pk_unary(unary_op(j->o.node->op), eval_type(x), eval_count(x), x->data,
                                 j->out[0].data, a->alpha, a->beta));
}

enum pare_status eval_clip(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    uint64_t bits[2];
    const void *bound[2] = {NULL, NULL};
    for (int k = 0; k < 2; k++) {
        bits[k] = eval_bits(x->dtype, (double)(k == 0 ? j->o.node->attr.lo : j->o.node->attr.hi));
        bound[k] = j->o.node->n_in == 1 ? &bits[k] : NULL;
        if (op_has(&j->o, k + 1)) {
            const struct pare_view *v = &j->o.in[k + 1];
            if (v->dtype != x->dtype || eval_count(v) != 1) {
                return op_fail(&j->o, "bound %d is no number of the input's type", k);
            }
            bound[k] = v->data;
        }
    }
    return eval_done(
        j, pk_clip(eval_type(x), eval_count(x), x->data, bound[0], bound[1], j->out[0].data));
}

enum pare_status eval_binary(const struct eval_job *j)
{
    const struct pare_view *a = &j->o.in[0], *b = &j->o.in[1], *y = &j->out[0];
    int64_t a_step[PARE_MAX_RANK], b_step[PARE_MAX_RANK];
    enum pk_binary_op op = PK_ADD;
    eval_broadcast_steps(a, y->rank, a_step);
    eval_broadcast_steps(b, y->rank, b_step);
    switch (j->o.node->op) {
    case PARE_OP_SUB:
        op = PK_SUB;
        break;
    case PARE_OP_MUL:
        op = PK_MUL;
        break;
    case PARE_OP_DIV:
        op = PK_DIV;
        break;
    case PARE_OP_MIN:
        op = PK_MIN;
        break;
    case PARE_OP_MAX:
        op = PK_MAX;
        break;
    case PARE_OP_PRELU:
        op = PK_PRELU;
        break;
    case PARE_OP_POW:
        return eval_done(j, pk_pow(eval_type(a), eval_type(b), y->rank, y->dims, a->data, a_step,
                                   b->data, b_step, y->data));
    default:
        break;
    }
    if (a->dtype != b->dtype) {
        return op_fail(&j->o, "operands of %s and %s", pare_dtype_name(a->dtype),
                       pare_dtype_name(b->dtype));
    }
    return eval_done(j, pk_binary(op, eval_type(a), y->rank, y->dims, a->data, a_step, b->data,
                                  b_step, y->data));
}

enum pare_status eval_softmax(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    size_t outer, n, inner;
    int axis;
    enum pare_status status = op_axis(&j->o, j->o.node->attr.axis, x->rank, &axis);
    if (status != PARE_OK) {
        return status;
    }
    eval_split_at(x, axis, &outer, &n, &inner);
    if (!j->o.node->attr.newer_softmax) { /* over everything from the axis on */
        n *= inner;
        inner = 1;
    }
    return eval_done(j, pk_softmax(eval_type(x), outer, n, inner, j->o.node->attr.alpha, x->data,
                                   j->out[0].data));
}

enum pare_status eval_reduce(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    bool reduced[PARE_MAX_RANK];
    enum pk_reduce_op op = j->o.node->op == PARE_OP_REDUCE_MEAN  ? PK_REDUCE_MEAN
                           : j->o.node->op == PARE_OP_REDUCE_MAX ? PK_REDUCE_MAX
                           : j->o.node->op == PARE_OP_REDUCE_MIN ? PK_REDUCE_MIN
                                                                 : PK_REDUCE_SUM;
    enum pare_status status = op_reduced(&j->o, reduced);
    return status == PARE_OK ? eval_done(j, pk_reduce(op, eval_type(x), x->rank, x->dims, reduced,
                                                      x->data, j->out[0].data))
                             : status;
}

enum pare_status eval_arg(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    size_t outer, n, inner;
    int axis;
    enum pare_status status = op_axis(&j->o, j->o.node->attr.axis, x->rank, &axis);
    if (status != PARE_OK) {
        return status;
    }
    eval_split_at(x, axis, &outer, &n, &inner);
    return eval_done(j, pk_arg(j->o.node->op == PARE_OP_ARGMAX, j->o.node->attr.select_last,
                               eval_type(x), outer, n, inner, x->data, j->out[0].data));
}

/* ---- resize ---- */

static enum pare_status make_resize(const struct op_node *o, struct pk_resize *r)
{
    const struct pare_resize *how = &o->node->attr.resize;
    const struct pare_view *x = &o->in[0];
    struct op_resize p;
    enum pare_status status = op_resize(o, &p);
    memset(r, 0, sizeof *r);
    if (status != PARE_OK) {
        return status;
    }
    r->mode = (enum pk_resize_mode)how->mode;
    r->coord = (enum pk_resize_coord)how->coord;
    r->nearest = (enum pk_resize_nearest)how->nearest;
    r->exclude_outside = how->exclude_outside;
    r->antialias = how->antialias;
    r->cubic_a = (double)how->cubic_a;
    r->extrapolation = (double)how->extrapolation;
    r->rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        r->in[i] = x->dims[i];
        r->out[i] = p.size[i];
        r->scale[i] = p.scale[i];
        r->roi_begin[i] = p.roi_begin[i];
        r->roi_end[i] = p.roi_end[i];
        /* An axis that keeps its size reads itself in every mode but crop and resize. */
        r->resized[i] = p.resized[i] && (p.size[i] != x->dims[i] || p.scale[i] != 1.0 ||
                                         how->coord == PARE_COORD_TF_CROP_AND_RESIZE);
    }
    return PARE_OK;
}

size_t eval_resize_scratch(const struct op_node *o)
{
    struct pk_resize r;
    return make_resize(o, &r) == PARE_OK ? pk_resize_scratch(&r) : 0;
}

enum pare_status eval_resize(const struct eval_job *j)
{
    struct pk_resize r;
    enum pare_status status = make_resize(&j->o, &r);
    return status == PARE_OK ? eval_done(j, pk_resize(&r, eval_type(&j->o.in[0]), j->o.in[0].data,
                                                      j->out[0].data, j->scratch))
                             : status;
}

bool pare_op_resize_codes(const struct pare_graph *g, int node, const struct pk_resize_grids *grids,
                          const struct pare_view *in, const struct pare_view *out, void *scratch)
{
    const struct op_node o = {NULL, &g->nodes[node], NULL, NULL, in};
    struct pk_resize r;
    return g->nodes[node].attr.resize.mode == PARE_RESIZE_LINEAR && make_resize(&o, &r) == PARE_OK &&
           pk_resize_codes(&r, grids, in[0].data, out->data, scratch);
}

/* ---- quantization ---- */

enum pare_status eval_quantize(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0], *scale = &j->o.in[1],
                           *zero = op_has(&j->o, 2) ? &j->o.in[2] : NULL;
    const struct pare_attr *a = &j->o.node->attr;
    struct pk_grid g = {.outer = 1,
                        .axis = 1,
                        .inner = eval_count(x),
                        .scale_type = eval_type(scale),
                        .scale = scale->data};
    int axis;
    if (zero != NULL) {
        g.zero_type = eval_type(zero);
        g.zero = zero->data;
    }
    if (a->block_size > 0 || eval_count(scale) != 1) {
        enum pare_status status = op_axis(&j->o, a->axis, x->rank, &axis);
        if (status != PARE_OK) {
            return status;
        }
        eval_split_at(x, axis, &g.outer, &g.axis, &g.inner);
        g.block = (size_t)a->block_size;
    }
    bool down = j->o.node->op == PARE_OP_QUANTIZE;
    return eval_done(j, (down ? pk_quantize_linear : pk_dequantize_linear)(
                            &g, eval_type(x), x->data, eval_type(&j->out[0]), j->out[0].data));
}

enum pare_status eval_dynamic_quantize(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0];
    if (x->dtype != PARE_F32 || j->out[0].data == NULL || j->out[1].data == NULL ||
        j->out[2].data == NULL) {
        return op_fail(&j->o, "its input must be float32, and its three outputs wanted");
    }
    pk_dynamic_quantize(eval_count(x), x->data, j->out[0].data, j->out[1].data, j->out[2].data);
    return PARE_OK;
}

/* ---- detection ---- */

static double number_or(const struct eval_job *j, int k, double fallback)
{
    bool given = op_has(&j->o, k) && eval_count(&j->o.in[k]) == 1;
    return given ? view_number(&j->o.in[k], 0) : fallback;
}

enum pare_status eval_nms(const struct eval_job *j)
{
    const struct pare_view *boxes = &j->o.in[0], *scores = &j->o.in[1];
    struct pk_nms p = {.batches = boxes->dims[0], .classes = scores->dims[1], .n = boxes->dims[1]};
    if (boxes->dtype != PARE_F32 || scores->dtype != PARE_F32) {
        return eval_refuse(j, boxes->dtype);
    }
    double most = number_or(j, 2, 0.0);
    p.most = most < 0.0 ? 0 : most > (double)p.n ? p.n : (int64_t)most;
    p.iou = (float)number_or(j, 3, 0.0);
    p.score = (float)number_or(j, 4, 0.0);
    p.by_score = op_has(&j->o, 4);
    p.center_point = j->o.node->attr.center_point_box;
    j->out[0].dims[0] = pk_nms(&p, boxes->data, scores->data, j->out[0].data, j->scratch);
    return PARE_OK;
}

static struct pk_detection make_detection(const struct op_node *o)
{
    const struct pare_detection *d = &o->node->attr.post;
    const struct pare_view *in = o->in;
    return (struct pk_detection){
        .n = in[0].dims[1],
        .classes = d->n_classes,
        .box_pitch = in[0].dims[2],
        .score_pitch = in[1].dims[2],
        .anchor_pitch = in[2].dims[1],
        .most = d->max_detections,
        .classes_per_detection = d->max_classes_per_detection,
        .per_class = d->detections_per_class,
        .regular = d->use_regular_nms,
        .score = d->score_threshold,
        .iou = d->iou_threshold,
        .y_scale = d->y_scale,
        .x_scale = d->x_scale,
        .h_scale = d->h_scale,
        .w_scale = d->w_scale,
    };
}

size_t eval_detection_scratch(const struct op_node *o)
{
    struct pk_detection p = make_detection(o);
    return p.n >= 0 && p.most >= 0 && p.per_class >= 0 && p.classes >= 0 ? pk_detection_scratch(&p)
                                                                         : 0;
}

enum pare_status eval_detection(const struct eval_job *j)
{
    struct pk_detection p = make_detection(&j->o);
    for (int k = 0; k < 3; k++) {
        if (j->o.in[k].dtype != PARE_F32) {
            return eval_refuse(j, j->o.in[k].dtype);
        }
    }
    for (int k = 0; k < 4; k++) {
        if (k >= j->o.node->n_out || j->out[k].data == NULL) {
            return op_fail(&j->o, "all of its four outputs are needed");
        }
    }
    pk_detection(&p, j->o.in[0].data, j->o.in[1].data, j->o.in[2].data, j->out[0].data,
                 j->out[1].data, j->out[2].data, j->out[3].data, j->scratch);
    return PARE_OK;
}
