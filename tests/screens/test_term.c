/*
 * test_term.c: what reaches a terminal: bytes per frame, colour pairs when there are few, no colour
 * at all, and that curses holds what the grid holds. The terminal is a file.
 */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "screens/fake_state.h"
#include "support.h"
#include "ui/app.h"
#include "ui/term.h"

struct rig {
    FILE *in, *out;
    struct fake *fake;
    struct pare_ui *ui;
    struct pare_term *term;
};

static void rig_open(struct rig *r, const char *type, int w, int h, int max_pairs,
                     const char *theme)
{
    r->in = fopen("/dev/null", "r");
    r->out = tmpfile();
    assert_non_null(r->in);
    assert_non_null(r->out);
    r->fake = fake_new(FAKE_FULL);
    const struct pare_ui_host host = fake_host(r->fake);
    const struct pare_ui_options options = {.theme = theme, .glyphs = "braille"};
    const struct pare_term_setup setup = {
        .type = type, .in = r->in, .out = r->out, .columns = w, .rows = h, .max_pairs = max_pairs};
    struct pare_error err = {0};
    if (pare_term_open(&r->term, &setup, &err) != PARE_OK) {
        fail_msg("%s", err.message);
    }
    r->ui = pare_ui_new(&host, &options, w, h);
    assert_non_null(r->ui);
}

/* Draws and sends one frame; returns the bytes that went out. */
static long frame(struct rig *r)
{
    fflush(r->out);
    struct stat before, after;
    fstat(fileno(r->out), &before);
    pare_ui_draw(r->ui);
    pare_term_blit(r->term, &r->ui->surface, r->ui->theme);
    fflush(r->out);
    fstat(fileno(r->out), &after);
    return (long)(after.st_size - before.st_size);
}

static void rig_close(struct rig *r)
{
    pare_term_close(r->term, false);
    pare_ui_free(r->ui);
    fake_free(r->fake);
    fclose(r->in);
    fclose(r->out);
}

static void little_is_sent_when_little_changed(void **state)
{
    (void)state;
    static const int sizes[3][2] = {{80, 24}, {120, 36}, {200, 60}};
    for (int i = 0; i < 3; i++) {
        struct rig r;
        rig_open(&r, "xterm-256color", sizes[i][0], sizes[i][1], 0, "dark");
        const long full = frame(&r), again = frame(&r);
        fake_progress(r.fake);
        const long progress = frame(&r);
        pare_ui_key(r.ui, 'l');
        const long plot = frame(&r);
        pare_ui_key(r.ui, PARE_KEY_TAB);
        frame(&r);
        pare_ui_key(r.ui, 'j');
        frame(&r);
        pare_ui_key(r.ui, 'j');
        const long row = frame(&r);
        pare_ui_key(r.ui, '3');
        frame(&r);
        pare_ui_key(r.ui, 'l');
        frame(&r);
        pare_ui_key(r.ui, 'l');
        const long cell = frame(&r);
        printf("%dx%d: full %ld B, no news %ld B, progress %ld B, next point %ld B, next row %ld "
               "B, next cell %ld B\n",
               sizes[i][0], sizes[i][1], full, again, progress, plot, row, cell);
        assert_true(full > 1000);
        assert_int_equal(again, 0);
        assert_true(progress < 100);
        assert_true(row < 200);
        assert_true(cell < 300);
        assert_true(plot < 5000); /* another point: its levels, figures and interval, in every panel */
        rig_close(&r);
    }
}

static void few_colour_pairs_are_enough_or_fall_back(void **state)
{
    (void)state;
    static const char *const types[] = {"xterm-256color", "xterm", "vt100", "dumb"};
    for (int t = 0; t < 4; t++) {
        for (int limit = 0; limit <= 64; limit = limit == 0 ? 1 : limit * 4) {
            struct rig r;
            int used = 0, refused = 0;
            rig_open(&r, types[t], 200, 60, limit, "dark");
            for (int key = '1'; key <= '8'; key++) {
                pare_ui_key(r.ui, key);
                frame(&r);
            }
            pare_term_pairs(r.term, &used, &refused);
            assert_true(limit == 0 || used <= limit);
            assert_true(limit != 1 || t >= 2 || refused > 0);
            assert_true(limit != 0 ||
                        refused == 0); /* with all of the terminal's pairs there are enough */
            rig_close(&r);
        }
    }
}

static char *all_output(struct rig *r, size_t *size)
{
    struct stat info;
    fflush(r->out);
    fstat(fileno(r->out), &info);
    *size = (size_t)info.st_size;
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(pread(fileno(r->out), bytes, *size, 0), (ssize_t)*size);
    bytes[*size] = '\0';
    return bytes;
}

static bool sends_colour(const char *bytes)
{
    for (const char *p = strstr(bytes, "\033["); p != NULL; p = strstr(p + 1, "\033[")) {
        const size_t n = strspn(p + 2, "0123456789;");
        if (p[2 + n] != 'm') {
            continue;
        }
        char codes[64];
        snprintf(codes, sizeof codes, ";%.*s", (int)n, p + 2);
        for (int c = 30; c <= 48; c++) {
            char code[8];
            snprintf(code, sizeof code, ";%d", c);
            if (c != 39 && strstr(codes, code) != NULL) {
                return true;
            }
        }
    }
    return false;
}

static void no_color_sends_no_colour(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        struct rig r;
        size_t size = 0;
        if (with == 0) {
            setenv("NO_COLOR", "1", 1);
        } else {
            unsetenv("NO_COLOR");
        }
        rig_open(&r, "xterm-256color", 120, 36, 0, NULL);
        frame(&r);
        char *bytes = all_output(&r, &size);
        assert_int_equal(sends_colour(bytes), with == 1);
        free(bytes);
        rig_close(&r);
    }
}

static void curses_holds_what_the_grid_holds(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, "xterm-256color", 120, 36, 0, "dark");
    frame(&r);
    for (int y = 0; y < 36; y++) {
        for (int x = 0; x < 120; x++) {
            cchar_t cell;
            wchar_t text[CCHARW_MAX] = {0};
            attr_t attr = 0;
            short pair = 0;
            mvin_wch(y, x, &cell);
            getcchar(&cell, text, &attr, &pair, NULL);
            assert_int_equal(text[0], r.ui->surface.cells[y * 120 + x].ch);
        }
    }
    rig_close(&r);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {cmocka_unit_test(little_is_sent_when_little_changed),
                                       cmocka_unit_test(few_colour_pairs_are_enough_or_fall_back),
                                       cmocka_unit_test(no_color_sends_no_colour),
                                       cmocka_unit_test(curses_holds_what_the_grid_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
