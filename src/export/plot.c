#include "export/plot.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"

#define WIDTH 900.0
#define HEIGHT 560.0
#define LEFT 80.0
#define RIGHT 30.0
#define TOP 50.0
#define BOTTOM 64.0

struct frame {
    double x0, x1, y0, y1; /* log10 of ms; accuracy (or negative drop) in percent */
    bool log_x;
};

static double y_value(const struct pare_point *p)
{
    return 100 * p->accuracy.value;
}

static double x_at(const struct frame *f, double ms)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (log10(ms) - f->x0) / (f->x1 - f->x0);
}

static double y_at(const struct frame *f, double y)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - f->y0) / (f->y1 - f->y0);
}

static bool is_drawable(const struct pare_point *p)
{
    return isfinite(p->latency.value) && p->latency.value > 0 && isfinite(p->accuracy.value);
}

static bool is_measured(const struct pare_point *p)
{
    return p->latency.kind == PARE_FIGURE_MEASURED && p->accuracy.kind == PARE_FIGURE_MEASURED;
}

static bool find_frame(const struct pare_state *s, struct frame *f)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (int i = 0; i < s->n_points; i++) {
        const struct pare_point *p = &s->points[i];
        if (is_drawable(p)) {
            x0 = fmin(x0, log10(p->latency.value));
            x1 = fmax(x1, log10(p->latency.value));
            y0 = fmin(y0, y_value(p));
            y1 = fmax(y1, y_value(p));
        }
    }
    if (!isfinite(x0)) {
        return false;
    }
    y0 = fmax(y0, y1 - 35); /* further down nobody chooses; those points are left out, as on the screen */
    double dx = fmax(x1 - x0, 0.1), dy = fmax(y1 - y0, 2);
    *f = (struct frame){.x0 = x0 - 0.06 * dx, .x1 = x1 + 0.06 * dx, .y0 = y0 - 0.05 * dy, .y1 = fmin(y1 + 0.07 * dy, 101), .log_x = true};
    return true;
}

static void grey(cairo_t *c, double v)
{
    cairo_set_source_rgb(c, v, v, v);
}

static void text_at(cairo_t *c, double x, double y, double align, const char *text)
{
    cairo_text_extents_t e;
    cairo_text_extents(c, text, &e);
    cairo_move_to(c, x - align * e.x_advance, y);
    cairo_show_text(c, text);
}

static double nice_step(double span, int ticks)
{
    double raw = span / ticks, unit = pow(10, floor(log10(raw)));
    return unit * (raw / unit < 1.5 ? 1 : raw / unit < 3.5 ? 2 : raw / unit < 7.5 ? 5 : 10);
}

