/* Solvers that ask: on predicted quality, against what is known of their problems. */
#include "support.h"

#include <math.h>
#include <stdio.h>

#include "search/front.h"
#include "search/solver.h"

/* As networks are: narrower levels are cheaper and lose more, layers differ. */
static struct pare_problem *network(uint32_t seed, int groups, int levels, double budget)
{
    struct pare_problem *p = NULL;
    double most = 0;
    assert_int_equal(pare_problem_new(groups, levels, &p, NULL), PARE_OK);
    for (int g = 0; g < groups; g++) {
        char name[16];
        const double size = 0.1 + (double)(test_random(&seed) % 1000) / 1000;
        const double harm = exp(4.0 * (double)(test_random(&seed) % 1000) / 1000) / 50;
        snprintf(name, sizeof name, "g%d", g);
        p->group_names[g] = strdup(name);
        for (int l = 0; l < levels; l++) {
            const int i = g * levels + l;
            const double noise = (double)(test_random(&seed) % 1000) / 1000;
            p->allowed[i] = true;
            p->cost[PARE_COST_LATENCY][i] = size * (1 + 0.2 * noise) / (l + 1);
            p->cost[PARE_COST_BYTES][i] = 1000 * size / (l + 1);
            p->cost[PARE_COST_LOSS][i] = harm * l * l;
        }
        most += harm * (levels - 1) * (levels - 1);
    }
    for (int l = 0; l < levels; l++) {
        char name[16];
        snprintf(name, sizeof name, "l%d", l);
        p->level_names[l] = strdup(name);
    }
    p->objective = PARE_COST_LATENCY;
    p->limit[PARE_COST_LOSS] = budget * most;
    return p;
}

/* Runs a solver; its best answer in levels; returns its objective. */
static double solve(const char *name, const struct pare_problem *p, json_t *settings_take, int *levels, int *asked)
{
    struct pare_step last;
    struct pare_error err = {0};
    const struct pare_solver *solver = pare_solver_find(name);
    double total[PARE_COST_COUNT];
    assert_non_null(solver);
    const enum pare_status status = pare_solver_predict(solver, p, settings_take, 1000000, &last, asked, &err);
    if (status != PARE_OK) {
        fail_msg("%s: %s: %s", name, err.where, err.message);
    }
    assert_true(last.done && json_array_size(last.answers) > 0);
    assert_true(pare_levels_read(p, json_array_get(last.answers, 0), levels));
    pare_problem_total(p, levels, total);
    for (int c = 0; c < PARE_COST_COUNT && strcmp(name, "paper") != 0; c++) {
        assert_false(total[c] > p->limit[c] * (1 + 1e-9));
    }
    pare_step_clear(&last);
    json_decref(settings_take);
    return total[p->objective];
}

static void nobody_beats_exact(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 10; seed++) {
        struct pare_problem *p = network(seed, 6, 4, 0.05 * seed);
        struct pare_answer exact;
        int levels[6], asked;
        assert_int_equal(pare_solve_exact(p, &exact, NULL), PARE_OK);
        const double best = exact.total[p->objective];
        assert_true(fabs(solve("exhaustive", p, json_object(), levels, &asked) - best) < 1e-9);
        static const char *const others[] = {"greedy", "bisect", "nsga2", "random"};
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            const double its = solve(others[i], p, json_pack("{s:i, s:i}", "generations", 10, "n", 40), levels, &asked);
            assert_true(its >= best - 1e-9);
            assert_true(asked > 1);
        }
        pare_answer_clear(&exact);
        pare_problem_free(p);
    }
}

static void greedy_stops_where_the_budget_ends(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 10; seed++) {
        struct pare_problem *p = network(seed, 30, 2, 0.3);
        int levels[30], asked, order[30];
        solve("greedy", p, json_pack("{s:b}", "reverse", seed % 2 == 0), levels, &asked);
        assert_true(asked <= 7);
        /* by hand: groups by loss, narrow while it fits */
        for (int g = 0; g < 30; g++) {
            order[g] = g;
        }
        for (int i = 0; i < 30; i++) {
            for (int k = i + 1; k < 30; k++) {
                if (p->cost[PARE_COST_LOSS][2 * order[k] + 1] < p->cost[PARE_COST_LOSS][2 * order[i] + 1]) {
                    int t = order[i];
                    order[i] = order[k];
                    order[k] = t;
                }
            }
        }
        double sum = 0;
        int n = 0;
        while (n < 30 && sum + p->cost[PARE_COST_LOSS][2 * order[n] + 1] <= p->limit[PARE_COST_LOSS]) {
            sum += p->cost[PARE_COST_LOSS][2 * order[n++] + 1];
        }
        for (int i = 0; i < 30; i++) {
            assert_int_equal(levels[order[i]], i < n);
        }
        /* the whole curve has the same best point */
        int again[30];
        solve("greedy", p, json_pack("{s:i}", "points", 1000), again, &asked);
        assert_int_equal(asked, 31);
        assert_memory_equal(levels, again, sizeof levels);
        pare_problem_free(p);
    }
}

