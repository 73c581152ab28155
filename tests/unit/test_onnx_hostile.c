/*
 * Damaged ONNX files: the wire, depth, tensors (the O list of the robustness reference). Each is written byte by
 * byte; the importer must give one clear error, or a graph that pare_graph_finish accepts or refuses. Sanitizers see the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "unit/onnx_hostile.h"

/* ---- O1 to O8: the wire ---- */

static void empty_and_single_bytes_are_refused(void **state)
{
    (void)state;
    refuse(text_bytes("", 0), "empty");
    for (int i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        refuse(text_bytes(&byte, 1), "");
    }
}

static void every_prefix_is_handled(void **state)
{
    (void)state;
    struct bytes m = onnx_model(13, onnx_small_graph());
    struct pare_error err;
    for (size_t n = 0; n < m.size; n++) {
        parse_bytes(m.data, n, &err, NULL);
    }
    accept(m, 0);
}

static void random_bytes_are_handled(void **state)
{
    (void)state;
    uint32_t seed = 7;
    uint8_t data[512];
    struct pare_error err;
    for (int round = 0; round < 3000; round++) {
        size_t n = test_random(&seed) % sizeof data;
        for (size_t i = 0; i < n; i++) {
            data[i] = (uint8_t)(test_random(&seed) >> 8);
        }
        assert_int_not_equal(parse_bytes(data, n, &err, NULL), PARE_OK);
    }
}

static void trailing_junk_is_refused(void **state)
{
    (void)state;
    static const char *const junk[] = {"\xff\xff\xff", "junk", "\x07", "\x0a\x7f"};
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        struct bytes m = onnx_model(13, onnx_small_graph());
        onnx_put(&m, junk[i], strlen(junk[i]));
        refuse(m, "byte ");
    }
}

static void bad_varints_are_refused(void **state)
{
    (void)state;
    refuse(text_bytes("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12), "more than");
    refuse(text_bytes("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11), "more than 64 bits");
    refuse(text_bytes("\x08\xff\xff", 3), "does not end");
    refuse(text_bytes("\xff", 1), "does not end");
}

static void huge_lengths_are_refused(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {1ull << 31, 1ull << 32, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct bytes m = {0};
        onnx_put_tag(&m, 7, 2);
        onnx_put_varint(&m, lengths[i]);
        onnx_put(&m, "xxxx", 4);
        refuse(m, "beyond the end");
    }
}

static void bad_tags_are_refused(void **state)
{
    (void)state;
    refuse(text_bytes("\x00\x01", 2), "field number 0");
    refuse(text_bytes("\x0b\x0c", 2), "group");
    refuse(text_bytes("\x0c", 1), "group");
    refuse(text_bytes("\x0e\x00", 2), "wire type 6 or 7");
    refuse(text_bytes("\x0f\x00", 2), "wire type 6 or 7");
    refuse(text_bytes("\xf8\xff\xff\xff\xff\x01", 6), "field number above");
    refuse(text_bytes("\x3a", 1), "does not end");
    refuse(text_bytes("\x38\x01", 2), "expected a length and bytes"); /* the graph as a number */
}

static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct bytes m = onnx_model(13, onnx_small_graph());
    onnx_put_int(&m, 1000, 5);
    onnx_put_text(&m, 536870911, "later");
    onnx_put_float(&m, 77, 1.0f);
    accept(m, 0);
}

/* ---- O10, O11: depth ---- */

static void nested_types_are_refused(void **state)
{
    (void)state;
    struct bytes type = {0}, v = {0}, g = onnx_small_graph();
    /* From the inside out, every level copies the ones inside: 20,000 levels in reverse are cheap.
     */
    size_t size = 0;
    uint8_t *reversed = malloc(20000 * 12);
    for (int i = 0; i < 20000; i++) {
        uint64_t length = size;
        uint8_t head[12];
        int k = 0;
        do {
            head[k++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
            length >>= 7;
        } while (length != 0);
        for (int b = k - 1; b >= 0; b--) {
            reversed[size++] = head[b];
        }
        reversed[size++] = i % 2 == 0 ? 0x0a : 0x22; /* elem_type, sequence_type */
    }
    for (size_t i = size; i > 0; i--) {
        onnx_put(&type, &reversed[i - 1], 1);
    }
    free(reversed);
    onnx_put_text(&v, 1, "deep");
    onnx_put_message(&v, 2, type);
    onnx_put_message(&g, 13, v);
    refuse(onnx_model(13, g), "nested more than 100 deep");
}

static struct bytes nested_if(int depth)
{
    struct bytes g = {0};
    for (int i = 0; i < depth; i++) {
        struct bytes n = onnx_node("If", "", "x", "y"), a = onnx_attr("then_branch", 5),
                     outer = {0};
        onnx_put_message(&a, 6, g);
        onnx_put_message(&n, 5, a);
        onnx_put_message(&outer, 1, n);
        g = outer;
    }
    onnx_put_message(&g, 11, onnx_value("x", ONNX_BOOL, 0, NULL));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 0, NULL));
    return onnx_model(13, g);
}

static void nested_if_is_refused(void **state)
{
    (void)state;
    accept(nested_if(5), 1);
    refuse(nested_if(100), "nested more than 100 deep");
    refuse(nested_if(2000), "nested more than 100 deep");
}

/* ---- O12 to O21: tensors ---- */

static void packed_and_single_dims_mix(void **state)
{
    (void)state;
    struct bytes t = {0};
    onnx_put_int(&t, 1, 1);
    onnx_put_bytes(&t, 1, "\x01\x02", 2);
    onnx_put_int(&t, 1, 2);
    onnx_put_int(&t, 2, ONNX_FLOAT);
    onnx_put_text(&t, 8, "w");
    onnx_put_float(&t, 4, 1.0f);
    onnx_put_bytes(&t, 4, "\0\0\0\0\0\0\0\0", 8);
    onnx_put_float(&t, 4, 2.0f);
    accept(model_with_tensor(t), 0);
    t = onnx_tensor("w", ONNX_FLOAT, 1, (int64_t[]){4});
    onnx_put_bytes(&t, 4, "\0\0\0", 3);
    refuse(model_with_tensor(t), "no multiple");
}

static void last_of_a_choice_counts(void **state)
{
    (void)state;
    struct bytes g = {0}, v = {0}, type = {0}, tensor = {0}, shape = {0}, dim = {0}, list = {0};
    onnx_put_int(&dim, 1, -5);
    onnx_put_text(&dim, 2, "n"); /* wins: the negative number does not count */
    onnx_put_message(&shape, 1, dim);
    onnx_put_int(&tensor, 1, ONNX_FLOAT);
    onnx_put_message(&tensor, 2, shape);
    onnx_put_message(&type, 4, list);
    onnx_put_message(&type, 1, tensor);
    onnx_put_text(&v, 1, "x");
    onnx_put_message(&v, 2, type);
    onnx_put_message(&g, 1, onnx_node("Relu", "relu", "x", "y"));
    onnx_put_message(&g, 11, v);
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 1, (int64_t[]){-1}));
    accept(onnx_model(13, g), 0);
}

