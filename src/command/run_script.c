/*
 * run_script.c: `:script FILE`: a Lua script on the front that is open. It runs in a worker of its own; what it opens of
 * this pipeline is this front, so its runs and points appear on the screen.
 */
#include <stdlib.h>
#include <string.h>

#include "command/front.h"
#include "command/script.h"

#define LOOK_MS 100

static void print_to_log(void *self, const char *text)
{
    front_log(self, "%s", text);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void close_timer(struct pare_front *f)
{
    if (f->script_timer != NULL) {
        uv_close((uv_handle_t *)f->script_timer, on_timer_closed);
        f->script_timer = NULL;
    }
}

/* Ended: stopped at once; freed and said when its worker's handles are closed, since only then another may start. */
static void look(uv_timer_t *timer)
{
    struct pare_front *f = timer->data;
    const struct pare_error *err = &f->script_error;
    if (!f->script_ended && pare_script_ended(f->script, &f->script_status, &f->script_error)) {
        f->script_ended = true;
        pare_script_stop(f->script);
    }
    if (!f->script_ended || !pare_script_closed(f->script)) {
        return;
    }
    pare_script_free(f->script);
    f->script = NULL;
    close_timer(f);
    if (f->script_status == PARE_OK) {
        front_say(f, false, "the script has ended");
    } else {
        front_say(f, true, "script: %s%s%s", err->where, err->where[0] != '\0' ? ": " : "", err->message);
    }
}

enum pare_status front_run_script(struct pare_front *f, const char *path, int n_args, char *const *args, struct pare_error *err)
{
    struct pare_script_options options = {.path = path, .n_args = n_args, .args = args, .front = f->options, .reuse = f, .self = f, .print = print_to_log};
    if (f->script != NULL) {
        return pare_error(err, PARE_ERR_BUSY, path, "another script is still running");
    }
    options.front.changed = NULL;
    options.front.session = NULL;
    options.front.stop = NULL;
    uv_timer_t *timer = calloc(1, sizeof *timer);
    enum pare_status status = timer != NULL ? pare_script_start(f->loop, &options, &f->script, err) : pare_error_nomem(err);
    if (status != PARE_OK) {
        free(timer);
        return status;
    }
    f->script_ended = false;
    f->script_status = PARE_OK;
    memset(&f->script_error, 0, sizeof f->script_error);
    uv_timer_init(f->loop, timer);
    timer->data = f;
    uv_timer_start(timer, look, LOOK_MS, LOOK_MS);
    uv_unref((uv_handle_t *)timer);
    f->script_timer = timer;
    front_say(f, false, "script %s has started; its output is in the log (8)", path);
    return PARE_OK;
}

void front_script_stop(struct pare_front *f)
{
    close_timer(f);
    if (f->script != NULL) {
        pare_script_stop(f->script);
    }
}

void front_script_free(struct pare_front *f)
{
    if (f->script != NULL) {
        pare_script_free(f->script);
        f->script = NULL;
    }
}
