/* input.c: keys: to prompts and pages, to motions of the active view, to commands. */
#include <string.h>

#include "ui/app.h"

/* The layer that pin, keep and free start with; "*" when the cursor is on no layer. */
static const char *layer_name(const struct pare_ui *ui)
{
    return ui->st->n_layers > 0 && ui->layer >= 0 ? ui->st->layers[ui->layer].name : "*";
}

static bool is_long(struct pare_ui *ui, const char *line)
{
    char text[160];
    return pare_ui_price(ui, line, text, sizeof text) >= PARE_LONG_SECONDS; /* not so for NaN */
}

/* Keys of CORE commands: those that need an answer open the prompt with what is known already. */
static void run_core_key(struct pare_ui *ui, const char *name)
{
    char line[256];
    const bool matrix = ui->view == PARE_VIEW_MATRIX;
    snprintf(line, sizeof line, "%s", name);
    if (strcmp(name, "pin") == 0 && matrix && ui->st->n_layers > 0) {
        snprintf(line, sizeof line, "pin %s=%s", layer_name(ui), pare_ui_level_name(ui, ui->level));
        pare_ui_execute(ui, line);
        return;
    }
    if (strcmp(name, "free") == 0) {
        snprintf(line, sizeof line, "free %s", layer_name(ui));
        pare_ui_execute(ui, line);
        return;
    }
    if (strcmp(name, "cancel") == 0 && ui->view == PARE_VIEW_JOBS &&
        ui->tables[PARE_VIEW_JOBS].cursor < ui->st->n_jobs) {
        snprintf(line, sizeof line, "cancel %llu",
                 (unsigned long long)ui->st->jobs[ui->tables[PARE_VIEW_JOBS].cursor].id);
        pare_ui_execute(ui, line);
        return;
    }
    if (strcmp(name, "pin") == 0 || strcmp(name, "keep") == 0) {
        snprintf(line, sizeof line, "%s %s=", name, layer_name(ui));
        pare_prompt_open(ui, ':', line);
    } else if (strcmp(name, "quantize") == 0) {
        snprintf(line, sizeof line, "quantize %.240s", ui->st->quantize != NULL ? ui->st->quantize : "");
        pare_prompt_open(ui, ':', line);
    } else if (strcmp(name, "budget") == 0) {
        pare_prompt_open(ui, ':', "budget drop ");
    } else if (strcmp(name, "minimize") == 0 || strcmp(name, "export") == 0 ||
               strcmp(name, "cancel") == 0) {
        snprintf(line, sizeof line, "%s ", name);
        pare_prompt_open(ui, ':', line);
    } else if (strcmp(name, "sense") == 0 || strcmp(name, "bench") == 0 ||
               strcmp(name, "front") == 0 || strcmp(name, "test") == 0 || is_long(ui, name)) {
        pare_prompt_open(ui, ':', name); /* long work: its price stands there, Enter starts it */
    } else {
        pare_ui_execute(ui, line);
    }
}

static void run_key(struct pare_ui *ui, int command, int which)
{
    const struct pare_command_info *info = pare_command_info(command);
    if (info->core) {
        run_core_key(ui, info->name);
        return;
    }
    char argument[64] = "";
    if (strcmp(info->name, "view") == 0 && which < PARE_VIEW_COUNT) {
        snprintf(argument, sizeof argument, "%s", pare_view_ops((enum pare_view)which)->name);
    } else if (strcmp(info->name, "axis") == 0) {
        snprintf(argument, sizeof argument, "%s", which == 0 ? "x" : "y");
    } else if (strcmp(info->name, "zoom") == 0) {
        snprintf(argument, sizeof argument, "%s", which == 0 ? "in" : which == 1 ? "out" : "fit");
    } else if (strcmp(info->name, "sort") == 0) {
        snprintf(argument, sizeof argument, "%s", which == 0 ? "<" : which == 1 ? ">" : "invert");
    } else if (strcmp(info->name, "search") == 0 || strcmp(info->name, "filter") == 0) {
        if (ui->view == PARE_VIEW_SCATTER && ui->focus == 0) {
            ui->focus = 1;
        }
        pare_prompt_open(ui, info->name[0] == 's' ? '/' : '&', "");
        return;
    }
    pare_ui_run_command(ui, info->name, argument);
    ui->dirty = true;
}

