#include "measure/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/limits.h"

enum { FOLDS = 5, SWEEPS = 300, MOST_ROWS = 512 };

static double round_up(double x, double step)
{
    return ceil(x / step) * step;
}

/* Padded products; tiles; outputs; weights; products of a panel of activations (taps > 1) or inputs; one. Scaled to be of like size. */
static void features_of(const struct pare_predictor *p, const struct pk_conv *c, double x[PARE_FEATURES])
{
    const double m = (double)c->out_h * c->out_w, n = (double)c->out_c / (p->depthwise ? 1 : c->groups);
    const double k = pare_conv_depth(c, p->depthwise), taps = (double)c->kernel_h * c->kernel_w;
    if (p->depthwise) {
        x[0] = 1e-3 * m * round_up(n, p->nr) * taps;
        x[1] = 1e-2 * c->out_h * round_up(c->out_w, p->mr);
        x[4] = 1e-3 * c->in_h * c->in_w * n;
    } else {
        x[0] = 1e-4 * round_up(m, p->mr) * round_up(n, p->nr) * round_up(k, p->kr) * c->groups;
        x[1] = 1e-1 * ceil(m / p->mr) * ceil(n / p->nr) * c->groups;
        x[4] = taps > 1 ? 1e-3 * m * k : 0;
    }
    x[2] = 1e-3 * m * c->out_c;
    x[3] = 1e-3 * n * k;
    x[5] = 1;
}

/* Weights by coordinate descent on sum over rows of (w . x / us - 1)^2, w >= 0; rows with i % folds == left_out do not count
 * (left_out < 0: all do). */
static void solve(struct pare_predictor *p, const struct pare_predict_row *rows, int n, int left_out)
{
    double gram[PARE_FEATURES][PARE_FEATURES] = {{0}}, right[PARE_FEATURES] = {0};
    for (int i = 0; i < n; i++) {
        double x[PARE_FEATURES];
        if (left_out >= 0 && i % FOLDS == left_out) {
            continue;
        }
        features_of(p, &rows[i].conv, x);
        for (int a = 0; a < PARE_FEATURES; a++) {
            right[a] += x[a] / rows[i].us;
            for (int b = 0; b < PARE_FEATURES; b++) {
                gram[a][b] += x[a] * x[b] / (rows[i].us * rows[i].us);
            }
        }
    }
    memset(p->weight, 0, sizeof p->weight);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int a = 0; a < PARE_FEATURES; a++) {
            double slope = right[a];
            for (int b = 0; b < PARE_FEATURES; b++) {
                slope -= b != a ? gram[a][b] * p->weight[b] : 0;
            }
            p->weight[a] = gram[a][a] > 0 && slope > 0 ? slope / gram[a][a] : 0;
        }
    }
}

double pare_predictor_us(const struct pare_predictor *p, const struct pk_conv *c)
{
    double x[PARE_FEATURES], us = 0;
    features_of(p, c, x);
    for (int a = 0; a < PARE_FEATURES; a++) {
        us += p->weight[a] * x[a];
    }
    return us;
}

/* Mean relative error of the rows that each fold leaves out. */
static double held_out(struct pare_predictor *p, const struct pare_predict_row *rows, int n, double *worst)
{
    double sum = 0;
    *worst = 0;
    for (int fold = 0; fold < FOLDS; fold++) {
        solve(p, rows, n, fold);
        for (int i = fold; i < n; i += FOLDS) {
            const double e = fabs(pare_predictor_us(p, &rows[i].conv) / rows[i].us - 1);
            sum += e;
            *worst = e > *worst ? e : *worst;
        }
    }
    return sum / n;
}

bool pare_predictor_fit(const struct pare_predict_row *rows, int n, bool depthwise, struct pare_predictor *p)
{
    static const int mrs[] = {1, 4, 6, 8, 16, 32}, nrs[] = {1, 8, 16, 32, 64}, krs[] = {1, 4, 64};
    *p = (struct pare_predictor){.depthwise = depthwise, .error = INFINITY, .least_macs = INFINITY};
    n = n < MOST_ROWS ? n : MOST_ROWS;
    if (n < PARE_PREDICT_LEAST) {
        return false;
    }
    struct pare_predictor best = *p;
    for (size_t a = 0; a < sizeof mrs / sizeof mrs[0]; a++) {
        for (size_t b = 0; b < sizeof nrs / sizeof nrs[0]; b++) {
            for (size_t c = 0; c < (depthwise ? 1 : sizeof krs / sizeof krs[0]); c++) {
                struct pare_predictor one = {.n = n, .depthwise = depthwise, .mr = mrs[a], .nr = nrs[b], .kr = krs[c]};
                one.error = held_out(&one, rows, n, &one.worst);
                if (one.error < best.error) {
                    best = one;
                }
            }
        }
    }
    if (!isfinite(best.error)) {
        return false;
    }
    solve(&best, rows, n, -1);
    best.least_macs = INFINITY;
    for (int i = 0; i < n; i++) {
        const double macs = pare_conv_macs(&rows[i].conv, depthwise);
        best.least_macs = macs < best.least_macs ? macs : best.least_macs;
        best.most_macs = macs > best.most_macs ? macs : best.most_macs;
    }
    *p = best;
    return true;
}
