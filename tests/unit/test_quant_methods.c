/* Methods of quantization: golden vectors of QKeras, SQuant's invariants, equalization, ranges, rounding by samples. */
#include "measure/flags.h"
#include "quant/clip.h"
#include "quant/equalize.h"
#include "quant/make.h"
#include "quant/method.h"
#include "quant/qkeras.h"
#include "quant/squant.h"
#include "tests/unit/plan_build.h"

static const float golden_x[10] = {-1.3f, -1.0f, -0.5f, -0.0625f, 0.0f, 0.0625f, 0.1875f, 0.3f, 0.97f, 1.5f};

static void quantized_bits_gives_the_golden_vectors(void **state)
{
    (void)state;
    static const struct {
        int bits, integer;
        bool symmetric;
        float y[10];
    } golden[] = {
        {4, 0, false, {-1, -1, -.5f, 0, 0, 0, .25f, .25f, .875f, .875f}},
        {4, 0, true, {-.875f, -.875f, -.5f, 0, 0, 0, .25f, .25f, .875f, .875f}},
        {4, 1, false, {-1.25f, -1, -.5f, 0, 0, 0, .25f, .25f, 1, 1.5f}},
        {2, 0, true, {-.5f, -.5f, -.5f, 0, 0, 0, 0, .5f, .5f, .5f}},
        {1, 0, false, {-1, -1, -1, -1, 1, 1, 1, 1, 1, 1}},
    };
    for (size_t g = 0; g < sizeof golden / sizeof golden[0]; g++) {
        float step;
        int lo, hi;
        pare_qkeras_bits_grid(golden[g].bits, golden[g].integer, golden[g].symmetric, &step, &lo, &hi);
        for (int i = 0; i < 10; i++) {
            const float y = pare_qkeras_bits(golden_x[i], golden[g].bits, golden[g].integer, golden[g].symmetric, true);
            if (y != golden[g].y[i]) {
                print_error("(%d,%d,%d) x %g: %g, not %g\n", golden[g].bits, golden[g].integer, golden[g].symmetric,
                            (double)golden_x[i], (double)y, (double)golden[g].y[i]);
            }
            assert_true(y == golden[g].y[i]);
            assert_true(y >= step * (float)lo && y <= step * (float)hi && y / step == rintf(y / step));
        }
    }
}

static void quantized_po2_gives_the_golden_vectors(void **state)
{
    (void)state;
    static const float golden[][2] = {{0, .0625f}, {.05f, .0625f}, {.35f, .25f}, {.36f, .5f}, {1.4f, 1}, {1.5f, 2}, {-5, -4}};
    int least, most;
    pare_qkeras_po2_exponents(4, 0.0f, false, &least, &most);
    assert_int_equal(least, -4);
    assert_int_equal(most, 3);
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        assert_true(pare_qkeras_po2(golden[i][0], 4, 0.0f, false) == golden[i][1]);
    }
}

static void the_other_qkeras_quantizers_keep_their_rules(void **state)
{
    (void)state;
    assert_true(pare_qkeras_relu(0.3f, 4, 0) == 0.3125f && pare_qkeras_relu(2.0f, 4, 0) == 0.9375f);
    assert_true(pare_qkeras_relu(-1.0f, 4, 0) == 0.0f);
    assert_true(pare_qkeras_binary(0.0f) == 1.0f && pare_qkeras_binary(-0.1f) == -1.0f);
    assert_true(pare_qkeras_ternary(0.33f, 0.33f) == 0.0f && pare_qkeras_ternary(-0.4f, 0.33f) == -1.0f);
    const float x[6] = {0.9f, -1.1f, 1.0f, 0.1f, -0.1f, 0.0f};
    float z[6];
    const float scale = pare_qkeras_ternary_auto(x, 6, 1, z);
    assert_true(fabsf(scale - 1.0f) < 1e-6f && z[0] == 1.0f && z[1] == -1.0f && z[3] == 0.0f);
    float out[6];
    const float po2 = pare_qkeras_auto_po2(x, 6, 1, 4, 0, out);
    assert_true(po2 == exp2f(rintf(log2f(po2))));
    for (int i = 0; i < 6; i++) {
        const float inside = fmaxf(fminf(x[i], 7.0f * po2), -7.0f * po2);
        assert_true(fabsf(out[i] - inside) <= po2 / 2.0f + 1e-6f);
    }
}

