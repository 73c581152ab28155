/* view_scatter.c: the plot: what it shows, its title and axes, and the cursor's way from point to
 * point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ui/app.h"
#include "ui/scatter.h"

static const struct {
    const char *name, *unit;
    double scale;
    bool small_is_better;
} quantities[PARE_Q_COUNT] = {{"accuracy", "%", 100, false},
                              {"drop", "%", 100, true},
                              {"latency", "ms", 1, true},
                              {"bytes", "kB", 1e-3, true},
                              {"bitops", "G", 1e-9, true},
                              {"energy", "uJ", 1, true},
                              {"loss", "", 1, true},
                              {"drop_predicted", "%", 100, true},
                              {"latency_predicted", "ms", 1, true}};

const char *pare_quantity_name(enum pare_quantity q)
{
    return quantities[q].name;
}

const char *pare_quantity_unit(enum pare_quantity q)
{
    return quantities[q].unit;
}

double pare_quantity_shown(enum pare_quantity q, double value)
{
    return value * quantities[q].scale;
}

bool pare_quantity_small_is_better(enum pare_quantity q)
{
    return quantities[q].small_is_better;
}

int pare_quantity_parse(const char *name)
{
    for (int i = 0; i < PARE_Q_COUNT; i++) {
        if (strcmp(name, quantities[i].name) == 0) {
            return i;
        }
    }
    return -1;
}

double pare_scatter_value(const struct pare_ui *ui, int point, int axis)
{
    const enum pare_quantity q = ui->scatter.quantity[axis];
    const struct pare_figure *f = pare_ui_figure(&ui->st->points[point], q);
    if (pare_scatter_is_trust(ui) && !pare_quantity_is_prediction(q) && f->kind != PARE_FIGURE_MEASURED) {
        return NAN; /* held against what was measured, not against another prediction */
    }
    return pare_quantity_shown(q, f->value);
}

bool pare_scatter_marked(const struct pare_ui *ui, int point, int mark)
{
    const struct pare_scatter_state *sc = &ui->scatter;
    return point >= 0 && point < sc->n_marks && (sc->marks[point] & mark) != 0;
}

void pare_scatter_update(struct pare_ui *ui)
{
    struct pare_scatter_state *sc = &ui->scatter;
    const int n = ui->st->n_points;
    if (sc->marks != NULL && sc->marks_version == ui->st->version && sc->n_marks == n &&
        memcmp(sc->marks_of, sc->quantity, sizeof sc->marks_of) == 0) {
        return;
    }
    unsigned char *marks = realloc(sc->marks, (size_t)n + 1);
    sc->n_marks = 0;
    if (marks == NULL) {
        return; /* nothing stands out until there is memory */
    }
    sc->marks = marks;
    if (pare_scatter_is_trust(ui)) {
        return; /* a prediction is no aim: nothing stands out */
    }
    if (pare_state_marks(ui->st, (enum pare_point_figure)sc->quantity[0],
                         (enum pare_point_figure)sc->quantity[1], marks)) {
        sc->n_marks = n;
        sc->marks_version = ui->st->version;
        memcpy(sc->marks_of, sc->quantity, sizeof sc->marks_of);
    }
}

