/* plan_steps.c: the list of steps, in the order of the graph. */
#include "exec/plan_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plan_step *plan_step_add(struct pare_plan *p, enum plan_step_kind kind, int node, int max_in,
                                int max_out)
{
    if (p->n_steps == p->cap_steps) {
        const int cap = p->cap_steps > 0 ? 2 * p->cap_steps : 128;
        struct plan_step *steps = realloc(p->steps, (size_t)cap * sizeof *steps);
        if (steps == NULL) {
            return NULL;
        }
        p->steps = steps;
        p->cap_steps = cap;
    }
    struct plan_step *s = &p->steps[p->n_steps];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->node = node;
    s->kernel = node >= 0 ? pare_op_name(p->graph->nodes[node].op) : "convert";
    s->level = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    s->scratch = -1;
    s->in = pare_arena_array(&p->arena, (size_t)max_in + 1, sizeof *s->in);
    s->out = pare_arena_array(&p->arena, (size_t)max_out + 1, sizeof *s->out);
    if (s->in == NULL || s->out == NULL) {
        return NULL;
    }
    p->n_steps++;
    return s;
}

void plan_step_reads(struct pare_plan *p, struct plan_step *s, int slot)
{
    s->in[s->n_in++] = slot;
    p->slots[slot].n_readers++;
}

void plan_step_writes(struct pare_plan *p, struct plan_step *s, int slot)
{
    s->out[s->n_out++] = slot;
    p->slots[slot].producer = p->n_steps - 1;
}

/* ---- conversions at the border ---- */

static enum pare_status convert_inputs(struct pare_plan *p, struct pare_error *err)
{
    static const struct pare_grid f32 = {PARE_FORM_F32, 0, 1.0f, 0.0f, 0};
    for (int i = 0; i < p->graph->n_inputs; i++) {
        const int given = plan_slot_find(p, p->graph->inputs[i], &f32);
        p->slots[given].pinned = true;
        for (int s = p->first_slot[p->graph->inputs[i]]; s >= 0; s = p->slots[s].next) {
            if (s == given) {
                continue;
            }
            struct plan_step *step = plan_step_add(p, PLAN_STEP_CONVERT, -1, 1, 1);
            if (step == NULL) {
                return pare_error_nomem(err);
            }
            step->kernel = p->slots[s].grid.form == PARE_FORM_CODES ? "quantize" : "convert";
            plan_step_reads(p, step, given);
            plan_step_writes(p, step, s);
        }
    }
    return PARE_OK;
}

/* ---- layers ---- */

static enum pare_status layer_step(struct pare_plan *p, const struct plan_group *group,
                                   int *first_out, struct pare_error *err)
{
    const struct pare_graph *g = p->graph;
    struct plan_step *step =
        plan_step_add(p, PLAN_STEP_LAYER, group->node, 1 + PLAN_MAX_CHAIN, PK_MAX_OUTS);
    struct plan_layer *layer = pare_arena_alloc(&p->arena, sizeof *layer);
    if (step == NULL || layer == NULL) {
        return pare_error_nomem(err);
    }
    step->is_layer = true;
    step->level = p->levels[group->node];
    step->layer = layer;
    struct pare_grid grid;
    enum pare_status status = plan_layer_input_grid(p, group->node, &grid, err);
    const int input =
        status == PARE_OK ? plan_operand_slot(p, g->nodes[group->node].in[0], &grid, err) : -1;
    if (input < 0) {
        return status != PARE_OK ? status : PARE_ERR_INTERNAL;
    }
    plan_step_reads(p, step, input);
    int value = g->nodes[group->node].out[0];
    for (int i = 0; i < group->n_chain; i++) {
        struct plan_chain_step s;
        layer->chain_operand[i] = -1;
        if (plan_chain_step(g, group->chain[i], value, &s) && s.operand >= 0) {
            const struct pare_grid carrier = plan_carrier(p, s.operand);
            layer->chain_operand[i] = plan_operand_slot(p, s.operand, &carrier, err);
            if (layer->chain_operand[i] < 0) {
                return PARE_ERR_INTERNAL;
            }
            plan_step_reads(p, step, layer->chain_operand[i]);
        }
        value = g->nodes[group->chain[i]].out[0];
    }
    for (; *first_out >= 0 && step->n_out < PK_MAX_OUTS; *first_out = p->slots[*first_out].next) {
        plan_step_writes(p, step, *first_out);
    }
    return plan_layer_make(p, step, err);
}

