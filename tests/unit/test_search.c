/* The multiple-choice program: against everything tried, and against the published HAWQ-v3 problems. */
#include "support.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "search/problem.h"
#include "search/solver.h"
#include "search/tie.h"

static struct pare_problem *random_problem(uint32_t *seed, int groups, int levels, int borders)
{
    struct pare_problem *p = NULL;
    assert_int_equal(pare_problem_new(groups, levels, &p, NULL), PARE_OK);
    for (int g = 0; g < groups; g++) {
        char name[32];
        snprintf(name, sizeof name, "g%d", g);
        p->group_names[g] = strdup(name);
        for (int l = 0; l < levels; l++) {
            p->allowed[g * levels + l] = l == 0 || test_random(seed) % 5 != 0;
            for (int c = 0; c < PARE_COST_COUNT; c++) {
                double t = (double)(test_random(seed) % 1000) / 1000;
                p->cost[c][g * levels + l] = c == PARE_COST_LOSS ? t * (l + 1) : t / (l + 1);
            }
        }
    }
    for (int l = 0; l < levels; l++) {
        char name[32];
        snprintf(name, sizeof name, "l%d", l);
        p->level_names[l] = strdup(name);
        p->form[l] = l / 2;
    }
    p->borders = calloc((size_t)borders + 1, sizeof *p->borders);
    p->n_borders = borders;
    for (int b = 0; b < borders; b++) {
        p->borders[b] = (struct pare_border){b % groups, (b + 1) % groups, 0.1 + 0.01 * b};
    }
    return p;
}

static void glpk_equals_exhaustive(void **state)
{
    uint32_t seed = 12345;
    int infeasible = 0;
    (void)state;
    for (int round = 0; round < 120; round++) {
        struct pare_problem *p = random_problem(&seed, 2 + (int)(test_random(&seed) % 5), 2 + (int)(test_random(&seed) % 4),
                                                (int)(test_random(&seed) % 3));
        struct pare_answer a, e;
        p->objective = (enum pare_figure_id)(test_random(&seed) % PARE_COST_COUNT);
        for (int c = 0; c < PARE_COST_COUNT; c++) {
            if (c != (int)p->objective && test_random(&seed) % 2 == 0) {
                p->limit[c] = 0.35 * p->n_groups * (0.5 + (double)(test_random(&seed) % 100) / 100);
            }
        }
        assert_int_equal(pare_solve_glpk(p, &a, NULL), PARE_OK);
        assert_int_equal(pare_solve_exhaustive(p, &e, NULL), PARE_OK);
        assert_int_equal(a.status == PARE_SOLVE_INFEASIBLE, e.status == PARE_SOLVE_INFEASIBLE);
        if (e.status == PARE_SOLVE_INFEASIBLE) {
            infeasible++;
            assert_true(isfinite(p->limit[a.violated]));
            assert_true(a.least > p->limit[a.violated]);
        } else {
            assert_int_equal(a.status, PARE_SOLVE_OPTIMAL);
            /* the tie-break may cost a trace of the objective */
            assert_true(fabs(a.total[p->objective] - e.total[p->objective]) < 1e-4);
            for (int c = 0; c < PARE_COST_COUNT; c++) {
                assert_false(a.total[c] > p->limit[c] + 1e-9);
            }
            for (int g = 0; g < p->n_groups; g++) {
                assert_true(p->allowed[g * p->n_levels + a.levels[g]]);
            }
        }
        pare_answer_clear(&a);
        pare_answer_clear(&e);
        pare_problem_free(p);
    }
    assert_true(infeasible > 5 && infeasible < 100);
}

