/*
 * conflict.c: the general program with its reasons. When nothing is feasible: the budget that cannot be held, or a set of
 * rows and budgets that cannot hold together and of which none can be spared (a deletion filter: Chinneck and Dravnieks,
 * "Locating minimal infeasible constraint sets in linear programs", 1991). When there is an answer: what each row costs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/program.h"

#define REASON_SECONDS 2.0 /* of one program that only serves to say why */
#define TRACE 1e-5         /* glpk.c breaks ties by 1e-6 of the other figures: less than this a group is no gain */

/* The least a figure can be when nothing else is asked; exact up to borders (which only add). */
static double least_of(const struct pare_problem *p, int c)
{
    double sum = p->fixed[c];
    for (int g = 0; g < p->n_groups; g++) {
        double least = INFINITY;
        for (int l = 0; l < p->n_levels; l++) {
            int cell = g * p->n_levels + l;
            if (p->allowed[cell] && p->cost[c][cell] < least) {
                least = p->cost[c][cell];
            }
        }
        sum += least;
    }
    return sum;
}

/* Which budget cannot be held, alone or beside the others: the first whose least, given those before it, is over. */
static void blame_budget(const struct pare_problem *p, struct pare_answer *a)
{
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        const double least = least_of(p, c);
        if (isfinite(p->limit[c]) && least > p->limit[c] * (1 + 1e-12)) {
            a->violated = (enum pare_figure_id)c;
            a->least = least;
            return;
        }
    }
    /* each alone can be held: leave out the last budget and ask for the least of its figure */
    for (int c = PARE_COST_COUNT - 1; c >= 0; c--) {
        struct pare_problem without = *p;
        struct pare_answer other = {0};
        if (!isfinite(p->limit[c])) {
            continue;
        }
        without.limit[c] = NAN;
        without.objective = (enum pare_figure_id)c;
        const bool found = pare_program_solve(&without, NULL, 1, &other, NULL) == PARE_OK && other.status != PARE_SOLVE_INFEASIBLE;
        a->violated = found ? (enum pare_figure_id)c : a->violated;
        a->least = found ? other.total[c] : a->least;
        pare_answer_clear(&other);
        if (found) {
            return;
        }
    }
}

/* ---- rows ---- */

/* A part of a problem: some of its rows and budgets. The rows are borrowed. */
struct part {
    struct pare_problem p;
    struct pare_row rows[PARE_MAX_ROWS];
};

static void take_part(const struct pare_problem *p, const bool *rows, const bool *limits, struct part *q)
{
    q->p = *p;
    q->p.rows = q->rows;
    q->p.n_rows = 0;
    for (int r = 0; r < p->n_rows; r++) {
        if (rows[r]) {
            q->rows[q->p.n_rows++] = p->rows[r];
        }
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        q->p.limit[c] = limits[c] ? p->limit[c] : NAN;
    }
    q->p.time_limit_seconds = p->time_limit_seconds > 0 ? fmin(p->time_limit_seconds, REASON_SECONDS) : REASON_SECONDS;
}

/* Is that known? A part that is not decided in time counts as feasible: what was left out stays in. */
static bool is_infeasible(const struct pare_problem *p, const bool *rows, const bool *limits)
{
    struct part q;
    struct pare_answer a = {0};
    take_part(p, rows, limits, &q);
    const bool infeasible = pare_program_solve(&q.p, NULL, 1, &a, NULL) == PARE_OK && a.status == PARE_SOLVE_INFEASIBLE;
    pare_answer_clear(&a);
    return infeasible;
}

/* The least (sign 1) or most (-1) that a row can be within the part; NaN when that is not found in time. */
static double end_of(const struct pare_problem *p, const struct pare_row *r, const bool *rows, const bool *limits, double sign)
{
    struct part q;
    struct pare_answer a = {0};
    take_part(p, rows, limits, &q);
    const bool found = pare_program_solve(&q.p, r, sign, &a, NULL) == PARE_OK && a.status == PARE_SOLVE_OPTIMAL;
    const double value = found ? pare_row_value(r, p->n_groups, p->n_levels, a.levels) : NAN;
    pare_answer_clear(&a);
    return value;
}