/* Reshape and the like: the output is the input's memory. */
static enum pare_status view_step(struct pare_plan *p, int node, int out, struct pare_error *err)
{
    struct plan_step *step = plan_step_add(p, PLAN_STEP_ALIAS, node, 1, 1);
    if (step == NULL) {
        return pare_error_nomem(err);
    }
    const struct pare_grid grid = p->slots[out].grid;
    const int in = plan_operand_slot(p, p->graph->nodes[node].in[0], &grid, err);
    if (in < 0) {
        return PARE_ERR_INTERNAL;
    }
    plan_step_reads(p, step, in);
    plan_step_writes(p, step, out);
    p->slots[out].parent = in;
    return PARE_OK;
}

/* CONCAT and PACK: one copy per input; plan_alias.c removes the copies that can be avoided. */
static enum pare_status concat_step(struct pare_plan *p, int node, int out, struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[node];
    struct plan_step *step = plan_step_add(p, PLAN_STEP_CONVERT, node, n->n_in, 1);
    if (step == NULL) {
        return pare_error_nomem(err);
    }
    const struct pare_grid grid = p->slots[out].grid;
    for (int k = 0; k < n->n_in; k++) {
        const int in = plan_operand_slot(p, n->in[k], &grid, err);
        if (in < 0) {
            return PARE_ERR_INTERNAL;
        }
        plan_step_reads(p, step, in);
    }
    plan_step_writes(p, step, out);
    return PARE_OK;
}

static enum pare_status node_steps(struct pare_plan *p, int node, struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[node];
    int n_data;
    if (!plan_is_mover(p->graph, node, &n_data)) {
        return plan_operator_step(p, node, err);
    }
    /* once per form; a form of output k was done already when an earlier output has it too */
    enum pare_status status = PARE_OK;
    for (int k = 0; status == PARE_OK && k < n->n_out; k++) {
        for (int s = n->out[k] >= 0 ? p->first_slot[n->out[k]] : -1; status == PARE_OK && s >= 0;
             s = p->slots[s].next) {
            const struct pare_grid grid = p->slots[s].grid;
            bool done = false;
            for (int earlier = 0; earlier < k; earlier++) {
                done = done ||
                       (n->out[earlier] >= 0 && plan_slot_find(p, n->out[earlier], &grid) >= 0);
            }
            if (done) {
                continue;
            }
            status = plan_is_view(p->graph, node) ? view_step(p, node, s, err)
                     : n->op == PARE_OP_CONCAT || (n->op == PARE_OP_PACK)
                         ? concat_step(p, node, s, err)
                         : plan_mover_step(p, node, &grid, n_data, err);
        }
    }
    return status;
}

static bool wanted(const struct pare_plan *p, const struct pare_node *n)
{
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] >= 0 && p->first_slot[n->out[k]] >= 0) {
            return true;
        }
    }
    return false;
}

enum pare_status plan_make_steps(struct pare_plan *p, struct pare_error *err)
{
    const struct pare_graph *g = p->graph;
    enum pare_status status = convert_inputs(p, err);
    for (int i = 0; status == PARE_OK && i < g->n_nodes; i++) {
        const int group = p->group_of[i];
        if (!wanted(p, &g->nodes[i]) ||
            (group >= 0 && g->tensors[p->groups[group].tail].producer != i)) {
            continue;
        }
        if (group < 0) {
            status = node_steps(p, i, err);
            continue;
        }
        int out = p->first_slot[g->nodes[i].out[0]];
        while (status == PARE_OK && out >= 0) {
            status = layer_step(p, &p->groups[group], &out, err);
        }
    }
    for (int i = 0; status == PARE_OK && i < g->n_outputs; i++) {
        const struct pare_grid grid = plan_carrier(p, g->outputs[i]);
        const int slot = plan_operand_slot(p, g->outputs[i], &grid, err);
        if (slot < 0) {
            return PARE_ERR_INTERNAL;
        }
        p->slots[slot].pinned = true;
    }
    for (int i = 0; p->keep_all && i < p->n_slots; i++) {
        p->slots[i].pinned = p->slots[i].tensor >= 0;
    }
    return status;
}

/* ---- pointers, when memory is placed ---- */

void plan_bind_steps(struct pare_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        if (p->steps[i].kind == PLAN_STEP_EVAL) {
            plan_operator_bind(p, &p->steps[i]);
        } else if (p->steps[i].kind == PLAN_STEP_LAYER) {
            plan_layer_bind(p, &p->steps[i]);
        }
    }
}
