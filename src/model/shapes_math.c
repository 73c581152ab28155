/* shapes_math.c: shapes of elementwise operators, reductions, resize, quantization and detection.
 */
#include <string.h>

#include "model/shapes.h"

enum pare_status shape_broadcast(const struct op_node *o, const struct pare_view *a,
                                 const struct pare_view *b, int *rank, int64_t *dims)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < *rank; i++) {
        int ai = i - (*rank - a->rank), bi = i - (*rank - b->rank);
        int64_t da = ai >= 0 ? a->dims[ai] : 1, db = bi >= 0 ? b->dims[bi] : 1;
        if (da != db && da != 1 && db != 1) {
            char at[64], bt[64];
            return op_fail(o, "%s and %s do not broadcast", view_text(a, at, sizeof at),
                           view_text(b, bt, sizeof bt));
        }
        dims[i] = da == 1 ? db : da;
    }
    return PARE_OK;
}

enum pare_status shape_same(const struct op_node *o)
{
    return shape_like(o, 0, &o->in[0]);
}

enum pare_status shape_softmax(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int axis;
    /* Opset < 13 allows axis = rank - no axis is left then, but exporters do not write it. */
    enum pare_status status = x->rank > 0 ? op_axis(o, o->node->attr.axis, x->rank, &axis)
                                          : op_fail(o, "its input is a scalar");
    return status == PARE_OK ? shape_like(o, 0, x) : status;
}

enum pare_status shape_cast(const struct op_node *o)
{
    return shape_out(o, 0, o->node->attr.to, o->in[0].rank, o->in[0].dims);
}

enum pare_status shape_prelu(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0], *slope = &o->in[1];
    int64_t dims[PARE_MAX_RANK];
    int rank;
    enum pare_status status = shape_broadcast(o, x, slope, &rank, dims);
    if (status == PARE_OK &&
        (rank != x->rank || memcmp(dims, x->dims, (size_t)rank * sizeof dims[0]) != 0)) {
        char a[64], b[64];
        status = op_fail(o, "slopes %s do not fit an input of %s", view_text(slope, a, sizeof a),
                         view_text(x, b, sizeof b));
    }
    return status == PARE_OK ? shape_like(o, 0, x) : status;
}

enum pare_status shape_binary(const struct op_node *o)
{
    const struct pare_view *a = &o->in[0], *b = &o->in[1];
    int64_t dims[PARE_MAX_RANK];
    int rank;
    if (a->dtype != b->dtype && o->node->op != PARE_OP_POW) {
        return op_fail(o, "operands of %s and %s", pare_dtype_name(a->dtype),
                       pare_dtype_name(b->dtype));
    }
    enum pare_status status = shape_broadcast(o, a, b, &rank, dims);
    return status == PARE_OK ? shape_out(o, 0, a->dtype, rank, dims) : status;
}

/* x without the reduced axes, or with 1 in their places. */
static int keep(const struct op_node *o, const bool *reduced, int64_t *dims)
{
    int rank = 0;
    for (int i = 0; i < o->in[0].rank; i++) {
        if (!reduced[i] || o->node->attr.keep_dims) {
            dims[rank++] = reduced[i] ? 1 : o->in[0].dims[i];
        }
    }
    return rank;
}

enum pare_status shape_reduce(const struct op_node *o)
{
    bool reduced[PARE_MAX_RANK];
    int64_t dims[PARE_MAX_RANK];
    enum pare_status status = op_reduced(o, reduced);
    for (int i = 0; i < o->in[0].rank && status == PARE_OK; i++) {
        if (reduced[i] && o->in[0].dims[i] == 0 && o->node->op != PARE_OP_REDUCE_SUM) {
            status = op_fail(o, "reduces axis %d, which is empty", i);
        }
    }
    if (status != PARE_OK) {
        return status;
    }
    int rank = keep(o, reduced, dims);
    return shape_out(o, 0, o->in[0].dtype, rank, dims);
}

enum pare_status shape_arg(const struct op_node *o)
{
    bool reduced[PARE_MAX_RANK] = {false};
    int64_t dims[PARE_MAX_RANK];
    int axis;
    enum pare_status status = op_axis(o, o->node->attr.axis, o->in[0].rank, &axis);
    if (status == PARE_OK && o->in[0].dims[axis] < 1) {
        status = op_fail(o, "axis %d is empty", axis);
    }
    if (status != PARE_OK) {
        return status;
    }
    reduced[axis] = true;
    int rank = keep(o, reduced, dims);
    return shape_out(o, 0, PARE_I64, rank, dims);
}

enum pare_status shape_resize(const struct op_node *o)
{
    struct op_resize r;
    enum pare_status status = op_resize(o, &r);
    return status == PARE_OK ? shape_out(o, 0, o->in[0].dtype, o->in[0].rank, r.size) : status;
}