/* One budget on another figure, sometimes none; some problems of ties, some whose figures go together. */
static struct pare_problem *one_budget_problem(uint32_t *seed, int groups, int levels, int borders, int kind)
{
    struct pare_problem *p = random_problem(seed, groups, levels, borders);
    const int budget = (int)(test_random(seed) % PARE_COST_COUNT);
    p->objective = (enum pare_figure_id)((budget + 1 + (int)(test_random(seed) % (PARE_COST_COUNT - 1))) % PARE_COST_COUNT);
    for (int g = 0; g < groups; g++) {
        for (int l = 0; l < levels; l++) {
            double *o = &p->cost[p->objective][g * levels + l], *b = &p->cost[budget][g * levels + l];
            if (kind == 1) { /* many equal sums */
                *o = floor(4 * *o);
                *b = floor(4 * *b);
            } else if (kind == 2) { /* what one gains the other loses, nearly */
                *o = 2 - *b + 0.01 * *o;
            } else if (kind == 3) {
                *o = *o - 0.5;
                *b = *b - 0.5;
            }
        }
    }
    if (test_random(seed) % 8 != 0) {
        double least = 0, most = 0;
        for (int g = 0; g < groups; g++) {
            double lo = INFINITY, hi = -INFINITY;
            for (int l = 0; l < levels; l++) {
                if (p->allowed[g * levels + l]) {
                    lo = fmin(lo, p->cost[budget][g * levels + l]);
                    hi = fmax(hi, p->cost[budget][g * levels + l]);
                }
            }
            least += lo;
            most += hi;
        }
        p->limit[budget] = least + (most - least) * ((double)(test_random(seed) % 110) / 100 - 0.05);
    }
    return p;
}

static void same_answer(const struct pare_problem *p, const struct pare_answer *exact, const struct pare_answer *other,
                        double tolerance, int round)
{
    if ((exact->status == PARE_SOLVE_INFEASIBLE) != (other->status == PARE_SOLVE_INFEASIBLE) ||
        (exact->status != PARE_SOLVE_INFEASIBLE &&
         !(fabs(exact->total[p->objective] - other->total[p->objective]) < tolerance))) {
        fail_msg("problem %d: exact %d %.12g, the other %d %.12g", round, exact->status, exact->total[p->objective],
                 other->status, other->total[p->objective]);
    }
    if (exact->status == PARE_SOLVE_INFEASIBLE) {
        assert_true(exact->least > p->limit[exact->violated]);
        return;
    }
    assert_int_equal(exact->status, PARE_SOLVE_OPTIMAL);
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        assert_false(exact->total[c] > p->limit[c] + 1e-9);
    }
    for (int g = 0; g < p->n_groups; g++) {
        assert_true(p->allowed[g * p->n_levels + exact->levels[g]]);
    }
}

static void exact_equals_exhaustive(void **state)
{
    uint32_t seed = 4711;
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct pare_problem *p = one_budget_problem(&seed, 1 + (int)(test_random(&seed) % 6), 1 + (int)(test_random(&seed) % 4),
                                                    (int)(test_random(&seed) % 7), round % 4);
        struct pare_answer a, e;
        struct pare_error err = {0};
        if (pare_solve_exact(p, &a, &err) != PARE_OK) {
            fail_msg("problem %d: %s: %s", round, err.where, err.message);
        }
        assert_int_equal(pare_solve_exhaustive(p, &e, NULL), PARE_OK);
        same_answer(p, &a, &e, 1e-9, round);
        pare_answer_clear(&a);
        pare_answer_clear(&e);
        pare_problem_free(p);
    }
}

