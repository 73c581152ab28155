#include "search/import.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "quant/level.h"

#define MAX_COLUMNS 8192

struct import {
    const struct pare_import_layer *layers;
    int n_layers;
    const char *where;
    json_t *points;
    struct pare_error *err;
};

static enum pare_status bad(const struct import *m, const char *place, const char *expected, const char *found)
{
    char shown[96], start[41];
    snprintf(start, sizeof start, "%s", found);
    pare_escape(start, strlen(start), shown, sizeof shown);
    return pare_error(m->err, PARE_ERR_FORMAT, m->where, "%s: expected %s, found '%s'", place, expected, shown);
}

/* The layer of such a name; -1 = none, -2 = several (short names of two stages). Tensors that layers share name none. */
static int layer_of(const struct import *m, const char *name)
{
    int found = -1;
    for (int l = 0; l < m->n_layers; l++) {
        if (strcmp(m->layers[l].name, name) == 0) {
            return l;
        }
        if (strcmp(m->layers[l].short_name, name) == 0 || strcmp(m->layers[l].weight, name) == 0 || strcmp(m->layers[l].output, name) == 0) {
            found = found == -1 ? l : -2;
        }
    }
    const char *dot = strrchr(name, '.'); /* "conv1.weight" of a layer conv1 */
    if (found == -1 && dot != NULL && strcmp(dot, ".weight") == 0 && dot - name < 256) {
        char module[256];
        snprintf(module, sizeof module, "%.*s", (int)(dot - name), name);
        return layer_of(m, module);
    }
    return found;
}

static enum pare_status set_level(const struct import *m, json_t *config, int layer, struct pare_level level)
{
    char name[16];
    return json_object_set_new(config, m->layers[layer].name, json_string(pare_level_name(level, name))) == 0 ? PARE_OK
                                                                                                              : pare_error_nomem(m->err);
}

/* W and A bits, 32 or 16 as floats; false when we have no such level. */
static bool level_of_bits(int w, int a, struct pare_level *level)
{
    char text[32];
    snprintf(text, sizeof text, "w%da%d", w, a);
    return pare_level_parse(w >= 32 ? "fp32" : w == 16 ? "fp16" : a > 8 ? (snprintf(text, sizeof text, "w%da32", w), text) : text, level, NULL) ==
           PARE_OK;
}

/* Takes config and claimed. */
static enum pare_status add_point(struct import *m, json_t *config_take, json_t *claimed_take, const char *label)
{
    json_t *point = json_pack("{s:o, s:o, s:s*}", "config", config_take, "claimed", claimed_take, "label", label);
    return point != NULL && json_array_append_new(m->points, point) == 0 ? PARE_OK : pare_error_nomem(m->err);
}

static enum pare_status ambiguous(const struct import *m, const char *place, const char *name)
{
    return bad(m, place, "names of one stage (STAGE=FILE says which)", name);
}

/* ---- CSV ---- */

struct csv {
    const char *at, *end;
    int line;
    char *cell; /* of the file's size */
    bool open;  /* the file ended within a quoted cell */
};

/* The next cell; *last: it ends its line. false at the end of the text. */
static bool next_cell(struct csv *c, bool *last)
{
    size_t n = 0;
    bool quoted = c->at < c->end && *c->at == '"';
    if (c->at >= c->end) {
        return false;
    }
    for (c->at += quoted; c->at < c->end; c->at++) {
        if (quoted && *c->at == '"' && c->at + 1 < c->end && c->at[1] == '"') {
            c->at++;
        } else if (quoted && *c->at == '"') {
            quoted = false;
            continue;
        } else if (!quoted && (*c->at == ',' || *c->at == '\n' || *c->at == '\r')) {
            break;
        }
        c->cell[n++] = *c->at != '\0' ? *c->at : '?';
    }
    c->cell[n] = '\0';
    c->open = quoted;
    *last = c->at >= c->end || *c->at != ',';
    if (*last && c->at < c->end) {
        c->at += *c->at == '\r' && c->at + 1 < c->end && c->at[1] == '\n' ? 2 : 1;
        c->line++;
    } else if (c->at < c->end) {
        c->at++;
    }
    return true;
}

enum { COLUMN_OTHER = -1, COLUMN_LABEL = -2, COLUMN_ACCURACY = -3, COLUMN_DROP = -4, COLUMN_LATENCY = -5, COLUMN_TENSOR = -6, COLUMN_OP = -7 };

static int column_of(const struct import *m, const char *head)
{
    static const struct {
        const char *name;
        int column;
    } known[] = {{"run", COLUMN_LABEL},         {"name", COLUMN_LABEL},          {"label", COLUMN_LABEL},        {"accuracy", COLUMN_ACCURACY},
                 {"drop", COLUMN_DROP},         {"latency_ms", COLUMN_LATENCY},  {"tensor_name", COLUMN_TENSOR}, {"op_name", COLUMN_OP}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(head, known[i].name) == 0) {
            return known[i].column;
        }
    }
    return layer_of(m, head);
}

