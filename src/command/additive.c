/*
 * additive.c: is the sum of the parts the whole? Each layer's loss corrected by what measured configurations say: ridge
 * regression of measured on added losses, and the pairs of neighbours that explain the most of what is left. And how
 * well each cheap figure ranks the measured drops.
 */
#include "command/additive.h"

#include "command/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/stats.h"
#include "search/correct.h"

#define PRIOR 0.5         /* a layer's true share lies within about this of the predicted one */
#define NOISE 0.2         /* relative, of a measured sum */
#define LEAST_SAMPLES 200 /* of a configuration that counts, or half of a small split */

double additive_cell_loss(const struct pare_front *f, int layer, int level)
{
    const struct front_cell *c = &f->cells[layer * f->n_levels + level];
    return level == 0 ? 0 : c->samples > 0 ? c->loss / c->samples : NAN;
}

void additive_clear(struct additive *v)
{
    free(v->factor);
    free(v->point);
    free(v->sum);
}

bool additive_new(const struct pare_front *f, struct additive *v)
{
    memset(v, 0, sizeof *v);
    v->factor = malloc(((size_t)f->n_layers + 1) * sizeof *v->factor);
    v->point = malloc(((size_t)f->n_points + 1) * sizeof *v->point);
    v->sum = malloc(((size_t)f->n_points + 1) * sizeof *v->sum);
    if (v->factor == NULL || v->point == NULL || v->sum == NULL) {
        return false;
    }
    for (int l = 0; l < f->n_layers; l++) {
        v->factor[l] = 1;
    }
    const int half = f->split_samples[1] / 2, least = half < LEAST_SAMPLES ? half : LEAST_SAMPLES; /* not all have labels */
    for (int i = 0; i < f->n_points; i++) {
        const struct front_point *p = &f->points[i];
        bool seen = false;
        for (int k = 0; k < v->n && !seen; k++) { /* runs repeat each other's configurations */
            seen = memcmp(f->points[v->point[k]].levels, p->levels, (size_t)f->n_layers) == 0;
        }
        if (!seen && p->search.samples >= least && isfinite(p->search.figures.drop) && isfinite(front_loss_sum(f, p->levels))) {
            v->point[v->n++] = i;
        }
    }
    return true;
}

static double pair_feature(const struct pare_front *f, const struct additive_pair *p, const unsigned char *levels)
{
    return sqrt(fmax(additive_cell_loss(f, p->a, levels[p->a]), 0) * fmax(additive_cell_loss(f, p->b, levels[p->b]), 0));
}

double additive_sum(const struct pare_front *f, const struct additive *v, const unsigned char *levels)
{
    double sum = 0;
    for (int l = 0; l < f->n_layers; l++) {
        sum += v->factor[l] * additive_cell_loss(f, l, levels[l]);
    }
    for (int k = 0; k < v->n_pairs; k++) {
        sum += v->pairs[k].weight * pair_feature(f, &v->pairs[k], levels);
    }
    return sum > 0 ? sum : 0;
}

/* Each observation is divided by its size: a tenth too much counts the same for small and large losses. */
static double size_of(const struct pare_front *f, const struct front_point *p)
{
    return 1 / (front_loss_sum(f, p->levels) + p->search.loss / p->search.samples + 1e-6);
}

/* The neighbours whose product explains most of the residuals r, if it is more than chance (t > 3). */
static bool find_pair(const struct pare_front *f, const struct additive *v, const double *r, struct additive_pair *best)
{
    double best_t = 3;
    for (int b = 0; b < f->n_layers; b++) {
        for (int k = 0; k < f->layers[b].n_from; k++) {
            struct additive_pair p = {f->layers[b].from[k], b, 0};
            double sxx = 0, sxy = 0, syy = 0;
            bool known = p.a == b;
            for (int i = 0; i < v->n_pairs; i++) {
                known = known || (v->pairs[i].a == p.a && v->pairs[i].b == b);
            }
            for (int i = 0; i < v->n && !known; i++) {
                const struct front_point *at = &f->points[v->point[i]];
                const double x = pair_feature(f, &p, at->levels) * size_of(f, at);
                sxx += x * x;
                sxy += x * r[i];
                syy += r[i] * r[i];
            }
            if (known || sxx <= 0 || v->n < 10) {
                continue;
            }
            p.weight = sxy / sxx;
            const double left = (syy - sxy * sxy / sxx) / (v->n - 1), t = left > 0 ? fabs(p.weight) / sqrt(left / sxx) : 0;
            if (t > best_t) {
                best_t = t;
                *best = p;
            }
        }
    }
    return best_t > 3;
}

