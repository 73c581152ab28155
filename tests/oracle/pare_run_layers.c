/*
 * Single layers of a file, each on inputs from elsewhere: what a layer loses by itself. At int8 where the file has a grid for
 * what the layer reads, else at fp32.
 *   pare_run_layers MODEL               one line per layer: index, input tensor, output tensor (after its activation), "last"
 *                                       when no layer reads what it gives, else "inner"
 *   pare_run_layers MODEL FOLDER        reads FOLDER/index.in, writes FOLDER/index.out (raw float32), where the .in is there
 *   pare_run_layers MODEL FOLDER whole  runs FOLDER/whole.in (all inputs) through the network, writes FOLDER/index.whole of
 *                                       every layer whose output is stored, and FOLDER/k.end of every output
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/plan.h"

/* The tensor behind the activation that follows the layer, where the file fixes a grid. */
static int tail_of(const struct pare_graph *g, int node)
{
    int t = g->nodes[node].out[0];
    for (int n = node + 1; n < g->n_nodes && g->tensors[t].quant == NULL; n++) {
        if (g->nodes[n].in[0] == t && (g->nodes[n].op == PARE_OP_RELU || g->nodes[n].op == PARE_OP_CLIP)) {
            t = g->nodes[n].out[0];
        }
    }
    return t;
}

static int copy_tensor(struct pare_graph *to, const struct pare_graph *g, int t)
{
    const int at = pare_graph_add_tensor(to, g->tensors[t].name, g->tensors[t].dtype);
    to->tensors[at] = g->tensors[t];
    to->tensors[at].producer = -1;
    to->tensors[at].is_input = to->tensors[at].is_output = false;
    return at;
}

/* A graph of the layer and its activations alone. */
static struct pare_graph *cut(const struct pare_graph *g, int node, int tail)
{
    struct pare_graph *to = pare_graph_new();
    const struct pare_node *n = &g->nodes[node];
    int in[4], value = -1;
    for (int i = 0; i < n->n_in && i < 3; i++) {
        in[i] = n->in[i] >= 0 ? copy_tensor(to, g, n->in[i]) : -1;
    }
    to->inputs = malloc(sizeof *to->inputs);
    to->outputs = malloc(sizeof *to->outputs);
    to->inputs[0] = in[0];
    to->n_inputs = to->n_outputs = 1;
    value = copy_tensor(to, g, n->out[0]);
    const int at = pare_graph_add_node(to, n->op, n->name, n->n_in < 3 ? n->n_in : 3, in, 1, &value);
    to->nodes[at].attr = n->attr;
    for (int t = n->out[0]; t != tail;) {
        for (int k = node + 1; k < g->n_nodes; k++) {
            if (g->nodes[k].in[0] == t && (g->nodes[k].op == PARE_OP_RELU || g->nodes[k].op == PARE_OP_CLIP)) {
                const int out = copy_tensor(to, g, g->nodes[k].out[0]);
                to->nodes[pare_graph_add_node(to, g->nodes[k].op, g->nodes[k].name, 1, &value, 1, &out)].attr = g->nodes[k].attr;
                value = out;
                t = g->nodes[k].out[0];
                break;
            }
        }
    }
    to->outputs[0] = value;
    return to;
}

static int run_layer(const struct pare_graph *g, int node, int tail, const char *folder, struct pare_error *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%d.in", folder, node);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return 0;
    }
    const size_t n_in = (size_t)pare_tensor_elements(&g->tensors[g->nodes[node].in[0]]);
    const size_t n_out = (size_t)pare_tensor_elements(&g->tensors[tail]);
    float *x = malloc((n_in + 1) * sizeof *x), *y = malloc((n_out + 1) * sizeof *y);
    const bool read = fread(x, sizeof *x, n_in, f) == n_in;
    fclose(f);
    struct pare_graph *one = cut(g, node, tail);
    struct pare_level levels[8];
    struct pare_plan *plan = NULL;
    for (int i = 0; i < 8; i++) {
        levels[i] = g->tensors[g->nodes[node].in[0]].quant != NULL ? (struct pare_level){PARE_LEVEL_INT, 8, 8}
                                                                   : (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    const struct pare_plan_options options = {.levels = levels, .isa = pk_isa_best()};
    int bad = !read || pare_graph_finish(one, "layer", err) != PARE_OK || pare_plan_new(one, &options, &plan, err) != PARE_OK ||
              pare_plan_set_input(plan, 0, x, n_in, err) != PARE_OK || pare_plan_run(plan, err) != PARE_OK ||
              pare_plan_get_output(plan, 0, y, n_out, err) != PARE_OK;
    snprintf(path, sizeof path, "%s/%d.out", folder, node);
    f = bad ? NULL : fopen(path, "wb");
    bad = f == NULL || fwrite(y, sizeof *y, n_out, f) != n_out;
    if (f != NULL) {
        fclose(f);
    }
    pare_plan_free(plan);
    pare_graph_free(one);
    free(x);
    free(y);
    return bad;
}

/* Does no later layer depend on tensor t? */
static bool is_last(const struct pare_graph *g, int t)
{
    bool *reached = calloc((size_t)g->n_tensors + 1, sizeof *reached), last = true;
    reached[t] = true;
    for (int n = 0; n < g->n_nodes && last; n++) {
        bool reads = false;
        for (int i = 0; i < g->nodes[n].n_in; i++) {
            reads = reads || (g->nodes[n].in[i] >= 0 && reached[g->nodes[n].in[i]]);
        }
        last = !(reads && pare_node_is_layer(g, n));
        for (int k = 0; reads && k < g->nodes[n].n_out; k++) {
            reached[g->nodes[n].out[k]] = true;
        }
    }
    free(reached);
    return last;
}

static int write_floats(const char *folder, int index, const char *kind, const float *x, size_t n)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%d.%s", folder, index, kind);
    FILE *f = fopen(path, "wb");
    const bool bad = f == NULL || fwrite(x, sizeof *x, n, f) != n;
    if (f != NULL) {
        fclose(f);
    }
    return bad;
}

