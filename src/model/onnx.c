/*
 * onnx.c: from an ONNX file to a graph. The whole file is checked against the table of its messages
 * first; then constants, inputs, outputs and declared shapes are read, then the nodes in the file's
 * order.
 */
#include "model/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

/* protobuf's own limit: nothing larger can be one message */
#define MAX_FILE_BYTES ((size_t)1 << 31)
#define NEWEST_IR 14

/* ---- the graph message ---- */

static void read_initializer(struct onnx_importer *c, struct pare_pb_span proto)
{
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    struct pare_pb_span name = {proto.data, 0};
    char text[128], what[160];
    while (pare_pb_next(&r, &f)) {
        if (f.number == 8) {
            name = f.bytes;
        }
    }
    if (name.size == 0) {
        onnx_fail(c, proto.data, "an initializer has no name");
        return;
    }
    int t = onnx_tensor_named(c, name);
    struct onnx_extra *extra = t >= 0 ? onnx_extra_at(c, t) : NULL;
    if (extra == NULL) {
        return;
    }
    snprintf(what, sizeof what, "initializer '%s'", onnx_text(name, text, sizeof text));
    if (extra->declared) {
        onnx_fail(c, proto.data, "two initializers have the name '%s'", text);
        return;
    }
    extra->declared = true;
    onnx_read_tensor(c, proto, t, what);
}

static void append(struct onnx_importer *c, int **list, int *n, int value)
{
    /* Grows at powers of two. */
    if ((*n & (*n - 1)) == 0) {
        void *memory = realloc(*list, (size_t)(*n > 0 ? *n * 2 : 1) * sizeof **list);
        if (memory == NULL) {
            onnx_fail_nomem(c);
            return;
        }
        *list = memory;
    }
    (*list)[(*n)++] = value;
}

static void read_graph_input(struct onnx_importer *c, struct pare_pb_span proto, const uint8_t *at)
{
    struct pare_pb_span name = onnx_value_name(proto);
    char text[128];
    if (name.size == 0) {
        onnx_fail(c, at, "a graph input has no name");
        return;
    }
    int t = onnx_tensor_named(c, name);
    struct onnx_extra *extra = t >= 0 ? onnx_extra_at(c, t) : NULL;
    if (extra == NULL) {
        return;
    }
    if (c->g->tensors[t].data != NULL) {
        return; /* an initializer that an old file also lists as an input */
    }
    if (extra->declared) {
        onnx_fail(c, at, "two graph inputs have the name '%s'", onnx_text(name, text, sizeof text));
        return;
    }
    extra->declared = true;
    onnx_read_value(c, proto, t);
    append(c, &c->g->inputs, &c->g->n_inputs, t);
}

static void read_graph_output(struct onnx_importer *c, struct pare_pb_span proto, const uint8_t *at)
{
    struct pare_pb_span name = onnx_value_name(proto);
    if (name.size == 0) {
        onnx_fail(c, at, "a graph output has no name");
        return;
    }
    int t = onnx_tensor_named(c, name);
    if (t >= 0) {
        onnx_read_value(c, proto, t);
        append(c, &c->g->outputs, &c->g->n_outputs, t);
    }
}

/* Calls for every field `number` of the graph, in the file's order. */
static void for_each(struct onnx_importer *c, struct pare_pb_span graph, uint32_t number,
                     void (*read)(struct onnx_importer *c, struct pare_pb_span proto,
                                  const uint8_t *at))
{
    struct pare_pb r = pare_pb_open(graph);
    struct pare_pb_field f;
    while (c->status == PARE_OK && pare_pb_next(&r, &f)) {
        if (f.number == number) {
            read(c, f.bytes, f.at);
        }
    }
}

static void read_initializer_at(struct onnx_importer *c, struct pare_pb_span proto,
                                const uint8_t *at)
{
    (void)at;
    read_initializer(c, proto);
}

static void refuse_sparse(struct onnx_importer *c, struct pare_pb_span proto, const uint8_t *at)
{
    (void)proto;
    onnx_fail(c, at, "a sparse initializer: sparse tensors are not supported");
}

static void read_value_info(struct onnx_importer *c, struct pare_pb_span proto, const uint8_t *at)
{
    (void)at;
    struct pare_pb_span name = onnx_value_name(proto);
    int t = name.size > 0 ? onnx_tensor_named(c, name) : -1;
    if (t >= 0 && !onnx_extra_at(c, t)->declared) {
        onnx_read_value(c, proto, t);
    }
}

static void read_graph(struct onnx_importer *c, struct pare_pb_span graph)
{
    for_each(c, graph, 15, refuse_sparse);
    for_each(c, graph, 5, read_initializer_at);
    for_each(c, graph, 11, read_graph_input);
    for_each(c, graph, 12, read_graph_output);
    for_each(c, graph, 13, read_value_info);
    for_each(c, graph, 1, onnx_read_node);
    if (c->status == PARE_OK && c->g->n_outputs == 0) {
        onnx_fail(c, graph.data, "the graph has no outputs");
    }
}

/* ---- the model message ---- */

struct model {
    int64_t ir_version;
    bool has_ir, has_graph;
    struct pare_pb_span producer, producer_version, graph;
};

