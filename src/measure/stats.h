/*
 * stats.h: intervals, paired comparisons, order statistics, monotone regression.
 */
#ifndef PARE_STATS_H
#define PARE_STATS_H

#include <stddef.h>

/* Exact (Clopper-Pearson) 95 % interval of a proportion k of n; n == 0 gives [0, 1]. */
void pare_interval_proportion(int k, int n, double *low, double *high);

/* Paired drop of top-1: reference right and candidate wrong = `lost`, the reverse = `won`, of n samples.
 * drop = (lost - won) / n; interval: exact binomial interval of lost among the lost + won discordant
 * samples, carried to the difference (conditional on their number). With no discordant sample: the exact
 * one-sided bounds of 0 of n. */
void pare_interval_paired(int lost, int won, int n, double *drop, double *low, double *high);

/* Percentile bootstrap of the mean of x[n], 95 %, 1,000 resamples from a fixed seed. */
void pare_interval_bootstrap(const double *x, int n, double *low, double *high);

/* Order statistics: sorts x; q in [0,1], linear between neighbours. NaN when n == 0. */
void pare_sort(double *x, size_t n);
double pare_quantile_sorted(const double *x, size_t n, double q);

/* Regularized incomplete beta function I_x(a, b), by Lentz's continued fraction; |error| < 1e-12. */
double pare_incomplete_beta(double a, double b, double x);

/* Monotone (non-decreasing) least squares fit by pool-adjacent-violators: x must be sorted ascending;
 * weights may be NULL; fitted[n] receives values at x. */
void pare_isotonic(const double *x, const double *y, const double *weights, int n, double *fitted);

#endif
