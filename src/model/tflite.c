/*
 * tflite.c: reads TensorFlow Lite models (FlatBuffers, schema version 3).
 *
 * A model has operator codes, buffers and subgraphs; subgraph 0 is the network. Its tensors have a
 * shape, a type, a buffer and quantization; its operators have a code, tensor indices and options.
 * A buffer without bytes is an activation's. The other subgraphs are bodies of control flow, which
 * nothing here runs: only their calls are followed, to refuse those that never end.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/tflite_reader.h"

#define MAX_FILE_BYTES ((size_t)1 << 31)
#define MAX_SUBGRAPHS 1024

enum pare_status tfl_fail(struct pare_tflite *r, const char *format, ...)
{
    va_list args;
    if (pare_fb_failed(&r->fb)) {
        return tfl_check(r); /* what was read as absent explains this */
    }
    va_start(args, format);
    pare_verror(r->err, PARE_ERR_FORMAT, r->where, format, args);
    va_end(args);
    return PARE_ERR_FORMAT;
}

enum pare_status tfl_check(struct pare_tflite *r)
{
    return pare_fb_failed(&r->fb) ? pare_error(r->err, PARE_ERR_FORMAT, r->where, "byte %zu: %s",
                                               r->fb.failure_at, r->fb.failure)
                                  : PARE_OK;
}

enum pare_status tfl_string(struct pare_tflite *r, const struct pare_fb_table *t, int field,
                            const char **s)
{
    size_t n = 0;
    const char *bytes = pare_fb_string(t, field, &n);
    *s = bytes != NULL && n > 0 ? pare_arena_strndup(&r->g->arena, bytes, n) : "";
    if (*s == NULL) {
        return pare_error_nomem(r->err);
    }
    return tfl_check(r);
}

/* n tables need at least this many bytes each; more than the file can hold is a lie. */
static enum pare_status check_count(struct pare_tflite *r, const struct pare_fb_vector *v,
                                    size_t least, const char *what)
{
    return v->n <= r->fb.size / least && v->n < INT32_MAX / 2
               ? PARE_OK
               : tfl_fail(r, "%zu %s do not fit a file of %zu bytes", v->n, what, r->fb.size);
}

static enum pare_status read_opcodes(struct pare_tflite *r, const struct pare_fb_table *model)
{
    struct pare_fb_vector codes = pare_fb_vec(model, MODEL_OPERATOR_CODES, 4);
    enum pare_status status = check_count(r, &codes, 8, "operator codes");
    if (status != PARE_OK) {
        return status;
    }
    r->opcodes = pare_arena_array(&r->g->arena, codes.n, sizeof *r->opcodes);
    if (r->opcodes == NULL) {
        return pare_error_nomem(r->err);
    }
    r->n_opcodes = (int)codes.n;
    for (int i = 0; i < r->n_opcodes; i++) {
        struct pare_fb_table t = pare_fb_vec_table(&codes, (size_t)i);
        int old = pare_fb_i8(&t, OPCODE_OLD_CODE, 0), code = pare_fb_i32(&t, OPCODE_CODE, 0);
        const char *custom;
        status = tfl_string(r, &t, OPCODE_CUSTOM, &custom);
        if (status != PARE_OK) {
            return status;
        }
        code = code > old ? code : old;
        if (code < 0 || (code == TFL_CUSTOM && custom[0] == '\0')) {
            return tfl_fail(r, "operator code %d is %s", i,
                            code < 0 ? "negative" : "custom and has no name");
        }
        if (code != TFL_CUSTOM && custom[0] != '\0') {
            pare_graph_warn(
                r->g, "operator code %d is builtin (%d) and has the custom name '%.100s', ignored",
                i, code, custom);
        }
        r->opcodes[i] = (struct tfl_opcode){code, code == TFL_CUSTOM ? custom : NULL};
    }
    return tfl_check(r);
}

/* ---- calls between subgraphs ---- */

