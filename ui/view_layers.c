/* view_layers.c: the layers of the point under the cursor: what each runs at, what it loses, what
 * it takes. */
#include <math.h>
#include <string.h>

#include "ui/app.h"

enum { NAME, SHAPE, LEVEL, PIN, FIRST_FIGURE };

/* The figure of a column, -1 = none. */
static int figure_of_column(const struct pare_ui *ui, int column)
{
    return column >= FIRST_FIGURE && column - FIRST_FIGURE < ui->n_columns ? ui->columns[column - FIRST_FIGURE] : -1;
}

/* Natural order: every stage's heading (-1 - stage), then its layers. */
static int id_of_row(const struct pare_ui *ui, int row)
{
    for (int s = 0; s < ui->st->n_stages; s++) {
        const struct pare_stage_state *stage = &ui->st->stages[s];
        if (row == 0) {
            return -1 - s;
        }
        row--;
        if (row < stage->n_layers) {
            return stage->first_layer + row;
        }
        row -= stage->n_layers;
    }
    return 0;
}

/* The level that the table tells about: the point's, and without a point the one chosen in the
 * matrix. */
static int shown_level(const struct pare_ui *ui, int layer)
{
    return ui->st->n_points > 0 ? pare_ui_level_of(ui, ui->point, layer) : ui->level;
}

static const struct pare_cell *cell_of(const struct pare_ui *ui, int layer)
{
    const int level = shown_level(ui, layer);
    return level >= 0 && level < ui->st->n_levels && ui->st->layers[layer].cells != NULL
               ? &ui->st->layers[layer].cells[level]
               : NULL;
}

/* Weights at a level, in bytes, without a measured figure. */
static double bytes_of(const struct pare_ui *ui, int layer, const struct pare_cell *cell)
{
    const int level = shown_level(ui, layer);
    if (cell != NULL && isfinite(cell->bytes) && cell->bytes > 0) {
        return cell->bytes;
    }
    return level >= 0 ? (double)ui->st->layers[layer].weights * ui->st->levels[level].w_bits / 8
                      : NAN;
}

static void heading_cell(const struct pare_ui *ui, int stage, int column, char *text, size_t size,
                         uint32_t *style)
{
    const struct pare_stage_state *s = &ui->st->stages[stage];
    double ms = 0;
    for (int i = s->first_layer; i < s->first_layer + s->n_layers && i < ui->st->n_layers; i++) {
        const struct pare_cell *cell = cell_of(ui, i);
        ms += cell != NULL ? cell->ms : NAN;
    }
    *style = column == NAME ? PARE_INK_NAME : PARE_INK_DIM;
    if (column == NAME) {
        snprintf(text, size, "%s", s->name);
    } else if (figure_of_column(ui, column) == PARE_COLUMN_MS) {
        pare_column_text(text, size, ms, PARE_COLUMN_MS, ui->g); /* as many digits as the layers below */
    } else if (figure_of_column(ui, column) == PARE_COLUMN_MACS) {
        pare_format_count(text, size, (double)s->macs, ui->g);
    }
}

static double key(const struct pare_ui *ui, int id, int column)
{
    const struct pare_layer *layer = &ui->st->layers[id];
    const struct pare_cell *cell = cell_of(ui, id);
    const bool done = cell != NULL && cell->state == PARE_CELL_DONE;
    const int figure = figure_of_column(ui, column);
    if (column == LEVEL) {
        return shown_level(ui, id);
    }
    if (column == PIN) {
        return layer->pin_lo >= 0 ? (double)layer->pin_lo : (double)NAN;
    }
    switch (figure) { /* what is worst comes first */
    case -1:
    case PARE_COLUMN_KIND:
        return NAN;
    case PARE_COLUMN_MACS:
        return -(double)layer->macs;
    case PARE_COLUMN_KB:
        return -bytes_of(ui, id, cell);
    case PARE_COLUMN_MS:
        return cell != NULL ? -cell->ms : NAN;
    case PARE_COLUMN_SQNR:
    case PARE_COLUMN_COSINE:
        return done ? pare_column_of(cell, (enum pare_layer_column)figure) : NAN;
    default:
        return done ? -pare_column_of(cell, (enum pare_layer_column)figure) : NAN;
    }
}

