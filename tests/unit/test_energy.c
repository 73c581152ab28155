/* Energy: the table's own points, and what it must rank. */
#include "support.h"

#include <math.h>

#include "measure/energy.h"

static struct pare_level level_of(const char *text)
{
    struct pare_level level = {0};
    assert_int_equal(pare_level_parse(text, &level, NULL), PARE_OK);
    return level;
}

static void points_of_the_table(void **state)
{
    (void)state;
    assert_true(fabs(pare_energy_mac_pj(level_of("fp32")) - 4.6) < 1e-12);
    assert_true(fabs(pare_energy_mac_pj(level_of("fp16")) - 1.5) < 1e-12);
    assert_true(fabs(pare_energy_mac_pj(level_of("w8a8")) - (0.2 + 0.1)) < 1e-9); /* the fit goes through 8 bits */
    assert_true(fabs(pare_energy_mac_pj(level_of("w4a32")) - 4.6) < 1e-12);
    /* 64 bits of weights from DRAM, 64 of inputs from the cache, no MAC */
    assert_true(fabs(pare_energy_layer_uj(level_of("w8a8"), 0, 8, 0) - 1300e-6) < 1e-12);
    assert_true(fabs(pare_energy_layer_uj(level_of("w8a8"), 0, 0, 8) - 100e-6) < 1e-12);
}

static void narrower_is_cheaper(void **state)
{
    static const char *const levels[] = {"fp32", "fp16", "w8a8", "w4a8", "w4a4", "w2a4", "w1a1"};
    (void)state;
    for (size_t i = 1; i < sizeof levels / sizeof *levels; i++) {
        const struct pare_level a = level_of(levels[i - 1]), b = level_of(levels[i]);
        assert_true(pare_energy_mac_pj(a) > pare_energy_mac_pj(b));
        assert_true(pare_energy_layer_uj(a, 1e6, 1e3 * a.w_bits, 1e4) > pare_energy_layer_uj(b, 1e6, 1e3 * b.w_bits, 1e4));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(points_of_the_table), cmocka_unit_test(narrower_is_cheaper)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
