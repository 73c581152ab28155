#include "measure/own_error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/grid.h"

struct pare_own {
    struct pare_graph *graph;
    struct pare_maker maker; /* of the small graph: what the caller's says of the layer */
    struct pare_method *methods;
    struct pare_rows *rows;
    struct pare_calibration calibration;
    struct pare_plan *reference, *lowered;
    struct pare_grid input, output; /* form CODES only at integer levels */
    size_t n_in, n_out;
    float *x, *y_reference, *y;
    double sigma;
};

static bool is_fused_activation(enum pare_op op)
{
    return op == PARE_OP_RELU || op == PARE_OP_CLIP || op == PARE_OP_PRELU || op == PARE_OP_LEAKY_RELU ||
           op == PARE_OP_HARD_SWISH;
}

/* Copies tensor t of g into the small graph; constants share their data. */
static int copy_tensor(struct pare_graph *small, const struct pare_graph *g, int t)
{
    int index = t < 0 ? -1 : pare_graph_add_tensor(small, g->tensors[t].name, g->tensors[t].dtype);
    if (index >= 0) {
        struct pare_tensor *copy = &small->tensors[index];
        const char *name = copy->name;
        *copy = g->tensors[t];
        copy->name = name;
        copy->producer = -1;
        copy->is_input = copy->is_output = false;
    }
    return index;
}

static int next_activation(const struct pare_graph *g, int tensor)
{
    int found = -1;
    if (pare_graph_consumers(g, tensor) != 1 || g->tensors[tensor].is_output) {
        return -1;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].n_in > 0 && g->nodes[i].in[0] == tensor && is_fused_activation(g->nodes[i].op)) {
            found = i;
        }
    }
    return found;
}

/* Adds node `source` of g reading `input`; returns its output tensor in the small graph, -1 when out of memory. */
static int copy_node(struct pare_graph *small, const struct pare_graph *g, int source, int input)
{
    const struct pare_node *node = &g->nodes[source];
    int in[8], n_in = node->n_in > 8 ? 8 : node->n_in;
    in[0] = input;
    for (int i = 1; i < n_in; i++) {
        in[i] = copy_tensor(small, g, node->in[i]);
    }
    int out = copy_tensor(small, g, node->out[0]);
    int index = out >= 0 ? pare_graph_add_node(small, node->op, node->name, n_in, in, 1, &out) : -1;
    if (index < 0) {
        return -1;
    }
    small->nodes[index].attr = node->attr;
    return out;
}

static enum pare_status build_graph(struct pare_own *own, const struct pare_graph *g, int node, int *in_tensor,
                                    int *out_tensor, struct pare_error *err)
{
    struct pare_graph *small = pare_graph_new();
    own->graph = small;
    if (small == NULL) {
        return pare_error_nomem(err);
    }
    *in_tensor = g->nodes[node].in[0];
    int input = copy_tensor(small, g, *in_tensor), last = node;
    int output = input >= 0 ? copy_node(small, g, node, input) : -1;
    for (int next; output >= 0 && (next = next_activation(g, g->nodes[last].out[0])) >= 0; last = next) {
        output = copy_node(small, g, next, output);
    }
    small->inputs = malloc(sizeof *small->inputs);
    small->outputs = malloc(sizeof *small->outputs);
    if (output < 0 || small->inputs == NULL || small->outputs == NULL) {
        return pare_error_nomem(err);
    }
    *out_tensor = g->nodes[last].out[0];
    small->inputs[0] = input;
    small->outputs[0] = output;
    small->n_inputs = small->n_outputs = 1;
    small->tensors[input].is_input = true;
    small->tensors[output].is_output = true;
    small->format = g->format;
    return PARE_OK;
}