struct calls {
    int *target, n, cap; /* of all subgraphs, one after the other */
    int *start;          /* [n_subgraphs + 1] */
};

static enum pare_status add_call(struct pare_tflite *r, struct calls *c, int64_t target,
                                 size_t from)
{
    if (target < 0 || target >= (int64_t)r->subgraphs.n) {
        return tfl_fail(r, "subgraph %zu calls subgraph %lld of %zu", from, (long long)target,
                        r->subgraphs.n);
    }
    if (c->n == c->cap) {
        int cap = c->cap > 0 ? 2 * c->cap : 64;
        int *grown = realloc(c->target, (size_t)cap * sizeof *grown);
        if (grown == NULL) {
            return pare_error_nomem(r->err);
        }
        c->target = grown;
        c->cap = cap;
    }
    c->target[c->n++] = (int)target;
    return PARE_OK;
}

static enum pare_status calls_of(struct pare_tflite *r, struct calls *c,
                                 const struct pare_fb_table *op, size_t from)
{
    uint32_t code = pare_fb_u32(op, OPERATOR_CODE, 0);
    if (code >= (uint32_t)r->n_opcodes) {
        return tfl_fail(r, "an operator of subgraph %zu has code %u of %d", from, code,
                        r->n_opcodes);
    }
    int builtin = r->opcodes[code].builtin;
    bool second = builtin >= 162; /* StableHLO: options 2 */
    int first = builtin == 206 || builtin == 173 ? 1 : 0, last = first;
    switch (builtin) {
    case 31:
    case 129:
    case 206:
    case 173:
        break; /* CALL, CALL_ONCE, COMPOSITE, REDUCE */
    case 118:
    case 119:
    case 200:
        last = 1;
        break; /* IF, WHILE, STABLEHLO_WHILE */
    default:
        return PARE_OK;
    }
    struct pare_fb_table options =
        pare_fb_subtable(op, second ? OPERATOR_OPTIONS2 : OPERATOR_OPTIONS);
    for (int field = first; field <= last; field++) {
        enum pare_status status = add_call(r, c, pare_fb_i32(&options, field, 0), from);
        if (status != PARE_OK) {
            return status;
        }
    }
    return PARE_OK;
}

/* A subgraph that calls itself through others, or -1. */
static int find_recursion(const struct calls *c, size_t n, int *stack, int *next,
                          unsigned char *state)
{
    for (size_t root = 0; root < n; root++) {
        int depth = 0;
        if (state[root] != 0) {
            continue;
        }
        stack[depth++] = (int)root;
        next[root] = c->start[root];
        state[root] = 1;
        while (depth > 0) {
            int at = stack[depth - 1];
            if (next[at] == c->start[at + 1]) {
                state[at] = 2;
                depth--;
                continue;
            }
            int target = c->target[next[at]++];
            if (state[target] == 1) {
                return target;
            }
            if (state[target] == 0) {
                state[target] = 1;
                next[target] = c->start[target];
                stack[depth++] = target;
            }
        }
    }
    return -1;
}

static enum pare_status check_calls(struct pare_tflite *r)
{
    size_t n = r->subgraphs.n;
    struct calls c = {0};
    int start[MAX_SUBGRAPHS + 1], stack[MAX_SUBGRAPHS], next[MAX_SUBGRAPHS];
    unsigned char state[MAX_SUBGRAPHS] = {0};
    enum pare_status status = PARE_OK;
    c.start = start;
    for (size_t i = 0; i < n && status == PARE_OK; i++) {
        struct pare_fb_table subgraph = pare_fb_vec_table(&r->subgraphs, i);
        struct pare_fb_vector operators = pare_fb_vec(&subgraph, SUBGRAPH_OPERATORS, 4);
        start[i] = c.n;
        for (size_t k = 0; k < operators.n && status == PARE_OK; k++) {
            struct pare_fb_table op = pare_fb_vec_table(&operators, k);
            status = calls_of(r, &c, &op, i);
        }
        status = status == PARE_OK ? tfl_check(r) : status;
    }
    start[n] = c.n;
    int recursive = status == PARE_OK ? find_recursion(&c, n, stack, next, state) : -1;
    free(c.target);
    return recursive < 0 ? status
                         : tfl_fail(r, "subgraph %d calls itself: it would never end", recursive);
}