/* Esc, one thing at a time: filter, search, zoom, marks. */
static void escape(struct pare_ui *ui)
{
    struct pare_table *t = pare_ui_active_table(ui);
    if (ui->view == PARE_VIEW_WHY) {
        ui->view = ui->why_from;
        ui->tables[PARE_VIEW_MATRIX].cursor = ui->layer;
    } else if (t != NULL && t->filter[0] != '\0') {
        t->filter[0] = '\0';
    } else if (ui->search[0] != '\0') {
        ui->search[0] = '\0';
    } else if (ui->scatter.zoomed) {
        ui->scatter.zoomed = false;
    } else if (ui->n_marks > 0) {
        ui->n_marks = 0;
    }
}

static bool move_table(struct pare_ui *ui, enum pare_motion motion)
{
    struct pare_table *t = pare_ui_active_table(ui);
    if (t == NULL) {
        return false;
    }
    pare_table_update(ui, t, pare_view_ops(pare_ui_active(ui))->model(ui));
    if (!pare_table_go(t, motion)) {
        return false;
    }
    pare_ui_take_cursor(ui);
    return true;
}

/* A bound key: a bare command is what its own first key does (it asks for what is missing), a whole line is run. */
static void run_binding(struct pare_ui *ui, const char *line)
{
    const int command = pare_command_find(line);
    if (strcmp(line, "none") == 0) {
        return;
    }
    if (command >= 0) {
        run_key(ui, command, 0);
    } else if (is_long(ui, line)) {
        pare_prompt_open(ui, ':', line);
    } else {
        pare_ui_execute(ui, line);
    }
}

void pare_ui_key(struct pare_ui *ui, int key)
{
    int which = 0;
    pare_ui_refresh_state(ui);
    pare_layout_compute(ui->surface.width, ui->surface.height, ui->view == PARE_VIEW_SCATTER,
                        ui->focus, &ui->layout);
    ui->dirty = true;
    const bool small = ui->layout.kind == PARE_LAYOUT_TOO_SMALL;
    if (ui->popup.open && !small) {
        pare_popup_key(ui, key);
        return;
    }
    if (ui->prompt.open && !small) {
        pare_prompt_key(ui, key);
        return;
    }
    ui->message[0] = '\0';
    const int command = pare_key_command(key, &which);
    if (small) { /* only what needs no picture */
        const char *name = command >= 0 ? pare_command_info(command)->name : "";
        if (strcmp(name, "quit") == 0 || strcmp(name, "suspend") == 0 ||
            strcmp(name, "redraw") == 0) {
            pare_ui_run_command(ui, name, "");
        }
        return;
    }
    const enum pare_motion motion = pare_key_motion(key);
    const char *bound = pare_bindings_line(&ui->bindings, key);
    if (bound != NULL) {
        run_binding(ui, bound);
    } else if (motion == PARE_MOVE_ESC) {
        escape(ui);
    } else if (motion != PARE_MOVE_NONE) {
        const struct pare_view_ops *view = pare_view_ops(pare_ui_active(ui));
        if (view->move == NULL || !view->move(ui, motion)) {
            move_table(ui, motion);
        }
    } else if (key == 'n' || key == 'N') {
        pare_ui_search(ui, ui->search, key == 'n' ? 1 : -1, false);
    } else if (key == PARE_KEY_BACKTAB) {
        pare_ui_run_command(ui, "focus", "previous");
    } else if (key == PARE_KEY_F1) {
        pare_ui_show_help(ui, "");
    } else if (key == 3) {
        pare_ui_say(ui, false, "q quits; finished work is kept");
    } else if (command >= 0) {
        run_key(ui, command, which);
    }
}
