#include "command/front.h"

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

/* ---- jobs come back ---- */

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
        if (!front_take_description(f, result)) {
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