static void draw_axes(cairo_t *c, const struct frame *f, const struct pare_state *s)
{
    char text[256];
    double step = nice_step(f->y1 - f->y0, 6);
    cairo_set_line_width(c, 1);
    cairo_set_font_size(c, 13);
    for (double y = ceil(f->y0 / step) * step; y <= f->y1; y += step) {
        grey(c, 0.9);
        cairo_move_to(c, LEFT, y_at(f, y));
        cairo_line_to(c, WIDTH - RIGHT, y_at(f, y));
        cairo_stroke(c);
        grey(c, 0.3);
        snprintf(text, sizeof text, "%.*f", step < 1 ? 1 : 0, y);
        text_at(c, LEFT - 8, y_at(f, y) + 4, 1, text);
    }
    double low = pow(10, f->x0), high = pow(10, f->x1), dx = nice_step(high - low, 7);
    bool decades = f->x1 - f->x0 > 0.8;
    for (int i = 0; i < 64; i++) {
        static const double mantissas[3] = {1, 2, 5};
        double x = decades ? mantissas[i % 3] * pow(10, floor(f->x0) + i / 3) : (ceil(low / dx) + i) * dx;
        if (x < low || x > high) {
            continue;
        }
        grey(c, 0.9);
        cairo_move_to(c, x_at(f, x), TOP);
        cairo_line_to(c, x_at(f, x), HEIGHT - BOTTOM);
        cairo_stroke(c);
        grey(c, 0.3);
        snprintf(text, sizeof text, "%.4g", x);
        text_at(c, x_at(f, x), HEIGHT - BOTTOM + 20, 0.5, text);
    }
    grey(c, 0.3);
    cairo_rectangle(c, LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    cairo_stroke(c);
    snprintf(text, sizeof text, "latency, ms per sample (%s, %s; filled: measured, open: predicted)", s->target, s->cpu);
    text_at(c, LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 18, 0.5, text);
    snprintf(text, sizeof text, "%s: accuracy, %% of the %s split", s->name, s->split);
    cairo_set_font_size(c, 15);
    text_at(c, LEFT, TOP - 18, 0, text);
}

static void run_colour(cairo_t *c, int run)
{
    static const double colours[6][3] = {{0.00, 0.45, 0.70}, {0.60, 0.60, 0.60}, {0.84, 0.37, 0.00},
                                         {0.00, 0.62, 0.45}, {0.80, 0.47, 0.65}, {0.34, 0.71, 0.91}};
    const double *k = colours[run % 6];
    cairo_set_source_rgb(c, k[0], k[1], k[2]);
}

static void draw_points(cairo_t *c, const struct frame *f, const struct pare_state *s, int chosen)
{
    for (int i = 0; i < s->n_points; i++) {
        const struct pare_point *p = &s->points[i];
        if (!is_drawable(p) || y_value(p) < f->y0) {
            continue;
        }
        double x = x_at(f, p->latency.value), y = y_at(f, y_value(p)), radius = i == chosen ? 7 : p->front ? 5 : 3.5;
        run_colour(c, p->run);
        if (p->front || i == chosen) {
            cairo_set_line_width(c, 1);
            if (isfinite(p->accuracy.low)) {
                cairo_move_to(c, x, y_at(f, fmax(100 * p->accuracy.low, f->y0)));
                cairo_line_to(c, x, y_at(f, fmin(100 * p->accuracy.high, f->y1)));
                cairo_stroke(c);
            }
        }
        cairo_set_line_width(c, 1.5);
        cairo_new_path(c); /* text leaves a current point behind */
        cairo_arc(c, x, y, radius, 0, 2 * M_PI);
        if (is_measured(p)) {
            cairo_fill(c);
        } else {
            cairo_stroke(c);
        }
        if (i == chosen || strcmp(s->runs[p->run].method, "uniform") == 0) {
            grey(c, 0.1);
            cairo_set_font_size(c, 12);
            text_at(c, x + radius + 4, y - 5, 0, p->label);
        }
    }
}

/* The front as steps: the best accuracy that each latency buys. */
static void draw_front(cairo_t *c, const struct frame *f, const struct pare_state *s)
{
    double last = -INFINITY, y = NAN;
    bool measured_only = false;
    for (int i = 0; i < s->n_points; i++) {
        measured_only = measured_only || (s->points[i].front && is_drawable(&s->points[i]) && is_measured(&s->points[i]));
    }
    cairo_new_path(c);
    grey(c, 0.35);
    cairo_set_line_width(c, 1.2);
    for (;;) {
        const struct pare_point *next = NULL;
        for (int i = 0; i < s->n_points; i++) {
            const struct pare_point *p = &s->points[i];
            if (p->front && is_drawable(p) && is_measured(p) == measured_only && p->latency.value > last && (next == NULL || p->latency.value < next->latency.value)) {
                next = p;
            }
        }
        if (next == NULL) {
            break;
        }
        if (isfinite(y)) {
            cairo_line_to(c, x_at(f, next->latency.value), y);
        } else {
            cairo_move_to(c, x_at(f, next->latency.value), HEIGHT - BOTTOM);
        }
        y = y_at(f, y_value(next));
        cairo_line_to(c, x_at(f, next->latency.value), y);
        last = next->latency.value;
    }
    if (isfinite(y)) {
        cairo_line_to(c, WIDTH - RIGHT, y);
    }
    cairo_stroke(c);
}

static cairo_status_t append(void *closure, const unsigned char *data, unsigned length)
{
    struct pare_strbuf *b = closure;
    pare_strbuf_append_n(b, data, length);
    return b->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

enum pare_status pare_plot_write(const struct pare_state *s, int chosen, const char *format, const char *path,
                                 struct pare_error *err)
{
    struct frame f;
    struct pare_strbuf b;
    bool png = strcmp(format, "png") == 0;
    if (!find_frame(s, &f)) {
        return pare_error(err, PARE_ERR_NOINPUT, NULL, "no point has both an accuracy and a latency yet");
    }
    pare_strbuf_init(&b);
    cairo_surface_t *surface = png ? cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)WIDTH * 2, (int)HEIGHT * 2)
                                   : cairo_svg_surface_create_for_stream(append, &b, WIDTH, HEIGHT);
    cairo_t *c = cairo_create(surface);
    if (png) {
        cairo_scale(c, 2, 2);
    }
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    draw_axes(c, &f, s);
    cairo_rectangle(c, LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    cairo_clip(c);
    draw_front(c, &f, s);
    draw_points(c, &f, s, chosen);
    cairo_status_t state = cairo_status(c);
    cairo_destroy(c);
    if (png && state == CAIRO_STATUS_SUCCESS) {
        state = cairo_surface_write_to_png_stream(surface, append, &b);
    }
    cairo_surface_finish(surface);
    state = state == CAIRO_STATUS_SUCCESS ? cairo_surface_status(surface) : state;
    cairo_surface_destroy(surface);
    enum pare_status status = state != CAIRO_STATUS_SUCCESS || b.failed
                                  ? pare_error(err, PARE_ERR_FAIL, path, "drawing failed: %s", cairo_status_to_string(state))
                                  : pare_file_write(path, b.text, b.length, err);
    pare_strbuf_clear(&b);
    return status;
}
