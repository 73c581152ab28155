/* shapes_layer.c: shapes of convolutions, pools, matrix products and normalisation; auto_pad
 * becomes pads. */
#include <limits.h>
#include <string.h>

#include "model/shapes.h"

#define MAX_WINDOW (1 << 24) /* keeps every product of sizes inside 64 bits */

/* Refuses windows of the wrong number of axes and numbers that no reader should let through. */
static enum pare_status check_window(const struct op_node *o, const struct pare_window *w, int rank)
{
    if (w->n_spatial < 1 || w->n_spatial > 3 || rank != w->n_spatial + 2) {
        return op_fail(o, "%d spatial axes, expected an input of rank %d, found rank %d",
                       w->n_spatial, w->n_spatial + 2, rank);
    }
    for (int i = 0; i < w->n_spatial; i++) {
        if (w->kernel[i] < 1 || w->stride[i] < 1 || w->dilation[i] < 1 ||
            w->kernel[i] > MAX_WINDOW || w->stride[i] > MAX_WINDOW || w->dilation[i] > MAX_WINDOW ||
            w->pad_before[i] < 0 || w->pad_after[i] < 0 || w->output_padding[i] < 0 ||
            w->output_shape[i] < 0) {
            return op_fail(o, "spatial axis %d: kernel %d, stride %d, dilation %d, pads %d and %d",
                           i, w->kernel[i], w->stride[i], w->dilation[i], w->pad_before[i],
                           w->pad_after[i]);
        }
    }
    return PARE_OK;
}

static int64_t window_extent(const struct pare_window *w, int i)
{
    return (int64_t)(w->kernel[i] - 1) * w->dilation[i] + 1;
}

/* Takes the kernel's size from the weights [O, k..., I] (or [k..., C]: first = 0). */
static enum pare_status take_kernel(const struct op_node *o, struct pare_window *w, int first)
{
    const struct pare_view *weights = &o->in[1];
    for (int i = 0; i < w->n_spatial && i < 3; i++) {
        int64_t k = weights->dims[first + i];
        if (k < 1 || k > INT_MAX || (w->kernel[i] > 0 && w->kernel[i] != k)) {
            return op_fail(o,
                           "weights of size %lld along spatial axis %d, expected the kernel's %d",
                           (long long)k, i, w->kernel[i]);
        }
        w->kernel[i] = (int)k;
    }
    return PARE_OK;
}

static enum pare_status set_pads(const struct op_node *o, struct pare_window *w, int i,
                                 int64_t total, bool upper)
{
    if (total > INT_MAX) {
        return op_fail(o, "spatial axis %d needs a padding of %lld", i, (long long)total);
    }
    int small = (int)(total / 2), large = (int)(total - total / 2);
    w->pad_before[i] = upper ? small : large;
    w->pad_after[i] = upper ? large : small;
    return PARE_OK;
}

/* Output sizes of a convolution or pool; resolves auto_pad in the node's attributes. */
static enum pare_status slide(const struct op_node *o, int64_t *out)
{
    struct pare_attr *a = shape_attr(o);
    struct pare_window *w = &a->window;
    enum pare_status status = PARE_OK;
    for (int i = 0; i < w->n_spatial && status == PARE_OK; i++) {
        int64_t in = o->in[0].dims[1 + i], extent = window_extent(w, i), stride = w->stride[i];
        if (w->auto_pad == PARE_PAD_SAME_UPPER || w->auto_pad == PARE_PAD_SAME_LOWER) {
            int64_t total = ((in + stride - 1) / stride - 1) * stride + extent - in;
            status = set_pads(o, w, i, total > 0 ? total : 0, w->auto_pad == PARE_PAD_SAME_UPPER);
        } else if (w->auto_pad == PARE_PAD_VALID) {
            w->pad_before[i] = w->pad_after[i] = 0;
        }
        int64_t room = in + w->pad_before[i] + w->pad_after[i] - extent;
        if (status == PARE_OK && (in < 1 || room < 0)) {
            status = op_fail(
                o, "a window of %lld does not fit spatial axis %d of size %lld padded by %d and %d",
                (long long)extent, i, (long long)in, w->pad_before[i], w->pad_after[i]);
        }
        bool up = a->ceil_mode && w->auto_pad != PARE_PAD_VALID;
        out[i] = (up ? (room + stride - 1) / stride : room / stride) + 1;
        /* The last window must not start in the padding behind the picture. */
        if (up && (out[i] - 1) * stride >= in + w->pad_before[i]) {
            out[i]--;
        }
    }
    if (w->auto_pad == PARE_PAD_VALID) {
        a->ceil_mode = false;
    }
    w->auto_pad = PARE_PAD_EXPLICIT;
    return status;
}

/* bias: absent, or one number per output channel. */
static enum pare_status check_bias(const struct op_node *o, int64_t channels)
{
    char text[64];
    if (op_has(o, 2) && (o->in[2].rank != 1 || o->in[2].dims[0] != channels)) {
        return op_fail(o, "biases %s, expected %lld", view_text(&o->in[2], text, sizeof text),
                       (long long)channels);
    }
    return PARE_OK;
}

