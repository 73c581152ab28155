/* status.c: what stands around the views: header, tabs, the point in words, budget and solver,
 * progress, keys. */
#include <math.h>
#include <string.h>

#include "ui/app.h"

static void draw_header(struct pare_ui *ui, struct pare_rect r)
{
    const struct pare_state *st = ui->st;
    char right[192] = "", number[32];
    size_t used = 0;
    if (st->target != NULL && st->target[0] != '\0') {
        used +=
            (size_t)snprintf(right, sizeof right, r.w >= 100 ? "target %s   " : "%s  ", st->target);
    }
    const bool accuracy = isfinite(st->fp32_accuracy.value) && st->fp32_accuracy.kind != PARE_FIGURE_NONE;
    const bool latency = isfinite(st->fp32_latency.value) && st->fp32_latency.kind != PARE_FIGURE_NONE;
    const bool bytes = isfinite(st->fp32_bytes) && st->fp32_bytes > 0;
    if ((accuracy || latency || bytes) && used < sizeof right) { /* whose figures these are, whichever are known */
        used += (size_t)snprintf(right + used, sizeof right - used, "fp32 ");
    }
    if (accuracy && used < sizeof right) {
        used += (size_t)snprintf(right + used, sizeof right - used, "%s %%  ",
                                 pare_format_percent(number, sizeof number, st->fp32_accuracy.value, ui->g));
    }
    if (latency && used < sizeof right) {
        used +=
            (size_t)snprintf(right + used, sizeof right - used, "%s ms  ",
                             pare_format_ms(number, sizeof number, st->fp32_latency.value, ui->g));
    }
    if (bytes && used < sizeof right) {
        snprintf(right + used, sizeof right - used, "%s ",
                 pare_format_bytes(number, sizeof number, st->fp32_bytes, ui->g));
    }
    int w = pare_text_width(right);
    w = w > r.w - 24 ? 0 : w;
    struct pare_pen pen = pare_pen(&ui->surface, r.x + 1, r.y, r.w - w - 2);
    pare_pen_put(&pen, PARE_INK_BORDER_FOCUS | PARE_BOLD, "pare");
    pare_pen_put(&pen, PARE_INK_NAME, "  %s", st->name != NULL ? st->name : "");
    if (st->follower) {
        pare_pen_put(&pen, PARE_INK_WARN, "  following");
    }
    if (st->quantize != NULL) {
        pare_pen_put(&pen, PARE_INK_DIM, "  quantize ");
        pare_pen_put(&pen, PARE_INK_MARK, "%s%s", st->quantize, st->redescribing ? ui->g->ellipsis : "");
    }
    if (st->n_stages > 0 && pen.x + 24 <= pen.end) {
        pare_pen_put(&pen, PARE_INK_DIM, "  %d model%s, %d layers", st->n_stages,
                     st->n_stages == 1 ? "" : "s", st->n_layers);
    }
    if (w > 0) {
        pare_draw_text(&ui->surface, r.x + r.w - w, r.y, w, PARE_INK_DIM, right);
    }
}

static void draw_tabs(struct pare_ui *ui, struct pare_rect r)
{
    int total = 1;
    for (int i = 0; i < PARE_VIEW_COUNT; i++) {
        total += 5 + (int)strlen(pare_view_ops((enum pare_view)i)->name);
    }
    const bool tight = total > r.w;
    int x = r.x;
    for (int i = 0; i < PARE_VIEW_COUNT; i++) {
        const char *name = pare_view_ops((enum pare_view)i)->name;
        const bool here = ui->view == (enum pare_view)i;
        char text[32];
        const int letters = tight && !here && r.w < 70 ? 3 : 20;
        snprintf(text, sizeof text, tight ? "%d %.*s" : " %d %.*s ", i + 1, letters, name);
        const int w = pare_text_width(text);
        if (x + w > r.x + r.w) {
            break;
        }
        pare_draw_text(&ui->surface, x + (tight ? 1 : 0), r.y, w, PARE_INK_DIM, text);
        pare_draw_char(&ui->surface, x + 1, r.y, (uint32_t)('1' + i), PARE_INK_KEY);
        if (here) {
            pare_draw_text(&ui->surface, x + 3, r.y, (int)strlen(name),
                           PARE_INK_TITLE | PARE_UNDERLINE, name);
        }
        x += w + 1;
    }
}

