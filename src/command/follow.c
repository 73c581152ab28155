/*
 * follow.c: two processes on one session, and a front that comes back. Who holds the session listens on a socket and
 * runs the commands of those who follow it; a follower reads what the holder commits. Verbs under way are kept in the
 * session, so that the next start can say what was left unfinished.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/flow.h"
#include "job/link.h"

#define FOLLOW_MS 500

/* ---- the holder ---- */

static int point_of_id(const struct pare_front *f, int64_t id)
{
    for (int i = 0; i < f->n_points; i++) {
        if (f->points[i].id == id) {
            return i;
        }
    }
    return -1;
}

#define WATCHED_JOBS 60
#define WATCHED_LINES 60

/* What is under way, for those who follow: the queue, the progress, the log's lines after number `seen`. */
static json_t *tell_watcher(struct pare_front *f, int64_t seen)
{
    const struct pare_state *s = pare_front_state(f);
    json_t *jobs = json_array(), *log = json_array();
    for (int i = 0; i < s->n_jobs && i < WATCHED_JOBS; i++) {
        const struct pare_job_row *j = &s->jobs[i];
        json_array_append_new(jobs, json_pack("{s:I, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:i, s:s}", "id", (json_int_t)j->id, "kind",
                                              j->kind, "title", j->title, "state", (int)j->state, "done", pare_json_real(j->done),
                                              "total", pare_json_real(j->total), "seconds", pare_json_real(j->seconds), "left",
                                              pare_json_real(j->left_seconds), "worker", j->worker, "error", j->error));
    }
    int64_t news = f->logged - seen;
    int n = news < 0 || news > WATCHED_LINES ? WATCHED_LINES : (int)news;
    for (int i = n < f->n_log ? f->n_log - n : 0; i < f->n_log; i++) {
        json_array_append_new(log, json_string(f->log[i]));
    }
    return json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:s, s:i, s:i, s:s}", "pid", (int)getpid(), "logged", (json_int_t)f->logged,
                     "log", log, "jobs", jobs, "done", pare_json_real(s->progress_done), "total", pare_json_real(s->progress_total),
                     "left", pare_json_real(s->left_seconds), "title", s->progress_title, "workers", s->n_workers, "quiet",
                     s->n_quiet, "solver", s->solver);
}

static json_t *answer_follower(void *self, const json_t *request)
{
    struct pare_front *f = self;
    struct pare_error err = {0};
    const char *line = pare_json_get_string(request, "line", NULL);
    if (json_object_get(request, "watch") != NULL && !f->closing) {
        return tell_watcher(f, pare_json_get_int(request, "watch", 0));
    }
    if (json_is_object(json_object_get(request, "explain")) && !f->closing) {
        return front_explain_for_follower(f, json_object_get(request, "explain"));
    }
    if (json_object_get(request, "stop") != NULL && f->options.stop != NULL) {
        front_log(f, "asked to stop");
        f->options.stop(f->options.self);
        return json_pack("{s:i}", "pid", (int)getpid());
    }
    if (line == NULL || f->closing) {
        return NULL;
    }
    enum pare_status status = pare_front_command(f, line, point_of_id(f, pare_json_get_int(request, "point", -1)), &err);
    front_log(f, "from a follower: %s", line);
    return json_pack("{s:i, s:s, s:s}", "code", (int)status, "where", err.where, "message",
                     status == PARE_OK ? f->message : err.message);
}

/* ---- the follower ---- */

/* The holder's news: its queue and progress are shown as ours, its log goes into ours. */
static void take_news(struct pare_front *f, const json_t *news)
{
    size_t i;
    const json_t *line;
    f->watching = false;
    f->asked_why = f->why_refused[0] != '\0' ? 0 : f->asked_why; /* the holder answers (again) */
    json_decref(f->remote);
    f->remote = json_deep_copy(news);
    json_array_foreach(json_object_get(news, "log"), i, line) {
        if (json_is_string(line)) {
            front_log(f, "%s", json_string_value(line));
        }
    }
    f->watched = pare_json_get_int(news, "logged", f->watched);
    snprintf(f->solver, sizeof f->solver, "%s", pare_json_get_string(news, "solver", ""));
    front_changed(f);
}

