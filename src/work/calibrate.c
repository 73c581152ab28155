/*
 * calibrate.c: ranges of every tensor of every stage over the calibration split.
 * {"stages": {name: [...]}, "samples": n, "notes": [what the method did, and what of it did not apply] (when any)}
 */
#include "work/work.h"

enum pare_status pare_work_calibrate(struct pare_worker *w, const json_t *params, json_t **result,
                                     struct pare_error *err)
{
    struct pare_engine *e;
    enum pare_status status = pare_work_engine(w, params, &e, err);
    int limit = (int)pare_json_get_int(params, "samples", 0);
    if (status != PARE_OK) {
        return status;
    }
    struct pare_pipeline *p = pare_engine_pipeline(e);
    const bool reads = !pare_engine_synthetic(e);
    if (!p->bare && reads) {
        status = pare_pipeline_open_split(p, PARE_SPLIT_CALIBRATION, err);
    }
    if (status == PARE_OK) {
        status = pare_engine_calibrate(e, PARE_SPLIT_CALIBRATION, limit, w, pare_work_progress, err);
    }
    if (status != PARE_OK) {
        return status;
    }
    json_t *stages = json_object();
    for (int s = 0; s < p->n_stages; s++) {
        json_object_set_new(stages, p->stages[s].name, pare_calibration_to_json(pare_engine_calibration(e, s)));
    }
    int n = reads ? pare_engine_sample_count(e, PARE_SPLIT_CALIBRATION) : 0;
    *result = json_pack("{s:o, s:i}", "stages", stages, "samples", limit > 0 && limit < n ? limit : n);
    if (json_array_size(pare_engine_notes(e)) > 0) {
        json_object_set(*result, "notes", (json_t *)(uintptr_t)pare_engine_notes(e));
    }
    return PARE_OK;
}
