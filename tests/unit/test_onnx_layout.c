/* The ONNX importer: channels first in the file, channels last in the graph. */
#include <math.h>

#include "unit/onnx_fixture.h"

static const int64_t image[4] = {1, 2, 4, 4};

/* ---- layout ---- */

static void convolution_gets_channels_last(void **state)
{
    (void)state;
    struct fixture f = {.graph = onnx_small_graph()};
    import(&f, 13);
    const struct pare_node *conv = only(&f, PARE_OP_CONV), *pool = only(&f, PARE_OP_MAX_POOL);
    assert_string_equal(conv->name, "conv");
    assert_string_equal(only(&f, PARE_OP_RELU)->name, "r"); /* unnamed: its output's name */
    assert_int_equal(conv->n_in, 3);
    assert_list(producer(&f, conv->in[0])->attr.perm, 4, (int[]){0, 2, 3, 1});
    assert_list(producer(&f, conv->in[1])->attr.perm, 4, (int[]){0, 2, 3, 1});
    assert_int_equal(conv->attr.window.n_spatial, 2);
    assert_list(conv->attr.window.kernel, 2, (int[]){3, 3});
    assert_list(conv->attr.window.pad_before, 2, (int[]){1, 1});
    assert_list(conv->attr.window.stride, 2, (int[]){1, 1});
    assert_list(pool->attr.window.stride, 2, (int[]){2, 2});
    assert_list(producer(&f, f.g->outputs[0])->attr.perm, 4, (int[]){0, 3, 1, 2});
    done(&f);
}

