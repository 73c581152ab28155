/*
 * exact.c: the multiple-choice program with at most one budget, to proven optimality.
 *
 * Costs become integers (2^50 units over the whole range, so that sums are exact); a multiplier on the budget gives
 * the Lagrangian bound  L(m) = min_x O(x) + m (B(x) - limit)  by dynamic programming, largest over m by bisection
 * (Fisher, "The Lagrangian relaxation method", 1981). What is left between that bound and the best answer found is
 * searched by dynamic programming over lists of (budget used, objective), kept while they are not dominated and
 * their bound is under the best answer (Pisinger, "A minimal algorithm for the multiple-choice knapsack problem",
 * 1995, has the idea; borders between layers are this file's own).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "search/chain.h"

#define MAX_NODES 6000000
#define UNITS 1125899906842624.0 /* 2^50 */

struct node {
    int64_t b, o;  /* used of the budget; objective */
    int parent;    /* in the nodes of all groups */
    unsigned char level;
};

struct list {
    struct node *at;
    int n, cap;
};

struct exact {
    const struct pare_problem *p;
    struct pare_chain *c;
    int n, levels;
    bool has_budget;
    int64_t *o, *b;          /* [n * levels] */
    int64_t **pay_o, **pay_b;/* [n][states * forms], NULL = nothing is paid */
    double o_scale, b_scale;
    int64_t limit;
    bool *on;                /* [n * levels] levels that are still possible */
    double *value;           /* all V[k][s], see at() */
    int *first;              /* [n + 2] where V[k] starts */
    int64_t *rest_o, *rest_b;/* objective and budget of the completion that V takes */
    int64_t *rest_least;     /* the least budget of any completion */
    double m;                /* the multiplier */
    int *best;               /* [n] */
    int64_t best_o, best_b;
    bool has_best;
    double bound;            /* lower bound of the objective, units */
    double tolerance;
};

static int at(const struct exact *e, int k, int s)
{
    return e->first[k] + s;
}

static int64_t cost_o(const struct exact *e, int k, int s, int l)
{
    return e->o[k * e->levels + l] + (e->pay_o[k] != NULL ? e->pay_o[k][s * e->c->n_forms + e->c->form[l]] : 0);
}

static int64_t cost_b(const struct exact *e, int k, int s, int l)
{
    return e->b[k * e->levels + l] + (e->pay_b[k] != NULL ? e->pay_b[k][s * e->c->n_forms + e->c->form[l]] : 0);
}

/* ---- integers ---- */

static double scale_of(const struct pare_problem *p, int figure)
{
    double sum = 0;
    for (int g = 0; g < p->n_groups; g++) {
        double most = 0;
        for (int l = 0; l < p->n_levels; l++) {
            const double v = p->allowed[g * p->n_levels + l] ? fabs(p->cost[figure][g * p->n_levels + l]) : 0;
            most = v > most ? v : most;
        }
        sum += most;
    }
    for (int b = 0; figure == PARE_COST_LATENCY && b < p->n_borders; b++) {
        sum += fabs(p->borders[b].ms);
    }
    return sum > 0 ? UNITS / sum : 1;
}

static bool round_pay(const struct exact *e, int64_t **pay, double scale)
{
    for (int k = 0; k < e->n; k++) {
        const int n = e->c->n_states[k] * e->c->n_forms;
        bool any = false;
        for (int i = 0; i < n; i++) {
            any = any || e->c->pay[k][i] != 0;
        }
        if (!any) {
            continue;
        }
        pay[k] = malloc((size_t)n * sizeof **pay);
        if (pay[k] == NULL) {
            return false;
        }
        for (int i = 0; i < n; i++) {
            pay[k][i] = llround(e->c->pay[k][i] * scale);
        }
    }
    return true;
}

