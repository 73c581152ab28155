/* sense_own.c: own and accumulated errors of the layers on one sample. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/sense_parts.h"

void sense_give_up(struct pare_sense_cell *cell, const struct pare_error *err)
{
    cell->failed = true;
    if (cell->problem == NULL) {
        cell->problem = strdup(err->message);
    }
}

enum pare_status sense_own_new(struct sense_context *c, struct pare_sense *s, struct pare_error *err)
{
    c->own = calloc((size_t)s->n_layers + 1, sizeof *c->own);
    if (c->own == NULL) {
        return pare_error_nomem(err);
    }
    for (int l = 0; l < s->n_layers; l++) {
        const struct pare_layer_ref *ref = pare_engine_layer(c->e, l);
        const struct pare_calibration *calibration = pare_engine_calibration(c->e, ref->stage);
        struct pare_sense_cell *cell = &s->cells[l];
        if (!cell->wanted || cell->failed) {
            continue;
        }
        if (calibration == NULL) {
            return pare_error(err, PARE_ERR_INTERNAL, ref->name, "not calibrated");
        }
        enum pare_status status =
            pare_own_new(pare_engine_graph(c->e, ref->stage), ref->node, calibration, c->level, pare_engine_isa(c->e),
                         pare_engine_maker(c->e, ref->stage), &c->own[l], err);
        if (status == PARE_ERR_FORMAT || status == PARE_ERR_USAGE) {
            sense_give_up(cell, err);
            continue;
        }
        if (status != PARE_OK) {
            return status;
        }
        cell->sigma = pare_own_sigma(c->own[l]);
        cell->tensor = pare_layer_output(pare_engine_graph(c->e, ref->stage), ref->node);
        pare_own_grid(c->own[l], &cell->scale, &cell->zero);
    }
    return PARE_OK;
}

void sense_own_free(struct sense_context *c, int n_layers)
{
    for (int l = 0; c->own != NULL && l < n_layers; l++) {
        pare_own_free(c->own[l]);
    }
    free(c->own);
    c->own = NULL;
}

/* What reads a tensor and nothing else does: where its value goes inside an epilogue. -1 = the end. */
static int only_reader(const struct pare_graph *g, int tensor)
{
    if (g->tensors[tensor].is_output || pare_graph_consumers(g, tensor) != 1) {
        return -1;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            if (g->nodes[i].in[k] == tensor) {
                return g->nodes[i].n_out == 1 && !pare_node_is_layer(g, i) ? g->nodes[i].out[0] : -1;
            }
        }
    }
    return -1;
}

/* Mean squared difference of the layer's output between both plans; where an epilogue does not store it, of the tensor that
 * the epilogue writes. NaN when that is not known. */
static enum pare_status accumulated(const struct pare_graph *g, int tensor, struct pare_plan *kept, struct pare_plan *uniform,
                                    struct pare_arena *arena, double *value, struct pare_error *err)
{
    *value = NAN;
    for (int steps = 0; tensor >= 0 && steps < 8; steps++, tensor = only_reader(g, tensor)) {
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[tensor]);
        float *a = pare_arena_array(arena, n + 1, sizeof *a), *b = pare_arena_array(arena, n + 1, sizeof *b);
        struct pk_distance d;
        if (a == NULL || b == NULL) {
            return pare_error_nomem(err);
        }
        if (pare_plan_read_tensor(kept, tensor, a, n, NULL) != PARE_OK ||
            pare_plan_read_tensor(uniform, tensor, b, n, NULL) != PARE_OK) {
            continue;
        }
        pk_distance_f32(pk_isa_best(), a, b, n, &d);
        *value = n > 0 ? d.squares / (double)n : (double)NAN;
        return PARE_OK;
    }
    return PARE_OK;
}

