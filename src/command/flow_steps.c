/*
 * flow_steps.c: solve with a solver that asks (search/solver.h). Every step is a job whose row is kept, every
 * configuration that it asks for is measured on `search` through the rows, so a run that was killed finds its way
 * again: the same individuals, the same answer. Its problem is frozen in the run's settings when the run begins, since
 * the costs (the anchored latency, the fit) move with what is measured meanwhile.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "command/flow.h"
#include "command/linear.h"
#include "command/solver_file.h"
#include "command/trust.h"
#include "search/plugin.h"
#include "search/solver.h"

#define MOST_ASKED 1000000 /* measured or known: a solver that goes on for ever is stopped */
#define STEPS_VERSION 2 /* raised when a solver goes another way from the same state */

static const char *method_of(const struct front_flow *flow)
{
    return pare_json_get_string(flow->args, "method", "");
}

/* Does the solver live in a file of its own? */
static bool has_file(const struct front_flow *flow)
{
    return pare_solver_is_lua(method_of(flow)) || pare_solver_is_plugin(method_of(flow));
}

bool flow_is_stepped(const struct front_flow *flow)
{
    return has_file(flow) || pare_solver_find(method_of(flow)) != NULL;
}

/* What the run is known by, and for Lua the text, which all its steps run. */
static enum pare_status read_script(struct front_flow *flow, const char *real, const struct pare_file *file)
{
    char hash[33];
    const char *text = file->size > 0 ? (const char *)file->data : "";
    pare_hash_bytes(file->data, file->size, hash);
    if (pare_solver_is_lua(method_of(flow))) {
        flow->script_text = memchr(text, '\0', file->size) == NULL ? json_stringn(text, file->size) : NULL;
        if (flow->script_text == NULL) {
            return pare_error(&flow->err, PARE_ERR_FORMAT, real, "expected Lua text in UTF-8");
        }
    }
    flow->script = json_pack("{s:s, s:s}", "path", real, "hash", hash);
    return flow->script != NULL ? PARE_OK : pare_error_nomem(&flow->err);
}

/* The solver's file into flow->script; a plugin that cannot be used is told before anything is measured. False when the flow has ended. */
static bool find_script(struct pare_front *f, struct front_flow *flow)
{
    const bool is_plugin = pare_solver_is_plugin(method_of(flow));
    char real[PATH_MAX];
    struct pare_trust trust;
    struct pare_file file;
    json_t *info = NULL;
    enum pare_status status = pare_solver_file_find(f->real_path, method_of(flow), real, &flow->err);
    if (status == PARE_OK) {
        status = pare_trust_check(real, f->exe, &trust, &flow->err);
    }
    if (status == PARE_OK && is_plugin) {
        status = pare_plugin_inspect(real, &info, &flow->err);
    }
    if (status == PARE_OK) {
        status = pare_file_open(real, is_plugin ? (size_t)256 << 20 : 1 << 20, &file, &flow->err);
    }
    if (status == PARE_OK) {
        status = read_script(flow, real, &file);
        pare_file_close(&file);
    }
    json_decref(info);
    if (status != PARE_OK) {
        flow_end(f, flow, status, NULL);
    }
    return status == PARE_OK;
}

static bool predicts(const struct front_flow *flow)
{
    const struct pare_solver *s = pare_solver_find(pare_json_get_string(flow->args, "method", ""));
    return pare_json_get_bool(flow->args, "predicted", false) || (s != NULL && !s->asks);
}

/* Samples behind the quality of one configuration while the solver searches. */
static int samples_of(const struct pare_front *f, const struct front_flow *flow)
{
    const char *method = pare_json_get_string(flow->args, "method", "");
    const bool many = strcmp(method, "nsga2") == 0 || strcmp(method, "random") == 0; /* the others ask for a handful */
    const int wanted = (int)pare_json_get_int(json_object_get(flow->args, "settings"), "eval_samples",
                                              many ? FRONT_MIXED_SAMPLES : f->eval_samples);
    return wanted > 0 && wanted < f->split_samples[1] ? wanted : f->split_samples[1];
}

