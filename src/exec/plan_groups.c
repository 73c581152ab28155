/* plan_groups.c: which elementwise nodes run in the epilogue of which layer. */
#include "exec/plan_parts.h"

#include <math.h>
#include <string.h>

bool plan_is_kernel_layer(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    if (!pare_node_is_layer(g, node) ||
        (n->n_in > 2 && n->in[2] >= 0 && g->tensors[n->in[2]].data == NULL)) {
        return false;
    }
    return n->op == PARE_OP_FULLY_CONNECTED || n->attr.window.n_spatial <= 2;
}

static bool same_dims(const struct pare_tensor *a, const struct pare_tensor *b)
{
    return a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)(a->rank > 0 ? a->rank : 0) * sizeof a->dims[0]) == 0;
}

/* Is constant t one value per last-axis channel of `value`, or a single value, when broadcast to
 * it? */
static bool per_channel(const struct pare_tensor *t, const struct pare_tensor *value)
{
    const int64_t n = pare_tensor_elements(t);
    const int64_t channels = value->rank > 0 ? value->dims[value->rank - 1] : 1;
    if (t->rank > value->rank) {
        return false;
    }
    return n == 1 || (n == channels && t->rank > 0 && t->dims[t->rank - 1] == channels);
}

/* The single value of a constant float tensor. */
static bool scalar_of(const struct pare_graph *g, int tensor, float *value)
{
    const struct pare_tensor *t = &g->tensors[tensor];
    return t->data != NULL && pare_tensor_elements(t) == 1 && plan_is_real(g, tensor) &&
           pare_tensor_const_f32(t, value, NULL) == PARE_OK;
}

static bool clamp_step(struct plan_chain_step *s, float lo, float hi)
{
    s->step.op = PK_STEP_CLAMP;
    s->step.a = lo;
    s->step.b = hi;
    return true;
}

/* CLIP with bounds in attributes or in constant inputs. */
static bool clip_step(const struct pare_graph *g, const struct pare_node *n,
                      struct plan_chain_step *s)
{
    float lo = n->attr.lo, hi = n->attr.hi;
    if (n->n_in > 1 && n->in[1] >= 0 && !scalar_of(g, n->in[1], &lo)) {
        return false;
    }
    if (n->n_in > 2 && n->in[2] >= 0 && !scalar_of(g, n->in[2], &hi)) {
        return false;
    }
    return lo <= hi && clamp_step(s, lo, hi);
}

static bool vec_step(const struct pare_graph *g, int constant, int value, enum pk_step_op op,
                     bool negate, struct plan_chain_step *s)
{
    const struct pare_tensor *t = &g->tensors[constant];
    if (t->data == NULL || !plan_is_real(g, constant) || !per_channel(t, &g->tensors[value])) {
        return false;
    }
    s->step.op = op;
    s->constant = constant;
    s->negate = negate;
    return true;
}

/* ADD, SUB, MUL of the running value and another tensor; MIN and MAX with a number. */
static bool binary_step(const struct pare_graph *g, const struct pare_node *n, int value,
                        struct plan_chain_step *s)
{
    const bool first = n->in[0] == value;
    const int other = n->in[first ? 1 : 0];
    if (n->in[0] == n->in[1] || other < 0 || !plan_is_real(g, other)) {
        return false;
    }
    float number;
    if (n->op == PARE_OP_MIN || n->op == PARE_OP_MAX) {
        return scalar_of(g, other, &number) && isfinite(number) &&
               (n->op == PARE_OP_MIN ? clamp_step(s, -INFINITY, number)
                                     : clamp_step(s, number, INFINITY));
    }
    if (same_dims(&g->tensors[other], &g->tensors[value])) {
        s->step.op = n->op == PARE_OP_ADD   ? PK_STEP_ADD_TENSOR
                     : n->op == PARE_OP_MUL ? PK_STEP_MUL_TENSOR
                     : first                ? PK_STEP_SUB_TENSOR
                                            : PK_STEP_RSUB_TENSOR;
        s->operand = other;
        return true;
    }
    if (n->op == PARE_OP_MUL) {
        return vec_step(g, other, value, PK_STEP_MUL_VEC, false, s);
    }
    return (n->op == PARE_OP_ADD || first) &&
           vec_step(g, other, value, PK_STEP_ADD_VEC, n->op == PARE_OP_SUB, s);
}

