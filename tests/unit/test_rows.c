/* Extra rows: every solver against everything tried, with pins, ties, budgets and borders; the reasons when nothing holds. */
#include "support.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "search/front.h"
#include "search/problem.h"
#include "search/solver.h"
#include "search/tie.h"

static double unit(uint32_t *seed)
{
    return (double)(test_random(seed) % 1000) / 1000;
}

static struct pare_problem *random_problem(uint32_t *seed, int groups, int levels)
{
    struct pare_problem *p = NULL;
    char name[32];
    assert_int_equal(pare_problem_new(groups, levels, &p, NULL), PARE_OK);
    for (int g = 0; g < groups; g++) {
        snprintf(name, sizeof name, "g%d", g);
        p->group_names[g] = strdup(name);
        for (int l = 0; l < levels; l++) {
            p->allowed[g * levels + l] = l == 0 || test_random(seed) % 6 != 0;
            for (int c = 0; c < PARE_COST_COUNT; c++) {
                p->cost[c][g * levels + l] = c == PARE_COST_LOSS ? unit(seed) * (l + 1) : unit(seed) / (l + 1);
            }
        }
    }
    for (int l = 0; l < levels; l++) {
        snprintf(name, sizeof name, "l%d", l);
        p->level_names[l] = strdup(name);
        p->form[l] = l / 2;
    }
    p->n_borders = (int)(test_random(seed) % 3);
    p->borders = calloc((size_t)p->n_borders + 1, sizeof *p->borders);
    for (int b = 0; b < p->n_borders; b++) {
        p->borders[b] = (struct pare_border){b % groups, (b + 1) % groups, 0.1 + 0.01 * b};
    }
    p->objective = (enum pare_figure_id)(test_random(seed) % PARE_COST_COUNT);
    const int budget = (int)(test_random(seed) % (2 * PARE_COST_COUNT));
    if (budget < PARE_COST_COUNT && budget != (int)p->objective) {
        p->limit[budget] = groups * (0.2 + 0.6 * unit(seed));
    }
    return p;
}

/* Of three kinds: how many groups are at a level or narrower; a weighted sum; changes along the chain. Its bounds are around
 * what one configuration has, or anywhere. */
static void add_row(struct pare_problem *p, uint32_t *seed, int number)
{
    const int kind = (int)(test_random(seed) % 4), from = (int)(test_random(seed) % (uint32_t)p->n_levels);
    struct pare_row r;
    char name[32];
    int levels[16];
    snprintf(name, sizeof name, "row %d", number);
    assert_true(pare_row_init(&r, name, p->n_groups * p->n_levels, p->n_groups));
    for (int g = 0; g < p->n_groups; g++) {
        const double times = test_random(seed) % 2 == 0 ? 1 : -1;
        for (int l = 0; l < p->n_levels; l++) {
            double *x = &r.cost[g * p->n_levels + l];
            *x = kind == 0 ? l >= from : kind == 1 ? times * p->cost[PARE_COST_BYTES][g * p->n_levels + l] : 0;
        }
        if (kind >= 2 && g > 0) {
            r.pairs[r.n_pairs++] = (struct pare_row_pair){g - 1, g, kind == 2 ? 1 : times * 0.5};
        }
        levels[g] = 0;
        for (int l = 0; l < p->n_levels; l++) {
            levels[g] = p->allowed[g * p->n_levels + l] && test_random(seed) % 2 == 0 ? l : levels[g];
        }
    }
    pare_row_settle(&r, p->n_groups * p->n_levels);
    const double at = pare_row_value(&r, p->n_groups, p->n_levels, levels);
    switch (test_random(seed) % 4) {
    case 0: r.at_most = at; break;
    case 1: r.at_least = at; break;
    case 2: r.at_least = at - 0.25, r.at_most = at + 0.25; break;
    default: r.at_most = at - 1 + 1.3 * unit(seed); break;
    }
    assert_true(pare_problem_take_row(p, &r));
}