bool flow_steps_ask(const struct pare_front *f, const struct front_flow *flow, int *configs, int *samples)
{
    const char *method = pare_json_get_string(flow->args, "method", "");
    const json_t *settings = json_object_get(flow->args, "settings");
    if (!flow_is_stepped(flow) || predicts(flow)) {
        return false;
    }
    *samples = samples_of(f, flow);
    *configs = 2 + (int)log2(f->n_layers * f->n_levels + 1.0);
    if (strcmp(method, "nsga2") == 0) {
        *configs = (int)(pare_json_get_int(settings, "population", 32) * pare_json_get_int(settings, "generations", 20));
    } else if (strcmp(method, "random") == 0) {
        const int n = (int)pare_json_get_int(settings, "n", 64), first = (int)pare_json_get_int(settings, "samples", 50);
        *configs = first < *samples ? 1 + 2 * n * first / *samples : n; /* each round costs about the same */
    }
    return true;
}

/* Settings of the solvers that are built in; levels have to be candidates. */
static enum pare_status check_settings(const struct pare_front *f, struct front_flow *flow)
{
    static const char *const names[] = {"wide", "narrow"};
    const struct pare_solver *solver = pare_solver_find(method_of(flow));
    const json_t *settings = json_object_get(flow->args, "settings");
    enum pare_status status = solver != NULL ? pare_solver_check_settings(solver, settings, &flow->err) : PARE_OK;
    for (int k = 0; solver != NULL && k < 2 && status == PARE_OK; k++) {
        const char *level = pare_json_get_string(settings, names[k], NULL);
        bool found = level == NULL;
        for (int l = 0; l < f->n_levels && !found; l++) {
            found = strcmp(level, f->level_names[l]) == 0 || strcmp(level, f->level_alias[l]) == 0;
        }
        status = found ? PARE_OK : pare_error(&flow->err, PARE_ERR_USAGE, method_of(flow), "%s: %s is not among the candidate levels (--levels)",
                                              names[k], level);
    }
    return status;
}

/* Settings that name a level hold its index. */
static void index_level(const struct pare_front *f, json_t *settings, const char *key)
{
    const char *name = pare_json_get_string(settings, key, NULL);
    for (int l = 0; name != NULL && l < f->n_levels; l++) {
        if (strcmp(name, f->level_names[l]) == 0 || strcmp(name, f->level_alias[l]) == 0) {
            json_object_set_new(settings, key, json_integer(l));
            return;
        }
    }
}

/* Thresholds of accuracy are drops; the problem has losses. */
static void index_thresholds(const struct pare_front *f, json_t *settings)
{
    const json_t *a = json_object_get(settings, "A");
    if (json_is_array(a)) {
        json_t *list = json_array();
        for (size_t i = 0; i < json_array_size(a); i++) {
            json_array_append_new(list, pare_json_real(front_loss_of_drop(f, pare_json_at_real(a, i))));
        }
        json_object_set_new(settings, "A", list);
    } else if (a != NULL) {
        json_object_set_new(settings, "A", pare_json_real(front_loss_of_drop(f, pare_json_get_real(settings, "A"))));
    }
}

/* The first level whose weights and activations have that many bits; the narrowest when there is none. */
static int first_of_bits(const struct pare_front *f, int bits)
{
    for (int l = 0; l < f->n_levels; l++) {
        if (f->levels[l].kind == PARE_LEVEL_INT && f->levels[l].w_bits == bits && f->levels[l].a_bits == bits) {
            return l;
        }
    }
    return f->n_levels - 1;
}

/* ||Q(w) - w||^2 of a layer: the file's own figure, else what the tool measured. */
static double delta_of(const struct pare_front *f, const json_t *item, int layer, int level)
{
    const json_t *its = json_object_get(item, "delta");
    const json_t *mine = json_object_get(json_object_get(f->perturbation, "layers"), f->layers[layer].name);
    const double d = pare_json_get_real(its, f->level_names[level]), e = pare_json_get_real(its, f->level_alias[level]);
    return its != NULL ? (isfinite(d) ? d : e) : pare_json_get_real(mine, f->level_names[level]);
}

/* "traces": {layer: t} or {layer: {"trace": t, "delta": {level: d}}} becomes the arrays of search/step_paper.c, one entry
 * for each group of the problem: tied layers have the sum of their trace times delta, and 1 for a trace. */