static double sum_of(const float *e, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        sum += (double)e[i];
    }
    return fabs(sum);
}

static void squant_keeps_its_bounds_on_random_layers(void **state)
{
    (void)state;
    enum { KERNELS = 40, TAPS = 25, ALL = KERNELS * TAPS };
    float x[ALL], error[ALL];
    int codes[ALL], direction[ALL];
    for (int round = 0; round < 400; round++) {
        const int bits = random_int(3, 8), taps = (const int[]){1, 3, 9, 25}[round % 4], kernels = random_int(1, KERNELS);
        struct pare_squant s = {kernels, taps, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, x, codes, error, direction};
        for (int i = 0; i < kernels * taps; i++) {
            x[i] = random_real((float)s.lo, (float)s.hi);
            if (round % 10 == 0) { /* ties, and kernels of nothing but zeros */
                x[i] = i < taps ? 0.0f : rintf(2.0f * x[i]) / 2.0f;
            }
        }
        pare_squant_elements(&s);
        if (taps > 1) {
            pare_squant_kernels(&s);
            for (int k = 0; k < kernels; k++) {
                assert_true(sum_of(error + k * taps, taps) <= 0.5 + 1e-4);
            }
        }
        pare_squant_channel(&s);
        assert_true(sum_of(error, kernels * taps) <= 0.5 + 1e-3);
        for (int k = 0; k < kernels && taps > 1; k++) {
            assert_true(sum_of(error + k * taps, taps) <= 1.0 + 1e-4);
        }
        for (int i = 0; i < kernels * taps; i++) {
            assert_true(codes[i] >= s.lo && codes[i] <= s.hi);
            assert_true(fabsf((float)codes[i] - rintf(x[i])) <= 1.0f);
            assert_true(round % 10 != 0 || i >= taps || taps == 1 || codes[i] == 0);
        }
    }
}

/* On whole layers: errors of every kernel, of every group of input channels, and of every code, in steps of the group. */
static void squant_keeps_its_bounds_in_groups(void **state)
{
    (void)state;
    enum { OUT = 6, IN = 70, TAPS = 9, GROUP = 32 };
    struct pare_error err = {0};
    for (int round = 0; round < 24; round++) {
        struct pare_graph *g = pare_graph_new();
        struct pare_method methods[2];
        struct pare_arena arena = {0};
        struct pare_weight_codes q;
        char level[8];
        add_output(g, add_conv(g, "c", add_input(g, 1, 3, 3, IN), (struct conv_spec){.out_c = OUT, .kernel = 3, .pad = 1}));
        finish_graph(g);
        MUST(pare_method_parse(round % 2 ? "rounding=squant,per=group:32" : "rounding=squant,per=group:32,weights=asymmetric", NULL,
                               &methods[0], &err));
        const struct pare_maker m = {.graph = g, .methods = methods};
        snprintf(level, sizeof level, "w%da8", 3 + round % 6);
        MUST(pare_maker_weights(&m, 0, level_of(level), NULL, &arena, &q, &err));
        assert_int_equal(q.n_groups, 3);
        const float *w = g->tensors[g->nodes[0].in[1]].data;
        for (int c = 0; c < OUT; c++) {
            double group[3] = {0};
            for (int i = 0; i < IN; i++) {
                const int at = i / GROUP * OUT + c, zero = q.zero_point != NULL ? q.zero_point[at] : 0;
                double kernel = 0;
                for (int t = 0; t < TAPS; t++) {
                    const int k = (c * TAPS + t) * IN + i;
                    const float x = w[k] / q.scale[at] + (float)zero;
                    kernel += (double)q.codes[k] - (double)x;
                    assert_true(fabsf((float)q.codes[k] - rintf(x)) <= 1.0f);
                }
                assert_true(fabs(kernel) <= 1.0 + 1e-3);
                group[i / GROUP] += kernel;
            }
            assert_true(fabs(group[0]) <= 0.501 && fabs(group[1]) <= 0.501 && fabs(group[2]) <= 0.501);
        }
        pare_arena_clear(&arena);
        pare_graph_free(g);
    }
}

static void squant_breaks_ties_by_the_lowest_index(void **state)
{
    (void)state;
    float x[4] = {0.25f, 0.25f, 0.25f, 0.25f}, error[4];
    int codes[4], direction[4];
    struct pare_squant s = {1, 4, -8, 7, x, codes, error, direction};
    pare_squant_elements(&s);
    pare_squant_kernels(&s);
    assert_int_equal(codes[0], 1);
    assert_int_equal(codes[1] + codes[2] + codes[3], 0);
}

