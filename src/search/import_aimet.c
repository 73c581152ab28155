/* import_aimet.c: encodings and accuracy lists of AIMET, in the shapes that its versions write (search/import.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "search/import_parts.h"

struct bits {
    int n; /* 0 = it says none */
    bool is_float;
};

struct encodings {
    struct import *m;
    json_t *params, *activations; /* objects by name; the same object in 2.0.0's one list */
    bool one_list;
    struct bits usual;            /* of the activations */
};

/* A bit width of 32 is none at all: the tensor stays as it is. */
static bool is_wide(struct bits b)
{
    return b.n == 0 || b.n >= 32;
}

/* Ours: fp32, fp16, w1..8 with activations of 1..8, 16 (w8a16, w16a16) or float; false for other pairs. */
static bool level_of(struct bits w, struct bits a, struct pare_level *level)
{
    char text[32];
    const bool float_a = is_wide(a) || a.is_float;
    if (w.n == 0 || ((w.is_float || is_wide(w)) && !float_a)) {
        return false;
    }
    if (is_wide(w) || w.is_float) {
        snprintf(text, sizeof text, "%s", is_wide(w) ? "fp32" : w.n == 16 ? "fp16" : "?");
    } else if (float_a) {
        snprintf(text, sizeof text, "w%da32", w.n);
    } else {
        snprintf(text, sizeof text, "w%da%d", w.n, a.n);
    }
    return pare_level_parse(text, level, NULL) == PARE_OK;
}

static const char *shown(struct bits b, char text[24])
{
    snprintf(text, 24, b.n == 0 ? "none" : b.is_float ? "float%d" : "int%d", b.n);
    return text;
}

static enum pare_status no_level(const struct import *m, const char *place, struct bits w, struct bits a)
{
    char found[80], text[2][24];
    snprintf(found, sizeof found, "weights %s, activations %s", shown(w, text[0]), shown(a, text[1]));
    return import_bad(m, place, "a level of ours (int 1 to 8 or w8a16, w16a16, float 16 or 32)", found);
}

/* "uint8", "int16", "float16" of 2.0.0; others ("float8e4m3fn") say none that we have. */
static struct bits bits_of_type(const char *type)
{
    const bool is_float = strncmp(type, "float", 5) == 0;
    const char *digits = type + (is_float ? 5 : type[0] == 'u' ? 4 : 3);
    char *end;
    if (!is_float && strncmp(type, "int", 3) != 0 && strncmp(type, "uint", 4) != 0) {
        return (struct bits){0, false};
    }
    const long n = strtol(digits, &end, 10);
    return end == digits || *end != '\0' || n < 1 || n > 32 ? (struct bits){0, false} : (struct bits){(int)n, is_float};
}

/* One encoding; of a list (one for every channel) the first counts. */
static struct bits bits_of(const json_t *encoding)
{
    const json_t *e = json_is_array(encoding) ? json_array_get(encoding, 0) : encoding;
    const char *type = pare_json_get_string(e, "output_dtype", NULL);
    if (type != NULL) {
        return bits_of_type(type);
    }
    /* LPBQ has weights of compressed_bw bits on a grid of bw */
    const int64_t n = pare_json_get_int(e, "compressed_bw", pare_json_get_int(e, "bw", pare_json_get_int(e, "bitwidth", 0)));
    return n < 1 || n > 32 ? (struct bits){0, false}
                           : (struct bits){(int)n, strcasecmp(pare_json_get_string(e, "dtype", "int"), "float") == 0};
}

/* The first "input" or "output" of a module: {"0": encoding, ...} or a list; NULL = the entry is no module's. */
static const json_t *port_of(const json_t *module, const char *port)
{
    const json_t *all = json_object_get(module, port), *first = json_object_get(all, "0");
    return first != NULL || json_is_object(all) ? first : json_array_get(all, 0);
}

/* A new reference: the object itself, or one made of a list of {"name", ...}; NULL for anything else. */
static json_t *by_name(json_t *all)
{
    size_t i;
    json_t *item;
    if (json_is_object(all)) {
        return json_incref(all);
    }
    json_t *object = json_is_array(all) ? json_object() : NULL;
    json_array_foreach(all, i, item) {
        const char *name = pare_json_get_string(item, "name", "");
        if (object != NULL && name[0] != '\0') {
            json_object_set(object, name, item);
        }
    }
    return object;
}

/* The layer of a parameter or module; -1 = none, -2 = layers of several stages have this very name. */
static int find_layer(const struct import *m, const char *name, bool weights_only)
{
    int layer = weights_only ? import_weight_of(m, name) : import_layer_of(m, name);
    if (layer == -1 && (!weights_only || strstr(name, "weight") != NULL || strstr(name, "kernel") != NULL)) {
        layer = import_layer_by_module(m, name);
        layer = layer == -2 ? -1 : layer; /* several may be meant: none is */
    }
    return layer;
}

