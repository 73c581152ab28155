/* tflite_ops_layer.c: convolutions, fully connected, matrix product, pools. */
#include <math.h>
#include <string.h>

#include "model/tflite_reader.h"

/* Fields of Conv2D, DepthwiseConv2D, TransposeConv and Pool2D options, in the schema's order (they
 * differ). */
struct window_fields {
    int padding, stride_w, stride_h, dilation_w, dilation_h, filter_w, filter_h,
        activation; /* -1 = none */
};

static const struct window_fields conv_fields = {0, 1, 2, 4, 5, -1, -1, 3};
static const struct window_fields depthwise_fields = {0, 1, 2, 5, 6, -1, -1, 4};
static const struct window_fields transpose_fields = {0, 1, 2, -1, -1, -1, -1, 3};
static const struct window_fields pool_fields = {0, 1, 2, -1, -1, 3, 4, 5};

#define LARGEST 65536 /* of strides, dilations, kernels */

static enum pare_status read_window(const struct tfl_op *o, const struct window_fields *f,
                                    struct pare_window *w, int *activation)
{
    int padding = pare_fb_i8(&o->options, f->padding, 0);
    memset(w, 0, sizeof *w);
    w->n_spatial = 2;
    w->stride[0] = pare_fb_i32(&o->options, f->stride_h, 0);
    w->stride[1] = pare_fb_i32(&o->options, f->stride_w, 0);
    w->dilation[0] = f->dilation_h >= 0 ? pare_fb_i32(&o->options, f->dilation_h, 1) : 1;
    w->dilation[1] = f->dilation_w >= 0 ? pare_fb_i32(&o->options, f->dilation_w, 1) : 1;
    w->kernel[0] = f->filter_h >= 0 ? pare_fb_i32(&o->options, f->filter_h, 0) : 1;
    w->kernel[1] = f->filter_w >= 0 ? pare_fb_i32(&o->options, f->filter_w, 0) : 1;
    w->stride[2] = w->dilation[2] = 1;
    *activation = pare_fb_i8(&o->options, f->activation, 0);
    if (padding != 0 && padding != 1) {
        return tfl_op_fail(o, "padding is %d, neither SAME nor VALID", padding);
    }
    w->auto_pad = padding == 0 ? PARE_PAD_SAME_UPPER : PARE_PAD_VALID;
    for (int i = 0; i < 2; i++) {
        if (w->stride[i] < 1 || w->stride[i] > LARGEST || w->dilation[i] < 1 ||
            w->dilation[i] > LARGEST || w->kernel[i] < 1 || w->kernel[i] > LARGEST) {
            return tfl_op_fail(o, "stride %d, dilation %d, kernel %d along dimension %d",
                               w->stride[i], w->dilation[i], w->kernel[i], i);
        }
    }
    if (!tfl_activation_ok(*activation)) {
        return tfl_op_fail(o, "has the unknown fused activation %d", *activation);
    }
    return tfl_check(o->r);
}

static enum pare_status set_kernel(const struct tfl_op *o, struct pare_window *w, int64_t kh,
                                   int64_t kw)
{
    if (kh < 1 || kh > LARGEST || kw < 1 || kw > LARGEST) {
        return tfl_op_fail(o, "kernel of %lldx%lld", (long long)kh, (long long)kw);
    }
    w->kernel[0] = (int)kh;
    w->kernel[1] = (int)kw;
    return PARE_OK;
}

/* The bias input as the graph wants it: int32 with a grid where the weights are codes, else as it
 * is. */
