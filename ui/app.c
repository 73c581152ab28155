/* app.c: the workbench's own state: points under the cursor, marks, views, frames. */
#include "ui/app.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct pare_view_ops *const views[PARE_VIEW_COUNT] = {
    &pare_view_scatter, &pare_view_layers,  &pare_view_matrix, &pare_view_stages,
    &pare_view_runs,    &pare_view_compare, &pare_view_jobs,   &pare_view_log,
    &pare_view_why};

const struct pare_view_ops *pare_view_ops(enum pare_view view)
{
    return views[view];
}

enum pare_view pare_ui_active(const struct pare_ui *ui)
{
    if (ui->view != PARE_VIEW_SCATTER) {
        return ui->view;
    }
    return ui->focus == 1   ? PARE_VIEW_LAYERS
           : ui->focus == 2 ? PARE_VIEW_COMPARE
                            : PARE_VIEW_SCATTER;
}

void pare_ui_say(struct pare_ui *ui, bool error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ui->message, sizeof ui->message, format, args);
    va_end(args);
    ui->message_is_error = error;
    ui->dirty = true;
}

int pare_ui_find_point(const struct pare_ui *ui, struct pare_point_id id)
{
    for (int i = 0; i < ui->st->n_points; i++) {
        if (ui->st->points[i].run == id.run && ui->st->points[i].number == id.number) {
            return i;
        }
    }
    return -1;
}

void pare_ui_set_point(struct pare_ui *ui, int point)
{
    ui->point = point >= 0 && point < ui->st->n_points ? point : -1;
    if (ui->point >= 0) {
        ui->point_id =
            (struct pare_point_id){ui->st->points[point].run, ui->st->points[point].number};
    }
    ui->dirty = true;
}

/* Where the cursor starts in a run: the solver's answer, else the run's first point. */
static int best_of_run(const struct pare_ui *ui, int run)
{
    int best = -1;
    for (int i = 0; i < ui->st->n_points; i++) {
        const struct pare_point *p = &ui->st->points[i];
        const struct pare_point *b = best >= 0 ? &ui->st->points[best] : NULL;
        if (p->run == run && (b == NULL || (b->over_budget && !p->over_budget) ||
                              (b->over_budget == p->over_budget && p->front && !b->front))) {
            best = i;
        }
    }
    return best;
}

void pare_ui_refresh_state(struct pare_ui *ui)
{
    ui->st = ui->host.state(ui->host.user);
    const struct pare_state *st = ui->st;
    int point = -1;
    if (!ui->settled && !st->loading) { /* only now it is known whether there is an accuracy */
        ui->settled = true;
        if (st->bare && ui->scatter.quantity[1] == PARE_Q_ACCURACY) {
            ui->scatter.quantity[1] = PARE_Q_BYTES;
        }
        ui->figure = st->bare ? PARE_MATRIX_LOSS : ui->figure;
    }
    if (st->n_runs > ui->n_runs_seen && st->runs[st->n_runs - 1].n_points > 0) {
        point = best_of_run(ui, st->n_runs - 1);
        ui->n_runs_seen = point >= 0 ? st->n_runs : ui->n_runs_seen;
    }
    if (point < 0 && ui->point >= 0) {
        point = pare_ui_find_point(ui, ui->point_id);
    }
    if (point < 0 && st->n_points > 0) {
        point = best_of_run(ui, st->n_runs - 1);
        point = point < 0 ? 0 : point;
    }
    if (point != ui->point) {
        pare_ui_set_point(ui, point);
    } else if (point >= 0) {
        ui->point_id = (struct pare_point_id){st->points[point].run, st->points[point].number};
    }
    int kept = 0;
    for (int i = 0; i < ui->n_marks; i++) {
        if (pare_ui_find_point(ui, ui->marks[i]) >= 0) {
            ui->marks[kept++] = ui->marks[i];
        }
    }
    ui->n_marks = kept;
    ui->layer = ui->layer >= st->n_layers ? st->n_layers - 1 : ui->layer;
    ui->layer = ui->layer < 0 ? 0 : ui->layer;
    ui->level = ui->level >= st->n_levels ? st->n_levels - 1 : ui->level;
    ui->level = ui->level < 0 ? 0 : ui->level;
    pare_why_refresh(ui);
}

