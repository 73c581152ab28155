/* Each pass on small graphs built by hand: what becomes of the nodes, and that the numbers stay. */
#include "support.h"

#include "graph_run.h"

#define NEAR 2e-6 /* of the largest output: float32 rounding of a few operations */

static const int to_nhwc[4] = {0, 2, 3, 1}, to_nchw[4] = {0, 3, 1, 2};
static const int64_t picture[4] = {1, 6, 5, 4}, planes[4] = {1, 4, 6, 5};

static void constants_are_folded(void **state)
{
    (void)state;
    uint32_t seed = 1;
    struct pare_pass_report report;
    struct pare_graph *g = pare_graph_new();
    int x = gr_input(g, "x", 4, picture);
    int w = gr_const(g, 4, (int64_t[]){3, 4, 1, 1},
                     &seed); /* OIHW through a transpose, a reshape and a sum */
    w = gr_transpose(g, w, 4, to_nhwc);
    w = gr_reshape(g, w, 2, (int64_t[]){3, 4});
    w = gr_binary(g, PARE_OP_ADD, w, gr_const(g, 2, (int64_t[]){3, 4}, &seed));
    w = gr_reshape(g, w, 4, (int64_t[]){3, 1, 1, 4});
    int in[2] = {x, w}, y = gr_node(g, PARE_OP_CONV, 2, in);
    gr_attr(g)->window.n_spatial = 2;
    gr_attr(g)->window.kernel[0] = gr_attr(g)->window.kernel[1] = 1;
    gr_output(g, y);
    gr_check_passes(g, &report, 0);
    assert_int_equal(g->n_nodes, 1);
    assert_true(pare_node_is_layer(g, 0));
    pare_graph_free(g);
}

static void no_folding_of_more_than_the_file_backs(void **state)
{
    (void)state;
    struct pare_graph *g = pare_graph_new();
    struct pare_pass_report report;
    int64_t many[3] = {4096, 4096, 4096};
    int y = gr_binary(g, PARE_OP_EXPAND, gr_const(g, 1, (int64_t[]){1}, NULL), gr_ints(g, 3, many));
    g->tensors[y].rank = 3;
    memcpy(g->tensors[y].dims, many, sizeof many);
    y = gr_unary(g, PARE_OP_RELU, y);
    g->tensors[y].rank = 3;
    memcpy(g->tensors[y].dims, many, sizeof many);
    gr_output(g, y);
    assert_int_equal(pare_graph_finish(g, "t", NULL), PARE_OK);
    assert_int_equal(pare_passes_run(g, "t", &report, NULL), PARE_OK);
    assert_int_equal(g->n_nodes, 2);
    assert_true(g->arena.used_bytes < 1 << 20);
    pare_graph_free(g);
}

static int add_bn(struct pare_graph *g, int x, int64_t c, uint32_t *seed)
{
    int in[5] = {x};
    for (int i = 1; i < 5; i++) {
        in[i] = gr_const(g, 1, &c, seed);
    }
    float *variance = malloc((size_t)c * sizeof *variance);
    for (int64_t i = 0; i < c; i++) {
        variance[i] = 0.1f + fabsf(gr_random(seed));
    }
    in[4] = pare_graph_add_const(g, "variance", PARE_F32, 1, &c, variance,
                                 (size_t)c * sizeof *variance);
    free(variance);
    int y = gr_node(g, PARE_OP_BATCH_NORM, 5, in);
    gr_attr(g)->epsilon = 1e-3f;
    return y;
}

