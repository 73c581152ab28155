/*
 * stats.h: intervals, paired comparisons, order statistics, monotone regression.
 */
#ifndef PARE_STATS_H
#define PARE_STATS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Exact (Clopper-Pearson) 95 % interval of a proportion k of n; n == 0 gives [0, 1]. */
void pare_interval_proportion(int k, int n, double *low, double *high);

/* Paired drop of top-1: reference right and candidate wrong = `lost`, the reverse = `won`, of n samples.
 * drop = (lost - won) / n with Tango's score interval (Tango, Statistics in Medicine 17, 1998): the number of
 * discordant samples counts as random too, and none of them leaves z^2 / (n + z^2) on either side. NaN when n is 0. */
void pare_interval_paired(int lost, int won, int n, double *drop, double *low, double *high);

/* One-sided bound of the same paired drop: with `confidence` (0.95) the true drop is below it. */
double pare_bound_paired(int lost, int won, int n, double confidence);

/* What is said of a metric on n samples, beside fp32's on the same samples. NaN where undefined. */
struct pare_figures {
    int samples;                       /* that have a label */
    double value, low, high;           /* 95 % interval */
    double reference;                  /* fp32 */
    double drop, drop_low, drop_high;  /* reference - value, paired; 95 % interval */
    double drop_upper;                 /* one-sided 95 % upper bound of the drop */
};
/* Top-1: pare_interval_proportion, pare_interval_paired. */
void pare_figures_top1(int right, int reference_right, int lost, int won, int n, struct pare_figures *f);
/* Any metric: percentile bootstrap over samples, 95 %, `resamples` of them from a fixed seed; a resample counts both
 * sides alike, so that the drop is paired. value(self, side, count): sample i counted count[i] times (NULL = once),
 * side 0 reference, 1 candidate; NaN where the resample has no value (it is left out). mean_like: a mean of shares per
 * sample, of which no sample differs (`equal`): then the exact bound of 0 of n holds instead of no interval at all.
 * *f is filled up to where value fails; its status is returned. */
typedef enum pare_status (*pare_metric_value_of)(void *self, int side, const int *count, double *value,
                                                 struct pare_error *err);
enum pare_status pare_figures_bootstrap(int n, int resamples, bool mean_like, bool equal, pare_metric_value_of value,
                                        void *self, struct pare_figures *f, struct pare_error *err);

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