static enum pare_status read_head(struct import *m, struct csv *c, int *columns, int *n, bool *debugger)
{
    bool last = false, tensor = false, op = false;
    int layers = 0;
    while (!last && next_cell(c, &last)) {
        if (*n == MAX_COLUMNS) {
            return bad(m, "line 1", "at most 8192 columns", "more");
        }
        const int column = column_of(m, c->cell);
        if (column == -2 && strcmp(c->cell, "run") != 0 && strcmp(c->cell, "name") != 0 && strcmp(c->cell, "label") != 0) {
            return bad(m, "line 1", "STAGE/LAYER for a name that several stages have", c->cell);
        }
        tensor = tensor || column == COLUMN_TENSOR;
        op = op || column == COLUMN_OP;
        layers += column >= 0;
        columns[(*n)++] = column;
    }
    *debugger = tensor && op;
    return *debugger || layers > 0 ? PARE_OK : bad(m, "line 1", "columns named as layers, or op_name and tensor_name", "none of them");
}

static enum pare_status claim(const struct import *m, const char *place, json_t *claimed, const char *key, const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    if (text[0] == '\0') {
        return PARE_OK;
    }
    if (*end != '\0' || !isfinite(value)) {
        return bad(m, place, "a number", text);
    }
    return json_object_set_new(claimed, key, json_real(value)) == 0 ? PARE_OK : pare_error_nomem(m->err);
}

static enum pare_status table_row(struct import *m, struct csv *c, const int *columns, int n)
{
    json_t *config = json_object(), *claimed = json_object();
    enum pare_status status = config != NULL && claimed != NULL ? PARE_OK : pare_error_nomem(m->err);
    char label[128] = "", place[64];
    bool last = false;
    const int line = c->line;
    int k = 0;
    while (status == PARE_OK && !last && next_cell(c, &last)) {
        struct pare_level level;
        const int column = k < n ? columns[k] : COLUMN_OTHER;
        snprintf(place, sizeof place, "line %d, column %d", line, ++k);
        if (column == COLUMN_LABEL) {
            snprintf(label, sizeof label, "%s", c->cell);
        } else if (column == COLUMN_ACCURACY || column == COLUMN_DROP || column == COLUMN_LATENCY) {
            status = claim(m, place, claimed, column == COLUMN_ACCURACY ? "accuracy" : column == COLUMN_DROP ? "drop" : "latency_ms", c->cell);
        } else if (column >= 0 && c->cell[0] != '\0') {
            status = pare_level_parse(c->cell, &level, NULL) == PARE_OK ? set_level(m, config, column, level)
                                                                        : bad(m, place, "a level such as int8 or w4a8", c->cell);
        }
    }
    const bool empty = k <= 1 && c->cell[0] == '\0';
    if (status == PARE_OK && c->open) {
        snprintf(place, sizeof place, "line %d", line);
        status = bad(m, place, "a quote that ends", "the end of the file");
    }
    if (status == PARE_OK && k != n && !empty) {
        char found[32];
        snprintf(place, sizeof place, "line %d", line);
        snprintf(found, sizeof found, "%d", k);
        status = bad(m, place, "as many cells as the header has", found);
    }
    if (status != PARE_OK || empty) {
        json_decref(config);
        json_decref(claimed);
        return status;
    }
    char shown[256];
    pare_escape(label, strlen(label), shown, sizeof shown);
    return add_point(m, config, claimed, shown[0] != '\0' ? shown : NULL);
}

static enum pare_status debugger_rows(struct import *m, struct csv *c, const int *columns, int n)
{
    const struct pare_level int8 = {PARE_LEVEL_INT, 8, 8};
    json_t *config = json_object();
    enum pare_status status = config != NULL ? PARE_OK : pare_error_nomem(m->err);
    int k = 0;
    bool last;
    while (status == PARE_OK && next_cell(c, &last)) {
        const int layer = k < n && columns[k] == COLUMN_TENSOR ? layer_of(m, c->cell) : -1;
        k = last ? 0 : k + 1;
        status = layer >= 0 ? set_level(m, config, layer, int8) : layer == -2 ? ambiguous(m, "tensor_name", c->cell) : PARE_OK;
    }
    if (status == PARE_OK && json_object_size(config) == 0) {
        status = bad(m, "tensor_name", "outputs of this pipeline's layers", "none of them");
    }
    if (status != PARE_OK) {
        json_decref(config);
        return status;
    }
    return add_point(m, config, json_object(), "debugger");
}

