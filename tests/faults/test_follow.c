/*
 * Two fronts on one session: the second follows what the first measures and sends it commands; and a front that ends in
 * the middle of its work: the next one says so and goes on. This test is its own worker.
 */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/front.h"
#include "lua/lua_glue.h"
#include "pipeline/pipeline.h"
#include "pk.h"
#include "work/work.h"

static char exe[4096];
static char session[512];

static struct pare_front *open_front(uv_loop_t *loop, bool follow)
{
    struct pare_front *f = NULL;
    struct pare_error err = {0};
    assert_int_equal(uv_loop_init(loop), 0);
    struct pare_front_options options = {.path = test_source("sample_pipelines/hand_gesture/classifier.onnx"),
                                         .session = session,
                                         .exe = exe,
                                         .n_workers = 1,
                                         .follow = follow,
                                         .take_over = follow,
                                         .levels = "int8,int4",
                                         .samples = 4};
    if (pare_front_open(loop, &options, &f, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    return f;
}

static void close_front(uv_loop_t *loop, struct pare_front *f)
{
    pare_front_close(f);
    uv_run(loop, UV_RUN_DEFAULT);
    pare_front_free(f);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void turn(uv_loop_t *a, uv_loop_t *b)
{
    uv_run(a, UV_RUN_NOWAIT);
    if (b != NULL) {
        uv_run(b, UV_RUN_NOWAIT);
    }
    usleep(1000);
}

static void wait_described(uv_loop_t *loop, struct pare_front *f)
{
    for (int i = 0; i < 20000 && pare_front_state(f)->loading; i++) {
        turn(loop, NULL);
    }
    assert_null(pare_front_state(f)->failed);
    assert_false(pare_front_state(f)->loading);
}

static enum pare_cell_state last_cell(struct pare_front *f)
{
    const struct pare_state *s = pare_front_state(f);
    return s->layers[0].cells[s->n_levels - 1].state;
}

static void a_second_pare_follows_and_commands(void **state)
{
    uv_loop_t loops[2];
    struct pare_error err = {0};
    (void)state;
    unlink(session);
    struct pare_front *holder = open_front(&loops[0], false);
    wait_described(&loops[0], holder);
    struct pare_front *guest = open_front(&loops[1], true);
    wait_described(&loops[1], guest);
    assert_true(pare_front_state(guest)->follower);
    assert_false(pare_front_state(holder)->follower);
    /* a choice of the follower is made by the holder, and seen by both */
    assert_int_equal(pare_front_command(guest, "pin *fc1=int8", -1, &err), PARE_OK);
    for (int i = 0; i < 5000 && pare_front_state(guest)->n_pins == 0; i++) {
        turn(&loops[0], &loops[1]);
    }
    assert_int_equal(pare_front_state(holder)->n_pins, pare_front_state(guest)->n_pins);
    assert_true(pare_front_state(guest)->n_pins > 0);
    /* an error comes back as an error */
    assert_int_equal(pare_front_command(guest, "pin nothing_such=int8", -1, &err), PARE_OK);
    for (int i = 0; i < 5000 && !pare_front_state(guest)->message_is_error; i++) {
        turn(&loops[0], &loops[1]);
    }
    assert_non_null(strstr(pare_front_state(guest)->message, "matches no layer"));
    /* what the holder measures appears here, and so does its queue while it works */
    bool seen = false;
    assert_int_equal(pare_front_command(guest, "sense", -1, &err), PARE_OK);
    for (int i = 0; i < 30000 && (last_cell(guest) != PARE_CELL_DONE || pare_front_state(guest)->n_jobs == 0); i++) {
        turn(&loops[0], &loops[1]);
        seen = seen || pare_front_state(guest)->n_jobs > 0;
    }
    assert_int_equal(last_cell(holder), PARE_CELL_DONE);
    assert_int_equal(last_cell(guest), PARE_CELL_DONE);
    assert_true(seen);
    /* why a layer loses: the holder measures it, it appears here */
    struct pare_why why;
    pare_front_why(guest, 0, 1, &why);
    assert_int_equal(why.state, PARE_CELL_QUEUED);
    assert_non_null(strstr(why.text, "was asked to measure it"));
    assert_non_null(strstr(why.text, "known from the table: loss"));
    for (int i = 0; i < 30000 && why.state != PARE_CELL_DONE; i++) {
        turn(&loops[0], &loops[1]);
        pare_front_why(guest, 0, 1, &why);
    }
    assert_int_equal(why.state, PARE_CELL_DONE);
    assert_true(why.calls > 0);
    /* the holder leaves: the follower takes over, with the choices and results of both */
    close_front(&loops[0], holder);
    for (int i = 0; i < 5000 && pare_front_state(guest)->follower; i++) {
        turn(&loops[1], NULL);
    }
    assert_false(pare_front_state(guest)->follower);
    assert_non_null(strstr(pare_front_state(guest)->message, "this one holds it now"));
    int pins = pare_front_state(guest)->n_pins;
    assert_int_equal(pare_front_command(guest, "pin *fc2=int8", -1, &err), PARE_OK);
    assert_int_equal(pare_front_state(guest)->n_pins, pins + 1);
    /* and is followed in turn */
    struct pare_front *third = open_front(&loops[0], true);
    wait_described(&loops[0], third);
    assert_true(pare_front_state(third)->follower);
    assert_int_equal(pare_front_state(third)->n_pins, pins + 1);
    assert_int_equal(pare_front_command(third, "undo", -1, &err), PARE_OK);
    for (int i = 0; i < 5000 && pare_front_state(third)->n_pins != pins; i++) {
        turn(&loops[0], &loops[1]);
    }
    assert_int_equal(pare_front_state(third)->n_pins, pins);
    assert_int_equal(pare_front_state(guest)->n_pins, pins);
    close_front(&loops[0], third);
    close_front(&loops[1], guest);
}

/* A holder that dies in the middle of its work (here: its loop is never run again, its lock is dropped). */
static void a_follower_offers_what_the_holder_left_unfinished(void **state)
{
    uv_loop_t loops[2];
    struct pare_error err = {0};
    (void)state;
    unlink(session);
    struct pare_front *holder = open_front(&loops[0], false);
    wait_described(&loops[0], holder);
    assert_int_equal(pare_front_command(holder, "sense", -1, &err), PARE_OK);
    struct pare_front *guest = open_front(&loops[1], true);
    wait_described(&loops[1], guest);
    close_front(&loops[0], holder);
    for (int i = 0; i < 5000 && pare_front_state(guest)->follower; i++) {
        turn(&loops[1], NULL);
    }
    assert_non_null(pare_front_state(guest)->since);
    assert_non_null(strstr(pare_front_state(guest)->since, "sense was unfinished"));
    assert_int_equal(pare_front_command(guest, "retry", -1, &err), PARE_OK);
    for (int i = 0; i < 30000 && front_busy(guest); i++) {
        turn(&loops[1], NULL);
    }
    assert_int_equal(last_cell(guest), PARE_CELL_DONE);
    close_front(&loops[1], guest);
}

static void unfinished_work_is_offered_again(void **state)
{
    uv_loop_t loop;
    struct pare_error err = {0};
    (void)state;
    unlink(session);
    struct pare_front *f = open_front(&loop, false);
    wait_described(&loop, f);
    assert_null(pare_front_state(f)->since);
    assert_int_equal(pare_front_command(f, "sense", -1, &err), PARE_OK);
    close_front(&loop, f);
    f = open_front(&loop, false);
    wait_described(&loop, f);
    assert_non_null(pare_front_state(f)->since);
    assert_non_null(strstr(pare_front_state(f)->since, "sense was unfinished"));
    assert_int_equal(pare_front_command(f, "retry", -1, &err), PARE_OK);
    for (int i = 0; i < 30000 && front_busy(f); i++) {
        turn(&loop, NULL);
    }
    assert_int_equal(last_cell(f), PARE_CELL_DONE);
    assert_null(pare_front_state(f)->since);
    close_front(&loop, f);
    f = open_front(&loop, false);
    wait_described(&loop, f);
    assert_null(pare_front_state(f)->since);
    close_front(&loop, f);
}

static void a_cancelled_verb_can_be_asked_again(void **state)
{
    uv_loop_t loop;
    struct pare_error err = {0};
    (void)state;
    unlink(session);
    struct pare_front *f = open_front(&loop, false);
    wait_described(&loop, f);
    char text[160];
    assert_true(pare_front_price_line(f, "sense", -1, text, sizeof text) > 0); /* calibration in five parts, 2 levels of one chunk */
    assert_memory_equal(text, "7 jobs, guessed 0:0", 19);
    assert_true(isnan(pare_front_price_line(f, "pin *=int8", -1, text, sizeof text)));
    assert_true(pare_front_price_line(f, "quantize scales=mse", -1, text, sizeof text) > 0);
    assert_memory_equal(text, "the table by these rules: 7 jobs, guessed 0:0", 45);
    assert_true(isnan(pare_front_price_line(f, "quantize no_rule", -1, text, sizeof text)));
    assert_int_equal(pare_sched_pending(f->sched), 0); /* asking for a price starts nothing */
    assert_int_equal(pare_front_command(f, "sense", -1, &err), PARE_OK);
    assert_true(front_seconds_left(f) > 0);
    assert_int_equal(pare_front_command(f, "cancel all", -1, &err), PARE_OK);
    for (int i = 0; i < 5000 && front_busy(f); i++) {
        turn(&loop, NULL);
    }
    assert_false(front_busy(f));
    assert_int_equal(last_cell(f), PARE_CELL_NONE);
    assert_int_equal(pare_front_command(f, "sense", -1, &err), PARE_OK);
    for (int i = 0; i < 30000 && front_busy(f); i++) {
        turn(&loop, NULL);
    }
    assert_int_equal(last_cell(f), PARE_CELL_DONE);
    assert_true(pare_front_price_line(f, "sense", -1, text, sizeof text) == 0);
    assert_string_equal(text, "nothing is to be measured for it");
    assert_true(pare_front_price_line(f, "quantize scales=mse", -1, text, sizeof text) > 0); /* what is known is of other rules */
    assert_non_null(strstr(text, "7 jobs"));
    assert_true(pare_front_price_line(f, "sense", -1, text, sizeof text) == 0);
    assert_true(isnan(front_seconds_left(f)));
    close_front(&loop, f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_pare_follows_and_commands),
        cmocka_unit_test(a_follower_offers_what_the_holder_left_unfinished),
        cmocka_unit_test(unfinished_work_is_offered_again),
        cmocka_unit_test(a_cancelled_verb_can_be_asked_again),
    };
    pare_pipeline_set_loader(pare_lua_pipeline_loader());
    if (argc > 1 && strcmp(argv[1], "worker") == 0) {
        return pare_worker_serve(3, pare_work_kinds, pare_work_kind_count, pk_isa_name(pk_isa_best()));
    }
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    snprintf(session, sizeof session, "%s/f.pare", test_temp_dir());
    setenv("XDG_RUNTIME_DIR", test_temp_dir(), 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
