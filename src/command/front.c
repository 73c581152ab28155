#include "command/front.h"
#include "command/label.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "command/trust.h"
#include "pk.h"

#define MAX_LOG 500

void front_changed(struct pare_front *f)
{
    f->dirty = true;
    f->version++;
    f->state.version = f->version; /* whoever compares sees at once that there is news */
    if (f->options.changed != NULL && !f->closing) {
        f->options.changed(f->options.self);
    }
}

void front_log(struct pare_front *f, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (f->n_log == MAX_LOG) {
        free(f->log[0]);
        memmove(f->log, f->log + 1, (MAX_LOG - 1) * sizeof *f->log);
        f->n_log--;
    }
    char *copy = strdup(text);
    if (copy != NULL) {
        f->log[f->n_log++] = copy;
        f->logged++;
    }
    front_changed(f);
}

void front_say(struct pare_front *f, bool is_error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(f->message, sizeof f->message, format, args);
    va_end(args);
    f->message_is_error = is_error;
    front_log(f, "%s%s", is_error ? "error: " : "", f->message);
}

static const char *copy_text(struct pare_front *f, const char *text)
{
    const char *copy = pare_arena_strdup(&f->arena, text);
    return copy != NULL ? copy : "";
}

static void take_geometry(struct front_layer *l, const json_t *geometry)
{
    int *const fields[13] = {&l->conv.in_h,     &l->conv.in_w,     &l->conv.in_c,     &l->conv.out_h,      &l->conv.out_w,
                             &l->conv.out_c,    &l->conv.kernel_h, &l->conv.kernel_w, &l->conv.stride_h,   &l->conv.stride_w,
                             &l->conv.dilation_h, &l->conv.dilation_w, &l->conv.groups};
    for (size_t i = 0; i < 13; i++) {
        *fields[i] = (int)json_integer_value(json_array_get(geometry, i));
    }
    l->batch = pare_json_at_real(geometry, 13);
}

void front_take_method(struct front_layer *l, const json_t *layer)
{
    const json_t *bytes = json_object_get(layer, "bytes");
    size_t i;
    json_t *item;
    l->simulated = 0;
    json_array_foreach(json_object_get(layer, "simulated_bits"), i, item) {
        const json_int_t bits = json_integer_value(item);
        l->simulated |= bits > 0 && bits <= 8 ? 1u << bits : 0;
    }
    for (int bits = 0; bits <= 32; bits++) {
        char key[8] = "w16a16";
        if (bits > 0) {
            snprintf(key, sizeof key, "%d", bits);
        }
        l->bytes[bits] = pare_json_get_real(bytes, key);
    }
}

static void take_layer(struct pare_front *f, struct front_layer *l, const json_t *json)
{
    const char *name = pare_json_get_string(json, "name", "?"), *slash = strchr(name, '/');
    const json_t *from = json_object_get(json, "from");
    l->name = copy_text(f, name);
    l->tensor = copy_text(f, pare_json_get_string(json, "tensor", ""));
    l->tensor_index = (int)pare_json_get_int(json, "tensor_index", -1);
    l->short_name = copy_text(f, slash != NULL ? slash + 1 : name);
    l->kind = copy_text(f, pare_json_get_string(json, "kind", "conv"));
    l->shape = copy_text(f, pare_json_get_string(json, "shape", ""));
    l->stage = (int)pare_json_get_int(json, "stage", 0);
    l->macs = pare_json_get_int(json, "macs", 0);
    l->weights = pare_json_get_int(json, "weights", 0);
    l->first = pare_json_get_bool(json, "first", false);
    l->last = pare_json_get_bool(json, "last", false);
    l->elements = pare_json_get_real(json, "elements");
    take_geometry(l, json_object_get(json, "geometry"));
    front_take_method(l, json);
    l->n_from = (int)json_array_size(from);
    l->from = pare_arena_array(&f->arena, (size_t)l->n_from + 1, sizeof *l->from);
    l->n_from = l->from != NULL ? l->n_from : 0;
    for (int i = 0; i < l->n_from; i++) {
        json_int_t at = json_integer_value(json_array_get(from, (size_t)i));
        l->from[i] = at >= 0 && at < f->n_layers ? (int)at : 0;
    }
    l->stage = l->stage >= 0 && l->stage < f->n_stages ? l->stage : 0;
    l->pin_lo = l->pin_hi = -1;
}