static bool set_integers(struct exact *e, int budget)
{
    const struct pare_problem *p = e->p;
    const int objective = (int)p->objective;
    e->o_scale = scale_of(p, objective);
    e->b_scale = e->has_budget ? scale_of(p, budget) : 1;
    for (int i = 0; i < e->n * e->levels; i++) {
        e->on[i] = p->allowed[i];
        e->o[i] = e->on[i] ? llround(p->cost[objective][i] * e->o_scale) : 0;
        e->b[i] = e->on[i] && e->has_budget ? llround(p->cost[budget][i] * e->b_scale) : 0;
    }
    /* sums of rounded numbers may be half a unit each beside the sum: the limit allows for it */
    const double limit = e->has_budget ? (p->limit[budget] - p->fixed[budget]) * e->b_scale : 0;
    e->limit = limit > 4 * UNITS ? (int64_t)(4 * UNITS) : limit < -4 * UNITS ? -(int64_t)(4 * UNITS) : (int64_t)floor(limit);
    e->limit += e->has_budget ? e->n + p->n_borders : 0;
    e->tolerance = 1e-12 * UNITS + 2.0 * (e->n + p->n_borders);
    return (objective != PARE_COST_LATENCY || round_pay(e, e->pay_o, e->o_scale)) &&
           (!e->has_budget || budget != PARE_COST_LATENCY || round_pay(e, e->pay_b, e->b_scale));
}

/* ---- the bound ---- */

/* V[k][s] = least of (objective + m budget) over all completions from group k on, in state s. with_objective false:
 * of the budget alone. */
static void complete(struct exact *e, double m, bool with_objective)
{
    e->value[at(e, e->n, 0)] = 0;
    e->rest_o[at(e, e->n, 0)] = e->rest_b[at(e, e->n, 0)] = 0;
    for (int k = e->n - 1; k >= 0; k--) {
        for (int s = 0; s < e->c->n_states[k]; s++) {
            double least = INFINITY;
            const int me = at(e, k, s);
            for (int l = 0; l < e->levels; l++) {
                if (!e->on[k * e->levels + l]) {
                    continue;
                }
                const int64_t o = cost_o(e, k, s, l), b = cost_b(e, k, s, l);
                const int then = at(e, k + 1, pare_chain_next(e->c, k, s, l));
                const double v = (with_objective ? (double)o : 0) + m * (double)b + e->value[then];
                if (v < least) {
                    least = v;
                    e->rest_o[me] = o + e->rest_o[then];
                    e->rest_b[me] = b + e->rest_b[then];
                }
            }
            e->value[me] = least;
        }
    }
}

/* The completion that V takes from group k and state s on. */
static void trace(const struct exact *e, int k, int s, int *levels)
{
    for (; k < e->n; k++) {
        double least = INFINITY;
        int best = -1;
        for (int l = 0; l < e->levels; l++) {
            if (e->on[k * e->levels + l]) {
                const double v = (double)cost_o(e, k, s, l) + e->m * (double)cost_b(e, k, s, l) +
                                 e->value[at(e, k + 1, pare_chain_next(e->c, k, s, l))];
                if (v < least) {
                    least = v;
                    best = l;
                }
            }
        }
        levels[k] = best;
        s = pare_chain_next(e->c, k, s, best);
    }
}

static void take_completion(struct exact *e)
{
    if (e->rest_b[0] <= e->limit && (!e->has_best || e->rest_o[0] < e->best_o)) {
        trace(e, 0, 0, e->best);
        e->has_best = true;
        e->best_o = e->rest_o[0];
        e->best_b = e->rest_b[0];
    }
}

/* One multiplier: its bound and its answer. Returns whether the answer holds the budget. */
static bool try_multiplier(struct exact *e, double m, double *best_m)
{
    e->m = m;
    complete(e, m, true);
    const double bound = e->value[0] - m * (double)e->limit;
    if (bound > e->bound) {
        e->bound = bound;
        *best_m = m;
    }
    take_completion(e);
    return e->rest_b[0] <= e->limit;
}

/* False: no configuration holds the budget. Leaves V and the multiplier of the best bound. */
static bool find_bound(struct exact *e)
{
    double lo = 0, hi = 1e-3, best_m = 0;
    e->bound = -INFINITY;
    if (e->has_budget) {
        complete(e, 1, false);
        if (e->rest_b[0] > e->limit) {
            return false;
        }
    }
    if (!try_multiplier(e, 0, &best_m)) {
        while (hi < 1e15 && !try_multiplier(e, hi, &best_m)) {
            lo = hi;
            hi *= 4;
        }
        for (int i = 0; i < 60 && hi - lo > 1e-13 * hi && (double)e->best_o - e->bound > e->tolerance; i++) {
            const double m = lo + (hi - lo) / 2;
            if (try_multiplier(e, m, &best_m)) {
                hi = m;
            } else {
                lo = m;
            }
        }
    }
    complete(e, 1, false); /* what can be held at all, for the search */
    for (int i = 0; i < e->first[e->n + 1]; i++) {
        e->rest_least[i] = e->has_budget ? e->rest_b[i] : 0;
    }
    e->m = best_m;
    complete(e, best_m, true);
    return true;
}

