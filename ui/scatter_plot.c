/* scatter_plot.c: drawing the plot. Dots for hundreds of points, signs for those that matter. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ui/canvas.h"
#include "ui/scatter.h"

/* Layers of the canvas: the greater one gives a cell its colour. */
enum {
    DOT_PREDICTED = 1,
    DOT_GHOST,
    DOT_FRONT_PREDICTED,
    DOT_FRONT,
    DOT_RUN,
    DOT_RUN_LAST = DOT_RUN + 5,
    DOT_MARK,
    DOT_HERE
};

struct plot {
    struct pare_ui *ui;
    struct pare_rect area; /* cells of the canvas */
    struct pare_canvas canvas;
};

static bool measured(const struct pare_ui *ui, const struct pare_point *p)
{
    bool all = true;
    for (int axis = 0; axis < 2; axis++) {
        const enum pare_quantity q = ui->scatter.quantity[axis];
        all = all && (pare_quantity_is_prediction(q) || pare_ui_figure(p, q)->kind == PARE_FIGURE_MEASURED);
    }
    return all;
}

/* Dot of a value on an axis; false when it is unknown or outside. */
static bool dot_of(const struct plot *p, int axis, double value, int *dot)
{
    const double f = pare_axis_place(&p->ui->scatter.axis[axis], value);
    const int span = axis == 0 ? p->canvas.width : p->canvas.height;
    if (!isfinite(f) || f < -1e-9 || f > 1 + 1e-9) {
        return false;
    }
    *dot = (int)lround((axis == 0 ? f : 1 - f) * (span - 1));
    return true;
}

/* The same, with values outside put just beyond the edge, for lines. */
static int dot_beyond(const struct plot *p, int axis, double value)
{
    double f = pare_axis_place(&p->ui->scatter.axis[axis], value);
    const int span = axis == 0 ? p->canvas.width : p->canvas.height;
    f = isnan(f) ? -0.5 : f < -0.5 ? -0.5 : f > 1.5 ? 1.5 : f;
    return (int)lround((axis == 0 ? f : 1 - f) * (span - 1));
}

static bool cell_of(const struct plot *p, int point, int *x, int *y)
{
    int dx = 0, dy = 0;
    if (!dot_of(p, 0, pare_scatter_value(p->ui, point, 0), &dx) ||
        !dot_of(p, 1, pare_scatter_value(p->ui, point, 1), &dy)) {
        return false;
    }
    *x = p->area.x + dx * p->canvas.cols / p->canvas.width;
    *y = p->area.y + dy * p->canvas.rows / p->canvas.height;
    return true;
}

static void plot_dots(struct plot *p)
{
    for (int i = 0; i < p->ui->st->n_points; i++) {
        const struct pare_point *point = &p->ui->st->points[i];
        int x = 0, y = 0;
        if (!dot_of(p, 0, pare_scatter_value(p->ui, i, 0), &x) ||
            !dot_of(p, 1, pare_scatter_value(p->ui, i, 1), &y)) {
            continue;
        }
        if (!measured(p->ui, point)) {
            pare_canvas_dot(&p->canvas, x, y, DOT_PREDICTED, '.');
            continue;
        }
        const int layer = DOT_RUN + (point->run < 0 ? 0 : point->run % 6);
        pare_canvas_dot(&p->canvas, x, y, layer, 'o');
        if (p->canvas.kind == PARE_GLYPHS_BRAILLE) { /* measured points are twice as heavy */
            pare_canvas_dot(&p->canvas, x, y + (y % 4 == 3 ? -1 : 1), layer, 'o');
        }
    }
}

