/* import.c: which tool wrote a text; names of layers. */
#include "search/import.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "search/import_parts.h"

enum pare_status import_bad(const struct import *m, const char *place, const char *expected, const char *found)
{
    char shown[96], start[41];
    snprintf(start, sizeof start, "%s", found);
    pare_escape(start, strlen(start), shown, sizeof shown);
    return pare_error(m->err, PARE_ERR_FORMAT, m->where, "%s: expected %s, found '%s'", place, expected, shown);
}

enum pare_status import_ambiguous(const struct import *m, const char *place, const char *name)
{
    return import_bad(m, place, "names of one stage (STAGE=FILE says which)", name);
}

/* "conv1" of "conv1.weight"; false for other names. */
static bool module_of(const char *name, char module[256])
{
    const char *dot = strrchr(name, '.');
    const bool is_weight = dot != NULL && strcmp(dot, ".weight") == 0 && dot - name < 256;
    if (is_weight) {
        snprintf(module, 256, "%.*s", (int)(dot - name), name);
    }
    return is_weight;
}

int import_layer_of(const struct import *m, const char *name)
{
    int found = -1;
    char module[256];
    for (int l = 0; l < m->n_layers; l++) {
        if (strcmp(m->layers[l].name, name) == 0) {
            return l;
        }
        if (strcmp(m->layers[l].short_name, name) == 0 || strcmp(m->layers[l].weight, name) == 0 || strcmp(m->layers[l].output, name) == 0) {
            found = found == -1 ? l : -2;
        }
    }
    return found == -1 && module_of(name, module) ? import_layer_of(m, module) : found;
}

int import_weight_of(const struct import *m, const char *name)
{
    int found = -1;
    char module[256];
    for (int l = 0; l < m->n_layers; l++) {
        found = strcmp(m->layers[l].weight, name) != 0 ? found : found == -1 ? l : -2;
    }
    const bool by_module = found == -1 && module_of(name, module);
    for (int l = 0; l < m->n_layers && by_module; l++) {
        found = strcmp(m->layers[l].short_name, module) != 0 ? found : found == -1 ? l : -2;
    }
    return found;
}

enum pare_status import_set_level(const struct import *m, json_t *config, int layer, struct pare_level level)
{
    char name[16];
    return json_object_set_new(config, m->layers[layer].name, json_string(pare_level_name(level, name))) == 0 ? PARE_OK
                                                                                                              : pare_error_nomem(m->err);
}

enum pare_status import_add_point(struct import *m, json_t *config_take, json_t *claimed_take, const char *label)
{
    json_t *point = json_pack("{s:o, s:o, s:s*}", "config", config_take, "claimed", claimed_take, "label", label);
    return point != NULL && json_array_append_new(m->points, point) == 0 ? PARE_OK : pare_error_nomem(m->err);
}

/* Our own: every name has to be known. */
static enum pare_status read_config(struct import *m, json_t *config)
{
    const char *key;
    json_t *value;
    json_object_foreach(config, key, value) {
        if (import_layer_of(m, key) < 0 || !json_is_string(value)) {
            return import_bad(m, "/config", "layers of this pipeline with their levels", key);
        }
    }
    return import_add_point(m, json_incref(config), json_object(), NULL);
}

static enum pare_status read_json(struct import *m, const char *text, size_t size, const char **kind)
{
    json_t *root = NULL;
    enum pare_status status = pare_json_parse(text, size, m->where, &root, m->err);
    if (status != PARE_OK) {
        return status;
    }
    if (json_object_get(root, "param_encodings") != NULL || json_is_array(json_object_get(root, "encodings"))) {
        *kind = "AIMET encodings";
        status = import_aimet_encodings(m, root);
    } else if (json_is_array(root)) {
        *kind = "AIMET accuracy list";
        status = import_aimet_accuracy(m, root);
    } else if (json_is_object(json_object_get(root, "config"))) {
        *kind = "configuration";
        status = read_config(m, json_object_get(root, "config"));
    } else {
        status = import_bad(m, "/", "param_encodings, encodings, a list of rows, or config", "none of them");
    }
    json_decref(root);
    return status;
}

/* Python's pickles are programs: not read. */
static bool is_pickle(const char *text, size_t size, const char *where)
{
    const char *dot = strrchr(where, '.');
    const bool marked = size >= 2 && (unsigned char)text[0] == 0x80 && text[1] >= 2 && text[1] <= 5;
    return marked || (dot != NULL && (strcmp(dot, ".pkl") == 0 || strcmp(dot, ".pickle") == 0));
}

enum pare_status pare_import_parse(const char *text, size_t size, const char *where, const struct pare_import_layer *layers,
                                   int n_layers, json_t **points, const char **kind, struct pare_error *err)
{
    struct import m = {.layers = layers, .n_layers = n_layers, .where = where, .points = json_array(), .unknown = json_array(), .err = err};
    size_t skip = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
    enum pare_status status;
    *points = NULL;
    *kind = "";
    while (skip < size && strchr(" \t\r\n", text[skip]) != NULL && text[skip] != '\0') {
        skip++;
    }
    if (m.points == NULL || m.unknown == NULL) {
        status = pare_error_nomem(err);
    } else if (skip == size) {
        status = import_bad(&m, "the file", "CSV or JSON", "nothing");
    } else if (is_pickle(text, size, where)) {
        status = import_bad(&m, "the file", "CSV or JSON (AIMET writes accuracy_list.json beside accuracy_list.pkl)", "a Python pickle");
    } else if (text[skip] == '{' || text[skip] == '[') {
        status = read_json(&m, text + skip, size - skip, kind);
    } else {
        status = import_csv(&m, text + skip, size - skip, kind);
    }
    if (status == PARE_OK && json_array_size(m.points) == 0) {
        status = import_bad(&m, "the file", "at least one configuration of this pipeline's layers", "none");
    }
    if (status == PARE_OK && json_array_size(m.unknown) > 0) {
        json_object_set(json_array_get(m.points, 0), "unknown", m.unknown);
    }
    json_decref(m.unknown);
    if (status != PARE_OK) {
        json_decref(m.points);
        return status;
    }
    *points = m.points;
    return PARE_OK;
}