/* Fills factor and pairs from the measured configurations. */
bool additive_learn(const struct pare_front *f, struct additive *v)
{
    const size_t n = (size_t)v->n + 1, m = (size_t)f->n_layers + 1;
    double *x = calloc(n * m, sizeof *x), *y = calloc(n, sizeof *y), *d = calloc(m, sizeof *d);
    bool ok = x != NULL && y != NULL && d != NULL;
    for (int i = 0; ok && i < v->n; i++) {
        const struct front_point *p = &f->points[v->point[i]];
        const double size = size_of(f, p);
        for (int l = 0; l < f->n_layers; l++) {
            x[i * f->n_layers + l] = additive_cell_loss(f, l, p->levels[l]) * size;
        }
        y[i] = (p->search.loss / p->search.samples - front_loss_sum(f, p->levels)) * size;
    }
    ok = ok && pare_ridge(v->n, f->n_layers, x, y, NOISE * NOISE / (PRIOR * PRIOR), d, NULL) == PARE_OK;
    for (int l = 0; ok && l < f->n_layers; l++) {
        const double factor = 1 + d[l];
        v->factor[l] = factor < 0.2 ? 0.2 : factor > 5 ? 5 : factor;
    }
    struct additive_pair found;
    while (ok && v->n_pairs < ADDITIVE_PAIRS) {
        for (int i = 0; i < v->n; i++) {
            const struct front_point *p = &f->points[v->point[i]];
            y[i] = (p->search.loss / p->search.samples - additive_sum(f, v, p->levels)) * size_of(f, p);
        }
        if (!find_pair(f, v, y, &found)) {
            break;
        }
        v->pairs[v->n_pairs++] = found;
    }
    free(x);
    free(y);
    free(d);
    return ok;
}