static void exact_equals_glpk(void **state)
{
    uint32_t seed = 815;
    (void)state;
    for (int round = 0; round < 200; round++) {
        const int groups = 20 + (int)(test_random(&seed) % 60);
        struct pare_problem *p = one_budget_problem(&seed, groups, 2 + (int)(test_random(&seed) % 5),
                                                    round % 2 == 0 ? 0 : (int)(test_random(&seed) % 20), round % 4 == 2 ? 0 : round % 4);
        struct pare_answer a, e;
        p->time_limit_seconds = 20;
        assert_int_equal(pare_solve_exact(p, &a, NULL), PARE_OK);
        assert_int_equal(pare_solve_glpk(p, &e, NULL), PARE_OK);
        if (e.status != PARE_SOLVE_FEASIBLE) {
            /* glpk.c breaks ties by a millionth of the other figures */
            same_answer(p, &a, &e, 2e-6 * PARE_COST_COUNT * groups, round);
            assert_true(a.status == PARE_SOLVE_INFEASIBLE || a.total[p->objective] <= e.total[p->objective] + 1e-9);
        }
        pare_answer_clear(&a);
        pare_answer_clear(&e);
        pare_problem_free(p);
    }
}

/* Costs that would trip a solver end in an error that names the layer, or in the right answer. */
/* Everything tried, groups of a tie at one level: the meaning of ties, apart from pare_problem_tie. */
static double best_with_ties(const struct pare_problem *p, const int *tie)
{
    int *levels = calloc((size_t)p->n_groups, sizeof *levels);
    double best = INFINITY, count = pow(p->n_levels, p->n_groups);
    for (double i = 0; i < count; i++) {
        double total[PARE_COST_COUNT];
        bool ok = true;
        for (int g = 0; g < p->n_groups; g++) {
            ok = ok && p->allowed[g * p->n_levels + levels[g]] && levels[g] == levels[tie[g]];
        }
        pare_problem_total(p, levels, total);
        for (int c = 0; c < PARE_COST_COUNT; c++) {
            ok = ok && !(total[c] > p->limit[c] + 1e-9);
        }
        best = ok && total[p->objective] < best ? total[p->objective] : best;
        for (int g = 0; g < p->n_groups && ++levels[g] == p->n_levels; g++) {
            levels[g] = 0;
        }
    }
    free(levels);
    return best;
}

/* Each solver by itself on the tied problem; what it says is looked up in the untied one. */
static void tied_answers_are_the_best_tied_ones(void **state)
{
    static const char *const others[] = {"greedy", "nsga2", "random", "exhaustive"};
    uint32_t seed = 815;
    int tied = 0, infeasible = 0;
    (void)state;
    for (int round = 0; round < 1000; round++) {
        const int n = 2 + (int)(test_random(&seed) % 5);
        struct pare_problem *p = one_budget_problem(&seed, n, 1 + (int)(test_random(&seed) % 4), (int)(test_random(&seed) % 7), round % 4), *q;
        struct pare_answer a, e, g;
        struct pare_error err = {0};
        int tie[8];
        for (int i = 0; i < n; i++) {
            tie[i] = i > 0 && test_random(&seed) % 2 == 0 ? tie[(int)(test_random(&seed) % (uint32_t)i)] : i;
            tied += tie[i] != i;
            for (int l = 1; l < p->n_levels && i % 2 == 1; l++) { /* some cannot have the first level: a tie may be left none */
                p->allowed[i * p->n_levels] = p->allowed[i * p->n_levels] && !p->allowed[i * p->n_levels + l];
            }
        }
        const double best = best_with_ties(p, tie);
        json_t *copy = pare_problem_to_json(p);
        assert_int_equal(pare_problem_from_json(copy, &q, NULL), PARE_OK);
        json_decref(copy);
        assert_int_equal(pare_problem_tie(&q, tie, NULL), PARE_OK);
        if (pare_problem_check(q, NULL) == PARE_ERR_INFEASIBLE) { /* no level is left for a tie */
            assert_true(!isfinite(best));
            infeasible++;
        } else {
            if (pare_solve_exact(q, &a, &err) != PARE_OK || pare_solve_exhaustive(q, &e, &err) != PARE_OK ||
                pare_solve_glpk(q, &g, &err) != PARE_OK) {
                fail_msg("problem %d: %s: %s", round, err.where, err.message);
            }
            assert_int_equal(a.status == PARE_SOLVE_INFEASIBLE, !isfinite(best));
            assert_int_equal(e.status == PARE_SOLVE_INFEASIBLE, !isfinite(best));
            assert_int_equal(g.status == PARE_SOLVE_INFEASIBLE, !isfinite(best));
            if (isfinite(best) && (fabs(a.total[p->objective] - best) > 1e-6 || fabs(e.total[p->objective] - best) > 1e-9 ||
                                   fabs(g.total[p->objective] - best) > 1e-4)) {
                fail_msg("problem %d: %.9g by trying everything, exact %.9g, exhaustive %.9g, glpk %.9g", round, best,
                         a.total[p->objective], e.total[p->objective], g.total[p->objective]);
            }
            for (size_t k = 0; round % 20 == 0 && isfinite(best) && k < sizeof others / sizeof *others; k++) {
                struct pare_step last;
                json_t *settings = json_pack("{s:i, s:i, s:i}", "seed", 1, "population", 8, "generations", 4);
                int asked;
                if (pare_solver_predict(pare_solver_find(others[k]), q, settings, 10000, &last, &asked, NULL) == PARE_OK) {
                    int levels[8];
                    assert_true(pare_levels_read(q, json_array_get(last.answers, 0), levels)); /* one for every tie */
                    pare_step_clear(&last);
                }
                json_decref(settings);
            }
            pare_answer_clear(&a);
            pare_answer_clear(&e);
            pare_answer_clear(&g);
        }
        pare_problem_free(q);
        pare_problem_free(p);
    }
    assert_true(tied > 500 && infeasible > 5);
}

