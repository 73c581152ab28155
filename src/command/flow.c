/*
 * flow.c: verbs. A flow says again and again what it needs; what is missing becomes jobs; when nothing is missing
 * it has its result. So a flow needs no memory of its own: after a crash the same command finds the finished rows.
 */
#include "command/flow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/linear.h"

static struct front_flow *find_flow(const struct pare_front *f, uint64_t id)
{
    for (struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        if (flow->id == id) {
            return flow;
        }
    }
    return NULL;
}

void flow_end(struct pare_front *f, struct front_flow *flow, enum pare_status status, json_t *result_take)
{
    flow->ended = true;
    flow->status = status;
    flow->err.code = status;
    json_decref(flow->result);
    flow->result = result_take;
    const bool same_again = status == PARE_ERR_USAGE || status == PARE_ERR_FORMAT || status == PARE_ERR_INFEASIBLE;
    if (same_again && flow->run >= 0 && json_object_size(f->runs[flow->run].status) == 0) {
        flow_keep_status(f, flow, status == PARE_ERR_INFEASIBLE ? "infeasible" : "failed");
    }
    if (status != PARE_OK && strcmp(flow->err.message, "replaced") != 0 && strcmp(flow->err.message, "stopped") != 0 &&
        strcmp(flow->err.message, "cancelled") != 0) {
        front_say(f, true, "%s: %s%s%s", front_verb_name(flow->verb), flow->err.where, flow->err.where[0] != '\0' ? ": " : "",
                  flow->err.message);
    }
    front_keep_pending(f);
    front_changed(f);
}

/* A config from a file: its layers must be ours. */
static bool known_layers(const struct pare_front *f, const json_t *config, struct pare_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        bool known = false;
        for (int i = 0; i < f->n_layers; i++) {
            known = known || strcmp(f->layers[i].name, key) == 0;
        }
        if (!known) {
            pare_error(err, PARE_ERR_CONFIG, key, "the config names a layer that the pipeline does not have");
            return false;
        }
    }
    return true;
}

/* Layers that the sensitivity table suspects at this level stay fp32; needs that table. */
static bool keep_suspected(const struct pare_front *f, int level, unsigned char *levels, struct pare_error *err)
{
    for (int i = 0; f->options.keep_suspected > 0 && level > 0 && i < f->n_layers; i++) {
        const struct front_cell *cell = &f->cells[i * f->n_levels + level];
        if (cell->samples == 0) {
            pare_error(err, PARE_ERR_USAGE, f->level_names[level],
                       "suspected layers are known after `pare sense` with this level");
            return false;
        }
        levels[i] = front_suspected(f, i, level) ? 0 : levels[i];
    }
    return true;
}

/* "W8A8I32O32": the first and last layers of every stage at what I and O say. */
static bool apply_ends(const struct pare_front *f, const char *level, unsigned char *levels, struct pare_error *err)
{
    struct pare_level ends[2];
    bool given[2];
    if (pare_notation_ends(level, ends, given, err) != PARE_OK) {
        return false;
    }
    for (int e = 0; e < 2; e++) {
        int at = -1;
        for (int l = 0; given[e] && l < f->n_levels; l++) {
            at = pare_level_equal(ends[e], f->levels[l]) ? l : at;
        }
        if (given[e] && at < 0) {
            pare_error(err, PARE_ERR_USAGE, level, "its inputs' or outputs' level is not among the candidates (use --levels)");
            return false;
        }
        for (int i = 0; given[e] && i < f->n_layers; i++) {
            levels[i] = (e == 0 ? f->layers[i].first : f->layers[i].last) ? (unsigned char)at : levels[i];
        }
    }
    return true;
}

static bool uniform_levels(const struct pare_front *f, const char *level, unsigned char *levels, struct pare_error *err)
{
    struct pare_level wanted = {PARE_LEVEL_FP32, 32, 32};
    if (level != NULL && pare_level_parse(level, &wanted, err) != PARE_OK) {
        return false;
    }
    for (int l = 0; l < f->n_levels; l++) {
        if (pare_level_equal(wanted, f->levels[l])) {
            front_uniform(f, l, levels);
            return (level == NULL || apply_ends(f, level, levels, err)) && keep_suspected(f, l, levels, err);
        }
    }
    pare_error(err, PARE_ERR_USAGE, level, "not among the candidate levels (use --levels)");
    return false;
}