static double least_over(const struct exact *e)
{
    return (double)e->best_o - e->tolerance;
}

/* Levels whose bound, all other groups at their best, is over the best answer are out. */
static bool drop_levels(struct exact *e)
{
    double *before = malloc((size_t)e->first[e->n + 1] * sizeof *before);
    if (before == NULL) {
        return false;
    }
    for (int i = 0; i < e->first[e->n + 1]; i++) {
        before[i] = INFINITY;
    }
    before[0] = -e->m * (double)e->limit;
    for (int k = 0; k < e->n; k++) {
        for (int l = 0; l < e->levels; l++) {
            double least = INFINITY;
            for (int s = 0; s < e->c->n_states[k] && e->on[k * e->levels + l]; s++) {
                const int then = at(e, k + 1, pare_chain_next(e->c, k, s, l));
                const double v = before[at(e, k, s)] + (double)cost_o(e, k, s, l) + e->m * (double)cost_b(e, k, s, l);
                before[then] = v < before[then] ? v : before[then];
                least = v + e->value[then] < least ? v + e->value[then] : least;
            }
            if (e->has_best && least > least_over(e) && l != e->best[k]) {
                e->on[k * e->levels + l] = false;
            }
        }
    }
    free(before);
    return true;
}

/* ---- the search ---- */

struct search {
    struct exact *e;
    struct node *nodes;    /* of all groups */
    int n, cap;
    struct list now[2];    /* scratch: merged so far, and the merge */
    int best_node, best_k, best_s; /* completed by V from there; -1 = the answer is e->best */
    bool full;
};

static bool room(struct list *l, int n)
{
    if (n > l->cap) {
        struct node *p = realloc(l->at, (size_t)n * 2 * sizeof *p);
        if (p == NULL) {
            return false;
        }
        l->at = p;
        l->cap = 2 * n;
    }
    return true;
}

/* Merges `from` (nodes of one state, by b), moved by one level's costs, into s->now[0]. */
static bool merge(struct search *s, int first, int count, int k, int state, int l)
{
    struct exact *e = s->e;
    const int64_t o = cost_o(e, k, state, l), b = cost_b(e, k, state, l);
    const int then_s = pare_chain_next(e->c, k, state, l), then = at(e, k + 1, then_s);
    const double rest = e->value[then] - e->m * (double)e->limit;
    struct list *old = &s->now[0], *out = &s->now[1];
    if (!room(out, old->n + count + 1)) {
        return false;
    }
    int i = 0, n = 0;
    for (int j = 0; j <= count; j++) {
        struct node x = {INT64_MAX, INT64_MAX, first + j, (unsigned char)l};
        if (j < count) {
            x.b = s->nodes[first + j].b + b;
            x.o = s->nodes[first + j].o + o;
            if ((e->has_budget && x.b + e->rest_least[then] > e->limit) ||
                (double)x.o + e->m * (double)x.b + rest > least_over(e)) {
                /* a state that V completes to the best answer is itself no better than it */
                continue;
            }
            if (x.b + e->rest_b[then] <= e->limit && x.o + e->rest_o[then] < e->best_o) {
                e->best_o = x.o + e->rest_o[then];
                e->best_b = x.b + e->rest_b[then];
                s->best_node = first + j;
                s->best_k = k;
                s->best_s = state;
                e->best[k] = l;
            }
        }
        while (i < old->n && (old->at[i].b < x.b || (old->at[i].b == x.b && old->at[i].o <= x.o))) {
            if (n == 0 || old->at[i].o < out->at[n - 1].o) {
                out->at[n++] = old->at[i];
            }
            i++;
        }
        if (j < count && (n == 0 || x.o < out->at[n - 1].o)) {
            out->at[n++] = x;
        }
    }
    out->n = n;
    const struct list t = *old;
    *old = *out;
    *out = t;
    return true;
}

