/* passes.c: runs the passes; bookkeeping of one sweep. */
#include "model/passes.h"

#include <stdlib.h>
#include <string.h>

/* ---- one sweep ---- */

static void free_sweep(struct pass *p)
{
    free(p->replaced);
    free(p->n_uses);
    free(p->first_user);
    free(p->users);
    free(p->dead);
    p->replaced = p->n_uses = p->first_user = p->users = NULL;
    p->dead = NULL;
}

enum pare_status pass_no_memory(struct pass *p)
{
    return pare_error_nomem(p->err);
}

enum pare_status pass_begin(struct pass *p)
{
    struct pare_graph *g = p->g;
    size_t n = (size_t)g->n_tensors, slots = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        slots += (size_t)g->nodes[i].n_in;
    }
    p->n_tensors = g->n_tensors;
    p->n_nodes = g->n_nodes;
    p->changed = false;
    p->replaced = malloc((n + 1) * sizeof(int));
    p->n_uses = calloc(n + 1, sizeof(int));
    p->first_user = calloc(n + 2, sizeof(int));
    p->users = malloc((slots + 1) * sizeof(int));
    p->dead = calloc((size_t)g->n_nodes + 1, sizeof(bool));
    if (p->replaced == NULL || p->n_uses == NULL || p->first_user == NULL || p->users == NULL ||
        p->dead == NULL) {
        free_sweep(p);
        return pass_no_memory(p);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            if (g->nodes[i].in[k] >= 0) {
                p->n_uses[g->nodes[i].in[k]]++;
            }
        }
    }
    for (int t = 0; t < g->n_tensors; t++) {
        p->replaced[t] = t;
        p->first_user[t + 1] = p->first_user[t] + p->n_uses[t];
    }
    for (int i = g->n_nodes - 1; i >= 0; i--) { /* filled from the end of each tensor's share */
        for (int k = g->nodes[i].n_in - 1; k >= 0; k--) {
            int t = g->nodes[i].in[k];
            if (t >= 0) {
                p->users[p->first_user[t] + --p->n_uses[t]] = i;
            }
        }
    }
    for (int t = 0; t < g->n_tensors; t++) {
        p->n_uses[t] = p->first_user[t + 1] - p->first_user[t] + (g->tensors[t].is_output ? 1 : 0);
    }
    return PARE_OK;
}

int pass_at(struct pass *p, int t)
{
    if (t < 0 || t >= p->n_tensors) {
        return t;
    }
    int end = t;
    while (end < p->n_tensors && p->replaced[end] != end) {
        end = p->replaced[end];
    }
    while (t < p->n_tensors && p->replaced[t] != t) { /* the next look is short */
        int next = p->replaced[t];
        p->replaced[t] = end;
        t = next;
    }
    return end;
}

bool pass_replace(struct pass *p, int from, int to)
{
    struct pare_graph *g = p->g;
    to = pass_at(p, to);
    if (from == to || from >= p->n_tensors) {
        return from == to;
    }
    if (!g->tensors[from].is_output) {
        p->replaced[from] = to;
        if (to < p->n_tensors) {
            p->n_uses[to] += p->n_uses[from] - 1;
        }
        p->changed = true;
        return true;
    }
    struct pare_tensor *source = &g->tensors[to], *output = &g->tensors[from];
    if (to >= p->n_tensors || source->producer < 0 || source->is_output || source->is_input) {
        return false; /* an input or a constant that is an output, or two outputs with one value */
    }
    struct pare_node *node = &g->nodes[source->producer];
    for (int k = 0; k < node->n_out; k++) {
        if (node->out[k] == to) {
            node->out[k] = from;
        }
    }
    output->producer = source->producer;
    output->quant = source->quant;
    p->replaced[to] = from;
    p->n_uses[from] += p->n_uses[to] - 1;
    p->changed = true;
    return true;
}

int pass_only_user(struct pass *p, int t)
{
    t = pass_at(p, t);
    if (t >= p->n_tensors || p->n_uses[t] != 1 || p->g->tensors[t].is_output ||
        p->first_user[t + 1] - p->first_user[t] != 1) {
        return -1;
    }
    int user = p->users[p->first_user[t]];
    return p->dead[user] ? -1 : user;
}

int pass_producer(struct pass *p, int t)
{
    t = pass_at(p, t);
    int node = t >= 0 ? p->g->tensors[t].producer : -1;
    return node >= 0 && (node >= p->n_nodes || !p->dead[node]) ? node : -1;
}

void pass_kill(struct pass *p, int node)
{
    p->dead[node] = true;
    p->changed = true;
}

enum pare_status pass_commit(struct pass *p, enum pare_status status)
{
    struct pare_graph *g = p->g;
    int kept = 0, n_warnings = g->n_warnings;
    if (status != PARE_OK || (!p->changed && g->n_nodes == p->n_nodes)) {
        free_sweep(p);
        return status;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        if (i < p->n_nodes && p->dead[i]) {
            continue;
        }
        struct pare_node *node = &g->nodes[i];
        for (int k = 0; k < node->n_in; k++) {
            node->in[k] = pass_at(p, node->in[k]);
        }
        g->nodes[kept++] = *node;
    }
    g->n_nodes = kept;
    for (int i = 0; i < g->n_outputs; i++) {
        g->outputs[i] = pass_at(p, g->outputs[i]);
    }
    free_sweep(p);
    status = pare_graph_finish(g, p->where, p->err);
    g->n_warnings = n_warnings; /* what finish says about order and names was said about the file */
    return status;
}

/* ---- the order ---- */

static int count_transposes(const struct pare_graph *g)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        n += g->nodes[i].op == PARE_OP_TRANSPOSE;
    }
    return n;
}

enum pare_status pare_passes_run(struct pare_graph *g, const char *where,
                                 struct pare_pass_report *report, struct pare_error *err)
{
    static enum pare_status (*const passes[])(struct pass *) = {
        pass_clean, pass_dead,   pass_attributes, pass_fold,    pass_clean,   pass_dense,
        pass_fold,  pass_layout, pass_clean,      pass_reshape, pass_flatten, pass_bn,
        pass_prelu, pass_swish,  pass_pad,        pass_clean,   pass_dead,
    };
    struct pare_pass_report none;
    struct pass p = {.g = g, .where = where, .report = report != NULL ? report : &none, .err = err};
    enum pare_status status = PARE_OK;
    int n_transposes = count_transposes(g);
    memset(p.report, 0, sizeof *p.report);
    p.budget = ((size_t)64 << 20) + 8 * g->file.size;
    for (size_t i = 0; i < sizeof passes / sizeof passes[0] && status == PARE_OK; i++) {
        status = passes[i](&p);
    }
    p.report->n_transposes_removed = n_transposes - count_transposes(g);
    return status;
}
