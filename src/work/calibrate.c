/*
 * calibrate.c: ranges of every tensor of every stage over the calibration split.
 * {"samples": limit (0 = all)} gives {"stages": {name: [...]}, "samples": n, "notes": [what the method did, and what of it
 * did not apply] (when any)}. With {"seen": [keys], "bins": [keys]} it reads no sample but adds up the rows of its parts, in
 * this order; a part is {"pass": 0 or 1, "first", "n"}, of pass 1 with "seen", and gives {"stages": {name: ...}} of
 * quant/range.h. Ranges that come from no sample have no parts: those are {}, and the whole is made at once.
 */
#include "work/work.h"

/* Adds up the parts whose keys are given. */
static enum pare_status add_parts(struct pare_worker *w, struct pare_engine *e, const json_t *keys, int pass,
                                  struct pare_engine_ranges *all, struct pare_error *err)
{
    const struct pare_pipeline *p = pare_engine_pipeline(e);
    enum pare_status status = PARE_OK;
    for (size_t i = 0; status == PARE_OK && i < json_array_size(keys); i++) {
        const json_t *row = pare_worker_row(w, json_string_value(json_array_get(keys, i)));
        struct pare_engine_ranges part;
        status = pare_engine_ranges_init(e, &part, err);
        for (int s = 0; status == PARE_OK && s < p->n_stages; s++) {
            const json_t *stage = json_object_get(json_object_get(row, "stages"), p->stages[s].name);
            status = pare_calibration_part_from_json(stage, pass, &part.stage[s], err);
        }
        if (status == PARE_OK) {
            pare_engine_ranges_merge(e, all, &part, pass);
        }
        pare_engine_ranges_clear(&part);
    }
    return status;
}

static enum pare_status observe_part(struct pare_worker *w, struct pare_engine *e, const json_t *params, json_t **result,
                                     struct pare_error *err)
{
    const struct pare_pipeline *p = pare_engine_pipeline(e);
    const int pass = (int)pare_json_get_int(params, "pass", 0), n = (int)pare_json_get_int(params, "n", 0);
    struct pare_engine_ranges seen, part;
    enum pare_status status = pare_engine_ranges_init(e, &seen, err);
    status = status == PARE_OK ? add_parts(w, e, json_object_get(params, "seen"), 0, &seen, err) : status;
    if (status == PARE_OK) {
        status = pare_engine_observe(e, PARE_SPLIT_CALIBRATION, pass, (int)pare_json_get_int(params, "first", 0), n, &seen, &part, w,
                                     pare_work_progress, err);
        json_t *stages = json_object();
        for (int s = 0; status == PARE_OK && s < p->n_stages; s++) {
            json_t *stage = pare_calibration_part_to_json(&part.stage[s], pass);
            status = json_object_set_new(stages, p->stages[s].name, stage) == 0 ? PARE_OK : pare_error_nomem(err);
        }
        pare_engine_ranges_clear(&part);
        if (status == PARE_OK) {
            *result = json_pack("{s:o}", "stages", stages);
            status = *result != NULL ? PARE_OK : pare_error_nomem(err);
        } else {
            json_decref(stages);
        }
    }
    pare_engine_ranges_clear(&seen);
    return status;
}

static enum pare_status add_up(struct pare_worker *w, struct pare_engine *e, const json_t *params, struct pare_error *err)
{
    struct pare_engine_ranges all;
    enum pare_status status = pare_engine_ranges_init(e, &all, err);
    status = status == PARE_OK ? add_parts(w, e, json_object_get(params, "seen"), 0, &all, err) : status;
    status = status == PARE_OK ? add_parts(w, e, json_object_get(params, "bins"), 1, &all, err) : status;
    if (status == PARE_OK) {
        pare_engine_take_ranges(e, &all);
    }
    pare_engine_ranges_clear(&all);
    return status;
}

static json_t *to_json(struct pare_engine *e, int n)
{
    const struct pare_pipeline *p = pare_engine_pipeline(e);
    json_t *stages = json_object();
    for (int s = 0; s < p->n_stages; s++) {
        json_object_set_new(stages, p->stages[s].name, pare_calibration_to_json(pare_engine_calibration(e, s)));
    }
    json_t *result = json_pack("{s:o, s:i}", "stages", stages, "samples", n);
    if (json_array_size(pare_engine_notes(e)) > 0) {
        json_object_set(result, "notes", (json_t *)(uintptr_t)pare_engine_notes(e));
    }
    return result;
}

enum pare_status pare_work_calibrate(struct pare_worker *w, const json_t *params, json_t **result,
                                     struct pare_error *err)
{
    struct pare_engine *e;
    enum pare_status status = pare_work_engine(w, params, &e, err);
    const int limit = (int)pare_json_get_int(params, "samples", 0);
    const bool reads = status == PARE_OK && !pare_engine_synthetic(e), part = json_object_get(params, "pass") != NULL;
    if (status == PARE_OK && part && !reads) {
        *result = json_object();
        return PARE_OK;
    }
    if (status == PARE_OK && !pare_engine_pipeline(e)->bare && reads) {
        status = pare_pipeline_open_split(pare_engine_pipeline(e), PARE_SPLIT_CALIBRATION, err);
    }
    if (status == PARE_OK && part) {
        return observe_part(w, e, params, result, err);
    }
    if (status == PARE_OK) {
        status = reads && json_object_get(params, "bins") != NULL
                     ? add_up(w, e, params, err)
                     : pare_engine_calibrate(e, PARE_SPLIT_CALIBRATION, limit, w, pare_work_progress, err);
    }
    if (status == PARE_OK) {
        const int n = reads ? pare_engine_sample_count(e, PARE_SPLIT_CALIBRATION) : 0;
        *result = to_json(e, limit > 0 && limit < n ? limit : n);
    }
    return status;
}