static bool keep(struct search *s, const struct list *l)
{
    if (s->n + l->n > MAX_NODES) {
        s->full = true;
        return true;
    }
    if (s->n + l->n > s->cap) {
        const int cap = 2 * (s->n + l->n) + 1024;
        struct node *p = realloc(s->nodes, (size_t)cap * sizeof *p);
        if (p == NULL) {
            return false;
        }
        s->nodes = p;
        s->cap = cap;
    }
    if (l->n > 0) {
        memcpy(s->nodes + s->n, l->at, (size_t)l->n * sizeof *l->at);
    }
    s->n += l->n;
    return true;
}

/* The levels on the way to a node of the group before k. */
static void walk_back(const struct search *s, int k, int node, int *levels)
{
    for (k--; k >= 0; k--) {
        levels[k] = s->nodes[node].level;
        node = s->nodes[node].parent;
    }
}

/* e->best becomes what the search ended with. */
static void take_best(struct search *s)
{
    if (s->best_node >= 0) {
        const int k = s->best_k, l = s->e->best[k];
        walk_back(s, k, s->best_node, s->e->best);
        trace(s->e, k + 1, pare_chain_next(s->e->c, k, s->best_s, l), s->e->best);
    }
}

static bool group_lists(struct search *s, int k, const int *first, const int *count, int *new_first, int *new_count)
{
    struct exact *e = s->e;
    for (int to = 0; to < e->c->n_states[k + 1]; to++) {
        s->now[0].n = 0;
        for (int from = 0; from < e->c->n_states[k]; from++) {
            for (int l = 0; l < e->levels && count[from] > 0; l++) {
                if (e->on[k * e->levels + l] && pare_chain_next(e->c, k, from, l) == to &&
                    !merge(s, first[from], count[from], k, from, l)) {
                    return false;
                }
            }
        }
        new_first[to] = s->n;
        new_count[to] = s->now[0].n;
        if (!keep(s, &s->now[0])) {
            return false;
        }
        if (s->full) {
            return true;
        }
    }
    return true;
}

static bool search_lists(struct exact *e, double deadline, bool *proven)
{
    int most = 1;
    for (int k = 0; k <= e->n; k++) {
        most = e->c->n_states[k] > most ? e->c->n_states[k] : most;
    }
    struct search s = {.e = e, .best_node = -1};
    int *lists = calloc((size_t)most * 4, sizeof *lists);
    s.nodes = malloc(1024 * sizeof *s.nodes);
    s.cap = 1024;
    bool ok = lists != NULL && s.nodes != NULL;
    int *first = lists, *count = lists + most, *new_first = lists + 2 * most, *new_count = lists + 3 * most;
    if (ok) {
        s.nodes[0] = (struct node){0, 0, -1, 0};
        s.n = 1;
        count[0] = 1;
    }
    for (int k = 0; ok && k < e->n && !s.full; k++) {
        ok = group_lists(&s, k, first, count, new_first, new_count);
        int *t = first;
        first = new_first;
        new_first = t;
        t = count;
        count = new_count;
        new_count = t;
        s.full = s.full || pare_seconds() > deadline;
    }
    if (ok) {
        take_best(&s);
    }
    *proven = !s.full;
    free(lists);
    free(s.nodes);
    free(s.now[0].at);
    free(s.now[1].at);
    return ok;
}

/* ---- in and out ---- */

static bool allocate(struct exact *e)
{
    const size_t cells = (size_t)e->n * (size_t)e->levels;
    e->first = malloc(((size_t)e->n + 2) * sizeof *e->first);
    if (e->first == NULL) {
        return false;
    }
    e->first[0] = 0;
    for (int k = 0; k <= e->n; k++) {
        e->first[k + 1] = e->first[k] + e->c->n_states[k];
    }
    const size_t states = (size_t)e->first[e->n + 1];
    e->o = malloc(cells * sizeof *e->o);
    e->b = malloc(cells * sizeof *e->b);
    e->on = malloc(cells * sizeof *e->on);
    e->pay_o = calloc((size_t)e->n, sizeof *e->pay_o);
    e->pay_b = calloc((size_t)e->n, sizeof *e->pay_b);
    e->value = malloc(states * sizeof *e->value);
    e->rest_o = malloc(states * sizeof *e->rest_o);
    e->rest_b = malloc(states * sizeof *e->rest_b);
    e->rest_least = malloc(states * sizeof *e->rest_least);
    e->best = calloc((size_t)e->n, sizeof *e->best);
    return e->o != NULL && e->b != NULL && e->on != NULL && e->pay_o != NULL && e->pay_b != NULL && e->value != NULL &&
           e->rest_o != NULL && e->rest_b != NULL && e->rest_least != NULL && e->best != NULL;
}