static void neighbours_share_the_channels_last_tensor(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct bytes n = onnx_node("MaxPool", "one", "x", "m");
    onnx_attr_ints(&n, "kernel_shape", 2, (int64_t[]){2, 2});
    add_node(&f, n);
    n = onnx_node("AveragePool", "two", "m", "y");
    onnx_attr_ints(&n, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_attr_int(&n, "count_include_pad", 1);
    onnx_attr_text(&n, "auto_pad", "SAME_LOWER");
    add_node(&f, n);
    add_input(&f, "x", ONNX_FLOAT, 4, image);
    add_output(&f, "y");
    import(&f, 13);
    const struct pare_node *pool = only(&f, PARE_OP_AVG_POOL);
    assert_int_equal(producer(&f, pool->in[0])->op, PARE_OP_MAX_POOL);
    assert_true(pool->attr.count_include_pad);
    assert_int_equal(pool->attr.window.auto_pad, PARE_PAD_SAME_LOWER);
    done(&f);
}

static void one_and_three_spatial_axes_are_read(void **state)
{
    (void)state;
    for (int spatial = 1; spatial <= 3; spatial += 2) {
        struct fixture f = {0};
        const int64_t x[5] = {1, 2, 5, 5, 5}, w[5] = {3, 2, 2, 2, 2};
        add_node(&f, onnx_node("Conv", "c", "x,w", "y")); /* no kernel_shape: from the weights */
        add_floats(&f, "w", spatial + 2, w);
        add_input(&f, "x", ONNX_FLOAT, spatial + 2, x);
        add_output(&f, "y");
        import(&f, 11);
        const struct pare_node *conv = only(&f, PARE_OP_CONV);
        assert_int_equal(conv->attr.window.n_spatial, spatial);
        assert_int_equal(conv->attr.window.kernel[spatial - 1], 2);
        assert_list(producer(&f, conv->in[0])->attr.perm, spatial + 2,
                    spatial == 1 ? (int[]){0, 2, 1} : (int[]){0, 2, 3, 4, 1});
        done(&f);
    }
}

static void grouped_transposed_weights_are_split_by_group(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct bytes n = onnx_node("ConvTranspose", "up", "x,w", "y");
    onnx_attr_int(&n, "group", 2);
    onnx_attr_ints(&n, "output_padding", 2, (int64_t[]){1, 0});
    onnx_attr_ints(&n, "output_shape", 2, (int64_t[]){9, 8});
    add_node(&f, n);
    add_floats(&f, "w", 4, (int64_t[]){4, 3, 2, 2}); /* I = 4, O/g = 3 */
    add_input(&f, "x", ONNX_FLOAT, 4, (int64_t[]){1, 4, 4, 4});
    add_output(&f, "y");
    import(&f, 11);
    const struct pare_node *up = only(&f, PARE_OP_CONV_TRANSPOSE), *whole = producer(&f, up->in[1]);
    const struct pare_node *moved = producer(&f, whole->in[0]), *apart = producer(&f, moved->in[0]);
    int64_t dims[8];
    assert_int_equal(pare_tensor_const_ints(&f.g->tensors[whole->in[1]], dims, 8), 4);
    assert_true(dims[0] == 6 && dims[1] == 2 && dims[2] == 2 && dims[3] == 2);
    assert_list(moved->attr.perm, 5, (int[]){0, 2, 3, 4, 1});
    assert_int_equal(pare_tensor_const_ints(&f.g->tensors[apart->in[1]], dims, 8), 5);
    assert_true(dims[0] == 2 && dims[1] == 2 && dims[2] == 3);
    assert_list(up->attr.window.output_padding, 2, (int[]){1, 0});
    assert_list(up->attr.window.output_shape, 2, (int[]){9, 8});
    done(&f);
}

static void global_pools_are_reductions(void **state)
{
    (void)state;
    struct fixture f = one_node(onnx_node("GlobalAveragePool", "g", "x", "y"), 1, 4, image);
    const struct pare_node *mean = only(&f, PARE_OP_REDUCE_MEAN);
    assert_true(mean->attr.keep_dims);
    assert_int_equal(mean->attr.n_axes, 2);
    assert_list(mean->attr.axes, 2, (int[]){1, 2});
    done(&f);
}

static void batch_norm_keeps_its_four_inputs(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct bytes n = onnx_node("BatchNormalization", "bn", "x,s,b,m,v", "y");
    onnx_attr_float(&n, "epsilon", 0.125f);
    add_node(&f, n);
    for (int i = 0; i < 4; i++) {
        add_floats(&f, (const char *[]){"s", "b", "m", "v"}[i], 1, (int64_t[]){2});
    }
    add_input(&f, "x", ONNX_FLOAT, 4, image);
    add_output(&f, "y");
    import(&f, 9);
    const struct pare_node *bn = only(&f, PARE_OP_BATCH_NORM);
    assert_int_equal(bn->n_in, 5);
    assert_float_equal(bn->attr.epsilon, 0.125f, 0);
    assert_int_equal(producer(&f, bn->in[0])->op, PARE_OP_TRANSPOSE);
    done(&f);
}

static void max_pool_indices_are_moved_too(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct bytes n = onnx_node("MaxPool", "p", "x", "y,i");
    onnx_attr_ints(&n, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_attr_int(&n, "ceil_mode", 1);
    add_node(&f, n);
    add_input(&f, "x", ONNX_FLOAT, 4, image);
    add_output(&f, "y");
    add_output(&f, "i");
    import(&f, 12);
    const struct pare_node *pool = only(&f, PARE_OP_MAX_POOL);
    assert_int_equal(pool->n_out, 2);
    assert_true(pool->attr.ceil_mode);
    assert_int_equal(f.g->tensors[pool->out[1]].dtype, PARE_I64);
    assert_int_equal(count(&f, PARE_OP_TRANSPOSE), 3);
    assert_int_equal(f.g->n_warnings, 0);
    done(&f);
}

/* ---- resize ---- */

static void check_resize(struct fixture *f, enum pare_resize_coord coord)
{
    const struct pare_node *r = only(f, PARE_OP_RESIZE);
    float scales[4];
    assert_int_equal(r->attr.resize.mode, PARE_RESIZE_NEAREST);
    assert_int_equal(r->attr.resize.coord, coord);
    assert_int_equal(r->attr.n_axes, 4);
    assert_list(r->attr.axes, 4, (int[]){0, 3, 1, 2});
    assert_int_equal(r->n_in, 4);
    assert_true(r->in[1] == -1 && r->in[2] >= 0 && r->in[3] == -1);
    memcpy(scales, f->g->tensors[r->in[2]].data, sizeof scales);
    assert_true(scales[0] == 0.0f && scales[3] == 3.0f); /* add_floats: 0 1 2 3 */
    done(f);
}

static void upsample_and_resize_agree(void **state)
{
    (void)state;
    float scales[4] = {0, 1, 2, 3};
    struct bytes n = onnx_node("Upsample", "u", "x", "y");
    onnx_attr_floats(&n, "scales", 4, scales);
    struct fixture f = one_node(n, 7, 4, image);
    check_resize(&f, PARE_COORD_ASYMMETRIC);
    for (int i = 0; i < 3; i++) {
        const char *ops[] = {"Upsample", "Resize", "Resize"}, *in[] = {"x,s", "x,s", "x,none,s"};
        f = (struct fixture){0};
        add_node(&f, onnx_node(ops[i], "u", in[i], "y"));
        add_floats(&f, "s", 1, (int64_t[]){4});
        add_floats(&f, "none", 1, (int64_t[]){0});
        add_input(&f, "x", ONNX_FLOAT, 4, image);
        add_output(&f, "y");
        import(&f, 9 + i);
        check_resize(&f, i < 2 ? PARE_COORD_ASYMMETRIC : PARE_COORD_HALF_PIXEL);
    }
}

static void resize_axes_are_moved(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct bytes n = onnx_node("Resize", "u", "x,,,sizes", "y");
    onnx_attr_ints(&n, "axes", 2, (int64_t[]){-1, 1});
    onnx_attr_text(&n, "mode", "linear");
    onnx_attr_text(&n, "keep_aspect_ratio_policy", "not_larger");
    add_node(&f, n);
    add_ints(&f, "sizes", 2, (int64_t[]){8, 2});
    add_input(&f, "x", ONNX_FLOAT, 4, image);
    add_output(&f, "y");
    import(&f, 18);
    const struct pare_node *r = only(&f, PARE_OP_RESIZE);
    assert_int_equal(r->attr.n_axes, 2);
    assert_list(r->attr.axes, 2, (int[]){2, 3});
    assert_int_equal(r->attr.resize.aspect, PARE_ASPECT_NOT_LARGER);
    assert_true(r->in[2] == -1 && r->in[3] >= 0);
    done(&f);
    n = onnx_node("Resize", "u", "x,,,sizes", "y");
    onnx_attr_text(&n, "coordinate_transformation_mode", "tf_half_pixel_for_nn");
    f = (struct fixture){0};
    add_node(&f, n);
    add_ints(&f, "sizes", 4, (int64_t[]){1, 2, 8, 8});
    add_input(&f, "x", ONNX_FLOAT, 4, image);
    add_output(&f, "y");
    import(&f, 11);
    assert_int_equal(f.g->n_unknown, 1);
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_gets_channels_last),
        cmocka_unit_test(neighbours_share_the_channels_last_tensor),
        cmocka_unit_test(one_and_three_spatial_axes_are_read),
        cmocka_unit_test(grouped_transposed_weights_are_split_by_group),
        cmocka_unit_test(global_pools_are_reductions),
        cmocka_unit_test(batch_norm_keeps_its_four_inputs),
        cmocka_unit_test(max_pool_indices_are_moved_too),
        cmocka_unit_test(upsample_and_resize_agree),
        cmocka_unit_test(resize_axes_are_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
