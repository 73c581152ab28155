/* mouse.c: clicks. Everything that the mouse does, keys do too. */
#include "ui/mouse.h"

#include <math.h>

#include "ui/app.h"
#include "ui/scatter.h"

static bool inside(struct pare_rect r, int x, int y)
{
    return x >= r.x && y >= r.y && x < r.x + r.w && y < r.y + r.h;
}

static void click_plot(struct pare_ui *ui, int x, int y)
{
    const struct pare_rect r = ui->scatter.plot;
    int best = -1;
    double least = INFINITY;
    for (int i = 0; i < ui->st->n_points && r.w > 1 && r.h > 1; i++) {
        const double dx =
            r.x + pare_axis_place(&ui->scatter.axis[0], pare_scatter_value(ui, i, 0)) * (r.w - 1) -
            x;
        const double dy =
            r.y +
            (1 - pare_axis_place(&ui->scatter.axis[1], pare_scatter_value(ui, i, 1))) * (r.h - 1) -
            y;
        const double d = dx * dx + 4 * dy * dy; /* cells are twice as high as wide */
        if (d < least) {
            least = d;
            best = i;
        }
    }
    if (best >= 0) {
        pare_ui_set_point(ui, best);
    }
}

static void click_row(struct pare_ui *ui, struct pare_rect panel, int y)
{
    const enum pare_view view = pare_ui_active(ui);
    struct pare_table *t = &ui->tables[view];
    const int row = y - panel.y - 2 + t->top;
    if (pare_view_ops(view)->model == NULL || row < 0 || row >= t->n || t->order[row] < 0) {
        return;
    }
    t->cursor = t->order[row];
    if (view == PARE_VIEW_LAYERS || view == PARE_VIEW_MATRIX) {
        ui->layer = t->cursor;
    }
}

void pare_ui_click(struct pare_ui *ui, int x, int y)
{
    if (ui->popup.open || ui->prompt.open) {
        pare_ui_key(ui, PARE_KEY_ESC);
        return;
    }
    pare_ui_refresh_state(ui);
    ui->dirty = true;
    if (inside(ui->layout.tabs, x, y)) {
        int at = ui->layout.tabs.x;
        for (int i = 0; i < PARE_VIEW_COUNT; i++) {
            at += pare_text_width(pare_view_ops((enum pare_view)i)->name) + 5;
            if (x < at) {
                pare_ui_run_command(ui, "view", pare_view_ops((enum pare_view)i)->name);
                return;
            }
        }
        return;
    }
    for (int i = 0; i < ui->layout.n_panels; i++) {
        if (inside(ui->layout.panel[i], x, y)) {
            ui->focus = ui->view == PARE_VIEW_SCATTER ? i : ui->focus;
            if (pare_ui_active(ui) == PARE_VIEW_SCATTER) {
                click_plot(ui, x, y);
            } else {
                click_row(ui, ui->layout.panel[i], y);
            }
        }
    }
}
