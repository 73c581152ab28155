#include "measure/own_error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pk_ops.h"
#include "quant/grid.h"

struct pare_own {
    struct pare_graph *graph;
    struct pare_maker maker; /* of the small graph: what the caller's says of the layer */
    struct pare_method *methods;
    struct pare_rows *rows;
    struct pare_calibration calibration;
    struct pare_plan *reference, *lowered, *weights; /* weights: NULL where there is no such level */
    struct pare_grid input, output; /* form CODES only at integer levels */
    size_t n_in, n_out;
    float *x;       /* on the grid */
    float *y[3];    /* f(Q(x)), G(q(Q(x))), f(x) */
    float *y_part;  /* by weights alone, by activations alone */
    double sigma;
    bool weight_only;
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
    const struct pare_level weights = {PARE_LEVEL_WEIGHT_ONLY, level.w_bits, 32};
    options.levels = levels;
    options.maker = own->methods != NULL ? &own->maker : NULL;
    for (int k = 0; k < 2 && status == PARE_OK && (k == 0 || level.kind == PARE_LEVEL_INT || pare_level_simulated(level)); k++) {
        for (int i = 0; i < own->graph->n_nodes; i++) {
            levels[i] = !pare_node_is_layer(own->graph, i) ? (struct pare_level){PARE_LEVEL_FP32, 32, 32} : k == 0 ? level : weights;
        }
        status = pare_plan_new(own->graph, &options, k == 0 ? &own->lowered : &own->weights, err);
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
    own->maker = (struct pare_maker){.graph = own->graph, .methods = own->methods, .rows = own->rows, .own_node = -1};
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
        own->y_part = calloc(own->n_out + 1, sizeof *own->y_part);
        bool all = own->x != NULL && own->y_part != NULL;
        for (int i = 0; i < 3; i++) {
            own->y[i] = calloc(own->n_out + 1, sizeof *own->y[i]);
            all = all && own->y[i] != NULL;
        }
        if (!all) {
            status = pare_error_nomem(err);
        }
        own->weight_only = level.kind == PARE_LEVEL_WEIGHT_ONLY;
        if (level.kind == PARE_LEVEL_INT || pare_level_simulated(level)) {
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
    pare_plan_free(own->weights);
    pare_calibration_clear(&own->calibration);
    free(own->methods);
    free(own->rows);
    pare_graph_free(own->graph);
    free(own->x);
    for (int i = 0; i < 3; i++) {
        free(own->y[i]);
    }
    free(own->y_part);
    free(own);
}

double pare_own_sigma(const struct pare_own *own)
{
    return own->sigma;
}

/* Puts y on the grid; returns how many lay beyond its ends (by more than half a step). */
static size_t to_grid(const struct pare_grid *g, float *y, size_t n)
{
    enum { PART = 4096 };
    uint8_t codes[PART];
    const enum pk_isa isa = pk_isa_best();
    const float low = pare_grid_real(g, 0) - 0.5f * g->scale;
    const float high = pare_grid_real(g, (1 << g->bits) - 1) + 0.5f * g->scale;
    const size_t clipped = pk_count_beyond(y, n, low, high);
    for (size_t i = 0; i < n && g->bits <= 8; i += PART) {
        const size_t count = n - i < PART ? n - i : PART;
        pk_quantize_u8(isa, y + i, count, 1.0f / g->scale, g->offset, g->zero, (float)-g->zero,
                       (float)((1 << g->bits) - 1 - g->zero), codes);
        pk_dequantize_u8(isa, codes, count, g->scale, g->offset, g->zero, y + i);
    }
    for (size_t i = 0; i < n && g->bits > 8; i++) {
        y[i] = pare_grid_real(g, pare_grid_code(g, y[i]));
    }
    return clipped;
}

const char *pare_own_field_name(enum pare_own_field field)
{
    static const char *const names[PARE_OWN_FIELDS] = {
        [PARE_OWN_MSE] = "mse",           [PARE_OWN_POWER] = "power",   [PARE_OWN_CLIPPED] = "clipped",
        [PARE_OWN_MEAN] = "mean",         [PARE_OWN_SD] = "sd",         [PARE_OWN_MAX] = "max",
        [PARE_OWN_COSINE] = "cosine",     [PARE_OWN_ELEMENTS] = "elements", [PARE_OWN_STEP] = "step",
        [PARE_OWN_WEIGHTS] = "weights",   [PARE_OWN_ACTIVATIONS] = "activations",
        [PARE_OWN_ACCUMULATED] = "accumulated"};
    return names[field];
}

int pare_layer_output(const struct pare_graph *g, int node)
{
    int last = node;
    for (int next; (next = next_activation(g, g->nodes[last].out[0])) >= 0; last = next) {
    }
    return g->nodes[last].out[0];
}

void pare_own_grid(const struct pare_own *own, double *scale, int *zero)
{
    const bool codes = own->output.form == PARE_FORM_CODES;
    *scale = codes ? (double)own->output.scale : 0;
    *zero = codes ? own->output.zero - (1 << (own->output.bits - 1)) : 0;
}

static enum pare_status run_one(struct pare_own *own, struct pare_plan *plan, const float *x, float *y, struct pare_error *err)
{
    enum pare_status status = pare_plan_set_input(plan, 0, x, own->n_in, err);
    status = status == PARE_OK ? pare_plan_run(plan, err) : status;
    return status == PARE_OK ? pare_plan_get_output(plan, 0, y, own->n_out, err) : status;
}

static double mean_square(const float *a, const float *b, size_t n)
{
    struct pk_distance d;
    pk_distance_f32(pk_isa_best(), a, b, n, &d);
    return d.squares / (n > 0 ? (double)n : 1);
}

/* All figures of y beside the reference. */
static void compare(const float *y, const float *reference, size_t n, double *fields)
{
    struct pk_distance d;
    const double count = n > 0 ? (double)n : 1;
    pk_distance_f32(pk_isa_best(), y, reference, n, &d);
    const double mean = d.sum / count, variance = d.squares / count - mean * mean;
    fields[PARE_OWN_MSE] = d.squares / count;
    fields[PARE_OWN_POWER] = d.signal / count;
    fields[PARE_OWN_MEAN] = mean;
    fields[PARE_OWN_SD] = sqrt(variance > 0 ? variance : 0);
    fields[PARE_OWN_MAX] = d.most;
    fields[PARE_OWN_COSINE] = d.signal > 0 && d.power > 0 ? d.dot / sqrt(d.signal * d.power) : (double)NAN;
    fields[PARE_OWN_ELEMENTS] = (double)n;
}

enum pare_status pare_own_run(struct pare_own *own, const float *x, size_t n, double *fields, struct pare_error *err)
{
    const bool codes = own->output.form == PARE_FORM_CODES;
    if (n != own->n_in) {
        return pare_error(err, PARE_ERR_INTERNAL, "sense", "expected %zu inputs, found %zu", own->n_in, n);
    }
    memcpy(own->x, x, n * sizeof *x);
    if (codes) {
        (void)to_grid(&own->input, own->x, n);
    }
    for (int i = 0; i < PARE_OWN_FIELDS; i++) {
        fields[i] = (double)NAN;
    }
    enum pare_status status = run_one(own, own->reference, own->x, own->y[0], err);
    status = status == PARE_OK ? run_one(own, own->lowered, own->x, own->y[1], err) : status;
    status = status == PARE_OK && codes ? run_one(own, own->reference, x, own->y[2], err) : status;
    if (status != PARE_OK) {
        return status;
    }
    const float *exact = codes ? own->y[2] : own->y[0];
    const size_t beyond = codes ? to_grid(&own->output, own->y[1], own->n_out) : 0;
    compare(own->y[1], own->y[0], own->n_out, fields);
    fields[PARE_OWN_CLIPPED] = (double)beyond / (own->n_out > 0 ? (double)own->n_out : 1);
    fields[PARE_OWN_STEP] = mean_square(own->y[1], exact, own->n_out);
    if (!codes) {
        fields[PARE_OWN_WEIGHTS] = own->weight_only ? fields[PARE_OWN_MSE] : (double)NAN;
        return PARE_OK;
    }
    memcpy(own->y_part, own->y[0], own->n_out * sizeof *own->y_part);
    (void)to_grid(&own->output, own->y_part, own->n_out);
    fields[PARE_OWN_ACTIVATIONS] = mean_square(own->y_part, exact, own->n_out);
    status = run_one(own, own->weights, x, own->y_part, err);
    fields[PARE_OWN_WEIGHTS] = mean_square(own->y_part, exact, own->n_out);
    return status;
}
