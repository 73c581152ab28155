/*
 * Hostile ONNX files that parse: their meaning, size and time (the O list of the robustness reference). Each is written byte by
 * byte; the importer must give one clear error, or a graph that pare_graph_finish accepts or refuses. Sanitizers see the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "unit/onnx_hostile.h"

/* ---- O22 to O36: meaning ---- */

static void external_data_is_refused(void **state)
{
    (void)state;
    static const char *const places[] = {"weights.bin", "../x", "a/../../b",
                                         "/etc/passwd", "~/x",  ""};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct bytes t = onnx_tensor("w", ONNX_FLOAT, 1, (int64_t[]){4}), pair = {0};
        onnx_put_text(&pair, 1, "location");
        onnx_put_text(&pair, 2, places[i]);
        onnx_put_message(&t, 13, pair);
        onnx_put_int(&t, 14, 1);
        refuse(model_with_tensor(t), "in another file");
    }
}

static void cycles_are_refused(void **state)
{
    (void)state;
    struct bytes g = {0};
    onnx_put_message(&g, 1, onnx_node("Add", "a", "x,q", "p"));
    onnx_put_message(&g, 1, onnx_node("Relu", "b", "p", "q"));
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 1, (int64_t[]){4}));
    onnx_put_message(&g, 12, onnx_value("q", ONNX_FLOAT, 1, (int64_t[]){4}));
    refuse(onnx_model(13, g), "cycle");
    refuse(model_with_node(onnx_node("Add", "self", "x,y", "y"), 1, (int64_t[]){4}), "cycle");
}

static void unsorted_nodes_are_accepted(void **state)
{
    (void)state;
    struct bytes g = {0};
    onnx_put_message(&g, 1, onnx_node("Relu", "b", "p", "y"));
    onnx_put_message(&g, 1, onnx_node("Neg", "a", "x", "p"));
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 1, (int64_t[]){4}));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 1, (int64_t[]){4}));
    accept(onnx_model(13, g), 0);
}

static void duplicate_names_are_refused(void **state)
{
    (void)state;
    struct bytes g = onnx_small_graph();
    float v[3] = {0};
    onnx_put_message(&g, 5, onnx_raw_tensor("b", ONNX_FLOAT, 1, (int64_t[]){3}, v, 12));
    refuse(onnx_model(13, g), "two initializers");
    g = onnx_small_graph();
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 4, (int64_t[]){1, 2, 4, 4}));
    refuse(onnx_model(13, g), "two graph inputs");
    g = onnx_small_graph();
    onnx_put_message(&g, 1, onnx_node("Relu", "again", "c", "r"));
    refuse(onnx_model(13, g), "another node");
    g = onnx_small_graph();
    onnx_put_message(&g, 1, onnx_node("Relu", "again", "c", "w"));
    refuse(onnx_model(13, g), "a constant");
    g = onnx_small_graph();
    struct bytes n = onnx_node("Constant", "again", "", "r");
    onnx_attr_int(&n, "value_int", 3);
    onnx_put_message(&g, 1, n);
    refuse(onnx_model(13, g), "made elsewhere");
}

static void missing_ends_are_refused(void **state)
{
    (void)state;
    const int64_t four[1] = {4};
    refuse(model_with_node(onnx_node("Relu", "n", "nowhere", "y"), 1, four), "nothing produces");
    refuse(model_with_node(onnx_node("Add", "n", "x", "y"), 1, four), "input 1 is missing");
    refuse(model_with_node(onnx_node("Add", "n", ",x", "y"), 1, four), "input 0 is missing");
    refuse(model_with_node(onnx_node("Add", "n", "x,x,x", "y"), 1, four), "expected at most 2");
    refuse(model_with_node(onnx_node("Relu", "n", "x", ""), 1, four), "no outputs");
    refuse(model_with_node(onnx_node("Relu", "n", "x", "z"), 1, four), "graph output 'y'");
    refuse(model_with_node(onnx_node("", "n", "x", "y"), 1, four), "no operator");
    accept(model_with_node(onnx_node("Clip", "n", "x,,", "y"), 1, four), 0);
}

