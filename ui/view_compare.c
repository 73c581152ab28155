/* view_compare.c: marked points beside the one under the cursor: their figures, then the layers
 * that differ. */
#include <math.h>
#include <string.h>

#include "ui/app.h"

enum {
    ROW_ACCURACY,
    ROW_DROP,
    ROW_LATENCY,
    ROW_BYTES,
    ROW_BITOPS,
    ROW_TEST,
    ROW_METHOD,  /* of the run */
    ROW_BUDGET,
    ROW_SPENT,
    ROW_VOLUME,
    ROW_MS,      /* what turning the first into this one would change, predicted */
    ROW_LOSS,
    ROW_TIED,
    N_FIGURE_ROWS
};
#define HEADING_FIGURES (-1)
#define HEADING_LAYERS (-2)
#define HEADING_RUNS (-3)
#define HEADING_SAME (-4)

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

static int count_differing(const struct pare_ui *ui)
{
    int n = 0;
    for (int i = 0; i < ui->st->n_layers; i++) {
        n += differs(ui, i);
    }
    return n;
}

/* Rows: heading, figures, heading, layers that differ, heading, how they were found, heading, the other layers. Ids of
 * layers follow those of the figures. */
static int id_of_row(const struct pare_ui *ui, int row)
{
    const int n = count_differing(ui), runs = N_FIGURE_ROWS - ROW_METHOD;
    if (row <= ROW_METHOD) {
        return row == 0 ? HEADING_FIGURES : row - 1;
    }
    row -= ROW_METHOD + 1;
    if (row == 0) {
        return HEADING_LAYERS;
    }
    const bool wanted = row <= n;
    if (!wanted) {
        row -= n + 1;
        if (row <= runs) {
            return row == 0 ? HEADING_RUNS : ROW_METHOD + row - 1;
        }
        row -= runs + 1;
        if (row == 0) {
            return HEADING_SAME;
        }
    }
    for (int i = 0, left = row; i < ui->st->n_layers; i++) {
        left -= differs(ui, i) == wanted;
        if (left == 0) {
            return N_FIGURE_ROWS + i;
        }
    }
    return HEADING_SAME;
}

/* What layers at the levels of `to` take or lose beyond those of `from`; NaN when it is not known for all. */
static double change_of(const struct pare_ui *ui, int from, int to, bool loss)
{
    double sum = 0;
    for (int i = 0; i < ui->st->n_layers; i++) {
        const struct pare_layer *l = &ui->st->layers[i];
        const int a = pare_ui_level_of(ui, from, i), b = pare_ui_level_of(ui, to, i);
        if (a != b) {
            const double calls = ui->st->stages[l->stage].calls_per_sample;
            sum += a < 0 || b < 0 ? NAN : loss ? l->cells[b].loss - l->cells[a].loss : calls * (l->cells[b].ms - l->cells[a].ms);
        }
    }
    return sum;
}

/* How the run of a point was asked for and what it took; beside the first point: what the change means. */
static void run_cell(const struct pare_ui *ui, int id, int first, int point, char *text, size_t size)
{
    const int index = ui->st->points[point].run;
    const struct pare_run *run = index >= 0 && index < ui->st->n_runs ? &ui->st->runs[index] : NULL;
    const int tied = id == ROW_TIED && first != point ? pare_state_tied(ui->st, first, point) : -1;
    const double change = first != point ? change_of(ui, first, point, id == ROW_LOSS) : NAN;
    const double volume = id == ROW_VOLUME ? pare_state_hypervolume(ui->st, index) : NAN;
    char seconds[32];
    snprintf(text, size, "%s", ui->g->ascii ? "-" : "\u2013");
    switch (id) {
    case ROW_METHOD:
        snprintf(text, size, "%s", run != NULL ? run->method : "");
        break;
    case ROW_BUDGET:
        snprintf(text, size, "%s", run != NULL && run->budget[0] != '\0' ? run->budget : "none");
        break;
    case ROW_SPENT:
        if (run != NULL) {
            pare_format_ms(seconds, sizeof seconds, 1000 * run->seconds, ui->g);
            snprintf(text, size, "%s, %d", seconds, run->evaluations);
        }
        break;
    case ROW_VOLUME:
        if (isfinite(volume)) {
            snprintf(text, size, "%.4f", volume);
        }
        break;
    case ROW_TIED:
        if (tied >= 0) {
            snprintf(text, size, "%s", tied ? "yes" : "no");
        }
        break;
    default:
        if (isfinite(change)) {
            snprintf(text, size, id == ROW_LOSS ? "%+.4f" : "%+.3f", change);
        }
        break;
    }
}

