/* Shape inference: what it infers, what it folds, what it refuses and in which words. */
#include "support.h"

#include <stdio.h>

#include "model/graph.h"

struct net {
    struct pare_graph *g;
    struct pare_error err;
};

static struct net net_new(void)
{
    struct net n = {pare_graph_new(), {0}};
    assert_non_null(n.g);
    return n;
}

static int tensor(struct net *n, const char *name, enum pare_dtype dtype, int rank,
                  const int64_t *dims)
{
    int t = pare_graph_add_tensor(n->g, name, dtype);
    n->g->tensors[t].rank = rank;
    for (int i = 0; i < rank; i++) {
        n->g->tensors[t].dims[i] = dims[i];
    }
    return t;
}

static int input(struct net *n, int rank, const int64_t *dims)
{
    int t = tensor(n, "x", PARE_F32, rank, dims);
    n->g->inputs = realloc(n->g->inputs, sizeof(int) * (size_t)(n->g->n_inputs + 1));
    n->g->inputs[n->g->n_inputs++] = t;
    return t;
}

static int ints(struct net *n, int count, const int64_t *values)
{
    int64_t dims[1] = {count};
    return pare_graph_add_const(n->g, "c", PARE_I64, 1, dims, values, 8 * (size_t)count);
}

static int zeros(struct net *n, enum pare_dtype dtype, int rank, const int64_t *dims)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        count *= (size_t)dims[i];
    }
    void *data = calloc(count, 8);
    int t = pare_graph_add_const(n->g, "w", dtype, rank, dims, data,
                                 pare_dtype_bytes(dtype, (int64_t)count));
    free(data);
    return t;
}

/* A node named "it" with one output "y" of unknown shape; returns the node. */
static int node(struct net *n, enum pare_op op, int n_in, const int *in)
{
    int y = pare_graph_add_tensor(n->g, "y", PARE_F32);
    return pare_graph_add_node(n->g, op, "it", n_in, in, 1, &y);
}

static void outputs(struct net *n, int t)
{
    n->g->outputs = realloc(n->g->outputs, sizeof(int) * (size_t)(n->g->n_outputs + 1));
    n->g->outputs[n->g->n_outputs++] = t;
}

static enum pare_status infer(struct net *n)
{
    enum pare_status status = pare_graph_finish(n->g, "file", &n->err);
    return status == PARE_OK ? pare_shapes_infer(n->g, "file", &n->err) : status;
}

static void expect_shape(struct net *n, int t, const char *wanted)
{
    char text[96];
    if (infer(n) != PARE_OK) {
        fail_msg("%s: %s", n->err.where, n->err.message);
    }
    assert_int_equal(pare_shapes_infer(n->g, "file", &n->err),
                     PARE_OK); /* again: nothing changes */
    pare_tensor_shape_text(&n->g->tensors[t], text, sizeof text);
    assert_string_equal(text, wanted);
    pare_graph_free(n->g);
}

static void expect_error(struct net *n, const char *part)
{
    enum pare_status status = infer(n);
    if (status != PARE_ERR_FORMAT || strstr(n->err.message, part) == NULL) {
        fail_msg("status %d, message '%s', expected '%s'", status, n->err.message, part);
    }
    assert_string_equal(n->err.where, "file");
    pare_graph_free(n->g);
}

static int conv(struct net *n, const int64_t *x, const int64_t *w, enum pare_auto_pad pad,
                int stride)
{
    int in[2] = {input(n, 4, x), zeros(n, PARE_F32, 4, w)};
    int k = node(n, PARE_OP_CONV, 2, in);
    n->g->nodes[k].attr.window.n_spatial = 2;
    n->g->nodes[k].attr.window.auto_pad = pad;
    n->g->nodes[k].attr.window.stride[0] = n->g->nodes[k].attr.window.stride[1] = stride;
    return n->g->nodes[k].out[0];
}

