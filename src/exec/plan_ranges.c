/*
 * plan_ranges.c: concats that reach each other through moving operators share one range.
 *
 * A value that passes from concat to concat (a split or shuffle between them) would otherwise be
 * needed on the grid of every concat behind it. One grid for all of them costs a little resolution
 * and keeps every value in one form.
 */
#include "exec/plan_parts.h"

#include <stdlib.h>

static int find(int *parent, int t)
{
    while (parent[t] != t) {
        parent[t] = parent[parent[t]];
        t = parent[t];
    }
    return t;
}

static bool moves(const struct pare_plan *p, int tensor)
{
    return tensor >= 0 && p->graph->tensors[tensor].data == NULL && plan_is_real(p->graph, tensor);
}

/* Joins what moving operators connect, and counts the concats of every set. */
static void join(const struct pare_plan *p, int *parent, int *concats)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct pare_node *n = &p->graph->nodes[i];
        int n_data, first = -1;
        if (!plan_is_mover(p->graph, i, &n_data)) {
            continue;
        }
        for (int k = 0; k < n_data + n->n_out; k++) {
            const int tensor = k < n_data ? n->in[k] : n->out[k - n_data];
            if (!moves(p, tensor)) {
                continue;
            }
            first = first < 0 ? find(parent, tensor) : first;
            const int other = find(parent, tensor);
            if (other != first) {
                parent[other] = first;
                concats[first] += concats[other];
            }
        }
        if (first >= 0 && (n->op == PARE_OP_CONCAT || n->op == PARE_OP_PACK)) {
            concats[first]++;
        }
    }
}

/* Adds range r of one tensor; the two means are weighted by the values seen. */
static void merge(struct pare_range *to, const struct pare_range *r)
{
    const double old = (double)to->n, more = (double)r->n;
    if (r->n == 0) {
        return;
    }
    for (int bits = 2; bits <= 8; bits++) { /* a method's choice, else the extremes */
        const float lo = r->clipped ? r->clip_lo[bits] : r->min, hi = r->clipped ? r->clip_hi[bits] : r->max;
        to->clip_lo[bits] = to->n == 0 || lo < to->clip_lo[bits] ? lo : to->clip_lo[bits];
        to->clip_hi[bits] = to->n == 0 || hi > to->clip_hi[bits] ? hi : to->clip_hi[bits];
    }
    to->clipped = to->clipped || r->clipped;
    to->min = to->n == 0 || r->min < to->min ? r->min : to->min;
    to->max = to->n == 0 || r->max > to->max ? r->max : to->max;
    to->two_lo = (float)((old * (double)to->two_lo + more * (double)r->two_lo) / (old + more));
    to->two_hi = (float)((old * (double)to->two_hi + more * (double)r->two_hi) / (old + more));
    to->n += r->n;
}

enum pare_status plan_share_ranges(struct pare_plan *p, struct pare_error *err)
{
    const size_t n = (size_t)p->graph->n_tensors + 1;
    p->shared_range = pare_arena_array(&p->arena, n, sizeof *p->shared_range);
    int *parent = malloc(n * sizeof *parent), *concats = calloc(n, sizeof *concats);
    struct pare_range **ranges = calloc(n, sizeof *ranges);
    enum pare_status status =
        p->shared_range != NULL && parent != NULL && concats != NULL && ranges != NULL
            ? PARE_OK
            : pare_error_nomem(err);
    for (int t = 0; status == PARE_OK && t < p->graph->n_tensors; t++) {
        parent[t] = t;
    }
    if (status == PARE_OK && p->calibration != NULL) {
        join(p, parent, concats);
        for (int t = 0;
             status == PARE_OK && t < p->graph->n_tensors && t < p->calibration->n_tensors; t++) {
            const int set = find(parent, t);
            if (concats[set] < 2 || !moves(p, t)) {
                continue;
            }
            if (ranges[set] == NULL) {
                ranges[set] = pare_arena_alloc(&p->arena, sizeof **ranges);
                status = ranges[set] != NULL ? PARE_OK : pare_error_nomem(err);
            }
            if (status == PARE_OK) {
                merge(ranges[set], &p->calibration->ranges[t]);
            }
        }
        for (int t = 0; status == PARE_OK && t < p->graph->n_tensors; t++) {
            const struct pare_range *r = ranges[find(parent, t)];
            p->shared_range[t] = r != NULL && r->n > 0 ? r : NULL;
        }
    }
    free(parent);
    free(concats);
    free(ranges);
    return status;
}
