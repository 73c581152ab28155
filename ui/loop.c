/*
 * loop.c: the workbench on a terminal. The loop belongs to the caller; a frame is drawn when the
 * state's version or the screen's own choices changed, at most every 33 ms, and only what differs
 * is sent.
 */
#include <uv.h>

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ui/app.h"
#include "ui/keyscript.h"
#include "ui/mouse.h"
#include "ui/term.h"

#define FRAME_MS 33
#define N_SIGNALS 7

struct screen {
    uv_loop_t *loop;
    struct pare_ui *ui;
    struct pare_term *term;
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uv_signal_t signals[N_SIGNALS];
    int n_open;          /* handles to close */
    int idle_wakes;      /* readable, but no key came */
    bool mouse, waiting; /* waiting: the timer will draw */
    uint64_t last_frame;
    bool done;
    enum pare_ui_end end;
};

static void leave(struct screen *sc, enum pare_ui_end end)
{
    if (!sc->done) {
        sc->done = true;
        sc->end = end;
    }
    uv_stop(sc->loop);
}

static void take_size(struct screen *sc)
{
    int columns = 80, rows = 24;
    pare_term_size(sc->term, &columns, &rows);
    pare_ui_resize(sc->ui, columns, rows);
}

static void draw_now(struct screen *sc)
{
    pare_ui_draw(sc->ui);
    if (sc->ui->redraw) {
        sc->ui->redraw = false;
        pare_term_redraw(sc->term);
    }
    pare_term_blit(sc->term, &sc->ui->surface, sc->ui->theme);
    sc->last_frame = uv_now(sc->loop);
}

static void suspend(struct screen *sc)
{
    sc->ui->suspend = false;
    pare_term_suspend(sc->term);
    take_size(sc);
    sc->ui->dirty = true;
}

/* After keys: what they asked of the terminal. */
static void after_keys(struct screen *sc)
{
    if (sc->ui->quit) {
        leave(sc, PARE_UI_QUIT);
        return;
    }
    if (sc->ui->suspend) {
        suspend(sc);
    }
    if (sc->ui->copied != NULL) {
        if (pare_term_copy(sc->term, sc->ui->copied)) {
            pare_ui_say(sc->ui, false, "the solve was sent to your terminal's clipboard too (OSC 52)");
        }
        free(sc->ui->copied);
        sc->ui->copied = NULL;
    }
    if (sc->ui->mouse != sc->mouse) {
        sc->mouse = sc->ui->mouse;
        pare_term_mouse(sc->term, sc->mouse);
    }
    if (pare_ui_stale(sc->ui)) {
        uv_update_time(sc->loop);
        draw_now(sc);
    }
}

static void on_input(uv_poll_t *handle, int status, int events)
{
    struct screen *sc = handle->data;
    int n = 0;
    for (int key; n < 256 && (key = pare_term_key(sc->term)) != PARE_KEY_NONE; n++) {
        if (key == PARE_KEY_CLICK) {
            int x = 0, y = 0;
            pare_term_click(sc->term, &x, &y);
            pare_ui_click(sc->ui, x, y);
        } else {
            pare_ui_key(sc->ui, key);
        }
        if (sc->ui->quit || sc->ui->suspend) {
            break;
        }
    }
    sc->idle_wakes = n > 0 ? 0 : sc->idle_wakes + 1;
    const bool odd = status < 0 || (events & UV_DISCONNECT) != 0 || n == 0;
    if (odd && (pare_term_lost(sc->term) || sc->idle_wakes > 20)) {
        leave(sc, PARE_UI_LOST); /* a terminal that is gone stays readable for ever */
        return;
    }
    after_keys(sc);
}

static void on_timer(uv_timer_t *handle)
{
    struct screen *sc = handle->data;
    sc->waiting = false;
    if (pare_ui_stale(sc->ui)) {
        draw_now(sc);
    }
}

