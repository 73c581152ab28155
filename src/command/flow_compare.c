/*
 * flow_compare.c: answers side by side: what each was asked, what it found and at what expense, how far it is from the
 * exact front of the predicted costs, which differences cannot be told from chance, and what turning one into another
 * would cost, layer by layer.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/additive.h"
#include "command/flow.h"
#include "measure/stats.h"
#include "search/front.h"

#define MAX_COMPARED 16

static double drop_of(const struct front_point *p)
{
    return isfinite(p->search.figures.drop) ? p->search.figures.drop : p->drop_predicted;
}

static double latency_of(const struct front_point *p)
{
    return isfinite(p->latency[1]) ? p->latency[1] : p->latency_predicted;
}

/* The corner that hypervolumes count up to: fp32's latency, and the budget of drop (without one: all is lost). */
static void reference_of(struct pare_front *f, double *ms, double *drop)
{
    unsigned char *fp32 = calloc((size_t)f->n_layers + 1, 1);
    *ms = NAN;
    for (int i = 0; i < f->n_points; i++) {
        *ms = isfinite(f->points[i].fp32_ms) ? f->points[i].fp32_ms : *ms;
    }
    *ms = isfinite(*ms) || fp32 == NULL ? *ms : front_latency_sum(f, fp32);
    *drop = isfinite(f->max_drop) && f->max_drop > 0 ? f->max_drop : 1;
    free(fp32);
}

/* Of a run's points, as a share of the whole corner. */
static double volume_of(const struct pare_front *f, int run, double ms, double drop)
{
    double *x = malloc(((size_t)f->n_points + 1) * 2 * sizeof *x), result = NAN;
    int n = 0;
    if (x != NULL) {
        double *y = x + f->n_points + 1;
        for (int i = 0; i < f->n_points; i++) {
            if (f->points[i].run == run) {
                x[n] = latency_of(&f->points[i]);
                y[n++] = fmax(drop_of(&f->points[i]), 0);
            }
        }
        result = pare_hypervolume(n, x, y, ms, drop) / (ms * drop);
    }
    free(x);
    return result;
}

/* The points that args name; false when one is not there (the flow has ended). */
static bool find_points(struct pare_front *f, struct front_flow *flow, int *points, int *n)
{
    const json_t *names = json_object_get(flow->args, "points");
    *n = 0;
    for (size_t i = 0; i < json_array_size(names) && *n < MAX_COMPARED; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const int point = name != NULL ? front_find_point(f, name) : -1;
        if (point < 0) {
            flow_end(f, flow, pare_error(&flow->err, PARE_ERR_NOINPUT, name, "no such run or point (see pare runs)"), NULL);
            return false;
        }
        points[(*n)++] = point;
    }
    return true;
}

/* Starts the exact answers at the points' own losses, when the costs are known; else there are no distances. */
static bool start_exact(struct pare_front *f, struct front_flow *flow, const int *points, int n)
{
    struct front_budget b = flow_budget(f, flow->args);
    struct pare_problem *p = NULL;
    b.max_drop = b.max_latency = b.max_bytes = b.max_bitops = b.max_energy = NAN;
    b.minimize = PARE_COST_LATENCY;
    if (f->follower || !f->profiled || front_problem(f, &b, &p, &flow->err) != PARE_OK || pare_problem_check(p, &flow->err) != PARE_OK) {
        pare_problem_free(p);
        return false;
    }
    json_t *limits = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(limits, pare_json_real(front_loss_sum(f, f->points[points[i]].levels)));
    }
    json_t *params = json_pack("{s:o, s:s, s:{s:i, s:o}}", "problem", pare_problem_to_json(p), "method", "", "sweep", "figure",
                               (int)PARE_COST_LOSS, "limits", limits);
    pare_problem_free(p);
    struct pare_task_spec spec = {.kind = "solve", .title = "exact front", .key = "", .params_take = params, .interactive = true,
                                  .priority = 100, .tag = &flow->answer};
    flow->task = pare_sched_add(f->sched, &spec);
    return flow->task != 0;
}

static json_t *run_json(struct pare_front *f, const struct front_flow *flow, int point, int i, double ms, double drop)
{
    const struct front_point *p = &f->points[point];
    const struct front_run *run = &f->runs[p->run];
    const struct pare_state *s = pare_front_state(f);
    const json_t *exact = json_array_get(json_object_get(flow->answer, "answers"), (size_t)i);
    const double least = pare_json_at_real(json_object_get(exact, "total"), PARE_COST_LATENCY);
    const double away = front_latency_sum(f, p->levels) - least; /* as the solver counts today */
    int n_points = 0;
    for (int k = 0; k < f->n_points; k++) {
        n_points += f->points[k].run == p->run;
    }
    json_t *best = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "point", p->number, "accuracy",
                             pare_json_real(p->search.figures.value), "drop", pare_json_real(drop_of(p)), "drop_low",
                             pare_json_real(p->search.figures.drop_low), "drop_high", pare_json_real(p->search.figures.drop_high),
                             "latency_ms", pare_json_real(latency_of(p)), "latency_measured", (int)isfinite(p->latency[1]), "bytes",
                             pare_json_real(front_bytes(f, p->levels)), "bitops", pare_json_real(front_bitops(f, p->levels)),
                             "drop_predicted", pare_json_real(p->drop_predicted), "latency_predicted_ms",
                             pare_json_real(p->latency_predicted), "energy_predicted_uj", pare_json_real(front_energy(f, p->levels)));
    if (json_object_size(json_object_get(p->facts, "claimed")) > 0) {
        json_object_set(best, "claimed", json_object_get(p->facts, "claimed")); /* by the tool it was imported from */
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:i, s:i, s:o, s:o, s:o}", "name",
                     point < s->n_points ? s->points[point].label : run->name, "run", run->name, "method", run->method, "budget",
                     pare_json_get_string(run->settings, "budget", ""), "status", pare_json_get_string(run->status, "status", ""),
                     "seconds", pare_json_real(pare_json_get_real(run->status, "seconds")), "evaluations",
                     (int)pare_json_get_int(run->status, "evaluations", 0), "points", n_points, "best", best, "hypervolume",
                     pare_json_real(volume_of(f, p->run, ms, drop)), "from_exact_ms",
                     pare_json_real(away < 0 && away > -1e-3 * ms ? 0 : away));
}