static void methods_are_read_and_refused(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_method m;
    MUST(pare_method_parse("ranges=mse, rounding=squant; det/*: rounding=adaround,weights=asymmetric", "det/c1", &m, &err));
    assert_true(m.ranges == PARE_RANGES_MSE && m.rounding == PARE_ROUND_ADAROUND && m.weights == PARE_WEIGHTS_ASYMMETRIC);
    MUST(pare_method_parse("ranges=mse, rounding=squant; det/*: rounding=adaround", "other/c1", &m, &err));
    assert_true(m.rounding == PARE_ROUND_SQUANT);
    MUST(pare_method_parse("ranges=-1.5..2,per=group:32;x/c1:ranges=bn:4", "x/c1", &m, &err));
    assert_true(m.ranges == PARE_RANGES_BN && m.sigmas == 4.0 && m.per == PARE_PER_GROUP && m.group == 32);
    MUST(pare_method_parse("ranges=-1.5..2", NULL, &m, &err));
    assert_true(m.given_lo == -1.5f && m.given_hi == 2.0f);
    MUST(pare_method_parse("weights=po2:inf", NULL, &m, &err));
    assert_true(m.weights == PARE_WEIGHTS_PO2 && isinf(m.most));
    MUST(pare_method_parse("weights=po2:inf;weights=po2", NULL, &m, &err));
    assert_true(m.weights == PARE_WEIGHTS_PO2 && m.most == 0.0f);
    MUST(pare_method_parse(NULL, NULL, &m, &err));
    static const char *const bad[] = {"ranges=max", "round=squant", "per=group:7", "ranges=2..1", "best2", "x/*: ranges=", "ranges=bn:x",
                                      "weights=po2:0", "weights=po2:x", "weights=po2:"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pare_method_parse(bad[i], NULL, &m, &err), PARE_ERR_USAGE);
    }
}

static bool starts_with_det(void *self, const char *glob)
{
    (void)self;
    return strncmp(glob, "det", 3) == 0;
}

static void a_glob_names_a_stage_a_layer_or_a_tensor(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_method m;
    MUST(pare_method_parse("det: ranges=mse", "det/c1", &m, &err)); /* the stage */
    assert_true(m.ranges == PARE_RANGES_MSE);
    MUST(pare_method_parse("de: ranges=mse; c1: ranges=kl; det/c: ranges=kl", "det/c1", &m, &err));
    assert_true(m.ranges == PARE_RANGES_MINMAX);
    MUST(pare_method_parse_either("det/t7: ranges=kl", "det/t7", "det/c1", &m, &err));
    assert_true(m.ranges == PARE_RANGES_KL);
    assert_true(pare_method_glob_hits("d*", "det/a/b") && pare_method_glob_hits("det/a*", "det/a/b"));
    assert_false(pare_method_glob_hits("a", "det/a") || pare_method_glob_hits("det/a", "det/a/b") || pare_method_glob_hits("", "det/a"));
    MUST(pare_method_check_globs("best; det/*: per=tensor ; det: scales=mse", NULL, starts_with_det, &err));
    assert_int_equal(pare_method_check_globs("det/*: best; hand/c1: best", NULL, starts_with_det, &err), PARE_ERR_USAGE);
    assert_string_equal(err.message, "the pattern \"hand/c1\" matches no stage, layer or tensor");
    for (int i = 0; pare_method_word(i) != NULL; i++) {
        MUST(pare_method_parse(pare_method_word(i), NULL, &m, &err)); /* every word that is offered is one */
    }
}