static void a_tie_begins_with_its_first_group(void **state)
{
    uint32_t seed = 1;
    struct pare_problem *p = random_problem(&seed, 3, 2, 0), *same = p;
    (void)state;
    assert_int_equal(pare_problem_tie(&p, (int[]){0, 2, 2}, NULL), PARE_ERR_INTERNAL);
    assert_int_equal(pare_problem_tie(&p, (int[]){0, 0, 1}, NULL), PARE_ERR_INTERNAL);
    assert_int_equal(pare_problem_tie(&p, (int[]){0, 1, 2}, NULL), PARE_OK);
    assert_ptr_equal(p, same);
    assert_int_equal(pare_problem_tie(&p, (int[]){0, 1, 0}, NULL), PARE_OK);
    assert_int_equal(p->n_groups, 2);
    assert_string_equal(p->group_names[0], "g0");
    pare_problem_free(p);
}

static void hostile_costs(void **state)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300};
    struct pare_answer a, e;
    struct pare_error err;
    uint32_t seed = 77;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pare_problem *p = random_problem(&seed, 4, 3, 2);
        p->cost[PARE_COST_LATENCY][7] = bad[i];
        p->allowed[7] = true;
        memset(&err, 0, sizeof err);
        assert_int_equal(pare_solve_exact(p, &a, &err), PARE_ERR_FORMAT);
        assert_string_equal(err.where, "g2");
        pare_problem_free(p);
    }
    for (int kind = 0; kind < 5; kind++) {
        struct pare_problem *p = random_problem(&seed, kind == 0 ? 1 : 6, kind == 1 ? 1 : 4, kind);
        p->objective = PARE_COST_LATENCY;
        for (int i = 0; i < p->n_groups * p->n_levels; i++) {
            p->allowed[i] = true;
            if (kind == 2) { /* all the same */
                p->cost[PARE_COST_LATENCY][i] = 3;
                p->cost[PARE_COST_LOSS][i] = 2;
            } else if (kind == 3) { /* far apart */
                p->cost[PARE_COST_LATENCY][i] = i % 2 == 0 ? 1e12 * i : 1e-9 * i;
            } else if (kind == 4) { /* one is the other, turned round */
                p->cost[PARE_COST_LATENCY][i] = -p->cost[PARE_COST_LOSS][i];
            }
        }
        for (int limit = 0; limit < 12; limit++) {
            p->limit[PARE_COST_LOSS] = limit;
            assert_int_equal(pare_solve_exact(p, &a, &err), PARE_OK);
            assert_int_equal(pare_solve_exhaustive(p, &e, NULL), PARE_OK);
            assert_int_equal(a.status, e.status);
            const double size = fabs(e.total[PARE_COST_LATENCY]) + 1;
            assert_true(a.levels == NULL || fabs(a.total[PARE_COST_LATENCY] - e.total[PARE_COST_LATENCY]) <= fmax(1e-9 * size, a.rounding));
            pare_answer_clear(&a);
            pare_answer_clear(&e);
        }
        p->limit[PARE_COST_BYTES] = 1; /* two budgets are not for it */
        assert_int_equal(pare_solve_exact(p, &a, &err), PARE_ERR_USAGE);
        pare_problem_free(p);
    }
}

