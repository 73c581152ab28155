/* chart.c: the page of a chart: edges, axes with round ticks, and the file. */
#include "export/chart.h"

#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "export/chart_parts.h"

static double placed(const struct chart_frame *f, int axis, double value)
{
    const struct pare_chart_axis *a = axis == 0 ? &f->chart->x : &f->chart->y;
    const double v = a->log ? (value > 0 ? log10(value) : NAN) : value;
    return (v - f->low[axis]) / (f->high[axis] - f->low[axis]);
}

double chart_x(const struct chart_frame *f, double value)
{
    return f->left + (f->right - f->left) * placed(f, 0, value);
}

double chart_y(const struct chart_frame *f, double value)
{
    return f->bottom - (f->bottom - f->top) * placed(f, 1, value);
}

void chart_grey(cairo_t *c, double v)
{
    cairo_set_source_rgb(c, v, v, v);
}

double chart_text_width(cairo_t *c, const char *text)
{
    cairo_text_extents_t e;
    cairo_text_extents(c, text, &e);
    return e.x_advance;
}

void chart_text(cairo_t *c, double x, double y, double align, const char *text)
{
    cairo_move_to(c, x - align * chart_text_width(c, text), y);
    cairo_show_text(c, text);
    cairo_new_path(c); /* text leaves a current point behind */
}

/* How far an axis reaches: what it is told, else what the points need and a little room. False: nothing to draw. */
static bool find_range(struct chart_frame *f, int axis)
{
    const struct pare_chart *chart = f->chart;
    const struct pare_chart_axis *a = axis == 0 ? &chart->x : &chart->y;
    double low = INFINITY, high = -INFINITY;
    for (int s = 0; s < chart->n_series; s++) {
        const struct pare_chart_series *series = &chart->series[s];
        for (int i = 0; i < series->n; i++) {
            const double x = series->points[i].x, y = series->points[i].y, v = axis == 0 ? x : y;
            if (!isfinite(x) || !isfinite(y) || (a->log && v <= 0)) {
                continue;
            }
            low = fmin(low, a->log ? log10(v) : v);
            high = fmax(high, a->log ? log10(v) : v);
            if (axis == 1 && series->kind == PARE_CHART_BARS && !a->log) {
                low = fmin(low, 0);
                high = fmax(high, 0);
            }
        }
    }
    if (!isfinite(low)) {
        return false;
    }
    if (axis == 0 && chart->n_categories > 0) {
        low = -0.5;
        high = chart->n_categories - 0.5;
    } else {
        const double room = fmax((high - low) * 0.06, high > low ? 0 : a->log ? 0.1 : fmax(fabs(high) * 0.1, 1e-9));
        const bool stands = axis == 1 && f->n_bars > 0 && low == 0; /* bars stand on the axis */
        const bool hangs = axis == 1 && f->n_bars > 0 && high == 0;
        low -= stands ? 0 : room;
        high += hangs ? 0 : room;
    }
    f->low[axis] = isfinite(a->low) ? (a->log ? log10(a->low) : a->low) : low;
    f->high[axis] = isfinite(a->high) ? (a->log ? log10(a->high) : a->high) : high;
    return f->high[axis] > f->low[axis];
}

static double nice_step(double span, int ticks)
{
    const double raw = span / ticks, unit = pow(10, floor(log10(raw)));
    return unit * (raw / unit < 1.5 ? 1 : raw / unit < 3.5 ? 2 : raw / unit < 7.5 ? 5 : 10);
}

/* The i-th tick of an axis of about n; NaN after the last. Logarithmic axes over more than a few-fold have 1, 2, 5 of each decade. */
static double tick_at(const struct chart_frame *f, int axis, int n, int i)
{
    const bool log = axis == 0 ? f->chart->x.log : f->chart->y.log;
    const double low = log ? pow(10, f->low[axis]) : f->low[axis], high = log ? pow(10, f->high[axis]) : f->high[axis];
    if (log && f->high[axis] - f->low[axis] > 0.8) {
        static const double mantissas[3] = {1, 2, 5};
        for (int k = 0, seen = 0; k < 96; k++) {
            const double v = mantissas[k % 3] * pow(10, floor(f->low[axis]) + k / 3);
            const bool kept = f->high[axis] - f->low[axis] < 4 || k % 3 == 0;
            if (v >= low * 0.9999 && v <= high * 1.0001 && kept && seen++ == i) {
                return v;
            }
        }
        return NAN;
    }
    const double step = nice_step(high - low, n), v = (ceil(low / step - 1e-9) + i) * step;
    return v <= high + 1e-9 * step ? (fabs(v) < 1e-9 * step ? 0 : v) : NAN;
}

static void draw_line(cairo_t *c, double x0, double y0, double x1, double y1)
{
    cairo_move_to(c, x0, y0);
    cairo_line_to(c, x1, y1);
    cairo_stroke(c);
}

static void draw_ticks(cairo_t *c, const struct chart_frame *f, int axis)
{
    char text[32];
    double v;
    for (int i = 0; i < 64 && isfinite(v = tick_at(f, axis, axis == 0 ? 7 : 6, i)); i++) {
        snprintf(text, sizeof text, "%.4g", v);
        chart_grey(c, 0.9);
        if (axis == 0) {
            draw_line(c, chart_x(f, v), f->top, chart_x(f, v), f->bottom);
            chart_grey(c, 0.3);
            chart_text(c, chart_x(f, v), f->bottom + 20, 0.5, text);
        } else {
            draw_line(c, f->left, chart_y(f, v), f->right, chart_y(f, v));
            chart_grey(c, 0.3);
            chart_text(c, f->left - 8, chart_y(f, v) + 4, 1, text);
        }
    }
}

