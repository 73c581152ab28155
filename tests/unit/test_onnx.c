/* The ONNX importer: what each form in a file becomes in the graph. */
#include <math.h>

#include "unit/onnx_fixture.h"

static const int64_t image[4] = {1, 2, 4, 4};

/* ---- constants ---- */

/* A tensor of four values in a typed field; returns it after import. */
static void check_values(struct bytes t, enum pare_dtype dtype, const void *wanted, size_t n)
{
    struct fixture f = {0};
    onnx_put_message(&f.graph, 5, t);
    add_output(&f, "w");
    import(&f, 13);
    const struct pare_tensor *w = tensor(&f, "w");
    assert_int_equal(w->dtype, dtype);
    assert_int_equal(w->size_bytes, n);
    assert_memory_equal(w->data, wanted, n);
    done(&f);
}

static void every_encoding_gives_the_same_values(void **state)
{
    (void)state;
    const int64_t four[1] = {4};
    const float f[4] = {1, -2, 0.5f, 4};
    const double d[4] = {1, -2, 0.5, 4};
    const int64_t i64[4] = {1, -2, 3, INT64_MIN};
    const int8_t i8[4] = {1, -2, 127, -128};
    const uint64_t u64[4] = {1, 2, 3, UINT64_MAX};
    const uint32_t u32[4] = {1, 2, 3, UINT32_MAX};
    const uint16_t half[4] = {0x3c00, 0xc000, 0, 1};
    struct bytes t = onnx_tensor("w", ONNX_FLOAT, 1, four);
    onnx_put_bytes(&t, 4, f, sizeof f);
    check_values(t, PARE_F32, f, sizeof f);
    t = onnx_tensor("w", ONNX_DOUBLE, 1, four);
    onnx_put_bytes(&t, 10, d, sizeof d);
    check_values(t, PARE_F64, d, sizeof d);
    t = onnx_tensor("w", ONNX_INT64, 1, four);
    for (int i = 0; i < 4; i++) {
        onnx_put_int(&t, 7, i64[i]);
    }
    check_values(t, PARE_I64, i64, sizeof i64);
    t = onnx_tensor("w", ONNX_INT8, 1, four);
    for (int i = 0; i < 4; i++) {
        onnx_put_int(&t, 5, i8[i]);
    }
    check_values(t, PARE_I8, i8, sizeof i8);
    t = onnx_tensor("w", 13, 1, four);
    struct bytes packed = {0};
    for (int i = 0; i < 4; i++) {
        onnx_put_varint(&packed, u64[i]);
    }
    onnx_put_message(&t, 11, packed);
    check_values(t, PARE_U64, u64, sizeof u64);
    t = onnx_tensor("w", 12, 1, four);
    for (int i = 0; i < 4; i++) {
        onnx_put_int(&t, 11, u32[i]);
    }
    check_values(t, PARE_U32, u32, sizeof u32);
    t = onnx_tensor("w", ONNX_HALF, 1, four);
    for (int i = 0; i < 4; i++) {
        onnx_put_int(&t, 5, half[i]);
    }
    check_values(t, PARE_F16, half, sizeof half);
    check_values(onnx_raw_tensor("w", ONNX_UINT4, 1, (int64_t[]){3}, "\x21\x03", 2), PARE_U4,
                 "\x21\x03", 2);
}

/* Whatever the offset of the values in the file, they are aligned and right; aligned ones stay in
 * the file. */
static void constants_are_aligned(void **state)
{
    (void)state;
    int in_place = 0;
    for (int shift = 0; shift < 8; shift++) {
        struct fixture f = {0};
        char name[16] = "name";
        memset(name + 4, 'n', (size_t)shift);
        name[4 + shift] = '\0';
        onnx_put_text(&f.graph, 2, name);
        add_floats(&f, "w", 1, (int64_t[]){5});
        add_output(&f, "w");
        import(&f, 13);
        const struct pare_tensor *w = tensor(&f, "w");
        const uint8_t *data = w->data;
        assert_int_equal((uintptr_t)data % 4, 0);
        assert_float_equal(((const float *)w->data)[4], 4.0f, 0);
        assert_memory_equal(f.file.data + w->file_offset, w->data, 20);
        in_place += data >= f.file.data && data < f.file.data + f.file.size;
        done(&f);
    }
    assert_int_equal(in_place, 2);
}

