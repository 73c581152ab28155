/* canvas.c: dots to cells. */
#include "ui/canvas.h"

#include <stdlib.h>
#include <string.h>

bool pare_canvas_init(struct pare_canvas *c, enum pare_glyph_kind kind, int cols, int rows)
{
    memset(c, 0, sizeof *c);
    if (cols <= 0 || rows <= 0) {
        return false;
    }
    c->kind = kind;
    c->cols = cols;
    c->rows = rows;
    c->width = cols * (kind == PARE_GLYPHS_ASCII ? 1 : 2);
    c->height = rows * (kind == PARE_GLYPHS_BRAILLE ? 4 : kind == PARE_GLYPHS_BLOCK ? 2 : 1);
    c->dots = calloc((size_t)c->width * (size_t)c->height, 1);
    c->signs = calloc((size_t)cols * (size_t)rows, 1);
    if (c->dots == NULL || c->signs == NULL) {
        pare_canvas_clear(c);
        return false;
    }
    return true;
}

void pare_canvas_clear(struct pare_canvas *c)
{
    free(c->dots);
    free(c->signs);
    memset(c, 0, sizeof *c);
}

void pare_canvas_dot(struct pare_canvas *c, int x, int y, int layer, char sign)
{
    if (x < 0 || y < 0 || x >= c->width || y >= c->height) {
        return;
    }
    unsigned char *dot = &c->dots[y * c->width + x];
    if (layer >= *dot) {
        *dot = (unsigned char)layer;
        if (c->kind == PARE_GLYPHS_ASCII) {
            unsigned char *old = &c->signs[y * c->cols + x];
            const bool crossing = (*old == '-' && sign == '|') || (*old == '|' && sign == '-');
            *old = crossing ? '+' : (unsigned char)sign;
        }
    }
}

void pare_canvas_horizontal(struct pare_canvas *c, int x0, int x1, int y, int layer, int gap)
{
    if (x0 > x1) {
        const int t = x0;
        x0 = x1;
        x1 = t;
    }
    x1 = x1 >= c->width ? c->width - 1 : x1;
    for (int x = x0 < 0 ? 0 : x0; x <= x1; x++) {
        if (x % gap == 0) {
            pare_canvas_dot(c, x, y, layer, '-');
        }
    }
}

void pare_canvas_vertical(struct pare_canvas *c, int x, int y0, int y1, int layer, int gap)
{
    if (y0 > y1) {
        const int t = y0;
        y0 = y1;
        y1 = t;
    }
    y1 = y1 >= c->height ? c->height - 1 : y1;
    for (int y = y0 < 0 ? 0 : y0; y <= y1; y++) {
        if (y % gap == 0) {
            pare_canvas_dot(c, x, y, layer, '|');
        }
    }
}

/* The sign of one cell and its greatest layer; 0 when it has no dots. */
static uint32_t cell_sign(const struct pare_canvas *c, int col, int row, int *layer)
{
    static const unsigned char braille[4][2] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    static const uint16_t quadrants[16] = {' ',    0x2598, 0x259D, 0x2580, 0x2596, 0x258C,
                                           0x259E, 0x259B, 0x2597, 0x259A, 0x2590, 0x259C,
                                           0x2584, 0x2599, 0x259F, 0x2588};
    const int dx = c->width / c->cols, dy = c->height / c->rows;
    unsigned bits = 0;
    *layer = 0;
    for (int y = 0; y < dy; y++) {
        for (int x = 0; x < dx; x++) {
            const int dot = c->dots[(row * dy + y) * c->width + col * dx + x];
            if (dot == 0) {
                continue;
            }
            *layer = dot > *layer ? dot : *layer;
            bits |= dy == 4 ? braille[y][x] : 1u << (y * 2 + x);
        }
    }
    if (bits == 0) {
        return 0;
    }
    return c->kind == PARE_GLYPHS_BRAILLE ? 0x2800 + bits
           : c->kind == PARE_GLYPHS_BLOCK ? quadrants[bits & 15]
                                          : c->signs[row * c->cols + col];
}

void pare_canvas_draw(const struct pare_canvas *c, struct pare_surface *s, int x, int y)
{
    for (int row = 0; row < c->rows; row++) {
        for (int col = 0; col < c->cols; col++) {
            int layer = 0;
            const uint32_t sign = cell_sign(c, col, row, &layer);
            if (sign != 0) {
                pare_draw_char(s, x + col, y + row, sign, c->styles[layer % PARE_CANVAS_LAYERS]);
            }
        }
    }
}