/* How lists show the layers of a stage. */
static void label_layers(struct pare_front *f, const struct front_stage *stage)
{
    const int n = stage->n_layers;
    struct front_layer *const layers = f->layers + stage->first_layer;
    const char **names = pare_arena_array(&f->arena, (size_t)n + 1, sizeof *names);
    size_t skip = 0;
    for (int i = 0; names != NULL && i < n; i++) {
        names[i] = layers[i].short_name;
    }
    const bool cut = names != NULL && front_label_cut(names, n, &skip);
    for (int i = 0; i < n; i++) {
        const char *text = layers[i].short_name + skip, *last = cut ? strrchr(text, '/') : NULL;
        const char *label = pare_arena_printf(&f->arena, "%s/%.*s", stage->name, (int)(last != NULL ? (size_t)(last - text) : strlen(text)), text);
        layers[i].label = label != NULL ? label : layers[i].name;
        layers[i].short_label = label != NULL ? label + strlen(stage->name) + 1 : layers[i].short_name;
    }
}

static bool take_layers(struct pare_front *f, const json_t *layers, const json_t *stages)
{
    f->n_layers = (int)json_array_size(layers);
    f->layers = pare_arena_array(&f->arena, (size_t)f->n_layers + 1, sizeof *f->layers);
    f->n_stages = (int)json_array_size(stages);
    f->stages = pare_arena_array(&f->arena, (size_t)f->n_stages + 1, sizeof *f->stages);
    f->cells = pare_arena_array(&f->arena, (size_t)(f->n_layers * f->n_levels) + 1, sizeof *f->cells);
    if (f->layers == NULL || f->stages == NULL || f->cells == NULL || (f->n_layers > 0 && f->n_stages == 0)) {
        return false;
    }
    for (int s = 0; s < f->n_stages; s++) {
        const json_t *stage = json_array_get(stages, (size_t)s);
        double other = pare_json_get_real(stage, "other_bytes");
        f->stages[s].name = copy_text(f, pare_json_get_string(stage, "name", "?"));
        f->stages[s].file = copy_text(f, pare_json_get_string(stage, "file", ""));
        f->stages[s].other_bytes = isfinite(other) ? other : 0;
        f->stages[s].calls = 1;
        f->stages[s].first_layer = f->n_layers;
        for (int l = 0; l < PARE_MAX_LEVELS; l++) {
            f->stages[s].other_ms[l] = f->stages[s].total_ms[l] = NAN;
        }
    }
    for (int i = 0; i < f->n_layers; i++) {
        struct front_layer *l = &f->layers[i];
        const json_t *layer = json_array_get(layers, (size_t)i);
        take_layer(f, l, layer);
        front_keep_layer(f, i, pare_json_get_string(layer, "keep", NULL));
        struct front_stage *stage = &f->stages[l->stage];
        stage->first_layer = i < stage->first_layer ? i : stage->first_layer;
        stage->n_layers++;
        for (int k = 0; k < f->n_levels; k++) {
            f->cells[i * f->n_levels + k].ms = NAN;
            f->cells[i * f->n_levels + k].ms_p10 = f->cells[i * f->n_levels + k].ms_p90 = NAN;
        }
    }
    for (int s = 0; s < f->n_stages; s++) {
        label_layers(f, &f->stages[s]);
    }
    return true;
}

/* ---- runs and points of the session ---- */

void front_take_run(struct pare_front *f, int64_t id, const char *name, const char *method, const json_t *settings,
                    const json_t *status)
{
    if (f->n_runs == f->cap_runs) {
        int cap = f->cap_runs > 0 ? 2 * f->cap_runs : 16;
        struct front_run *runs = realloc(f->runs, (size_t)cap * sizeof *runs);
        if (runs == NULL) {
            return;
        }
        f->runs = runs;
        f->cap_runs = cap;
    }
    f->runs[f->n_runs++] = (struct front_run){.id = id,
                                              .name = strdup(name),
                                              .method = strdup(method),
                                              .settings = json_deep_copy(settings),
                                              .status = json_deep_copy(status)};
}

