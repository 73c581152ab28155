/* Solvers in shared objects: processes that may die, and the example against what is known of its problems. */
#include "support.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/contain.h"
#include "lua/script.h"
#include "search/plugin.h"
#include "work/work.h"

/* ---- contained ---- */

enum { GIVES, FAILS, CRASHES, STOPS, HANGS, CLOSES, IS_BIG };

struct said {
    int how;
    char lines[40];
};

static void hear(void *self, const char *line)
{
    strncat(strcat(((struct said *)self)->lines, "/"), line, 10);
}

static enum pare_status contained(void *self, struct pare_child *child, json_t **result, struct pare_error *err)
{
    const int how = ((const struct said *)self)->how;
    pare_child_step(child);
    pare_child_step(child);
    pare_child_say(child, "one");
    pare_child_say(child, "");
    pare_child_say(child, "two");
    switch (how) {
    case FAILS: return pare_error(err, PARE_ERR_INFEASIBLE, "here", "not \"so\"");
    case CRASHES: raise(SIGSEGV); break;
    case STOPS: _exit(9);
    case HANGS: pause(); break;
    case CLOSES:
        for (int fd = 3; fd < 64; fd++) {
            close(fd);
        }
        for (;;) {
            pause();
        }
    default: break;
    }
    char *text = calloc(1, 3000001);
    memset(text, 'x', how == IS_BIG ? 3000000 : 3);
    *result = json_pack("{s:s}", "text", text);
    free(text);
    return PARE_OK;
}

