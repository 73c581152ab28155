/*
 * onnx_functions.c: local functions. They are not expanded (a call is an UNKNOWN node), but a file
 * whose functions call themselves, directly, in a ring or inside a subgraph, is refused: it has no
 * meaning.
 */
#include "model/onnx.h"

#include <stdlib.h>

struct calls {
    struct onnx_names names; /* "domain, byte 1, name" to function */
    int n_functions, cap_functions;
    struct function {
        const uint8_t *at;
        struct pare_pb_span proto, name;
        int next, end; /* the calls that the search has not looked at yet */
        enum { UNSEEN, OPEN, DONE } state;
    } * functions;
    int n_calls, cap_calls;
    int *calls; /* the functions that are called */
};

static bool grow(struct onnx_importer *c, void **list, int n, int *cap, size_t size)
{
    if (n < *cap) {
        return true;
    }
    int wanted = *cap > 0 ? *cap * 2 : 32;
    void *memory = realloc(*list, (size_t)wanted * size);
    if (memory == NULL) {
        onnx_fail_nomem(c);
        return false;
    }
    *list = memory;
    *cap = wanted;
    return true;
}

static struct pare_pb_span key_of(struct onnx_importer *c, struct pare_pb_span domain,
                                  struct pare_pb_span name)
{
    struct pare_pb_span key = {NULL, domain.size + 1 + name.size};
    uint8_t *bytes = pare_arena_alloc(&c->g->arena, key.size);
    if (bytes == NULL) {
        onnx_fail_nomem(c);
        return (struct pare_pb_span){NULL, 0};
    }
    for (size_t i = 0; i < domain.size; i++) {
        bytes[i] = domain.data[i];
    }
    bytes[domain.size] = 1;
    for (size_t i = 0; i < name.size; i++) {
        bytes[domain.size + 1 + i] = name.data[i];
    }
    key.data = bytes;
    return key;
}

static void add_function(struct onnx_importer *c, struct calls *s, struct pare_pb_span proto,
                         const uint8_t *at)
{
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    struct pare_pb_span name = {NULL, 0}, domain = {NULL, 0};
    char text[128];
    while (pare_pb_next(&r, &f)) {
        if (f.number == 1) {
            name = f.bytes;
        } else if (f.number == 10) {
            domain = f.bytes;
        }
    }
    void *list = s->functions;
    bool room = grow(c, &list, s->n_functions, &s->cap_functions, sizeof *s->functions);
    s->functions = list;
    int *index = room ? onnx_names_at(&s->names, key_of(c, domain, name)) : NULL;
    if (index == NULL) {
        onnx_fail_nomem(c);
        return;
    }
    if (*index >= 0) {
        onnx_fail(c, at, "two local functions have the name '%s'",
                  onnx_text(name, text, sizeof text));
        return;
    }
    *index = s->n_functions;
    s->functions[s->n_functions++] = (struct function){at, proto, name, 0, 0, UNSEEN};
}

static void add_call(struct onnx_importer *c, struct calls *s, struct pare_pb_span domain,
                     struct pare_pb_span op)
{
    if (domain.size == 0) {
        return; /* the default domain's operators are no functions */
    }
    int callee = onnx_names_find(&s->names, key_of(c, domain, op));
    void *list = s->calls;
    if (callee < 0 || !grow(c, &list, s->n_calls, &s->cap_calls, sizeof *s->calls)) {
        return;
    }
    s->calls = list;
    s->calls[s->n_calls++] = callee;
}

/* Collects the calls of one function, subgraphs included. The file's depth has been checked. */
static void collect(struct onnx_importer *c, struct calls *s, struct pare_pb_span function)
{
    struct {
        struct pare_pb reader;
        enum onnx_message kind;
        struct pare_pb_span op, domain;
    } stack[PARE_PB_MAX_DEPTH];
    int depth = 0;
    stack[0].reader = pare_pb_open(function);
    stack[0].kind = ONNX_FUNCTION;
    while (depth >= 0 && c->status == PARE_OK) {
        struct pare_pb_field f;
        enum onnx_message kind = stack[depth].kind, inner = ONNX_MESSAGE_COUNT;
        if (!pare_pb_next(&stack[depth].reader, &f)) {
            if (kind == ONNX_NODE) {
                add_call(c, s, stack[depth].domain, stack[depth].op);
            }
            depth--;
            continue;
        }
        if (kind == ONNX_NODE && f.number == 4) {
            stack[depth].op = f.bytes;
        } else if (kind == ONNX_NODE && f.number == 7) {
            stack[depth].domain = f.bytes;
        } else if (kind == ONNX_NODE && f.number == 5) {
            inner = ONNX_ATTRIBUTE;
        } else if ((kind == ONNX_FUNCTION && f.number == 7) ||
                   (kind == ONNX_GRAPH && f.number == 1)) {
            inner = ONNX_NODE;
        } else if (kind == ONNX_ATTRIBUTE && (f.number == 6 || f.number == 11)) {
            inner = ONNX_GRAPH;
        }
        if (inner != ONNX_MESSAGE_COUNT && depth + 1 < PARE_PB_MAX_DEPTH) {
            depth++;
            stack[depth].reader = pare_pb_open(f.bytes);
            stack[depth].kind = inner;
            stack[depth].op = stack[depth].domain = (struct pare_pb_span){NULL, 0};
        }
    }
}

/* Depth first from function `root`; `path` holds the open ones. */
static void search(struct onnx_importer *c, struct calls *s, int root, int *path)
{
    char text[128];
    int depth = 0;
    path[depth++] = root;
    s->functions[root].state = OPEN;
    while (depth > 0) {
        struct function *top = &s->functions[path[depth - 1]];
        if (top->next == top->end) {
            top->state = DONE;
            depth--;
            continue;
        }
        int callee = s->calls[top->next++];
        struct function *called = &s->functions[callee];
        if (called->state == OPEN) {
            onnx_fail(c, called->at, "the local function '%s' calls itself",
                      onnx_text(called->name, text, sizeof text));
            return;
        }
        if (called->state == UNSEEN) {
            called->state = OPEN;
            path[depth++] = callee;
        }
    }
}

static void check_calls(struct onnx_importer *c, struct calls *s)
{
    for (int i = 0; i < s->n_functions && c->status == PARE_OK; i++) {
        s->functions[i].next = s->n_calls;
        collect(c, s, s->functions[i].proto);
        s->functions[i].end = s->n_calls;
    }
    int *path = malloc((size_t)(s->n_functions + 1) * sizeof *path);
    if (path == NULL) {
        onnx_fail_nomem(c);
    }
    for (int i = 0; i < s->n_functions && c->status == PARE_OK; i++) {
        if (s->functions[i].state == UNSEEN) {
            search(c, s, i, path);
        }
    }
    free(path);
}

void onnx_check_functions(struct onnx_importer *c)
{
    struct calls s = {.n_functions = 0};
    struct pare_pb r = pare_pb_open(c->file);
    struct pare_pb_field f;
    while (c->status == PARE_OK && pare_pb_next(&r, &f)) {
        if (f.number == 25) {
            add_function(c, &s, f.bytes, f.at);
        }
    }
    if (c->status == PARE_OK && s.n_functions > 0) {
        pare_graph_warn(c->g, "%d local functions are not expanded", s.n_functions);
        check_calls(c, &s);
    }
    onnx_names_clear(&s.names);
    free(s.functions);
    free(s.calls);
}
