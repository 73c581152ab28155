#include "session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

#define APPLICATION_ID 0x50415245 /* "PARE" */
#define SCHEMA_VERSION 1

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE row(key TEXT PRIMARY KEY, kind TEXT NOT NULL, params TEXT NOT NULL,"
    " result TEXT NOT NULL, seconds REAL NOT NULL, created INTEGER NOT NULL);"
    "CREATE INDEX row_kind ON row(kind);"
    "CREATE TABLE run(id INTEGER PRIMARY KEY, name TEXT NOT NULL, method TEXT NOT NULL,"
    " settings TEXT NOT NULL, status TEXT NOT NULL, created INTEGER NOT NULL);"
    "CREATE TABLE point(id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run(id),"
    " number INTEGER NOT NULL, config TEXT NOT NULL, facts TEXT NOT NULL);"
    "CREATE INDEX point_run ON point(run);"
    "CREATE TABLE action(id INTEGER PRIMARY KEY, line TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL, created INTEGER NOT NULL);";

struct pare_session {
    sqlite3 *db;
    int lock_fd; /* held for the life of the session; closed after the database, see open_lock */
    bool read_only;
    char path[PATH_MAX];
};

static enum pare_status db_error(struct pare_session *s, struct pare_error *err)
{
    int code = sqlite3_errcode(s->db) & 0xff;
    enum pare_status status = code == SQLITE_FULL || code == SQLITE_IOERR ? PARE_ERR_IO
                              : code == SQLITE_BUSY || code == SQLITE_LOCKED ? PARE_ERR_BUSY
                              : code == SQLITE_READONLY || code == SQLITE_PERM || code == SQLITE_AUTH ? PARE_ERR_PERMISSION
                              : code == SQLITE_CANTOPEN                      ? PARE_ERR_CANTCREATE
                              : code == SQLITE_NOMEM                         ? PARE_ERR_NOMEM
                                                                             : PARE_ERR_FORMAT;
    return pare_error(err, status, s->path, "session: %s", sqlite3_errmsg(s->db));
}

enum pare_status pare_session_path(const char *name, const char *real_path, char *path, size_t size,
                                   struct pare_error *err)
{
    char folder[PATH_MAX], hash[33], safe[64];
    size_t n = 0;
    if (pare_user_folder(PARE_USER_DATA, folder, sizeof folder, err) != PARE_OK) {
        return pare_error(err, PARE_ERR_CONFIG, NULL,
                          "no place for the session: HOME and XDG_DATA_HOME are unset (use --session FILE)");
    }
    for (const char *p = name; *p != '\0' && n + 1 < sizeof safe; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                     *p == '_' || (*p == '.' && n > 0);
        safe[n++] = plain ? *p : '-';
    }
    safe[n] = '\0';
    enum pare_status status = pare_make_dirs(folder, err);
    if (status != PARE_OK) {
        return status;
    }
    pare_hash_bytes(real_path, strlen(real_path), hash);
    if ((size_t)snprintf(path, size, "%s/%s-%.8s.pare", folder, safe, hash) >= size) {
        return pare_error(err, PARE_ERR_CONFIG, folder, "path of the session is too long");
    }
    return PARE_OK;
}

/* flock, not SQLite's own locks, says who holds the session. The descriptor stays open until the database is
 * closed: closing any descriptor of a file drops a process's POSIX locks on it. */
static enum pare_status open_lock(struct pare_session *s, bool follow, bool *follower, struct pare_error *err)
{
    *follower = false;
    if (strcmp(s->path, ":memory:") == 0) {
        return PARE_OK; /* nothing is kept, nobody else can hold it */
    }
    s->lock_fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        if ((errno == EACCES || errno == EROFS) && follow && pare_is_file(s->path)) {
            *follower = s->read_only = true;
            return PARE_OK;
        }
        return pare_error(err, PARE_ERR_CANTCREATE, s->path, "cannot open the session: %s", strerror(errno));
    }
    for (int i = 0; i < 5; i++) { /* who only looks whether it is held holds it for a moment */
        if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) {
            return PARE_OK;
        }
        (void)usleep(10000);
    }
    if (!follow) {
        return pare_error(err, PARE_ERR_BUSY, s->path, "another pare holds this session");
    }
    *follower = s->read_only = true;
    return PARE_OK;
}

