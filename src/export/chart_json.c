/* chart_json.c: a chart described in JSON, as scripts do. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "export/chart.h"

#define MAX_SERIES 24
#define MAX_CATEGORIES 200
#define MAX_POINTS 100000

static struct pare_chart_axis axis_of(const json_t *json)
{
    return (struct pare_chart_axis){.label = pare_json_get_string(json, "label", NULL), .log = pare_json_get_bool(json, "log", false),
                                    .low = pare_json_get_real(json, "low"), .high = pare_json_get_real(json, "high")};
}

static int kind_of(const char *name)
{
    static const char *const kinds[] = {"points", "line", "steps", "bars"};
    for (int k = 0; k < 4; k++) {
        if (strcmp(name, kinds[k]) == 0) {
            return k;
        }
    }
    return -1;
}

/* points: room for all of the series, taken from *points on. */
static enum pare_status read_series(const json_t *json, int i, struct pare_chart_series *s, struct pare_chart_point **points,
                                    struct pare_error *err)
{
    char where[48];
    const json_t *list = json_object_get(json, "points");
    const char *kind = pare_json_get_string(json, "kind", "points");
    snprintf(where, sizeof where, "chart: series %d", i + 1);
    const int k = kind_of(kind);
    if (k < 0) {
        return pare_error(err, PARE_ERR_USAGE, where, "kind: expected points, line, steps or bars, found \"%s\"", kind);
    }
    *s = (struct pare_chart_series){.name = pare_json_get_string(json, "name", NULL), .kind = (enum pare_chart_kind)k,
                                    .look = (int)pare_json_get_int(json, "look", i), .n = (int)json_array_size(list),
                                    .points = *points};
    for (int n = 0; n < s->n; n++) {
        const json_t *p = json_array_get(list, (size_t)n);
        const double radius = pare_json_get_real(p, "radius");
        if (!json_is_object(p)) {
            return pare_error(err, PARE_ERR_USAGE, where, "point %d: expected {x =, y =}", n + 1);
        }
        *(*points)++ = (struct pare_chart_point){.x = pare_json_get_real(p, "x"), .y = pare_json_get_real(p, "y"),
                                                 .low = pare_json_get_real(p, "low"), .high = pare_json_get_real(p, "high"),
                                                 .radius = radius > 0 && radius < 100 ? radius : 0,
                                                 .label = pare_json_get_string(p, "label", NULL),
                                                 .open = pare_json_get_bool(p, "open", false)};
    }
    return PARE_OK;
}

enum pare_status pare_chart_write_json(const json_t *json, struct pare_error *err)
{
    const json_t *list = json_object_get(json, "series"), *names = json_object_get(json, "categories");
    const char *path = pare_json_get_string(json, "path", "");
    const char *dot = strrchr(path, '.'), *format = pare_json_get_string(json, "format", dot != NULL ? dot + 1 : "");
    struct pare_chart_series series[MAX_SERIES];
    const char *categories[MAX_CATEGORIES];
    const int n = (int)json_array_size(list), n_names = (int)json_array_size(names);
    size_t n_points = 0;
    if (path[0] == '\0' || n < 1 || n > MAX_SERIES || n_names > MAX_CATEGORIES) {
        return pare_error(err, PARE_ERR_USAGE, "chart", "expected a path, 1 to %d series, at most %d categories; found %d and %d",
                          MAX_SERIES, MAX_CATEGORIES, n, n_names);
    }
    for (int i = 0; i < n; i++) {
        n_points += json_array_size(json_object_get(json_array_get(list, (size_t)i), "points"));
    }
    if (n_points > MAX_POINTS) {
        return pare_error(err, PARE_ERR_USAGE, "chart", "expected at most %d points, found %zu", MAX_POINTS, n_points);
    }
    for (int i = 0; i < n_names; i++) {
        const char *name = json_string_value(json_array_get(names, (size_t)i));
        categories[i] = name != NULL ? name : "";
    }
    struct pare_chart_point *points = calloc(n_points + 1, sizeof *points), *next = points;
    enum pare_status status = points != NULL ? PARE_OK : pare_error_nomem(err);
    for (int i = 0; i < n && status == PARE_OK; i++) {
        status = read_series(json_array_get(list, (size_t)i), i, &series[i], &next, err);
    }
    if (status == PARE_OK) {
        const struct pare_chart chart = {.title = pare_json_get_string(json, "title", NULL), .x = axis_of(json_object_get(json, "x")),
                                         .y = axis_of(json_object_get(json, "y")), .n_categories = n_names, .categories = categories,
                                         .n_series = n, .series = series};
        status = pare_chart_write(&chart, format, path, err);
    }
    free(points);
    return status;
}
