/* plan_forms.c: who asks for which form of which tensor. Every distinct form becomes a slot. */
#include "exec/plan_parts.h"

#include <stdlib.h>
#include <string.h>

static const struct pare_grid grid_f32 = {PARE_FORM_F32, 0, 1.0f, 0.0f, 0};
static const struct pare_grid grid_f16 = {PARE_FORM_F16, 0, 1.0f, 0.0f, 0};

bool plan_is_view(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    switch (n->op) {
    case PARE_OP_RESHAPE:
    case PARE_OP_SQUEEZE:
    case PARE_OP_UNSQUEEZE:
    case PARE_OP_FLATTEN:
    case PARE_OP_IDENTITY:
    case PARE_OP_REQUANTIZE:
        return true;
    case PARE_OP_CAST:
        return plan_is_real(g, n->in[0]) && plan_is_real(g, n->out[0]);
    default:
        return false;
    }
}

bool plan_is_mover(const struct pare_graph *g, int node, int *n_data)
{
    const struct pare_node *n = &g->nodes[node];
    *n_data = 1;
    if (plan_is_view(g, node)) {
        return true;
    }
    switch (n->op) {
    case PARE_OP_CONCAT:
    case PARE_OP_PACK:
        *n_data = n->n_in;
        return true;
    case PARE_OP_SPLIT:
    case PARE_OP_UNPACK:
    case PARE_OP_TRANSPOSE:
    case PARE_OP_SLICE:
    case PARE_OP_GATHER:
    case PARE_OP_GATHER_ELEMENTS:
    case PARE_OP_EXPAND:
    case PARE_OP_TILE:
    case PARE_OP_DEPTH_TO_SPACE:
    case PARE_OP_SPACE_TO_DEPTH:
        return true;
    case PARE_OP_PAD:
        return n->n_in < 3 || n->in[2] < 0 || g->tensors[n->in[2]].data != NULL;
    case PARE_OP_MAX_POOL:
        return n->n_out == 1 || n->out[1] < 0;
    case PARE_OP_RESIZE:
        return n->attr.resize.mode == PARE_RESIZE_NEAREST &&
               n->attr.resize.coord != PARE_COORD_TF_CROP_AND_RESIZE;
    default:
        return false;
    }
}

bool plan_file_grid(const struct pare_graph *g, int tensor, struct pare_grid *grid)
{
    const struct pare_quant *q = g->tensors[tensor].quant;
    if (q == NULL || q->n != 1 || (q->dtype != PARE_I8 && q->dtype != PARE_U8)) {
        return false;
    }
    const int zero = q->zero_point[0] + (q->dtype == PARE_I8 ? 128 : 0);
    *grid = (struct pare_grid){PARE_FORM_CODES, 8, q->scale[0], 0.0f, zero};
    return zero >= 0 && zero <= 255;
}

static const struct pare_range *range_of(const struct pare_plan *p, int tensor)
{
    const struct pare_calibration *c = p->calibration;
    if (p->shared_range[tensor] != NULL) {
        return p->shared_range[tensor];
    }
    return c != NULL && tensor < c->n_tensors && c->ranges[tensor].n > 0 ? &c->ranges[tensor]
                                                                         : NULL;
}

/* The grid of `bits` bits for a tensor: the file's, else the calibration's, else from the file's
 * range. */
static bool code_grid(const struct pare_plan *p, int tensor, int bits, struct pare_grid *grid)
{
    struct pare_grid file;
    const bool in_file = plan_file_grid(p->graph, tensor, &file);
    const struct pare_range *range = range_of(p, tensor);
    if (in_file && bits == 8) {
        *grid = file;
        return true;
    }
    if (range != NULL) {
        *grid = pare_grid_from_range(range, bits);
        return true;
    }
    if (!in_file) {
        return false;
    }
    const float lo = pare_grid_real(&file, 0), hi = pare_grid_real(&file, 255);
    *grid = pare_grid_asymmetric(lo, hi, bits);
    if (bits == 1) { /* nothing better is known than the quarters of the range */
        *grid = (struct pare_grid){PARE_FORM_CODES, 1, (hi - lo) / 2.0f, lo + (hi - lo) / 4.0f, 0};
    }
    return true;
}

/* Operators computed in float32 whose results stay fp32 unless a layer asks otherwise. */
static bool is_float_function(enum pare_op op)
{
    switch (op) {
    case PARE_OP_SIGMOID:
    case PARE_OP_TANH:
    case PARE_OP_SOFTMAX:
    case PARE_OP_DIV:
    case PARE_OP_POW:
    case PARE_OP_EXP:
    case PARE_OP_LOG:
    case PARE_OP_SQRT:
    case PARE_OP_RSQRT:
    case PARE_OP_ELU:
    case PARE_OP_CELU:
    case PARE_OP_MISH:
    case PARE_OP_SWISH:
    case PARE_OP_HARD_SIGMOID:
    case PARE_OP_DEQUANTIZE:
    case PARE_OP_NMS:
    case PARE_OP_DETECTION_POSTPROCESS:
    case PARE_OP_CONSTANT_OF_SHAPE:
    case PARE_OP_RANGE:
    case PARE_OP_CAST:
        return true;
    default:
        return false;
    }
}