static enum pare_status execute(struct pare_session *s, const char *sql, struct pare_error *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? PARE_OK : db_error(s, err);
}

static int64_t pragma_int(struct pare_session *s, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW) {
        value = sqlite3_column_int64(q, 0);
    }
    sqlite3_finalize(q);
    return value;
}

static enum pare_status check_schema(struct pare_session *s, struct pare_error *err)
{
    char sql[sizeof schema + 256];
    int64_t objects = pragma_int(s, "SELECT count(*) FROM sqlite_master");
    int64_t application = pragma_int(s, "PRAGMA application_id"), version = pragma_int(s, "PRAGMA user_version");
    if (objects < 0) {
        return pare_error(err, PARE_ERR_FORMAT, s->path, "expected a Pare session, found: %s",
                          sqlite3_errmsg(s->db));
    }
    if (objects == 0 && !s->read_only) {
        snprintf(sql, sizeof sql, "BEGIN;%s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;", schema,
                 APPLICATION_ID, SCHEMA_VERSION);
        return execute(s, sql, err);
    }
    if (application != APPLICATION_ID) {
        return pare_error(err, PARE_ERR_FORMAT, s->path, "expected a Pare session, found another SQLite database");
    }
    if (version != SCHEMA_VERSION) {
        return pare_error(err, PARE_ERR_FORMAT, s->path, "expected schema version %d, found %lld (newer Pare?)",
                          SCHEMA_VERSION, (long long)version);
    }
    if (pragma_int(s, "SELECT count(*) FROM sqlite_master WHERE type IN ('trigger','view') OR sql LIKE "
                      "'%VIRTUAL%'") != 0) {
        return pare_error(err, PARE_ERR_FORMAT, s->path, "the session has triggers or views that Pare never makes");
    }
    sqlite3_stmt *q = NULL;
    const char *answer = NULL;
    if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW) {
        answer = (const char *)sqlite3_column_text(q, 0);
    }
    bool ok = answer != NULL && strcmp(answer, "ok") == 0;
    enum pare_status status = ok ? PARE_OK
                                 : pare_error(err, PARE_ERR_FORMAT, s->path, "the session is damaged: %s",
                                              answer != NULL ? answer : sqlite3_errmsg(s->db));
    sqlite3_finalize(q);
    return status;
}

/* The folder's own name: SQLite refuses a link anywhere in the path, and homes are often behind one. The file itself may
 * be none. */
static void real_folder(const char *path, char out[PATH_MAX])
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s", slash == NULL || slash == path ? 1 : (int)(slash - path), slash == NULL ? "." : path);
    if (strcmp(path, ":memory:") == 0 || realpath(folder, real) == NULL ||
        snprintf(out, PATH_MAX, "%s%s%s", strcmp(real, "/") == 0 ? "" : real, "/", file) >= PATH_MAX) {
        snprintf(out, PATH_MAX, "%s", path);
    }
}

/* Opens the database behind s->path as s->read_only says. */
static enum pare_status open_database(struct pare_session *s, struct pare_error *err)
{
    int flags = s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK) {
        return s->db != NULL ? db_error(s, err) : pare_error_nomem(err);
    }
    sqlite3_busy_timeout(s->db, s->read_only ? 500 : 5000); /* a follower's reading must not cost us a row */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    enum pare_status status =
        s->read_only ? PARE_OK : execute(s, "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL;", err);
    return status == PARE_OK ? check_schema(s, err) : status;
}

enum pare_status pare_session_open(const char *path, bool follow, struct pare_session **session,
                                   bool *follower, struct pare_error *err)
{
    struct pare_session *s = calloc(1, sizeof *s);
    *session = NULL;
    if (s == NULL) {
        return pare_error_nomem(err);
    }
    s->lock_fd = -1;
    real_folder(path, s->path);
    enum pare_status status = open_lock(s, follow, follower, err);
    if (status == PARE_OK) {
        status = open_database(s, err);
    }
    if (status != PARE_OK) {
        pare_session_close(s);
        return status;
    }
    *session = s;
    return PARE_OK;
}

