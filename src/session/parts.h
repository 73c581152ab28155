/* parts.h: inside the session: the open file, and statements on it. */
#ifndef PARE_SESSION_PARTS_H
#define PARE_SESSION_PARTS_H

#include <limits.h>
#include <sqlite3.h>

#include "session/session.h"

struct pare_session {
    sqlite3 *db;
    int lock_fd; /* held for the life of the session; closed after the database, see open_lock */
    bool read_only;
    char path[PATH_MAX];
};

/* err from the database's last error; returns its status. */
enum pare_status session_db_error(struct pare_session *s, struct pare_error *err);
enum pare_status session_execute(struct pare_session *s, const char *sql, struct pare_error *err);
int64_t session_pragma_int(struct pare_session *s, const char *sql);
/* Prepares sql and binds n texts (NULL = SQL NULL) from position 1. NULL when it cannot be. */
sqlite3_stmt *session_query(struct pare_session *s, const char *sql, int n, const char *const *texts);
/* One step of q (may be NULL), which is finalized. */
enum pare_status session_run(struct pare_session *s, sqlite3_stmt *q, struct pare_error *err);
/* A new reference; NULL when the text is no JSON. */
json_t *session_column_json(sqlite3_stmt *q, int column);

#endif