/* Is the paired difference of two points' right answers within chance, on the samples that both know? Other metrics than
 * top1: do the intervals of their drops hold each other's values? null when one of them was not measured. */
static json_t *tie_json(const struct pare_state *s, int a, int b)
{
    const struct pare_point *p = &s->points[a], *q = &s->points[b];
    const int n = p->n_right < q->n_right ? p->n_right : q->n_right;
    int lost = 0, won = 0;
    double drop, low, high;
    if (n == 0 || p->right == NULL || q->right == NULL) {
        const struct pare_figure *x = &p->drop, *y = &q->drop;
        return isfinite(x->low) && isfinite(y->low)
                   ? json_boolean(x->value >= y->low && x->value <= y->high && y->value >= x->low && y->value <= x->high)
                   : json_null();
    }
    for (int i = 0; i < n; i++) {
        const int x = (int)(p->right[i / 64] >> (i % 64) & 1), y = (int)(q->right[i / 64] >> (i % 64) & 1);
        lost += x && !y;
        won += !x && y;
    }
    pare_interval_paired(lost, won, n, &drop, &low, &high);
    return json_boolean(low <= 0 && high >= 0);
}

/* What turning the first into point i means. */
static json_t *change_json(struct pare_front *f, int from, int to)
{
    const struct front_point *a = &f->points[from], *b = &f->points[to];
    int layers = 0;
    for (int l = 0; l < f->n_layers; l++) {
        layers += a->levels[l] != b->levels[l];
    }
    return json_pack("{s:i, s:o, s:o, s:o, s:o}", "layers", layers, "latency_ms",
                     pare_json_real(front_latency_sum(f, b->levels) - front_latency_sum(f, a->levels)), "bytes",
                     pare_json_real(front_bytes(f, b->levels) - front_bytes(f, a->levels)), "loss",
                     pare_json_real(front_loss_sum(f, b->levels) - front_loss_sum(f, a->levels)), "tied",
                     tie_json(pare_front_state(f), from, to));
}

static json_t *differences_json(const struct pare_front *f, const int *points, int n)
{
    json_t *list = json_array();
    for (int l = 0; l < f->n_layers; l++) {
        json_t *levels = json_array(), *loss = json_array(), *ms = json_array();
        bool differs = false;
        for (int i = 0; i < n; i++) {
            const int level = f->points[points[i]].levels[l];
            differs = differs || level != f->points[points[0]].levels[l];
            json_array_append_new(levels, json_string(f->level_names[level]));
            json_array_append_new(loss, pare_json_real(additive_cell_loss(f, l, level)));
            json_array_append_new(ms, pare_json_real(f->cells[l * f->n_levels + level].ms));
        }
        if (differs) {
            json_array_append_new(list, json_pack("{s:s, s:O, s:O, s:O}", "layer", f->layers[l].name, "levels", levels, "loss", loss,
                                                  "ms", ms));
        }
        json_decref(levels);
        json_decref(loss);
        json_decref(ms);
    }
    return list;
}

void flow_advance_compare(struct pare_front *f, struct front_flow *flow)
{
    int points[MAX_COMPARED], n;
    double ms, drop;
    if (!find_points(f, flow, points, &n)) {
        return;
    }
    if (n < 2) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, "compare", "expected two or more RUN[:POINT]"), NULL);
        return;
    }
    if (flow->task == 0 && flow->round == 0) {
        flow->round = 1;
        (void)start_exact(f, flow, points, n);
    }
    if (flow->task != 0 && !flow_solver_done(f, flow)) {
        return;
    }
    reference_of(f, &ms, &drop);
    json_t *runs = json_array(), *changes = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(runs, run_json(f, flow, points[i], i, ms, drop));
        json_array_append_new(changes, change_json(f, points[0], points[i]));
    }
    flow_end(f, flow, PARE_OK, json_pack("{s:i, s:{s:o, s:o}, s:o, s:o, s:o}", "schema", 1, "reference", "latency_ms",
                                         pare_json_real(ms), "drop", pare_json_real(drop), "runs", runs, "changes", changes,
                                         "differences", differences_json(f, points, n)));
}