void front_take_point(struct pare_front *f, int64_t id, int64_t run, int number, const json_t *config, const json_t *facts)
{
    struct front_point p = {.id = id, .run_id = run, .run = -1, .number = number};
    for (int r = 0; r < f->n_runs; r++) {
        p.run = f->runs[r].id == run ? r : p.run;
    }
    if (f->n_points == f->cap_points) {
        int cap = f->cap_points > 0 ? 2 * f->cap_points : 64;
        struct front_point *points = realloc(f->points, (size_t)cap * sizeof *points);
        if (points == NULL) {
            return;
        }
        f->points = points;
        f->cap_points = cap;
    }
    p.levels = calloc((size_t)f->n_layers + 1, 1);
    if (p.levels == NULL || p.run < 0 || !front_config_levels(f, config, p.levels, NULL)) {
        free(p.levels); /* of other candidate levels, or of a pipeline that has changed */
        return;
    }
    p.config = front_config_json(f, p.levels);
    p.facts = json_deep_copy(facts);
    p.drop_predicted = p.latency_predicted = p.from_exact = NAN;
    f->points[f->n_points++] = p;
    front_load_point(f, &f->points[f->n_points - 1]);
}

static void take_run(void *self, int64_t id, const char *name, const char *method, const json_t *settings,
                     const json_t *status)
{
    front_take_run(self, id, name, method, settings, status);
}

static void take_point(void *self, int64_t id, int64_t run, int number, const json_t *config, const json_t *facts)
{
    front_take_point(self, id, run, number, config, facts);
}

static void row_seen(void *self, const char *key, const char *kind)
{
    (void)self;
    (void)key;
    (void)kind;
}

int front_add_run(struct pare_front *f, const char *name, const char *method, json_t *settings, struct pare_error *err)
{
    int64_t id = 0;
    json_t *status = json_object();
    int n = f->n_runs;
    if (pare_session_add_run(f->session, name, method, settings, &id, err) == PARE_OK) {
        front_take_run(f, id, name, method, settings, status);
    }
    json_decref(status);
    return f->n_runs > n ? n : -1;
}

int front_add_point(struct pare_front *f, int run, const unsigned char *levels, json_t *facts, struct pare_error *err)
{
    int64_t id = 0;
    int number = 1, n = f->n_points;
    for (int i = 0; i < f->n_points; i++) {
        if (f->points[i].run == run) {
            if (memcmp(f->points[i].levels, levels, (size_t)f->n_layers) == 0) {
                return i;
            }
            number++;
        }
    }
    json_t *config = front_config_json(f, levels);
    double drop = front_drop_of_loss(f, front_loss_sum(f, levels)), spread = front_spread_of_loss(f, front_loss_sum(f, levels));
    if (f->options.quantize != NULL) {
        json_object_set_new(facts, "quantize", json_string(f->options.quantize)); /* a prediction is of one method */
    }
    json_object_set_new(facts, "drop_predicted", pare_json_real(drop));
    json_object_set_new(facts, "drop_predicted_low", pare_json_real(drop - 1.96 * spread));
    json_object_set_new(facts, "drop_predicted_high", pare_json_real(drop + 1.96 * spread));
    json_object_set_new(facts, "latency_predicted", pare_json_real(front_latency_sum(f, levels)));
    if (pare_session_add_point(f->session, f->runs[run].id, number, config, facts, &id, err) == PARE_OK) {
        front_take_point(f, id, f->runs[run].id, number, config, facts);
    }
    json_decref(config);
    if (f->n_points == n) {
        return -1;
    }
    f->points[n].loss_sum = front_loss_sum(f, levels);
    f->points[n].drop_predicted = pare_json_get_real(f->points[n].facts, "drop_predicted");
    f->points[n].latency_predicted = front_latency_sum(f, levels);
    front_changed(f);
    return n;
}

