#include "command/script.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "command/front.h"
#include "command/trust.h"
#include "export/chart.h"
#include "export/export.h"
#include "job/sched.h"

#define MAX_OPEN 8

/* A verb under way on behalf of the script: it makes one call at a time. */
struct pare_script {
    struct pare_script_options options;
    uv_loop_t *loop;
    struct pare_sched *sched;
    uv_check_t check;
    bool stopped, ended;
    enum pare_status status;
    struct pare_error err;
    int opened; /* so far: the ids that scripts hold */
    struct pare_front *fronts[MAX_OPEN]; /* NULL: free */
    int ids[MAX_OPEN];
    bool borrowed[MAX_OPEN];
    /* the call that waits */
    uint64_t task, flow;
    int waiting_front;
    bool waits_for_open, waits_for_close;
};

static json_t *opened_json(const struct pare_front *f, int id)
{
    const struct pare_state *s = pare_front_state(f);
    json_t *levels = json_array(), *layers = json_array(), *stages = json_array();
    for (int l = 0; l < s->n_levels; l++) {
        json_array_append_new(levels, json_string(s->level_names[l]));
    }
    for (int i = 0; i < s->n_layers; i++) {
        json_array_append_new(layers, json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", s->layers[i].name, "kind", s->layers[i].kind,
                                                "shape", s->layers[i].shape, "macs", (json_int_t)s->layers[i].macs, "weights",
                                                (json_int_t)s->layers[i].weights));
    }
    for (int i = 0; i < s->n_stages; i++) {
        json_array_append_new(stages, json_string(s->stages[i].name));
    }
    return json_pack("{s:i, s:s, s:b, s:o, s:o, s:o}", "id", id, "name", s->name, "bare", (int)s->bare, "levels", levels,
                     "layers", layers, "stages", stages);
}

static json_t *points_json(const struct pare_front *f)
{
    const struct pare_state *s = pare_front_state(f);
    json_t *points = json_array();
    for (int i = 0; i < s->n_points; i++) {
        const struct pare_point *p = &s->points[i];
        json_t *item = json_pack("{s:s, s:i, s:s, s:s, s:b, s:b}", "run", s->runs[p->run].name, "point", p->number, "label",
                                 p->label, "method", s->runs[p->run].method, "front", (int)p->front, "tied", (int)p->tied);
        json_object_set_new(item, "accuracy", pare_json_real(p->accuracy.value));
        json_object_set_new(item, "drop", pare_json_real(p->drop.value));
        json_object_set_new(item, "latency_ms", pare_json_real(p->latency.value));
        json_object_set_new(item, "latency_measured", json_boolean(p->latency.kind == PARE_FIGURE_MEASURED));
        json_object_set_new(item, "bytes", pare_json_real(p->bytes.value));
        json_object_set_new(item, "energy_predicted_uj", pare_json_real(p->energy.value));
        json_array_append_new(points, item);
    }
    return points;
}

static void answer(struct pare_script *s, json_t *value_take, const struct pare_error *err)
{
    uint64_t task = s->task;
    s->task = s->flow = 0;
    s->waits_for_open = s->waits_for_close = false;
    pare_sched_answer(s->sched, task, value_take, err);
}

static int slot_of(const struct pare_script *s, int id)
{
    for (int i = 0; i < MAX_OPEN; i++) {
        if (id > 0 && s->fronts[i] != NULL && s->ids[i] == id) {
            return i;
        }
    }
    return -1;
}

/* Begins to close a front; on_check ends it when its workers are gone. */
static void start_closing(struct pare_script *s, int slot, uint64_t task)
{
    if (!s->borrowed[slot]) {
        pare_front_close(s->fronts[slot]);
    }
    s->task = task;
    s->waiting_front = slot;
    s->waits_for_close = true;
}

static void end_closing(struct pare_script *s)
{
    const int slot = s->waiting_front;
    if (!s->borrowed[slot] && !pare_sched_closed(s->fronts[slot]->sched)) {
        return;
    }
    if (!s->borrowed[slot]) {
        pare_front_free(s->fronts[slot]);
    }
    s->fronts[slot] = NULL;
    s->borrowed[slot] = false;
    answer(s, json_object(), NULL);
}

/* After each turn of the loop: is what the script waits for there? */
static void on_check(uv_check_t *check)
{
    struct pare_script *s = check->data;
    struct pare_error err = {0};
    enum pare_status status = PARE_OK;
    const void *json = NULL;
    if (s->task != 0 && s->waits_for_close && !s->stopped) {
        end_closing(s);
        return;
    }
    if (s->task == 0 || s->flow == 0 || s->stopped) { /* flow 0: a front that is being opened turns the loop */
        return;
    }
    struct pare_front *f = s->fronts[s->waiting_front];
    if (pare_front_result(f, s->flow, &json, &status, &err)) {
        if (status != PARE_OK) {
            answer(s, NULL, &err);
        } else if (s->waits_for_open) {
            answer(s, opened_json(f, s->ids[s->waiting_front]), NULL);
        } else {
            answer(s, json_incref((json_t *)(uintptr_t)json), NULL);
        }
    }
}

