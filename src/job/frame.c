#include "job/frame.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 16u

static void put_le(unsigned char *p, uint64_t value, int n)
{
    for (int i = 0; i < n; i++) {
        p[i] = (unsigned char)(value >> (8 * i));
    }
}

static uint64_t get_le(const unsigned char *p, int n)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++) {
        value |= (uint64_t)p[i] << (8 * i);
    }
    return value;
}

enum pare_status pare_frame_encode(enum pare_frame_type type, uint64_t job, const json_t *body,
                                   char **bytes, size_t *size, struct pare_error *err)
{
    size_t n = body != NULL ? json_dumpb(body, NULL, 0, JSON_COMPACT) : 2;
    *bytes = NULL;
    if (n == 0 || n > PARE_FRAME_MAX - 12) {
        return pare_error(err, PARE_ERR_INTERNAL, "frame", "expected at most %u bytes of JSON, found %zu",
                          PARE_FRAME_MAX - 12, n);
    }
    unsigned char *out = malloc(HEADER_BYTES + n);
    if (out == NULL) {
        return pare_error_nomem(err);
    }
    put_le(out, n + 12, 4);
    put_le(out + 4, PARE_FRAME_VERSION, 2);
    put_le(out + 6, type, 2);
    put_le(out + 8, job, 8);
    if (body != NULL) {
        json_dumpb(body, (char *)out + HEADER_BYTES, n, JSON_COMPACT);
    } else {
        memcpy(out + HEADER_BYTES, "{}", 2);
    }
    *bytes = (char *)out;
    *size = HEADER_BYTES + n;
    return PARE_OK;
}

enum pare_status pare_frame_feed(struct pare_frame_reader *r, const void *bytes, size_t n,
                                 struct pare_error *err)
{
    if (n > 2 * (size_t)PARE_FRAME_MAX - r->used) {
        return pare_error(err, PARE_ERR_FORMAT, "frame", "more than %u bytes are waiting", PARE_FRAME_MAX);
    }
    if (r->used + n > r->capacity) {
        size_t capacity = r->capacity > 0 ? r->capacity : 4096;
        while (capacity < r->used + n) {
            capacity *= 2;
        }
        char *buffer = realloc(r->buffer, capacity);
        if (buffer == NULL) {
            return pare_error_nomem(err);
        }
        r->buffer = buffer;
        r->capacity = capacity;
    }
    if (n > 0) {
        memcpy(r->buffer + r->used, bytes, n);
        r->used += n;
    }
    return PARE_OK;
}

enum pare_status pare_frame_next(struct pare_frame_reader *r, struct pare_frame *frame, int *ready,
                                 struct pare_error *err)
{
    const unsigned char *p = (const unsigned char *)r->buffer;
    *ready = 0;
    if (r->used < HEADER_BYTES) {
        return PARE_OK;
    }
    uint64_t length = get_le(p, 4), version = get_le(p + 4, 2), type = get_le(p + 6, 2);
    if (length < 12 + 2 || length > PARE_FRAME_MAX || version != PARE_FRAME_VERSION ||
        type >= PARE_FRAME_TYPE_COUNT) {
        return pare_error(err, PARE_ERR_FORMAT, "frame",
                          "expected version %d and at most %u bytes, found version %u, type %u, %llu bytes",
                          PARE_FRAME_VERSION, PARE_FRAME_MAX, (unsigned)version, (unsigned)type,
                          (unsigned long long)length);
    }
    if (r->used < 4 + length) {
        return PARE_OK;
    }
    json_error_t e;
    frame->type = (enum pare_frame_type)type;
    frame->job = get_le(p + 8, 8);
    frame->body = json_loadb(r->buffer + HEADER_BYTES, (size_t)length - 12, 0, &e);
    if (!json_is_object(frame->body)) {
        json_decref(frame->body);
        return pare_error(err, PARE_ERR_FORMAT, "frame", "expected a JSON object, found %s", e.text);
    }
    size_t taken = 4 + (size_t)length;
    memmove(r->buffer, r->buffer + taken, r->used - taken);
    r->used -= taken;
    *ready = 1;
    return PARE_OK;
}

void pare_frame_reader_clear(struct pare_frame_reader *r)
{
    free(r->buffer);
    memset(r, 0, sizeof *r);
}
