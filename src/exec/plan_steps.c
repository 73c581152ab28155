/* plan_steps.c: the list of steps, in the order of the graph. */
#include "exec/plan_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct plan_step *add_step(struct pare_plan *p, enum plan_step_kind kind, int node, int max_in,
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

static void reads(struct pare_plan *p, struct plan_step *s, int slot)
{
    s->in[s->n_in++] = slot;
    p->slots[slot].n_readers++;
}

static void writes(struct pare_plan *p, struct plan_step *s, int slot)
{
    s->out[s->n_out++] = slot;
    p->slots[slot].producer = p->n_steps - 1;
}

static int slots_of(const struct pare_plan *p, int tensor)
{
    int n = 0;
    for (int s = tensor >= 0 ? p->first_slot[tensor] : -1; s >= 0; s = p->slots[s].next) {
        n++;
    }
    return n;
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
            struct plan_step *step = add_step(p, PLAN_STEP_CONVERT, -1, 1, 1);
            if (step == NULL) {
                return pare_error_nomem(err);
            }
            step->kernel = p->slots[s].grid.form == PARE_FORM_CODES ? "quantize" : "convert";
            reads(p, step, given);
            writes(p, step, s);
        }
    }
    return PARE_OK;
}

/* ---- layers ---- */

static enum pare_status layer_step(struct pare_plan *p, const struct plan_group *group, int *first_out,
                                   struct pare_error *err)
{
    const struct pare_graph *g = p->graph;
    struct plan_step *step = add_step(p, PLAN_STEP_LAYER, group->node, 1 + PLAN_MAX_CHAIN, PK_MAX_OUTS);
    struct plan_layer *layer = pare_arena_alloc(&p->arena, sizeof *layer);
    if (step == NULL || layer == NULL) {
        return pare_error_nomem(err);
    }
    step->is_layer = true;
    step->level = p->levels[group->node];
    step->layer = layer;
    struct pare_grid grid;
    enum pare_status status = plan_layer_input_grid(p, group->node, &grid, err);
    const int input = status == PARE_OK ? plan_operand_slot(p, g->nodes[group->node].in[0], &grid, err) : -1;
    if (input < 0) {
        return status != PARE_OK ? status : PARE_ERR_INTERNAL;
    }
    reads(p, step, input);
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
            reads(p, step, layer->chain_operand[i]);
        }
        value = g->nodes[group->chain[i]].out[0];
    }
    for (; *first_out >= 0 && step->n_out < PK_MAX_OUTS; *first_out = p->slots[*first_out].next) {
        writes(p, step, *first_out);
    }
    return plan_layer_make(p, step, err);
}

/* ---- operators ---- */

static bool counts_rows(enum pare_op op)
{
    return op == PARE_OP_NMS || op == PARE_OP_DETECTION_POSTPROCESS;
}

static void view_of(const struct pare_graph *g, int tensor, enum pare_dtype dtype, struct pare_view *v)
{
    const struct pare_tensor *t = &g->tensors[tensor];
    memset(v, 0, sizeof *v);
    /* fp16 numbers are only moved here: their bits are enough */
    v->dtype = dtype == PARE_F16 ? PARE_U16 : dtype;
    v->rank = t->rank;
    memcpy(v->dims, t->dims, sizeof v->dims);
}

/* Takes `bytes` of the step's scratch, 64-byte aligned. */
static int64_t take_scratch(size_t *used, size_t bytes)
{
    const size_t at = *used;
    *used = (at + bytes + 63) & ~(size_t)63;
    return (int64_t)at;
}