static struct bytes model_with_opset(int64_t version, const char *domain, int times)
{
    struct bytes m = {0};
    onnx_put_int(&m, 1, 8);
    for (int i = 0; i < times; i++) {
        struct bytes o = {0};
        onnx_put_text(&o, 1, domain);
        onnx_put_int(&o, 2, version);
        onnx_put_message(&m, 8, o);
    }
    onnx_put_message(&m, 7, onnx_small_graph());
    return m;
}

static void bad_versions_are_refused(void **state)
{
    (void)state;
    refuse(model_with_opset(0, "", 1), "operator set 0");
    refuse(model_with_opset(9999, "", 1), "operator set 9999");
    refuse(model_with_opset(-1, "", 1), "operator set -1");
    refuse(model_with_opset(13, "", 0), "no operator set");
    refuse(model_with_opset(13, "", 2), "two operator sets");
    refuse(model_with_opset(13, "ai.onnx.ml", 1), "no operator set");
    accept(model_with_opset(13, "ai.onnx", 1), 0);
    struct bytes m = {0};
    onnx_put_message(&m, 7, onnx_small_graph());
    refuse(m, "no ir_version");
    m = (struct bytes){0};
    onnx_put_int(&m, 1, 9999);
    onnx_put_message(&m, 7, onnx_small_graph());
    refuse(m, "ir_version 9999");
    m = onnx_model(13, onnx_small_graph());
    onnx_put_message(&m, 7, onnx_small_graph());
    refuse(m, "two graphs");
}

static void unknown_operators_are_listed(void **state)
{
    (void)state;
    struct bytes g = onnx_small_graph(), n = onnx_node("Wobble", "wobble", "c", "u");
    onnx_put_message(&g, 1, n);
    n = onnx_node("Conv", "theirs", "c", "v");
    onnx_put_text(&n, 7, "com.example");
    onnx_put_message(&g, 1, n);
    struct bytes m = onnx_model(13, g);
    struct pare_graph *graph;
    struct pare_error err;
    assert_int_equal(pare_onnx_parse(m.data, m.size, "m.onnx", &graph, &err), PARE_OK);
    assert_int_equal(pare_graph_finish(graph, "m.onnx", &err), PARE_OK);
    assert_int_equal(graph->n_unknown, 2);
    assert_int_equal(graph->n_warnings, 2);
    assert_non_null(strstr(graph->warnings[0], "wobble"));
    assert_non_null(strstr(graph->warnings[1], "com.example::Conv"));
    pare_graph_free(graph);
    free(m.data);
}

/* A local function f of the domain "d" whose body calls `callee`, behind `ifs` subgraphs. */
static struct bytes local_function(const char *name, const char *callee, int ifs)
{
    struct bytes f = {0}, n = onnx_node(callee, "", "x", "y");
    onnx_put_text(&n, 7, "d");
    for (int i = 0; i < ifs; i++) {
        struct bytes outer = onnx_node("If", "", "x", "y"), a = onnx_attr("else_branch", 5),
                     g = {0};
        onnx_put_message(&g, 1, n);
        onnx_put_message(&a, 6, g);
        onnx_put_message(&outer, 5, a);
        n = outer;
    }
    onnx_put_text(&f, 1, name);
    onnx_put_message(&f, 7, n);
    onnx_put_text(&f, 10, "d");
    return f;
}

