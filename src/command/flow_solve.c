/*
 * flow_solve.c: solve and front. Measure what the costs need, fit the drop over the summed loss, solve, measure the
 * answer; while its measured drop is over the budget, tighten and solve again.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/flow.h"
#include "measure/stats.h"

static double real_or(const json_t *args, const char *key, double otherwise)
{
    return json_object_get(args, key) != NULL ? pare_json_get_real(args, key) : otherwise;
}

struct front_budget flow_budget(const struct pare_front *f, const json_t *args)
{
    const char *minimize = pare_json_get_string(args, "minimize", NULL);
    bool given = json_object_get(args, "max_drop") != NULL || json_object_get(args, "max_latency") != NULL ||
                 json_object_get(args, "max_bytes") != NULL;
    struct front_budget b = {.minimize = f->minimize,
                             .max_drop = real_or(args, "max_drop", given ? NAN : f->max_drop),
                             .max_latency = real_or(args, "max_latency", given ? NAN : f->max_latency_ms),
                             .max_bytes = real_or(args, "max_bytes", given ? NAN : f->max_bytes),
                             .max_loss = NAN,
                             .per_model = strcmp(pare_json_get_string(args, "per", "layer"), "model") == 0,
                             .use_pins = !f->options.no_pins};
    for (int c = 0; minimize != NULL && c < PARE_COST_COUNT; c++) {
        b.minimize = strcmp(minimize, pare_cost_name((enum pare_figure_id)c)) == 0 ? (enum pare_figure_id)c : b.minimize;
    }
    if (b.minimize == PARE_COST_LOSS) {
        b.max_drop = NAN; /* it is what is made small */
    }
    if (pare_json_get_bool(f->description, "bare", false)) {
        b.max_drop = NAN;
    }
    return b;
}

static bool ends_badly(struct pare_front *f, struct front_flow *flow, bool failed)
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

static bool costs_ready(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    bool failed = false;
    bool sense = front_ensure_sense(f, f->sense_samples, &failed, &flow->err);
    if (ends_badly(f, flow, failed)) {
        return false;
    }
    bool profile = front_ensure_profile(f, &failed, &flow->err);
    if (ends_badly(f, flow, failed) || !sense || !profile) {
        return false;
    }
    bool bare = pare_json_get_bool(f->description, "bare", false);
    (void)b;
    flow->later_samples[0] = 0;
    if (!bare && !ensure_probes(f, flow, &failed)) {
        (void)ends_badly(f, flow, failed);
        return false;
    }
    front_fit(f);
    return true;
}

static void make_run(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, const char *method)
{
    char name[128], budget[96] = "";
    const char *wanted = pare_json_get_string(flow->args, "name", NULL);
    size_t used = 0;
    if (isfinite(b->max_drop)) {
        used += (size_t)snprintf(budget + used, sizeof budget - used, " drop<=%.4g%%", 100 * b->max_drop);
    }
    if (isfinite(b->max_latency)) {
        used += (size_t)snprintf(budget + used, sizeof budget - used, " latency<=%.4gms", b->max_latency);
    }
    if (isfinite(b->max_bytes)) {
        snprintf(budget + used, sizeof budget - used, " bytes<=%.0f", b->max_bytes);
    }
    snprintf(name, sizeof name, "%s%d", method, f->n_runs + 1);
    json_t *settings = json_pack("{s:s, s:s, s:b}", "minimize", pare_cost_name(b->minimize), "budget",
                                 budget[0] == ' ' ? budget + 1 : budget, "per_model", (int)b->per_model);
    flow->run = front_add_run(f, wanted != NULL ? wanted : name, method, settings, &flow->err);
    json_decref(settings);
}