/* Steps through the points that `wanted` accepts: the best y that is reached at every x. */
static void plot_steps(struct plot *p, const int *order, int n, int kind, int layer, int gap)
{
    const struct pare_ui *ui = p->ui;
    const bool x_small = pare_quantity_small_is_better(ui->scatter.quantity[0]);
    const bool y_small = pare_quantity_small_is_better(ui->scatter.quantity[1]);
    bool started = false;
    double best = 0;
    int last_x = 0, last_y = 0;
    for (int k = 0; k < n; k++) {
        const int i = order[x_small ? k : n - 1 - k];
        const struct pare_point *point = &ui->st->points[i];
        const bool fits =
            kind == 2 ? pare_scatter_marked(ui, i, PARE_MARK_GHOST)
                      : pare_scatter_marked(ui, i, PARE_MARK_FRONT) && measured(ui, point) == (kind == 1);
        const double y = pare_scatter_value(ui, i, 1);
        if (!fits || (started && (y_small ? y >= best : y <= best))) {
            continue;
        }
        const int dx = dot_beyond(p, 0, pare_scatter_value(ui, i, 0)), dy = dot_beyond(p, 1, y);
        if (started) {
            pare_canvas_horizontal(&p->canvas, last_x, dx, last_y, layer, gap);
            pare_canvas_vertical(&p->canvas, dx, last_y, dy, layer, gap);
        }
        started = true;
        best = y;
        last_x = dx;
        last_y = dy;
    }
    if (started) {
        pare_canvas_horizontal(&p->canvas, last_x, x_small ? p->canvas.width : 0, last_y, layer,
                               gap);
    }
}

/* Where what was predicted is what was measured. */
static void plot_diagonal(struct plot *p)
{
    const enum pare_quantity x = p->ui->scatter.quantity[0], y = p->ui->scatter.quantity[1];
    if (!(x == PARE_Q_DROP_PREDICTED && y == PARE_Q_DROP) && !(x == PARE_Q_LATENCY_PREDICTED && y == PARE_Q_LATENCY)) {
        return;
    }
    for (int dx = 0; dx < p->canvas.width; dx += 2) {
        int dy = 0;
        if (dot_of(p, 1, pare_axis_value(&p->ui->scatter.axis[0], dx / (double)(p->canvas.width - 1)), &dy)) {
            pare_canvas_dot(&p->canvas, dx, dy, DOT_FRONT_PREDICTED, '.');
        }
    }
}

static void plot_interval(struct plot *p, int i, int layer)
{
    const struct pare_ui *ui = p->ui;
    int x = 0, y = 0;
    if (i < 0 || !dot_of(p, 0, pare_scatter_value(ui, i, 0), &x) ||
        !dot_of(p, 1, pare_scatter_value(ui, i, 1), &y)) {
        return;
    }
    for (int axis = 0; axis < 2; axis++) {
        const enum pare_quantity q = ui->scatter.quantity[axis];
        const struct pare_figure *f = pare_ui_figure(&ui->st->points[i], q);
        if (isfinite(f->low) && isfinite(f->high) && f->high > f->low) {
            const int a = dot_beyond(p, axis, pare_quantity_shown(q, f->low));
            const int b = dot_beyond(p, axis, pare_quantity_shown(q, f->high));
            if (axis == 0) {
                pare_canvas_horizontal(&p->canvas, a, b, y, layer, 1);
            } else {
                pare_canvas_vertical(&p->canvas, x, a, b, layer, 1);
            }
        }
    }
}

/* Arrows where an interval goes on beyond the plot: it does not end at the edge. */
static void draw_cuts(struct plot *p, int i, uint32_t style)
{
    const struct pare_ui *ui = p->ui;
    int x = 0, y = 0;
    if (i < 0 || !cell_of(p, i, &x, &y)) {
        return;
    }
    for (int axis = 0; axis < 2; axis++) {
        const enum pare_quantity q = ui->scatter.quantity[axis];
        const struct pare_figure *f = pare_ui_figure(&ui->st->points[i], q);
        const double ends[2] = {pare_axis_place(&ui->scatter.axis[axis], pare_quantity_shown(q, f->low)),
                                pare_axis_place(&ui->scatter.axis[axis], pare_quantity_shown(q, f->high))};
        if (!isfinite(f->low) || !isfinite(f->high) || f->high <= f->low) {
            continue;
        }
        if (axis == 0 && !(ends[0] >= -1e-9)) {
            pare_draw_char(&p->ui->surface, p->area.x, y, ui->g->left, style);
        }
        if (axis == 0 && ends[1] > 1 + 1e-9) {
            pare_draw_char(&p->ui->surface, p->area.x + p->area.w - 1, y, ui->g->right, style);
        }
        if (axis == 1 && !(ends[0] >= -1e-9)) {
            pare_draw_char(&p->ui->surface, x, p->area.y + p->area.h - 1, ui->g->down, style);
        }
        if (axis == 1 && ends[1] > 1 + 1e-9) {
            pare_draw_char(&p->ui->surface, x, p->area.y, ui->g->up, style);
        }
    }
}