/* What a row says, in the test's own words. */
static bool rows_hold(const struct pare_problem *p, const int *levels)
{
    bool hold = true;
    for (int k = 0; k < p->n_rows; k++) {
        const struct pare_row *r = &p->rows[k];
        double sum = 0;
        for (int g = 0; g < p->n_groups; g++) {
            sum += r->cost[g * p->n_levels + levels[g]];
        }
        for (int i = 0; i < r->n_pairs; i++) {
            sum += r->pairs[i].weight * (levels[r->pairs[i].a] != levels[r->pairs[i].b]);
        }
        hold = hold && sum <= r->at_most + 1e-6 && sum >= r->at_least - 1e-6;
    }
    return hold;
}

/* Everything tried: the least objective, infinite when nothing holds. */
static double best_of_all(const struct pare_problem *p, const int *tie)
{
    int levels[16] = {0};
    double best = INFINITY;
    for (double i = 0; i < pow(p->n_levels, p->n_groups); i++) {
        double total[PARE_COST_COUNT];
        bool ok = true;
        for (int g = 0; g < p->n_groups; g++) {
            ok = ok && p->allowed[g * p->n_levels + levels[g]] && levels[g] == levels[tie[g]];
        }
        ok = ok && rows_hold(p, levels);
        pare_problem_total(p, levels, total);
        for (int c = 0; c < PARE_COST_COUNT; c++) {
            ok = ok && !(total[c] > p->limit[c] + 1e-9);
        }
        best = ok && total[p->objective] < best ? total[p->objective] : best;
        for (int g = 0; g < p->n_groups && ++levels[g] == p->n_levels; g++) {
            levels[g] = 0;
        }
    }
    return best;
}

static struct pare_problem *copy_of(const struct pare_problem *p)
{
    struct pare_problem *q = NULL;
    json_t *json = pare_problem_to_json(p);
    assert_int_equal(pare_problem_from_json(json, &q, NULL), PARE_OK);
    json_decref(json);
    return q;
}

/* The conflict of an infeasible answer holds as long as all of it is there, and no longer. */
static void check_conflict(const struct pare_problem *p, const struct pare_answer *a, int round)
{
    int none[16];
    for (int g = 0; g < 16; g++) {
        none[g] = g;
    }
    for (int left_out = -1; left_out < a->n_conflict; left_out++) {
        struct pare_problem q = *p;
        struct pare_row rows[PARE_MAX_ROWS];
        q.rows = rows;
        q.n_rows = 0;
        for (int k = 0; k < a->n_conflict; k++) {
            if (k != left_out) {
                rows[q.n_rows++] = p->rows[a->conflict[k]];
            }
        }
        for (int c = 0; c < PARE_COST_COUNT; c++) {
            q.limit[c] = a->conflict_limit[c] ? p->limit[c] : NAN;
        }
        if (isfinite(best_of_all(&q, none)) != (left_out >= 0)) {
            fail_msg("problem %d: a conflict of %d rows, without %d of them: not what it says", round, a->n_conflict, left_out);
        }
    }
    if (isfinite(a->nearest)) {
        const struct pare_row *last = &p->rows[a->conflict[a->n_conflict - 1]];
        assert_true(a->nearest > last->at_most || a->nearest < last->at_least);
    }
}

/* How much each row costs, by everything tried. */
static void check_gains(const struct pare_problem *p, const struct pare_answer *a, int round)
{
    double gain[PARE_MAX_ROWS];
    int none[16];
    for (int g = 0; g < 16; g++) {
        none[g] = g;
    }
    assert_int_equal(pare_rows_gain(p, a, gain, NULL), PARE_OK);
    for (int r = 0; r < p->n_rows; r++) {
        struct pare_problem q = *p;
        struct pare_row rows[PARE_MAX_ROWS];
        q.rows = rows;
        q.n_rows = 0;
        for (int k = 0; k < p->n_rows; k++) {
            if (k != r) {
                rows[q.n_rows++] = p->rows[k];
            }
        }
        const double expected = a->total[p->objective] - best_of_all(&q, none);
        if (fabs(gain[r] - expected) > 1e-3) {
            fail_msg("problem %d, row %d: gain %.9g, expected %.9g", round, r, gain[r], expected);
        }
    }
}