static bool start_solver(struct pare_front *f, struct front_flow *flow, struct front_budget *b, json_t *sweep_take)
{
    struct pare_problem *p = NULL;
    b->max_loss = flow->max_loss;
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
static bool solver_done(struct pare_front *f, struct front_flow *flow)
{
    const struct pare_task *t = pare_sched_find(f->sched, flow->task);
    if (t != NULL && (t->state == PARE_TASK_FAILED || t->state == PARE_TASK_CANCELLED)) {
        flow->err = t->error;
        flow_end(f, flow, t->error.code != PARE_OK ? t->error.code : PARE_ERR_FAIL, NULL);
        return false;
    }
    return flow->answer != NULL;
}

static void say_infeasible(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    const char *which = pare_json_get_string(flow->answer, "violated", "?");
    double least = pare_json_get_real(flow->answer, "least");
    if (strcmp(which, "drop") == 0) {
        double drop = front_drop_of_loss(f, least);
        pare_error(&flow->err, PARE_ERR_INFEASIBLE, NULL,
                   "infeasible: the drop cannot be held at %.2f points; the least is about %.2f (over by %.2f)",
                   100 * b->max_drop, 100 * drop, 100 * (drop - b->max_drop));
    } else {
        double limit = strcmp(which, "bytes") == 0 ? b->max_bytes : b->max_latency;
        pare_error(&flow->err, PARE_ERR_INFEASIBLE, NULL,
                   strcmp(which, "bytes") == 0 ? "infeasible: %s cannot be held at %.0f; the least is %.0f (over by %.0f)"
                                               : "infeasible: %s cannot be held at %.3f ms; the least is %.3f (over by %.3f)",
                   which, limit, least, least - limit);
    }
    snprintf(f->solver, sizeof f->solver, "%s", flow->err.message);
}

static void end_solve(struct pare_front *f, struct front_flow *flow)
{
    const char *status = pare_json_get_string(flow->answer, "status", "optimal");
    json_t *facts = json_pack("{s:s, s:o, s:o, s:i, s:i}", "status", status, "seconds", pare_json_real(flow->solve_seconds),
                              "gap", pare_json_real(pare_json_get_real(flow->answer, "gap")), "evaluations",
                              flow->evaluations, "best", flow->best >= 0 ? f->points[flow->best].number : 0);
    (void)pare_session_set_run(f->session, f->runs[flow->run].id, NULL, facts, NULL);
    json_decref(f->runs[flow->run].status);
    f->runs[flow->run].status = facts;
    snprintf(f->solver, sizeof f->solver, "exact: %s, gap %.2g, solved in %.0f ms", status,
             isfinite(pare_json_get_real(flow->answer, "gap")) ? pare_json_get_real(flow->answer, "gap") : 0.0,
             1000 * flow->solve_seconds);
    flow_end(f, flow, PARE_OK, flow_solve_json(f, flow));
}

static double measured_drop(const struct front_point *p)
{
    return p->search.samples > 0 ? p->search.figures.drop : NAN;
}

/* Takes the measured point; true when another round with a tighter loss may do better. */
static bool try_again(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, int point)
{
    double drop = measured_drop(&f->points[point]), best = flow->best >= 0 ? measured_drop(&f->points[flow->best]) : NAN;
    if (!isfinite(b->max_drop) || !isfinite(drop)) {
        flow->best = point;
        return false;
    }
    if (flow->best < 0 || (best > b->max_drop && drop < best)) {
        flow->best = point;
    }
    if (drop <= b->max_drop || flow->round >= FRONT_MAX_ROUNDS) {
        return false;
    }
    double factor = drop > 0 ? b->max_drop / drop : 0.9;
    factor = factor < 0.3 ? 0.3 : factor > 0.9 ? 0.9 : factor;
    flow->max_loss = f->points[point].loss_sum * factor;
    return true;
}

void flow_advance_solve(struct pare_front *f, struct front_flow *flow)
{
    struct front_budget b = flow_budget(f, flow->args);
    bool failed = false, measure = pare_json_get_bool(flow->args, "measure", true);
    if (flow->task == 0) {
        if (!costs_ready(f, flow, &b)) {
            return;
        }
        if (flow->run < 0) {
            make_run(f, flow, &b, "solve");
        }
        if (flow->run < 0) {
            flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
            return;
        }
        if (!start_solver(f, flow, &b, NULL)) {
            return;
        }
    }
    if (flow->levels == NULL) {
        if (!solver_done(f, flow)) {
            return;
        }
        flow->round++;
        flow->later_samples[1] = flow->later_timings = 0;
        flow->solve_seconds += pare_json_get_real(flow->answer, "seconds");
        if (strcmp(pare_json_get_string(flow->answer, "status", ""), "infeasible") == 0) {
            if (flow->best >= 0) {
                end_solve(f, flow); /* a tightened round: the best of the measured ones stands */
            } else {
                say_infeasible(f, flow, &b);
                flow_end(f, flow, PARE_ERR_INFEASIBLE, flow_solve_json(f, flow));
            }
            return;
        }
        flow->levels = calloc((size_t)f->n_layers + 1, 1);
        if (flow->levels == NULL) {
            flow_end(f, flow, pare_error_nomem(&flow->err), NULL);
            return;
        }
        front_answer_levels(f, flow->answer, b.per_model, flow->levels);
    }
    json_t *facts = json_pack("{s:o}", "loss", pare_json_real(front_loss_sum(f, flow->levels)));
    int point = front_add_point(f, flow->run, flow->levels, facts, &flow->err);
    json_decref(facts);
    if (point < 0) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
        return;
    }
    if (!measure) {
        flow->best = point;
        end_solve(f, flow);
        return;
    }
    struct front_eval eval;
    bool bare = pare_json_get_bool(f->description, "bare", false);
    json_t *config = json_incref(f->points[point].config);
    bool have = bare || front_ensure_eval(f, config, "search", 0, 80, "accuracy of the answer", &eval, &failed, &flow->err);
    have = front_ensure_latency(f, config, 75, f->points[point].latency, &f->points[point].fp32_ms, &failed, &flow->err) && have;
    json_decref(config);
    if (ends_badly(f, flow, failed) || !have) {
        return;
    }
    front_load_point(f, &f->points[point]);
    flow->evaluations++;
    front_fit(f);
    if (!try_again(f, flow, &b, point)) {
        end_solve(f, flow);
        return;
    }
    free(flow->levels);
    flow->levels = NULL;
    flow->task = 0;
    flow_advance_solve(f, flow);
}