static enum pare_status make_plans(struct pare_own *own, struct pare_level level, enum pk_isa isa,
                                   struct pare_error *err)
{
    struct pare_level *levels = calloc((size_t)own->graph->n_nodes + 1, sizeof *levels);
    struct pare_plan_options options = {.isa = isa, .calibration = &own->calibration, .carrier = PARE_CARRIER_F32};
    if (levels == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_plan_new(own->graph, &options, &own->reference, err);
    for (int i = 0; i < own->graph->n_nodes; i++) {
        levels[i] = pare_node_is_layer(own->graph, i) ? level : (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    options.levels = levels;
    options.maker = own->methods != NULL ? &own->maker : NULL;
    if (status == PARE_OK) {
        status = pare_plan_new(own->graph, &options, &own->lowered, err);
    }
    free(levels);
    return status;
}

static enum pare_status take_maker(struct pare_own *own, const struct pare_maker *maker, int node, struct pare_error *err)
{
    const size_t n = (size_t)own->graph->n_nodes + 1;
    own->methods = calloc(n, sizeof *own->methods);
    own->rows = calloc(n, sizeof *own->rows);
    if (own->methods == NULL || own->rows == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < own->graph->n_nodes; i++) {
        own->methods[i] = maker->methods[node];
        if (maker->rows != NULL) {
            own->rows[i] = maker->rows[node]; /* borrowed */
        }
    }
    own->maker = (struct pare_maker){own->graph, own->methods, own->rows};
    return PARE_OK;
}

enum pare_status pare_own_new(const struct pare_graph *g, int node, const struct pare_calibration *c,
                              struct pare_level level, enum pk_isa isa, const struct pare_maker *maker, struct pare_own **out,
                              struct pare_error *err)
{
    struct pare_own *own = calloc(1, sizeof *own);
    int in_tensor = 0, out_tensor = 0;
    *out = NULL;
    if (own == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = build_graph(own, g, node, &in_tensor, &out_tensor, err);
    if (status == PARE_OK && maker != NULL) {
        status = take_maker(own, maker, node, err);
    }
    if (status == PARE_OK) {
        status = pare_calibration_init(&own->calibration, own->graph->n_tensors, err);
    }
    if (status == PARE_OK) {
        own->calibration.ranges[own->graph->inputs[0]] = c->ranges[in_tensor];
        own->calibration.ranges[own->graph->outputs[0]] = c->ranges[out_tensor];
        own->sigma = pare_range_sigma(&c->ranges[out_tensor]);
        own->n_in = (size_t)pare_tensor_elements(&g->tensors[in_tensor]);
        own->n_out = (size_t)pare_tensor_elements(&g->tensors[out_tensor]);
        own->x = calloc(own->n_in + 1, sizeof *own->x);
        own->y = calloc(own->n_out + 1, sizeof *own->y);
        own->y_reference = calloc(own->n_out + 1, sizeof *own->y_reference);
        if (own->x == NULL || own->y == NULL || own->y_reference == NULL) {
            status = pare_error_nomem(err);
        }
        if (level.kind == PARE_LEVEL_INT) {
            own->input = pare_grid_from_range(&c->ranges[in_tensor], level.a_bits);
            own->output = pare_grid_from_range(&c->ranges[out_tensor], level.a_bits);
        }
    }
    if (status == PARE_OK) {
        status = make_plans(own, level, isa, err);
    }
    if (status != PARE_OK) {
        pare_own_free(own);
        return status;
    }
    *out = own;
    return PARE_OK;
}

void pare_own_free(struct pare_own *own)
{
    if (own == NULL) {
        return;
    }
    pare_plan_free(own->reference);
    pare_plan_free(own->lowered);
    pare_calibration_clear(&own->calibration);
    free(own->methods);
    free(own->rows);
    pare_graph_free(own->graph);
    free(own->x);
    free(own->y);
    free(own->y_reference);
    free(own);
}

double pare_own_sigma(const struct pare_own *own)
{
    return own->sigma;
}

/* Puts y on the grid; returns how many lay beyond its ends (by more than half a step). */
static size_t to_grid(const struct pare_grid *g, float *y, size_t n)
{
    size_t clipped = 0;
    float low = pare_grid_real(g, 0) - 0.5f * g->scale;
    float high = pare_grid_real(g, (1 << g->bits) - 1) + 0.5f * g->scale;
    for (size_t i = 0; i < n; i++) {
        clipped += y[i] < low || y[i] > high;
        y[i] = pare_grid_real(g, pare_grid_code(g, y[i]));
    }
    return clipped;
}

enum pare_status pare_own_run(struct pare_own *own, const float *x, size_t n, double *mse, double *power,
                              double *clipped, double *scale, struct pare_error *err)
{
    bool codes = own->input.form == PARE_FORM_CODES;
    size_t beyond = 0;
    if (n != own->n_in) {
        return pare_error(err, PARE_ERR_INTERNAL, "sense", "expected %zu inputs, found %zu", own->n_in, n);
    }
    memcpy(own->x, x, n * sizeof *x);
    if (codes) {
        (void)to_grid(&own->input, own->x, n);
    }
    struct pare_plan *plans[2] = {own->reference, own->lowered};
    float *outputs[2] = {own->y_reference, own->y};
    for (int i = 0; i < 2; i++) {
        enum pare_status status = pare_plan_set_input(plans[i], 0, own->x, n, err);
        if (status == PARE_OK) {
            status = pare_plan_run(plans[i], err);
        }
        if (status == PARE_OK) {
            status = pare_plan_get_output(plans[i], 0, outputs[i], own->n_out, err);
        }
        if (status != PARE_OK) {
            return status;
        }
    }
    if (codes) {
        beyond = to_grid(&own->output, own->y, own->n_out);
    }
    double squares = 0, signal = 0;
    for (size_t i = 0; i < own->n_out; i++) {
        double d = (double)own->y[i] - (double)own->y_reference[i];
        squares += d * d;
        signal += (double)own->y_reference[i] * (double)own->y_reference[i];
    }
    double count = own->n_out > 0 ? (double)own->n_out : 1;
    *mse = squares / count;
    *power = signal / count;
    *clipped = (double)beyond / count;
    *scale = codes ? (double)own->output.scale : 0;
    return PARE_OK;
}
