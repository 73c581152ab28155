/* cli_session.c: pare session list|show|tail|stop|gc. */
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/base/json.h"
#include "src/command/sessions.h"
#include "ui/cli.h"

static const char *holder_text(const json_t *s, char *text, size_t size)
{
    int64_t holder = pare_json_get_int(s, "holder", 0);
    snprintf(text, size, holder > 0 ? "process %d" : holder < 0 ? "held" : "-", (int)holder);
    return text;
}

static const char *date_text(const json_t *s, char *text, size_t size)
{
    time_t when = (time_t)pare_json_get_int(s, "modified", 0);
    struct tm day;
    if (localtime_r(&when, &day) == NULL || strftime(text, size, "%Y-%m-%d %H:%M", &day) == 0) {
        snprintf(text, size, "-");
    }
    return text;
}

static void print_list(const json_t *list)
{
    size_t i;
    const json_t *s;
    char holder[32], date[32];
    if (json_array_size(list) == 0) {
        printf("no sessions yet\n");
        return;
    }
    printf("%-16s %6s %5s %9s  %-14s %s\n", "changed", "rows", "runs", "kB", "worked on by", "pipeline");
    json_array_foreach(list, i, s) {
        const char *error = pare_json_get_string(s, "error", NULL);
        if (error != NULL) {
            printf("%-16s %s: %s\n", "-", pare_json_get_string(s, "file", "?"), error);
            continue;
        }
        printf("%-16s %6d %5d %9.0f  %-14s %s%s\n", date_text(s, date, sizeof date), (int)pare_json_get_int(s, "rows", 0),
               (int)pare_json_get_int(s, "runs", 0), (double)pare_json_get_int(s, "bytes", 0) / 1e3,
               holder_text(s, holder, sizeof holder), pare_json_get_string(s, "pipeline", pare_json_get_string(s, "file", "?")),
               pare_json_get_bool(s, "pipeline_there", true) ? "" : "  (gone)");
    }
}

static void print_show(const json_t *s)
{
    char holder[32], date[32];
    const char *kind;
    json_t *item;
    size_t i;
    printf("session   %s\npipeline  %s%s\nchanged   %s, %.0f kB\nworked on %s\n", pare_json_get_string(s, "file", "?"),
           pare_json_get_string(s, "pipeline", "-"), pare_json_get_bool(s, "pipeline_there", true) ? "" : "  (gone)",
           date_text(s, date, sizeof date), (double)pare_json_get_int(s, "bytes", 0) / 1e3, holder_text(s, holder, sizeof holder));
    if (json_array_size(json_object_get(s, "unfinished")) > 0) {
        printf("unfinished");
        json_array_foreach(json_object_get(s, "unfinished"), i, item) {
            printf(" %s", json_string_value(item));
        }
        printf("\n");
    }
    printf("\n%-10s %6s %9s\n", "results", "rows", "seconds");
    json_object_foreach(json_object_get(s, "kinds"), kind, item) {
        printf("%-10s %6d %9.1f\n", kind, (int)pare_json_get_int(item, "rows", 0), pare_json_get_real(item, "seconds"));
    }
    printf("\n%-20s %-9s %s\n", "runs", "method", "budget");
    json_array_foreach(json_object_get(s, "run_list"), i, item) {
        printf("%-20s %-9s %s\n", pare_json_get_string(item, "name", "?"), pare_json_get_string(item, "method", "?"),
               pare_json_get_string(json_object_get(item, "settings"), "budget", ""));
    }
    static const char *const lists[2] = {"choices", "notes"};
    for (int k = 0; k < 2; k++) {
        if (json_array_size(json_object_get(s, lists[k])) > 0) {
            printf("\n%s\n", lists[k]);
        }
        json_array_foreach(json_object_get(s, lists[k]), i, item) {
            printf("  %s\n", json_string_value(item));
        }
    }
}

static void print_gc(const json_t *list, bool dry)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) {
        bool done = pare_json_get_bool(item, "done", false);
        printf("%s %s: %s", done ? "removed" : dry ? "would remove" : "kept (--yes removes it)", pare_json_get_string(item, "file", "?"),
               pare_json_get_string(item, "what", "?"));
        printf(pare_json_get_int(item, "rows", 0) > 0 ? ", %d rows\n" : "\n", (int)pare_json_get_int(item, "rows", 0));
    }
    if (json_array_size(list) == 0) {
        printf("nothing to remove\n");
    }
}

/* ---- tail and stop ---- */

struct tail {
    const struct cli_options *o;
    double done, total;
    bool progress; /* a progress line stands there */
};

