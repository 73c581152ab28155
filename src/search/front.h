/*
 * front.h: sets of points of which none beats another, and the complete front of a problem. Smaller is better in both
 * figures.
 */
#ifndef PARE_FRONT_H
#define PARE_FRONT_H

#include "search/problem.h"

/* kept[i]: no other point is as good in both figures and better in one; of equal points the first is kept. Points with
 * a figure that is not a number are not kept. */
enum pare_status pare_front_of(int n, const double *x, const double *y, bool *kept, struct pare_error *err);

/* The area that the points dominate up to the reference point (in two figures the hypervolume of Zitzler and Thiele,
 * 1998); points beyond the reference add nothing. NaN when memory is out. */
double pare_hypervolume(int n, const double *x, const double *y, double x_reference, double y_reference);

/* All the points of a problem's front in two figures, ascending in x, descending in y. */
struct pare_front_set {
    int n, n_groups;
    double *x, *y;         /* true sums, fixed parts and borders included */
    unsigned char *levels; /* [n * n_groups] */
    double rounding;       /* for every configuration there is a point that is no worse in y, and in x by at most this */
    double seconds;
};

/* Figures x and y of the problem (its objective and limits are not looked at); at most `resolution` steps of x (0 =
 * 65536, fewer when many forms must be remembered). Errors as pare_solve_exact (a problem with rows is one); ERR_INFEASIBLE names a group without
 * levels. */
enum pare_status pare_solve_front(const struct pare_problem *p, enum pare_figure_id x, enum pare_figure_id y,
                                  int resolution, struct pare_front_set *front, struct pare_error *err);
void pare_front_set_clear(struct pare_front_set *front);
/* The point with the least y whose x is within the limit: its index, -1 = none. */
int pare_front_set_at(const struct pare_front_set *front, double x_limit);

#endif
