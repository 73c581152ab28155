#include "search/tie.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* at[g]: the group of the new problem that g becomes part of; their number, or -1 when tie is not what it should be. */
static int number_ties(const struct pare_problem *p, const int *tie, int *at)
{
    int n = 0;
    for (int g = 0; g < p->n_groups; g++) {
        if (tie[g] < 0 || tie[g] > g || tie[tie[g]] != tie[g]) {
            return -1;
        }
        at[g] = tie[g] == g ? n++ : at[tie[g]];
    }
    return n;
}

static void add_cells(const struct pare_problem *p, const int *at, struct pare_problem *q)
{
    for (int i = 0; i < q->n_groups * q->n_levels; i++) {
        q->allowed[i] = true;
    }
    for (int g = 0; g < p->n_groups; g++) {
        for (int l = 0; l < p->n_levels; l++) {
            const int from = g * p->n_levels + l, to = at[g] * p->n_levels + l;
            q->allowed[to] = q->allowed[to] && p->allowed[from];
            for (int c = 0; c < PARE_COST_COUNT; c++) {
                q->cost[c][to] += p->cost[c][from];
            }
        }
    }
}

static int by_ends(const void *a, const void *b)
{
    const struct pare_border *x = a, *y = b;
    return x->from != y->from ? (x->from > y->from) - (x->from < y->from) : (x->to > y->to) - (x->to < y->to);
}

static bool add_borders(const struct pare_problem *p, const int *at, struct pare_problem *q)
{
    int n = 0;
    q->borders = calloc((size_t)p->n_borders + 1, sizeof *q->borders);
    if (q->borders == NULL) {
        return false;
    }
    for (int b = 0; b < p->n_borders; b++) {
        const int from = at[p->borders[b].from], to = at[p->borders[b].to];
        if (from != to) { /* which of the two writes does not matter to its cost */
            q->borders[n++] = (struct pare_border){from < to ? from : to, from < to ? to : from, p->borders[b].ms};
        }
    }
    qsort(q->borders, (size_t)n, sizeof *q->borders, by_ends);
    for (int b = 0; b < n; b++) {
        struct pare_border *last = q->n_borders > 0 ? &q->borders[q->n_borders - 1] : NULL;
        if (last != NULL && by_ends(last, &q->borders[b]) == 0) {
            last->ms += q->borders[b].ms;
        } else {
            q->borders[q->n_borders++] = q->borders[b];
        }
    }
    return true;
}

static bool add_rows(const struct pare_problem *p, const int *at, struct pare_problem *q)
{
    for (int i = 0; i < p->n_rows; i++) {
        const struct pare_row *r = &p->rows[i];
        struct pare_row row;
        if (!pare_row_init(&row, r->name, q->n_groups * q->n_levels, r->n_pairs)) {
            return false;
        }
        row.at_least = r->at_least;
        row.at_most = r->at_most;
        for (int g = 0; g < p->n_groups; g++) {
            for (int l = 0; l < p->n_levels; l++) {
                row.cost[at[g] * p->n_levels + l] += r->cost[g * p->n_levels + l];
            }
        }
        for (int k = 0; k < r->n_pairs; k++) {
            row.pairs[row.n_pairs++] = (struct pare_row_pair){at[r->pairs[k].a], at[r->pairs[k].b], r->pairs[k].weight};
        }
        pare_row_settle(&row, q->n_groups * q->n_levels);
        if (!pare_problem_take_row(q, &row)) {
            return false;
        }
    }
    return true;
}

static enum pare_status merge(const struct pare_problem *p, const int *at, int n, struct pare_problem **out,
                              struct pare_error *err)
{
    struct pare_problem *q;
    enum pare_status status = pare_problem_new(n, p->n_levels, &q, err);
    if (status != PARE_OK) {
        return status;
    }
    bool ok = true;
    for (int l = 0; l < p->n_levels; l++) {
        q->level_names[l] = p->level_names[l] != NULL ? strdup(p->level_names[l]) : NULL;
        q->form[l] = p->form[l];
        ok = ok && (p->level_names[l] == NULL || q->level_names[l] != NULL);
    }
    for (int g = 0; g < p->n_groups; g++) {
        if (q->group_names[at[g]] == NULL && p->group_names[g] != NULL) {
            q->group_names[at[g]] = strdup(p->group_names[g]);
            ok = ok && q->group_names[at[g]] != NULL;
        }
    }
    memcpy(q->fixed, p->fixed, sizeof q->fixed);
    memcpy(q->limit, p->limit, sizeof q->limit);
    q->objective = p->objective;
    q->time_limit_seconds = p->time_limit_seconds;
    add_cells(p, at, q);
    ok = add_borders(p, at, q) && add_rows(p, at, q) && ok;
    if (!ok) {
        pare_problem_free(q);
        return pare_error_nomem(err);
    }
    *out = q;
    return PARE_OK;
}

enum pare_status pare_problem_tie(struct pare_problem **p, const int *tie, struct pare_error *err)
{
    struct pare_problem *q = NULL;
    int *at = calloc((size_t)(*p)->n_groups, sizeof *at);
    if (at == NULL) {
        return pare_error_nomem(err);
    }
    const int n = number_ties(*p, tie, at);
    enum pare_status status = n < 0 ? pare_error(err, PARE_ERR_INTERNAL, "tie", "a tie that does not begin with its first group")
                              : n < (*p)->n_groups ? merge(*p, at, n, &q, err) : PARE_OK;
    if (q != NULL) {
        pare_problem_free(*p);
        *p = q;
    }
    free(at);
    return status;
}