uint32_t pare_ui_mark_sign(int mark)
{
    return (uint32_t)(mark < 10 ? '0' + mark : 'a' + mark - 10);
}

int pare_ui_mark_of(const struct pare_ui *ui, int point)
{
    if (point < 0 || point >= ui->st->n_points) {
        return 0;
    }
    const struct pare_point *p = &ui->st->points[point];
    for (int i = 0; i < ui->n_marks; i++) {
        if (ui->marks[i].run == p->run && ui->marks[i].number == p->number) {
            return i + 1;
        }
    }
    return 0;
}

void pare_ui_toggle_mark(struct pare_ui *ui, int point)
{
    if (point < 0 || point >= ui->st->n_points) {
        pare_ui_say(ui, true, "there is no point under the cursor to mark");
        return;
    }
    char name[64];
    const int mark = pare_ui_mark_of(ui, point);
    pare_ui_point_name(ui, point, name, sizeof name);
    if (mark > 0) {
        memmove(&ui->marks[mark - 1], &ui->marks[mark],
                (size_t)(ui->n_marks - mark) * sizeof ui->marks[0]);
        ui->n_marks--;
        pare_ui_say(ui, false, "%s is no longer marked", name);
    } else if (ui->n_marks == PARE_MARKS) {
        pare_ui_say(ui, true, "%d points are marked; Space on one of them unmarks it", PARE_MARKS);
    } else {
        const struct pare_point *p = &ui->st->points[point];
        ui->marks[ui->n_marks++] = (struct pare_point_id){p->run, p->number};
        pare_ui_say(ui, false, "marked %s as %c; c compares", name, (char)pare_ui_mark_sign(ui->n_marks));
    }
}

int pare_ui_level_of(const struct pare_ui *ui, int point, int layer)
{
    if (point < 0 || point >= ui->st->n_points || layer < 0 || layer >= ui->st->n_layers ||
        ui->st->points[point].levels == NULL) {
        return -1;
    }
    const int level = ui->st->points[point].levels[layer];
    return level < ui->st->n_levels ? level : -1;
}

const char *pare_ui_level_name(const struct pare_ui *ui, int level)
{
    return level >= 0 && level < ui->st->n_levels ? ui->st->level_names[level] : ui->g->none;
}

enum pare_ink pare_ui_level_ink(const struct pare_ui *ui, int level)
{
    return level >= 0 && level < ui->st->n_levels ? pare_theme_level(ui->st->levels[level])
                                                  : PARE_INK_DIM;
}

/* 'a' for the first tie of the pipeline, 'b' for the next; '+' beyond 'z'. */
static char tie_letter(const struct pare_ui *ui, int tie)
{
    int n = 0;
    for (int i = 0; i < tie; i++) {
        n += ui->st->layers[i].tie == i;
    }
    return n < 26 ? (char)('a' + n) : '+';
}

void pare_ui_pin_sign(const struct pare_ui *ui, int layer, char *text, size_t size)
{
    const struct pare_layer *l = &ui->st->layers[layer];
    const bool is_tied = l->tie >= 0 && l->tie < ui->st->n_layers;
    char pin[8] = "", tie[8] = "";
    if (l->pin_lo >= 0) {
        pare_text_encode(l->pin_lo == l->pin_hi ? ui->g->pin : ui->g->keep, pin);
    }
    if (is_tied) {
        pare_text_encode(ui->g->tie, tie);
        snprintf(text, size, "%s%s%c", pin[0] != '\0' ? pin : " ", tie, tie_letter(ui, l->tie));
    } else {
        snprintf(text, size, "%s", pin);
    }
}

const char *pare_ui_point_name(const struct pare_ui *ui, int point, char *out, size_t size)
{
    if (point < 0 || point >= ui->st->n_points) {
        snprintf(out, size, "%s", ui->g->none);
        return out;
    }
    const struct pare_point *p = &ui->st->points[point];
    const bool known = p->run >= 0 && p->run < ui->st->n_runs;
    snprintf(out, size, "%s:%d", known ? ui->st->runs[p->run].name : "?", p->number);
    return out;
}