/* Scales (input 1): one number, one per element of the axis, or one per block of it. */
static enum pare_status check_scales(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0], *s = &o->in[1];
    const struct pare_attr *a = &o->node->attr;
    bool fits = s->dtype == PARE_F32 || s->dtype == PARE_F16 || s->dtype == PARE_F64 ||
                s->dtype == PARE_BF16;
    int axis;
    if (view_elements(s) != 1 || a->block_size > 0) {
        enum pare_status status = op_axis(o, a->axis, x->rank, &axis);
        if (status != PARE_OK) {
            return status;
        }
        if (a->block_size > 0) {
            fits = fits && s->rank == x->rank;
            for (int i = 0; fits && i < x->rank; i++) {
                int64_t blocks = (x->dims[i] + a->block_size - 1) / a->block_size;
                fits = s->dims[i] == (i == axis ? blocks : x->dims[i]);
            }
        } else {
            fits = fits && s->rank == 1 && s->dims[0] == x->dims[axis];
        }
    }
    if (fits && op_has(o, 2) && view_elements(&o->in[2]) != view_elements(s)) {
        fits = false;
    }
    char at[64], bt[64];
    return fits ? PARE_OK
                : op_fail(o, "scales %s, zero points %s and blocks of %d do not fit the input",
                          view_text(s, at, sizeof at),
                          op_has(o, 2) ? view_text(&o->in[2], bt, sizeof bt) : "none",
                          a->block_size);
}

enum pare_status shape_quantize(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    enum pare_dtype to = op_has(o, 2)                   ? o->in[2].dtype
                         : o->node->attr.to != PARE_F32 ? o->node->attr.to
                                                        : PARE_U8;
    enum pare_status status = check_scales(o);
    return status == PARE_OK ? shape_out(o, 0, to, x->rank, x->dims) : status;
}

enum pare_status shape_dequantize(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    enum pare_dtype to = o->node->attr.to != PARE_F32 ? o->node->attr.to : o->in[1].dtype;
    enum pare_status status = check_scales(o);
    return status == PARE_OK ? shape_out(o, 0, to, x->rank, x->dims) : status;
}

enum pare_status shape_dynamic_quantize(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    enum pare_status status = x->dtype == PARE_F32 && view_elements(x) > 0
                                  ? shape_out(o, 0, PARE_U8, x->rank, x->dims)
                                  : op_fail(o, "its input must be float32 and not empty");
    status = status == PARE_OK ? shape_out(o, 1, PARE_F32, 0, x->dims) : status;
    return status == PARE_OK ? shape_out(o, 2, PARE_U8, 0, x->dims) : status;
}

enum pare_status shape_nms(const struct op_node *o)
{
    const struct pare_view *boxes = &o->in[0], *scores = &o->in[1];
    int64_t most = 0, rows, dims[2] = {0, 3};
    int n;
    char at[64], bt[64];
    if (boxes->rank != 3 || boxes->dims[2] != 4 || scores->rank != 3 ||
        scores->dims[0] != boxes->dims[0] || scores->dims[2] != boxes->dims[1] ||
        boxes->dtype != PARE_F32 || scores->dtype != PARE_F32) {
        return op_fail(o, "boxes %s and scores %s do not fit", view_text(boxes, at, sizeof at),
                       view_text(scores, bt, sizeof bt));
    }
    enum pare_status status =
        op_has(o, 2) ? op_ints(o, 2, "number of boxes", &most, 1, &n) : PARE_OK;
    if (status != PARE_OK) {
        return status;
    }
    most = most < 0 ? 0 : most > boxes->dims[1] ? boxes->dims[1] : most;
    if (__builtin_mul_overflow(scores->dims[0], scores->dims[1], &rows) ||
        __builtin_mul_overflow(rows, most, &dims[0])) {
        return op_fail(o, "too many boxes");
    }
    return shape_out_bound(o, 0, PARE_I64, 2, dims);
}

enum pare_status shape_detection(const struct op_node *o)
{
    const struct pare_view *boxes = &o->in[0], *scores = &o->in[1], *anchors = &o->in[2];
    const struct pare_detection *d = &o->node->attr.post;
    char at[64], bt[64], ct[64];
    int64_t n = boxes->rank == 3 ? boxes->dims[1] : -1;
    if (n < 0 || boxes->dims[0] != 1 || boxes->dims[2] < 4 || scores->rank != 3 ||
        scores->dims[0] != 1 || scores->dims[1] != n || anchors->rank != 2 ||
        anchors->dims[0] != n || anchors->dims[1] < 4 || d->n_classes < 1 ||
        (scores->dims[2] != d->n_classes && scores->dims[2] != d->n_classes + (int64_t)1)) {
        return op_fail(o, "boxes %s, scores %s and anchors %s do not fit %d classes",
                       view_text(boxes, at, sizeof at), view_text(scores, bt, sizeof bt),
                       view_text(anchors, ct, sizeof ct), d->n_classes);
    }
    if (d->max_detections < 1 || d->max_classes_per_detection < 1 || d->detections_per_class < 1) {
        return op_fail(o, "at most %d detections, %d classes each, %d per class", d->max_detections,
                       d->max_classes_per_detection, d->detections_per_class);
    }
    int64_t rows = (int64_t)d->max_detections * d->max_classes_per_detection,
            dims[3] = {1, rows, 4};
    enum pare_status status = shape_out_bound(o, 0, PARE_F32, 3, dims);
    for (int k = 1; k < 3 && status == PARE_OK; k++) {
        status = shape_out_bound(o, k, PARE_F32, 2, dims);
    }
    return status == PARE_OK ? shape_out_bound(o, 3, PARE_F32, 1, dims) : status;
}
