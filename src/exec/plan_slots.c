/* plan_slots.c: stored versions of tensors, and constants in the forms that steps read. */
#include "exec/plan_parts.h"

#include <stdlib.h>
#include <string.h>

bool plan_is_real(const struct pare_graph *g, int tensor)
{
    const struct pare_tensor *t = &g->tensors[tensor];
    if (t->dtype == PARE_F32 || t->dtype == PARE_F16 || t->dtype == PARE_BF16 ||
        t->dtype == PARE_F64) {
        return true;
    }
    return t->quant != NULL && t->data != NULL; /* a constant of codes: real numbers */
}

enum pare_dtype plan_form_dtype(const struct pare_grid *grid)
{
    return grid->form == PARE_FORM_CODES ? PARE_U8
           : grid->form == PARE_FORM_F16 ? PARE_F16
                                         : PARE_F32;
}

int plan_slot_find(const struct pare_plan *p, int tensor, const struct pare_grid *grid)
{
    for (int s = p->first_slot[tensor]; s >= 0; s = p->slots[s].next) {
        if (pare_grid_equal(&p->slots[s].grid, grid)) {
            return s;
        }
    }
    return -1;
}

static struct plan_slot *grow_slots(struct pare_plan *p)
{
    if (p->n_slots == p->cap_slots) {
        const int cap = p->cap_slots > 0 ? 2 * p->cap_slots : 128;
        struct plan_slot *slots = realloc(p->slots, (size_t)cap * sizeof *slots);
        if (slots == NULL) {
            return NULL;
        }
        p->slots = slots;
        p->cap_slots = cap;
    }
    struct plan_slot *s = &p->slots[p->n_slots++];
    memset(s, 0, sizeof *s);
    s->tensor = s->parent = s->next = s->producer = -1;
    return s;
}

int plan_slot_add(struct pare_plan *p, int tensor, const struct pare_grid *grid)
{
    const struct pare_tensor *t = &p->graph->tensors[tensor];
    struct plan_slot *s = grow_slots(p);
    if (s == NULL) {
        return -1;
    }
    s->tensor = tensor;
    s->grid = *grid;
    s->dtype = plan_is_real(p->graph, tensor) ? plan_form_dtype(grid) : t->dtype;
    s->elements = pare_tensor_elements(t);
    s->row = t->rank > 0 ? t->dims[t->rank - 1] : 1;
    s->pitch = s->row;
    s->bytes = pare_dtype_bytes(s->dtype, s->elements);
    s->next = p->first_slot[tensor];
    p->first_slot[tensor] = p->n_slots - 1;
    return p->n_slots - 1;
}

int plan_scratch_add(struct pare_plan *p, size_t bytes)
{
    struct plan_slot *s = grow_slots(p);
    if (s == NULL) {
        return -1;
    }
    s->dtype = PARE_U8;
    s->elements = s->row = s->pitch = (int64_t)bytes;
    s->bytes = bytes;
    return p->n_slots - 1;
}

/* Values of a constant tensor in a form; the tensor's own memory where that is the form. */
static enum pare_status fill_constant(struct pare_plan *p, int slot, struct pare_error *err)
{
    struct plan_slot *s = &p->slots[slot];
    const struct pare_tensor *t = &p->graph->tensors[s->tensor];
    s->constant = true;
    if (t->quant == NULL && t->dtype == s->dtype) {
        union {
            const void *in;
            unsigned char *out;
        } bytes = {.in = t->data}; /* never written */
        s->data = bytes.out;
        return PARE_OK;
    }
    float *values = malloc(((size_t)s->elements + 1) * sizeof *values);
    s->data = pare_arena_alloc(&p->arena, s->bytes + 1);
    if (values == NULL || s->data == NULL) {
        free(values);
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_tensor_const_f32(t, values, err);
    if (status == PARE_OK) {
        plan_store_f32(p->isa, s, values, (size_t)s->elements, s->data);
    }
    free(values);
    return status;
}

int plan_operand_slot(struct pare_plan *p, int tensor, const struct pare_grid *grid,
                      struct pare_error *err)
{
    static const struct pare_grid f32 = {PARE_FORM_F32, 0, 1.0f, 0.0f, 0};
    const struct pare_grid *g = plan_is_real(p->graph, tensor) ? grid : &f32;
    int slot = plan_slot_find(p, tensor, g);
    if (slot >= 0) {
        return slot;
    }
    slot = plan_slot_add(p, tensor, g);
    if (slot < 0) {
        pare_error_nomem(err);
        return -1;
    }
    if (p->graph->tensors[tensor].data != NULL && fill_constant(p, slot, err) != PARE_OK) {
        return -1;
    }
    return slot;
}