/* One answer of who works: new lines of the log, then the progress. */
static bool print_news(void *self, const json_t *news)
{
    struct tail *t = self;
    size_t i;
    const json_t *line;
    double done = pare_json_get_real(news, "done"), total = pare_json_get_real(news, "total"), left = pare_json_get_real(news, "left");
    if (t->o->json) {
        char *text = json_dumps(news, JSON_COMPACT | JSON_REAL_PRECISION(9));
        printf("%s\n", text != NULL ? text : "{}");
        free(text);
        fflush(stdout);
        return true;
    }
    bool live = isatty(1);
    if (t->progress) {
        printf("\r\033[K");
        t->progress = false;
    }
    json_array_foreach(json_object_get(news, "log"), i, line) {
        printf("%s\n", json_string_value(line));
    }
    bool moved = floor(10 * done / total) != floor(10 * t->done / t->total) || total != t->total;
    if (total > 0 && (live || moved)) {
        printf("%s %.0f/%.0f, %.0f %%", pare_json_get_string(news, "title", ""), done, total, 100 * done / total);
        if (isfinite(left)) {
            printf(", %d:%02d left", (int)left / 60, (int)left % 60);
        }
        printf(live ? "" : "\n");
        t->progress = live;
    }
    t->done = done;
    t->total = total;
    fflush(stdout);
    return true;
}

static bool print_stop(void *self, const json_t *news)
{
    *(int *)self = (int)pare_json_get_int(news, "pid", -1);
    return false;
}

static int tail_or_stop(const struct cli_options *o, const char *path, bool stop)
{
    struct pare_error err = {0};
    struct tail tail = {.o = o, .total = -1};
    uv_loop_t loop;
    int pid = -1;
    uv_loop_init(&loop);
    (void)signal(SIGPIPE, SIG_DFL);
    enum pare_status status = stop ? pare_sessions_talk(&loop, path, "stop", &pid, print_stop, &err)
                                   : pare_sessions_talk(&loop, path, "watch", &tail, print_news, &err);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    if (status != PARE_OK) {
        return cli_fail(o, &err);
    }
    if (tail.progress) {
        printf("\n");
    }
    for (int i = 0; stop && i < 200; i++) { /* gone when its lock is */
        json_t *s = pare_sessions_show(path, &err);
        int64_t holder = pare_json_get_int(s, "holder", 0);
        json_decref(s);
        if (holder == 0 || (pid > 0 && holder != pid && holder > 0)) {
            printf("process %d has saved and ended\n", pid);
            return 0;
        }
        (void)usleep(50000);
    }
    if (stop) {
        (void)pare_error(&err, PARE_ERR_BUSY, path, "process %d was asked to stop and has not ended within 10 s", pid);
        return cli_fail(o, &err);
    }
    if (!o->json) {
        printf("it has ended\n");
    }
    return 0;
}

static int print_json_of(const struct cli_options *o, json_t *json_take, const char *name, struct pare_error *err)
{
    if (json_take == NULL) {
        return cli_fail(o, err);
    }
    json_t *all = json_pack("{s:i, s:o}", "schema", 1, name, json_take);
    cli_print_json(all);
    json_decref(all);
    return 0;
}

int cli_session(const struct cli_options *o)
{
    struct pare_error err = {0};
    const char *what = o->n_args > 0 ? o->args[0] : "list";
    char path[PATH_MAX];
    bool one = strcmp(what, "show") == 0 || strcmp(what, "tail") == 0 || strcmp(what, "stop") == 0;
    if (!one && strcmp(what, "list") != 0 && strcmp(what, "gc") != 0) {
        (void)pare_error(&err, PARE_ERR_USAGE, what, "expected session list, show, tail, stop or gc");
        return cli_fail(o, &err);
    }
    if (one) {
        const char *argument = o->n_args > 1 ? o->args[1] : o->session;
        if (argument == NULL) {
            (void)pare_error(&err, PARE_ERR_USAGE, what, "expected a pipeline or a session file");
            return cli_fail(o, &err);
        }
        if (pare_sessions_find(argument, path, sizeof path, &err) != PARE_OK) {
            return cli_fail(o, &err);
        }
        if (strcmp(what, "show") != 0) {
            return tail_or_stop(o, path, strcmp(what, "stop") == 0);
        }
    }
    json_t *json = strcmp(what, "list") == 0 ? pare_sessions_list(&err)
                   : one                     ? pare_sessions_show(path, &err)
                                             : pare_sessions_gc(o->dry_run, o->yes, &err);
    if (json == NULL || o->json) {
        return print_json_of(o, json, strcmp(what, "list") == 0 ? "sessions" : one ? "session" : "removed", &err);
    }
    if (strcmp(what, "list") == 0) {
        print_list(json);
    } else if (one) {
        print_show(json);
    } else {
        print_gc(json, o->dry_run);
    }
    json_decref(json);
    return 0;
}
