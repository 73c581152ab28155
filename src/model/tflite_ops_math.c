/* tflite_ops_math.c: elementwise operators, reductions, resize, detection post-processing. */
#include <math.h>
#include <string.h>

#include "model/tflite_reader.h"

static enum pare_status unary(const struct tfl_op *o, enum pare_op op, float lo, float hi,
                              float alpha)
{
    int x = tfl_input(o, 0);
    int node = x >= 0 ? tfl_node(o, op, NULL, 1, &x, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    struct pare_attr *attr = &o->r->g->nodes[node].attr;
    attr->lo = lo;
    attr->hi = hi;
    attr->alpha = alpha;
    attr->to = o->r->g->tensors[o->out[0]].dtype;
    return PARE_OK;
}

enum pare_status tfl_op_unary(const struct tfl_op *o)
{
    switch (o->code) {
    case 6: { /* DEQUANTIZE of an activation: in real numbers nothing changes */
        enum pare_dtype from = tfl_tensor_of(o, o->in[0])->dtype;
        return unary(o, from == PARE_F32 ? PARE_OP_IDENTITY : PARE_OP_CAST, 0, 0, 1);
    }
    case 8:
        return unary(o, PARE_OP_FLOOR, 0, 0, 1);
    case 14:
        return unary(o, PARE_OP_SIGMOID, 0, 0, 1);
    case 19:
        return unary(o, PARE_OP_RELU, 0, 0, 1);
    case 20:
        return unary(o, PARE_OP_CLIP, -1, 1, 1);
    case 21:
        return unary(o, PARE_OP_CLIP, 0, 6, 1);
    case 28:
        return unary(o, PARE_OP_TANH, 0, 0, 1);
    case 47:
        return unary(o, PARE_OP_EXP, 0, 0, 1);
    case 59:
        return unary(o, PARE_OP_NEG, 0, 0, 1);
    case 73:
        return unary(o, PARE_OP_LOG, 0, 0, 1);
    case 75:
        return unary(o, PARE_OP_SQRT, 0, 0, 1);
    case 76:
        return unary(o, PARE_OP_RSQRT, 0, 0, 1);
    case 98:
        return unary(o, PARE_OP_LEAKY_RELU, 0, 0, pare_fb_f32(&o->options, 0, 0.0f));
    case 101:
        return unary(o, PARE_OP_ABS, 0, 0, 1);
    case 104:
        return unary(o, PARE_OP_CEIL, 0, 0, 1);
    case 111:
        return unary(o, PARE_OP_ELU, 0, 0, 1);
    case 114:
        return unary(o, PARE_OP_REQUANTIZE, 0, 0, 1);
    case 116:
        return unary(o, PARE_OP_ROUND, 0, 0, 1);
    case 117:
        return unary(o, PARE_OP_HARD_SWISH, 0, 0, 1);
    case 152:
        return unary(o, PARE_OP_CLIP, 0, 1, 1);
    default:
        return tfl_unknown(o, "is not known");
    }
}

enum pare_status tfl_op_binary(const struct tfl_op *o)
{
    static const struct {
        int code;
        enum pare_op op;
        bool activation;
    } ops[] = {
        {0, PARE_OP_ADD, true},   {18, PARE_OP_MUL, true},    {41, PARE_OP_SUB, true},
        {42, PARE_OP_DIV, true},  {54, PARE_OP_PRELU, false}, {55, PARE_OP_MAX, false},
        {57, PARE_OP_MIN, false}, {78, PARE_OP_POW, false},
    };
    int in[2] = {tfl_input(o, 0), tfl_input(o, 1)};
    if (in[0] < 0 || in[1] < 0) {
        return tfl_no_memory(o);
    }
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (ops[i].code != o->code) {
            continue;
        }
        int activation = ops[i].activation ? pare_fb_i8(&o->options, 0, 0) : 0;
        if (!tfl_activation_ok(activation)) {
            return tfl_op_fail(o, "has the unknown fused activation %d", activation);
        }
        return tfl_node_act(o, ops[i].op, 2, in, activation) >= 0 ? PARE_OK : tfl_no_memory(o);
    }
    return tfl_unknown(o, "is not known");
}

enum pare_status tfl_op_square(const struct tfl_op *o)
{
    int in[2] = {tfl_input(o, 0), tfl_input(o, o->n_in - 1)};
    if (in[0] < 0 || in[1] < 0) {
        return tfl_no_memory(o);
    }
    if (o->n_in == 2) { /* (a - b)^2 */
        int difference = tfl_temp(o, "difference", tfl_tensor_of(o, o->out[0])->dtype);
        if (difference < 0 || tfl_node(o, PARE_OP_SUB, "difference", 2, in, difference) < 0) {
            return tfl_no_memory(o);
        }
        in[0] = in[1] = difference;
    }
    return tfl_node(o, PARE_OP_MUL, NULL, 2, in, o->out[0]) >= 0 ? PARE_OK : tfl_no_memory(o);
}

