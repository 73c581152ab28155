/*
 * Powers of two: a level of W bits holds the 2^(W-1) exponents of QKeras' quantized_po2, those of a channel shifted to its
 * largest weight (po2) or fixed (po2:M), against the formula in double, from the maker to what every instruction set computes.
 */
#include "tests/unit/plan_build.h"

#include "quant/make.h"
#include "quant/qkeras.h"

enum { IN = 24, OUT = 6, K = 9 * IN, MOST_NODES = 4 };

/* 3x3 over 5x5, weights of many sizes, some 0; a channel of large ones. */
static struct pare_graph *spread_net(void)
{
    struct pare_graph *g = pare_graph_new();
    add_output(g, add_conv(g, "c", add_input(g, 1, 5, 5, IN), (struct conv_spec){.out_c = OUT, .kernel = 3, .pad = 1}));
    finish_graph(g);
    float *w = (float *)(uintptr_t)g->tensors[g->nodes[0].in[1]].data;
    for (int i = 0; i < OUT * K; i++) {
        const float size = ldexpf(random_real(1, 2), random_int(i / K == 1 ? -2 : -40, i / K == 2 ? 6 : 0));
        w[i] = random_int(0, 30) == 0 ? 0.0f : random_int(0, 1) == 1 ? size : -size;
    }
    return g;
}

static void methods_of(struct pare_method *m, const char *text)
{
    struct pare_error err = {0};
    for (int i = 0; i < MOST_NODES; i++) {
        MUST(pare_method_parse(text, NULL, &m[i], &err));
    }
}

/* 2^(bits-1) exponents from that of the largest weight down. */
static double by_formula(const float *channel, float w, int bits)
{
    double largest = 0;
    for (int i = 0; i < K; i++) {
        largest = fmax(largest, fabs((double)channel[i]));
    }
    const double top = rint(log2(largest)), least = fmax(top - ldexp(1, bits - 1) + 1, -126);
    const double e = w == 0 ? least : fmin(fmax(rint(log2(fabs((double)w))), least), top);
    return copysign(ldexp(1, (int)e), w < 0 ? -1 : 1);
}

static void the_exponents_are_those_of_qkeras(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = spread_net();
    const float *w = g->tensors[g->nodes[0].in[1]].data;
    static const struct {
        const char *text;
        float most;
    } fixed[] = {{"weights=po2:inf", 0}, {"weights=po2:1", 1}, {"weights=po2:0.25", 0.25f}, {"weights=po2:4", 4}};
    for (int bits = 2; bits <= 8; bits++) {
        const struct pare_level level = {PARE_LEVEL_INT, (unsigned char)bits, 8};
        for (int t = -1; t < 4; t++) {
            struct pare_method methods[MOST_NODES];
            struct pare_arena arena = {0};
            struct pare_weight_codes out;
            methods_of(methods, t < 0 ? "weights=po2" : fixed[t].text);
            const struct pare_maker m = {.graph = g, .methods = methods};
            assert_true(pare_maker_real(&m, 0, level));
            MUST(pare_maker_weights(&m, 0, level, NULL, &arena, &out, &err));
            assert_non_null(out.real);
            assert_null(out.codes); /* nobody may take them for integers */
            for (int i = 0; i < OUT * K; i++) {
                const double want = t < 0 ? by_formula(w + i / K * K, w[i], bits)
                                          : (double)pare_qkeras_po2(w[i], bits, fixed[t].most, false);
                if ((double)out.real[i] != want) {
                    print_error("%d bits, %s: %g gives %g, not %g\n", bits, t < 0 ? "po2" : fixed[t].text, (double)w[i],
                                (double)out.real[i], want);
                }
                assert_true((double)out.real[i] == want);
            }
            pare_arena_clear(&arena);
        }
    }
    pare_graph_free(g);
}

static void golden_vectors_go_through_the_maker(void **state)
{
    (void)state;
    static const float golden[][2] = {{0, .0625f}, {.05f, .0625f}, {.35f, .25f}, {.36f, .5f}, {1.4f, 1}, {1.5f, 2}, {-5, -4}};
    struct pare_error err = {0};
    struct pare_graph *g = spread_net();
    float *w = (float *)(uintptr_t)g->tensors[g->nodes[0].in[1]].data;
    struct pare_method methods[MOST_NODES];
    struct pare_arena arena = {0};
    struct pare_weight_codes out;
    for (int i = 0; i < 7; i++) {
        w[i] = golden[i][0];
    }
    methods_of(methods, "weights=po2:inf");
    const struct pare_maker m = {.graph = g, .methods = methods};
    MUST(pare_maker_weights(&m, 0, level_of("w4a8"), NULL, &arena, &out, &err));
    for (int i = 0; i < 7; i++) {
        assert_true(out.real[i] == golden[i][1]);
    }
    pare_arena_clear(&arena);
    pare_graph_free(g);
}

