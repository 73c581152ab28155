/* What views ask their host for, and when. */
#include <locale.h>
#include <stdio.h>

#include "screens/fake_state.h"
#include "support.h"

static struct {
    int proxies, distances, n, points[16];
} asked;

static int count_proxies(void *user, struct pare_proxy *proxies)
{
    (void)user;
    asked.proxies++;
    proxies[0] = (struct pare_proxy){.name = "loss", .what = "", .spearman = 0.01 * asked.proxies, .n = 9};
    return 1;
}

static void note_distances(void *user, const int *points, int n)
{
    (void)user;
    asked.distances++;
    asked.n = n;
    for (int i = 0; i < n && i < 16; i++) {
        asked.points[i] = points[i];
    }
}

static struct pare_ui *open_ui(struct fake *f)
{
    struct pare_ui_host host = fake_host(f);
    const struct pare_ui_options options = {.glyphs = "ascii", .theme = "dark"};
    host.proxies = count_proxies;
    host.distances = note_distances;
    memset(&asked, 0, sizeof asked);
    struct pare_ui *ui = pare_ui_new(&host, &options, 120, 36);
    assert_non_null(ui);
    return ui;
}

static bool shows(const struct pare_ui *ui, const char *what)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    pare_ui_write(ui, out);
    fclose(out);
    const bool found = strstr(text, what) != NULL;
    free(text);
    return found;
}

/* Predictions change without a new measurement, by what is sensed, pinned or tied. */
static void trust_is_renewed_with_every_change(void **state)
{
    struct fake *f = fake_new(FAKE_FULL);
    struct pare_ui *ui = open_ui(f);
    (void)state;
    pare_ui_execute(ui, "trust drop");
    pare_ui_draw(ui);
    assert_int_equal(asked.proxies, 1);
    assert_true(shows(ui, "loss       0.01"));
    pare_ui_draw(ui);
    assert_int_equal(asked.proxies, 1);
    fake_progress(f); /* nothing more is measured */
    pare_ui_draw(ui);
    assert_true(shows(ui, "loss       0.02"));
    pare_ui_free(ui);
    fake_free(f);
}

/* Figures of other files, rules or versions are not shown; what brings them back is. */
static void a_point_without_figures_says_so(void **state)
{
    struct fake *f = fake_new(FAKE_FULL);
    struct pare_ui *ui = open_ui(f);
    (void)state;
    pare_ui_draw(ui);
    assert_false(shows(ui, "m measures it"));
    struct pare_ui_host host = fake_host(f);
    const struct pare_state *st = host.state(host.user);
    for (int i = 0; i < st->n_points; i++) {
        struct pare_point *p = (struct pare_point *)(uintptr_t)&st->points[i];
        p->accuracy.kind = p->latency.kind = PARE_FIGURE_NONE;
    }
    fake_progress(f);
    pare_ui_draw(ui);
    assert_true(shows(ui, "m measures it") && !shows(ui, "accuracy -"));
    pare_ui_resize(ui, 80, 24);
    pare_ui_draw(ui);
    assert_true(shows(ui, "not measured as things are now: m"));
    pare_ui_free(ui);
    fake_free(f);
}

static void distances_are_those_of_the_points_shown(void **state)
{
    struct fake *f = fake_new(FAKE_FULL);
    struct pare_ui *ui = open_ui(f);
    (void)state;
    pare_ui_draw(ui);
    assert_int_equal(asked.distances, 0); /* nobody looks */
    pare_ui_execute(ui, "compare int8 int4");
    pare_ui_draw(ui);
    assert_true(asked.distances > 0 && asked.n >= 2);
    assert_int_equal(asked.points[0], 2);
    assert_int_equal(asked.points[1], 3);
    assert_true(shows(ui, "drop vs first") && shows(ui, "first to this") && shows(ui, "energy, uJ"));
    pare_ui_resize(ui, 120, 60);
    pare_ui_draw(ui);
    assert_true(shows(ui, "from exact, ms") && shows(ui, "up to, ms") && shows(ui, "measured"));
    /* more than a screen has room for are marked, and the title says how many are seen */
    pare_ui_execute(ui, "compare exact:1 exact:2 exact:3 exact:4 exact:5 exact:6 exact:7 exact:8 exact:9 exact:10");
    pare_ui_execute(ui, "view compare");
    pare_ui_resize(ui, 200, 30);
    pare_ui_draw(ui);
    assert_true(shows(ui, "9 exact:9") && shows(ui, "a exact:10") && !shows(ui, "have room"));
    pare_ui_resize(ui, 80, 24);
    pare_ui_draw(ui);
    assert_true(shows(ui, "compare  7 of 1") && shows(ui, "have room"));
    pare_ui_free(ui);
    fake_free(f);
}

int main(void)
{
    setlocale(LC_CTYPE, "");
    const struct CMUnitTest tests[] = {cmocka_unit_test(trust_is_renewed_with_every_change),
                                       cmocka_unit_test(distances_are_those_of_the_points_shown), cmocka_unit_test(a_point_without_figures_says_so)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