static void batch_norm_goes_into_every_kind_of_layer(void **state)
{
    (void)state;
    for (int kind = 0; kind < 10; kind++) {
        uint32_t seed = 20 + (uint32_t)kind;
        struct pare_pass_report report;
        struct pare_graph *g = pare_graph_new();
        bool bias = kind % 2 == 1, planar = kind / 2 == 4;
        int x = gr_input(g, "x", 4, picture), y = -1, c = 3;
        if (kind / 2 == 0 || planar) {
            y = gr_conv(g, x, 4, 3, 3, 1, bias, &seed);
        } else if (kind / 2 == 1) {
            y = gr_conv(g, x, 4, c = 8, 3, 4, bias,
                        &seed); /* becomes depthwise, two outputs per input */
        } else if (kind / 2 == 2) {
            y = gr_conv(g, x, 4, 3, 3, 1, bias, &seed);
            g->nodes[g->n_nodes - 1].op = PARE_OP_CONV_TRANSPOSE;
        } else {
            int w = gr_const(g, 2, (int64_t[]){3, 4}, &seed), in[3] = {x, w, -1};
            in[2] = bias ? gr_const(g, 1, (int64_t[]){3}, &seed) : -1;
            y = gr_node(g, PARE_OP_FULLY_CONNECTED, bias ? 3 : 2, in);
        }
        if (planar) { /* as ONNX has it: back to planes and again to pixels in between */
            y = gr_transpose(g, gr_transpose(g, y, 4, to_nchw), 4, to_nhwc);
        }
        y = add_bn(g, y, c, &seed);
        gr_output(g, gr_unary(g, PARE_OP_RELU, y));
        gr_check_passes(g, &report, 4e-6);
        assert_int_equal(report.n_bn_folded, 1);
        assert_int_equal(g->n_nodes, 2);
        assert_true(pare_node_is_layer(g, 0));
        assert_non_null(g->nodes[0].bn);
        assert_int_equal(g->nodes[0].bn->n, c);
        assert_true(g->nodes[0].bn->variance[0] >= 0.1f);
        assert_int_equal(g->nodes[0].op == PARE_OP_DEPTHWISE, kind / 2 == 1);
        pare_graph_free(g);
    }
}

static void batch_norm_stays_where_it_must(void **state)
{
    (void)state;
    uint32_t seed = 3;
    struct pare_pass_report report;
    struct pare_graph *g = pare_graph_new(); /* the layer's own output is read too */
    int x = gr_input(g, "x", 4, picture), y = gr_conv(g, x, 4, 3, 1, 1, true, &seed);
    gr_output(g, add_bn(g, y, 3, &seed));
    gr_output(g, y);
    gr_check_passes(g, &report, 0);
    assert_int_equal(report.n_bn_folded, 0);
    assert_int_equal(gr_count(g, PARE_OP_BATCH_NORM), 1);
    pare_graph_free(g);
    g = pare_graph_new(); /* no layer before */
    gr_output(g, add_bn(g, gr_input(g, "x", 4, picture), 4, &seed));
    gr_check_passes(g, &report, 0);
    assert_int_equal(gr_count(g, PARE_OP_BATCH_NORM), 1);
    pare_graph_free(g);
}

static void vectors_go_into_the_layer(void **state)
{
    (void)state;
    static const enum pare_op ops[4] = {PARE_OP_ADD, PARE_OP_SUB, PARE_OP_MUL, PARE_OP_DIV};
    for (int kind = 0; kind < 16; kind++) {
        uint32_t seed = 40 + (uint32_t)kind;
        struct pare_graph *g = pare_graph_new();
        bool first = kind / 4 % 2 == 1, scalar = kind / 8 == 1;
        int y = gr_conv(g, gr_input(g, "x", 4, picture), 4, 3, 3, 1, kind % 3 == 0, &seed);
        int c = scalar ? gr_scalar(g, 1.5f) : gr_const(g, 4, (int64_t[]){1, 1, 1, 3}, &seed);
        gr_output(g, gr_binary(g, ops[kind % 4], first ? c : y, first ? y : c));
        gr_check_passes(g, NULL, 4e-6);
        assert_int_equal(g->n_nodes, first && ops[kind % 4] == PARE_OP_DIV ? 2 : 1);
        pare_graph_free(g);
    }
    uint32_t seed = 4; /* not along the channels: stays */
    struct pare_graph *g = pare_graph_new();
    int y = gr_conv(g, gr_input(g, "x", 4, picture), 4, 3, 3, 1, true, &seed);
    gr_output(g, gr_binary(g, PARE_OP_ADD, y, gr_const(g, 4, (int64_t[]){1, 1, 5, 1}, &seed)));
    gr_check_passes(g, NULL, 0);
    assert_int_equal(g->n_nodes, 2);
    pare_graph_free(g);
}