/* What a figure that is not there yet shows. */
static bool pending(const struct pare_ui *ui, const struct pare_cell *cell, char *text, size_t size,
                    uint32_t *style)
{
    if (cell != NULL && cell->state == PARE_CELL_DONE) {
        return false;
    }
    *style = PARE_INK_DIM;
    if (cell != NULL && cell->state == PARE_CELL_RUNNING && isfinite(cell->loss)) {
        return false; /* of the samples so far: shown, but dim */
    }
    if (cell != NULL && cell->state == PARE_CELL_FAILED) {
        snprintf(text, size, "failed");
        *style = PARE_INK_BAD;
    } else if (cell != NULL && cell->state == PARE_CELL_RUNNING) {
        snprintf(text, size, "%s", ui->g->ellipsis);
    } else {
        snprintf(text, size, "%s", ui->g->none);
    }
    return true;
}

static void figure_cell(const struct pare_ui *ui, int id, enum pare_layer_column figure, char *text, size_t size,
                        uint32_t *style)
{
    const struct pare_layer *layer = &ui->st->layers[id];
    const struct pare_cell *cell = cell_of(ui, id);
    if (figure == PARE_COLUMN_KIND || figure == PARE_COLUMN_MACS) {
        *style = PARE_INK_DIM;
        if (figure == PARE_COLUMN_KIND) {
            snprintf(text, size, "%s", layer->kind);
        } else {
            pare_format_count(text, size, (double)layer->macs, ui->g);
        }
        return;
    }
    if (figure == PARE_COLUMN_MS || figure == PARE_COLUMN_KB) {
        pare_column_text(text, size, figure == PARE_COLUMN_KB ? bytes_of(ui, id, cell) / 1000 : cell != NULL ? cell->ms : NAN, figure, ui->g);
        return;
    }
    if (pending(ui, cell, text, size, style)) {
        return;
    }
    pare_column_text(text, size, pare_column_of(cell, figure), figure, ui->g);
    if (figure == PARE_COLUMN_SCALE) {
        strncat(text, cell->suspected ? "!" : " ", size - strlen(text) - 1); /* digits stay under digits */
        *style = cell->suspected ? (uint32_t)PARE_INK_WARN : *style;
    } else if (figure == PARE_COLUMN_DROP) {
        *style = cell->drop >= 0.01          ? PARE_INK_WARN
                 : fabs(cell->drop) < 0.0005 ? PARE_INK_DIM
                                             : PARE_INK_TEXT;
    }
    if (cell->state == PARE_CELL_RUNNING) {
        *style = PARE_INK_DIM;
    }
}

static void cell_text(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                      uint32_t *style)
{
    if (id < 0) {
        heading_cell(ui, -1 - id, column, text, size, style);
        return;
    }
    const struct pare_layer *layer = &ui->st->layers[id];
    const int level = shown_level(ui, id);
    switch (column) {
    case NAME:
        if (ui->tables[PARE_VIEW_LAYERS].sort >= 0 ||
            ui->tables[PARE_VIEW_LAYERS].filter[0] != '\0') {
            snprintf(text, size, "%s", pare_ui_label(ui, id));
        } else {
            snprintf(text, size, " %s", layer->short_name);
        }
        break;
    case SHAPE:
        pare_ui_shape(ui, layer->shape, text, size);
        *style = PARE_INK_DIM;
        break;
    case LEVEL:
        snprintf(text, size, "%s", pare_ui_level_name(ui, level));
        *style = pare_ui_level_ink(ui, level);
        break;
    case PIN:
        pare_ui_pin_sign(ui, id, text, size);
        *style = PARE_INK_MARK;
        break;
    default:
        figure_cell(ui, id, (enum pare_layer_column)figure_of_column(ui, column), text, size, style);
        break;
    }
}

