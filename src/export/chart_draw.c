/* chart_draw.c: marks, lines, steps, bars, their labels where nothing else stands, and the row of names above. */
#include <math.h>
#include <stdlib.h>

#include "export/chart_parts.h"

#define MARK 4.0
#define N_LOOKS 6

/* Okabe and Ito's colours, which stay apart for the colour blind; every look has its own shape too. */
static void set_colour(cairo_t *c, int look)
{
    static const double colours[N_LOOKS][3] = {{0.00, 0.45, 0.70}, {0.60, 0.60, 0.60}, {0.84, 0.37, 0.00},
                                               {0.00, 0.62, 0.45}, {0.80, 0.47, 0.65}, {0.34, 0.71, 0.91}};
    const double *k = colours[(look % N_LOOKS + N_LOOKS) % N_LOOKS];
    cairo_set_source_rgb(c, k[0], k[1], k[2]);
}

static void polygon(cairo_t *c, double x, double y, double r, int corners, double turn)
{
    for (int i = 0; i < corners; i++) {
        const double a = turn + 2 * M_PI * i / corners;
        cairo_line_to(c, x + r * sin(a), y - r * cos(a));
    }
    cairo_close_path(c);
}

static void draw_mark(cairo_t *c, double x, double y, double r, int look, bool open)
{
    cairo_new_path(c);
    switch ((look % N_LOOKS + N_LOOKS) % N_LOOKS) {
    case 1: polygon(c, x, y, r * 1.25, 4, M_PI / 4); break;
    case 2: polygon(c, x, y, r * 1.35, 3, 0); break;
    case 3: polygon(c, x, y, r * 1.3, 4, 0); break;
    case 4: polygon(c, x, y, r * 1.35, 3, M_PI); break;
    case 5: polygon(c, x, y, r * 1.2, 6, 0); break;
    default: cairo_arc(c, x, y, r, 0, 2 * M_PI); break;
    }
    cairo_set_line_width(c, 1.5);
    if (open) {
        cairo_stroke(c);
    } else {
        cairo_fill(c);
    }
}

/* An open arrow head at the frame's edge: the interval goes on beyond it (way: 1 = down). */
static void draw_cut(cairo_t *c, double x, double edge, double way)
{
    cairo_move_to(c, x - 4, edge - 6 * way);
    cairo_line_to(c, x, edge - way);
    cairo_line_to(c, x + 4, edge - 6 * way);
    cairo_stroke(c);
}

static void draw_interval(cairo_t *c, const struct chart_frame *f, double x, const struct pare_chart_point *p)
{
    const double low = chart_y(f, p->low), high = chart_y(f, p->high);
    const bool cut_low = !(low <= f->bottom), cut_high = high < f->top; /* of a logarithmic axis low may be at no place */
    if (isfinite(p->low) && isfinite(p->high) && p->high > p->low && !(low < f->top) && high <= f->bottom) {
        cairo_set_line_width(c, 1);
        cairo_move_to(c, x, cut_low ? f->bottom - 1 : low);
        cairo_line_to(c, x, cut_high ? f->top + 1 : high);
        cairo_stroke(c);
        if (cut_low) {
            draw_cut(c, x, f->bottom, 1);
        }
        if (cut_high) {
            draw_cut(c, x, f->top, -1);
        }
    }
}

static bool is_inside(const struct chart_frame *f, double x, double y)
{
    return isfinite(x) && isfinite(y) && x >= f->left - 1 && x <= f->right + 1 && y >= f->top - 1 && y <= f->bottom + 1;
}

static void draw_points(cairo_t *c, const struct chart_frame *f, const struct pare_chart_series *s)
{
    for (int i = 0; i < s->n; i++) {
        const struct pare_chart_point *p = &s->points[i];
        const double x = chart_x(f, p->x), y = chart_y(f, p->y);
        if (is_inside(f, x, y)) {
            set_colour(c, s->look);
            draw_interval(c, f, x, p);
            draw_mark(c, x, y, p->radius > 0 ? p->radius : MARK, s->look, p->open);
        }
    }
}

/* Steps: the best y that each x buys, up from the edge at the first point, on to the edge after the last. */
static void draw_path(cairo_t *c, const struct chart_frame *f, const struct pare_chart_series *s)
{
    const bool steps = s->kind == PARE_CHART_STEPS;
    double last = NAN;
    cairo_new_path(c);
    set_colour(c, s->look);
    cairo_set_line_width(c, steps ? 1.2 : 1.5);
    for (int i = 0; i < s->n; i++) {
        const double x = chart_x(f, s->points[i].x), y = chart_y(f, s->points[i].y);
        if (!isfinite(x) || !isfinite(y)) {
            continue;
        }
        if (steps) {
            if (isfinite(last)) {
                cairo_line_to(c, x, last);
            } else {
                cairo_move_to(c, x, f->bottom);
            }
        }
        cairo_line_to(c, x, y);
        last = y;
    }
    if (steps && isfinite(last)) {
        cairo_line_to(c, f->right, last);
    }
    cairo_stroke(c);
    for (int i = 0; !steps && i < s->n; i++) {
        const double x = chart_x(f, s->points[i].x), y = chart_y(f, s->points[i].y);
        if (is_inside(f, x, y)) {
            draw_interval(c, f, x, &s->points[i]);
            draw_mark(c, x, y, s->points[i].radius > 0 ? s->points[i].radius : MARK, s->look, s->points[i].open);
        }
    }
}