/* ---- front: a row of budgets at once ---- */

#define FRONT_STEPS 16

static json_t *sweep_limits(const struct pare_front *f)
{
    json_t *limits = json_array();
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    if (levels != NULL) {
        front_uniform(f, f->int8_level, levels);
        double low = front_loss_sum(f, levels) / 4;
        front_uniform(f, f->n_levels - 1, levels);
        double high = front_loss_sum(f, levels);
        low = low > 1e-9 ? low : 1e-9;
        for (int i = 0; i < FRONT_STEPS; i++) {
            json_array_append_new(limits, pare_json_real(low * pow(high / low, (double)i / (FRONT_STEPS - 1))));
        }
    }
    free(levels);
    return limits;
}

static bool measure_answers(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, bool *failed)
{
    const json_t *answers = json_object_get(flow->answer, "answers");
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    bool all = levels != NULL, bare = pare_json_get_bool(f->description, "bare", false);
    for (size_t i = 0; levels != NULL && i < json_array_size(answers) && !*failed; i++) {
        const json_t *answer = json_array_get(answers, i);
        struct front_eval eval;
        if (json_object_get(answer, "config") == NULL) {
            continue;
        }
        front_answer_levels(f, answer, b->per_model, levels);
        json_t *facts = json_object();
        int point = front_add_point(f, flow->run, levels, facts, &flow->err);
        json_decref(facts);
        if (point < 0 || bare) {
            continue;
        }
        json_t *config = json_incref(f->points[point].config);
        int before = f->points[point].search.samples;
        bool have = front_ensure_eval(f, config, "search", 0, 45, "accuracy of a point of the front", &eval, failed, &flow->err);
        json_decref(config);
        if (eval.samples > before) {
            front_load_point(f, &f->points[point]);
        }
        all = all && have;
    }
    free(levels);
    return all && !*failed;
}