static enum pare_status open_front(struct pare_script *s, const json_t *args, struct pare_error *err)
{
    const char *path = pare_json_get_string(args, "path", NULL);
    char wanted[PATH_MAX], own[PATH_MAX];
    struct pare_front_options options = s->options.front;
    if (path == NULL || realpath(path, wanted) == NULL) {
        return pare_error(err, PARE_ERR_NOINPUT, path, "no such pipeline");
    }
    int slot = 0;
    for (; slot < MAX_OPEN && s->fronts[slot] != NULL; slot++) {
    }
    if (slot == MAX_OPEN) {
        return pare_error(err, PARE_ERR_USAGE, path, "at most %d pipelines are open at once", MAX_OPEN);
    }
    options.path = path;
    options.models_dir = pare_json_get_string(args, "models", options.models_dir);
    options.levels = pare_json_get_string(args, "levels", options.levels);
    options.quantize = pare_json_get_string(args, "quantize", options.quantize);
    options.target = pare_json_get_string(args, "target", options.target);
    options.keep_first_n = (int)pare_json_get_int(args, "keep_first", options.keep_first_n);
    const json_t *keep = json_object_get(args, "keep");
    options.keep_first = pare_json_get_string(keep, "inputs", options.keep_first);
    options.keep_last = pare_json_get_string(keep, "outputs", options.keep_last);
    if (isfinite(pare_json_get_real(args, "keep_suspected"))) {
        options.keep_suspected = pare_json_get_real(args, "keep_suspected");
    }
    int64_t samples = pare_json_get_int(args, "samples", options.samples);
    options.samples = samples > 0 && samples < 1000000 ? (int)samples : options.samples;
    options.changed = NULL;
    static const char *const lasting[] = {"quantize", "target", "levels", "keep", "keep_first", "keep_suspected", "samples"};
    const char *asked = NULL; /* what cannot change while it is open */
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting && asked == NULL; i++) {
        asked = json_object_get(args, lasting[i]) != NULL ? lasting[i] : NULL;
    }
    struct pare_front *f = NULL;
    for (int i = 0; i < MAX_OPEN; i++) { /* opened before by this script: a session is held once */
        if (s->fronts[i] != NULL && realpath(pare_front_state(s->fronts[i])->path, own) != NULL && strcmp(own, wanted) == 0) {
            if (asked != NULL) {
                return pare_error(err, PARE_ERR_USAGE, path, "already open: \"%s\" cannot change (close it first)", asked);
            }
            s->waiting_front = i;
            s->waits_for_open = true;
            s->flow = pare_front_start(s->fronts[i], "describe", NULL, err);
            return s->flow != 0 ? PARE_ERR_BUSY : err->code;
        }
    }
    if (s->options.reuse != NULL && realpath(pare_front_state(s->options.reuse)->path, own) != NULL && strcmp(own, wanted) == 0) {
        if (asked != NULL) {
            return pare_error(err, PARE_ERR_USAGE, path, "open in the workbench: \"%s\" cannot change", asked);
        }
        f = s->options.reuse;
        s->borrowed[slot] = true;
    } else {
        enum pare_status status = pare_front_open(s->loop, &options, &f, err);
        if (status != PARE_OK) {
            return status;
        }
    }
    s->waiting_front = slot;
    s->fronts[slot] = f;
    s->ids[slot] = ++s->opened;
    s->waits_for_open = true;
    s->flow = pare_front_start(f, "describe", NULL, err);
    return s->flow != 0 ? PARE_ERR_BUSY : err->code;
}

static int state_point(const struct pare_state *state, const char *run)
{
    int found = -1;
    for (int i = 0; run != NULL && i < state->n_points; i++) {
        const struct pare_point *p = &state->points[i];
        found = strcmp(state->runs[p->run].name, run) == 0 || strcmp(p->label, run) == 0 ? i : found;
    }
    return found;
}

static enum pare_status on_call(void *self, uint64_t task, const char *verb, const json_t *args, json_t **value,
                                struct pare_error *err)
{
    struct pare_script *s = self;
    const int id = slot_of(s, (int)pare_json_get_int(args, "id", 0));
    const char *path = pare_json_get_string(args, "path", NULL);
    s->task = task;
    if (strcmp(verb, "open") == 0) {
        enum pare_status status = open_front(s, args, err);
        s->task = status == PARE_ERR_BUSY && s->flow != 0 ? task : 0;
        return status;
    }
    s->task = 0;
    if (strcmp(verb, "write") == 0) {
        const char *text = pare_json_get_string(args, "text", "");
        *value = json_object();
        return path != NULL ? pare_file_write(path, text, strlen(text), err) : pare_error(err, PARE_ERR_USAGE, "write", "expected a path");
    }
    if (strcmp(verb, "chart") == 0) {
        *value = json_object();
        return pare_chart_write_json(args, err);
    }
    if (id < 0) {
        return pare_error(err, PARE_ERR_USAGE, verb, "the pipeline is not open");
    }
    struct pare_front *f = s->fronts[id];
    if (strcmp(verb, "close") == 0) {
        start_closing(s, id, task);
        return PARE_ERR_BUSY;
    }
    if (strcmp(verb, "command") == 0) {
        enum pare_status status = pare_front_command(f, pare_json_get_string(args, "line", ""), -1, err);
        *value = json_pack("{s:s}", "message", pare_front_state(f)->message);
        return status;
    }
    if (strcmp(verb, "points") == 0) {
        *value = points_json(f);
        return PARE_OK;
    }
    if (strcmp(verb, "export") == 0) {
        const struct pare_state *state = pare_front_state(f);
        *value = json_object();
        return pare_export_state(state, pare_json_get_string(args, "format", "json"),
                                 state_point(state, pare_json_get_string(args, "run", NULL)), path != NULL ? path : "", err);
    }
    s->flow = pare_front_start(f, pare_json_get_string(args, "verb", "?"), json_object_get(args, "args"), err);
    s->waiting_front = id;
    s->task = s->flow != 0 ? task : 0;
    return s->flow != 0 ? PARE_ERR_BUSY : err->code;
}

