/* description.c: what a pipeline is, as a worker described it: layers, stages, splits; then what its session knows of it. */
#include "command/front.h"
#include "command/label.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *copy_text(struct pare_front *f, const char *text)
{
    const char *copy = pare_arena_strdup(&f->arena, text);
    return copy != NULL ? copy : "";
}

static void take_geometry(struct front_layer *l, const json_t *geometry)
{
    int *const fields[13] = {&l->conv.in_h,     &l->conv.in_w,     &l->conv.in_c,     &l->conv.out_h,      &l->conv.out_w,
                             &l->conv.out_c,    &l->conv.kernel_h, &l->conv.kernel_w, &l->conv.stride_h,   &l->conv.stride_w,
                             &l->conv.dilation_h, &l->conv.dilation_w, &l->conv.groups};
    for (size_t i = 0; i < 13; i++) {
        *fields[i] = (int)json_integer_value(json_array_get(geometry, i));
    }
    l->batch = pare_json_at_real(geometry, 13);
}

void front_take_method(struct front_layer *l, const json_t *layer)
{
    const json_t *bytes = json_object_get(layer, "bytes");
    size_t i;
    json_t *item;
    l->simulated = 0;
    json_array_foreach(json_object_get(layer, "simulated_bits"), i, item) {
        const json_int_t bits = json_integer_value(item);
        l->simulated |= bits > 0 && bits <= 8 ? 1u << bits : 0;
    }
    for (int bits = 0; bits <= 32; bits++) {
        char key[8] = "w16a16";
        if (bits > 0) {
            snprintf(key, sizeof key, "%d", bits);
        }
        l->bytes[bits] = pare_json_get_real(bytes, key);
    }
}

static void take_layer(struct pare_front *f, struct front_layer *l, const json_t *json)
{
    const char *name = pare_json_get_string(json, "name", "?"), *slash = strchr(name, '/');
    const json_t *from = json_object_get(json, "from");
    l->name = copy_text(f, name);
    l->tensor = copy_text(f, pare_json_get_string(json, "tensor", ""));
    l->tensor_index = (int)pare_json_get_int(json, "tensor_index", -1);
    l->short_name = copy_text(f, slash != NULL ? slash + 1 : name);
    l->kind = copy_text(f, pare_json_get_string(json, "kind", "conv"));
    l->shape = copy_text(f, pare_json_get_string(json, "shape", ""));
    l->stage = (int)pare_json_get_int(json, "stage", 0);
    l->macs = pare_json_get_int(json, "macs", 0);
    l->weights = pare_json_get_int(json, "weights", 0);
    l->first = pare_json_get_bool(json, "first", false);
    l->last = pare_json_get_bool(json, "last", false);
    l->elements = pare_json_get_real(json, "elements");
    take_geometry(l, json_object_get(json, "geometry"));
    front_take_method(l, json);
    l->n_from = (int)json_array_size(from);
    l->from = pare_arena_array(&f->arena, (size_t)l->n_from + 1, sizeof *l->from);
    l->n_from = l->from != NULL ? l->n_from : 0;
    for (int i = 0; i < l->n_from; i++) {
        json_int_t at = json_integer_value(json_array_get(from, (size_t)i));
        l->from[i] = at >= 0 && at < f->n_layers ? (int)at : 0;
    }
    l->stage = l->stage >= 0 && l->stage < f->n_stages ? l->stage : 0;
    l->pin_lo = l->pin_hi = -1;
}

/* How lists show the layers of a stage. */
static void label_layers(struct pare_front *f, const struct front_stage *stage)
{
    const int n = stage->n_layers;
    struct front_layer *const layers = f->layers + stage->first_layer;
    const char **names = pare_arena_array(&f->arena, (size_t)n + 1, sizeof *names);
    size_t skip = 0;
    for (int i = 0; names != NULL && i < n; i++) {
        names[i] = layers[i].short_name;
    }
    const bool cut = names != NULL && front_label_cut(names, n, &skip);
    for (int i = 0; i < n; i++) {
        const char *text = layers[i].short_name + skip, *last = cut ? strrchr(text, '/') : NULL;
        const char *label = pare_arena_printf(&f->arena, "%s/%.*s", stage->name, (int)(last != NULL ? (size_t)(last - text) : strlen(text)), text);
        layers[i].label = label != NULL ? label : layers[i].name;
        layers[i].short_label = label != NULL ? label + strlen(stage->name) + 1 : layers[i].short_name;
    }
}