/* One bit has no exponent: signs, which kernels take; so do a network's own codes. */
static void one_bit_is_no_power(void **state)
{
    (void)state;
    struct pare_graph *g = spread_net();
    struct pare_method methods[MOST_NODES];
    methods_of(methods, "weights=po2");
    const struct pare_maker m = {.graph = g, .methods = methods};
    assert_false(pare_maker_real(&m, 0, level_of("w1a1")));
    assert_false(pare_maker_real(&m, 0, level_of("fp16")));
    assert_false(pare_maker_real(&m, 0, level_of("w16a16"))); /* wide.c makes those */
    methods_of(methods, "weights=asymmetric");
    assert_false(pare_maker_real(&m, 0, level_of("w8a8")));
    pare_graph_free(g);
}

/* Squared errors of all outputs on the rows. */
static double error_of(const struct pare_graph *g, const char *text, struct pare_rows *rows, const float *w)
{
    struct pare_error err = {0};
    struct pare_method methods[MOST_NODES];
    struct pare_arena arena = {0};
    struct pare_weight_codes out;
    double error = 0;
    methods_of(methods, text);
    const struct pare_maker m = {.graph = g, .methods = methods, .rows = rows};
    MUST(pare_maker_weights(&m, 0, level_of("w8a8"), NULL, &arena, &out, &err));
    for (int i = 0; i < OUT * K; i++) {
        const double size = fabs((double)w[i]), held = fabs((double)out.real[i]);
        assert_true(frexp(held, &(int){0}) == 0.5);
        assert_true(size < 1e-30 || (held >= 0.49 * size && held <= 2.01 * size));
    }
    for (int row = 0; row < rows->n; row++) {
        for (int o = 0; o < OUT; o++) {
            double sum = out.correction != NULL ? (double)out.correction[o] : 0;
            for (int k = 0; k < K; k++) {
                sum += (double)rows->x[row * K + k] * ((double)out.real[o * K + k] - (double)w[o * K + k]);
            }
            error += sum * sum;
        }
    }
    pare_arena_clear(&arena);
    return error;
}

static void samples_choose_between_the_two_powers(void **state)
{
    (void)state;
    struct pare_graph *g = spread_net();
    float *w = (float *)(uintptr_t)g->tensors[g->nodes[0].in[1]].data;
    struct pare_rows rows[MOST_NODES] = {{.n = 300, .columns = K, .x = malloc(300 * K * sizeof(float))}};
    for (int row = 0; row < 300; row++) {
        const float common = random_real(0, 1);
        for (int k = 0; k < K; k++) {
            rows->x[row * K + k] = common + random_real(0, 0.3f);
        }
    }
    const double nearest = error_of(g, "weights=po2", rows, w), corrected = error_of(g, "weights=po2,bias=empirical", rows, w);
    const double chosen = error_of(g, "weights=po2,rounding=adaround", rows, w);
    if (!(corrected < nearest && chosen < 0.3 * nearest)) {
        print_error("nearest %g, corrected %g, chosen %g\n", nearest, corrected, chosen);
    }
    assert_true(corrected < nearest && chosen < 0.3 * nearest);
    (void)error_of(g, "weights=po2,rounding=adaround,bias=empirical", rows, w); /* powers with all of it */
    free(rows->x);
    pare_graph_free(g);
}

