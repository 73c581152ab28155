/*
 * strbuf.h: a growing string. `text` is always NUL-terminated (never NULL after init). An allocation that
 * fails sets `failed` and later appends do nothing, so callers check once at the end.
 */
#ifndef PARE_STRBUF_H
#define PARE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct pare_strbuf {
    char *text;
    size_t length, capacity;
    bool failed;
};

void pare_strbuf_init(struct pare_strbuf *b);
void pare_strbuf_clear(struct pare_strbuf *b); /* frees */
void pare_strbuf_reset(struct pare_strbuf *b); /* length 0, keeps memory */
void pare_strbuf_append(struct pare_strbuf *b, const char *s);
void pare_strbuf_append_n(struct pare_strbuf *b, const void *s, size_t n);
void pare_strbuf_printf(struct pare_strbuf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *pare_strbuf_take(struct pare_strbuf *b); /* caller frees; the buffer is empty again */

/* Copies s into out (size bytes), control bytes and bad UTF-8 as \xNN; always terminated. */
void pare_escape(const char *s, size_t n, char *out, size_t out_size);

/* Glob match: * matches any run (also across '/'), ? one byte, [abc] [a-z] [!x] classes. */
bool pare_glob_match(const char *pattern, const char *text);

#endif
