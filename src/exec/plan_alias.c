/* plan_alias.c: concat in place. Whoever makes an input of a concat writes it straight into the
 * result. */
#include "exec/plan_parts.h"

#include <stdlib.h>
#include <string.h>

int plan_root(const struct pare_plan *p, int slot)
{
    while (p->slots[slot].parent >= 0) {
        slot = p->slots[slot].parent;
    }
    return slot;
}

/* Slots that lie in this one's memory. */
static bool has_views(const struct pare_plan *p, int slot)
{
    for (int i = 0; i < p->n_slots; i++) {
        if (p->slots[i].parent == slot) {
            return true;
        }
    }
    return false;
}

/* The piece of a concat's result that input k fills. */
struct piece {
    int64_t offset, row, pitch;
    bool dense;
};

static struct piece piece_of(const struct pare_plan *p, const struct pare_node *n, int k)
{
    const struct pare_tensor *out = &p->graph->tensors[n->out[0]];
    const bool pack = n->op == PARE_OP_PACK;
    int axis = n->attr.axis < 0 ? n->attr.axis + out->rank : n->attr.axis;
    int64_t outer = 1, inner = 1, before = 0;
    for (int d = 0; d < axis; d++) {
        outer *= out->dims[d];
    }
    for (int d = axis + 1; d < out->rank; d++) {
        inner *= out->dims[d];
    }
    for (int i = 0; i < k; i++) {
        before += pack ? 1 : p->graph->tensors[n->in[i]].dims[axis];
    }
    const int64_t own = pack ? 1 : p->graph->tensors[n->in[k]].dims[axis];
    return (struct piece){before * inner, own * inner, out->dims[axis] * inner, outer == 1};
}

/* Can the memory of input slot `in` be this piece? Its root, or -1. */
static int movable_root(const struct pare_plan *p, int in, const struct piece *piece)
{
    const int root = plan_root(p, in);
    const struct plan_slot *s = &p->slots[root];
    if (s->constant || s->producer < 0 || s->elements != p->slots[in].elements ||
        s->pitch != s->row) {
        return -1;
    }
    if (piece->dense) {
        return root;
    }
    const struct plan_step *maker = &p->steps[s->producer];
    const bool strides = maker->kind == PLAN_STEP_LAYER && !maker->layer->transposed;
    const bool alone = root == in && s->n_readers == 1 && !s->pinned && !has_views(p, root);
    return strides && alone && s->row == piece->row ? root : -1;
}

static void alias_concat(struct pare_plan *p, struct plan_step *step)
{
    const struct pare_node *n = &p->graph->nodes[step->node];
    const int out = step->out[0];
    for (int k = 0; k < step->n_in; k++) {
        const struct piece piece = piece_of(p, n, k);
        const int root = movable_root(p, step->in[k], &piece);
        if (root < 0 || plan_root(p, out) == root) {
            continue;
        }
        p->slots[root].parent = out;
        p->slots[root].parent_offset = piece.offset;
        if (!piece.dense) {
            p->slots[root].pitch = piece.pitch;
        }
    }
}

/* A copy target inside the result for every input that is not already there. */
static enum pare_status copy_targets(struct pare_plan *p, struct plan_step *step,
                                     struct pare_error *err)
{
    const struct pare_node *n = &p->graph->nodes[step->node];
    int *pieces = pare_arena_array(&p->arena, (size_t)step->n_in, sizeof *pieces);
    if (pieces == NULL) {
        return pare_error_nomem(err);
    }
    for (int k = 0; k < step->n_in; k++) {
        const struct piece piece = piece_of(p, n, k);
        const int root = plan_root(p, step->in[k]);
        int at = step->in[k];
        while (at >= 0 && p->slots[at].parent != step->out[0]) {
            at = p->slots[at].parent;
        }
        pieces[k] = -1;
        if (at >= 0 && root == plan_root(p, step->out[0]) &&
            p->slots[at].parent_offset == piece.offset) {
            continue;
        }
        pieces[k] = plan_scratch_add(p, 0);
        if (pieces[k] < 0) {
            return pare_error_nomem(err);
        }
        struct plan_slot *s = &p->slots[pieces[k]];
        const struct plan_slot *from = &p->slots[step->in[k]];
        s->grid = from->grid;
        s->dtype = from->dtype;
        s->elements = from->elements;
        s->row = piece.row;
        s->pitch = piece.pitch;
        s->parent = step->out[0];
        s->parent_offset = piece.offset;
    }
    step->pieces = pieces;
    return PARE_OK;
}

enum pare_status plan_alias_slots(struct pare_plan *p, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < p->n_steps; i++) {
        struct plan_step *step = &p->steps[i];
        if (step->kind != PLAN_STEP_CONVERT || step->node < 0) {
            continue;
        }
        alias_concat(p, step);
        status = copy_targets(p, step, err);
    }
    return status;
}
