/*
 * chart.h: a chart as a picture (PNG at twice the size, or SVG), drawn with cairo: points, lines, steps and bars over
 * linear or logarithmic axes. The plot of a session, comparisons and scripts draw with it. chart*.c alone know cairo.
 */
#ifndef PARE_CHART_H
#define PARE_CHART_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

struct pare_chart_point {
    double x, y;          /* not finite: left out; bars: x counts the categories from 0 */
    double low, high;     /* 95 % interval of y; NaN = none */
    double radius;        /* of a mark, in points; 0 = the usual one */
    const char *label;    /* beside the mark, where nothing else stands; NULL = none. Bars: above the bar */
    bool open;            /* predicted: an outline */
};

enum pare_chart_kind { PARE_CHART_POINTS, PARE_CHART_LINE, PARE_CHART_STEPS, PARE_CHART_BARS };

struct pare_chart_series {
    const char *name;     /* in the legend; NULL = not there */
    enum pare_chart_kind kind;
    int look;             /* colour and shape of mark: the same number looks the same */
    int n;
    const struct pare_chart_point *points; /* lines and steps: ascending x */
};

struct pare_chart_axis {
    const char *label;
    bool log;
    double low, high;     /* NaN = as far as the points need, with a little room */
};

struct pare_chart {
    const char *title;
    struct pare_chart_axis x, y;
    int n_categories;     /* > 0: names along the x axis instead of numbers */
    const char *const *categories;
    int n_series;
    const struct pare_chart_series *series;
};

/* format "png" or "svg". Written whole or not at all. ERR_USAGE (format), ERR_NOINPUT (no point can be drawn), ERR_IO. */
enum pare_status pare_chart_write(const struct pare_chart *chart, const char *format, const char *path, struct pare_error *err);

/* The same from {"path", "format" (else the path's ending), "title", "x": {"label", "log", "low", "high"}, "y",
 * "categories": [text], "series": [{"name", "kind": "points"|"line"|"steps"|"bars", "look", "points": [{"x", "y", "low",
 * "high", "radius", "label", "open"}]}]}. ERR_USAGE names the place of what is wrong. */
enum pare_status pare_chart_write_json(const json_t *json, struct pare_error *err);

#endif
