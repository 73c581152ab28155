/* view_matrix.c: every layer at every level: one figure at a time; the cursor on a cell previews a
 * pin. */
#include <math.h>
#include <string.h>

#include "ui/app.h"

enum { NAME, SHAPE, PIN, FIRST_LEVEL };
/* What [ and ] go through; app.h names the first two. */
static const struct {
    enum pare_layer_column figure;
    const char *name;
} shown[] = {{PARE_COLUMN_LOSS, "loss"},
             {PARE_COLUMN_DROP, "drop, %"},
             {PARE_COLUMN_SCALE, "RMSE / scale"},
             {PARE_COLUMN_MS, "ms"},
             {PARE_COLUMN_OWN, "own RMSE"},
             {PARE_COLUMN_STEP, "step RMSE"},
             {PARE_COLUMN_ACCUMULATED, "accumulated RMSE"},
             {PARE_COLUMN_WEIGHTS, "RMSE of weights"},
             {PARE_COLUMN_ACTIVATIONS, "RMSE of activations"}};
enum { SHOW_COUNT = sizeof shown / sizeof shown[0] };

static enum pare_layer_column figure_of(const struct pare_ui *ui)
{
    return shown[ui->figure].figure;
}

static double value_of(const struct pare_ui *ui, int layer, int level)
{
    const struct pare_cell *cell =
        ui->st->layers[layer].cells != NULL ? &ui->st->layers[layer].cells[level] : NULL;
    return cell != NULL ? pare_column_of(cell, figure_of(ui)) : (double)NAN;
}

static int id_of_row(const struct pare_ui *ui, int row)
{
    for (int s = 0; s < ui->st->n_stages; s++) {
        if (row == 0) {
            return -1 - s;
        }
        row--;
        if (row < ui->st->stages[s].n_layers) {
            return ui->st->stages[s].first_layer + row;
        }
        row -= ui->st->stages[s].n_layers;
    }
    return 0;
}

/* The level that a column shows; -1 = not a level. */
static int level_of_column(const struct pare_ui *ui, int column)
{
    return column >= FIRST_LEVEL ? ui->level_first + column - FIRST_LEVEL : -1;
}

/* How serious a figure is, as ink; levels' own colours are left to the heads. */
static uint32_t ink_of(const struct pare_ui *ui, double v, const struct pare_cell *cell)
{
    if (cell != NULL && cell->state == PARE_CELL_RUNNING) {
        return PARE_INK_DIM; /* of the samples so far */
    }
    const enum pare_layer_column figure = figure_of(ui);
    if (figure == PARE_COLUMN_MS && cell != NULL && cell->slower) {
        return PARE_INK_WARN;
    }
    if (figure == PARE_COLUMN_MS || pare_column_info(figure)->is_rmse || isnan(v)) {
        return isnan(v) ? (uint32_t)PARE_INK_DIM : (uint32_t)PARE_INK_TEXT;
    }
    if (figure == PARE_COLUMN_SCALE) {
        return cell->suspected ? PARE_INK_WARN : v < 0.3 ? PARE_INK_DIM : PARE_INK_TEXT;
    }
    const double bad = figure == PARE_COLUMN_DROP ? 0.05 : 0.2, warn = bad / 5;
    return v >= bad              ? PARE_INK_BAD
           : v >= warn           ? PARE_INK_WARN
           : fabs(v) < warn / 20 ? PARE_INK_DIM
                                 : PARE_INK_TEXT;
}

static void figure_text(const struct pare_ui *ui, const struct pare_cell *cell, double v,
                        char *text, size_t size)
{
    const bool waiting = cell != NULL && figure_of(ui) != PARE_COLUMN_MS && (cell->state != PARE_CELL_RUNNING || isnan(v));
    if (waiting && (cell->state == PARE_CELL_QUEUED || cell->state == PARE_CELL_RUNNING)) {
        snprintf(text, size, cell->state == PARE_CELL_RUNNING ? "%s%s" : "%s", ui->g->ellipsis,
                 ui->g->ellipsis);
    } else if (waiting && cell->state == PARE_CELL_FAILED) {
        snprintf(text, size, "failed");
    } else {
        pare_column_text(text, size, v, figure_of(ui), ui->g);
    }
    /* a mark, or the room for one, so that digits stand below digits */
    const bool scale = figure_of(ui) == PARE_COLUMN_SCALE, ms = figure_of(ui) == PARE_COLUMN_MS;
    if (scale || ms) {
        const bool marked = cell != NULL && (scale ? cell->suspected : cell->slower);
        strncat(text, marked ? "!" : " ", size - strlen(text) - 1);
    }
}