static void json_round_trip_keeps_the_answer(void **state)
{
    uint32_t seed = 99;
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct pare_problem *p = random_problem(&seed, 6, 4, 2), *q = NULL;
        struct pare_answer a, b;
        p->limit[PARE_COST_LOSS] = 2.5;
        p->objective = PARE_COST_LATENCY;
        json_t *json = pare_problem_to_json(p);
        assert_int_equal(pare_problem_from_json(json, &q, NULL), PARE_OK);
        json_decref(json);
        assert_int_equal(pare_solve_glpk(p, &a, NULL), PARE_OK);
        assert_int_equal(pare_solve_glpk(q, &b, NULL), PARE_OK);
        assert_int_equal(a.status, b.status);
        if (a.levels != NULL) {
            assert_memory_equal(a.levels, b.levels, sizeof *a.levels * 6);
        }
        pare_answer_clear(&a);
        pare_answer_clear(&b);
        pare_problem_free(p);
        pare_problem_free(q);
    }
}

static void numbers_that_are_not_finite_are_named(void **state)
{
    uint32_t seed = 7;
    struct pare_error err = {0};
    struct pare_answer a;
    (void)state;
    struct pare_problem *p = random_problem(&seed, 3, 3, 0);
    p->cost[PARE_COST_LOSS][4] = NAN;
    p->allowed[4] = true;
    assert_int_equal(pare_solve_glpk(p, &a, &err), PARE_ERR_FORMAT);
    assert_string_equal(err.where, "g1");
    assert_non_null(strstr(err.message, "l1"));
    pare_problem_free(p);
}

static void a_layer_without_levels_is_infeasible(void **state)
{
    uint32_t seed = 7;
    struct pare_error err = {0};
    struct pare_answer a;
    (void)state;
    struct pare_problem *p = random_problem(&seed, 3, 3, 0);
    p->allowed[3] = p->allowed[4] = p->allowed[5] = false;
    assert_int_equal(pare_solve_glpk(p, &a, &err), PARE_ERR_INFEASIBLE);
    assert_string_equal(err.where, "g1");
    pare_problem_free(p);
}

