/* session.c: the file of a session: opened, held by one process, looked at by others. */
#include <errno.h>
#include <fcntl.h>
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
#include "session/parts.h"

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

enum pare_status session_db_error(struct pare_session *s, struct pare_error *err)
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

enum pare_status session_execute(struct pare_session *s, const char *sql, struct pare_error *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? PARE_OK : session_db_error(s, err);
}

int64_t session_pragma_int(struct pare_session *s, const char *sql)
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
    int64_t objects = session_pragma_int(s, "SELECT count(*) FROM sqlite_master");
    int64_t application = session_pragma_int(s, "PRAGMA application_id"), version = session_pragma_int(s, "PRAGMA user_version");
    if (objects < 0) {
        return pare_error(err, PARE_ERR_FORMAT, s->path, "expected a Pare session, found: %s",
                          sqlite3_errmsg(s->db));
    }
    if (objects == 0 && !s->read_only) {
        snprintf(sql, sizeof sql, "BEGIN;%s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;", schema,
                 APPLICATION_ID, SCHEMA_VERSION);
        return session_execute(s, sql, err);
    }
    if (application != APPLICATION_ID) {
        return pare_error(err, PARE_ERR_FORMAT, s->path, "expected a Pare session, found another SQLite database");
    }
    if (version != SCHEMA_VERSION) {
        return pare_error(err, PARE_ERR_FORMAT, s->path, "expected schema version %d, found %lld (newer Pare?)",
                          SCHEMA_VERSION, (long long)version);
    }
    if (session_pragma_int(s, "SELECT count(*) FROM sqlite_master WHERE type IN ('trigger','view') OR sql LIKE "
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
        return s->db != NULL ? session_db_error(s, err) : pare_error_nomem(err);
    }
    sqlite3_busy_timeout(s->db, s->read_only ? 500 : 5000); /* a follower's reading must not cost us a row */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    enum pare_status status =
        s->read_only ? PARE_OK : session_execute(s, "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL;", err);
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

int64_t pare_session_data_version(struct pare_session *s)
{
    return session_pragma_int(s, "PRAGMA data_version");
}

sqlite3_stmt *session_query(struct pare_session *s, const char *sql, int n, const char *const *texts)
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

enum pare_status session_run(struct pare_session *s, sqlite3_stmt *q, struct pare_error *err)
{
    int rc = q != NULL ? sqlite3_step(q) : SQLITE_ERROR;
    enum pare_status status = rc == SQLITE_DONE || rc == SQLITE_ROW ? PARE_OK : session_db_error(s, err);
    sqlite3_finalize(q);
    return status;
}

json_t *session_column_json(sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    int n = sqlite3_column_bytes(q, column);
    return text != NULL && n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
}
