/*
 * latency.c: the timing jobs: uniform profiles of every level (profile), whole configs end to end (latency), one config
 * layer by layer (stopwatch).
 */
#include "measure/latency.h"

#include <stdlib.h>

#include "measure/in_place.h"
#include "work/work.h"

static enum pare_status open_for_timing(struct pare_worker *w, const json_t *params, struct pare_engine **e,
                                        enum pare_split *split, struct pare_error *err)
{
    enum pare_status status = pare_work_engine(w, params, e, err);
    if (status == PARE_OK) {
        status = pare_work_split(params, split, err);
    }
    if (status == PARE_OK && !pare_engine_pipeline(*e)->bare) {
        status = pare_pipeline_open_split(pare_engine_pipeline(*e), *split, err);
    }
    return status;
}

static double seconds_of(const json_t *params)
{
    double seconds = pare_json_get_real(params, "seconds");
    return seconds > 0 && seconds < 600 ? seconds : 3;
}

enum pare_status pare_work_profile(struct pare_worker *w, const json_t *params, json_t **result,
                                   struct pare_error *err)
{
    struct pare_engine *e;
    enum pare_split split;
    struct pare_level levels[PARE_MAX_LEVELS];
    const json_t *names = json_object_get(params, "levels"), *keep_json = json_object_get(params, "keep");
    int n_levels = (int)json_array_size(names);
    enum pare_status status = open_for_timing(w, params, &e, &split, err);
    if (status == PARE_OK && (n_levels < 1 || n_levels > PARE_MAX_LEVELS)) {
        status = pare_error(err, PARE_ERR_USAGE, "profile", "expected 1..%d levels, found %d", PARE_MAX_LEVELS, n_levels);
    }
    for (int l = 0; status == PARE_OK && l < n_levels; l++) {
        const char *name = json_string_value(json_array_get(names, (size_t)l));
        status = pare_level_parse(name != NULL ? name : "?", &levels[l], err);
    }
    if (status != PARE_OK) {
        return status;
    }
    int n_layers = pare_engine_layer_count(e);
    int *keep = calloc((size_t)n_layers + 1, sizeof *keep);
    if (keep == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < n_layers; i++) {
        const json_t *item = json_array_get(keep_json, (size_t)i);
        keep[i] = json_is_integer(item) ? (int)json_integer_value(item) : n_levels - 1;
        keep[i] = keep[i] < 0 || keep[i] >= n_levels ? n_levels - 1 : keep[i];
    }
    status = pare_latency_profile(e, levels, n_levels, keep, split, (int)pare_json_get_int(params, "samples", 16),
                                  seconds_of(params), w, pare_work_progress, result, err);
    free(keep);
    return status;
}

enum pare_status pare_work_latency(struct pare_worker *w, const json_t *params, json_t **result,
                                   struct pare_error *err)
{
    enum { MAX_CONFIGS = 16 };
    struct pare_engine *e;
    enum pare_split split;
    const json_t *list = json_object_get(params, "configs");
    int n = (int)json_array_size(list);
    const struct pare_level *configs[MAX_CONFIGS] = {NULL};
    enum pare_status status = open_for_timing(w, params, &e, &split, err);
    if (status != PARE_OK || n < 1 || n > MAX_CONFIGS) {
        return status != PARE_OK ? status : pare_error(err, PARE_ERR_USAGE, "latency", "expected 1..16 configs");
    }
    size_t n_layers = (size_t)pare_engine_layer_count(e);
    struct pare_level *levels = calloc((size_t)n * n_layers + 1, sizeof *levels);
    if (levels == NULL) {
        return pare_error_nomem(err);
    }
    for (int c = 0; status == PARE_OK && c < n; c++) {
        configs[c] = levels + (size_t)c * n_layers;
        status = pare_engine_parse_config(e, json_array_get(list, (size_t)c), levels + (size_t)c * n_layers, err);
    }
    if (status == PARE_OK) {
        status = pare_latency_configs(e, configs, n, split, (int)pare_json_get_int(params, "samples", 32),
                                      seconds_of(params), w, pare_work_progress, result, err);
    }
    free(levels);
    return status;
}

enum pare_status pare_work_stopwatch(struct pare_worker *w, const json_t *params, json_t **result,
                                     struct pare_error *err)
{
    struct pare_engine *e;
    enum pare_split split;
    enum pare_status status = open_for_timing(w, params, &e, &split, err);
    if (status != PARE_OK) {
        return status;
    }
    struct pare_level *levels = calloc((size_t)pare_engine_layer_count(e) + 1, sizeof *levels);
    if (levels == NULL) {
        return pare_error_nomem(err);
    }
    const struct pare_in_place_options options = {.seconds = seconds_of(params),
                                                  .samples = (int)pare_json_get_int(params, "samples", 16),
                                                  .threads = (int)pare_json_get_int(params, "threads", 1),
                                                  .done = pare_work_progress,
                                                  .self = w};
    status = pare_engine_parse_config(e, json_object_get(params, "config"), levels, err);
    if (status == PARE_OK) {
        status = pare_in_place(e, levels, split, &options, result, err);
    }
    free(levels);
    return status;
}