static void constant_nodes_become_constants(void **state)
{
    (void)state;
    struct fixture f = {0};
    float floats[3] = {1, 2, 3}, value = 7;
    struct bytes n = onnx_node("Constant", "", "", "a");
    onnx_attr_floats(&n, "value_floats", 3, floats);
    add_node(&f, n);
    n = onnx_node("Constant", "", "", "b");
    onnx_attr_ints(&n, "value_ints", 2, (int64_t[]){-5, 6});
    add_node(&f, n);
    n = onnx_node("Constant", "", "", "c");
    onnx_attr_int(&n, "value_int", 9);
    add_node(&f, n);
    n = onnx_node("Constant", "", "", "d");
    onnx_attr_tensor(&n, "value", onnx_raw_tensor("", ONNX_FLOAT, 0, NULL, &value, 4));
    add_node(&f, n);
    n = onnx_node("Constant", "", "", "e");
    onnx_attr_text(&n, "value_string", "text");
    add_node(&f, n);
    add_output(&f, "a");
    import(&f, 13);
    int64_t ints[4];
    assert_int_equal(tensor(&f, "a")->size_bytes, 12);
    assert_memory_equal(tensor(&f, "a")->data, floats, 12);
    assert_int_equal(pare_tensor_const_ints(tensor(&f, "b"), ints, 4), 2);
    assert_true(ints[0] == -5 && ints[1] == 6);
    assert_int_equal(pare_tensor_const_ints(tensor(&f, "c"), ints, 4), 1);
    assert_true(ints[0] == 9 && tensor(&f, "c")->rank == 0);
    assert_memory_equal(tensor(&f, "d")->data, &value, 4);
    assert_int_equal(f.g->n_unknown, 1);
    done(&f);
}

static void initializers_are_no_inputs(void **state)
{
    (void)state;
    struct fixture f = {.graph = onnx_small_graph()};
    add_input(&f, "w", ONNX_FLOAT, 4, (int64_t[]){3, 2, 3, 3}); /* as files before IR 4 do */
    import(&f, 7);
    assert_int_equal(f.g->n_inputs, 1);
    assert_non_null(tensor(&f, "w")->data);
    done(&f);
}

/* ---- the same meaning in old and new operator sets ---- */

static void clip_bounds_come_from_both_forms(void **state)
{
    (void)state;
    struct bytes n = onnx_node("Clip", "c", "x", "y");
    onnx_attr_float(&n, "min", 0.0f);
    onnx_attr_float(&n, "max", 6.0f);
    struct fixture f = one_node(n, 6, 4, image);
    assert_float_equal(only(&f, PARE_OP_CLIP)->attr.lo, 0.0f, 0);
    assert_float_equal(only(&f, PARE_OP_CLIP)->attr.hi, 6.0f, 0);
    done(&f);
    f = (struct fixture){0};
    float six = 6.0f;
    add_node(&f, onnx_node("Clip", "c", "x,,hi", "y"));
    onnx_put_message(&f.graph, 5, onnx_raw_tensor("hi", ONNX_FLOAT, 0, NULL, &six, 4));
    add_input(&f, "x", ONNX_FLOAT, 4, image);
    add_output(&f, "y");
    import(&f, 13);
    const struct pare_node *clip = only(&f, PARE_OP_CLIP);
    assert_int_equal(clip->n_in, 1);
    assert_true(isinf(clip->attr.lo) && clip->attr.lo < 0);
    assert_float_equal(clip->attr.hi, 6.0f, 0);
    done(&f);
}