static void bisect_finds_the_depth(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct pare_problem *p = network(seed, 40, 3, 0.02 * seed);
        int levels[40], asked;
        solve("bisect", p, json_object(), levels, &asked);
        assert_true(asked <= 9);
        /* one side wide, the other narrow, and one more narrow group would be too much */
        int changes = 0, narrow = 0;
        double sum = 0;
        for (int g = 0; g < 40; g++) {
            changes += g > 0 && levels[g] != levels[g - 1];
            narrow += levels[g] == 2;
            sum += p->cost[PARE_COST_LOSS][3 * g + levels[g]];
        }
        assert_true(changes <= 1);
        if (narrow > 0 && narrow < 40) {
            const int next = levels[0] == 2 ? narrow : 39 - narrow;
            assert_true(sum + p->cost[PARE_COST_LOSS][3 * next + 2] > p->limit[PARE_COST_LOSS]);
        }
        pare_problem_free(p);
    }
}

/* ---- nsga2 ---- */

static double volume(const struct pare_problem *p, const json_t *curve, double x_reference, double y_reference)
{
    const size_t n = json_array_size(curve);
    double *x = calloc(n + 1, sizeof *x), *y = calloc(n + 1, sizeof *y), total[PARE_COST_COUNT];
    int levels[64];
    assert_true(x != NULL && y != NULL);
    for (size_t i = 0; i < n; i++) {
        assert_true(pare_levels_read(p, json_object_get(json_array_get(curve, i), "levels"), levels));
        pare_problem_total(p, levels, total);
        x[i] = total[PARE_COST_LATENCY];
        y[i] = total[PARE_COST_LOSS];
    }
    const double v = pare_hypervolume((int)n, x, y, x_reference, y_reference);
    free(x);
    free(y);
    return v;
}

static void nsga2_comes_near_the_whole_front(void **state)
{
    struct pare_problem *p = network(42, 20, 6, 1);
    struct pare_front_set front;
    struct pare_step last;
    int asked;
    (void)state;
    p->limit[PARE_COST_LOSS] = NAN;
    assert_int_equal(pare_solve_front(p, PARE_COST_LATENCY, PARE_COST_LOSS, 0, &front, NULL), PARE_OK);
    const double x = front.x[front.n - 1] * 1.05, y = front.y[0] * 1.05;
    const double whole = pare_hypervolume(front.n, front.x, front.y, x, y);
    json_t *settings = json_pack("{s:i, s:i, s:f}", "population", 100, "generations", 150, "mutation", 0.05);
    assert_int_equal(pare_solver_predict(pare_solver_find("nsga2"), p, settings, 100000, &last, &asked, NULL), PARE_OK);
    const double its = volume(p, last.curve, x, y);
    print_message("nsga2: %.2f %% of the front's hypervolume with %d configurations\n", 100 * its / whole, asked);
    assert_true(its > 0.99 * whole && its <= whole * (1 + 1e-3));
    pare_step_clear(&last);
    pare_front_set_clear(&front);
    json_decref(settings);
    pare_problem_free(p);
}

