/*
 * onnx_ops_resize.c: Resize (10, 11 and later) and the older Upsample. The entries of scales, sizes
 * and roi stay in the file's order; attr.axes says which channels-last axis each is for.
 */
#include "model/onnx.h"

#include <string.h>

struct word {
    const char *text;
    int value;
};

/* The value of a string attribute; -1 when it is none of the words (then the node is unknown). */
static int read_word(struct onnx_node *n, const char *attr, const char *fallback,
                     const struct word *words)
{
    struct pare_pb_span text = onnx_string(n, attr, fallback);
    for (; words->text != NULL; words++) {
        if (pare_pb_is(text, words->text)) {
            return words->value;
        }
    }
    if (n->unknown == NULL) {
        n->unknown = "one of its modes is not supported";
    }
    return -1;
}

static const struct word modes[] = {
    {"nearest", PARE_RESIZE_NEAREST},
    {"linear", PARE_RESIZE_LINEAR},
    {"bilinear", PARE_RESIZE_LINEAR},
    {"cubic", PARE_RESIZE_CUBIC},
    {NULL, 0},
};
static const struct word coords[] = {
    {"half_pixel", PARE_COORD_HALF_PIXEL},
    {"half_pixel_symmetric", PARE_COORD_HALF_PIXEL_SYMMETRIC},
    {"pytorch_half_pixel", PARE_COORD_PYTORCH_HALF_PIXEL},
    {"align_corners", PARE_COORD_ALIGN_CORNERS},
    {"asymmetric", PARE_COORD_ASYMMETRIC},
    {"tf_crop_and_resize", PARE_COORD_TF_CROP_AND_RESIZE},
    {NULL, 0},
};
static const struct word nearests[] = {
    {"round_prefer_floor", PARE_NEAREST_ROUND_PREFER_FLOOR},
    {"round_prefer_ceil", PARE_NEAREST_ROUND_PREFER_CEIL},
    {"floor", PARE_NEAREST_FLOOR},
    {"ceil", PARE_NEAREST_CEIL},
    {NULL, 0},
};
static const struct word aspects[] = {
    {"stretch", PARE_ASPECT_STRETCH},
    {"not_larger", PARE_ASPECT_NOT_LARGER},
    {"not_smaller", PARE_ASPECT_NOT_SMALLER},
    {NULL, 0},
};

/* Input i, or -1 when it is a constant with no elements, which old files write for "absent". */
static int input_or_none(const struct onnx_node *n, int i)
{
    int t = onnx_input(n, i);
    return t >= 0 && n->c->g->tensors[t].data != NULL &&
                   pare_tensor_elements(&n->c->g->tensors[t]) == 0
               ? -1
               : t;
}

static int length_of(const struct onnx_node *n, int t)
{
    if (t < 0 || n->c->g->tensors[t].rank != 1) {
        return -1;
    }
    int64_t length = n->c->g->tensors[t].dims[0];
    return length >= 0 && length <= PARE_MAX_RANK ? (int)length : -1;
}

/* Axis of NCHW to axis of NHWC. */
static int moved_axis(int axis, int rank, bool moved)
{
    return !moved || axis == 0 ? axis : axis == 1 ? rank - 1 : axis - 1;
}

/* Reads attr axes (or all of them) into a; false after a failure. */
static bool read_axes(struct onnx_node *n, int rank, bool moved, struct pare_attr *a)
{
    int64_t axes[PARE_MAX_RANK];
    int count = onnx_ints(n, "axes", axes, PARE_MAX_RANK);
    a->n_axes = count >= 0 ? count : rank;
    for (int i = 0; i < a->n_axes; i++) {
        int64_t axis = count >= 0 ? axes[i] : i;
        if (axis < -rank || axis >= rank) {
            onnx_node_fail(n, "the attribute 'axes' holds %lld, expected %d to %d", (long long)axis,
                           -rank, rank - 1);
            return false;
        }
        a->axes[i] = moved_axis((int)(axis < 0 ? axis + rank : axis), rank, moved);
    }
    return n->c->status == PARE_OK;
}