static void axes_come_from_both_forms(void **state)
{
    (void)state;
    const struct {
        const char *op;
        enum pare_op means;
        int64_t old_opset, new_opset;
    } cases[] = {{"Squeeze", PARE_OP_SQUEEZE, 11, 13},
                 {"Unsqueeze", PARE_OP_UNSQUEEZE, 11, 13},
                 {"ReduceMean", PARE_OP_REDUCE_MEAN, 11, 18},
                 {"ReduceSum", PARE_OP_REDUCE_SUM, 11, 13}};
    for (int i = 0; i < 4; i++) {
        for (int newer = 0; newer < 2; newer++) {
            struct fixture f = {0};
            struct bytes n = onnx_node(cases[i].op, "n", newer ? "x,axes" : "x", "y");
            if (newer) {
                add_ints(&f, "axes", 2, (int64_t[]){0, -1});
            } else {
                onnx_attr_ints(&n, "axes", 2, (int64_t[]){0, -1});
            }
            add_node(&f, n);
            add_input(&f, "x", ONNX_FLOAT, 4, (int64_t[]){1, 2, 2, 1});
            add_output(&f, "y");
            import(&f, newer ? cases[i].new_opset : cases[i].old_opset);
            const struct pare_node *node = only(&f, cases[i].means);
            assert_int_equal(node->n_in, 1);
            assert_int_equal(node->attr.n_axes, 2);
            assert_list(node->attr.axes, 2, (int[]){0, -1});
            done(&f);
        }
    }
    struct fixture f = one_node(onnx_node("ReduceMax", "n", "x", "y"), 11, 4, image);
    assert_int_equal(only(&f, PARE_OP_REDUCE_MAX)->attr.n_axes, -1);
    assert_true(only(&f, PARE_OP_REDUCE_MAX)->attr.keep_dims);
    done(&f);
}

static void old_slices_and_pads_are_attributes(void **state)
{
    (void)state;
    struct bytes n = onnx_node("Slice", "s", "x", "y");
    onnx_attr_ints(&n, "starts", 2, (int64_t[]){1, 0});
    onnx_attr_ints(&n, "ends", 2, (int64_t[]){3, INT64_MAX});
    onnx_attr_ints(&n, "axes", 2, (int64_t[]){2, -1});
    struct fixture f = one_node(n, 9, 4, image);
    const struct pare_attr *a = &only(&f, PARE_OP_SLICE)->attr;
    assert_true(a->n_axes == 2 && a->axes[0] == 2 && a->axes[1] == -1);
    assert_true(a->begin[0] == 1 && a->end[0] == 3 && a->end[1] == INT64_MAX && a->step[1] == 1);
    done(&f);
    n = onnx_node("Pad", "p", "x", "y");
    onnx_attr_ints(&n, "pads", 8, (int64_t[]){0, 0, 1, 2, 0, 0, 3, 4});
    onnx_attr_text(&n, "mode", "edge");
    f = one_node(n, 2 + 5, 4, image);
    a = &only(&f, PARE_OP_PAD)->attr;
    assert_true(a->n_axes == 4 && a->pad_before[3] == 2 && a->pad_after[2] == 3);
    assert_int_equal(a->pad_mode, PARE_PAD_EDGE);
    done(&f);
    n = onnx_node("Split", "s", "x", "y,z");
    onnx_attr_int(&n, "axis", 3);
    onnx_attr_ints(&n, "split", 2, (int64_t[]){1, 3});
    f = one_node(n, 11, 4, image);
    a = &only(&f, PARE_OP_SPLIT)->attr;
    assert_true(a->axis == 3 && a->n_sizes == 2 && a->sizes[1] == 3);
    done(&f);
}

static void softmax_remembers_its_age(void **state)
{
    (void)state;
    struct fixture f = one_node(onnx_node("Softmax", "s", "x", "y"), 11, 4, image);
    assert_false(only(&f, PARE_OP_SOFTMAX)->attr.newer_softmax);
    assert_int_equal(only(&f, PARE_OP_SOFTMAX)->attr.axis, 1);
    done(&f);
    f = one_node(onnx_node("Softmax", "s", "x", "y"), 13, 4, image);
    assert_true(only(&f, PARE_OP_SOFTMAX)->attr.newer_softmax);
    assert_int_equal(only(&f, PARE_OP_SOFTMAX)->attr.axis, -1);
    done(&f);
}

