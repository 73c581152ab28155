/*
 * finish.c: from what a reader put together to a graph that the other steps may trust: every index
 * in range, one producer per tensor, nothing read that nothing makes, nodes in topological order,
 * layer names unique. Linear in nodes + edges + bytes of names.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "model/graph.h"

static const char *tensor_name(const struct pare_graph *g, int tensor)
{
    return g->tensors[tensor].name[0] != '\0' ? g->tensors[tensor].name : "(no name)";
}

static enum pare_status check_ends(struct pare_graph *g, const char *where, struct pare_error *err)
{
    for (int i = 0; i < g->n_tensors; i++) {
        g->tensors[i].producer = -1;
        g->tensors[i].is_input = false;
        g->tensors[i].is_output = false;
    }
    for (int i = 0; i < g->n_inputs; i++) {
        if (g->inputs[i] < 0 || g->inputs[i] >= g->n_tensors) {
            return pare_error(err, PARE_ERR_FORMAT, where, "graph input %d is tensor %d of %d", i,
                              g->inputs[i], g->n_tensors);
        }
        g->tensors[g->inputs[i]].is_input = true;
    }
    for (int i = 0; i < g->n_outputs; i++) {
        if (g->outputs[i] < 0 || g->outputs[i] >= g->n_tensors) {
            return pare_error(err, PARE_ERR_FORMAT, where, "graph output %d is tensor %d of %d", i,
                              g->outputs[i], g->n_tensors);
        }
        g->tensors[g->outputs[i]].is_output = true;
    }
    return PARE_OK;
}

/* One producer per tensor, and none for constants and graph inputs. */
static enum pare_status check_producers(struct pare_graph *g, const char *where,
                                        struct pare_error *err)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct pare_node *node = &g->nodes[i];
        if ((unsigned)node->op >= PARE_OP_COUNT || node->n_in < 0 || node->n_out < 0) {
            return pare_error(err, PARE_ERR_INTERNAL, where, "node %d is malformed", i);
        }
        for (int k = 0; k < node->n_out; k++) {
            int t = node->out[k];
            if (t == -1) {
                continue;
            }
            if (t < 0 || t >= g->n_tensors) {
                return pare_error(err, PARE_ERR_FORMAT, where,
                                  "node %d (%s): output %d is tensor %d of %d", i,
                                  pare_op_name(node->op), k, t, g->n_tensors);
            }
            struct pare_tensor *out = &g->tensors[t];
            if (out->data != NULL || out->is_input || out->producer >= 0) {
                return pare_error(err, PARE_ERR_FORMAT, where,
                                  "node %d (%s) writes tensor '%.200s', which is %s", i,
                                  pare_op_name(node->op), tensor_name(g, t),
                                  out->data != NULL ? "a constant"
                                  : out->is_input   ? "a graph input"
                                                    : "written by another node too");
            }
            out->producer = i;
        }
    }
    return PARE_OK;
}

static bool has_source(const struct pare_tensor *t)
{
    return t->producer >= 0 || t->is_input || t->data != NULL;
}

static enum pare_status check_sources(struct pare_graph *g, const char *where,
                                      struct pare_error *err)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct pare_node *node = &g->nodes[i];
        for (int k = 0; k < node->n_in; k++) {
            int t = node->in[k];
            if (t == -1) {
                continue;
            }
            if (t < 0 || t >= g->n_tensors) {
                return pare_error(err, PARE_ERR_FORMAT, where,
                                  "node %d (%s): input %d is tensor %d of %d", i,
                                  pare_op_name(node->op), k, t, g->n_tensors);
            }
            /* An empty constant has no bytes and may have no pointer. */
            if (!has_source(&g->tensors[t]) && pare_tensor_elements(&g->tensors[t]) != 0) {
                return pare_error(err, PARE_ERR_FORMAT, where,
                                  "node %d (%s) reads tensor '%.200s', which nothing produces", i,
                                  pare_op_name(node->op), tensor_name(g, t));
            }
        }
    }
    for (int i = 0; i < g->n_outputs; i++) {
        if (!has_source(&g->tensors[g->outputs[i]])) {
            return pare_error(err, PARE_ERR_FORMAT, where,
                              "nothing produces the graph output '%.200s'",
                              tensor_name(g, g->outputs[i]));
        }
    }
    return PARE_OK;
}

