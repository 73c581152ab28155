/* Every size from 1x1 to 300x100: rectangles inside the screen, disjoint, and never too small to
 * draw in. */
#include <stdio.h>

#include "support.h"
#include "ui/layout.h"

static bool is_inside(struct pare_rect r, int w, int h)
{
    return r.x >= 0 && r.y >= 0 && r.w >= 0 && r.h >= 0 && r.x + r.w <= w && r.y + r.h <= h;
}

static bool are_disjoint(struct pare_rect a, struct pare_rect b)
{
    return a.w == 0 || a.h == 0 || b.w == 0 || b.h == 0 || a.x + a.w <= b.x || b.x + b.w <= a.x ||
           a.y + a.h <= b.y || b.y + b.h <= a.y;
}

static void check(int w, int h, bool split, int focus)
{
    struct pare_layout l;
    pare_layout_compute(w, h, split, focus, &l);
    assert_int_equal(l.kind == PARE_LAYOUT_TOO_SMALL, w < 40 || h < 10);
    const struct pare_rect all[] = {l.header, l.tabs,   l.panel[0], l.panel[1], l.panel[2],
                                    l.point,  l.budget, l.progress, l.message,  l.keys};
    int area = 0;
    for (int i = 0; i < 10; i++) {
        if (!is_inside(all[i], w, h)) {
            fail_msg("%dx%d: rectangle %d leaves the screen", w, h, i);
        }
        area += all[i].w * all[i].h;
        for (int j = 0; j < i; j++) {
            if (!are_disjoint(all[i], all[j])) {
                fail_msg("%dx%d: rectangles %d and %d overlap", w, h, i, j);
            }
        }
    }
    if (l.kind == PARE_LAYOUT_TOO_SMALL) {
        assert_int_equal(area, 0);
        return;
    }
    assert_int_equal(area, w * h); /* no hole either */
    int shown = 0;
    for (int i = 0; i < 3; i++) {
        if (l.panel[i].w > 0) {
            shown++;
            assert_true(l.panel[i].w >= 34 && l.panel[i].h >= 5);
        }
    }
    assert_int_equal(shown, !split || l.kind == PARE_LAYOUT_SINGLE ? 1
                            : l.kind == PARE_LAYOUT_WIDE           ? 3
                                                                   : 2);
    assert_int_equal(l.kind == PARE_LAYOUT_SINGLE, w < 80 || h < 24);
    assert_true(l.keys.h == 1 && l.message.h == 1); /* the way out is always on the screen */
}

static void every_size_is_covered_without_overlap(void **state)
{
    (void)state;
    for (int h = 1; h <= 100; h++) {
        for (int w = 1; w <= 300; w++) {
            check(w, h, true, 0);
            check(w, h, true, 1);
            check(w, h, false, 0);
        }
    }
}

static void absurd_sizes_are_too_small(void **state)
{
    (void)state;
    struct pare_layout l;
    static const int sizes[][2] = {{0, 0}, {-5, 30}, {300, -1}, {39, 100}, {300, 9}};
    for (int i = 0; i < 5; i++) {
        pare_layout_compute(sizes[i][0], sizes[i][1], true, 7, &l);
        assert_int_equal(l.kind, PARE_LAYOUT_TOO_SMALL);
        assert_true(l.whole.w >= 1 && l.whole.h >= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_size_is_covered_without_overlap),
                                       cmocka_unit_test(absurd_sizes_are_too_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
