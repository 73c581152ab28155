/*
 * sense.c: one level of the sensitivity table over samples [first, first + n) of a split: all layers or those of a list.
 */
#include <stdlib.h>

#include "measure/sense.h"
#include "work/work.h"

/* params.layers: indices of the layers that are wanted; NULL without it. */
static enum pare_status wanted_layers(const struct pare_engine *e, const json_t *params, bool **wanted, struct pare_error *err)
{
    const json_t *layers = json_object_get(params, "layers");
    const int n = pare_engine_layer_count(e);
    *wanted = NULL;
    if (!json_is_array(layers)) {
        return PARE_OK;
    }
    *wanted = calloc((size_t)n + 1, sizeof **wanted);
    for (size_t i = 0; *wanted != NULL && i < json_array_size(layers); i++) {
        const json_int_t l = json_integer_value(json_array_get(layers, i));
        if (l >= 0 && l < n) {
            (*wanted)[l] = true;
        }
    }
    return *wanted != NULL ? PARE_OK : pare_error_nomem(err);
}

enum pare_status pare_work_sense(struct pare_worker *w, const json_t *params, json_t **result,
                                 struct pare_error *err)
{
    struct pare_engine *e;
    struct pare_sense *sense = NULL;
    struct pare_sense_options o = {.split = PARE_SPLIT_SEARCH, .self = w, .done = pare_work_progress};
    bool *wanted = NULL;
    enum pare_status status = pare_work_engine(w, params, &e, err);
    if (status == PARE_OK) {
        status = pare_work_split(params, &o.split, err);
    }
    if (status == PARE_OK && !pare_engine_pipeline(e)->bare) {
        status = pare_pipeline_open_split(pare_engine_pipeline(e), o.split, err);
    }
    if (status == PARE_OK) {
        status = pare_level_parse(pare_json_get_string(params, "level", "?"), &o.level, err);
    }
    if (status == PARE_OK) {
        status = pare_level_parse(pare_json_get_string(params, "baseline", "fp32"), &o.baseline, err);
    }
    if (status == PARE_OK) {
        status = wanted_layers(e, params, &wanted, err);
    }
    if (status == PARE_OK) {
        o.wanted = wanted;
        o.first = (int)pare_json_get_int(params, "first", 0);
        o.n = (int)pare_json_get_int(params, "n", 0);
        o.own_every = (int)pare_json_get_int(params, "own_every", 4);
        status = pare_sense_run(e, &o, &sense, err);
    }
    free(wanted);
    if (status == PARE_OK) {
        *result = pare_sense_to_json(e, sense);
        status = *result != NULL ? PARE_OK : pare_error_nomem(err);
    }
    pare_sense_free(sense);
    return status;
}