/* ---- jobs come back ---- */

/* Results of another version of what they depend on stay in the file, unused: that is told once. */
static void tell_older_results(struct pare_front *f)
{
    char *before = pare_session_get_meta(f->session, "content"), text[400];
    int rows = 0;
    if (before != NULL && strcmp(before, f->content) != 0 &&
        pare_session_discard(f->session, "content", f->content, false, &rows, NULL) == PARE_OK && rows > 0) {
        snprintf(text, sizeof text, "%d cached result%s of another version of pipeline.lua, its models, its data or of Pare: they are not used "
                 "(pare session gc removes them). `tie` and `rows` written out in the returned table change no results; those that code "
                 "computes can be put into the session instead (pare pin --tie, --row)", rows, rows == 1 ? " is" : "s are");
        front_say(f, false, "%s", text);
        if (f->options.print != NULL) {
            char line[420];
            snprintf(line, sizeof line, "pare: %s", text);
            f->options.print(f->options.self, line);
        }
    }
    free(before);
}

static bool take_description(struct pare_front *f, const json_t *result)
{
    const json_t *splits = json_object_get(result, "splits");
    static const char *const names[4] = {"calibration", "search", "test", "all"};
    f->description = json_incref((json_t *)(uintptr_t)result);
    snprintf(f->content, sizeof f->content, "%s", pare_json_get_string(result, "content", ""));
    snprintf(f->isa, sizeof f->isa, "%s", pare_json_get_string(result, "isa", ""));
    if (!take_layers(f, json_object_get(result, "layers"), json_object_get(result, "stages"))) {
        return false;
    }
    bool bare = pare_json_get_bool(result, "bare", false);
    f->metric = pare_metric_parse(pare_json_get_string(result, "metric", "top1"));
    for (int s = 0; s < 4; s++) {
        f->split_samples[s] = bare ? 64 : (int)pare_json_get_int(json_object_get(splits, names[s]), "n", 0);
    }
    f->sense_samples = f->options.samples > 0 ? f->options.samples : 200;
    f->sense_samples = f->sense_samples < f->split_samples[1] ? f->sense_samples : f->split_samples[1];
    f->eval_samples = f->options.eval_samples > 0 ? f->options.eval_samples : 2000;
    f->n_chunks = (f->sense_samples + FRONT_CHUNK - 1) / FRONT_CHUNK;
    f->sense_chunk = pare_arena_array(&f->arena, (size_t)(f->n_levels * f->n_chunks) + 1, sizeof *f->sense_chunk);
    if (f->sense_chunk == NULL) {
        return false;
    }
    f->described = true;
    f->glue_ms = NAN;
    f->pace = 1;
    if (front_choices_clear(f, &f->failure) != PARE_OK) {
        f->described = false;
        return false;
    }
    if (f->session != NULL) {
        if (!f->follower) {
            tell_older_results(f);
            (void)pare_session_set_meta(f->session, "pipeline", f->real_path, NULL);
            (void)pare_session_set_meta(f->session, "content", f->content, NULL);
        }
        front_rates_load(f);
        front_find_unfinished(f);
        f->data_version = pare_session_data_version(f->session);
        pare_session_new_rows(f->session, &f->last_row, f, row_seen);
        front_load_rows(f);
        pare_session_each_run(f->session, f, take_run);
        pare_session_each_point(f->session, f, take_point);
        front_fit(f);
        front_apply_actions(f);
    }
    front_log(f, "%s: %d models, %d layers", pare_json_get_string(result, "name", "?"), f->n_stages, f->n_layers);
    return true;
}

static const json_t *find_row(void *self, const char *key)
{
    return front_find_row(self, key);
}