static void old_broadcast_gets_trailing_axes(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct bytes n = onnx_node("Add", "a", "x,b", "y");
    onnx_attr_int(&n, "broadcast", 1);
    onnx_attr_int(&n, "axis", 1);
    onnx_attr_ints(&n, "consumed_inputs", 2,
                   (int64_t[]){0, 0}); /* of operator set 1: has no meaning */
    add_node(&f, n);
    add_floats(&f, "b", 1, (int64_t[]){2});
    add_input(&f, "x", ONNX_FLOAT, 4, image);
    add_output(&f, "y");
    import(&f, 1);
    const struct pare_node *spread = producer(&f, only(&f, PARE_OP_ADD)->in[1]);
    assert_int_equal(spread->op, PARE_OP_UNSQUEEZE);
    assert_list(spread->attr.axes, 2, (int[]){1, 2});
    done(&f);
}

static void shape_and_reshape_are_read(void **state)
{
    (void)state;
    struct bytes n = onnx_node("Reshape", "r", "x", "y");
    onnx_attr_ints(&n, "shape", 2, (int64_t[]){1, -1});
    struct fixture f = one_node(n, 1, 4, image);
    int64_t dims[2];
    assert_int_equal(
        pare_tensor_const_ints(&f.g->tensors[only(&f, PARE_OP_RESHAPE)->in[1]], dims, 2), 2);
    assert_true(dims[1] == -1);
    done(&f);
    n = onnx_node("Shape", "s", "x", "y");
    onnx_attr_int(&n, "start", 1);
    f = one_node(n, 15, 4, image);
    assert_true(only(&f, PARE_OP_SHAPE)->attr.begin[0] == 1);
    assert_true(only(&f, PARE_OP_SHAPE)->attr.end[0] == INT64_MAX);
    done(&f);
    f = one_node(onnx_node("Transpose", "t", "x", "y"), 13, 4, image);
    assert_list(only(&f, PARE_OP_TRANSPOSE)->attr.perm, 4, (int[]){3, 2, 1, 0});
    done(&f);
}

/* ---- chains, copies, integers ---- */

static void many_operands_are_chained(void **state)
{
    (void)state;
    struct fixture f = one_node(onnx_node("Sum", "s", "x,x,x,x", "y"), 8, 4, image);
    assert_int_equal(count(&f, PARE_OP_ADD), 3);
    assert_int_equal(f.g->n_warnings, 0);
    done(&f);
    f = one_node(onnx_node("Max", "s", "x", "y"), 8, 4, image);
    assert_int_equal(count(&f, PARE_OP_IDENTITY), 1);
    done(&f);
    f = one_node(onnx_node("Mean", "s", "x,x", "y"), 8, 4, image);
    assert_int_equal(count(&f, PARE_OP_DIV), 1);
    done(&f);
    f = one_node(onnx_node("Dropout", "d", "x", "y,mask"), 7, 4, image);
    assert_int_equal(only(&f, PARE_OP_IDENTITY)->n_out, 1);
    done(&f);
}

static void linear_quantization_is_kept(void **state)
{
    (void)state;
    struct fixture f = {0};
    float s = 0.5f;
    add_node(&f, onnx_node("QuantizeLinear", "q", "x,s,z", "c"));
    add_node(&f, onnx_node("DequantizeLinear", "d", "c,s,z", "y"));
    onnx_put_message(&f.graph, 5, onnx_raw_tensor("s", ONNX_FLOAT, 0, NULL, &s, 4));
    onnx_put_message(&f.graph, 5, onnx_raw_tensor("z", ONNX_INT8, 0, NULL, "\3", 1));
    add_input(&f, "x", ONNX_FLOAT, 4, image);
    add_output(&f, "y");
    import(&f, 13);
    assert_int_equal(only(&f, PARE_OP_QUANTIZE)->attr.to, PARE_I8);
    assert_int_equal(only(&f, PARE_OP_QUANTIZE)->attr.axis, 1);
    assert_int_equal(only(&f, PARE_OP_DEQUANTIZE)->attr.to, PARE_F32);
    done(&f);
}