static void index_traces(const struct pare_front *f, json_t *settings)
{
    const json_t *traces = json_object_get(settings, "traces");
    json_t *trace = json_array(), *delta = json_array();
    for (int g = 0; g < f->n_layers; g++) {
        double sum[PARE_MAX_LEVELS] = {0}, t = NAN;
        bool missing = false;
        for (int i = g; i < f->n_layers && f->layers[g].tie == g; i++) {
            const json_t *item = json_object_get(traces, f->layers[i].name);
            if (f->layers[i].tie != g) {
                continue;
            }
            t = json_is_number(item) ? json_number_value(item) : pare_json_get_real(item, "trace");
            missing = missing || !isfinite(t);
            for (int l = 0; l < f->n_levels; l++) {
                sum[l] += (f->layers[g].tied ? t : 1) * delta_of(f, item, i, l);
            }
        }
        if (f->layers[g].tie == g) {
            json_array_append_new(trace, pare_json_real(missing ? NAN : f->layers[g].tied ? 1 : t));
            for (int l = 0; l < f->n_levels; l++) {
                json_array_append_new(delta, pare_json_real(sum[l]));
            }
        }
    }
    json_object_set_new(settings, "trace", trace);
    json_object_set_new(settings, "delta", delta);
    json_object_del(settings, "traces");
}

/* Do the traces leave perturbations to the tool? */
static bool wants_perturbation(const struct pare_front *f, const struct front_flow *flow)
{
    const json_t *traces = json_object_get(json_object_get(flow->args, "settings"), "traces");
    bool wants = false;
    for (int i = 0; json_is_object(traces) && i < f->n_layers; i++) {
        wants = wants || json_object_get(json_object_get(traces, f->layers[i].name), "delta") == NULL;
    }
    return wants && strcmp(pare_json_get_string(flow->args, "method", ""), "hawq") == 0;
}

/* What the solver has to know before it asks: greedy sorts by the table of losses, the others that measure need
 * the latency alone; who predicts needs all. */
static bool knows_enough(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    bool failed = false, ready;
    json_t *rows = front_rows_of(f, b->rows);
    const bool listed = strcmp(pare_json_get_string(flow->args, "method", ""), "greedy") == 0 || front_rows_want_loss(rows);
    json_decref(rows);
    if (wants_perturbation(f, flow) && !front_ensure_perturbation(f, &failed, &flow->err)) {
        if (failed) {
            flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
        }
        return false;
    }
    if (predicts(flow)) {
        return flow_costs_ready(f, flow, b);
    }
    ready = front_ensure_calibration(f, &failed, &flow->err);
    const bool measured_pins = b->use_pins && front_choices_measured(f); /* they say nothing without the table */
    ready = ((!listed && !measured_pins) || front_ensure_sense(f, f->sense_samples, &failed, &flow->err)) && ready;
    ready = front_ensure_profile(f, &failed, &flow->err) && ready;
    if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
    return ready && !failed;
}

static json_t *settings_of(const struct pare_front *f, const struct front_flow *flow, const struct front_budget *b)
{
    json_t *settings = json_object();
    json_object_update(settings, json_object_get(flow->args, "settings"));
    if (strcmp(pare_json_get_string(flow->args, "method", ""), "paper") == 0) {
        index_thresholds(f, settings);
    } else if (json_object_get(settings, "wide") == NULL && f->int8_level + 1 < f->n_levels) {
        json_object_set_new(settings, "wide", json_integer(f->int8_level));
        json_object_set_new(settings, "narrow", json_integer(first_of_bits(f, 4)));
    }
    index_level(f, settings, "wide");
    index_level(f, settings, "narrow");
    if (json_is_object(json_object_get(settings, "traces"))) {
        index_traces(f, settings);
        json_object_set_new(settings, "rules", json_integer(2)); /* of search/step_paper.c: answers of other rules are not reused */
    }
    if (pare_solver_is_plugin(method_of(flow)) && pare_json_get_real(flow->args, "time_limit") > 0) {
        json_object_set(settings, "time_limit", json_object_get(flow->args, "time_limit"));
    }
    json_object_set_new(settings, "seed", json_integer(pare_json_get_int(flow->args, "seed", 1)));
    json_object_set_new(settings, "all", json_integer(samples_of(f, flow)));
    json_object_set_new(settings, "quality_limit", pare_json_real(b->max_drop));
    return settings;
}

