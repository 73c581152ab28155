/*
 * demo_ui.c: the workbench on an invented session, to look at and to test on real terminals.
 *
 *   demo_ui [--empty|--loading|--failed|--follower|--bare] [--live] [--crash] [--keys FILE]
 * [--theme T] [--glyphs G]
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "screens/fake_state.h"

static void on_live(uv_timer_t *timer)
{
    static int turn;
    fake_progress(timer->data);
    if (++turn % 4 == 0) {
        fake_add_point(timer->data);
    }
}

static void on_crash(uv_timer_t *timer)
{
    (void)timer;
    abort();
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"--full",   "--empty",    "--loading",
                                        "--failed", "--follower", "--bare"};
    struct pare_ui_options options = {0};
    struct pare_error err = {0};
    enum fake_kind kind = FAKE_FULL;
    bool live = false, crash = false;
    setlocale(LC_CTYPE, "");
    for (int i = 1; i < argc; i++) {
        for (int k = 0; k < 6; k++) {
            kind = strcmp(argv[i], kinds[k]) == 0 ? (enum fake_kind)k : kind;
        }
        live = live || strcmp(argv[i], "--live") == 0;
        crash = crash || strcmp(argv[i], "--crash") == 0;
        if (i + 1 < argc && strcmp(argv[i], "--keys") == 0) {
            options.key_script = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--theme") == 0) {
            options.theme = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--glyphs") == 0) {
            options.glyphs = argv[++i];
        }
    }
    struct fake *f = fake_new(kind);
    const struct pare_ui_host host = fake_host(f);
    uv_loop_t loop;
    uv_timer_t timer;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    timer.data = f;
    if (live) {
        uv_timer_start(&timer, on_live, 100, 100);
    }
    if (crash) {
        uv_timer_start(&timer, on_crash, 500, 0);
    }
    const enum pare_ui_end end = pare_ui_run(&loop, &host, &options, &err);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    fake_free(f);
    if (end == PARE_UI_FAILED) {
        fprintf(stderr, "demo_ui: %s\n", err.message);
    }
    return end == PARE_UI_QUIT ? 0 : end == PARE_UI_FAILED ? 1 : end == PARE_UI_LOST ? 3 : 4;
}