static enum pare_status job_finished(void *self, const struct pare_task *task, const json_t *result,
                                     struct pare_error *err)
{
    struct pare_front *f = self;
    enum pare_status status = PARE_OK;
    const double seconds = pare_sched_now(f->sched) - task->started;
    const bool part = front_is_part(task->kind, task->params), whole = !part && strcmp(task->kind, "calibrate") == 0;
    if (task->key[0] != '\0' && f->session != NULL && !part) {
        json_t *params = json_copy(task->params);
        json_object_del(params, "pipeline");
        json_object_del(params, "models");
        status = pare_session_put_row(f->session, task->key, task->kind, params, result,
                                      seconds + (whole ? f->part_seconds : 0), err);
        json_decref(params);
    }
    f->part_seconds = part ? f->part_seconds + seconds : whole ? 0 : f->part_seconds;
    if (task->key[0] != '\0' && status == PARE_OK) {
        front_rate_add(f, task->kind, task->params, seconds);
        json_object_set(f->recent, task->key, (json_t *)(uintptr_t)result);
        json_object_del(f->absent, task->key);
    }
    if (strcmp(task->kind, "describe") == 0 && f->described) {
        struct pare_error own = {0};
        if (!front_quantize_described(f, task->params, result, &own)) {
            front_say(f, true, "%s: %s", own.where, own.message);
        }
    } else if (strcmp(task->kind, "describe") == 0) {
        f->failure.code = PARE_OK;
        if (!take_description(f, result)) {
            if (f->failure.code == PARE_OK) {
                pare_error(&f->failure, PARE_ERR_INTERNAL, f->path, "the description has no layers, or memory is out");
            }
            *err = f->failure;
            status = f->failure.code;
            f->failed = true;
        }
        front_keep_pending(f);
    } else if (task->tag != NULL) {
        json_decref(*(json_t **)task->tag);
        *(json_t **)task->tag = json_incref((json_t *)(uintptr_t)result);
    }
    f->advance_wanted = true;
    front_changed(f);
    return status;
}

static void job_failed(void *self, const struct pare_task *task)
{
    struct pare_front *f = self;
    if (strcmp(task->kind, "describe") == 0 && f->described) {
        f->redescribing = false; /* jobs will say the same */
        front_say(f, true, "%s: %s", task->error.where, task->error.message);
    } else if (strcmp(task->kind, "describe") == 0 && task->state == PARE_TASK_FAILED && front_quantize_fall_back(f, &task->error)) {
        f->advance_wanted = true;
        f->failed = front_describe(f, &f->failure) != PARE_OK;
        return;
    } else if (strcmp(task->kind, "describe") == 0) {
        f->failed = true;
        f->failure = task->error;
    }
    f->advance_wanted = true;
    if (!f->closing) {
        front_log(f, "%s: %s%s%s", task->title, task->error.where, task->error.where[0] != '\0' ? ": " : "",
                  task->error.message);
    }
}

/* A line of a plugin. */
static void job_printed(void *self, uint64_t task, const char *text)
{
    struct pare_front *f = self;
    (void)task;
    front_log(f, "%s", text);
    if (f->options.print != NULL) {
        f->options.print(f->options.self, text);
    }
}

static void jobs_changed(void *self)
{
    struct pare_front *f = self;
    if (f->closing) {
        return;
    }
    if (f->advance_wanted) {
        f->advance_wanted = false;
        front_advance(f);
    }
    front_changed(f);
}

/* ---- opening and closing ---- */

static void read_cpu(char *text, size_t size)
{
    char line[256] = "unknown CPU";
    FILE *in = fopen("/proc/cpuinfo", "re");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            colon[strcspn(colon, "\n")] = '\0';
            pare_escape(colon + 2, strlen(colon + 2), text, size);
            fclose(in);
            return;
        }
    }
    if (in != NULL) {
        fclose(in);
    }
    snprintf(text, size, "unknown CPU");
}

