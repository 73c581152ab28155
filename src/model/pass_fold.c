/*
 * pass_fold.c: nodes whose inputs are all constant are computed once. Reshapes of constants share
 * their bytes, transposes are done here; everything else goes through pare_op_eval, so that an
 * operator has one meaning. What would not fit the budget (64 MiB + 8 times the file) stays a node:
 * a small file cannot ask for terabytes.
 */
#include <stdlib.h>
#include <string.h>

#include "model/eval.h"
#include "model/passes.h"

#define MAX_ENDS 16

static bool foldable(const struct pare_graph *g, const struct pare_node *n)
{
    switch (n->op) {
    case PARE_OP_UNKNOWN:
    case PARE_OP_NMS:
    case PARE_OP_DETECTION_POSTPROCESS:
        return false; /* unknown, or a result whose size depends on values */
    default:
        break;
    }
    if (n->n_in > MAX_ENDS || n->n_out > MAX_ENDS || n->n_out < 1) {
        return false;
    }
    int n_const = 0;
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] < 0) {
            continue;
        }
        const struct pare_tensor *t = &g->tensors[n->in[k]];
        if (t->data == NULL || (t->quant != NULL && t->dtype != PARE_F32) ||
            pare_dtype_bits(t->dtype) == 0) {
            return false; /* codes are data of a layer, not numbers */
        }
        n_const++;
    }
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] >= 0 &&
            (g->tensors[n->out[k]].is_output || g->tensors[n->out[k]].quant != NULL)) {
            return false;
        }
    }
    return n_const > 0;
}

/* A constant under another shape. */
static enum pare_status share_bytes(struct pass *p, const struct pare_node *n, bool *done)
{
    struct pare_tensor *y = &p->g->tensors[n->out[0]];
    const struct pare_tensor *x = &p->g->tensors[n->in[0]];
    if (x->dtype != y->dtype || !pass_shape_known(y) ||
        pare_tensor_elements(x) != pare_tensor_elements(y)) {
        return PARE_OK;
    }
    y->data = x->data;
    y->size_bytes = x->size_bytes;
    y->file_offset = x->file_offset;
    *done = true;
    return PARE_OK;
}

static enum pare_status permute(struct pass *p, const struct pare_node *n, bool *done)
{
    int out = n->out[0];
    const struct pare_tensor *x = &p->g->tensors[n->in[0]];
    if (!pass_can_permute(x) || x->size_bytes > p->budget) {
        return PARE_OK;
    }
    int made = pass_permute_const(p, n->in[0], n->attr.perm);
    if (made < 0) {
        return pass_no_memory(p);
    }
    struct pare_tensor *y = &p->g->tensors[out];
    const struct pare_tensor *value = &p->g->tensors[made];
    memcpy(y->dims, value->dims, sizeof y->dims);
    y->rank = value->rank;
    y->data = value->data;
    y->size_bytes = value->size_bytes;
    p->budget -= value->size_bytes;
    *done = true;
    return PARE_OK;
}

static void view_of(const struct pare_graph *g, int t, void *data, struct pare_view *v)
{
    memset(v, 0, sizeof *v);
    if (t >= 0) {
        v->dtype = g->tensors[t].dtype;
        v->rank = g->tensors[t].rank;
        memcpy(v->dims, g->tensors[t].dims, sizeof v->dims);
        v->data = data;
    }
}

static enum pare_status evaluate(struct pass *p, int node, bool *done)
{
    struct pare_graph *g = p->g;
    const struct pare_node *n = &g->nodes[node];
    struct pare_view in[MAX_ENDS], out[MAX_ENDS];
    struct pare_error why;
    size_t bytes = 0;
    for (int k = 0; k < n->n_out; k++) {
        size_t size = n->out[k] >= 0
                          ? pare_dtype_bytes(g->tensors[n->out[k]].dtype,
                                             pare_tensor_elements(&g->tensors[n->out[k]]))
                          : 0;
        if (size > p->budget || bytes > p->budget - size) {
            return PARE_OK; /* unknown shape, or too large */
        }
        bytes += size;
    }
    for (int k = 0; k < n->n_in; k++) {
        const void *data = n->in[k] >= 0 ? g->tensors[n->in[k]].data : NULL;
        union {
            const void *in;
            void *out;
        } pointer = {data}; /* the view's type also serves outputs */
        view_of(g, n->in[k], pointer.out, &in[k]);
    }
    for (int k = 0; k < n->n_out; k++) {
        size_t size = n->out[k] >= 0
                          ? pare_dtype_bytes(g->tensors[n->out[k]].dtype,
                                             pare_tensor_elements(&g->tensors[n->out[k]]))
                          : 0;
        void *data = n->out[k] >= 0 ? pare_arena_alloc(&g->arena, size) : NULL;
        if (n->out[k] >= 0 && data == NULL) {
            return pass_no_memory(p);
        }
        view_of(g, n->out[k], data, &out[k]);
    }
    size_t scratch_bytes = pare_op_scratch_bytes(g, node);
    void *scratch = scratch_bytes <= p->budget ? malloc(scratch_bytes + 1) : NULL;
    if (scratch != NULL && pare_op_eval(g, node, in, out, scratch, &why) == PARE_OK) {
        for (int k = 0; k < n->n_out; k++) {
            if (n->out[k] >= 0) {
                struct pare_tensor *t = &g->tensors[n->out[k]];
                t->data = out[k].data;
                t->size_bytes = pare_dtype_bytes(t->dtype, pare_tensor_elements(t));
            }
        }
        p->budget -= bytes;
        *done = true;
    }
    free(scratch);
    return PARE_OK;
}

static enum pare_status fold_node(struct pass *p, int node, bool *done)
{
    const struct pare_node *n = &p->g->nodes[node];
    switch (n->op) {
    case PARE_OP_IDENTITY:
    case PARE_OP_RESHAPE:
    case PARE_OP_FLATTEN:
    case PARE_OP_SQUEEZE:
    case PARE_OP_UNSQUEEZE:
        return share_bytes(p, n, done);
    case PARE_OP_TRANSPOSE:
        return permute(p, n, done);
    default:
        return evaluate(p, node, done);
    }
}

enum pare_status pass_fold(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes && status == PARE_OK; i++) {
        bool done = false;
        if (foldable(g, &g->nodes[i])) {
            status = fold_node(p, i, &done);
        }
        if (done) {
            for (int k = 0; k < g->nodes[i].n_out; k++) {
                if (g->nodes[i].out[k] >= 0) {
                    g->tensors[g->nodes[i].out[k]].producer = -1;
                }
            }
            pass_kill(p, i);
            p->report->n_constants_folded++;
        }
    }
    return pass_commit(p, status);
}