/* "94.7 +- 1.3 %" of an accuracy with its interval. */
static void put_accuracy(struct pare_ui *ui, struct pare_pen *pen, const struct pare_figure *f)
{
    char value[32], half[32];
    pare_format_percent(value, sizeof value, f->value, ui->g);
    const bool predicted = f->kind == PARE_FIGURE_PREDICTED && isfinite(f->value); /* not by colour alone */
    pare_pen_put(pen, predicted ? PARE_INK_PREDICTED : PARE_INK_TITLE, "%s%s", predicted ? "~" : "", value);
    if (isfinite(f->low) && isfinite(f->high) && isfinite(f->value)) {
        pare_format_percent(half, sizeof half, (f->high - f->low) / 2, ui->g);
        pare_pen_put(pen, PARE_INK_DIM, " %s %s", ui->g->plus_minus, half);
    }
    if (isfinite(f->value)) {
        pare_pen_put(pen, PARE_INK_DIM, " %%");
    }
}

static void put_drop(struct pare_ui *ui, struct pare_pen *pen, const struct pare_point *p)
{
    char value[32], predicted[32];
    pare_pen_put(pen, PARE_INK_DIM, "   drop ");
    const bool unmeasured = p->drop.kind == PARE_FIGURE_PREDICTED;
    pare_pen_put(pen, p->over_budget ? PARE_INK_BAD : unmeasured ? PARE_INK_PREDICTED : PARE_INK_TITLE, "%s%s", unmeasured ? "~" : "",
                 pare_format_percent(value, sizeof value, p->drop.value, ui->g));
    if (p->drop.kind == PARE_FIGURE_MEASURED && isfinite(p->drop_predicted.value)) {
        pare_pen_put(pen, PARE_INK_DIM, " (predicted %s)",
                     pare_format_percent(predicted, sizeof predicted, p->drop_predicted.value, ui->g));
    }
    if (p->over_budget) {
        pare_pen_put(pen, PARE_INK_BAD, " OVER BUDGET");
    }
}

#define BYTES_WIDE 18 /* cells of "   bytes 1.23 MB" */

static void put_latency(struct pare_ui *ui, struct pare_pen *pen, const struct pare_point *p,
                        bool full)
{
    char value[32], predicted[32], p99[32];
    const bool known = p->latency.kind == PARE_FIGURE_MEASURED;
    pare_pen_put(pen, PARE_INK_DIM, full ? "   latency " : "  ");
    const bool unmeasured = !known && isfinite(p->latency.value);
    pare_pen_put(pen, unmeasured ? PARE_INK_PREDICTED : PARE_INK_TITLE, "%s%s", unmeasured ? "~" : "",
                 pare_format_ms(value, sizeof value, p->latency.value, ui->g));
    if (isfinite(p->latency.value)) {
        pare_pen_put(pen, PARE_INK_DIM, " ms");
    }
    if (known && isfinite(p->latency_predicted.value)) {
        char more[96];
        pare_format_ms(predicted, sizeof predicted, p->latency_predicted.value, ui->g);
        int n = snprintf(more, sizeof more, full ? " (predicted %s" : " (%s", predicted);
        const int left = pen->end - pen->x - n - 1;
        if (full && isfinite(p->p99_ms) && left >= BYTES_WIDE + 13) { /* the bytes come first */
            n += snprintf(more + n, sizeof more - (size_t)n, "; p99 %s", pare_format_ms(p99, sizeof p99, p->p99_ms, ui->g));
        }
        if (left >= 0) { /* nothing rather than half a number */
            pare_pen_put(pen, PARE_INK_DIM, "%s)", more);
        }
    }
}

