/*
 * onnx_ops_spatial.c: operators with spatial axes. Ours have channels last, so TRANSPOSE nodes go
 * around them and in front of weights ([O, I/g, k...] -> [O, k..., I/g]); passes move, fold and
 * cancel those.
 */
#include "model/onnx.h"

#include <string.h>

#define MAX_WINDOW                                                                                 \
    (1 << 24) /* kernel, stride, dilation, pad: keeps every later product inside 64 bits */

/* A list of one integer in [lo, hi] per spatial axis. */
static void read_per_axis(struct onnx_node *n, const char *attr, int n_spatial, int fallback,
                          int64_t lo, int *out)
{
    int64_t values[3];
    int count = onnx_ints(n, attr, values, 3);
    for (int i = 0; i < n_spatial; i++) {
        out[i] = fallback;
    }
    if (count < 0 || n->c->status != PARE_OK) {
        return;
    }
    if (count != n_spatial) {
        onnx_node_fail(n, "the attribute '%s' has %d numbers, expected %d", attr, count, n_spatial);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (values[i] < lo || values[i] > MAX_WINDOW) {
            onnx_node_fail(n, "the attribute '%s' holds %lld, expected %lld to %d", attr,
                           (long long)values[i], (long long)lo, MAX_WINDOW);
            return;
        }
        out[i] = (int)values[i];
    }
}

static void read_pads(struct onnx_node *n, struct pare_window *w)
{
    int64_t pads[6];
    struct pare_pb_span mode = onnx_string(n, "auto_pad", "NOTSET");
    int count = onnx_ints(n, "pads", pads, 6);
    if (pare_pb_is(mode, "SAME_UPPER")) {
        w->auto_pad = PARE_PAD_SAME_UPPER;
    } else if (pare_pb_is(mode, "SAME_LOWER")) {
        w->auto_pad = PARE_PAD_SAME_LOWER;
    } else if (pare_pb_is(mode, "VALID")) {
        w->auto_pad = PARE_PAD_VALID;
    } else if (!pare_pb_is(mode, "NOTSET") && mode.size > 0) {
        char text[64];
        onnx_node_fail(n, "auto_pad is '%s', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID",
                       onnx_text(mode, text, sizeof text));
    }
    if (count >= 0 && count != 2 * w->n_spatial) {
        onnx_node_fail(n, "the attribute 'pads' has %d numbers, expected %d", count,
                       2 * w->n_spatial);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (pads[i] < 0 || pads[i] > MAX_WINDOW) {
            onnx_node_fail(n, "the attribute 'pads' holds %lld, expected 0 to %d",
                           (long long)pads[i], MAX_WINDOW);
            return;
        }
    }
    for (int i = 0; i < w->n_spatial && count > 0 && w->auto_pad == PARE_PAD_EXPLICIT; i++) {
        w->pad_before[i] = (int)pads[i];
        w->pad_after[i] = (int)pads[w->n_spatial + i];
    }
}

/* The number of spatial axes; 0 = not known (n->unknown is set) or a failure. */
static int count_spatial(struct onnx_node *n, int x, int weights)
{
    int64_t kernel[8];
    int count = onnx_ints(n, "kernel_shape", kernel, 8);
    int from_weights = onnx_rank(n->c, weights) - 2, from_x = onnx_rank(n->c, x) - 2;
    if (n->c->status != PARE_OK) {
        return 0;
    }
    if (count < 0) {
        count = from_weights >= 1 ? from_weights : from_x;
        if (weights < 0) {
            onnx_node_fail(n, "the attribute 'kernel_shape' is missing");
            return 0;
        }
    }
    if (from_weights > -2 && from_weights != count) {
        onnx_node_fail(n, "the weights have rank %d, expected %d", from_weights + 2, count + 2);
        return 0;
    }
    if (from_x > -2 && from_x != count) {
        onnx_node_fail(n, "the input has rank %d, expected %d", from_x + 2, count + 2);
        return 0;
    }
    if (count < 1 || count > 3) {
        n->unknown = count < 1 ? "its number of spatial axes is not known"
                               : "it has more than 3 spatial axes";
        return 0;
    }
    return count;
}

bool onnx_window(struct onnx_node *n, int x, int weights, struct pare_window *w, int *groups)
{
    memset(w, 0, sizeof *w);
    w->n_spatial = count_spatial(n, x, weights);
    if (w->n_spatial == 0) {
        return false;
    }
    read_per_axis(n, "kernel_shape", w->n_spatial, 0, 1, w->kernel);
    read_per_axis(n, "strides", w->n_spatial, 1, 1, w->stride);
    read_per_axis(n, "dilations", w->n_spatial, 1, 1, w->dilation);
    read_pads(n, w);
    *groups = weights >= 0 ? onnx_int_in(n, "group", 1, 1, MAX_WINDOW) : 1;
    const struct pare_tensor *t = weights >= 0 ? &n->c->g->tensors[weights] : NULL;
    for (int i = 0; i < w->n_spatial && t != NULL && t->rank == w->n_spatial + 2; i++) {
        int64_t k = t->dims[i + 2];
        if (k >= 0 && (k < 1 || k > MAX_WINDOW || (w->kernel[i] != 0 && w->kernel[i] != k))) {
            onnx_node_fail(n, "the weights' axis %d is %lld, expected the kernel's %d", i + 2,
                           (long long)k, w->kernel[i]);
            break;
        }
        w->kernel[i] = k > 0 ? (int)k : w->kernel[i];
    }
    return n->c->status == PARE_OK;
}

