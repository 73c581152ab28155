/*
 * status.h: how functions fail. A function that can fail returns enum pare_status and fills one
 * struct pare_error (where and what). The numbers are the process exit codes of the command line.
 * Nothing here prints or exits.
 */
#ifndef PARE_STATUS_H
#define PARE_STATUS_H

#include <stdarg.h>

#define PARE_STATUS_MAP(X)                                                                         \
    X(OK, 0, "ok")                                                                                 \
    X(ERR_FAIL, 1, "failed")                                                                       \
    X(ERR_USAGE, 2, "wrong usage")                                                                 \
    X(ERR_INFEASIBLE, 3, "infeasible")                                                             \
    X(ERR_PARTIAL, 4, "stopped by a limit; the partial result is saved")                           \
    X(ERR_FORMAT, 65, "bad data")                                                                  \
    X(ERR_NOINPUT, 66, "no such input")                                                            \
    X(ERR_INTERNAL, 70, "internal error")                                                          \
    X(ERR_NOMEM, 71, "out of memory")                                                              \
    X(ERR_CANTCREATE, 73, "cannot create output")                                                  \
    X(ERR_IO, 74, "input/output error")                                                            \
    X(ERR_BUSY, 75, "busy")                                                                        \
    X(ERR_PERMISSION, 77, "permission denied")                                                     \
    X(ERR_CONFIG, 78, "bad configuration")

enum pare_status {
#define PARE_STATUS_ENUM(name, value, text) PARE_##name = value,
    PARE_STATUS_MAP(PARE_STATUS_ENUM)
#undef PARE_STATUS_ENUM
};

/* What went wrong: `where` = file, or file and place in it; `message` = what was expected and found.
 * Control bytes are already escaped, so both may be printed to a terminal. */
struct pare_error {
    enum pare_status code;
    char where[512];
    char message[768];
};

/* Fills err (may be NULL) and returns code: `return pare_error(err, PARE_ERR_FORMAT, path, "...", ...)`.
 * where may be NULL. */
enum pare_status pare_error(struct pare_error *err, enum pare_status code, const char *where,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));
enum pare_status pare_verror(struct pare_error *err, enum pare_status code, const char *where,
                             const char *format, va_list args);
/* Out of memory, with a fixed text. */
enum pare_status pare_error_nomem(struct pare_error *err);
/* The word of a code ("bad data"), for JSON and logs; never NULL. */
const char *pare_status_text(enum pare_status code);
const char *pare_status_name(enum pare_status code); /* "ERR_FORMAT" */

#endif
