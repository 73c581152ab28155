/* onnx_hostile.h: what a damaged ONNX file may lead to: one clear error, or a graph that is accepted or refused. */
#ifndef PARE_ONNX_HOSTILE_H
#define PARE_ONNX_HOSTILE_H

#include "model/graph.h"
#include "support.h"
#include "unit/onnx_writer.h"

/* Parses a copy of exactly n bytes, so that a read beyond them is seen; then pare_graph_finish. */
static inline enum pare_status parse_bytes(const uint8_t *data, size_t n, struct pare_error *err,
                                    int *warnings)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    struct pare_graph *g = NULL;
    if (n > 0) {
        memcpy(copy, data, n);
    }
    memset(err, 0, sizeof *err);
    enum pare_status status = pare_onnx_parse(copy, n, "m.onnx", &g, err);
    assert_true((status == PARE_OK) == (g != NULL));
    if (status == PARE_OK) {
        status = pare_graph_finish(g, "m.onnx", err);
        if (warnings != NULL) {
            *warnings = g->n_warnings;
        }
    }
    pare_graph_free(g);
    free(copy);
    if (status != PARE_OK) {
        assert_int_equal(status, PARE_ERR_FORMAT);
        assert_true(err->message[0] != '\0' && strchr(err->message, '\n') == NULL);
        assert_string_equal(err->where, "m.onnx");
    }
    return status;
}

/* Must be refused, with `text` in the message. Takes the model. */
static inline void refuse(struct bytes model, const char *text)
{
    struct pare_error err;
    enum pare_status status = parse_bytes(model.data, model.size, &err, NULL);
    if (status == PARE_OK || strstr(err.message, text) == NULL) {
        print_error("expected '%s', found '%s'\n", text,
                    status == PARE_OK ? "accepted" : err.message);
    }
    assert_int_not_equal(status, PARE_OK);
    assert_non_null(strstr(err.message, text));
    free(model.data);
}

/* Must be accepted, with at least that many warnings. */
static inline void accept(struct bytes model, int least_warnings)
{
    struct pare_error err;
    int warnings = 0;
    enum pare_status status = parse_bytes(model.data, model.size, &err, &warnings);
    if (status != PARE_OK) {
        print_error("%s\n", err.message);
    }
    assert_int_equal(status, PARE_OK);
    assert_true(warnings >= least_warnings);
    free(model.data);
}

/* y = Add(x, w) with the given TensorProto as w. */
static inline struct bytes model_with_tensor(struct bytes tensor)
{
    struct bytes g = {0};
    onnx_put_message(&g, 1, onnx_node("Add", "add", "x,w", "y"));
    onnx_put_message(&g, 5, tensor);
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 1, (int64_t[]){4}));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 1, (int64_t[]){4}));
    return onnx_model(13, g);
}

/* x -> node -> y */
static inline struct bytes model_with_node(struct bytes node, int rank, const int64_t *dims)
{
    struct bytes g = {0};
    onnx_put_message(&g, 1, node);
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, rank, dims));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 0, NULL));
    return onnx_model(13, g);
}

static inline struct bytes text_bytes(const void *data, size_t n)
{
    struct bytes b = {0};
    onnx_put(&b, data, n);
    return b;
}

#endif