/* Goes on from the text of its state after every step, as after a kill: the same individuals, the same front. */
static void a_killed_run_goes_on_the_same(void **state)
{
    struct pare_problem *p = network(3, 12, 5, 0.1);
    char *ended[2] = {NULL, NULL};
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        json_t *settings = json_pack("{s:i, s:i, s:i, s:f}", "population", 20, "generations", 15, "seed", 9,
                                     "quality_limit", p->limit[PARE_COST_LOSS]);
        json_t *kept = NULL, *told = NULL, *all = json_array();
        for (bool done = false; !done;) {
            struct pare_step s = {.p = p, .settings = settings, .state = kept, .told = told};
            assert_int_equal(pare_solver_find("nsga2")->step(&s, NULL), PARE_OK);
            if (killed == 1) { /* the step is done once more, from text, and the first time is lost */
                char *text = kept != NULL ? json_dumps(kept, 0) : NULL;
                json_t *from_text = text != NULL ? json_loads(text, 0, NULL) : NULL;
                pare_step_clear(&s);
                s = (struct pare_step){.p = p, .settings = settings, .state = from_text, .told = told};
                assert_int_equal(pare_solver_find("nsga2")->step(&s, NULL), PARE_OK);
                json_decref(from_text);
                free(text);
            }
            json_decref(told);
            told = json_array();
            for (size_t i = 0; i < json_array_size(s.ask); i++) {
                int levels[12];
                double total[PARE_COST_COUNT];
                const json_t *its = json_object_get(json_array_get(s.ask, i), "levels");
                assert_true(pare_levels_read(p, its, levels));
                pare_problem_total(p, levels, total);
                json_array_append_new(told, json_real(total[PARE_COST_LOSS]));
                json_array_append(all, (json_t *)(uintptr_t)its);
            }
            done = s.done;
            if (done) {
                json_array_append(all, s.answers);
            }
            json_decref(kept);
            kept = json_incref(s.new_state);
            pare_step_clear(&s);
        }
        ended[killed] = json_dumps(all, JSON_COMPACT);
        json_decref(all);
        json_decref(told);
        json_decref(kept);
        json_decref(settings);
    }
    assert_string_equal(ended[0], ended[1]);
    free(ended[0]);
    free(ended[1]);
    pare_problem_free(p);
}

static void nothing_is_asked_twice(void **state)
{
    struct pare_problem *p = network(5, 3, 3, 0.5);
    int levels[3], asked;
    (void)state;
    solve("nsga2", p, json_pack("{s:i, s:i}", "population", 20, "generations", 50), levels, &asked);
    assert_true(asked <= 27);
    pare_problem_free(p);
}

static void random_halves(void **state)
{
    struct pare_problem *p = network(6, 10, 4, 0.3);
    json_t *settings = json_pack("{s:i, s:i, s:i, s:f}", "n", 64, "samples", 50, "all", 2000, "quality_limit",
                                 p->limit[PARE_COST_LOSS]);
    json_t *kept = NULL, *told = NULL;
    const size_t counts[] = {64, 16, 4, 1};
    const int samples[] = {50, 200, 800, 0};
    (void)state;
    for (int round = 0; round <= 4; round++) {
        struct pare_step s = {.p = p, .settings = settings, .state = kept, .told = told};
        assert_int_equal(pare_solver_find("random")->step(&s, NULL), PARE_OK);
        assert_int_equal(s.done, round == 4);
        assert_int_equal(json_array_size(s.ask), round < 4 ? counts[round] : 0);
        json_decref(told);
        told = json_array();
        for (size_t i = 0; i < json_array_size(s.ask); i++) {
            assert_int_equal(pare_json_get_int(json_array_get(s.ask, i), "samples", -1), samples[round]);
            json_array_append_new(told, json_real((double)(i * 7 % 64)));
        }
        json_decref(kept);
        kept = json_incref(s.new_state);
        pare_step_clear(&s);
    }
    json_decref(kept);
    json_decref(told);
    json_decref(settings);
    pare_problem_free(p);
}

static void the_papers_thresholds(void **state)
{
    struct pare_problem *p = network(7, 4, 5, 0.2);
    int levels[4], asked;
    (void)state;
    json_t *settings = json_pack("{s:[f,f,f,f], s:[f,f,f,f]}", "A", 0.02, 0.3, 5.0, 0.0, "L", 0.0, 0.05, 0.0, 0.0);
    solve("paper", p, settings, levels, &asked);
    const double a[4] = {0.02, 0.3, 5.0, 0.0}, l[4] = {0.0, 0.05, 0.0, 0.0};
    for (int g = 0; g < 4; g++) {
        const int i = g * 5 + levels[g];
        assert_true(p->cost[PARE_COST_LOSS][i] <= a[g] || p->cost[PARE_COST_LATENCY][i] <= l[g]);
        for (int k = 0; k < 5; k++) {
            const int j = g * 5 + k;
            const bool holds = p->cost[PARE_COST_LOSS][j] <= a[g] || p->cost[PARE_COST_LATENCY][j] <= l[g];
            assert_true(!holds || p->cost[PARE_COST_LATENCY][j] >= p->cost[PARE_COST_LATENCY][i]);
        }
    }
    struct pare_step last;
    struct pare_error err = {0};
    settings = json_pack("{s:f, s:f}", "A", -1.0, "L", -1.0);
    assert_int_equal(pare_solver_predict(pare_solver_find("paper"), p, settings, 10, &last, &asked, &err), PARE_ERR_INFEASIBLE);
    assert_string_equal(err.where, "g0");
    json_decref(settings);
    pare_step_clear(&last);
    pare_problem_free(p);
}

