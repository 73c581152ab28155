#include "measure/stats.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

double pare_incomplete_beta(double a, double b, double x)
{
    const double tiny = 1e-300;
    if (x <= 0) {
        return 0;
    }
    if (x >= 1) {
        return 1;
    }
    if (x > (a + 1) / (a + b + 2)) {
        return 1 - pare_incomplete_beta(b, a, 1 - x); /* where the fraction converges fast */
    }
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a;
    double f = 1, c = 1, d = 0;
    for (int i = 0; i < 500; i++) {
        int m = i / 2;
        double numerator = i == 0       ? 1
                           : i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                        : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + numerator * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + numerator / c;
        c = fabs(c) < tiny ? tiny : c;
        f *= c * d;
        if (fabs(1 - c * d) < 1e-15) {
            break;
        }
    }
    return front * (f - 1);
}

/* The x with I_x(a, b) = p, by bisection: monotone, so it cannot fail. */
static double beta_quantile(double a, double b, double p)
{
    double low = 0, high = 1;
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (low + high);
        if (pare_incomplete_beta(a, b, middle) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

void pare_interval_proportion(int k, int n, double *low, double *high)
{
    *low = n <= 0 || k <= 0 ? 0 : beta_quantile(k, n - k + 1, 0.025);
    *high = n <= 0 || k >= n ? 1 : beta_quantile(k + 1, n - k, 0.975);
}

/* Standard normal quantile. */
static double normal_quantile(double p)
{
    double low = -10, high = 10;
    for (int i = 0; i < 80; i++) {
        double x = (low + high) / 2;
        *(0.5 * erfc(-x / sqrt(2.0)) < p ? &low : &high) = x;
    }
    return (low + high) / 2;
}

/* Tango's score statistic of a true difference d: (lost - won - n d) / its standard deviation under d, with the share of
 * `won` at its maximum likelihood under d. Falls as d grows. */
static double tango_score(double lost, double won, double n, double d)
{
    double a = 2 * n, b = (2 * n - lost + won) * d - lost - won, c = -won * d * (1 - d);
    double root = b * b - 4 * a * c, p = (sqrt(root > 0 ? root : 0) - b) / (2 * a);
    double variance = n * (2 * p + d * (1 - d));
    double over = lost - won - n * d;
    return variance > 1e-300 ? over / sqrt(variance) : over > 0 ? INFINITY : over < 0 ? -INFINITY : 0;
}

/* The difference at which the score is z. */
static double tango_bound(int lost, int won, int n, double z)
{
    double low = -1, high = 1;
    for (int i = 0; i < 100; i++) {
        double d = (low + high) / 2;
        *(tango_score(lost, won, n, d) > z ? &low : &high) = d;
    }
    return (low + high) / 2;
}

void pare_interval_paired(int lost, int won, int n, double *drop, double *low, double *high)
{
    *drop = *low = *high = NAN;
    if (n > 0) {
        double z = normal_quantile(0.975);
        *drop = (double)(lost - won) / n;
        *low = tango_bound(lost, won, n, z);
        *high = tango_bound(lost, won, n, -z);
    }
}

double pare_bound_paired(int lost, int won, int n, double confidence)
{
    return n > 0 ? tango_bound(lost, won, n, -normal_quantile(confidence)) : NAN;
}

void pare_figures_top1(int right, int reference_right, int lost, int won, int n, struct pare_figures *f)
{
    *f = (struct pare_figures){n, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (n > 0) {
        f->value = (double)right / n;
        f->reference = (double)reference_right / n;
        pare_interval_proportion(right, n, &f->low, &f->high);
        pare_interval_paired(lost, won, n, &f->drop, &f->drop_low, &f->drop_high);
        f->drop_upper = pare_bound_paired(lost, won, n, 0.95);
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void pare_sort(double *x, size_t n)
{
    if (n > 1) {
        qsort(x, n, sizeof *x, compare_doubles);
    }
}

double pare_quantile_sorted(const double *x, size_t n, double q)
{
    if (n == 0) {
        return NAN;
    }
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 >= n ? x[n - 1] : x[i] + (at - (double)i) * (x[i + 1] - x[i]);
}

void pare_interval_bootstrap(const double *x, int n, double *low, double *high)
{
    enum { RESAMPLES = 1000 };
    static const uint64_t multiplier = 6364136223846793005u;
    double means[RESAMPLES];
    uint64_t state = 0x853c49e6748fea9bu;
    if (n <= 0) {
        *low = *high = NAN;
        return;
    }
    for (int r = 0; r < RESAMPLES; r++) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            state = state * multiplier + 1442695040888963407u;
            sum += x[(state >> 33) % (uint64_t)n];
        }
        means[r] = sum / n;
    }
    pare_sort(means, RESAMPLES);
    *low = pare_quantile_sorted(means, RESAMPLES, 0.025);
    *high = pare_quantile_sorted(means, RESAMPLES, 0.975);
}

/* The next number of a fixed sequence (PCG's multiplier; the upper bits are used). */
static uint32_t next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Where no sample differs a resample cannot differ either: what is left is that 0 of n differed. */
static void bound_of_none(int n, struct pare_figures *f)
{
    f->drop_high = 1 - pow(0.025, 1.0 / n);
    f->drop_low = -f->drop_high;
    f->drop_upper = 1 - pow(0.05, 1.0 / n);
}

enum pare_status pare_figures_bootstrap(int n, int resamples, bool mean_like, bool equal, pare_metric_value_of value,
                                        void *self, struct pare_figures *f, struct pare_error *err)
{
    uint64_t state = 0x853c49e6748fea9bu;
    size_t kept = 0;
    *f = (struct pare_figures){n, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (n <= 0) {
        return PARE_OK;
    }
    int *count = malloc((size_t)n * sizeof *count);
    double *values = malloc((size_t)resamples * sizeof *values), *drops = malloc((size_t)resamples * sizeof *drops);
    enum pare_status status = count == NULL || values == NULL || drops == NULL ? pare_error_nomem(err)
                                                                              : value(self, 0, NULL, &f->reference, err);
    status = status == PARE_OK ? value(self, 1, NULL, &f->value, err) : status;
    f->drop = f->reference - f->value;
    for (int r = 0; status == PARE_OK && r < resamples; r++) {
        double side[2];
        memset(count, 0, (size_t)n * sizeof *count);
        for (int i = 0; i < n; i++) {
            count[next_number(&state) % (uint32_t)n]++;
        }
        for (int k = 0; status == PARE_OK && k < 2; k++) {
            status = value(self, k, count, &side[k], err);
        }
        if (status == PARE_OK && isfinite(side[0]) && isfinite(side[1])) {
            values[kept] = side[1];
            drops[kept++] = side[0] - side[1];
        }
    }
    if (status == PARE_OK && kept >= 20) {
        pare_sort(values, kept);
        pare_sort(drops, kept);
        f->low = pare_quantile_sorted(values, kept, 0.025);
        f->high = pare_quantile_sorted(values, kept, 0.975);
        f->drop_low = pare_quantile_sorted(drops, kept, 0.025);
        f->drop_high = pare_quantile_sorted(drops, kept, 0.975);
        f->drop_upper = pare_quantile_sorted(drops, kept, 0.95);
        if (mean_like && equal) {
            bound_of_none(n, f);
        }
    }
    free(count);
    free(values);
    free(drops);
    return status;
}

void pare_isotonic(const double *x, const double *y, const double *weights, int n, double *fitted)
{
    /* Blocks are kept in place: fitted[b] = value of block b, ends in `last`, weights in `mass`. */
    int *last = malloc((size_t)(n > 0 ? n : 1) * sizeof *last);
    double *mass = malloc((size_t)(n > 0 ? n : 1) * sizeof *mass);
    int blocks = 0;
    (void)x; /* only the order counts */
    if (last == NULL || mass == NULL) {
        for (int i = 0; i < n; i++) {
            fitted[i] = i > 0 && fitted[i - 1] > y[i] ? fitted[i - 1] : y[i]; /* still monotone */
        }
        free(last);
        free(mass);
        return;
    }
    for (int i = 0; i < n; i++) {
        fitted[blocks] = y[i];
        mass[blocks] = weights != NULL ? weights[i] : 1;
        last[blocks++] = i;
        while (blocks > 1 && fitted[blocks - 2] >= fitted[blocks - 1]) {
            double total = mass[blocks - 2] + mass[blocks - 1];
            fitted[blocks - 2] =
                total > 0 ? (fitted[blocks - 2] * mass[blocks - 2] + fitted[blocks - 1] * mass[blocks - 1]) / total
                          : fitted[blocks - 1];
            mass[blocks - 2] = total;
            last[blocks - 2] = last[blocks - 1];
            blocks--;
        }
    }
    for (int b = blocks - 1, i = n - 1; b >= 0; b--) {
        int first = b > 0 ? last[b - 1] + 1 : 0;
        double value = fitted[b];
        for (; i >= first; i--) {
            fitted[i] = value;
        }
    }
    free(last);
    free(mass);
}