void flow_advance_front(struct pare_front *f, struct front_flow *flow)
{
    struct front_budget b = flow_budget(f, flow->args);
    bool failed = false;
    b.max_drop = NAN;
    b.minimize = b.minimize == PARE_COST_LOSS ? PARE_COST_LATENCY : b.minimize;
    if (flow->task == 0) {
        if (!costs_ready(f, flow, &b)) {
            return;
        }
        make_run(f, flow, &b, "front");
        if (flow->run < 0) {
            flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
            return;
        }
        json_t *sweep = json_pack("{s:i, s:o}", "figure", (int)PARE_COST_LOSS, "limits", sweep_limits(f));
        if (!start_solver(f, flow, &b, sweep)) {
            return;
        }
    }
    if (!solver_done(f, flow)) {
        return;
    }
    flow->later_samples[1] = 0;
    if (measure_answers(f, flow, &b, &failed)) {
        json_t *points = json_array();
        front_fit(f);
        for (int i = 0; i < f->n_points; i++) {
            const struct front_point *p = &f->points[i];
            if (p->run == flow->run) {
                json_array_append_new(points, json_pack("{s:i, s:O, s:o, s:o, s:o, s:o}", "point", p->number, "config",
                                                        p->config, "drop", pare_json_real(measured_drop(p)),
                                                        "drop_predicted", pare_json_real(p->drop_predicted),
                                                        "latency_predicted_ms", pare_json_real(p->latency_predicted),
                                                        "bytes", pare_json_real(front_bytes(f, p->levels))));
            }
        }
        flow_end(f, flow, PARE_OK, json_pack("{s:i, s:s, s:o}", "schema", 1, "run", f->runs[flow->run].name, "points", points));
    } else {
        (void)ends_badly(f, flow, failed);
    }
}

/* ---- policies written in Lua ---- */

void flow_advance_problem(struct pare_front *f, struct front_flow *flow)
{
    struct front_budget b = flow_budget(f, flow->args);
    struct pare_problem *p = NULL;
    if (!costs_ready(f, flow, &b)) {
        return;
    }
    enum pare_status status = front_problem(f, &b, &p, &flow->err);
    if (status == PARE_OK) {
        status = pare_problem_check(p, &flow->err);
    }
    flow_end(f, flow, status, status == PARE_OK ? pare_problem_to_json(p) : NULL);
    pare_problem_free(p);
}

void flow_advance_propose(struct pare_front *f, struct front_flow *flow)
{
    const char *method = pare_json_get_string(flow->args, "method", "policy");
    struct front_budget b = flow_budget(f, flow->args);
    bool failed = false;
    struct front_eval eval;
    if (!flow_config(f, flow)) {
        return;
    }
    if (flow->run < 0) {
        make_run(f, flow, &b, method);
        flow->answer = json_pack("{s:s}", "status", "proposed");
    }
    if (flow->run < 0) {
        flow_end(f, flow, flow->err.code, NULL);
        return;
    }
    json_t *facts = json_object();
    int point = front_add_point(f, flow->run, flow->levels, facts, &flow->err);
    json_decref(facts);
    if (point < 0) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
        return;
    }
    flow->best = point;
    bool bare = pare_json_get_bool(f->description, "bare", false), have = true;
    if (have && pare_json_get_bool(flow->args, "measure", true)) {
        json_t *config = json_incref(f->points[point].config);
        double latency[6], fp32_ms;
        have = bare || front_ensure_eval(f, config, "search", 0, 80, "accuracy of a proposal", &eval, &failed, &flow->err);
        have = front_ensure_latency(f, config, 75, latency, &fp32_ms, &failed, &flow->err) && have;
        json_decref(config);
    }
    if (ends_badly(f, flow, failed) || !have) {
        return;
    }
    front_load_point(f, &f->points[point]);
    flow->evaluations = 1;
    front_fit(f);
    end_solve(f, flow);
}
