/*
 * Damaged and hostile TFLite files (the list T of the robustness contract): each is refused with
 * one line that says why, or read with a warning; never a crash, never memory that the file does
 * not back.
 */
#include "support.h"

#include <stdio.h>
#include <time.h>

#include "model/graph.h"
#include "tflite_writer.h"

enum outcome { REFUSED, WARNED, ACCEPTED };

/* Parses and finishes a copy of exactly these bytes; err holds the reason, or the first warning. */
static enum outcome parse(const void *data, size_t n, struct pare_error *err)
{
    struct pare_graph *g = NULL;
    enum outcome outcome = ACCEPTED;
    void *copy = malloc(n > 0 ? n : 1);
    memset(err, 0, sizeof *err);
    memcpy(copy, data, n);
    enum pare_status status = pare_tflite_parse(copy, n, "t.tflite", &g, err);
    status = status == PARE_OK ? pare_graph_finish(g, "t.tflite", err) : status;
    if (status != PARE_OK) {
        outcome = REFUSED;
        assert_int_equal(status, PARE_ERR_FORMAT);
        assert_int_equal(err->code, PARE_ERR_FORMAT);
        assert_string_equal(err->where, "t.tflite");
        assert_true(err->message[0] != '\0');
        for (const char *c = err->message; *c != '\0'; c++) {
            assert_true(*c >= 0x20);
        }
    } else if (g->n_warnings > 0) {
        outcome = WARNED;
        snprintf(err->message, sizeof err->message, "%.700s", g->warnings[0]);
    }
    pare_graph_free(g);
    free(copy);
    return outcome;
}

#define EXPECT_BYTES(data, n, wanted, text)                                                        \
    do {                                                                                           \
        struct pare_error err_;                                                                    \
        enum outcome got_ = parse(data, n, &err_);                                                 \
        if (got_ != (wanted) || strstr(err_.message, text) == NULL) {                              \
            fail_msg("line %d: outcome %d, expected %d; '%s', expected '%s'", __LINE__, (int)got_, \
                     (int)(wanted), err_.message, text);                                           \
        }                                                                                          \
    } while (0)

#define EXPECT(model, wanted, text)                                                                \
    do {                                                                                           \
        struct tw_bytes b_ = tw_write(model, NULL);                                                \
        EXPECT_BYTES(b_.data, b_.n, wanted, text);                                                 \
        free(b_.data);                                                                             \
    } while (0)

static void the_models_themselves_are_read(void **state)
{
    (void)state;
    struct tw_model m;
    struct pare_graph *g;
    tw_conv_model(&m);
    EXPECT(&m, ACCEPTED, "");
    tw_int8_model(&m);
    EXPECT(&m, ACCEPTED, "");
    struct tw_bytes b = tw_write(&m, NULL);
    assert_int_equal(pare_tflite_parse(b.data, b.n, "t", &g, NULL), PARE_OK);
    assert_int_equal(pare_graph_finish(g, "t", NULL), PARE_OK);
    assert_int_equal(g->n_nodes, 2);
    assert_int_equal(g->nodes[0].op, PARE_OP_CONV);
    assert_string_equal(g->nodes[0].name, "conv/Relu");
    assert_string_equal(g->nodes[1].name, "conv/Relu/relu");
    const struct pare_tensor *x = &g->tensors[0], *y = &g->tensors[g->outputs[0]];
    const struct pare_tensor *w = &g->tensors[g->nodes[0].in[1]],
                             *bias = &g->tensors[g->nodes[0].in[2]];
    assert_int_equal(x->dtype, PARE_F32);
    assert_int_equal(x->quant->dtype, PARE_I8);
    assert_int_equal(x->quant->zero_point[0], -3);
    assert_true(y->quant->scale[0] == 2.0f);
    assert_int_equal(w->dtype, PARE_I8);
    assert_int_equal(w->quant->n, 3);
    assert_int_equal(w->quant->axis, 0);
    assert_int_equal(((const int8_t *)w->data)[5], 127);
    assert_int_equal(bias->dtype, PARE_I32);
    assert_true(bias->quant->scale[2] == 0.375f);
    assert_null(
        g->tensors[g->nodes[0].out[0]].quant); /* real numbers between layer and activation */
    pare_graph_free(g);
    free(b.data);
}