static void check_others(const struct pare_problem *q, double best, int *found, int *asked_for)
{
    static const char *const others[] = {"greedy", "bisect", "nsga2", "random", "exhaustive"};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        struct pare_step last;
        json_t *settings = json_pack("{s:i, s:i, s:i, s:i}", "seed", 1, "population", 12, "generations", 6, "n", 16);
        int asked, levels[16];
        double total[PARE_COST_COUNT];
        const enum pare_status status = pare_solver_predict(pare_solver_find(others[k]), q, settings, 10000, &last, &asked, NULL);
        (*asked_for)++;
        if (status == PARE_OK && json_array_size(last.answers) > 0) {
            assert_true(pare_levels_read(q, json_array_get(last.answers, 0), levels));
            const bool holds = pare_worth_of(q, levels, NAN, NAN).over <= 0 && rows_hold(q, levels);
            pare_problem_total(q, levels, total);
            assert_true(!holds || total[PARE_COST_LOSS] > q->limit[PARE_COST_LOSS] || total[q->objective] >= best - 1e-9);
            if (strcmp(others[k], "exhaustive") == 0) {
                assert_true(holds && total[q->objective] <= best + 1e-9);
            }
            *found += holds && isfinite(best);
        }
        pare_step_clear(&last);
        json_decref(settings);
    }
}

static void answers_are_the_best_that_hold(void **state)
{
    uint32_t seed = 20261121;
    int infeasible = 0, conflicts = 0, tied = 0, found = 0, asked_for = 0;
    (void)state;
    for (int round = 0; round < 400; round++) {
        const int n = 2 + (int)(test_random(&seed) % 4), n_rows = 1 + (int)(test_random(&seed) % 3);
        struct pare_problem *p = random_problem(&seed, n, 2 + (int)(test_random(&seed) % 3)), *q;
        struct pare_answer a, e;
        struct pare_error err = {0};
        int tie[16];
        for (int i = 0; i < n; i++) {
            tie[i] = i > 0 && test_random(&seed) % 4 == 0 ? tie[(int)(test_random(&seed) % (uint32_t)i)] : i;
            tied += tie[i] != i;
        }
        for (int i = 0; i < n_rows; i++) {
            add_row(p, &seed, i);
        }
        const double best = best_of_all(p, tie);
        q = copy_of(p);
        assert_int_equal(q->n_rows, n_rows);
        assert_int_equal(pare_problem_tie(&q, tie, NULL), PARE_OK);
        if (pare_solve_glpk(q, &a, &err) != PARE_OK || pare_solve_exhaustive(q, &e, &err) != PARE_OK) {
            fail_msg("problem %d: %s: %s", round, err.where, err.message);
        }
        if ((a.status == PARE_SOLVE_INFEASIBLE) == isfinite(best) || (e.status == PARE_SOLVE_INFEASIBLE) == isfinite(best)) {
            fail_msg("problem %d: %.9g by trying everything, ilp %d, exhaustive %d", round, best, a.status, e.status);
        }
        if (isfinite(best)) {
            if (fabs(a.total[q->objective] - best) > 1e-4 || fabs(e.total[q->objective] - best) > 1e-9) {
                fail_msg("problem %d: %.9g by trying everything, ilp %.9g, exhaustive %.9g", round, best, a.total[q->objective],
                         e.total[q->objective]);
            }
            assert_true(rows_hold(q, a.levels) && pare_rows_over(q, a.levels) <= 0);
            check_gains(q, &a, round);
        } else {
            infeasible++;
            conflicts += a.n_conflict > 0;
            if (a.n_conflict > 0) {
                check_conflict(q, &a, round);
            } else { /* the budgets alone */
                assert_true(isfinite(q->limit[a.violated]) && a.least > q->limit[a.violated]);
            }
        }
        check_others(q, best, &found, &asked_for);
        pare_answer_clear(&e);
        assert_int_equal(pare_solve_exact(q, &e, &err), PARE_ERR_USAGE);
        pare_answer_clear(&a);
        pare_answer_clear(&e);
        pare_problem_free(p);
        pare_problem_free(q);
    }
    print_message("%d infeasible, %d by rows; %d ties; the others found a configuration that holds in %d of %d\n", infeasible, conflicts, tied,
                  found, asked_for - 5 * infeasible);
    assert_true(infeasible > 20 && infeasible < 300 && conflicts > 20 && tied > 100);
    assert_true(found > (asked_for - 5 * infeasible) * 3 / 4);
}