static void prelu_is_recognised(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) {
        uint32_t seed = 60 + (uint32_t)form;
        struct pare_pass_report report;
        struct pare_graph *g = pare_graph_new();
        int x = gr_input(g, "x", 4, picture), relu = gr_unary(g, PARE_OP_RELU, x);
        int alpha = gr_const(g, form % 2 == 0 ? 1 : 3,
                             form % 2 == 0 ? (int64_t[]){4} : (int64_t[]){1, 1, 4}, &seed);
        int minus = gr_unary(g, PARE_OP_RELU, gr_unary(g, PARE_OP_NEG, x)), y;
        switch (form) {
        case 0:
            y = gr_binary(g, PARE_OP_ADD, relu, gr_binary(g, PARE_OP_MUL, minus, alpha));
            break;
        case 1:
            y = gr_binary(g, PARE_OP_ADD,
                          gr_binary(g, PARE_OP_MUL, alpha, gr_unary(g, PARE_OP_NEG, minus)), relu);
            break;
        case 2:
            y = gr_binary(g, PARE_OP_SUB, relu, gr_binary(g, PARE_OP_MUL, alpha, minus));
            break;
        case 3:
            y = gr_binary(g, PARE_OP_ADD, relu,
                          gr_unary(g, PARE_OP_NEG, gr_binary(g, PARE_OP_MUL, alpha, minus)));
            break;
        case 4:
            y = gr_binary(g, PARE_OP_MIN, x, gr_scalar(g, 0.0f));
            y = gr_binary(g, PARE_OP_ADD, relu, gr_binary(g, PARE_OP_MUL, y, alpha));
            break;
        case 5:
            y = gr_binary(g, PARE_OP_SUB, x, gr_unary(g, PARE_OP_ABS, x));
            y = gr_binary(g, PARE_OP_MUL, gr_binary(g, PARE_OP_MUL, alpha, y), gr_scalar(g, 0.5f));
            y = gr_binary(g, PARE_OP_ADD, relu, y);
            break;
        case 6: /* one number for all channels */
            y = gr_binary(g, PARE_OP_ADD, relu,
                          gr_binary(g, PARE_OP_MUL, minus, gr_scalar(g, -0.25f)));
            break;
        default: /* the negative part of something else */
            y = gr_unary(g, PARE_OP_RELU, gr_unary(g, PARE_OP_NEG, gr_unary(g, PARE_OP_TANH, x)));
            y = gr_binary(g, PARE_OP_ADD, relu, gr_binary(g, PARE_OP_MUL, y, alpha));
            break;
        }
        gr_output(g, y);
        gr_check_passes(g, &report, NEAR);
        assert_int_equal(report.n_prelu_fused, form < 7 ? 1 : 0);
        if (form < 7) {
            assert_int_equal(g->n_nodes, 1);
            assert_int_equal(g->nodes[0].op, form == 6 ? PARE_OP_LEAKY_RELU : PARE_OP_PRELU);
        }
        if (form < 6) {
            assert_int_equal(g->tensors[g->nodes[0].in[1]].rank, 1);
        }
        pare_graph_free(g);
    }
}

