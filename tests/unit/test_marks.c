/* Front, ghost and ties in any two figures, on points made by hand. */
#include "support.h"

#include <math.h>

#include "pare.h"

#define N 6
#define SAMPLES 2000

static uint64_t bits[N][SAMPLES / 64 + 1];

static struct pare_figure measured(double value, double low, double high)
{
    return (struct pare_figure){PARE_FIGURE_MEASURED, value, low, high};
}

/* A point whose first `wrong` samples are wrong, and `late` others at the end. */
static struct pare_point point(int i, int wrong, int late, double ms, double bytes)
{
    int right = 0;
    for (int k = 0; k < SAMPLES; k++) {
        const bool ok = k >= wrong && k < SAMPLES - late;
        bits[i][k / 64] |= (uint64_t)ok << (k % 64);
        right += ok;
    }
    const double accuracy = (double)right / SAMPLES;
    return (struct pare_point){.accuracy = measured(accuracy, accuracy - 0.01, accuracy + 0.01),
                               .drop = measured(1 - accuracy, 0.99 - accuracy, 1.01 - accuracy),
                               .latency = measured(ms, 0.99 * ms, 1.05 * ms),
                               .bytes = measured(bytes, NAN, NAN),
                               .bitops = measured(bytes * ms, NAN, NAN),
                               .right = bits[i],
                               .n_right = SAMPLES};
}

static void marks_belong_to_the_axes(void **state)
{
    unsigned char marks[N];
    (void)state;
    memset(bits, 0, sizeof bits);
    struct pare_point p[N] = {
        point(0, 100, 0, 4.0, 900), /* best accuracy but slow and large */
        point(1, 120, 0, 2.0, 500), /* fast */
        point(2, 123, 0, 2.5, 400), /* beaten by 1 in latency; smaller */
        point(3, 103, 0, 4.0, 950), /* 3 of 2,000 behind 0: a tie */
        point(4, 300, 0, 3.0, 300), /* beaten far in accuracy and latency, but the smallest */
        point(5, 0, 101, 4.0, 940), /* one behind 0, but on other samples: as many lost as won */
    };
    struct pare_state s = {.n_points = N, .points = p};
    assert_true(pare_state_marks(&s, PARE_POINT_LATENCY, PARE_POINT_DROP, marks));
    assert_int_equal(marks[0], PARE_MARK_FRONT);
    assert_int_equal(marks[1], PARE_MARK_FRONT);
    assert_int_equal(marks[2], 0); /* 2.5 ms are not 2.0 */
    assert_int_equal(marks[3], PARE_MARK_TIED);
    assert_int_equal(marks[4], 0);
    assert_int_equal(marks[5], PARE_MARK_TIED);
    unsigned char by_accuracy[N];
    assert_true(pare_state_marks(&s, PARE_POINT_LATENCY, PARE_POINT_ACCURACY, by_accuracy));
    assert_memory_equal(by_accuracy, marks, N); /* more is better there */
    assert_true(pare_state_marks(&s, PARE_POINT_BYTES, PARE_POINT_DROP, marks));
    assert_int_equal(marks[0], PARE_MARK_FRONT);
    assert_int_equal(marks[2], PARE_MARK_FRONT);
    assert_int_equal(marks[3], 0); /* larger, and bytes are exact */
    assert_int_equal(marks[4], PARE_MARK_FRONT);
    assert_true(pare_state_marks(&s, PARE_POINT_BYTES, PARE_POINT_LATENCY, marks));
    assert_int_equal(marks[0], 0);
    assert_int_equal(marks[1], PARE_MARK_FRONT);
    assert_int_equal(marks[4], PARE_MARK_FRONT);
}

static void pairs_decide_not_overlapping_intervals(void **state)
{
    unsigned char marks[2];
    (void)state;
    memset(bits, 0, sizeof bits);
    /* 12 samples lost and none won is certain (the lower bound is above 0), though the two intervals overlap widely */
    struct pare_point p[2] = {point(0, 100, 0, 2, 5), point(1, 112, 0, 2, 5)};
    struct pare_state s = {.n_points = 2, .points = p};
    assert_true(pare_state_marks(&s, PARE_POINT_BYTES, PARE_POINT_DROP, marks));
    assert_int_equal(marks[1], 0);
    p[0].n_right = 0; /* samples not known: the intervals speak */
    assert_true(pare_state_marks(&s, PARE_POINT_BYTES, PARE_POINT_DROP, marks));
    assert_int_equal(marks[1], PARE_MARK_TIED);
}

static void kinds_do_not_beat_each_other_and_old_fronts_are_ghosts(void **state)
{
    unsigned char marks[4];
    (void)state;
    memset(bits, 0, sizeof bits);
    struct pare_point p[4] = {point(0, 100, 0, 2, 9), point(1, 300, 0, 3, 9), point(2, 110, 0, 3, 9), point(3, 50, 0, 1, 9)};
    p[0].old = p[1].old = true;
    p[2].drop.kind = p[2].latency.kind = PARE_FIGURE_PREDICTED;
    struct pare_state s = {.n_points = 4, .points = p};
    assert_true(pare_state_marks(&s, PARE_POINT_LATENCY, PARE_POINT_DROP, marks));
    assert_int_equal(marks[0], PARE_MARK_GHOST);
    assert_int_equal(marks[1], 0);
    assert_int_equal(marks[2], PARE_MARK_FRONT);
    assert_int_equal(marks[3], PARE_MARK_FRONT);
    s.n_points = 0;
    assert_true(pare_state_marks(&s, PARE_POINT_LATENCY, PARE_POINT_DROP, marks));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_belong_to_the_axes),
        cmocka_unit_test(pairs_decide_not_overlapping_intervals),
        cmocka_unit_test(kinds_do_not_beat_each_other_and_old_fronts_are_ghosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