static void figure_cell(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                        uint32_t *style)
{
    static const char *const names[N_FIGURE_ROWS] = {
        "accuracy, %", "drop, %",   "latency, ms",      "bytes",       "BitOps",        "test accuracy, %", "method",
        "budget",      "solver ms, measured", "hypervolume", "beside first, ms", "beside first, loss", "tied with first"};
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
    if (id >= ROW_METHOD) {
        run_cell(ui, id, points[0], points[column - 2], text, size);
        *style = id >= ROW_MS ? PARE_INK_PREDICTED : PARE_INK_TEXT;
        return;
    }
    const struct pare_point *p = &ui->st->points[points[column - 2]];
    const struct pare_figure *all[ROW_METHOD] = {&p->accuracy, &p->drop,   &p->latency,
                                                 &p->bytes,    &p->bitops, &p->test_accuracy};
    const struct pare_figure *f = all[id];
    const double v = f->kind == PARE_FIGURE_NONE ? NAN : f->value;
    if (id == ROW_ACCURACY || id == ROW_DROP || id == ROW_TEST) {
        pare_format_percent(text, size, v, ui->g);
    } else if (id == ROW_LATENCY) {
        pare_format_ms(text, size, v, ui->g);
    } else if (id == ROW_BYTES) {
        pare_format_bytes(text, size, v, ui->g);
    } else {
        pare_format_count(text, size, v, ui->g);
    }
    *style = f->kind == PARE_FIGURE_PREDICTED || isnan(v) ? PARE_INK_PREDICTED : PARE_INK_TITLE;
    if (f->kind == PARE_FIGURE_PREDICTED && id < ROW_BYTES && !isnan(v)) {
        char digits[64];
        snprintf(digits, sizeof digits, "%.60s", text);
        snprintf(text, size, "p %s", digits); /* predicted: not by colour alone */
    }
}

static void cell_text(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                      uint32_t *style)
{
    int points[PARE_MARKS + 1];
    const int n = compared(ui, points);
    if (id < 0) {
        *style = PARE_INK_NAME;
        if (column == 1 && id == HEADING_LAYERS) {
            snprintf(text, size, "%d of %d differ", count_differing(ui), ui->st->n_layers);
        } else if (column == 1) {
            snprintf(text, size, "%s", id == HEADING_FIGURES ? "figures" : id == HEADING_RUNS ? "how they were found" : "the same");
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
        snprintf(text, size, "%s", ui->st->layers[layer].name);
        *style = other ? PARE_INK_TEXT : PARE_INK_DIM;
    } else if (column - 2 < n) {
        const int level = pare_ui_level_of(ui, points[column - 2], layer);
        snprintf(text, size, "%s", pare_ui_level_name(ui, level));
        *style = other ? (uint32_t)pare_ui_level_ink(ui, level) | PARE_BOLD : PARE_INK_DIM;
    }
}

static const struct pare_table_model *model(struct pare_ui *ui)
{
    static struct pare_column columns[2 + PARE_MARKS + 1];
    static char titles[PARE_MARKS + 1][64];
    static struct pare_table_model m = {.columns = columns, .id = id_of_row, .cell = cell_text};
    int points[PARE_MARKS + 1];
    const int n = compared(ui, points);
    columns[0] = (struct pare_column){"", 1, 1, 0, false, false};
    columns[1] = (struct pare_column){"layer", 14, 24, 0, false, true};
    for (int i = 0; i < n; i++) {
        char name[48], sign[8];
        const int mark = pare_ui_mark_of(ui, points[i]);
        pare_text_encode(mark > 0                 ? (uint32_t)('0' + mark)
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
        columns[2 + i] = (struct pare_column){titles[i], 9, 14, 0, true, false};
    }
    m.n_columns = 2 + n;
    m.n_rows = n >= 2 ? 4 + N_FIGURE_ROWS + ui->st->n_layers : 0;
    m.empty = ui->st->n_points == 0
                  ? "nothing to compare yet: points come from solving and measuring"
                  : "Space marks a point or run; two or more stand here side by side, "
                    "the one under the cursor included";
    return &m;
}

static void draw(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    struct pare_table *t = &ui->tables[PARE_VIEW_COMPARE];
    const struct pare_table_model *m = model(ui);
    char title[96];
    snprintf(title, sizeof title, "compare%s%s", t->filter[0] != '\0' ? "  & " : "", t->filter);
    pare_ui_draw_box(ui, r, focused, title, panel < 0 ? "p predicted" : NULL);
    pare_table_draw(ui, t, m, pare_rect_inside(r), focused);
}

const struct pare_view_ops pare_view_compare = {
    "compare", draw, NULL, model, "SPACE mark|ESC unmark|& filter|/ search|x export|[ ] front"};