/* keep: the first group has no narrow level, as first layers have none; it counts as wide in both models. */
static void hawq_with(bool keep)
{
    struct pare_problem *p = network(8, 10, 2, 1);
    json_t *trace = json_array(), *delta = json_array();
    int levels[10], asked;
    struct pare_problem *q = network(8, 10, 2, 1);
    double wide = 0, narrow = 0;
    for (int g = 0; g < 10; g++) {
        json_array_append_new(trace, json_real(0.1 * (g + 1)));
        for (int l = 0; l < 2; l++) {
            json_array_append_new(delta, json_real(l == 0 ? 0.01 : 2.0 / (g + 1) + 0.1 * (g % 3)));
            q->cost[PARE_COST_LOSS][2 * g + l] = 0.1 * (g + 1) * (l == 0 ? 0.01 : 2.0 / (g + 1) + 0.1 * (g % 3));
        }
        wide += p->cost[PARE_COST_BYTES][2 * g];
        narrow += p->cost[PARE_COST_BYTES][2 * g + (keep && g == 0 ? 0 : 1)];
    }
    p->allowed[1] = q->allowed[1] = !keep;
    p->cost[PARE_COST_BYTES][1] = keep ? (double)NAN : p->cost[PARE_COST_BYTES][1];
    solve("hawq", p, json_pack("{s:o, s:o, s:f, s:s}", "trace", trace, "delta", delta, "lambda", 0.5, "resource", "bytes"), levels,
          &asked);
    struct pare_answer a;
    q->objective = PARE_COST_LOSS;
    q->limit[PARE_COST_LOSS] = NAN;
    q->limit[PARE_COST_BYTES] = narrow + 0.5 * (wide - narrow);
    assert_int_equal(pare_solve_exhaustive(q, &a, NULL), PARE_OK);
    assert_memory_equal(a.levels, levels, sizeof levels);
    pare_answer_clear(&a);
    pare_problem_free(p);
    pare_problem_free(q);
}

static void hawq_is_its_own_program(void **state)
{
    (void)state;
    hawq_with(false);
    hawq_with(true);
}

static void settings_are_checked(void **state)
{
    static const struct {
        const char *solver, *json;
        bool good;
    } cases[] = {{"nsga2", "{\"population\": 4, \"mutation\": 0, \"crossover\": 1.0}", true},
                 {"nsga2", "{\"population\": 0}", false},
                 {"nsga2", "{\"populatio\": 4}", false},
                 {"nsga2", "{\"mutation\": \"nan\"}", false},
                 {"random", "{\"n\": 3, \"keep\": 0.5, \"eval_samples\": 25}", true},
                 {"random", "{\"n\": 3.5}", false},
                 {"greedy", "{\"reverse\": true, \"points\": 5}", true},
                 {"greedy", "{\"reverse\": \"no\"}", false},
                 {"paper", "{\"A\": [0.1, 0.2], \"L\": 3}", true},
                 {"paper", "{\"A\": [0.1, null]}", false},
                 {"hawq", "{\"resource\": \"drop\"}", false},
                 {"hawq", "{\"resource\": \"latency\", \"lambda\": 0.3, \"wide\": \"int8\"}", true},
                 {"exhaustive", "{\"n\": 3}", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pare_error err = {0};
        json_t *settings = json_loads(cases[i].json, 0, NULL);
        const enum pare_status status = pare_solver_check_settings(pare_solver_find(cases[i].solver), settings, &err);
        json_decref(settings);
        if (status != (cases[i].good ? PARE_OK : PARE_ERR_USAGE)) {
            fail_msg("%s %s: %s", cases[i].solver, cases[i].json, err.message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_beats_exact),
        cmocka_unit_test(greedy_stops_where_the_budget_ends),
        cmocka_unit_test(bisect_finds_the_depth),
        cmocka_unit_test(nsga2_comes_near_the_whole_front),
        cmocka_unit_test(a_killed_run_goes_on_the_same),
        cmocka_unit_test(nothing_is_asked_twice),
        cmocka_unit_test(random_halves),
        cmocka_unit_test(the_papers_thresholds),
        cmocka_unit_test(hawq_is_its_own_program),
        cmocka_unit_test(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