static struct plan_eval *new_eval(struct pare_plan *p, const struct pare_node *n)
{
    struct plan_eval *e = pare_arena_alloc(&p->arena, sizeof *e);
    if (e == NULL) {
        return NULL;
    }
    e->in = pare_arena_array(&p->arena, (size_t)n->n_in + 1, sizeof *e->in);
    e->out = pare_arena_array(&p->arena, (size_t)n->n_out + 1, sizeof *e->out);
    e->in_view = pare_arena_array(&p->arena, (size_t)n->n_in + 1, sizeof *e->in_view);
    e->out_view = pare_arena_array(&p->arena, (size_t)n->n_out + 1, sizeof *e->out_view);
    e->counts_rows = counts_rows(n->op);
    for (int k = 0; e->in != NULL && k < n->n_in; k++) {
        e->in[k].slot = -1;
        e->in[k].scratch = -1;
    }
    for (int k = 0; e->out != NULL && k < n->n_out; k++) {
        e->out[k].slot = -1;
        e->out[k].scratch = -1;
    }
    return e->in != NULL && e->out != NULL && e->in_view != NULL && e->out_view != NULL ? e : NULL;
}

/* Input k of an operator: its slot on `grid`; as floats in scratch when `floats` and the slot holds others. */
static enum pare_status bind_input(struct pare_plan *p, struct plan_step *step, int k,
                                   const struct pare_grid *grid, bool floats, size_t *scratch,
                                   struct pare_error *err)
{
    const int tensor = p->graph->nodes[step->node].in[k];
    if (tensor < 0) {
        return PARE_OK;
    }
    const int slot = plan_operand_slot(p, tensor, grid, err);
    if (slot < 0) {
        return PARE_ERR_INTERNAL;
    }
    struct plan_eval *e = step->eval;
    reads(p, step, slot);
    e->in[k].slot = slot;
    const struct plan_slot *s = &p->slots[slot];
    view_of(p->graph, tensor, s->dtype, &e->in_view[k]);
    if (floats && plan_is_real(p->graph, tensor) && s->dtype != PARE_F32) {
        e->in[k].scratch = take_scratch(scratch, (size_t)s->elements * sizeof(float));
        e->in_view[k].dtype = PARE_F32;
    }
    return PARE_OK;
}

static enum pare_status finish_eval(struct pare_plan *p, struct plan_step *step, size_t scratch,
                                    struct pare_error *err)
{
    const size_t own = pare_op_scratch_bytes(p->graph, step->node);
    step->eval->op_scratch = take_scratch(&scratch, own);
    if (scratch > 0) {
        step->scratch = plan_scratch_add(p, scratch);
        if (step->scratch < 0) {
            return pare_error_nomem(err);
        }
    }
    return PARE_OK;
}

static struct plan_step *eval_step(struct pare_plan *p, int node, int max_out, struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[node];
    struct plan_step *step = add_step(p, PLAN_STEP_EVAL, node, n->n_in, max_out);
    if (step != NULL) {
        step->eval = new_eval(p, n);
    }
    if (step == NULL || step->eval == NULL) {
        pare_error_nomem(err);
        return NULL;
    }
    return step;
}

/* What PAD writes around codes or fp16 numbers: the element's bits. */
static enum pare_status fill_value(struct pare_plan *p, struct plan_step *step, const struct plan_slot *s,
                                   struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[step->node];
    float value = n->attr.value;
    if (n->op != PARE_OP_PAD || s->dtype == PARE_F32 || !plan_is_real(p->graph, s->tensor)) {
        return PARE_OK;
    }
    if (n->n_in > 2 && n->in[2] >= 0) {
        enum pare_status status = pare_tensor_elements(&p->graph->tensors[n->in[2]]) == 1
                                      ? pare_tensor_const_f32(&p->graph->tensors[n->in[2]], &value, err)
                                      : PARE_OK;
        if (status != PARE_OK) {
            return status;
        }
        step->eval->in[2].slot = -1; /* a float: not of this form */
        memset(&step->eval->in_view[2], 0, sizeof step->eval->in_view[2]);
    }
    uint64_t bits = 0;
    plan_store_f32(p->isa, s, &value, 1, &bits); /* little-endian: the element's bytes come first */
    step->eval->in_view[0].fill_bits = step->eval->out_view[0].fill_bits = bits;
    return PARE_OK;
}

