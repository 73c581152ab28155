/*
 * problem.h: what a solver solves. One level for every group (a layer, or a whole model with --per model), so that
 * one figure is small and the others stay within their budgets. All costs add up over groups.
 *
 *   minimise   sum_g objective(g, x_g)      x_g in the allowed levels of g
 *   subject to sum_g cost_k(g, x_g) <= limit_k  for every budget k, and the extra rows (row.h)
 *
 * Figures: loss (the smooth loss that stands for the drop), latency (ms, with fixed part), bytes, BitOps, energy (uJ). Any of them may be
 * minimised, any may have a budget.
 * Border costs: two neighbouring groups at levels of different form pay a conversion (ms).
 */
#ifndef PARE_PROBLEM_H
#define PARE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/status.h"
#include "search/row.h"

enum pare_figure_id { PARE_COST_LOSS, PARE_COST_LATENCY, PARE_COST_BYTES, PARE_COST_BITOPS, PARE_COST_ENERGY, PARE_COST_COUNT };
const char *pare_cost_name(enum pare_figure_id c); /* "drop", "latency", "bytes", "bitops", "energy" */

#define PARE_MOST_LEVELS 64

struct pare_border {
    int from, to;      /* groups: `to` reads what `from` writes */
    double ms;         /* when the forms of their levels differ */
};

struct pare_problem {
    int n_groups, n_levels;
    const char **group_names;    /* [n_groups] */
    const char **level_names;    /* [n_levels] */
    int *form;                   /* [n_levels] form of a level: equal forms need no conversion */
    double *cost[PARE_COST_COUNT]; /* [n_groups * n_levels], finite where allowed */
    bool *allowed;               /* [n_groups * n_levels] by pins, keeps and what was measured */
    double fixed[PARE_COST_COUNT]; /* added to every configuration (glue, other operators, unquantized bytes) */
    double limit[PARE_COST_COUNT]; /* NaN = no budget */
    enum pare_figure_id objective;
    int n_borders;
    struct pare_border *borders;
    int n_rows;                  /* at most PARE_MAX_ROWS */
    struct pare_row *rows;       /* malloc'ed */
    double time_limit_seconds;   /* 0 = 10 */
};

struct pare_answer {
    enum { PARE_SOLVE_OPTIMAL, PARE_SOLVE_FEASIBLE, PARE_SOLVE_INFEASIBLE } status;
    int *levels;                 /* [n_groups]; NULL when infeasible without any point */
    double total[PARE_COST_COUNT];
    double gap;                  /* relative, 0 = proven */
    double rounding;             /* an answer better by no more than this may exist (costs are rounded); objective's unit */
    double seconds;
    int nodes;
    /* infeasible: which budget, and the least that can be reached */
    enum pare_figure_id violated;
    double least;
    /* or which rows (indices, malloc'ed): they and these budgets cannot hold together, and would without any one of them;
     * how near to its bounds the last of the rows comes while the others hold, NaN = not known */
    int n_conflict, *conflict;
    bool conflict_limit[PARE_COST_COUNT];
    double nearest;
    double *row_gain;            /* pare_rows_gain's, malloc'ed; NULL = not asked for */
};

/* Checks sizes and that allowed costs are finite; names the group and level otherwise. */
enum pare_status pare_problem_check(const struct pare_problem *p, struct pare_error *err);
enum pare_status pare_problem_new(int n_groups, int n_levels, struct pare_problem **p, struct pare_error *err);
void pare_problem_free(struct pare_problem *p);
/* Takes the row (it is cleared); false when memory is out or there are too many. Rows have to be settled. */
bool pare_problem_take_row(struct pare_problem *p, struct pare_row *row_take);
/* Sums of a choice, borders included. */
void pare_problem_total(const struct pare_problem *p, const int *levels, double total[PARE_COST_COUNT]);

json_t *pare_problem_to_json(const struct pare_problem *p);
enum pare_status pare_problem_from_json(const json_t *json, struct pare_problem **p, struct pare_error *err);
json_t *pare_answer_to_json(const struct pare_problem *p, const struct pare_answer *a);

/* Solves with GLPK's branch and cut. Infeasible is an answer, not an error: it says why. */
enum pare_status pare_solve_glpk(const struct pare_problem *p, struct pare_answer *a, struct pare_error *err);
/* Solves to proven optimality by Lagrangian bounds and dynamic programming (exact.c); milliseconds for a thousand
 * layers. No rows, at most one budget, and borders that a few open layers at a time can remember: else ERR_USAGE, and the
 * program is for pare_solve_glpk. When the time limit ends it: FEASIBLE with its gap. */
enum pare_status pare_solve_exact(const struct pare_problem *p, struct pare_answer *a, struct pare_error *err);
/* Tries everything: for tests; refuses more than 2^24 configurations. */
enum pare_status pare_solve_exhaustive(const struct pare_problem *p, struct pare_answer *a,
                                       struct pare_error *err);
void pare_answer_clear(struct pare_answer *a);

#endif
