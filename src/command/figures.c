/*
 * figures.c: what rows of samples say of the pipeline's metric. Top-1, auc and pck are computed here; map and functions
 * in Lua by a job, whose answer is a row like any other.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "command/front.h"

/* Resamples behind the interval of a cell of the sensitivity table; map has none there: it would take minutes. */
#define CELL_RESAMPLES 200

static void no_figures(struct pare_figures *figures)
{
    *figures = (struct pare_figures){0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* The items of the rows side by side. NULL = memory. */
static struct pare_metric_set *set_of_rows(struct pare_front *f, const json_t *keys, enum pare_metric_kind kind,
                                           const char *extra)
{
    struct pare_metric_set *set = pare_metric_set_new(kind);
    for (size_t i = 0; set != NULL && i < json_array_size(keys); i++) {
        const json_t *row = front_find_row(f, json_string_value(json_array_get(keys, i)));
        row = extra != NULL ? json_object_get(json_object_get(row, "extra"), extra) : row;
        const json_t *item = json_object_get(row, "item"), *reference = json_object_get(row, "reference_item");
        for (size_t k = 0; k < json_array_size(item); k++) {
            if (!pare_metric_set_add(set, json_array_get(reference, k), json_array_get(item, k))) {
                pare_metric_set_free(set);
                return NULL;
            }
        }
    }
    return set;
}

/* Computed once for the same rows: the flows ask again and again. */
static void set_figures(struct pare_front *f, const json_t *keys, struct pare_figures *figures)
{
    char *text = pare_json_text(keys), name[33];
    if (text == NULL) {
        return;
    }
    pare_hash_bytes(text, strlen(text), name);
    free(text);
    const json_t *known = json_object_get(f->known_figures, name);
    if (known != NULL) {
        pare_figures_from_json(known, figures);
        return;
    }
    struct pare_metric_set *set = set_of_rows(f, keys, f->metric, NULL);
    if (set != NULL && pare_figures_of_set(set, f->metric, PARE_RESAMPLES, figures, NULL) == PARE_OK) {
        f->known_figures = f->known_figures != NULL ? f->known_figures : json_object();
        json_object_set_new(f->known_figures, name, pare_figures_to_json(figures));
    }
    pare_metric_set_free(set);
}

bool front_eval_figures(struct pare_front *f, const json_t *keys, bool complete, int priority, struct front_eval *eval,
                        bool *failed, struct pare_error *err)
{
    no_figures(&eval->figures);
    if (f->metric == PARE_METRIC_TOP1) {
        pare_figures_top1(eval->right, eval->reference_right, eval->lost, eval->won, eval->labelled, &eval->figures);
        return true;
    }
    if (!complete || json_array_size(keys) == 0) {
        return complete;
    }
    if (f->metric != PARE_METRIC_FUNCTION && f->metric != PARE_METRIC_MAP && f->metric != PARE_METRIC_MAP50) {
        set_figures(f, keys, &eval->figures);
        eval->labelled = eval->figures.samples;
        return true;
    }
    struct front_job job = {.kind = "metric",
                            .title = "the metric of all samples",
                            .params = json_pack("{s:O}", "rows", (json_t *)(uintptr_t)keys),
                            .rows = keys,
                            .priority = priority + 1,
                            .total = 1};
    const json_t *row = front_row(f, &job, failed, err);
    if (row != NULL) {
        pare_figures_from_json(json_object_get(row, "figures"), &eval->figures);
        eval->labelled = eval->figures.samples;
    }
    return row != NULL;
}

json_t *front_extra_figures(struct pare_front *f, const json_t *keys)
{
    const json_t *metrics = json_object_get(f->description, "metrics");
    json_t *all = NULL, *metric;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)metrics, name, metric) {
        struct pare_figures figures;
        enum pare_metric_kind kind = pare_metric_parse(json_string_value(metric));
        struct pare_metric_set *set = set_of_rows(f, keys, kind, name);
        no_figures(&figures);
        if (set != NULL) {
            (void)pare_figures_of_set(set, kind, PARE_RESAMPLES, &figures, NULL);
        }
        pare_metric_set_free(set);
        json_t *item = pare_figures_to_json(&figures);
        json_object_set_new(item, "metric", json_incref(metric));
        all = all != NULL ? all : json_object();
        json_object_set_new(all, name, item);
    }
    return all;
}

/* ---- cells of the sensitivity table ---- */

void front_cell_take(struct pare_front *f, struct front_cell *cell, const json_t *row, const json_t *item)
{
    const json_t *items = json_object_get(item, "item"), *reference = json_object_get(row, "item");
    if (items == NULL || (cell->set == NULL && (cell->set = pare_metric_set_new(f->metric)) == NULL)) {
        return;
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        (void)pare_metric_set_add(cell->set, json_array_get(reference, i), json_array_get(items, i));
    }
}

const struct pare_figures *front_cell_figures(struct pare_front *f, struct front_cell *cell)
{
    if (cell->figured_samples == cell->samples && cell->samples > 0) {
        return &cell->figures;
    }
    const bool done = front_cell_done(f, cell);
    const bool map = f->metric == PARE_METRIC_MAP || f->metric == PARE_METRIC_MAP50;
    no_figures(&cell->figures);
    cell->figured_samples = cell->samples;
    if (f->metric == PARE_METRIC_TOP1) {
        struct pare_figures *g = &cell->figures;
        pare_interval_paired(cell->lost, cell->won, cell->samples, &g->drop, &g->drop_low, &g->drop_high);
        g->samples = cell->samples;
    } else if (cell->set != NULL) {
        (void)pare_figures_of_set(cell->set, f->metric, done && !map ? CELL_RESAMPLES : 0, &cell->figures, NULL);
    }
    return &cell->figures;
}