static void t1_t2_wrong_heads(void **state)
{
    (void)state;
    struct tw_model m;
    static const uint8_t stub[] = {0x18, 0, 0, 0, 'T', 'F', 'L', '3'};
    EXPECT_BYTES(stub, sizeof stub, REFUSED, "byte");
    EXPECT_BYTES("", 0, REFUSED, "too short");
    EXPECT_BYTES("\x08", 1, REFUSED, "too short");
    tw_conv_model(&m);
    struct tw_bytes b = tw_write(&m, NULL);
    b.data[7] = '2';
    EXPECT_BYTES(b.data, b.n, REFUSED, "'TFL3' is missing");
    b.data[7] = '3';
    uint8_t *prefixed = malloc(b.n + 4);
    uint32_t n = (uint32_t)b.n;
    memcpy(prefixed, &n, 4);
    memcpy(prefixed + 4, b.data, b.n);
    EXPECT_BYTES(prefixed, b.n + 4, REFUSED, "'TFL3' is missing");
    free(prefixed);
    free(b.data);
    m.version = 4;
    EXPECT(&m, REFUSED, "schema version is 4");
}

/* Writes value at a place of a right model and reads it. */
static void damage(size_t offset_of_mark, size_t plus, uint32_t value, enum outcome outcome,
                   const char *text)
{
    struct tw_model m;
    struct tw_marks marks = {0};
    tw_conv_model(&m);
    struct tw_bytes b = tw_write(&m, &marks);
    size_t at;
    memcpy(&at, (const char *)&marks + offset_of_mark, sizeof at);
    tw_set_u32(&b, at + plus, value);
    EXPECT_BYTES(b.data, b.n, outcome, text);
    free(b.data);
}

#define AT(field) offsetof(struct tw_marks, field)

static void t3_references_out_of_bounds(void **state)
{
    (void)state;
    static const uint32_t nonsense[] = {0,           1,           2,           4,
                                        0x7ffffff0u, 0x80000000u, 0xfffffffcu, 0xffffffffu};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        struct tw_model m;
        struct pare_error err;
        struct tw_marks marks = {0};
        tw_conv_model(&m);
        struct tw_bytes whole = tw_write(&m, &marks);
        for (size_t at = 0; at + 4 <= whole.n; at += 4) { /* every word of the file */
            uint32_t old;
            memcpy(&old, whole.data + at, 4);
            tw_set_u32(&whole, at, nonsense[i]);
            parse(whole.data, whole.n, &err);
            tw_set_u32(&whole, at, old);
        }
        free(whole.data);
    }
    struct tw_model m;
    tw_conv_model(&m);
    struct tw_bytes b = tw_write(&m, NULL);
    tw_set_u32(&b, 0, (uint32_t)b.n);
    EXPECT_BYTES(b.data, b.n, REFUSED, "past the end");
    tw_set_u32(&b, 0, 0xfffffff0u);
    EXPECT_BYTES(b.data, b.n, REFUSED, "past the end");
    tw_set_u32(&b, 0, 0);
    EXPECT_BYTES(b.data, b.n, REFUSED, "byte");
    free(b.data);
    damage(AT(root), 0, 0x7fffffff, REFUSED,
           "vtable lies outside"); /* vtable far before the file */
    damage(AT(root), 0, 0x80000000u, REFUSED, "vtable lies outside"); /* and far behind it */
    damage(AT(root), 0, 0, REFUSED, ""); /* the table is its own vtable */
    damage(AT(root), 4 + 4, 0x7fffffff, REFUSED, "past the end of the file"); /* operator codes */
    damage(AT(root), 4 + 8, 0, REFUSED, "leads to itself");                   /* subgraphs */
    damage(AT(tensors), 0, 0xfffffff0u, REFUSED, "past the end of the file");
    damage(AT(operators), 0, 0, REFUSED, "leads to itself");
}

static void t3_every_prefix(void **state)
{
    (void)state;
    struct tw_model m;
    struct pare_error err;
    tw_int8_model(&m);
    struct tw_bytes b = tw_write(&m, NULL);
    for (size_t n = 0; n < b.n; n++) {
        parse(b.data, n, &err);
    }
    free(b.data);
}

