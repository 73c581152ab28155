/*
 * Jobs: frames, and the scheduler with this very test as its worker (`test_job worker`): jobs that end well, crash,
 * hang, answer twice; cancel, needs, quiet jobs, interactive ones.
 */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job/frame.h"
#include "job/sched.h"
#include "job/worker.h"

/* ---- the worker's side ---- */

static double seconds_now(void)
{
    return (double)uv_hrtime() * 1e-9;
}

static enum pare_status work_echo(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    const char *need = json_string_value(json_object_get(params, "need"));
    if (need != NULL && pare_worker_row(w, need) == NULL) {
        return pare_error(err, PARE_ERR_INTERNAL, "echo", "the row is missing");
    }
    *result = json_pack("{s:i, s:O?}", "pid", (int)getpid(), "x", json_object_get(params, "x"));
    return PARE_OK;
}

static enum pare_status work_crash(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    (void)w;
    (void)params;
    (void)result;
    (void)err;
    signal(SIGABRT, SIG_DFL);
    raise(SIGKILL);
    return PARE_OK;
}

static enum pare_status work_fail(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    (void)w;
    (void)params;
    (void)result;
    return pare_error(err, PARE_ERR_FORMAT, "there", "bad things");
}

/* Beats on, but makes no progress. */
static enum pare_status work_hang(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    (void)w;
    (void)params;
    (void)err;
    sleep(60);
    *result = json_object();
    return PARE_OK;
}

