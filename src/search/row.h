/*
 * row.h: extra rows of a problem: weighted sums that have to lie between two bounds,
 *
 *   at_least <= sum_g cost(g, x_g) + sum_pairs weight [x_a != x_b] <= at_most
 *
 * A row holds when it is no further outside than a millionth of its largest coefficient: costs are floating point, and
 * GLPK's tolerance is a tenth of that.
 */
#ifndef PARE_ROW_H
#define PARE_ROW_H

#include <stdbool.h>

#include "base/json.h"
#include "base/status.h"

#define PARE_MAX_ROWS 64

struct pare_problem;
struct pare_answer;

struct pare_row_pair {
    int a, b;                  /* groups */
    double weight;             /* when their levels differ */
};

struct pare_row {
    char *name;                /* malloc'ed, as all that it holds */
    double at_least, at_most;  /* -INFINITY, INFINITY = none */
    double *cost;              /* [n_groups * n_levels]; finite where allowed */
    int n_pairs;
    struct pare_row_pair *pairs;
    double size;               /* its largest coefficient, as pare_row_settle found it */
};

/* A row of zeros with room for n_pairs pairs; false when memory is out (nothing is left behind then). */
bool pare_row_init(struct pare_row *r, const char *name, int cells, int n_pairs);
void pare_row_clear(struct pare_row *r);
/* To be called when the coefficients are there. Pairs of the same groups become one, pairs of a group with itself go. */
void pare_row_settle(struct pare_row *r, int cells);

double pare_row_value(const struct pare_row *r, int n_groups, int n_levels, const int *levels);
/* How it changes when group g goes to level l. */
double pare_row_change(const struct pare_problem *p, const struct pare_row *r, const int *levels, int g, int l);
/* By how much a value is outside the bounds, relative to the bound or the largest coefficient; 0: the row holds. */
double pare_row_over(const struct pare_row *r, double value);
/* The sum of that over a problem's rows. */
double pare_rows_over(const struct pare_problem *p, const int *levels);
/* Is there less room left to one of its bounds than any change of one group would take? */
bool pare_row_tight(const struct pare_problem *p, const struct pare_row *r, const int *levels);

/* What the rows are worth at an answer that pare_solve_glpk proved: gain[n_rows] of how much smaller the objective gets
 * when one row is left out (0 = this row does not bind; NaN = not found within the time limit). */
enum pare_status pare_rows_gain(const struct pare_problem *p, const struct pare_answer *a, double *gain, struct pare_error *err);

/* [{"name", "value", "at_least", "at_most", "holds", "binds"}]; gain may be NULL: then "binds" is tightness. */
json_t *pare_rows_report(const struct pare_problem *p, const int *levels, const double *gain);

json_t *pare_row_to_json(const struct pare_row *r, int cells);
/* ERR_FORMAT when it is none of a problem of this size. */
enum pare_status pare_row_from_json(const json_t *json, int n_groups, int n_levels, struct pare_row *r, struct pare_error *err);

#endif
