/* explain.c: {"layer": index, "level", "split", "samples"} -> measure/explain.h's row. */
#include "measure/explain.h"
#include "work/work.h"

enum pare_status pare_work_explain(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    struct pare_engine *e;
    struct pare_level level;
    enum pare_split split = PARE_SPLIT_SEARCH;
    enum pare_status status = pare_work_engine(w, params, &e, err);
    status = status == PARE_OK ? pare_work_split(params, &split, err) : status;
    if (status == PARE_OK && !pare_engine_pipeline(e)->bare) {
        status = pare_pipeline_open_split(pare_engine_pipeline(e), split, err);
    }
    status = status == PARE_OK ? pare_level_parse(pare_json_get_string(params, "level", "?"), &level, err) : status;
    const int layer = (int)pare_json_get_int(params, "layer", -1), n = status == PARE_OK ? pare_engine_sample_count(e, split) : 0;
    if (status == PARE_OK && (layer < 0 || layer >= pare_engine_layer_count(e))) {
        status = pare_error(err, PARE_ERR_USAGE, "explain", "no such layer");
    }
    const int asked = (int)pare_json_get_int(params, "samples", 16);
    return status == PARE_OK ? pare_explain(e, layer, level, split, asked < n ? asked : n, w, pare_work_progress, result, err) : status;
}
