/* plan_memory.c: one block for all slots; slots whose lives do not meet share bytes. */
#include "exec/plan_parts.h"

#include <stdlib.h>

/* The slots that a step touches: inputs, outputs, scratch; -1 for no scratch. */
static int touched(const struct plan_step *step, int k)
{
    return k < step->n_in                 ? step->in[k]
           : k < step->n_in + step->n_out ? step->out[k - step->n_in]
                                          : step->scratch;
}

/* The steps of a band take turns: what one of them touches lives from the first to the last. */
static void live_through_bands(struct pare_plan *p)
{
    for (int b = 0; b < p->n_bands; b++) {
        const struct plan_band *band = &p->bands[b];
        for (int i = band->first; i <= band->last; i++) {
            const struct plan_step *step = &p->steps[i];
            for (int k = 0; k < step->n_in + step->n_out + 1; k++) {
                if (touched(step, k) >= 0) {
                    struct plan_slot *root = &p->slots[plan_root(p, touched(step, k))];
                    root->first = band->first < root->first ? band->first : root->first;
                    root->last = band->last > root->last ? band->last : root->last;
                }
            }
        }
    }
}

/* The life of every slot with own memory: from the first step that writes it (or a slot inside it)
 * to the last that reads it. Pinned ones live through the whole run, and so do inputs. */
static void find_lives(struct pare_plan *p)
{
    for (int i = 0; i < p->n_slots; i++) {
        p->slots[i].first = p->n_steps;
        p->slots[i].last = -1;
    }
    for (int i = 0; i < p->n_steps; i++) {
        const struct plan_step *step = &p->steps[i];
        for (int k = 0; k < step->n_in + step->n_out + 1; k++) {
            const int slot = touched(step, k);
            if (slot >= 0) {
                struct plan_slot *root = &p->slots[plan_root(p, slot)];
                root->first = i < root->first ? i : root->first;
                root->last = i > root->last ? i : root->last;
            }
        }
    }
    live_through_bands(p);
    for (int i = 0; i < p->n_slots; i++) {
        if (p->slots[i].pinned) {
            struct plan_slot *root = &p->slots[plan_root(p, i)];
            root->first = 0;
            root->last = p->n_steps;
        }
    }
}

static bool needs_memory(const struct plan_slot *s)
{
    return s->parent < 0 && !s->constant && s->first <= s->last;
}

struct block {
    int slot, first, last;
    size_t bytes, offset;
};

/* Largest first; then in order of the slots, so that the plan is the same every time. */
static int by_size(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    if (x->bytes != y->bytes) {
        return x->bytes > y->bytes ? -1 : 1;
    }
    return x->slot - y->slot;
}

static int by_offset(const void *a, const void *b)
{
    const struct block *const *x = a, *const *y = b;
    return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

/* The lowest offset at which block n touches no placed block that lives at the same time. */
static size_t lowest_offset(struct block *blocks, int n, struct block **alive)
{
    int n_alive = 0;
    for (int i = 0; i < n; i++) {
        if (blocks[i].first <= blocks[n].last && blocks[n].first <= blocks[i].last) {
            alive[n_alive++] = &blocks[i];
        }
    }
    qsort(alive, (size_t)n_alive, sizeof *alive, by_offset);
    size_t at = 0;
    for (int i = 0; i < n_alive; i++) {
        if (alive[i]->offset >= at && alive[i]->offset - at >= blocks[n].bytes) {
            break;
        }
        const size_t end = alive[i]->offset + alive[i]->bytes;
        at = end > at ? end : at;
    }
    return at;
}

static unsigned char *resolve(struct pare_plan *p, int slot)
{
    struct plan_slot *s = &p->slots[slot];
    if (s->parent < 0) {
        return s->data;
    }
    unsigned char *base = resolve(p, s->parent);
    const int bits = pare_dtype_bits(s->dtype);
    return base != NULL ? base + s->parent_offset * (bits / 8) : NULL;
}

enum pare_status plan_place_memory(struct pare_plan *p, struct pare_error *err)
{
    find_lives(p);
    struct block *blocks = calloc((size_t)p->n_slots + 1, sizeof *blocks);
    struct block **alive = calloc((size_t)p->n_slots + 1, sizeof(struct block *));
    if (blocks == NULL || alive == NULL) {
        free(blocks);
        free(alive);
        return pare_error_nomem(err);
    }
    int n = 0;
    enum pare_status status = PARE_OK;
    for (int i = 0; i < p->n_slots; i++) {
        const struct plan_slot *s = &p->slots[i];
        if (needs_memory(s)) {
            if (s->bytes > SIZE_MAX / 4) {
                status = pare_error_nomem(err);
                break;
            }
            blocks[n++] = (struct block){i, s->first, s->last, (s->bytes + 63) & ~(size_t)63, 0};
        }
    }
    qsort(blocks, (size_t)n, sizeof *blocks, by_size);
    for (int i = 0; status == PARE_OK && i < n; i++) {
        blocks[i].offset = lowest_offset(blocks, i, alive);
        p->slots[blocks[i].slot].offset = blocks[i].offset;
        const size_t end = blocks[i].offset + blocks[i].bytes;
        p->block_bytes = end > p->block_bytes ? end : p->block_bytes;
    }
    free(blocks);
    free(alive);
    if (status == PARE_OK) {
        const bool shares = p->room != NULL && p->block_bytes + 64 <= p->room->bytes;
        p->block = shares ? p->room->memory : aligned_alloc(64, p->block_bytes + 64);
        status = p->block != NULL ? PARE_OK : pare_error_nomem(err);
    }
    for (int i = 0; status == PARE_OK && i < p->n_slots; i++) {
        if (needs_memory(&p->slots[i])) {
            p->slots[i].data = p->block + p->slots[i].offset;
        }
    }
    for (int i = 0; status == PARE_OK && i < p->n_slots; i++) {
        p->slots[i].data = resolve(p, i);
    }
    return status;
}
