/* The fit from loss to drop, and the judgement of measured answers, on a front made by hand. */
#include "support.h"

#include <math.h>

#include "command/flow.h"

#define LEVELS 3
#define LAYERS 4
#define POINTS 12
#define NEAR(a, b, e) assert_true(fabs((a) - (b)) < (e))

struct fake {
    struct pare_front f;
    struct front_layer layers[LAYERS];
    struct front_stage stages[1];
    struct front_cell cells[LAYERS * LEVELS];
    struct front_point points[POINTS];
    struct front_run runs[2];
    unsigned char levels[POINTS][LAYERS];
    char name[8];
};

/* Layers lose 0, 0.01 and 0.1 at the three levels. */
static struct fake *fake_new(void)
{
    struct fake *k = calloc(1, sizeof *k);
    struct pare_front *f = &k->f;
    assert_non_null(k);
    f->layers = k->layers;
    f->stages = k->stages;
    f->cells = k->cells;
    f->points = k->points;
    f->runs = k->runs;
    f->n_layers = k->stages[0].n_layers = LAYERS;
    f->n_levels = LEVELS;
    f->n_stages = 1;
    f->n_runs = 2;
    f->int8_level = 1;
    strcpy(k->name, "run");
    for (int r = 0; r < 2; r++) {
        k->runs[r].name = k->runs[r].method = k->name;
    }
    for (int i = 0; i < LAYERS; i++) {
        k->layers[i].keep = LEVELS - 1;
        k->layers[i].pin_lo = k->layers[i].pin_hi = -1;
        for (int l = 0; l < LEVELS; l++) {
            k->cells[i * LEVELS + l].samples = 10;
            k->cells[i * LEVELS + l].loss = l == 0 ? 0 : l == 1 ? 0.1 : 1;
        }
    }
    return k;
}

static struct front_point *add(struct fake *k, int level, int layers, double drop, int samples)
{
    struct front_point *p = &k->points[k->f.n_points];
    p->levels = k->levels[k->f.n_points++];
    memset(p->levels, level, (size_t)layers);
    p->number = k->f.n_points;
    p->search.samples = samples;
    p->search.figures = (struct pare_figures){samples, 0.9, 0.89, 0.91, 0.9 + drop, drop, drop - 0.01, drop + 0.01, drop + 0.008};
    p->latency[1] = NAN;
    p->loss_sum = front_loss_sum(&k->f, p->levels);
    return p;
}

static void the_fit_is_monotone_and_weighs_samples(void **state)
{
    struct fake *k = fake_new();
    (void)state;
    assert_true(isnan(front_drop_of_loss(&k->f, 0.1)));
    add(k, 1, 1, 0.02, 500);  /* loss 0.01 */
    add(k, 1, 2, 0.00, 1500); /* loss 0.02, three times the samples: the two meet at 0.005 */
    add(k, 1, 4, 0.03, 500);
    add(k, 2, 4, 0.50, 500);
    front_fit(&k->f);
    NEAR(front_drop_of_loss(&k->f, 0), 0, 1e-12);
    NEAR(front_drop_of_loss(&k->f, 0.01), 0.005, 1e-12);
    NEAR(front_drop_of_loss(&k->f, 0.02), 0.005, 1e-12);
    NEAR(front_drop_of_loss(&k->f, 0.04), 0.03, 1e-12);
    NEAR(front_drop_of_loss(&k->f, 9), 0.50, 1e-12); /* beyond what was measured: the last */
    for (double x = 0; x < 0.5; x += 0.01) {
        assert_true(front_drop_of_loss(&k->f, x) <= front_drop_of_loss(&k->f, x + 0.01));
        double drop = front_drop_of_loss(&k->f, x);
        assert_true(front_loss_of_drop(&k->f, drop) >= x - 1e-12); /* the largest loss that is predicted to hold */
    }
    NEAR(front_loss_of_drop(&k->f, 0.005), 0.02, 1e-12);
    NEAR(front_loss_of_drop(&k->f, 0.0175), 0.03, 1e-12);
    assert_true(isinf(front_loss_of_drop(&k->f, 0.6)));
    assert_true(isnan(front_spread_of_loss(&k->f, 0.01))); /* too few */
    for (int i = 0; i < 6; i++) {
        add(k, 1, 3, i % 2 == 0 ? 0.02 : 0.04, 500); /* loss 0.03: 0.03 on average, 0.01 around it */
    }
    front_fit(&k->f);
    const double spread = front_spread_of_loss(&k->f, 0.03);
    assert_true(spread > 0.008 && spread < 0.015);
    free(k->f.fit);
    free(k);
}

