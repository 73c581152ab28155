#include "ui/workbench.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "ui/bind.h"
#include "ui/ui.h"

static const struct pare_state *get_state(void *user)
{
    return pare_front_state(user);
}

static enum pare_status run_command(void *user, const char *line, int point, struct pare_error *err)
{
    return pare_front_command(user, line, point, err);
}

static bool preview(void *user, int layer, int level_lo, int level_hi, char *text, size_t size)
{
    return pare_front_preview(user, layer, level_lo, level_hi, text, size);
}

static double price(void *user, const char *line, int point, char *text, size_t size)
{
    return pare_front_price_line(user, line, point, text, size);
}

static int complete(void *user, const char *line, const char **words, int max)
{
    return pare_front_complete(user, line, words, max);
}

static void explain_cell(void *user, int layer, int level, char *text, size_t size)
{
    pare_front_explain_cell(user, layer, level, text, size);
}

static void explain_point(void *user, int point, char *text, size_t size)
{
    pare_front_explain_point(user, point, text, size);
}

static int proxies(void *user, struct pare_proxy *out)
{
    return pare_front_proxies(user, out);
}

static void distances(void *user, const int *points, int n)
{
    pare_front_distances(user, points, n);
}

static void why(void *user, int layer, int level, struct pare_why *out)
{
    pare_front_why(user, layer, level, out);
}

static void on_asked(uv_signal_t *handle, int number)
{
    (void)number;
    *(bool *)handle->data = true;
}

/* --detach: the terminal is gone, the work is not: until the queue is empty. */
static void go_on(struct cli_session *s)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)signal(SIGHUP, SIG_IGN);
    for (int fd = 0; null >= 0 && fd < 3; fd++) {
        (void)dup2(null, fd);
    }
    uv_signal_t stop;
    bool asked = false;
    uv_signal_init(&s->loop, &stop);
    stop.data = &asked;
    uv_signal_start(&stop, on_asked, SIGTERM);
    while (!asked && (pare_front_state(s->front)->progress_total > 0 || pare_front_state(s->front)->loading)) {
        uv_run(&s->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&stop, NULL);
    uv_run(&s->loop, UV_RUN_NOWAIT);
}

/* The user's keys; no file, no keys. */
static enum pare_status read_bindings(struct pare_bindings *b, struct pare_error *err)
{
    char path[PATH_MAX];
    memset(b, 0, sizeof *b);
    if (pare_user_folder(PARE_USER_CONFIG, path, sizeof path - 8, NULL) != PARE_OK) {
        return PARE_OK;
    }
    strcat(path, "/keys");
    return pare_is_file(path) ? pare_bindings_read(b, path, err) : PARE_OK;
}

int workbench_run(const struct cli_options *o)
{
    struct cli_session s;
    struct pare_bindings bindings;
    struct pare_error err = {0};
    if (read_bindings(&bindings, &err) != PARE_OK) {
        return cli_fail(o, &err);
    }
    int rc = cli_open(&s, o, o->args[0], false, true);
    if (rc != 0) {
        return rc;
    }
    struct pare_ui_host host = {.user = s.front,
                                .state = get_state,
                                .command = run_command,
                                .preview = preview,
                                .price = price,
                                .complete = complete,
                                .explain_cell = explain_cell,
                                .explain_point = explain_point,
                                .why = why,
                                .proxies = proxies,
                                .distances = distances};
    struct pare_ui_options options = {.key_script = o->keys, .bindings = &bindings};
    switch (pare_ui_run(&s.loop, &host, &options, &err)) {
    case PARE_UI_QUIT:
        break;
    case PARE_UI_LOST:
        if (o->detach) {
            go_on(&s);
        }
        rc = 128 + SIGHUP;
        break;
    case PARE_UI_SIGNAL:
        rc = 128 + SIGTERM;
        break;
    case PARE_UI_FAILED:
        rc = cli_fail(o, &err);
        break;
    }
    cli_close(&s);
    return rc;
}
