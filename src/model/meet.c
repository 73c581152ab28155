/* meet.c: layers that read the same tensor, layers whose outputs are added (sets.h). */
#include "model/sets.h"

#include <stdlib.h>

int pare_layer_shared_inputs(const struct pare_graph *g, int (*pairs)[2], int max)
{
    int *reader = malloc(((size_t)g->n_tensors + 1) * sizeof *reader), n = 0; /* the first layer that reads a tensor, -1 = none */
    if (reader == NULL) {
        return -1;
    }
    for (int t = 0; t < g->n_tensors; t++) {
        reader[t] = -1;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const int t = pare_node_is_layer(g, i) ? g->nodes[i].in[0] : -1;
        if (t < 0) {
            continue;
        }
        if (reader[t] < 0) {
            reader[t] = i;
        } else if (n < max) {
            pairs[n][0] = reader[t];
            pairs[n++][1] = i;
        }
    }
    free(reader);
    return n;
}

/* The layer that computes tensor t, through operators with one operand that is no constant; -1 = there is none. */
static int writer_of(const struct pare_graph *g, int t)
{
    while (t >= 0 && g->tensors[t].producer >= 0) {
        const int node = g->tensors[t].producer;
        int operand = -1, operands = 0;
        if (pare_node_is_layer(g, node)) {
            return node;
        }
        for (int i = 0; i < g->nodes[node].n_in; i++) {
            if (g->nodes[node].in[i] >= 0 && g->tensors[g->nodes[node].in[i]].data == NULL) {
                operand = g->nodes[node].in[i];
                operands++;
            }
        }
        t = operands == 1 ? operand : -1;
    }
    return -1;
}

int pare_layer_residuals(const struct pare_graph *g, int (*pairs)[2], int max)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct pare_node *node = &g->nodes[i];
        if (node->op != PARE_OP_ADD || node->n_in != 2) {
            continue;
        }
        const int a = writer_of(g, node->in[0]), b = writer_of(g, node->in[1]);
        if (a >= 0 && b >= 0 && a != b && n < max) {
            pairs[n][0] = a < b ? a : b;
            pairs[n++][1] = a < b ? b : a;
        }
    }
    return n;
}