static void put_rest(struct pare_ui *ui, struct pare_pen *pen, const struct pare_point *p,
                     bool full)
{
    char value[32];
    if (pen->x + (full ? BYTES_WIDE - 3 : 9) > pen->end) {
        return; /* nothing rather than half a number */
    }
    pare_pen_put(pen, PARE_INK_DIM, full ? "   bytes " : "  ");
    pare_pen_put(pen, PARE_INK_TITLE, "%s",
                 pare_format_bytes(value, sizeof value, p->bytes.value, ui->g));
    if (full && isfinite(p->bitops.value) && pen->x + 18 <= pen->end) {
        pare_pen_put(pen, PARE_INK_DIM, "   BitOps ");
        pare_pen_put(pen, PARE_INK_TITLE, "%s",
                     pare_format_count(value, sizeof value, p->bitops.value, ui->g));
    }
    if (full && (p->drop.kind == PARE_FIGURE_PREDICTED || p->latency.kind == PARE_FIGURE_PREDICTED) && pen->x + 14 <= pen->end) {
        pare_pen_put(pen, PARE_INK_DIM, "   ~ predicted");
    }
}

/* The second line of the boxed panel: speed-up, suspects, the costliest layer, the test split. */
static void draw_point_advice(struct pare_ui *ui, const struct pare_point *p, int x, int y, int w)
{
    const struct pare_state *st = ui->st;
    struct pare_pen pen = pare_pen(&ui->surface, x, y, w);
    char value[32];
    int suspected = 0, worst = -1;
    double cost = 0.005;
    for (int i = 0; i < st->n_layers; i++) {
        const int level = pare_ui_level_of(ui, ui->point, i);
        const struct pare_cell *cell =
            level >= 0 && st->layers[i].cells ? &st->layers[i].cells[level] : NULL;
        if (cell != NULL && cell->state == PARE_CELL_DONE) {
            suspected += cell->suspected;
            if (cell->drop > cost) {
                cost = cell->drop;
                worst = i;
            }
        }
    }
    if (isfinite(st->fp32_latency.value) && p->latency.value > 0) {
        pare_pen_put(&pen, PARE_INK_GOOD, "%.1fx", st->fp32_latency.value / p->latency.value);
        pare_pen_put(&pen, PARE_INK_DIM, " fp32 here.  ");
    }
    if (isfinite(st->fp32_bytes) && p->bytes.value > 0) {
        pare_pen_put(&pen, PARE_INK_DIM, "%.2fx its bytes.  ", p->bytes.value / st->fp32_bytes);
    }
    if (suspected > 0) {
        pare_pen_put(&pen, PARE_INK_WARN, "%d layer%s suspected%s", suspected,
                     suspected == 1 ? "" : "s", worst >= 0 ? "; " : ".  ");
    }
    if (worst >= 0) {
        pare_pen_put(&pen, PARE_INK_TITLE, "%s", st->layers[worst].name);
        pare_pen_put(&pen, PARE_INK_DIM, " at %s alone costs %s points.  ",
                     pare_ui_level_name(ui, pare_ui_level_of(ui, ui->point, worst)),
                     pare_format_percent(value, sizeof value, cost, ui->g));
    }
    if (p->test_accuracy.kind == PARE_FIGURE_MEASURED) {
        pare_pen_put(&pen, PARE_INK_DIM, "test split ");
        put_accuracy(ui, &pen, &p->test_accuracy);
    }
}

/* Neither measured nor predicted: its files, the rules or Pare have changed since. */
static bool is_unknown(const struct pare_ui *ui, const struct pare_point *p)
{
    return !ui->st->bare && (p->accuracy.kind == PARE_FIGURE_NONE || !isfinite(p->accuracy.value)) &&
           (p->latency.kind == PARE_FIGURE_NONE || !isfinite(p->latency.value));
}

