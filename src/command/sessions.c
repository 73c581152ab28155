#include "command/sessions.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "job/link.h"
#include "pare.h"
#include "session/session.h"

#define ASK_MS 500

enum pare_status pare_sessions_find(const char *argument, char *path, size_t size, struct pare_error *err)
{
    size_t n = strlen(argument);
    if (n > 5 && strcmp(argument + n - 5, ".pare") == 0) {
        if (!pare_is_file(argument)) {
            return pare_error(err, PARE_ERR_NOINPUT, argument, "no such session");
        }
        snprintf(path, size, "%s", argument);
        return PARE_OK;
    }
    enum pare_status status = pare_front_session_path(argument, path, size, err);
    if (status == PARE_OK && !pare_is_file(path)) {
        status = pare_error(err, PARE_ERR_NOINPUT, argument, "has no session yet (%s)", path);
    }
    return status;
}

/* ---- what a session holds ---- */

static json_t *describe(const char *path, struct pare_session *s, int holder)
{
    struct stat st = {0};
    char *pipeline = pare_session_get_meta(s, "pipeline"), *pending = pare_session_get_meta(s, "pending");
    json_t *list = pending != NULL ? json_loads(pending, 0, NULL) : NULL, *verbs = json_array();
    json_t *json = pare_session_facts(s);
    (void)stat(path, &st);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_array_append_new(verbs, json_string(pare_json_get_string(json_array_get(list, i), "verb", "?")));
    }
    json_object_set_new(json, "file", json_string(path));
    json_object_set_new(json, "pipeline", pipeline != NULL ? json_string(pipeline) : json_null());
    json_object_set_new(json, "pipeline_there", json_boolean(pipeline != NULL && access(pipeline, F_OK) == 0));
    json_object_set_new(json, "bytes", json_integer((json_int_t)st.st_size));
    json_object_set_new(json, "modified", json_integer((json_int_t)st.st_mtime));
    json_object_set_new(json, "holder", json_integer(holder));
    json_object_set_new(json, "unfinished", verbs);
    json_decref(list);
    free(pipeline);
    free(pending);
    return json;
}

static void add_run(void *self, int64_t id, const char *name, const char *method, const json_t *settings, const json_t *status)
{
    (void)id;
    json_array_append_new(self, json_pack("{s:s, s:s, s:O, s:O}", "name", name, "method", method, "settings", settings, "status", status));
}

static void add_choice(void *self, const char *line, bool undone)
{
    if (!undone) {
        json_array_append_new(self, json_string(line));
    }
}

json_t *pare_sessions_show(const char *path, struct pare_error *err)
{
    struct pare_session *s;
    int holder;
    if (pare_session_peek(path, &s, &holder, err) != PARE_OK) {
        return NULL;
    }
    json_t *json = describe(path, s, holder), *runs = json_array(), *choices = json_array();
    pare_session_each_run(s, runs, add_run);
    pare_session_each_action(s, choices, add_choice);
    json_object_set_new(json, "run_list", runs);
    json_object_set_new(json, "choices", choices);
    pare_session_close(s);
    return json;
}

static int is_session(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 5 && strcmp(entry->d_name + n - 5, ".pare") == 0;
}