/* The usual ones leave as they always did; chosen ones from the right, those that were scrolled over before them. */
static short priority_of(const struct pare_ui *ui, int k)
{
    if (ui->columns_usual && ui->column_first == 0) {
        return pare_column_info((enum pare_layer_column)ui->columns[k])->priority;
    }
    return (short)(k < ui->column_first ? 200 + ui->column_first - k : 10 + k - ui->column_first);
}

/* The model lives in static storage: one workbench at a time is drawn, by one thread. */
static const struct pare_table_model *model(struct pare_ui *ui)
{
    static struct pare_column columns[FIRST_FIGURE + PARE_COLUMN_COUNT] = {
        [NAME] = {"layer", 10, 26, 0, false, true}, [SHAPE] = {"shape", 11, 14, 5, false, false},
        [LEVEL] = {"level", 5, 5, 0, false, false}, [PIN] = {"pin", 3, 3, 0, false, false}};
    static struct pare_table_model m = {
        .columns = columns,
        .empty = "no layers: the models hold nothing that can be quantized",
        .id = id_of_row,
        .cell = cell_text,
        .key = key};
    columns[NAME].most = pare_ui_label_width(ui, false, 26);
    columns[SHAPE].width = ui->surface.width >= 100 ? 12 : 11; /* "3x3/2 128>96"; on a narrow screen names come first */
    columns[SHAPE].priority = ui->columns_usual && ui->column_first == 0 ? 5 : 150;
    for (int k = 0; k < ui->n_columns; k++) {
        const struct pare_column_info *f = pare_column_info((enum pare_layer_column)ui->columns[k]);
        columns[FIRST_FIGURE + k] = (struct pare_column){f->title, f->width, f->width, priority_of(ui, k), ui->columns[k] != PARE_COLUMN_KIND, false};
    }
    m.n_columns = FIRST_FIGURE + ui->n_columns;
    m.n_rows = ui->st->n_layers > 0 ? ui->st->n_layers + ui->st->n_stages : 0;
    return &m;
}

/* Chosen columns that have no room; -1 = no table was drawn yet. */
static int hidden_columns(const struct pare_ui *ui, bool right)
{
    const struct pare_table *t = &ui->tables[PARE_VIEW_LAYERS];
    int n = 0;
    for (int k = 0; k < ui->n_columns; k++) {
        n += t->w[FIRST_FIGURE + k] == 0 && (!right || k > ui->column_first);
    }
    return n;
}

/* Which errors the columns show: what the short heads mean. */
static void draw_meanings(struct pare_ui *ui, int x, int y, int w)
{
    const struct pare_table *t = &ui->tables[PARE_VIEW_LAYERS];
    struct pare_pen pen = pare_pen(&ui->surface, x, y, w);
    bool first = true;
    for (int k = 0; k < ui->n_columns; k++) {
        const struct pare_column_info *f = pare_column_info((enum pare_layer_column)ui->columns[k]);
        const char *means = w < 130 && f->brief != NULL ? f->brief : f->means;
        const int room = pare_text_width(f->title) + pare_text_width(means) + 4;
        if (!f->is_rmse || t->w[FIRST_FIGURE + k] == 0 || pen.x + room > pen.end) {
            continue;
        }
        pare_pen_put(&pen, PARE_INK_HEAD, first ? "%s" : "   %s", f->title);
        pare_pen_put(&pen, PARE_INK_DIM, ": %s", means);
        first = false;
    }
}