static void swish_is_recognised(void **state)
{
    (void)state;
    static const enum pare_op wanted[7] = {
        PARE_OP_SWISH,      PARE_OP_SWISH,        PARE_OP_HARD_SWISH, PARE_OP_HARD_SWISH,
        PARE_OP_HARD_SWISH, PARE_OP_HARD_SIGMOID, PARE_OP_HARD_SWISH};
    for (int form = 0; form < 7; form++) {
        struct pare_graph *g = pare_graph_new();
        int x = gr_input(g, "x", 4, picture), y = x;
        if (form == 0) {
            y = gr_binary(g, PARE_OP_MUL, x, gr_unary(g, PARE_OP_SIGMOID, x));
        } else if (form == 1) {
            y = gr_binary(g, PARE_OP_MUL, gr_scalar(g, 1.5f), x);
            y = gr_binary(g, PARE_OP_MUL, gr_unary(g, PARE_OP_SIGMOID, y), x);
        } else if (form == 6) {
            y = gr_unary(g, PARE_OP_HARD_SIGMOID, x);
            gr_attr(g)->alpha = 1.0f / 6.0f;
            gr_attr(g)->beta = 0.5f;
            y = gr_binary(g, PARE_OP_MUL, y, x);
        } else {
            y = gr_unary(g, PARE_OP_CLIP, gr_binary(g, PARE_OP_ADD, x, gr_scalar(g, 3.0f)));
            gr_attr(g)->lo = 0.0f;
            gr_attr(g)->hi = 6.0f;
            if (form == 2 || form == 5) {
                y = gr_binary(g, PARE_OP_DIV, y, gr_scalar(g, 6.0f));
                y = form == 2 ? gr_binary(g, PARE_OP_MUL, x, y) : y;
            } else if (form == 3) {
                y = gr_binary(g, PARE_OP_DIV, gr_binary(g, PARE_OP_MUL, x, y), gr_scalar(g, 6.0f));
            } else {
                y = gr_binary(g, PARE_OP_MUL, gr_binary(g, PARE_OP_MUL, y, x),
                              gr_scalar(g, 1.0f / 6.0f));
            }
        }
        gr_output(g, y);
        gr_check_passes(g, NULL, NEAR);
        assert_int_equal(g->n_nodes, 1);
        assert_int_equal(g->nodes[0].op, wanted[form]);
        pare_graph_free(g);
    }
}

static void matrices_become_fully_connected(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) {
        uint32_t seed = 80 + (uint32_t)form;
        struct pare_graph *g = pare_graph_new();
        int x = gr_input(g, "x", 2, (int64_t[]){3, 4}), y;
        bool trans_b = form % 2 == 1;
        int b = gr_const(g, 2, trans_b ? (int64_t[]){5, 4} : (int64_t[]){4, 5}, &seed),
            in[3] = {x, b, -1};
        if (form < 2) {
            in[1] = gr_const(g, 2, (int64_t[]){4, 5}, &seed);
            y = gr_node(g, PARE_OP_MATMUL, 2, in);
            y = form == 1 ? gr_binary(g, PARE_OP_ADD, y, gr_const(g, 2, (int64_t[]){1, 5}, &seed))
                          : y;
        } else {
            in[2] = form < 4   ? -1
                    : form < 6 ? gr_const(g, 1, (int64_t[]){5}, &seed)
                    : form < 7
                        ? gr_const(g, 1, (int64_t[]){1}, &seed)
                        : gr_const(g, 2, (int64_t[]){3, 5}, &seed); /* differs by row: no bias */
            y = gr_node(g, PARE_OP_GEMM, in[2] >= 0 ? 3 : 2, in);
            gr_attr(g)->trans_b = trans_b;
            gr_attr(g)->alpha = form == 4 ? 0.5f : 1.0f;
            gr_attr(g)->beta = form == 5 ? -2.0f : 1.0f;
        }
        gr_output(g, y);
        gr_check_passes(g, NULL, NEAR);
        assert_int_equal(g->n_nodes, 1);
        assert_int_equal(g->nodes[0].op, form == 7 ? PARE_OP_GEMM : PARE_OP_FULLY_CONNECTED);
        pare_graph_free(g);
    }
}

