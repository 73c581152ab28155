/*
 * term.h: the only file that changes the terminal's state. Opens curses, copies surfaces to it,
 * reads keys, restores everything on every way out: close, exit, suspend, fatal signals. One
 * terminal at a time.
 */
#ifndef PARE_TERM_H
#define PARE_TERM_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"
#include "ui/surface.h"
#include "ui/theme.h"

struct pare_term;

struct pare_term_setup {
    const char *type;     /* terminfo name; NULL = TERM */
    FILE *in, *out;       /* NULL = stdin, stdout */
    int columns, rows;    /* 0 = ask the terminal */
    int max_pairs;        /* colour pairs to use at most; 0 = what the terminal has (tests) */
    bool park;            /* keep fd 2 away from the screen */
    const char *log_path; /* where fd 2 goes; NULL = temporary, shown at the end */
};

enum pare_status pare_term_open(struct pare_term **out, const struct pare_term_setup *setup,
                                struct pare_error *err);
/* lost: the terminal is gone; nothing is printed. NULL is fine. */
void pare_term_close(struct pare_term *t, bool lost);

/* Sends what changed since the last call: nothing when nothing changed. */
void pare_term_blit(struct pare_term *t, const struct pare_surface *s, enum pare_theme_kind theme);
/* The next frame is sent whole. */
void pare_term_redraw(struct pare_term *t);
/* The next key (keys.h), PARE_KEY_NONE when there is none. Never waits (a lone Esc: 25 ms). */
int pare_term_key(struct pare_term *t);
/* Place of the last PARE_KEY_CLICK. */
void pare_term_click(const struct pare_term *t, int *x, int *y);
/* Asks the kernel for the size and adapts. */
void pare_term_size(struct pare_term *t, int *columns, int *rows);
void pare_term_mouse(struct pare_term *t, bool on);
/* Puts text into the clipboard of the terminal, wherever that runs (OSC 52); false when the terminal is not of a kind that
 * knows it, or the text is too long for what terminals take. Nobody answers: it is sent, not known to have arrived. */
bool pare_term_copy(struct pare_term *t, const char *text);
/* Gives the terminal back, stops the process, and takes the terminal again on SIGCONT. */
void pare_term_suspend(struct pare_term *t);
/* True when the other side hung up. */
bool pare_term_lost(const struct pare_term *t);
int pare_term_fd(const struct pare_term *t);
/* Colour pairs in use, and how often there was none left. */
void pare_term_pairs(const struct pare_term *t, int *used, int *refused);
enum pare_depth pare_term_depth(const struct pare_term *t);

#endif
