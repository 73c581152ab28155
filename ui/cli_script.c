#include "ui/cli.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/command/script.h"

static void print_line(void *self, const char *text)
{
    (void)self;
    puts(text);
    fflush(stdout);
}

static void on_signal(uv_signal_t *handle, int number)
{
    *(int *)handle->data = number;
}

static void on_stop(void *self)
{
    (void)self;
    (void)raise(SIGTERM);
}

int cli_script(const struct cli_options *o)
{
    struct pare_error err = {0};
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct pare_script *script = NULL;
    enum pare_status status;
    char exe[4096];
    int stopped = 0;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (o->n_args < 1 || n <= 0) {
        err.code = PARE_ERR_USAGE;
        snprintf(err.message, sizeof err.message, "expected pare script FILE.lua [ARG ...]");
        return cli_fail(o, &err);
    }
    exe[n] = '\0';
    int rc = cli_trust(o, o->args[0], exe);
    if (rc != 0) {
        return rc;
    }
    uv_loop_init(&loop);
    struct pare_script_options options = {.path = o->args[0],
                                          .n_args = o->n_args - 1,
                                          .args = o->args + 1,
                                          .front = {.models_dir = o->models != NULL ? o->models : getenv("PARE_MODELS"),
                                                    .exe = exe,
                                                    .n_workers = o->jobs,
                                                    .fresh = o->fresh,
                                                    .no_pins = o->no_pins,
                                                    .session = o->session,
                                                    .stop = on_stop,
                                                    .levels = o->levels,
                                                    .target = o->target,
                                                    .samples = o->samples},
                                          .print = print_line};
    if (pare_script_start(&loop, &options, &script, &err) != PARE_OK) {
        return cli_fail(o, &err);
    }
    detach_ready();
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&loop, &signals[i]);
        signals[i].data = &stopped;
        uv_signal_start(&signals[i], on_signal, i == 0 ? SIGINT : SIGTERM);
    }
    while (!pare_script_ended(script, &status, &err) && stopped == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    for (int i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&signals[i], NULL);
    }
    pare_script_stop(script);
    uv_run(&loop, UV_RUN_DEFAULT);
    pare_script_free(script);
    uv_loop_close(&loop);
    return stopped != 0 ? 128 + stopped : status == PARE_OK ? 0 : cli_fail(o, &err);
}
