/*
 * canvas.h: a grid of dots finer than cells: braille 2x4, quadrant blocks 2x2, ASCII 1x1. A dot has
 * a layer (0 = empty, greater wins at the same dot and gives its cell the colour). An empty cell
 * stays a blank, never an empty braille pattern: some fonts draw that as circles.
 */
#ifndef PARE_CANVAS_H
#define PARE_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "ui/glyph.h"
#include "ui/surface.h"

#define PARE_CANVAS_LAYERS 16

struct pare_canvas {
    enum pare_glyph_kind kind;
    int cols, rows;       /* cells */
    int width, height;    /* dots */
    unsigned char *dots;  /* [height][width] layer of the dot */
    unsigned char *signs; /* [rows][cols] ASCII only: the sign of the cell's greatest layer */
    uint32_t styles[PARE_CANVAS_LAYERS];
};

/* false when memory is short or the size is empty; the canvas then takes every call and shows
 * nothing. */
bool pare_canvas_init(struct pare_canvas *c, enum pare_glyph_kind kind, int cols, int rows);
void pare_canvas_clear(struct pare_canvas *c); /* frees */
/* sign: what ASCII shows. Dots outside are dropped. y grows downwards. */
void pare_canvas_dot(struct pare_canvas *c, int x, int y, int layer, char sign);
/* A horizontal or vertical line of dots, both ends included; every `gap`th dot (1 = all). */
void pare_canvas_horizontal(struct pare_canvas *c, int x0, int x1, int y, int layer, int gap);
void pare_canvas_vertical(struct pare_canvas *c, int x, int y0, int y1, int layer, int gap);
/* Copies the cells that have dots to (x, y) of a surface. */
void pare_canvas_draw(const struct pare_canvas *c, struct pare_surface *s, int x, int y);

#endif
