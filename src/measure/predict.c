#include "measure/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/limits.h"

enum { FOLDS = 5, NONE = -1, SWEEPS = 300, MOST_ROWS = 512, MOST_SIZES = 90 };

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

/* Weights by coordinate descent on sum over rows of (w . x / us - 1)^2, w >= 0; rows of the folds (i % FOLDS) a and b do not
 * count (NONE: all do). */
static void solve(struct pare_predictor *p, const struct pare_predict_row *rows, int n, int fold_a, int fold_b)
{
    double gram[PARE_FEATURES][PARE_FEATURES] = {{0}}, right[PARE_FEATURES] = {0};
    for (int i = 0; i < n; i++) {
        double x[PARE_FEATURES];
        if (i % FOLDS == fold_a || i % FOLDS == fold_b) {
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

/* Relative errors of one fold's rows. */
struct fold_error {
    double sum, worst;
};

static struct fold_error error_on(const struct pare_predictor *p, const struct pare_predict_row *rows, int n, int fold)
{
    struct fold_error e = {0, 0};
    for (int i = fold; i < n; i += FOLDS) {
        const double one = fabs(pare_predictor_us(p, &rows[i].conv) / rows[i].us - 1);
        e.sum += one;
        e.worst = one > e.worst ? one : e.worst;
    }
    return e;
}

/* Tile sizes, tried on rows that took no part in the fit. */
struct trial {
    struct pare_predictor p;
    double inner[FOLDS];            /* errors on the other folds, with this fold and each of them left out */
    struct fold_error outer[FOLDS]; /* on this fold, with it left out */
    double all;                     /* of outer */
};

static void try_sizes(struct trial *t, const struct pare_predict_row *rows, int n)
{
    t->all = 0;
    memset(t->inner, 0, sizeof t->inner);
    for (int a = 0; a < FOLDS; a++) {
        solve(&t->p, rows, n, a, NONE);
        t->outer[a] = error_on(&t->p, rows, n, a);
        t->all += t->outer[a].sum;
        for (int b = 0; b < a; b++) {
            solve(&t->p, rows, n, a, b);
            t->inner[a] += error_on(&t->p, rows, n, b).sum;
            t->inner[b] += error_on(&t->p, rows, n, a).sum;
        }
    }
}

/* The error that the reader is told: a fold's rows had no part in the choice of the tile sizes either. */
static void held_out_error(const struct trial *trials, int n_trials, int n, struct pare_predictor *p)
{
    p->error = p->worst = 0;
    for (int fold = 0; fold < FOLDS; fold++) {
        int best = 0;
        for (int t = 1; t < n_trials; t++) {
            best = trials[t].inner[fold] < trials[best].inner[fold] ? t : best;
        }
        const struct fold_error *e = &trials[best].outer[fold];
        p->error += e->sum / n;
        p->worst = e->worst > p->worst ? e->worst : p->worst;
    }
}

bool pare_predictor_fit(const struct pare_predict_row *rows, int n, bool depthwise, struct pare_predictor *p)
{
    static const int mrs[] = {1, 4, 6, 8, 16, 32}, nrs[] = {1, 8, 16, 32, 64}, krs[] = {1, 4, 64};
    *p = (struct pare_predictor){.depthwise = depthwise, .error = INFINITY, .least_macs = INFINITY};
    n = n < MOST_ROWS ? n : MOST_ROWS;
    struct trial *trials = n >= PARE_PREDICT_LEAST ? calloc(MOST_SIZES, sizeof *trials) : NULL;
    if (trials == NULL) {
        return false;
    }
    int n_trials = 0, best = 0;
    for (size_t a = 0; a < sizeof mrs / sizeof mrs[0]; a++) {
        for (size_t b = 0; b < sizeof nrs / sizeof nrs[0]; b++) {
            for (size_t c = 0; c < (depthwise ? 1 : sizeof krs / sizeof krs[0]); c++) {
                struct trial *t = &trials[n_trials];
                t->p = (struct pare_predictor){.n = n, .depthwise = depthwise, .mr = mrs[a], .nr = nrs[b], .kr = krs[c]};
                try_sizes(t, rows, n);
                best = t->all < trials[best].all ? n_trials : best;
                n_trials++;
            }
        }
    }
    struct pare_predictor found = trials[best].p;
    held_out_error(trials, n_trials, n, &found);
    free(trials);
    if (!isfinite(found.error)) {
        return false;
    }
    solve(&found, rows, n, NONE, NONE);
    found.least_macs = INFINITY;
    for (int i = 0; i < n; i++) {
        const double macs = pare_conv_macs(&rows[i].conv, depthwise);
        found.least_macs = macs < found.least_macs ? macs : found.least_macs;
        found.most_macs = macs > found.most_macs ? macs : found.most_macs;
    }
    *p = found;
    return true;
}
