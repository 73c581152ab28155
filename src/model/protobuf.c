#include "model/protobuf.h"

#include <stdio.h>
#include <string.h>

struct pare_pb pare_pb_open(struct pare_pb_span message)
{
    struct pare_pb r = {message.data, message.data, NULL};
    if (message.size > 0) {
        r.end = message.data + message.size;
    }
    return r;
}

const char *pare_pb_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    const uint8_t *p = *at;
    uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (p == end) {
            return "a varint that does not end";
        }
        uint64_t bits = *p & 0x7fu;
        if (shift == 63 && bits > 1) {
            return "a varint of more than 64 bits";
        }
        v |= bits << shift;
        if ((*p++ & 0x80u) == 0) {
            *value = v;
            *at = p;
            return NULL;
        }
    }
    return "a varint of more than 10 bytes";
}

static uint64_t little_endian(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = n - 1; i >= 0; i--) {
        v = v << 8 | p[i];
    }
    return v;
}

/* The value behind a tag; NULL or the problem. */
static const char *read_value(const uint8_t **at, const uint8_t *end, unsigned wire,
                              struct pare_pb_field *f)
{
    size_t left = (size_t)(end - *at);
    uint64_t size;
    const char *problem;
    switch (wire) {
    case PARE_PB_VARINT:
        return pare_pb_varint(at, end, &f->value);
    case PARE_PB_FIXED32:
    case PARE_PB_FIXED64:
        size = wire == PARE_PB_FIXED32 ? 4 : 8;
        if (left < size) {
            return "a fixed-width number that ends early";
        }
        f->value = little_endian(*at, (int)size);
        *at += size;
        return NULL;
    case PARE_PB_BYTES:
        problem = pare_pb_varint(at, end, &size);
        if (problem != NULL) {
            return problem;
        }
        left = (size_t)(end - *at);
        if (size > left) {
            return "a length beyond the end of its message";
        }
        f->bytes = (struct pare_pb_span){*at, (size_t)size};
        *at += size;
        return NULL;
    case 3:
    case 4:
        return "a group (wire type 3 or 4)";
    default:
        return "wire type 6 or 7";
    }
}

bool pare_pb_next(struct pare_pb *r, struct pare_pb_field *field)
{
    if (r->at == r->end || r->problem != NULL) {
        return false;
    }
    const uint8_t *at = r->at;
    uint64_t tag;
    memset(field, 0, sizeof *field);
    field->at = at;
    r->problem = pare_pb_varint(&at, r->end, &tag);
    if (r->problem == NULL && (tag >> 3 == 0 || tag > UINT32_MAX)) {
        r->problem = tag >> 3 == 0 ? "field number 0" : "a field number above 2^29 - 1";
    }
    if (r->problem == NULL) {
        field->number = (uint32_t)(tag >> 3);
        field->wire = (enum pare_pb_wire)(tag & 7);
        r->problem = read_value(&at, r->end, (unsigned)(tag & 7), field);
    }
    if (r->problem != NULL) {
        return false;
    }
    r->at = at;
    return true;
}

bool pare_pb_is(struct pare_pb_span span, const char *text)
{
    size_t n = strlen(text);
    return span.size == n && (n == 0 || memcmp(span.data, text, n) == 0);
}

/* ---- checking ---- */

static const struct pare_pb_rule *find_rule(const struct pare_pb_message *message, uint32_t number)
{
    const struct pare_pb_rule *rule = message->rules;
    while (rule->number != 0 && rule->number != number) {
        rule++;
    }
    return rule->number != 0 ? rule : NULL;
}

static const char *check_packed(enum pare_pb_kind kind, struct pare_pb_span bytes)
{
    size_t width = kind == PARE_PB_FLOATS ? 4 : 8;
    if (kind != PARE_PB_INTS) {
        return bytes.size % width == 0
                   ? NULL
                   : "packed numbers whose length is no multiple of their width";
    }
    const uint8_t *at = bytes.data, *end = bytes.size > 0 ? bytes.data + bytes.size : bytes.data;
    while (at != end) {
        uint64_t value;
        const char *problem = pare_pb_varint(&at, end, &value);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

/* NULL, or what is wrong with the field under this rule. */
static const char *check_field(const struct pare_pb_rule *rule, const struct pare_pb_field *f)
{
    switch (rule->kind) {
    case PARE_PB_ANY:
        return NULL;
    case PARE_PB_INT:
        return f->wire == PARE_PB_VARINT ? NULL : "expected a varint";
    case PARE_PB_FLOAT:
        return f->wire == PARE_PB_FIXED32 ? NULL : "expected a 4-byte float";
    case PARE_PB_DOUBLE:
        return f->wire == PARE_PB_FIXED64 ? NULL : "expected an 8-byte float";
    case PARE_PB_TEXT:
    case PARE_PB_MESSAGE:
        return f->wire == PARE_PB_BYTES ? NULL : "expected a length and bytes";
    case PARE_PB_INTS:
    case PARE_PB_FLOATS:
    case PARE_PB_DOUBLES:
        break;
    }
    if (f->wire == PARE_PB_BYTES) {
        return check_packed(rule->kind, f->bytes);
    }
    enum pare_pb_wire wanted = rule->kind == PARE_PB_INTS     ? PARE_PB_VARINT
                               : rule->kind == PARE_PB_FLOATS ? PARE_PB_FIXED32
                                                              : PARE_PB_FIXED64;
    return f->wire == wanted ? NULL : "expected a list of numbers";
}

bool pare_pb_check(struct pare_pb_span file, const struct pare_pb_message *messages, int root,
                   struct pare_pb_damage *damage)
{
    struct {
        struct pare_pb reader;
        int message;
    } stack[PARE_PB_MAX_DEPTH];
    int depth = 0;
    stack[depth].reader = pare_pb_open(file);
    stack[depth].message = root;
    while (depth >= 0) {
        struct pare_pb *r = &stack[depth].reader;
        const struct pare_pb_message *message = &messages[stack[depth].message];
        struct pare_pb_field f;
        if (!pare_pb_next(r, &f)) {
            if (r->problem != NULL) {
                damage->offset = (size_t)(r->at - file.data);
                snprintf(damage->text, sizeof damage->text, "expected a field of %s, found %s",
                         message->name, r->problem);
                return false;
            }
            depth--;
            continue;
        }
        const struct pare_pb_rule *rule = find_rule(message, f.number);
        const char *problem = rule != NULL ? check_field(rule, &f) : NULL;
        if (rule != NULL && rule->kind == PARE_PB_MESSAGE && problem == NULL) {
            if (depth + 1 == PARE_PB_MAX_DEPTH) {
                problem = "messages are nested more than 100 deep";
            } else {
                depth++;
                stack[depth].reader = pare_pb_open(f.bytes);
                stack[depth].message = rule->message;
            }
        }
        if (problem != NULL) {
            damage->offset = (size_t)(f.at - file.data);
            snprintf(damage->text, sizeof damage->text, "field %u of %s (wire type %u): %s",
                     f.number, message->name, (unsigned)f.wire, problem);
            return false;
        }
    }
    return true;
}