static bool take_layers(struct pare_front *f, const json_t *layers, const json_t *stages)
{
    f->n_layers = (int)json_array_size(layers);
    f->layers = pare_arena_array(&f->arena, (size_t)f->n_layers + 1, sizeof *f->layers);
    f->n_stages = (int)json_array_size(stages);
    f->stages = pare_arena_array(&f->arena, (size_t)f->n_stages + 1, sizeof *f->stages);
    f->cells = pare_arena_array(&f->arena, (size_t)(f->n_layers * f->n_levels) + 1, sizeof *f->cells);
    if (f->layers == NULL || f->stages == NULL || f->cells == NULL || (f->n_layers > 0 && f->n_stages == 0)) {
        return false;
    }
    for (int s = 0; s < f->n_stages; s++) {
        const json_t *stage = json_array_get(stages, (size_t)s);
        double other = pare_json_get_real(stage, "other_bytes");
        f->stages[s].name = copy_text(f, pare_json_get_string(stage, "name", "?"));
        f->stages[s].file = copy_text(f, pare_json_get_string(stage, "file", ""));
        f->stages[s].other_bytes = isfinite(other) ? other : 0;
        f->stages[s].calls = 1;
        f->stages[s].first_layer = f->n_layers;
        for (int l = 0; l < PARE_MAX_LEVELS; l++) {
            f->stages[s].other_ms[l] = f->stages[s].total_ms[l] = NAN;
        }
    }
    for (int i = 0; i < f->n_layers; i++) {
        struct front_layer *l = &f->layers[i];
        const json_t *layer = json_array_get(layers, (size_t)i);
        take_layer(f, l, layer);
        front_keep_layer(f, i, pare_json_get_string(layer, "keep", NULL));
        struct front_stage *stage = &f->stages[l->stage];
        stage->first_layer = i < stage->first_layer ? i : stage->first_layer;
        stage->n_layers++;
        for (int k = 0; k < f->n_levels; k++) {
            f->cells[i * f->n_levels + k].ms = NAN;
            f->cells[i * f->n_levels + k].ms_p10 = f->cells[i * f->n_levels + k].ms_p90 = NAN;
        }
    }
    for (int s = 0; s < f->n_stages; s++) {
        label_layers(f, &f->stages[s]);
    }
    return true;
}

/* ---- runs and points of the session ---- */

static void take_run(void *self, int64_t id, const char *name, const char *method, const json_t *settings,
                     const json_t *status)
{
    front_take_run(self, id, name, method, settings, status);
}

static void take_point(void *self, int64_t id, int64_t run, int number, const json_t *config, const json_t *facts)
{
    front_take_point(self, id, run, number, config, facts);
}

static void row_seen(void *self, const char *key, const char *kind)
{
    (void)self;
    (void)key;
    (void)kind;
}

/* Results of another version of what they depend on stay in the file, unused: that is told once. */
static void tell_older_results(struct pare_front *f)
{
    char *before = pare_session_get_meta(f->session, "content"), text[400];
    int rows = 0;
    if (before != NULL && strcmp(before, f->content) != 0 &&
        pare_session_discard(f->session, "content", f->content, false, &rows, NULL) == PARE_OK && rows > 0) {
        snprintf(text, sizeof text, "%d cached result%s of another version of pipeline.lua, its models, its data or of Pare: they are not used "
                 "(pare session gc removes them). `tie` and `rows` written out in the returned table change no results; those that code "
                 "computes can be put into the session instead (pare pin --tie, --row)", rows, rows == 1 ? " is" : "s are");
        front_say(f, false, "%s", text);
        if (f->options.print != NULL) {
            char line[420];
            snprintf(line, sizeof line, "pare: %s", text);
            f->options.print(f->options.self, line);
        }
    }
    free(before);
}

bool front_take_description(struct pare_front *f, const json_t *result)
{
    const json_t *splits = json_object_get(result, "splits");
    static const char *const names[4] = {"calibration", "search", "test", "all"};
    f->description = json_incref((json_t *)(uintptr_t)result);
    snprintf(f->content, sizeof f->content, "%s", pare_json_get_string(result, "content", ""));
    snprintf(f->isa, sizeof f->isa, "%s", pare_json_get_string(result, "isa", ""));
    if (!take_layers(f, json_object_get(result, "layers"), json_object_get(result, "stages"))) {
        return false;
    }
    bool bare = pare_json_get_bool(result, "bare", false);
    f->metric = pare_metric_parse(pare_json_get_string(result, "metric", "top1"));
    for (int s = 0; s < 4; s++) {
        f->split_samples[s] = bare ? 64 : (int)pare_json_get_int(json_object_get(splits, names[s]), "n", 0);
    }
    f->sense_samples = f->options.samples > 0 ? f->options.samples : 200;
    f->sense_samples = f->sense_samples < f->split_samples[1] ? f->sense_samples : f->split_samples[1];
    f->eval_samples = f->options.eval_samples > 0 ? f->options.eval_samples : 2000;
    f->n_chunks = (f->sense_samples + FRONT_CHUNK - 1) / FRONT_CHUNK;
    f->sense_chunk = pare_arena_array(&f->arena, (size_t)(f->n_levels * f->n_chunks) + 1, sizeof *f->sense_chunk);
    if (f->sense_chunk == NULL) {
        return false;
    }
    f->described = true;
    f->glue_ms = NAN;
    f->pace = 1;
    if (front_choices_clear(f, &f->failure) != PARE_OK) {
        f->described = false;
        return false;
    }
    if (f->session != NULL) {
        if (!f->follower) {
            tell_older_results(f);
            (void)pare_session_set_meta(f->session, "pipeline", f->real_path, NULL);
            (void)pare_session_set_meta(f->session, "content", f->content, NULL);
        }
        front_rates_load(f);
        front_find_unfinished(f);
        f->data_version = pare_session_data_version(f->session);
        pare_session_new_rows(f->session, &f->last_row, f, row_seen);
        front_load_rows(f);
        pare_session_each_run(f->session, f, take_run);
        pare_session_each_point(f->session, f, take_point);
        front_fit(f);
        front_apply_actions(f);
    }
    front_log(f, "%s: %d models, %d layers", pare_json_get_string(result, "name", "?"), f->n_stages, f->n_layers);
    return true;
}