static enum pare_status parse_levels(struct pare_front *f, struct pare_error *err)
{
    struct pare_level given[PARE_MAX_LEVELS];
    int n = 0;
    enum pare_status status = pare_levels_parse(f->options.levels != NULL ? f->options.levels : "default", given,
                                                PARE_MAX_LEVELS - 4, &n, err);
    if (status == PARE_OK) {
        status = front_keep_levels(f, given, PARE_MAX_LEVELS - 2, &n, err);
    }
    if (status != PARE_OK) {
        return status;
    }
    /* fp32 is always there, and int8, which first and last layers fall back to */
    given[n++] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    given[n++] = (struct pare_level){PARE_LEVEL_INT, 8, 8};
    for (int i = 0; i < n; i++) {
        int at = f->n_levels;
        bool known = false;
        for (int k = 0; k < f->n_levels; k++) {
            known = known || pare_level_equal(f->levels[k], given[i]);
        }
        if (known) {
            continue;
        }
        for (; at > 0 && pare_level_compare(given[i], f->levels[at - 1]) < 0; at--) {
            f->levels[at] = f->levels[at - 1];
        }
        f->levels[at] = given[i];
        f->n_levels++;
    }
    for (int l = 0; l < f->n_levels; l++) {
        pare_level_name(f->levels[l], f->level_names[l]);
        pare_level_alias(f->levels[l], f->level_alias[l]);
        f->int8_level = f->levels[l].kind == PARE_LEVEL_INT && f->levels[l].w_bits == 8 && f->levels[l].a_bits == 8
                            ? l
                            : f->int8_level;
    }
    return PARE_OK;
}

enum pare_status pare_front_session_path(const char *pipeline, char *path, size_t size, struct pare_error *err)
{
    char real[PATH_MAX], name[128];
    if (realpath(pipeline, real) == NULL) {
        return pare_error(err, PARE_ERR_NOINPUT, pipeline, "no such file or folder");
    }
    char *copy = strdup(real), *last = copy != NULL ? strrchr(copy, '/') : NULL;
    if (last != NULL && strcmp(last, "/pipeline.lua") == 0) {
        *last = '\0';
        last = strrchr(copy, '/');
    }
    snprintf(name, sizeof name, "%s", last != NULL && last[1] != '\0' ? last + 1 : "pipeline");
    enum pare_status status = pare_session_path(name, copy != NULL ? copy : "", path, size, err);
    free(copy);
    return status;
}

static enum pare_status open_session(struct pare_front *f, struct pare_error *err)
{
    char path[PATH_MAX];
    if (f->options.temporary) {
        return pare_session_open(":memory:", false, &f->session, &f->follower, err);
    }
    if (f->options.session != NULL) {
        snprintf(path, sizeof path, "%s", f->options.session);
    } else {
        enum pare_status status = pare_front_session_path(f->real_path, path, sizeof path, err);
        if (status != PARE_OK) {
            return status;
        }
    }
    return pare_session_open(path, f->options.follow, &f->session, &f->follower, err);
}

enum pare_status front_describe(struct pare_front *f, struct pare_error *err)
{
    json_t *params = json_pack("{s:s, s:o}", "pipeline", f->real_path, "models",
                               f->models != NULL ? json_string(f->models) : json_null());
    if (f->options.quantize != NULL) { /* sizes depend on it */
        json_object_set_new(params, "quantize", json_string(f->options.quantize));
    }
    struct pare_task_spec spec = {
        .kind = "describe", .title = "open the pipeline", .key = "", .params_take = params, .interactive = f->described, .priority = 100};
    return pare_sched_add(f->sched, &spec) != 0 ? PARE_OK : pare_error_nomem(err);
}

