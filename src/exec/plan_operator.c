/* plan_operator.c: steps of operators that are no layers: movers on one form, the rest in float32.
 */
#include "exec/plan_parts.h"

#include <string.h>

static int slots_of(const struct pare_plan *p, int tensor)
{
    int n = 0;
    for (int s = tensor >= 0 ? p->first_slot[tensor] : -1; s >= 0; s = p->slots[s].next) {
        n++;
    }
    return n;
}

static bool counts_rows(enum pare_op op)
{
    return op == PARE_OP_NMS || op == PARE_OP_DETECTION_POSTPROCESS;
}

static void view_of(const struct pare_graph *g, int tensor, enum pare_dtype dtype,
                    struct pare_view *v)
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

/* Input k of an operator: its slot on `grid`; as floats in scratch when `floats` and the slot holds
 * others. */
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
    plan_step_reads(p, step, slot);
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

static struct plan_step *eval_step(struct pare_plan *p, int node, int max_out,
                                   struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[node];
    struct plan_step *step = plan_step_add(p, PLAN_STEP_EVAL, node, n->n_in, max_out);
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
static enum pare_status fill_value(struct pare_plan *p, struct plan_step *step,
                                   const struct plan_slot *s, struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[step->node];
    float value = n->attr.value;
    if (n->op != PARE_OP_PAD || s->dtype == PARE_F32 || !plan_is_real(p->graph, s->tensor)) {
        return PARE_OK;
    }
    if (n->n_in > 2 && n->in[2] >= 0) {
        enum pare_status status =
            pare_tensor_elements(&p->graph->tensors[n->in[2]]) == 1
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
enum pare_status plan_mover_step(struct pare_plan *p, int node, const struct pare_grid *grid,
                                 int n_data, struct pare_error *err)
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
        const int slot =
            tensor >= 0 ? plan_slot_find(p, tensor, plan_is_real(p->graph, tensor) ? grid : &f32)
                        : -1;
        if (tensor >= 0) {
            view_of(p->graph, tensor, slot >= 0 ? p->slots[slot].dtype : plan_form_dtype(grid),
                    &step->eval->out_view[k]);
        }
        if (slot < 0) {
            continue;
        }
        plan_step_writes(p, step, slot);
        written = slot;
        step->eval->out[k].slot = slot;
        if (floats) {
            step->eval->out_view[k].dtype = PARE_F32;
            step->eval->out[k].slot = -1;
            step->eval->out[k].scratch =
                take_scratch(&scratch, (size_t)p->slots[slot].elements * 4);
        }
    }
    if (status == PARE_OK && written >= 0) {
        status = fill_value(p, step, &p->slots[written], err);
    }
    return status == PARE_OK ? finish_eval(p, step, scratch, err) : status;
}

/* An operator that computes: carriers in, float32 inside, every form of every output. */
enum pare_status plan_operator_step(struct pare_plan *p, int node, struct pare_error *err)
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
        const struct pare_grid grid =
            n->in[k] >= 0 ? plan_carrier(p, n->in[k]) : (struct pare_grid){0};
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
            plan_step_writes(p, step, s);
            if (!real || p->slots[s].dtype == PARE_F32) {
                step->eval->out[k].slot = s;
            }
        }
        if (step->eval->out[k].slot < 0 && p->first_slot[n->out[k]] >= 0) {
            step->eval->out[k].scratch = take_scratch(
                &scratch, (size_t)p->slots[p->first_slot[n->out[k]]].elements * sizeof(float));
        }
    }
    return status == PARE_OK ? finish_eval(p, step, scratch, err) : status;
}

void plan_operator_bind(struct pare_plan *p, struct plan_step *step)
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