static void t4_t5_t6_vectors_and_strings(void **state)
{
    (void)state;
    struct tw_model m;
    struct tw_marks marks;
    tw_conv_model(&m);
    struct tw_bytes b = tw_write(&m, &marks);
    uint32_t old;
    memcpy(&old, b.data + marks.tensors, 4);
    tw_set_u32(&b, marks.tensors, old + 2); /* a table at an odd place */
    EXPECT_BYTES(b.data, b.n, REFUSED, "not aligned");
    tw_set_u32(&b, marks.tensors, old);
    memcpy(&old, b.data + marks.root + 8, 4);
    tw_set_u32(&b, marks.root + 8, old + 1); /* a vector at an odd place */
    EXPECT_BYTES(b.data, b.n, REFUSED, "");
    free(b.data);
    damage(AT(tensor_shape[0]), 0, 1u << 30, REFUSED, "longer than the file");
    damage(AT(op_in[0]), 0, 1u << 30, REFUSED, "longer than the file");
    damage(AT(op_in[0]), 0, 0xffffffffu, REFUSED, "longer than the file");
    damage(AT(tensor_name[0]), 4, 0x41414141, REFUSED, "zero byte"); /* "x" without its NUL */
}

/* Constant data that lies at odd places is copied, not read where it is (UBSan watches). */
static void t4_misaligned_data_is_copied(void **state)
{
    (void)state;
    struct tw_model m;
    tw_conv_model(&m);
    struct tw_bytes b = tw_write(&m, NULL);
    static const float weights[6] = {1, 2, 3, 4, 5, 6};
    size_t at = b.n + 1; /* behind the FlatBuffer */
    free(b.data);
    m.buffers[1] = (struct tw_buffer){NULL, 0, at, sizeof weights};
    b = tw_write(&m, NULL);
    assert_true(b.n <= at);
    while (b.n < at) {
        tw_put(&b, "", 1);
    }
    tw_put(&b, weights, sizeof weights);
    struct pare_graph *g = NULL;
    assert_int_equal(pare_tflite_parse(b.data, b.n, "t", &g, NULL), PARE_OK);
    assert_int_equal((uintptr_t)g->tensors[1].data % 4, 0);
    assert_memory_equal(g->tensors[1].data, weights, sizeof weights);
    pare_graph_free(g);
    free(b.data);
}

static void t7_tensor_indices(void **state)
{
    (void)state;
    struct tw_model m;
    tw_conv_model(&m);
    m.subgraphs[0].ops[0].in[2] = -1; /* no bias */
    EXPECT(&m, ACCEPTED, "");
    m.subgraphs[0].ops[0].in[2] = 4;
    EXPECT(&m, REFUSED, "an input of operator 0: tensor 4 of 4");
    m.subgraphs[0].ops[0].in[2] = -2;
    EXPECT(&m, REFUSED, "tensor -2 of 4");
    m.subgraphs[0].ops[0].in[2] = INT32_MIN;
    EXPECT(&m, REFUSED, "tensor -2147483648 of 4");
    tw_conv_model(&m);
    m.subgraphs[0].ops[0].in[1] = -1;
    EXPECT(&m, REFUSED, "lacks input 1");
    tw_conv_model(&m);
    m.subgraphs[0].ops[0].out[0] = -1;
    EXPECT(&m, REFUSED, "an output of operator 0: tensor -1");
    tw_conv_model(&m);
    m.subgraphs[0].in[0] = 4;
    EXPECT(&m, REFUSED, "input 0 of the network is tensor 4 of 4");
    tw_conv_model(&m);
    m.subgraphs[0].out[0] = -1;
    EXPECT(&m, REFUSED, "output 0 of the network is tensor -1");
    tw_conv_model(&m);
    m.subgraphs[0].tensors[0].shape[3] = 3;
    m.subgraphs[0].tensors[1].shape[3] = 3;
    m.subgraphs[0].tensors[1].shape[0] = 2;
    m.subgraphs[0].tensors[3].shape[3] = 3;
    m.subgraphs[0].ops[0].in[0] = 3; /* reads its own output */
    m.subgraphs[0].ops[0].n_in = 2;
    EXPECT(&m, REFUSED, "cycle");
    tw_conv_model(&m);
    m.subgraphs[0].ops[0].n_in = 1;
    EXPECT(&m, REFUSED, "has 1 inputs");
    tw_conv_model(&m);
    m.subgraphs[0].ops[0].code = 1;
    EXPECT(&m, REFUSED, "code 1 of 1");
}