/* Emits RESIZE of x by scales or sizes with the modes in `how`. */
static void emit_resize(struct onnx_node *n, int roi, int scales, int sizes,
                        const struct pare_resize *how)
{
    int x = n->in[0], rank = onnx_rank(n->c, x);
    struct pare_attr axes = {.n_axes = 0};
    if (rank < 0 && !onnx_has(n, "axes")) {
        rank = length_of(n, scales) > 0 ? length_of(n, scales) : length_of(n, sizes);
    }
    if (rank < 1) {
        rank = 4;
    }
    bool moved = rank >= 3 && rank <= 5;
    if (!read_axes(n, rank, moved, &axes)) {
        return;
    }
    int in[4] = {moved ? onnx_to_nhwc(n, x, rank, "/nhwc_in") : x, roi, scales, sizes};
    int out = moved ? onnx_nhwc_of(n, n->out[0], rank) : n->out[0];
    struct pare_attr *a = onnx_emit(n, PARE_OP_RESIZE, 4, in, 1, &out);
    a->resize = *how;
    a->n_axes = axes.n_axes;
    memcpy(a->axes, axes.axes, sizeof a->axes);
    onnx_from_nhwc(n, out, n->out[0], rank, "/nchw");
}

void onnx_op_resize(struct onnx_node *n, enum pare_op op)
{
    (void)op;
    bool old = n->c->opset < 11;
    int mode = read_word(n, "mode", "nearest", modes);
    int coord =
        read_word(n, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel", coords);
    int nearest = read_word(n, "nearest_mode", old ? "floor" : "round_prefer_floor", nearests);
    int aspect = read_word(n, "keep_aspect_ratio_policy", "stretch", aspects);
    if (n->unknown != NULL || n->c->status != PARE_OK) {
        return;
    }
    struct pare_resize how = {
        .mode = (enum pare_resize_mode)mode,
        .coord = (enum pare_resize_coord)coord,
        .nearest = (enum pare_resize_nearest)nearest,
        .aspect = (enum pare_aspect)aspect,
        .cubic_a = onnx_float(n, "cubic_coeff_a", -0.75f),
        .extrapolation = onnx_float(n, "extrapolation_value", 0.0f),
        .exclude_outside = onnx_flag(n, "exclude_outside", false),
        .antialias = onnx_flag(n, "antialias", false),
    };
    int roi = !old && coord == PARE_COORD_TF_CROP_AND_RESIZE ? input_or_none(n, 1) : -1;
    int scales = input_or_none(n, old ? 1 : 2), sizes = old ? -1 : input_or_none(n, 3);
    if (scales < 0 && sizes < 0) {
        onnx_node_fail(n, "it has neither scales nor sizes");
        return;
    }
    emit_resize(n, roi, scales, sizes, &how);
}

/* Upsample: scales as input (9), as attribute (7), or height and width (1). */
void onnx_op_upsample(struct onnx_node *n, enum pare_op op)
{
    (void)op;
    float scales[PARE_MAX_RANK];
    int mode = read_word(n, "mode", "nearest", modes);
    if (n->unknown != NULL || n->c->status != PARE_OK) {
        return;
    }
    struct pare_resize how = {.mode = (enum pare_resize_mode)mode,
                              .coord = PARE_COORD_ASYMMETRIC,
                              .nearest = PARE_NEAREST_FLOOR};
    int from_input = input_or_none(n, 1), count = -1;
    if (from_input < 0) {
        count = onnx_floats(n, "scales", scales, PARE_MAX_RANK);
        if (count < 0 && onnx_has(n, "height_scale") && onnx_has(n, "width_scale")) {
            scales[0] = scales[1] = 1.0f;
            scales[2] = onnx_float(n, "height_scale", 1.0f);
            scales[3] = onnx_float(n, "width_scale", 1.0f);
            count = 4;
        }
        if (count < 1) {
            onnx_node_fail(n, "it has no scales");
            return;
        }
        from_input = onnx_const_floats(n, "/scales", scales, count);
    }
    emit_resize(n, -1, from_input, -1, &how);
}
