/* frame.c: one frame: boxes, notes, bars, and the order in which a screen is put together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ui/app.h"

void pare_ui_draw_box(struct pare_ui *ui, struct pare_rect r, bool focused, const char *title,
                      const char *right)
{
    struct pare_surface *s = &ui->surface;
    const struct pare_glyphs *g = ui->g;
    const uint32_t style = focused ? PARE_INK_BORDER_FOCUS : PARE_INK_BORDER;
    if (r.w < 2 || r.h < 2) {
        return;
    }
    for (int x = r.x + 1; x < r.x + r.w - 1; x++) {
        pare_draw_char(s, x, r.y, g->horizontal, style);
        pare_draw_char(s, x, r.y + r.h - 1, g->horizontal, style);
    }
    for (int y = r.y + 1; y < r.y + r.h - 1; y++) {
        pare_draw_char(s, r.x, y, g->vertical, style);
        pare_draw_char(s, r.x + r.w - 1, y, g->vertical, style);
    }
    pare_draw_char(s, r.x, r.y, g->top_left, style);
    pare_draw_char(s, r.x + r.w - 1, r.y, g->top_right, style);
    pare_draw_char(s, r.x, r.y + r.h - 1, g->bottom_left, style);
    pare_draw_char(s, r.x + r.w - 1, r.y + r.h - 1, g->bottom_right, style);
    int room = r.w - 6;
    if (title != NULL && title[0] != '\0' && room > 0) {
        pare_draw_char(s, r.x + 2, r.y, ' ', style);
        const int used =
            pare_draw_text(s, r.x + 3, r.y, room, focused ? PARE_INK_TITLE : PARE_INK_TEXT, title);
        pare_draw_char(s, r.x + 3 + used, r.y, ' ', style);
        room -= used + 3;
    }
    const int width = right != NULL ? pare_text_width(right) : 0;
    if (width > 0 && width <= room) {
        const int x = r.x + r.w - 3 - width;
        pare_draw_char(s, x - 1, r.y, ' ', style);
        pare_draw_text(s, x, r.y, width, PARE_INK_DIM, right);
        pare_draw_char(s, x + width, r.y, ' ', style);
    }
}

/* Text broken at blanks into lines of at most w cells, centred in r. */
void pare_ui_draw_note(struct pare_ui *ui, struct pare_rect r, const char *text)
{
    const int w = r.w - 4 > 60 ? 60 : r.w - 4;
    char line[256] = "";
    const char *p = text;
    if (w < 4 || r.h < 1) {
        return;
    }
    const int lines = pare_text_width(text) / w + 1;
    int y = r.y + (r.h - lines) / 2;
    y = y < r.y ? r.y : y;
    while (*p != '\0' && y < r.y + r.h) {
        size_t used = 0, cut = 0;
        for (const char *q = p;; q++) {
            if (*q == '\0' || *q == ' ' || *q == '\n') {
                const size_t n =
                    (size_t)(q - p) < sizeof line - 1 ? (size_t)(q - p) : sizeof line - 1;
                memcpy(line, p, n);
                line[n] = '\0';
                if (pare_text_width(line) > w && cut > 0) {
                    break;
                }
                cut = n;
                used = (size_t)(q - p);
                if (*q != ' ') {
                    break;
                }
            }
        }
        line[cut] = '\0';
        const int width = pare_text_width(line) > w ? w : pare_text_width(line);
        pare_draw_text(&ui->surface, r.x + (r.w - width) / 2, y++, w, PARE_INK_DIM, line);
        p += used;
        p += *p == ' ' || *p == '\n' ? 1 : 0;
    }
}

void pare_ui_draw_bar(struct pare_ui *ui, int x, int y, int w, double part)
{
    part = !(part >= 0) ? 0 : part > 1 ? 1 : part;
    const int full = (int)lround(part * w);
    for (int i = 0; i < w; i++) {
        pare_draw_char(&ui->surface, x + i, y, i < full ? ui->g->bar_full : ui->g->bar_rest,
                       i < full ? PARE_INK_BAR : PARE_INK_BAR_REST);
    }
}

static void draw_too_small(struct pare_ui *ui)
{
    struct pare_surface *s = &ui->surface;
    char text[96];
    snprintf(text, sizeof text, "pare needs 40x10, this is %dx%d", s->width, s->height);
    const int y = s->height > 2 ? s->height / 2 - 1 : 0;
    pare_draw_text(s, 0, y, s->width, PARE_INK_TITLE, text);
    pare_draw_text(s, 0, y + 1, s->width, PARE_INK_DIM, "enlarge the window, or q quits");
}

/* Instead of the views while there is nothing to show: opening, or why it failed. true = drawn. */
static bool draw_state_page(struct pare_ui *ui)
{
    const struct pare_state *st = ui->st;
    if (st->failed == NULL && !st->loading) {
        return false;
    }
    struct pare_rect r = ui->layout.panel[0];
    for (int i = 1; i < 3; i++) {
        r.w = ui->layout.panel[i].w > 0 ? ui->layout.panel[i].x + ui->layout.panel[i].w - r.x : r.w;
    }
    if (ui->layout.kind == PARE_LAYOUT_SINGLE && ui->layout.panel[1].w > 0) {
        r = ui->layout.panel[1];
    }
    pare_ui_draw_box(ui, r, true, st->failed != NULL ? "cannot open" : "opening", NULL);
    struct pare_rect in = pare_rect_inside(r);
    if (st->failed != NULL) {
        pare_draw_text(&ui->surface, in.x + 2, in.y + 1, in.w - 4, PARE_INK_BAD,
                       st->path != NULL ? st->path : "");
        in.y += 2;
        in.h -= 2;
        pare_ui_draw_note(ui, in, st->failed);
    } else {
        pare_ui_draw_note(ui, in, "a worker reads the models; layers and points appear here");
    }
    return true;
}

void pare_ui_draw(struct pare_ui *ui)
{
    pare_ui_refresh_state(ui);
    ui->surface.ascii = ui->g->ascii;
    pare_surface_clear(&ui->surface);
    const bool split = ui->view == PARE_VIEW_SCATTER;
    pare_layout_compute(ui->surface.width, ui->surface.height, split, ui->focus, &ui->layout);
    if (split && ui->layout.n_panels > 0 && ui->focus >= ui->layout.n_panels) {
        ui->focus = 0;
        pare_layout_compute(ui->surface.width, ui->surface.height, split, 0, &ui->layout);
    }
    ui->dirty = false;
    ui->drawn_version = ui->st->version;
    if (ui->layout.kind == PARE_LAYOUT_TOO_SMALL) {
        draw_too_small(ui);
        return;
    }
    if (!draw_state_page(ui)) {
        static const enum pare_view main_views[3] = {PARE_VIEW_SCATTER, PARE_VIEW_LAYERS,
                                                     PARE_VIEW_COMPARE};
        for (int i = 0; i < ui->layout.n_panels; i++) {
            const struct pare_rect r = ui->layout.panel[i];
            if (r.w > 0 && r.h > 0) {
                const enum pare_view view = split ? main_views[i] : ui->view;
                pare_view_ops(view)->draw(ui, r, !split || i == ui->focus, split ? i : -1);
            }
        }
    }
    pare_status_draw(ui);
    if (ui->popup.open) {
        pare_popup_draw(ui);
    }
}