/* The process that has the lock of a file, by the kernel's table; -1 when it cannot be seen from here. */
static int lock_owner(const struct stat *file)
{
    char line[256];
    int owner = -1;
    FILE *in = fopen("/proc/locks", "re");
    while (in != NULL && owner < 0 && fgets(line, sizeof line, in) != NULL) {
        int pid;
        unsigned major, minor;
        unsigned long inode;
        if (sscanf(line, "%*s FLOCK %*s WRITE %d %x:%x:%lu", &pid, &major, &minor, &inode) == 4 && pid > 0 &&
            inode == (unsigned long)file->st_ino && makedev(major, minor) == file->st_dev) {
            owner = pid;
        }
    }
    if (in != NULL) {
        fclose(in);
    }
    return owner;
}

enum pare_status pare_session_peek(const char *path, struct pare_session **session, int *holder, struct pare_error *err)
{
    struct pare_session *s = calloc(1, sizeof *s);
    struct stat st;
    *session = NULL;
    *holder = 0;
    if (s == NULL) {
        return pare_error_nomem(err);
    }
    real_folder(path, s->path);
    s->read_only = true;
    s->lock_fd = open(s->path, O_RDONLY | O_CLOEXEC);
    enum pare_status status = PARE_OK;
    if (s->lock_fd < 0 || fstat(s->lock_fd, &st) != 0) {
        status = pare_error(err, PARE_ERR_NOINPUT, s->path, "cannot open the session: %s", strerror(errno));
    } else if (flock(s->lock_fd, LOCK_SH | LOCK_NB) == 0) {
        (void)flock(s->lock_fd, LOCK_UN);
    } else {
        *holder = lock_owner(&st);
    }
    if (status == PARE_OK) {
        status = open_database(s, err);
    }
    if (status != PARE_OK) {
        pare_session_close(s);
        return status;
    }
    *session = s;
    return PARE_OK;
}

enum pare_status pare_session_take(struct pare_session *s, bool *taken, struct pare_error *err)
{
    struct stat ours, there;
    *taken = false;
    if (!s->read_only || s->lock_fd < 0 || fstat(s->lock_fd, &ours) != 0 || stat(s->path, &there) != 0 ||
        ours.st_ino != there.st_ino || ours.st_dev != there.st_dev || flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return PARE_OK; /* still held, or another file has its name by now */
    }
    sqlite3_close(s->db);
    s->db = NULL;
    s->read_only = false;
    enum pare_status status = open_database(s, err);
    if (status == PARE_OK) {
        *taken = true;
        return PARE_OK;
    }
    sqlite3_close(s->db); /* it may only be read: as before */
    s->db = NULL;
    s->read_only = true;
    (void)flock(s->lock_fd, LOCK_UN);
    struct pare_error own;
    return open_database(s, &own) == PARE_OK ? PARE_OK : status;
}

void pare_session_close(struct pare_session *s)
{
    if (s == NULL) {
        return;
    }
    sqlite3_close(s->db);
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    free(s);
}

const char *pare_session_file(const struct pare_session *s)
{
    return s->path;
}

/* Prepares sql and binds n texts (NULL = SQL NULL) from position 1. */
static sqlite3_stmt *query(struct pare_session *s, const char *sql, int n, const char *const *texts)
{
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK) {
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        sqlite3_bind_text(q, i + 1, texts[i], -1, SQLITE_TRANSIENT);
    }
    return q;
}

static enum pare_status run_query(struct pare_session *s, sqlite3_stmt *q, struct pare_error *err)
{
    int rc = q != NULL ? sqlite3_step(q) : SQLITE_ERROR;
    enum pare_status status = rc == SQLITE_DONE || rc == SQLITE_ROW ? PARE_OK : db_error(s, err);
    sqlite3_finalize(q);
    return status;
}

static json_t *column_json(sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    int n = sqlite3_column_bytes(q, column);
    return text != NULL && n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
}

json_t *pare_session_get_row(struct pare_session *s, const char *key)
{
    json_t *result = NULL;
    sqlite3_stmt *q = query(s, "SELECT result FROM row WHERE key=?1", 1, &key);
    if (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        result = column_json(q, 0);
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
        sqlite3_stmt *q = query(s, "INSERT OR REPLACE INTO row(key,kind,params,result,seconds,created)"
                                   " VALUES(?1,?2,?3,?4,?5,?6)", 4, values);
        if (q != NULL) {
            sqlite3_bind_double(q, 5, seconds);
            sqlite3_bind_int64(q, 6, (sqlite3_int64)time(NULL));
        }
        status = run_query(s, q, err);
    }
    free(texts[0]);
    free(texts[1]);
    return status;
}

