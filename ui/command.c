/* command.c: the commands that only change the screen, and the way of the others to the host. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "ui/app.h"

struct pare_table *pare_ui_active_table(struct pare_ui *ui)
{
    const enum pare_view view = pare_ui_active(ui);
    return pare_view_ops(view)->model != NULL ? &ui->tables[view] : NULL;
}

/* Views that share the layer under the cursor. */
void pare_ui_take_cursor(struct pare_ui *ui)
{
    const enum pare_view view = pare_ui_active(ui);
    if ((view == PARE_VIEW_LAYERS || view == PARE_VIEW_MATRIX) && ui->tables[view].n > 0 &&
        ui->tables[view].cursor >= 0) {
        ui->layer = ui->tables[view].cursor;
    }
    ui->dirty = true;
}

void pare_ui_search(struct pare_ui *ui, const char *text, int step, bool stay)
{
    struct pare_table *t = pare_ui_active_table(ui);
    if (t == NULL && ui->view == PARE_VIEW_SCATTER) {
        ui->focus = 1; /* the plot has no rows: search the layers beside it */
        t = &ui->tables[PARE_VIEW_LAYERS];
        t->cursor = ui->layer;
    }
    if (t == NULL || text[0] == '\0') {
        return;
    }
    const struct pare_table_model *m = pare_view_ops(pare_ui_active(ui))->model(ui);
    pare_table_update(ui, t, m);
    if (t->n == 0 || !pare_table_search(ui, t, m, text, step, stay)) {
        pare_ui_say(ui, true, "not found: %s", text);
    }
    pare_ui_take_cursor(ui);
}

static void do_view(struct pare_ui *ui, const char *argument)
{
    for (int i = 0; i < PARE_VIEW_COUNT; i++) {
        if (strcmp(pare_view_ops((enum pare_view)i)->name, argument) == 0) {
            if (i == PARE_VIEW_WHY) {
                pare_why_enter(ui);
            }
            ui->view = (enum pare_view)i;
            ui->dirty = true;
            return;
        }
    }
    pare_ui_say(ui, true,
                "unknown view \"%s\" (scatter layers matrix stages runs compare jobs log why)",
                argument);
}

/* [LAYER [LEVEL]]: of what is under the cursor without. */
static void do_why(struct pare_ui *ui, const char *argument)
{
    char layer[256] = "", level[32] = "";
    sscanf(argument, "%255s %31s", layer, level);
    int at = layer[0] == '\0' ? ui->layer : -1, to = -1;
    for (int i = 0; at < 0 && i < ui->st->n_layers; i++) {
        at = pare_glob_match(layer, ui->st->layers[i].name) ? i : -1;
    }
    for (int l = 1; l < ui->st->n_levels; l++) {
        to = strcmp(ui->st->level_names[l], level) == 0 ? l : to;
    }
    if (at < 0 || (level[0] != '\0' && to < 0)) {
        pare_ui_say(ui, true, at < 0 ? "no layer matches \"%s\"" : "\"%s\" is no level below fp32 here", at < 0 ? layer : level);
        return;
    }
    ui->layer = at;
    pare_why_enter(ui);
    ui->level = to > 0 ? to : ui->level;
}

static void do_focus(struct pare_ui *ui, const char *argument)
{
    const int n = ui->view == PARE_VIEW_SCATTER ? ui->layout.n_panels : 1;
    if (n > 1) {
        ui->focus = (ui->focus + (strcmp(argument, "previous") == 0 ? n - 1 : 1)) % n;
    }
}

static void do_axis(struct pare_ui *ui, const char *argument)
{
    char which[16] = "", what[32] = "";
    sscanf(argument, "%15s %31s", which, what);
    const int axis = strcmp(which, "x") == 0 ? 0 : strcmp(which, "y") == 0 ? 1 : -1;
    if (axis < 0) {
        pare_ui_say(ui, true, "axis x|y accuracy|drop|latency|bytes|bitops|energy|loss|drop_predicted|latency_predicted");
        return;
    }
    int q = pare_quantity_parse(what);
    if (what[0] == '\0') {
        q = ((int)ui->scatter.quantity[axis] + 1) % PARE_Q_LOSS; /* predictions by name, or by `trust` */
        q = q == (int)ui->scatter.quantity[1 - axis] ? (q + 1) % PARE_Q_LOSS : q;
    }
    if (q < 0) {
        pare_ui_say(ui, true, "unknown figure \"%s\" (accuracy drop latency bytes bitops energy loss drop_predicted latency_predicted)", what);
        return;
    }
    ui->scatter.quantity[axis] = (enum pare_quantity)q;
    ui->scatter.log[axis] = q == PARE_Q_LATENCY || q == PARE_Q_BYTES || q == PARE_Q_BITOPS || q == PARE_Q_ENERGY || q == PARE_Q_LOSS
                                ? ui->scatter.log[axis]
                                : false;
    ui->scatter.zoomed = false;
    pare_ui_say(ui, false, "axis %s shows %s", axis == 0 ? "x" : "y",
                pare_quantity_name((enum pare_quantity)q));
}