static void the_thesis_notation_is_a_level_with_ends(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_level level, ends[2];
    bool given[2];
    MUST(pare_level_parse("W8A8I32O32", &level, &err));
    assert_true(pare_level_equal(level, level_of("w8a8")));
    MUST(pare_notation_ends("W8A8I32O16", ends, given, &err));
    assert_true(given[0] && given[1] && ends[0].kind == PARE_LEVEL_FP32 && ends[1].kind == PARE_LEVEL_SIMULATED);
    MUST(pare_notation_ends("w4a4i8", ends, given, &err));
    assert_true(given[0] && !given[1] && pare_level_equal(ends[0], level_of("int8")));
    MUST(pare_level_parse("W32A32I32O32", &level, &err));
    assert_true(level.kind == PARE_LEVEL_FP32);
    char name[16];
    static const char *const simulated[] = {"W16A16I32O32", "w16a16", "w16a16-sim"};
    for (int i = 0; i < 3; i++) {
        MUST(pare_level_parse(simulated[i], &level, &err));
        assert_true(pare_level_simulated(level) && level.w_bits == 16 && level.a_bits == 16);
    }
    assert_string_equal(pare_level_alias(level, name), "w16a16-sim");
    MUST(pare_level_parse("w8a16", &level, &err));
    assert_true(pare_level_simulated(level));
    assert_true(pare_level_compare(level_of("fp16"), level_of("w16a16")) < 0);
    MUST(pare_notation_ends("int8", ends, given, &err));
    assert_false(given[0] || given[1]);
    static const char *const bad[] = {"W8A8I", "W8A8I32I32", "W8A8X32", "W8A8I9", "I32O32", "w4a16", "w16a8", "w16a32"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pare_level_parse(bad[i], &level, &err), PARE_ERR_USAGE);
    }
}

static void chosen_ranges_beat_the_extremes(void **state)
{
    (void)state;
    static float x[20000];
    for (int i = 0; i < 20000; i++) {
        float sum = 0.0f;
        for (int k = 0; k < 12; k++) {
            sum += random_real(-0.5f, 0.5f);
        }
        x[i] = sum;
    }
    x[0] = 40.0f; /* an outlier */
    struct pare_range r;
    pare_range_init(&r);
    pare_range_add(&r, x, 20000);
    pare_range_add_histogram(&r, x, 20000);
    pare_range_finish(&r);
    static const char *const methods[] = {"ranges=mse", "ranges=percentile:0.999", "ranges=kl"};
    for (size_t i = 0; i < 3; i++) {
        struct pare_method m;
        struct pare_error err = {0};
        struct pare_range chosen = r;
        MUST(pare_method_parse(methods[i], NULL, &m, &err));
        pare_clip_choose(&chosen, &m);
        assert_true(chosen.clipped && chosen.clip_hi[4] < 20.0f);
        assert_true(pare_clip_error(&r, chosen.clip_lo[4], chosen.clip_hi[4], 4) < pare_clip_error(&r, r.min, r.max, 4));
    }
    struct pare_calibration c = {1, &r, NULL}, back;
    struct pare_error err = {0};
    struct pare_method m;
    MUST(pare_method_parse("ranges=-2..3", NULL, &m, &err));
    pare_clip_choose(&r, &m);
    json_t *json = pare_calibration_to_json(&c);
    MUST(pare_calibration_from_json(json, &back, &err));
    const struct pare_grid g = pare_grid_from_range(&back.ranges[0], 8), want = pare_grid_asymmetric(-2.0f, 3.0f, 8);
    assert_true(pare_grid_equal(&g, &want));
    pare_calibration_clear(&back);
    json_decref(json);
}

/* conv 1x1, relu, depthwise 3x3, relu, conv 1x1; channels of very uneven size. Nodes 0, 2, 4 are the layers. */
static struct pare_graph *uneven_net(void)
{
    struct pare_graph *g = pare_graph_new();
    int t = add_input(g, 1, 6, 6, 8);
    t = add_conv(g, "c1", t, (struct conv_spec){.out_c = 8, .kernel = 1});
    t = add_unary(g, PARE_OP_RELU, "r1", t);
    t = add_conv(g, "dw", t, (struct conv_spec){.out_c = 8, .kernel = 3, .pad = 1, .groups = 8, .depthwise = true});
    t = add_unary(g, PARE_OP_RELU, "r2", t);
    t = add_conv(g, "c2", t, (struct conv_spec){.out_c = 5, .kernel = 1});
    add_output(g, t);
    finish_graph(g);
    float *w1 = (float *)(uintptr_t)g->tensors[g->nodes[0].in[1]].data;
    float *b1 = (float *)(uintptr_t)g->tensors[g->nodes[0].in[2]].data;
    float *w2 = (float *)(uintptr_t)g->tensors[g->nodes[2].in[1]].data;
    for (int c = 0; c < 8; c++) {
        const float spread = ldexpf(1.0f, c - 4);
        for (int k = 0; k < 8; k++) {
            w1[c * 8 + k] *= spread;
        }
        for (int k = 0; k < 9; k++) {
            w2[k * 8 + c] /= spread;
        }
        b1[c] *= spread;
    }
    return g;
}

