/*
 * onnx_node.c: one NodeProto: its ends and attributes collected, its operator found and checked,
 * its reader called; or an UNKNOWN node.
 */
#include "model/onnx.h"

#include <stdlib.h>

static bool room_for_end(struct onnx_importer *c, int n)
{
    if (n < c->cap_ends) {
        return true;
    }
    int cap = c->cap_ends > 0 ? c->cap_ends * 2 : 64;
    void *memory = realloc(c->ends, (size_t)cap * sizeof *c->ends);
    if (memory == NULL) {
        onnx_fail_nomem(c);
        return false;
    }
    c->ends = memory;
    c->cap_ends = cap;
    return true;
}

/* Appends the tensors of field `number` behind the first `n` ends; returns their number without
 * trailing empty names for inputs (1), all of them for outputs (2). */
static int read_ends(struct onnx_importer *c, struct pare_pb_span proto, uint32_t number, int n)
{
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    int used = n, last = n;
    while (c->status == PARE_OK && pare_pb_next(&r, &f)) {
        if (f.number != number || !room_for_end(c, used)) {
            continue;
        }
        c->ends[used] = f.bytes.size > 0 ? onnx_tensor_named(c, f.bytes) : -1;
        used++;
        if (c->ends[used - 1] >= 0 || number == 2) {
            last = used;
        }
    }
    return last;
}

static void add_attr(struct onnx_importer *c, struct onnx_node *n, struct pare_pb_span body)
{
    if (n->n_attr == c->cap_attrs) {
        int cap = c->cap_attrs > 0 ? c->cap_attrs * 2 : 16;
        void *memory = realloc(c->attrs, (size_t)cap * sizeof *c->attrs);
        if (memory == NULL) {
            onnx_fail_nomem(c);
            return;
        }
        c->attrs = memory;
        c->cap_attrs = cap;
    }
    struct pare_pb r = pare_pb_open(body);
    struct pare_pb_field f;
    struct onnx_attr attr = {{body.data, 0}, body};
    while (pare_pb_next(&r, &f)) {
        if (f.number == 1) {
            attr.name = f.bytes;
        }
    }
    c->attrs[n->n_attr++] = attr;
}

static void emit_unknown(struct onnx_node *n)
{
    char op[128], domain[128];
    onnx_text(n->op_type, op, sizeof op);
    onnx_text(n->domain, domain, sizeof domain);
    const char *name = n->domain.size > 0 ? pare_arena_printf(&n->c->g->arena, "%s::%s", domain, op)
                                          : pare_arena_strdup(&n->c->g->arena, op);
    if (name == NULL) {
        onnx_fail_nomem(n->c);
        return;
    }
    onnx_emit(n, PARE_OP_UNKNOWN, n->n_in, n->in, n->n_out, n->out)->op_name = name;
    pare_graph_warn(n->c->g, "node '%.150s' (%.80s): %s; it is listed but cannot run", n->label,
                    name, n->unknown);
}

/* May the node be given to its operator's reader? */
static bool check_ends(struct onnx_node *n, const struct onnx_op *op)
{
    if (op->max_in >= 0 && n->n_in > op->max_in) {
        onnx_node_fail(n, "it has %d inputs, expected at most %d", n->n_in, op->max_in);
    }
    for (int i = 0; i < op->min_in; i++) {
        if (onnx_input(n, i) < 0) {
            onnx_node_fail(n, "input %d is missing", i);
        }
    }
    if (n->n_out == 0) {
        onnx_node_fail(n, "it has no outputs");
    } else if (n->out[0] < 0 && op->max_out >= 0) {
        onnx_node_fail(n, "output 0 is missing");
    } else if (op->max_out >= 0 && n->n_out > op->max_out) {
        onnx_node_fail(n, "it has %d outputs, expected at most %d", n->n_out, op->max_out);
    }
    return n->c->status == PARE_OK;
}

static void translate(struct onnx_node *n)
{
    bool standard = n->domain.size == 0 || pare_pb_is(n->domain, "ai.onnx");
    const struct onnx_op *op = standard ? onnx_op_find(n->c, n->op_type) : NULL;
    if (op == NULL) {
        n->unknown = standard ? "the operator is not supported" : "its domain is not supported";
    } else {
        n->op = op->name;
        if (!check_ends(n, op)) {
            return;
        }
        /* A reader that cannot translate the node sets n->unknown and has added nothing. */
        op->read(n, op->op);
    }
    if (n->unknown != NULL && n->c->status == PARE_OK) {
        emit_unknown(n);
    }
}

void onnx_read_node(struct onnx_importer *c, struct pare_pb_span proto, const uint8_t *at)
{
    struct onnx_node n = {.c = c, .at = at, .label = "", .op = "?"};
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    char op[64];
    while (c->status == PARE_OK && pare_pb_next(&r, &f)) {
        switch (f.number) {
        case 3:
            n.name = f.bytes;
            break;
        case 4:
            n.op_type = f.bytes;
            break;
        case 5:
            add_attr(c, &n, f.bytes);
            break;
        case 7:
            n.domain = f.bytes;
            break;
        default:
            break;
        }
    }
    n.op = onnx_text(n.op_type, op, sizeof op);
    n.n_in = read_ends(c, proto, 1, 0);
    n.n_out = read_ends(c, proto, 2, n.n_in) - n.n_in;
    if (c->status != PARE_OK) {
        return;
    }
    n.in = c->ends;
    n.out = c->ends != NULL ? c->ends + n.n_in : NULL;
    n.attr = c->attrs;
    n.label = n.name.size > 0 ? onnx_keep_name(c, n.name) : "";
    if (n.label == NULL) {
        onnx_fail_nomem(c);
        return;
    }
    for (int i = 0; i < n.n_out && n.label[0] == '\0'; i++) {
        n.label = n.out[i] >= 0 ? c->g->tensors[n.out[i]].name : "";
    }
    if (n.op_type.size == 0) {
        onnx_node_fail(&n, "the node has no operator");
    } else {
        translate(&n);
    }
}