static void recursive_functions_are_refused(void **state)
{
    (void)state;
    for (int ifs = 0; ifs < 3; ifs++) {
        struct bytes m = onnx_model(13, onnx_small_graph());
        onnx_put_message(&m, 25, local_function("f", "f", ifs));
        refuse(m, "'f' calls itself");
        m = onnx_model(13, onnx_small_graph());
        onnx_put_message(&m, 25, local_function("f", "g", 0));
        onnx_put_message(&m, 25, local_function("g", "h", ifs));
        onnx_put_message(&m, 25, local_function("h", "g", 0));
        refuse(m, "calls itself");
    }
    struct bytes m = onnx_model(13, onnx_small_graph());
    onnx_put_message(&m, 25, local_function("f", "g", 1));
    onnx_put_message(&m, 25, local_function("g", "elsewhere", 1));
    accept(m, 1);
    m = onnx_model(13, onnx_small_graph());
    onnx_put_message(&m, 25, local_function("f", "g", 1));
    onnx_put_message(&m, 25, local_function("f", "h", 1));
    refuse(m, "two local functions");
}

static void conv_with(const char *attr, int count, const int64_t *values, const char *text)
{
    struct bytes g = {0}, n = onnx_node("Conv", "conv", "x,w", "y");
    float w[54] = {0};
    if (count == 0) {
        onnx_attr_int(&n, attr, values[0]);
    } else {
        onnx_attr_ints(&n, attr, count, values);
    }
    onnx_put_message(&g, 1, n);
    onnx_put_message(&g, 5,
                     onnx_raw_tensor("w", ONNX_FLOAT, 4, (int64_t[]){3, 2, 3, 3}, w, sizeof w));
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 4, (int64_t[]){1, 2, 4, 4}));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 0, NULL));
    refuse(onnx_model(13, g), text);
}

static void bad_windows_are_refused(void **state)
{
    (void)state;
    conv_with("group", 0, (int64_t[]){0}, "'group' is 0");
    conv_with("group", 0, (int64_t[]){2}, "multiple of the 2 groups");
    conv_with("group", 0, (int64_t[]){1ll << 40}, "'group' is 1099511627776");
    conv_with("group", 0, (int64_t[]){3}, "has 2 channels, expected 6");
    conv_with("strides", 2, (int64_t[]){0, 1}, "'strides' holds 0");
    conv_with("strides", 3, (int64_t[]){1, 1, 1}, "'strides' has 3 numbers, expected 2");
    conv_with("dilations", 2, (int64_t[]){1, 0}, "'dilations' holds 0");
    conv_with("dilations", 1, (int64_t[]){1}, "'dilations' has 1 numbers");
    conv_with("pads", 4, (int64_t[]){0, 0, -1, 0}, "'pads' holds -1");
    conv_with("pads", 2, (int64_t[]){0, 0}, "'pads' has 2 numbers, expected 4");
    conv_with("pads", 4, (int64_t[]){1ll << 33, 0, 0, 0}, "'pads' holds");
    conv_with("kernel_shape", 2, (int64_t[]){5, 5}, "expected the kernel's 5");
    conv_with("kernel_shape", 1, (int64_t[]){3}, "rank 4, expected 3");
    conv_with("kernel_shape", 2, (int64_t[]){-3, 3}, "'kernel_shape' holds -3");
    conv_with("strides", 0, (int64_t[]){1}, "expected a list of integers");
}

static void repeated_and_mistyped_attributes_are_refused(void **state)
{
    (void)state;
    struct bytes n = onnx_node("Softmax", "s", "x", "y");
    onnx_attr_int(&n, "axis", 0);
    onnx_attr_int(&n, "axis", 0);
    refuse(model_with_node(n, 1, (int64_t[]){4}), "given twice");
    n = onnx_node("Softmax", "s", "x", "y");
    onnx_attr_float(&n, "axis", 1.0f);
    refuse(model_with_node(n, 1, (int64_t[]){4}), "expected an integer");
    n = onnx_node("LeakyRelu", "s", "x", "y");
    onnx_attr_float(&n, "alpha", NAN);
    refuse(model_with_node(n, 1, (int64_t[]){4}), "not a finite number");
    n = onnx_node("Transpose", "s", "x", "y");
    onnx_attr_ints(&n, "perm", 2, (int64_t[]){0, 0});
    refuse(model_with_node(n, 2, (int64_t[]){4, 4}), "no permutation");
}

