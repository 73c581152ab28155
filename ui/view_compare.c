/* view_compare.c: marked points beside the one under the cursor: their figures, the layers that differ, what changing the
 * first into each would cost, how they were found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ui/app.h"

enum {
    ROW_ACCURACY,
    ROW_DROP,
    ROW_LATENCY,
    ROW_BYTES,
    ROW_BITOPS,
    ROW_ENERGY,
    ROW_TEST,
    ROW_TIED, /* with the first */
    ROW_LAYERS, /* what turning the first into this one would change */
    ROW_MS,
    ROW_KB,
    ROW_UJ,
    ROW_LOSS,
    ROW_METHOD, /* of the run */
    ROW_BUDGET,
    ROW_POINTS,
    ROW_MEASURED,
    ROW_SECONDS,
    ROW_VOLUME,
    ROW_CORNER_MS,
    ROW_CORNER_DROP,
    ROW_EXACT,
    N_FIGURE_ROWS
};
/* Headings are ids below 0: -1 - section. */
enum { FIGURES, LAYERS, CHANGE, FOUND, SAME, N_SECTIONS };
static const int first_row[N_SECTIONS] = {ROW_ACCURACY, 0, ROW_LAYERS, ROW_METHOD, 0};
static const int end_row[N_SECTIONS] = {ROW_TIED + 1, 0, ROW_LOSS + 1, N_FIGURE_ROWS, 0};
/* Figures stand above the layers where there are lines for both. */
static const int sections_low[N_SECTIONS] = {FIGURES, LAYERS, CHANGE, FOUND, SAME}, sections_middle[N_SECTIONS] = {FIGURES, CHANGE, LAYERS, FOUND, SAME},
                 sections_tall[N_SECTIONS] = {FIGURES, CHANGE, FOUND, LAYERS, SAME};
#define MIDDLE 34
#define TALL 48

/* Points that are compared: the marked ones, and the one under the cursor when it is not marked. */
static int compared(const struct pare_ui *ui, int points[PARE_MARKS + 1])
{
    int n = 0;
    for (int i = 0; i < ui->n_marks; i++) {
        const int p = pare_ui_find_point(ui, ui->marks[i]);
        if (p >= 0) {
            points[n++] = p;
        }
    }
    if (n == 0) { /* nothing marked: against uniform int8, else fp32 */
        for (int pass = 0; pass < 2 && n == 0; pass++) {
            for (int i = 0; i < ui->st->n_points && n == 0; i++) {
                const char *label = ui->st->points[i].label;
                if (i != ui->point && label != NULL &&
                    strcmp(label, pass == 0 ? "int8" : "fp32") == 0) {
                    points[n++] = i;
                }
            }
        }
    }
    if (ui->point >= 0 && pare_ui_mark_of(ui, ui->point) == 0) {
        points[n++] = ui->point;
    }
    return n;
}

static bool differs(const struct pare_ui *ui, int layer)
{
    int points[PARE_MARKS + 1];
    const int n = compared(ui, points);
    for (int i = 1; i < n; i++) {
        if (pare_ui_level_of(ui, points[i], layer) != pare_ui_level_of(ui, points[0], layer)) {
            return true;
        }
    }
    return false;
}

/* The rows of the last model: figures, layers that differ, ..., the other layers; one workbench is drawn at a time. */
static struct {
    int *ids, n, cap, n_differing;
} rows;

static void add_row(int id)
{
    if (rows.n < rows.cap) {
        rows.ids[rows.n++] = id;
    }
}