static void on_print(void *self, uint64_t task, const char *text)
{
    struct pare_script *s = self;
    (void)task;
    if (s->options.print != NULL) {
        s->options.print(s->options.self, text);
    }
}

static const json_t *no_row(void *self, const char *key)
{
    (void)self;
    (void)key;
    return NULL;
}

static enum pare_status on_finished(void *self, const struct pare_task *task, const json_t *result, struct pare_error *err)
{
    struct pare_script *s = self;
    (void)task;
    (void)result;
    (void)err;
    s->ended = true;
    return PARE_OK;
}

static void on_failed(void *self, const struct pare_task *task)
{
    struct pare_script *s = self;
    s->ended = true;
    s->err = task->error;
    s->status = task->error.code != PARE_OK ? task->error.code : PARE_ERR_FAIL;
}

static void on_changed(void *self)
{
    (void)self;
}

enum pare_status pare_script_start(struct uv_loop_s *loop, const struct pare_script_options *options,
                                   struct pare_script **script, struct pare_error *err)
{
    struct pare_script *s = calloc(1, sizeof *s);
    char real[PATH_MAX];
    *script = NULL;
    if (s == NULL) {
        return pare_error_nomem(err);
    }
    if (realpath(options->path, real) == NULL) {
        free(s);
        return pare_error(err, PARE_ERR_NOINPUT, options->path, "no such script");
    }
    struct pare_trust trust;
    if (pare_trust_check(real, options->front.exe, &trust, err) != PARE_OK) {
        free(s);
        return err != NULL ? err->code : PARE_ERR_PERMISSION;
    }
    s->options = *options;
    s->loop = loop;
    struct pare_sched_owner owner = {.self = s, .find_row = no_row, .finished = on_finished, .failed = on_failed,
                                     .changed = on_changed, .call = on_call, .print = on_print};
    s->sched = pare_sched_new(loop, options->front.exe, 1, &owner);
    json_t *args = json_array();
    for (int i = 0; i < options->n_args; i++) {
        json_array_append_new(args, json_string(options->args[i]));
    }
    struct pare_task_spec spec = {.kind = "script",
                                  .title = options->path,
                                  .params_take = json_pack("{s:s, s:o}", "path", real, "args", args),
                                  .limit_seconds = 60,
                                  .max_attempts = 1}; /* half a script is not run twice */
    if (s->sched == NULL || pare_sched_add(s->sched, &spec) == 0) {
        pare_sched_free(s->sched);
        free(s);
        return pare_error_nomem(err);
    }
    uv_check_init(loop, &s->check);
    s->check.data = s;
    uv_check_start(&s->check, on_check);
    uv_unref((uv_handle_t *)&s->check);
    *script = s;
    return PARE_OK;
}

bool pare_script_ended(struct pare_script *s, enum pare_status *status, struct pare_error *err)
{
    *status = s->status;
    if (s->ended && s->status != PARE_OK) {
        *err = s->err;
    }
    return s->ended;
}

void pare_script_stop(struct pare_script *s)
{
    if (s->stopped) {
        return;
    }
    s->stopped = true;
    uv_close((uv_handle_t *)&s->check, NULL);
    pare_sched_stop(s->sched);
    for (int i = 0; i < MAX_OPEN; i++) {
        if (s->fronts[i] != NULL && !s->borrowed[i] && !(s->waits_for_close && i == s->waiting_front)) {
            pare_front_close(s->fronts[i]);
        }
    }
}

bool pare_script_closed(const struct pare_script *s)
{
    bool closed = s->stopped && pare_sched_closed(s->sched);
    for (int i = 0; i < MAX_OPEN; i++) {
        closed = closed && (s->fronts[i] == NULL || s->borrowed[i] || pare_sched_closed(s->fronts[i]->sched));
    }
    return closed;
}

void pare_script_free(struct pare_script *s)
{
    for (int i = 0; i < MAX_OPEN; i++) {
        if (s->fronts[i] != NULL && !s->borrowed[i]) {
            pare_front_free(s->fronts[i]);
        }
    }
    pare_sched_free(s->sched);
    free(s);
}