static struct bytes quantize_with(float scale, int zero_type, int n_zero)
{
    struct bytes g = {0}, n = onnx_node("QuantizeLinear", "q", "x,s,z", "y");
    onnx_put_message(&g, 1, n);
    onnx_put_message(&g, 5, onnx_raw_tensor("s", ONNX_FLOAT, 0, NULL, &scale, 4));
    onnx_put_message(&g, 5,
                     onnx_raw_tensor("z", zero_type, 1, (int64_t[]){n_zero}, "\0\0\0\0",
                                     (size_t)n_zero * (zero_type == ONNX_FLOAT ? 4 : 1)));
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 1, (int64_t[]){4}));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_UINT8, 1, (int64_t[]){4}));
    return onnx_model(13, g);
}

static void bad_grids_are_refused(void **state)
{
    (void)state;
    accept(quantize_with(0.5f, ONNX_UINT8, 1), 0);
    accept(quantize_with(1e-40f, ONNX_UINT8, 1), 0);
    refuse(quantize_with(0.0f, ONNX_UINT8, 1), "scale 0 is 0");
    refuse(quantize_with(-1.0f, ONNX_UINT8, 1), "scale 0 is -1");
    refuse(quantize_with(NAN, ONNX_UINT8, 1), "expected a positive number");
    refuse(quantize_with(INFINITY, ONNX_UINT8, 1), "expected a positive number");
    refuse(quantize_with(0.5f, ONNX_FLOAT, 1), "expected an integer type");
    refuse(quantize_with(0.5f, ONNX_UINT8, 3), "3 zero points and 1 scales");
}

static void non_finite_weights_are_warned_about(void **state)
{
    (void)state;
    float v[4] = {1.0f, NAN, INFINITY, 0.0f};
    accept(model_with_tensor(onnx_raw_tensor("w", ONNX_FLOAT, 1, (int64_t[]){4}, v, 16)), 1);
    accept(model_with_tensor(onnx_raw_tensor("w", ONNX_HALF, 1, (int64_t[]){1}, "\x00\x7c", 2)), 1);
}

static void odd_names_are_warned_about(void **state)
{
    (void)state;
    char *endless = malloc((1 << 20) + 1);
    memset(endless, 'n', 1 << 20);
    endless[1 << 20] = '\0';
    const struct {
        const char *name;
        size_t size;
    } odd[] = {{"a\0b", 3},
               {"\xff\xfe", 2},
               {"\x1b]0;owned\a", 10},
               {"\xe2\x80\xae"
                "evil",
                7},
               {endless, 1 << 20}};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct bytes g = {0}, n = {0};
        onnx_put_text(&n, 1, "x");
        onnx_put_bytes(&n, 2, odd[i].name, odd[i].size);
        onnx_put_bytes(&n, 3, odd[i].name, odd[i].size);
        onnx_put_text(&n, 4, "Relu");
        onnx_put_message(&g, 1, n);
        n = (struct bytes){0};
        onnx_put_bytes(&n, 1, odd[i].name, odd[i].size);
        onnx_put_text(&n, 2, "y");
        onnx_put_text(&n, 4, "Neg");
        onnx_put_message(&g, 1, n);
        onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 1, (int64_t[]){4}));
        onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 1, (int64_t[]){4}));
        accept(onnx_model(13, g), 1);
    }
    free(endless);
}