static enum pare_status read_bias(const struct tfl_op *o, int k, int x, int weights,
                                  int64_t channels, int *bias)
{
    struct pare_graph *g = o->r->g;
    int t = k < o->n_in ? o->in[k] : -1;
    *bias = t;
    if (t < 0) {
        return PARE_OK;
    }
    if (g->tensors[t].rank >= 0 && pare_tensor_elements(&g->tensors[t]) != channels) {
        return tfl_op_fail(o, "has %lld biases for %lld channels",
                           (long long)pare_tensor_elements(&g->tensors[t]), (long long)channels);
    }
    bool wide = g->tensors[t].dtype == PARE_I64;
    if (g->tensors[t].data == NULL || (g->tensors[t].dtype != PARE_I32 && !wide)) {
        *bias = tfl_input(o, k);
        return *bias >= 0 ? PARE_OK : tfl_no_memory(o);
    }
    const struct pare_quant *qw = g->tensors[weights].quant, *qx = g->tensors[x].quant;
    if (qw == NULL || qx == NULL) {
        return tfl_op_fail(o, "has an integer bias and real inputs");
    }
    if (qw->n > 1 && qw->n != channels) {
        return tfl_op_fail(o, "has %d weight scales for %lld channels", qw->n, (long long)channels);
    }
    struct pare_quant *quant = pare_arena_alloc(&g->arena, sizeof *quant);
    float *scale = pare_arena_array(&g->arena, (size_t)qw->n, sizeof *scale);
    int32_t *zero = pare_arena_array(&g->arena, (size_t)qw->n, sizeof *zero);
    int32_t *codes = pare_arena_array(&g->arena, (size_t)channels, sizeof *codes);
    if (quant == NULL || scale == NULL || zero == NULL || codes == NULL) {
        return tfl_no_memory(o);
    }
    const struct pare_quant *file = t < o->r->n_tensors ? o->r->tensors[t].quant : NULL;
    for (int i = 0; i < qw->n; i++) {
        scale[i] = qx->scale[0] * qw->scale[i];
        float given = file != NULL ? file->scale[file->n > 1 ? i % file->n : 0] : scale[i];
        if (!(scale[i] > 0.0f) || fabsf(given - scale[i]) > 0.02f * scale[i]) {
            return tfl_op_fail(o, "scale %d of the bias is %g, input scale times weight scale %g",
                               i, (double)given, (double)scale[i]);
        }
    }
    *quant = (struct pare_quant){qw->n, qw->n > 1 ? 0 : -1, scale, zero, PARE_I32};
    for (int64_t i = 0; wide && i < channels; i++) {
        int64_t value;
        memcpy(&value, (const char *)g->tensors[t].data + 8 * i, 8);
        if (value < INT32_MIN || value > INT32_MAX) {
            return tfl_op_fail(o, "bias %lld does not fit 32 bits", (long long)value);
        }
        codes[i] = (int32_t)value;
    }
    int made = pare_graph_add_tensor(g, "", PARE_I32);
    if (made < 0) {
        return tfl_no_memory(o);
    }
    struct pare_tensor copy =
        g->tensors[t]; /* its own tensor: the same codes may serve another layer */
    copy.dtype = PARE_I32;
    copy.quant = quant;
    copy.data = wide ? codes : copy.data;
    copy.size_bytes = (size_t)channels * 4;
    g->tensors[made] = copy;
    *bias = made;
    return PARE_OK;
}

/* Weights stay codes where the file has constant codes. Input k as layer weights. */
static int read_weights(const struct tfl_op *o, int k)
{
    const struct pare_tensor *t = tfl_tensor_of(o, o->in[k]);
    return t->data != NULL && t->quant != NULL ? o->in[k] : tfl_input(o, k);
}

static enum pare_status need_rank(const struct tfl_op *o, int tensor, int rank, const char *what)
{
    const struct pare_tensor *t = tfl_tensor_of(o, tensor);
    if (t->rank >= 0 && t->rank != rank) {
        return tfl_op_fail(o, "%s have rank %d, not %d", what, t->rank, rank);
    }
    return t->rank >= 0 || t->data == NULL ? PARE_OK : tfl_op_fail(o, "%s have no shape", what);
}

/* Weight scales must lie along the output channels. */
static enum pare_status check_axis(const struct tfl_op *o, int weights, int axis)
{
    const struct pare_quant *q = tfl_tensor_of(o, weights)->quant;
    return q == NULL || q->axis < 0 || q->axis == axis
               ? PARE_OK
               : tfl_op_fail(o, "weights are quantized along dimension %d, not along channels",
                             q->axis);
}

