/* chart_parts.h: inside the chart: where values lie on the page. */
#ifndef PARE_CHART_PARTS_H
#define PARE_CHART_PARTS_H

#include <cairo.h>

#include "export/chart.h"

#define CHART_WIDTH 900.0
#define CHART_HEIGHT 560.0

struct chart_frame {
    const struct pare_chart *chart;
    double left, right, top, bottom;     /* edges of the plot, in points from the page's upper left */
    double low[2], high[2];              /* of x and y; log10 of them on a logarithmic axis */
    int n_bars;                          /* series of bars, side by side */
};

/* The page's x of a value of the x axis, or y of one of the y axis; NaN for what has no place there. */
double chart_x(const struct chart_frame *f, double value);
double chart_y(const struct chart_frame *f, double value);
void chart_grey(cairo_t *c, double v);
/* align 0 = starts at x, 0.5 = in the middle, 1 = ends there. */
void chart_text(cairo_t *c, double x, double y, double align, const char *text);
double chart_text_width(cairo_t *c, const char *text);

/* chart_draw.c: what the axes hold, and the row of names. */
void chart_draw_series(cairo_t *c, const struct chart_frame *f);
void chart_draw_legend(cairo_t *c, const struct chart_frame *f, double y);

#endif
