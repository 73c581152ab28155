/* Layers run together, rows at a time: the same bytes as one after another, at every level; lives that cover the chain. */
#include "tests/unit/plan_build.h"

#include "exec/plan_parts.h"

static const char *const levels_tried[] = {"fp32", "fp16", "w8a8", "w4a8", "w2a8", "w8a32"};

/* Blocks of depthwise and pointwise layers with residuals from inside the chain, strides, odd sizes, even windows. */
static struct pare_graph *chain_graph(int round)
{
    struct pare_graph *g = pare_graph_new();
    const int channels = 3 + random_int(0, 30);
    int x = add_input(g, 1, 70 + random_int(0, 20), 27 + random_int(0, 9), 3);
    x = add_conv(g, "first", x, (struct conv_spec){.out_c = channels, .kernel = 3 + round % 3, .stride = 1 + round % 2, .pad = 1});
    for (int i = 0; i < 3; i++) {
        char name[16];
        const int before = x, kernel = random_int(0, 1) ? 3 : 5, dilation = i == 2 ? 2 : 1;
        snprintf(name, sizeof name, "dw%d", i);
        x = add_conv(g, name, x, (struct conv_spec){.out_c = channels, .kernel = kernel, .pad = kernel / 2 * dilation,
                                                    .dilation = dilation, .depthwise = true});
        snprintf(name, sizeof name, "pw%d", i);
        x = add_conv(g, name, x, (struct conv_spec){.out_c = channels, .kernel = 1});
        if (random_int(0, 2) > 0) {
            snprintf(name, sizeof name, "add%d", i);
            x = add_binary(g, PARE_OP_ADD, name, x, before);
        }
        if (random_int(0, 1)) {
            snprintf(name, sizeof name, "relu%d", i);
            x = add_unary(g, PARE_OP_RELU, name, x);
        }
    }
    if (random_int(0, 1)) {
        add_output(g, x);
    }
    x = add_conv(g, "down", x, (struct conv_spec){.out_c = channels, .kernel = 3, .stride = 2, .pad = random_int(0, 1), .depthwise = true});
    x = add_conv(g, "last", x, (struct conv_spec){.out_c = 17, .kernel = random_int(0, 1) ? 1 : 3, .pad = 1});
    add_output(g, x);
    finish_graph(g);
    return g;
}

static struct pare_plan *plan_of_bands(const struct pare_graph *g, const struct pare_level *levels, const struct pare_calibration *c,
                                  enum pk_isa isa, size_t band_bytes)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    const struct pare_plan_options options = {.levels = levels, .calibration = c, .isa = isa, .band_bytes = band_bytes};
    MUST(pare_plan_new(g, &options, &plan, &err));
    return plan;
}

static void assert_same_outputs(const struct pare_graph *g, struct pare_plan *a, struct pare_plan *b)
{
    struct pare_error err = {0};
    for (int i = 0; i < g->n_outputs; i++) {
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->outputs[i]]);
        float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
        MUST(pare_plan_get_output(a, i, x, n, &err));
        MUST(pare_plan_get_output(b, i, y, n, &err));
        assert_memory_equal(x, y, n * sizeof *x);
        free(x);
        free(y);
    }
}

/* What a band touches shares no memory with anything else that it touches. */
static int check_lives(const struct pare_plan *p)
{
    int steps = 0;
    for (int b = 0; b < p->n_bands; b++) {
        const struct plan_band *band = &p->bands[b];
        assert_true(band->last > band->first && band->last - band->first < PLAN_BAND_STEPS && band->rows >= 2);
        steps += band->last - band->first + 1;
        for (int i = band->first; i <= band->last; i++) {
            for (int k = 0; k < p->steps[i].n_out; k++) {
                const struct plan_slot *root = &p->slots[plan_root(p, p->steps[i].out[k])];
                assert_true(root->first <= band->first && root->last >= band->last);
            }
        }
    }
    return steps;
}

static void test_same_bytes(void **state)
{
    (void)state;
    struct pare_error err = {0};
    int banded = 0, layers = 0;
    for (int round = 0; round < 40; round++) {
        struct pare_graph *g = chain_graph(round);
        struct pare_calibration c;
        calibrate(g, &c);
        struct pare_level *levels = levels_all(g, levels_tried[round % 6]);
        if (round % 4 == 3) {
            levels[random_int(0, g->n_nodes - 1)] = level_of(levels_tried[random_int(0, 5)]);
        }
        const enum pk_isa isa = round % 5 == 4 ? PK_REF : pk_isa_best();
        struct pare_plan *whole = plan_of_bands(g, levels, &c, isa, SIZE_MAX);
        struct pare_plan *bands = plan_of_bands(g, levels, &c, isa, (size_t)1 << random_int(12, 15));
        uint64_t *ns = calloc((size_t)pare_plan_step_count(bands) + 1, sizeof *ns);
        assert_int_equal(whole->n_bands, 0);
        banded += check_lives(bands);
        layers += bands->n_steps;
        for (int run = 0; run < 2; run++) {
            feed(g, whole, bands);
            MUST(pare_plan_run(whole, &err));
            MUST(run == 0 ? pare_plan_run(bands, &err) : pare_plan_run_timed(bands, ns, &err));
            assert_same_outputs(g, whole, bands);
        }
        for (int i = 0; i < bands->n_steps; i++) {
            assert_true(ns[i] > 0);
        }
        free(ns);
        free(levels);
        pare_plan_free(whole);
        pare_plan_free(bands);
        pare_calibration_clear(&c);
        pare_graph_free(g);
    }
    print_message("%d of %d steps in bands\n", banded, layers);
    assert_true(banded * 4 > layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