/* A moving operator on one form: every output slot on this grid, from inputs on it. */
static enum pare_status mover_step(struct pare_plan *p, int node, const struct pare_grid *grid, int n_data,
                                   struct pare_error *err)
{
    static const struct pare_grid f32 = {PARE_FORM_F32, 0, 1.0f, 0.0f, 0};
    const struct pare_node *n = &p->graph->nodes[node];
    struct plan_step *step = eval_step(p, node, n->n_out, err);
    if (step == NULL) {
        return PARE_ERR_NOMEM;
    }
    size_t scratch = 0;
    /* the only mover that compares: fp16 goes through floats, which is exact */
    const bool floats = grid->form == PARE_FORM_F16 && n->op == PARE_OP_MAX_POOL;
    enum pare_status status = PARE_OK;
    for (int k = 0; status == PARE_OK && k < n->n_in; k++) {
        status = bind_input(p, step, k, k < n_data ? grid : &f32, floats, &scratch, err);
    }
    int written = -1;
    for (int k = 0; status == PARE_OK && k < n->n_out; k++) {
        const int tensor = n->out[k];
        const int slot = tensor >= 0 ? plan_slot_find(p, tensor, plan_is_real(p->graph, tensor) ? grid : &f32)
                                     : -1;
        if (tensor >= 0) {
            view_of(p->graph, tensor, slot >= 0 ? p->slots[slot].dtype : plan_form_dtype(grid),
                    &step->eval->out_view[k]);
        }
        if (slot < 0) {
            continue;
        }
        writes(p, step, slot);
        written = slot;
        step->eval->out[k].slot = slot;
        if (floats) {
            step->eval->out_view[k].dtype = PARE_F32;
            step->eval->out[k].slot = -1;
            step->eval->out[k].scratch = take_scratch(&scratch, (size_t)p->slots[slot].elements * 4);
        }
    }
    if (status == PARE_OK && written >= 0) {
        status = fill_value(p, step, &p->slots[written], err);
    }
    return status == PARE_OK ? finish_eval(p, step, scratch, err) : status;
}

/* An operator that computes: carriers in, float32 inside, every form of every output. */
static enum pare_status operator_step(struct pare_plan *p, int node, struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[node];
    int n_slots = 0;
    for (int k = 0; k < n->n_out; k++) {
        n_slots += slots_of(p, n->out[k]);
    }
    struct plan_step *step = eval_step(p, node, n_slots, err);
    if (step == NULL) {
        return PARE_ERR_NOMEM;
    }
    size_t scratch = 0;
    enum pare_status status = PARE_OK;
    for (int k = 0; status == PARE_OK && k < n->n_in; k++) {
        const struct pare_grid grid = n->in[k] >= 0 ? plan_carrier(p, n->in[k]) : (struct pare_grid){0};
        status = bind_input(p, step, k, &grid, true, &scratch, err);
    }
    for (int k = 0; status == PARE_OK && k < n->n_out; k++) {
        if (n->out[k] < 0) {
            continue;
        }
        const bool real = plan_is_real(p->graph, n->out[k]);
        struct plan_operand *out = &step->eval->out[k];
        out->limited = real && plan_file_limits(p->graph, n->out[k], &out->lo, &out->hi);
        view_of(p->graph, n->out[k], real ? PARE_F32 : p->graph->tensors[n->out[k]].dtype,
                &step->eval->out_view[k]);
        for (int s = p->first_slot[n->out[k]]; s >= 0; s = p->slots[s].next) {
            writes(p, step, s);
            if (!real || p->slots[s].dtype == PARE_F32) {
                step->eval->out[k].slot = s;
            }
        }
        if (step->eval->out[k].slot < 0 && p->first_slot[n->out[k]] >= 0) {
            step->eval->out[k].scratch =
                take_scratch(&scratch, (size_t)p->slots[p->first_slot[n->out[k]]].elements * sizeof(float));
        }
    }
    return status == PARE_OK ? finish_eval(p, step, scratch, err) : status;
}