static int by_first(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

double additive_sum_of_drop(const struct pare_front *f, const struct additive *v, double max_drop)
{
    const size_t n = (size_t)v->n + 1;
    double(*pairs)[3] = calloc(n, sizeof *pairs), *numbers = calloc(4 * n, sizeof *numbers), result = NAN;
    if (pairs != NULL && numbers != NULL) {
        double *x = numbers, *y = numbers + n, *w = numbers + 2 * n, *fitted = numbers + 3 * n;
        int m = 0;
        pairs[m][2] = FRONT_MIXED_SAMPLES;
        m++;
        for (int i = 0; i < v->n; i++, m++) {
            const struct front_point *p = &f->points[v->point[i]];
            pairs[m][0] = additive_sum(f, v, p->levels);
            pairs[m][1] = fmax(p->search.figures.drop, 0);
            pairs[m][2] = p->search.samples;
        }
        qsort(pairs, (size_t)m, sizeof *pairs, by_first);
        for (int i = 0; i < m; i++) {
            x[i] = pairs[i][0];
            y[i] = pairs[i][1];
            w[i] = pairs[i][2];
        }
        pare_isotonic(x, y, w, m, fitted);
        result = 0;
        for (int i = 0; i < m; i++) {
            if (fitted[i] <= max_drop) {
                result = x[i];
            } else if (i > 0 && fitted[i - 1] <= max_drop) {
                result = x[i - 1] + (max_drop - fitted[i - 1]) / (fitted[i] - fitted[i - 1]) * (x[i] - x[i - 1]);
            }
        }
        result = fitted[m - 1] <= max_drop ? INFINITY : result;
    }
    free(pairs);
    free(numbers);
    return result;
}

/* ---- proxies ---- */

static double sum_over(const struct pare_front *f, const unsigned char *levels, int which)
{
    double sum = 0;
    for (int l = 0; l < f->n_layers; l++) {
        const struct front_cell *c = &f->cells[l * f->n_levels + levels[l]];
        const double power = front_own(c, PARE_OWN_POWER), own = power > 0 ? front_own(c, PARE_OWN_MSE) / power : (double)NAN;
        if (levels[l] == 0) {
            continue;
        }
        sum += which == 0 ? own : c->samples > 0 ? (double)(c->lost - c->won) / c->samples : NAN;
    }
    return sum;
}

enum { P_LOSS, P_NOISE, P_DROP, P_BITOPS, P_BYTES, P_CORRECTED, N_PROXIES };

/* Each configuration's value by each proxy, and (last) its measured drop: x[proxy * n + configuration]. */
static void proxy_values(struct pare_front *f, const struct additive *v, double *x, size_t n)
{
    for (int i = 0; i < v->n; i++) {
        const struct front_point *p = &f->points[v->point[i]];
        const double values[N_PROXIES + 1] = {
            [P_LOSS] = front_loss_sum(f, p->levels),      [P_NOISE] = sum_over(f, p->levels, 0),
            [P_DROP] = sum_over(f, p->levels, 1),         [P_BITOPS] = -front_bitops(f, p->levels),
            [P_BYTES] = -front_bytes(f, p->levels),       [P_CORRECTED] = additive_sum(f, v, p->levels),
            [N_PROXIES] = p->search.figures.drop};
        for (int k = 0; k <= N_PROXIES; k++) {
            x[(size_t)k * n + (size_t)i] = values[k];
        }
    }
}

/* Predicted against measured latency, of the points that have both. */
static double latency_rank(const struct pare_front *f, int *used)
{
    double *x = calloc(2 * (size_t)f->n_points + 1, sizeof *x), rho = NAN;
    *used = 0;
    if (x != NULL) {
        for (int i = 0; i < f->n_points; i++) {
            x[i] = f->points[i].latency_predicted;
            x[f->n_points + i] = f->points[i].latency[1];
        }
        rho = pare_spearman(f->n_points, x, x + f->n_points, used, NULL);
    }
    free(x);
    return rho;
}

static int best_first(const void *a, const void *b)
{
    const struct pare_proxy *p = a, *q = b;
    const int late_p = 2 * p->latency + p->knows, late_q = 2 * q->latency + q->knows;
    if (late_p != late_q) {
        return late_p - late_q;
    }
    const double x = isfinite(p->spearman) ? p->spearman : -2, y = isfinite(q->spearman) ? q->spearman : -2;
    return x > y ? -1 : x < y ? 1 : strcmp(p->name, q->name);
}

static int find_proxies(struct pare_front *f, struct pare_proxy *proxies)
{
    static const struct pare_proxy all[N_PROXIES + 1] = {
        [P_LOSS] = {.name = "loss", .what = "smooth losses of the layers, added"},
        [P_NOISE] = {.name = "noise", .what = "noise to signal of the layers' outputs, added"},
        [P_DROP] = {.name = "drop", .what = "drops of the layers, added"},
        [P_BITOPS] = {.name = "bitops", .what = "BitOps"},
        [P_BYTES] = {.name = "bytes", .what = "bytes"},
        [P_CORRECTED] = {.name = "corrected", .what = "loss, each layer corrected by what was measured", .knows = true},
        [N_PROXIES] = {.name = "latency", .what = "predicted against measured latency", .latency = true}};
    struct additive v;
    const bool ok = additive_new(f, &v) && additive_learn(f, &v);
    const size_t n = (size_t)(ok ? v.n : 0) + 1;
    double *x = calloc((N_PROXIES + 1) * n, sizeof *x);
    int count = 0;
    if (x != NULL && ok) {
        proxy_values(f, &v, x, n);
        for (int k = 0; k <= N_PROXIES; k++) {
            struct pare_proxy *one = &proxies[count++];
            *one = all[k];
            one->spearman = k == N_PROXIES ? latency_rank(f, &one->n)
                                           : pare_spearman(v.n, x + (size_t)k * n, x + N_PROXIES * n, &one->n, NULL);
        }
        qsort(proxies, (size_t)count, sizeof *proxies, best_first);
    }
    free(x);
    additive_clear(&v);
    return count;
}

/* Of all that the proxies are computed from: costs, and what was measured of points. A screen asks with every change. */
static uint64_t checksum(const struct pare_front *f)
{
    uint64_t sum = 14695981039346656037u ^ f->costs;
    for (int i = 0; i < f->n_points; i++) {
        const struct front_point *p = &f->points[i];
        const double figures[5] = {p->search.samples, p->search.loss, p->search.figures.drop, p->latency[1], p->latency_predicted};
        unsigned char bytes[sizeof figures];
        memcpy(bytes, figures, sizeof bytes);
        for (size_t k = 0; k < sizeof bytes; k++) {
            sum = (sum ^ bytes[k]) * 1099511628211u;
        }
    }
    return sum;
}

int pare_front_proxies(struct pare_front *f, struct pare_proxy *proxies)
{
    const uint64_t now = checksum(f);
    if (f->n_proxies == 0 || f->proxies_of != now) {
        f->n_proxies = find_proxies(f, f->proxies);
        f->proxies_of = now;
    }
    memcpy(proxies, f->proxies, (size_t)f->n_proxies * sizeof *proxies);
    return f->n_proxies;
}

json_t *flow_proxies_json(struct pare_front *f)
{
    struct pare_proxy proxies[PARE_PROXIES];
    const int n = pare_front_proxies(f, proxies);
    json_t *list = json_array();
    for (int k = 0; k < n; k++) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:i, s:b, s:b}", "proxy", proxies[k].name, "what", proxies[k].what,
                                              "spearman", pare_json_real(proxies[k].spearman), "points", proxies[k].n, "fitted",
                                              (int)proxies[k].knows, "latency", (int)proxies[k].latency));
    }
    return list;
}