static int by_value(const void *pa, const void *pb)
{
    const double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

/* How far below the best the y axis reaches: what the front needs without its worst point, five
 * budgets, the cursor and the marks; points that lost everything (one-bit configurations) would
 * flatten the rest. */
static double useful_depth(const struct pare_ui *ui, double best)
{
    double depth =
        pare_quantity_shown(PARE_Q_DROP, isfinite(ui->st->max_drop) ? 5 * ui->st->max_drop : 0.02);
    double *front = malloc((size_t)(ui->st->n_points + 1) * sizeof *front);
    int n = 0;
    for (int i = 0; i < ui->st->n_points; i++) {
        const double below = fabs(pare_scatter_value(ui, i, 1) - best);
        const bool chosen = i == ui->point || pare_ui_mark_of(ui, i) > 0;
        if (isfinite(below) && pare_scatter_marked(ui, i, PARE_MARK_FRONT) && front != NULL) {
            front[n++] = below;
        }
        depth = isfinite(below) && chosen && below > depth ? below : depth;
    }
    if (n > 1) {
        qsort(front, (size_t)n, sizeof *front, by_value);
        /* 35 points down nobody chooses any more, however cheap it is */
        const double needed = front[n - 2] < 35 ? front[n - 2] : 35;
        depth = needed > depth ? needed : depth;
    }
    free(front);
    return depth * 1.1;
}

/* The axis that holds all points, the useful ones, or the zoomed window. */
static struct pare_axis axis_for(const struct pare_ui *ui, int axis)
{
    if (ui->scatter.zoomed) {
        return ui->scatter.window[axis];
    }
    double low = INFINITY, high = -INFINITY;
    const bool log = ui->scatter.log[axis];
    const enum pare_quantity q = ui->scatter.quantity[axis];
    for (int i = 0; i < ui->st->n_points; i++) {
        const double v = pare_scatter_value(ui, i, axis);
        if (isfinite(v) && (!log || v > 0)) {
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
    }
    if (axis == 1 && !log && !ui->scatter.all && isfinite(low) &&
        (q == PARE_Q_ACCURACY || q == PARE_Q_DROP)) {
        const double depth = useful_depth(ui, q == PARE_Q_ACCURACY ? high : low);
        if (q == PARE_Q_ACCURACY && low < high - depth) {
            low = high - depth;
        } else if (q == PARE_Q_DROP && high > low + depth) {
            high = low + depth;
        }
    }
    return pare_axis_make(low, high, log);
}

/* The window moves along when the cursor leaves it. */
static void follow_cursor(struct pare_ui *ui)
{
    struct pare_scatter_state *sc = &ui->scatter;
    if (!sc->zoomed || ui->point < 0) {
        return;
    }
    for (int axis = 0; axis < 2; axis++) {
        struct pare_axis *a = &sc->window[axis];
        const double f = pare_axis_place(a, pare_scatter_value(ui, ui->point, axis));
        if (isfinite(f) && (f < 0 || f > 1)) {
            const double by = f < 0 ? f - 0.1 : f - 0.9;
            const struct pare_axis moved = {pare_axis_value(a, by), pare_axis_value(a, 1 + by),
                                            a->log};
            *a = moved;
        }
    }
}

void pare_scatter_zoom(struct pare_ui *ui, double factor)
{
    struct pare_scatter_state *sc = &ui->scatter;
    ui->dirty = true;
    if (factor <= 0) { /* fit; once more: all points */
        sc->all = !sc->zoomed && !sc->all;
        sc->zoomed = false;
        pare_ui_say(ui, false, sc->all ? "all points" : "fitted to the front");
        return;
    }
    for (int axis = 0; axis < 2; axis++) {
        const struct pare_axis a = axis_for(ui, axis);
        double f =
            ui->point >= 0 ? pare_axis_place(&a, pare_scatter_value(ui, ui->point, axis)) : 0.5;
        f = !(f >= 0 && f <= 1) ? 0.5 : f;
        sc->window[axis] = pare_axis_zoom(&a, factor, f);
    }
    sc->zoomed = true;
}

static void write_title(const struct pare_scatter_state *sc, char *title, size_t size)
{
    size_t used = 0;
    for (int axis = 1; axis >= 0; axis--) {
        const char *unit = pare_quantity_unit(sc->quantity[axis]);
        char name[32];
        snprintf(name, sizeof name, "%s", pare_quantity_name(sc->quantity[axis]));
        for (char *c = name; *c != '\0'; c++) {
            *c = *c == '_' ? ' ' : *c;
        }
        used += (size_t)snprintf(title + used, size - used, "%s%s%s%s", name, unit[0] != '\0' ? ", " : "", unit,
                                 axis == 1 ? " / " : "");
        used = used < size ? used : size - 1;
    }
}

static int count_placed(const struct pare_ui *ui)
{
    int n = 0;
    for (int i = 0; i < ui->st->n_points; i++) {
        n += isfinite(pare_scatter_value(ui, i, 0)) && isfinite(pare_scatter_value(ui, i, 1));
    }
    return n;
}

static void draw(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    (void)panel;
    struct pare_scatter_state *sc = &ui->scatter;
    char title[128], right[96];
    int n_front = 0, n_tied = 0, n_below = 0;
    pare_scatter_update(ui);
    follow_cursor(ui);
    sc->axis[0] = axis_for(ui, 0);
    sc->axis[1] = axis_for(ui, 1);
    for (int i = 0; i < ui->st->n_points; i++) {
        const double f = pare_axis_place(&sc->axis[1], pare_scatter_value(ui, i, 1));
        n_front += pare_scatter_marked(ui, i, PARE_MARK_FRONT);
        n_tied += pare_scatter_marked(ui, i, PARE_MARK_TIED);
        n_below += f < 0 || f > 1;
    }
    write_title(sc, title, sizeof title);
    int used = snprintf(right, sizeof right, "%d points, front %d", ui->st->n_points, n_front);
    if (pare_scatter_is_trust(ui)) {
        used = snprintf(right, sizeof right, "%d measured", count_placed(ui));
        n_tied = n_below = 0;
    }
    if (n_tied > 0 && r.w >= 56) {
        used += snprintf(right + used, sizeof right - (size_t)used, ", %d tied", n_tied);
    }
    used += snprintf(right + used, sizeof right - (size_t)used, "%s", sc->zoomed ? ", zoomed" : "");
    if (n_below > 0 && r.w >= 56) {
        snprintf(right + used, sizeof right - (size_t)used, ", %d outside", n_below);
    }
    pare_ui_draw_box(ui, r, focused, title, right);
    const struct pare_rect in = pare_rect_inside(r);
    if (ui->st->n_points == 0) {
        pare_ui_draw_note(ui, in,
                          ui->st->progress_total > 0
                              ? "no points yet: work goes on (7); what layers lose appears in 2 and 3, configurations here once they are measured"
                              : "no points yet: S measures what layers lose, s solves for the best configuration, F for the whole front");
        return;
    }
    pare_scatter_plot(ui, in);
}

/* A point with its place: plot order is by x, then y, then index. */
struct placed {
    double x, y;
    int point;
};

static int by_place(const void *pa, const void *pb)
{
    const struct placed *a = pa, *b = pb;
    if (a->x != b->x) {
        return a->x < b->x ? -1 : 1;
    }
    return a->y != b->y ? (a->y < b->y ? -1 : 1) : a->point - b->point;
}

static struct placed place_of(const struct pare_ui *ui, int point)
{
    return (struct placed){pare_scatter_value(ui, point, 0), pare_scatter_value(ui, point, 1),
                           point};
}

int pare_scatter_order(const struct pare_ui *ui, int *order, bool front_only)
{
    int n = 0;
    struct placed *all = malloc((size_t)(ui->st->n_points + 1) * sizeof *all);
    for (int i = 0; all != NULL && i < ui->st->n_points; i++) {
        const struct placed p = place_of(ui, i);
        if (isfinite(p.x) && isfinite(p.y) && (!front_only || pare_scatter_marked(ui, i, PARE_MARK_FRONT))) {
            all[n++] = p;
        }
    }
    if (all != NULL) {
        qsort(all, (size_t)n, sizeof *all, by_place);
    }
    for (int i = 0; i < n; i++) {
        order[i] = all[i].point;
    }
    free(all);
    return n;
}

/* The nearest point above (dir < 0) or below on the screen; sideways distance counts double. */
static int nearest_vertical(const struct pare_ui *ui, int dir)
{
    const struct pare_axis *ax = &ui->scatter.axis[0], *ay = &ui->scatter.axis[1];
    const double x0 = pare_axis_place(ax, pare_scatter_value(ui, ui->point, 0));
    const double y0 = pare_axis_place(ay, pare_scatter_value(ui, ui->point, 1));
    int best = -1;
    double least = INFINITY;
    for (int i = 0; i < ui->st->n_points; i++) {
        const double dx = pare_axis_place(ax, pare_scatter_value(ui, i, 0)) - x0;
        const double dy = pare_axis_place(ay, pare_scatter_value(ui, i, 1)) - y0;
        if (dir < 0 ? dy > 1e-9 : dy < -1e-9) {
            const double d = 4 * dx * dx + dy * dy;
            if (d < least) {
                least = d;
                best = i;
            }
        }
    }
    return best;
}

static bool move_in_order(struct pare_ui *ui, enum pare_motion motion)
{
    const bool front = motion == PARE_MOVE_BACK || motion == PARE_MOVE_FORWARD;
    const int page = ui->st->n_points / 10 + 1;
    int *order = malloc((size_t)(ui->st->n_points + 1) * sizeof *order);
    if (order == NULL) {
        return true;
    }
    pare_scatter_update(ui);
    const int n = pare_scatter_order(ui, order, front);
    int at = -1;
    for (int i = 0; i < n && ui->point >= 0; i++) {
        const struct placed here = place_of(ui, ui->point), other = place_of(ui, order[i]);
        if (order[i] == ui->point || (front && by_place(&other, &here) <= 0)) {
            at = i;
        }
    }
    const bool on = at >= 0 && order[at] == ui->point;
    switch (motion) {
    case PARE_MOVE_LEFT:
    case PARE_MOVE_BACK:
        at = on ? at - 1 : at;
        break;
    case PARE_MOVE_RIGHT:
    case PARE_MOVE_FORWARD:
        at++;
        break;
    case PARE_MOVE_PAGE_UP:
    case PARE_MOVE_HALF_UP:
        at -= page;
        break;
    case PARE_MOVE_PAGE_DOWN:
    case PARE_MOVE_HALF_DOWN:
        at += page;
        break;
    case PARE_MOVE_LAST:
        at = n - 1;
        break;
    default:
        at = 0;
        break;
    }
    at = at >= n ? n - 1 : at < 0 ? 0 : at;
    if (n > 0) {
        pare_ui_set_point(ui, order[at]);
    }
    free(order);
    return true;
}

static bool move(struct pare_ui *ui, enum pare_motion motion)
{
    if (motion == PARE_MOVE_NONE || motion == PARE_MOVE_ESC || ui->st->n_points == 0) {
        return false;
    }
    if (motion == PARE_MOVE_ENTER) {
        ui->focus = 1;
        ui->dirty = true;
        return true;
    }
    if ((motion == PARE_MOVE_UP || motion == PARE_MOVE_DOWN) && ui->point >= 0) {
        const int next = nearest_vertical(ui, motion == PARE_MOVE_UP ? -1 : 1);
        if (next >= 0) {
            pare_ui_set_point(ui, next);
        }
        return true;
    }
    return move_in_order(ui, motion);
}

const struct pare_view_ops pare_view_scatter = {
    "scatter", draw, move, NULL,
    "[ ] front|SPACE mark|c compare|s solve|b budget|m measure|x export|a A axes|+ - zoom|u undo"};