/* ---- operators ---- */

/* Tensor indices of a vector; -1 = absent, allowed for inputs. */
static enum pare_status read_indices(struct pare_tflite *r, const struct pare_fb_vector *v,
                                     const char *whose, int index, bool optional, int **list)
{
    *list = pare_arena_array(&r->g->arena, v->n, sizeof **list);
    if (*list == NULL) {
        return pare_error_nomem(r->err);
    }
    for (size_t i = 0; i < v->n; i++) {
        int32_t t = pare_fb_vec_i32(v, i);
        if (t >= r->n_tensors || t < (optional ? -1 : 0)) {
            return tfl_fail(r, "%s %d: tensor %d of %d", whose, index, t, r->n_tensors);
        }
        (*list)[i] = t;
    }
    return PARE_OK;
}

/* Layer names are the output tensors'. Converters join the names of all fused operations with ';':
 * the first part is unique and short. */
static const char *operator_name(struct pare_tflite *r, const struct tfl_op *o)
{
    const char *name = o->n_out > 0 && o->out[0] >= 0 ? r->g->tensors[o->out[0]].name : "";
    size_t n = strcspn(name, ";");
    return n > 0 ? pare_arena_strndup(&r->g->arena, name, n)
                 : pare_arena_printf(&r->g->arena, "%.60s_%d", o->type, o->index);
}

static enum pare_status find_custom_options(struct tfl_op *o, const struct pare_fb_table *t)
{
    uint64_t offset = pare_fb_u64(t, OPERATOR_LARGE_OFFSET, 0),
             size = pare_fb_u64(t, OPERATOR_LARGE_SIZE, 0);
    o->custom_options = pare_fb_blob(t, OPERATOR_CUSTOM_OPTIONS);
    if (offset > 1) {
        if (offset > o->r->fb.size || size > o->r->fb.size - offset) {
            return tfl_op_fail(o, "its options lie past the end of the file");
        }
        o->custom_options =
            (struct pare_fb_vector){&o->r->fb, true, (size_t)offset, (size_t)size, 1};
    }
    return PARE_OK;
}

static enum pare_status read_operator(struct pare_tflite *r, const struct pare_fb_vector *operators,
                                      int index, struct tfl_op *o)
{
    struct pare_fb_table t = pare_fb_vec_table(operators, (size_t)index);
    struct pare_fb_vector in = pare_fb_vec(&t, OPERATOR_INPUTS, 4),
                          out = pare_fb_vec(&t, OPERATOR_OUTPUTS, 4);
    uint32_t code = pare_fb_u32(&t, OPERATOR_CODE, 0);
    int *in_list = NULL, *out_list = NULL;
    enum pare_status status = tfl_check(r);
    *o = (struct tfl_op){.r = r, .index = index, .type = "?", .name = ""};
    if (status == PARE_OK && code >= (uint32_t)r->n_opcodes) {
        return tfl_fail(r, "operator %d has code %u of %d", index, code, r->n_opcodes);
    }
    status = status == PARE_OK ? read_indices(r, &in, "an input of operator", index, true, &in_list)
                               : status;
    status = status == PARE_OK
                 ? read_indices(r, &out, "an output of operator", index, false, &out_list)
                 : status;
    if (status != PARE_OK) {
        return status;
    }
    o->code = r->opcodes[code].builtin;
    o->type = o->code == TFL_CUSTOM ? r->opcodes[code].custom : tfl_code_name(o->code);
    o->type = o->type != NULL ? o->type : pare_arena_printf(&r->g->arena, "BUILTIN_%d", o->code);
    o->n_in = (int)in.n;
    o->n_out = (int)out.n;
    o->in = in_list;
    o->out = out_list;
    o->file_offset = t.at;
    o->name = o->type != NULL ? operator_name(r, o) : NULL;
    if (o->name == NULL) {
        return pare_error_nomem(r->err);
    }
    int options_type = pare_fb_u8(&t, OPERATOR_OPTIONS_TYPE, 0);
    o->options = pare_fb_subtable(&t, OPERATOR_OPTIONS);
    if (!tfl_options_match(o->code, options_type)) {
        return tfl_op_fail(o, "has options of another operator (type %d)", options_type);
    }
    status = find_custom_options(o, &t);
    return status == PARE_OK ? tfl_check(r) : status;
}