static int write_results(const struct pare_graph *g, struct pare_plan *plan, const char *folder, struct pare_error *err)
{
    int bad = 0;
    for (int i = 0; i < g->n_nodes + g->n_outputs && !bad; i++) {
        const bool is_output = i >= g->n_nodes;
        if (!is_output && !pare_node_is_layer(g, i)) {
            continue;
        }
        const int tensor = is_output ? g->outputs[i - g->n_nodes] : tail_of(g, i);
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[tensor]);
        float *y = malloc((n + 1) * sizeof *y);
        if (is_output) {
            bad = pare_plan_get_output(plan, i - g->n_nodes, y, n, err) != PARE_OK ||
                  write_floats(folder, i - g->n_nodes, "end", y, n);
        } else if (pare_plan_read_tensor(plan, tensor, y, n, NULL) == PARE_OK) { /* else inside an epilogue */
            bad = write_floats(folder, i, "whole", y, n);
        }
        free(y);
    }
    return bad;
}

static int run_whole(const struct pare_graph *g, const char *folder, struct pare_error *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/whole.in", folder);
    FILE *f = fopen(path, "rb");
    struct pare_level *levels = calloc((size_t)g->n_nodes + 1, sizeof *levels);
    struct pare_plan *plan = NULL;
    for (int i = 0; i < g->n_nodes; i++) {
        const int x = g->nodes[i].n_in > 0 ? g->nodes[i].in[0] : -1;
        levels[i] = x >= 0 && g->tensors[x].quant != NULL ? (struct pare_level){PARE_LEVEL_INT, 8, 8}
                                                          : (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    const struct pare_plan_options options = {.levels = levels, .isa = pk_isa_best(), .keep_all = true};
    int bad = f == NULL || pare_plan_new(g, &options, &plan, err) != PARE_OK;
    for (int i = 0; i < g->n_inputs && !bad; i++) {
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->inputs[i]]);
        float *x = malloc((n + 1) * sizeof *x);
        bad = fread(x, sizeof *x, n, f) != n || pare_plan_set_input(plan, i, x, n, err) != PARE_OK;
        free(x);
    }
    bad = bad || pare_plan_run(plan, err) != PARE_OK || write_results(g, plan, folder, err);
    if (f != NULL) {
        fclose(f);
    }
    pare_plan_free(plan);
    free(levels);
    return bad;
}

int main(int argc, char **argv)
{
    struct pare_graph *g = NULL;
    struct pare_error err = {0};
    if (argc < 2 || pare_model_open(argv[1], &g, &err) != PARE_OK) {
        fprintf(stderr, "%s %s\n", err.where, err.message);
        return 1;
    }
    int bad = argc > 3 ? run_whole(g, argv[2], &err) : 0;
    for (int i = 0; i < g->n_nodes && !bad && argc <= 3; i++) {
        if (!pare_node_is_layer(g, i)) {
            continue;
        }
        const int tail = tail_of(g, i);
        if (argc < 3) {
            printf("%d\t%s\t%s\t%s\n", i, g->tensors[g->nodes[i].in[0]].name, g->tensors[tail].name,
                   is_last(g, tail) ? "last" : "inner");
        } else {
            bad = run_layer(g, i, tail, argv[2], &err);
        }
    }
    if (bad) {
        fprintf(stderr, "%s %s\n", err.where, err.message);
    }
    pare_graph_free(g);
    return bad;
}