bool flow_levels(struct pare_front *f, struct front_flow *flow, struct pare_error *err)
{
    const json_t *config = json_object_get(flow->args, "config");
    const char *run = pare_json_get_string(flow->args, "run", NULL);
    bool found = false;
    if (flow->levels != NULL) {
        return true;
    }
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    if (levels == NULL) {
        pare_error_nomem(err);
        return false;
    }
    if (config != NULL) {
        found = known_layers(f, config, err) && front_config_levels(f, config, levels, err);
    } else if (run != NULL) {
        int point = front_find_point(f, run);
        found = point >= 0;
        if (found) {
            memcpy(levels, f->points[point].levels, (size_t)f->n_layers);
        } else {
            pare_error(err, PARE_ERR_NOINPUT, run, "no such run or point");
        }
    } else {
        found = uniform_levels(f, pare_json_get_string(flow->args, "level", NULL), levels, err);
    }
    if (found) {
        flow->levels = levels;
    } else {
        free(levels);
    }
    return found;
}

/* The config that args ask for: "config", "level" (uniform, with the first/last rule), or "run". */
bool flow_config(struct pare_front *f, struct front_flow *flow)
{
    if (!flow_levels(f, flow, &flow->err)) {
        flow_end(f, flow, flow->err.code, NULL);
        return false;
    }
    return true;
}

/* ---- the simple verbs ---- */

/* The description, with what keeps layers from levels and the layers that ties hold at one level now: [[name, ...], ...]. */
static void advance_describe(struct pare_front *f, struct front_flow *flow)
{
    json_t *described = f->target != NULL ? front_target_describe(f) : json_deep_copy(f->description), *tied = json_array();
    json_t *layers = json_object_get(described, "layers");
    for (int i = 0; i < f->n_layers; i++) {
        flow_add_kept(f, i, -1, json_array_get(layers, (size_t)i));
    }
    for (int first = 0; first < f->n_layers; first++) {
        json_t *names = f->layers[first].tied && f->layers[first].tie == first ? json_array() : NULL;
        for (int l = first; names != NULL && l < f->n_layers; l++) {
            if (f->layers[l].tie == first) {
                json_array_append_new(names, json_string(f->layers[l].name));
            }
        }
        json_array_append_new(tied, names);
    }
    json_object_set_new(described, "tied", tied);
    flow_end(f, flow, PARE_OK, described);
}

static void advance_sense(struct pare_front *f, struct front_flow *flow)
{
    bool failed = false;
    if (front_ensure_sense(f, f->sense_samples, &failed, &flow->err)) {
        flow_end(f, flow, PARE_OK, flow_sense_json(f));
    } else if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
}

static void advance_bench(struct pare_front *f, struct front_flow *flow)
{
    bool failed = false;
    if (!flow_config(f, flow)) {
        return;
    }
    json_t *config = front_config_json(f, flow->levels);
    if (front_simulated(f, flow->levels)) {
        json_decref(config);
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, "bench", "w8a16, w16a16 and powers of two are simulated: no kernel runs "
                                     "them, there is no latency"), NULL);
        return;
    }
    bool profile = front_ensure_profile(f, &failed, &flow->err);
    const json_t *whole = profile ? front_ensure_latency_row(f, config, 55, &failed, &flow->err) : NULL;
    const int threads = (int)pare_json_get_int(flow->args, "threads", 1);
    const json_t *watch = whole != NULL ? front_ensure_stopwatch(f, config, threads, &failed, &flow->err) : NULL;
    json_decref(config);
    if (watch != NULL) {
        flow_end(f, flow, PARE_OK, flow_bench_json(f, flow->levels, whole, watch));
    } else if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
}

