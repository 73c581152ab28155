/*
 * onnx_node.c: one NodeProto: its ends and attributes, and the means by which the operators'
 * readers add nodes to the graph. Spatial operators of ONNX have channels second; ours have them
 * last: their readers put TRANSPOSE nodes around, and remember for every tensor its channels-last
 * twin, so that chains of such operators are connected directly.
 */
#include "model/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- attributes ---- */

static const struct onnx_attr *find(const struct onnx_node *n, const char *name)
{
    const struct onnx_attr *found = NULL;
    for (int i = 0; i < n->n_attr; i++) {
        if (pare_pb_is(n->attr[i].name, name)) {
            if (found != NULL) {
                onnx_node_fail(n, "the attribute '%s' is given twice", name);
            }
            found = &n->attr[i];
        }
    }
    return found;
}

/* The last field `number` of an attribute. false = it is not there; `wanted` is for the message. */
static bool attr_field(const struct onnx_node *n, const char *name, uint32_t number,
                       const char *wanted, struct pare_pb_field *out)
{
    static const uint32_t type_of_field[] = {0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct onnx_attr *attr = find(n, name);
    if (attr == NULL) {
        return false;
    }
    struct pare_pb r = pare_pb_open(attr->body);
    struct pare_pb_field f;
    bool found = false;
    uint64_t type = 0;
    while (pare_pb_next(&r, &f)) {
        if (f.number == number) {
            *out = f;
            found = true;
        } else if (f.number == 20) {
            type = f.value;
        }
    }
    /* proto3 writers leave a zero value out and only name the type. */
    if (type != 0 && type != type_of_field[number]) {
        onnx_node_fail(n, "the attribute '%s' has type %llu, expected %s", name,
                       (unsigned long long)type, wanted);
        return false;
    }
    if (!found && type == 0) {
        onnx_node_fail(n, "the attribute '%s' has no value, expected %s", name, wanted);
        return false;
    }
    if (!found) {
        memset(out, 0, sizeof *out);
        out->bytes.data = attr->body.data;
    }
    return true;
}

bool onnx_has(const struct onnx_node *n, const char *attr)
{
    return find(n, attr) != NULL;
}

int64_t onnx_int(const struct onnx_node *n, const char *attr, int64_t fallback)
{
    struct pare_pb_field f;
    return attr_field(n, attr, 3, "an integer", &f) ? (int64_t)f.value : fallback;
}

float onnx_float(const struct onnx_node *n, const char *attr, float fallback)
{
    struct pare_pb_field f;
    if (!attr_field(n, attr, 2, "a float", &f)) {
        return fallback;
    }
    uint32_t bits = (uint32_t)f.value;
    float value;
    memcpy(&value, &bits, sizeof value);
    bool is_bound =
        strcmp(attr, "min") == 0 || strcmp(attr, "max") == 0 || strcmp(attr, "value") == 0;
    if (isnan(value) || (isinf(value) && !is_bound)) {
        onnx_node_fail(n, "the attribute '%s' is not a finite number", attr);
        return fallback;
    }
    return value;
}

struct pare_pb_span onnx_string(const struct onnx_node *n, const char *attr, const char *fallback)
{
    struct pare_pb_field f;
    if (!attr_field(n, attr, 4, "a string", &f)) {
        return (struct pare_pb_span){(const uint8_t *)fallback, strlen(fallback)};
    }
    return f.bytes;
}

struct pare_pb_span onnx_proto(const struct onnx_node *n, const char *attr)
{
    struct pare_pb_field f;
    return attr_field(n, attr, 5, "a tensor", &f) ? f.bytes : (struct pare_pb_span){NULL, 0};
}

static void put_number(const struct onnx_node *n, const char *attr, uint64_t value,
                       uint64_t *values, int max, int *count)
{
    if (*count == max) {
        onnx_node_fail(n, "the attribute '%s' has more than %d numbers", attr, max);
        return;
    }
    values[(*count)++] = value;
}

/* All numbers of list field `number`, packed or not, as raw bits. */
static int list(const struct onnx_node *n, const char *attr, uint32_t number, const char *wanted,
                uint64_t *values, int max)
{
    struct pare_pb_field f;
    int count = 0;
    if (!attr_field(n, attr, number, wanted, &f)) {
        return -1;
    }
    struct pare_pb r = pare_pb_open(find(n, attr)->body);
    while (n->c->status == PARE_OK && pare_pb_next(&r, &f)) {
        if (f.number != number) {
            continue;
        }
        if (f.wire != PARE_PB_BYTES) {
            put_number(n, attr, f.value, values, max, &count);
            continue;
        }
        const uint8_t *at = f.bytes.data, *end = at + f.bytes.size;
        while (at != end && n->c->status == PARE_OK) {
            uint64_t value = 0;
            if (number == 7) {
                memcpy(&value, at, 4);
                at += 4;
            } else if (pare_pb_varint(&at, end, &value) != NULL) {
                break;
            }
            put_number(n, attr, value, values, max, &count);
        }
    }
    return count;
}

int onnx_ints(const struct onnx_node *n, const char *attr, int64_t *values, int max)
{
    return list(n, attr, 8, "a list of integers", (uint64_t *)values, max);
}

int onnx_floats(const struct onnx_node *n, const char *attr, float *values, int max)
{
    uint64_t bits[64];
    int count = list(n, attr, 7, "a list of floats", bits, max < 64 ? max : 64);
    for (int i = 0; i < count; i++) {
        uint32_t low = (uint32_t)bits[i];
        memcpy(&values[i], &low, sizeof low);
    }
    return count;
}

/* Every entry of a list costs the file at least a byte, so memory stays in proportion to it. */
const void *onnx_list(const struct onnx_node *n, const char *attr, bool ints, int64_t *count)
{
    const struct onnx_attr *found = find(n, attr);
    size_t most = found != NULL ? found->body.size : 0;
    uint64_t *values =
        most <= INT32_MAX ? pare_arena_array(&n->c->g->arena, most, sizeof *values) : NULL;
    if (values == NULL) {
        onnx_fail_nomem(n->c);
        return NULL;
    }
    int n_values = list(n, attr, ints ? 8 : 7, ints ? "a list of integers" : "a list of floats",
                        values, (int)most);
    *count = n_values > 0 ? n_values : 0;
    for (int i = 0; i < n_values && !ints; i++) {
        memcpy((char *)values + 4 * (size_t)i, &values[i], 4);
    }
    return values;
}

int onnx_axes(const struct onnx_node *n, int *axes)
{
    int64_t values[PARE_MAX_RANK];
    int count = onnx_ints(n, "axes", values, PARE_MAX_RANK), input = onnx_input(n, 1);
    if (count < 0 && input >= 0 && n->c->g->tensors[input].data != NULL) {
        count = pare_tensor_const_ints(&n->c->g->tensors[input], values, PARE_MAX_RANK);
        if (count < 0) {
            onnx_node_fail(n, "its axes are no list of at most %d integers", PARE_MAX_RANK);
        }
    }
    for (int i = 0; i < count; i++) {
        if (values[i] < -PARE_MAX_RANK || values[i] >= PARE_MAX_RANK) {
            onnx_node_fail(n, "axis %lld, expected %d to %d", (long long)values[i], -PARE_MAX_RANK,
                           PARE_MAX_RANK - 1);
            return -1;
        }
        axes[i] = (int)values[i];
    }
    return count;
}

int onnx_int_in(const struct onnx_node *n, const char *attr, int64_t fallback, int64_t lo,
                int64_t hi)
{
    int64_t value = onnx_int(n, attr, fallback);
    if (value < lo || value > hi) {
        onnx_node_fail(n, "the attribute '%s' is %lld, expected %lld to %lld", attr,
                       (long long)value, (long long)lo, (long long)hi);
        return (int)(fallback < lo ? lo : fallback > hi ? hi : fallback);
    }
    return (int)value;
}

bool onnx_flag(const struct onnx_node *n, const char *attr, bool fallback)
{
    return onnx_int(n, attr, fallback) != 0;
}

/* ---- ends ---- */

int onnx_input(const struct onnx_node *n, int i)
{
    return i < n->n_in ? n->in[i] : -1;
}

int onnx_output(const struct onnx_node *n, int i)
{
    return i < n->n_out ? n->out[i] : -1;
}

int onnx_rank(struct onnx_importer *c, int t)
{
    if (t < 0) {
        return -1;
    }
    if (c->g->tensors[t].rank >= 0) {
        return c->g->tensors[t].rank;
    }
    const struct onnx_extra *extra = onnx_extra_at(c, t);
    return extra != NULL ? extra->rank : -1;
}

void onnx_set_rank(struct onnx_importer *c, int t, int rank)
{
    struct onnx_extra *extra = t >= 0 ? onnx_extra_at(c, t) : NULL;
    if (extra != NULL && rank >= 0 && rank <= PARE_MAX_RANK) {
        extra->rank = rank;
    }
}

/* ---- emitting ---- */

static struct pare_attr *add_node(struct onnx_node *n, enum pare_op op, const char *name, int n_in,
                                  const int *in, int n_out, const int *out)
{
    struct pare_graph *g = n->c->g;
    int node =
        n->c->status == PARE_OK ? pare_graph_add_node(g, op, name, n_in, in, n_out, out) : -1;
    if (node < 0) {
        onnx_fail_nomem(n->c);
        return &n->c->scratch;
    }
    g->nodes[node].file_offset = (size_t)(n->at - n->c->file.data);
    g->nodes[node].attr.op_name = n->op;
    return &g->nodes[node].attr;
}

struct pare_attr *onnx_emit(struct onnx_node *n, enum pare_op op, int n_in, const int *in,
                            int n_out, const int *out)
{
    return add_node(n, op, n->label, n_in, in, n_out, out);
}

struct pare_attr *onnx_emit_helper(struct onnx_node *n, enum pare_op op, const char *suffix,
                                   int n_in, const int *in, int n_out, const int *out)
{
    char name[256];
    snprintf(name, sizeof name, "%.200s%s", n->label, suffix);
    return add_node(n, op, name, n_in, in, n_out, out);
}

int onnx_fresh(struct onnx_node *n, const char *suffix, enum pare_dtype dtype)
{
    char name[256];
    snprintf(name, sizeof name, "%.200s%s", n->label, suffix);
    int t = n->c->status == PARE_OK ? pare_graph_add_tensor(n->c->g, name, dtype) : -1;
    if (t < 0) {
        onnx_fail_nomem(n->c);
        return 0; /* tensor 0 exists: every node has an output */
    }
    return t;
}

static enum pare_dtype dtype_of(const struct onnx_node *n, int t)
{
    return n->c->g->tensors[t].dtype;
}

int onnx_transpose(struct onnx_node *n, int x, int rank, const int *perm, const char *suffix)
{
    int y = onnx_fresh(n, suffix, dtype_of(n, x));
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_TRANSPOSE, suffix, 1, &x, 1, &y);
    for (int i = 0; i < rank; i++) {
        a->perm[i] = perm[i];
    }
    onnx_set_rank(n->c, y, rank);
    return y;
}