bool plan_chain_step(const struct pare_graph *g, int node, int value, struct plan_chain_step *s)
{
    const struct pare_node *n = &g->nodes[node];
    memset(s, 0, sizeof *s);
    s->constant = s->operand = -1;
    if (n->n_out != 1 || n->n_in < 1 || !same_dims(&g->tensors[n->out[0]], &g->tensors[value])) {
        return false;
    }
    s->step.a = n->attr.alpha;
    s->step.b = n->attr.beta;
    switch (n->op) {
    case PARE_OP_RELU:
        return clamp_step(s, 0.0f, INFINITY);
    case PARE_OP_CLIP:
        return n->in[0] == value && clip_step(g, n, s);
    case PARE_OP_LEAKY_RELU:
        s->step.op = PK_STEP_LEAKY;
        return true;
    case PARE_OP_HARD_SWISH:
        s->step.op = PK_STEP_HARD_SWISH;
        return true;
    case PARE_OP_HARD_SIGMOID:
        s->step.op = PK_STEP_HARD_SIGMOID;
        return true;
    case PARE_OP_PRELU:
        return n->n_in == 2 && n->in[0] == value && n->in[1] >= 0 &&
               vec_step(g, n->in[1], value, PK_STEP_PRELU, false, s);
    case PARE_OP_ADD:
    case PARE_OP_SUB:
    case PARE_OP_MUL:
    case PARE_OP_MIN:
    case PARE_OP_MAX:
        return n->n_in == 2 && binary_step(g, n, value, s);
    default:
        return false;
    }
}

/* The group whose running value is this tensor and that can take one more node; -1 = none. */
static int open_group(const struct pare_plan *p, int tensor)
{
    const int producer = tensor >= 0 ? p->graph->tensors[tensor].producer : -1;
    if (producer < 0 || p->consumers[tensor] != 1) {
        return -1;
    }
    const int group = p->group_of[producer];
    return group >= 0 && p->groups[group].tail == tensor &&
                   p->groups[group].n_chain < PLAN_MAX_CHAIN
               ? group
               : -1;
}

/* Does the epilogue of a transposed convolution allow this? Its planes are scattered afterwards: no
 * operand. */
static bool group_takes(const struct pare_plan *p, int group, const struct plan_chain_step *s)
{
    return s->operand < 0 || p->graph->nodes[p->groups[group].node].op != PARE_OP_CONV_TRANSPOSE;
}

static void try_fuse(struct pare_plan *p, int node)
{
    const struct pare_node *n = &p->graph->nodes[node];
    int best = -1;
    /* of two candidates the one whose last node comes later: its value is then still in the cache
     */
    for (int i = 0; i < n->n_in && i < 2; i++) {
        const int group = open_group(p, n->in[i]);
        struct plan_chain_step s;
        if (group >= 0 && plan_chain_step(p->graph, node, n->in[i], &s) &&
            group_takes(p, group, &s) &&
            (best < 0 || p->graph->tensors[p->groups[group].tail].producer >
                             p->graph->tensors[p->groups[best].tail].producer)) {
            best = group;
        }
    }
    if (best >= 0) {
        struct plan_group *group = &p->groups[best];
        group->chain[group->n_chain++] = node;
        group->tail = n->out[0];
        p->group_of[node] = best;
    }
}

enum pare_status plan_make_groups(struct pare_plan *p, struct pare_error *err)
{
    const struct pare_graph *g = p->graph;
    p->groups = pare_arena_array(&p->arena, (size_t)g->n_nodes + 1, sizeof *p->groups);
    p->group_of = pare_arena_array(&p->arena, (size_t)g->n_nodes + 1, sizeof *p->group_of);
    p->consumers = pare_arena_array(&p->arena, (size_t)g->n_tensors + 1, sizeof *p->consumers);
    if (p->groups == NULL || p->group_of == NULL || p->consumers == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        p->group_of[i] = -1;
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            if (g->nodes[i].in[k] >= 0) {
                p->consumers[g->nodes[i].in[k]]++;
            }
        }
    }
    for (int i = 0; i < g->n_outputs; i++) {
        p->consumers[g->outputs[i]]++;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        if (plan_is_kernel_layer(g, i)) {
            struct plan_group *group = &p->groups[p->n_groups];
            group->node = i;
            group->tail = g->nodes[i].out[0];
            p->group_of[i] = p->n_groups++;
        } else if (p->fuse) {
            try_fuse(p, i);
        }
    }
    return PARE_OK;
}