/* A point's label beside it where nothing else stands: right, left, below, above. */
static void draw_label(struct plot *p, int x, int y, const char *label, uint32_t style)
{
    struct pare_surface *s = &p->ui->surface;
    const int w = pare_text_width(label);
    const int places[6][2] = {{x + 2, y},     {x - w - 1, y}, {x + 1, y + 1},
                              {x - w, y + 1}, {x + 1, y - 1}, {x - w, y - 1}};
    for (int i = 0; i < 6; i++) {
        const int from = places[i][0], row = places[i][1];
        bool is_free = from >= p->area.x && from + w <= p->area.x + p->area.w && row >= p->area.y &&
                       row < p->area.y + p->area.h;
        for (int c = from - 1; is_free && c <= from + w && c < s->width; c++) {
            const bool beside = c < from || c == from + w;
            const uint32_t ch = s->cells[row * s->width + c].ch;
            is_free = ch == ' ' ||
                      (beside && row != y && ((ch & ~0xffu) == 0x2800 || ch == '|' || ch == '.'));
        }
        if (is_free) {
            pare_draw_text(s, from, row, w, style, label);
            return;
        }
    }
}

static void draw_signs(struct plot *p)
{
    struct pare_ui *ui = p->ui;
    struct pare_surface *s = &ui->surface;
    int x = 0, y = 0;
    for (int i = 0; i < ui->st->n_points; i++) {
        const struct pare_point *point = &ui->st->points[i];
        const bool front = pare_scatter_marked(ui, i, PARE_MARK_FRONT);
        if ((front || pare_scatter_marked(ui, i, PARE_MARK_TIED)) && cell_of(p, i, &x, &y)) {
            const int run = point->run < 0 ? 0 : point->run % 6;
            const bool real = measured(ui, point);
            pare_draw_char(s, x, y, real ? ui->g->measured[run] : ui->g->predicted[run],
                           pare_theme_run(point->run) | (real && front ? PARE_BOLD : 0));
        }
    }
    for (int m = 0; m < ui->n_marks; m++) {
        if (cell_of(p, pare_ui_find_point(ui, ui->marks[m]), &x, &y)) {
            pare_draw_char(s, x, y, pare_ui_mark_sign(m + 1), PARE_INK_MARK | PARE_REVERSE);
        }
    }
    if (ui->point >= 0 && cell_of(p, ui->point, &x, &y)) {
        pare_draw_char(s, x, y, ui->g->here, PARE_INK_HERE);
    }
    for (int i = 0; i < ui->st->n_points; i++) {
        const struct pare_point *point = &ui->st->points[i];
        const bool named =
            point->label != NULL && point->label[0] != '\0' && strlen(point->label) <= 8 &&
            strchr(point->label, ':') == NULL; /* "solve:1" says no more than the cursor does */
        if (named && cell_of(p, i, &x, &y)) {
            draw_label(p, x, y, point->label, i == ui->point ? PARE_INK_HERE : PARE_INK_DIM);
        }
    }
}

/* Points beyond the window leave an arrow at its edge. */
static void draw_outside(struct plot *p)
{
    struct pare_ui *ui = p->ui;
    for (int i = 0; i < ui->st->n_points; i++) {
        int dx = 0;
        const double f = pare_axis_place(&ui->scatter.axis[1], pare_scatter_value(ui, i, 1));
        if ((f < 0 || f > 1) && dot_of(p, 0, pare_scatter_value(ui, i, 0), &dx)) {
            const int x = p->area.x + dx * p->canvas.cols / p->canvas.width;
            const int y = f < 0 ? p->area.y + p->area.h - 1 : p->area.y;
            if (ui->surface.cells[y * ui->surface.width + x].ch == ' ') {
                pare_draw_char(&ui->surface, x, y, f < 0 ? ui->g->down : ui->g->up, PARE_INK_DIM);
            }
        }
    }
}

/* The y axis: ticks at the left of the plot, labels right-aligned. label_w = cells of the widest
 * label. */