static bool list_rows(const struct pare_ui *ui)
{
    const int *const order = ui->surface.height >= TALL ? sections_tall : ui->surface.height >= MIDDLE ? sections_middle : sections_low;
    const int cap = N_SECTIONS + N_FIGURE_ROWS + ui->st->n_layers;
    int *ids = cap > rows.cap ? realloc(rows.ids, (size_t)cap * sizeof *ids) : rows.ids;
    if (ids == NULL) {
        return false;
    }
    rows.cap = cap > rows.cap ? cap : rows.cap;
    rows.ids = ids;
    rows.n = rows.n_differing = 0;
    for (int k = 0; k < N_SECTIONS; k++) {
        const int section = order[k];
        add_row(-1 - section);
        for (int row = first_row[section]; row < end_row[section]; row++) {
            add_row(row);
        }
        for (int i = 0; i < ui->st->n_layers && (section == LAYERS || section == SAME); i++) {
            const bool other = differs(ui, i);
            rows.n_differing += other && section == LAYERS;
            if (other == (section == LAYERS)) {
                add_row(N_FIGURE_ROWS + i);
            }
        }
    }
    return true;
}

static int id_of_row(const struct pare_ui *ui, int row)
{
    (void)ui;
    return row >= 0 && row < rows.n ? rows.ids[row] : -1;
}

/* What turning the first point into this one means; what is no prediction is exact. */
static void change_cell(const struct pare_ui *ui, int id, int first, int point, char *text, size_t size, uint32_t *style)
{
    const struct pare_point *a = &ui->st->points[first], *b = &ui->st->points[point];
    int layers = 0;
    for (int i = 0; i < ui->st->n_layers; i++) {
        layers += pare_ui_level_of(ui, first, i) != pare_ui_level_of(ui, point, i);
    }
    const double by[N_FIGURE_ROWS] = {[ROW_MS] = b->latency_sum - a->latency_sum, [ROW_KB] = (b->bytes.value - a->bytes.value) / 1000,
                                      [ROW_UJ] = b->energy.value - a->energy.value, [ROW_LOSS] = b->loss.value - a->loss.value};
    snprintf(text, size, "%s", ui->g->none);
    *style = id == ROW_LAYERS || id == ROW_KB ? PARE_INK_TEXT : PARE_INK_PREDICTED;
    if (first == point) {
        *style = PARE_INK_DIM;
    } else if (id == ROW_LAYERS) {
        snprintf(text, size, "%d", layers);
    } else if (isfinite(by[id])) {
        snprintf(text, size, id == ROW_KB ? "%+.1f" : id == ROW_UJ ? "~%+.2f" : id == ROW_LOSS ? "~%+.4f" : "~%+.3f", by[id]);
    }
}

/* How the run of a point was asked for, what it took, how good its front is. */
static void run_cell(const struct pare_ui *ui, int id, int point, char *text, size_t size)
{
    const int index = ui->st->points[point].run;
    const struct pare_run *run = index >= 0 && index < ui->st->n_runs ? &ui->st->runs[index] : NULL;
    const double volume = id == ROW_VOLUME ? pare_state_hypervolume(ui->st, index) : NAN;
    double ms, drop;
    snprintf(text, size, "%s", ui->g->none);
    if (id == ROW_EXACT && isfinite(ui->st->points[point].from_exact)) {
        snprintf(text, size, "~%+.3f", ui->st->points[point].from_exact);
    } else if (id == ROW_VOLUME && isfinite(volume)) {
        snprintf(text, size, "%.4f", volume);
    } else if (id == ROW_CORNER_MS || id == ROW_CORNER_DROP) {
        pare_state_reference(ui->st, &ms, &drop);
        if (id == ROW_CORNER_MS) {
            pare_format_ms(text, size, ms, ui->g);
        } else {
            pare_format_percent(text, size, drop, ui->g);
        }
    } else if (run == NULL) {
        return;
    } else if (id == ROW_METHOD) {
        snprintf(text, size, "%s", run->method);
    } else if (id == ROW_BUDGET && run->budget[0] != '\0') {
        snprintf(text, size, "%s", run->budget);
    } else if (id == ROW_POINTS || id == ROW_MEASURED) {
        snprintf(text, size, "%d", id == ROW_POINTS ? run->n_points : run->evaluations);
    } else if (id == ROW_SECONDS && isfinite(run->seconds)) {
        pare_format_ms(text, size, 1000 * run->seconds, ui->g);
    }
}