bool plan_file_limits(const struct pare_graph *g, int tensor, float *lo, float *hi)
{
    struct pare_grid grid;
    int n_data;
    const int producer = g->tensors[tensor].producer;
    if (producer < 0 || !plan_file_grid(g, tensor, &grid) ||
        is_float_function(g->nodes[producer].op) || plan_is_mover(g, producer, &n_data)) {
        return false;
    }
    *lo = pare_grid_real(&grid, 0);
    *hi = pare_grid_real(&grid, 255);
    return true;
}

static enum plan_class level_class(struct pare_level level)
{
    return level.kind == PARE_LEVEL_INT    ? PLAN_CLASS_CODES
           : level.kind == PARE_LEVEL_FP16 ? PLAN_CLASS_F16
                                           : PLAN_CLASS_F32;
}

/* A layer's level decides for itself and for what runs in its epilogue; other operators follow
 * their inputs. */
static enum plan_class node_class(const struct pare_plan *p, int node)
{
    const struct pare_node *n = &p->graph->nodes[node];
    if (p->group_of[node] >= 0) {
        return level_class(p->levels[p->groups[p->group_of[node]].node]);
    }
    const bool concat = n->op == PARE_OP_CONCAT || n->op == PARE_OP_PACK;
    int widest = PLAN_CLASS_CODES, narrowest = PLAN_CLASS_F32, n_real = 0;
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] < 0 || p->graph->tensors[n->in[k]].data != NULL ||
            !plan_is_real(p->graph, n->in[k])) {
            continue;
        }
        const int c = p->float_class[n->in[k]];
        widest = c < widest ? c : widest;
        narrowest = c > narrowest ? c : narrowest;
        n_real++;
    }
    return (enum plan_class)(n_real == 0 ? PLAN_CLASS_F32 : concat ? widest : narrowest);
}

void plan_classify(struct pare_plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct pare_node *n = &p->graph->nodes[i];
        enum plan_class c = node_class(p, i);
        for (int k = 0; k < n->n_out; k++) {
            struct pare_grid file;
            if (n->out[k] < 0) {
                continue;
            }
            const bool keeps_codes =
                c == PLAN_CLASS_CODES && plan_file_grid(p->graph, n->out[k], &file);
            const bool function = is_float_function(n->op) && !plan_is_view(p->graph, i);
            p->float_class[n->out[k]] =
                (unsigned char)(function && !keeps_codes ? PLAN_CLASS_F32 : c);
        }
    }
}

/* Softmax and the like compute in float32: codes in front of them would only round. */
static bool only_functions_read(const struct pare_graph *g, int tensor)
{
    bool any = false;
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            if (g->nodes[i].in[k] == tensor) {
                if (!is_float_function(g->nodes[i].op)) {
                    return false;
                }
                any = true;
            }
        }
    }
    return any;
}

struct pare_grid plan_carrier(const struct pare_plan *p, int tensor)
{
    struct pare_grid grid = grid_f32;
    if (!plan_is_real(p->graph, tensor) || p->graph->tensors[tensor].data != NULL) {
        return grid_f32;
    }
    enum plan_class c = (enum plan_class)p->float_class[tensor];
    if (p->carrier != PARE_CARRIER_AUTO) {
        c = p->carrier == PARE_CARRIER_CODES ? PLAN_CLASS_CODES
            : p->carrier == PARE_CARRIER_F16 ? PLAN_CLASS_F16
                                             : PLAN_CLASS_F32;
    }
    struct pare_grid file;
    if (p->graph->tensors[tensor].producer < 0) {
        c = PLAN_CLASS_F32; /* a graph input is given in float32 */
    } else if (p->carrier == PARE_CARRIER_AUTO && c == PLAN_CLASS_CODES &&
               !plan_file_grid(p->graph, tensor, &file) &&
               (p->graph->tensors[tensor].is_output || only_functions_read(p->graph, tensor))) {
        /* No kernel reads these codes: rounding would only lose what the accumulator knows. */
        c = PLAN_CLASS_F32;
    }
    if (c == PLAN_CLASS_CODES && code_grid(p, tensor, 8, &grid)) {
        return grid;
    }
    return c == PLAN_CLASS_F16 ? grid_f16 : grid_f32;
}

