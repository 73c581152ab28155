/* view_why.c: why the layer under the cursor loses what it loses at a level, and what would cure it at what cost. What is not
 * known yet is computed by a worker; the cursor moves on meanwhile. */
#include <math.h>
#include <string.h>

#include "ui/app.h"
#include "ui/histogram.h"

enum { NARROW = 58 }; /* cells: below it one picture, and cures without figures */

/* Where the cursor comes in: the point's level; where that is fp32, the widest level that hurts. */
void pare_why_enter(struct pare_ui *ui)
{
    const struct pare_state *st = ui->st;
    const enum pare_view from = pare_ui_active(ui);
    const int of_point = from == PARE_VIEW_MATRIX ? ui->level : pare_ui_level_of(ui, ui->point, ui->layer);
    if (ui->view != PARE_VIEW_WHY) {
        ui->why_from = ui->view;
        ui->level = of_point > 0 ? of_point : 0;
    }
    for (int l = 1; ui->level == 0 && l < st->n_levels; l++) {
        const struct pare_cell *cell = ui->layer < st->n_layers && st->layers[ui->layer].cells != NULL ? &st->layers[ui->layer].cells[l] : NULL;
        ui->level = l == st->n_levels - 1 || (cell != NULL && cell->loss > 0.02) ? l : 0;
    }
    ui->view = PARE_VIEW_WHY;
    ui->cure = 0;
    ui->dirty = true;
}

void pare_why_refresh(struct pare_ui *ui)
{
    if (ui->view != PARE_VIEW_WHY) {
        return;
    }
    if (ui->host.why != NULL && !ui->st->loading && ui->st->failed == NULL) {
        ui->host.why(ui->host.user, ui->layer, ui->level, &ui->why);
        ui->st = ui->host.state(ui->host.user);
    } else {
        memset(&ui->why, 0, sizeof ui->why);
        snprintf(ui->why.text, sizeof ui->why.text, "nothing can be measured here");
    }
    ui->cure = ui->cure < ui->why.n_cures ? ui->cure : ui->why.n_cures > 0 ? ui->why.n_cures - 1 : 0;
}

/* ---- drawing ---- */

/* Text broken at blanks, from the left; at most h lines. Returns the lines used; surface NULL only counts. */
static int draw_wrapped(struct pare_ui *ui, bool only_count, struct pare_rect r, uint32_t style, const char *text)
{
    int lines = 0;
    char line[400];
    while (*text != '\0' && lines < r.h && r.w > 0) {
        size_t cut = 0, n = 0;
        for (n = strcspn(text, " ");; n += 1 + strcspn(text + n + 1, " ")) {
            snprintf(line, sizeof line, "%.*s", (int)n, text);
            if (pare_text_width(line) > r.w && cut > 0) {
                break;
            }
            cut = n;
            if (text[n] == '\0') {
                break;
            }
        }
        cut = lines + 1 == r.h ? strlen(text) : cut; /* the last line ends in an ellipsis */
        snprintf(line, sizeof line, "%.*s", (int)cut, text);
        if (!only_count) {
            pare_draw_text(&ui->surface, r.x, r.y + lines, r.w, style, line);
        }
        lines++;
        text += cut;
        text += strspn(text, " ");
    }
    return lines;
}

static const char *number(const struct pare_ui *ui, char out[32], double value, const char *format)
{
    if (isfinite(value)) {
        snprintf(out, 32, format, value);
    } else {
        snprintf(out, 32, "%s", ui->g->none);
    }
    return out;
}

static void draw_errors(struct pare_ui *ui, int x, int y, int w)
{
    const struct pare_why *why = &ui->why;
    struct pare_pen pen = pare_pen(&ui->surface, x, y, w);
    char a[32];
    const char *const names[] = {"own", "step", w >= 84 ? "weights alone" : "weights", w >= 84 ? "activations alone" : w >= 74 ? "activations" : "activ."};
    const double values[] = {why->own, why->step, why->by_weights, why->by_activations};
    if (w >= 60) {
        pare_pen_put(&pen, PARE_INK_HEAD, w >= 100 ? "RMSE of its output  " : "RMSE ");
    }
    for (int i = 0; i < 4; i++) {
        pare_pen_put(&pen, PARE_INK_DIM, i > 0 ? (w >= 100 ? "   %s " : ", %s ") : "%s ", names[i]);
        pare_pen_put(&pen, PARE_INK_TEXT, "%s", number(ui, a, values[i], "%.3g"));
    }
    if (why->outside > 0 && pen.x + 40 <= pen.end) {
        pare_pen_put(&pen, why->outside > 0.001 ? PARE_INK_WARN : PARE_INK_DIM, "   %.2f %% beyond what calibration saw", 100 * why->outside);
    }
}