static enum pare_status add_layer(const struct tfl_op *o, enum pare_op op, int x, int w, int bias,
                                  const struct pare_window *window, int groups, int activation)
{
    int in[3] = {x, w, bias};
    int node = tfl_node_act(o, op, bias >= 0 ? 3 : 2, in, activation);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    if (window != NULL) {
        o->r->g->nodes[node].attr.window = *window;
    }
    o->r->g->nodes[node].attr.groups = groups;
    return PARE_OK;
}

enum pare_status tfl_op_conv(const struct tfl_op *o)
{
    struct pare_window window;
    int activation, x = tfl_input(o, 0), w = read_weights(o, 1), bias, groups = 1;
    if (x < 0 || w < 0) {
        return tfl_no_memory(o);
    }
    enum pare_status status = read_window(o, &conv_fields, &window, &activation);
    status = status == PARE_OK ? need_rank(o, x, 4, "its inputs") : status;
    status = status == PARE_OK ? need_rank(o, w, 4, "its weights") : status;
    status = status == PARE_OK ? check_axis(o, w, 0) : status;
    if (status != PARE_OK) {
        return status;
    }
    const struct pare_tensor *wt = tfl_tensor_of(o, w), *xt = tfl_tensor_of(o, x);
    if (wt->rank < 0) {
        return tfl_unknown(o, "has weights of unknown shape");
    }
    if (xt->rank == 4 && wt->dims[3] != xt->dims[3]) { /* grouped */
        if (wt->dims[3] < 1 || xt->dims[3] < 1 || xt->dims[3] % wt->dims[3] != 0 ||
            wt->dims[0] % (xt->dims[3] / wt->dims[3]) != 0) {
            return tfl_op_fail(o, "weights for %lld channels meet an input of %lld",
                               (long long)wt->dims[3], (long long)xt->dims[3]);
        }
        groups = (int)(xt->dims[3] / wt->dims[3]);
    }
    status = set_kernel(o, &window, wt->dims[1], wt->dims[2]);
    status =
        status == PARE_OK ? read_bias(o, 2, x, w, tfl_tensor_of(o, w)->dims[0], &bias) : status;
    return status == PARE_OK ? add_layer(o, PARE_OP_CONV, x, w, bias, &window, groups, activation)
                             : status;
}

enum pare_status tfl_op_depthwise(const struct tfl_op *o)
{
    struct pare_window window;
    int activation, x = tfl_input(o, 0), w = read_weights(o, 1), bias;
    if (x < 0 || w < 0) {
        return tfl_no_memory(o);
    }
    enum pare_status status = read_window(o, &depthwise_fields, &window, &activation);
    status = status == PARE_OK ? need_rank(o, x, 4, "its inputs") : status;
    status = status == PARE_OK ? need_rank(o, w, 4, "its weights") : status;
    status = status == PARE_OK ? check_axis(o, w, 3) : status;
    if (status != PARE_OK) {
        return status;
    }
    const struct pare_tensor *wt = tfl_tensor_of(o, w), *xt = tfl_tensor_of(o, x);
    if (wt->rank < 0 || xt->rank < 0 || wt->data == NULL) {
        return tfl_unknown(o, "has weights or inputs that are known only at run time");
    }
    int64_t channels = wt->dims[3], in_c = xt->dims[3];
    if (wt->dims[0] != 1 || in_c < 1 || in_c > INT32_MAX || channels < 1 || channels % in_c != 0) {
        return tfl_op_fail(o, "weights %lldx..x%lld do not fit an input of %lld channels",
                           (long long)wt->dims[0], (long long)channels, (long long)in_c);
    }
    int multiplier = pare_fb_i32(&o->options, 3, 0);
    if (multiplier != 0 && multiplier != channels / in_c) {
        return tfl_op_fail(o, "depth multiplier %d, but %lld channels come from %lld", multiplier,
                           (long long)channels, (long long)in_c);
    }
    status = set_kernel(o, &window, wt->dims[1], wt->dims[2]);
    int view = w;
    if (status == PARE_OK) {
        view = tfl_as_depthwise(o->r, w);
        status = view >= 0 ? read_bias(o, 2, x, view, channels, &bias) : tfl_no_memory(o);
    }
    return status == PARE_OK
               ? add_layer(o, PARE_OP_DEPTHWISE, x, view, bias, &window, (int)in_c, activation)
               : status;
}

