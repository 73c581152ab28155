/* runs.c: runs and their points, what the user chose, notes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "session/parts.h"

enum pare_status pare_session_add_run(struct pare_session *s, const char *name, const char *method,
                                      const json_t *settings, int64_t *id, struct pare_error *err)
{
    char *text = pare_json_text(settings);
    const char *values[4] = {name, method, text, "{}"};
    sqlite3_stmt *q = session_query(s, "INSERT INTO run(name,method,settings,status,created) VALUES(?1,?2,?3,?4,?5)",
                            4, values);
    if (q != NULL) {
        sqlite3_bind_int64(q, 5, (sqlite3_int64)time(NULL));
    }
    enum pare_status status = session_run(s, q, err);
    *id = sqlite3_last_insert_rowid(s->db);
    free(text);
    return status;
}

enum pare_status pare_session_set_run(struct pare_session *s, int64_t id, const char *name_or_null,
                                      const json_t *status_or_null, struct pare_error *err)
{
    char *text = status_or_null != NULL ? pare_json_text(status_or_null) : NULL;
    const char *values[2] = {name_or_null, text};
    sqlite3_stmt *q = session_query(s, "UPDATE run SET name=coalesce(?1,name), status=coalesce(?2,status) WHERE id=?3",
                            2, values);
    if (q != NULL) {
        sqlite3_bind_int64(q, 3, id);
    }
    free(text);
    return session_run(s, q, err);
}

enum pare_status pare_session_add_point(struct pare_session *s, int64_t run, int number, const json_t *config,
                                        const json_t *facts, int64_t *id, struct pare_error *err)
{
    char *texts[2] = {pare_json_text(config), pare_json_text(facts)};
    const char *values[2] = {texts[0], texts[1]};
    sqlite3_stmt *q = session_query(s, "INSERT INTO point(config,facts,run,number) VALUES(?1,?2,?3,?4)", 2, values);
    if (q != NULL) {
        sqlite3_bind_int64(q, 3, run);
        sqlite3_bind_int(q, 4, number);
    }
    enum pare_status status = session_run(s, q, err);
    *id = sqlite3_last_insert_rowid(s->db);
    free(texts[0]);
    free(texts[1]);
    return status;
}

enum pare_status pare_session_set_point(struct pare_session *s, int64_t id, const json_t *facts,
                                        struct pare_error *err)
{
    char *text = pare_json_text(facts);
    const char *values[1] = {text};
    sqlite3_stmt *q = session_query(s, "UPDATE point SET facts=?1 WHERE id=?2", 1, values);
    if (q != NULL) {
        sqlite3_bind_int64(q, 2, id);
    }
    free(text);
    return session_run(s, q, err);
}

void pare_session_each_run(struct pare_session *s, void *self,
                           void (*each)(void *self, int64_t id, const char *name, const char *method,
                                        const json_t *settings, const json_t *status))
{
    sqlite3_stmt *q = session_query(s, "SELECT id,name,method,settings,status FROM run ORDER BY id", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        json_t *settings = session_column_json(q, 3), *status = session_column_json(q, 4);
        const char *name = (const char *)sqlite3_column_text(q, 1);
        const char *method = (const char *)sqlite3_column_text(q, 2);
        if (json_is_object(settings) && json_is_object(status) && name != NULL && method != NULL) {
            each(self, sqlite3_column_int64(q, 0), name, method, settings, status);
        }
        json_decref(settings);
        json_decref(status);
    }
    sqlite3_finalize(q);
}

void pare_session_each_point(struct pare_session *s, void *self,
                             void (*each)(void *self, int64_t id, int64_t run, int number,
                                          const json_t *config, const json_t *facts))
{
    sqlite3_stmt *q = session_query(s, "SELECT id,run,number,config,facts FROM point ORDER BY run,number,id", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        json_t *config = session_column_json(q, 3), *facts = session_column_json(q, 4);
        if (json_is_object(config) && json_is_object(facts)) {
            each(self, sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1), sqlite3_column_int(q, 2), config,
                 facts);
        }
        json_decref(config);
        json_decref(facts);
    }
    sqlite3_finalize(q);
}

enum pare_status pare_session_add_action(struct pare_session *s, const char *line, struct pare_error *err)
{
    enum pare_status status = session_execute(s, "DELETE FROM action WHERE undone=1", err);
    return status == PARE_OK ? session_run(s, session_query(s, "INSERT INTO action(line) VALUES(?1)", 1, &line), err)
                             : status;
}

enum pare_status pare_session_undo(struct pare_session *s, bool undo, char **line, struct pare_error *err)
{
    const char *find = undo ? "SELECT id,line FROM action WHERE undone=0 ORDER BY id DESC LIMIT 1"
                            : "SELECT id,line FROM action WHERE undone=1 ORDER BY id LIMIT 1";
    sqlite3_stmt *q = session_query(s, find, 0, NULL);
    sqlite3_int64 id = 0;
    *line = NULL;
    if (q != NULL && sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 1) != NULL) {
        id = sqlite3_column_int64(q, 0);
        *line = strdup((const char *)sqlite3_column_text(q, 1));
    }
    sqlite3_finalize(q);
    if (*line == NULL) {
        return PARE_OK;
    }
    q = session_query(s, "UPDATE action SET undone=?1 WHERE id=?2", 0, NULL);
    if (q != NULL) {
        sqlite3_bind_int(q, 1, undo);
        sqlite3_bind_int64(q, 2, id);
    }
    return session_run(s, q, err);
}

void pare_session_each_action(struct pare_session *s, void *self,
                              void (*each)(void *self, const char *line, bool undone))
{
    sqlite3_stmt *q = session_query(s, "SELECT line,undone FROM action ORDER BY id", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(q, 0);
        if (line != NULL) {
            each(self, line, sqlite3_column_int(q, 1) != 0);
        }
    }
    sqlite3_finalize(q);
}

enum pare_status pare_session_add_note(struct pare_session *s, const char *text, struct pare_error *err)
{
    sqlite3_stmt *q = session_query(s, "INSERT INTO note(text,created) VALUES(?1,?2)", 1, &text);
    if (q != NULL) {
        sqlite3_bind_int64(q, 2, (sqlite3_int64)time(NULL));
    }
    return session_run(s, q, err);
}

enum pare_status pare_session_set_meta(struct pare_session *s, const char *key, const char *value,
                                       struct pare_error *err)
{
    const char *values[2] = {key, value};
    return session_run(s, session_query(s, "INSERT OR REPLACE INTO meta(key,value) VALUES(?1,?2)", 2, values), err);
}

char *pare_session_get_meta(struct pare_session *s, const char *key)
{
    char *value = NULL;
    sqlite3_stmt *q = session_query(s, "SELECT value FROM meta WHERE key=?1", 1, &key);
    if (q != NULL && sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0) != NULL) {
        value = strdup((const char *)sqlite3_column_text(q, 0));
    }
    sqlite3_finalize(q);
    return value;
}
