/*
 * metric.c: one figure from the rows of many samples: what the front cannot compute itself (a function in Lua) or
 * should not wait for (map with its resamples). {"rows": [keys of accuracy rows]} -> {"figures": ...}.
 */
#include <stdlib.h>

#include "measure/figures.h"
#include "work/work.h"

/* The items of all rows side by side, borrowed; false when a row is missing or memory is out. */
static bool collect(struct pare_worker *w, const json_t *keys, json_t *sides[2])
{
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        const json_t *row = key != NULL ? pare_worker_row(w, key) : NULL;
        json_t *reference = json_object_get(row, "reference_item"), *item = json_object_get(row, "item");
        if (row == NULL || json_array_size(reference) != json_array_size(item) ||
            json_array_extend(sides[0], reference) != 0 || json_array_extend(sides[1], item) != 0) {
            return false;
        }
    }
    return true;
}

static enum pare_status of_function(const struct pare_pipeline *p, json_t *const sides[2], struct pare_figures *f,
                                    struct pare_error *err)
{
    const size_t n = json_array_size(sides[0]);
    const json_t **items = malloc((2 * n + 1) * sizeof *items);
    if (items == NULL) {
        return pare_error_nomem(err);
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = json_array_get(sides[0], i);
        items[n + i] = json_array_get(sides[1], i);
    }
    enum pare_status status = pare_figures_of_function(&p->glue, (int)n, items, items + n, f, err);
    free(items);
    return status;
}

static enum pare_status of_set(const struct pare_pipeline *p, json_t *const sides[2], struct pare_figures *f,
                               struct pare_error *err)
{
    struct pare_metric_set *s = pare_metric_set_new(p->scoring.kind);
    bool ok = s != NULL;
    for (size_t i = 0; ok && i < json_array_size(sides[0]); i++) {
        ok = pare_metric_set_add(s, json_array_get(sides[0], i), json_array_get(sides[1], i));
    }
    enum pare_status status = ok ? pare_figures_of_set(s, p->scoring.kind, PARE_RESAMPLES, f, err) : pare_error_nomem(err);
    pare_metric_set_free(s);
    return status;
}

enum pare_status pare_work_metric(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    struct pare_engine *e;
    json_t *sides[2] = {json_array(), json_array()};
    struct pare_figures f;
    enum pare_status status = pare_work_engine(w, params, &e, err);
    if (status == PARE_OK && !collect(w, json_object_get(params, "rows"), sides)) {
        status = pare_error(err, PARE_ERR_INTERNAL, "metric", "rows of samples are missing");
    }
    if (status == PARE_OK) {
        const struct pare_pipeline *p = pare_engine_pipeline(e);
        status = p->scoring.kind == PARE_METRIC_FUNCTION ? of_function(p, sides, &f, err) : of_set(p, sides, &f, err);
    }
    if (status == PARE_OK) {
        *result = json_pack("{s:o}", "figures", pare_figures_to_json(&f));
    }
    json_decref(sides[0]);
    json_decref(sides[1]);
    return status;
}