/* The most frequent bits of what are no weights; none when all of it is float 32, or nothing is listed. */
static struct bits usual_bits(const struct encodings *e)
{
    int count[64] = {0}, best = 0; /* [bits + 32 of floats] */
    const char *key;
    json_t *item;
    json_object_foreach(e->activations, key, item) {
        const struct bits all[3] = {bits_of(item), bits_of(port_of(item, "input")), bits_of(port_of(item, "output"))};
        for (int k = 0; k < 3 && !(e->one_list && find_layer(e->m, key, true) != -1); k++) {
            count[!is_wide(all[k]) ? all[k].n + (all[k].is_float ? 32 : 0) : 0]++;
        }
    }
    for (int b = 1; b < 64; b++) {
        best = count[b] > (best > 0 ? count[best] : 0) ? b : best;
    }
    return (struct bits){best % 32, best >= 32};
}

/* The entry that a layer has as a module: by its weight's name without ".weight", or by its own. */
static const json_t *module_entry(const struct encodings *e, const struct pare_import_layer *layer)
{
    char module[256];
    const size_t n = strlen(layer->weight);
    const bool is_module = n > 7 && n < sizeof module && strcmp(layer->weight + n - 7, ".weight") == 0;
    snprintf(module, sizeof module, "%.*s", is_module ? (int)n - 7 : 0, layer->weight);
    const json_t *found = is_module ? json_object_get(e->activations, module) : NULL;
    found = found != NULL ? found : json_object_get(e->activations, layer->short_name);
    found = found != NULL ? found : json_object_get(e->activations, layer->name);
    const char *key;
    json_t *item;
    json_object_foreach(e->activations, key, item) { /* of a TFLite model */
        if (found == NULL && port_of(item, "input") != NULL && import_same_module(layer, key)) {
            found = item;
        }
    }
    return found;
}

/* What a layer reads: its input tensor's own encoding, its module's first input, the first output of the module that writes
 * that tensor, else what is usual in the file. */
static struct bits activation_bits(const struct encodings *e, int layer)
{
    const struct pare_import_layer *l = &e->m->layers[layer];
    struct bits found = l->input[0] != '\0' ? bits_of(json_object_get(e->activations, l->input)) : (struct bits){0, false};
    if (found.n == 0) {
        found = bits_of(port_of(module_entry(e, l), "input"));
    }
    for (int k = 0; found.n == 0 && l->input[0] != '\0' && k < e->m->n_layers; k++) {
        if (k != layer && strcmp(e->m->layers[k].output, l->input) == 0) {
            found = bits_of(port_of(module_entry(e, &e->m->layers[k]), "output"));
        }
    }
    return found.n > 0 ? found : e->usual;
}

static enum pare_status take_encoding(const struct encodings *e, const char *name, const json_t *encoding, json_t *config)
{
    const int layer = find_layer(e->m, name, e->one_list);
    struct pare_level level;
    if (layer == -2) {
        return import_ambiguous(e->m, "/param_encodings", name);
    }
    if (layer < 0) { /* a bias, or a layer that we have not */
        if (!e->one_list && import_is_weight(name)) {
            json_array_append_new(e->m->unknown, json_string(name));
        }
        return PARE_OK;
    }
    const struct bits w = bits_of(encoding), a = activation_bits(e, layer);
    if (!level_of(w, a, &level)) {
        const json_t *one = json_is_array(encoding) ? json_array_get(encoding, 0) : encoding;
        const char *type = w.n == 0 ? pare_json_get_string(one, "output_dtype", NULL) : NULL;
        return type != NULL ? import_bad(e->m, e->m->layers[layer].name, "int or float bits", type)
                            : no_level(e->m, e->m->layers[layer].name, w, a);
    }
    return import_set_level(e->m, config, layer, level);
}

enum pare_status import_aimet_encodings(struct import *m, const json_t *root)
{
    json_t *params = json_object_get(root, "param_encodings"), *config = json_object(), *item;
    const bool one_list = params == NULL;
    struct encodings e = {.m = m, .one_list = one_list, .params = by_name(one_list ? json_object_get(root, "encodings") : params)};
    e.activations = one_list ? json_incref(e.params) : by_name(json_object_get(root, "activation_encodings"));
    enum pare_status status = config != NULL ? PARE_OK : pare_error_nomem(m->err);
    const char *key;
    if (status == PARE_OK && e.params == NULL) {
        status = import_bad(m, "/param_encodings", "an object or a list", "something else");
    }
    e.usual = usual_bits(&e);
    json_object_foreach(e.params, key, item) {
        status = status == PARE_OK ? take_encoding(&e, key, item, config) : status;
    }
    json_decref(e.params);
    json_decref(e.activations);
    if (status == PARE_OK && json_object_size(config) == 0) {
        status = import_bad(m, one_list ? "/encodings" : "/param_encodings", "weights of this pipeline's layers", "none of them");
    }
    if (status != PARE_OK) {
        json_decref(config);
        return status;
    }
    return import_add_point(m, config, json_object(), "encodings");
}