enum pare_status tfl_op_add_n(const struct tfl_op *o)
{
    int sum = o->in[0] >= 0 ? tfl_input(o, 0) : -1;
    if (sum < 0) {
        return tfl_op_fail(o, "lacks input 0");
    }
    if (o->n_in == 1) {
        return tfl_node(o, PARE_OP_IDENTITY, NULL, 1, &sum, o->out[0]) >= 0 ? PARE_OK
                                                                            : tfl_no_memory(o);
    }
    for (int i = 1; i < o->n_in; i++) {
        bool last = i == o->n_in - 1;
        int in[2] = {sum, tfl_input(o, i)};
        if (o->in[i] < 0) {
            return tfl_op_fail(o, "lacks input %d", i);
        }
        sum = last ? o->out[0] : tfl_temp(o, "sum", tfl_tensor_of(o, o->out[0])->dtype);
        if (in[1] < 0 || sum < 0 || tfl_node(o, PARE_OP_ADD, last ? NULL : "sum", 2, in, sum) < 0) {
            return tfl_no_memory(o);
        }
    }
    return PARE_OK;
}

enum pare_status tfl_op_softmax(const struct tfl_op *o)
{
    float beta = pare_fb_f32(&o->options, 0, 0.0f);
    int x = tfl_input(o, 0);
    int node = x >= 0 ? tfl_node(o, PARE_OP_SOFTMAX, NULL, 1, &x, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    if (!isfinite(beta)) {
        return tfl_op_fail(o, "beta is %g", (double)beta);
    }
    o->r->g->nodes[node].attr.axis = -1;
    o->r->g->nodes[node].attr.alpha = beta;
    o->r->g->nodes[node].attr.newer_softmax = true;
    return PARE_OK;
}

enum pare_status tfl_op_cast(const struct tfl_op *o)
{
    if (tfl_tensor_of(o, o->in[0])->dtype == tfl_tensor_of(o, o->out[0])->dtype) {
        return unary(o, PARE_OP_IDENTITY, 0, 0, 1);
    }
    return unary(o, PARE_OP_CAST, 0, 0, 1);
}

enum pare_status tfl_op_reduce(const struct tfl_op *o)
{
    enum pare_op op = o->code == 40   ? PARE_OP_REDUCE_MEAN
                      : o->code == 74 ? PARE_OP_REDUCE_SUM
                      : o->code == 82 ? PARE_OP_REDUCE_MAX
                                      : PARE_OP_REDUCE_MIN;
    int64_t axes[PARE_MAX_RANK];
    int x = tfl_input(o, 0), n = tfl_ints(o, 1, axes, PARE_MAX_RANK);
    if (n < 0) {
        return tfl_unknown(o, "has axes that are known only at run time");
    }
    int node = x >= 0 ? tfl_node(o, op, NULL, 1, &x, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.keep_dims = pare_fb_u8(&o->options, 0, 0) != 0;
    /* No axes: nothing is reduced. */
    o->r->g->nodes[node].attr.noop_with_empty_axes = n == 0;
    return tfl_axes(o, node, n, axes, tfl_tensor_of(o, x)->rank);
}

enum pare_status tfl_op_arg(const struct tfl_op *o)
{
    int64_t axis;
    struct pare_graph *g = o->r->g;
    int x = tfl_input(o, 0);
    enum pare_dtype to = tfl_tensor_of(o, o->out[0])->dtype;
    if (tfl_ints(o, 1, &axis, 1) != 1) {
        return tfl_unknown(o, "has an axis that is known only at run time");
    }
    int rank = x >= 0 ? tfl_tensor_of(o, x)->rank : 0;
    if (axis < -PARE_MAX_RANK || axis >= PARE_MAX_RANK ||
        (rank >= 0 && (axis < -rank || axis >= rank))) {
        return tfl_op_fail(o, "axis %lld is not in a tensor of rank %d", (long long)axis, rank);
    }
    int index = to == PARE_I64 ? o->out[0] : tfl_temp(o, "index", PARE_I64);
    int node = x >= 0 && index >= 0 ? tfl_node(o, o->code == 56 ? PARE_OP_ARGMAX : PARE_OP_ARGMIN,
                                               NULL, 1, &x, index)
                                    : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    g->nodes[node].attr.axis = (int)axis;
    if (index != o->out[0]) {
        int cast = tfl_node(o, PARE_OP_CAST, "cast", 1, &index, o->out[0]);
        if (cast < 0) {
            return tfl_no_memory(o);
        }
        g->nodes[cast].attr.to = to;
    }
    return PARE_OK;
}

enum pare_status tfl_op_resize(const struct tfl_op *o)
{
    bool linear = o->code == 23;
    bool align = pare_fb_u8(&o->options, linear ? 2 : 0, 0) != 0;
    bool half = pare_fb_u8(&o->options, linear ? 3 : 1, 0) != 0;
    int64_t sizes[2];
    int x = tfl_input(o, 0);
    if (align && half) {
        return tfl_op_fail(o, "asks for aligned corners and half pixel centres at once");
    }
    if (tfl_ints(o, 1, sizes, 2) != 2) {
        return tfl_unknown(o, "has a size that is known only at run time");
    }
    if (sizes[0] < 1 || sizes[1] < 1 || sizes[0] > INT32_MAX || sizes[1] > INT32_MAX) {
        return tfl_op_fail(o, "resizes to %lldx%lld", (long long)sizes[0], (long long)sizes[1]);
    }
    if (x >= 0 && tfl_tensor_of(o, x)->rank >= 0 && tfl_tensor_of(o, x)->rank != 4) {
        return tfl_op_fail(o, "its input has rank %d, not 4", tfl_tensor_of(o, x)->rank);
    }
    int size = tfl_const_ints(o, "size", 2, sizes);
    int in[4] = {x, -1, -1, size};
    int node = x >= 0 && size >= 0 ? tfl_node(o, PARE_OP_RESIZE, NULL, 4, in, o->out[0]) : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    struct pare_attr *attr = &o->r->g->nodes[node].attr;
    attr->resize.mode = linear ? PARE_RESIZE_LINEAR : PARE_RESIZE_NEAREST;
    attr->resize.coord = align  ? PARE_COORD_ALIGN_CORNERS
                         : half ? PARE_COORD_HALF_PIXEL
                                : PARE_COORD_ASYMMETRIC;
    /* floor(i * scale); round(i * scale) with aligned corners; floor((i + 0.5) * scale) with half
     * pixels */
    attr->resize.nearest = align || half ? PARE_NEAREST_ROUND_PREFER_CEIL : PARE_NEAREST_FLOOR;
    attr->resize.cubic_a = -0.75f;
    attr->n_axes = 2;
    attr->axes[0] = 1;
    attr->axes[1] = 2;
    return PARE_OK;
}

/* ---- TFLite_Detection_PostProcess ---- */

static bool flex_int(const struct tfl_flex *f, const char *key, int lowest, int absent, int *value)
{
    double number;
    *value = absent;
    if (!tfl_flex_number(f, key, &number)) {
        return absent >= lowest;
    }
    if (!(number >= lowest && number <= 1e6)) {
        return false;
    }
    *value = (int)number;
    return true;
}

static bool flex_float(const struct tfl_flex *f, const char *key, bool positive, float *value)
{
    double number;
    if (!tfl_flex_number(f, key, &number) || !isfinite(number) || (positive && !(number > 0))) {
        return false;
    }
    *value = (float)number;
    return true;
}

static bool read_detection(const struct tfl_flex *f, struct pare_detection *d)
{
    int regular;
    return flex_int(f, "max_detections", 1, -1, &d->max_detections) &&
           flex_int(f, "max_classes_per_detection", 1, -1, &d->max_classes_per_detection) &&
           flex_int(f, "detections_per_class", 1, 100, &d->detections_per_class) &&
           flex_int(f, "num_classes", 1, -1, &d->n_classes) &&
           flex_int(f, "use_regular_nms", 0, 0, &regular) &&
           (d->use_regular_nms = regular != 0, true) &&
           flex_float(f, "nms_score_threshold", false, &d->score_threshold) &&
           flex_float(f, "nms_iou_threshold", true, &d->iou_threshold) &&
           flex_float(f, "y_scale", true, &d->y_scale) &&
           flex_float(f, "x_scale", true, &d->x_scale) &&
           flex_float(f, "h_scale", true, &d->h_scale) &&
           flex_float(f, "w_scale", true, &d->w_scale);
}

enum pare_status tfl_op_detection(const struct tfl_op *o)
{
    struct pare_graph *g = o->r->g;
    struct tfl_flex flex;
    struct pare_detection post = {0};
    const uint8_t *bytes =
        o->custom_options.present ? o->custom_options.fb->data + o->custom_options.at : NULL;
    if (bytes == NULL || !tfl_flex_open(&flex, bytes, o->custom_options.n) ||
        !read_detection(&flex, &post)) {
        return tfl_unknown(o, "has options that are no map of the numbers it needs");
    }
    if (o->n_in != 3 || o->n_out != 4) {
        return tfl_op_fail(o, "has %d inputs and %d outputs", o->n_in, o->n_out);
    }
    int in[3];
    for (int i = 0; i < 3; i++) {
        if (o->in[i] < 0) {
            return tfl_op_fail(o, "lacks input %d", i);
        }
        in[i] = tfl_input(o, i);
        if (in[i] < 0) {
            return tfl_no_memory(o);
        }
        int rank = g->tensors[in[i]].rank;
        if (rank >= 0 && rank != (i < 2 ? 3 : 2)) {
            return tfl_op_fail(o, "input %d has rank %d", i, rank);
        }
    }
    int node = pare_graph_add_node(g, PARE_OP_DETECTION_POSTPROCESS, o->name, 3, in, 4, o->out);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    g->nodes[node].attr.post = post;
    g->nodes[node].attr.op_name = o->type;
    g->nodes[node].file_offset = o->file_offset;
    return PARE_OK;
}
