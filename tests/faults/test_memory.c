/*
 * Every allocation of ours fails once, and all from one on fail: what is run ends with "out of memory" or comes
 * out as if nothing had happened, never with a crash, a leak (the sanitizers look) or another excuse.
 *
 * The linker sends the allocations of Pare's own objects (not of libraries) here: -Wl,--wrap.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "fuzz/fuzz.h"
#include "lua/lua_glue.h"
#include "search/problem.h"
#include "session/session.h"
#include "support.h"
#include "work/work.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t to, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t to, size_t n);
char *__wrap_strdup(const char *s);

static long n_calls, fail_at = -1;
static bool fail_on; /* and all that follow */

static bool fails(void)
{
    n_calls++;
    return fail_at >= 0 && (fail_on ? n_calls > fail_at : n_calls == fail_at + 1);
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t to, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(to, n);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

/* What a run came to: its text is compared with the text of the run that had all its memory. */
typedef enum pare_status (*scenario)(char **text, struct pare_error *err);

/* As many of a scenario's allocations as fit a test of seconds, evenly spread; PARE_EVERY_ALLOCATION=1 tries all. */
#define SPREAD 120

static void sweep(const char *name, scenario run)
{
    struct pare_error err = {0};
    char *want = NULL;
    fail_at = -1;
    n_calls = 0;
    assert_int_equal(run(&want, &err), PARE_OK);
    const long total = n_calls;
    assert_true(total > 0);
    const long step = total > SPREAD && getenv("PARE_EVERY_ALLOCATION") == NULL ? total / SPREAD : 1;
    int wrong = 0, survived = 0, tried = 0;
    for (int on = 0; on < 2; on++) {
        for (long at = on * (step / 2); at < total; at += step) {
            char *got = NULL;
            memset(&err, 0, sizeof err);
            n_calls = 0;
            fail_at = at;
            fail_on = on == 1;
            const enum pare_status status = run(&got, &err);
            const bool reached = n_calls > at;
            fail_at = -1;
            tried++;
            survived += status == PARE_OK;
            const bool same = status == PARE_OK && (want == NULL || (got != NULL && strcmp(got, want) == 0));
            if (!same && (status != PARE_ERR_NOMEM || !reached)) {
                print_error("%s: allocation %ld of %ld%s: %s: %s: %s\n", name, at, total, on ? " and all after it" : "",
                            pare_status_name(status), err.where, err.message);
                if (status == PARE_OK) {
                    size_t i = 0;
                    while (got != NULL && want[i] != '\0' && want[i] == got[i]) {
                        i++;
                    }
                    print_error("  differs at '%.60s' '%.60s'\n", want + i, got != NULL ? got + i : "nothing");
                }
                wrong++;
            }
            free(got);
        }
    }
    print_message("%s: %ld allocations, %d runs, %d came through all the same\n", name, total, tried, survived);
    free(want);
    assert_int_equal(wrong, 0);
}

/* ---- readers ---- */

static const char *onnx_path, *tflite_path, *folder;

static enum pare_status open_model(const char *path, char **text, struct pare_error *err)
{
    struct pare_graph *g = NULL;
    const enum pare_status status = pare_model_open(path, &g, err);
    if (status == PARE_OK) {
        char line[64];
        snprintf(line, sizeof line, "%d nodes, %d tensors", g->n_nodes, g->n_tensors);
        *text = __real_strdup(line);
    }
    pare_graph_free(g);
    return status;
}

static enum pare_status open_onnx(char **text, struct pare_error *err)
{
    return open_model(onnx_path, text, err);
}

static enum pare_status open_tflite(char **text, struct pare_error *err)
{
    return open_model(tflite_path, text, err);
}

static void models_are_read(void **state)
{
    (void)state;
    sweep("an ONNX file", open_onnx);
    for (int i = 0, tried = 0;; i++) {
        size_t size;
        struct pare_error err = {0};
        struct pare_graph *g = NULL;
        uint8_t *seed = fuzz_seed(i, &size);
        if (seed == NULL) {
            assert_true(tried > 0);
            break;
        }
        assert_int_equal(pare_file_write(tflite_path, seed, size, &err), PARE_OK);
        free(seed);
        if (pare_model_open(tflite_path, &g, &err) == PARE_OK) {
            tried++;
            pare_graph_free(g);
            char name[32];
            snprintf(name, sizeof name, "TFLite seed %d", i);
            sweep(name, open_tflite);
        }
    }
}

/* ---- jobs ---- */

static const char *job_kind;
static json_t *job_params, *job_rows;

static enum pare_status run_job(char **text, struct pare_error *err)
{
    json_t *result = NULL;
    const enum pare_status status =
        pare_worker_run_inline(pare_work_kinds, pare_work_kind_count, job_kind, job_params, job_rows, &result, err);
    if (status == PARE_OK) {
        json_object_del(result, "seconds"); /* what a clock says differs */
        *text = json_dumps(result, JSON_SORT_KEYS | JSON_COMPACT);
    }
    json_decref(result);
    return status;
}

static void sweep_job(const char *kind, json_t *params_take)
{
    job_kind = kind;
    job_params = params_take;
    sweep(kind, run_job);
    json_decref(params_take);
}

static json_t *job_result(const char *kind, json_t *params_take)
{
    struct pare_error err = {0};
    json_t *result = NULL;
    const enum pare_status status =
        pare_worker_run_inline(pare_work_kinds, pare_work_kind_count, kind, params_take, NULL, &result, &err);
    if (status != PARE_OK) {
        print_error("%s: %s\n", err.where, err.message);
    }
    assert_int_equal(status, PARE_OK);
    json_decref(params_take);
    return result;
}

static void jobs_run(void **state)
{
    (void)state;
    pare_pipeline_set_loader(pare_lua_pipeline_loader());
    job_rows = json_pack("{s:o}", "c", job_result("calibrate", json_pack("{s:s, s:i}", "pipeline", folder, "samples", 2)));
    sweep_job("describe", json_pack("{s:s}", "pipeline", folder));
    sweep_job("calibrate", json_pack("{s:s, s:i}", "pipeline", folder, "samples", 1));
    sweep_job("calibrate", json_pack("{s:s, s:i, s:i, s:i}", "pipeline", folder, "pass", 0, "first", 0, "n", 1));
    sweep_job("calibrate", json_pack("{s:s, s:i, s:i, s:i, s:[]}", "pipeline", folder, "pass", 1, "first", 0, "n", 1, "seen"));
    sweep_job("sense", json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "pipeline", folder, "calibration", "c", "level",
                                 "int8", "first", 0, "n", 1, "own_every", 1));
    sweep_job("accuracy", json_pack("{s:s, s:s, s:{}, s:s, s:i, s:i}", "pipeline", folder, "calibration", "c", "config",
                                    "split", "search", "first", 0, "n", 2));
    json_decref(job_rows);
    job_rows = NULL;
}

