/* plot.c: the plot of accuracy against latency of a session, or of some of its points, as a chart. */
#include "export/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/chart.h"

#define DEPTH 35 /* further down nobody chooses; those points are left out, as on the screen */
#define GREY 1

static bool is_drawable(const struct pare_point *p)
{
    return isfinite(p->latency.value) && p->latency.value > 0 && isfinite(p->accuracy.value);
}

static bool is_measured(const struct pare_point *p)
{
    return p->latency.kind == PARE_FIGURE_MEASURED && p->accuracy.kind == PARE_FIGURE_MEASURED;
}

static struct pare_chart_point point_of(const struct pare_state *s, int i, bool chosen)
{
    const struct pare_point *p = &s->points[i];
    const bool tall = p->front || chosen;
    return (struct pare_chart_point){.x = p->latency.value, .y = 100 * p->accuracy.value, .low = tall ? 100 * p->accuracy.low : NAN,
                                     .high = tall ? 100 * p->accuracy.high : NAN, .radius = chosen ? 7 : p->front ? 5 : 3.5,
                                     .label = chosen || strcmp(s->runs[p->run].method, "uniform") == 0 ? p->label : NULL,
                                     .open = !is_measured(p)};
}

static int by_x(const void *a, const void *b)
{
    const struct pare_chart_point *p = a, *q = b;
    return p->x < q->x ? -1 : p->x > q->x;
}

/* The front's points, of one kind: measured ones when there are any. */
static int front_points(const struct pare_state *s, double least, struct pare_chart_point *points)
{
    bool measured_only = false;
    int n = 0;
    for (int i = 0; i < s->n_points; i++) {
        measured_only = measured_only || (s->points[i].front && is_drawable(&s->points[i]) && is_measured(&s->points[i]));
    }
    for (int i = 0; i < s->n_points; i++) {
        if (s->points[i].front && is_drawable(&s->points[i]) && is_measured(&s->points[i]) == measured_only &&
            100 * s->points[i].accuracy.value >= least) {
            points[n++] = point_of(s, i, false);
        }
    }
    qsort(points, (size_t)n, sizeof *points, by_x);
    return n;
}

/* Which of the chosen points i is; -1 = none. */
static int choice_of(const int *chosen, int n_chosen, int i)
{
    int found = -1;
    for (int k = 0; k < n_chosen && found < 0; k++) {
        found = chosen[k] == i ? k : found;
    }
    return found;
}

/* One look for each run; when points are compared their runs have looks of their own, in that order, the others are grey. */
static int look_of(const struct pare_state *s, const int *chosen, int n_chosen, int run)
{
    int look = 0;
    for (int k = 0; n_chosen > 1 && k < n_chosen; k++) {
        bool before = false;
        for (int j = 0; j < k; j++) {
            before = before || s->points[chosen[j]].run == s->points[chosen[k]].run;
        }
        if (s->points[chosen[k]].run == run) {
            return look + (look >= GREY);
        }
        look += !before;
    }
    return n_chosen > 1 ? GREY : run;
}

enum pare_status pare_plot_write(const struct pare_state *s, const int *chosen, int n_chosen, const char *format, const char *path,
                                 struct pare_error *err)
{
    char title[256], x_label[256], y_label[64];
    double best = -INFINITY, worst = INFINITY;
    struct pare_chart_point *points = calloc(2 * (size_t)s->n_points + 1, sizeof *points), *next = points;
    struct pare_chart_series *series = calloc((size_t)s->n_runs + 1, sizeof *series);
    int n = 0;
    if (points == NULL || series == NULL) {
        free(points);
        free(series);
        return pare_error_nomem(err);
    }
    for (int i = 0; i < s->n_points; i++) {
        best = is_drawable(&s->points[i]) ? fmax(best, 100 * s->points[i].accuracy.value) : best;
    }
    const int n_front = front_points(s, best - DEPTH, next);
    series[n++] = (struct pare_chart_series){.kind = PARE_CHART_STEPS, .look = GREY, .n = n_front, .points = next};
    next += n_front;
    for (int run = 0; run < s->n_runs; run++) {
        struct pare_chart_series *one = &series[n];
        *one = (struct pare_chart_series){.kind = PARE_CHART_POINTS, .look = look_of(s, chosen, n_chosen, run), .points = next};
        for (int i = 0; i < s->n_points; i++) {
            const bool is_chosen = choice_of(chosen, n_chosen, i) >= 0;
            if (s->points[i].run == run && is_drawable(&s->points[i]) && 100 * s->points[i].accuracy.value >= best - DEPTH) {
                *next++ = point_of(s, i, is_chosen);
                one->n++;
                one->name = is_chosen || n_chosen < 2 ? s->runs[run].name : one->name;
                worst = fmin(worst, next[-1].y);
            }
        }
        n += one->n > 0;
    }
    snprintf(title, sizeof title, "%s on %s", s->name, s->target);
    snprintf(x_label, sizeof x_label, "latency, ms per sample (%s; filled: measured, open: predicted)", s->cpu);
    snprintf(y_label, sizeof y_label, "accuracy, %% of the %s split", s->split);
    const double span = fmax(best - worst, 2);
    const struct pare_chart chart = {.title = title, .x = {x_label, true, NAN, NAN},
                                     .y = {y_label, false, best - 1.05 * span, fmin(best + 0.07 * span, 101)}, .n_series = n,
                                     .series = series};
    const enum pare_status status = isfinite(best) ? pare_chart_write(&chart, format, path, err)
                                                   : pare_error(err, PARE_ERR_NOINPUT, NULL, "no point has both an accuracy and a latency yet");
    free(points);
    free(series);
    return status;
}