static void auto_pad_becomes_pads(void **state)
{
    (void)state;
    struct net n = net_new();
    int y = conv(&n, (int64_t[]){1, 224, 223, 3}, (int64_t[]){8, 3, 3, 3}, PARE_PAD_SAME_UPPER, 2);
    assert_int_equal(infer(&n), PARE_OK);
    const struct pare_window *w = &n.g->nodes[0].attr.window;
    assert_int_equal(w->auto_pad, PARE_PAD_EXPLICIT);
    assert_int_equal(w->pad_before[0], 0);
    assert_int_equal(w->pad_after[0], 1);
    assert_int_equal(w->pad_before[1], 1);
    assert_int_equal(w->pad_after[1], 1);
    expect_shape(&n, y, "1x112x112x8");
}

static void an_unknown_batch_is_one(void **state)
{
    (void)state;
    struct net n = net_new();
    int y = conv(&n, (int64_t[]){-1, 8, 8, 3}, (int64_t[]){4, 1, 1, 3}, PARE_PAD_VALID, 1);
    expect_shape(&n, y, "1x8x8x4");
}

static void pools_round_up_but_do_not_start_in_the_padding(void **state)
{
    (void)state;
    static const struct {
        int64_t size;
        int kernel, stride, before, after;
        const char *wanted;
    } rows[] = {{4, 3, 2, 0, 0, "1x2x2x1"}, {2, 1, 2, 0, 1, "1x1x1x1"}, {5, 2, 2, 1, 1, "1x3x3x1"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct net n = net_new();
        int x = input(&n, 4, (int64_t[]){1, rows[i].size, rows[i].size, 1});
        int k = node(&n, PARE_OP_MAX_POOL, 1, &x);
        struct pare_attr *a = &n.g->nodes[k].attr;
        a->ceil_mode = true;
        a->window.n_spatial = 2;
        for (int d = 0; d < 2; d++) {
            a->window.kernel[d] = rows[i].kernel;
            a->window.stride[d] = rows[i].stride;
            a->window.pad_before[d] = rows[i].before;
            a->window.pad_after[d] = rows[i].after;
        }
        expect_shape(&n, n.g->nodes[k].out[0], rows[i].wanted);
    }
}

static void transposed_convolutions_reach_the_wanted_size(void **state)
{
    (void)state;
    struct net n = net_new();
    int in[2] = {input(&n, 4, (int64_t[]){1, 3, 3, 1}),
                 zeros(&n, PARE_F32, 4, (int64_t[]){2, 3, 3, 1})};
    int k = node(&n, PARE_OP_CONV_TRANSPOSE, 2, in);
    struct pare_window *w = &n.g->nodes[k].attr.window;
    w->n_spatial = 2;
    w->stride[0] = 3;
    w->stride[1] = 2;
    w->output_shape[0] = 10;
    w->output_shape[1] = 8;
    expect_shape(&n, n.g->nodes[k].out[0], "1x10x8x2");
}

/* Shape -> Slice -> Concat -> Reshape: the arithmetic is gone, its result is a constant. */
static void shape_arithmetic_is_folded(void **state)
{
    (void)state;
    struct net n = net_new();
    int x = input(&n, 4, (int64_t[]){-1, 4, 5, 6});
    int shape = pare_graph_add_tensor(n.g, "shape", PARE_I64);
    int k = pare_graph_add_node(n.g, PARE_OP_SHAPE, "s", 1, &x, 1, &shape);
    n.g->nodes[k].attr.end[0] = INT64_MAX;
    int batch = pare_graph_add_tensor(n.g, "batch", PARE_I64);
    k = pare_graph_add_node(n.g, PARE_OP_SLICE, "b", 1, &shape, 1, &batch);
    struct pare_attr *a = &n.g->nodes[k].attr;
    a->n_axes = 1;
    a->axes[0] = 0;
    a->begin[0] = 0;
    a->end[0] = 1;
    a->step[0] = 1;
    int parts[2] = {batch, ints(&n, 1, (int64_t[]){-1})};
    int whole = pare_graph_add_tensor(n.g, "whole", PARE_I64);
    pare_graph_add_node(n.g, PARE_OP_CONCAT, "c", 2, parts, 1, &whole);
    int in[2] = {x, whole};
    k = node(&n, PARE_OP_RESHAPE, 2, in);
    int y = n.g->nodes[k].out[0];
    outputs(&n, y);
    assert_int_equal(infer(&n), PARE_OK);
    assert_int_equal(n.g->n_nodes, 1);
    int64_t values[2];
    assert_int_equal(pare_tensor_const_ints(&n.g->tensors[whole], values, 2), 2);
    assert_int_equal(values[0], 1);
    expect_shape(&n, y, "1x120");
}

/* A constant that the graph returns keeps its node, and its readers get a copy. */
static void a_returned_constant_keeps_its_node(void **state)
{
    (void)state;
    struct net n = net_new();
    int x = input(&n, 2, (int64_t[]){6, 4});
    int shape = pare_graph_add_tensor(n.g, "shape", PARE_I64);
    int k = pare_graph_add_node(n.g, PARE_OP_SHAPE, "s", 1, &x, 1, &shape);
    n.g->nodes[k].attr.end[0] = INT64_MAX;
    int in[2] = {x, shape};
    k = node(&n, PARE_OP_RESHAPE, 2, in);
    int y = n.g->nodes[k].out[0];
    outputs(&n, shape);
    outputs(&n, y);
    assert_int_equal(infer(&n), PARE_OK);
    assert_int_equal(n.g->n_nodes, 2);
    int n_tensors = n.g->n_tensors;
    assert_int_equal(pare_shapes_infer(n.g, "file", &n.err), PARE_OK);
    assert_int_equal(n.g->n_tensors, n_tensors);
    expect_shape(&n, y, "6x4");
}

static void what_follows_an_unknown_node_stays_unknown(void **state)
{
    (void)state;
    struct net n = net_new();
    int x = input(&n, 2, (int64_t[]){1, 4});
    int k = node(&n, PARE_OP_UNKNOWN, 1, &x);
    int y = pare_graph_add_tensor(n.g, "z", PARE_F32);
    pare_graph_add_node(n.g, PARE_OP_RELU, "r", 1, n.g->nodes[k].out, 1, &y);
    expect_shape(&n, y, "?");
}

/* ---- refusals ---- */

static void a_16_terabyte_fill_is_refused(void **state)
{
    (void)state;
    struct net n = net_new();
    int shape = ints(&n, 2, (int64_t[]){1 << 21, 1 << 21});
    node(&n, PARE_OP_CONSTANT_OF_SHAPE, 1, &shape);
    expect_error(
        &n, "node 'it' (constant_of_shape): output 0 would be 2097152x2097152, more than 2^31");
}

static void a_shape_against_the_file_is_refused(void **state)
{
    (void)state;
    struct net n = net_new();
    int y = conv(&n, (int64_t[]){1, 8, 8, 3}, (int64_t[]){4, 3, 3, 3}, PARE_PAD_VALID, 1);
    n.g->tensors[y].rank = 4;
    memcpy(n.g->tensors[y].dims, (int64_t[]){1, 8, 8, 4}, 4 * sizeof(int64_t));
    expect_error(&n, "output 0 is 1x6x6x4, but the file says 1x8x8x4");
}

static void weights_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct net n = net_new();
    conv(&n, (int64_t[]){1, 8, 8, 3}, (int64_t[]){4, 3, 3, 2}, PARE_PAD_VALID, 1);
    expect_error(&n, "weights 4x3x3x2 in 1 groups do not fit an input of 1x8x8x3");
    n = net_new();
    conv(&n, (int64_t[]){1, 2, 2, 3}, (int64_t[]){4, 3, 3, 3}, PARE_PAD_VALID, 1);
    expect_error(&n, "a window of 3 does not fit spatial axis 0 of size 2");
}

