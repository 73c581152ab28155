/* histogram.c: see the header. */
#include "ui/histogram.h"

#include <math.h>
#include <string.h>

#include "ui/app.h"
#include "ui/canvas.h"

enum { BODY = 1, TAIL, LIMIT };

/* What the picture spans: the values, and of the range what is at most a third of them beyond. */
struct span {
    double lo, hi;
};

static struct span span_of(const struct pare_histogram *h)
{
    const double room = 0.33 * (h->hi - h->lo);
    struct span s = {h->lo, h->hi};
    if (isfinite(h->range_lo) && h->range_lo < s.lo) {
        s.lo = fmax(h->range_lo, h->lo - room);
    }
    if (isfinite(h->range_hi) && h->range_hi > s.hi) {
        s.hi = fmin(h->range_hi, h->hi + room);
    }
    return s;
}

/* The largest count of the bins that a column covers, the middle of it in *at. */
static double count_at(const struct pare_histogram *h, struct span s, int x, int width, double *at)
{
    const double from = s.lo + (s.hi - s.lo) * x / width, to = s.lo + (s.hi - s.lo) * (x + 1) / width;
    const double step = PARE_WHY_BINS / (h->hi - h->lo);
    const int first = (int)floor((from - h->lo) * step), last = (int)ceil((to - h->lo) * step) - 1;
    double most = 0;
    *at = 0.5 * (from + to);
    for (int b = first < 0 ? 0 : first; b <= last && b < PARE_WHY_BINS; b++) {
        most = fmax(most, h->bins[b]);
    }
    return most;
}

static void draw_column(struct pare_canvas *c, int x, int height, bool tail)
{
    for (int y = 0; y < height; y++) {
        if (!tail || c->kind == PARE_GLYPHS_ASCII || (x + y) % 2 == 0 || height < 2) {
            pare_canvas_dot(c, x, c->height - 1 - y, tail ? TAIL : BODY, tail ? ':' : '#');
        }
    }
}

/* Column of a value, held inside. */
static int place(struct span s, double value, int width)
{
    const double x = (value - s.lo) / (s.hi - s.lo) * width;
    return x < 0 ? 0 : x >= width ? width - 1 : (int)x;
}

static void draw_plot(struct pare_ui *ui, struct pare_rect r, const struct pare_histogram *h, struct span s, uint32_t ink)
{
    struct pare_canvas c;
    double most = 1, at;
    const bool ranged = isfinite(h->range_lo) && isfinite(h->range_hi);
    if (!pare_canvas_init(&c, ui->g->kind, r.w, r.h)) {
        return;
    }
    c.styles[BODY] = ink;
    c.styles[TAIL] = PARE_INK_BAD;
    c.styles[LIMIT] = PARE_INK_MARK;
    for (int b = 0; b < PARE_WHY_BINS; b++) {
        most = fmax(most, h->bins[b]);
    }
    for (int x = 0; x < c.width; x++) {
        const double n = count_at(h, s, x, c.width, &at);
        const int height = (int)lround(c.height * log1p(n) / log1p(most));
        draw_column(&c, x, n > 0 && height < 1 ? 1 : height, ranged && (at < h->range_lo || at > h->range_hi));
    }
    if (ranged) {
        const int gap = c.kind == PARE_GLYPHS_ASCII ? 1 : 2;
        if (h->range_lo >= s.lo) {
            pare_canvas_vertical(&c, place(s, h->range_lo, c.width), 0, c.height - 1, LIMIT, gap);
        }
        if (h->range_hi <= s.hi) {
            pare_canvas_vertical(&c, place(s, h->range_hi, c.width), 0, c.height - 1, LIMIT, gap);
        }
    }
    pare_canvas_draw(&c, &ui->surface, r.x, r.y);
    pare_canvas_clear(&c);
}

static void draw_axis(struct pare_ui *ui, int x, int y, int w, const struct pare_histogram *h, struct span s, int codes)
{
    struct pare_surface *f = &ui->surface;
    const bool ranged = isfinite(h->range_lo) && isfinite(h->range_hi);
    const int from = ranged ? place(s, h->range_lo, w) : 0, to = ranged ? place(s, h->range_hi, w) : w - 1;
    for (int i = 0; i < w; i++) {
        pare_draw_char(f, x + i, y, i >= from && i <= to ? ui->g->horizontal : ui->g->dot, PARE_INK_AXIS);
    }
    for (int k = 1; ranged && codes > 2 && k + 1 < codes && codes * 3 <= w; k++) { /* where the codes lie */
        const double value = h->range_lo + (h->range_hi - h->range_lo) * k / (codes - 1);
        if (value > s.lo && value < s.hi) {
            pare_draw_char(f, x + place(s, value, w), y, ui->g->axis_down, PARE_INK_AXIS);
        }
    }
    if (ranged) { /* an end that lies beyond the picture points there */
        pare_draw_char(f, x + from, y, h->range_lo < s.lo ? '<' : '[', PARE_INK_MARK | PARE_BOLD);
        pare_draw_char(f, x + (to > from ? to : from + (from + 1 < w)), y, h->range_hi > s.hi ? '>' : ']', PARE_INK_MARK | PARE_BOLD);
    }
}