/* How many codes its axis can mark; 0 where the grid is none of evenly spread codes. */
static int codes_of(const struct pare_ui *ui, bool weights)
{
    const struct pare_level level = ui->st->levels[ui->level];
    const int bits = level.kind != PARE_LEVEL_INT ? 0 : weights ? level.w_bits : level.a_bits;
    return bits < 2 || bits > 5 || (weights && bits < 3) ? 0 : weights ? (1 << bits) - 1 : 1 << bits;
}

/* Beside each other: what it holds, what it reads, and where there is room what it writes. */
static void draw_pictures(struct pare_ui *ui, struct pare_rect r, int strip)
{
    const struct pare_why *why = &ui->why;
    const uint32_t ink = (uint32_t)pare_ui_level_ink(ui, ui->level);
    const bool activations = why->by_activations > why->by_weights;
    const int n = r.w >= 144 ? 3 : r.w >= NARROW ? 2 : 1, w = (r.w - 3 * (n - 1)) / n;
    for (int i = 0; i < n; i++) {
        const int which = n == 1 ? activations : i;
        const struct pare_histogram *h = which == 0 ? &why->weights : which == 1 ? &why->input : &why->output;
        const struct pare_rect at = {r.x + i * (w + 3), r.y, w, r.h - strip};
        pare_histogram_draw(ui, at, h, which == 0 ? "weights" : which == 1 ? "reads" : "writes", ink, codes_of(ui, which == 0));
        if (strip >= 2 && which < 2) {
            pare_strip_draw(ui, (struct pare_rect){at.x, r.y + r.h - strip, w, strip}, which == 0 ? &why->channels : &why->input_channels, ink);
        }
    }
}

static void draw_cure(struct pare_ui *ui, int i, int x, int y, int w, int name)
{
    const struct pare_cure *c = &ui->why.cures[i];
    const bool here = i == ui->cure;
    char text[160], step[32], gain[32] = "", loss[32], kb[32], ms[32];
    snprintf(text, sizeof text, c->rule != NULL ? "quantize %s" : "level %s", c->rule != NULL ? c->rule : pare_ui_level_name(ui, c->level));
    if (here) {
        pare_draw_char(&ui->surface, x, y, ui->g->chosen, PARE_INK_HERE);
    }
    pare_draw_text(&ui->surface, x + 1, y, name, here ? PARE_INK_TITLE : PARE_INK_TEXT, text);
    if (isfinite(c->gain)) {
        snprintf(gain, sizeof gain, "%.0f %%", 100 * (c->gain - 1));
    }
    if (w < NARROW) { /* what it gains, else what it costs */
        snprintf(kb, sizeof kb, "%+.1f kB", c->bytes / 1000);
        pare_draw_right(&ui->surface, x + w - 9, y, 9, PARE_INK_GOOD, gain[0] != '\0' ? gain : isfinite(c->bytes) ? kb : "");
        return;
    }
    pare_draw_right(&ui->surface, x + 1 + name, y, 10, PARE_INK_TEXT, number(ui, step, c->step_rmse, "%.3g"));
    pare_draw_right(&ui->surface, x + 11 + name, y, 7, PARE_INK_GOOD, gain);
    if (w >= name + 46) {
        pare_draw_right(&ui->surface, x + 18 + name, y, 8, PARE_INK_TEXT, number(ui, loss, c->loss, "%.3f"));
    }
    const int at = x + (w >= name + 46 ? 26 : 18) + name;
    pare_draw_right(&ui->surface, at, y, 10, c->bytes > 0 ? PARE_INK_TEXT : PARE_INK_DIM, number(ui, kb, c->bytes / 1000, c->bytes > 0 ? "%+.2f" : "%.0f"));
    pare_draw_right(&ui->surface, at + 10, y, 10, PARE_INK_TEXT, number(ui, ms, c->ms, c->ms == 0 ? "%.0f" : fabs(c->ms) < 0.0995 ? "%+.4f" : "%+.3f"));
}