/* A run of the same question that has not ended: it goes on. */
static int unfinished_run(const struct pare_front *f, const char *method, const json_t *question)
{
    for (int r = f->n_runs - 1; r >= 0; r--) {
        if (strcmp(f->runs[r].method, method) == 0 && json_equal(json_object_get(f->runs[r].settings, "question"), question) &&
            json_object_size(f->runs[r].status) == 0) {
            return r;
        }
    }
    return -1;
}

/* Finds or makes the run. Its settings: what flow_make_run writes, the question, the frozen problem. */
static bool begin(struct pare_front *f, struct front_flow *flow, struct front_budget *b)
{
    const char *method = pare_json_get_string(flow->args, "method", "");
    struct pare_problem *p = NULL;
    if (b->per_model && strcmp(method, "hawq") == 0) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, method, "expected --per layer: a trace belongs to a layer"), NULL);
        return false;
    }
    json_t *question = json_pack("{s:o, s:O, s:s}", "settings", settings_of(f, flow, b), "args", flow->args, "content", f->content);
    json_t *pins = json_array();
    for (int i = 0; b->use_pins && i < f->n_layers; i++) {
        if (f->layers[i].pin_lo >= 0) {
            json_array_append_new(pins, json_pack("[i,i,i]", i, f->layers[i].pin_lo, f->layers[i].pin_hi));
        }
    }
    json_object_set_new(question, "pins", pins);
    json_object_set(question, "ties", f->ties);
    if (json_array_size(f->rows) > 0) {
        json_object_set(question, "rows", f->rows);
    }
    if (flow->script != NULL) {
        json_object_set(question, "script", flow->script);
    }
    if (f->options.quantize != NULL) {
        json_object_set_new(question, "quantize", json_string(f->options.quantize));
    }
    flow->run = unfinished_run(f, method, question);
    if (flow->run < 0) {
        const bool measured = !predicts(flow);
        struct front_budget mine = *b;
        mine.max_drop = measured ? NAN : b->max_drop; /* measured drops are held to the budget by the solver itself */
        mine.no_loss = measured && strcmp(method, "greedy") != 0;
        enum pare_status status = front_problem(f, &mine, &p, &flow->err);
        status = status == PARE_OK ? pare_problem_check(p, &flow->err) : status;
        status = status == PARE_OK ? flow_check_budgets(f, flow, &mine, p) : status;
        if (status == PARE_OK) {
            json_t *more = json_pack("{s:O, s:o}", "question", question, "problem", pare_problem_to_json(p));
            flow_make_run(f, flow, b, method, more);
            json_decref(more);
        } else {
            flow_end(f, flow, status, NULL);
        }
        pare_problem_free(p);
    }
    json_decref(question);
    if (flow->run < 0 && !flow->ended) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
    }
    return flow->run >= 0;
}

/* The row of the next step, after the one in flow->step (NULL: the first). False while it is computed. */
static bool next_step(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, json_t *told_take)
{
    bool failed = false;
    char title[96];
    const char *method = pare_json_get_string(flow->args, "method", "");
    json_t *params = json_pack("{s:i, s:s, s:O, s:o, s:b}", "version", STEPS_VERSION, "method", method, "problem",
                               json_object_get(f->runs[flow->run].settings, "problem"), "settings", settings_of(f, flow, b),
                               "predict", (int)predicts(flow));
    if (flow->script != NULL) {
        json_object_set(params, "script", json_object_get(flow->script, "path"));
        json_object_set(params, "script_hash", json_object_get(flow->script, "hash"));
        if (flow->script_text != NULL) {
            json_object_set(params, "script_text", flow->script_text);
        }
    }
    if (flow->step != NULL) {
        json_object_set(params, "state", json_object_get(flow->step, "state"));
        json_object_set_new(params, "told", told_take);
    }
    const double time_limit = pare_json_get_real(flow->args, "time_limit");
    snprintf(title, sizeof title, "%s, step %d", method, flow->round + 1);
    /* a plugin's process has its own limit, which the worker keeps */
    struct front_job job = {.kind = "step", .title = title, .params = params, .interactive = true, .priority = 90,
                            .limit_seconds = 120 + (time_limit > 0 ? time_limit : 0)};
    const json_t *row = front_row(f, &job, &failed, &flow->err);
    if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
    if (row != NULL && flow->step != NULL && !pare_json_get_bool(row, "done", false) &&
        json_equal(json_object_get(row, "state"), json_object_get(flow->step, "state")) &&
        json_equal(json_object_get(row, "ask"), json_object_get(flow->step, "ask"))) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_FAIL, method, "step %d is the one before again: it would never end",
                                     flow->round + 1), NULL);
        return false;
    }
    if (row != NULL) {
        json_decref(flow->step);
        flow->step = json_incref((json_t *)(uintptr_t)row);
        const double seconds = pare_json_get_real(row, "seconds"); /* also of steps that an earlier run computed */
        flow->solve_seconds += isfinite(seconds) ? seconds : 0;
        flow->round++;
    }
    return row != NULL;
}