static void holder_answered(void *self, const json_t *answer)
{
    struct pare_front *f = self;
    if (answer == NULL) {
        pare_link_hang_up(f->client);
        f->client = NULL;
        f->watching = false;
        if (f->asked_why != 0) {
            snprintf(f->why_refused, sizeof f->why_refused, "no answer from the pare that holds this session");
        }
        if (f->told && !f->closing) {
            front_say(f, true, "no answer from the pare that holds this session: the command was not run");
        }
        f->told = false;
        if (f->remote != NULL) {
            json_decref(f->remote);
            f->remote = NULL;
            front_changed(f);
        }
        return;
    }
    if (json_object_get(answer, "logged") != NULL) {
        take_news(f, answer);
        return;
    }
    if (json_object_get(answer, "explaining") != NULL) {
        snprintf(f->why_refused, sizeof f->why_refused, "%s", pare_json_get_string(answer, "explaining", ""));
        front_changed(f);
        return;
    }
    f->told = false;
    const char *where = pare_json_get_string(answer, "where", ""), *message = pare_json_get_string(answer, "message", "");
    bool bad = pare_json_get_int(answer, "code", 0) != PARE_OK;
    front_say(f, bad, "%s%s%s", where, where[0] != '\0' ? ": " : "", message[0] != '\0' ? message : "done by the pare that holds this session");
    front_reload(f);
}

static enum pare_status ask_holder(struct pare_front *f, json_t *request_take, struct pare_error *err)
{
    char path[128];
    enum pare_status status = request_take != NULL ? PARE_OK : pare_error(err, PARE_ERR_USAGE, "command", "expected UTF-8");
    if (status == PARE_OK && f->client == NULL) {
        status = pare_link_path(pare_session_file(f->session), path, sizeof path, err);
        status = status == PARE_OK ? pare_link_connect(f->loop, path, f, holder_answered, &f->client, err) : status;
    }
    status = status == PARE_OK ? pare_link_ask(f->client, request_take, err) : status;
    json_decref(request_take);
    return status;
}

enum pare_status front_tell_holder(struct pare_front *f, const char *line, int point, struct pare_error *err)
{
    int64_t id = point >= 0 && point < f->n_points ? f->points[point].id : -1;
    enum pare_status status = ask_holder(f, json_pack("{s:s, s:I}", "line", line, "point", (json_int_t)id), err);
    if (status == PARE_OK) {
        f->told = true;
        front_say(f, false, "sent to the pare that holds this session");
    }
    return status;
}

bool front_ask_why(struct pare_front *f, const char *layer, const char *level)
{
    f->why_refused[0] = '\0';
    return ask_holder(f, json_pack("{s:{s:s, s:s, s:s}}", "explain", "layer", layer, "level", level, "quantize",
                                   f->options.quantize != NULL ? f->options.quantize : ""), NULL) == PARE_OK;
}

static void row_is_new(void *self, const char *key, const char *kind)
{
    struct pare_front *f = self;
    (void)kind;
    json_object_del(f->absent, key);
}

static void follow_run(void *self, int64_t id, const char *name, const char *method, const json_t *settings, const json_t *status)
{
    struct pare_front *f = self;
    for (int r = 0; r < f->n_runs; r++) {
        struct front_run *run = &f->runs[r];
        if (run->id != id) {
            continue;
        }
        json_decref(run->status);
        run->status = json_deep_copy(status);
        char *copy = strcmp(run->name, name) != 0 ? strdup(name) : NULL;
        if (copy != NULL) {
            free(run->name);
            run->name = copy;
        }
        return;
    }
    front_take_run(f, id, name, method, settings, status);
}