enum pare_status tfl_op_transpose_conv(const struct tfl_op *o)
{
    struct pare_window window;
    int64_t size[4];
    int activation, w = read_weights(o, 1), x = o->in[2] >= 0 ? tfl_input(o, 2) : -1, bias;
    if (x < 0 || w < 0) {
        return tfl_no_memory(o);
    }
    enum pare_status status = read_window(o, &transpose_fields, &window, &activation);
    status = status == PARE_OK ? need_rank(o, x, 4, "its inputs") : status;
    status = status == PARE_OK ? need_rank(o, w, 4, "its weights") : status;
    status = status == PARE_OK ? check_axis(o, w, 0) : status;
    if (status != PARE_OK) {
        return status;
    }
    const struct pare_tensor *wt = tfl_tensor_of(o, w), *xt = tfl_tensor_of(o, x);
    const struct pare_tensor *out = tfl_tensor_of(o, o->out[0]);
    if (tfl_ints(o, 0, size, 4) != 4) {
        if (out->rank != 4) {
            return tfl_unknown(o, "has an output size that is known only at run time");
        }
        memcpy(size, out->dims, sizeof size);
    }
    if (wt->rank < 0 || xt->rank < 0) {
        return tfl_unknown(o, "has weights or inputs of unknown shape");
    }
    status = set_kernel(o, &window, wt->dims[1], wt->dims[2]);
    if (status != PARE_OK) {
        return status;
    }
    if (wt->dims[3] != xt->dims[3] || size[0] != xt->dims[0] || size[3] != wt->dims[0]) {
        return tfl_op_fail(o, "weights, input and output shape do not fit");
    }
    bool same = window.auto_pad == PARE_PAD_SAME_UPPER;
    for (int i = 0; i < 2; i++) {
        /* Pads are those of the forward convolution from the output back to the input. */
        int64_t full = (xt->dims[1 + i] - 1) * window.stride[i] + window.kernel[i];
        int64_t total = full - size[1 + i];
        int64_t in_size =
            same ? (size[1 + i] + window.stride[i] - 1) / window.stride[i]
                 : (size[1 + i] - window.kernel[i] + window.stride[i]) / window.stride[i];
        if (size[1 + i] < 1 || size[1 + i] > INT32_MAX || in_size != xt->dims[1 + i]) {
            return tfl_op_fail(o, "an output of %lld does not come from an input of %lld",
                               (long long)size[1 + i], (long long)xt->dims[1 + i]);
        }
        window.pad_before[i] = same && total > 0 ? (int)(total / 2) : 0;
        window.pad_after[i] = same && total > 0 ? (int)(total - total / 2) : 0;
        window.output_padding[i] = total < 0 ? (int)-total : 0;
    }
    window.auto_pad = PARE_PAD_EXPLICIT;
    status = read_bias(o, 3, x, w, wt->dims[0], &bias);
    return status == PARE_OK
               ? add_layer(o, PARE_OP_CONV_TRANSPOSE, x, w, bias, &window, 1, activation)
               : status;
}

/* x as [rows, K] by a reshape node, as TFLite flattens it. */
static int flatten_rows(const struct tfl_op *o, int x, int64_t k)
{
    struct pare_graph *g = o->r->g;
    int64_t shape[2] = {-1, k};
    int rows = tfl_const_ints(o, "shape", 2, shape), flat = tfl_temp(o, "rows", PARE_F32);
    int in[2] = {x, rows};
    if (rows < 0 || flat < 0 || tfl_node(o, PARE_OP_RESHAPE, "reshape", 2, in, flat) < 0) {
        return -1;
    }
    g->tensors[flat].quant = g->tensors[x].quant;
    g->tensors[flat].dtype = g->tensors[x].dtype;
    return flat;
}

