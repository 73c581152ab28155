/* import_parts.h: inside search/: what the readers of other tools' files share. */
#ifndef PARE_IMPORT_PARTS_H
#define PARE_IMPORT_PARTS_H

#include "quant/level.h"
#include "search/import.h"

struct import {
    const struct pare_import_layer *layers;
    int n_layers;
    const char *where;
    json_t *points;
    json_t *unknown; /* names of weights that are no layer's */
    struct pare_error *err;
};

/* Fills m->err with ERR_FORMAT: the place, what was expected there, what was found (cut and escaped). */
enum pare_status import_bad(const struct import *m, const char *place, const char *expected, const char *found);
/* A name that layers of several stages have. */
enum pare_status import_ambiguous(const struct import *m, const char *place, const char *name);
/* The layer of such a name, or of such a weight tensor only; -1 = none, -2 = several (short names of two stages). */
int import_layer_of(const struct import *m, const char *name);
int import_weight_of(const struct import *m, const char *name);
enum pare_status import_set_level(const struct import *m, json_t *config, int layer, struct pare_level level);
/* Takes config and claimed; label may be NULL. */
enum pare_status import_add_point(struct import *m, json_t *config_take, json_t *claimed_take, const char *label);

/* import_path.c: layers of a TFLite model, whose weights are named by a converter, by the module that another tool names.
 * -1 = none, -2 = several. */
int import_layer_by_module(const struct import *m, const char *name);
bool import_same_module(const struct pare_import_layer *layer, const char *name);
/* May it be a weight, or its module? A bias or a statistic of a normalisation is not. */
bool import_is_weight(const char *name);

/* import_csv.c: a table of configurations, or TFLite's debugger. */
enum pare_status import_csv(struct import *m, const char *text, size_t size, const char **kind);
/* import_aimet.c */
enum pare_status import_aimet_encodings(struct import *m, const json_t *root);
enum pare_status import_aimet_accuracy(struct import *m, const json_t *rows);

#endif
