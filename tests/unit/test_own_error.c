/* test_own_error.c: one layer's own error and its parts against a model in double of what they mean. */
#include "plan_build.h"

#include "measure/own_error.h"

struct case_of {
    struct pare_graph *g;
    struct pare_calibration c;
    int node;
    float *x;
    size_t n;
};

static void set_up(struct case_of *k, bool relu)
{
    k->g = pare_graph_new();
    const int x = add_input(k->g, 1, 6, 6, 4);
    int y = add_conv(k->g, "c", x, (struct conv_spec){.out_c = 5, .kernel = 1});
    k->node = maker(k->g, y);
    y = relu ? add_unary(k->g, PARE_OP_RELU, "r", y) : y;
    add_output(k->g, y);
    finish_graph(k->g);
    calibrate(k->g, &k->c);
    k->x = random_input(k->g, 0, &k->n);
}

static void tear_down(struct case_of *k)
{
    free(k->x);
    pare_calibration_clear(&k->c);
    pare_graph_free(k->g);
}

static void run(struct case_of *k, const char *level, double *fields, double *scale, int *zero)
{
    struct pare_error err = {0};
    struct pare_own *own;
    MUST(pare_own_new(k->g, k->node, &k->c, level_of(level), PK_REF, NULL, &own, &err));
    MUST(pare_own_run(own, k->x, k->n, fields, &err));
    pare_own_grid(own, scale, zero);
    pare_own_free(own);
}

static double on_grid(const struct pare_grid *g, double v)
{
    return (double)pare_grid_real(g, pare_grid_code(g, (float)v));
}

/* sum_i a_i b_i + bias for pixel p, channel oc of the 1x1 convolution; then relu. */
static double dot(const struct case_of *k, const float *w, const float *bias, const double *x, size_t p, int oc, bool relu)
{
    double t = (double)bias[oc];
    (void)k;
    for (int i = 0; i < 4; i++) {
        t += x[p * 4 + (size_t)i] * (double)w[oc * 4 + i];
    }
    return relu && t < 0 ? 0 : t;
}

static void parts_are_what_they_are_called(void **state)
{
    static const struct { const char *level; int w_bits, a_bits; bool relu; } cases[] = {
        {"w8a8", 8, 8, false}, {"w4a8", 4, 8, true}, {"w4a4", 4, 4, true}, {"w2a8", 2, 8, false}};
    (void)state;
    for (size_t t = 0; t < sizeof cases / sizeof cases[0]; t++) {
        struct case_of k;
        struct pare_error err = {0};
        struct pare_arena arena = {0};
        struct pare_weight_codes codes;
        float w[20], real[20], bias[5];
        double fields[PARE_OWN_FIELDS], scale, sums[4] = {0}, mean = 0, most = 0;
        int zero;
        set_up(&k, cases[t].relu);
        const int in = k.g->inputs[0], out = k.g->outputs[0];
        assert_int_equal(pare_layer_output(k.g, k.node), out);
        MUST(pare_weights_f32(k.g, k.node, w, &err));
        MUST(pare_bias_f32(k.g, k.node, bias, &err));
        MUST(pare_weights_quantize(k.g, k.node, cases[t].w_bits, &arena, &codes, &err));
        for (int i = 0; i < 20; i++) {
            real[i] = (float)codes.codes[i] * codes.scale[i / 4];
        }
        const struct pare_grid gi = pare_grid_from_range(&k.c.ranges[in], cases[t].a_bits);
        const struct pare_grid go = pare_grid_from_range(&k.c.ranges[out], cases[t].a_bits);
        double *x = calloc(2 * k.n, sizeof *x), *qx = x + k.n;
        for (size_t i = 0; i < k.n; i++) {
            x[i] = (double)k.x[i];
            qx[i] = on_grid(&gi, x[i]);
        }
        for (size_t p = 0; p < k.n / 4; p++) {
            for (int oc = 0; oc < 5; oc++) {
                const bool relu = cases[t].relu;
                const double f = dot(&k, w, bias, x, p, oc, relu), fq = dot(&k, w, bias, qx, p, oc, relu);
                const double q = on_grid(&go, dot(&k, real, bias, qx, p, oc, relu));
                const double all[4] = {q - fq, q - f, dot(&k, real, bias, x, p, oc, relu) - f, on_grid(&go, fq) - f};
                for (int i = 0; i < 4; i++) {
                    sums[i] += all[i] * all[i] / (double)(k.n / 4 * 5);
                }
                mean += all[0] / (double)(k.n / 4 * 5);
                most = fabs(all[0]) > most ? fabs(all[0]) : most;
            }
        }
        run(&k, cases[t].level, fields, &scale, &zero);
        static const enum pare_own_field which[4] = {PARE_OWN_MSE, PARE_OWN_STEP, PARE_OWN_WEIGHTS, PARE_OWN_ACTIVATIONS};
        for (int i = 0; i < 4; i++) { /* a tie of rounding may fall to either side in float32 */
            assert_true(fabs(fields[which[i]] - sums[i]) < 0.03 * sums[i] + 1e-9);
        }
        assert_true(fabs(fields[PARE_OWN_MEAN] - mean) < 0.05 * sqrt(sums[0]));
        assert_true(fabs(fields[PARE_OWN_MAX] - most) < 1.01 * (double)go.scale);
        assert_true(fabs(fields[PARE_OWN_MSE] - fields[PARE_OWN_MEAN] * fields[PARE_OWN_MEAN] -
                         fields[PARE_OWN_SD] * fields[PARE_OWN_SD]) < 1e-9);
        assert_int_equal((int)fields[PARE_OWN_ELEMENTS], 180);
        assert_true(scale == (double)go.scale);
        assert_int_equal(zero, go.zero - (1 << (cases[t].a_bits - 1)));
        free(x);
        pare_arena_clear(&arena);
        tear_down(&k);
    }
}

/* 8 bits without clipping: the yardstick of TFLite's guide, 1 / sqrt(12) of a step; cosine near 1. */
static void eight_bits_give_the_yardstick(void **state)
{
    struct case_of k;
    double fields[PARE_OWN_FIELDS], scale;
    int zero;
    (void)state;
    set_up(&k, false);
    for (size_t i = 0; i < k.n; i++) {
        k.x[i] *= 0.7f; /* nothing beyond what calibration saw */
    }
    run(&k, "w8a8", fields, &scale, &zero);
    assert_true(fields[PARE_OWN_CLIPPED] == 0);
    assert_true(sqrt(fields[PARE_OWN_MSE]) / scale > 0.2 && sqrt(fields[PARE_OWN_MSE]) / scale < 0.7);
    assert_true(fields[PARE_OWN_COSINE] > 0.999);
    tear_down(&k);
}

static void float_levels_have_no_grid(void **state)
{
    struct case_of k;
    double fields[PARE_OWN_FIELDS], scale;
    int zero;
    (void)state;
    set_up(&k, true);
    run(&k, "fp16", fields, &scale, &zero);
    assert_true(scale == 0 && zero == 0);
    assert_true(isnan(fields[PARE_OWN_WEIGHTS]) && isnan(fields[PARE_OWN_ACTIVATIONS]));
    assert_true(fields[PARE_OWN_STEP] == fields[PARE_OWN_MSE]);
    run(&k, "w4a32", fields, &scale, &zero);
    assert_true(fields[PARE_OWN_WEIGHTS] == fields[PARE_OWN_MSE] && isnan(fields[PARE_OWN_ACTIVATIONS]));
    tear_down(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_are_what_they_are_called), cmocka_unit_test(eight_bits_give_the_yardstick),
                                       cmocka_unit_test(float_levels_have_no_grid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
