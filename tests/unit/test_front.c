/* Sets of points, and the complete front of small problems against everything tried. */
#include "support.h"

#include <math.h>
#include <stdio.h>

#include "search/front.h"

static void the_front_of_points_is_what_nothing_beats(void **state)
{
    const double x[] = {3, 1, 2, 2, 1, NAN, 4, 2.5}, y[] = {1, 3, 2, 2, 4, 0, 1, 2};
    bool kept[8];
    const bool expected[8] = {true, true, true, false, false, false, false, false};
    (void)state;
    assert_int_equal(pare_front_of(8, x, y, kept, NULL), PARE_OK);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(kept[i], expected[i]);
    }
    assert_int_equal(pare_front_of(0, x, y, kept, NULL), PARE_OK);
}

static void the_area_under_steps(void **state)
{
    const double x[] = {1, 2, 3, 9}, y[] = {3, 2, 1, 0};
    (void)state;
    /* by hand: 3x1 + 2x1 + 1x1 under (4, 4) */
    assert_true(fabs(pare_hypervolume(3, x, y, 4, 4) - 6) < 1e-12);
    assert_true(fabs(pare_hypervolume(4, x, y, 4, 4) - 6) < 1e-12); /* beyond the reference */
    assert_true(pare_hypervolume(0, x, y, 4, 4) == 0);
    const double same_x[] = {1, 1}, same_y[] = {3, 2};
    assert_true(fabs(pare_hypervolume(2, same_x, same_y, 2, 4) - 2) < 1e-12);
}

static struct pare_problem *random_problem(uint32_t *seed, int groups, int levels, int borders)
{
    struct pare_problem *p = NULL;
    assert_int_equal(pare_problem_new(groups, levels, &p, NULL), PARE_OK);
    for (int i = 0; i < groups * levels; i++) {
        p->allowed[i] = i % levels == 0 || test_random(seed) % 5 != 0;
        for (int c = 0; c < PARE_COST_COUNT; c++) {
            p->cost[c][i] = (double)(test_random(seed) % 1000) / 1000 - 0.2;
        }
    }
    for (int g = 0; g < groups; g++) {
        p->group_names[g] = strdup("g");
    }
    for (int l = 0; l < levels; l++) {
        p->level_names[l] = strdup("l");
        p->form[l] = l % 3;
    }
    p->borders = calloc((size_t)borders + 1, sizeof *p->borders);
    p->n_borders = borders;
    for (int b = 0; b < borders; b++) {
        p->borders[b] = (struct pare_border){(int)(test_random(seed) % (unsigned)groups),
                                             (int)(test_random(seed) % (unsigned)groups), 0.1 + 0.03 * b};
    }
    p->fixed[PARE_COST_LATENCY] = 0.25;
    return p;
}

static void nothing_beats_the_complete_front(void **state)
{
    uint32_t seed = 2024;
    (void)state;
    for (int round = 0; round < 150; round++) {
        const int groups = 1 + (int)(test_random(&seed) % 6), levels = 1 + (int)(test_random(&seed) % 4);
        struct pare_problem *p = random_problem(&seed, groups, levels, (int)(test_random(&seed) % 6));
        const enum pare_figure_id x = round % 2 == 0 ? PARE_COST_LATENCY : PARE_COST_LOSS;
        const enum pare_figure_id y = round % 2 == 0 ? PARE_COST_LOSS : round % 3 == 0 ? PARE_COST_BYTES : PARE_COST_LATENCY;
        struct pare_front_set front;
        int all = 1, l[8] = {0};
        assert_int_equal(pare_solve_front(p, x, y, 0, &front, NULL), PARE_OK);
        assert_true(front.n > 0 && front.rounding < 1e-3);
        for (int i = 0; i < front.n; i++) {
            double total[PARE_COST_COUNT];
            int its[8];
            for (int g = 0; g < groups; g++) {
                its[g] = front.levels[i * groups + g];
                assert_true(p->allowed[g * levels + its[g]]);
            }
            pare_problem_total(p, its, total);
            assert_true(total[x] == front.x[i] && total[y] == front.y[i]);
            assert_true(i == 0 || (front.x[i] > front.x[i - 1] && front.y[i] < front.y[i - 1]));
        }
        for (int g = 0; g < groups; g++) {
            all *= levels;
        }
        for (int i = 0; i < all; i++) {
            double total[PARE_COST_COUNT];
            bool allowed = true;
            for (int g = 0, rest = i; g < groups; g++, rest /= levels) {
                l[g] = rest % levels;
                allowed = allowed && p->allowed[g * levels + l[g]];
            }
            pare_problem_total(p, l, total);
            const int best = pare_front_set_at(&front, total[x] + front.rounding);
            if (allowed && (best < 0 || front.y[best] > total[y] + 1e-9)) {
                fail_msg("problem %d: %g %g is not covered", round, total[x], total[y]);
            }
        }
        assert_int_equal(pare_front_set_at(&front, -1e9), -1);
        pare_front_set_clear(&front);
        pare_problem_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_front_of_points_is_what_nothing_beats),
        cmocka_unit_test(the_area_under_steps),
        cmocka_unit_test(nothing_beats_the_complete_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