/* Tied layers are one group: the released assignments must come out. Level 0 = 8 bits, level 1 = 4 bits. */
static void hawq(const json_t *net, const char *resource)
{
    int n = (int)pare_json_get_int(net, "n", 0), group_of[64], groups = 0;
    const json_t *tied = json_object_get(net, "tied");
    const char *expected = pare_json_get_string(json_object_get(net, "expected"), resource, "");
    for (int i = 0; i < n; i++) {
        group_of[i] = -1;
    }
    size_t k, m;
    json_t *set, *item;
    json_array_foreach(tied, k, set) {
        json_array_foreach(set, m, item) {
            group_of[json_integer_value(item)] = groups;
        }
        groups++;
    }
    for (int i = 0; i < n; i++) {
        group_of[i] = group_of[i] < 0 ? groups++ : group_of[i];
    }
    struct pare_problem *p = NULL;
    assert_int_equal(pare_problem_new(groups, 2, &p, NULL), PARE_OK);
    double cost4 = 0, cost8 = 0;
    for (int g = 0; g < groups; g++) {
        p->group_names[g] = strdup("layer");
        p->allowed[2 * g] = p->allowed[2 * g + 1] = true;
    }
    p->level_names[0] = strdup("8");
    p->level_names[1] = strdup("4");
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)i;
        double trace = pare_json_at_real(json_object_get(net, "trace"), at);
        double d8 = pare_json_at_real(json_object_get(net, "delta8"), at), d4 = pare_json_at_real(json_object_get(net, "delta4"), at);
        double params = pare_json_at_real(json_object_get(net, "mparams"), at), macs = pare_json_at_real(json_object_get(net, "mmacs"), at);
        double c8 = strcmp(resource, "size") == 0 ? params : strcmp(resource, "bops") == 0 ? macs / 16
                                                            : pare_json_at_real(json_object_get(net, "latency8_ms"), at);
        double c4 = strcmp(resource, "size") == 0 ? params / 2 : strcmp(resource, "bops") == 0 ? macs / 64
                                                                : pare_json_at_real(json_object_get(net, "latency4_ms"), at);
        int g = group_of[i];
        p->cost[PARE_COST_LOSS][2 * g] += trace * (d8 - d4);
        p->cost[PARE_COST_LATENCY][2 * g] += c8;
        p->cost[PARE_COST_LATENCY][2 * g + 1] += c4;
        cost8 += c8;
        cost4 += c4;
    }
    p->objective = PARE_COST_LOSS;
    p->limit[PARE_COST_LATENCY] = cost4 + pare_json_get_real(net, "lam") * (cost8 - cost4);
    for (int method = 0; method < 2; method++) {
        struct pare_answer a;
        assert_int_equal(method == 0 ? pare_solve_glpk(p, &a, NULL) : pare_solve_exact(p, &a, NULL), PARE_OK);
        assert_int_equal(a.status, PARE_SOLVE_OPTIMAL);
        char text[80] = "";
        for (int i = 0; i < n; i++) {
            text[i] = a.levels[group_of[i]] == 0 ? '8' : '4';
        }
        print_message("%s %s by %s: %s, %.3f ms\n", pare_json_get_string(net, "name", ""), resource,
                      method == 0 ? "ilp" : "exact", text, 1e3 * a.seconds);
        double objective = pare_json_get_real(json_object_get(net, "objective"), resource);
        assert_true(fabs(a.total[PARE_COST_LOSS] - objective) < 1e-6);
        assert_string_equal(text, expected);
        pare_answer_clear(&a);
    }
    pare_problem_free(p);
}

static void hawq_problems_have_their_published_answers(void **state)
{
    char path[4096];
    json_t *nets = NULL, *net;
    size_t i;
    (void)state;
    if (test_models_dir() == NULL) {
        test_skip("no folder of models, so no oracles beside it");
        return;
    }
    snprintf(path, sizeof path, "%s/../oracles/hawq.json", test_models_dir());
    if (pare_json_load(path, &nets, NULL) != PARE_OK) {
        test_skip("oracles/hawq.json is not there");
        return;
    }
    json_array_foreach(nets, i, net) {
        hawq(net, "size");
        hawq(net, "bops");
        hawq(net, "latency");
    }
    json_decref(nets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glpk_equals_exhaustive),
        cmocka_unit_test(exact_equals_exhaustive),
        cmocka_unit_test(exact_equals_glpk),
        cmocka_unit_test(tied_answers_are_the_best_tied_ones),
        cmocka_unit_test(a_tie_begins_with_its_first_group),
        cmocka_unit_test(hostile_costs),
        cmocka_unit_test(json_round_trip_keeps_the_answer),
        cmocka_unit_test(numbers_that_are_not_finite_are_named),
        cmocka_unit_test(a_layer_without_levels_is_infeasible),
        cmocka_unit_test(hawq_problems_have_their_published_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
