/* onnx_fixture.h: an ONNX model under construction, and the graph that it becomes. */
#ifndef PARE_ONNX_FIXTURE_H
#define PARE_ONNX_FIXTURE_H

#include "model/graph.h"
#include "support.h"
#include "unit/onnx_writer.h"

/* A model under construction, and its graph. */
struct fixture {
    struct bytes graph, file;
    struct pare_graph *g;
};

static inline void add_input(struct fixture *f, const char *name, int type, int rank, const int64_t *dims)
{
    onnx_put_message(&f->graph, 11, onnx_value(name, type, rank, dims));
}

static inline void add_output(struct fixture *f, const char *name)
{
    struct bytes v = {0};
    onnx_put_text(&v, 1, name);
    onnx_put_message(&f->graph, 12, v);
}

static inline void add_node(struct fixture *f, struct bytes node)
{
    onnx_put_message(&f->graph, 1, node);
}

static inline void add_floats(struct fixture *f, const char *name, int rank, const int64_t *dims)
{
    float v[256] = {0};
    size_t n = 1;
    for (int i = 0; i < rank; i++) {
        n *= (size_t)dims[i];
    }
    for (size_t i = 0; i < n; i++) {
        v[i] = (float)i;
    }
    onnx_put_message(&f->graph, 5, onnx_raw_tensor(name, ONNX_FLOAT, rank, dims, v, n * 4));
}

static inline void add_ints(struct fixture *f, const char *name, int n, const int64_t *v)
{
    onnx_put_message(&f->graph, 5,
                     onnx_raw_tensor(name, ONNX_INT64, 1, (int64_t[]){n}, v, (size_t)n * 8));
}

/* Parses and finishes; the graph must be good. */
static inline void import(struct fixture *f, int64_t opset)
{
    struct pare_error err = {0};
    f->file = onnx_model(opset, f->graph);
    if (pare_onnx_parse(f->file.data, f->file.size, "m.onnx", &f->g, &err) != PARE_OK ||
        pare_graph_finish(f->g, "m.onnx", &err) != PARE_OK) {
        fail_msg("%s", err.message);
    }
}

static inline void done(struct fixture *f)
{
    pare_graph_free(f->g);
    free(f->file.data);
}

/* The only node of that operator. */
static inline const struct pare_node *only(const struct fixture *f, enum pare_op op)
{
    const struct pare_node *found = NULL;
    for (int i = 0; i < f->g->n_nodes; i++) {
        if (f->g->nodes[i].op == op) {
            assert_null(found);
            found = &f->g->nodes[i];
        }
    }
    assert_non_null(found);
    return found;
}

static inline int count(const struct fixture *f, enum pare_op op)
{
    int n = 0;
    for (int i = 0; i < f->g->n_nodes; i++) {
        n += f->g->nodes[i].op == op;
    }
    return n;
}

static inline const struct pare_node *producer(const struct fixture *f, int tensor)
{
    assert_true(tensor >= 0 && f->g->tensors[tensor].producer >= 0);
    return &f->g->nodes[f->g->tensors[tensor].producer];
}

static inline const struct pare_tensor *tensor(const struct fixture *f, const char *name)
{
    for (int i = 0; i < f->g->n_tensors; i++) {
        if (strcmp(f->g->tensors[i].name, name) == 0) {
            return &f->g->tensors[i];
        }
    }
    fail_msg("no tensor '%s'", name);
    return NULL;
}

static inline void assert_list(const int *found, int n, const int *wanted)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(found[i], wanted[i]);
    }
}

/* x [1,2,4,4] -> one node -> y */
static inline struct fixture one_node(struct bytes node, int64_t opset, int rank, const int64_t *dims)
{
    struct fixture f = {0};
    add_node(&f, node);
    add_input(&f, "x", ONNX_FLOAT, rank, dims);
    add_output(&f, "y");
    import(&f, opset);
    return f;
}

#endif
