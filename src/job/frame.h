/*
 * frame.h: how the front and its workers talk over a socket pair.
 *
 * A frame is, little-endian:  u32 length of what follows the length; u16 version; u16 type; u64 job; then a
 * JSON object (length - 12 bytes). A frame longer than 64 MiB, of another version, or with bad JSON ends the
 * connection: the peer is not to be trusted any more.
 */
#ifndef PARE_FRAME_H
#define PARE_FRAME_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define PARE_FRAME_VERSION 1
#define PARE_FRAME_MAX (64u << 20)

enum pare_frame_type {
    PARE_FRAME_HELLO,     /* worker -> front: {version, isa, pid} */
    PARE_FRAME_JOB,       /* front -> worker: {kind, params, needs: {name: key}} */
    PARE_FRAME_ROW,       /* front -> worker: {key, value}: a finished row that later jobs need */
    PARE_FRAME_PROGRESS,  /* worker -> front: {done, total} */
    PARE_FRAME_RESULT,    /* worker -> front: the job's result */
    PARE_FRAME_ERROR,     /* worker -> front: {code, where, message} */
    PARE_FRAME_HEARTBEAT, /* worker -> front: {} */
    PARE_FRAME_PAUSE,     /* front -> worker: stop at the next sample boundary */
    PARE_FRAME_PAUSED,    /* worker -> front */
    PARE_FRAME_RESUME,    /* front -> worker */
    PARE_FRAME_CALL,      /* worker -> front: a script's call {verb, args}; answered by RETURN */
    PARE_FRAME_RETURN,    /* front -> worker: {value} or {error} */
    PARE_FRAME_PRINT,     /* worker -> front: {text} of a script */
    PARE_FRAME_TYPE_COUNT
};

struct pare_frame {
    enum pare_frame_type type;
    uint64_t job;
    json_t *body; /* owned by who holds the frame */
};

/* Serialises a frame: *bytes is malloc'ed. */
enum pare_status pare_frame_encode(enum pare_frame_type type, uint64_t job, const json_t *body,
                                   char **bytes, size_t *size, struct pare_error *err);

/* Incremental decoding of a byte stream. */
struct pare_frame_reader {
    char *buffer;
    size_t used, capacity;
};
/* Appends n bytes. */
enum pare_status pare_frame_feed(struct pare_frame_reader *r, const void *bytes, size_t n,
                                 struct pare_error *err);
/* Takes the next whole frame; *ready says whether there was one. */
enum pare_status pare_frame_next(struct pare_frame_reader *r, struct pare_frame *frame, int *ready,
                                 struct pare_error *err);
void pare_frame_reader_clear(struct pare_frame_reader *r);

#endif
