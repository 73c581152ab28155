/* pass_pad.c: padding with zeros along spatial axes goes into the convolution or average that alone
 * reads it. */
#include "model/passes.h"

/* Pads of spatial axis i (axis 1 + i of the tensor). False when another axis is padded, or by a
 * negative number. */
static bool spatial_pads(const struct pare_node *pad, int n_spatial, int64_t *before,
                         int64_t *after)
{
    for (int i = 0; i < n_spatial; i++) {
        before[i] = after[i] = 0;
    }
    for (int i = 0; i < pad->attr.n_axes; i++) {
        int axis = pad->attr.axes[i] - 1;
        int64_t b = pad->attr.pad_before[i], a = pad->attr.pad_after[i];
        if (b == 0 && a == 0) {
            continue;
        }
        if (axis < 0 || axis >= n_spatial || b < 0 || a < 0 || b > 4096 || a > 4096) {
            return false;
        }
        before[axis] += b;
        after[axis] += a;
    }
    return true;
}

/* A convolution; an average whose own pads, if it has any, count as zeros too. */
static bool takes_pads(const struct pare_node *n)
{
    const struct pare_window *w = &n->attr.window;
    bool padded = false;
    for (int i = 0; i < w->n_spatial; i++) {
        padded = padded || w->pad_before[i] != 0 || w->pad_after[i] != 0;
    }
    return n->op == PARE_OP_CONV || n->op == PARE_OP_DEPTHWISE ||
           (n->op == PARE_OP_AVG_POOL && !n->attr.ceil_mode &&
            (!padded || n->attr.count_include_pad));
}

static void try_pad(struct pass *p, int node)
{
    struct pare_graph *g = p->g;
    const struct pare_node *pad = &g->nodes[node];
    int64_t before[3], after[3];
    if (pad->n_in != 1 || pad->attr.n_axes < 0 || pad->attr.pad_mode != PARE_PAD_CONSTANT ||
        pad->attr.value != 0.0f) {
        return;
    }
    int user = pass_only_user(p, pad->out[0]);
    struct pare_node *conv = user >= 0 ? &g->nodes[user] : NULL;
    if (conv == NULL || !takes_pads(conv) || conv->in[0] != pad->out[0] ||
        conv->attr.window.auto_pad != PARE_PAD_EXPLICIT ||
        g->tensors[pad->in[0]].rank != conv->attr.window.n_spatial + 2 ||
        !spatial_pads(pad, conv->attr.window.n_spatial, before, after)) {
        return;
    }
    const struct pare_tensor *x = &g->tensors[pad->in[0]], *y = &g->tensors[pad->out[0]];
    if ((x->quant == NULL) != (y->quant == NULL) ||
        (x->quant != NULL && (x->quant->scale[0] != y->quant->scale[0] ||
                              x->quant->zero_point[0] != y->quant->zero_point[0]))) {
        return;
    }
    for (int i = 0; i < conv->attr.window.n_spatial; i++) {
        conv->attr.window.pad_before[i] += (int)before[i];
        conv->attr.window.pad_after[i] += (int)after[i];
    }
    conv->attr.count_include_pad = true; /* of an average: the zeros count */
    conv->in[0] = pad->in[0];
    pass_kill(p, node);
}

enum pare_status pass_pad(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes; i++) {
        if (g->nodes[i].op == PARE_OP_PAD && g->nodes[i].n_out == 1) {
            try_pad(p, i);
        }
    }
    return pass_commit(p, PARE_OK);
}