/* Output of the graph at a level, by a maker or not; x is given. Returns its elements. */
static size_t run_net(const struct pare_graph *g, const struct pare_calibration *c, const struct pare_maker *m,
                      const char *level, const float *x, size_t n_x, float *y)
{
    struct pare_error err = {0};
    struct pare_level levels[16];
    struct pare_plan *plan;
    for (int i = 0; i < 16; i++) {
        levels[i] = level_of(level);
    }
    const struct pare_plan_options options = {.levels = levels, .calibration = c, .isa = PK_REF, .maker = m};
    MUST(pare_plan_new(g, &options, &plan, &err));
    MUST(pare_plan_set_input(plan, 0, x, n_x, &err));
    MUST(pare_plan_run(plan, &err));
    const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->outputs[0]]);
    MUST(pare_plan_get_output(plan, 0, y, n, &err));
    pare_plan_free(plan);
    return n;
}

static void methods_of(struct pare_method *m, const char *text)
{
    struct pare_error err = {0};
    for (int i = 0; i < 16; i++) {
        MUST(pare_method_parse(text, NULL, &m[i], &err));
    }
}

static float largest(const struct pare_graph *g, int node, int channel)
{
    const float *w = g->tensors[g->nodes[node].in[1]].data;
    const int64_t n = pare_node_weights(g, node), channels = pare_node_out_channels(g, node);
    float r = 0.0f;
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = g->nodes[node].op == PARE_OP_DEPTHWISE ? i % channels : i / (n / channels);
        r = c == channel ? fmaxf(r, fabsf(w[i])) : r;
    }
    return r;
}

static void equalization_evens_a_triple_and_keeps_the_function(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = uneven_net();
    struct pare_method methods[16];
    size_t n_x;
    float *x = random_input(g, 0, &n_x), before[256], after[256];
    const size_t n = run_net(g, NULL, NULL, "fp32", x, n_x, before);
    json_t *notes = json_array();
    methods_of(methods, "equalize=on,absorb=on");
    MUST(pare_equalize(g, methods, "net", notes, &err));
    for (int c = 0; c < 8; c++) {
        const float r1 = largest(g, 0, c), r2 = largest(g, 2, c);
        assert_true(fabsf(r1 / r2 - 1.0f) < 1e-3f);
    }
    run_net(g, NULL, NULL, "fp32", x, n_x, after);
    for (size_t i = 0; i < n; i++) {
        assert_true(fabsf(before[i] - after[i]) <= 1e-4f * (1.0f + fabsf(before[i])));
    }
    bool told = false;
    for (size_t i = 0; i < json_array_size(notes); i++) {
        told = told || strstr(json_string_value(json_array_get(notes, i)), "no BatchNorm") != NULL;
    }
    assert_true(told); /* what did not apply is said */
    json_decref(notes);
    free(x);
    pare_graph_free(g);
}

static void samples_of(const struct pare_graph *g, int node, struct pare_rows *r, int n)
{
    const int64_t depth = g->tensors[g->nodes[node].in[0]].dims[3];
    r->columns = (int)depth * g->nodes[node].attr.window.kernel[0] * g->nodes[node].attr.window.kernel[1];
    r->n = n;
    r->xq = NULL;
    r->loud = false;
    r->x = malloc((size_t)n * (size_t)r->columns * sizeof *r->x);
    for (int i = 0; i < n; i++) {
        const float common = random_real(0.0f, 1.0f); /* inputs of a layer go together */
        for (int k = 0; k < r->columns; k++) {
            r->x[i * r->columns + k] = common + random_real(0.0f, 0.3f);
        }
    }
}