static enum pare_status read_csv(struct import *m, const char *text, size_t size, const char **kind)
{
    struct csv c = {.at = text, .end = text + size, .line = 1, .cell = malloc(size + 1)};
    int *columns = malloc(MAX_COLUMNS * sizeof *columns), n = 0;
    bool debugger = false;
    enum pare_status status = c.cell != NULL && columns != NULL ? read_head(m, &c, columns, &n, &debugger) : pare_error_nomem(m->err);
    *kind = debugger ? "TFLite debugger" : "table of configurations";
    if (status == PARE_OK && debugger) {
        status = debugger_rows(m, &c, columns, n);
    }
    while (status == PARE_OK && !debugger && c.at < c.end) {
        status = json_array_size(m->points) < PARE_IMPORT_MAX_POINTS ? table_row(m, &c, columns, n)
                                                                     : bad(m, "rows", "at most 1000 configurations", "more");
    }
    free(c.cell);
    free(columns);
    return status;
}

/* ---- AIMET ---- */

/* Bits of an encoding, 32 for a float of them; 0 = it says none. 0.x: a list whose first entry counts. */
static int bits_of(const json_t *encoding)
{
    const json_t *e = json_is_array(encoding) ? json_array_get(encoding, 0) : encoding;
    const int64_t bits = pare_json_get_int(e, "bw", pare_json_get_int(e, "bitwidth", 0));
    const char *type = pare_json_get_string(e, "dtype", "int");
    const bool is_float = strcmp(type, "float") == 0 || strcmp(type, "FLOAT") == 0;
    return bits < 1 || bits > 32 ? 0 : is_float && bits != 16 ? 32 : (int)bits;
}

/* The encoding of a tensor in an object (0.x) or list (1.x) of them; NULL = none. */
static const json_t *encoding_of(const json_t *all, const char *name)
{
    size_t i;
    json_t *item;
    if (json_is_object(all) || name[0] == '\0') {
        return name[0] != '\0' ? json_object_get(all, name) : NULL;
    }
    json_array_foreach((json_t *)(size_t)all, i, item) {
        if (strcmp(pare_json_get_string(item, "name", ""), name) == 0) {
            return item;
        }
    }
    return NULL;
}

/* The most frequent bits of the activations, 8 when there are none. */
static int usual_bits(const json_t *all)
{
    int count[33] = {0}, best = 8;
    size_t i;
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)(size_t)all, key, item) {
        count[bits_of(item)]++;
    }
    json_array_foreach((json_t *)(size_t)all, i, item) {
        count[bits_of(item)]++;
    }
    for (int b = 1; b <= 32; b++) {
        best = count[b] > count[best] ? b : best;
    }
    return best;
}

static enum pare_status take_encoding(struct import *m, const json_t *activations, int usual, const char *name, const json_t *encoding,
                                      json_t *config)
{
    const int layer = layer_of(m, name);
    struct pare_level level;
    if (layer == -2) {
        return ambiguous(m, "/param_encodings", name);
    }
    if (layer < 0) {
        return PARE_OK; /* a bias, or a layer that we have not */
    }
    const int w = bits_of(encoding), own = bits_of(encoding_of(activations, m->layers[layer].input)), a = own > 0 ? own : usual;
    char found[48];
    snprintf(found, sizeof found, "%d and %d bits", w, a);
    return w > 0 && level_of_bits(w, a, &level) ? set_level(m, config, layer, level)
                                                : bad(m, m->layers[layer].name, "weights and activations of 1 to 8, 16 or 32 bits", found);
}

static enum pare_status read_encodings(struct import *m, const json_t *root)
{
    const json_t *params = json_object_get(root, "param_encodings"), *activations = json_object_get(root, "activation_encodings");
    const int usual = usual_bits(activations);
    json_t *config = json_object(), *item;
    enum pare_status status = config != NULL ? PARE_OK : pare_error_nomem(m->err);
    const char *key;
    size_t i;
    if (status == PARE_OK && !json_is_object(params) && !json_is_array(params)) {
        status = bad(m, "/param_encodings", "an object or a list", "something else");
    }
    json_object_foreach((json_t *)(size_t)params, key, item) {
        status = status == PARE_OK ? take_encoding(m, activations, usual, key, item, config) : status;
    }
    json_array_foreach((json_t *)(size_t)params, i, item) {
        status = status == PARE_OK ? take_encoding(m, activations, usual, pare_json_get_string(item, "name", ""), item, config) : status;
    }
    if (status == PARE_OK && json_object_size(config) == 0) {
        status = bad(m, "/param_encodings", "weights of this pipeline's layers", "none of them");
    }
    if (status != PARE_OK) {
        json_decref(config);
        return status;
    }
    return add_point(m, config, json_object(), "encodings");
}

