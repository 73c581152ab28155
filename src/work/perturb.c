/*
 * perturb.c: ||Q(w) - w||^2 of every layer at each of {"levels": [...]}: {"layers": {layer: {level: x}}}; null where a layer's
 * weights are not finite.
 */
#include <math.h>
#include <string.h>

#include "measure/perturb.h"
#include "work/work.h"

enum pare_status pare_work_perturb(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    struct pare_engine *e;
    const json_t *levels = json_object_get(params, "levels");
    enum pare_status status = pare_work_engine(w, params, &e, err);
    if (status != PARE_OK) {
        return status;
    }
    json_t *layers = json_object();
    for (int i = 0; status == PARE_OK && i < pare_engine_layer_count(e); i++) {
        json_t *row = json_object();
        for (size_t l = 0; status == PARE_OK && l < json_array_size(levels); l++) {
            const char *name = json_string_value(json_array_get(levels, l));
            struct pare_level level;
            double squared = NAN;
            status = pare_level_parse(name != NULL ? name : "?", &level, err);
            if (status == PARE_OK && pare_perturb_layer(e, i, level, &squared, err) != PARE_OK) {
                status = err->code == PARE_ERR_FORMAT ? PARE_OK : err->code;
                squared = NAN;
            }
            if (status == PARE_OK) {
                json_object_set_new(row, name, pare_json_real(squared));
            }
        }
        json_object_set_new(layers, pare_engine_layer(e, i)->name, row);
        pare_worker_progress(w, i + 1, pare_engine_layer_count(e));
    }
    *result = status == PARE_OK ? json_pack("{s:O}", "layers", layers) : NULL;
    json_decref(layers);
    return status;
}