/* How near the row comes to its bounds while the others hold; NaN: not known, or both sides can be reached. */
static double nearest_of(const struct pare_problem *p, int row, bool *rows, const bool *limits)
{
    const struct pare_row *r = &p->rows[row];
    rows[row] = false;
    double nearest = isfinite(r->at_most) ? end_of(p, r, rows, limits, 1) : NAN;
    if (!(isfinite(nearest) && nearest > r->at_most)) {
        nearest = isfinite(r->at_least) ? end_of(p, r, rows, limits, -1) : NAN;
        nearest = isfinite(nearest) && nearest < r->at_least ? nearest : NAN;
    }
    rows[row] = true;
    return nearest;
}

static enum pare_status blame_rows(const struct pare_problem *p, struct pare_answer *a, struct pare_error *err)
{
    bool rows[PARE_MAX_ROWS], *limits = a->conflict_limit;
    for (int r = 0; r < p->n_rows; r++) {
        rows[r] = true;
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        limits[c] = isfinite(p->limit[c]);
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) { /* a conflict of rows alone says more */
        if (limits[c]) {
            limits[c] = false;
            limits[c] = !is_infeasible(p, rows, limits);
        }
    }
    for (int r = 0; r < p->n_rows; r++) {
        rows[r] = false;
        rows[r] = !is_infeasible(p, rows, limits);
    }
    a->conflict = calloc(PARE_MAX_ROWS, sizeof *a->conflict);
    if (a->conflict == NULL) {
        return pare_error_nomem(err);
    }
    for (int r = 0; r < p->n_rows; r++) {
        if (rows[r]) {
            a->conflict[a->n_conflict++] = r;
        }
    }
    a->nearest = a->n_conflict > 0 ? nearest_of(p, a->conflict[a->n_conflict - 1], rows, limits) : NAN;
    return PARE_OK;
}

enum pare_status pare_solve_glpk(const struct pare_problem *p, struct pare_answer *a, struct pare_error *err)
{
    const bool none[PARE_MAX_ROWS] = {false};
    bool limits[PARE_COST_COUNT];
    enum pare_status status = pare_program_solve(p, NULL, 1, a, err);
    if (status != PARE_OK || a->status != PARE_SOLVE_INFEASIBLE) {
        return status;
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        limits[c] = isfinite(p->limit[c]);
    }
    if (p->n_rows == 0 || is_infeasible(p, none, limits)) {
        struct part q;
        take_part(p, none, limits, &q);
        blame_budget(&q.p, a);
        return PARE_OK;
    }
    return blame_rows(p, a, err);
}

enum pare_status pare_rows_gain(const struct pare_problem *p, const struct pare_answer *a, double *gain, struct pare_error *err)
{
    bool rows[PARE_MAX_ROWS], limits[PARE_COST_COUNT];
    double size = 0;
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        limits[c] = isfinite(p->limit[c]);
    }
    for (int r = 0; r < p->n_rows; r++) {
        rows[r] = true;
        gain[r] = NAN;
    }
    for (int i = 0; i < p->n_groups * p->n_levels; i++) {
        size = p->allowed[i] ? fmax(size, fabs(p->cost[p->objective][i])) : size;
    }
    for (int r = 0; r < p->n_rows; r++) {
        struct part q;
        struct pare_answer without = {0};
        rows[r] = false;
        take_part(p, rows, limits, &q);
        rows[r] = true;
        const enum pare_status status = pare_program_solve(&q.p, NULL, 1, &without, err);
        const double less = status == PARE_OK ? a->total[p->objective] - without.total[p->objective] : 0;
        const bool found = less > TRACE * p->n_groups * size;
        if (status == PARE_OK && (found || without.status == PARE_SOLVE_OPTIMAL)) {
            gain[r] = found ? less : 0;
        }
        pare_answer_clear(&without);
        if (status != PARE_OK && status != PARE_ERR_PARTIAL) {
            return status;
        }
    }
    return PARE_OK;
}