static void tied_cell(const struct pare_ui *ui, int first, int point, char *text, size_t size, uint32_t *style)
{
    const int tied = first != point ? pare_state_tied(ui->st, first, point) : -1;
    snprintf(text, size, "%s", tied < 0 ? ui->g->none : tied ? "tied" : "differs");
    *style = tied < 0 ? PARE_INK_DIM : tied ? PARE_INK_MARK : PARE_INK_TEXT;
}

static void value_cell(const struct pare_ui *ui, int id, int point, char *text, size_t size, uint32_t *style)
{
    const struct pare_point *p = &ui->st->points[point];
    const struct pare_figure *all[ROW_TIED] = {&p->accuracy, &p->drop,   &p->latency,      &p->bytes,
                                               &p->bitops,   &p->energy, &p->test_accuracy};
    const struct pare_figure *f = all[id];
    const double v = f->kind == PARE_FIGURE_NONE ? NAN : f->value;
    if (id == ROW_ACCURACY || id == ROW_DROP || id == ROW_TEST) {
        pare_format_percent(text, size, v, ui->g);
    } else if (id == ROW_LATENCY) {
        pare_format_ms(text, size, v, ui->g);
    } else if (id == ROW_BYTES) {
        pare_format_bytes(text, size, v, ui->g);
    } else if (id == ROW_ENERGY) {
        pare_format_number(text, size, v, v >= 100 ? 0 : v >= 10 ? 1 : 2, ui->g);
    } else {
        pare_format_count(text, size, v, ui->g);
    }
    *style = f->kind == PARE_FIGURE_PREDICTED || isnan(v) ? PARE_INK_PREDICTED : PARE_INK_TITLE;
    if (f->kind == PARE_FIGURE_PREDICTED && !isnan(v)) {
        char digits[64];
        snprintf(digits, sizeof digits, "%.60s", text);
        snprintf(text, size, "~%s", digits); /* predicted: not by colour alone */
    }
}

static void figure_cell(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                        uint32_t *style)
{
    static const char *const names[N_FIGURE_ROWS] = {
        "accuracy, %", "drop, %", "latency, ms", "bytes", "BitOps", "energy, uJ", "test accuracy, %", "drop vs first",
        "layers changed", "latency, ms", "weights, kB", "energy, uJ", "loss",
        "method", "budget", "points", "measured", "solver, ms", "hypervolume", " up to, ms", " up to, drop %", "from exact, ms"};
    int points[PARE_MARKS + 1];
    const int n = compared(ui, points);
    if (column == 0 || column - 2 >= n) {
        return;
    }
    if (column == 1) {
        snprintf(text, size, "%s", names[id]);
        *style = PARE_INK_DIM;
        return;
    }
    const int point = points[column - 2];
    *style = id == ROW_EXACT ? PARE_INK_PREDICTED : id == ROW_CORNER_MS || id == ROW_CORNER_DROP ? PARE_INK_DIM : PARE_INK_TEXT;
    if (id == ROW_TIED) {
        tied_cell(ui, points[0], point, text, size, style);
    } else if (id >= ROW_METHOD) {
        run_cell(ui, id, point, text, size);
    } else if (id >= ROW_LAYERS) {
        change_cell(ui, id, points[0], point, text, size, style);
    } else {
        value_cell(ui, id, point, text, size, style);
    }
}