static void do_scale(struct pare_ui *ui, const char *argument)
{
    char which[16] = "x", what[16] = "";
    sscanf(argument, "%15s %15s", which, what);
    const int axis = strcmp(which, "y") == 0;
    bool *log = &ui->scatter.log[axis];
    *log = strcmp(what, "log") == 0 ? true : strcmp(what, "linear") == 0 ? false : !*log;
    ui->scatter.zoomed = false;
    pare_ui_say(ui, false, "axis %s is %s", axis ? "y" : "x", *log ? "logarithmic" : "linear");
}

/* The plot shows what was predicted against what was measured: of the drop, of the latency, no more. */
static void do_trust(struct pare_ui *ui, const char *argument)
{
    struct pare_scatter_state *sc = &ui->scatter;
    const bool is_drop = sc->quantity[0] == PARE_Q_LOSS, is_latency = sc->quantity[0] == PARE_Q_LATENCY_PREDICTED;
    const char *what = argument[0] != '\0' ? argument : is_drop ? "latency" : is_latency ? "off" : "drop";
    sc->zoomed = sc->log[1] = false;
    sc->log[0] = true;
    if (strcmp(what, "drop") == 0) {
        sc->quantity[0] = PARE_Q_LOSS;
        sc->quantity[1] = PARE_Q_DROP;
        pare_ui_say(ui, false, "the layers' losses, added, against the measured drop");
    } else if (strcmp(what, "latency") == 0) {
        sc->quantity[0] = PARE_Q_LATENCY_PREDICTED;
        sc->quantity[1] = PARE_Q_LATENCY;
        sc->log[0] = false;
        pare_ui_say(ui, false, "predicted against measured latency");
    } else if (strcmp(what, "off") == 0) {
        sc->quantity[0] = PARE_Q_LATENCY;
        sc->quantity[1] = ui->st->bare ? PARE_Q_BYTES : PARE_Q_ACCURACY;
        pare_ui_say(ui, false, "the points again");
    } else {
        pare_ui_say(ui, true, "trust drop|latency|off");
        return;
    }
    ui->view = PARE_VIEW_SCATTER;
    ui->dirty = true;
}

static void do_zoom(struct pare_ui *ui, const char *argument)
{
    pare_scatter_zoom(ui, strcmp(argument, "in") == 0    ? 0.6
                          : strcmp(argument, "out") == 0 ? 1 / 0.6
                                                         : 0);
}

static void do_sort(struct pare_ui *ui, const char *argument)
{
    struct pare_table *t = pare_ui_active_table(ui);
    if (t == NULL) {
        pare_ui_say(ui, true, "this view has no columns to sort by");
        return;
    }
    const struct pare_table_model *m = pare_view_ops(pare_ui_active(ui))->model(ui);
    if (strcmp(argument, "<") == 0 || strcmp(argument, ">") == 0) {
        for (int tries = 0; tries <= m->n_columns;
             tries++) { /* only columns that are on the screen */
            t->sort += argument[0] == '<' ? -1 : 1;
            t->sort = t->sort < -1 ? m->n_columns - 1 : t->sort >= m->n_columns ? -1 : t->sort;
            if (t->sort < 0 || t->w[t->sort] > 0) {
                break;
            }
        }
    } else if (strcmp(argument, "invert") == 0) {
        t->invert = !t->invert;
    } else if (strcmp(argument, "none") == 0 || argument[0] == '\0') {
        t->sort = -1;
    } else {
        int found = -1;
        for (int c = 0; c < m->n_columns; c++) {
            found = strncasecmp(m->columns[c].title, argument, strlen(argument)) == 0 && found < 0
                        ? c
                        : found;
        }
        if (found < 0) {
            pare_ui_say(ui, true, "no column \"%s\" in this view", argument);
            return;
        }
        t->sort = found;
    }
    pare_ui_say(ui, false, t->sort < 0 ? "natural order" : "sorted by %s%s",
                t->sort < 0 ? "" : m->columns[t->sort].title, t->invert ? ", inverted" : "");
}

