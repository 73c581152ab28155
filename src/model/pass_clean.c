/* pass_clean.c: removes nodes that change nothing, nodes that nothing reads, tensors that nothing
 * names. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/passes.h"

static bool same_grid(const struct pare_quant *a, const struct pare_quant *b)
{
    return a == b ||
           (a != NULL && b != NULL && a->n == 1 && b->n == 1 && a->scale[0] == b->scale[0] &&
            a->zero_point[0] == b->zero_point[0] && a->dtype == b->dtype);
}

static bool identity_perm(const struct pare_graph *g, const struct pare_node *n)
{
    for (int i = 0; i < g->tensors[n->in[0]].rank; i++) {
        if (n->attr.perm[i] != i) {
            return false;
        }
    }
    return g->tensors[n->in[0]].rank >= 0;
}

static bool zero_pads(const struct pare_node *n)
{
    for (int i = 0; i < n->attr.n_axes; i++) {
        if (n->attr.pad_before[i] != 0 || n->attr.pad_after[i] != 0) {
            return false;
        }
    }
    return n->attr.n_axes >= 0 && n->n_in == 1;
}

static bool forward_slice(const struct pare_node *n)
{
    for (int i = 0; i < n->attr.n_axes; i++) {
        if (n->attr.step[i] != 1) {
            return false;
        }
    }
    return n->attr.n_axes >= 0 && n->n_in == 1;
}

/* Does this node's only output equal its first input? */
static bool changes_nothing(const struct pare_graph *g, const struct pare_node *n)
{
    const struct pare_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    bool same = pass_same_shape(x, y);
    switch (n->op) {
    case PARE_OP_IDENTITY:
        return true;
    case PARE_OP_REQUANTIZE:
        return same_grid(x->quant, y->quant);
    case PARE_OP_CAST:
        return x->dtype == n->attr.to && x->dtype == y->dtype;
    case PARE_OP_TRANSPOSE:
        return identity_perm(g, n);
    case PARE_OP_RESHAPE:
    case PARE_OP_FLATTEN:
    case PARE_OP_SQUEEZE:
    case PARE_OP_UNSQUEEZE:
    case PARE_OP_EXPAND:
    case PARE_OP_TILE:
        return same;
    case PARE_OP_CONCAT:
        return n->n_in == 1;
    case PARE_OP_PAD:
        return zero_pads(n);
    case PARE_OP_SLICE:
        return same && forward_slice(n);
    case PARE_OP_CLIP:
        return n->n_in == 1 && n->attr.lo == -INFINITY && n->attr.hi == INFINITY;
    case PARE_OP_RESIZE:
        return same && n->attr.resize.coord != PARE_COORD_TF_CROP_AND_RESIZE &&
               n->attr.resize.mode == PARE_RESIZE_NEAREST;
    case PARE_OP_RELU: { /* relu of relu */
        int producer = x->producer;
        return producer >= 0 && g->nodes[producer].op == PARE_OP_RELU;
    }
    default:
        return false;
    }
}

enum pare_status pass_clean(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes; i++) {
        struct pare_node *n = &g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            n->in[k] = pass_at(p, n->in[k]);
        }
        if (n->n_in < 1 || n->n_out < 1 || n->in[0] < 0 || n->out[0] < 0 ||
            (n->n_out > 1 && n->out[1] >= 0) || !changes_nothing(g, n)) {
            continue;
        }
        const struct pare_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
        if ((y->quant != NULL && !same_grid(x->quant, y->quant)) || x->dtype != y->dtype) {
            continue; /* the result lies on a grid of its own */
        }
        if (pass_replace(p, n->out[0], n->in[0])) {
            pass_kill(p, i);
            p->report->n_dead_removed++;
        }
    }
    return pass_commit(p, PARE_OK);
}

/* ---- dead nodes ---- */

static void mark_needed(const struct pare_graph *g, bool *needed, bool *dead)
{
    for (int i = 0; i < g->n_outputs; i++) {
        needed[g->outputs[i]] = true;
    }
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct pare_node *n = &g->nodes[i];
        bool used = n->n_out == 0;
        for (int k = 0; k < n->n_out; k++) {
            used = used || (n->out[k] >= 0 && needed[n->out[k]]);
        }
        dead[i] = !used;
        for (int k = 0; used && k < n->n_in; k++) {
            if (n->in[k] >= 0) {
                needed[n->in[k]] = true;
            }
        }
    }
}

/* Drops the tensors that no node, input or output names; renumbers the rest in their order. */
static enum pare_status compact_tensors(struct pass *p)
{
    struct pare_graph *g = p->g;
    int *map = calloc((size_t)g->n_tensors + 1, sizeof *map), n = 0;
    if (map == NULL) {
        return pass_no_memory(p);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            map[g->nodes[i].in[k] + 1] = 1;
        }
        for (int k = 0; k < g->nodes[i].n_out; k++) {
            map[g->nodes[i].out[k] + 1] = 1;
        }
    }
    for (int i = 0; i < g->n_inputs; i++) {
        map[g->inputs[i] + 1] = 1;
    }
    for (int i = 0; i < g->n_outputs; i++) {
        map[g->outputs[i] + 1] = 1;
    }
    map[0] = -1; /* absent stays absent */
    for (int t = 0; t < g->n_tensors; t++) {
        if (map[t + 1] != 0) {
            g->tensors[n] = g->tensors[t];
            map[t + 1] = n++;
        }
    }
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            g->nodes[i].in[k] = map[g->nodes[i].in[k] + 1];
        }
        for (int k = 0; k < g->nodes[i].n_out; k++) {
            g->nodes[i].out[k] = map[g->nodes[i].out[k] + 1];
        }
    }
    for (int i = 0; i < g->n_inputs; i++) {
        g->inputs[i] = map[g->inputs[i] + 1];
    }
    for (int i = 0; i < g->n_outputs; i++) {
        g->outputs[i] = map[g->outputs[i] + 1];
    }
    g->n_tensors = n;
    free(map);
    return PARE_OK;
}

enum pare_status pass_dead(struct pass *p)
{
    struct pare_graph *g = p->g;
    bool *needed = calloc((size_t)g->n_tensors + 1, sizeof *needed);
    bool *dead = calloc((size_t)g->n_nodes + 1, sizeof *dead);
    enum pare_status status = PARE_OK;
    int kept = 0;
    if (needed == NULL || dead == NULL) {
        status = pass_no_memory(p);
        goto out;
    }
    mark_needed(g, needed, dead);
    for (int i = 0; i < g->n_nodes; i++) {
        if (!dead[i]) {
            g->nodes[kept++] = g->nodes[i];
        }
    }
    p->report->n_dead_removed += g->n_nodes - kept;
    g->n_nodes = kept;
    status = compact_tensors(p);
    if (status == PARE_OK) {
        status = pare_graph_finish(g, p->where, p->err);
    }
out:
    free(needed);
    free(dead);
    return status;
}