static void parameters_must_be_sane(void **state)
{
    (void)state;
    struct net n = net_new();
    int in[4] = {input(&n, 2, (int64_t[]){6, 4}), ints(&n, 2, (int64_t[]){5, -1})};
    node(&n, PARE_OP_RESHAPE, 2, in);
    expect_error(&n, "24 elements of 6x4 cannot be shared among 5");

    n = net_new();
    in[0] = input(&n, 2, (int64_t[]){6, 4});
    in[1] = input(&n, 1, (int64_t[]){2});
    node(&n, PARE_OP_RESHAPE, 2, in);
    expect_error(&n, "its new shape (input 1) must be a constant list");

    n = net_new();
    in[0] = input(&n, 2, (int64_t[]){6, 4});
    in[1] = input(&n, 2, (int64_t[]){5, 4});
    node(&n, PARE_OP_ADD, 2, in);
    expect_error(&n, "6x4 and 5x4 do not broadcast");

    n = net_new();
    in[0] = input(&n, 2, (int64_t[]){6, 4});
    int softmax = node(&n, PARE_OP_SOFTMAX, 1, in);
    n.g->nodes[softmax].attr.axis = 2;
    expect_error(&n, "axis 2, expected -2 to 1");

    n = net_new();
    in[0] = input(&n, 2, (int64_t[]){6, 4});
    node(&n, PARE_OP_ADD, 1, in);
    expect_error(&n, "input 1 is missing");

    n = net_new();
    in[0] = input(&n, 2, (int64_t[]){6, 4});
    in[1] = ints(&n, 4, (int64_t[]){0, 0, INT64_MAX, 0});
    node(&n, PARE_OP_PAD, 2, in);
    expect_error(&n, "axis 0 is padded by");
}