static void advance_eval(struct pare_front *f, struct front_flow *flow)
{
    bool failed = false;
    struct front_eval eval;
    const char *split = pare_json_get_string(flow->args, "split", "search");
    if (pare_json_get_bool(f->description, "bare", false)) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, f->path, "a bare model has no labelled data: no accuracy (write a pipeline with `pare new`)"), NULL);
        return;
    }
    if (!flow_config(f, flow)) {
        return;
    }
    json_t *config = front_config_json(f, flow->levels);
    if (front_ensure_eval(f, config, split, (int)pare_json_get_int(flow->args, "samples", 0), 70, "accuracy", &eval,
                          &failed, &flow->err)) {
        if (eval.samples == 0) {
            flow_end(f, flow, pare_error(&flow->err, PARE_ERR_NOINPUT, split, "the split has no samples"), NULL);
        } else {
            json_t *keys = front_eval_keys(f, config, split, (int)pare_json_get_int(flow->args, "samples", 0));
            json_t *result = flow_eval_json(f, flow->levels, split, &eval), *extra = front_extra_figures(f, keys);
            json_decref(keys);
            if (extra != NULL) {
                json_object_set_new(result, "metrics", extra);
            }
            flow_end(f, flow, PARE_OK, result);
        }
        for (int i = 0; i < f->n_points; i++) {
            if (memcmp(f->points[i].levels, flow->levels, (size_t)f->n_layers) == 0) {
                front_load_point(f, &f->points[i]);
            }
        }
    } else if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
    json_decref(config);
}

/* Accuracy and latency of one point, or its test figures. */
static void advance_point(struct pare_front *f, struct front_flow *flow)
{
    bool failed = false, test = flow->verb == FLOW_TEST, all = true;
    struct front_eval eval;
    double latency[6], fp32_ms;
    if (!flow_config(f, flow)) {
        return;
    }
    json_t *config = front_config_json(f, flow->levels);
    if (!pare_json_get_bool(f->description, "bare", false)) {
        all = front_ensure_eval(f, config, test ? "test" : "search", 0, 70, "accuracy of the point", &eval, &failed, &flow->err);
    }
    if (!test && !failed) {
        all = front_ensure_latency(f, config, 65, latency, &fp32_ms, &failed, &flow->err) && all;
    }
    json_decref(config);
    for (int i = 0; i < f->n_points; i++) {
        if (memcmp(f->points[i].levels, flow->levels, (size_t)f->n_layers) == 0) {
            front_load_point(f, &f->points[i]);
        }
    }
    if (all && !failed) {
        front_fit(f);
        flow_end(f, flow, PARE_OK, json_object());
    } else if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
}

/* ---- the table ---- */

static const struct {
    const char *name;
    void (*advance)(struct pare_front *f, struct front_flow *flow);
} verbs[FLOW_VERB_COUNT] = {
    [FLOW_DESCRIBE] = {"describe", advance_describe}, [FLOW_SENSE] = {"sense", advance_sense},
    [FLOW_BENCH] = {"bench", advance_bench},          [FLOW_EVAL] = {"eval", advance_eval},
    [FLOW_SOLVE] = {"solve", flow_advance_solve},     [FLOW_FRONT] = {"front", flow_advance_front},
    [FLOW_PROBLEM] = {"problem", flow_advance_problem}, [FLOW_PROPOSE] = {"propose", flow_advance_propose},
    [FLOW_COMPARE] = {"compare", flow_advance_compare}, [FLOW_EXPLAIN] = {"explain", flow_advance_explain},
    [FLOW_MEASURE] = {"measure", advance_point},      [FLOW_TEST] = {"test", advance_point},
};

const char *front_verb_name(enum flow_verb verb)
{
    return verbs[verb].name;
}

/* Rows that say nothing end a verb before anything is measured for it. */
static bool rows_make_sense(struct pare_front *f, struct front_flow *flow)
{
    struct pare_row *rows = NULL;
    int n = 0;
    json_t *own = front_rows_named(json_object_get(flow->args, "rows"));
    enum pare_status status = front_rows_read(f, own, true, &rows, &n, &flow->err);
    for (int i = 0; status == PARE_OK && i < n; i++) {
        for (int k = 0; k < i; k++) {
            if (strcmp(rows[i].name, rows[k].name) == 0) {
                status = pare_error(&flow->err, PARE_ERR_USAGE, "rows", "two of them are called '%s'", rows[i].name);
            }
        }
    }
    front_rows_free(rows, n);
    json_decref(own);
    if (status != PARE_OK) {
        flow_end(f, flow, status, NULL);
    }
    return status == PARE_OK;
}