void pare_status_draw_point(struct pare_ui *ui, struct pare_rect r, bool boxed)
{
    char title[256] = "point", name[64], sign[8];
    const struct pare_point *p = ui->point >= 0 ? &ui->st->points[ui->point] : NULL;
    pare_text_encode(ui->g->here, sign);
    pare_ui_point_name(ui, ui->point, name, sizeof name);
    if (p != NULL && p->run >= 0 && p->run < ui->st->n_runs) {
        const struct pare_run *run = &ui->st->runs[p->run];
        const bool same = strcmp(run->name, run->method) == 0;
        const bool labelled =
            p->label != NULL && p->label[0] != '\0' && strcmp(p->label, name) != 0;
        snprintf(title, sizeof title, "point %s   run %s%s%s, %d of %d%s%s", sign, run->name,
                 same ? "" : ", ", same ? "" : run->method, p->number, run->n_points,
                 labelled ? "   " : "", labelled ? p->label : "");
    }
    if (boxed) {
        pare_ui_draw_box(ui, r, false, title, p != NULL && p->samples > 0 ? "" : NULL);
        r = pare_rect_inside(r);
    }
    struct pare_pen pen = pare_pen(&ui->surface, r.x + 1, r.y, r.w - 2);
    if (p == NULL) {
        pare_pen_put(&pen, PARE_INK_DIM, "no point yet");
        return;
    }
    if (!boxed) {
        pare_pen_put(&pen, PARE_INK_HERE, "%s ", sign);
        pare_pen_put(&pen, PARE_INK_TITLE, "%s  ", name);
    }
    if (is_unknown(ui, p)) { /* better than a row of dashes */
        pare_pen_put(&pen, PARE_INK_WARN, boxed ? "not measured with the files, rules and version of now; m measures it, s solves again" : "not measured as things are now: m");
        return;
    }
    if (boxed) {
        pare_pen_put(&pen, PARE_INK_DIM, ui->st->bare ? "" : "accuracy ");
    }
    if (!ui->st->bare) {
        put_accuracy(ui, &pen, &p->accuracy);
    }
    if (ui->st->bare) {
        /* no data: neither accuracy nor drop */
    } else if (boxed || r.w >= 100) {
        put_drop(ui, &pen, p);
    } else {
        char value[32];
        pare_pen_put(&pen, PARE_INK_DIM, "  drop ");
        pare_pen_put(&pen, p->over_budget ? PARE_INK_BAD : PARE_INK_TITLE, "%s%s%s", p->drop.kind == PARE_FIGURE_PREDICTED ? "~" : "",
                     pare_format_percent(value, sizeof value, p->drop.value, ui->g), p->over_budget ? " OVER" : "");
    }
    put_latency(ui, &pen, p, boxed);
    put_rest(ui, &pen, p, boxed);
    if (boxed && r.h > 1) {
        draw_point_advice(ui, p, r.x + 1, r.y + 1, r.w - 2);
    } else if (isfinite(ui->st->fp32_latency.value) && p->latency.value > 0 && pen.x + 7 <= pen.end) {
        pare_pen_put(&pen, PARE_INK_GOOD, "  %.1fx", ui->st->fp32_latency.value / p->latency.value);
    }
}

static void put_limit(struct pare_ui *ui, struct pare_pen *pen, const char *what, double value,
                      int kind)
{
    char number[32];
    pare_pen_put(pen, PARE_INK_DIM, "%s ", what);
    if (isnan(value)) {
        pare_pen_put(pen, PARE_INK_DIM, ui->surface.width >= 100 ? "%s   " : "%s  ", ui->g->none);
        return;
    }
    if (kind == 0) {
        pare_format_percent(number, sizeof number, value, ui->g);
    } else if (kind == 1) {
        pare_format_ms(number, sizeof number, value, ui->g);
    } else if (kind == 2) {
        pare_format_bytes(number, sizeof number, value, ui->g);
    } else {
        pare_format_count(number, sizeof number, value, ui->g);
    }
    pare_pen_put(pen, PARE_INK_TITLE, "%s %s%s", ui->g->le, number,
                 kind == 0   ? " %"
                 : kind == 1 && what[0] != 'u' ? " ms"
                             : "");
    pare_pen_put(pen, PARE_INK_DIM, "   ");
}

