/*
 * step.c: one step of a solver that asks. A pure function of {"method", "problem", "settings", "state", "told"} (and for methods
 * "lua:..." and "plugin:..." of the file "script" with the hash "script_hash"; a Lua file's text is "script_text") ->
 * {"done", "ask", "answers", "curve", "state"}; with "predict": true it runs to the end on the summed loss, and says
 * how many configurations it "asked" for, what share of the exact front's hypervolume its curve has, and
 * by how much its answer is above the optimum ("gap").
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/contain.h"
#include "search/front.h"
#include "search/plugin.h"
#include "search/solver.h"
#include "work/work.h"

static enum pare_status (*lua_step)(struct pare_step *s, struct pare_error *err);

void pare_work_set_lua_step(enum pare_status (*step)(struct pare_step *s, struct pare_error *err))
{
    lua_step = step;
}

static json_t *or_null(json_t *json)
{
    return json != NULL ? json_incref(json) : json_null();
}

/* Hypervolume of loss and the objective under the corner of the loss's limit (else the most that any configuration
 * loses) and the cost of the widest levels: the curve's as a share of the exact front's. NaN when there is none. */
static double share_of_front(const struct pare_problem *p, const json_t *curve)
{
    enum pare_figure_id figure = p->objective;
    for (int c = PARE_COST_LOSS + 1; c < PARE_COST_COUNT && figure == PARE_COST_LOSS; c++) { /* the loss beside what has a budget */
        figure = isfinite(p->limit[c]) ? (enum pare_figure_id)c : figure;
    }
    figure = figure == PARE_COST_LOSS ? PARE_COST_LATENCY : figure;
    const size_t n = json_array_size(curve);
    struct pare_front_set front = {0};
    double *x = calloc(2 * n + 1, sizeof *x), *y = x + n, total[PARE_COST_COUNT], share = NAN;
    int *levels = calloc((size_t)p->n_groups + 1, sizeof *levels);
    if (n > 0 && x != NULL && levels != NULL && pare_solve_front(p, figure, PARE_COST_LOSS, 0, &front, NULL) == PARE_OK && front.n > 0) {
        for (size_t i = 0; i < n; i++) {
            const bool read = pare_levels_read(p, json_object_get(json_array_get(curve, i), "levels"), levels);
            pare_problem_total(p, levels, total);
            x[i] = read ? total[figure] : NAN;
            y[i] = read ? total[PARE_COST_LOSS] : NAN;
        }
        for (int g = 0; g < p->n_groups; g++) {
            for (levels[g] = 0; levels[g] < p->n_levels - 1 && !p->allowed[g * p->n_levels + levels[g]]; levels[g]++) {
            }
        }
        pare_problem_total(p, levels, total);
        const double widest = total[figure], most = isfinite(p->limit[PARE_COST_LOSS]) ? p->limit[PARE_COST_LOSS] : front.y[0];
        const double whole = pare_hypervolume(front.n, front.x, front.y, widest, most);
        share = whole > 0 ? pare_hypervolume((int)n, x, y, widest, most) / whole : NAN;
    }
    pare_front_set_clear(&front);
    free(levels);
    free(x);
    return share;
}

#define PROOF_SECONDS 2

/* How far the first answer is above the optimum within the budgets and rows, relative; NaN where either is not known or the
 * answer is outside of them. */
static double gap_of(const struct pare_problem *q, const json_t *answers)
{
    struct pare_problem p = *q; /* borrowed */
    struct pare_answer a = {0};
    double total[PARE_COST_COUNT], gap = NAN;
    int *levels = calloc((size_t)p.n_groups + 1, sizeof *levels);
    p.time_limit_seconds = PROOF_SECONDS;
    if (levels != NULL && pare_levels_read(&p, json_array_get(answers, 0), levels)) {
        pare_problem_total(&p, levels, total);
        const bool within = pare_worth_of(&p, levels, total[PARE_COST_LOSS], p.limit[PARE_COST_LOSS]).over <= 0;
        enum pare_status status = within ? pare_solve_exact(&p, &a, NULL) : PARE_ERR_INFEASIBLE;
        status = status == PARE_ERR_USAGE ? pare_solve_glpk(&p, &a, NULL) : status;
        if (status == PARE_OK && a.status == PARE_SOLVE_OPTIMAL) {
            const double least = a.total[p.objective], away = total[p.objective] - least;
            gap = away <= a.rounding ? 0 : fabs(least) > 0 ? away / fabs(least) : NAN;
        }
    }
    pare_answer_clear(&a);
    free(levels);
    return gap;
}