static void a_constant_index_must_exist(void **state)
{
    (void)state;
    struct net n = net_new();
    int in[2] = {ints(&n, 3, (int64_t[]){1, 2, 3}), ints(&n, 1, (int64_t[]){3})};
    int gather = node(&n, PARE_OP_GATHER, 2, in);
    outputs(&n, n.g->nodes[gather].out[0]);
    int readers[2] = {n.g->outputs[0], in[0]};
    int sum = pare_graph_add_tensor(n.g, "sum", PARE_I64);
    pare_graph_add_node(n.g, PARE_OP_ADD, "add", 2, readers, 1, &sum);
    enum pare_status status = infer(&n);
    assert_int_equal(status, PARE_ERR_FORMAT);
    assert_non_null(strstr(n.err.message, "an index is not in [-3, 3)"));
    pare_graph_free(n.g);
}

static void data_must_back_a_constant(void **state)
{
    (void)state;
    struct net n = net_new();
    int w = zeros(&n, PARE_F32, 1, (int64_t[]){4});
    n.g->tensors[w].dims[0] = 1000;
    node(&n, PARE_OP_RELU, 1, &w);
    expect_error(&n, "has 16 bytes of data");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_pad_becomes_pads),
        cmocka_unit_test(an_unknown_batch_is_one),
        cmocka_unit_test(pools_round_up_but_do_not_start_in_the_padding),
        cmocka_unit_test(transposed_convolutions_reach_the_wanted_size),
        cmocka_unit_test(shape_arithmetic_is_folded),
        cmocka_unit_test(a_returned_constant_keeps_its_node),
        cmocka_unit_test(what_follows_an_unknown_node_stays_unknown),
        cmocka_unit_test(a_16_terabyte_fill_is_refused),
        cmocka_unit_test(a_shape_against_the_file_is_refused),
        cmocka_unit_test(weights_that_do_not_fit_are_refused),
        cmocka_unit_test(parameters_must_be_sane),
        cmocka_unit_test(a_constant_index_must_exist),
        cmocka_unit_test(data_must_back_a_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