/* The layer in double: inputs on their grid, weights by the formula, zeros around. */
static void check_outputs(const struct pare_graph *g, const struct pare_calibration *c, const char *level, const float *x, const float *y,
                          const char *isa)
{
    const float *w = g->tensors[g->nodes[0].in[1]].data, *bias = g->tensors[g->nodes[0].in[2]].data;
    const struct pare_level l = level_of(level);
    const struct pare_grid grid = pare_grid_from_range(&c->ranges[g->nodes[0].in[0]], l.a_bits);
    static double held[OUT * K];
    for (int i = 0; i < OUT * K; i++) {
        held[i] = by_formula(w + i / K * K, w[i], l.w_bits);
    }
    for (int at = 0; at < 25 * OUT; at++) {
        const int o = at % OUT, py = at / OUT / 5, px = at / OUT % 5;
        double sum = (double)bias[o], size = fabs(sum);
        for (int k = 0; k < K; k++) {
            const int yy = py + k / IN / 3 - 1, xx = px + k / IN % 3 - 1;
            if (yy >= 0 && yy < 5 && xx >= 0 && xx < 5) {
                const double term = (double)pare_grid_real(&grid, pare_grid_code(&grid, x[(yy * 5 + xx) * IN + k % IN])) * held[o * K + k];
                sum += term;
                size += fabs(term);
            }
        }
        if (!(fabs((double)y[at] - sum) <= 2e-6 * (size + 1e-3))) {
            print_error("%s %s output %d: %g, in double %g\n", isa, level, at, (double)y[at], sum);
        }
        assert_true(fabs((double)y[at] - sum) <= 2e-6 * (size + 1e-3));
    }
}

static void every_instruction_set_computes_the_formula(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = spread_net();
    struct pare_calibration c;
    struct pare_method methods[MOST_NODES];
    static const char *const level_names[] = {"w8a8", "w6a4", "w4a8", "w3a2", "w2a8"};
    static float y[5][25 * OUT];
    size_t n_x;
    calibrate(g, &c);
    methods_of(methods, "weights=po2");
    const struct pare_maker m = {.graph = g, .methods = methods, .id = 1};
    float *x = random_input(g, 0, &n_x);
    for (int isa = 0; isa < PK_ISA_COUNT; isa++) {
        for (int l = 0; l < 5 && pk_isa_supported((enum pk_isa)isa); l++) {
            struct pare_level *levels = levels_all(g, level_names[l]);
            const struct pare_plan_options options = {.levels = levels, .calibration = &c, .isa = (enum pk_isa)isa, .maker = &m};
            struct pare_plan *plan;
            MUST(pare_plan_new(g, &options, &plan, &err));
            MUST(pare_plan_set_input(plan, 0, x, n_x, &err));
            MUST(pare_plan_run(plan, &err));
            MUST(pare_plan_get_output(plan, 0, y[l], 25 * OUT, &err));
            check_outputs(g, &c, level_names[l], x, y[l], pk_isa_name((enum pk_isa)isa));
            pare_plan_free(plan);
            free(levels);
        }
        if (pk_isa_supported((enum pk_isa)isa)) { /* 8 bits are not 4 bits */
            assert_memory_not_equal(y[0], y[2], sizeof y[0]);
        }
    }
    free(x);
    pare_calibration_clear(&c);
    pare_graph_free(g);
}

/* The level rounds what the layer reads: an input between two codes and its code give the same bytes. */
static void inputs_are_on_their_grid(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = spread_net();
    struct pare_calibration c;
    struct pare_method methods[MOST_NODES];
    float y[2][25 * OUT];
    size_t n_x;
    calibrate(g, &c);
    methods_of(methods, "weights=po2");
    const struct pare_maker m = {.graph = g, .methods = methods};
    const struct pare_grid grid = pare_grid_from_range(&c.ranges[g->nodes[0].in[0]], 3);
    float *x = random_input(g, 0, &n_x);
    struct pare_level *levels = levels_all(g, "w8a3");
    const struct pare_plan_options options = {.levels = levels, .calibration = &c, .isa = pk_isa_best(), .maker = &m};
    struct pare_plan *plan;
    MUST(pare_plan_new(g, &options, &plan, &err));
    for (int run = 0; run < 2; run++) {
        MUST(pare_plan_set_input(plan, 0, x, n_x, &err));
        MUST(pare_plan_run(plan, &err));
        MUST(pare_plan_get_output(plan, 0, y[run], 25 * OUT, &err));
        for (size_t i = 0; i < n_x; i++) {
            x[i] = pare_grid_real(&grid, pare_grid_code(&grid, x[i]));
        }
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    pare_plan_free(plan);
    free(levels);
    free(x);
    pare_calibration_clear(&c);
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exponents_are_those_of_qkeras),
        cmocka_unit_test(golden_vectors_go_through_the_maker),
        cmocka_unit_test(one_bit_is_no_power),
        cmocka_unit_test(every_instruction_set_computes_the_formula),
        cmocka_unit_test(inputs_are_on_their_grid),
        cmocka_unit_test(samples_choose_between_the_two_powers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