int onnx_reshape(struct onnx_node *n, int x, int rank, const int64_t *dims, const char *suffix)
{
    char shape_suffix[64];
    snprintf(shape_suffix, sizeof shape_suffix, "%s/shape", suffix);
    int shape = onnx_const_ints(n, shape_suffix, dims, rank);
    int y = onnx_fresh(n, suffix, dtype_of(n, x));
    onnx_emit_helper(n, PARE_OP_RESHAPE, suffix, 2, (int[]){x, shape}, 1, &y);
    onnx_set_rank(n->c, y, rank);
    return y;
}

int onnx_cast(struct onnx_node *n, int x, enum pare_dtype to, const char *suffix)
{
    int y = onnx_fresh(n, suffix, to);
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_CAST, suffix, 1, &x, 1, &y);
    a->to = to;
    a->saturate = true;
    onnx_set_rank(n->c, y, onnx_rank(n->c, x));
    return y;
}

int onnx_unsqueeze_end(struct onnx_node *n, int x, int rank, int count, const char *suffix)
{
    if (count <= 0) {
        return x;
    }
    int y = onnx_fresh(n, suffix, dtype_of(n, x));
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_UNSQUEEZE, suffix, 1, &x, 1, &y);
    a->n_axes = count;
    for (int i = 0; i < count; i++) {
        a->axes[i] = rank + i;
    }
    onnx_set_rank(n->c, y, rank + count);
    return y;
}