/* conv as ONNX has it: between transposes */
static int planar_conv(struct pare_graph *g, int x, int in_c, int out_c, int k, int groups,
                       uint32_t *seed)
{
    return gr_transpose(
        g, gr_conv(g, gr_transpose(g, x, 4, to_nhwc), in_c, out_c, k, groups, true, seed), 4,
        to_nchw);
}

static int slice(struct pare_graph *g, int x, int axis, int64_t begin, int64_t end, int64_t step)
{
    int y = gr_unary(g, PARE_OP_SLICE, x);
    struct pare_attr *attr = gr_attr(g);
    attr->n_axes = 1;
    attr->axes[0] = axis;
    attr->begin[0] = begin;
    attr->end[0] = end;
    attr->step[0] = step;
    return y;
}

static void transposes_between_layers_vanish(void **state)
{
    (void)state;
    uint32_t seed = 9;
    struct pare_pass_report report;
    struct pare_graph *g = pare_graph_new();
    int x = gr_input(g, "x", 4, planes), a = planar_conv(g, x, 4, 6, 3, 1, &seed);
    a = gr_unary(g, PARE_OP_RELU, a);
    int b = planar_conv(g, a, 6, 6, 3, 6, &seed),
        slope[2] = {b, gr_const(g, 3, (int64_t[]){6, 1, 1}, &seed)};
    b = gr_node(g, PARE_OP_PRELU, 2, slope);
    b = gr_binary(g, PARE_OP_ADD, a, b);
    int both[2] = {a, b}, y = gr_node(g, PARE_OP_CONCAT, 2, both);
    gr_attr(g)->axis = 1;
    y = gr_unary(g, PARE_OP_PAD, y);
    gr_attr(g)->n_axes = 4;
    for (int i = 0; i < 4; i++) {
        gr_attr(g)->axes[i] = i;
        gr_attr(g)->pad_before[i] = gr_attr(g)->pad_after[i] = i == 1 ? 1 : 0;
    }
    y = slice(g, y, 1, 1, 13, 2); /* 6 channels */
    y = gr_binary(g, PARE_OP_MUL, y, gr_const(g, 4, (int64_t[]){1, 6, 1, 1}, &seed));
    int halves[2], parts[2];
    for (int i = 0; i < 2; i++) {
        halves[i] = pare_graph_add_tensor(g, "half", PARE_F32);
    }
    pare_graph_add_node(g, PARE_OP_SPLIT, "split", 1, &y, 2, halves);
    gr_attr(g)->axis = 1;
    parts[0] = planar_conv(g, halves[0], 3, 6, 1, 1, &seed);
    parts[1] = planar_conv(g, halves[1], 3, 6, 1, 1, &seed);
    y = gr_binary(g, PARE_OP_SUB, parts[0], parts[1]);
    int mean = gr_unary(g, PARE_OP_REDUCE_MEAN, y); /* squeeze and excite */
    gr_attr(g)->n_axes = 2;
    gr_attr(g)->axes[0] = 2;
    gr_attr(g)->axes[1] = 3;
    gr_attr(g)->keep_dims = true;
    y = gr_binary(g, PARE_OP_MUL, y,
                  gr_unary(g, PARE_OP_SIGMOID, planar_conv(g, mean, 6, 6, 1, 1, &seed)));
    float scales[4] = {1, 1, 2, 2};
    int resize[3] = {
        y, -1,
        pare_graph_add_const(g, "scales", PARE_F32, 1, (int64_t[]){4}, scales, sizeof scales)};
    y = gr_node(g, PARE_OP_RESIZE, 3, resize);
    gr_attr(g)->resize.coord = PARE_COORD_ASYMMETRIC;
    gr_attr(g)->resize.nearest = PARE_NEAREST_FLOOR;
    y = planar_conv(g, y, 6, 3, 3, 1, &seed);
    y = gr_unary(g, PARE_OP_SOFTMAX, y);
    gr_attr(g)->axis = 1;
    gr_attr(g)->newer_softmax = true;
    gr_output(g, y);
    gr_check_passes(g, &report, 1e-5);
    assert_int_equal(gr_count(g, PARE_OP_TRANSPOSE), 2); /* planes come in, planes go out */
    assert_int_equal(g->nodes[0].op, PARE_OP_TRANSPOSE);
    assert_int_equal(g->nodes[g->n_nodes - 1].op, PARE_OP_TRANSPOSE);
    assert_int_equal(report.n_transposes_removed, 10);
    assert_int_equal(gr_count(g, PARE_OP_RESHAPE), 0);
    pare_graph_free(g);
}