/* Calls each(self, path) for every session in the user's folder. */
static enum pare_status each_session(void *self, void (*each)(void *self, const char *path), struct pare_error *err)
{
    char folder[PATH_MAX], path[PATH_MAX + 300];
    struct dirent **entries = NULL;
    enum pare_status status = pare_user_folder(PARE_USER_DATA, folder, sizeof folder, err);
    int n = status == PARE_OK ? scandir(folder, &entries, is_session, alphasort) : 0;
    if (n < 0 && errno != ENOENT) {
        status = pare_error(err, PARE_ERR_NOINPUT, folder, "%s", strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        each(self, path);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static void list_one(void *self, const char *path)
{
    struct pare_error err = {0};
    struct pare_session *s;
    int holder;
    json_t *list = self, *json;
    if (pare_session_peek(path, &s, &holder, &err) == PARE_OK) {
        json = describe(path, s, holder);
        pare_session_close(s);
    } else {
        json = json_pack("{s:s, s:s, s:i, s:i}", "file", path, "error", err.message, "holder", holder, "modified", 0);
    }
    size_t at = 0;
    while (at < json_array_size(list) && pare_json_get_int(json_array_get(list, at), "modified", 0) >= pare_json_get_int(json, "modified", 0)) {
        at++;
    }
    json_array_insert_new(list, at, json);
}

json_t *pare_sessions_list(struct pare_error *err)
{
    json_t *list = json_array();
    if (each_session(list, list_one, err) != PARE_OK) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* ---- what may go ---- */

struct gc {
    json_t *list;
    bool dry, all;
};

static void report(struct gc *gc, const char *path, const char *what, int rows, int64_t bytes, bool done)
{
    json_array_append_new(gc->list, json_pack("{s:s, s:s, s:i, s:I, s:b}", "file", path, "what", what, "rows", rows, "bytes",
                                              (json_int_t)bytes, "done", (int)done));
}

static int64_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static bool remove_session(const char *path)
{
    char journal[PATH_MAX + 320];
    snprintf(journal, sizeof journal, "%s-journal", path);
    (void)unlink(journal);
    return unlink(path) == 0;
}

static void collect_one(void *self, const char *path)
{
    struct gc *gc = self;
    struct pare_session *s;
    bool follower;
    int rows = 0;
    int64_t before = size_of(path);
    if (pare_session_open(path, false, &s, &follower, NULL) != PARE_OK) {
        return; /* held, or not ours to judge */
    }
    json_t *facts = describe(path, s, 0);
    bool empty = pare_json_get_int(facts, "rows", 0) + pare_json_get_int(facts, "runs", 0) + pare_json_get_int(facts, "actions", 0) +
                     (int64_t)json_array_size(json_object_get(facts, "notes")) == 0;
    bool gone = !pare_json_get_bool(facts, "pipeline_there", true);
    if (empty) {
        report(gc, path, "empty", 0, before, !gc->dry && remove_session(path));
    } else if (gone) {
        report(gc, path, "its pipeline is gone", (int)pare_json_get_int(facts, "rows", 0), before,
               !gc->dry && gc->all && remove_session(path));
    } else {
        char *content = pare_session_get_meta(s, "content");
        if (content != NULL && pare_session_discard(s, "content", content, !gc->dry, &rows, NULL) == PARE_OK && rows > 0) {
            report(gc, path, "rows of an earlier version of its pipeline", rows, gc->dry ? 0 : before - size_of(path), !gc->dry);
        }
        free(content);
    }
    json_decref(facts);
    pare_session_close(s);
}

json_t *pare_sessions_gc(bool dry, bool all, struct pare_error *err)
{
    struct gc gc = {json_array(), dry, all};
    if (each_session(&gc, collect_one, err) != PARE_OK) {
        json_decref(gc.list);
        return NULL;
    }
    return gc.list;
}

/* ---- who works on one ---- */

struct talk {
    uv_loop_t *loop;
    struct pare_link_client *client;
    uv_timer_t timer;
    const char *request;
    int64_t seen;
    bool over, waiting, answered;
    void *self;
    bool (*told)(void *self, const json_t *news);
};

static void on_told(void *self, const json_t *answer)
{
    struct talk *t = self;
    t->waiting = false;
    t->answered = t->answered || answer != NULL;
    t->seen = pare_json_get_int(answer, "logged", t->seen);
    if (answer == NULL || !t->told(t->self, answer)) {
        t->over = true;
        uv_stop(t->loop);
    }
}

static void ask_again(uv_timer_t *timer)
{
    struct talk *t = timer->data;
    if (!t->waiting && !t->over) {
        json_t *request = json_pack("{s:I}", t->request, (json_int_t)t->seen);
        t->waiting = pare_link_ask(t->client, request, NULL) == PARE_OK;
        json_decref(request);
        if (!t->waiting) {
            on_told(t, NULL);
        }
    }
}

enum pare_status pare_sessions_talk(struct uv_loop_s *loop, const char *path, const char *request, void *self,
                                    bool (*told)(void *self, const json_t *news), struct pare_error *err)
{
    struct talk t = {.loop = loop, .request = request, .self = self, .told = told};
    char socket[128];
    struct pare_session *s;
    int holder;
    enum pare_status status = pare_session_peek(path, &s, &holder, err);
    if (status != PARE_OK) {
        return status;
    }
    status = holder == 0 ? pare_error(err, PARE_ERR_NOINPUT, path, "nobody works on this session") : PARE_OK;
    status = status == PARE_OK ? pare_link_path(pare_session_file(s), socket, sizeof socket, err) : status;
    pare_session_close(s);
    status = status == PARE_OK ? pare_link_connect(loop, socket, &t, on_told, &t.client, err) : status;
    if (status != PARE_OK) {
        return status;
    }
    uv_timer_init(loop, &t.timer);
    t.timer.data = &t;
    uv_timer_start(&t.timer, ask_again, 0, ASK_MS);
    while (!t.over) {
        uv_run(loop, UV_RUN_DEFAULT);
    }
    uv_close((uv_handle_t *)&t.timer, NULL);
    pare_link_hang_up(t.client);
    uv_run(loop, UV_RUN_DEFAULT);
    return t.answered ? PARE_OK : pare_error(err, PARE_ERR_FAIL, path, "who holds this session does not answer");
}