/* ---- channels last ---- */

int onnx_to_nhwc(struct onnx_node *n, int x, int rank, const char *suffix)
{
    int perm[PARE_MAX_RANK];
    if (rank < 3) {
        return x; /* channels are last already */
    }
    struct onnx_extra *extra = onnx_extra_at(n->c, x);
    if (extra == NULL || (extra->nhwc >= 0 && extra->rank == rank)) {
        return extra == NULL ? x : extra->nhwc;
    }
    for (int i = 0; i < rank; i++) {
        perm[i] = i == 0 ? 0 : i == rank - 1 ? 1 : i + 1;
    }
    int xt = onnx_transpose(n, x, rank, perm, suffix);
    extra = onnx_extra_at(n->c, x);
    if (extra != NULL) {
        extra->nhwc = xt;
        extra->rank = rank;
    }
    return xt;
}

int onnx_nhwc_of(struct onnx_node *n, int y, int rank)
{
    return rank < 3 ? y : onnx_fresh(n, "/nhwc", dtype_of(n, y));
}

void onnx_from_nhwc(struct onnx_node *n, int yt, int y, int rank, const char *suffix)
{
    onnx_set_rank(n->c, y, rank);
    if (yt == y) {
        return;
    }
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_TRANSPOSE, suffix, 1, &yt, 1, &y);
    for (int i = 0; i < rank; i++) {
        a->perm[i] = i == 0 ? 0 : i == 1 ? rank - 1 : i - 1;
    }
    struct onnx_extra *extra = onnx_extra_at(n->c, y);
    if (extra != NULL) {
        extra->nhwc = yt;
        extra->rank = rank;
    }
}

/* ---- reading one ---- */

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
