/* plan_successors.c: the elementwise nodes of a group as steps of the kernels' epilogue. */
#include "exec/plan_parts.h"

#include <math.h>
#include <string.h>

/* vec of a step: the constant's values, one per channel. */
static enum pare_status step_vec(struct pare_plan *p, const struct plan_chain_step *s, int channels,
                                 const float **vec, struct pare_error *err)
{
    const struct pare_tensor *t = &p->graph->tensors[s->constant];
    float *v = pare_arena_array(&p->arena, (size_t)channels, sizeof *v);
    if (v == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_tensor_const_f32(t, v, err);
    if (pare_tensor_elements(t) == 1) {
        for (int c = 1; c < channels; c++) {
            v[c] = v[0];
        }
    }
    for (int c = 0; s->negate && c < channels; c++) {
        v[c] = -v[c];
    }
    *vec = v;
    return status;
}

/* Merges clamp [a, b] after [lo, hi]. */
static void merge_clamp(float a, float b, float *lo, float *hi)
{
    const float l = *lo > a ? *lo : a, h = *hi > a ? *hi : a;
    *lo = l < b ? l : b;
    *hi = h < b ? h : b;
}

static void add_clamp(struct plan_successors *s, float lo, float hi)
{
    s->steps[s->n_steps++] = (struct pk_step){.op = PK_STEP_CLAMP, .a = lo, .b = hi};
    merge_clamp(lo, hi, &s->lo, &s->hi);
}

/* Clamps to the range of the file's grid, where the tensor has one. */
static void add_limits(const struct pare_graph *g, int tensor, struct plan_successors *s)
{
    float lo, hi;
    if (plan_file_limits(g, tensor, &lo, &hi)) {
        add_clamp(s, lo, hi);
    }
}

/* One fused node. */
static enum pare_status add_successor(struct pare_plan *p, const struct plan_chain_step *chain,
                                      int operand, int channels, struct plan_layer *layer,
                                      struct plan_successors *s, struct pare_error *err)
{
    if (chain->step.op == PK_STEP_CLAMP) {
        add_clamp(s, chain->step.a, chain->step.b);
        return PARE_OK;
    }
    s->only_clamps = false;
    layer->operand[s->n_steps] = operand;
    struct pk_step *to = &s->steps[s->n_steps++];
    *to = chain->step;
    if (operand >= 0) {
        const struct plan_slot *from = &p->slots[operand];
        to->type = from->dtype == PARE_U8 ? PK_U8 : from->dtype == PARE_F16 ? PK_F16 : PK_F32;
        to->scale = from->grid.scale;
        to->offset = from->grid.offset;
        to->zero = from->grid.zero;
    }
    return chain->constant >= 0 ? step_vec(p, chain, channels, &to->vec, err) : PARE_OK;
}

enum pare_status plan_make_successors(struct pare_plan *p, struct plan_step *step,
                                      const struct plan_group *group, struct plan_successors *s,
                                      struct pare_error *err)
{
    const struct pare_graph *g = p->graph;
    struct plan_layer *layer = step->layer;
    const int channels = (int)pare_node_out_channels(g, group->node);
    int value = g->nodes[group->node].out[0];
    s->steps = pare_arena_array(&p->arena, PLAN_MAX_STEPS, sizeof *s->steps);
    if (s->steps == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < PLAN_MAX_STEPS; i++) {
        layer->operand[i] = -1;
    }
    s->only_clamps = true;
    s->lo = -INFINITY;
    s->hi = INFINITY;
    add_limits(g, value, s);
    for (int i = 0; i < group->n_chain; i++) {
        struct plan_chain_step chain;
        if (!plan_chain_step(g, group->chain[i], value, &chain)) {
            return pare_error(err, PARE_ERR_INTERNAL, g->nodes[group->chain[i]].name,
                              "cannot be fused");
        }
        enum pare_status status =
            add_successor(p, &chain, layer->chain_operand[i], channels, layer, s, err);
        if (status != PARE_OK) {
            return status;
        }
        value = g->nodes[group->chain[i]].out[0];
        add_limits(g, value, s);
    }
    layer->n_steps = s->n_steps;
    return PARE_OK;
}
