/*
 * sense.c: one level of the sensitivity table over samples [first, first + n) of a split.
 */
#include <stdlib.h>

#include "measure/sense.h"
#include "work/work.h"

enum pare_status pare_work_sense(struct pare_worker *w, const json_t *params, json_t **result,
                                 struct pare_error *err)
{
    struct pare_engine *e;
    struct pare_sense *sense = NULL;
    struct pare_level level;
    enum pare_split split = PARE_SPLIT_SEARCH;
    enum pare_status status = pare_work_engine(w, params, &e, err);
    if (status == PARE_OK) {
        status = pare_work_split(params, &split, err);
    }
    if (status == PARE_OK && !pare_engine_pipeline(e)->bare) {
        status = pare_pipeline_open_split(pare_engine_pipeline(e), split, err);
    }
    if (status == PARE_OK) {
        status = pare_level_parse(pare_json_get_string(params, "level", "?"), &level, err);
    }
    if (status == PARE_OK) {
        status = pare_sense_run(e, level, NULL, split, (int)pare_json_get_int(params, "first", 0),
                                (int)pare_json_get_int(params, "n", 0), (int)pare_json_get_int(params, "own_every", 4),
                                w, pare_work_progress, &sense, err);
    }
    if (status == PARE_OK) {
        *result = pare_sense_to_json(e, sense);
        status = *result != NULL ? PARE_OK : pare_error_nomem(err);
    }
    pare_sense_free(sense);
    return status;
}
