/* Configurations of other tools: what is read, and what each mistake is called. */
#include "support.h"

#include <string.h>

#include "search/import.h"

static const struct pare_import_layer layers[] = {{"net/conv1", "conv1", "conv1.weight", "x", "y1"},
                                                  {"net/fc", "fc", "fc.weight", "y1", "y2"},
                                                  {"two/fc", "fc", "w", "x2", "y3"}};

static json_t *parse(const char *text, const char *kind)
{
    json_t *points = NULL;
    const char *found;
    struct pare_error err = {0};
    if (pare_import_parse(text, strlen(text), "f", layers, 3, &points, &found, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    assert_string_equal(found, kind);
    return points;
}

static const char *level(const json_t *points, size_t i, const char *layer)
{
    return pare_json_get_string(json_object_get(json_array_get(points, i), "config"), layer, "-");
}

static void refuse(const char *text, const char *message)
{
    json_t *points = NULL;
    const char *kind;
    struct pare_error err = {0};
    assert_int_equal(pare_import_parse(text, strlen(text), "f", layers, 3, &points, &kind, &err), PARE_ERR_FORMAT);
    assert_null(points);
    if (strstr(err.message, message) == NULL || strchr(err.message, '\n') != NULL) {
        fail_msg("expected '%s', found '%s'", message, err.message);
    }
}

static void tables(void **state)
{
    (void)state;
    json_t *p = parse("\xef\xbb\xbfrun,accuracy,other,net/conv1,\"two/fc\"\r\na,0.9,z,int8,w4a8\r\n\"b,\"\"c\"\"\",,,fp16,\n\n", "table of configurations");
    assert_int_equal(json_array_size(p), 2);
    assert_string_equal(level(p, 0, "net/conv1"), "w8a8");
    assert_string_equal(level(p, 0, "two/fc"), "w4a8");
    assert_string_equal(level(p, 1, "two/fc"), "-"); /* left out: fp32 */
    assert_string_equal(pare_json_get_string(json_array_get(p, 1), "label", ""), "b,\"c\"");
    assert_true(pare_json_get_real(json_object_get(json_array_get(p, 0), "claimed"), "accuracy") == 0.9);
    json_decref(p);
    refuse("", "the file: expected CSV or JSON");
    refuse("a,b\n1,2\n", "line 1: expected columns named as layers");
    refuse("fc\nint8\n", "line 1: expected STAGE/LAYER for a name that several stages have, found 'fc'");
    refuse("run,net/fc\na,int99\n", "line 2, column 2: expected a level such as int8 or w4a8, found 'int99'");
    refuse("accuracy,net/fc\nmuch,int8\n", "line 2, column 1: expected a number, found 'much'");
    refuse("run,net/fc\na,int8,int8\n", "line 2: expected as many cells as the header has, found '3'");
    refuse("run,net/fc\n", "at least one configuration");
}

static void debugger(void **state)
{
    (void)state;
    json_t *p = parse("op_name,tensor_idx,tensor_name\nCONV_2D,3,y1\nADD,4,other\nFULLY_CONNECTED,5,y3\n", "TFLite debugger");
    assert_int_equal(json_array_size(p), 1);
    assert_string_equal(level(p, 0, "net/conv1"), "w8a8");
    assert_string_equal(level(p, 0, "two/fc"), "w8a8");
    assert_string_equal(level(p, 0, "net/fc"), "-");
    json_decref(p);
    refuse("op_name,tensor_name\nADD,other\n", "tensor_name: expected outputs of this pipeline's layers");
}

static void encodings(void **state)
{
    (void)state;
    json_t *p = parse("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 4}], \"y1\": [{\"bitwidth\": 8}], \"x2\": [{\"bitwidth\": 16, \"dtype\": \"float\"}]},"
                      " \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 4, \"dtype\": \"int\"}], \"fc.weight\": [{\"bitwidth\": 8}],"
                      " \"fc.bias\": [{\"bitwidth\": 32}], \"w\": [{\"bitwidth\": 16, \"dtype\": \"float\"}]}}", "AIMET encodings");
    assert_string_equal(level(p, 0, "net/conv1"), "w4a4");
    assert_string_equal(level(p, 0, "net/fc"), "w8a8");
    assert_string_equal(level(p, 0, "two/fc"), "fp16");
    json_decref(p);
    refuse("{\"param_encodings\": {\"nothing\": [{\"bitwidth\": 8}]}}", "expected weights of this pipeline's layers");
    refuse("{\"param_encodings\": 3}", "/param_encodings: expected an object or a list");
    refuse("{\"param_encodings\": {\"w\": [{\"bitwidth\": 12}]}}", "two/fc: expected a level of ours (int 1 to 8 or w8a16, w16a16, float 16 or 32), found 'weights int12, activations none'");
    refuse("{\"param_encodings\": {}, \"param_encodings\": {}}", "duplicate");
    refuse("{\"else\": 1}", "/: expected param_encodings, encodings, a list of rows, or config");
    refuse("{\"param_encodings\"", "line 1");
}

/* 16 bits are what they are said to be: integers (simulated levels here) or floats. */
static void sixteen_bits(void **state)
{
    static const char *const files[][2] = {
        {"{\"activation_encodings\": {\"x\": [{\"bitwidth\": 16, \"dtype\": \"int\"}]}, \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 8}]}}", "w8a16"},
        {"{\"activation_encodings\": {\"x\": [{\"bitwidth\": 16}]}, \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 16, \"dtype\": \"int\"}]}}", "w16a16"},
        {"{\"activation_encodings\": {\"x\": [{\"bitwidth\": 16, \"dtype\": \"float\"}]}, \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 8}]}}", "w8a32"},
        {"{\"activation_encodings\": {\"x\": [{\"bitwidth\": 32}]}, \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 4}]}}", "w4a32"},
        {"{\"activation_encodings\": {}, \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 4}]}}", "w4a32"},
        {"{\"activation_encodings\": {\"x\": [{\"bitwidth\": 32, \"dtype\": \"float\"}]}, \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 32, \"dtype\": \"float\"}]}}", "fp32"}};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        json_t *p = parse(files[i][0], "AIMET encodings");
        assert_string_equal(level(p, 0, "net/conv1"), files[i][1]);
        json_decref(p);
    }
    refuse("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 16}]}, \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 4}]}}",
           "net/conv1: expected a level of ours (int 1 to 8 or w8a16, w16a16, float 16 or 32), found 'weights int4, activations int16'");
    refuse("{\"activation_encodings\": {\"x\": [{\"bitwidth\": 8}]}, \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 16, \"dtype\": \"float\"}]}}",
           "found 'weights float16, activations int8'");
}

/* The file that AIMET loads back into torch names modules and their ports. */
static void nested_activations(void **state)
{
    (void)state;
    json_t *p = parse("{\"version\": \"0.6.1\", \"activation_encodings\": {\"conv1\": {\"input\": {\"0\": {\"bitwidth\": 16, \"dtype\": \"int\"}}, \"output\": {\"0\":"
                      " {\"bitwidth\": 4, \"dtype\": \"int\"}}}, \"other\": {\"output\": [{\"bitwidth\": 2}]}, \"another\": {\"output\": {\"0\": {\"bitwidth\": 2}}}},"
                      " \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 8, \"dtype\": \"int\"}, {\"bitwidth\": 8}], \"fc.weight\": [{\"bitwidth\": 8}], \"w\": [{\"bitwidth\": 8}]}}",
                      "AIMET encodings");
    assert_string_equal(level(p, 0, "net/conv1"), "w8a16");
    assert_string_equal(level(p, 0, "net/fc"), "w8a4");  /* reads what conv1 writes */
    assert_string_equal(level(p, 0, "two/fc"), "w8a2"); /* nothing known of it: the most frequent */
    json_decref(p);
}

static void lists_of_encodings(void **state)
{
    (void)state;
    json_t *p = parse("{\"version\": \"1.0.0\", \"activation_encodings\": [{\"name\": \"q\", \"bw\": 8, \"dtype\": \"INT\"}, {\"name\": \"y1\", \"bw\": 16, \"dtype\": \"INT\"},"
                      " {\"name\": \"q2\", \"bw\": 8, \"dtype\": \"INT\"}], \"param_encodings\": [{\"name\": \"conv1.weight\", \"bw\": 8, \"compressed_bw\": 4, \"dtype\": \"INT\","
                      " \"enc_type\": \"LPBQ\"}, {\"name\": \"fc.weight\", \"bw\": 16, \"dtype\": \"INT\", \"enc_type\": \"PER_CHANNEL\"}]}", "AIMET encodings");
    assert_string_equal(level(p, 0, "net/conv1"), "w4a8"); /* its input is not listed: the most frequent */
    assert_string_equal(level(p, 0, "net/fc"), "w16a16");
    json_decref(p);
    p = parse("{\"version\": \"2.0.0\", \"encodings\": [{\"name\": \"x\", \"output_dtype\": \"uint16\", \"y_scale\": 0.1}, {\"name\": \"conv1.weight\", \"output_dtype\": \"int8\","
              " \"axis\": 0, \"y_scale\": [0.1, 0.2]}, {\"name\": \"conv1.bias\", \"output_dtype\": \"int32\"}, {\"name\": \"y1\", \"output_dtype\": \"uint8\"},"
              " {\"name\": \"fc.weight\", \"output_dtype\": \"int4\"}, {\"name\": \"y2\", \"output_dtype\": \"uint8\"}]}", "AIMET encodings");
    assert_string_equal(level(p, 0, "net/conv1"), "w8a16");
    assert_string_equal(level(p, 0, "net/fc"), "w4a8");
    assert_string_equal(level(p, 0, "two/fc"), "-"); /* its output y2 is no weight */
    json_decref(p);
    p = parse("{\"version\": \"2.0.0\", \"activation_encodings\": [{\"name\": \"x\", \"output_dtype\": \"float16\"}], \"param_encodings\": [{\"name\": \"conv1.weight\","
              " \"output_dtype\": \"float16\"}]}", "AIMET encodings");
    assert_string_equal(level(p, 0, "net/conv1"), "fp16");
    json_decref(p);
    refuse("{\"encodings\": [{\"name\": \"w\", \"output_dtype\": \"float8e4m3fn\"}]}", "two/fc: expected int or float bits, found 'float8e4m3fn'");
    refuse("{\"encodings\": [{\"name\": \"y2\", \"output_dtype\": \"int8\"}]}", "/encodings: expected weights of this pipeline's layers");
}

static void accuracy_lists(void **state)
{
    (void)state;
    json_t *p = parse("[[[\"conv1\", \"y2\"], [[8, \"int\"], [4, \"int\"]], 0.91, 0.5], [\"two/fc\", [[16, \"float\"], [16, \"float\"]], 0.95],"
                      " [[\"some activation\"], [[8, \"int\"], [8, \"int\"]], 0.5]]", "AIMET accuracy list");
    assert_int_equal(json_array_size(p), 2); /* the third changes no layer */
    assert_string_equal(level(p, 0, "net/conv1"), "w4a8");
    assert_string_equal(level(p, 0, "net/fc"), "w4a8");
    assert_string_equal(level(p, 1, "two/fc"), "fp16");
    assert_true(pare_json_get_real(json_object_get(json_array_get(p, 1), "claimed"), "accuracy") == 0.95);
    json_decref(p);
    /* as AIMET itself writes accuracy_list.json */
    p = parse("[[[[\"input\", \"two/fc\"], [\"output\", \"conv1\"], [\"weight\", \"net/fc\"]], \"((16, <QuantizationDataType.int: 1>), (8, <QuantizationDataType.int: 1>))\", 0.9, 12],"
              " [[[\"activation\", \"y1\"]], \"((8, <QuantizationDataType.int: 1>),)\", 0.8, 1],"
              " [[[\"weight\", \"conv1\"]], \"((16, <QuantizationDataType.float: 2>), (16, <QuantizationDataType.float: 2>))\", 0.99, 0]]", "AIMET accuracy list");
    assert_int_equal(json_array_size(p), 2); /* activations alone change no layer */
    assert_string_equal(level(p, 0, "net/fc"), "w8a16");
    assert_string_equal(level(p, 0, "net/conv1"), "-"); /* its output, not its level */
    assert_string_equal(level(p, 0, "two/fc"), "-");
    assert_string_equal(level(p, 1, "net/conv1"), "fp16");
    json_decref(p);
    refuse("[[\"conv1\", [[8, \"what\"], [8, \"int\"]], 0.9]]", "row 1: expected a candidate");
    refuse("[[\"conv1\", \"((8, int), (8, int))\", 0.9]]", "row 1: expected a candidate");
    refuse("[[\"conv1\", [[8, \"int\"], [8, \"int\"]], \"x\"]]", "row 1: expected a score");
    refuse("[[3, [[8, \"int\"], [8, \"int\"]], 0.9]]", "row 1: expected names in the group");
    refuse("[[\"conv1\", [[16, \"int\"], [4, \"int\"]], 0.9]]", "found 'weights int4, activations int16'");
    refuse("[]", "at least one configuration");
    refuse("\x80\x04\x95\x10.", "the file: expected CSV or JSON (AIMET writes accuracy_list.json beside accuracy_list.pkl), found 'a Python pickle'");
}

static void names_of_several_stages(void **state)
{
    (void)state;
    refuse("op_name,tensor_name\nADD,fc\n", "tensor_name: expected names of one stage (STAGE=FILE says which), found 'fc'");
    refuse("{\"param_encodings\": {\"fc\": [{\"bitwidth\": 8}]}}", "/param_encodings: expected names of one stage");
    refuse("[[\"fc\", [[8, \"int\"], [8, \"int\"]], 0.9]]", "row 1: expected names of one stage");
}

static void own_configurations(void **state)
{
    (void)state;
    json_t *p = parse("{\"config\": {\"net/fc\": \"int8\"}}", "configuration");
    assert_string_equal(level(p, 0, "net/fc"), "int8");
    json_decref(p);
    refuse("{\"config\": {\"nothing\": \"int8\"}}", "/config: expected layers of this pipeline with their levels, found 'nothing'");
}

/* A TFLite model's weights are named by the converter, AIMET's by modules. */
static void modules_of_tflite(void **state)
{
    static const struct pare_import_layer tflite[] = {
        {"m/model/activation/Relu", "model/activation/Relu", "model/conv2d/Conv2D", "input", "model/activation/Relu;model/conv2d/BiasAdd"},
        {"m/model/activation_1/Relu", "model/activation_1/Relu",
         "model/batch_normalization_1/FusedBatchNormV3;model/depthwise_conv2d/depthwise;model/conv2d_1/Conv2D_dequantize", "y0", "y1"},
        {"m/Identity", "Identity", "model/dense/MatMul", "y1", "Identity"},
        {"m/a", "a", "model/left/twin/Conv2D", "y1", "y3"},
        {"m/b", "b", "model/right/twin/Conv2D", "y1", "y4"}};
    static const char text[] =
        "{\"activation_encodings\": {\"conv2d\": {\"input\": {\"0\": {\"bitwidth\": 8}}}, \"z\": {\"input\": {\"0\": {\"bitwidth\": 4}}}, "
        "\"zz\": {\"input\": {\"0\": {\"bitwidth\": 4}}}}, "
        "\"param_encodings\": {\"conv2d/kernel:0\": [{\"bitwidth\": 8}], \"model/depthwise_conv2d/depthwise_kernel:0\": [{\"bitwidth\": 4}], "
        "\"dense.weight\": [{\"bitwidth\": 2}], \"dense.bias\": [{\"bitwidth\": 8}], \"conv2d_1/kernel:0\": [{\"bitwidth\": 8}], "
        "\"twin/kernel:0\": [{\"bitwidth\": 8}], \"right/twin/kernel:0\": [{\"bitwidth\": 4}], \"d/kernel:0\": [{\"bitwidth\": 8}]}}";
    json_t *p = NULL;
    const char *kind;
    struct pare_error err = {0};
    (void)state;
    if (pare_import_parse(text, strlen(text), "f", tflite, 5, &p, &kind, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    assert_string_equal(level(p, 0, "m/model/activation/Relu"), "w8a8");
    assert_string_equal(level(p, 0, "m/model/activation_1/Relu"), "w4a4");
    assert_string_equal(level(p, 0, "m/Identity"), "w2a4");
    assert_string_equal(level(p, 0, "m/a"), "-"); /* twin may be either */
    assert_string_equal(level(p, 0, "m/b"), "w4a4");
    const json_t *unknown = json_object_get(json_array_get(p, 0), "unknown");
    assert_int_equal(json_array_size(unknown), 3);
    assert_string_equal(json_string_value(json_array_get(unknown, 0)), "conv2d_1/kernel:0");
    assert_string_equal(json_string_value(json_array_get(unknown, 1)), "twin/kernel:0");
    assert_string_equal(json_string_value(json_array_get(unknown, 2)), "d/kernel:0");
    json_decref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(debugger), cmocka_unit_test(encodings), cmocka_unit_test(sixteen_bits),
                                       cmocka_unit_test(nested_activations), cmocka_unit_test(lists_of_encodings),
                                       cmocka_unit_test(accuracy_lists), cmocka_unit_test(names_of_several_stages), cmocka_unit_test(own_configurations),
                                       cmocka_unit_test(modules_of_tflite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