static void read_opset(struct onnx_importer *c, struct pare_pb_span proto,
                       struct onnx_names *domains)
{
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    struct pare_pb_span domain = {proto.data, 0};
    int64_t version = 0;
    char text[128];
    while (pare_pb_next(&r, &f)) {
        if (f.number == 1) {
            domain = f.bytes;
        } else if (f.number == 2) {
            version = (int64_t)f.value;
        }
    }
    if (pare_pb_is(domain, "ai.onnx")) {
        domain.size = 0;
    }
    int *seen = onnx_names_at(domains, domain);
    if (seen == NULL) {
        onnx_fail_nomem(c);
        return;
    }
    if (*seen >= 0) {
        onnx_fail(c, proto.data, "two operator sets are imported for the domain '%s'",
                  onnx_text(domain, text, sizeof text));
        return;
    }
    *seen = 0;
    if (domain.size > 0) {
        return;
    }
    if (version < ONNX_OLDEST_OPSET || version > ONNX_NEWEST_OPSET) {
        onnx_fail(c, proto.data, "operator set %lld: this build reads %d to %d", (long long)version,
                  ONNX_OLDEST_OPSET, ONNX_NEWEST_OPSET);
        return;
    }
    c->opset = version;
}

static void read_model_field(struct onnx_importer *c, const struct pare_pb_field *f,
                             struct model *m, struct onnx_names *domains)
{
    switch (f->number) {
    case 1:
        m->ir_version = (int64_t)f->value;
        m->has_ir = true;
        break;
    case 2:
        m->producer = f->bytes;
        break;
    case 3:
        m->producer_version = f->bytes;
        break;
    case 7:
        if (m->has_graph) {
            onnx_fail(c, f->at, "the model has two graphs, expected one");
        }
        m->graph = f->bytes;
        m->has_graph = true;
        break;
    case 8:
        read_opset(c, f->bytes, domains);
        break;
    default:
        break;
    }
}

static void check_model(struct onnx_importer *c, const struct model *m)
{
    if (!m->has_ir) {
        onnx_fail(c, NULL, "not an ONNX model: it has no ir_version");
    } else if (m->ir_version < 1 || m->ir_version > NEWEST_IR) {
        onnx_fail(c, NULL, "ir_version %lld: this build reads 1 to %d", (long long)m->ir_version,
                  NEWEST_IR);
    } else if (!m->has_graph) {
        onnx_fail(c, NULL, "the model has no graph");
    } else if (c->opset == 0 && m->ir_version < 3) {
        c->opset = 1; /* before IR 3 files named no operator set */
    } else if (c->opset == 0) {
        onnx_fail(c, NULL, "the model imports no operator set of the default domain");
    }
    if (c->opset > 1 && c->opset < 7) {
        pare_graph_warn(c->g, "operator set %lld is read by the rules of 1 and 7",
                        (long long)c->opset);
    }
}

static void read_model(struct onnx_importer *c)
{
    struct pare_pb r = pare_pb_open(c->file);
    struct pare_pb_field f;
    struct model m = {0};
    struct onnx_names domains = {NULL, 0, 0, 0};
    char producer[128], version[64];
    while (c->status == PARE_OK && pare_pb_next(&r, &f)) {
        read_model_field(c, &f, &m, &domains);
    }
    onnx_names_clear(&domains);
    if (c->status == PARE_OK) {
        check_model(c, &m);
    }
    if (c->status != PARE_OK) {
        return;
    }
    c->g->opset = c->opset;
    onnx_text(m.producer, producer, sizeof producer);
    onnx_text(m.producer_version, version, sizeof version);
    c->g->producer =
        pare_arena_printf(&c->g->arena, "%s%s%s", producer, version[0] != '\0' ? " " : "", version);
    if (c->g->producer == NULL) {
        onnx_fail_nomem(c);
        return;
    }
    onnx_check_functions(c);
    onnx_ops_init(c);
    read_graph(c, m.graph);
}

enum pare_status pare_onnx_parse(const void *data, size_t size, const char *where,
                                 struct pare_graph **graph, struct pare_error *err)
{
    struct pare_pb_damage damage;
    struct onnx_importer c = {.file = {data, size}, .where = where, .err = err};
    *graph = NULL;
    if (size == 0) {
        return pare_error(err, PARE_ERR_FORMAT, where, "the file is empty, expected an ONNX model");
    }
    if (!pare_pb_check(c.file, onnx_messages, ONNX_MODEL, &damage)) {
        return pare_error(err, PARE_ERR_FORMAT, where, "byte %zu: %s", damage.offset, damage.text);
    }
    c.g = pare_graph_new();
    if (c.g == NULL) {
        return pare_error_nomem(err);
    }
    c.g->format = PARE_FORMAT_ONNX;
    read_model(&c);
    onnx_names_clear(&c.names);
    onnx_names_clear(&c.ops);
    free(c.extra);
    free(c.ends);
    free(c.attrs);
    if (c.status != PARE_OK) {
        pare_graph_free(c.g);
        return c.status;
    }
    *graph = c.g;
    return PARE_OK;
}

enum pare_status pare_onnx_read(const char *path, struct pare_graph **graph, struct pare_error *err)
{
    struct pare_file file = {NULL, 0, false};
    *graph = NULL;
    enum pare_status status = pare_file_open(path, MAX_FILE_BYTES, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    status = pare_onnx_parse(file.data, file.size, path, graph, err);
    if (status != PARE_OK) {
        pare_file_close(&file);
        return status;
    }
    (*graph)->file = file;
    return PARE_OK;
}
