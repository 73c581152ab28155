#include "ui/cli.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/json.h"

int cli_fail(const struct cli_options *o, const struct pare_error *err)
{
    int code = err->code == PARE_ERR_NOMEM ? 1 : (int)err->code;
    fprintf(stderr, "pare: %s%s%s [%s]\n", err->where, err->where[0] != '\0' ? ": " : "", err->message,
            pare_status_text(err->code));
    if (o->json) {
        json_t *json = json_pack("{s:{s:i, s:s, s:s}}", "error", "code", code, "where", err->where, "message", err->message);
        cli_print_json(json);
        json_decref(json);
    }
    return code != 0 ? code : 1;
}

/* Progress on stderr, when a person looks at it. */
static void show_progress(struct cli_session *s, bool last)
{
    double now = (double)uv_hrtime() * 1e-9;
    const char *term = getenv("TERM");
    if (s->options->quiet || !isatty(2) || term == NULL || strcmp(term, "dumb") == 0) {
        return;
    }
    if (last) {
        fprintf(stderr, "\r\033[K");
        return;
    }
    if (now - s->last_shown < 0.2) {
        return;
    }
    s->last_shown = now;
    const struct pare_state *state = pare_front_state(s->front);
    if (state->progress_total > 0) {
        double part = state->progress_done / state->progress_total;
        fprintf(stderr, "\r\033[K%-9s %3.0f %%", state->progress_title, 100 * part);
        if (isfinite(state->left_seconds)) {
            fprintf(stderr, "  %d:%02d left", (int)state->left_seconds / 60, (int)state->left_seconds % 60);
        }
    }
}

static void on_changed(void *self)
{
    (void)self; /* progress is polled by the loop below */
}

static void on_print(void *self, const char *line)
{
    show_progress(self, true);
    fprintf(stderr, "%s\n", line);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct cli_session *s = handle->data;
    s->interrupted = number;
    uv_stop(&s->loop);
}

/* `pare session stop`: as if we were asked by a signal. */
static void on_stop(void *self)
{
    (void)self;
    (void)raise(SIGTERM);
}

static const char *keep_of(const struct cli_options *o, const char *set)
{
    for (int i = 0; i < o->n_keep; i++) {
        size_t n = strlen(set);
        if (strncmp(o->keep[i], set, n) == 0 && o->keep[i][n] == '=') {
            return o->keep[i] + n + 1;
        }
    }
    return NULL;
}

int cli_open(struct cli_session *s, const struct cli_options *o, const char *path, bool temporary, bool follow)
{
    struct pare_error err = {0};
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    memset(s, 0, sizeof *s);
    s->options = o;
    if (path == NULL) {
        err.code = PARE_ERR_USAGE;
        snprintf(err.message, sizeof err.message, "expected a pipeline (see pare --help)");
        return cli_fail(o, &err);
    }
    exe[n > 0 ? n : 0] = '\0';
    int rc = cli_trust(o, path, n > 0 ? exe : o->exe);
    if (rc != 0) {
        return rc;
    }
    rc = uv_loop_init(&s->loop);
    if (rc != 0) {
        pare_error(&err, PARE_ERR_FAIL, NULL, "cannot start: %s", uv_strerror(rc));
        return cli_fail(o, &err);
    }
    struct pare_front_options options = {.path = path,
                                         .models_dir = o->models != NULL ? o->models : getenv("PARE_MODELS"),
                                         .session = o->session,
                                         .exe = n > 0 ? exe : o->exe,
                                         .n_workers = o->jobs,
                                         .follow = follow,
                                         .take_over = follow && o->verb == NULL,
                                         .stop = on_stop,
                                         .fresh = o->fresh,
                                         .no_pins = o->no_pins,
                                         .temporary = temporary,
                                         .levels = o->levels,
                                         .target = o->target,
                                         .keep_first = keep_of(o, "inputs"),
                                         .keep_last = keep_of(o, "outputs"),
                                         .keep_first_n = o->keep_first_n,
                                         .keep_suspected = o->keep_suspected > 0 ? o->keep_suspected : 0,
                                         .quantize = o->quantize,
                                         .baseline = o->baseline != NULL && strcmp(o->baseline, "fp32") != 0 ? "w8a8" : NULL,
                                         .samples = o->samples,
                                         .self = s,
                                         .print = on_print,
                                         .changed = on_changed};
    if (pare_front_open(&s->loop, &options, &s->front, &err) != PARE_OK) {
        uv_run(&s->loop, UV_RUN_NOWAIT);
        uv_loop_close(&s->loop);
        return cli_fail(o, &err);
    }
    detach_ready();
    return 0;
}

