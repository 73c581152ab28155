#include "search/correct.h"

#include <math.h>
#include <stdlib.h>

struct ranked {
    double value, rank;
    int i;
};

static int by_value(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? -1 : 1) : (x->i > y->i) - (x->i < y->i);
}

/* rank[i] of value[i], 1..n, equal ones at their mean; `work` has room for n. */
static void ranks(int n, const double *value, double *rank, struct ranked *work)
{
    for (int i = 0; i < n; i++) {
        work[i] = (struct ranked){value[i], 0, i};
    }
    qsort(work, (size_t)n, sizeof *work, by_value);
    for (int i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && work[j].value == work[i].value; j++) {
        }
        for (int k = i; k < j; k++) {
            rank[work[k].i] = (i + 1 + j) / 2.0;
        }
    }
}

double pare_spearman(int n, const double *x, const double *y, int *n_used, struct pare_error *err)
{
    const size_t room = (size_t)(n > 0 ? n : 1);
    double *a = malloc(4 * room * sizeof *a);
    struct ranked *work = malloc(room * sizeof *work);
    double result = NAN;
    int used = 0;
    if (a != NULL && work != NULL) {
        double *b = a + room, *ra = b + room, *rb = ra + room, sab = 0, saa = 0, sbb = 0;
        for (int i = 0; i < n; i++) {
            if (!isnan(x[i]) && !isnan(y[i])) {
                a[used] = x[i];
                b[used++] = y[i];
            }
        }
        ranks(used, a, ra, work);
        ranks(used, b, rb, work);
        const double mean = (used + 1) / 2.0;
        for (int i = 0; i < used; i++) {
            sab += (ra[i] - mean) * (rb[i] - mean);
            saa += (ra[i] - mean) * (ra[i] - mean);
            sbb += (rb[i] - mean) * (rb[i] - mean);
        }
        result = used >= 3 && saa > 0 && sbb > 0 ? sab / sqrt(saa * sbb) : NAN;
    } else {
        (void)pare_error_nomem(err);
    }
    if (n_used != NULL) {
        *n_used = used;
    }
    free(a);
    free(work);
    return result;
}

/* Solves A z = y for the symmetric positive definite A [n * n] by Cholesky, in place; z in y. */
static void cholesky(int n, double *a, double *y)
{
    for (int j = 0; j < n; j++) {
        for (int i = j; i < n; i++) {
            double sum = a[i * n + j];
            for (int k = 0; k < j; k++) {
                sum -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] = i == j ? sqrt(sum > 1e-300 ? sum : 1e-300) : sum / a[j * n + j];
        }
    }
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++) {
            y[i] -= a[i * n + k] * y[k];
        }
        y[i] /= a[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++) {
            y[i] -= a[k * n + i] * y[k];
        }
        y[i] /= a[i * n + i];
    }
}

enum pare_status pare_ridge(int n_obs, int n_vars, const double *x, const double *y, double lambda, double *d,
                            struct pare_error *err)
{
    const size_t n = (size_t)(n_obs > 0 ? n_obs : 1);
    double *a = malloc(n * n * sizeof *a), *z = malloc(n * sizeof *z);
    if (a == NULL || z == NULL) {
        free(a);
        free(z);
        return pare_error_nomem(err);
    }
    for (int i = 0; i < n_obs; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = i == j ? lambda : 0;
            for (int v = 0; v < n_vars; v++) {
                sum += x[i * n_vars + v] * x[j * n_vars + v];
            }
            a[i * n_obs + j] = a[j * n_obs + i] = sum;
        }
        z[i] = y[i];
    }
    cholesky(n_obs, a, z);
    for (int v = 0; v < n_vars; v++) {
        d[v] = 0;
        for (int i = 0; i < n_obs; i++) {
            d[v] += x[i * n_vars + v] * z[i];
        }
    }
    free(a);
    free(z);
    return PARE_OK;
}
