/*
 * flow_solve.c: solve. Measure what the costs need, fit the drop over the summed loss, solve, measure the answer; while
 * it is over a budget when measured, tighten and solve again.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/flow.h"
#include "command/linear.h"

static double real_or(const json_t *args, const char *key, double otherwise)
{
    return json_object_get(args, key) != NULL ? pare_json_get_real(args, key) : otherwise;
}

struct front_budget flow_budget(const struct pare_front *f, const json_t *args)
{
    const char *minimize = pare_json_get_string(args, "minimize", NULL);
    bool given = json_object_get(args, "max_drop") != NULL || json_object_get(args, "max_latency") != NULL ||
                 json_object_get(args, "max_bytes") != NULL || json_object_get(args, "max_bitops") != NULL ||
                 json_object_get(args, "max_energy") != NULL;
    struct front_budget b = {.minimize = f->minimize,
                             .max_drop = real_or(args, "max_drop", given ? NAN : f->max_drop),
                             .max_latency = real_or(args, "max_latency", given ? NAN : f->max_latency_ms),
                             .max_bytes = real_or(args, "max_bytes", given ? NAN : f->max_bytes),
                             .max_bitops = real_or(args, "max_bitops", given ? NAN : f->max_bitops),
                             .max_energy = 1e6 * real_or(args, "max_energy", given ? NAN : 1e-6 * f->max_energy_uj),
                             .max_loss = NAN,
                             .sure = pare_json_get_bool(args, "sure", false),
                             .per_model = strcmp(pare_json_get_string(args, "per", "layer"), "model") == 0,
                             .rows = json_object_get(args, "rows"),
                             .use_pins = !f->options.no_pins};
    for (int c = 0; minimize != NULL && c < PARE_COST_COUNT; c++) {
        b.minimize = strcmp(minimize, pare_cost_name((enum pare_figure_id)c)) == 0 ? (enum pare_figure_id)c : b.minimize;
    }
    if (b.minimize == PARE_COST_LOSS && json_object_get(args, "max_drop") == NULL) {
        b.max_drop = NAN; /* it is what is made small */
    }
    if (pare_json_get_bool(f->description, "bare", false)) {
        b.max_drop = NAN;
    }
    return b;
}

bool flow_ends_badly(struct pare_front *f, struct front_flow *flow, bool failed)
{
    if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
    return failed;
}

static int run_named(struct pare_front *f, const char *name, const char *method)
{
    for (int r = 0; r < f->n_runs; r++) {
        if (strcmp(f->runs[r].name, name) == 0 && strcmp(f->runs[r].method, method) == 0) {
            return r;
        }
    }
    json_t *settings = json_object();
    int run = front_add_run(f, name, method, settings, NULL);
    json_decref(settings);
    return run;
}

/* The uniform configs and the mixed ones behind the fit: points of their own runs, accuracy measured. */
static bool ensure_probes(struct pare_front *f, struct front_flow *flow, bool *failed)
{
    bool all = true;
    int uniform = run_named(f, "uniform", "uniform"), probes = run_named(f, "probes", "mixed");
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    if (levels == NULL || uniform < 0 || probes < 0) {
        *failed = true;
        free(levels);
        return false;
    }
    for (int i = 0; i < f->n_levels + FRONT_MIXED && !*failed; i++) {
        struct front_eval eval;
        char title[64];
        bool more = all || !f->looking;
        if (f->probe_done[i] || !more) {
            continue;
        }
        if (i < f->n_levels) {
            front_uniform(f, i, levels);
            snprintf(title, sizeof title, "accuracy of uniform %s", f->level_alias[i]);
        } else {
            front_mixed(f, i - f->n_levels, levels);
            snprintf(title, sizeof title, "accuracy of mixed configuration %d", i - f->n_levels + 1);
        }
        json_t *config = front_config_json(f, levels);
        if (front_ensure_eval(f, config, "search", FRONT_MIXED_SAMPLES, 40, title, &eval, failed, &flow->err)) {
            int n = f->n_points;
            json_t *facts = json_object();
            int point = front_add_point(f, i < f->n_levels ? uniform : probes, levels, facts, &flow->err);
            json_decref(facts);
            if (point < 0) { /* the session cannot be written */
                *failed = true;
                json_decref(config);
                break;
            }
            if (point < n && f->points[point].search.samples < eval.samples) {
                front_load_point(f, &f->points[point]);
            }
            f->probe_done[i] = true;
        } else {
            all = false;
        }
        json_decref(config);
    }
    free(levels);
    return all && !*failed;
}