static void do_compare(struct pare_ui *ui, const char *argument)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", argument);
    char *rest = NULL;
    int n = 0;
    struct pare_point_id wanted[PARE_MARKS];
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *colon = strrchr(word, ':');
        int number = colon != NULL ? atoi(colon + 1) : 0, found = -1;
        if (colon != NULL) {
            *colon = '\0';
        }
        for (int i = 0; i < ui->st->n_points; i++) {
            const struct pare_point *p = &ui->st->points[i];
            const bool in_run = p->run >= 0 && p->run < ui->st->n_runs &&
                                strcmp(ui->st->runs[p->run].name, word) == 0;
            const bool labelled = colon == NULL && p->label != NULL && strcmp(p->label, word) == 0;
            if (labelled && found < 0) {
                found = i; /* "int8": a point by its label, as on the command line */
            }
            if (in_run && (number == 0 ? found < 0 || (p->front && !ui->st->points[found].front)
                                       : p->number == number)) {
                found = i;
            }
        }
        if (found < 0 || n == PARE_MARKS) {
            if (found < 0) {
                pare_ui_say(ui, true, "no run or point \"%s\"", word);
            } else {
                pare_ui_say(ui, true, "more than %d to compare (pare compare takes 64): %s", PARE_MARKS, word);
            }
            return;
        }
        wanted[n++] =
            (struct pare_point_id){ui->st->points[found].run, ui->st->points[found].number};
    }
    if (n > 0) {
        memcpy(ui->marks, wanted, sizeof wanted[0] * (size_t)n);
        ui->n_marks = n;
    }
    if (ui->view != PARE_VIEW_SCATTER || ui->layout.n_panels < 3) {
        ui->view = PARE_VIEW_COMPARE;
    } else {
        ui->focus = 2;
    }
}

static void do_mark(struct pare_ui *ui)
{
    if (ui->view == PARE_VIEW_RUNS) {
        const int run = ui->tables[PARE_VIEW_RUNS].cursor;
        int best = -1;
        for (int i = 0; i < ui->st->n_points; i++) {
            const struct pare_point *p = &ui->st->points[i];
            best =
                p->run == run && (best < 0 || (p->front && !ui->st->points[best].front)) ? i : best;
        }
        pare_ui_toggle_mark(ui, best);
    } else {
        pare_ui_toggle_mark(ui, ui->point);
    }
}

static void do_explain(struct pare_ui *ui)
{
    char text[4096] = "", title[160], name[64];
    const enum pare_view view = pare_ui_active(ui);
    if (view == PARE_VIEW_JOBS) {
        const int job = ui->tables[PARE_VIEW_JOBS].cursor;
        if (job >= 0 && job < ui->st->n_jobs) {
            const struct pare_job_row *j = &ui->st->jobs[job];
            snprintf(text, sizeof text, "%s\n%s", j->title,
                     j->error != NULL && j->error[0] ? j->error : "no error");
            pare_popup_show(ui, j->kind, text);
        }
        return;
    }
    if ((view == PARE_VIEW_LAYERS || view == PARE_VIEW_MATRIX || view == PARE_VIEW_WHY) && ui->st->n_layers > 0) {
        const int level =
            view != PARE_VIEW_LAYERS ? ui->level : pare_ui_level_of(ui, ui->point, ui->layer);
        snprintf(title, sizeof title, "%s at %s", ui->st->layers[ui->layer].name,
                 pare_ui_level_name(ui, level));
        if (ui->host.explain_cell != NULL && level >= 0) {
            ui->host.explain_cell(ui->host.user, ui->layer, level, text, sizeof text);
        }
    } else {
        snprintf(title, sizeof title, "point %s",
                 pare_ui_point_name(ui, ui->point, name, sizeof name));
        if (ui->host.explain_point != NULL && ui->point >= 0) {
            ui->host.explain_point(ui->host.user, ui->point, text, sizeof text);
        }
    }
    pare_popup_show(ui, title, text[0] != '\0' ? text : "nothing was measured here yet");
}

/* Without words the next set. */
static void do_columns(struct pare_ui *ui, const char *argument)
{
    static const char *const sets[] = {"usual", "errors", "parts", "all"};
    unsigned char chosen[PARE_COLUMN_COUNT], of_set[PARE_COLUMN_COUNT];
    char bad[32] = "";
    int at = -1;
    for (int i = 0; i < 4; i++) {
        const int n = pare_column_choose(sets[i], of_set, bad);
        at = n == ui->n_columns && memcmp(of_set, ui->columns, (size_t)n) == 0 ? i : at;
    }
    const char *wanted = argument[0] != '\0' ? argument : sets[(at + 1) % 4];
    const int n = pare_column_choose(wanted, chosen, bad);
    if (n == 0) {
        pare_ui_say(ui, true, "\"%s\" is no column (usual errors parts all, or of rmse step accumulated weights activations mse scale sigma sqnr "
                    "cosine max clip loss drop ms kb macs kind)", bad);
        return;
    }
    memcpy(ui->columns, chosen, (size_t)n);
    ui->n_columns = n;
    ui->column_first = 0;
    ui->columns_usual = strcmp(wanted, "usual") == 0;
    ui->tables[PARE_VIEW_LAYERS].sort = -1;
    pare_ui_say(ui, false, strcmp(wanted, "errors") == 0 ? "own: quantized input; step: float input; accum.: whole stage lowered" : "columns: %s", wanted);
}

