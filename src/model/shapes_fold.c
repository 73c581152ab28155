/*
 * shapes_fold.c: small constants become constants while shapes are inferred, because later shapes
 * need their values (Shape -> Gather -> Concat -> Reshape).
 */
#include <string.h>

#include "model/shapes.h"

#define MAX_FOLDED 4096 /* elements: shape arithmetic, scales, axes; the passes fold larger ones   \
                         */

bool shape_is_constant(const struct pare_tensor *t)
{
    return t->data != NULL || (pare_tensor_elements(t) == 0 && t->producer < 0 && !t->is_input);
}

struct pare_view shape_view_of(const struct pare_tensor *t, const void *data)
{
    struct pare_view v = {.dtype = t->dtype, .rank = t->rank, .data = (void *)(uintptr_t)data};
    memcpy(v.dims, t->dims, sizeof v.dims);
    return v;
}

bool shape_can_fold(const struct shape_walk *s, int index)
{
    const struct pare_graph *g = s->g;
    const struct pare_node *node = &g->nodes[index];
    if (node->op <= PARE_OP_FULLY_CONNECTED || node->op == PARE_OP_NMS ||
        node->op == PARE_OP_DETECTION_POSTPROCESS) {
        return false;
    }
    for (int k = 0; k < node->n_in && node->op != PARE_OP_SHAPE; k++) {
        const struct pare_tensor *t = node->in[k] >= 0 ? &g->tensors[node->in[k]] : NULL;
        bool packed = t != NULL && pare_dtype_bits(t->dtype) < 8 && node->op != PARE_OP_DEQUANTIZE;
        if (t != NULL && (!shape_is_constant(t) || t->quant != NULL || packed ||
                          pare_tensor_elements(t) > MAX_FOLDED)) {
            return false;
        }
    }
    bool wanted = false;
    for (int k = 0; k < node->n_out; k++) {
        const struct pare_tensor *t = node->out[k] >= 0 ? &g->tensors[node->out[k]] : NULL;
        int64_t elements = t != NULL ? pare_tensor_elements(t) : 0;
        if (elements < 0 || elements > MAX_FOLDED || (t != NULL && t->quant != NULL)) {
            return false;
        }
        wanted = wanted || (t != NULL && (!t->is_output || s->consumers[node->out[k]] > 0));
    }
    return wanted;
}

/* Readers of `from` read `to` instead. */
static void redirect(struct shape_walk *s, int from, int to)
{
    for (int i = 0; i < s->g->n_nodes; i++) {
        for (int k = 0; k < s->g->nodes[i].n_in; k++) {
            if (s->g->nodes[i].in[k] == from) {
                s->g->nodes[i].in[k] = to;
            }
        }
    }
    s->consumers[from] = 0;
}

enum pare_status shape_fold(struct shape_walk *s, int index)
{
    struct pare_graph *g = s->g;
    int n_out = g->nodes[index].n_out;
    size_t scratch_bytes = pare_op_scratch_bytes(g, index);
    void *scratch = pare_arena_alloc(&g->arena, scratch_bytes);
    struct pare_view *out = pare_arena_array(&g->arena, (size_t)n_out + 1, sizeof *out);
    bool returned = false;
    if (scratch == NULL || out == NULL) {
        return pare_error_nomem(s->err);
    }
    for (int k = 0; k < n_out; k++) {
        int t = g->nodes[index].out[k];
        if (t < 0) {
            continue;
        }
        size_t bytes = pare_dtype_bytes(g->tensors[t].dtype, pare_tensor_elements(&g->tensors[t]));
        out[k] = shape_view_of(&g->tensors[t], pare_arena_alloc(&g->arena, bytes));
        returned = returned || g->tensors[t].is_output;
        if (out[k].data == NULL) {
            return pare_error_nomem(s->err);
        }
    }
    enum pare_status status = pare_op_eval(g, index, s->views, out, scratch, s->err);
    for (int k = 0; k < n_out && status == PARE_OK; k++) {
        int t = g->nodes[index].out[k], constant = t;
        if (t < 0) {
            continue;
        }
        if (returned) {
            if (s->consumers[t] == 0) {
                continue;
            }
            constant = pare_graph_add_tensor(g, g->tensors[t].name, g->tensors[t].dtype);
            if (constant < 0) {
                return pare_error_nomem(s->err);
            }
            g->tensors[constant].rank = g->tensors[t].rank;
            memcpy(g->tensors[constant].dims, g->tensors[t].dims, sizeof g->tensors[t].dims);
            redirect(s, t, constant);
        }
        g->tensors[constant].data = out[k].data;
        g->tensors[constant].size_bytes = pare_dtype_bytes(out[k].dtype, view_elements(&out[k]));
        g->tensors[constant].producer = -1;
    }
    s->folded[index] = status == PARE_OK && !returned;
    return status;
}