void front_advance(struct pare_front *f)
{
    /* a flow that ends may start another; the new one is in front of the list and waits for the next call */
    for (struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        if (flow->ended) {
            continue;
        }
        if (f->failed) {
            flow->err = f->failure;
            flow_end(f, flow, f->failure.code, NULL);
        } else if (f->described && (!f->redescribing || flow->verb == FLOW_DESCRIBE)) {
            f->failures_after = flow->since;
            if (!flow->priced) {
                flow->priced = true;
                if (!rows_make_sense(f, flow)) {
                    continue;
                }
                (void)front_price_flow(f, flow, NULL, 0);
            }
            verbs[flow->verb].advance(f, flow);
        }
    }
}

uint64_t pare_front_start(struct pare_front *f, const char *verb, const void *json_args, struct pare_error *err)
{
    struct front_flow *flow = NULL;
    for (int v = 0; v < FLOW_VERB_COUNT; v++) {
        if (strcmp(verbs[v].name, verb) == 0) {
            flow = calloc(1, sizeof *flow);
            if (flow == NULL) {
                pare_error_nomem(err);
                return 0;
            }
            flow->verb = (enum flow_verb)v;
        }
    }
    if (flow == NULL) {
        pare_error(err, PARE_ERR_USAGE, verb, "unknown verb");
        return 0;
    }
    if (f->follower && flow->verb != FLOW_DESCRIBE && flow->verb != FLOW_COMPARE) {
        free(flow);
        pare_error(err, PARE_ERR_BUSY, NULL, "another pare holds this session");
        return 0;
    }
    flow->id = ++f->last_flow;
    flow->since = pare_sched_last_id(f->sched);
    pare_sched_forgive(f->sched);
    flow->args = json_args != NULL ? json_deep_copy(json_args) : json_object();
    flow->run = flow->best = -1;
    flow->max_loss = flow->max_latency = NAN;
    flow->next = f->flows;
    f->flows = flow;
    front_drop_unfinished(f, verb);
    flow->rows = f->session != NULL ? pare_session_count_rows(f->session) : 0;
    front_advance(f);
    front_keep_pending(f);
    return flow->id;
}

bool pare_front_result(struct pare_front *f, uint64_t id, const void **json, enum pare_status *status,
                       struct pare_error *err)
{
    struct front_flow *flow = find_flow(f, id);
    *json = NULL;
    if (flow == NULL) {
        *status = pare_error(err, PARE_ERR_INTERNAL, NULL, "no such verb in progress");
        return true;
    }
    if (!flow->ended) {
        return false;
    }
    *json = flow->result;
    *status = flow->status;
    if (err != NULL) {
        *err = flow->err;
    }
    return true;
}

void pare_front_stop(struct pare_front *f, uint64_t id)
{
    struct front_flow *flow = find_flow(f, id);
    bool others = false;
    if (flow == NULL || flow->ended) {
        return;
    }
    flow_end(f, flow, pare_error(&flow->err, PARE_ERR_FAIL, NULL, "stopped"), NULL);
    for (struct front_flow *other = f->flows; other != NULL; other = other->next) {
        others = others || !other->ended;
    }
    if (!others) {
        pare_sched_cancel_all(f->sched);
    }
}

void front_drop_flow(struct pare_front *f, uint64_t id)
{
    struct front_flow *flow = find_flow(f, id);
    const struct pare_task *t = flow != NULL && !flow->ended ? pare_sched_find(f->sched, flow->task) : NULL;
    if (flow == NULL || flow->ended) {
        return;
    }
    flow_end(f, flow, pare_error(&flow->err, PARE_ERR_FAIL, NULL, "replaced"), NULL);
    if (t != NULL && t->state == PARE_TASK_QUEUED) {
        (void)pare_sched_cancel(f->sched, t->id);
    }
}

enum pare_status front_retry(struct pare_front *f, struct pare_error *err)
{
    for (struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        if (flow->ended && flow->status != PARE_OK && flow->status != PARE_ERR_INFEASIBLE && flow->id != f->resolve) {
            return pare_front_start(f, verbs[flow->verb].name, flow->args, err) != 0 ? PARE_OK : PARE_ERR_FAIL;
        }
    }
    return pare_error(err, PARE_ERR_USAGE, "retry", "nothing has failed");
}

