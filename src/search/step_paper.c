/*
 * step_paper.c: solvers that know their answer from the problem alone.
 *
 * paper: Algorithm 1 of the gesture-recognition paper. Groups are models (--per model); model i at level q loses
 * a(i, q) and takes l(i, q). Every model takes one level that satisfies at least one of a(i, q) <= A[i] and
 * l(i, q) <= L[i]; among those, the sum of l is made small (its first objective) and the sum of a (its second).
 * As printed, the objective adds A[i] and L[i], which no choice changes: a(i, q) and l(i, q) are meant, and used.
 * settings: "A", "L": one number for all, or one for each model; without them A = quality_limit, and no latency is
 * good enough by itself. Extra rows tie the models together: then the same two objectives are solved as a program.
 *
 * hawq: HAWQ-v3. settings: "trace": [n_groups], "delta": [n_groups * n_levels] (squared norm of W - Q(W)), "lambda",
 * "wide", "narrow" (levels); minimises sum trace * delta under one budget cost_narrow + lambda (cost_wide -
 * cost_narrow) on the figure named by "resource" ("latency", "bytes"). Extra rows hold beside it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/solver.h"

static enum pare_status answer_with(struct pare_step *s, const int *levels, struct pare_error *err)
{
    json_t *json = pare_levels_json(s->p, levels);
    s->answers = s->answers != NULL ? s->answers : json_array();
    s->done = true;
    return json != NULL && json_array_append_new(s->answers, json) == 0 ? PARE_OK : pare_error_nomem(err);
}

enum pare_status pare_step_exhaustive(struct pare_step *s, struct pare_error *err)
{
    struct pare_answer a;
    enum pare_status status = pare_solve_exhaustive(s->p, &a, err);
    if (status == PARE_OK && a.status != PARE_SOLVE_INFEASIBLE) {
        status = answer_with(s, a.levels, err);
    }
    s->done = true;
    pare_answer_clear(&a);
    return status;
}

/* With GLPK what the rows tie together; infeasible names them. */
static enum pare_status solve_with_rows(const char *who, const struct pare_problem *p, struct pare_answer *a, struct pare_error *err)
{
    enum pare_status status = pare_solve_glpk(p, a, err);
    if (status == PARE_OK && a->status == PARE_SOLVE_INFEASIBLE && a->n_conflict > 0) {
        status = pare_error(err, PARE_ERR_INFEASIBLE, who, "the row '%s' cannot be held beside the thresholds, budgets and other rows",
                            p->rows[a->conflict[a->n_conflict - 1]].name);
    }
    return status;
}

/* ---- paper ---- */

static double threshold(const json_t *settings, const char *key, int i, double otherwise)
{
    const json_t *value = json_object_get(settings, key);
    const double x = json_is_array(value) ? pare_json_at_real(value, (size_t)i) : pare_json_get_real(settings, key);
    return isfinite(x) ? x : otherwise;
}

/* A list has a number for each model; a number is for all. */
static enum pare_status check_thresholds(const struct pare_step *s, struct pare_error *err)
{
    static const char *const keys[] = {"A", "L"};
    for (int k = 0; k < 2; k++) {
        const json_t *value = json_object_get(s->settings, keys[k]);
        if (json_is_array(value) && json_array_size(value) != (size_t)s->p->n_groups) {
            return pare_error(err, PARE_ERR_USAGE, "paper", "%s: expected a number, or %d with commas, one for each model, found %zu", keys[k],
                              s->p->n_groups, json_array_size(value));
        }
    }
    for (int g = 0; g < s->p->n_groups; g++) {
        const double most_loss = threshold(s->settings, "A", g, pare_json_get_real(s->settings, "quality_limit"));
        if (!isfinite(most_loss) && !isfinite(threshold(s->settings, "L", g, NAN))) {
            return pare_error(err, PARE_ERR_USAGE, "paper", "%s has no threshold: expected --max-drop, --set A=DROP or --set L=MS",
                              s->p->group_names[g]);
        }
    }
    return PARE_OK;
}

/* Does model g hold one of its two thresholds at level l? */
static bool holds_one(const struct pare_step *s, int g, int l)
{
    const struct pare_problem *p = s->p;
    const double most_loss = threshold(s->settings, "A", g, pare_json_get_real(s->settings, "quality_limit"));
    const double most_ms = threshold(s->settings, "L", g, -INFINITY);
    const int i = g * p->n_levels + l;
    return p->allowed[i] && (p->cost[PARE_COST_LOSS][i] <= most_loss || p->cost[PARE_COST_LATENCY][i] <= most_ms);
}

static int best_level(const struct pare_step *s, int g, enum pare_figure_id by)
{
    const struct pare_problem *p = s->p;
    int best = -1;
    for (int l = 0; l < p->n_levels; l++) {
        const int i = g * p->n_levels + l;
        if (holds_one(s, g, l) && (best < 0 || p->cost[by][i] < p->cost[by][g * p->n_levels + best])) {
            best = l;
        }
    }
    return best;
}

/* The levels that hold a threshold, the rows, one of the objectives. The problem is borrowed but for `allowed`. */
static enum pare_status paper_rows(struct pare_step *s, bool *allowed, enum pare_figure_id by, int *levels, struct pare_error *err)
{
    struct pare_problem q = *s->p;
    struct pare_answer a = {0};
    for (int i = 0; i < q.n_groups * q.n_levels; i++) {
        allowed[i] = holds_one(s, i / q.n_levels, i % q.n_levels);
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        q.limit[c] = NAN;
    }
    q.allowed = allowed;
    q.n_borders = 0;
    q.objective = by;
    enum pare_status status = solve_with_rows("paper", &q, &a, err);
    if (status == PARE_OK) {
        memcpy(levels, a.levels, (size_t)q.n_groups * sizeof *levels);
    }
    pare_answer_clear(&a);
    return status;
}