/* Axis of the weights against the number of groups. */
static void check_groups(struct onnx_node *n, int weights, int axis, int groups)
{
    const struct pare_tensor *t = &n->c->g->tensors[weights];
    if (t->rank > axis && t->dims[axis] >= 0 &&
        (t->dims[axis] == 0 || t->dims[axis] % groups != 0)) {
        onnx_node_fail(n, "the weights' axis %d is %lld, expected a multiple of the %d groups",
                       axis, (long long)t->dims[axis], groups);
    }
}

/* The channels of x, where they are declared, against groups times the weights' input channels. */
static void check_channels(struct onnx_node *n, int x, int64_t wanted)
{
    const struct pare_tensor *t = &n->c->g->tensors[x];
    if (t->rank >= 2 && t->dims[1] >= 0 && wanted >= 0 && t->dims[1] != wanted) {
        onnx_node_fail(n, "the input has %lld channels, expected %lld", (long long)t->dims[1],
                       (long long)wanted);
    }
}

void onnx_emit_conv(struct onnx_node *n, int x, int w, int bias, int y,
                    const struct pare_window *window, int groups)
{
    int rank = window->n_spatial + 2;
    const struct pare_tensor *t = &n->c->g->tensors[w];
    check_groups(n, w, 0, groups);
    check_channels(
        n, x,
        t->rank == rank && t->dims[1] >= 0 && t->dims[1] <= MAX_WINDOW ? t->dims[1] * groups : -1);
    int in[3] = {onnx_to_nhwc(n, x, rank, "/nhwc_in"), onnx_to_nhwc(n, w, rank, "/weights"), bias};
    int out = onnx_nhwc_of(n, y, rank);
    struct pare_attr *a = onnx_emit(n, PARE_OP_CONV, bias >= 0 ? 3 : 2, in, 1, &out);
    a->window = *window;
    a->groups = groups;
    onnx_from_nhwc(n, out, y, rank, "/nchw");
}

void onnx_op_conv(struct onnx_node *n, enum pare_op op)
{
    struct pare_window window;
    int groups;
    (void)op;
    if (onnx_window(n, n->in[0], n->in[1], &window, &groups)) {
        onnx_emit_conv(n, n->in[0], n->in[1], onnx_input(n, 2), n->out[0], &window, groups);
    }
}

/* [I, O/g, k...] to [O, k..., I/g]; -1 when the shape must be known for that and is not. */
static int transposed_weights(struct onnx_node *n, int w, int n_spatial, int groups)
{
    int rank = n_spatial + 2, perm[PARE_MAX_RANK];
    if (groups == 1) {
        for (int i = 0; i < rank; i++) {
            perm[i] = i == 0 ? 1 : i == rank - 1 ? 0 : i + 1;
        }
        return onnx_transpose(n, w, rank, perm, "/weights");
    }
    int64_t dims[PARE_MAX_RANK], split[PARE_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        dims[i] = n->c->g->tensors[w].rank == rank ? n->c->g->tensors[w].dims[i] : -1;
        if (dims[i] < 0 || dims[i] > MAX_WINDOW) {
            return -1;
        }
    }
    split[0] = groups;
    split[1] = dims[0] / groups;
    perm[0] = 0;
    for (int i = 1; i < rank; i++) {
        split[i + 1] = dims[i];
        perm[i] = i + 1;
    }
    perm[rank] = 1;
    int apart = onnx_reshape(n, w, rank + 1, split, "/weights_by_group");
    int moved = onnx_transpose(n, apart, rank + 1, perm, "/weights_moved");
    int64_t whole[PARE_MAX_RANK] = {groups * dims[1]};
    for (int i = 1; i < rank - 1; i++) {
        whole[i] = dims[i + 1];
    }
    whole[rank - 1] = dims[0] / groups;
    return onnx_reshape(n, moved, rank, whole, "/weights");
}

void onnx_op_conv_transpose(struct onnx_node *n, enum pare_op op)
{
    struct pare_window window;
    int groups, x = n->in[0], w = n->in[1];
    if (!onnx_window(n, x, w, &window, &groups)) {
        return;
    }
    int rank = window.n_spatial + 2;
    read_per_axis(n, "output_padding", window.n_spatial, 0, 0, window.output_padding);
    read_per_axis(n, "output_shape", window.n_spatial, 0, 1, window.output_shape);
    check_groups(n, w, 0, groups);
    check_channels(n, x, n->c->g->tensors[w].rank == rank ? n->c->g->tensors[w].dims[0] : -1);
    if (n->c->status != PARE_OK) {
        return;
    }
    int wt = transposed_weights(n, w, window.n_spatial, groups);
    if (wt < 0) {
        n->unknown = "the shape of its weights is not known";
        return;
    }
    int in[3] = {onnx_to_nhwc(n, x, rank, "/nhwc_in"), wt, onnx_input(n, 2)};
    int out = onnx_nhwc_of(n, n->out[0], rank);
    struct pare_attr *a = onnx_emit(n, op, in[2] >= 0 ? 3 : 2, in, 1, &out);
    a->window = window;
    a->groups = groups;
    onnx_from_nhwc(n, out, n->out[0], rank, "/nchw");
}