/* Mean squared error of a layer's outputs on the samples, weights by a method. */
static double output_error(const struct pare_graph *g, int node, const char *text, const char *level, struct pare_rows *rows)
{
    struct pare_error err = {0};
    struct pare_method methods[16];
    struct pare_arena arena = {0};
    struct pare_weight_codes out;
    const int64_t n = pare_node_weights(g, node), channels = pare_node_out_channels(g, node), k = n / channels;
    const bool depthwise = g->nodes[node].op == PARE_OP_DEPTHWISE;
    const float *w = g->tensors[g->nodes[node].in[1]].data;
    const struct pare_maker m = {.graph = g, .methods = methods, .rows = rows - node};
    double error = 0.0;
    methods_of(methods, text);
    MUST(pare_maker_weights(&m, node, level_of(level), NULL, &arena, &out, &err));
    for (int row = 0; row < rows->n; row++) {
        for (int64_t c = 0; c < channels; c++) {
            double sum = out.correction != NULL ? (double)out.correction[c] : 0.0;
            for (int64_t i = 0; i < k; i++) {
                const int64_t at = depthwise ? i * channels + c : c * k + i;
                const int zero = out.zero_point != NULL ? out.zero_point[c] : 0;
                const double v = (double)rows->x[row * rows->columns + (depthwise ? i * channels + c : i)];
                sum += v * ((double)out.scale[c] * (double)(out.codes[at] - zero) - (double)w[at]);
            }
            error += sum * sum / (double)largest(g, node, (int)c) / (double)largest(g, node, (int)c);
        }
    }
    pare_arena_clear(&arena);
    return error;
}

static void rounding_by_samples_lowers_the_output_error(void **state)
{
    (void)state;
    struct pare_graph *g = uneven_net();
    for (int layer = 0; layer < 3; layer++) {
        struct pare_rows rows;
        samples_of(g, 2 * layer, &rows, 200);
        const double nearest = output_error(g, 2 * layer, "minmax", "w4a8", &rows);
        const double squant = output_error(g, 2 * layer, "rounding=squant", "w4a8", &rows);
        const double corrected = output_error(g, 2 * layer, "bias=empirical", "w4a8", &rows);
        const double seqmse = output_error(g, 2 * layer, "rounding=seqmse", "w4a8", &rows);
        const double adaround = output_error(g, 2 * layer, "rounding=adaround", "w4a8", &rows);
        const double descent = output_error(g, 2 * layer, "rounding=descent,bias=empirical", "w4a8", &rows);
        assert_true(squant < nearest && corrected < nearest && seqmse <= nearest && adaround < 0.7 * nearest);
        assert_true(descent < corrected);
        free(rows.x);
    }
    pare_graph_free(g);
}

static void every_kind_of_weights_stays_on_its_grid(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = uneven_net();
    static const char *const kinds[] = {"symmetric", "asymmetric", "quantized_bits", "binary", "ternary"};
    for (int kind = 0; kind < 5; kind++) {
        for (int bits = 1; bits <= 8; bits++) {
            for (int tensor = 0; tensor < 2; tensor++) {
                char text[64], level[8];
                struct pare_method methods[16];
                struct pare_arena arena = {0};
                struct pare_weight_codes out;
                snprintf(text, sizeof text, "weights=%s,per=%s", kinds[kind], tensor ? "tensor" : "channel");
                snprintf(level, sizeof level, "w%da8", bits);
                methods_of(methods, text);
                const struct pare_maker m = {.graph = g, .methods = methods};
                MUST(pare_maker_weights(&m, 0, level_of(level), NULL, &arena, &out, &err));
                const int most = kind >= 3 || bits == 1 ? 1 : 1 << (bits - 1);
                for (int i = 0; i < 64; i++) {
                    const int code = out.codes[i];
                    assert_true(abs(code) <= most);
                    assert_true(!tensor || out.scale[i / 8] == out.scale[0]);
                    if (bits == 8 && kind <= 1 && !tensor) {
                        const float w = ((const float *)g->tensors[g->nodes[0].in[1]].data)[i];
                        const int zero = out.zero_point != NULL ? out.zero_point[i / 8] : 0;
                        assert_true(fabsf(out.scale[i / 8] * (float)(code - zero) - w) <= out.scale[i / 8] * 0.5001f);
                    }
                }
                pare_arena_clear(&arena);
            }
        }
    }
    pare_graph_free(g);
}