/* Before long work: what it will take, once, for whoever waits. */
static void say_price(struct cli_session *s, const char *verb, const json_t *args)
{
    char text[160];
    double seconds = pare_front_price(s->front, verb, args, text, sizeof text);
    if (seconds >= PARE_LONG_SECONDS && !s->options->quiet) {
        fprintf(stderr, "pare: %s: %s\n", verb, text);
    }
}

int cli_run(struct cli_session *s, const char *verb, json_t *args_take, json_t **json)
{
    struct pare_error err = {0};
    enum pare_status status = PARE_OK;
    const void *answer = NULL;
    uv_signal_t signals[2];
    bool said = false;
    uint64_t id = pare_front_start(s->front, verb, args_take, &err);
    *json = NULL;
    if (id == 0) {
        json_decref(args_take);
        return cli_fail(s->options, &err);
    }
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&s->loop, &signals[i]);
        signals[i].data = s;
        uv_signal_start(&signals[i], on_signal, i == 0 ? SIGINT : SIGTERM);
    }
    while (!pare_front_result(s->front, id, &answer, &status, &err) && !s->interrupted) {
        if (!said && !pare_front_state(s->front)->loading) {
            said = true;
            say_price(s, verb, args_take);
        }
        uv_run(&s->loop, UV_RUN_ONCE);
        show_progress(s, false);
    }
    show_progress(s, true);
    json_decref(args_take);
    for (int i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&signals[i], NULL);
    }
    uv_run(&s->loop, UV_RUN_NOWAIT);
    if (s->interrupted) {
        fprintf(stderr, "pare: interrupted; finished results are kept, the same command goes on from there\n");
        return 128 + s->interrupted;
    }
    if (answer != NULL) {
        *json = json_incref((json_t *)(uintptr_t)answer);
    }
    return status == PARE_OK ? 0 : cli_fail(s->options, &err);
}

void cli_close(struct cli_session *s)
{
    if (s->front != NULL) {
        pare_front_close(s->front);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        pare_front_free(s->front);
    }
    uv_loop_close(&s->loop);
}

int cli_config_args(const struct cli_options *o, json_t *args)
{
    struct pare_error err = {0};
    int given = (o->config != NULL) + (o->run != NULL) + (o->level != NULL);
    if (given > 1) {
        err.code = PARE_ERR_USAGE;
        snprintf(err.message, sizeof err.message, "--config, --run and --level exclude each other");
        return cli_fail(o, &err);
    }
    if (o->config != NULL) {
        json_t *file = NULL;
        if (pare_json_load(o->config, &file, &err) != PARE_OK) {
            return cli_fail(o, &err);
        }
        /* what solve and export write has the levels under "config"; a bare object of levels is fine too */
        json_t *config = json_object_get(file, "config");
        config = json_is_object(config) ? config : file;
        const char *key;
        json_t *value;
        json_object_foreach(config, key, value) {
            if (!json_is_string(value)) {
                pare_error(&err, PARE_ERR_FORMAT, o->config, "/%s: expected the name of a level", key);
                json_decref(file);
                return cli_fail(o, &err);
            }
        }
        json_object_set(args, "config", config);
        json_decref(file);
    }
    if (o->run != NULL) {
        json_object_set_new(args, "run", json_string(o->run));
    }
    if (o->level != NULL) {
        json_object_set_new(args, "level", json_string(o->level));
    }
    return 0;
}
