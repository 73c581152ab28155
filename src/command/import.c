/* import.c: configurations of other tools as a run of points (search/import.h), under the file's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "command/front.h"
#include "search/import.h"

#define MAX_BYTES ((size_t)64 << 20)

/* The file's name without its folder and ending. */
static void run_name(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path, *dot = strrchr(base, '.');
    char text[100];
    snprintf(text, sizeof text, "%.*s", dot != NULL && dot > base ? (int)(dot - base) : (int)strlen(base), base);
    pare_escape(text, strlen(text), name, size);
}

static enum pare_status parse_file(const struct pare_front *f, const char *path, json_t **points, const char **kind, struct pare_error *err)
{
    const json_t *described = json_object_get(f->description, "layers");
    struct pare_import_layer *layers = calloc((size_t)f->n_layers + 1, sizeof *layers);
    struct pare_file file = {0};
    int n = 0, stage = -1;
    for (int s = 0; s < f->n_stages; s++) { /* STAGE=FILE */
        const size_t length = strlen(f->stages[s].name);
        stage = strncmp(path, f->stages[s].name, length) == 0 && path[length] == '=' ? s : stage;
    }
    path += stage >= 0 ? strlen(f->stages[stage].name) + 1 : 0;
    enum pare_status status = layers != NULL ? pare_file_open(path, MAX_BYTES, &file, err) : pare_error_nomem(err);
    for (int l = 0; status == PARE_OK && l < f->n_layers; l++) {
        const json_t *its = json_array_get(described, (size_t)l);
        if (stage >= 0 && f->layers[l].stage != stage) {
            continue;
        }
        layers[n++] = (struct pare_import_layer){f->layers[l].name, f->layers[l].short_name, pare_json_get_string(its, "weight", ""),
                                               pare_json_get_string(its, "input", ""), pare_json_get_string(its, "tensor", "")};
    }
    if (status == PARE_OK) {
        status = pare_import_parse((const char *)file.data, file.size, path, layers, n, points, kind, err);
        pare_file_close(&file);
    }
    free(layers);
    return status;
}

/* All configurations are read before the first is taken: a file gives all of its points or none. */
static bool known_levels(const struct pare_front *f, const json_t *points, unsigned char *levels, struct pare_error *err)
{
    for (size_t i = 0; i < json_array_size(points); i++) {
        if (!front_config_levels(f, json_object_get(json_array_get(points, i), "config"), levels, err)) {
            return false;
        }
    }
    return true;
}

enum pare_status front_import(struct pare_front *f, const char *path, struct pare_error *err)
{
    char name[128];
    const char *kind = "";
    json_t *points = NULL, *settings = NULL;
    int run = -1;
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    enum pare_status status = levels != NULL ? parse_file(f, path, &points, &kind, err) : pare_error_nomem(err);
    run_name(path, name, sizeof name);
    if (status == PARE_OK && !known_levels(f, points, levels, err)) {
        status = err != NULL && err->code != PARE_OK ? err->code : PARE_ERR_CONFIG;
    }
    for (int r = 0; status == PARE_OK && r < f->n_runs; r++) {
        run = strcmp(f->runs[r].name, name) == 0 && strcmp(f->runs[r].method, "imported") == 0 ? r : run;
    }
    if (status == PARE_OK && run < 0) {
        settings = json_pack("{s:s, s:s}", "budget", kind, "file", path);
        run = front_add_run(f, name, "imported", settings, err);
        json_decref(settings);
        status = run >= 0 ? PARE_OK : PARE_ERR_IO;
    }
    for (size_t i = 0; status == PARE_OK && i < json_array_size(points); i++) {
        const json_t *point = json_array_get(points, i);
        json_t *facts = json_pack("{s:O, s:s}", "claimed", json_object_get(point, "claimed"), "label", pare_json_get_string(point, "label", ""));
        (void)front_config_levels(f, json_object_get(point, "config"), levels, err);
        status = front_add_point(f, run, levels, facts, err) >= 0 ? PARE_OK : PARE_ERR_IO;
        json_decref(facts);
    }
    if (status == PARE_OK) {
        front_say(f, false, "%s: %zu %s as run %s", kind, json_array_size(points), json_array_size(points) == 1 ? "point" : "points", name);
    }
    json_decref(points);
    free(levels);
    return status;
}
