/*
 * flow_explain.c: why a layer loses what it loses at a level (measure/explain.h), beside what other levels of it would lose,
 * hold and take, from the table. The newest answer is what the screen shows.
 */
#include <math.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/flow.h"

static int find_layer(const struct pare_front *f, const char *pattern)
{
    for (int i = 0; i < f->n_layers; i++) {
        if (strcmp(f->layers[i].name, pattern) == 0) {
            return i;
        }
    }
    for (int i = 0; i < f->n_layers; i++) {
        if (pare_glob_match(pattern, f->layers[i].name)) {
            return i;
        }
    }
    return -1;
}

static int find_level(const struct pare_front *f, const char *name)
{
    struct pare_level level;
    for (int l = 1; name != NULL && pare_level_parse(name, &level, NULL) == PARE_OK && l < f->n_levels; l++) {
        if (pare_level_equal(f->levels[l], level)) {
            return l;
        }
    }
    return -1;
}

/* The widest level at which the layer hurts; the narrowest when none does. */
static int worst_level(const struct pare_front *f, int layer)
{
    for (int l = 1; l < f->n_levels; l++) {
        const double loss = front_cell_loss(f, layer, l);
        if (isfinite(loss) && loss > 0.02) {
            return l;
        }
    }
    return f->n_levels - 1;
}

/* What wider levels would make of the layer. */
static json_t *wider_levels(const struct pare_front *f, int layer, int level)
{
    json_t *list = json_array();
    const struct front_cell *now = &f->cells[layer * f->n_levels + level];
    const struct front_layer *l = &f->layers[layer];
    for (int k = level - 1; k > 0; k--) {
        const struct front_cell *c = &f->cells[layer * f->n_levels + k];
        const double bytes = l->bytes[f->levels[k].w_bits] - l->bytes[f->levels[level].w_bits];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o}", "level", f->level_names[k], "step_rmse",
                                              pare_json_real(front_own_rmse(c, PARE_OWN_STEP)), "loss",
                                              pare_json_real(front_cell_loss(f, layer, k)), "bytes", pare_json_real(bytes), "ms",
                                              pare_json_real(c->ms - now->ms)));
    }
    return list;
}

void flow_advance_explain(struct pare_front *f, struct front_flow *flow)
{
    bool failed = false;
    const char *name = pare_json_get_string(flow->args, "layer", ""), *asked = pare_json_get_string(flow->args, "level", NULL);
    const int layer = find_layer(f, name), level = layer < 0 ? -1 : asked != NULL ? find_level(f, asked) : worst_level(f, layer);
    char title[160];
    if (layer < 0 || level < 0) {
        pare_error(&flow->err, PARE_ERR_USAGE, layer < 0 ? name : asked, layer < 0 ? "the pattern matches no layer" : "no candidate level (--levels)");
        flow_end(f, flow, PARE_ERR_USAGE, NULL);
        return;
    }
    if (front_ensure_calibration(f, &failed, &flow->err)) {
        snprintf(title, sizeof title, "why %s loses at %s", f->layers[layer].name, f->level_alias[level]);
        struct front_job job = {.kind = "explain",
                                .title = title,
                                .params = json_pack("{s:i, s:s, s:s, s:i}", "layer", layer, "level", f->level_names[level], "split",
                                                    f->split_samples[1] > 0 ? "search" : "calibration", "samples", 16),
                                .needs_calibration = true,
                                .interactive = true,
                                .priority = 80,
                                .total = 16};
        const json_t *row = front_row(f, &job, &failed, &flow->err);
        if (row != NULL) {
            json_t *answer = json_copy((json_t *)(uintptr_t)row);
            json_object_set_new(answer, "schema", json_integer(1));
            json_object_set_new(answer, "wider", wider_levels(f, layer, level));
            json_decref(f->explained);
            f->explained = json_incref(answer);
            f->explained_layer = layer;
            f->explained_level = level;
            front_changed(f);
            flow_end(f, flow, PARE_OK, answer);
            return;
        }
    }
    if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
}