static void do_theme(struct pare_ui *ui, const char *argument)
{
    const int theme = pare_theme_parse(argument);
    if (theme < 0) {
        pare_ui_say(ui, true, "theme dark|light|mono");
        return;
    }
    ui->theme = (enum pare_theme_kind)theme;
    ui->redraw = true;
}

static void do_glyphs(struct pare_ui *ui, const char *argument)
{
    const int kind = argument[0] != '\0' ? pare_glyphs_parse(argument) : ((int)ui->g->kind + 1) % 3;
    if (kind < 0) {
        pare_ui_say(ui, true, "glyphs braille|block|ascii");
        return;
    }
    if (kind != PARE_GLYPHS_ASCII && pare_glyphs_detect() == PARE_GLYPHS_ASCII) {
        pare_ui_say(ui, true, "this locale has no UTF-8: only ascii can be shown");
        return;
    }
    ui->g = pare_glyphs((enum pare_glyph_kind)kind);
    pare_ui_say(ui, false, "glyphs: %s", pare_glyphs_name(ui->g->kind));
}

static void do_filter(struct pare_ui *ui, const char *argument)
{
    struct pare_table *t = pare_ui_active_table(ui);
    if (t == NULL) {
        ui->focus = ui->view == PARE_VIEW_SCATTER ? 1 : ui->focus;
        t = pare_ui_active_table(ui);
    }
    if (t != NULL) {
        snprintf(t->filter, sizeof t->filter, "%.63s", argument);
    }
}

static void do_mouse(struct pare_ui *ui, const char *argument)
{
    ui->mouse = strcmp(argument, "on") == 0 || (strcmp(argument, "off") != 0 && !ui->mouse);
    pare_ui_say(ui, false,
                ui->mouse ? "the mouse selects (Shift leaves it to the terminal)"
                          : "the mouse belongs to the terminal");
}

/* Commands that only change the screen. */
void pare_ui_run_command(struct pare_ui *ui, const char *name, const char *argument)
{
    static const struct {
        const char *name;
        void (*run)(struct pare_ui *ui, const char *argument);
    } table[] = {{"view", do_view},       {"focus", do_focus},   {"axis", do_axis},
                 {"scale", do_scale},     {"trust", do_trust},        {"zoom", do_zoom},     {"sort", do_sort},
                 {"compare", do_compare}, {"filter", do_filter}, {"help", pare_ui_show_help},
                 {"why", do_why},         {"columns", do_columns},         {"theme", do_theme},     {"glyphs", do_glyphs}, {"mouse", do_mouse}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0) {
            table[i].run(ui, argument);
            return;
        }
    }
    if (strcmp(name, "mark") == 0) {
        do_mark(ui);
    } else if (strcmp(name, "search") == 0) {
        snprintf(ui->search, sizeof ui->search, "%.63s", argument);
        pare_ui_search(ui, ui->search, 1, true);
    } else if (strcmp(name, "command") == 0) {
        pare_prompt_open(ui, ':', argument);
    } else if (strcmp(name, "explain") == 0) {
        do_explain(ui);
    } else if (strcmp(name, "yank") == 0) {
        pare_ui_yank(ui);
    } else if (strcmp(name, "redraw") == 0) {
        ui->redraw = true;
    } else if (strcmp(name, "suspend") == 0) {
        ui->suspend = true;
    } else if (strcmp(name, "quit") == 0) {
        ui->quit = true;
    }
}

void pare_ui_execute(struct pare_ui *ui, const char *line)
{
    char name[32] = "";
    while (*line == ' ' || *line == ':') {
        line++;
    }
    ui->message[0] = '\0';
    ui->dirty = true;
    if (sscanf(line, "%31s", name) != 1) {
        return;
    }
    pare_ui_refresh_state(ui);
    const int command = pare_command_find(name);
    if (command < 0) {
        pare_ui_say(ui, true, "unknown command \"%s\"; ? lists them", name);
        return;
    }
    if (!pare_command_info(command)->core) {
        const char *argument = line + strlen(name);
        argument += strspn(argument, " ");
        pare_ui_run_command(ui, name, argument);
        return;
    }
    struct pare_error err = {0};
    if (ui->host.command == NULL) {
        pare_ui_say(ui, true, "%s cannot be run here", name);
    } else if (ui->host.command(ui->host.user, line, ui->point, &err) != PARE_OK) {
        pare_ui_say(ui, true, "%s%s%s", err.where, err.where[0] != '\0' ? ": " : "", err.message);
    }
    pare_ui_refresh_state(ui);
}