/* Must-show 5: weight zero points, per-tensor scales, an all-zero channel, one-bit affine activations. */
static void all_instruction_sets_give_the_same_bytes_for_every_method(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = uneven_net();
    struct pare_calibration c;
    float *w = (float *)(uintptr_t)g->tensors[g->nodes[0].in[1]].data;
    memset(w + 3 * 8, 0, 8 * sizeof *w); /* channel 3 of zeros */
    calibrate(g, &c);
    static const char *const texts[] = {"weights=asymmetric", "per=tensor,weights=asymmetric", "per=tensor", "weights=ternary"};
    static const char *const level_names[] = {"w8a8", "w4a4", "w4a1", "w2a1"};
    size_t n_x;
    float *x = random_input(g, 0, &n_x);
    for (int t = 0; t < 4; t++) {
        struct pare_method methods[16];
        methods_of(methods, texts[t]);
        const struct pare_maker m = {.graph = g, .methods = methods};
        for (int l = 0; l < 4; l++) {
            float want[256], got[256];
            const size_t n = run_net(g, &c, &m, level_names[l], x, n_x, want);
            for (int isa = 0; isa < PK_ISA_COUNT; isa++) {
                struct pare_level levels[16];
                struct pare_plan *plan;
                if (!pk_isa_supported((enum pk_isa)isa)) {
                    continue;
                }
                for (int i = 0; i < 16; i++) {
                    levels[i] = level_of(level_names[l]);
                }
                const struct pare_plan_options options = {.levels = levels, .calibration = &c, .isa = (enum pk_isa)isa, .maker = &m};
                MUST(pare_plan_new(g, &options, &plan, &err));
                MUST(pare_plan_set_input(plan, 0, x, n_x, &err));
                MUST(pare_plan_run(plan, &err));
                MUST(pare_plan_get_output(plan, 0, got, n, &err));
                assert_memory_equal(got, want, n * sizeof *got);
                pare_plan_free(plan);
            }
        }
    }
    free(x);
    pare_calibration_clear(&c);
    pare_graph_free(g);
}

/* Must-show 5: the integer layer against a float64 model of the contract, for every kind of weights and one-bit inputs. */
static void integer_layers_agree_with_a_float64_model(void **state)
{
    (void)state;
    enum { SIZE = 5, C = 4, O = 3, K = 9 * C };
    struct pare_error err = {0};
    struct pare_graph *g = pare_graph_new();
    add_output(g, add_conv(g, "c", add_input(g, 1, SIZE, SIZE, C), (struct conv_spec){.out_c = O, .kernel = 3, .pad = 1}));
    finish_graph(g);
    float *w = (float *)(uintptr_t)g->tensors[g->nodes[0].in[1]].data;
    const float *bias = g->tensors[g->nodes[0].in[2]].data;
    memset(w + K, 0, K * sizeof *w); /* a channel of zeros */
    struct pare_calibration c;
    calibrate(g, &c);
    static const char *const texts[] = {"minmax", "weights=asymmetric", "per=tensor", "per=tensor,weights=asymmetric",
                                        "weights=ternary", "rounding=squant", "weights=quantized_bits:1"};
    static const char *const level_names[] = {"w8a8", "w4a4", "w3a2", "w4a1", "w1a1"};
    for (int t = 0; t < 7; t++) {
        for (int l = 0; l < 5; l++) {
            struct pare_method methods[16];
            struct pare_arena arena = {0};
            struct pare_weight_codes codes;
            size_t n_x;
            float *x = random_input(g, 0, &n_x), y[SIZE * SIZE * O];
            methods_of(methods, texts[t]);
            const struct pare_maker m = {.graph = g, .methods = methods};
            const struct pare_level level = level_of(level_names[l]);
            const struct pare_grid grid = pare_grid_from_range(&c.ranges[g->nodes[0].in[0]], level.a_bits);
            MUST(pare_maker_weights(&m, 0, level, &grid, &arena, &codes, &err));
            run_net(g, &c, &m, level_names[l], x, n_x, y);
            const double pad = (double)pare_grid_real(&grid, pare_grid_pad_code(&grid));
            for (int at = 0; at < SIZE * SIZE * O; at++) {
                const int o = at % O, py = at / O / SIZE, px = at / O % SIZE;
                double sum = (double)bias[o], size = fabs(sum);
                for (int k = 0; k < K; k++) {
                    const int yy = py + k / C / 3 - 1, xx = px + k / C % 3 - 1;
                    const bool inside = yy >= 0 && yy < SIZE && xx >= 0 && xx < SIZE;
                    const double v =
                        inside ? (double)pare_grid_real(&grid, pare_grid_code(&grid, x[(yy * SIZE + xx) * C + k % C])) : pad;
                    const int zero = codes.zero_point != NULL ? codes.zero_point[o] : 0;
                    const double term = v * (double)codes.scale[o] * (double)(codes.codes[o * K + k] - zero);
                    sum += term;
                    size += fabs(term);
                }
                if (fabs((double)y[at] - sum) > 2e-6 * (size + 1e-3)) {
                    print_error("%s %s output %d: %g, float64 %g\n", texts[t], level_names[l], at, (double)y[at], sum);
                }
                assert_true(fabs((double)y[at] - sum) <= 2e-6 * (size + 1e-3));
            }
            free(x);
            pare_arena_clear(&arena);
        }
    }
    pare_calibration_clear(&c);
    pare_graph_free(g);
}