enum pare_status tfl_op_fully_connected(const struct tfl_op *o)
{
    int activation = pare_fb_i8(&o->options, 0, 0), format = pare_fb_i8(&o->options, 1, 0), bias;
    bool keep = pare_fb_u8(&o->options, 2, 0) != 0;
    int x = tfl_input(o, 0), w = read_weights(o, 1);
    if (x < 0 || w < 0) {
        return tfl_no_memory(o);
    }
    if (!tfl_activation_ok(activation)) {
        return tfl_op_fail(o, "has the unknown fused activation %d", activation);
    }
    if (format != 0) {
        return tfl_unknown(o, "has shuffled weights, which are not supported");
    }
    enum pare_status status = need_rank(o, w, 2, "its weights");
    status = status == PARE_OK ? check_axis(o, w, 0) : status;
    if (status != PARE_OK) {
        return status;
    }
    const struct pare_tensor *wt = tfl_tensor_of(o, w), *xt = tfl_tensor_of(o, x);
    if (wt->rank < 0) {
        return tfl_unknown(o, "has weights of unknown shape");
    }
    int64_t n = wt->dims[0], k = wt->dims[1], elements = pare_tensor_elements(xt);
    if (n < 1 || k < 1 || (elements >= 0 && elements % k != 0) ||
        (keep && xt->rank > 0 && xt->dims[xt->rank - 1] != k)) {
        return tfl_op_fail(o, "weights %lldx%lld do not fit the input", (long long)n, (long long)k);
    }
    bool direct = keep || (xt->rank == 2 && xt->dims[1] == k);
    x = direct ? x : flatten_rows(o, x, k);
    status = x >= 0 ? read_bias(o, 2, x, w, n, &bias) : tfl_no_memory(o);
    return status == PARE_OK
               ? add_layer(o, PARE_OP_FULLY_CONNECTED, x, w, bias, NULL, 1, activation)
               : status;
}

/* The operand with its last two axes swapped. */
static int swap_last(const struct tfl_op *o, int x, const char *suffix)
{
    struct pare_graph *g = o->r->g;
    int rank = g->tensors[x].rank,
        swapped = rank >= 2 ? tfl_temp(o, suffix, g->tensors[x].dtype) : -1;
    int node = swapped >= 0 ? tfl_node(o, PARE_OP_TRANSPOSE, suffix, 1, &x, swapped) : -1;
    if (node < 0) {
        return -1;
    }
    for (int i = 0; i < rank; i++) {
        g->nodes[node].attr.perm[i] = i;
    }
    g->nodes[node].attr.perm[rank - 2] = rank - 1;
    g->nodes[node].attr.perm[rank - 1] = rank - 2;
    g->tensors[swapped].quant = g->tensors[x].quant;
    return swapped;
}

enum pare_status tfl_op_batch_matmul(const struct tfl_op *o)
{
    int in[2] = {tfl_input(o, 0), tfl_input(o, 1)};
    if (in[0] < 0 || in[1] < 0) {
        return tfl_no_memory(o);
    }
    for (int i = 0; i < 2; i++) {
        bool adjoint = pare_fb_u8(&o->options, i, 0) != 0;
        if (adjoint && tfl_tensor_of(o, in[i])->rank < 2) {
            return tfl_op_fail(o, "operand %d has rank %d", i, tfl_tensor_of(o, in[i])->rank);
        }
        in[i] = adjoint ? swap_last(o, in[i], i == 0 ? "left" : "right") : in[i];
        if (in[i] < 0) {
            return tfl_no_memory(o);
        }
    }
    return tfl_node(o, PARE_OP_MATMUL, NULL, 2, in, o->out[0]) >= 0 ? PARE_OK : tfl_no_memory(o);
}

enum pare_status tfl_op_pool(const struct tfl_op *o)
{
    struct pare_window window;
    int activation, x = tfl_input(o, 0);
    enum pare_status status =
        x >= 0 ? read_window(o, &pool_fields, &window, &activation) : tfl_no_memory(o);
    status = status == PARE_OK ? need_rank(o, x, 4, "its inputs") : status;
    if (status != PARE_OK) {
        return status;
    }
    int node =
        tfl_node_act(o, o->code == 1 ? PARE_OP_AVG_POOL : PARE_OP_MAX_POOL, 1, &x, activation);
    if (node < 0) {
        return tfl_no_memory(o);
    }
    o->r->g->nodes[node].attr.window = window;
    return PARE_OK;
}