/* Head and rows: h lines; the chosen one is always among them. */
static void draw_cures(struct pare_ui *ui, struct pare_rect r, bool head)
{
    int name = r.w - 46 > 44 ? 44 : r.w - 46, y = r.y;
    name = r.w < NARROW ? r.w - 11 : name < 20 ? r.w - 39 : name;
    const int rows = r.h - head, first = ui->cure >= rows ? ui->cure - rows + 1 : 0;
    if (head) {
        const int at = r.x + (r.w >= name + 46 ? 26 : 18) + name;
        pare_draw_text(&ui->surface, r.x + 1, y, name, PARE_INK_HEAD, "what would cure it");
        pare_draw_right(&ui->surface, r.x + 1 + name, y, 10, PARE_INK_HEAD, "step RMSE");
        if (r.w >= name + 46) {
            pare_draw_right(&ui->surface, r.x + 18 + name, y, 8, PARE_INK_HEAD, "loss");
        }
        pare_draw_right(&ui->surface, at, y, 10, PARE_INK_HEAD, "kB more");
        pare_draw_right(&ui->surface, at + 10, y++, 10, PARE_INK_HEAD, "ms more");
    }
    if (ui->why.n_cures == 0 && rows > 0) {
        pare_draw_text(&ui->surface, r.x + 1, y, r.w - 1, PARE_INK_DIM, "no rule that was tried takes a tenth off its step error, no level is wider");
    }
    for (int i = first; i < ui->why.n_cures && i - first < rows; i++) {
        draw_cure(ui, i, r.x, y + i - first, r.w, name);
    }
}

/* Who gets how many lines: the one line always, then one cure, a small picture, errors, channels, more of everything. */
static void draw_known(struct pare_ui *ui, struct pare_rect r)
{
    const int why = draw_wrapped(ui, true, (struct pare_rect){0, 0, r.w, r.h > 10 ? 2 : r.h > 1 ? r.h - 1 : 1}, 0, ui->why.text);
    int left = r.h - why, cures = left > 0, errors = 0, strip = 0, picture = 0, head = 0, gap = 0;
    left -= cures;
    if (left >= PARE_HISTOGRAM_LEAST && r.w >= 24) {
        picture = PARE_HISTOGRAM_LEAST;
        left -= picture;
        errors = left > 0;
        left -= errors;
        strip = left >= 2 ? 2 : 0;
        left -= strip;
        head = left > 0 && r.w >= NARROW;
        left -= head;
        gap = r.h >= 22 ? 2 : 0;
        left -= gap;
        const int want = ui->why.n_cures > 1 ? ui->why.n_cures : 1, some = left / 3 + 1;
        const int more = (some < want ? some : want) - cures;
        cures += more > 0 ? more : 0;
        left -= more > 0 ? more : 0;
        const int tall = r.h >= 40 ? 3 : r.h >= 22 ? 1 : 0;
        strip += strip > 0 && left > 4 * tall ? tall : 0;
        left -= strip > 2 ? strip - 2 : 0;
        picture += left > 0 ? left : 0;
    }
    int y = r.y;
    y += draw_wrapped(ui, false, (struct pare_rect){r.x, y, r.w, why}, PARE_INK_TITLE, ui->why.text);
    if (errors) {
        draw_errors(ui, r.x, y++, r.w);
    }
    y += gap / 2;
    if (picture > 0) {
        draw_pictures(ui, (struct pare_rect){r.x, y, r.w, picture + strip}, strip);
        y += picture + strip;
    }
    y += gap - gap / 2;
    if (cures > 0) {
        draw_cures(ui, (struct pare_rect){r.x, y, r.w, cures + head}, head);
    }
}