static void cell_text(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                      uint32_t *style)
{
    int points[PARE_MARKS + 1];
    const int n = compared(ui, points);
    if (id < 0) {
        static const char *const names[N_SECTIONS] = {"figures", "", "first to this", "how found", "the same"};
        *style = PARE_INK_NAME;
        if (column == 1 && id == -1 - LAYERS) {
            snprintf(text, size, "%d of %d differ", rows.n_differing, ui->st->n_layers);
        } else if (column == 1) {
            snprintf(text, size, "%s", names[-1 - id]);
        }
        return;
    }
    if (id < N_FIGURE_ROWS) {
        figure_cell(ui, id, column, text, size, style);
        return;
    }
    const int layer = id - N_FIGURE_ROWS;
    const bool other = differs(ui, layer);
    if (column == 0) {
        if (other) {
            pare_text_encode(ui->g->differs, text);
            *style = PARE_INK_MARK;
        }
    } else if (column == 1) {
        snprintf(text, size, "%s", pare_ui_label(ui, layer));
        *style = other ? PARE_INK_TEXT : PARE_INK_DIM;
    } else if (column - 2 < n) {
        const int level = pare_ui_level_of(ui, points[column - 2], layer);
        snprintf(text, size, "%s", pare_ui_level_name(ui, level));
        *style = other ? (uint32_t)pare_ui_level_ink(ui, level) | PARE_BOLD : PARE_INK_DIM;
    }
}

static int room = 78; /* columns of the panel that was drawn last */

static const struct pare_table_model *model(struct pare_ui *ui)
{
    static struct pare_column columns[2 + PARE_MARKS + 1];
    static char titles[PARE_MARKS + 1][64];
    static struct pare_table_model m = {.columns = columns, .id = id_of_row, .cell = cell_text};
    int points[PARE_MARKS + 1];
    const int n = compared(ui, points);
    columns[0] = (struct pare_column){"", 1, 1, 0, false, false};
    columns[1] = (struct pare_column){"layer", 16, pare_ui_label_width(ui, true, 24), 0, false, true};
    const int each = n > 0 ? (room - 3 - 16) / n - 1 : 0; /* all of them, rather than the first ones wide */
    const short width = (short)(each < 7 ? 7 : each > 14 ? 14 : each);
    for (int i = 0; i < n; i++) {
        char name[48], sign[8];
        const int mark = pare_ui_mark_of(ui, points[i]);
        pare_text_encode(mark > 0                 ? pare_ui_mark_sign(mark)
                         : points[i] == ui->point ? ui->g->here
                                                  : ' ',
                         sign);
        const char *label = ui->st->points[points[i]].label;
        if (label != NULL && label[0] != '\0' && strlen(label) < 8) {
            snprintf(name, sizeof name, "%s", label);
        } else {
            pare_ui_point_name(ui, points[i], name, sizeof name);
        }
        snprintf(titles[i], sizeof titles[i], "%s %s", sign, name);
        columns[2 + i] = (struct pare_column){titles[i], width, width, (short)(i > 1 && each < 7 ? i : 0), true, false}; /* the last ones leave first */
    }
    m.n_columns = 2 + n;
    m.n_rows = n >= 2 && list_rows(ui) ? rows.n : 0;
    m.empty = ui->st->n_points == 0
                  ? "nothing to compare yet: points come from solving and measuring"
                  : "Space marks a point or run; two or more stand here side by side, "
                    "the one under the cursor included";
    return &m;
}

static void draw(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    struct pare_table *t = &ui->tables[PARE_VIEW_COMPARE];
    room = pare_rect_inside(r).w;
    const struct pare_table_model *m = model(ui);
    char title[128], out[40] = "";
    const int n = m->n_columns - 2, fit = (room - 3 - 16) / 8;
    if (m->n_rows > 0 && fit < n) {
        snprintf(out, sizeof out, "  %d of %d have room", fit > 2 ? fit : 2, n);
    }
    snprintf(title, sizeof title, "compare%s%s%s", out, t->filter[0] != '\0' ? "  & " : "", t->filter);
    pare_ui_draw_box(ui, r, focused, title, panel < 0 && m->n_rows > 0 ? "~ predicted" : NULL);
    pare_table_draw(ui, t, m, pare_rect_inside(r), focused);
    if (ui->host.distances != NULL && m->n_rows > 0) { /* what a solver has to say comes with a later state */
        int points[PARE_MARKS + 1];
        ui->host.distances(ui->host.user, points, compared(ui, points));
    }
}

const struct pare_view_ops pare_view_compare = {
    "compare", draw, NULL, model, "SPACE mark|ESC unmark|& filter|/ search|x export|[ ] front"};
