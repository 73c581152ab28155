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

static void paired_drop_covers_what_it_says(void **state)
{
    double drop, low, high;
    (void)state;
    pare_interval_paired(12, 2, 1000, &drop, &low, &high);
    NEAR(drop, 0.010, 1e-12);
    assert_true(low > 0 && low < drop && high > drop && high <= 0.014);
    pare_interval_paired(0, 0, 200, &drop, &low, &high);
    NEAR(drop, 0, 1e-12);
    NEAR(high, 1 - pow(0.025, 1.0 / 200), 1e-12);
    NEAR(low, -high, 1e-12);
    pare_interval_paired(0, 0, 0, &drop, &low, &high);
    assert_true(isnan(drop));
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
        cmocka_unit_test(paired_drop_covers_what_it_says),    cmocka_unit_test(isotonic_is_monotone_and_least_squares),
        cmocka_unit_test(quantiles_interpolate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