int pare_session_count_rows(struct pare_session *s)
{
    return (int)pragma_int(s, "SELECT count(*) FROM row");
}

void pare_session_spent(struct pare_session *s, const char *kind, const char *number, int most, int *rows,
                        double *seconds, double *sum)
{
    char path[64];
    snprintf(path, sizeof path, "$.%s", number);
    const char *values[2] = {kind, path};
    sqlite3_stmt *q = query(s, "SELECT count(*),sum(seconds),sum(json_extract(params,?2)) FROM (SELECT seconds,params FROM row"
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
    sqlite3_stmt *q = query(s, "SELECT rowid,key,kind FROM row WHERE rowid>?1 ORDER BY rowid", 0, NULL);
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
    sqlite3_stmt *q = query(s, "SELECT key,kind,params,result,seconds FROM row WHERE ?1 IS NULL OR kind=?1"
                               " ORDER BY rowid", 1, &kind);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        json_t *params = column_json(q, 2), *result = column_json(q, 3);
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

enum pare_status pare_session_add_run(struct pare_session *s, const char *name, const char *method,
                                      const json_t *settings, int64_t *id, struct pare_error *err)
{
    char *text = pare_json_text(settings);
    const char *values[4] = {name, method, text, "{}"};
    sqlite3_stmt *q = query(s, "INSERT INTO run(name,method,settings,status,created) VALUES(?1,?2,?3,?4,?5)",
                            4, values);
    if (q != NULL) {
        sqlite3_bind_int64(q, 5, (sqlite3_int64)time(NULL));
    }
    enum pare_status status = run_query(s, q, err);
    *id = sqlite3_last_insert_rowid(s->db);
    free(text);
    return status;
}

enum pare_status pare_session_set_run(struct pare_session *s, int64_t id, const char *name_or_null,
                                      const json_t *status_or_null, struct pare_error *err)
{
    char *text = status_or_null != NULL ? pare_json_text(status_or_null) : NULL;
    const char *values[2] = {name_or_null, text};
    sqlite3_stmt *q = query(s, "UPDATE run SET name=coalesce(?1,name), status=coalesce(?2,status) WHERE id=?3",
                            2, values);
    if (q != NULL) {
        sqlite3_bind_int64(q, 3, id);
    }
    free(text);
    return run_query(s, q, err);
}

enum pare_status pare_session_add_point(struct pare_session *s, int64_t run, int number, const json_t *config,
                                        const json_t *facts, int64_t *id, struct pare_error *err)
{
    char *texts[2] = {pare_json_text(config), pare_json_text(facts)};
    const char *values[2] = {texts[0], texts[1]};
    sqlite3_stmt *q = query(s, "INSERT INTO point(config,facts,run,number) VALUES(?1,?2,?3,?4)", 2, values);
    if (q != NULL) {
        sqlite3_bind_int64(q, 3, run);
        sqlite3_bind_int(q, 4, number);
    }
    enum pare_status status = run_query(s, q, err);
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
    sqlite3_stmt *q = query(s, "UPDATE point SET facts=?1 WHERE id=?2", 1, values);
    if (q != NULL) {
        sqlite3_bind_int64(q, 2, id);
    }
    free(text);
    return run_query(s, q, err);
}

void pare_session_each_run(struct pare_session *s, void *self,
                           void (*each)(void *self, int64_t id, const char *name, const char *method,
                                        const json_t *settings, const json_t *status))
{
    sqlite3_stmt *q = query(s, "SELECT id,name,method,settings,status FROM run ORDER BY id", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        json_t *settings = column_json(q, 3), *status = column_json(q, 4);
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
    sqlite3_stmt *q = query(s, "SELECT id,run,number,config,facts FROM point ORDER BY run,number,id", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        json_t *config = column_json(q, 3), *facts = column_json(q, 4);
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
    enum pare_status status = execute(s, "DELETE FROM action WHERE undone=1", err);
    return status == PARE_OK ? run_query(s, query(s, "INSERT INTO action(line) VALUES(?1)", 1, &line), err)
                             : status;
}

enum pare_status pare_session_undo(struct pare_session *s, bool undo, char **line, struct pare_error *err)
{
    const char *find = undo ? "SELECT id,line FROM action WHERE undone=0 ORDER BY id DESC LIMIT 1"
                            : "SELECT id,line FROM action WHERE undone=1 ORDER BY id LIMIT 1";
    sqlite3_stmt *q = query(s, find, 0, NULL);
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
    q = query(s, "UPDATE action SET undone=?1 WHERE id=?2", 0, NULL);
    if (q != NULL) {
        sqlite3_bind_int(q, 1, undo);
        sqlite3_bind_int64(q, 2, id);
    }
    return run_query(s, q, err);
}

void pare_session_each_action(struct pare_session *s, void *self,
                              void (*each)(void *self, const char *line, bool undone))
{
    sqlite3_stmt *q = query(s, "SELECT line,undone FROM action ORDER BY id", 0, NULL);
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
    sqlite3_stmt *q = query(s, "INSERT INTO note(text,created) VALUES(?1,?2)", 1, &text);
    if (q != NULL) {
        sqlite3_bind_int64(q, 2, (sqlite3_int64)time(NULL));
    }
    return run_query(s, q, err);
}

enum pare_status pare_session_set_meta(struct pare_session *s, const char *key, const char *value,
                                       struct pare_error *err)
{
    const char *values[2] = {key, value};
    return run_query(s, query(s, "INSERT OR REPLACE INTO meta(key,value) VALUES(?1,?2)", 2, values), err);
}

char *pare_session_get_meta(struct pare_session *s, const char *key)
{
    char *value = NULL;
    sqlite3_stmt *q = query(s, "SELECT value FROM meta WHERE key=?1", 1, &key);
    if (q != NULL && sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0) != NULL) {
        value = strdup((const char *)sqlite3_column_text(q, 0));
    }
    sqlite3_finalize(q);
    return value;
}

int64_t pare_session_data_version(struct pare_session *s)
{
    return pragma_int(s, "PRAGMA data_version");
}

json_t *pare_session_facts(struct pare_session *s)
{
    json_t *kinds = json_object(), *notes = json_array();
    sqlite3_stmt *q = query(s, "SELECT kind,count(*),sum(seconds) FROM row GROUP BY kind ORDER BY min(rowid)", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        const char *kind = (const char *)sqlite3_column_text(q, 0);
        json_object_set_new(kinds, kind != NULL ? kind : "?", json_pack("{s:i, s:f}", "rows", sqlite3_column_int(q, 1), "seconds",
                                                                       sqlite3_column_double(q, 2)));
    }
    sqlite3_finalize(q);
    q = query(s, "SELECT text FROM note ORDER BY id", 0, NULL);
    while (q != NULL && sqlite3_step(q) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        json_array_append_new(notes, json_string(text != NULL ? text : ""));
    }
    sqlite3_finalize(q);
    return json_pack("{s:i, s:o, s:i, s:i, s:i, s:o}", "rows", pare_session_count_rows(s), "kinds", kinds, "runs",
                     (int)pragma_int(s, "SELECT count(*) FROM run"), "points", (int)pragma_int(s, "SELECT count(*) FROM point"),
                     "actions", (int)pragma_int(s, "SELECT count(*) FROM action WHERE undone=0"), "notes", notes);
}

enum pare_status pare_session_discard(struct pare_session *s, const char *member, const char *value, bool really, int *rows,
                                      struct pare_error *err)
{
    char path[64];
    snprintf(path, sizeof path, "$.%s", member);
    const char *values[2] = {path, value};
    sqlite3_stmt *q = query(s, "SELECT count(*) FROM row WHERE json_extract(params,?1)<>?2", 2, values);
    *rows = q != NULL && sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int(q, 0) : 0;
    sqlite3_finalize(q);
    if (!really || *rows == 0) {
        return PARE_OK;
    }
    enum pare_status status = run_query(s, query(s, "DELETE FROM row WHERE json_extract(params,?1)<>?2", 2, values), err);
    return status == PARE_OK ? execute(s, "VACUUM", err) : status;
}