static void draw_budget(struct pare_ui *ui, struct pare_rect r)
{
    const struct pare_state *st = ui->st;
    struct pare_pen pen = pare_pen(&ui->surface, r.x + 1, r.y, r.w - 2);
    if (r.w >= 100) {
        pare_pen_put(&pen, PARE_INK_HEAD, "budget  ");
    }
    if (!st->bare || !isnan(st->max_drop)) {
        put_limit(ui, &pen, "drop", st->max_drop, 0);
    }
    if (r.w >= 100 ||
        !isnan(st->max_latency_ms)) { /* a narrow screen keeps the room for the solver's answer */
        put_limit(ui, &pen, "latency", st->max_latency_ms, 1);
    }
    if (r.w >= 100 || !isnan(st->max_bytes)) {
        put_limit(ui, &pen, "bytes", st->max_bytes, 2);
    }
    if (!isnan(st->max_bitops)) {
        put_limit(ui, &pen, "BitOps", st->max_bitops, 3);
    }
    if (!isnan(st->max_energy_uj)) {
        put_limit(ui, &pen, "uJ", st->max_energy_uj, 1);
    }
    if (st->n_pins > 0) {
        pare_pen_put(&pen, PARE_INK_MARK, "%d pin%s   ", st->n_pins, st->n_pins == 1 ? "" : "s");
    }
    int waiting = 0; /* :pins says which, and why; what gives way to a pin by name does what it should */
    for (int i = 0; i < st->n_waiting; i++) {
        waiting += strstr(st->waiting[i], " gives way ") == NULL;
    }
    if (waiting > 0) {
        pare_pen_put(&pen, PARE_INK_WARN, "%d waiting   ", waiting);
    }
    if (r.w >= 130 && st->minimize != NULL) {
        pare_pen_put(&pen, PARE_INK_HEAD, "minimize ");
        pare_pen_put(&pen, PARE_INK_TITLE, "%s   ", st->minimize);
    }
    if (st->solver != NULL && st->solver[0] != '\0') {
        if (r.w >= 100) {
            pare_pen_put(&pen, PARE_INK_HEAD, "solver ");
        }
        pare_pen_put(&pen, PARE_INK_TEXT, "%s", st->solver);
    }
}

static void draw_progress(struct pare_ui *ui, struct pare_rect r)
{
    const struct pare_state *st = ui->st;
    struct pare_pen pen = pare_pen(&ui->surface, r.x + 1, r.y, r.w - 2);
    char number[32];
    if (st->progress_total > 0) {
        const double part = st->progress_done / st->progress_total;
        pare_pen_put(&pen, PARE_INK_TITLE, "%s ",
                     st->progress_title != NULL ? st->progress_title : "working");
        pare_pen_put(&pen, PARE_INK_TEXT, "%.0f/%.0f ", st->progress_done, st->progress_total);
        const int w = r.w >= 120 ? 28 : r.w >= 80 ? 18 : 8;
        pare_ui_draw_bar(ui, pen.x, r.y, w, part);
        pen.x += w;
        pare_pen_put(&pen, PARE_INK_TEXT, " %.0f %%", part * 100);
        if (isfinite(st->left_seconds)) {
            pare_pen_put(&pen, PARE_INK_DIM, "  %s left",
                         pare_format_duration(number, sizeof number, st->left_seconds, ui->g));
        }
    } else {
        pare_pen_put(&pen, PARE_INK_DIM, "idle");
    }
    pare_pen_put(&pen, PARE_INK_DIM, "     %d worker%s", st->n_workers,
                 st->n_workers == 1 ? "" : "s");
    if (st->n_quiet > 0) {
        pare_pen_put(&pen, PARE_INK_DIM, ", %d job%s quiet", st->n_quiet,
                     st->n_quiet == 1 ? "" : "s");
    }
    if (st->follower) {
        pare_pen_put(&pen, PARE_INK_WARN,
                     "     another pare holds this session; commands go there");
    } else if (st->bare && pen.x + 38 <= pen.end) {
        pare_pen_put(&pen, PARE_INK_DIM, "     no data: everything but accuracy");
    }
}

