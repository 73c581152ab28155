/*
 * ui.h: the workbench. It lives from a read-only struct pare_state and a struct of callbacks; every
 * action is a command line. One thread. The caller owns the state, the loop and the host's
 * functions.
 *
 * With a terminal:  pare_ui_run(loop, &host, &options)
 * Without one:      pare_ui_new, pare_ui_key / pare_ui_execute, pare_ui_draw, pare_ui_write (tests,
 * key scripts)
 */
#ifndef PARE_UI_H
#define PARE_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "pare.h"

struct uv_loop_s;
struct pare_ui;
struct pare_bindings;

/* What the workbench needs from outside; `user` is handed back to every call. Only state is
 * required. */
struct pare_ui_host {
    void *user;
    /* The current state; asked before every frame and after every command. Valid until the next
     * call. */
    const struct pare_state *(*state)(void *user);
    /* Runs one CORE command line; point = index of the point under the cursor, -1 = none. */
    enum pare_status (*command)(void *user, const char *line, int point, struct pare_error *err);
    bool (*preview)(void *user, int layer, int level_lo, int level_hi, char *text, size_t size);
    /* What a command line would cost, in words; seconds, NaN when it starts no work (pare_front_price_line). */
    double (*price)(void *user, const char *line, int point, char *text, size_t size);
    int (*complete)(void *user, const char *line, const char **words, int max);
    void (*explain_cell)(void *user, int layer, int level, char *text, size_t size);
    void (*explain_point)(void *user, int point, char *text, size_t size);
    void (*why)(void *user, int layer, int level, struct pare_why *why); /* pare_front_why; NULL = nothing is known */
    int (*proxies)(void *user, struct pare_proxy *proxies); /* pare_front_proxies; NULL = none */
    void (*distances)(void *user, const int *points, int n); /* pare_front_distances, of points that are shown; NULL = none */
};

struct pare_ui_options {
    const char *theme;      /* "dark", "light", "mono"; NULL = dark, mono under NO_COLOR */
    const char *glyphs;     /* "braille", "block", "ascii"; NULL = by locale */
    const char *view;       /* first view; NULL = scatter */
    const char *key_script; /* file of keys and :commands, run without a terminal at columns x rows;
                               NULL = none */
    const struct pare_bindings *bindings; /* the user's keys (bind.h), copied; NULL = none */
    int columns, rows;      /* of a key script; 0 = COLUMNS and LINES, else 80x24 */
    bool mouse;             /* off leaves selecting to the terminal */
    const char *log_path;   /* where text for fd 2 goes while the screen is up; NULL = a temporary
                               file,   printed to the real fd 2 at the end */
};

enum pare_ui_end {
    PARE_UI_QUIT,   /* the user left */
    PARE_UI_LOST,   /* the terminal is gone: save and leave; nothing may be printed */
    PARE_UI_SIGNAL, /* SIGTERM or SIGINT from outside */
    PARE_UI_FAILED  /* no usable terminal, or a key script with an error (err says which) */
};

/* Shows the workbench until it ends. The loop is shared with the caller's handles; only our own
 * handles are closed at the end. All terminal state is restored on every way out. options may be
 * NULL. */
enum pare_ui_end pare_ui_run(struct uv_loop_s *loop, const struct pare_ui_host *host,
                             const struct pare_ui_options *options, struct pare_error *err);

/* A workbench without a terminal. NULL when memory is short. */
struct pare_ui *pare_ui_new(const struct pare_ui_host *host, const struct pare_ui_options *options,
                            int columns, int rows);
void pare_ui_free(struct pare_ui *ui);
void pare_ui_resize(struct pare_ui *ui, int columns, int rows);
/* One key: a code point, a control code, or enum pare_key (keys.h). */
void pare_ui_key(struct pare_ui *ui, int key);
/* One command line, of either scope, as typed after ':'. */
void pare_ui_execute(struct pare_ui *ui, const char *line);
/* True when the state or the screen's own choices changed since the last draw. */
bool pare_ui_stale(struct pare_ui *ui);
/* Draws a frame into the grid in memory. */
void pare_ui_draw(struct pare_ui *ui);
/* The last frame as text. */
void pare_ui_write(const struct pare_ui *ui, FILE *out);
bool pare_ui_wants_quit(const struct pare_ui *ui);

/* Runs the text of a key script (keyscript.h says the format). loop may be NULL; with one, `:wait`
 * runs it until the state is idle. */
enum pare_status pare_ui_script(struct pare_ui *ui, struct uv_loop_s *loop, const char *text,
                                struct pare_error *err);

#endif