/* The solver, its file if it has one, and what the job asks. */
struct step_job {
    const json_t *params;
    struct pare_solver solver;
    struct pare_solver_file file;
    double limit_seconds; /* of a plugin's process */
    struct pare_worker *worker;
};

/* Did it search on losses that the problem holds? Whoever measures has none. */
static bool losses_known(const json_t *params)
{
    return pare_json_get_bool(params, "predict", false);
}

static enum pare_status run_step(void *self, struct pare_child *child, json_t **result, struct pare_error *err)
{
    struct step_job *job = self;
    const json_t *params = job->params;
    struct pare_problem *p = NULL;
    struct pare_step s = {0};
    int asked = 0;
    job->file.child = child;
    job->file.stop_at += job->limit_seconds > 0 ? 0.9 * job->limit_seconds : 0;
    enum pare_status status = pare_problem_from_json(json_object_get(params, "problem"), &p, err);
    const double start = pare_seconds();
    if (status == PARE_OK && pare_json_get_bool(params, "predict", false)) {
        json_t *settings = json_deep_copy(json_object_get(params, "settings"));
        settings = settings != NULL ? settings : json_object();
        status = pare_solver_predict(&job->solver, p, settings, 10000000, &s, &asked, err);
        json_decref(settings);
    } else if (status == PARE_OK) {
        const json_t *state = json_object_get(params, "state");
        s.p = p;
        s.user = job->solver.user;
        s.settings = json_object_get(params, "settings");
        s.state = json_is_object(state) ? state : NULL;
        s.told = json_object_get(params, "told");
        status = job->solver.step(&s, err);
    }
    const double seconds = pare_seconds() - start;
    if (status == PARE_OK) {
        *result = json_pack("{s:b, s:o, s:o, s:o, s:o, s:i, s:f, s:o, s:o}", "done", (int)s.done, "ask", or_null(s.ask), "answers",
                            or_null(s.answers), "curve", or_null(s.curve), "state", or_null(s.new_state), "asked", asked, "seconds", seconds, "share",
                            pare_json_real(s.done && asked > 0 ? share_of_front(p, s.curve) : NAN), "gap",
                            pare_json_real(s.done && losses_known(params) ? gap_of(p, s.answers) : NAN));
        status = *result != NULL ? PARE_OK : pare_error_nomem(err);
    }
    pare_step_clear(&s);
    pare_problem_free(p);
    return status;
}

static void say_line(void *self, const char *line)
{
    const struct step_job *job = self;
    if (job->worker != NULL) {
        pare_worker_print(job->worker, line);
    }
}

/* In a process of its own; when that dies, its step is told too. */
static enum pare_status run_contained(struct step_job *job, json_t **result, struct pare_error *err)
{
    struct pare_error own = {0};
    int steps = -1;
    err = err != NULL ? err : &own;
    job->file.stop_at = pare_seconds();
    const struct pare_contain how = {job->file.path, job->limit_seconds, run_step, job, say_line};
    const enum pare_status status = pare_contain(&how, &steps, result, err);
    const size_t n = strlen(err->message);
    if (status != PARE_OK && steps >= 1) {
        snprintf(err->message + n, sizeof err->message - n, " in its step %d", steps);
    } else if (status != PARE_OK && steps == 0) {
        snprintf(err->message + n, sizeof err->message - n, " while it was loaded");
    }
    return status;
}

enum pare_status pare_work_step(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    const char *method = pare_json_get_string(params, "method", "");
    const bool is_plugin = strncmp(method, "plugin:", 7) == 0, is_lua = strncmp(method, "lua:", 4) == 0;
    const double seconds = pare_json_get_real(json_object_get(params, "settings"), "time_limit");
    struct step_job job = {.params = params, .limit_seconds = is_plugin ? (seconds > 0 ? seconds : PARE_PLUGIN_SECONDS) : 0};
    job.file = (struct pare_solver_file){.path = pare_json_get_string(params, "script", ""),
                                         .hash = pare_json_get_string(params, "script_hash", NULL),
                                         .text = pare_json_get_string(params, "script_text", NULL),
                                         .measured = !pare_json_get_bool(params, "predict", false)};
    job.worker = w;
    if (is_plugin || (is_lua && lua_step != NULL)) {
        job.solver = (struct pare_solver){method, "a solver's file", true, is_plugin ? pare_plugin_step : lua_step, &job.file, ""};
    } else if (pare_solver_find(method) != NULL) {
        job.solver = *pare_solver_find(method);
    } else {
        return pare_error(err, PARE_ERR_USAGE, method, "no such solver");
    }
    return is_plugin ? run_contained(&job, result, err) : run_step(&job, NULL, result, err);
}