/* ---- topological order: depth-first in the file's order, so a sorted file keeps its order ---- */

struct visit {
    int node, next_in;
};

enum { UNSEEN, OPEN, DONE };

struct sorter {
    unsigned char *state; /* [n_nodes] */
    struct visit *stack;  /* [n_nodes] */
    int *order, n_order;  /* [n_nodes], old indices in new order */
};

/* Returns a node on a cycle, or -1. */
static int visit_from(const struct pare_graph *g, struct sorter *s, int root)
{
    int depth = 0;
    s->stack[depth++] = (struct visit){root, 0};
    s->state[root] = OPEN;
    while (depth > 0) {
        struct visit *top = &s->stack[depth - 1];
        const struct pare_node *node = &g->nodes[top->node];
        int needed = -1;
        while (top->next_in < node->n_in && needed < 0) {
            int t = node->in[top->next_in++];
            int producer = t >= 0 ? g->tensors[t].producer : -1;
            if (producer >= 0 && s->state[producer] == OPEN) {
                return producer;
            }
            if (producer >= 0 && s->state[producer] == UNSEEN) {
                needed = producer;
            }
        }
        if (needed >= 0) {
            s->state[needed] = OPEN;
            s->stack[depth++] = (struct visit){needed, 0};
        } else {
            s->state[top->node] = DONE;
            s->order[s->n_order++] = top->node;
            depth--;
        }
    }
    return -1;
}

static enum pare_status apply_order(struct pare_graph *g, const int *order, struct pare_error *err)
{
    bool sorted = true;
    for (int i = 0; i < g->n_nodes; i++) {
        sorted = sorted && order[i] == i;
    }
    if (sorted) {
        return PARE_OK;
    }
    struct pare_node *nodes = malloc((size_t)g->cap_nodes * sizeof *nodes);
    if (nodes == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        nodes[i] = g->nodes[order[i]];
        for (int k = 0; k < nodes[i].n_out; k++) {
            if (nodes[i].out[k] >= 0) {
                g->tensors[nodes[i].out[k]].producer = i;
            }
        }
    }
    free(g->nodes);
    g->nodes = nodes;
    pare_graph_warn(g, "the file's nodes are not in the order in which they can run; sorted");
    return PARE_OK;
}

static enum pare_status sort_nodes(struct pare_graph *g, const char *where, struct pare_error *err)
{
    size_t n = (size_t)g->n_nodes + 1;
    struct sorter s = {calloc(n, 1), malloc(n * sizeof *s.stack), malloc(n * sizeof *s.order), 0};
    enum pare_status status = PARE_OK;
    if (s.state == NULL || s.stack == NULL || s.order == NULL) {
        status = pare_error_nomem(err);
        goto out;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        int on_cycle = s.state[i] == UNSEEN ? visit_from(g, &s, i) : -1;
        if (on_cycle >= 0) {
            const struct pare_node *node = &g->nodes[on_cycle];
            int t = node->n_out > 0 ? node->out[0] : -1;
            status = pare_error(err, PARE_ERR_FORMAT, where,
                                "node '%.200s' (%s) needs its own output: the graph has a cycle",
                                node->name[0] != '\0' ? node->name
                                : t >= 0              ? tensor_name(g, t)
                                                      : "(no name)",
                                pare_op_name(node->op));
            goto out;
        }
    }
    status = apply_order(g, s.order, err);
out:
    free(s.state);
    free(s.stack);
    free(s.order);
    return status;
}

/* ---- layer names ---- */

struct name_slot {
    const char *name; /* as it is printed */
    int next_suffix;
};

struct name_set {
    struct name_slot *slots;
    size_t mask;
    struct pare_arena memory;
};

