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

#define MAX_COMPARED 64

static double drop_of(const struct front_point *p)
{
    return isfinite(p->search.figures.drop) ? p->search.figures.drop : p->drop_predicted;
}

static double latency_of(const struct front_point *p)
{
    return isfinite(p->latency[1]) ? p->latency[1] : p->latency_predicted;
}

/* The points that args name, or (of pare_front_distances) whose ids they hold; false when one is not there (the flow has
 * ended). */
static bool find_points(struct pare_front *f, struct front_flow *flow, int *points, int *n)
{
    const json_t *names = json_object_get(flow->args, "points"), *ids = json_object_get(flow->args, "ids");
    *n = 0;
    for (int p = 0; p < f->n_points && *n < MAX_COMPARED; p++) {
        for (size_t i = 0; i < json_array_size(ids); i++) {
            if (json_integer_value(json_array_get(ids, i)) == f->points[p].id) {
                points[(*n)++] = p;
                break;
            }
        }
    }
    if (json_array_size(names) > MAX_COMPARED) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, "compare", "expected at most %d points, found %zu", MAX_COMPARED,
                                     json_array_size(names)), NULL);
        return false;
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
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
    b.no_rows = true;
    b.use_pins = false; /* what pins and ties cost is part of the distance; who was found without them is no better than exact */
    b.untied = true;
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

/* ms of the i-th point above the exact answer at its loss, as the solver counts today; NaN when that is not known. */
static double from_exact(const struct pare_front *f, const struct front_flow *flow, int point, int i, double ms)
{
    const struct front_point *p = &f->points[point];
    const json_t *exact = json_array_get(json_object_get(flow->answer, "answers"), (size_t)i);
    const double least = pare_json_at_real(json_object_get(exact, "total"), PARE_COST_LATENCY);
    const bool known = isfinite(front_loss_sum(f, p->levels)); /* else the exact problem knows no level but fp32 */
    const double away = known ? front_latency_sum(f, p->levels) - least : NAN;
    return away < 0 && away > -1e-3 * ms ? 0 : away;
}

static json_t *run_json(struct pare_front *f, const struct front_flow *flow, int point, int i, double ms)
{
    const struct front_point *p = &f->points[point];
    const struct front_run *run = &f->runs[p->run];
    const struct pare_state *s = pare_front_state(f);
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
    json_object_set_new(best, "drop_measured", json_boolean(isfinite(p->search.figures.drop)));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:i, s:i, s:o, s:o, s:o}", "name",
                     point < s->n_points ? s->points[point].label : run->name, "run", run->name, "method", run->method, "budget",
                     pare_json_get_string(run->settings, "budget", ""), "status", pare_json_get_string(run->status, "status", ""),
                     "seconds", pare_json_real(pare_json_get_real(run->status, "seconds")), "evaluations",
                     (int)pare_json_get_int(run->status, "evaluations", 0), "points", n_points, "best", best, "hypervolume",
                     pare_json_real(pare_state_hypervolume(s, p->run)), "from_exact_ms",
                     pare_json_real(from_exact(f, flow, point, i, ms)));
}

/* What turning the first into point i means. */
static json_t *change_json(struct pare_front *f, int from, int to)
{
    const int tied = pare_state_tied(pare_front_state(f), from, to);
    const struct front_point *a = &f->points[from], *b = &f->points[to];
    int layers = 0;
    for (int l = 0; l < f->n_layers; l++) {
        layers += a->levels[l] != b->levels[l];
    }
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "layers", layers, "latency_ms",
                     pare_json_real(front_latency_sum(f, b->levels) - front_latency_sum(f, a->levels)), "bytes",
                     pare_json_real(front_bytes(f, b->levels) - front_bytes(f, a->levels)), "energy_uj",
                     pare_json_real(front_energy(f, b->levels) - front_energy(f, a->levels)), "loss",
                     pare_json_real(front_loss_sum(f, b->levels) - front_loss_sum(f, a->levels)), "tied",
                     tied < 0 ? json_null() : json_boolean(tied));
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

/* The answers to pare_front_distances, kept with the points for as long as the costs are those. */
static void keep_distances(struct pare_front *f, struct front_flow *flow, const int *points, int n)
{
    double ms, drop;
    pare_state_reference(pare_front_state(f), &ms, &drop);
    for (int i = 0; i < n; i++) {
        f->points[points[i]].from_exact = from_exact(f, flow, points[i], i, ms);
        f->points[points[i]].exact_at = (uint64_t)pare_json_get_int(flow->args, "costs", 0);
    }
    flow_end(f, flow, PARE_OK, json_object());
}

void pare_front_distances(struct pare_front *f, const int *points, int n)
{
    json_t *ids = json_array();
    for (int i = 0; f->described && f->profiled && !f->follower && !f->closing && i < n && i < MAX_COMPARED; i++) {
        struct front_point *p = points[i] >= 0 && points[i] < f->n_points ? &f->points[points[i]] : NULL;
        if (p != NULL && p->exact_at != f->costs && p->exact_asked != f->costs) {
            p->exact_asked = f->costs;
            json_array_append_new(ids, json_integer((json_int_t)p->id));
        }
    }
    if (json_array_size(ids) > 0) {
        json_t *args = json_pack("{s:O, s:I}", "ids", ids, "costs", (json_int_t)f->costs);
        (void)pare_front_start(f, "compare", args, NULL);
        json_decref(args);
    }
    json_decref(ids);
}

void flow_advance_compare(struct pare_front *f, struct front_flow *flow)
{
    int points[MAX_COMPARED], n;
    double ms, drop;
    if (!find_points(f, flow, points, &n)) {
        return;
    }
    const bool distances = json_object_get(flow->args, "ids") != NULL;
    if (n < 2 && !distances) {
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
    if (distances) {
        keep_distances(f, flow, points, n);
        return;
    }
    pare_state_reference(pare_front_state(f), &ms, &drop);
    json_t *runs = json_array(), *changes = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(runs, run_json(f, flow, points[i], i, ms));
        json_array_append_new(changes, change_json(f, points[0], points[i]));
    }
    flow_end(f, flow, PARE_OK, json_pack("{s:i, s:{s:o, s:o}, s:o, s:o, s:o}", "schema", 1, "reference", "latency_ms",
                                         pare_json_real(ms), "drop", pare_json_real(drop), "runs", runs, "changes", changes,
                                         "differences", differences_json(f, points, n)));
}