enum pare_status plan_layer_input_grid(const struct pare_plan *p, int node, struct pare_grid *grid,
                                       struct pare_error *err)
{
    const int tensor = p->graph->nodes[node].in[0];
    switch (p->levels[node].kind) {
    case PARE_LEVEL_INT:
        if (!code_grid(p, tensor, p->levels[node].a_bits, grid)) {
            return pare_error(err, PARE_ERR_USAGE, p->graph->nodes[node].name,
                              "an integer level needs a calibrated range for the layer's input");
        }
        return PARE_OK;
    case PARE_LEVEL_FP16:
        *grid = grid_f16;
        return PARE_OK;
    default:
        *grid = grid_f32;
        return PARE_OK;
    }
}

enum pare_status plan_layer_round_grid(const struct pare_plan *p, int node, struct pare_grid *grid, struct pare_error *err)
{
    const struct pare_level level = p->levels[node];
    *grid = grid_f32;
    if (pare_level_simulated(level) && !code_grid(p, p->graph->nodes[node].in[0], level.a_bits, grid)) {
        return pare_error(err, PARE_ERR_USAGE, p->graph->nodes[node].name,
                          "a simulated level needs a calibrated range for the layer's input");
    }
    return PARE_OK;
}

/* Asks for `tensor` on `grid`; constants are left alone (they get their slot when a step reads
 * them). */
static enum pare_status ask(struct pare_plan *p, int tensor, const struct pare_grid *grid,
                            struct pare_error *err)
{
    if (tensor < 0 || p->graph->tensors[tensor].data != NULL) {
        return PARE_OK;
    }
    const struct pare_grid *g = plan_is_real(p->graph, tensor) ? grid : &grid_f32;
    if (plan_slot_find(p, tensor, g) < 0 && plan_slot_add(p, tensor, g) < 0) {
        return pare_error_nomem(err);
    }
    return PARE_OK;
}

static enum pare_status ask_carrier(struct pare_plan *p, int tensor, struct pare_error *err)
{
    if (tensor < 0) {
        return PARE_OK;
    }
    const struct pare_grid grid = plan_carrier(p, tensor);
    return ask(p, tensor, &grid, err);
}

static bool any_output_wanted(const struct pare_plan *p, const struct pare_node *n)
{
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] >= 0 && p->first_slot[n->out[k]] >= 0) {
            return true;
        }
    }
    return false;
}

static enum pare_status ask_for_group(struct pare_plan *p, const struct plan_group *group,
                                      struct pare_error *err)
{
    const struct pare_graph *g = p->graph;
    struct pare_grid grid;
    enum pare_status status = plan_layer_input_grid(p, group->node, &grid, err);
    if (status == PARE_OK) {
        status = ask(p, g->nodes[group->node].in[0], &grid, err);
    }
    int value = g->nodes[group->node].out[0];
    for (int i = 0; status == PARE_OK && i < group->n_chain; i++) {
        struct plan_chain_step s;
        if (plan_chain_step(g, group->chain[i], value, &s)) {
            status = ask_carrier(p, s.operand, err);
        }
        value = g->nodes[group->chain[i]].out[0];
    }
    return status;
}

static enum pare_status ask_for_node(struct pare_plan *p, int node, struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[node];
    enum pare_status status = PARE_OK;
    int n_data;
    const bool mover = plan_is_mover(p->graph, node, &n_data);
    for (int k = 0; status == PARE_OK && k < n->n_in; k++) {
        if (!mover || k >= n_data) {
            status = ask_carrier(p, n->in[k], err);
            continue;
        }
        for (int o = 0; o < n->n_out; o++) {
            for (int s = n->out[o] >= 0 ? p->first_slot[n->out[o]] : -1;
                 status == PARE_OK && s >= 0; s = p->slots[s].next) {
                const struct pare_grid grid = p->slots[s].grid;
                status = ask(p, n->in[k], &grid, err);
            }
        }
    }
    return status;
}

enum pare_status plan_make_slots(struct pare_plan *p, struct pare_error *err)
{
    const struct pare_graph *g = p->graph;
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < g->n_outputs; i++) {
        status = ask_carrier(p, g->outputs[i], err);
    }
    for (int i = g->n_nodes - 1; status == PARE_OK && i >= 0; i--) {
        const struct pare_node *n = &g->nodes[i];
        const int group = p->group_of[i];
        if (group >= 0 && g->tensors[p->groups[group].tail].producer != i) {
            continue; /* inside an epilogue */
        }
        for (int k = 0; p->keep_all && status == PARE_OK && k < n->n_out; k++) {
            if (n->out[k] >= 0 && p->first_slot[n->out[k]] < 0) {
                status = ask_carrier(p, n->out[k], err);
            }
        }
        if (status != PARE_OK || !any_output_wanted(p, n)) {
            continue;
        }
        status = group >= 0 ? ask_for_group(p, &p->groups[group], err) : ask_for_node(p, i, err);
    }
    for (int i = 0; status == PARE_OK && i < g->n_inputs; i++) {
        status = ask(p, g->inputs[i], &grid_f32, err);
    }
    return status;
}