static void follow_point(void *self, int64_t id, int64_t run, int number, const json_t *config, const json_t *facts)
{
    if (point_of_id(self, id) < 0) {
        front_take_point(self, id, run, number, config, facts);
    }
}

static void add_action(void *self, const char *line, bool undone)
{
    uint64_t *sum = self;
    for (const char *p = line; *p != '\0'; p++) {
        *sum = (*sum ^ (unsigned char)*p) * 1099511628211u;
    }
    *sum = (*sum ^ (undone ? 257u : 256u)) * 1099511628211u;
}

void front_reload(struct pare_front *f)
{
    uint64_t actions = 14695981039346656037u;
    char message[sizeof f->message];
    if (!f->described || f->session == NULL) {
        return;
    }
    pare_session_new_rows(f->session, &f->last_row, f, row_is_new);
    front_load_rows(f);
    pare_session_each_run(f->session, f, follow_run);
    pare_session_each_point(f->session, f, follow_point);
    for (int i = 0; i < f->n_points; i++) {
        front_load_point(f, &f->points[i]);
        f->points[i].latency_predicted = front_latency_sum(f, f->points[i].levels);
    }
    front_fit(f);
    pare_session_each_action(f->session, &actions, add_action);
    if (actions != f->actions) {
        f->actions = actions;
        memcpy(message, f->message, sizeof message);
        front_apply_actions(f);
        memcpy(f->message, message, sizeof message);
    }
    front_changed(f);
}

static void listen_to_followers(struct pare_front *f)
{
    struct pare_error err = {0};
    char path[128];
    enum pare_status status = pare_link_path(pare_session_file(f->session), path, sizeof path, &err);
    if (status != PARE_OK || pare_link_serve(f->loop, path, f, answer_follower, &f->server, &err) != PARE_OK) {
        front_log(f, "nobody can follow with commands: %s: %s", err.where, err.message);
    }
}

/* The holder has gone, its lock is ours: all it committed is read once more, and the work goes on here. */
static void become_holder(struct pare_front *f)
{
    pare_link_hang_up(f->client);
    f->client = NULL;
    json_decref(f->remote);
    f->remote = NULL;
    f->watching = false;
    f->follower = false;
    f->asked_why = 0;
    uv_timer_stop(f->follow_timer);
    listen_to_followers(f);
    front_reload(f);
    f->solver[0] = '\0';
    front_find_unfinished(f);
    if (f->since[0] != '\0') {
        front_say(f, false, "this one holds it now: %s", f->since);
    } else {
        front_say(f, false, "the pare that held this session has gone, this one holds it now");
    }
}