/* ---- search ---- */

static enum pare_status solve(char **text, struct pare_error *err)
{
    enum { GROUPS = 6, LEVELS = 3 };
    struct pare_problem *p = NULL;
    struct pare_answer a = {0};
    enum pare_status status = pare_problem_new(GROUPS, LEVELS, &p, err);
    for (int g = 0; g < GROUPS && status == PARE_OK; g++) {
        static const char *const names[GROUPS] = {"a", "b", "c", "d", "e", "f"};
        p->group_names[g] = __real_strdup(names[g]);
        for (int l = 0; l < LEVELS; l++) {
            p->level_names[l] = g == 0 ? __real_strdup(names[l]) : p->level_names[l];
            p->allowed[g * LEVELS + l] = true;
            p->cost[PARE_COST_LOSS][g * LEVELS + l] = (double)(l * (g + 1));
            p->cost[PARE_COST_LATENCY][g * LEVELS + l] = 3.0 - (double)l;
        }
    }
    if (status == PARE_OK) {
        p->objective = PARE_COST_LATENCY;
        p->limit[PARE_COST_LOSS] = 12;
        status = pare_solve_glpk(p, &a, err);
    }
    if (status == PARE_OK) {
        char line[64];
        snprintf(line, sizeof line, "%d %g", a.status, a.total[PARE_COST_LATENCY]);
        *text = __real_strdup(line);
    }
    pare_answer_clear(&a);
    pare_problem_free(p);
    return status;
}

static void problems_are_solved(void **state)
{
    (void)state;
    sweep("solve", solve);
}

/* ---- session ---- */

static enum pare_status keep(char **text, struct pare_error *err)
{
    struct pare_session *s = NULL;
    char *line = NULL;
    int64_t id = 0;
    bool follower;
    json_t *result = json_pack("{s:i}", "x", 1), *row = NULL;
    enum pare_status status = pare_session_open(":memory:", false, &s, &follower, err);
    status = status == PARE_OK ? pare_session_put_row(s, "k", "kind", result, result, 0.5, err) : status;
    status = status == PARE_OK ? pare_session_add_run(s, "run", "ilp", result, &id, err) : status;
    status = status == PARE_OK ? pare_session_add_action(s, "pin a int8", err) : status;
    status = status == PARE_OK ? pare_session_undo(s, true, &line, err) : status;
    if (status == PARE_OK) {
        row = pare_session_get_row(s, "k");
        *text = row != NULL ? json_dumps(row, 0) : __real_strdup("no row");
    }
    json_decref(row);
    json_decref(result);
    free(line);
    pare_session_close(s);
    return status;
}

static void sessions_keep(void **state)
{
    (void)state;
    sweep("session", keep);
}

/* A pipeline of one small network of ours, with glue and two pictures' worth of data. */
static void make_pipeline(void)
{
    static char dir[4096], onnx[4200], tflite[4200], text[9000], path[4200];
    struct pare_error err = {0};
    snprintf(dir, sizeof dir, "%s", test_temp_dir());
    snprintf(onnx, sizeof onnx, "%s", test_source("sample_pipelines/hand_gesture/detector.onnx"));
    snprintf(tflite, sizeof tflite, "%s/m.tflite", dir);
    snprintf(path, sizeof path, "%s/pipeline.lua", dir);
    snprintf(text, sizeof text,
             "return { name = 'small', stages = { { 'm', '%s' } }, metric = 'top1',\n"
             "  data = { calibration = '%s', search = '%s' },\n"
             "  infer = function(stage, sample, op) return op.argmax(stage.m(sample.image)) end }\n",
             onnx, test_source("sample_pipelines/hand_gesture/calibration"),
             test_source("sample_pipelines/hand_gesture/calibration"));
    assert_int_equal(pare_file_write(path, text, strlen(text), &err), PARE_OK);
    onnx_path = onnx;
    tflite_path = tflite;
    folder = dir;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_read),
        cmocka_unit_test(jobs_run),
        cmocka_unit_test(problems_are_solved),
        cmocka_unit_test(sessions_keep),
    };
    make_pipeline();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