/* A solver's levels (by group) as the pipeline's (by layer). */
static void layer_levels(const struct pare_front *f, const struct front_flow *flow, const struct front_budget *b,
                         const json_t *its, unsigned char *levels)
{
    const json_t *groups = json_object_get(json_object_get(f->runs[flow->run].settings, "problem"), "groups");
    json_t *config = json_object();
    for (size_t g = 0; g < json_array_size(its); g++) {
        const int l = (int)json_integer_value(json_array_get(its, g));
        json_object_set_new(config, json_string_value(json_array_get(groups, g)), json_string(f->level_names[l]));
    }
    json_t *answer = json_pack("{s:o}", "config", config);
    front_answer_levels(f, answer, b->per_model, levels);
    json_decref(answer);
}

/* What was asked for, measured; NULL while some of it is not. Each becomes a point of the run. */
static json_t *measure_asked(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    const json_t *ask = json_object_get(flow->step, "ask");
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    json_t *told = json_array();
    bool all = levels != NULL, failed = false;
    for (size_t i = 0; levels != NULL && i < json_array_size(ask) && !failed; i++) {
        const json_t *item = json_array_get(ask, i);
        struct front_eval eval;
        char title[96];
        int samples = (int)pare_json_get_int(item, "samples", 0);
        samples = samples > 0 ? samples : samples_of(f, flow);
        layer_levels(f, flow, b, json_object_get(item, "levels"), levels);
        json_t *config = front_config_json(f, levels);
        snprintf(title, sizeof title, "accuracy of a configuration of %s", f->runs[flow->run].name);
        if (front_ensure_eval(f, config, "search", samples, 40, title, &eval, &failed, &flow->err)) {
            json_array_append_new(told, pare_json_real(eval.figures.drop));
            json_t *facts = json_object();
            const int n = f->n_points, point = front_add_point(f, flow->run, levels, facts, &flow->err);
            json_decref(facts);
            failed = point < 0;
            if (!failed && (point == n || f->points[point].search.samples < eval.samples)) {
                front_load_point(f, &f->points[point]);
            }
        } else {
            all = false;
        }
        json_decref(config);
    }
    free(levels);
    if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
    if (!all || failed) {
        json_decref(told);
        return NULL;
    }
    return told;
}

static bool run_steps(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    if (flow->step == NULL && !next_step(f, flow, b, NULL)) {
        return false;
    }
    while (!pare_json_get_bool(flow->step, "done", false)) {
        if (flow->evaluations > MOST_ASKED) {
            flow_end(f, flow, pare_error(&flow->err, PARE_ERR_PARTIAL, pare_json_get_string(flow->args, "method", ""),
                                         "stopped after %d configurations", flow->evaluations), NULL);
            return false;
        }
        const size_t asked = json_array_size(json_object_get(flow->step, "ask"));
        json_t *told = measure_asked(f, flow, b);
        if (told == NULL || !next_step(f, flow, b, told)) {
            return false;
        }
        flow->evaluations += (int)asked;
    }
    return true;
}

/* Answers that are within the run's rows stay; into *lost the name of a row that the first of the others breaks. */
static json_t *answers_within(const struct pare_front *f, const struct front_flow *flow, char lost[200])
{
    const json_t *answers = json_object_get(flow->step, "answers"), *json = json_object_get(f->runs[flow->run].settings, "problem");
    json_t *within = json_array();
    struct pare_problem *p = NULL;
    lost[0] = '\0';
    int *levels = pare_problem_from_json(json, &p, NULL) == PARE_OK ? calloc((size_t)p->n_groups + 1, sizeof *levels) : NULL;
    for (size_t i = 0; levels != NULL && i < json_array_size(answers); i++) {
        json_t *its = json_array_get(answers, i);
        bool holds = pare_levels_read(p, its, levels);
        for (int r = 0; holds && r < p->n_rows; r++) {
            holds = pare_row_over(&p->rows[r], pare_row_value(&p->rows[r], p->n_groups, p->n_levels, levels)) <= 0;
            if (!holds && lost[0] == '\0') {
                snprintf(lost, 200, "%s", p->rows[r].name);
            }
        }
        if (holds) {
            json_array_append(within, its);
        }
    }
    free(levels);
    pare_problem_free(p);
    return within;
}

