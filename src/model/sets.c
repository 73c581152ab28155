#include "model/sets.h"

#include <stdlib.h>

enum pare_status pare_layer_sets(const struct pare_graph *g, bool *first, bool *last, struct pare_error *err)
{
    /* reached[t]: from an input (pass 0, forwards) or to an output (pass 1, backwards) without a layer between.
     * Nodes are in topological order, so one sweep each is enough. */
    bool *reached = calloc((size_t)g->n_tensors + 1, sizeof *reached);
    if (reached == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < g->n_inputs; i++) {
        reached[g->inputs[i]] = true;
    }
    for (int n = 0; n < g->n_nodes; n++) {
        const struct pare_node *node = &g->nodes[n];
        bool layer = pare_node_is_layer(g, n), from_input = false;
        for (int i = 0; i < node->n_in; i++) {
            from_input = from_input || (node->in[i] >= 0 && reached[node->in[i]]);
        }
        first[n] = layer && from_input;
        for (int i = 0; i < node->n_out; i++) {
            if (node->out[i] >= 0) {
                reached[node->out[i]] = from_input && !layer;
            }
        }
    }
    for (int t = 0; t < g->n_tensors; t++) {
        reached[t] = g->tensors[t].is_output;
    }
    for (int n = g->n_nodes - 1; n >= 0; n--) {
        const struct pare_node *node = &g->nodes[n];
        bool layer = pare_node_is_layer(g, n), to_output = false;
        for (int i = 0; i < node->n_out; i++) {
            to_output = to_output || (node->out[i] >= 0 && reached[node->out[i]]);
        }
        last[n] = layer && to_output;
        for (int i = 0; i < node->n_in && to_output && !layer; i++) {
            if (node->in[i] >= 0) {
                reached[node->in[i]] = true;
            }
        }
    }
    free(reached);
    return PARE_OK;
}

static bool joins(enum pare_op op)
{
    return op == PARE_OP_ADD || op == PARE_OP_SUB || op == PARE_OP_MUL || op == PARE_OP_DIV || op == PARE_OP_MIN || op == PARE_OP_MAX;
}

/* Marks what a node that is no layer reads. A sum lives where its younger operand was computed: it runs in that one's
 * epilogue, and the other operand is a residual, read there. */
static void want_inputs(const struct pare_node *node, const int *producer, bool *wanted)
{
    int youngest = -1;
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] >= 0 && (youngest < 0 || producer[node->in[i]] > producer[youngest])) {
            youngest = node->in[i];
        }
    }
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] >= 0 && (!joins(node->op) || node->in[i] == youngest)) {
            wanted[node->in[i]] = true;
        }
    }
}

int pare_layer_sources(const struct pare_graph *g, int node, int *sources, int max)
{
    bool *wanted = calloc((size_t)g->n_tensors + 1, sizeof *wanted);
    int *producer = malloc(((size_t)g->n_tensors + 1) * sizeof *producer); /* -1 = an input or a constant */
    int count = 0;
    if (wanted == NULL || producer == NULL) {
        free(wanted);
        free(producer);
        return -1;
    }
    for (int t = 0; t < g->n_tensors; t++) {
        producer[t] = -1;
    }
    for (int n = 0; n < node; n++) {
        for (int i = 0; i < g->nodes[n].n_out; i++) {
            if (g->nodes[n].out[i] >= 0) {
                producer[g->nodes[n].out[i]] = n;
            }
        }
    }
    wanted[g->nodes[node].in[0]] = true;
    for (int n = node - 1; n >= 0; n--) {
        bool hit = false;
        for (int i = 0; i < g->nodes[n].n_out; i++) {
            hit = hit || (g->nodes[n].out[i] >= 0 && wanted[g->nodes[n].out[i]]);
        }
        if (hit && pare_node_is_layer(g, n)) {
            if (count < max) {
                sources[count++] = n;
            }
        } else if (hit) {
            want_inputs(&g->nodes[n], producer, wanted);
        }
    }
    free(wanted);
    free(producer);
    return count;
}