static void bad_dims_are_refused(void **state)
{
    (void)state;
    float four[4] = {0};
    const int64_t bad[] = {-1, INT64_MIN};
    for (int i = 0; i < 2; i++) {
        refuse(model_with_tensor(onnx_raw_tensor("w", ONNX_FLOAT, 1, &bad[i], four, 16)),
               "expected 0 or more");
    }
    refuse(model_with_node(onnx_node("Relu", "", "x", "y"), 1, (int64_t[]){INT64_MIN}),
           "expected 0 or more");
    refuse(model_with_tensor(
               onnx_raw_tensor("w", ONNX_FLOAT, 2, (int64_t[]){1ll << 32, 1ll << 32}, four, 16)),
           "overflows");
    refuse(model_with_tensor(
               onnx_raw_tensor("w", ONNX_FLOAT, 1, (int64_t[]){(1ll << 62) + 1}, four, 16)),
           "overflows");
    refuse(model_with_tensor(
               onnx_raw_tensor("w", ONNX_FLOAT, 3, (int64_t[]){0, 1ll << 62, 4}, four, 0)),
           "overflows");
    refuse(model_with_tensor(onnx_raw_tensor("w", ONNX_FLOAT, 1, (int64_t[]){1ll << 40}, four, 16)),
           "16 bytes of values");
    refuse(model_with_node(onnx_node("Relu", "", "x", "y"), 2, (int64_t[]){1ll << 32, 1ll << 32}),
           "overflows");
}

static void ranks_are_bounded(void **state)
{
    (void)state;
    int64_t dims[65];
    for (int i = 0; i < 65; i++) {
        dims[i] = 1;
    }
    float one = 1.0f;
    accept(model_with_tensor(onnx_raw_tensor("w", ONNX_FLOAT, 0, NULL, &one, 4)), 0);
    accept(model_with_tensor(onnx_raw_tensor("w", ONNX_FLOAT, 1, (int64_t[]){0}, NULL, 0)), 0);
    refuse(model_with_tensor(onnx_raw_tensor("w", ONNX_FLOAT, 65, dims, &one, 4)), "rank 65");
    refuse(model_with_node(onnx_node("Relu", "", "x", "y"), 65, dims), "more than 8 dimensions");
}