/* Before the loop sleeps: is there news? */
static void on_prepare(uv_prepare_t *handle)
{
    struct screen *sc = handle->data;
    if (sc->waiting || sc->done || !pare_ui_stale(sc->ui)) {
        return;
    }
    const uint64_t since = uv_now(sc->loop) - sc->last_frame;
    if (since >= FRAME_MS) {
        draw_now(sc);
    } else {
        sc->waiting = uv_timer_start(&sc->timer, on_timer, FRAME_MS - since, 0) == 0;
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct screen *sc = handle->data;
    switch (number) {
    case SIGWINCH:
    case SIGCONT:
        take_size(sc);
        if (number == SIGCONT) {
            pare_term_redraw(sc->term);
        }
        draw_now(sc);
        break;
    case SIGTSTP:
        suspend(sc);
        draw_now(sc);
        break;
    case SIGHUP:
        leave(sc, PARE_UI_LOST);
        break;
    case SIGINT:
    case SIGTERM:
        leave(sc, PARE_UI_SIGNAL);
        break;
    default: /* SIGPIPE: ignored */
        break;
    }
}

static void on_close(uv_handle_t *handle)
{
    ((struct screen *)handle->data)->n_open--;
}

static void close_handle(struct screen *sc, uv_handle_t *handle)
{
    handle->data = sc;
    uv_close(handle, on_close);
}

static bool open_handles(struct screen *sc)
{
    static const int numbers[N_SIGNALS] = {SIGWINCH, SIGCONT, SIGTSTP, SIGHUP,
                                           SIGINT,   SIGTERM, SIGPIPE};
    if (uv_poll_init(sc->loop, &sc->poll, pare_term_fd(sc->term)) != 0) {
        return false;
    }
    uv_prepare_init(sc->loop, &sc->prepare);
    uv_timer_init(sc->loop, &sc->timer);
    sc->poll.data = sc->prepare.data = sc->timer.data = sc;
    sc->n_open = 3;
    for (int i = 0; i < N_SIGNALS; i++, sc->n_open++) {
        uv_signal_init(sc->loop, &sc->signals[i]);
        sc->signals[i].data = sc;
        uv_signal_start(&sc->signals[i], on_signal, numbers[i]);
    }
    uv_prepare_start(&sc->prepare, on_prepare);
    return uv_poll_start(&sc->poll, UV_READABLE | UV_DISCONNECT, on_input) == 0;
}

static void close_handles(struct screen *sc)
{
    close_handle(sc, (uv_handle_t *)&sc->poll);
    close_handle(sc, (uv_handle_t *)&sc->prepare);
    close_handle(sc, (uv_handle_t *)&sc->timer);
    for (int i = 0; i < N_SIGNALS; i++) {
        close_handle(sc, (uv_handle_t *)&sc->signals[i]);
    }
    while (sc->n_open > 0) { /* the caller's handles may run meanwhile; ours need one turn */
        uv_run(sc->loop, UV_RUN_NOWAIT);
    }
}

static void on_wait_timer(uv_timer_t *handle)
{
    *(bool *)handle->data = true;
}

static void on_wait_closed(uv_handle_t *handle)
{
    handle->data = NULL;
}

void pare_loop_wait(struct uv_loop_s *loop, double seconds, bool (*idle)(void *user), void *user)
{
    bool over = false;
    uv_timer_t timer;
    uv_timer_init(loop, &timer);
    timer.data = &over;
    uv_update_time(loop);
    uv_timer_start(&timer, on_wait_timer, (uint64_t)(seconds * 1000), 0);
    while (!over && !idle(user)) {
        uv_run(loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, on_wait_closed);
    while (timer.data != NULL) {
        uv_run(loop, UV_RUN_NOWAIT);
    }
}

static enum pare_ui_end run_script(uv_loop_t *loop, const struct pare_ui_host *host,
                                   const struct pare_ui_options *o, struct pare_error *err)
{
    const char *columns = getenv("COLUMNS"), *rows = getenv("LINES");
    const int w = o->columns > 0                         ? o->columns
                  : columns != NULL && atoi(columns) > 0 ? atoi(columns)
                                                         : 80;
    const int h = o->rows > 0 ? o->rows : rows != NULL && atoi(rows) > 0 ? atoi(rows) : 24;
    char *text = NULL;
    size_t size = 0;
    enum pare_status status = pare_keyscript_read(o->key_script, &text, &size, err);
    struct pare_ui *ui = status == PARE_OK ? pare_ui_new(host, o, w, h) : NULL;
    if (ui != NULL) {
        status = pare_ui_script(ui, loop, text, err);
    }
    free(text);
    pare_ui_free(ui);
    return status == PARE_OK && ui != NULL ? PARE_UI_QUIT : PARE_UI_FAILED;
}

enum pare_ui_end pare_ui_run(struct uv_loop_s *loop, const struct pare_ui_host *host,
                             const struct pare_ui_options *options, struct pare_error *err)
{
    static const struct pare_ui_options none = {0};
    const struct pare_ui_options *o = options != NULL ? options : &none;
    setlocale(LC_CTYPE, "");
    if (o->key_script != NULL) {
        return run_script(loop, host, o, err);
    }
    if (!isatty(0) || !isatty(1)) {
        pare_error(err, PARE_ERR_USAGE, NULL,
                   "the workbench needs a terminal on standard input and output");
        return PARE_UI_FAILED;
    }
    struct screen sc = {.loop = loop};
    const struct pare_term_setup setup = {.park = true, .log_path = o->log_path};
    if (pare_term_open(&sc.term, &setup, err) != PARE_OK) {
        return PARE_UI_FAILED;
    }
    sc.ui = pare_ui_new(host, o, 80, 24);
    if (sc.ui == NULL || !open_handles(&sc)) {
        pare_term_close(sc.term, false);
        pare_ui_free(sc.ui);
        pare_error(err, PARE_ERR_FAIL, NULL, "cannot watch the terminal");
        return PARE_UI_FAILED;
    }
    take_size(&sc);
    sc.mouse = sc.ui->mouse;
    pare_term_mouse(sc.term, sc.mouse);
    draw_now(&sc);
    while (!sc.done) {
        uv_run(loop, UV_RUN_ONCE);
    }
    close_handles(&sc);
    pare_term_close(sc.term, sc.end == PARE_UI_LOST);
    pare_ui_free(sc.ui);
    return sc.end;
}
