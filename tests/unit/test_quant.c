/* Levels, grids, ranges, weights. */
#include "tests/unit/plan_build.h"

#include "pk_ops.h"
#include "quant/bytes.h"

static void test_level_names(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_level level;
    char buf[16];
    static const char *const pairs[][3] = {
        {"int8", "w8a8", "int8"}, {"W4A4", "w4a4", "int4"},    {"bin1", "w1a1", "bin1"},
        {"INT2", "w2a2", "int2"}, {"w4a8", "w4a8", "w4a8"},    {"fp32", "fp32", "fp32"},
        {"FP16", "fp16", "fp16"}, {"w3a32", "w3a32", "w3a32"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        MUST(pare_level_parse(pairs[i][0], &level, &err));
        assert_string_equal(pare_level_name(level, buf), pairs[i][1]);
        assert_string_equal(pare_level_alias(level, buf), pairs[i][2]);
    }
    static const char *const bad[] = {"",      "w9a8", "w0a8",  "w8",    "a8", "w8a9",
                                      "w8a8x", "int3", "w-1a8", "w08a8", "w8a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pare_level_parse(bad[i], &level, &err), PARE_ERR_USAGE);
    }
    assert_true(pare_level_compare(level_of("fp32"), level_of("fp16")) < 0);
    assert_true(pare_level_compare(level_of("w4a8"), level_of("w8a4")) > 0);
    assert_true(pare_level_compare(level_of("w2a2"), level_of("w1a1")) < 0);
    assert_true(pare_level_bitops(level_of("fp16")) == 256.0 &&
                pare_level_bitops(level_of("w4a8")) == 32.0);
}

static void test_level_lists(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_level levels[PARE_MAX_LEVELS];
    int n;
    MUST(pare_levels_parse("paper", levels, PARE_MAX_LEVELS, &n, &err));
    assert_int_equal(n, 5);
    MUST(pare_levels_parse("default", levels, PARE_MAX_LEVELS, &n, &err));
    assert_int_equal(n, 6);
    MUST(pare_levels_parse("int8, w8a8,fp16", levels, PARE_MAX_LEVELS, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(pare_levels_parse("", levels, PARE_MAX_LEVELS, &n, &err), PARE_ERR_USAGE);
    assert_int_equal(pare_levels_parse("int8,int9", levels, PARE_MAX_LEVELS, &n, &err),
                     PARE_ERR_USAGE);
    assert_int_equal(pare_levels_parse("w1a1,w2a2,w3a3", levels, 2, &n, &err), PARE_ERR_USAGE);
}

static void test_grids(void **state)
{
    (void)state;
    const struct pare_grid a = pare_grid_asymmetric(-1.0f, 3.0f, 8);
    assert_true(a.scale == 4.0f / 255.0f);
    assert_int_equal(a.zero, 64); /* 63.75 */
    assert_true(pare_grid_real(&a, a.zero) == 0.0f);
    assert_int_equal(pare_grid_code(&a, 100.0f), 255);
    assert_int_equal(pare_grid_code(&a, -100.0f), 0);
    assert_int_equal(pare_grid_code(&a, NAN), 0);
    const struct pare_grid positive = pare_grid_asymmetric(2.0f, 3.0f, 4); /* 0 is always inside */
    assert_int_equal(positive.zero, 0);
    assert_true(positive.scale == 3.0f / 15.0f);
    const struct pare_grid empty = pare_grid_asymmetric(0.0f, 0.0f, 8);
    assert_true(empty.scale == 1.0f && empty.zero == 0);
    const struct pare_grid tiny = pare_grid_asymmetric(-1e-44f, 1e-44f, 8);
    assert_true(tiny.scale == 1.0f);
    const struct pare_grid huge = pare_grid_asymmetric(-3e38f, 3e38f, 2);
    assert_true(isfinite(huge.scale) && huge.scale > 0.0f);
    struct pare_range r;
    pare_range_init(&r);
    r.two_lo = -0.25f;
    r.two_hi = 0.75f;
    const struct pare_grid one = pare_grid_from_range(&r, 1);
    assert_true(one.scale == 1.0f && one.offset == -0.25f && one.zero == 0);
    assert_int_equal(pare_grid_pad_code(&one), 0); /* -0.25 is nearer to 0 than 0.75 */
    assert_int_equal(pare_grid_code(&one, 0.3f), 1);
    for (int bits = 1; bits <= 8; bits++) {
        const struct pare_grid g = pare_grid_asymmetric(-0.7f, 2.1f, bits);
        for (int code = 0; code < 1 << bits; code++) {
            assert_int_equal(pare_grid_code(&g, pare_grid_real(&g, code)), code);
        }
    }
}

/* The kernels' quantizer gives the reference's codes. */
static void test_grid_and_kernels_agree(void **state)
{
    (void)state;
    const struct pare_grid g = pare_grid_asymmetric(-0.37f, 1.9f, 6);
    float x[1000];
    uint8_t q[1000];
    for (int i = 0; i < 1000; i++) {
        x[i] = random_real(-1, 3);
    }
    pk_quantize_u8(pk_isa_best(), x, 1000, 1.0f / g.scale, g.offset, g.zero, (float)-g.zero,
                   (float)(63 - g.zero), q);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(q[i], pare_grid_code(&g, x[i]));
    }
}

static void test_range(void **state)
{
    (void)state;
    struct pare_range r;
    pare_range_init(&r);
    const float x[6] = {1.0f, -2.0f, INFINITY, 0.5f, NAN, 1.0f};
    pare_range_add(&r, x, 3);
    pare_range_add(&r, x + 3, 3);
    assert_int_equal(r.n, 4);
    assert_int_equal(r.n_nonfinite, 2);
    assert_true(r.min == -2.0f && r.max == 1.0f);
    assert_float_equal(r.sum, 0.5, 1e-12);
    assert_float_equal(pare_range_sigma(&r), sqrt((1 + 4 + 0.25 + 1) / 4 - 0.125 * 0.125), 1e-9);
    pare_range_add_histogram(&r, x, 6);
    pare_range_finish(&r);
    assert_float_equal(r.two_lo, -2.0, 0.01);
    assert_float_equal(r.two_hi, 2.5 / 3, 0.01);
    struct pare_range empty;
    pare_range_init(&empty);
    pare_range_finish(&empty);
    assert_true(empty.two_lo == 0.0f && empty.two_hi == 0.0f && pare_range_sigma(&empty) == 0.0);
}

/* Lloyd's means of a Gaussian are +-sqrt(2/pi) sigma. */
static void test_lloyd_gaussian(void **state)
{
    (void)state;
    static float x[60000];
    for (int i = 0; i < 60000; i++) {
        float sum = 0.0f;
        for (int k = 0; k < 12; k++) {
            sum += random_real(-0.5f, 0.5f);
        }
        x[i] = sum; /* sigma 1 */
    }
    struct pare_range r;
    pare_range_init(&r);
    pare_range_add(&r, x, 60000);
    pare_range_add_histogram(&r, x, 60000);
    pare_range_finish(&r);
    assert_float_equal(r.two_hi - r.two_lo, 2 * 0.798f, 0.02f);
    assert_float_equal(r.two_hi + r.two_lo, 0.0f, 0.06f);
}

static void test_calibration_json(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_calibration c, back;
    MUST(pare_calibration_init(&c, 2, &err));
    const float x[3] = {-1.5f, 0.25f, 3.0f};
    pare_range_add(&c.ranges[1], x, 3);
    pare_range_add_histogram(&c.ranges[1], x, 3);
    pare_range_finish(&c.ranges[1]);
    json_t *json = pare_calibration_to_json(&c);
    MUST(pare_calibration_from_json(json, &back, &err));
    assert_int_equal(back.n_tensors, 2);
    assert_true(back.ranges[1].min == -1.5f && back.ranges[1].max == 3.0f);
    assert_true(back.ranges[1].two_lo == c.ranges[1].two_lo &&
                back.ranges[1].two_hi == c.ranges[1].two_hi);
    assert_float_equal(pare_range_sigma(&back.ranges[1]), pare_range_sigma(&c.ranges[1]), 1e-9);
    pare_calibration_clear(&back);
    json_array_append_new(json, json_pack("[i,i]", 1, 2));
    assert_int_equal(pare_calibration_from_json(json, &back, &err), PARE_ERR_FORMAT);
    json_decref(json);
    pare_calibration_clear(&c);
}

/* Every bin by its definition, for few values and for many. */
static void test_histogram(void **state)
{
    (void)state;
    for (int n = 5; n <= 10005; n += 5000) {
        static float x[10005];
        uint32_t bins[64], want[64] = {0};
        memset(bins, 0, sizeof bins);
        bins[3] = want[3] = UINT32_MAX - 1; /* saturates */
        for (int i = 0; i < n; i++) {
            x[i] = i % 3 == 0 ? 0.0f : i % 101 == 0 ? NAN : i % 103 == 0 ? INFINITY : random_real(-3, 7);
            const float at = (x[i] - -0.5f) * 16.0f;
            if (at > -1.0f && at < 128.0f) {
                uint32_t *bin = &want[(int)at < 64 ? (int)at : 63];
                *bin += *bin < UINT32_MAX;
            }
        }
        pk_histogram(x, (size_t)n, -0.5f, 16.0f, 64, bins);
        assert_memory_equal(bins, want, sizeof bins);
    }
    const float x[5] = {1.0f, 2.0f, NAN, 3.0f, -4.0f};
    assert_int_equal(pk_count_beyond(x, 5, 1.0f, 2.5f), 2);
}

/* Calibration in parts, as text between processes, against the same samples in one go. */
static void test_calibration_parts(void **state)
{
    (void)state;
    enum { PARTS = 3, RUNS = 40, N = 50 };
    struct pare_error err = {0};
    struct pare_calibration whole, sum;
    struct pare_run_log log = {0, 0, NULL}, other = {0, 0, NULL};
    static float x[PARTS * RUNS][N];
    MUST(pare_calibration_init(&whole, 2, &err));
    MUST(pare_calibration_init(&sum, 2, &err));
    for (int i = 0; i < PARTS * RUNS; i++) {
        for (int k = 0; k < N; k++) {
            x[i][k] = (float)(int)random_real(-40, 90) * 0.25f; /* sums of these are exact in any order */
        }
    }
    x[7][3] = NAN;
    for (int pass = 0; pass < 2; pass++) {
        for (int p = 0; p < PARTS; p++) {
            struct pare_calibration part, back;
            MUST(pare_calibration_init(&part, 2, &err));
            MUST(pare_calibration_init(&back, 2, &err));
            part.log = pass == 0 ? &log : NULL;
            back.log = pass == 0 ? &other : NULL;
            part.ranges[1].min = pass == 1 ? sum.ranges[1].min : 0;
            part.ranges[1].max = pass == 1 ? sum.ranges[1].max : 0;
            for (int i = p * RUNS; i < (p + 1) * RUNS; i++) {
                struct pare_range run;
                pare_range_init(&run);
                if (pass == 1) {
                    pare_range_add_histogram(&part.ranges[1], x[i], N);
                    continue;
                }
                pare_range_add(&run, x[i], N);
                pare_range_add_run(&part.ranges[1], &run);
                pare_range_add_run(&whole.ranges[1], &run);
                assert_true(pare_run_log_add(&log, 1, run.min, run.max));
            }
            json_t *json = pare_calibration_part_to_json(&part, pass);
            MUST(pare_calibration_part_from_json(json, pass, &back, &err));
            pare_calibration_merge(&sum, &back, pass);
            json_array_remove(json_object_get(json, pass == 0 ? "seen" : "bins"), 0);
            assert_int_equal(pare_calibration_part_from_json(json, pass, &back, &err), PARE_ERR_FORMAT);
            json_decref(json);
            pare_calibration_clear(&part);
            pare_calibration_clear(&back);
            pare_run_log_clear(&log);
            pare_run_log_clear(&other);
        }
    }
    for (int i = 0; i < PARTS * RUNS; i++) {
        pare_range_add_histogram(&whole.ranges[1], x[i], N);
    }
    assert_memory_equal(sum.ranges, whole.ranges, 2 * sizeof *sum.ranges);
    assert_true(sum.ranges[1].n_runs == PARTS * RUNS && sum.ranges[1].n_nonfinite == 1);
    pare_calibration_clear(&whole);
    pare_calibration_clear(&sum);
}

/* One FC layer [2][k] with these weights. */
static struct pare_graph *fc_graph(const float *w, int64_t k)
{
    struct pare_graph *g = pare_graph_new();
    const int64_t dims[2] = {2, k};
    const int x = add_tensor(g, "x", 2, 1, k, 0, 0);
    g->inputs = malloc(sizeof(int));
    g->inputs[g->n_inputs++] = x;
    const int weights =
        pare_graph_add_const(g, "w", PARE_F32, 2, dims, w, sizeof(float) * (size_t)(2 * k));
    const int out = add_tensor(g, "y", 2, 1, 2, 0, 0), in[2] = {x, weights};
    pare_graph_add_node(g, PARE_OP_FULLY_CONNECTED, "fc", 2, in, 1, &out);
    add_output(g, out);
    finish_graph(g);
    return g;
}

static void test_weight_codes(void **state)
{
    (void)state;
    struct pare_error err = {0};
    const float w[8] = {0.5f, -1.0f, 0.1f, 0.0f, 0, 0, 0, 0};
    struct pare_graph *g = fc_graph(w, 4);
    for (int bits = 1; bits <= 8; bits++) {
        struct pare_weight_codes q;
        MUST(pare_weights_quantize(g, 0, bits, &g->arena, &q, &err));
        assert_int_equal(q.n_channels, 2);
        assert_int_equal(q.per_channel, 4);
        assert_null(q.zero_point);
        assert_true(q.scale[1] == 1.0f && q.sum[1] == 0);
        for (int i = 4; i < 8; i++) {
            assert_int_equal(q.codes[i], 0);
        }
        if (bits >= 3) {
            const int top = (1 << (bits - 1)) - 1;
            assert_true(q.scale[0] == 1.0f / (float)top);
            assert_int_equal(q.codes[1], -top);
            for (int i = 0; i < 4; i++) {
                assert_int_equal(q.codes[i], (int)rintf(w[i] / q.scale[0]));
            }
        }
        assert_int_equal(q.sum[0], q.codes[0] + q.codes[1] + q.codes[2] + q.codes[3]);
    }
    struct pare_weight_codes one, two;
    MUST(pare_weights_quantize(g, 0, 1, &g->arena, &one, &err));
    assert_float_equal(one.scale[0], 0.4f, 1e-7f);
    assert_int_equal(one.codes[3], 1); /* sign(0) = +1 */
    assert_int_equal(one.codes[1], -1);
    MUST(pare_weights_quantize(g, 0, 2, &g->arena, &two, &err));
    assert_true(two.scale[0] == 0.5f); /* -2, 1 and 0 meet every weight but 0.1 */
    assert_int_equal(two.codes[1], -2);
    assert_int_equal(two.codes[0], 1);
    pare_graph_free(g);
}

static void test_weights_not_finite(void **state)
{
    (void)state;
    struct pare_error err = {0};
    const float w[4] = {1, 2, NAN, 0};
    struct pare_graph *g = fc_graph(w, 2);
    struct pare_weight_codes q;
    assert_int_equal(pare_weights_quantize(g, 0, 8, &g->arena, &q, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "channel 1"));
    assert_string_equal(err.where, "fc");
    pare_graph_free(g);
}

/* Two bits: no other of the eight scales has a smaller squared error. */
static void test_two_bits_least_error(void **state)
{
    (void)state;
    struct pare_error err = {0};
    float w[2 * 50];
    for (int i = 0; i < 100; i++) {
        w[i] = random_real(-1, 1) * random_real(0, 1);
    }
    struct pare_graph *g = fc_graph(w, 50);
    struct pare_weight_codes q;
    MUST(pare_weights_quantize(g, 0, 2, &g->arena, &q, &err));
    for (int c = 0; c < 2; c++) {
        float max = 0;
        double own = 0;
        for (int i = 0; i < 50; i++) {
            max = fmaxf(max, fabsf(w[c * 50 + i]));
            own +=
                pow((double)w[c * 50 + i] - (double)(q.scale[c] * (float)q.codes[c * 50 + i]), 2);
        }
        for (int k = 1; k <= 8; k++) {
            double other = 0;
            for (int i = 0; i < 50; i++) {
                const float s = max * (float)k / 8,
                            code = fminf(fmaxf(rintf(w[c * 50 + i] / s), -2), 1);
                other += pow((double)w[c * 50 + i] - (double)(s * code), 2);
            }
            assert_true(own <= other + 1e-6);
        }
    }
    pare_graph_free(g);
}

static void test_imported_codes(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = pare_graph_new();
    const int64_t dims[2] = {2, 3};
    const uint8_t codes[6] = {0, 255, 130, 128, 7, 9};
    static const float scale[1] = {0.5f};
    static const int32_t zero[1] = {120};
    static const struct pare_quant quant = {1, -1, scale, zero, PARE_U8};
    const int x = add_tensor(g, "x", 2, 1, 3, 0, 0);
    g->inputs = malloc(sizeof(int));
    g->inputs[g->n_inputs++] = x;
    const int weights = pare_graph_add_const(g, "w", PARE_U8, 2, dims, codes, 6);
    g->tensors[weights].quant = &quant;
    const int out = add_tensor(g, "y", 2, 1, 2, 0, 0), in[2] = {x, weights};
    pare_graph_add_node(g, PARE_OP_FULLY_CONNECTED, "fc", 2, in, 1, &out);
    add_output(g, out);
    finish_graph(g);
    struct pare_weight_codes q;
    MUST(pare_weights_quantize(g, 0, 8, &g->arena, &q, &err));
    for (int i = 0; i < 6; i++) {
        assert_int_equal(q.codes[i], codes[i] - 128);
    }
    assert_int_equal(q.zero_point[1], -8);
    assert_true(q.scale[1] == 0.5f);
    float real[6];
    MUST(pare_weights_f32(g, 0, real, &err));
    assert_true(real[0] == -60.0f && real[1] == 67.5f);
    MUST(pare_weights_quantize(g, 0, 4, &g->arena, &q,
                               &err)); /* other widths: from the real numbers */
    assert_null(q.zero_point);
    assert_int_equal(q.codes[1], 7);
    assert_int_equal(pare_layer_bytes(g, 0, level_of("w4a8"), NULL), 3 + 8);
    assert_int_equal(pare_layer_bytes(g, 0, level_of("fp16"), NULL), 12);
    assert_int_equal(pare_layer_bytes(g, 0, level_of("fp32"), NULL), 24);
    pare_graph_free(g);
}

static void bytes_follow_the_method(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = pare_graph_new();
    const int x = add_input(g, 1, 4, 4, 64);
    add_output(g, add_conv(g, "conv", x, (struct conv_spec){.out_c = 5, .kernel = 3, .pad = 1}));
    finish_graph(g);
    const int64_t weights = 5 * 9 * 64, bias = 5 * 4;
    static const struct {
        const char *level, *method;
        int64_t bits, rest; /* of a weight; scales and zero points */
    } cases[] = {
        {"w8a8", "", 8, 5 * 4},
        {"w4a8", "per=tensor", 4, 4},
        {"w4a8", "weights=asymmetric", 4, 5 * 5},
        {"w1a1", "weights=asymmetric", 1, 5 * 4},
        {"w4a32", "per=group:32", 4, 5 * 2 * 4},
        {"w4a32", "per=group:48,weights=asymmetric", 4, 5 * 2 * 5},
        {"w8a8", "weights=quantized_bits", 8, 1},
        {"w3a8", "weights=po2", 3, 5},
        {"w4a8", "weights=po2", 4, 5},
        {"w8a8", "weights=po2", 8, 5},
        {"w8a8", "weights=po2:inf", 8, 1},
        {"w16a16", "weights=po2", 9, 5},
        {"w8a8", "weights=ternary", 2, 5 * 4},
        {"w8a8", "weights=binary,per=tensor", 1, 4},
        {"w16a16", "", 16, 5 * 4},
        {"w16a16", "weights=asymmetric", 16, 5 * 6},
        {"fp16", "weights=asymmetric", 16, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pare_method m;
        MUST(pare_method_parse(cases[i].method, NULL, &m, &err));
        assert_int_equal(pare_layer_bytes(g, 0, level_of(cases[i].level), &m), (weights * cases[i].bits + 7) / 8 + cases[i].rest + bias);
    }
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level_names),
        cmocka_unit_test(test_level_lists),
        cmocka_unit_test(test_grids),
        cmocka_unit_test(test_grid_and_kernels_agree),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_lloyd_gaussian),
        cmocka_unit_test(test_calibration_json),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_calibration_parts),
        cmocka_unit_test(test_weight_codes),
        cmocka_unit_test(test_weights_not_finite),
        cmocka_unit_test(test_two_bits_least_error),
        cmocka_unit_test(test_imported_codes),
        cmocka_unit_test(bytes_follow_the_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