/* Reshape and the like: the output is the input's memory. */
static enum pare_status view_step(struct pare_plan *p, int node, int out, struct pare_error *err)
{
    struct plan_step *step = add_step(p, PLAN_STEP_ALIAS, node, 1, 1);
    if (step == NULL) {
        return pare_error_nomem(err);
    }
    const struct pare_grid grid = p->slots[out].grid;
    const int in = plan_operand_slot(p, p->graph->nodes[node].in[0], &grid, err);
    if (in < 0) {
        return PARE_ERR_INTERNAL;
    }
    reads(p, step, in);
    writes(p, step, out);
    p->slots[out].parent = in;
    return PARE_OK;
}

/* CONCAT and PACK: one copy per input; plan_alias.c removes the copies that can be avoided. */
static enum pare_status concat_step(struct pare_plan *p, int node, int out, struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[node];
    struct plan_step *step = add_step(p, PLAN_STEP_CONVERT, node, n->n_in, 1);
    if (step == NULL) {
        return pare_error_nomem(err);
    }
    const struct pare_grid grid = p->slots[out].grid;
    for (int k = 0; k < n->n_in; k++) {
        const int in = plan_operand_slot(p, n->in[k], &grid, err);
        if (in < 0) {
            return PARE_ERR_INTERNAL;
        }
        reads(p, step, in);
    }
    writes(p, step, out);
    return PARE_OK;
}

static enum pare_status node_steps(struct pare_plan *p, int node, struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[node];
    int n_data;
    if (!plan_is_mover(p->graph, node, &n_data)) {
        return operator_step(p, node, err);
    }
    /* once per form; a form of output k was done already when an earlier output has it too */
    enum pare_status status = PARE_OK;
    for (int k = 0; status == PARE_OK && k < n->n_out; k++) {
        for (int s = n->out[k] >= 0 ? p->first_slot[n->out[k]] : -1; status == PARE_OK && s >= 0;
             s = p->slots[s].next) {
            const struct pare_grid grid = p->slots[s].grid;
            bool done = false;
            for (int earlier = 0; earlier < k; earlier++) {
                done = done || (n->out[earlier] >= 0 && plan_slot_find(p, n->out[earlier], &grid) >= 0);
            }
            if (done) {
                continue;
            }
            status = plan_is_view(p->graph, node)                                   ? view_step(p, node, s, err)
                     : n->op == PARE_OP_CONCAT || (n->op == PARE_OP_PACK) ? concat_step(p, node, s, err)
                                                                                    : mover_step(p, node, &grid, n_data, err);
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
        if (!wanted(p, &g->nodes[i]) || (group >= 0 && g->tensors[p->groups[group].tail].producer != i)) {
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

static void bind_eval(struct pare_plan *p, struct plan_step *step)
{
    const struct pare_node *n = &p->graph->nodes[step->node];
    struct plan_eval *e = step->eval;
    unsigned char *scratch = step->scratch >= 0 ? p->slots[step->scratch].data : NULL;
    for (int k = 0; k < n->n_in; k++) {
        e->in_view[k].data = e->in[k].scratch >= 0 ? scratch + e->in[k].scratch
                             : e->in[k].slot >= 0  ? p->slots[e->in[k].slot].data
                                                   : NULL;
    }
    for (int k = 0; k < n->n_out; k++) {
        e->out_view[k].data = e->out[k].scratch >= 0 ? scratch + e->out[k].scratch
                              : e->out[k].slot >= 0  ? p->slots[e->out[k].slot].data
                                                     : NULL;
    }
}

void plan_bind_steps(struct pare_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        if (p->steps[i].kind == PLAN_STEP_EVAL) {
            bind_eval(p, &p->steps[i]);
        } else if (p->steps[i].kind == PLAN_STEP_LAYER) {
            plan_layer_bind(p, &p->steps[i]);
        }
    }
}