static void draw_message(struct pare_ui *ui, struct pare_rect r)
{
    if (ui->prompt.open) {
        pare_prompt_draw(ui, r);
        return;
    }
    const struct pare_state *st = ui->st;
    char preview[400] = "";
    const bool own = ui->message[0] != '\0';
    const char *text = own ? ui->message : st->message != NULL ? st->message : "";
    bool error = own ? ui->message_is_error : st->message_is_error;
    uint32_t style = error ? PARE_INK_BAD : PARE_INK_TEXT;
    if (!own && pare_ui_active(ui) == PARE_VIEW_MATRIX && ui->host.preview != NULL &&
        st->n_layers > 0) {
        char line[200] = "";
        if (ui->host.preview(ui->host.user, ui->layer, ui->level, ui->level, line, sizeof line)) {
            snprintf(preview, sizeof preview, "Enter pins: %s", line);
            text = preview;
            style = PARE_INK_TEXT;
        }
    }
    if (text[0] == '\0' && st->since != NULL) {
        text = st->since;
        style = PARE_INK_DIM;
    }
    pare_draw_text(&ui->surface, r.x + 1, r.y, r.w - 2, style, text);
}

/* "p pin|f free": keys bright, words dim; what does not fit is left out; the way out is always
 * there. */
static void draw_keys(struct pare_ui *ui, struct pare_rect r)
{
    static const char way_out[] = ": command|? help|q quit";
    const char *parts[2] = {pare_view_ops(pare_ui_active(ui))->keys, way_out};
    if (ui->prompt.open) {
        parts[0] = ui->prompt.sign == ':' ? "ENTER run|TAB complete|UP history|ESC leave" : ui->prompt.sign == '/' ? "ENTER find|ESC leave" : "ENTER keep|ESC show all";
    } else if (ui->popup.open) {
        parts[0] = "j k scroll|ESC close";
    }
    const int reserved = r.w >= 60 ? 29 : 15;
    struct pare_pen pen = pare_pen(&ui->surface, r.x + 1, r.y, r.w - 3 - reserved);
    for (int part = 0; part < 2; part++) {
        const char *p = parts[part];
        while (p != NULL && *p != '\0') {
            const size_t n = strcspn(p, "|");
            char item[64];
            snprintf(item, sizeof item, "%.*s", (int)n, p);
            char *label = strrchr(item, ' ');
            const bool skip = part == 1 && reserved < 20 && item[0] == ':';
            if (label != NULL && !skip && pen.x + (int)n <= pen.end) {
                *label++ = '\0';
                pare_pen_put(&pen, PARE_INK_KEY, "%s", item);
                pare_pen_put(&pen, PARE_INK_DIM, " %s", label);
                pen.x += 2;
            } else if (part == 0) {
                break;
            }
            p += n + (p[n] == '|');
        }
        pen.x = r.x + r.w - reserved;
        pen.end = r.x + r.w;
    }
}

void pare_status_draw(struct pare_ui *ui)
{
    const struct pare_layout *l = &ui->layout;
    draw_header(ui, l->header);
    if (l->tabs.h > 0) {
        draw_tabs(ui, l->tabs);
    }
    if (l->point.h > 0 && !ui->st->loading && ui->st->failed == NULL) {
        pare_status_draw_point(ui, l->point, l->point_boxed);
    }
    if (l->budget.h > 0) {
        draw_budget(ui, l->budget);
        draw_progress(ui, l->progress);
    }
    draw_message(ui, l->message);
    draw_keys(ui, l->keys);
}