static void level_cell(const struct pare_ui *ui, int id, int level, char *text, size_t size,
                       uint32_t *style)
{
    const struct pare_layer *layer = &ui->st->layers[id];
    const struct pare_cell *cell = layer->cells != NULL ? &layer->cells[level] : NULL;
    const double v = value_of(ui, id, level);
    char figure[32] = "", sign[8] = "";
    figure_text(ui, cell, v, figure, sizeof figure);
    *style = ink_of(ui, v, cell);
    if (level ==
        pare_ui_level_of(ui, ui->point, id)) { /* what the point under the plot's cursor uses */
        pare_text_encode(ui->g->here, sign);
        *style |= PARE_BOLD;
    } else if (layer->pin_lo >= 0 && level >= layer->pin_lo && level <= layer->pin_hi) {
        pare_text_encode(layer->pin_lo == layer->pin_hi ? ui->g->pin : ui->g->keep, sign);
    }
    snprintf(text, size, "%s%s%s", sign, sign[0] != '\0' ? " " : "", figure);
    if (id == ui->layer && level == ui->level) {
        *style = PARE_INK_HERE | PARE_REVERSE;
    }
}

static void cell_text(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                      uint32_t *style)
{
    if (id < 0) {
        if (column == NAME) {
            snprintf(text, size, "%s", ui->st->stages[-1 - id].name);
            *style = PARE_INK_NAME;
        }
        return;
    }
    const struct pare_layer *layer = &ui->st->layers[id];
    if (column == NAME) {
        const struct pare_table *t = &ui->tables[PARE_VIEW_MATRIX];
        const bool flat = t->sort >= 0 || t->filter[0] != '\0';
        snprintf(text, size, flat ? "%s" : " %s", flat ? pare_ui_label(ui, id) : layer->short_name);
    } else if (column == SHAPE) {
        pare_ui_shape(ui, layer->shape, text, size);
        *style = PARE_INK_DIM;
    } else if (column == PIN) {
        pare_ui_pin_sign(ui, id, text, size);
        *style = PARE_INK_MARK;
    } else {
        level_cell(ui, id, level_of_column(ui, column), text, size, style);
    }
}

static double key(const struct pare_ui *ui, int id, int column)
{
    const int level = level_of_column(ui, column);
    return level >= 0 && level < ui->st->n_levels ? -value_of(ui, id, level) : NAN;
}

/* Columns: name, shape, pin, and as many levels around the cursor as fit. The model lives in the
 * caller's static storage: one workbench at a time is drawn, by one thread. */
static const struct pare_table_model *model(struct pare_ui *ui)
{
    static struct pare_column columns[PARE_TABLE_COLUMNS];
    static struct pare_table_model m = {
        .columns = columns,
        .empty = "no layers: the models hold nothing that can be quantized",
        .id = id_of_row,
        .cell = cell_text,
        .key = key};
    const short width = 9;
    const int room = ui->layout.panel[0].w - 2 - 1 - 13 - 4;
    int fit = room / (width + 1);
    fit = fit < 1 ? 1 : fit;
    fit = fit > ui->st->n_levels ? ui->st->n_levels : fit;
    fit = fit > PARE_TABLE_COLUMNS - FIRST_LEVEL ? PARE_TABLE_COLUMNS - FIRST_LEVEL : fit;
    if (ui->level < ui->level_first) {
        ui->level_first = ui->level;
    }
    if (ui->level >= ui->level_first + fit) {
        ui->level_first = ui->level - fit + 1;
    }
    if (ui->level_first + fit > ui->st->n_levels) {
        ui->level_first = ui->st->n_levels - fit;
    }
    ui->level_first = ui->level_first < 0 ? 0 : ui->level_first;
    ui->level_shown = fit;
    columns[NAME] = (struct pare_column){"layer", 12, pare_ui_label_width(ui, false, 26), 0, false, true};
    columns[SHAPE] = (struct pare_column){"shape", 12, 14, 5, false, false};
    columns[PIN] = (struct pare_column){"pin", 3, 3, 0, false, false};
    for (int i = 0; i < fit; i++) {
        columns[FIRST_LEVEL + i] = (struct pare_column){
            pare_ui_level_name(ui, ui->level_first + i), width, 11, 0, true, false};
    }
    m.n_columns = FIRST_LEVEL + fit;
    m.n_rows = ui->st->n_layers > 0 ? ui->st->n_layers + ui->st->n_stages : 0;
    return &m;
}