void onnx_op_pool(struct onnx_node *n, enum pare_op op)
{
    struct pare_window window;
    int groups, indices = onnx_output(n, 1);
    if (!onnx_window(n, n->in[0], -1, &window, &groups)) {
        return;
    }
    int rank = window.n_spatial + 2;
    bool ceil_mode = onnx_flag(n, "ceil_mode", false),
         count_pad = onnx_flag(n, "count_include_pad", false);
    int storage_order = onnx_int_in(n, "storage_order", 0, 0, 1);
    int in = onnx_to_nhwc(n, n->in[0], rank, "/nhwc_in");
    int out[2] = {onnx_nhwc_of(n, n->out[0], rank), -1};
    if (indices >= 0) {
        n->c->g->tensors[indices].dtype = PARE_I64;
        out[1] = onnx_fresh(n, "/indices", PARE_I64);
    }
    struct pare_attr *a = onnx_emit(n, op, 1, &in, indices >= 0 ? 2 : 1, out);
    a->window = window;
    a->ceil_mode = ceil_mode;
    a->count_include_pad = count_pad;
    a->storage_order = storage_order;
    onnx_from_nhwc(n, out[0], n->out[0], rank, "/nchw");
    if (indices >= 0) {
        onnx_from_nhwc(n, out[1], indices, rank, "/indices_nchw");
    }
}

/* The rank of x; where no shape in the file tells, images (rank 4) are assumed: shape inference
 * will refuse the transposes of anything else. */
static int rank_or_image(struct onnx_node *n, int x)
{
    int rank = onnx_rank(n->c, x);
    return rank >= 0 ? rank : 4;
}

void onnx_op_global_pool(struct onnx_node *n, enum pare_op op)
{
    int rank = rank_or_image(n, n->in[0]);
    if (rank < 3) {
        onnx_node_fail(n, "the input has rank %d, expected 3 or more", rank);
        return;
    }
    int in = onnx_to_nhwc(n, n->in[0], rank, "/nhwc_in"), out = onnx_nhwc_of(n, n->out[0], rank);
    struct pare_attr *a = onnx_emit(n, op, 1, &in, 1, &out);
    a->keep_dims = true;
    a->n_axes = rank - 2;
    for (int i = 0; i < rank - 2; i++) {
        a->axes[i] = i + 1;
    }
    onnx_from_nhwc(n, out, n->out[0], rank, "/nchw");
}

void onnx_op_batch_norm(struct onnx_node *n, enum pare_op op)
{
    int rank = rank_or_image(n, n->in[0]);
    float epsilon = onnx_float(n, "epsilon", 1e-5f);
    if (onnx_flag(n, "training_mode", false)) {
        n->unknown = "training mode is not supported";
    } else if (!onnx_flag(n, "spatial", true) && rank > 2) {
        n->unknown = "statistics per pixel (spatial = 0) are not supported";
    } else if (rank < 2) {
        onnx_node_fail(n, "the input has rank %d, expected 2 or more", rank);
    }
    if (n->unknown != NULL || n->c->status != PARE_OK) {
        return;
    }
    int in[5] = {onnx_to_nhwc(n, n->in[0], rank, "/nhwc_in"), n->in[1], n->in[2], n->in[3],
                 n->in[4]};
    int out = onnx_nhwc_of(n, n->out[0], rank);
    onnx_emit(n, op, 5, in, 1, &out)->epsilon = epsilon;
    onnx_from_nhwc(n, out, n->out[0], rank, "/nchw");
}

void onnx_op_depth_space(struct onnx_node *n, enum pare_op op)
{
    int rank = rank_or_image(n, n->in[0]);
    int block = onnx_int_in(n, "blocksize", 0, 1, 1 << 15);
    struct pare_pb_span mode = onnx_string(n, "mode", "DCR");
    if (rank != 4 || (!pare_pb_is(mode, "DCR") && !pare_pb_is(mode, "CRD"))) {
        onnx_node_fail(n, "expected an input of rank 4 and the mode DCR or CRD, found rank %d",
                       rank);
        return;
    }
    int in = onnx_to_nhwc(n, n->in[0], rank, "/nhwc_in"), out = onnx_nhwc_of(n, n->out[0], rank);
    struct pare_attr *a = onnx_emit(n, op, 1, &in, 1, &out);
    a->block = block;
    a->crd = pare_pb_is(mode, "CRD");
    onnx_from_nhwc(n, out, n->out[0], rank, "/nchw");
}