static void a_channel_shuffle_needs_no_transpose(void **state)
{
    (void)state;
    uint32_t seed = 10;
    struct pare_graph *g = pare_graph_new();
    int y = planar_conv(g, gr_input(g, "x", 4, planes), 4, 8, 1, 1, &seed);
    y = gr_reshape(g, y, 3, (int64_t[]){4, 2, 30});
    y = gr_transpose(g, y, 3, (int[]){1, 0, 2});
    y = gr_reshape(g, y, 5, (int64_t[]){2, 1, 4, 6, 5});
    int64_t zero = 0;
    int pick[2] = {y, pare_graph_add_const(g, "zero", PARE_I64, 0, NULL, &zero, sizeof zero)};
    y = gr_node(g, PARE_OP_GATHER, 2, pick);
    y = planar_conv(g, y, 4, 4, 3, 1, &seed);
    gr_output(g, y);
    gr_check_passes(g, NULL, NEAR);
    assert_int_equal(gr_count(g, PARE_OP_TRANSPOSE), 2);
    assert_int_equal(gr_count(g, PARE_OP_RESHAPE), 1);
    pare_graph_free(g);
}

static void flattened_planes_permute_the_weights(void **state)
{
    (void)state;
    uint32_t seed = 11;
    struct pare_graph *g = pare_graph_new();
    int x = gr_input(g, "x", 4, picture), y = gr_conv(g, x, 4, 3, 3, 1, true, &seed);
    y = gr_unary(g, PARE_OP_RELU, gr_transpose(g, y, 4, to_nchw));
    y = gr_unary(g, PARE_OP_FLATTEN, y);
    gr_attr(g)->axis = 1;
    int in[2] = {y, gr_const(g, 2, (int64_t[]){90, 7}, &seed)};
    gr_output(g, gr_node(g, PARE_OP_MATMUL, 2, in));
    gr_check_passes(g, NULL, NEAR);
    assert_int_equal(gr_count(g, PARE_OP_TRANSPOSE), 0);
    assert_int_equal(g->n_nodes, 4);
    pare_graph_free(g);
}

static void a_transpose_of_ones_is_a_reshape(void **state)
{
    (void)state;
    struct pare_graph *g = pare_graph_new();
    int x = gr_input(g, "x", 4, (int64_t[]){1, 1, 6, 5});
    gr_output(g, gr_transpose(g, x, 4, to_nhwc));
    gr_check_passes(g, NULL, 0);
    assert_int_equal(gr_count(g, PARE_OP_TRANSPOSE), 0);
    assert_int_equal(gr_count(g, PARE_OP_RESHAPE), 1);
    pare_graph_free(g);
}

static void what_changes_nothing_goes(void **state)
{
    (void)state;
    uint32_t seed = 12;
    struct pare_graph *g = pare_graph_new();
    int x = gr_input(g, "x", 4, picture), y = gr_unary(g, PARE_OP_IDENTITY, x);
    y = gr_transpose(g, y, 4, (int[]){0, 1, 2, 3});
    y = gr_reshape(g, y, 4, picture);
    y = slice(g, y, 2, 0, INT64_MAX, 1);
    y = gr_unary(g, PARE_OP_CONCAT, y);
    gr_unary(g, PARE_OP_TANH, y); /* nothing reads this */
    y = gr_conv(g, y, 4, 3, 1, 1, true, &seed);
    y = gr_unary(g, PARE_OP_IDENTITY, y);
    y = gr_unary(g, PARE_OP_RELU, gr_unary(g, PARE_OP_RELU, y));
    y = gr_unary(g, PARE_OP_IDENTITY, y);
    g->tensors[y].name = "the result";
    gr_output(g, y);
    gr_check_passes(g, NULL, 0);
    assert_int_equal(g->n_nodes, 2);
    assert_int_equal(g->n_tensors, 5);
    assert_string_equal(g->tensors[g->outputs[0]].name, "the result");
    pare_graph_free(g);
}