/* The two that have a program of their own: against everything tried. */
static void paper_and_hawq_hold_rows(void **state)
{
    uint32_t seed = 99;
    int solved = 0;
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct pare_problem *p = random_problem(&seed, 4, 3);
        int none[16], levels[16];
        double total[PARE_COST_COUNT];
        struct pare_step s = {.p = p, .settings = json_pack("{s:f, s:f}", "A", 1.4, "L", 0.2)};
        for (int g = 0; g < 16; g++) {
            none[g] = g;
        }
        add_row(p, &seed, 0);
        for (int c = 0; c < PARE_COST_COUNT; c++) {
            p->limit[c] = NAN;
        }
        const enum pare_status status = pare_step_paper(&s, NULL);
        p->n_borders = 0;
        for (int i = 0; i < p->n_groups * p->n_levels; i++) {
            p->allowed[i] = p->allowed[i] && (p->cost[PARE_COST_LOSS][i] <= 1.4 || p->cost[PARE_COST_LATENCY][i] <= 0.2);
        }
        for (int o = 0; o < 2; o++) {
            p->objective = o == 0 ? PARE_COST_LATENCY : PARE_COST_LOSS;
            const double best = best_of_all(p, none);
            if (status == PARE_ERR_INFEASIBLE) {
                assert_true(!isfinite(best));
                continue;
            }
            assert_int_equal(status, PARE_OK);
            assert_true(pare_levels_read(p, json_array_get(s.answers, (size_t)o), levels));
            pare_problem_total(p, levels, total);
            assert_true(rows_hold(p, levels) && fabs(total[p->objective] - best) < 1e-4);
            solved++;
        }
        json_decref((json_t *)(uintptr_t)s.settings);
        pare_step_clear(&s);
        pare_problem_free(p);
    }
    assert_true(solved > 40);
}

static void bad_rows_are_named(void **state)
{
    uint32_t seed = 3;
    struct pare_problem *p = random_problem(&seed, 3, 2);
    struct pare_error err = {0};
    struct pare_row r;
    struct pare_answer a;
    struct pare_front_set front;
    (void)state;
    assert_true(pare_row_init(&r, "small", 6, 0));
    r.at_least = 3;
    r.at_most = 2;
    assert_true(pare_problem_take_row(p, &r));
    assert_int_equal(pare_problem_check(p, &err), PARE_ERR_USAGE);
    assert_string_equal(err.where, "small");
    assert_non_null(strstr(err.message, "at least 3 and at most 2"));
    p->rows[0].at_least = -INFINITY;
    p->rows[0].cost[0] = NAN;
    assert_int_equal(pare_solve_glpk(p, &a, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "g0 at l0"));
    p->allowed[0] = false; /* nobody looks at it then */
    p->allowed[1] = true;
    assert_int_equal(pare_problem_check(p, &err), PARE_OK);
    assert_int_equal(pare_solve_front(p, PARE_COST_LATENCY, PARE_COST_LOSS, 0, &front, &err), PARE_ERR_USAGE);
    p->rows[0].cost[0] = 0; /* a row of zeros cannot be below -1 */
    p->rows[0].at_most = -1;
    pare_row_settle(&p->rows[0], 6);
    assert_int_equal(pare_solve_glpk(p, &a, &err), PARE_OK);
    assert_int_equal(a.status, PARE_SOLVE_INFEASIBLE);
    assert_int_equal(a.n_conflict, 1);
    assert_true(a.nearest == 0);
    pare_answer_clear(&a);
    pare_problem_free(p);
}