static enum pare_status layer_out(const struct op_node *o, const int64_t *spatial, int n_spatial,
                                  int64_t channels)
{
    int64_t dims[PARE_MAX_RANK] = {o->in[0].dims[0]};
    for (int i = 0; i < n_spatial; i++) {
        dims[1 + i] = spatial[i];
    }
    dims[1 + n_spatial] = channels;
    return shape_out(o, 0, o->in[0].dtype, n_spatial + 2, dims);
}

/* Channels of x against weights [O, k..., I / groups]. */
static enum pare_status check_channels(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0], *w = &o->in[1];
    int groups = o->node->attr.groups;
    char xt[64], wt[64];
    int64_t per_group = w->rank == x->rank ? w->dims[w->rank - 1] : -1, need = 0;
    if (groups < 1 || per_group < 1 || __builtin_mul_overflow(per_group, groups, &need) ||
        need != x->dims[x->rank - 1] || w->dims[0] < 1 || w->dims[0] % groups != 0) {
        return op_fail(o, "weights %s in %d groups do not fit an input of %s",
                       view_text(w, wt, sizeof wt), groups, view_text(x, xt, sizeof xt));
    }
    return PARE_OK;
}

static enum pare_status check_layer(const struct op_node *o)
{
    struct pare_window *w = &shape_attr(o)->window;
    enum pare_status status = o->in[0].rank == o->in[1].rank && o->in[0].rank == w->n_spatial + 2
                                  ? take_kernel(o, w, 1)
                                  : PARE_OK;
    status = status == PARE_OK ? check_window(o, w, o->in[0].rank) : status;
    status = status == PARE_OK ? check_channels(o) : status;
    return status == PARE_OK ? check_bias(o, o->in[1].dims[0]) : status;
}

enum pare_status shape_conv(const struct op_node *o)
{
    int64_t out[3] = {0};
    enum pare_status status = check_layer(o);
    status = status == PARE_OK ? slide(o, out) : status;
    return status == PARE_OK ? layer_out(o, out, o->node->attr.window.n_spatial, o->in[1].dims[0])
                             : status;
}

enum pare_status shape_depthwise(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0], *w = &o->in[1];
    struct pare_window *window = &shape_attr(o)->window;
    int64_t out[3] = {0};
    char xt[64], wt[64];
    if (x->rank != 4 || w->rank != 3 || window->n_spatial != 2 || x->dims[3] < 1 ||
        w->dims[2] < 1 || w->dims[2] % x->dims[3] != 0) {
        return op_fail(o, "depthwise weights %s do not fit an input of %s",
                       view_text(w, wt, sizeof wt), view_text(x, xt, sizeof xt));
    }
    enum pare_status status = take_kernel(o, window, 0);
    status = status == PARE_OK ? check_window(o, window, x->rank) : status;
    status = status == PARE_OK ? check_bias(o, w->dims[2]) : status;
    status = status == PARE_OK ? slide(o, out) : status;
    return status == PARE_OK ? layer_out(o, out, 2, w->dims[2]) : status;
}

enum pare_status shape_conv_transpose(const struct op_node *o)
{
    struct pare_window *w = &shape_attr(o)->window;
    int64_t out[3] = {0};
    enum pare_status status = check_layer(o);
    for (int i = 0; i < w->n_spatial && status == PARE_OK; i++) {
        int64_t in = o->in[0].dims[1 + i], extent = window_extent(w, i),
                wanted = w->output_shape[i];
        int64_t full = (in - 1) * w->stride[i] + w->output_padding[i] + extent;
        bool same = w->auto_pad == PARE_PAD_SAME_UPPER || w->auto_pad == PARE_PAD_SAME_LOWER;
        if (wanted == 0 && same) {
            wanted = in * w->stride[i];
        }
        if (wanted > 0) {
            /* ONNX: the smaller half in front only for SAME_UPPER. */
            status = set_pads(o, w, i, full > wanted ? full - wanted : 0,
                              w->auto_pad == PARE_PAD_SAME_UPPER);
            if (wanted > full) {
                int64_t more = w->output_padding[i] + wanted - full;
                if (more > INT_MAX) {
                    return op_fail(o, "spatial axis %d of size %lld cannot become %lld", i,
                                   (long long)in, (long long)wanted);
                }
                w->output_padding[i] = (int)more;
                full = wanted;
            }
        } else if (w->auto_pad == PARE_PAD_VALID) {
            w->pad_before[i] = w->pad_after[i] = 0;
        }
        out[i] = full - w->pad_before[i] - w->pad_after[i];
        if (status == PARE_OK && (in < 1 || out[i] < 1)) {
            status = op_fail(o, "spatial axis %d of size %lld becomes %lld", i, (long long)in,
                             (long long)out[i]);
        }
    }
    if (status != PARE_OK) {
        return status;
    }
    w->auto_pad = PARE_PAD_EXPLICIT;
    memset(w->output_shape, 0, sizeof w->output_shape);
    return layer_out(o, out, w->n_spatial, o->in[1].dims[0]);
}