static void outputs_keep_their_identity(void **state)
{
    (void)state;
    struct pare_graph *g =
        pare_graph_new(); /* an input as output; one value under two names; a constant */
    uint32_t seed = 13;
    int x = gr_input(g, "x", 4, picture), y = gr_unary(g, PARE_OP_RELU, x);
    gr_output(g, gr_unary(g, PARE_OP_IDENTITY, x));
    gr_output(g, y);
    gr_output(g, gr_unary(g, PARE_OP_IDENTITY, y));
    gr_output(g, x);
    gr_output(g, gr_unary(g, PARE_OP_IDENTITY, gr_const(g, 4, picture, &seed)));
    gr_output(g, gr_transpose(g, gr_transpose(g, y, 4, to_nchw), 4, to_nhwc));
    int wanted[6];
    memcpy(wanted, g->outputs, sizeof wanted);
    const char *names[6];
    for (int i = 0; i < 6; i++) {
        names[i] = g->tensors[wanted[i]].name;
    }
    gr_check_passes(g, NULL, 0);
    assert_int_equal(g->n_outputs, 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(g->tensors[g->outputs[i]].name, names[i]);
        for (int k = 0; k < i; k++) {
            assert_true(g->outputs[k] != g->outputs[i]);
        }
    }
    pare_graph_free(g);
}

static void padding_goes_into_the_window(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        uint32_t seed = 14;
        struct pare_graph *g = pare_graph_new();
        int y = gr_unary(g, PARE_OP_PAD, gr_input(g, "x", 4, picture));
        gr_attr(g)->n_axes = 2;
        for (int i = 0; i < 2; i++) {
            gr_attr(g)->axes[i] = 1 + i;
            gr_attr(g)->pad_before[i] = 1;
            gr_attr(g)->pad_after[i] = 2 + i;
        }
        gr_attr(g)->value = kind == 2 ? 1.0f : 0.0f;
        if (kind == 1) {
            y = gr_unary(g, PARE_OP_AVG_POOL, y);
            gr_attr(g)->window.n_spatial = 2;
            gr_attr(g)->window.kernel[0] = gr_attr(g)->window.kernel[1] = 3;
        } else {
            y = gr_conv(g, y, 4, 3, 3, 1, false, &seed);
        }
        gr_output(g, y);
        gr_check_passes(g, NULL, NEAR);
        assert_int_equal(g->n_nodes, kind == 2 ? 2 : 1);
        pare_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_folded),
        cmocka_unit_test(no_folding_of_more_than_the_file_backs),
        cmocka_unit_test(batch_norm_goes_into_every_kind_of_layer),
        cmocka_unit_test(batch_norm_stays_where_it_must),
        cmocka_unit_test(vectors_go_into_the_layer),
        cmocka_unit_test(prelu_is_recognised),
        cmocka_unit_test(swish_is_recognised),
        cmocka_unit_test(matrices_become_fully_connected),
        cmocka_unit_test(transposes_between_layers_vanish),
        cmocka_unit_test(a_channel_shuffle_needs_no_transpose),
        cmocka_unit_test(flattened_planes_permute_the_weights),
        cmocka_unit_test(a_transpose_of_ones_is_a_reshape),
        cmocka_unit_test(what_changes_nothing_goes),
        cmocka_unit_test(outputs_keep_their_identity),
        cmocka_unit_test(padding_goes_into_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
