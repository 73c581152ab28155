/* rows.c: finished jobs: kept, counted, thrown away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "session/parts.h"

json_t *pare_session_get_row(struct pare_session *s, const char *key)
{
    json_t *result = NULL;
    sqlite3_stmt *q = session_query(s, "SELECT result FROM row WHERE key=?1", 1, &key);
    if (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        result = session_column_json(q, 0);
    }
    sqlite3_finalize(q);
    return result;
}

enum pare_status pare_session_put_row(struct pare_session *s, const char *key, const char *kind,
                                      const json_t *params, const json_t *result, double seconds,
                                      struct pare_error *err)
{
    char *texts[2] = {pare_json_text(params), pare_json_text(result)};
    enum pare_status status = PARE_OK;
    if (texts[0] == NULL || texts[1] == NULL) {
        status = pare_error_nomem(err);
    } else {
        const char *values[4] = {key, kind, texts[0], texts[1]};
        sqlite3_stmt *q = session_query(s, "INSERT OR REPLACE INTO row(key,kind,params,result,seconds,created)"
                                   " VALUES(?1,?2,?3,?4,?5,?6)", 4, values);
        if (q != NULL) {
            sqlite3_bind_double(q, 5, seconds);
            sqlite3_bind_int64(q, 6, (sqlite3_int64)time(NULL));
        }
        status = session_run(s, q, err);
    }
    free(texts[0]);
    free(texts[1]);
    return status;
}

int pare_session_count_rows(struct pare_session *s)
{
    return (int)session_pragma_int(s, "SELECT count(*) FROM row");
}

void pare_session_spent(struct pare_session *s, const char *kind, const char *number, int most, int *rows,
                        double *seconds, double *sum)
{
    char path[64];
    snprintf(path, sizeof path, "$.%s", number);
    const char *values[2] = {kind, path};
    sqlite3_stmt *q = session_query(s, "SELECT count(*),sum(seconds),sum(json_extract(params,?2)) FROM (SELECT seconds,params FROM row"
                               " WHERE kind=?1 ORDER BY rowid DESC LIMIT ?3)", 2, values);
    *rows = 0;
    *seconds = *sum = 0;
    if (q != NULL) {
        sqlite3_bind_int(q, 3, most);
    }
    if (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        *rows = sqlite3_column_int(q, 0);
        *seconds = sqlite3_column_double(q, 1);
        *sum = sqlite3_column_double(q, 2);
    }
    sqlite3_finalize(q);
}

void pare_session_new_rows(struct pare_session *s, int64_t *last, void *self,
                           void (*each)(void *self, const char *key, const char *kind))
{
    sqlite3_stmt *q = session_query(s, "SELECT rowid,key,kind FROM row WHERE rowid>?1 ORDER BY rowid", 0, NULL);
    if (q != NULL) {
        sqlite3_bind_int64(q, 1, *last);
    }
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(q, 1), *kind = (const char *)sqlite3_column_text(q, 2);
        *last = sqlite3_column_int64(q, 0);
        if (key != NULL && kind != NULL) {
            each(self, key, kind);
        }
    }
    sqlite3_finalize(q);
}

int pare_session_each_row(struct pare_session *s, const char *kind, void *self,
                          void (*each)(void *self, const char *key, const char *kind, const json_t *params,
                                       const json_t *result, double seconds))
{
    int skipped = 0;
    sqlite3_stmt *q = session_query(s, "SELECT key,kind,params,result,seconds FROM row WHERE ?1 IS NULL OR kind=?1"
                               " ORDER BY rowid", 1, &kind);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        json_t *params = session_column_json(q, 2), *result = session_column_json(q, 3);
        const char *key = (const char *)sqlite3_column_text(q, 0);
        const char *row_kind = (const char *)sqlite3_column_text(q, 1);
        if (params != NULL && json_is_object(result) && key != NULL && row_kind != NULL) {
            each(self, key, row_kind, params, result, sqlite3_column_double(q, 4));
        } else {
            skipped++;
        }
        json_decref(params);
        json_decref(result);
    }
    sqlite3_finalize(q);
    return skipped;
}

json_t *pare_session_facts(struct pare_session *s)
{
    json_t *kinds = json_object(), *notes = json_array();
    sqlite3_stmt *q = session_query(s, "SELECT kind,count(*),sum(seconds) FROM row GROUP BY kind ORDER BY min(rowid)", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        const char *kind = (const char *)sqlite3_column_text(q, 0);
        json_object_set_new(kinds, kind != NULL ? kind : "?", json_pack("{s:i, s:f}", "rows", sqlite3_column_int(q, 1), "seconds",
                                                                       sqlite3_column_double(q, 2)));
    }
    sqlite3_finalize(q);
    q = session_query(s, "SELECT text FROM note ORDER BY id", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        json_array_append_new(notes, json_string(text != NULL ? text : ""));
    }
    sqlite3_finalize(q);
    return json_pack("{s:i, s:o, s:i, s:i, s:i, s:o}", "rows", pare_session_count_rows(s), "kinds", kinds, "runs",
                     (int)session_pragma_int(s, "SELECT count(*) FROM run"), "points", (int)session_pragma_int(s, "SELECT count(*) FROM point"),
                     "actions", (int)session_pragma_int(s, "SELECT count(*) FROM action WHERE undone=0"), "notes", notes);
}

enum pare_status pare_session_discard(struct pare_session *s, const char *member, const char *value, bool really, int *rows,
                                      struct pare_error *err)
{
    char path[64];
    snprintf(path, sizeof path, "$.%s", member);
    const char *values[2] = {path, value};
    sqlite3_stmt *q = session_query(s, "SELECT count(*) FROM row WHERE json_extract(params,?1)<>?2", 2, values);
    *rows = q != NULL && sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int(q, 0) : 0;
    sqlite3_finalize(q);
    if (!really || *rows == 0) {
        return PARE_OK;
    }
    enum pare_status status = session_run(s, session_query(s, "DELETE FROM row WHERE json_extract(params,?1)<>?2", 2, values), err);
    return status == PARE_OK ? session_execute(s, "VACUUM", err) : status;
}