/* First the constants behind DEQUANTIZE, wherever they stand, then everything else. */
static enum pare_status read_operators(struct pare_tflite *r,
                                       const struct pare_fb_vector *operators)
{
    int n = (int)operators->n;
    struct tfl_op o;
    enum pare_status status = check_count(r, operators, 16, "operators");
    bool *folded = status == PARE_OK ? calloc((size_t)n + 1, sizeof *folded) : NULL;
    if (status == PARE_OK && folded == NULL) {
        return pare_error_nomem(r->err);
    }
    for (int i = 0; i < n && status == PARE_OK; i++) {
        struct pare_fb_table t = pare_fb_vec_table(operators, (size_t)i);
        uint32_t code = pare_fb_u32(&t, OPERATOR_CODE, 0);
        if (code >= (uint32_t)r->n_opcodes || r->opcodes[code].builtin != 6) {
            continue;
        }
        status = read_operator(r, operators, i, &o);
        if (status == PARE_OK && o.n_in == 1 && o.n_out == 1 && o.in[0] >= 0 &&
            o.in[0] != o.out[0] && !r->g->tensors[o.out[0]].is_input) {
            status = tfl_fold_dequantize(r, o.in[0], o.out[0], &folded[i]);
        }
    }
    for (int i = 0; i < n && status == PARE_OK; i++) {
        if (!folded[i]) {
            status = read_operator(r, operators, i, &o);
            status = status == PARE_OK ? tfl_import_op(&o) : status;
            status = status == PARE_OK ? tfl_check(r) : status;
        }
    }
    free(folded);
    return status;
}

/* ---- the model ---- */

static enum pare_status read_ends(struct pare_tflite *r, const struct pare_fb_table *subgraph)
{
    struct pare_graph *g = r->g;
    for (int side = 0; side < 2; side++) {
        struct pare_fb_vector v =
            pare_fb_vec(subgraph, side == 0 ? SUBGRAPH_INPUTS : SUBGRAPH_OUTPUTS, 4);
        int **list = side == 0 ? &g->inputs : &g->outputs,
            *n = side == 0 ? &g->n_inputs : &g->n_outputs;
        *list = malloc((v.n + 1) * sizeof **list);
        if (*list == NULL) {
            return pare_error_nomem(r->err);
        }
        for (size_t i = 0; i < v.n; i++) {
            int32_t t = pare_fb_vec_i32(&v, i);
            if (t < 0 || t >= r->n_tensors) {
                return tfl_fail(r, "%s %zu of the network is tensor %d of %d",
                                side == 0 ? "input" : "output", i, t, r->n_tensors);
            }
            (*list)[(*n)++] = t;
            struct pare_tensor *tensor = &g->tensors[t];
            tensor->is_input = tensor->is_input || side == 0;
            if (side == 0 && tensor->data != NULL) {
                pare_graph_warn(g, "input '%.150s' has data in the file, which is ignored",
                                tensor->name);
                tensor->data = NULL;
                tensor->size_bytes = 0;
                tensor->dtype = tensor->quant != NULL ? PARE_F32 : tensor->dtype;
            }
        }
    }
    return tfl_check(r);
}

