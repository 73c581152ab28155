/*
 * accuracy.c: samples [first, first + n) of a split at a config. Every sample's outcome and loss is kept, so that
 * metrics, pairing and intervals are computed from rows, and more samples extend them.
 * {"none": samples without a decision, "right": "110-..." (- = no label), "prediction": [...], "loss": [...],
 *  "reference_right": "...", "reference": [...]}, and for other metrics than top1 "item", "reference_item": [...] as
 * pare_metric_item makes them; for metrics beside it "extra": {name: {"item": [...], "reference_item": [...]}}.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "work/work.h"

/* What a row consists of while it is made. */
struct row {
    char *right, *reference_right;
    json_t *prediction, *reference, *loss, *item, *reference_item, *extra;
    int none, reference_none;
};

static char right_letter(int label, bool decided, int prediction)
{
    return label < 0 ? '-' : decided && prediction == label ? '1' : '0';
}

static void add_extra(json_t *extra, const json_t *items, const json_t *reference)
{
    const char *name;
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)items, name, item) {
        json_t *list = json_object_get(extra, name), *known = json_object_get(reference, name);
        if (list == NULL) {
            json_object_set_new(extra, name, json_pack("{s:[], s:[]}", "item", "reference_item"));
            list = json_object_get(extra, name);
        }
        json_array_append(json_object_get(list, "item"), item);
        json_array_append(json_object_get(list, "reference_item"), known != NULL ? known : json_null());
    }
}

static enum pare_status add_sample(struct row *r, int i, const struct pare_pipeline *p, const struct pare_sample *sample,
                                   const struct pare_outcome *o, const struct pare_work_reference *known,
                                   struct pare_error *err)
{
    json_t *item, *extra;
    const struct pare_outcome *k = &known->outcome;
    enum pare_status status = pare_work_items(p, sample, o, &item, &extra, err);
    if (status != PARE_OK) {
        return status;
    }
    const bool decided = o->kind == PARE_OUTCOME_CLASS, known_decided = k->kind == PARE_OUTCOME_CLASS;
    r->none += o->kind == PARE_OUTCOME_NONE;
    r->reference_none += k->kind == PARE_OUTCOME_NONE;
    r->right[i] = right_letter(sample->label, decided, o->prediction);
    r->reference_right[i] = right_letter(sample->label, known_decided, k->prediction);
    json_array_append_new(r->prediction, json_integer(decided ? o->prediction : -1));
    json_array_append_new(r->reference, json_integer(known_decided ? k->prediction : -1));
    json_array_append_new(r->loss, pare_json_real(round(pare_outcome_loss(k, o) * 1e6) / 1e6));
    if (item != NULL) {
        json_array_append_new(r->item, item);
        json_array_append(r->reference_item, known->item != NULL ? known->item : json_null());
    }
    if (extra != NULL) {
        add_extra(r->extra, extra, known->extra);
        json_decref(extra);
    }
    return PARE_OK;
}

static enum pare_status run_sample(struct pare_worker *w, struct pare_engine *e, const struct pare_level *levels,
                                   enum pare_split split, int index, struct row *r, int i, struct pare_error *err)
{
    struct pare_arena arena = {0};
    struct pare_sample sample;
    struct pare_outcome outcome;
    struct pare_report reports[PARE_MAX_STAGES] = {0};
    const struct pare_work_reference *known = NULL;
    enum pare_status status = pare_engine_sample(e, split, index, &arena, &sample, err);
    if (status == PARE_OK) {
        sample.reports = reports;
        status = pare_engine_infer(e, levels, &sample, &arena, &outcome, err);
    }
    if (status == PARE_OK) {
        status = pare_work_reference(w, split, &sample, &known, err);
    }
    if (status == PARE_OK) {
        status = add_sample(r, i, pare_engine_pipeline(e), &sample, &outcome, known, err);
    }
    pare_arena_clear(&arena);
    return status;
}

static json_t *row_json(struct row *r)
{
    json_t *json = json_pack("{s:s, s:s, s:O, s:O, s:O, s:i, s:i}", "right", r->right, "reference_right",
                             r->reference_right, "prediction", r->prediction, "reference", r->reference, "loss", r->loss,
                             "none", r->none, "reference_none", r->reference_none);
    if (json_array_size(r->item) > 0) {
        json_object_set(json, "item", r->item);
        json_object_set(json, "reference_item", r->reference_item);
    }
    if (json_object_size(r->extra) > 0) {
        json_object_set(json, "extra", r->extra);
    }
    return json;
}

enum pare_status pare_work_accuracy(struct pare_worker *w, const json_t *params, json_t **result,
                                    struct pare_error *err)
{
    struct pare_engine *e;
    enum pare_split split = PARE_SPLIT_SEARCH;
    int first = (int)pare_json_get_int(params, "first", 0), n = (int)pare_json_get_int(params, "n", 0);
    enum pare_status status = pare_work_engine(w, params, &e, err);
    if (status == PARE_OK) {
        status = pare_work_split(params, &split, err);
    }
    if (status == PARE_OK && !pare_engine_pipeline(e)->bare) {
        status = pare_pipeline_open_split(pare_engine_pipeline(e), split, err);
    }
    if (status != PARE_OK) {
        return status;
    }
    struct pare_level *levels = calloc((size_t)pare_engine_layer_count(e) + 1, sizeof *levels);
    struct row r = {calloc((size_t)n + 1, 1), calloc((size_t)n + 1, 1), json_array(), json_array(), json_array(),
                    json_array(), json_array(), json_object(), 0, 0};
    if (levels == NULL || r.right == NULL || r.reference_right == NULL) {
        status = pare_error_nomem(err);
    } else {
        status = pare_engine_parse_config(e, json_object_get(params, "config"), levels, err);
    }
    for (int i = 0; status == PARE_OK && i < n; i++) {
        status = run_sample(w, e, levels, split, first + i, &r, i, err);
        pare_worker_progress(w, i + 1, n);
    }
    if (status == PARE_OK) {
        *result = row_json(&r);
    }
    json_decref(r.prediction);
    json_decref(r.reference);
    json_decref(r.loss);
    json_decref(r.item);
    json_decref(r.reference_item);
    json_decref(r.extra);
    free(levels);
    free(r.right);
    free(r.reference_right);
    return status;
}