static void t8_buffers(void **state)
{
    (void)state;
    struct tw_model m;
    tw_conv_model(&m);
    m.subgraphs[0].tensors[1].buffer = 3;
    EXPECT(&m, REFUSED, "refers to buffer 3 of 3");
    m.subgraphs[0].tensors[1].buffer = 0xffffffffu;
    EXPECT(&m, REFUSED, "refers to buffer 4294967295");
    tw_conv_model(&m);
    m.buffers[1] = (struct tw_buffer){NULL, 0, 16, UINT64_MAX - 8};
    EXPECT(&m, REFUSED, "past the end of the file");
    m.buffers[1] = (struct tw_buffer){NULL, 0, UINT64_MAX, 24};
    EXPECT(&m, REFUSED, "past the end of the file");
    m.buffers[1] = (struct tw_buffer){NULL, 0, 16, 24};
    EXPECT(&m, ACCEPTED, ""); /* inside the file: bytes as good as others */
    tw_conv_model(&m);
    m.buffers[1].n--;
    EXPECT(&m, REFUSED, "needs 24 bytes of data, its buffer has 23");
    m.buffers[1].n = 0; /* no data at all: then nothing makes the weights */
    EXPECT(&m, REFUSED, "nothing produces");
}

static void t9_shapes(void **state)
{
    (void)state;
    struct tw_model m;
    tw_conv_model(&m);
    for (int i = 0; i < 4; i++) {
        m.subgraphs[0].tensors[0].shape[i] = INT32_MAX;
    }
    EXPECT(&m, REFUSED, "product of its dimensions overflows");
    tw_conv_model(&m);
    m.subgraphs[0].tensors[1].shape[0] = INT32_MAX;
    EXPECT(&m, REFUSED, "bytes of data");
    tw_conv_model(&m);
    m.subgraphs[0].tensors[0].shape[1] = -1;
    EXPECT(&m, REFUSED, "dimension 1 is -1");
    tw_conv_model(&m);
    m.subgraphs[0].tensors[0].rank = 9;
    EXPECT(&m, REFUSED, "9 dimensions");
    tw_conv_model(&m);
    m.subgraphs[0].tensors[0].n_signature = 4;
    memcpy(m.subgraphs[0].tensors[0].signature, (int32_t[4]){1, -1, -1, 2}, 16);
    EXPECT(&m, WARNED, "free dimensions");
    m.subgraphs[0].tensors[0].n_signature = 3;
    EXPECT(&m, REFUSED, "its signature 3");
    tw_conv_model(&m); /* dimension 0 */
    m.subgraphs[0].tensors[1].shape[1] = 0;
    m.buffers[1].n = 0;
    EXPECT(&m, REFUSED, "kernel of 0x1");
}

static void reshape_model(struct tw_model *m)
{
    tw_conv_model(m);
    m->codes[0] = (struct tw_code){22, 22, NULL};
    m->subgraphs[0].tensors[3].rank = 2;
    memcpy(m->subgraphs[0].tensors[3].shape, (int32_t[2]){1, 32}, 8);
    m->subgraphs[0].ops[0] = (struct tw_op){.n_in = 1,
                                            .in = {0},
                                            .n_out = 1,
                                            .out = {3},
                                            .options_type = 17,
                                            .n_options = 1,
                                            .options = {{0, -2, 0, {1, 32}}}};
}

static void t10_reshape(void **state)
{
    (void)state;
    struct tw_model m;
    reshape_model(&m);
    EXPECT(&m, ACCEPTED, "");
    m.subgraphs[0].ops[0].options[0].size = -9;
    EXPECT(&m, REFUSED, "no list of at most 8");
    m.subgraphs[0].ops[0].options[0].size = -3;
    EXPECT(&m, REFUSED, "3 dimensions, its output tensor 2");
    reshape_model(&m);
    m.subgraphs[0].ops[0].options[0].list[0] = -2;
    EXPECT(&m, REFUSED, "dimension 0 of the new shape is -2");
    reshape_model(&m);
    m.subgraphs[0].ops[0].options[0].list[0] = m.subgraphs[0].ops[0].options[0].list[1] = -1;
    EXPECT(&m, REFUSED, "dimension 1 of the new shape is -1");
}