static size_t hash_name(const char *s)
{
    uint64_t h = 1469598103934665603u;
    for (; *s != '\0'; s++) {
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    }
    return (size_t)(h ^ (h >> 29));
}

static struct name_slot *find_slot(struct name_set *set, const char *name)
{
    size_t i = hash_name(name) & set->mask;
    while (set->slots[i].name != NULL && strcmp(set->slots[i].name, name) != 0) {
        i = (i + 1) & set->mask;
    }
    return &set->slots[i];
}

/* The name as a screen shows it; names are compared in this form, so that no two look the same. */
static const char *printed_name(struct name_set *set, const char *name)
{
    bool plain = true;
    for (const char *c = name; *c != '\0' && plain; c++) {
        plain = *c >= 0x20 && *c < 0x7f && *c != '\\';
    }
    if (plain) {
        return name;
    }
    size_t n = strlen(name), size = n < SIZE_MAX / 8 ? 4 * n + 1 : 0;
    char *copy = size > 0 ? pare_arena_alloc(&set->memory, size) : NULL;
    if (copy != NULL) {
        pare_escape(name, n, copy, size);
    }
    return copy;
}

static bool name_node(struct pare_graph *g, struct name_set *set, int index, int *n_renamed)
{
    struct pare_node *node = &g->nodes[index];
    if (node->name[0] == '\0') {
        const char *from = "";
        for (int k = 0; k < node->n_out && from[0] == '\0'; k++) {
            from = node->out[k] >= 0 ? g->tensors[node->out[k]].name : "";
        }
        node->name = from[0] != '\0'
                         ? from
                         : pare_arena_printf(&g->arena, "%s_%d", pare_op_name(node->op), index);
    }
    const char *printed = node->name != NULL ? printed_name(set, node->name) : NULL;
    if (printed == NULL) {
        return false;
    }
    struct name_slot *slot = find_slot(set, printed);
    if (slot->name == NULL) {
        *slot = (struct name_slot){printed, 2};
        return true;
    }
    const char *base = node->name;
    struct name_slot *first = slot;
    while (slot->name != NULL) {
        node->name = pare_arena_printf(&g->arena, "%s_%d", base, first->next_suffix++);
        printed = node->name != NULL ? printed_name(set, node->name) : NULL;
        if (printed == NULL) {
            return false;
        }
        slot = find_slot(set, printed);
    }
    *slot = (struct name_slot){printed, 2};
    if (g->format == PARE_FORMAT_ONNX &&
        ++*n_renamed <= 4) { /* TFLite's operators have no names of their own */
        pare_graph_warn(g, "several nodes are named '%.100s'; one is '%.100s' here", base,
                        node->name);
    }
    return true;
}

static enum pare_status name_nodes(struct pare_graph *g, struct pare_error *err)
{
    struct name_set set = {0};
    enum pare_status status = PARE_OK;
    size_t size = 16;
    int n_renamed = 0;
    while (size < 2 * (size_t)g->n_nodes) {
        size *= 2;
    }
    set.mask = size - 1;
    set.slots = calloc(size, sizeof *set.slots);
    if (set.slots == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < g->n_nodes && status == PARE_OK; i++) {
        if (!name_node(g, &set, i, &n_renamed)) {
            status = pare_error_nomem(err);
        }
    }
    if (n_renamed > 4) {
        pare_graph_warn(g, "%d nodes in all share another node's name", n_renamed);
    }
    free(set.slots);
    pare_arena_clear(&set.memory);
    return status;
}

enum pare_status pare_graph_finish(struct pare_graph *g, const char *where, struct pare_error *err)
{
    enum pare_status status = check_ends(g, where, err);
    if (status == PARE_OK) {
        status = check_producers(g, where, err);
    }
    if (status == PARE_OK) {
        status = check_sources(g, where, err);
    }
    if (status == PARE_OK) {
        status = sort_nodes(g, where, err);
    }
    if (status == PARE_OK) {
        status = name_nodes(g, err);
    }
    g->n_unknown = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        g->n_unknown += g->nodes[i].op == PARE_OP_UNKNOWN;
    }
    return status;
}