/* Ten layers, at most two of them narrow: those two that gain most; the row is tight and its worth the third's gain. */
static void binding_rows_say_what_they_cost(void **state)
{
    struct pare_problem *p = NULL;
    struct pare_row r;
    struct pare_answer a;
    (void)state;
    assert_int_equal(pare_problem_new(10, 2, &p, NULL), PARE_OK);
    assert_true(pare_row_init(&r, "few", 20, 0));
    for (int g = 0; g < 10; g++) {
        p->group_names[g] = strdup("layer");
        p->allowed[2 * g] = p->allowed[2 * g + 1] = true;
        p->cost[PARE_COST_LATENCY][2 * g] = 10;
        p->cost[PARE_COST_LATENCY][2 * g + 1] = g;
        r.cost[2 * g + 1] = 1;
    }
    p->level_names[0] = strdup("wide");
    p->level_names[1] = strdup("narrow");
    p->objective = PARE_COST_LATENCY;
    r.at_most = 2;
    pare_row_settle(&r, 20);
    assert_true(pare_problem_take_row(p, &r));
    assert_true(pare_row_init(&r, "many", 20, 0));
    for (int g = 0; g < 10; g++) {
        r.cost[2 * g + 1] = 1;
    }
    r.at_most = 11;
    pare_row_settle(&r, 20);
    assert_true(pare_problem_take_row(p, &r));
    assert_int_equal(pare_solve_glpk(p, &a, NULL), PARE_OK);
    assert_true(a.levels[0] == 1 && a.levels[1] == 1 && fabs(a.total[PARE_COST_LATENCY] - 81) < 1e-9);
    double gain[2];
    assert_int_equal(pare_rows_gain(p, &a, gain, NULL), PARE_OK);
    assert_true(fabs(gain[0] - 36) < 1e-9 && gain[1] == 0);
    assert_true(pare_row_tight(p, &p->rows[0], a.levels));
    assert_false(pare_row_tight(p, &p->rows[1], a.levels));
    json_t *report = pare_rows_report(p, a.levels, gain);
    assert_true(json_is_true(json_object_get(json_array_get(report, 0), "binds")));
    assert_true(json_is_false(json_object_get(json_array_get(report, 1), "binds")));
    json_decref(report);
    pare_answer_clear(&a);
    pare_problem_free(p);
}

/* 120 layers with a row of changes are more than a second's work: what was found by then says how far off it may be. */
static void a_time_limit_leaves_an_answer_with_its_gap(void **state)
{
    uint32_t seed = 7;
    struct pare_problem *p = random_problem(&seed, 120, 4);
    struct pare_row r;
    struct pare_answer a;
    (void)state;
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        p->limit[c] = c == PARE_COST_LOSS ? 60 : NAN;
    }
    p->objective = PARE_COST_LATENCY;
    p->time_limit_seconds = 1;
    assert_true(pare_row_init(&r, "changes", 480, 120));
    for (int g = 1; g < 120; g++) {
        r.pairs[r.n_pairs++] = (struct pare_row_pair){g - 1, g, 1};
    }
    r.at_most = 40;
    pare_row_settle(&r, 480);
    assert_true(pare_problem_take_row(p, &r));
    const enum pare_status status = pare_solve_glpk(p, &a, NULL);
    print_message("status %d, answer %d, gap %.3g in %.2f s\n", status, a.status, a.gap, a.seconds);
    assert_true(status == PARE_OK || status == PARE_ERR_PARTIAL);
    if (status == PARE_OK && a.status == PARE_SOLVE_FEASIBLE) {
        assert_true(a.gap > 0 && pare_rows_over(p, a.levels) <= 0);
    }
    assert_true(a.seconds < 30);
    pare_answer_clear(&a);
    pare_problem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_the_best_that_hold),
        cmocka_unit_test(paper_and_hawq_hold_rows),
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(binding_rows_say_what_they_cost),
        cmocka_unit_test(a_time_limit_leaves_an_answer_with_its_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