bool front_probes_known(struct pare_front *f)
{
    struct front_flow flow = {0};
    bool failed = false;
    f->looking = true;
    bool known = ensure_probes(f, &flow, &failed);
    f->looking = false;
    return known;
}

bool flow_costs_ready(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    bool failed = false;
    bool sense = front_ensure_sense(f, f->sense_samples, &failed, &flow->err);
    if (flow_ends_badly(f, flow, failed)) {
        return false;
    }
    bool profile = front_ensure_profile(f, &failed, &flow->err);
    if (flow_ends_badly(f, flow, failed) || !sense || !profile) {
        return false;
    }
    bool bare = pare_json_get_bool(f->description, "bare", false);
    flow->later_samples[0] = 0;
    if (!bare && !ensure_probes(f, flow, &failed)) {
        (void)flow_ends_badly(f, flow, failed);
        return false;
    }
    front_fit(f);
    if (isfinite(b->max_drop) && f->n_fit < 2) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_CONFIG, "search",
                                     "no sample has a label, so there is no drop to hold: budget drop none, or give other budgets"), NULL);
        return false;
    }
    return true;
}

void flow_make_run(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, const char *method,
                   json_t *more)
{
    char name[128], budget[200] = "";
    const char *wanted = pare_json_get_string(flow->args, "name", NULL);
    size_t used = 0;
    if (isfinite(b->max_drop)) {
        used += (size_t)snprintf(budget + used, sizeof budget - used, " drop<=%.4g%%%s", 100 * b->max_drop, b->sure ? " sure" : "");
    }
    if (isfinite(b->max_latency)) {
        used += (size_t)snprintf(budget + used, sizeof budget - used, " latency<=%.4gms", b->max_latency);
    }
    if (isfinite(b->max_bytes)) {
        used += (size_t)snprintf(budget + used, sizeof budget - used, " bytes<=%.0f", b->max_bytes);
    }
    if (isfinite(b->max_bitops)) {
        used += (size_t)snprintf(budget + used, sizeof budget - used, " bitops<=%.4g", b->max_bitops);
    }
    if (isfinite(b->max_energy)) {
        used += (size_t)snprintf(budget + used, sizeof budget - used, " energy<=%.4guJ", b->max_energy);
    }
    json_t *rows = front_rows_of(f, b->rows);
    if (json_array_size(rows) > 0) {
        snprintf(budget + used, sizeof budget - used, " %zu row%s", json_array_size(rows), json_array_size(rows) > 1 ? "s" : "");
    }
    const char *slash = strrchr(method, '/'), *colon = strrchr(method, ':'); /* "lua:dir/mine.lua" */
    const char *word = slash != NULL ? slash + 1 : colon != NULL ? colon + 1 : method, *dot = strrchr(word, '.');
    snprintf(name, sizeof name, "%.*s%d", dot != NULL && dot > word ? (int)(dot - word) : 100, word, f->n_runs + 1);
    json_t *settings = json_pack("{s:s, s:s, s:b}", "minimize", pare_cost_name(b->minimize), "budget",
                                 budget[0] == ' ' ? budget + 1 : budget, "per_model", (int)b->per_model);
    if (json_array_size(rows) > 0) {
        json_object_set(settings, "rows", rows);
    }
    json_decref(rows);
    json_object_update(settings, more);
    if (f->options.quantize != NULL) {
        json_object_set_new(settings, "quantize", json_string(f->options.quantize));
    }
    flow->run = front_add_run(f, wanted != NULL ? wanted : name, method, settings, &flow->err);
    json_decref(settings);
}

