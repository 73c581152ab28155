/*
 * protobuf.h: reads protobuf wire format in place. Nothing is copied or allocated and nothing
 * recurses: a reader is a span of bytes, a message inside it is another span.
 *
 * A field is a varint tag (number << 3 | wire), then its value:
 *   wire 0   varint, at most 10 bytes, 7 bits each, low bits first
 *   wire 1   8 bytes, little-endian
 *   wire 2   varint length, then that many bytes (text, bytes, message, packed numbers)
 *   wire 5   4 bytes, little-endian
 * Groups (wires 3 and 4), wires 6 and 7 and field number 0 are refused.
 */
#ifndef PARE_PROTOBUF_H
#define PARE_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pare_pb_wire {
    PARE_PB_VARINT = 0,
    PARE_PB_FIXED64 = 1,
    PARE_PB_BYTES = 2,
    PARE_PB_FIXED32 = 5
};

struct pare_pb_span {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
};

struct pare_pb_field {
    uint32_t number; /* 1 .. 2^29 - 1 */
    enum pare_pb_wire wire;
    uint64_t value;            /* varint, fixed64, fixed32 */
    struct pare_pb_span bytes; /* wire 2 */
    const uint8_t *at;         /* of the tag */
};

struct pare_pb {
    const uint8_t *at, *end;
    const char *problem; /* why pare_pb_next stopped before the end; NULL = it did not */
};

struct pare_pb pare_pb_open(struct pare_pb_span message);
/* The next field. false at the end, and at damage: then r->problem says what and r->at where. */
bool pare_pb_next(struct pare_pb *r, struct pare_pb_field *field);

/* Reads one varint and moves *at behind it; NULL, or what is wrong (then *at is unchanged). */
const char *pare_pb_varint(const uint8_t **at, const uint8_t *end, uint64_t *value);

/* Equal to the NUL-terminated text? */
bool pare_pb_is(struct pare_pb_span span, const char *text);

/* ---- checking a whole file against a table of its messages ---- */

enum pare_pb_kind {
    PARE_PB_ANY,     /* unknown field: skipped */
    PARE_PB_INT,     /* varint */
    PARE_PB_FLOAT,   /* fixed32 */
    PARE_PB_DOUBLE,  /* fixed64 */
    PARE_PB_TEXT,    /* bytes */
    PARE_PB_INTS,    /* repeated varint, packed or not */
    PARE_PB_FLOATS,  /* repeated fixed32, packed or not */
    PARE_PB_DOUBLES, /* repeated fixed64, packed or not */
    PARE_PB_MESSAGE  /* a message of the kind `message` */
};

struct pare_pb_rule {
    uint32_t number;
    enum pare_pb_kind kind;
    int message; /* index of its table, for PARE_PB_MESSAGE */
};

struct pare_pb_message {
    const char *name;
    const struct pare_pb_rule *rules; /* ends with number 0 */
};

struct pare_pb_damage {
    size_t offset;  /* in the file */
    char text[192]; /* expected and found, with message and field */
};

#define PARE_PB_MAX_DEPTH 100

/* Walks file as messages[root]: every field's wire type and length is checked, nesting is at most
 * PARE_PB_MAX_DEPTH. Linear in the file's size. true when all is well; else *damage is filled. */
bool pare_pb_check(struct pare_pb_span file, const struct pare_pb_message *messages, int root,
                   struct pare_pb_damage *damage);

#endif