/* Steps of 10 ms; the result has the time of every step, for the test of pauses. */
static enum pare_status work_steps(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    int n = (int)json_integer_value(json_object_get(params, "n"));
    double start = seconds_now(), longest = 0, last = start;
    (void)err;
    for (int i = 0; i < n; i++) {
        usleep(10000);
        pare_worker_progress(w, i + 1, n);
        double now = seconds_now();
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    *result = json_pack("{s:f, s:f, s:f}", "start", start, "end", seconds_now(), "longest", longest);
    return PARE_OK;
}

/* Answers by hand: the same result twice and one for a job that is not its own; then the real one follows. */
static enum pare_status work_twice(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    uint64_t jobs[3] = {(uint64_t)json_integer_value(json_object_get(params, "job")), 0, 999999};
    jobs[1] = jobs[0];
    (void)w;
    for (int i = 0; i < 3; i++) {
        char *bytes;
        size_t size;
        json_t *body = json_pack("{s:i}", "answer", i);
        enum pare_status status = pare_frame_encode(PARE_FRAME_RESULT, jobs[i], body, &bytes, &size, err);
        json_decref(body);
        if (status != PARE_OK || write(3, bytes, size) != (ssize_t)size) {
            return PARE_ERR_IO;
        }
        free(bytes);
    }
    *result = json_pack("{s:i}", "answer", 3);
    return PARE_OK;
}

static enum pare_status work_garbage(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    (void)w;
    (void)params;
    (void)err;
    if (write(3, "this is no frame at all", 23) != 23) {
        return PARE_ERR_IO;
    }
    sleep(60);
    *result = json_object();
    return PARE_OK;
}

static const struct pare_worker_kind kinds[] = {{"echo", work_echo},   {"crash", work_crash}, {"fail", work_fail},
                                                {"hang", work_hang},   {"steps", work_steps}, {"twice", work_twice},
                                                {"garbage", work_garbage}};

/* ---- the front's side ---- */

struct front {
    uv_loop_t loop;
    struct pare_sched *sched;
    json_t *rows, *results; /* results by id */
    int n_finished, n_failed;
};

static const json_t *find_row(void *self, const char *key)
{
    return json_object_get(((struct front *)self)->rows, key);
}

static enum pare_status finished(void *self, const struct pare_task *task, const json_t *result, struct pare_error *err)
{
    struct front *f = self;
    char id[32];
    snprintf(id, sizeof id, "%llu", (unsigned long long)task->id);
    if (strcmp(task->title, "cannot be kept") == 0) {
        return pare_error(err, PARE_ERR_IO, "session", "the disk is full");
    }
    json_object_set(f->results, id, (json_t *)(uintptr_t)result);
    if (task->key[0] != '\0') {
        json_object_set(f->rows, task->key, (json_t *)(uintptr_t)result);
    }
    f->n_finished++;
    return PARE_OK;
}

static void failed(void *self, const struct pare_task *task)
{
    (void)task;
    ((struct front *)self)->n_failed++;
}

static void changed(void *self)
{
    (void)self;
}

static int set_up(void **state)
{
    struct front *f = calloc(1, sizeof *f);
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    assert_true(f != NULL && n > 0);
    exe[n] = '\0';
    f->rows = json_object();
    f->results = json_object();
    struct pare_sched_owner owner = {.self = f, .find_row = find_row, .finished = finished, .failed = failed, .changed = changed};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->sched = pare_sched_new(&f->loop, exe, 2, &owner);
    assert_non_null(f->sched);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct front *f = *state;
    pare_sched_stop(f->sched);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    pare_sched_free(f->sched);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* no handle is left behind */
    json_decref(f->rows);
    json_decref(f->results);
    free(f);
    return 0;
}

static uint64_t add(struct front *f, const char *kind, const char *key, json_t *params)
{
    struct pare_task_spec spec = {.kind = kind, .title = kind, .key = key, .params_take = params != NULL ? params : json_object()};
    return pare_sched_add(f->sched, &spec);
}

static void on_limit(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Runs the loop until all jobs have ended, at most `seconds`. */
static bool run(struct front *f, double seconds)
{
    uv_timer_t timer;
    bool over = false;
    uv_timer_init(&f->loop, &timer);
    timer.data = &over;
    uv_update_time(&f->loop);
    uv_timer_start(&timer, on_limit, (uint64_t)(1000 * seconds), 0);
    while (pare_sched_pending(f->sched) > 0 && !over) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    return !over;
}

static const json_t *result_of(struct front *f, uint64_t job)
{
    char id[32];
    snprintf(id, sizeof id, "%llu", (unsigned long long)job);
    return json_object_get(f->results, id);
}

static double real_of(const json_t *json, const char *name)
{
    return json_number_value(json_object_get(json, name));
}

static void a_job_ends_well_and_the_worker_stays_warm(void **state)
{
    struct front *f = *state;
    uint64_t a = add(f, "echo", "k", json_pack("{s:i}", "x", 42));
    assert_true(run(f, 20));
    uint64_t b = add(f, "echo", "", json_pack("{s:i}", "x", 43));
    assert_true(run(f, 20));
    assert_int_equal(json_integer_value(json_object_get(result_of(f, a), "x")), 42);
    assert_int_equal(json_integer_value(json_object_get(result_of(f, b), "x")), 43);
    assert_true(json_equal(json_object_get(result_of(f, a), "pid"), json_object_get(result_of(f, b), "pid")));
    assert_int_equal(pare_sched_find(f->sched, a)->state, PARE_TASK_DONE);
}

static void a_crash_costs_its_job_only(void **state)
{
    struct front *f = *state;
    uint64_t bad = add(f, "crash", "c", NULL), good = add(f, "echo", "e", NULL), lost = add(f, "fail", "f", NULL);
    assert_true(run(f, 30));
    const struct pare_task *t = pare_sched_find(f->sched, bad);
    assert_int_equal(t->state, PARE_TASK_FAILED);
    assert_int_equal(t->attempts, 2);
    assert_non_null(strstr(t->error.message, "signal 9"));
    assert_int_equal(pare_sched_find(f->sched, good)->state, PARE_TASK_DONE);
    t = pare_sched_find(f->sched, lost); /* an error is an answer: one attempt */
    assert_int_equal(t->state, PARE_TASK_FAILED);
    assert_int_equal(t->error.code, PARE_ERR_FORMAT);
    assert_string_equal(t->error.message, "bad things");
    uint64_t after = add(f, "echo", "e2", NULL);
    assert_true(run(f, 20));
    assert_int_equal(pare_sched_find(f->sched, after)->state, PARE_TASK_DONE);
}

static void a_worker_that_talks_nonsense_is_killed(void **state)
{
    struct front *f = *state;
    uint64_t bad = add(f, "garbage", "g", NULL);
    assert_true(run(f, 20));
    assert_int_equal(pare_sched_find(f->sched, bad)->state, PARE_TASK_FAILED);
    assert_non_null(strstr(pare_sched_find(f->sched, bad)->error.message, "expected version"));
}

static void no_progress_is_a_hang(void **state)
{
    struct front *f = *state;
    struct pare_task_spec spec = {.kind = "hang", .title = "hang", .params_take = json_object(), .limit_seconds = 0.5, .max_attempts = 1};
    uint64_t bad = pare_sched_add(f->sched, &spec), good = add(f, "echo", "", NULL);
    assert_true(run(f, 20));
    const struct pare_task *t = pare_sched_find(f->sched, bad);
    assert_int_equal(t->state, PARE_TASK_FAILED);
    assert_int_equal(t->attempts, 1);
    assert_non_null(strstr(t->error.message, "no progress"));
    assert_int_equal(pare_sched_find(f->sched, good)->state, PARE_TASK_DONE);
}

static void late_and_doubled_results_are_ignored(void **state)
{
    struct front *f = *state;
    uint64_t job = add(f, "twice", "t", json_pack("{s:i}", "job", 1)), next;
    assert_int_equal(job, 1);
    assert_true(run(f, 20));
    next = add(f, "echo", "n", json_pack("{s:i}", "x", 7));
    assert_true(run(f, 20));
    assert_int_equal(json_integer_value(json_object_get(result_of(f, job), "answer")), 0); /* the first one */
    assert_int_equal(json_integer_value(json_object_get(result_of(f, next), "x")), 7);
    assert_int_equal(f->n_finished, 2);
}

static void cancel_kills(void **state)
{
    struct front *f = *state;
    uint64_t running = add(f, "hang", "h", NULL), queued;
    for (int i = 0; i < 200 && pare_sched_find(f->sched, running)->state != PARE_TASK_RUNNING; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_int_equal(pare_sched_find(f->sched, running)->state, PARE_TASK_RUNNING);
    queued = add(f, "hang", "h2", NULL);
    assert_true(pare_sched_cancel(f->sched, queued));
    double start = seconds_now();
    assert_true(pare_sched_cancel(f->sched, running));
    assert_false(pare_sched_cancel(f->sched, running));
    uint64_t good = add(f, "echo", "", NULL);
    assert_true(run(f, 20));
    assert_true(seconds_now() - start < 15);
    assert_int_equal(pare_sched_find(f->sched, running)->state, PARE_TASK_CANCELLED);
    assert_int_equal(pare_sched_find(f->sched, good)->state, PARE_TASK_DONE);
    assert_int_equal(f->n_failed, 2);
}

static void jobs_wait_for_their_needs(void **state)
{
    struct front *f = *state;
    const char *needs[1] = {"base"}, *never[1] = {"lost"};
    struct pare_task_spec spec = {.kind = "echo", .title = "later", .key = "l", .n_needs = 1, .needs = needs, .priority = 99};
    spec.params_take = json_pack("{s:s}", "need", "base");
    uint64_t later = pare_sched_add(f->sched, &spec);
    uint64_t base = add(f, "echo", "base", json_pack("{s:i}", "x", 5));
    spec.key = "n";
    spec.needs = never;
    spec.params_take = json_object();
    uint64_t hopeless = pare_sched_add(f->sched, &spec);
    add(f, "fail", "lost", NULL);
    assert_int_equal(add(f, "echo", "base", NULL), base); /* the same key is the same job */
    assert_true(run(f, 20));
    assert_int_equal(pare_sched_find(f->sched, later)->state, PARE_TASK_DONE);
    assert_int_equal(pare_sched_find(f->sched, hopeless)->state, PARE_TASK_FAILED);
    assert_true(pare_sched_find(f->sched, later)->finished >= pare_sched_find(f->sched, base)->finished);
}

static void a_result_that_cannot_be_kept_fails_its_job(void **state)
{
    struct front *f = *state;
    struct pare_task_spec spec = {.kind = "echo", .title = "cannot be kept", .key = "x", .params_take = json_object()};
    uint64_t job = pare_sched_add(f->sched, &spec);
    assert_true(run(f, 20));
    assert_int_equal(pare_sched_find(f->sched, job)->state, PARE_TASK_FAILED);
    assert_int_equal(pare_sched_find(f->sched, job)->error.code, PARE_ERR_IO);
}

static uint64_t add_quiet(struct front *f, int n, int priority)
{
    struct pare_task_spec spec = {.kind = "steps", .title = "timing", .params_take = json_pack("{s:i}", "n", n), .quiet = true, .priority = priority};
    return pare_sched_add(f->sched, &spec);
}

static void wait_running(struct front *f, uint64_t job)
{
    while (pare_sched_find(f->sched, job)->done < 1) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void timing_runs_alone(void **state)
{
    struct front *f = *state;
    uint64_t busy = add(f, "steps", "", json_pack("{s:i}", "n", 120));
    wait_running(f, busy);
    uint64_t timing = add_quiet(f, 60, 10);
    assert_true(run(f, 40));
    const json_t *other = result_of(f, busy), *quiet = result_of(f, timing);
    assert_non_null(other);
    assert_non_null(quiet);
    assert_true(real_of(other, "longest") >= real_of(quiet, "end") - real_of(quiet, "start")); /* it stood still meanwhile */
    assert_true(real_of(other, "end") > real_of(quiet, "end"));
}

/* The bug that this holds: workers asked for quiet by a timing job that is then cancelled were never woken. */
static void a_cancelled_timing_job_wakes_the_others(void **state)
{
    struct front *f = *state;
    uint64_t busy = add(f, "steps", "", json_pack("{s:i}", "n", 60));
    wait_running(f, busy);
    uint64_t timing = add_quiet(f, 1000, 10);
    for (int i = 0; i < 40; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_true(pare_sched_cancel(f->sched, timing));
    assert_true(run(f, 20));
    assert_int_equal(pare_sched_find(f->sched, busy)->state, PARE_TASK_DONE);
}

static void interactive_jobs_do_not_queue(void **state)
{
    struct front *f = *state;
    uint64_t busy[3];
    for (int i = 0; i < 3; i++) {
        busy[i] = add(f, "steps", "", json_pack("{s:i}", "n", 150));
    }
    wait_running(f, busy[0]);
    struct pare_task_spec spec = {.kind = "echo", .title = "solve", .params_take = json_object(), .interactive = true};
    uint64_t solve = pare_sched_add(f->sched, &spec);
    assert_true(run(f, 40));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pare_sched_find(f->sched, busy[i])->state, PARE_TASK_DONE);
    }
    assert_true(pare_sched_find(f->sched, solve)->finished < pare_sched_find(f->sched, busy[2])->finished - 0.5);
}

static void no_executable_is_an_error_not_a_loop(void **state)
{
    struct front f = {.rows = json_object(), .results = json_object()};
    struct pare_sched_owner owner = {.self = &f, .find_row = find_row, .finished = finished, .failed = failed, .changed = changed};
    (void)state;
    uv_loop_init(&f.loop);
    f.sched = pare_sched_new(&f.loop, "/nonexistent/pare", 1, &owner);
    uint64_t job = add(&f, "echo", "", NULL);
    assert_true(run(&f, 20));
    assert_int_equal(pare_sched_find(f.sched, job)->state, PARE_TASK_FAILED);
    assert_non_null(strstr(pare_sched_find(f.sched, job)->error.message, "no such file"));
    pare_sched_stop(f.sched);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    pare_sched_free(f.sched);
    assert_int_equal(uv_loop_close(&f.loop), 0);
    json_decref(f.rows);
    json_decref(f.results);
}

/* ---- frames ---- */

static void frames_come_whole_out_of_pieces(void **state)
{
    struct pare_frame_reader r = {0};
    struct pare_frame frame;
    char *bytes, *two;
    size_t size;
    int ready, n = 0;
    (void)state;
    json_t *body = json_pack("{s:s, s:i}", "text", "a b", "n", 3);
    assert_int_equal(pare_frame_encode(PARE_FRAME_JOB, 77, body, &bytes, &size, NULL), PARE_OK);
    two = malloc(2 * size);
    assert_non_null(two);
    memcpy(two, bytes, size);
    memcpy(two + size, bytes, size);
    for (size_t i = 0; i < 2 * size; i++) {
        assert_int_equal(pare_frame_feed(&r, two + i, 1, NULL), PARE_OK);
        assert_int_equal(pare_frame_next(&r, &frame, &ready, NULL), PARE_OK);
        assert_int_equal(ready, (i + 1) % size == 0);
        if (ready) {
            n++;
            assert_int_equal(frame.type, PARE_FRAME_JOB);
            assert_int_equal(frame.job, 77);
            assert_true(json_equal(frame.body, body));
            json_decref(frame.body);
        }
    }
    assert_int_equal(n, 2);
    pare_frame_reader_clear(&r);
    json_decref(body);
    free(bytes);
    free(two);
}

static void bad_frames_are_refused(void **state)
{
    static const struct {
        const char *what;
        unsigned char bytes[20];
    } bad[] = {
        {"length 0", {0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{', '}'}},
        {"length 64 MiB + 1", {1, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{', '}'}},
        {"length 2^32 - 1", {255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{', '}'}},
        {"version 2", {14, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{', '}'}},
        {"type 200", {14, 0, 0, 0, 1, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{', '}'}},
        {"no object", {14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '[', ']'}},
        {"no JSON", {14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{', 'x'}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pare_frame_reader r = {0};
        struct pare_frame frame;
        int ready;
        assert_int_equal(pare_frame_feed(&r, bad[i].bytes, 18, NULL), PARE_OK);
        if (pare_frame_next(&r, &frame, &ready, NULL) != PARE_ERR_FORMAT || ready) {
            fail_msg("%s was accepted", bad[i].what);
        }
        pare_frame_reader_clear(&r);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_whole_out_of_pieces),
        cmocka_unit_test(bad_frames_are_refused),
        cmocka_unit_test_setup_teardown(a_job_ends_well_and_the_worker_stays_warm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_costs_its_job_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_that_talks_nonsense_is_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_progress_is_a_hang, set_up, tear_down),
        cmocka_unit_test_setup_teardown(late_and_doubled_results_are_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_kills, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jobs_wait_for_their_needs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_result_that_cannot_be_kept_fails_its_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(timing_runs_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancelled_timing_job_wakes_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interactive_jobs_do_not_queue, set_up, tear_down),
        cmocka_unit_test(no_executable_is_an_error_not_a_loop),
    };
    if (argc > 1 && strcmp(argv[1], "worker") == 0) {
        return pare_worker_serve(3, kinds, (int)(sizeof kinds / sizeof kinds[0]), "ref");
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