static void a_child_that_dies_is_told(void **state)
{
    static const struct {
        int how;
        enum pare_status status;
        int at;
        const char *message;
    } cases[] = {{GIVES, PARE_OK, -1, ""},
                 {FAILS, PARE_ERR_INFEASIBLE, -1, "not \"so\""},
                 {CRASHES, PARE_ERR_FAIL, 2, "crashed (SIGSEGV)"},
                 {STOPS, PARE_ERR_FAIL, 2, "ended its process (exit 9)"},
                 {HANGS, PARE_ERR_FAIL, 2, "not done after 0.3 s, killed"},
                 {CLOSES, PARE_ERR_FAIL, 2, "crashed (SIGKILL)"},
                 {IS_BIG, PARE_OK, -1, ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pare_error err = {0};
        json_t *result = NULL;
        struct said said = {cases[i].how, ""};
        const int how = said.how;
        const struct pare_contain it = {"there", how == HANGS ? 0.3 : 20, contained, &said, hear};
        int at = 0;
        assert_int_equal(pare_contain(&it, &at, &result, &err), cases[i].status);
        assert_int_equal(at, cases[i].at);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(said.lines, "/one//two");
        assert_string_equal(err.where, cases[i].status == PARE_OK ? "" : how == FAILS ? "here" : "there");
        assert_int_equal(strlen(pare_json_get_string(result, "text", "")), how == GIVES ? 3 : how == IS_BIG ? 3000000 : 0);
        json_decref(result);
    }
}

/* ---- the example ---- */

static struct pare_problem *network(uint32_t seed, int groups, int levels, double budget)
{
    struct pare_problem *p = NULL;
    double most = 0;
    assert_int_equal(pare_problem_new(groups, levels, &p, NULL), PARE_OK);
    for (int g = 0; g < groups; g++) {
        const double size = 0.1 + (double)(test_random(&seed) % 1000) / 1000;
        const double harm = exp(4.0 * (double)(test_random(&seed) % 1000) / 1000) / 50;
        p->group_names[g] = strdup("g");
        for (int l = 0; l < levels; l++) {
            const int i = g * levels + l;
            p->allowed[i] = l == 0 || test_random(&seed) % 8 != 0;
            p->cost[PARE_COST_LATENCY][i] = p->allowed[i] ? size / (l + 1) : NAN;
            p->cost[PARE_COST_LOSS][i] = p->allowed[i] ? harm * l * l : NAN;
        }
        most += harm * (levels - 1) * (levels - 1);
    }
    for (int l = 0; l < levels; l++) {
        p->level_names[l] = strdup("l");
        p->form[l] = l > 1;
    }
    p->borders = calloc((size_t)groups, sizeof *p->borders);
    for (int b = 0; b + 1 < groups; b++) {
        p->borders[p->n_borders++] = (struct pare_border){b, b + 1, 0.02};
    }
    p->objective = PARE_COST_LATENCY;
    p->limit[PARE_COST_LOSS] = budget * most;
    return p;
}

static double anneal(const struct pare_problem *p, bool measured, int seed, int *asked, int *levels)
{
    struct pare_solver_file file = {.path = PARE_BINARY_DIR "/plugins/anneal.so", .measured = measured, .stop_at = INFINITY};
    const struct pare_solver solver = {"plugin", "", true, pare_plugin_step, &file, NULL};
    struct pare_step last;
    struct pare_error err = {0};
    double total[PARE_COST_COUNT];
    json_t *settings = json_pack("{s:i}", "seed", seed);
    if (pare_solver_predict(&solver, p, settings, 100000, &last, asked, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    assert_true(last.done && pare_levels_read(p, json_array_get(last.answers, 0), levels));
    pare_problem_total(p, levels, total);
    assert_true(total[PARE_COST_LOSS] <= p->limit[PARE_COST_LOSS] * (1 + 1e-9));
    pare_step_clear(&last);
    json_decref(settings);
    return total[PARE_COST_LATENCY];
}

static void the_example_comes_near_the_best(void **state)
{
    (void)state;
    if (access(PARE_BINARY_DIR "/plugins/anneal.so", R_OK) != 0) {
        printf("SKIP: built without plugins\n");
        skip();
    }
    for (uint32_t seed = 1; seed <= 12; seed++) {
        struct pare_problem *p = network(seed, 7, 4, 0.1 + 0.02 * seed);
        struct pare_answer best = {0};
        int levels[7], other[7], asked = 0;
        assert_int_equal(pare_solve_exhaustive(p, &best, NULL), PARE_OK);
        const double ms = anneal(p, false, (int)seed, &asked, levels);
        assert_int_equal(asked, 0);
        assert_true(ms >= best.total[PARE_COST_LATENCY] - 1e-9 && ms <= 1.01 * best.total[PARE_COST_LATENCY]);
        /* told one by one, it knows less; the same seed goes the same way */
        const double told = anneal(p, true, (int)seed, &asked, levels);
        assert_true(asked == 4 + 12 * 8 && told <= 1.3 * best.total[PARE_COST_LATENCY]);
        assert_true(fabs(anneal(p, true, (int)seed, &asked, other) - told) < 1e-12 && memcmp(levels, other, sizeof levels) == 0);
        pare_answer_clear(&best);
        pare_problem_free(p);
    }
}

/* At least two groups at the widest level, and at most one change of level: what the best answer without them breaks. */
static void add_rows(struct pare_problem *p)
{
    struct pare_row widest, changes;
    const int cells = p->n_groups * p->n_levels;
    assert_true(pare_row_init(&widest, "widest", cells, 0) && pare_row_init(&changes, "changes", cells, p->n_groups - 1));
    for (int g = 0; g < p->n_groups; g++) {
        widest.cost[g * p->n_levels] = 1;
    }
    for (int b = 0; b + 1 < p->n_groups; b++) {
        changes.pairs[b] = (struct pare_row_pair){b, b + 1, 1};
    }
    widest.at_least = 2;
    changes.at_most = 1;
    pare_row_settle(&widest, cells);
    pare_row_settle(&changes, cells);
    assert_true(pare_problem_take_row(p, &widest) && pare_problem_take_row(p, &changes));
}

static void rows_reach_plugins(void **state)
{
    (void)state;
    if (access(PARE_BINARY_DIR "/plugins/anneal.so", R_OK) != 0) {
        printf("SKIP: built without plugins\n");
        skip();
    }
    for (uint32_t seed = 1; seed <= 6; seed++) {
        struct pare_problem *p = network(seed, 7, 4, 0.3);
        struct pare_answer best = {0};
        int levels[7], asked = 0, broke = 0;
        anneal(p, false, (int)seed, &asked, levels);
        add_rows(p);
        broke = pare_rows_over(p, levels) > 0;
        assert_int_equal(pare_solve_exhaustive(p, &best, NULL), PARE_OK);
        assert_true(broke && best.levels != NULL);
        const double ms = anneal(p, false, (int)seed, &asked, levels);
        assert_true(pare_rows_over(p, levels) <= 0);
        assert_true(ms >= best.total[PARE_COST_LATENCY] - 1e-9 && ms <= 1.02 * best.total[PARE_COST_LATENCY]);
        pare_answer_clear(&best);
        pare_problem_free(p);
    }
}

/* The text that the run began with is what runs, whatever the file holds now; the plugin's file has to be the same. */
static void a_solvers_file_is_what_it_was(void **state)
{
    struct pare_problem *p = network(3, 2, 2, 1);
    struct pare_error err = {0};
    json_t *result = NULL;
    (void)state;
    pare_work_set_lua_step(pare_lua_step);
    json_t *params = json_pack("{s:s, s:s, s:s, s:o, s:{}}", "method", "lua:x", "script", "/nowhere/x.lua", "script_text",
                               "return function() return {done = true, answers = {{1, 1}}} end", "problem", pare_problem_to_json(p), "settings");
    if (pare_work_step(NULL, params, &result, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    assert_true(pare_json_get_bool(result, "done", false));
    json_decref(result);
    result = NULL;
    json_object_set_new(params, "method", json_string("plugin:anneal"));
    json_object_set_new(params, "script", json_string(PARE_BINARY_DIR "/plugins/anneal.so"));
    json_object_set_new(params, "script_hash", json_string("00000000000000000000000000000000"));
    if (access(PARE_BINARY_DIR "/plugins/anneal.so", R_OK) == 0) {
        assert_int_equal(pare_work_step(NULL, params, &result, &err), PARE_ERR_FAIL);
        assert_non_null(strstr(err.message, "was changed while the run goes on"));
    }
    json_decref(params);
    pare_problem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_dies_is_told),
        cmocka_unit_test(the_example_comes_near_the_best),
        cmocka_unit_test(rows_reach_plugins),
        cmocka_unit_test(a_solvers_file_is_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