/* "a\0b" and "a\0c" are two tensors, although they begin alike. */
static void names_are_compared_whole(void **state)
{
    (void)state;
    struct bytes g = {0}, n = {0};
    onnx_put_text(&n, 1, "x");
    onnx_put_bytes(&n, 2, "a\0b", 3);
    onnx_put_text(&n, 4, "Relu");
    onnx_put_message(&g, 1, n);
    n = (struct bytes){0};
    onnx_put_bytes(&n, 1, "a\0c", 3);
    onnx_put_text(&n, 2, "y");
    onnx_put_text(&n, 4, "Neg");
    onnx_put_message(&g, 1, n);
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 1, (int64_t[]){4}));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 1, (int64_t[]){4}));
    refuse(onnx_model(13, g), "nothing produces");
}

/* ---- O37, O40, O41: size and time ---- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A chain of Identity nodes whose names share a long prefix. */
static double time_chain(int count)
{
    struct bytes g = {0};
    char a[128] = "x", b[128];
    for (int i = 0; i < count; i++) {
        snprintf(b, sizeof b, "the/same/long/prefix/of/every/name/in/this/graph/%07d", i);
        onnx_put_message(&g, 1, onnx_node("Identity", "", a, b));
        memcpy(a, b, sizeof a);
    }
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 1, (int64_t[]){4}));
    onnx_put_message(&g, 12, onnx_value(a, ONNX_FLOAT, 1, (int64_t[]){4}));
    struct bytes m = onnx_model(13, g);
    double start = seconds();
    accept(m, 0);
    return seconds() - start;
}

static void time_is_linear_in_nodes(void **state)
{
    (void)state;
    double small = time_chain(10000), large = time_chain(100000);
    print_message("10,000 nodes %.3f s, 100,000 nodes %.3f s\n", small, large);
    assert_true(large < 40.0 * small + 0.5); /* quadratic would be 100 times */
}

static void many_inputs_are_linear(void **state)
{
    (void)state;
    struct bytes g = {0}, n = {0};
    for (int i = 0; i < 100000; i++) {
        onnx_put_text(&n, 1, "x");
    }
    onnx_put_text(&n, 2, "y");
    onnx_put_text(&n, 4, "Concat");
    onnx_attr_int(&n, "axis", 0);
    onnx_put_message(&g, 1, n);
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 1, (int64_t[]){4}));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 1, (int64_t[]){400000}));
    double start = seconds();
    accept(onnx_model(13, g), 0);
    assert_true(seconds() - start < 2.0);
}

static void oversized_files_are_refused(void **state)
{
    (void)state;
    char path[4096];
    struct pare_graph *g;
    struct pare_error err;
    snprintf(path, sizeof path, "%s/big.onnx", test_temp_dir());
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    int sparse = ftruncate(fd, (off_t)3 << 30);
    close(fd);
    assert_int_equal(sparse, 0);
    assert_int_equal(pare_onnx_read(path, &g, &err), PARE_ERR_FORMAT);
    assert_null(g);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(pare_onnx_read(path, &g, &err), PARE_ERR_FORMAT);
    unlink(path);
    assert_int_equal(pare_onnx_read(path, &g, &err), PARE_ERR_NOINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(external_data_is_refused),
        cmocka_unit_test(cycles_are_refused),
        cmocka_unit_test(unsorted_nodes_are_accepted),
        cmocka_unit_test(duplicate_names_are_refused),
        cmocka_unit_test(missing_ends_are_refused),
        cmocka_unit_test(bad_versions_are_refused),
        cmocka_unit_test(unknown_operators_are_listed),
        cmocka_unit_test(recursive_functions_are_refused),
        cmocka_unit_test(bad_windows_are_refused),
        cmocka_unit_test(repeated_and_mistyped_attributes_are_refused),
        cmocka_unit_test(bad_grids_are_refused),
        cmocka_unit_test(non_finite_weights_are_warned_about),
        cmocka_unit_test(odd_names_are_warned_about),
        cmocka_unit_test(names_are_compared_whole),
        cmocka_unit_test(time_is_linear_in_nodes),
        cmocka_unit_test(many_inputs_are_linear),
        cmocka_unit_test(oversized_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