static void t11_quantization(void **state)
{
    (void)state;
    struct tw_model m;
    struct tw_tensor *w = &m.subgraphs[0].tensors[1];
    tw_int8_model(&m);
    w->n_scale = w->n_zero = 2;
    EXPECT(&m, REFUSED, "2 scales for 3 channels");
    w->n_scale = 3;
    EXPECT(&m, REFUSED, "3 scales and 2 zero points");
    tw_int8_model(&m);
    w->quant_dimension = 4;
    EXPECT(&m, REFUSED, "dimension 4 of 4");
    w->quant_dimension = -1;
    EXPECT(&m, REFUSED, "dimension -1 of 4");
    w->quant_dimension = 3;
    EXPECT(&m, REFUSED, "3 scales for 2 channels");
    static const float bad[] = {0.0f, -1.0f, __builtin_nanf(""), __builtin_inff()};
    for (int i = 0; i < 4; i++) {
        tw_int8_model(&m);
        w->scale[1] = bad[i];
        EXPECT(&m, REFUSED, "scale 1 is");
    }
    tw_int8_model(&m);
    w->zero[0] = 128;
    EXPECT(&m, REFUSED, "zero point 128 does not fit int8");
    w->zero[0] = INT64_MIN;
    EXPECT(&m, REFUSED, "does not fit int8");
    w->zero[0] = 5; /* weight zero points are a feature */
    EXPECT(&m, ACCEPTED, "");
    tw_int8_model(&m);
    m.subgraphs[0].tensors[2].zero[0] = 1;
    EXPECT(&m, REFUSED, "does not fit int32");
    tw_int8_model(&m);
    m.subgraphs[0].tensors[0].n_scale = m.subgraphs[0].tensors[0].n_zero = 2;
    m.subgraphs[0].tensors[0].scale[1] = 1;
    m.subgraphs[0].tensors[0].quant_dimension = 3;
    EXPECT(&m, REFUSED, "no constant and has 2 scales");
    tw_int8_model(&m);
    m.subgraphs[0].tensors[2].scale[2] = 7.0f;
    EXPECT(&m, REFUSED, "of the bias");
}