static void integer_products_run_in_float_only_where_exact(void **state)
{
    (void)state;
    for (int k = 100; k <= 300; k += 200) {
        struct fixture f = {0};
        add_node(&f, onnx_node("MatMulInteger", "m", "a,b,za", "y"));
        add_input(&f, "a", ONNX_UINT8, 2, (int64_t[]){4, k});
        add_input(&f, "b", ONNX_INT8, 2, (int64_t[]){k, 2});
        onnx_put_message(&f.graph, 5, onnx_raw_tensor("za", ONNX_UINT8, 0, NULL, "\x80", 1));
        add_output(&f, "y");
        import(&f, 10);
        assert_int_equal(f.g->n_unknown, k > 258);
        assert_int_equal(count(&f, PARE_OP_MATMUL), k <= 258);
        done(&f);
    }
    struct fixture f = {0};
    float s[1] = {0.5f};
    add_node(&f, onnx_node("QLinearConv", "q", "x,s,z,w,s,z,s,z,b", "y"));
    add_input(&f, "x", ONNX_UINT8, 4, image);
    onnx_put_message(&f.graph, 5, onnx_raw_tensor("s", ONNX_FLOAT, 0, NULL, s, 4));
    onnx_put_message(&f.graph, 5, onnx_raw_tensor("z", ONNX_UINT8, 0, NULL, "\x80", 1));
    onnx_put_message(&f.graph, 5,
                     onnx_raw_tensor("w", ONNX_UINT8, 4, (int64_t[]){1, 2, 1, 1}, "ab", 2));
    onnx_put_message(&f.graph, 5,
                     onnx_raw_tensor("b", ONNX_INT32, 1, (int64_t[]){1}, "\1\0\0\0", 4));
    add_output(&f, "y");
    import(&f, 10);
    assert_int_equal(count(&f, PARE_OP_DEQUANTIZE), 3);
    assert_int_equal(only(&f, PARE_OP_QUANTIZE)->attr.to, PARE_U8);
    assert_int_equal(only(&f, PARE_OP_CONV)->n_in, 3);
    done(&f);
}

/* ---- real networks ---- */

static void real_networks_have_no_unknown_operator(void **state)
{
    (void)state;
    static const char *const files[] = {
        "mnist/mnist_cnn.onnx", "mediapipe/palm_detection_lite.onnx",
        "mediapipe/hand_landmark_lite.onnx", "detectors/FastestDet.onnx"};
    if (test_models_dir() == NULL) {
        test_skip("no folder of models");
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct pare_graph *g;
        struct pare_error err = {0};
        if (pare_onnx_read(test_model(files[i]), &g, &err) != PARE_OK ||
            pare_graph_finish(g, files[i], &err) != PARE_OK) {
            fail_msg("%s: %s", err.where, err.message);
        }
        assert_int_equal(g->n_unknown, 0);
        assert_int_equal(g->n_warnings, 0);
        pare_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_encoding_gives_the_same_values),
        cmocka_unit_test(constants_are_aligned),
        cmocka_unit_test(constant_nodes_become_constants),
        cmocka_unit_test(initializers_are_no_inputs),
        cmocka_unit_test(clip_bounds_come_from_both_forms),
        cmocka_unit_test(axes_come_from_both_forms),
        cmocka_unit_test(old_slices_and_pads_are_attributes),
        cmocka_unit_test(softmax_remembers_its_age),
        cmocka_unit_test(old_broadcast_gets_trailing_axes),
        cmocka_unit_test(shape_and_reshape_are_read),
        cmocka_unit_test(many_operands_are_chained),
        cmocka_unit_test(linear_quantization_is_kept),
        cmocka_unit_test(integer_products_run_in_float_only_where_exact),
        cmocka_unit_test(real_networks_have_no_unknown_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