static void draw(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    char title[192], right[48] = "";
    const struct pare_why *why = &ui->why;
    (void)panel;
    struct pare_rect in = pare_rect_inside(r);
    in = (struct pare_rect){in.x + 1, in.y, in.w > 2 ? in.w - 2 : 0, in.h};
    if (ui->st->n_layers == 0) {
        pare_ui_draw_box(ui, r, focused, "why", NULL);
        pare_ui_draw_note(ui, in, "no layers: the models hold nothing that can be quantized");
        return;
    }
    snprintf(title, sizeof title, "why %s loses at %s", ui->st->layers[ui->layer].name, pare_ui_level_name(ui, ui->level));
    if (why->state == PARE_CELL_DONE && r.w >= 70) {
        snprintf(right, sizeof right, "%d call%s of its stage  %d/%d", why->calls, why->calls == 1 ? "" : "s", ui->layer + 1, ui->st->n_layers);
    } else {
        snprintf(right, sizeof right, "%d/%d", ui->layer + 1, ui->st->n_layers);
    }
    pare_ui_draw_box(ui, r, focused, title, right);
    if (why->state == PARE_CELL_DONE) {
        draw_known(ui, in);
    } else if (why->state == PARE_CELL_FAILED) {
        pare_draw_text(&ui->surface, in.x, in.y, in.w, PARE_INK_BAD, "this could not be measured; :retry tries again");
        pare_ui_draw_note(ui, (struct pare_rect){in.x, in.y + 1, in.w, in.h - 1}, why->text);
    } else {
        const int w = in.w < 44 ? in.w - 4 : 40;
        pare_ui_draw_note(ui, (struct pare_rect){in.x, in.y, in.w, in.h - 2}, why->text);
        if (why->state == PARE_CELL_RUNNING && in.h >= 4 && w > 4) {
            pare_ui_draw_bar(ui, in.x + (in.w - w) / 2, in.y + in.h / 2 + 1, w, why->part);
        }
    }
}

/* ---- keys ---- */

/* The layer that stands next in the layers' table, sorted and filtered as it is. */
static bool move_layer(struct pare_ui *ui, enum pare_motion motion)
{
    struct pare_table *t = &ui->tables[PARE_VIEW_LAYERS];
    t->cursor = ui->layer;
    pare_table_update(ui, t, pare_view_layers.model(ui));
    if (!pare_table_go(t, motion)) {
        return false;
    }
    ui->layer = t->n > 0 && t->cursor >= 0 ? t->cursor : ui->layer;
    ui->cure = 0;
    return true;
}

/* The chosen cure as a command in the prompt, to be looked at before ENTER runs it. */
static void take_cure(struct pare_ui *ui)
{
    char line[400];
    const struct pare_cure *c = ui->why.n_cures > 0 ? &ui->why.cures[ui->cure] : NULL;
    const char *layer = ui->st->layers[ui->layer].name;
    if (c == NULL) {
        pare_ui_say(ui, false, "no cure is known here");
    } else if (c->rule != NULL) {
        snprintf(line, sizeof line, "quantize +%s: %s", layer, c->rule);
        pare_prompt_open(ui, ':', line);
    } else {
        snprintf(line, sizeof line, "pin %s=%s", layer, pare_ui_level_name(ui, c->level));
        pare_prompt_open(ui, ':', line);
    }
}

static bool move(struct pare_ui *ui, enum pare_motion motion)
{
    const int n = ui->st->n_levels;
    ui->dirty = true;
    if (motion == PARE_MOVE_LEFT || motion == PARE_MOVE_RIGHT) {
        ui->level += motion == PARE_MOVE_LEFT ? -1 : 1;
        ui->level = ui->level < 1 ? (n > 1 ? 1 : 0) : ui->level >= n ? n - 1 : ui->level;
        ui->cure = 0;
    } else if (motion == PARE_MOVE_BACK || motion == PARE_MOVE_FORWARD) {
        ui->cure += motion == PARE_MOVE_BACK ? -1 : 1;
        ui->cure = ui->cure < 0 ? 0 : ui->cure >= ui->why.n_cures ? (ui->why.n_cures > 0 ? ui->why.n_cures - 1 : 0) : ui->cure;
    } else if (motion == PARE_MOVE_ENTER && ui->st->n_layers > 0) {
        take_cure(ui);
    } else if (ui->st->n_layers > 0) {
        return move_layer(ui, motion);
    }
    return true;
}

const struct pare_view_ops pare_view_why = {
    "why", draw, move, NULL, "j k layer|h l level|[ ] cure|ENTER take|p pin|i explain|ESC back|u undo"};