static void draw_bars(cairo_t *c, const struct chart_frame *f, const struct pare_chart_series *s, int nth)
{
    const double place = chart_x(f, 1) - chart_x(f, 0), width = 0.8 * place / f->n_bars;
    const double ground = f->chart->y.log ? f->bottom : fmin(chart_y(f, fmax(0, f->low[1])), f->bottom);
    for (int i = 0; i < s->n; i++) {
        const struct pare_chart_point *p = &s->points[i];
        const double x = chart_x(f, p->x) - 0.4 * place + nth * width, y = chart_y(f, p->y);
        if (!isfinite(x) || !isfinite(y)) {
            continue;
        }
        set_colour(c, s->look);
        cairo_set_line_width(c, 1.5);
        cairo_rectangle(c, x + 1, fmin(y, ground), fmax(width - 2, 1), fabs(ground - y));
        if (p->open) {
            cairo_stroke(c);
        } else {
            cairo_fill(c);
        }
        chart_grey(c, 0.2);
        draw_interval(c, f, x + width / 2, p);
        if (p->label != NULL) {
            chart_text(c, x + width / 2, fmax(fmin(y, ground) - 4, f->top + 12), 0.5, p->label);
        }
    }
}

/* ---- labels ---- */

struct box {
    double x, y, w, h;
};

struct taken {
    int n, cap;
    struct box *boxes;
};

static bool overlaps(const struct box *a, const struct box *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

static void take(struct taken *t, struct box b)
{
    if (t->n < t->cap) {
        t->boxes[t->n++] = b;
    }
}

/* Right, left, above, below, the corners, and once more further away: the first place where nothing stands; none: the
 * label is left out. */
static void draw_label(cairo_t *c, const struct chart_frame *f, struct taken *t, double x, double y, double r, const char *text)
{
    const double w = chart_text_width(c, text), h = 12;
    for (int ring = 0; ring < 2; ring++) {
        const double far = r + (ring == 0 ? 4 : 18);
        const double places[8][2] = {{x + far, y - h / 2},         {x - far - w, y - h / 2},     {x - w / 2, y - far - h},
                                     {x - w / 2, y + far},         {x + far, y - far - h * 0.7}, {x + far, y + far - h * 0.3},
                                     {x - far - w, y - far - h * 0.7}, {x - far - w, y + far - h * 0.3}};
        for (int i = 0; i < 8; i++) {
            const struct box b = {places[i][0], places[i][1], w, h};
            bool is_free = b.x >= f->left && b.x + w <= f->right && b.y >= f->top && b.y + h <= f->bottom;
            for (int k = 0; k < t->n && is_free; k++) {
                is_free = !overlaps(&b, &t->boxes[k]);
            }
            if (is_free) {
                chart_grey(c, 0.15);
                chart_text(c, b.x, b.y + h - 2, 0, text);
                take(t, b);
                return;
            }
        }
    }
}

static void draw_labels(cairo_t *c, const struct chart_frame *f)
{
    struct taken t = {0};
    for (int s = 0; s < f->chart->n_series; s++) {
        t.cap += 2 * f->chart->series[s].n;
    }
    t.boxes = calloc((size_t)t.cap + 1, sizeof *t.boxes);
    if (t.boxes == NULL) {
        return; /* a picture without labels */
    }
    for (int pass = 0; pass < 2; pass++) { /* marks first: no label covers one */
        for (int s = 0; s < f->chart->n_series; s++) {
            const struct pare_chart_series *series = &f->chart->series[s];
            for (int i = 0; i < series->n && series->kind != PARE_CHART_BARS && series->kind != PARE_CHART_STEPS; i++) {
                const struct pare_chart_point *p = &series->points[i];
                const double x = chart_x(f, p->x), y = chart_y(f, p->y), r = p->radius > 0 ? p->radius : MARK;
                if (!is_inside(f, x, y)) {
                    continue;
                }
                if (pass == 0) {
                    take(&t, (struct box){x - r, y - r, 2 * r, 2 * r});
                } else if (p->label != NULL) {
                    draw_label(c, f, &t, x, y, r, p->label);
                }
            }
        }
    }
    free(t.boxes);
}

void chart_draw_series(cairo_t *c, const struct chart_frame *f)
{
    int nth = 0;
    for (int s = 0; s < f->chart->n_series; s++) {
        const struct pare_chart_series *series = &f->chart->series[s];
        switch (series->kind) {
        case PARE_CHART_BARS: draw_bars(c, f, series, nth++); break;
        case PARE_CHART_LINE:
        case PARE_CHART_STEPS: draw_path(c, f, series); break;
        case PARE_CHART_POINTS: draw_points(c, f, series); break;
        }
    }
    draw_labels(c, f);
}

void chart_draw_legend(cairo_t *c, const struct chart_frame *f, double y)
{
    double x = f->left;
    for (int s = 0; s < f->chart->n_series; s++) {
        const struct pare_chart_series *series = &f->chart->series[s];
        if (series->name == NULL) {
            continue;
        }
        const double w = chart_text_width(c, series->name);
        if (x + w + 20 > f->right) {
            return;
        }
        set_colour(c, series->look);
        if (series->kind == PARE_CHART_BARS) {
            cairo_rectangle(c, x, y - 9, 10, 10);
            cairo_fill(c);
        } else {
            draw_mark(c, x + 5, y - 4, MARK, series->look, false);
        }
        chart_grey(c, 0.2);
        chart_text(c, x + 15, y, 0, series->name);
        x += w + 34;
    }
}