static int draw_axis_y(struct pare_ui *ui, struct pare_rect r, int bottom)
{
    double ticks[PARE_AXIS_TICKS];
    int decimals = 0, widest = 0;
    const int rows = bottom - r.y;
    const int n = pare_axis_ticks(&ui->scatter.axis[1],
                                  rows / 2 < 2    ? 2
                                  : rows / 2 > 10 ? 10
                                                  : rows / 2,
                                  ticks, &decimals);
    char label[PARE_AXIS_TICKS][24];
    for (int i = 0; i < n; i++) {
        pare_format_number(label[i], sizeof label[i], ticks[i], decimals, ui->g);
        const int w = pare_text_width(label[i]);
        widest = w > widest ? w : widest;
    }
    const int x = r.x + widest + 2;
    for (int y = r.y; y < bottom; y++) {
        pare_draw_char(&ui->surface, x, y, ui->g->vertical, PARE_INK_AXIS);
    }
    for (int i = 0; i < n; i++) {
        const double f = pare_axis_place(&ui->scatter.axis[1], ticks[i]);
        const int y = r.y + (int)lround((1 - f) * (rows - 1));
        if (y >= r.y && y < bottom) {
            pare_draw_right(&ui->surface, r.x + 1, y, widest, PARE_INK_DIM, label[i]);
            pare_draw_char(&ui->surface, x, y, ui->g->tick_left, PARE_INK_AXIS);
        }
    }
    return x + 1;
}

/* Digits that a tick of the x axis needs on its own (a log axis mixes 0.5 and 20). */
static int tick_decimals(const struct pare_axis *axis, double tick, int decimals)
{
    if (axis->log && axis->high / axis->low >= 3) {
        return tick < 1 ? (int)ceil(-log10(tick) - 1e-9) : 0;
    }
    return decimals;
}

/* 1, 2 and 5 times a power of ten are labelled before the others. */
static bool is_major(const struct pare_axis *axis, double tick)
{
    const double first = tick / pow(10, floor(log10(tick) + 1e-9));
    return !axis->log || fabs(first - 1) < 0.01 || fabs(first - 2) < 0.01 || fabs(first - 5) < 0.01;
}

static void draw_axis_x(struct pare_ui *ui, int x0, int x1, int y)
{
    const struct pare_axis *axis = &ui->scatter.axis[0];
    struct pare_surface *s = &ui->surface;
    double ticks[PARE_AXIS_TICKS];
    int decimals = 0;
    const int span = x1 - x0;
    for (int x = x0; x < x1; x++) {
        pare_draw_char(s, x, y, ui->g->horizontal, PARE_INK_AXIS);
    }
    const int cells =
        axis->log && axis->high / axis->low >= 3 ? 4 : 9; /* of a tick and its label */
    const int n = pare_axis_ticks(axis, span / cells < 2 ? 2 : span / cells, ticks, &decimals);
    for (int k = 0; k < 2 * n; k++) {
        char label[24];
        const int i = k % n;
        const int at = x0 + (int)lround(pare_axis_place(axis, ticks[i]) * (span - 1));
        if (is_major(axis, ticks[i]) != (k < n) || at < x0 || at >= x1) {
            continue;
        }
        pare_format_number(label, sizeof label, ticks[i], tick_decimals(axis, ticks[i], decimals),
                           ui->g);
        const int w = pare_text_width(label);
        const int from = at - w / 2 + w > x1 ? x1 - w : at - w / 2;
        bool is_free = true;
        pare_draw_char(s, at, y, ui->g->axis_down, PARE_INK_AXIS);
        for (int x = from - 1; x <= from + w && x < s->width; x++) {
            is_free = is_free && (x < x0 || x >= x1 || s->cells[(y + 1) * s->width + x].ch == ' ');
        }
        if (is_free) {
            pare_draw_text(s, from, y + 1, w, PARE_INK_DIM, label);
        }
    }
}

