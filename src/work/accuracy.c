/*
 * accuracy.c: samples [first, first + n) of a split at a config. Every sample's outcome and loss is kept, so that
 * metrics, pairing and intervals are computed from rows, and more samples extend them.
 * {"none": samples without a decision, "right": "110-..." (- = no label), "prediction": [...], "loss": [...], "reference_right": "...", "reference": [...]}
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "work/work.h"

static char right_letter(const struct pare_sample *sample, const struct pare_outcome *o)
{
    return sample->label < 0                                                      ? '-'
           : o->kind == PARE_OUTCOME_CLASS && o->prediction == sample->label ? '1'
                                                                                  : '0';
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
        const struct pare_pipeline *p = pare_engine_pipeline(e);
        status = p->metric == NULL || strcmp(p->metric, "top1") == 0
                     ? pare_pipeline_open_split(pare_engine_pipeline(e), split, err)
                     : pare_error(err, PARE_ERR_CONFIG, p->path, "metric '%s' is not measured yet, only top1",
                                  p->metric);
    }
    if (status != PARE_OK) {
        return status;
    }
    struct pare_level *levels = calloc((size_t)pare_engine_layer_count(e) + 1, sizeof *levels);
    char *right = calloc((size_t)n + 1, 1), *reference_right = calloc((size_t)n + 1, 1);
    json_t *prediction = json_array(), *loss = json_array(), *reference = json_array();
    if (levels == NULL || right == NULL || reference_right == NULL) {
        status = pare_error_nomem(err);
    } else {
        status = pare_engine_parse_config(e, json_object_get(params, "config"), levels, err);
    }
    int none = 0, reference_none = 0;
    struct pare_arena arena = {0};
    for (int i = 0; status == PARE_OK && i < n; i++) {
        struct pare_sample sample;
        struct pare_outcome outcome;
        const struct pare_outcome *known = NULL;
        status = pare_engine_sample(e, split, first + i, &arena, &sample, err);
        if (status == PARE_OK) {
            status = pare_engine_infer(e, levels, &sample, &arena, &outcome, err);
        }
        if (status == PARE_OK) {
            status = pare_work_reference(w, split, &sample, &known, err);
        }
        if (status == PARE_OK) {
            none += outcome.kind == PARE_OUTCOME_NONE;
            reference_none += known->kind == PARE_OUTCOME_NONE;
            right[i] = right_letter(&sample, &outcome);
            reference_right[i] = right_letter(&sample, known);
            json_array_append_new(prediction, json_integer(outcome.kind == PARE_OUTCOME_CLASS ? outcome.prediction : -1));
            json_array_append_new(reference, json_integer(known->kind == PARE_OUTCOME_CLASS ? known->prediction : -1));
            json_array_append_new(loss, pare_json_real(round(pare_outcome_loss(known, &outcome) * 1e6) / 1e6));
        }
        pare_arena_clear(&arena);
        pare_worker_progress(w, i + 1, n);
    }
    if (status == PARE_OK) {
        *result = json_pack("{s:s, s:s, s:O, s:O, s:O, s:i, s:i}", "right", right, "reference_right", reference_right,
                            "prediction", prediction, "reference", reference, "loss", loss, "none", none, "reference_none", reference_none);
    }
    json_decref(prediction);
    json_decref(reference);
    json_decref(loss);
    free(levels);
    free(right);
    free(reference_right);
    return status;
}