/* Heads of the levels in their own colour, the column under the cursor underlined. */
static void draw_level_heads(struct pare_ui *ui, const struct pare_table *t,
                             const struct pare_table_model *m, int y)
{
    for (int c = FIRST_LEVEL; c < m->n_columns; c++) {
        const int level = level_of_column(ui, c);
        if (t->w[c] > 0 && t->sort != c) {
            pare_draw_right(&ui->surface, t->x[c], y, t->w[c],
                            (uint32_t)pare_ui_level_ink(ui, level) |
                                (level == ui->level ? PARE_UNDERLINE | PARE_BOLD : 0),
                            m->columns[c].title);
        }
    }
}

/* Is there a cell to explain that is slower than the next wider level? */
static bool any_slower(const struct pare_ui *ui)
{
    for (int i = 0; i < ui->st->n_layers; i++) {
        for (int l = 0; ui->st->layers[i].cells != NULL && l < ui->st->n_levels; l++) {
            if (ui->st->layers[i].cells[l].slower) {
                return true;
            }
        }
    }
    return false;
}

static void draw(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    (void)panel;
    struct pare_table *t = &ui->tables[PARE_VIEW_MATRIX];
    char title[160], right[96], sign[8];
    int at = 0, of = 0;
    t->cursor = ui->layer;
    pare_table_update(ui, t, model(ui));
    ui->layer = t->n > 0 ? t->cursor : ui->layer;
    pare_table_place(t, &at, &of);
    pare_text_encode(ui->g->here, sign);
    const struct pare_column_info *info = pare_column_info(figure_of(ui));
    snprintf(title, sizeof title, "layer x level: %s%s%s%s%s%s", shown[ui->figure].name, info->is_rmse ? " (" : "",
             info->is_rmse ? info->means : "", info->is_rmse ? ")" : "", t->filter[0] != '\0' ? "  & " : "", t->filter);
    snprintf(right, sizeof right, "%s%s used by the point  %d/%d",
             figure_of(ui) == PARE_COLUMN_MS && any_slower(ui) ? "! slower than a wider level, i why  " : "", sign, at, of);
    pare_ui_draw_box(ui, r, focused, title, right);
    const struct pare_rect in = pare_rect_inside(r);
    const struct pare_table_model *m = model(ui);
    pare_table_draw(ui, t, m, in, focused);
    if (m->n_rows > 0 && in.h >= 2) {
        draw_level_heads(ui, t, m, in.y);
    }
}

static bool move(struct pare_ui *ui, enum pare_motion motion)
{
    const int n = ui->st->n_levels;
    if (motion == PARE_MOVE_LEFT || motion == PARE_MOVE_RIGHT) {
        ui->level += motion == PARE_MOVE_LEFT ? -1 : 1;
        ui->level = ui->level < 0 ? 0 : ui->level >= n ? n - 1 : ui->level;
        return true;
    }
    if (motion == PARE_MOVE_BACK || motion == PARE_MOVE_FORWARD) { /* [ ]: another figure */
        ui->figure = (ui->figure + (motion == PARE_MOVE_BACK ? SHOW_COUNT - 1 : 1)) % SHOW_COUNT;
        return true;
    }
    if (motion == PARE_MOVE_ENTER && ui->st->n_layers > 0 && n > 0) {
        char line[256];
        snprintf(line, sizeof line, "pin %s=%s", ui->st->layers[ui->layer].name,
                 pare_ui_level_name(ui, ui->level));
        pare_ui_execute(ui, line);
        return true;
    }
    return false;
}

const struct pare_view_ops pare_view_matrix = {
    "matrix", draw, move, model,
    "ENTER pin|f free|P keep|[ ] figure|h l level|w why|< > sort|& filter|i explain|s solve|u undo"};