/* ---- accuracy lists ---- */

static struct bits bits_of_pair(json_int_t n, const char *type, size_t length)
{
    const bool is_float = length == 5 && strncmp(type, "float", 5) == 0;
    return n < 1 || n > 32 || (!is_float && (length != 3 || strncmp(type, "int", 3) != 0)) ? (struct bits){0, false}
                                                                                         : (struct bits){(int)n, is_float};
}

/* Bits of the activations, then of the weights; how many of the two there are, -1 when it is no candidate. Either
 * [[8, "int"], [4, "int"]], or the same as AIMET prints it: "((8, <QuantizationDataType.int: 1>), (4, ...))". */
static int read_candidate(const json_t *candidate, struct bits bits[2])
{
    const char *at = json_string_value(candidate);
    const size_t in_list = json_array_size(candidate);
    int n = 0;
    for (size_t i = 0; at == NULL && i < in_list; i++) {
        const json_t *pair = json_array_get(candidate, i);
        const char *type = json_string_value(json_array_get(pair, 1));
        if (i == 2 || type == NULL) {
            return -1;
        }
        bits[n++] = bits_of_pair(json_integer_value(json_array_get(pair, 0)), type, strlen(type));
    }
    while (at != NULL && (at = strpbrk(at, "0123456789")) != NULL) {
        char *end;
        const long width = strtol(at, &end, 10);
        const char *type = strstr(end, "QuantizationDataType."), *close = strchr(end, ')');
        if (n == 2 || type == NULL || close == NULL || type > close) {
            return -1;
        }
        type += strlen("QuantizationDataType.");
        bits[n++] = bits_of_pair(width, type, strcspn(type, ":>)"));
        at = close;
    }
    for (int k = 0; k < n; k++) {
        n = bits[k].n == 0 ? -1 : n;
    }
    return n == 0 ? -1 : n;
}

/* A member of a group: a name, or [kind, name], where only weights say which layers it means. "" = no layer's. */
static const char *member_name(const json_t *member)
{
    const char *kind = json_string_value(json_array_get(member, 0)), *name = json_string_value(json_array_get(member, 1));
    if (!json_is_array(member)) {
        return json_string_value(member);
    }
    return kind == NULL || name == NULL ? NULL : strcmp(kind, "weight") == 0 || strncmp(kind, "param", 5) == 0 ? name : "";
}

static enum pare_status take_group(struct import *m, const char *place, const json_t *group, struct pare_level level, json_t *config)
{
    enum pare_status status = PARE_OK;
    const size_t n = json_is_array(group) ? json_array_size(group) : 1;
    for (size_t i = 0; status == PARE_OK && i < n; i++) {
        const char *name = member_name(json_is_array(group) ? json_array_get(group, i) : group);
        const int layer = name != NULL && name[0] != '\0' ? find_layer(m, name, false) : -1;
        status = name == NULL  ? import_bad(m, place, "names in the group", "something else")
                 : layer == -2 ? import_ambiguous(m, place, name)
                 : layer >= 0  ? import_set_level(m, config, layer, level)
                               : PARE_OK;
    }
    return status;
}

static enum pare_status accuracy_row(struct import *m, const json_t *row, size_t at)
{
    const json_t *score = json_array_get(row, 2);
    struct pare_level level = {PARE_LEVEL_FP32, 32, 32};
    struct bits bits[2];
    char place[48], name[16];
    const int n = read_candidate(json_array_get(row, 1), bits);
    snprintf(place, sizeof place, "row %zu", at + 1);
    if (n < 0) {
        return import_bad(m, place, "a candidate [[bits, type], [bits, type]] behind the group", "something else");
    }
    if (!json_is_number(score) || !isfinite(json_number_value(score))) {
        return import_bad(m, place, "a score behind the candidate", "something else");
    }
    if (n == 2 && !level_of(bits[1], bits[0], &level)) {
        return no_level(m, place, bits[1], bits[0]);
    }
    json_t *config = json_object();
    enum pare_status status = config != NULL ? take_group(m, place, json_array_get(row, 0), level, config) : pare_error_nomem(m->err);
    if (status != PARE_OK || n < 2 || json_object_size(config) == 0) { /* activations alone change no layer of ours */
        json_decref(config);
        return status;
    }
    return import_add_point(m, config, json_pack("{s:f}", "accuracy", json_number_value(score)), pare_level_name(level, name));
}

enum pare_status import_aimet_accuracy(struct import *m, const json_t *rows)
{
    enum pare_status status = PARE_OK;
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)(size_t)rows, i, row) {
        if (status == PARE_OK) {
            status = i < PARE_IMPORT_MAX_POINTS ? accuracy_row(m, row, i) : import_bad(m, "rows", "at most 1000", "more");
        }
    }
    return status;
}