enum pare_status pare_step_paper(struct pare_step *s, struct pare_error *err)
{
    static const enum pare_figure_id objectives[2] = {PARE_COST_LATENCY, PARE_COST_LOSS};
    const struct pare_problem *p = s->p;
    int *levels = calloc((size_t)p->n_groups, sizeof *levels);
    bool *allowed = calloc((size_t)p->n_groups * (size_t)p->n_levels, sizeof *allowed);
    enum pare_status status = levels != NULL && allowed != NULL ? check_thresholds(s, err) : pare_error_nomem(err);
    for (int o = 0; o < 2 && status == PARE_OK; o++) {
        for (int g = 0; g < p->n_groups && status == PARE_OK; g++) {
            levels[g] = best_level(s, g, objectives[o]);
            if (levels[g] < 0) {
                status = pare_error(err, PARE_ERR_INFEASIBLE, p->group_names[g],
                                    "no level holds the threshold of accuracy or that of latency");
            }
        }
        if (status == PARE_OK && p->n_rows > 0) {
            status = paper_rows(s, allowed, objectives[o], levels, err);
        }
        if (status == PARE_OK) {
            status = answer_with(s, levels, err);
        }
    }
    free(levels);
    free(allowed);
    return status;
}

/* ---- hawq ---- */

/* A group's cost at a level, or at the nearest that it may have, wider ones first (first and last layers stay at int8). */
static double cost_near(const struct pare_problem *p, int g, int level, int c)
{
    for (int away = 0; away < p->n_levels; away++) {
        for (int side = -1; side <= 1; side += 2) {
            const int l = level + side * away;
            if (l >= 0 && l < p->n_levels && p->allowed[g * p->n_levels + l]) {
                return p->cost[c][g * p->n_levels + l];
            }
        }
    }
    return NAN;
}

static enum pare_status hawq_costs(const struct pare_step *s, struct pare_problem *q, int c, struct pare_error *err)
{
    const struct pare_problem *p = s->p;
    const json_t *trace = json_object_get(s->settings, "trace"), *delta = json_object_get(s->settings, "delta");
    const int wide = (int)pare_json_get_int(s->settings, "wide", 0), narrow = (int)pare_json_get_int(s->settings, "narrow", 1);
    double lambda = pare_json_get_real(s->settings, "lambda"), sum[2] = {0, 0};
    if (wide < 0 || narrow < 0 || wide >= p->n_levels || narrow >= p->n_levels) {
        return pare_error(err, PARE_ERR_USAGE, "hawq", "wide and narrow are levels of the problem");
    }
    for (int g = 0; g < p->n_groups; g++) {
        bool between = false; /* a level between the two models: then no other is a candidate */
        for (int l = wide; l <= narrow; l++) {
            between = between || p->allowed[g * p->n_levels + l];
        }
        const double t = pare_json_at_real(trace, (size_t)g);
        q->group_names[g] = strdup(p->group_names[g]);
        for (int l = 0; l < p->n_levels; l++) {
            const int i = g * p->n_levels + l;
            const double d = pare_json_at_real(delta, (size_t)i);
            q->allowed[i] = p->allowed[i] && isfinite(t * d) && (!between || (l >= wide && l <= narrow));
            q->cost[PARE_COST_LOSS][i] = t * d;
            q->cost[c][i] = p->cost[c][i];
        }
        if (t < 0) {
            return pare_error(err, PARE_ERR_FORMAT, p->group_names[g], "its trace is negative: expected 0 or more, found %g", t);
        }
        if (!isfinite(t)) {
            return pare_error(err, PARE_ERR_FORMAT, p->group_names[g], "there is no trace of this layer");
        }
        sum[0] += cost_near(p, g, wide, c);
        sum[1] += cost_near(p, g, narrow, c);
    }
    lambda = isfinite(lambda) ? lambda : 0.5;
    q->objective = PARE_COST_LOSS;
    q->limit[c] = sum[1] + lambda * (sum[0] - sum[1]);
    return PARE_OK;
}

enum pare_status pare_step_hawq(struct pare_step *s, struct pare_error *err)
{
    const char *resource = pare_json_get_string(s->settings, "resource", "bytes");
    struct pare_problem *q = NULL;
    struct pare_answer a = {0};
    int c = strcmp(resource, pare_cost_name(PARE_COST_LATENCY)) == 0 ? PARE_COST_LATENCY : PARE_COST_BYTES;
    enum pare_status status = pare_problem_new(s->p->n_groups, s->p->n_levels, &q, err);
    for (int l = 0; status == PARE_OK && l < s->p->n_levels; l++) {
        q->level_names[l] = strdup(s->p->level_names[l]);
    }
    status = status == PARE_OK ? hawq_costs(s, q, c, err) : status;
    if (status == PARE_OK) {
        q->n_rows = s->p->n_rows; /* borrowed */
        q->rows = s->p->rows;
        status = q->n_rows > 0 ? solve_with_rows("hawq", q, &a, err) : pare_solve_exact(q, &a, err);
        q->n_rows = 0;
        q->rows = NULL;
    }
    if (status == PARE_OK && a.status == PARE_SOLVE_INFEASIBLE) {
        status = pare_error(err, PARE_ERR_INFEASIBLE, "hawq", "the budget of %s cannot be held", resource);
    }
    if (status == PARE_OK) {
        status = answer_with(s, a.levels, err);
    }
    pare_answer_clear(&a);
    pare_problem_free(q);
    return status;
}