static void wrong_payloads_are_refused(void **state)
{
    (void)state;
    float v[8] = {0};
    const int64_t four[1] = {4};
    refuse(model_with_tensor(onnx_raw_tensor("w", ONNX_FLOAT, 1, four, v, 12)),
           "12 bytes of values, expected 16");
    refuse(model_with_tensor(onnx_raw_tensor("w", ONNX_FLOAT, 1, four, v, 17)),
           "17 bytes of values");
    refuse(model_with_tensor(onnx_tensor("w", ONNX_FLOAT, 1, four)), "0 bytes of values");
    struct bytes t = onnx_raw_tensor("w", ONNX_FLOAT, 1, four, v, 16);
    onnx_put_bytes(&t, 4, v, 16);
    refuse(model_with_tensor(t), "two fields");
    t = onnx_tensor("w", ONNX_FLOAT, 1, four);
    onnx_put_bytes(&t, 4, v, 16);
    onnx_put_int(&t, 5, 1);
    refuse(model_with_tensor(t), "two fields");
    t = onnx_tensor("w", ONNX_FLOAT, 1, four);
    onnx_put_bytes(&t, 4, v, 12);
    refuse(model_with_tensor(t), "3 values, expected 4");
    t = onnx_tensor("w", ONNX_FLOAT, 1, four);
    onnx_put_bytes(&t, 5, "\1\1\1\1", 4);
    refuse(model_with_tensor(t), "expected field 4");
    t = onnx_tensor("w", ONNX_INT8, 1, four);
    onnx_put_bytes(&t, 5, "\1\1\x80\x01\1", 5); /* 128 */
    refuse(model_with_tensor(t), "does not fit int8");
}

static void packed_nibbles_are_counted(void **state)
{
    (void)state;
    const int64_t three[1] = {3};
    accept(model_with_tensor(onnx_raw_tensor("w", ONNX_INT4, 1, three, "\x21\x03", 2)), 0);
    refuse(model_with_tensor(onnx_raw_tensor("w", ONNX_INT4, 1, three, "\x21", 1)),
           "1 bytes of values, expected 2");
    refuse(model_with_tensor(onnx_raw_tensor("w", ONNX_UINT4, 1, three, "abc", 3)), "expected 2");
    refuse(model_with_tensor(onnx_raw_tensor("w", 26, 1, (int64_t[]){5}, "abc", 3)), "expected 2");
    struct bytes t = onnx_tensor("w", ONNX_INT4, 1, three);
    onnx_put_int(&t, 5, 0x21);
    onnx_put_int(&t, 5, 3);
    accept(model_with_tensor(t), 0);
}

static void bad_types_are_refused(void **state)
{
    (void)state;
    float v[4] = {0};
    const int64_t four[1] = {4};
    refuse(model_with_tensor(onnx_raw_tensor("w", 0, 1, four, v, 16)), "type undefined");
    refuse(model_with_tensor(onnx_raw_tensor("w", 99, 1, four, v, 16)), "type number 99");
    refuse(model_with_tensor(onnx_raw_tensor("w", -1, 1, four, v, 16)), "type number -1");
    refuse(model_with_tensor(onnx_raw_tensor("w", 17, 1, four, v, 4)), "float8e4m3fn");
    struct bytes t = onnx_tensor("w", ONNX_STRING, 1, (int64_t[]){1});
    onnx_put_text(&t, 6, "hello");
    refuse(model_with_tensor(t), "type string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_and_single_bytes_are_refused),
        cmocka_unit_test(every_prefix_is_handled),
        cmocka_unit_test(random_bytes_are_handled),
        cmocka_unit_test(trailing_junk_is_refused),
        cmocka_unit_test(bad_varints_are_refused),
        cmocka_unit_test(huge_lengths_are_refused),
        cmocka_unit_test(bad_tags_are_refused),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(nested_types_are_refused),
        cmocka_unit_test(nested_if_is_refused),
        cmocka_unit_test(packed_and_single_dims_mix),
        cmocka_unit_test(last_of_a_choice_counts),
        cmocka_unit_test(bad_dims_are_refused),
        cmocka_unit_test(ranks_are_bounded),
        cmocka_unit_test(wrong_payloads_are_refused),
        cmocka_unit_test(packed_nibbles_are_counted),
        cmocka_unit_test(bad_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
