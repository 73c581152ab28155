/* Rank correlation and ridge regression, against values worked out by hand and by another way. */
#include "support.h"

#include <math.h>

#include "search/correct.h"

static void ranks_are_correlated(void **state)
{
    const double x[] = {1, 2, 3, 4, 5}, up[] = {2, 4, 8, 16, 900}, down[] = {5, 4, 3, 2, -1}, tied[] = {1, 1, 2, 2, 3};
    const double mixed[] = {106, 100, 86, 101, 99, 103, 97, 113, 112, 110}, hours[] = {7, 27, 2, 50, 28, 29, 20, 12, 6, 17};
    int n;
    (void)state;
    assert_true(fabs(pare_spearman(5, x, up, &n, NULL) - 1) < 1e-12);
    assert_int_equal(n, 5);
    assert_true(fabs(pare_spearman(5, x, down, NULL, NULL) + 1) < 1e-12);
    /* ranks 1.5 1.5 3.5 3.5 5 against 1..5: 9 / sqrt(10 * 9) */
    assert_true(fabs(pare_spearman(5, x, tied, NULL, NULL) - 9 / sqrt(90)) < 1e-12);
    /* no ties: 1 - 6 sum d^2 / (n (n^2 - 1)) with sum d^2 = 194 */
    assert_true(fabs(pare_spearman(10, mixed, hours, NULL, NULL) - (1 - 6 * 194 / 990.0)) < 1e-12);
    const double holes[] = {1, NAN, 3, 4, 5}, constant[] = {2, 2, 2, 2, 2};
    assert_true(fabs(pare_spearman(5, holes, up, &n, NULL) - 1) < 1e-12);
    assert_int_equal(n, 4);
    assert_true(isnan(pare_spearman(5, x, constant, NULL, NULL)));
    assert_true(isnan(pare_spearman(2, x, up, NULL, NULL)));
}

/* The gradient of what is minimised is zero: X'(y - X d) = lambda d. */
static void ridge_is_at_its_minimum(void **state)
{
    enum { N = 12, M = 30 };
    double x[N * M], y[N], d[M];
    uint32_t seed = 5;
    (void)state;
    for (int i = 0; i < N * M; i++) {
        x[i] = (double)(test_random(&seed) % 1000) / 500 - 1;
    }
    for (int i = 0; i < N; i++) {
        y[i] = (double)(test_random(&seed) % 1000) / 100;
    }
    for (double lambda = 0.01; lambda < 100; lambda *= 10) {
        assert_int_equal(pare_ridge(N, M, x, y, lambda, d, NULL), PARE_OK);
        for (int v = 0; v < M; v++) {
            double gradient = lambda * d[v];
            for (int i = 0; i < N; i++) {
                double left = y[i];
                for (int k = 0; k < M; k++) {
                    left -= x[i * M + k] * d[k];
                }
                gradient -= x[i * M + v] * left;
            }
            assert_true(fabs(gradient) < 1e-8);
        }
    }
    assert_int_equal(pare_ridge(0, M, x, y, 1, d, NULL), PARE_OK);
    assert_true(d[0] == 0 && d[M - 1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_correlated),
        cmocka_unit_test(ridge_is_at_its_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
