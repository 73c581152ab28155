/* view_layers.c: the layers of the point under the cursor: what each runs at, what it loses, what
 * it takes. */
#include <math.h>
#include <string.h>

#include "ui/app.h"

enum { NAME, SHAPE, LEVEL, PIN, ERROR, DROP, LOSS, MS, BYTES, MACS, KIND, N_COLUMNS };

static const struct pare_column columns_main[N_COLUMNS] = {
    [NAME] = {"layer", 10, 26, 0, false, true}, [SHAPE] = {"shape", 11, 14, 5, false, false},
    [LEVEL] = {"level", 5, 5, 0, false, false}, [PIN] = {"pin", 3, 3, 0, false, false},
    [ERROR] = {"RMSE/s", 6, 6, 1, true, false}, [DROP] = {"drop %", 6, 6, 3, true, false},
    [LOSS] = {"loss", 6, 6, 8, true, false},    [MS] = {"ms", 6, 6, 2, true, false},
    [BYTES] = {"kB", 6, 6, 6, true, false},     [MACS] = {"MACs", 7, 7, 7, true, false},
    [KIND] = {"kind", 5, 5, 9, false, false}};

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
    *style = PARE_INK_NAME;
    if (column == NAME) {
        snprintf(text, size, "%s", s->name);
    } else if (column == MS) {
        pare_format_ms(text, size, ms, ui->g);
    } else if (column == MACS) {
        pare_format_count(text, size, (double)s->macs, ui->g);
    }
    if (column != NAME) {
        *style = PARE_INK_DIM;
    }
}

static double key(const struct pare_ui *ui, int id, int column)
{
    const struct pare_layer *layer = &ui->st->layers[id];
    const struct pare_cell *cell = cell_of(ui, id);
    const bool done = cell != NULL && cell->state == PARE_CELL_DONE;
    switch (column) {
    case LEVEL:
        return shown_level(ui, id);
    case PIN:
        return layer->pin_lo >= 0 ? (double)layer->pin_lo : (double)NAN;
    case ERROR:
        return done ? -cell->rmse_over_scale : NAN;
    case DROP:
        return done ? -cell->drop : NAN;
    case LOSS:
        return done ? -cell->loss : NAN;
    case MS:
        return cell != NULL ? -cell->ms : NAN;
    case BYTES:
        return -bytes_of(ui, id, cell);
    case MACS:
        return -(double)layer->macs;
    default:
        return NAN;
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

static void figure_cell(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                        uint32_t *style)
{
    const struct pare_cell *cell = cell_of(ui, id);
    if (column == MS) {
        pare_format_ms(text, size, cell != NULL ? cell->ms : NAN, ui->g);
        return;
    }
    if (column == BYTES) {
        pare_format_number(text, size, bytes_of(ui, id, cell) / 1000, 1, ui->g);
        return;
    }
    if (pending(ui, cell, text, size, style)) {
        return;
    }
    if (column == ERROR) {
        pare_format_number(text, size, cell->rmse_over_scale, 2, ui->g);
        if (cell->suspected) {
            strncat(text, "!", size - strlen(text) - 1);
            *style = PARE_INK_WARN;
        } else {
            strncat(text, " ", size - strlen(text) - 1); /* digits stay under digits */
        }
    } else if (column == DROP) {
        pare_format_percent(text, size, cell->drop, ui->g);
        *style = cell->drop >= 0.01          ? PARE_INK_WARN
                 : fabs(cell->drop) < 0.0005 ? PARE_INK_DIM
                                             : PARE_INK_TEXT;
    } else {
        pare_format_number(text, size, cell->loss, 3, ui->g);
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
            snprintf(text, size, "%s", layer->name);
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
    case KIND:
        snprintf(text, size, "%s", layer->kind);
        *style = PARE_INK_DIM;
        break;
    case MACS:
        pare_format_count(text, size, (double)layer->macs, ui->g);
        *style = PARE_INK_DIM;
        break;
    default:
        figure_cell(ui, id, column, text, size, style);
        break;
    }
}

static const struct pare_table_model *model(struct pare_ui *ui)
{
    static struct pare_table_model m = {
        .columns = columns_main,
        .n_columns = N_COLUMNS,
        .empty = "no layers: the models hold nothing that can be quantized",
        .id = id_of_row,
        .cell = cell_text,
        .key = key};
    m.n_rows = ui->st->n_layers > 0 ? ui->st->n_layers + ui->st->n_stages : 0;
    return &m;
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
    snprintf(title, sizeof title, t->filter[0] != '\0' ? "layers of %s  & %s" : "layers of %s",
             name, t->filter);
    snprintf(right, sizeof right, "%d/%d", at, of);
    if (ui->st->n_points == 0) {
        snprintf(title, sizeof title, "layers at %s", pare_ui_level_name(ui, ui->level));
    }
    pare_ui_draw_box(ui, r, focused, title, right);
    struct pare_rect in = pare_rect_inside(r);
    if (in.h >= ui->st->n_layers + ui->st->n_stages + 3 || (panel < 0 && in.h > 20)) {
        draw_legend(ui, in);
        in.h -= 2;
    }
    pare_table_draw(ui, t, model(ui), in, focused);
}

static bool move(struct pare_ui *ui, enum pare_motion motion)
{
    if (motion == PARE_MOVE_LEFT || motion == PARE_MOVE_RIGHT) {
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
    "p pin|P keep|f free|ENTER levels|< > sort|& filter|/ search|i explain|b budget|s solve"};