/* A scale for every 32 of 70 input channels, and a byte for each zero point; one scale for the tensor. */
static void scales_are_counted(void **state)
{
    (void)state;
    struct pare_graph *g = pare_graph_new();
    struct pare_method methods[16];
    const struct pare_maker m = {.graph = g, .methods = methods};
    add_output(g, add_conv(g, "c", add_input(g, 1, 3, 3, 70), (struct conv_spec){.out_c = 5, .kernel = 3, .pad = 1}));
    finish_graph(g);
    const int64_t codes = 5 * 9 * 70 / 2, biases = 4 * 5;
    methods_of(methods, "minmax");
    assert_int_equal(pare_maker_bytes(&m, 0, level_of("w4a8")), codes + biases + 4 * 5);
    methods_of(methods, "per=group:32");
    assert_int_equal(pare_maker_bytes(&m, 0, level_of("w4a8")), codes + biases + 4 * 15);
    methods_of(methods, "per=group:32,weights=asymmetric");
    assert_int_equal(pare_maker_bytes(&m, 0, level_of("w4a8")), codes + biases + 5 * 15);
    assert_int_equal(pare_maker_bytes(&m, 0, level_of("fp32")), 8 * codes + biases);
    methods_of(methods, "per=tensor");
    assert_int_equal(pare_maker_bytes(&m, 0, level_of("w4a8")), codes + biases + 4);
    pare_graph_free(g);
}

/* Must-show 4: what is wrong with a layer is said by name. */
static void sick_layers_are_flagged(void **state)
{
    (void)state;
    struct pare_graph *g = uneven_net();
    struct pare_calibration c;
    struct pare_strbuf text;
    float *w = (float *)(uintptr_t)g->tensors[g->nodes[0].in[1]].data;
    float *b = (float *)(uintptr_t)g->tensors[g->nodes[0].in[2]].data;
    calibrate(g, &c);
    pare_strbuf_init(&text);
    pare_layer_flags(g, 0, &c, &text);
    assert_string_equal(text.text, "");
    memset(w + 2 * 8, 0, 8 * sizeof *w);
    b[2] = 70.0f;
    w[5] = NAN;
    pare_layer_flags(g, 0, &c, &text);
    assert_non_null(strstr(text.text, "1 weights are not finite, the first in channel 0"));
    assert_non_null(strstr(text.text, "channel 2 is the constant 70"));
    pare_strbuf_reset(&text);
    c.ranges[g->nodes[2].in[0]].min = c.ranges[g->nodes[2].in[0]].max = 3.0f;
    pare_layer_flags(g, 2, &c, &text);
    assert_string_equal(text.text, "what it reads is the constant 3");
    pare_strbuf_clear(&text);
    pare_calibration_clear(&c);
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantized_bits_gives_the_golden_vectors),
        cmocka_unit_test(quantized_po2_gives_the_golden_vectors),
        cmocka_unit_test(the_other_qkeras_quantizers_keep_their_rules),
        cmocka_unit_test(squant_keeps_its_bounds_on_random_layers),
        cmocka_unit_test(squant_keeps_its_bounds_in_groups),
        cmocka_unit_test(squant_breaks_ties_by_the_lowest_index),
        cmocka_unit_test(methods_are_read_and_refused),
        cmocka_unit_test(a_glob_names_a_stage_a_layer_or_a_tensor),
        cmocka_unit_test(the_thesis_notation_is_a_level_with_ends),
        cmocka_unit_test(chosen_ranges_beat_the_extremes),
        cmocka_unit_test(equalization_evens_a_triple_and_keeps_the_function),
        cmocka_unit_test(rounding_by_samples_lowers_the_output_error),
        cmocka_unit_test(every_kind_of_weights_stays_on_its_grid),
        cmocka_unit_test(integer_layers_agree_with_a_float64_model),
        cmocka_unit_test(scales_are_counted),
        cmocka_unit_test(sick_layers_are_flagged),
        cmocka_unit_test(all_instruction_sets_give_the_same_bytes_for_every_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
