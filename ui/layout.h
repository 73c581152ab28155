/*
 * layout.h: where everything stands, as a pure function of the size and of what is shown. No
 * ncurses, no state: tested over every size from 1x1 to 300x100. Every rectangle lies inside the
 * screen, none overlap, and an absent panel has w == 0 or h == 0.
 */
#ifndef PARE_LAYOUT_H
#define PARE_LAYOUT_H

#include <stdbool.h>

struct pare_rect {
    int x, y, w, h;
};

enum pare_layout_kind {
    PARE_LAYOUT_TOO_SMALL, /* below 40x10: one page that says so (rectangle `whole`) */
    PARE_LAYOUT_SINGLE,    /* below 80x24: one panel at a time */
    PARE_LAYOUT_FULL,      /* scatter and layers beside each other */
    PARE_LAYOUT_WIDE       /* from 160 columns: the comparison fits beside them */
};

struct pare_layout {
    enum pare_layout_kind kind;
    struct pare_rect whole;
    struct pare_rect header, tabs; /* one line each */
    struct pare_rect panel[3];     /* the main screen: scatter, layers, comparison; else [0] only */
    int n_panels;
    struct pare_rect point; /* what is under the cursor, in words: a box of 4 lines, or one line */
    bool point_boxed;
    struct pare_rect budget, progress; /* one line each */
    struct pare_rect message, keys;    /* one line each: answers and prompts; what keys do */
};

/* `split`: the view is made of several panels (the main screen). focus (0..) chooses the panel that
 * is shown when there is room for one only. width and height may be anything. */
void pare_layout_compute(int width, int height, bool split, int focus, struct pare_layout *out);

/* The inside of a bordered rectangle (never negative). */
struct pare_rect pare_rect_inside(struct pare_rect r);

#endif
