/*
 * suffix.c: runs only what a change of levels reaches, on top of a reference run.
 *
 * A step is run when it holds the first node, a layer whose level differs, or reads what such a
 * step wrote. Every other slot that is read comes from the reference: the same form is copied; a
 * form made from float32 is made from the reference's float32 as the full run would make it. Where
 * the reference has neither (codes of another width, written from the accumulator), the step that
 * makes the slot is run too, and what it reads is needed in turn.
 */
#include "exec/plan_parts.h"

#include <string.h>

enum { FROM_NOTHING, FROM_REFERENCE };

/* Does the slot's content equal a conversion of the same tensor's float32 value? Float layers and
 * operators convert their float32 result; integer layers write codes from the accumulator. */
static bool converts_from_f32(const struct pare_plan *p, const struct plan_slot *s)
{
    if (s->producer < 0) {
        return true;
    }
    const struct plan_step *step = &p->steps[s->producer];
    switch (step->kind) {
    case PLAN_STEP_LAYER:
        return p->slots[step->in[0]].grid.form != PARE_FORM_CODES;
    case PLAN_STEP_CONVERT:
        return step->node < 0;
    case PLAN_STEP_EVAL: {
        int n_data;
        return !plan_is_mover(p->graph, step->node, &n_data);
    }
    case PLAN_STEP_ALIAS:
        break;
    }
    return false;
}

/* The reference's slot from which this one can be filled, or NULL. */
static const struct plan_slot *
source_of(const struct pare_plan *p, const struct pare_plan *reference, const struct plan_slot *s)
{
    static const struct pare_grid f32 = {PARE_FORM_F32, 0, 1.0f, 0.0f, 0};
    if (s->tensor < 0) {
        return NULL;
    }
    int slot = plan_slot_find(reference, s->tensor, &s->grid);
    if (slot < 0 && converts_from_f32(p, s)) {
        slot = plan_slot_find(reference, s->tensor, &f32);
    }
    return slot >= 0 && (reference->slots[slot].pinned || reference->slots[slot].constant)
               ? &reference->slots[slot]
               : NULL;
}

static bool changed(const struct pare_plan *p, const struct pare_plan *reference,
                    const struct plan_step *step, int first_node)
{
    if (step->node < 0) {
        return false;
    }
    if (step->node == first_node ||
        (step->is_layer &&
         !pare_level_equal(p->levels[step->node], reference->levels[step->node]))) {
        return true;
    }
    const int group = first_node >= 0 ? p->group_of[first_node] : -1;
    return group >= 0 &&
           p->groups[group].node == step->node; /* the first node is in its epilogue */
}

/* Marks the steps behind the change. */
static void mark_behind(struct pare_plan *p, const struct pare_plan *reference, int first_node,
                        unsigned char *written)
{
    for (int i = 0; i < p->n_steps; i++) {
        const struct plan_step *step = &p->steps[i];
        bool run = changed(p, reference, step, first_node);
        for (int k = 0; !run && k < step->n_in; k++) {
            run = written[step->in[k]] != 0;
        }
        p->mark[i] = run;
        for (int k = 0; run && k < step->n_out; k++) {
            written[step->out[k]] = 1;
        }
    }
}

/* From the last step to the first: what marked steps read must be written by a marked step or come
 * from the reference; where it cannot, its maker is marked. Makers come earlier, so one pass is
 * enough. */
static void mark_needed(struct pare_plan *p, const struct pare_plan *reference)
{
    memset(p->needed, 0, (size_t)p->n_slots);
    for (int i = 0; i < p->graph->n_outputs; i++) {
        const struct pare_grid carrier = plan_carrier(p, p->graph->outputs[i]);
        p->needed[plan_slot_find(p, p->graph->outputs[i], &carrier)] = 1;
    }
    for (int i = p->n_steps - 1; i >= 0; i--) {
        const struct plan_step *step = &p->steps[i];
        for (int k = 0; !p->mark[i] && k < step->n_out; k++) {
            const struct plan_slot *s = &p->slots[step->out[k]];
            p->mark[i] = p->needed[step->out[k]] && source_of(p, reference, s) == NULL;
        }
        for (int k = 0; p->mark[i] && k < step->n_in; k++) {
            p->needed[step->in[k]] = 1;
        }
    }
}

/* Fills the needed slots that an unmarked step would have written. */
static void fill(struct pare_plan *p, const struct pare_plan *reference,
                 const struct plan_step *step)
{
    for (int k = 0; k < step->n_out; k++) {
        const struct plan_slot *to = &p->slots[step->out[k]];
        const struct plan_slot *from = p->needed[step->out[k]] ? source_of(p, reference, to) : NULL;
        if (from != NULL) {
            plan_convert(p, from, to);
            memcpy(p->dims[to->tensor], reference->dims[to->tensor], sizeof p->dims[to->tensor]);
        }
    }
}

enum pare_status pare_plan_run_suffix(struct pare_plan *p, struct pare_plan *reference,
                                      int first_node, struct pare_error *err)
{
    if (p->graph != reference->graph || !reference->keep_all || !reference->has_run) {
        return pare_error(err, PARE_ERR_USAGE, NULL,
                          "a partial run needs a reference of the same network that keeps every "
                          "tensor, after its run");
    }
    memset(p->needed, 0, (size_t)p->n_slots);
    mark_behind(p, reference, first_node, p->needed);
    mark_needed(p, reference);
    for (int i = 0; i < p->graph->n_inputs; i++) {
        static const struct pare_grid f32 = {PARE_FORM_F32, 0, 1.0f, 0.0f, 0};
        const int tensor = p->graph->inputs[i], slot = plan_slot_find(p, tensor, &f32);
        if (p->needed[slot]) {
            plan_convert(p, &reference->slots[plan_slot_find(reference, tensor, &f32)], &p->slots[slot]);
        }
    }
    for (int i = 0; i < p->n_steps; i++) {
        enum pare_status status = PARE_OK;
        if (p->mark[i]) {
            status = plan_step_run(p, &p->steps[i], err);
        } else {
            fill(p, reference, &p->steps[i]);
        }
        if (status != PARE_OK) {
            return status;
        }
    }
    p->has_run = true;
    return PARE_OK;
}