static void mixed_configurations_are_the_same_every_time(void **state)
{
    struct fake *k = fake_new();
    unsigned char a[LAYERS], b[LAYERS];
    int different = 0;
    (void)state;
    for (int i = 0; i < FRONT_MIXED; i++) {
        front_mixed(&k->f, i, a);
        front_mixed(&k->f, i, b);
        assert_memory_equal(a, b, LAYERS);
        front_mixed(&k->f, (i + 7) % FRONT_MIXED, b);
        different += memcmp(a, b, LAYERS) != 0;
    }
    assert_true(different > FRONT_MIXED / 3);
    free(k);
}

static void measurements_accept(void **state)
{
    struct fake *k = fake_new();
    struct front_flow flow = {.run = 1, .best = -1, .round = 1, .max_loss = NAN, .max_latency = NAN, .evaluations = 1};
    struct front_budget b = {.minimize = PARE_COST_LATENCY, .max_drop = 0.01, .max_latency = NAN, .max_bytes = NAN, .max_bitops = NAN, .max_energy = NAN};
    (void)state;
    struct front_point *p = add(k, 1, 4, 0.016, 2000);
    p->run = 1;
    NEAR(flow_over(&k->f, &b, p), 1.6, 1e-12);
    assert_true(flow_try_again(&k->f, &flow, &b, 0));
    NEAR(flow.max_loss, p->loss_sum / 1.6, 1e-12); /* the answer itself is cut off */
    p = add(k, 1, 3, 0.010, 2000);
    p->run = 1;
    assert_false(flow_try_again(&k->f, &flow, &b, 1)); /* on the budget is within it */
    assert_int_equal(flow.best, 1);
    assert_int_equal(json_array_size(flow.tried), 2);
    assert_false(pare_json_get_bool(json_array_get(flow.tried, 0), "within", true));
    assert_true(pare_json_get_bool(json_array_get(flow.tried, 1), "within", false));
    b.sure = true; /* its upper bound is 0.018 */
    assert_true(flow_try_again(&k->f, &flow, &b, 1));
    NEAR(flow.max_loss, p->loss_sum / 1.8, 1e-12);
    flow.round = FRONT_MAX_ROUNDS;
    assert_false(flow_try_again(&k->f, &flow, &b, 1)); /* no more rounds */
    flow_say_over(&k->f, &flow, &b, PARE_ERR_PARTIAL);
    assert_non_null(strstr(flow.err.message, "does not hold"));
    assert_non_null(strstr(flow.err.message, "1.00 points [0.00, 2.00]"));
    assert_int_equal(flow.err.code, PARE_ERR_PARTIAL);
    json_decref(flow.tried);
    free(k);
}

static void a_measured_latency_tightens_too(void **state)
{
    struct fake *k = fake_new();
    struct front_flow flow = {.run = 1, .best = -1, .round = 1, .max_loss = NAN, .max_latency = NAN};
    const struct front_budget b = {.minimize = PARE_COST_LOSS, .max_drop = NAN, .max_latency = 2, .max_bytes = NAN, .max_bitops = NAN, .max_energy = NAN};
    (void)state;
    struct front_point *p = add(k, 1, 4, 0.5, 2000);
    p->run = 1;
    p->latency_predicted = 1.9;
    p->latency[1] = 2.5;
    assert_true(flow_try_again(&k->f, &flow, &b, 0));
    assert_true(isnan(flow.max_loss));
    NEAR(flow.max_latency, 1.9 * 2 / 2.5, 1e-12); /* what was predicted for it is cut off */
    p->latency[1] = 2;
    assert_false(flow_try_again(&k->f, &flow, &b, 0));
    json_decref(flow.tried);
    free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fit_is_monotone_and_weighs_samples),
        cmocka_unit_test(mixed_configurations_are_the_same_every_time),
        cmocka_unit_test(measurements_accept),
        cmocka_unit_test(a_measured_latency_tightens_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