/* The legend at the bottom of the panel when there is room for it. */
static void draw_legend(struct pare_ui *ui, struct pare_rect in)
{
    char pin[8], keep[8], tie[8];
    bool any_tied = false;
    for (int i = 0; i < ui->st->n_layers; i++) {
        any_tied = any_tied || ui->st->layers[i].tie >= 0;
    }
    pare_text_encode(ui->g->pin, pin);
    pare_text_encode(ui->g->keep, keep);
    pare_text_encode(ui->g->tie, tie);
    struct pare_pen pen = pare_pen(&ui->surface, in.x + 1, in.y + in.h - 1, in.w - 2);
    pare_pen_put(&pen, PARE_INK_MARK, "%s", pin);
    pare_pen_put(&pen, PARE_INK_DIM, " pinned  ");
    pare_pen_put(&pen, PARE_INK_MARK, "%s", keep);
    pare_pen_put(&pen, PARE_INK_DIM, any_tied ? " in a range  " : " kept in a range  ");
    if (any_tied) {
        pare_pen_put(&pen, PARE_INK_MARK, "%sa", tie);
        pare_pen_put(&pen, PARE_INK_DIM, " tied  ");
    }
    pare_pen_put(&pen, PARE_INK_WARN, "!");
    pare_pen_put(&pen, PARE_INK_DIM, " suspected (> 0.7)");
}

static bool shows_errors(const struct pare_ui *ui)
{
    bool any = false;
    for (int k = 0; k < ui->n_columns; k++) {
        any = any || pare_column_info((enum pare_layer_column)ui->columns[k])->is_rmse;
    }
    return any;
}

static void draw(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    struct pare_table *t = &ui->tables[PARE_VIEW_LAYERS];
    char title[192], name[64], right[48];
    int at = 0, of = 0;
    pare_ui_point_name(ui, ui->point, name, sizeof name);
    t->cursor = ui->layer;
    pare_table_update(ui, t, model(ui));
    ui->layer = t->n > 0 ? t->cursor : ui->layer;
    pare_table_place(t, &at, &of);
    const bool errors = shows_errors(ui);
    snprintf(title, sizeof title, "layers %s %s%s%s%s", ui->st->n_points > 0 ? "of" : "at",
             ui->st->n_points > 0 ? name : pare_ui_level_name(ui, ui->level), errors ? (r.w < 70 ? ": RMSE" : ": RMSE of the output") : "",
             t->filter[0] != '\0' ? "  & " : "", t->filter);
    struct pare_rect in = pare_rect_inside(r), table = in;
    const bool legend = in.h >= ui->st->n_layers + ui->st->n_stages + 3 || (panel < 0 && in.h > 20);
    table.h -= legend ? 2 : 0;
    table.h -= errors && panel < 0 && in.h > 8 ? 1 : 0;
    pare_table_draw(ui, t, model(ui), table, focused);
    const int hidden = ui->columns_usual && ui->column_first == 0 ? 0 : hidden_columns(ui, false);
    if (hidden > 0) {
        snprintf(right, sizeof right, r.w < 60 ? "h l +%d  %d/%d" : "h l: %d more  %d/%d", hidden, at, of);
    } else {
        snprintf(right, sizeof right, "%d/%d", at, of);
    }
    pare_ui_draw_box(ui, r, focused, title, right);
    if (legend) {
        draw_legend(ui, in);
    }
    if (table.h < in.h - (legend ? 2 : 0)) {
        draw_meanings(ui, in.x + 1, table.y + table.h, in.w - 2);
    }
}

static bool move(struct pare_ui *ui, enum pare_motion motion)
{
    if (motion == PARE_MOVE_LEFT || motion == PARE_MOVE_RIGHT) {
        if (motion == PARE_MOVE_LEFT && ui->column_first > 0) {
            ui->column_first--;
        } else if (motion == PARE_MOVE_RIGHT && hidden_columns(ui, true) > 0) {
            ui->column_first++;
        }
        ui->dirty = true;
        return true;
    }
    if (motion == PARE_MOVE_ENTER) {
        const int level = pare_ui_level_of(ui, ui->point, ui->layer);
        ui->level = level >= 0 ? level : ui->level;
        ui->view = PARE_VIEW_MATRIX;
        ui->dirty = true;
        return true;
    }
    return false;
}

const struct pare_view_ops pare_view_layers = {
    "layers", draw, move, model,
    "p pin|P keep|f free|ENTER levels|w why|C columns|< > sort|& filter|/ search|i explain|b budget|s solve"};