bool front_busy(const struct pare_front *f)
{
    for (struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        if (!flow->ended) {
            return true;
        }
    }
    return false;
}

void front_flows_free(struct pare_front *f)
{
    for (struct front_flow *flow = f->flows, *next; flow != NULL; flow = next) {
        next = flow->next;
        json_decref(flow->args);
        json_decref(flow->result);
        json_decref(flow->answer);
        json_decref(flow->tried);
        json_decref(flow->step);
        json_decref(flow->answers);
        json_decref(flow->script);
        json_decref(flow->script_text);
        json_decref(flow->rounds);
        free(flow->levels);
        free(flow);
    }
    f->flows = NULL;
}

int front_find_point(const struct pare_front *f, const char *text)
{
    char name[256];
    const char *colon = strrchr(text, ':');
    int number = colon != NULL ? atoi(colon + 1) : 0, best = -1;
    size_t n = colon != NULL && number > 0 ? (size_t)(colon - text) : strlen(text);
    if (n >= sizeof name) {
        return -1;
    }
    memcpy(name, text, n);
    name[n] = '\0';
    int run = name[0] != '\0' && strspn(name, "0123456789") == n ? atoi(name) - 1 : -1; /* or its place in `pare runs` */
    for (int r = 0; r < f->n_runs; r++) {
        run = strcmp(f->runs[r].name, name) == 0 ? -1 : run;
    }
    for (int i = 0; i < f->n_points; i++) {
        const struct front_point *p = &f->points[i];
        bool same = strcmp(f->runs[p->run].name, name) == 0 || p->run == run;
        if (!same || (number > 0 && p->number != number)) {
            continue;
        }
        if (number > 0) {
            return i;
        }
        /* without a number: the point the run ended in, else its last one */
        int64_t chosen = pare_json_get_int(f->runs[p->run].status, "best", 0);
        best = chosen == p->number || best < 0 || (chosen == 0) ? i : best;
        if (chosen == p->number) {
            return i;
        }
    }
    for (int i = 0; best < 0 && i < f->n_points; i++) { /* "int8" */
        const int level = front_uniform_level(f, &f->points[i]);
        best = level >= 0 && (strcmp(text, f->level_alias[level]) == 0 || strcmp(text, f->level_names[level]) == 0) ? i : -1;
    }
    return best;
}

int front_uniform_level(const struct pare_front *f, const struct front_point *p)
{
    unsigned char levels[4096];
    if (strcmp(f->runs[p->run].method, "uniform") != 0 || f->n_layers > (int)sizeof levels) {
        return -1;
    }
    for (int l = 0; l < f->n_levels; l++) {
        front_uniform(f, l, levels);
        if (memcmp(levels, p->levels, (size_t)f->n_layers) == 0) {
            return l;
        }
    }
    return -1;
}

void *pare_front_config(struct pare_front *f, const char *run, int point)
{
    char text[300];
    snprintf(text, sizeof text, point > 0 ? "%s:%d" : "%s", run, point);
    int i = front_find_point(f, text);
    return i >= 0 ? json_incref(f->points[i].config) : NULL;
}

int pare_front_point_of(struct pare_front *f, const void *json_config, struct pare_error *err)
{
    json_t *args = json_pack("{s:O}", "config", (json_t *)(uintptr_t)json_config), *empty = json_object();
    struct front_flow flow = {.args = args};
    int point = -1, run = -1;
    if (flow_levels(f, &flow, err)) {
        for (int i = 0; i < f->n_points && point < 0; i++) {
            point = memcmp(f->points[i].levels, flow.levels, (size_t)f->n_layers) == 0 ? i : -1;
        }
        for (int r = 0; r < f->n_runs && point < 0; r++) {
            run = strcmp(f->runs[r].name, "given") == 0 && strcmp(f->runs[r].method, "given") == 0 ? r : run;
        }
        run = point < 0 && run < 0 ? front_add_run(f, "given", "given", empty, err) : run;
        point = point < 0 && run >= 0 ? front_add_point(f, run, flow.levels, empty, err) : point;
    }
    free(flow.levels);
    json_decref(args);
    json_decref(empty);
    return point;
}