/* The stage with every layer at the level on the input that its kept plan has run on; NULL with PARE_OK where it cannot. */
static enum pare_status run_uniform(struct sense_context *c, int stage, struct pare_plan *kept, struct pare_arena *arena,
                                    struct pare_plan **uniform, struct pare_error *err)
{
    const struct pare_graph *g = pare_engine_graph(c->e, stage);
    enum pare_status status = pare_engine_plan(c->e, stage, c->uniform, true, uniform, err);
    if (status == PARE_ERR_FORMAT || status == PARE_ERR_USAGE) {
        *uniform = NULL;
        return PARE_OK;
    }
    for (int i = 0; i < g->n_inputs && status == PARE_OK; i++) {
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->inputs[i]]);
        float *x = pare_arena_array(arena, n + 1, sizeof *x);
        if (x == NULL) {
            return pare_error_nomem(err);
        }
        if (pare_plan_read_tensor(kept, g->inputs[i], x, n, NULL) != PARE_OK) {
            *uniform = NULL; /* an input that the kept plan does not hold: accumulated errors of this stage stay unknown */
            return PARE_OK;
        }
        status = status == PARE_OK ? pare_plan_set_input(*uniform, i, x, n, err) : status;
    }
    return status == PARE_OK ? pare_plan_run(*uniform, err) : status;
}

static enum pare_status add_layer(struct sense_context *c, struct pare_sense_cell *cell, int layer, struct pare_plan *kept,
                                  struct pare_plan *uniform, struct pare_arena *arena, struct pare_error *err)
{
    const struct pare_layer_ref *ref = pare_engine_layer(c->e, layer);
    const struct pare_graph *g = pare_engine_graph(c->e, ref->stage);
    const int tensor = g->nodes[ref->node].in[0];
    const size_t n = (size_t)pare_tensor_elements(&g->tensors[tensor]);
    double fields[PARE_OWN_FIELDS];
    float *x = pare_arena_array(arena, n + 1, sizeof *x);
    if (x == NULL) {
        return pare_error_nomem(err);
    }
    int from = tensor; /* a reshape is only another name for what it reads: a plan of codes keeps one of them */
    while (pare_plan_read_tensor(kept, from, x, n, NULL) != PARE_OK) {
        const int maker = g->tensors[from].producer;
        if (maker < 0 || g->nodes[maker].op != PARE_OP_RESHAPE) {
            return PARE_OK; /* not kept: no own error from this sample */
        }
        from = g->nodes[maker].in[0];
    }
    enum pare_status status = pare_own_run(c->own[layer], x, n, fields, err);
    if (status != PARE_OK || !isfinite(fields[PARE_OWN_MSE])) {
        return status; /* a sample that gives no number counts nowhere, as in TFLite's table */
    }
    if (uniform != NULL) {
        status = accumulated(g, cell->tensor, kept, uniform, arena, &fields[PARE_OWN_ACCUMULATED], err);
    }
    if (status != PARE_OK) {
        return status;
    }
    for (int k = 0; k < PARE_OWN_FIELDS; k++) {
        cell->own[k] += fields[k];
    }
    cell->most = fields[PARE_OWN_MAX] > cell->most ? fields[PARE_OWN_MAX] : cell->most;
    cell->n++;
    return PARE_OK;
}

enum pare_status sense_own_add(struct sense_context *c, struct pare_sense *s, struct pare_arena *arena, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int stage = 0; stage < pare_engine_pipeline(c->e)->n_stages && status == PARE_OK; stage++) {
        int first, count;
        struct pare_plan *kept, *uniform = NULL;
        if (!c->has_kept[stage]) {
            continue; /* the stage was not called for this sample */
        }
        pare_engine_stage_layers(c->e, stage, &first, &count);
        status = pare_engine_plan(c->e, stage, c->base, true, &kept, err);
        status = status == PARE_OK ? run_uniform(c, stage, kept, arena, &uniform, err) : status;
        for (int l = first; l < first + count && status == PARE_OK; l++) {
            if (c->own[l] != NULL && !s->cells[l].failed) {
                status = add_layer(c, &s->cells[l], l, kept, uniform, arena, err);
            }
        }
    }
    return status;
}

void sense_own_finish(struct pare_sense *s)
{
    for (int l = 0; l < s->n_layers; l++) {
        for (int k = 0; k < PARE_OWN_FIELDS && s->cells[l].n > 0; k++) {
            s->cells[l].own[k] /= s->cells[l].n;
        }
    }
}