bool flow_start_solver(struct pare_front *f, struct front_flow *flow, struct front_budget *b, json_t *sweep_take)
{
    struct pare_problem *p = NULL;
    b->max_loss = flow->max_loss;
    b->max_latency = isfinite(flow->max_latency) ? flow->max_latency : b->max_latency;
    enum pare_status status = front_problem(f, b, &p, &flow->err);
    if (status == PARE_OK) {
        status = pare_problem_check(p, &flow->err);
    }
    if (status != PARE_OK) {
        pare_problem_free(p);
        json_decref(sweep_take);
        flow_end(f, flow, status, NULL);
        return false;
    }
    double seconds = pare_json_get_real(flow->args, "time_limit");
    p->time_limit_seconds = seconds > 0 ? seconds : 0;
    json_t *params = json_pack("{s:o}", "problem", pare_problem_to_json(p));
    json_object_set_new(params, "method", json_string(pare_json_get_string(flow->args, "method", "")));
    if (sweep_take != NULL) {
        json_object_set_new(params, "sweep", sweep_take);
    }
    pare_problem_free(p);
    json_decref(flow->answer);
    flow->answer = NULL;
    struct pare_task_spec spec = {.kind = "solve",
                                  .title = "solve",
                                  .key = "",
                                  .params_take = params,
                                  .interactive = true,
                                  .priority = 100,
                                  .tag = &flow->answer};
    flow->task = pare_sched_add(f->sched, &spec);
    if (flow->task == 0) {
        flow_end(f, flow, pare_error_nomem(&flow->err), NULL);
    }
    return flow->task != 0;
}

/* false while the solver works, or after it failed. */
bool flow_solver_done(struct pare_front *f, struct front_flow *flow)
{
    const struct pare_task *t = pare_sched_find(f->sched, flow->task);
    if (t != NULL && (t->state == PARE_TASK_FAILED || t->state == PARE_TASK_CANCELLED)) {
        flow->err = t->error;
        flow_end(f, flow, t->error.code != PARE_OK ? t->error.code : PARE_ERR_FAIL, NULL);
        return false;
    }
    return flow->answer != NULL;
}

void flow_keep_status(struct pare_front *f, struct front_flow *flow, const char *status)
{
    json_t *facts = json_pack("{s:s, s:o, s:o, s:i, s:i}", "status", status, "seconds", pare_json_real(flow->solve_seconds),
                              "gap", pare_json_real(pare_json_get_real(flow->answer, "gap")), "evaluations",
                              flow->evaluations, "best", flow->best >= 0 ? f->points[flow->best].number : 0);
    (void)pare_session_set_run(f->session, f->runs[flow->run].id, NULL, facts, NULL);
    json_decref(f->runs[flow->run].status);
    f->runs[flow->run].status = facts;
}

void flow_end_solve(struct pare_front *f, struct front_flow *flow)
{
    const char *status = pare_json_get_string(flow->answer, "status", "optimal");
    const struct pare_figures *g = flow->best >= 0 ? &f->points[flow->best].search.figures : NULL;
    double gap = pare_json_get_real(flow->answer, "gap");
    flow_keep_status(f, flow, status);
    char proof[32] = ""; /* only the exact ones know how far they are from the best */
    if (isfinite(gap)) {
        snprintf(proof, sizeof proof, ", gap %.2g", gap);
    }
    int used = snprintf(f->solver, sizeof f->solver, "%s: %s%s, solved in %.*f ms", pare_json_get_string(flow->answer, "method", "exact"),
                        status, proof, flow->solve_seconds < 0.00995 ? 1 : 0, 1000 * flow->solve_seconds);
    if (flow->evaluations > 0 && g != NULL && isfinite(g->drop) && used > 0 && used < (int)sizeof f->solver) {
        char gain[160];
        flow_say_gain(f, flow, gain, sizeof gain);
        snprintf(f->solver + used, sizeof f->solver - (size_t)used, "%s%s; drop %.2f measured, below %.2f with 95 %%",
                 gain[0] != '\0' ? "; " : "", gain, 100 * g->drop, 100 * g->drop_upper);
    }
    flow_end(f, flow, PARE_OK, flow_solve_json(f, flow));
}

/* No answer that was measured holds the budget. */
void flow_end_over(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, enum pare_status status)
{
    flow_keep_status(f, flow, "over budget");
    flow_say_over(f, flow, b, status);
    flow_end(f, flow, status, flow_solve_json(f, flow));
}

