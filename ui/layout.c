/* layout.c: rectangles from sizes. */
#include "ui/layout.h"

#include <string.h>

struct pare_rect pare_rect_inside(struct pare_rect r)
{
    if (r.w < 2 || r.h < 2) {
        return (struct pare_rect){r.x, r.y, 0, 0};
    }
    return (struct pare_rect){r.x + 1, r.y + 1, r.w - 2, r.h - 2};
}

static int clamp(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

/* Width of the layer table beside the plot: what its columns can use, at most about half. */
static int table_width(int width)
{
    return clamp(width * 46 / 100, 38, 72);
}

static void place_panels(struct pare_layout *l, struct pare_rect body, bool split, int focus)
{
    if (!split) {
        l->panel[0] = body;
        l->n_panels = 1;
        return;
    }
    if (l->kind == PARE_LAYOUT_SINGLE) {
        l->n_panels = 2;
        l->panel[focus == 1 ? 1 : 0] = body;
        return;
    }
    const int third = l->kind == PARE_LAYOUT_WIDE ? clamp(body.w * 27 / 100, 44, 60) : 0;
    const int table = table_width(body.w - third);
    const int plot = body.w - third - table;
    l->panel[0] = (struct pare_rect){body.x, body.y, plot, body.h};
    l->panel[1] = (struct pare_rect){body.x + plot, body.y, table, body.h};
    l->n_panels = 2;
    if (third > 0) {
        l->panel[2] = (struct pare_rect){body.x + plot + table, body.y, third, body.h};
        l->n_panels = 3;
    }
}

void pare_layout_compute(int width, int height, bool split, int focus, struct pare_layout *out)
{
    memset(out, 0, sizeof *out);
    struct pare_layout *l = out;
    width = width < 1 ? 1 : width;
    height = height < 1 ? 1 : height;
    l->whole = (struct pare_rect){0, 0, width, height};
    if (width < 40 || height < 10) {
        l->kind = PARE_LAYOUT_TOO_SMALL;
        return;
    }
    l->kind = width < 80 || height < 24 ? PARE_LAYOUT_SINGLE
              : width < 160             ? PARE_LAYOUT_FULL
                                        : PARE_LAYOUT_WIDE;
    int top = 0, bottom = height;
    const bool roomy = height >= 14;
    l->header = (struct pare_rect){0, top++, width, 1};
    if (roomy) {
        l->tabs = (struct pare_rect){0, top++, width, 1};
    }
    l->keys = (struct pare_rect){0, --bottom, width, 1};
    l->message = (struct pare_rect){0, --bottom, width, 1};
    if (roomy) {
        l->progress = (struct pare_rect){0, --bottom, width, 1};
        l->budget = (struct pare_rect){0, --bottom, width, 1};
    }
    if (split || height >= 18) {
        l->point_boxed = height >= 30 && width >= 80;
        const int lines = l->point_boxed ? 4 : 1;
        bottom -= lines;
        l->point = (struct pare_rect){0, bottom, width, lines};
    }
    place_panels(l, (struct pare_rect){0, top, width, bottom - top}, split, focus);
}