const char *pare_ui_label(const struct pare_ui *ui, int layer)
{
    const struct pare_layer *l = &ui->st->layers[layer];
    return l->label != NULL ? l->label : l->name;
}

short pare_ui_label_width(const struct pare_ui *ui, bool with_stage, short least)
{
    int w = least;
    for (int i = 0; i < ui->st->n_layers; i++) {
        const int n = pare_text_width(with_stage ? pare_ui_label(ui, i) : ui->st->layers[i].short_name) + !with_stage;
        w = n > w ? n : w;
    }
    return (short)(w > 44 ? 44 : w);
}

void pare_ui_shape(const struct pare_ui *ui, const char *shape, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *p = shape; *p != '\0' && used + 4 < size; p++) {
        used += (size_t)snprintf(out + used, size - used, "%s",
                                 *p == '>' && !ui->g->ascii ? ui->g->arrow : (char[2]){*p, '\0'});
    }
}

const struct pare_figure *pare_ui_figure(const struct pare_point *p, enum pare_quantity q)
{
    return pare_point_figure(p, (enum pare_point_figure)q); /* the same order */
}

struct pare_ui *pare_ui_new(const struct pare_ui_host *host, const struct pare_ui_options *options,
                            int columns, int rows)
{
    struct pare_ui *ui = calloc(1, sizeof *ui);
    if (ui == NULL || !pare_surface_resize(&ui->surface, columns, rows)) {
        free(ui);
        return NULL;
    }
    static const struct pare_ui_options none = {0};
    const struct pare_ui_options *o = options != NULL ? options : &none;
    ui->host = *host;
    ui->point = -1;
    ui->figure = PARE_MATRIX_DROP;
    pare_ui_run_command(ui, "columns", "usual");
    ui->message[0] = '\0';
    ui->level = 2;
    const int glyphs = o->glyphs != NULL ? pare_glyphs_parse(o->glyphs) : -1;
    ui->g = pare_glyphs(glyphs >= 0 ? (enum pare_glyph_kind)glyphs : pare_glyphs_detect());
    ui->surface.ascii = ui->g->ascii;
    const char *no_color = getenv("NO_COLOR");
    const int theme = o->theme != NULL ? pare_theme_parse(o->theme) : -1;
    ui->theme = theme >= 0                                ? (enum pare_theme_kind)theme
                : no_color != NULL && no_color[0] != '\0' ? PARE_THEME_MONO
                                                          : PARE_THEME_DARK;
    ui->mouse = o->mouse;
    if (o->bindings != NULL) {
        ui->bindings = *o->bindings;
    }
    ui->dirty = true;
    for (int i = 0; i < PARE_VIEW_COUNT; i++) {
        ui->tables[i].sort = -1;
        if (o->view != NULL && strcmp(views[i]->name, o->view) == 0) {
            ui->view = (enum pare_view)i;
        }
    }
    ui->st = host->state(host->user);
    ui->scatter.quantity[0] = PARE_Q_LATENCY;
    ui->scatter.quantity[1] = ui->st->bare ? PARE_Q_BYTES : PARE_Q_ACCURACY;
    ui->scatter.log[0] = true;
    pare_ui_refresh_state(ui);
    return ui;
}

void pare_ui_free(struct pare_ui *ui)
{
    if (ui == NULL) {
        return;
    }
    for (int i = 0; i < PARE_VIEW_COUNT; i++) {
        pare_table_free(&ui->tables[i]);
    }
    pare_popup_close(ui);
    free(ui->copied);
    free(ui->scatter.marks);
    pare_surface_free(&ui->surface);
    free(ui);
}

void pare_ui_resize(struct pare_ui *ui, int columns, int rows)
{
    if (columns != ui->surface.width || rows != ui->surface.height) {
        pare_surface_resize(&ui->surface, columns, rows);
    }
    ui->dirty = true;
}

bool pare_ui_stale(struct pare_ui *ui)
{
    return ui->dirty || ui->host.state(ui->host.user)->version != ui->drawn_version;
}

bool pare_ui_wants_quit(const struct pare_ui *ui)
{
    return ui->quit;
}

void pare_ui_write(const struct pare_ui *ui, FILE *out)
{
    pare_surface_write(&ui->surface, out);
}