static enum pare_status read_model(struct pare_tflite *r)
{
    struct pare_graph *g = r->g;
    struct pare_fb_table model = pare_fb_root(&r->fb);
    uint32_t version = pare_fb_u32(&model, MODEL_VERSION, 0);
    enum pare_status status = tfl_check(r);
    if (status == PARE_OK && version != 3) {
        return tfl_fail(r, "schema version is %u; 3 is supported", version);
    }
    g->format = PARE_FORMAT_TFLITE;
    g->opset = version;
    status = status == PARE_OK ? tfl_string(r, &model, MODEL_DESCRIPTION, &g->producer) : status;
    status = status == PARE_OK ? read_opcodes(r, &model) : status;
    if (status != PARE_OK) {
        return status;
    }
    r->buffers = pare_fb_vec(&model, MODEL_BUFFERS, 4);
    r->subgraphs = pare_fb_vec(&model, MODEL_SUBGRAPHS, 4);
    if (r->subgraphs.n == 0 || r->subgraphs.n > MAX_SUBGRAPHS) {
        return tfl_fail(r, "the model has %zu subgraphs; 1 to %d are supported", r->subgraphs.n,
                        MAX_SUBGRAPHS);
    }
    status = check_calls(r);
    struct pare_fb_table subgraph = pare_fb_vec_table(&r->subgraphs, 0);
    struct pare_fb_vector tensors = pare_fb_vec(&subgraph, SUBGRAPH_TENSORS, 4);
    struct pare_fb_vector operators = pare_fb_vec(&subgraph, SUBGRAPH_OPERATORS, 4);
    status = status == PARE_OK ? tfl_check(r) : status;
    status = status == PARE_OK ? check_count(r, &tensors, 12, "tensors") : status;
    if (status != PARE_OK) {
        return status;
    }
    r->n_tensors = (int)tensors.n;
    r->tensors = pare_arena_array(&g->arena, tensors.n, sizeof *r->tensors);
    if (r->tensors == NULL) {
        return pare_error_nomem(r->err);
    }
    status = tfl_read_tensors(r, &tensors);
    status = status == PARE_OK ? read_ends(r, &subgraph) : status;
    status = status == PARE_OK ? read_operators(r, &operators) : status;
    if (status == PARE_OK && r->subgraphs.n > 1) {
        pare_graph_warn(g, "the file has %zu subgraphs; only the first is used", r->subgraphs.n);
    }
    return status;
}

enum pare_status pare_tflite_parse(const void *data, size_t size, const char *where,
                                   struct pare_graph **graph, struct pare_error *err)
{
    struct pare_tflite r = {.where = where, .err = err};
    *graph = NULL;
    if (size < 8 || memcmp((const char *)data + 4, "TFL3", 4) != 0) {
        return pare_error(err, PARE_ERR_FORMAT, where,
                          size < 8 ? "the file has %zu bytes: too short for a TFLite model"
                                   : "no TFLite model: 'TFL3' is missing at byte 4 (%zu bytes)",
                          size);
    }
    pare_fb_init(&r.fb, data, size);
    r.g = pare_graph_new();
    if (r.g == NULL) {
        return pare_error_nomem(err);
    }
    r.g->producer = "";
    enum pare_status status = read_model(&r);
    if (status != PARE_OK) {
        pare_graph_free(r.g);
        return status;
    }
    *graph = r.g;
    return PARE_OK;
}

enum pare_status pare_tflite_read(const char *path, struct pare_graph **graph,
                                  struct pare_error *err)
{
    struct pare_file file;
    *graph = NULL;
    enum pare_status status = pare_file_open(path, MAX_FILE_BYTES, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    status = pare_tflite_parse(file.data, file.size, path, graph, err);
    if (status != PARE_OK) {
        pare_file_close(&file);
        return status;
    }
    (*graph)->file = file;
    return PARE_OK;
}