static void t12_codes_and_options(void **state)
{
    (void)state;
    struct tw_model m;
    tw_conv_model(&m);
    m.codes[0] = (struct tw_code){127, 1000000, NULL};
    EXPECT(&m, WARNED, "BUILTIN_1000000 is not known");
    m.codes[0] = (struct tw_code){-5, -5, NULL};
    EXPECT(&m, REFUSED, "negative");
    m.codes[0] = (struct tw_code){32, 32, NULL};
    EXPECT(&m, REFUSED, "custom and has no name");
    m.codes[0] = (struct tw_code){3, 3, "Mine"};
    EXPECT(&m, WARNED, "ignored");
    m.codes[0] = (struct tw_code){32, 32, "Mine\x1b[31m"};
    EXPECT(&m, WARNED, "Mine\\x1b[31m");
    tw_conv_model(&m);
    m.subgraphs[0].ops[0].options_type = 5;
    EXPECT(&m, REFUSED, "options of another operator");
    static const struct {
        int option;
        int64_t value;
        const char *text;
    } wrong[] = {{0, 2, "padding is 2"},       {1, 0, "stride 0, dilation 1"},
                 {1, -1, "along dimension 1"}, {2, INT32_MAX, "dimension 0"},
                 {3, 7, "fused activation 7"}, {3, -1, "fused activation -1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tw_conv_model(&m);
        m.subgraphs[0].ops[0].options[wrong[i].option].value = wrong[i].value;
        EXPECT(&m, REFUSED, wrong[i].text);
    }
}

/* Subgraph i has one operator of kind `code` that calls the subgraphs first and second. */
static void call_model(struct tw_model *m, int code, int options_type, const int (*calls)[2], int n)
{
    tw_conv_model(m);
    m->n_codes = 2;
    m->codes[1] = (struct tw_code){code < 127 ? code : 127, code, NULL};
    m->n_subgraphs = n;
    for (int i = 0; i < n; i++) {
        m->subgraphs[i] = m->subgraphs[0];
        m->subgraphs[i].ops[0] =
            (struct tw_op){.code = 1,
                           .n_in = 1,
                           .in = {0},
                           .n_out = 1,
                           .out = {3},
                           .options_type = options_type,
                           .n_options = 2,
                           .options = {{0, 4, calls[i][0], {0}}, {1, 4, calls[i][1], {0}}}};
    }
}

static void t13_calls(void **state)
{
    (void)state;
    struct tw_model m;
    call_model(&m, 119, 93, (const int[][2]){{1, 2}, {1, 2}, {2, 1}}, 3); /* WHILE */
    m.subgraphs[1].n_ops = m.subgraphs[2].n_ops = 0;
    EXPECT(&m, WARNED, "WHILE is not known");
    call_model(&m, 119, 93, (const int[][2]){{0, 0}}, 1);
    EXPECT(&m, REFUSED, "subgraph 0 calls itself");
    call_model(&m, 118, 92, (const int[][2]){{1, 1}, {1, 2}, {0, 2}}, 3); /* IF, through others */
    EXPECT(&m, REFUSED, "calls itself");
    call_model(&m, 129, 103, (const int[][2]){{1, 0}, {2, 0}, {1, 0}}, 3); /* CALL_ONCE */
    EXPECT(&m, REFUSED, "calls itself");
    call_model(&m, 119, 93, (const int[][2]){{1, 7}, {0, 0}}, 2);
    EXPECT(&m, REFUSED, "calls subgraph 7 of 2");
    call_model(&m, 119, 93, (const int[][2]){{-1, 0}}, 1);
    EXPECT(&m, REFUSED, "calls subgraph -1");
}

static void t14_numbers_of_subgraphs(void **state)
{
    (void)state;
    struct tw_model m;
    tw_conv_model(&m);
    m.n_subgraphs = 0;
    EXPECT(&m, REFUSED, "0 subgraphs");
    tw_conv_model(&m);
    m.repeat_subgraphs = 9999;
    EXPECT(&m, REFUSED, "10000 subgraphs");
    m.repeat_subgraphs = 999;
    EXPECT(&m, WARNED, "only the first is used");
}

static void t15_custom_options(void **state)
{
    (void)state;
    struct tw_model m;
    uint8_t garbage[64];
    uint32_t seed = 15;
    for (int round = 0; round < 2000; round++) {
        tw_conv_model(&m);
        m.codes[0] = (struct tw_code){32, 32, "TFLite_Detection_PostProcess"};
        for (size_t i = 0; i < sizeof garbage; i++) {
            garbage[i] = (uint8_t)test_random(&seed);
        }
        size_t n = test_random(&seed) % sizeof garbage;
        if (n > 2) { /* often look like a map, so that its inside is read */
            garbage[n - 1] = (uint8_t)(1u << test_random(&seed) % 4);
            garbage[n - 2] = (uint8_t)(9 << 2 | test_random(&seed) % 4);
        }
        m.subgraphs[0].ops[0] = (struct tw_op){
            .n_in = 3, .in = {0, 1, 2}, .n_out = 1, .out = {3}, .custom = garbage, .n_custom = n};
        EXPECT(&m, WARNED, "no map of the numbers");
    }
    m.subgraphs[0].ops[0].custom = NULL;
    EXPECT(&m, WARNED, "no map of the numbers");
}

static void t16_sparse_tensors(void **state)
{
    (void)state;
    struct tw_model m;
    tw_conv_model(&m);
    m.subgraphs[0].tensors[1].sparsity = 1;
    EXPECT(&m, REFUSED, "is sparse, which is not supported");
    m.subgraphs[0].tensors[1].sparsity = 2;
    EXPECT(&m, REFUSED, "description is malformed");
    m.subgraphs[0].tensors[1].sparsity = 3;
    EXPECT(&m, REFUSED, "description is malformed");
}

static void t17_packed_codes(void **state)
{
    (void)state;
    struct tw_model m;
    static const uint8_t nibbles[2] = {0x21, 0x03};
    tw_int8_model(&m);
    m.subgraphs[0].tensors[0].shape[3] = 1;
    m.subgraphs[0].tensors[1].type = 17; /* int4, 3 codes */
    m.subgraphs[0].tensors[1].shape[3] = 1;
    m.buffers[1] = (struct tw_buffer){nibbles, 2, 0, 0};
    EXPECT(&m, ACCEPTED, "");
    m.buffers[1].n = 1;
    EXPECT(&m, REFUSED, "needs 2 bytes of data, its buffer has 1");
    m.buffers[1] = (struct tw_buffer){"abc", 3, 0, 0};
    EXPECT(&m, REFUSED, "needs 2 bytes of data, its buffer has 3");
}

static void t18_inputs_with_data_and_variables(void **state)
{
    (void)state;
    struct tw_model m;
    static const float x[32];
    tw_conv_model(&m);
    m.n_buffers = 4;
    m.buffers[3] = (struct tw_buffer){x, sizeof x, 0, 0};
    m.subgraphs[0].tensors[0].buffer = 3;
    EXPECT(&m, WARNED, "has data in the file, which is ignored");
    tw_conv_model(&m); /* the output's buffer is the weights' */
    m.subgraphs[0].tensors[3].buffer = 1;
    EXPECT(&m, REFUSED, "bytes of data");
    tw_conv_model(&m);
    m.subgraphs[0].n_in = 0;
    m.subgraphs[0].tensors[0].is_variable = true;
    EXPECT(&m, WARNED, "is a variable");
    m.subgraphs[0].tensors[0].shape[1] = 1 << 20;
    EXPECT(&m, REFUSED, "larger than the file");
    tw_conv_model(&m);
    m.subgraphs[0].n_in = 0;
    EXPECT(&m, REFUSED, "nothing produces");
}

/* Many entries that refer to one large thing: refused by the budget, at once. */
static void shared_vectors_do_not_multiply(void **state)
{
    (void)state;
    struct tw_model m;
    struct timespec from, to;
    int n = 200000;
    int32_t *zeros = calloc((size_t)n, sizeof *zeros);
    tw_conv_model(&m);
    m.codes[0] = (struct tw_code){2, 2, NULL}; /* CONCATENATION of 200,000 inputs, 200,000 times */
    m.subgraphs[0].ops[0] = (struct tw_op){.n_in = n, .long_in = zeros, .n_out = 1, .out = {3}};
    m.subgraphs[0].repeat_ops = n;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    EXPECT(&m, REFUSED, "operators do not fit a file of");
    m.subgraphs[0].repeat_ops = n / 4;
    EXPECT(&m, REFUSED, "too many times");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    assert_true(to.tv_sec - from.tv_sec < 5);
    free(zeros);
}

static void random_damage(void **state)
{
    (void)state;
    uint32_t seed = 4711;
    struct pare_error err;
    struct tw_model m;
    printf("seed %u\n", seed);
    for (int round = 0; round < 20000; round++) {
        if (round % 2 == 0) {
            tw_conv_model(&m);
        } else {
            tw_int8_model(&m);
        }
        struct tw_bytes b = tw_write(&m, NULL);
        for (uint32_t k = 1 + test_random(&seed) % 4; k > 0; k--) {
            b.data[test_random(&seed) % b.n] = (uint8_t)test_random(&seed);
        }
        parse(b.data, b.n, &err);
        free(b.data);
    }
}

/* A real network, damaged. */
static void random_damage_of_a_real_model(void **state)
{
    (void)state;
    uint32_t seed = 815;
    struct pare_error err;
    struct pare_file file;
    const char *path = test_model("keypoints/keypoint_classifier.tflite");
    if (path == NULL) {
        test_skip("no folder of real models");
    }
    assert_int_equal(pare_file_open(path, 1 << 20, &file, &err), PARE_OK);
    uint8_t *data = malloc(file.size);
    printf("seed %u\n", seed);
    for (int round = 0; round < 10000; round++) {
        memcpy(data, file.data, file.size);
        for (uint32_t k = 1 + test_random(&seed) % 4; k > 0; k--) {
            data[test_random(&seed) % file.size] = (uint8_t)test_random(&seed);
        }
        parse(data, file.size, &err);
    }
    for (size_t n = 0; n < file.size; n += 13) {
        parse(data, n, &err);
    }
    free(data);
    pare_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_models_themselves_are_read),
        cmocka_unit_test(t1_t2_wrong_heads),
        cmocka_unit_test(t3_references_out_of_bounds),
        cmocka_unit_test(t3_every_prefix),
        cmocka_unit_test(t4_t5_t6_vectors_and_strings),
        cmocka_unit_test(t4_misaligned_data_is_copied),
        cmocka_unit_test(t7_tensor_indices),
        cmocka_unit_test(t8_buffers),
        cmocka_unit_test(t9_shapes),
        cmocka_unit_test(t10_reshape),
        cmocka_unit_test(t11_quantization),
        cmocka_unit_test(t12_codes_and_options),
        cmocka_unit_test(t13_calls),
        cmocka_unit_test(t14_numbers_of_subgraphs),
        cmocka_unit_test(t15_custom_options),
        cmocka_unit_test(t16_sparse_tensors),
        cmocka_unit_test(t17_packed_codes),
        cmocka_unit_test(t18_inputs_with_data_and_variables),
        cmocka_unit_test(shared_vectors_do_not_multiply),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(random_damage_of_a_real_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