/* The ends of the picture, between them the range. */
static void draw_numbers(struct pare_ui *ui, int x, int y, int w, const struct pare_histogram *h, struct span s)
{
    char lo[32], hi[32], range[80];
    snprintf(lo, sizeof lo, "%.3g", s.lo);
    snprintf(hi, sizeof hi, "%.3g", s.hi);
    snprintf(range, sizeof range, "[%.3g .. %.3g]", h->range_lo, h->range_hi);
    const int a = pare_text_width(lo), b = pare_text_width(hi), n = pare_text_width(range);
    pare_draw_text(&ui->surface, x, y, a, PARE_INK_DIM, lo);
    pare_draw_text(&ui->surface, x + w - b, y, b, PARE_INK_DIM, hi);
    if (isfinite(h->range_lo) && isfinite(h->range_hi) && a + b + n + 4 <= w) {
        pare_draw_text(&ui->surface, x + a + (w - a - b - n) / 2, y, n, PARE_INK_MARK, range);
    }
}

static void draw_title(struct pare_ui *ui, struct pare_rect r, const struct pare_histogram *h, const char *title)
{
    struct pare_pen pen = pare_pen(&ui->surface, r.x, r.y, r.w);
    pare_pen_put(&pen, PARE_INK_TITLE, "%s", title);
    if (isfinite(h->clipped)) {
        pare_pen_put(&pen, h->clipped > 0.0005 ? PARE_INK_BAD : PARE_INK_DIM, "  %.2f %% clipped", 100 * h->clipped);
    }
    if (h->sigma > 0 && pen.x + 16 <= pen.end) {
        pare_pen_put(&pen, PARE_INK_DIM, "  peak %.1f sigma", h->peak / h->sigma);
    }
    if (h->sigma > 0 && pen.x + 16 <= pen.end) {
        pare_pen_put(&pen, PARE_INK_DIM, "  sigma %.3g", h->sigma);
    }
}

void pare_histogram_draw(struct pare_ui *ui, struct pare_rect r, const struct pare_histogram *h, const char *title, uint32_t ink,
                         int codes)
{
    if (r.h < PARE_HISTOGRAM_LEAST || r.w < 8) {
        return;
    }
    draw_title(ui, r, h, title);
    if (!(h->hi > h->lo)) {
        pare_ui_draw_note(ui, (struct pare_rect){r.x, r.y + 1, r.w, r.h - 1}, "all values are 0");
        return;
    }
    const struct span s = span_of(h);
    draw_plot(ui, (struct pare_rect){r.x, r.y + 1, r.w, r.h - 3}, h, s, ink);
    draw_axis(ui, r.x, r.y + r.h - 2, r.w, h, s, codes);
    draw_numbers(ui, r.x, r.y + r.h - 1, r.w, h, s);
}

/* ---- channels ---- */

/* Height in eighths of a cell, as signs of a column of cells, the bottom one first. */
static uint32_t bar_sign(const struct pare_ui *ui, int eighths, int row)
{
    static const char signs[] = " .:-=+*#@";
    const int left = eighths - 8 * row, n = left < 0 ? 0 : left > 8 ? 8 : left;
    return ui->g->ascii ? (uint32_t)(unsigned char)signs[n] : n > 0 ? 0x2580u + (uint32_t)n : ' ';
}

static void draw_words(struct pare_ui *ui, struct pare_rect r, const struct pare_channels *c)
{
    struct pare_pen pen = pare_pen(&ui->surface, r.x, r.y, r.w);
    pare_pen_put(&pen, PARE_INK_DIM, "%d channel%s", c->n, c->n == 1 ? "" : "s");
    if (c->dead > 0) {
        pare_pen_put(&pen, PARE_INK_BAD, ", %d dead", c->dead);
    }
    if (c->n > 1 && isfinite(c->spread)) {
        pare_pen_put(&pen, PARE_INK_DIM, r.w >= 54 ? ", the farthest reaches " : ", ");
        pare_pen_put(&pen, c->spread > 4 ? PARE_INK_WARN : PARE_INK_TEXT, "%.1fx", c->spread);
        pare_pen_put(&pen, PARE_INK_DIM, " the median");
    }
    if (c->worst_share > 0 && c->n > 1 && pen.x + 24 <= pen.end) {
        pare_pen_put(&pen, PARE_INK_DIM, "; %d: %.0f %% of its error", c->worst, 100 * c->worst_share);
    }
}

void pare_strip_draw(struct pare_ui *ui, struct pare_rect r, const struct pare_channels *c, uint32_t ink)
{
    double most = 0;
    const int n = c->n_reach < r.w ? c->n_reach : r.w, w = n > 0 ? (r.w / n < 4 ? r.w / n : 4) : 0;
    if (r.h < 1 || r.w < 8) {
        return;
    }
    draw_words(ui, r, c);
    for (int i = 0; i < c->n_reach; i++) {
        most = fmax(most, c->reach[i]);
    }
    for (int i = 0; i < n && most > 0; i++) {
        double reach = 0;
        for (int k = i * c->n_reach / n; k < (i + 1) * c->n_reach / n; k++) {
            reach = fmax(reach, c->reach[k]);
        }
        const bool dead = reach <= 0, far = c->spread > 4 && reach > 0.999 * most;
        const int eighths = (int)ceil(8 * (r.h - 1) * reach / most);
        for (int row = 0; row < r.h - 1; row++) {
            const uint32_t sign = dead && row == 0 ? 'x' : bar_sign(ui, eighths, row);
            for (int k = 0; k < (w > 2 && !dead ? w - 1 : dead ? 1 : w); k++) {
                pare_draw_char(&ui->surface, r.x + i * w + k, r.y + r.h - 1 - row, sign,
                               dead ? PARE_INK_BAD : far ? (uint32_t)PARE_INK_WARN : ink);
            }
        }
    }
}