/* Names under the axis; slanted when one of them is wider than its place. */
static void draw_categories(cairo_t *c, const struct chart_frame *f)
{
    const struct pare_chart *chart = f->chart;
    const double place = (f->right - f->left) / chart->n_categories;
    bool slanted = false;
    for (int i = 0; i < chart->n_categories; i++) {
        slanted = slanted || chart_text_width(c, chart->categories[i]) > place - 6;
    }
    chart_grey(c, 0.3);
    for (int i = 0; i < chart->n_categories; i++) {
        cairo_save(c);
        cairo_translate(c, chart_x(f, i), f->bottom + (slanted ? 14 : 20));
        cairo_rotate(c, slanted ? -M_PI / 7 : 0);
        chart_text(c, 0, 0, slanted ? 1 : 0.5, chart->categories[i]);
        cairo_restore(c);
    }
}

static void draw_page(cairo_t *c, struct chart_frame *f)
{
    const struct pare_chart *chart = f->chart;
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_line_width(c, 1);
    cairo_set_font_size(c, 13);
    draw_ticks(c, f, 1);
    if (chart->n_categories > 0) {
        draw_categories(c, f);
    } else {
        draw_ticks(c, f, 0);
    }
    chart_grey(c, 0.3);
    cairo_rectangle(c, f->left, f->top, f->right - f->left, f->bottom - f->top);
    cairo_stroke(c);
    if (chart->x.label != NULL) {
        chart_text(c, (f->left + f->right) / 2, CHART_HEIGHT - 16, 0.5, chart->x.label);
    }
    if (chart->y.label != NULL) {
        cairo_save(c);
        cairo_translate(c, 20, (f->top + f->bottom) / 2);
        cairo_rotate(c, -M_PI / 2);
        chart_text(c, 0, 0, 0.5, chart->y.label);
        cairo_restore(c);
    }
    cairo_set_font_size(c, 15);
    if (chart->title != NULL) {
        chart_text(c, f->left, 30, 0, chart->title);
    }
    cairo_set_font_size(c, 12);
    chart_draw_legend(c, f, 52);
    cairo_rectangle(c, f->left, f->top, f->right - f->left, f->bottom - f->top);
    cairo_clip(c);
    chart_draw_series(c, f);
}

static cairo_status_t append(void *closure, const unsigned char *data, unsigned length)
{
    struct pare_strbuf *b = closure;
    pare_strbuf_append_n(b, data, length);
    return b->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

enum pare_status pare_chart_write(const struct pare_chart *chart, const char *format, const char *path, struct pare_error *err)
{
    const bool png = strcmp(format, "png") == 0;
    struct chart_frame f = {.chart = chart, .left = 80, .right = CHART_WIDTH - 30, .top = 50, .bottom = CHART_HEIGHT - 64};
    struct pare_strbuf b;
    if (!png && strcmp(format, "svg") != 0) {
        return pare_error(err, PARE_ERR_USAGE, format, "expected png or svg");
    }
    for (int s = 0; s < chart->n_series; s++) {
        f.n_bars += chart->series[s].kind == PARE_CHART_BARS;
        f.top = chart->series[s].name != NULL ? 70 : f.top;
    }
    if (chart->n_categories > 8) {
        f.bottom -= 36; /* slanted names */
    }
    if ((chart->x.log && (chart->x.low <= 0 || chart->x.high <= 0)) || (chart->y.log && (chart->y.low <= 0 || chart->y.high <= 0))) {
        return pare_error(err, PARE_ERR_USAGE, path, "a logarithmic axis: expected low and high above 0");
    }
    if (!find_range(&f, 0) || !find_range(&f, 1)) {
        return pare_error(err, PARE_ERR_NOINPUT, path, "the chart has no point to draw");
    }
    pare_strbuf_init(&b);
    cairo_surface_t *surface = png ? cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)CHART_WIDTH * 2, (int)CHART_HEIGHT * 2)
                                   : cairo_svg_surface_create_for_stream(append, &b, CHART_WIDTH, CHART_HEIGHT);
    cairo_t *c = cairo_create(surface);
    if (png) {
        cairo_scale(c, 2, 2);
    }
    draw_page(c, &f);
    cairo_status_t state = cairo_status(c);
    cairo_destroy(c);
    if (png && state == CAIRO_STATUS_SUCCESS) {
        state = cairo_surface_write_to_png_stream(surface, append, &b);
    }
    cairo_surface_finish(surface);
    state = state == CAIRO_STATUS_SUCCESS ? cairo_surface_status(surface) : state;
    cairo_surface_destroy(surface);
    const enum pare_status status = state != CAIRO_STATUS_SUCCESS || b.failed
                                        ? pare_error(err, PARE_ERR_FAIL, path, "drawing failed: %s", cairo_status_to_string(state))
                                        : pare_file_write(path, b.text, b.length, err);
    pare_strbuf_clear(&b);
    return status;
}
