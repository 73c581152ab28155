/* test_slower.c: which levels are said to be slower than the next wider one, and why. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "command/flow.h"

enum { LEVELS = 6 };

static struct front_cell cells[LEVELS];
static struct front_layer layer = {.name = "a"};
static struct pare_front front = {
    .n_layers = 1,
    .layers = &layer,
    .n_levels = LEVELS,
    .level_names = {"fp32", "w8a8", "w4a8", "w4a4", "w2a8", "w1a1"},
    .levels = {{.w_bits = 32, .a_bits = 32}, {.w_bits = 8, .a_bits = 8}, {.w_bits = 4, .a_bits = 8}, {.w_bits = 4, .a_bits = 4},
               {.w_bits = 2, .a_bits = 8}, {.w_bits = 1, .a_bits = 1}},
    .cells = cells,
};

static void cell(int level, double ms, const char *kernel, int out_bytes)
{
    cells[level] = (struct front_cell){.ms = ms, .ms_p10 = 0.99 * ms, .ms_p90 = 1.02 * ms, .kernel = kernel, .out_bytes = out_bytes};
}

static void usual(void)
{
    cell(0, 1.0, "conv_f32_avx512", 4);
    cell(1, 0.20, "conv_u8s8_amx", 1);
    cell(2, 0.25, "conv_u8s4_amx", 1);
    cell(3, 0.40, "conv_u8s4_amx", 2);
    cell(4, 0.20, "conv_u8s2_amx", 1);
    cell(5, 0.30, "conv_u1s1_avx512vnni", 1);
}

static void a_level_is_compared_with_the_next_wider_one(void **state)
{
    (void)state;
    usual();
    assert_int_equal(front_slower_than(&front, 0, 0), -1);
    assert_int_equal(front_slower_than(&front, 0, 1), -1);
    assert_int_equal(front_slower_than(&front, 0, 2), 1);
    assert_int_equal(front_slower_than(&front, 0, 3), 2);
    assert_int_equal(front_slower_than(&front, 0, 4), -1); /* w4a8, not w4a4, is the next wider of w2a8 */
    assert_int_equal(front_slower_than(&front, 0, 5), 4);
    cells[2].ms = NAN; /* not measured: the one before */
    assert_int_equal(front_slower_than(&front, 0, 3), 1);
    assert_int_equal(front_slower_than(&front, 0, 2), -1);
}

static void noise_is_not_slower(void **state)
{
    (void)state;
    usual();
    cells[2].ms = 0.209; /* less than 5 % */
    assert_int_equal(front_slower_than(&front, 0, 2), -1);
    usual();
    cells[2].ms_p10 = 0.203; /* its spread reaches the other's */
    assert_int_equal(front_slower_than(&front, 0, 2), -1);
    usual();
    cells[1].ms_p90 = 0.26;
    assert_int_equal(front_slower_than(&front, 0, 2), -1);
}

static void codes_that_are_written_twice_are_the_reason(void **state)
{
    (void)state;
    usual();
    assert_null(flow_slower_json(&front, 0, 1));
    json_t *json = flow_slower_json(&front, 0, 3);
    assert_string_equal(pare_json_get_string(json, "than", ""), "w4a8");
    assert_non_null(strstr(pare_json_get_string(json, "why", ""), "written 2 times"));
    json_decref(json);
    front.cells[3].out_bytes = 1;
    json = flow_slower_json(&front, 0, 3);
    assert_null(strstr(pare_json_get_string(json, "why", ""), "written"));
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_level_is_compared_with_the_next_wider_one),
        cmocka_unit_test(noise_is_not_slower),
        cmocka_unit_test(codes_that_are_written_twice_are_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