/* [[bits, type] of activations, [bits, type] of weights]. */
static bool read_candidate(const json_t *candidate, struct pare_level *level)
{
    int bits[2];
    for (size_t i = 0; i < 2; i++) {
        const json_t *pair = json_array_get(candidate, i);
        const json_int_t n = json_integer_value(json_array_get(pair, 0));
        const char *type = json_string_value(json_array_get(pair, 1));
        if (n < 1 || n > 32 || type == NULL) {
            return false;
        }
        bits[i] = strcmp(type, "float") == 0 && n != 16 ? 32 : (int)n;
    }
    return level_of_bits(bits[1], bits[0], level);
}

static enum pare_status accuracy_row(struct import *m, const json_t *row, size_t at)
{
    const json_t *group = json_array_get(row, 0);
    const json_t *score = json_array_get(row, 2);
    const size_t n = json_is_array(group) ? json_array_size(group) : 1;
    struct pare_level level;
    char place[48];
    snprintf(place, sizeof place, "row %zu", at + 1);
    if (!read_candidate(json_array_get(row, 1), &level)) {
        return bad(m, place, "a candidate [[bits, type], [bits, type]] of 1 to 8, 16 or 32 bits behind the group", "something else");
    }
    if (!json_is_number(score) || !isfinite(json_number_value(score))) {
        return bad(m, place, "a score behind the candidate", "something else");
    }
    json_t *config = json_object();
    enum pare_status status = config != NULL ? PARE_OK : pare_error_nomem(m->err);
    for (size_t i = 0; status == PARE_OK && i < n; i++) {
        const char *name = json_string_value(json_is_array(group) ? json_array_get(group, i) : group);
        const int layer = name != NULL ? layer_of(m, name) : -1;
        status = name == NULL  ? bad(m, place, "names in the group", "something else")
                 : layer == -2 ? ambiguous(m, place, name)
                 : layer >= 0  ? set_level(m, config, layer, level)
                               : PARE_OK;
    }
    if (status != PARE_OK || json_object_size(config) == 0) { /* quantizers of activations alone change no layer of ours */
        json_decref(config);
        return status;
    }
    char name[16];
    return add_point(m, config, json_pack("{s:f}", "accuracy", json_number_value(score)), pare_level_name(level, name));
}

static enum pare_status read_json(struct import *m, const char *text, size_t size, const char **kind)
{
    json_t *root = NULL, *row;
    size_t i;
    enum pare_status status = pare_json_parse(text, size, m->where, &root, m->err);
    if (status != PARE_OK) {
        return status;
    }
    if (json_object_get(root, "param_encodings") != NULL) {
        *kind = "AIMET encodings";
        status = read_encodings(m, root);
    } else if (json_is_array(root)) {
        *kind = "AIMET accuracy list";
        json_array_foreach(root, i, row) {
            if (status == PARE_OK) {
                status = i < PARE_IMPORT_MAX_POINTS ? accuracy_row(m, row, i) : bad(m, "rows", "at most 1000", "more");
            }
        }
    } else if (json_is_object(json_object_get(root, "config"))) {
        const char *key;
        json_t *value;
        *kind = "configuration";
        json_object_foreach(json_object_get(root, "config"), key, value) {
            if (status == PARE_OK && (layer_of(m, key) < 0 || !json_is_string(value))) {
                status = bad(m, "/config", "layers of this pipeline with their levels", key);
            }
        }
        status = status != PARE_OK ? status : add_point(m, json_incref(json_object_get(root, "config")), json_object(), NULL);
    } else {
        status = bad(m, "/", "param_encodings, a list of rows, or config", "none of them");
    }
    json_decref(root);
    return status;
}

enum pare_status pare_import_parse(const char *text, size_t size, const char *where, const struct pare_import_layer *layers,
                                   int n_layers, json_t **points, const char **kind, struct pare_error *err)
{
    struct import m = {.layers = layers, .n_layers = n_layers, .where = where, .points = json_array(), .err = err};
    size_t skip = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
    *points = NULL;
    *kind = "";
    while (skip < size && strchr(" \t\r\n", text[skip]) != NULL && text[skip] != '\0') {
        skip++;
    }
    enum pare_status status = m.points == NULL ? pare_error_nomem(err)
                              : skip == size  ? bad(&m, "the file", "CSV or JSON", "nothing")
                              : text[skip] == '{' || text[skip] == '[' ? read_json(&m, text + skip, size - skip, kind)
                                                                       : read_csv(&m, text + skip, size - skip, kind);
    if (status == PARE_OK && json_array_size(m.points) == 0) {
        status = bad(&m, "the file", "at least one configuration of this pipeline's layers", "none");
    }
    if (status != PARE_OK) {
        json_decref(m.points);
        return status;
    }
    *points = m.points;
    return PARE_OK;
}