/* The solver's answer into flow->levels; false when the flow has ended. */
static bool take_answer(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    flow->round++;
    flow->later_samples[1] = flow->later_timings = 0;
    flow->solve_seconds += pare_json_get_real(flow->answer, "seconds");
    if (strcmp(pare_json_get_string(flow->answer, "status", ""), "infeasible") == 0) {
        if (flow->best >= 0) {
            flow_end_over(f, flow, b, PARE_ERR_INFEASIBLE); /* a tightened round */
        } else {
            flow_keep_status(f, flow, "infeasible");
            flow_say_infeasible(f, flow, b);
            flow_end(f, flow, PARE_ERR_INFEASIBLE, flow_solve_json(f, flow));
        }
        return false;
    }
    flow->levels = calloc((size_t)f->n_layers + 1, 1);
    if (flow->levels == NULL) {
        flow_end(f, flow, pare_error_nomem(&flow->err), NULL);
        return false;
    }
    front_answer_levels(f, flow->answer, b->per_model, flow->levels);
    return true;
}

/* Accuracy and latency of the answer; false until they are there, or when the flow has ended. */
bool flow_measure_answer(struct pare_front *f, struct front_flow *flow, int point)
{
    struct front_eval eval;
    bool failed = false, bare = pare_json_get_bool(f->description, "bare", false);
    json_t *config = json_incref(f->points[point].config);
    bool have = bare || front_ensure_eval(f, config, "search", 0, 80, "accuracy of the answer", &eval, &failed, &flow->err);
    have = front_ensure_latency(f, config, 75, f->points[point].latency, &f->points[point].fp32_ms, &failed, &flow->err) && have;
    json_decref(config);
    if (flow_ends_badly(f, flow, failed) || !have) {
        return false;
    }
    front_load_point(f, &f->points[point]);
    flow->evaluations++;
    front_fit(f);
    return true;
}

void flow_advance_solve(struct pare_front *f, struct front_flow *flow)
{
    struct front_budget b = flow_budget(f, flow->args), tightened = b;
    const char *method = pare_json_get_string(flow->args, "method", "");
    if (pare_json_get_bool(f->description, "bare", false) && isfinite(pare_json_get_real(flow->args, "max_drop"))) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, "--max-drop", "a bare model has no labelled data to measure a drop on: "
                                     "expected --minimize drop (its loss) with another budget"), NULL);
        return;
    }
    const bool verifies = pare_json_get_int(flow->args, "verify", 0) > 0;
    if (flow_is_stepped(flow) && !verifies) {
        flow_advance_steps(f, flow);
        return;
    }
    if (flow_is_stepped(flow)) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, "--verify", "works with exact and ilp, not with %s", method), NULL);
        return;
    }
    if (method[0] != '\0' && strcmp(method, "exact") != 0 && strcmp(method, "ilp") != 0) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, method, "no such solver"), NULL);
        return;
    }
    if (json_object_size(json_object_get(flow->args, "settings")) > 0) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, method[0] != '\0' ? method : "exact", "has no settings (--set)"), NULL);
        return;
    }
    if (verifies) {
        flow_advance_verify(f, flow);
        return;
    }
    if (flow->task == 0) {
        if (!flow_costs_ready(f, flow, &b)) {
            return;
        }
        if (!flow_start_solver(f, flow, &tightened, NULL)) {
            return;
        }
    }
    if (flow->levels == NULL) {
        if (!flow_solver_done(f, flow)) {
            return;
        }
        if (flow->run < 0) { /* not before there is an answer: one that is dropped (pins change) leaves no empty run */
            flow_make_run(f, flow, &b, "solve", NULL);
        }
        if (flow->run < 0) {
            flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
            return;
        }
        if (!take_answer(f, flow, &b)) {
            return;
        }
    }
    json_t *facts = json_pack("{s:o}", "loss", pare_json_real(front_loss_sum(f, flow->levels)));
    int point = front_add_point(f, flow->run, flow->levels, facts, &flow->err);
    json_decref(facts);
    if (point < 0) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
        return;
    }
    if (!pare_json_get_bool(flow->args, "measure", true)) {
        flow->best = point;
        flow_end_solve(f, flow);
        return;
    }
    if (!flow_measure_answer(f, flow, point)) {
        return;
    }
    if (flow_try_again(f, flow, &b, point)) {
        free(flow->levels);
        flow->levels = NULL;
        flow->task = 0;
        flow_advance_solve(f, flow);
    } else if (flow_over(f, &b, &f->points[flow->best]) > 1) {
        flow_end_over(f, flow, &b, PARE_ERR_PARTIAL);
    } else {
        flow_end_solve(f, flow);
    }
}
