/*
 * surface.h: a grid of character cells in memory that views draw on. Nothing here knows a terminal:
 * term.c copies a surface to curses, key scripts write it to a file. All drawing is clipped to the
 * surface, so that no arithmetic of a view can leave it; a NULL or empty surface takes every call.
 *
 * A style is one number: ink (colour by meaning, theme.h), ink of the background, attributes.
 */
#ifndef PARE_SURFACE_H
#define PARE_SURFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ui/layout.h"

#define PARE_BOLD 0x10000u
#define PARE_REVERSE 0x20000u
#define PARE_UNDERLINE 0x40000u
#define PARE_FAINT 0x80000u
/* Ink of the background of a style. */
#define PARE_ON(ink) ((uint32_t)(ink) << 8)

struct pare_surface_cell {
    uint32_t ch; /* code point; 0 in the second half of a wide character */
    uint32_t style;
};

struct pare_surface {
    int width, height;
    struct pare_surface_cell *cells; /* [height][width] */
    bool ascii;                      /* code points above 126 are replaced while drawing */
};

/* Sets the size (at least 1x1) and blanks everything. false when memory is short: the old grid
 * stays. */
bool pare_surface_resize(struct pare_surface *s, int width, int height);
void pare_surface_clear(struct pare_surface *s);
void pare_surface_free(struct pare_surface *s);
/* Writes the text of the grid, UTF-8, one line per row, blanks at line ends left out. */
void pare_surface_write(const struct pare_surface *s, FILE *out);

void pare_draw_char(struct pare_surface *s, int x, int y, uint32_t ch, uint32_t style);
/* Sets only the background of w cells (selected rows). */
void pare_draw_back(struct pare_surface *s, int x, int y, int w, uint32_t ink);
void pare_draw_fill(struct pare_surface *s, struct pare_rect r, uint32_t ch, uint32_t style);
/* Draws at most w cells of UTF-8 text; a longer text ends in an ellipsis. Returns the cells used.
 */
int pare_draw_text(struct pare_surface *s, int x, int y, int w, uint32_t style, const char *text);
/* Ends at x + w; a number that does not fit is cut at its left with a sign, never shown shortened.
 */
void pare_draw_right(struct pare_surface *s, int x, int y, int w, uint32_t style, const char *text);
/* A longer text loses its middle. */
int pare_draw_middle(struct pare_surface *s, int x, int y, int w, uint32_t style, const char *text);

/* A line that is filled from left to right with differently styled pieces, up to its end. */
struct pare_pen {
    struct pare_surface *s;
    int x, y, end;
};
struct pare_pen pare_pen(struct pare_surface *s, int x, int y, int w);
void pare_pen_put(struct pare_pen *pen, uint32_t style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Cells that a text takes (wide characters 2, combining and control 0); decoding is safe on any
 * bytes. */
int pare_text_width(const char *text);
/* Next code point and its width; broken bytes give U+FFFD, control bytes a dot. Returns bytes
 * eaten, 0 at end. */
size_t pare_text_next(const char *text, uint32_t *ch, int *width);
/* Code point as UTF-8 into out (terminated); returns its length. */
size_t pare_text_encode(uint32_t ch, char out[8]);

#endif
