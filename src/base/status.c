#include "base/status.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"

enum pare_status pare_verror(struct pare_error *err, enum pare_status code, const char *where,
                             const char *format, va_list args)
{
    if (err == NULL) {
        return code;
    }
    char raw[sizeof err->message];
    err->code = code;
    if (where != NULL) {
        pare_escape(where, strlen(where), err->where, sizeof err->where);
    } else {
        err->where[0] = '\0';
    }
    vsnprintf(raw, sizeof raw, format, args);
    pare_escape(raw, strlen(raw), err->message, sizeof err->message);
    return code;
}

enum pare_status pare_error(struct pare_error *err, enum pare_status code, const char *where,
                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pare_verror(err, code, where, format, args);
    va_end(args);
    return code;
}

enum pare_status pare_error_nomem(struct pare_error *err)
{
    return pare_error(err, PARE_ERR_NOMEM, NULL, "out of memory");
}

const char *pare_status_text(enum pare_status code)
{
    switch (code) {
#define PARE_STATUS_CASE(name, value, text)                                                        \
    case PARE_##name:                                                                              \
        return text;
        PARE_STATUS_MAP(PARE_STATUS_CASE)
#undef PARE_STATUS_CASE
    }
    return "unknown status";
}

const char *pare_status_name(enum pare_status code)
{
    switch (code) {
#define PARE_STATUS_CASE(name, value, text)                                                        \
    case PARE_##name:                                                                              \
        return #name;
        PARE_STATUS_MAP(PARE_STATUS_CASE)
#undef PARE_STATUS_CASE
    }
    return "UNKNOWN";
}