/* What the signs mean, in the line under the x axis. */
static void draw_legend(struct pare_ui *ui, int x, int y, int w)
{
    char sign[8];
    struct pare_pen pen = pare_pen(&ui->surface, x, y, w);
    pare_text_encode(ui->g->here, sign);
    pare_pen_put(&pen, PARE_INK_HERE, "%s", sign);
    pare_pen_put(&pen, PARE_INK_DIM, " here  ");
    for (int run = 0; run < ui->st->n_runs && run < 6; run++) {
        const char *name = ui->st->runs[run].name;
        const int left = ui->st->n_runs - run - 1;
        if (pen.x + 2 + pare_text_width(name) + (left > 0 ? 6 : 0) > pen.end) {
            pare_pen_put(&pen, PARE_INK_DIM, "+%d", left + 1); /* the runs' list (5) has them all */
            return;
        }
        pare_text_encode(ui->g->measured[run], sign);
        pare_pen_put(&pen, pare_theme_run(run) | PARE_BOLD, "%s", sign);
        pare_pen_put(&pen, PARE_INK_DIM, " %s", name);
        pen.x += 2;
    }
    if (ui->st->n_runs > 6) {
        pare_pen_put(&pen, PARE_INK_DIM, "+%d  ", ui->st->n_runs - 6);
    }
    if (pen.x + 12 <= pen.end) {
        pare_text_encode(ui->g->predicted[0], sign);
        pare_pen_put(&pen, PARE_INK_PREDICTED, "%s", sign);
        pare_pen_put(&pen, PARE_INK_DIM, " predicted  ");
    }
    bool ghost = false;
    for (int i = 0; i < ui->st->n_points && !ghost; i++) {
        ghost = pare_scatter_marked(ui, i, PARE_MARK_GHOST);
    }
    if (ghost && pen.x + 12 <= pen.end) {
        pare_text_encode(ui->g->dot, sign);
        pare_pen_put(&pen, PARE_INK_GHOST, "%s%s%s", sign, sign, sign);
        pare_pen_put(&pen, PARE_INK_DIM, " before");
    }
}

void pare_scatter_plot(struct pare_ui *ui, struct pare_rect r)
{
    if (r.w < 20 || r.h < 3) {
        return;
    }
    const bool legend = r.h >= 10, below = r.h >= 6; /* a very low plot keeps its lines for the points */
    const int bottom = r.y + r.h - (below ? 2 : 0) - (legend ? 1 : 0);
    const int left = draw_axis_y(ui, r, bottom), right = r.x + r.w - 1;
    if (below) {
        pare_draw_char(&ui->surface, left - 1, bottom, ui->g->axis_corner, PARE_INK_AXIS);
        draw_axis_x(ui, left, right, bottom);
    }
    if (legend) {
        draw_legend(ui, left, bottom + 2, right - left);
    }
    struct plot p = {.ui = ui, .area = {left, r.y, right - left, bottom - r.y}};
    ui->scatter.plot = p.area;
    int *order = malloc((size_t)(ui->st->n_points + 1) * sizeof *order);
    if (order == NULL || !pare_canvas_init(&p.canvas, ui->g->kind, p.area.w, p.area.h)) {
        free(order);
        return;
    }
    const int n = pare_scatter_order(ui, order, false);
    p.canvas.styles[DOT_PREDICTED] = PARE_INK_PREDICTED;
    p.canvas.styles[DOT_GHOST] = PARE_INK_GHOST;
    p.canvas.styles[DOT_FRONT_PREDICTED] = PARE_INK_PREDICTED;
    p.canvas.styles[DOT_FRONT] = PARE_INK_FRONT;
    p.canvas.styles[DOT_MARK] = PARE_INK_MARK;
    p.canvas.styles[DOT_HERE] = PARE_INK_HERE;
    for (int run = 0; run < 6; run++) {
        p.canvas.styles[DOT_RUN + run] = (uint32_t)pare_theme_run(run);
    }
    plot_diagonal(&p);
    plot_dots(&p);
    plot_steps(&p, order, n, 2, DOT_GHOST, 3);
    plot_steps(&p, order, n, 0, DOT_FRONT_PREDICTED, 2);
    plot_steps(&p, order, n, 1, DOT_FRONT, 1);
    for (int m = 0; m < ui->n_marks; m++) {
        plot_interval(&p, pare_ui_find_point(ui, ui->marks[m]), DOT_MARK);
    }
    plot_interval(&p, ui->point, DOT_HERE);
    pare_canvas_draw(&p.canvas, &ui->surface, p.area.x, p.area.y);
    draw_outside(&p);
    for (int m = 0; m < ui->n_marks; m++) {
        draw_cuts(&p, pare_ui_find_point(ui, ui->marks[m]), PARE_INK_MARK);
    }
    draw_cuts(&p, ui->point, PARE_INK_HERE);
    draw_signs(&p);
    if (pare_scatter_is_trust(ui)) {
        pare_trust_draw(ui, p.area);
    }
    pare_canvas_clear(&p.canvas);
    free(order);
}