enum pare_status pare_front_open(struct uv_loop_s *loop, const struct pare_front_options *options,
                                 struct pare_front **out, struct pare_error *err)
{
    struct pare_front *f = calloc(1, sizeof *f);
    char real[PATH_MAX];
    *out = NULL;
    if (f == NULL) {
        return pare_error_nomem(err);
    }
    f->options = *options;
    const char **const kept[] = {&f->options.quantize, &f->options.baseline, &f->options.keep_first, &f->options.keep_last};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) { /* needed longer than the caller keeps it */
        *kept[i] = *kept[i] != NULL ? pare_arena_strdup(&f->arena, *kept[i]) : NULL;
    }
    f->loop = loop;
    f->recent = json_object();
    f->absent = json_object();
    f->minimize = PARE_COST_LATENCY;
    f->max_drop = 0.01;
    f->max_latency_ms = f->max_bytes = f->max_bitops = f->max_energy_uj = NAN;
    f->path = strdup(options->path);
    f->exe = options->exe != NULL ? strdup(options->exe) : NULL;
    f->options.exe = f->exe; /* scripts start workers later */
    f->models = options->models_dir != NULL ? realpath(options->models_dir, NULL) : NULL;
    read_cpu(f->cpu, sizeof f->cpu);
    pare_target_use_host(f->table);
    enum pare_status status = parse_levels(f, err);
    if (status == PARE_OK && realpath(options->path, real) == NULL) {
        status = pare_error(err, PARE_ERR_NOINPUT, options->path, "no such file or folder");
    }
    if (status == PARE_OK && options->target != NULL && strcmp(options->target, "host") != 0) {
        status = pare_target_load(options->target, &f->target, err);
    }
    if (status == PARE_OK && options->models_dir != NULL && f->models == NULL) {
        status = pare_error(err, PARE_ERR_NOINPUT, options->models_dir, "no such folder (--models)");
    }
    if (status == PARE_OK) {
        struct pare_trust trust;
        status = pare_trust_check(real, options->exe, &trust, err);
    }
    if (status == PARE_OK) {
        f->real_path = strdup(real);
        status = f->real_path != NULL ? open_session(f, err) : pare_error_nomem(err);
    }
    if (status == PARE_OK) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        struct pare_sched_owner owner = {
            .self = f, .find_row = find_row, .finished = job_finished, .failed = job_failed, .changed = jobs_changed,
            .print = job_printed};
        f->sched = pare_sched_new(loop, options->exe,
                                  options->n_workers > 0 ? options->n_workers : cores > 0 ? (int)cores : 1, &owner);
        front_quantize_open(f);
        status = f->sched != NULL ? front_describe(f, err) : pare_error_nomem(err);
        if (status == PARE_OK) {
            front_follow_start(f);
        }
    }
    if (status != PARE_OK) {
        pare_front_close(f);
        uv_run(loop, UV_RUN_NOWAIT); /* its handles close before their memory goes */
        pare_front_free(f);
        return status;
    }
    *out = f;
    return PARE_OK;
}

void pare_front_close(struct pare_front *f)
{
    f->closing = true;
    front_follow_stop(f);
    front_script_stop(f);
    if (f->sched != NULL) {
        pare_sched_stop(f->sched);
    }
}

void pare_front_free(struct pare_front *f)
{
    pare_target_free(f != NULL ? f->target : NULL);
    if (f == NULL) {
        return;
    }
    front_script_free(f);
    front_flows_free(f);
    pare_sched_free(f->sched);
    pare_session_close(f->session);
    for (int i = 0; i < f->n_points; i++) {
        free(f->points[i].levels);
        free(f->points[i].keys);
        free(f->points[i].right);
        json_decref(f->points[i].config);
        json_decref(f->points[i].facts);
    }
    for (int i = 0; f->cells != NULL && i < f->n_layers * f->n_levels; i++) {
        pare_metric_set_free(f->cells[i].set);
    }
    json_decref(f->known_figures);
    json_decref(f->perturbation);
    json_decref(f->pins);
    json_decref(f->ties);
    free(f->quantize_said);
    json_decref(f->rows);
    for (int i = 0; i < f->n_runs; i++) {
        free(f->runs[i].name);
        free(f->runs[i].method);
        json_decref(f->runs[i].settings);
        json_decref(f->runs[i].status);
    }
    for (int i = 0; i < f->n_log; i++) {
        free(f->log[i]);
    }
    free(f->points);
    free(f->runs);
    free(f->fit);
    json_decref(f->absent);
    json_decref(f->unfinished);
    free(f->pending);
    json_decref(f->recent);
    json_decref(f->remote);
    json_decref(f->description);
    json_decref(f->calibration);
    pare_arena_clear(&f->arena);
    pare_arena_clear(&f->state_arena);
    pare_arena_clear(&f->spare_arena);
    free(f->path);
    free(f->models);
    free(f->real_path);
    free(f->exe);
    free(f);
}