#define MOST_ANSWERS 5 /* looked at in full: what was within the budget on fewer samples may be over it on all */

/* The answers, best first, measured like every other solver's, until one is within the budget. */
static void measure_answers(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    const json_t *answers = flow->answers;
    while (flow->answer_at < json_array_size(answers) && flow->answer_at < MOST_ANSWERS) {
        layer_levels(f, flow, b, json_array_get(answers, flow->answer_at), flow->levels);
        json_t *facts = json_object();
        const int point = front_add_point(f, flow->run, flow->levels, facts, &flow->err);
        json_decref(facts);
        if (point < 0) {
            flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
            return;
        }
        const bool measure = pare_json_get_bool(flow->args, "measure", true);
        if (measure && !flow_measure_answer(f, flow, point)) {
            return;
        }
        const double over = measure ? flow_over(f, b, &f->points[point]) : 0;
        if (flow->best < 0 || over < flow_over(f, b, &f->points[flow->best])) {
            flow->best = point;
        }
        if (over <= 1) {
            break;
        }
        flow->answer_at++;
    }
    json_decref(flow->answer);
    flow->answer = json_pack("{s:s, s:s}", "status", "found", "method", pare_json_get_string(flow->args, "method", ""));
    const bool first = json_equal(json_array_get(answers, flow->answer_at), json_array_get(json_object_get(flow->step, "answers"), 0));
    if (first && json_object_get(flow->step, "gap") != NULL) { /* of the solver's first answer, on the costs that it saw */
        json_object_set(flow->answer, "gap", json_object_get(flow->step, "gap"));
    }
    if (pare_json_get_bool(flow->args, "measure", true) && flow_over(f, b, &f->points[flow->best]) > 1) {
        flow_end_over(f, flow, b, PARE_ERR_PARTIAL);
    } else {
        flow_end_solve(f, flow);
    }
}

void flow_advance_steps(struct pare_front *f, struct front_flow *flow)
{
    struct front_budget b = flow_budget(f, flow->args);
    b.per_model = b.per_model || strcmp(pare_json_get_string(flow->args, "method", ""), "paper") == 0;
    if (!predicts(flow) && pare_json_get_bool(f->description, "bare", false)) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, pare_json_get_string(flow->args, "method", ""),
                                     "a bare model has no accuracy to measure: add --predicted"), NULL);
        return;
    }
    if (flow->run < 0 && check_settings(f, flow) != PARE_OK) {
        flow_end(f, flow, PARE_ERR_USAGE, NULL);
        return;
    }
    if (has_file(flow) && flow->script == NULL && !find_script(f, flow)) {
        return;
    }
    if (!knows_enough(f, flow, &b) || (flow->run < 0 && !begin(f, flow, &b))) {
        return;
    }
    if (flow->levels == NULL) {
        if (!run_steps(f, flow, &b)) {
            return;
        }
        char lost[200];
        json_decref(flow->answers);
        flow->answers = answers_within(f, flow, lost);
        flow->evaluations += (int)pare_json_get_int(flow->step, "asked", 0) * !predicts(flow);
        flow->levels = json_array_size(flow->answers) > 0 ? calloc((size_t)f->n_layers + 1, 1) : NULL;
        if (flow->levels == NULL) {
            const char *method = pare_json_get_string(flow->args, "method", "");
            flow_end(f, flow, lost[0] != '\0'
                                  ? pare_error(&flow->err, PARE_ERR_INFEASIBLE, method, "no configuration that holds the row '%s' was "
                                               "found (--method ilp finds one or says why there is none)", lost)
                                  : pare_error(&flow->err, PARE_ERR_INFEASIBLE, method, "no configuration within the budgets was found"),
                     NULL);
            return;
        }
    }
    measure_answers(f, flow, &b);
}
