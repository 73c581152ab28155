#include "base/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static char empty_text[1];

void pare_strbuf_init(struct pare_strbuf *b)
{
    memset(b, 0, sizeof *b);
    b->text = empty_text;
}

void pare_strbuf_clear(struct pare_strbuf *b)
{
    if (b->capacity > 0) {
        free(b->text);
    }
    pare_strbuf_init(b);
}

void pare_strbuf_reset(struct pare_strbuf *b)
{
    b->length = 0;
    b->failed = false;
    if (b->capacity > 0) {
        b->text[0] = '\0';
    }
}

static bool reserve(struct pare_strbuf *b, size_t extra)
{
    if (b->failed || extra > SIZE_MAX / 4 - b->length) {
        b->failed = true;
        return false;
    }
    size_t need = b->length + extra + 1;
    if (need <= b->capacity) {
        return true;
    }
    size_t capacity = b->capacity > 0 ? b->capacity : 128;
    while (capacity < need) {
        capacity *= 2;
    }
    char *text = realloc(b->capacity > 0 ? b->text : NULL, capacity);
    if (text == NULL) {
        b->failed = true;
        return false;
    }
    b->text = text;
    b->capacity = capacity;
    b->text[b->length] = '\0';
    return true;
}

void pare_strbuf_append_n(struct pare_strbuf *b, const void *s, size_t n)
{
    if (n > 0 && reserve(b, n)) {
        memcpy(b->text + b->length, s, n);
        b->length += n;
        b->text[b->length] = '\0';
    }
}

void pare_strbuf_append(struct pare_strbuf *b, const char *s)
{
    pare_strbuf_append_n(b, s, strlen(s));
}

void pare_strbuf_printf(struct pare_strbuf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(b, (size_t)n)) {
        b->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(b->text + b->length, (size_t)n + 1, format, args);
    va_end(args);
    b->length += (size_t)n;
}

char *pare_strbuf_take(struct pare_strbuf *b)
{
    char *text = b->capacity > 0 ? b->text : calloc(1, 1);
    pare_strbuf_init(b);
    return text;
}

void pare_escape(const char *s, size_t n, char *out, size_t out_size)
{
    static const char hex[] = "0123456789abcdef";
    size_t o = 0;
    if (out_size == 0) {
        return;
    }
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t rune = -1;
        utf8proc_ssize_t width =
            utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(n - i), &rune);
        /* Controls, and the characters that reorder or hide text on a terminal, are shown as bytes. */
        bool plain = width > 0 && rune >= 0x20 && rune != 0x7f && !(rune >= 0x80 && rune < 0xa0) &&
                     !(rune >= 0x200b && rune <= 0x200f) && !(rune >= 0x202a && rune <= 0x202e) &&
                     !(rune >= 0x2066 && rune <= 0x2069) && rune != 0xfeff;
        if (plain) {
            if (o + (size_t)width + 1 > out_size) {
                break;
            }
            memcpy(out + o, s + i, (size_t)width);
            o += (size_t)width;
            i += (size_t)width;
            continue;
        }
        size_t bytes = width > 0 ? (size_t)width : 1;
        if (o + 4 * bytes + 1 > out_size) {
            break;
        }
        for (size_t k = 0; k < bytes; k++) {
            unsigned char c = (unsigned char)s[i + k];
            out[o++] = '\\';
            out[o++] = 'x';
            out[o++] = hex[c >> 4];
            out[o++] = hex[c & 15];
        }
        i += bytes;
    }
    out[o] = '\0';
}

/* Matches one character class; *p is behind '[' and is moved behind ']'. A class without ']' is a literal '['. */
static bool class_match(const char **p, char c, bool *is_class)
{
    const char *q = *p;
    bool negated = *q == '!' || *q == '^', found = false;
    if (negated) {
        q++;
    }
    const char *first = q;
    for (; *q != '\0' && (*q != ']' || q == first); q++) {
        if (q[1] == '-' && q[2] != ']' && q[2] != '\0') {
            found = found || (c >= q[0] && c <= q[2]);
            q += 2;
        } else {
            found = found || *q == c;
        }
    }
    *is_class = *q == ']';
    if (*is_class) {
        *p = q + 1;
    }
    return found != negated;
}

bool pare_glob_match(const char *pattern, const char *text)
{
    const char *p = pattern, *t = text, *star = NULL, *mark = NULL;
    while (*t != '\0') {
        const char *next = p + 1;
        bool is_class = false, ok = false;
        if (*p == '*') {
            star = p++;
            mark = t;
            continue;
        }
        if (*p == '[') {
            ok = class_match(&next, *t, &is_class);
            if (!is_class) {
                next = p + 1;
                ok = *t == '[';
            }
        } else if (*p != '\0') {
            ok = *p == '?' || *p == *t;
        }
        if (ok) {
            p = next;
            t++;
        } else if (star != NULL) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (*p == '*') {
        p++;
    }
    return *p == '\0';
}
