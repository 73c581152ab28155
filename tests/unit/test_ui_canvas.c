/* Dots to cells in the three sets of signs; axes and their ticks. */
#include <math.h>
#include <stdio.h>

#include "support.h"
#include "ui/axis.h"
#include "ui/canvas.h"

static struct pare_surface surface(void)
{
    struct pare_surface s = {0};
    assert_true(pare_surface_resize(&s, 10, 4));
    return s;
}

static void braille_cells_are_exact(void **state)
{
    (void)state;
    static const uint32_t signs[8] = {0x2801, 0x2808, 0x2802, 0x2810,
                                      0x2804, 0x2820, 0x2840, 0x2880};
    for (int dot = 0; dot < 8; dot++) {
        struct pare_surface s = surface();
        struct pare_canvas c;
        assert_true(pare_canvas_init(&c, PARE_GLYPHS_BRAILLE, 10, 4));
        pare_canvas_dot(&c, 4 + dot % 2, 8 + dot / 2, 1, '.');
        pare_canvas_draw(&c, &s, 0, 0);
        assert_int_equal(s.cells[2 * 10 + 2].ch, signs[dot]);
        pare_canvas_clear(&c);
        pare_surface_free(&s);
    }
}

static void block_cells_are_exact(void **state)
{
    (void)state;
    static const uint32_t signs[4] = {0x2598, 0x259D, 0x2596, 0x2597};
    struct pare_surface s = surface();
    struct pare_canvas c;
    assert_true(pare_canvas_init(&c, PARE_GLYPHS_BLOCK, 10, 4));
    for (int dot = 0; dot < 4; dot++) {
        pare_canvas_dot(&c, 2 * dot + dot % 2, dot / 2, 1, '.');
    }
    pare_canvas_dot(&c, 18, 6, 1, '.');
    pare_canvas_dot(&c, 19, 6, 1, '.');
    pare_canvas_dot(&c, 18, 7, 1, '.');
    pare_canvas_dot(&c, 19, 7, 1, '.');
    pare_canvas_draw(&c, &s, 0, 0);
    for (int dot = 0; dot < 4; dot++) {
        assert_int_equal(s.cells[dot].ch, signs[dot]);
    }
    assert_int_equal(s.cells[3 * 10 + 9].ch, 0x2588);
    pare_canvas_clear(&c);
    pare_surface_free(&s);
}

static void ascii_lines_cross_as_plus(void **state)
{
    (void)state;
    struct pare_surface s = surface();
    struct pare_canvas c;
    assert_true(pare_canvas_init(&c, PARE_GLYPHS_ASCII, 10, 4));
    pare_canvas_horizontal(&c, 0, 9, 1, 1, 1);
    pare_canvas_vertical(&c, 3, 0, 3, 1, 1);
    pare_canvas_dot(&c, 7, 3, 2, 'o');
    pare_canvas_draw(&c, &s, 0, 0);
    assert_int_equal(s.cells[10].ch, '-');
    assert_int_equal(s.cells[3].ch, '|');
    assert_int_equal(s.cells[13].ch, '+');
    assert_int_equal(s.cells[37].ch, 'o');
    pare_canvas_clear(&c);
    pare_surface_free(&s);
}

static void empty_cells_stay_blank(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct pare_surface s = surface();
        struct pare_canvas c;
        assert_true(pare_canvas_init(&c, (enum pare_glyph_kind)kind, 10, 4));
        pare_canvas_dot(&c, -1, 0, 1, '.');
        pare_canvas_dot(&c, 1000, 1000, 1, '.');
        pare_canvas_horizontal(&c, -50, -10, 0, 1, 1);
        pare_canvas_draw(&c, &s, 0, 0);
        for (int i = 0; i < 40; i++) {
            assert_int_equal(s.cells[i].ch, ' ');
        }
        pare_canvas_clear(&c);
        pare_surface_free(&s);
    }
}

static void greater_layer_colours_the_cell(void **state)
{
    (void)state;
    struct pare_surface s = surface();
    struct pare_canvas c;
    assert_true(pare_canvas_init(&c, PARE_GLYPHS_BRAILLE, 10, 4));
    c.styles[1] = 11;
    c.styles[5] = 55;
    pare_canvas_dot(&c, 0, 0, 5, '.');
    pare_canvas_dot(&c, 1, 1, 1, '.');
    pare_canvas_dot(&c, 0, 0, 1, '.'); /* a lesser one does not take the dot */
    pare_canvas_draw(&c, &s, 0, 0);
    assert_int_equal(s.cells[0].style, 55);
    assert_int_equal(s.cells[0].ch, 0x2811);
    pare_canvas_clear(&c);
    pare_surface_free(&s);
}

static void ticks_are_round_ascending_and_few(void **state)
{
    (void)state;
    static const double ranges[][2] = {{0, 1},  {63.2, 97.1}, {0.11, 8.3}, {1e-9, 2e-9},
                                       {-4, 4}, {1e8, 3e9},   {5, 5}};
    for (int i = 0; i < 7; i++) {
        for (int log = 0; log < 2; log++) {
            for (int max = 1; max < 20; max++) {
                const struct pare_axis a = pare_axis_make(ranges[i][0], ranges[i][1], log);
                double ticks[PARE_AXIS_TICKS];
                int decimals = -1;
                const int n = pare_axis_ticks(&a, max, ticks, &decimals);
                assert_true(n >= 0 && n <= max && decimals >= 0);
                for (int t = 0; t < n; t++) {
                    assert_true(ticks[t] >= a.low - 1e-9 * fabs(a.low) &&
                                ticks[t] <= a.high + 1e-9 * fabs(a.high));
                    assert_true(t == 0 || ticks[t] > ticks[t - 1]);
                }
            }
        }
    }
    const struct pare_axis a = pare_axis_make(0.5, 8, true);
    assert_true(fabs(pare_axis_place(&a, pare_axis_value(&a, 0.3)) - 0.3) < 1e-12);
    assert_true(isnan(pare_axis_place(&a, 0)) && isnan(pare_axis_place(&a, NAN)));
}

static void zoom_keeps_the_centre_and_ends_sanely(void **state)
{
    (void)state;
    struct pare_axis a = pare_axis_make(1, 9, true);
    const double value = pare_axis_value(&a, 0.25);
    const struct pare_axis z = pare_axis_zoom(&a, 0.5, 0.25);
    assert_true(fabs(pare_axis_place(&z, value) - 0.25) < 1e-9);
    for (int i = 0; i < 500; i++) {
        a = pare_axis_zoom(&a, i < 250 ? 0.5 : 3, 0.5);
        assert_true(a.high > a.low && isfinite(a.low) && isfinite(a.high) && a.low > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(braille_cells_are_exact),
                                       cmocka_unit_test(block_cells_are_exact),
                                       cmocka_unit_test(ascii_lines_cross_as_plus),
                                       cmocka_unit_test(empty_cells_stay_blank),
                                       cmocka_unit_test(greater_layer_colours_the_cell),
                                       cmocka_unit_test(ticks_are_round_ascending_and_few),
                                       cmocka_unit_test(zoom_keeps_the_centre_and_ends_sanely)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
