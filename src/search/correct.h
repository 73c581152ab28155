/*
 * correct.h: is the sum of the parts the whole? What measurements say of additive predictions: rank correlation of a
 * proxy with what was measured, and corrections of the parts.
 */
#ifndef PARE_CORRECT_H
#define PARE_CORRECT_H

#include "base/status.h"

/* Spearman's rank correlation of x and y, equal values at their mean rank; pairs with a NaN are left out. *n_used (may
 * be NULL) pairs counted. NaN with fewer than 3, or when either is constant. */
double pare_spearman(int n, const double *x, const double *y, int *n_used, struct pare_error *err);

/* Ridge regression through the origin in n_obs observations of n_vars variables, n_obs the smaller of the two:
 *   minimise  sum_i (y_i - sum_v x[i][v] d_v)^2 + lambda sum_v d_v^2,   d = X' (X X' + lambda I)^-1 y
 * x: [n_obs * n_vars] rows; d: [n_vars]. lambda > 0. ERR_NOMEM. */
enum pare_status pare_ridge(int n_obs, int n_vars, const double *x, const double *y, double lambda, double *d,
                            struct pare_error *err);

#endif