enum pare_status shape_pool(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t out[3] = {0};
    enum pare_status status = check_window(o, &o->node->attr.window, x->rank);
    status = status == PARE_OK ? slide(o, out) : status;
    status = status == PARE_OK
                 ? layer_out(o, out, o->node->attr.window.n_spatial, x->dims[x->rank - 1])
                 : status;
    if (status == PARE_OK && o->node->n_out > 1) {
        int64_t dims[PARE_MAX_RANK] = {x->dims[0]};
        memcpy(dims + 1, out, sizeof out);
        dims[x->rank - 1] = x->dims[x->rank - 1];
        status = shape_out(o, 1, PARE_I64, x->rank, dims);
    }
    return status;
}

enum pare_status shape_fully_connected(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0], *w = &o->in[1];
    int64_t dims[PARE_MAX_RANK];
    char xt[64], wt[64];
    if (x->rank < 1 || w->rank != 2 || x->dims[x->rank - 1] != w->dims[1]) {
        return op_fail(o, "weights %s do not fit an input of %s", view_text(w, wt, sizeof wt),
                       view_text(x, xt, sizeof xt));
    }
    enum pare_status status = check_bias(o, w->dims[0]);
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank - 1] = w->dims[0];
    return status == PARE_OK ? shape_out(o, 0, x->dtype, x->rank, dims) : status;
}

enum pare_status shape_matmul(const struct op_node *o)
{
    struct pare_view a = o->in[0], b = o->in[1];
    int64_t dims[PARE_MAX_RANK];
    int rank;
    char at[64], bt[64];
    bool a_row = a.rank == 1, b_column = b.rank == 1;
    if (a_row) {
        a.rank = 2;
        a.dims[1] = a.dims[0];
        a.dims[0] = 1;
    }
    if (b_column) {
        b.rank = 2;
        b.dims[1] = 1;
    }
    if (a.rank < 2 || b.rank < 2 || a.dims[a.rank - 1] != b.dims[b.rank - 2]) {
        return op_fail(o, "%s times %s do not fit", view_text(&o->in[0], at, sizeof at),
                       view_text(&o->in[1], bt, sizeof bt));
    }
    int64_t rows = a.dims[a.rank - 2], columns = b.dims[b.rank - 1];
    struct pare_view a_batch = a, b_batch = b;
    a_batch.rank = a.rank - 2;
    b_batch.rank = b.rank - 2;
    enum pare_status status = shape_broadcast(o, &a_batch, &b_batch, &rank, dims);
    if (!a_row) {
        dims[rank++] = rows;
    }
    if (!b_column) {
        dims[rank++] = columns;
    }
    return status == PARE_OK ? shape_out(o, 0, a.dtype, rank, dims) : status;
}

enum pare_status shape_gemm(const struct op_node *o)
{
    const struct pare_view *a = &o->in[0], *b = &o->in[1];
    const struct pare_attr *attr = &o->node->attr;
    char at[64], bt[64];
    if (a->rank != 2 || b->rank != 2 ||
        a->dims[attr->trans_a ? 0 : 1] != b->dims[attr->trans_b ? 1 : 0]) {
        return op_fail(o, "%s%s times %s%s do not fit", view_text(a, at, sizeof at),
                       attr->trans_a ? " transposed" : "", view_text(b, bt, sizeof bt),
                       attr->trans_b ? " transposed" : "");
    }
    struct pare_view out = {
        .rank = 2, .dims = {a->dims[attr->trans_a ? 1 : 0], b->dims[attr->trans_b ? 0 : 1]}};
    if (op_has(o, 2)) {
        int64_t dims[PARE_MAX_RANK];
        int rank;
        enum pare_status status = shape_broadcast(o, &out, &o->in[2], &rank, dims);
        if (status != PARE_OK || rank != 2 || dims[0] != out.dims[0] || dims[1] != out.dims[1]) {
            return status != PARE_OK ? status
                                     : op_fail(o, "addend %s does not fit a product of %s",
                                               view_text(&o->in[2], at, sizeof at),
                                               view_text(&out, bt, sizeof bt));
        }
    }
    return shape_out(o, 0, a->dtype, 2, out.dims);
}

enum pare_status shape_batch_norm(const struct op_node *o)
{
    const struct pare_view *x = &o->in[0];
    int64_t channels = x->rank > 0 ? x->dims[x->rank - 1] : -1;
    for (int k = 1; k < 5; k++) {
        char text[64];
        if (!op_has(o, k) || o->in[k].rank != 1 || o->in[k].dims[0] != channels) {
            return op_fail(o, "input %d is %s, expected %lld numbers, one per channel", k,
                           op_has(o, k) ? view_text(&o->in[k], text, sizeof text) : "missing",
                           (long long)channels);
        }
    }
    return shape_like(o, 0, x);
}