static void on_follow(uv_timer_t *timer)
{
    struct pare_front *f = timer->data;
    struct pare_error err = {0};
    bool taken = false;
    if (!f->described || f->closing) {
        return;
    }
    if (f->options.take_over && pare_session_take(f->session, &taken, &err) != PARE_OK) {
        front_say(f, true, "%s: %s", err.where, err.message);
        uv_timer_stop(timer);
        return;
    }
    if (taken) {
        become_holder(f);
        return;
    }
    int64_t version = pare_session_data_version(f->session);
    if (version >= 0 && version != f->data_version) {
        f->data_version = version;
        front_reload(f);
    }
    if (!f->watching) {
        f->watching = ask_holder(f, json_pack("{s:I}", "watch", (json_int_t)f->watched), &err) == PARE_OK;
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void front_follow_start(struct pare_front *f)
{
    if (f->options.temporary || f->session == NULL) {
        return;
    }
    if (!f->follower) {
        listen_to_followers(f);
        return;
    }
    f->follow_timer = calloc(1, sizeof *f->follow_timer);
    if (f->follow_timer != NULL) {
        uv_timer_init(f->loop, f->follow_timer);
        f->follow_timer->data = f;
        uv_timer_start(f->follow_timer, on_follow, FOLLOW_MS, FOLLOW_MS);
        uv_unref((uv_handle_t *)f->follow_timer);
    }
}

void front_follow_stop(struct pare_front *f)
{
    pare_link_stop(f->server);
    f->server = NULL;
    pare_link_hang_up(f->client);
    f->client = NULL;
    if (f->follow_timer != NULL) {
        uv_close((uv_handle_t *)f->follow_timer, on_timer_closed);
        f->follow_timer = NULL;
    }
}

/* ---- verbs under way, kept for the next start ---- */

static bool worth_keeping(const struct front_flow *flow)
{
    bool long_verb = flow->verb == FLOW_SENSE || flow->verb == FLOW_BENCH || flow->verb == FLOW_EVAL || flow->verb == FLOW_SOLVE ||
                     flow->verb == FLOW_FRONT || flow->verb == FLOW_MEASURE || flow->verb == FLOW_TEST;
    return long_verb && !flow->ended && pare_json_get_bool(flow->args, "measure", true);
}

void front_keep_pending(struct pare_front *f)
{
    if (f->follower || f->closing || f->session == NULL || f->options.temporary || !f->described) {
        return;
    }
    json_t *list = json_array();
    size_t i;
    json_t *item;
    json_array_foreach(f->unfinished, i, item) {
        json_array_append(list, item);
    }
    for (const struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        if (worth_keeping(flow)) {
            json_array_append_new(list, json_pack("{s:s, s:O, s:i}", "verb", front_verb_name(flow->verb), "args", flow->args, "rows", flow->rows));
        }
    }
    char *text = pare_json_text(list);
    if (text != NULL && (f->pending == NULL || strcmp(text, f->pending) != 0) &&
        pare_session_set_meta(f->session, "pending", text, NULL) == PARE_OK) {
        free(f->pending);
        f->pending = text;
        text = NULL;
    }
    free(text);
    json_decref(list);
}

void front_find_unfinished(struct pare_front *f)
{
    char *text = f->session != NULL && !f->follower ? pare_session_get_meta(f->session, "pending") : NULL;
    json_t *list = text != NULL ? json_loads(text, 0, NULL) : NULL;
    size_t n = json_array_size(list), used = 0;
    f->pending = text;
    if (n == 0) {
        json_decref(list);
        return;
    }
    int kept = pare_session_count_rows(f->session), before = kept;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        int rows = (int)pare_json_get_int(item, "rows", kept);
        before = rows < before ? rows : before;
        if (used < sizeof f->since / 2) {
            used += (size_t)snprintf(f->since + used, sizeof f->since - used, "%s%s", i > 0 ? ", " : "", pare_json_get_string(item, "verb", "?"));
        }
    }
    snprintf(f->since + used, sizeof f->since - used, " %s unfinished when Pare last ended; %d %s kept; :retry goes on from there",
             n == 1 ? "was" : "were", kept - before, kept - before == 1 ? "result is" : "results are");
    f->unfinished = list;
    front_log(f, "%s", f->since);
    for (const struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        front_drop_unfinished(f, front_verb_name(flow->verb)); /* the same command again is already the answer */
    }
}

void front_drop_unfinished(struct pare_front *f, const char *verb)
{
    for (size_t i = json_array_size(f->unfinished); i-- > 0;) {
        if (strcmp(pare_json_get_string(json_array_get(f->unfinished, i), "verb", ""), verb) == 0) {
            json_array_remove(f->unfinished, i);
        }
    }
    if (json_array_size(f->unfinished) == 0) {
        f->since[0] = '\0';
    }
}

enum pare_status front_resume(struct pare_front *f, struct pare_error *err)
{
    json_t *list = f->unfinished;
    enum pare_status status = PARE_OK;
    if (json_array_size(list) == 0) {
        return front_retry(f, err);
    }
    f->unfinished = NULL;
    f->since[0] = '\0';
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (pare_front_start(f, pare_json_get_string(item, "verb", "?"), json_object_get(item, "args"), err) == 0) {
            status = PARE_ERR_FAIL;
        }
    }
    json_decref(list);
    return status;
}
