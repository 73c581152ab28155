/* onnx_base.c: failures with their place, and tensors by name. */
#include "model/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

static void fail(struct onnx_importer *c, const char *place, const char *format, va_list args)
{
    char text[640];
    if (c->status != PARE_OK) {
        return;
    }
    vsnprintf(text, sizeof text, format, args);
    c->status = pare_error(c->err, PARE_ERR_FORMAT, c->where, "%s%s", place, text);
}

void onnx_fail(struct onnx_importer *c, const uint8_t *at, const char *format, ...)
{
    char place[48] = "";
    va_list args;
    if (at != NULL) {
        snprintf(place, sizeof place, "byte %zu: ", (size_t)(at - c->file.data));
    }
    va_start(args, format);
    fail(c, place, format, args);
    va_end(args);
}

void onnx_fail_nomem(struct onnx_importer *c)
{
    if (c->status == PARE_OK) {
        c->status = pare_error_nomem(c->err);
    }
}

void onnx_node_fail(const struct onnx_node *n, const char *format, ...)
{
    char place[256];
    va_list args;
    snprintf(place, sizeof place,
             "byte %zu: node '%.120s' (%.60s): ", (size_t)(n->at - n->c->file.data), n->label,
             n->op);
    va_start(args, format);
    fail(n->c, place, format, args);
    va_end(args);
}

const char *onnx_text(struct pare_pb_span name, char *buf, size_t size)
{
    pare_escape(name.size > 0 ? (const char *)name.data : "", name.size, buf, size);
    return buf;
}

/* ---- tensors by name ---- */

struct onnx_extra *onnx_extra_at(struct onnx_importer *c, int t)
{
    if (t >= c->cap_extra) {
        int cap = c->cap_extra > 0 ? c->cap_extra : 64;
        while (cap <= t) {
            cap *= 2;
        }
        void *memory = realloc(c->extra, (size_t)cap * sizeof *c->extra);
        if (memory == NULL) {
            onnx_fail_nomem(c);
            return NULL;
        }
        c->extra = memory;
        for (int i = c->cap_extra; i < cap; i++) {
            c->extra[i] = (struct onnx_extra){-1, -1, false};
        }
        c->cap_extra = cap;
    }
    return &c->extra[t];
}

/* A name that a terminal or a C string cannot hold as it is: control bytes, NUL, bad UTF-8,
 * endless. */
static bool is_odd_name(struct pare_pb_span name, const char *escaped)
{
    return name.size > 4096 || strlen(escaped) != name.size ||
           memcmp(escaped, name.data, name.size) != 0;
}

/* The name as the graph keeps it; NULL when memory is out. */
const char *onnx_keep_name(struct onnx_importer *c, struct pare_pb_span name)
{
    char escaped[4200];
    onnx_text(name, escaped, sizeof escaped);
    if (name.size > 0 && is_odd_name(name, escaped)) {
        pare_graph_warn(
            c->g, "the name '%.100s' (byte %zu, %zu bytes) has control bytes, bad UTF-8 or no end",
            escaped, (size_t)(name.data - c->file.data), name.size);
        if (name.size <= 4096 || memchr(name.data, '\0', name.size) != NULL) {
            return pare_arena_strdup(&c->g->arena, escaped);
        }
    }
    return pare_arena_strndup(&c->g->arena, name.size > 0 ? (const char *)name.data : "",
                              name.size);
}

int onnx_tensor_named(struct onnx_importer *c, struct pare_pb_span name)
{
    int *index = onnx_names_at(&c->names, name);
    if (index == NULL) {
        onnx_fail_nomem(c);
        return -1;
    }
    if (*index < 0) {
        const char *kept = onnx_keep_name(c, name);
        int t = kept != NULL ? pare_graph_add_tensor(c->g, kept, PARE_F32) : -1;
        if (t < 0 || onnx_extra_at(c, t) == NULL) {
            onnx_fail_nomem(c);
            return -1;
        }
        *index = t;
    }
    return *index;
}
