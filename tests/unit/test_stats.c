#include "support.h"

#include <math.h>

#include "measure/stats.h"

#define NEAR(a, b, e) assert_true(fabs((a) - (b)) < (e))

/* Exact Clopper-Pearson limits from standard tables. */
static void proportions_match_published_limits(void **state)
{
    double low, high;
    (void)state;
    pare_interval_proportion(0, 10, &low, &high);
    NEAR(low, 0, 1e-12);
    NEAR(high, 0.30850, 1e-5);
    pare_interval_proportion(5, 10, &low, &high);
    NEAR(low, 0.18709, 1e-5);
    NEAR(high, 0.81291, 1e-5);
    pare_interval_proportion(95, 100, &low, &high);
    NEAR(low, 0.88717, 1e-5);
    NEAR(high, 0.98357, 1e-5);
    pare_interval_proportion(10, 10, &low, &high);
    NEAR(high, 1, 1e-12);
    pare_interval_proportion(0, 0, &low, &high);
    NEAR(high - low, 1, 1e-12);
}

static void incomplete_beta_has_its_symmetries(void **state)
{
    uint32_t seed = 3;
    (void)state;
    for (int i = 0; i < 200; i++) {
        double a = 0.5 + test_random(&seed) % 60, b = 0.5 + test_random(&seed) % 60, x = (double)(test_random(&seed) % 1000) / 1000;
        NEAR(pare_incomplete_beta(a, b, x) + pare_incomplete_beta(b, a, 1 - x), 1, 1e-12);
        NEAR(pare_incomplete_beta(a, 1, x), pow(x, a), 1e-12);
    }
}

/* Limits found apart from ours, by maximizing the likelihood numerically under every difference (scipy). */
static void paired_drop_is_tangos(void **state)
{
    static const struct {
        int lost, won, n;
        double low, high, bound;
    } known[] = {{12, 2, 1000, 0.003138942, 0.019093234, 0.017348123}, {12, 2, 50, 0.061112406, 0.344708748, 0.320413387},
                 {59, 1, 100, 0.474038561, 0.674304305, 0.660106363},  {30, 15, 2000, 0.000966952, 0.014585338, 0.013353576},
                 {1, 0, 2000, -0.001418006, 0.002826863, 0.002238039}};
    double drop, low, high;
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        pare_interval_paired(known[i].lost, known[i].won, known[i].n, &drop, &low, &high);
        NEAR(drop, (double)(known[i].lost - known[i].won) / known[i].n, 1e-12);
        NEAR(low, known[i].low, 1e-7);
        NEAR(high, known[i].high, 1e-7);
        NEAR(pare_bound_paired(known[i].lost, known[i].won, known[i].n, 0.95), known[i].bound, 1e-7);
        pare_interval_paired(known[i].won, known[i].lost, known[i].n, &drop, &low, &high);
        NEAR(-low, known[i].high, 1e-7); /* what is lost to one is won by the other */
    }
    pare_interval_paired(0, 0, 200, &drop, &low, &high);
    const double z2 = 1.959963984540054 * 1.959963984540054;
    NEAR(drop, 0, 1e-12);
    NEAR(high, z2 / (200 + z2), 1e-9);
    NEAR(low, -high, 1e-12);
    pare_interval_paired(200, 0, 200, &drop, &low, &high);
    assert_true(drop == 1 && fabs(low - (200 - z2) / (200 + z2)) < 1e-9 && high > 0.9999 && high <= 1);
    pare_interval_paired(0, 0, 0, &drop, &low, &high);
    assert_true(isnan(drop));
}

/* 95 % of the intervals hold the truth: 400 pairs drawn with 5 % lost, 2 % won. */
static void paired_intervals_cover(void **state)
{
    uint32_t seed = 11;
    int inside = 0, below = 0;
    (void)state;
    for (int t = 0; t < 2000; t++) {
        int lost = 0, won = 0;
        for (int i = 0; i < 400; i++) {
            uint32_t x = test_random(&seed) % 10000;
            lost += x < 500;
            won += x >= 500 && x < 700;
        }
        double drop, low, high;
        pare_interval_paired(lost, won, 400, &drop, &low, &high);
        inside += low <= 0.03 && 0.03 <= high;
        below += 0.03 <= pare_bound_paired(lost, won, 400, 0.95);
    }
    assert_in_range(inside, 1870, 1930); /* 1900 +- 3 sigma */
    assert_in_range(below, 1870, 1930);
}

static void isotonic_is_monotone_and_least_squares(void **state)
{
    double x[] = {1, 2, 3, 4, 5, 6}, y[] = {1, 3, 2, 2, 5, 4}, fit[6];
    double want[] = {1, 7.0 / 3, 7.0 / 3, 7.0 / 3, 4.5, 4.5};
    (void)state;
    pare_isotonic(x, y, NULL, 6, fit);
    for (int i = 0; i < 6; i++) {
        NEAR(fit[i], want[i], 1e-12);
    }
    double down[] = {5, 4, 3, 2, 1, 0};
    pare_isotonic(x, down, NULL, 6, fit);
    for (int i = 0; i < 6; i++) {
        NEAR(fit[i], 2.5, 1e-12);
    }
}

static void quantiles_interpolate(void **state)
{
    double x[] = {4, 1, 3, 2};
    (void)state;
    pare_sort(x, 4);
    NEAR(pare_quantile_sorted(x, 4, 0), 1, 1e-12);
    NEAR(pare_quantile_sorted(x, 4, 0.5), 2.5, 1e-12);
    NEAR(pare_quantile_sorted(x, 4, 1), 4, 1e-12);
    assert_true(isnan(pare_quantile_sorted(x, 0, 0.5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proportions_match_published_limits), cmocka_unit_test(incomplete_beta_has_its_symmetries),
        cmocka_unit_test(paired_drop_is_tangos),
        cmocka_unit_test(paired_intervals_cover),    cmocka_unit_test(isotonic_is_monotone_and_least_squares),
        cmocka_unit_test(quantiles_interpolate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