static void clear(struct exact *e)
{
    for (int k = 0; k < e->n; k++) {
        if (e->pay_o != NULL) {
            free(e->pay_o[k]);
        }
        if (e->pay_b != NULL) {
            free(e->pay_b[k]);
        }
    }
    pare_chain_free(e->c);
    free(e->first);
    free(e->o);
    free(e->b);
    free(e->on);
    free(e->pay_o);
    free(e->pay_b);
    free(e->value);
    free(e->rest_o);
    free(e->rest_b);
    free(e->rest_least);
    free(e->best);
}

static enum pare_status solve(struct exact *e, int budget, struct pare_answer *a, double start, struct pare_error *err)
{
    const struct pare_problem *p = e->p;
    bool proven = true;
    if (!allocate(e) || !set_integers(e, budget)) {
        return pare_error_nomem(err);
    }
    if (!find_bound(e)) {
        a->status = PARE_SOLVE_INFEASIBLE;
        a->violated = (enum pare_figure_id)budget;
        a->least = p->fixed[budget] + (double)e->rest_b[0] / e->b_scale;
        return PARE_OK;
    }
    if (!e->has_best || (double)e->best_o - e->bound > e->tolerance) {
        const double seconds = p->time_limit_seconds > 0 ? p->time_limit_seconds : 10;
        if (!e->has_best) {
            e->best_o = INT64_MAX / 4;
        }
        if (!drop_levels(e) || !search_lists(e, start + seconds, &proven)) {
            return pare_error_nomem(err);
        }
    }
    if (e->best_o >= INT64_MAX / 4) {
        return pare_error(err, PARE_ERR_PARTIAL, "exact", "no configuration found within the time limit");
    }
    a->levels = calloc((size_t)e->n, sizeof *a->levels);
    if (a->levels == NULL) {
        return pare_error_nomem(err);
    }
    memcpy(a->levels, e->best, (size_t)e->n * sizeof *a->levels);
    pare_problem_total(p, a->levels, a->total);
    a->status = proven ? PARE_SOLVE_OPTIMAL : PARE_SOLVE_FEASIBLE;
    a->gap = proven ? 0 : ((double)e->best_o - e->bound) / fmax(fabs((double)e->best_o), 1);
    a->rounding = e->tolerance / e->o_scale;
    return PARE_OK;
}

enum pare_status pare_solve_exact(const struct pare_problem *p, struct pare_answer *a, struct pare_error *err)
{
    struct exact e = {.p = p, .n = p->n_groups, .levels = p->n_levels};
    const double start = pare_seconds();
    int budget = (int)p->objective, n_budgets = 0;
    memset(a, 0, sizeof *a);
    enum pare_status status = pare_problem_check(p, err);
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        if (isfinite(p->limit[c])) {
            budget = c;
            n_budgets++;
        }
    }
    if (status == PARE_OK && p->n_rows > 0) {
        status = pare_error(err, PARE_ERR_USAGE, "exact", "rows are for ilp");
    }
    if (status == PARE_OK && (n_budgets > 1 || (n_budgets == 1 && budget == (int)p->objective))) {
        status = pare_error(err, PARE_ERR_USAGE, "exact", "one budget at most, on another figure than the objective's");
    }
    if (status == PARE_OK) {
        e.has_budget = n_budgets == 1;
        status = pare_chain_new(p, p->objective == PARE_COST_LATENCY || (e.has_budget && budget == PARE_COST_LATENCY),
                                &e.c, err);
    }
    if (status == PARE_OK) {
        status = solve(&e, budget, a, start, err);
    }
    clear(&e);
    if (status != PARE_OK) {
        pare_answer_clear(a);
    }
    a->seconds = pare_seconds() - start;
    return status;
}
