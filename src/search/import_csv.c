/* import_csv.c: tables of configurations, and the table of TFLite's quantization debugger. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "search/import_parts.h"

#define MAX_COLUMNS 8192

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
    return import_layer_of(m, head);
}

static enum pare_status read_head(struct import *m, struct csv *c, int *columns, int *n, bool *debugger)
{
    bool last = false, tensor = false, op = false;
    int layers = 0;
    while (!last && next_cell(c, &last)) {
        if (*n == MAX_COLUMNS) {
            return import_bad(m, "line 1", "at most 8192 columns", "more");
        }
        const int column = column_of(m, c->cell);
        if (column == -2 && strcmp(c->cell, "run") != 0 && strcmp(c->cell, "name") != 0 && strcmp(c->cell, "label") != 0) {
            return import_bad(m, "line 1", "STAGE/LAYER for a name that several stages have", c->cell);
        }
        tensor = tensor || column == COLUMN_TENSOR;
        op = op || column == COLUMN_OP;
        layers += column >= 0;
        columns[(*n)++] = column;
    }
    *debugger = tensor && op;
    return *debugger || layers > 0 ? PARE_OK : import_bad(m, "line 1", "columns named as layers, or op_name and tensor_name", "none of them");
}

static enum pare_status claim(const struct import *m, const char *place, json_t *claimed, const char *key, const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    if (text[0] == '\0') {
        return PARE_OK;
    }
    if (*end != '\0' || !isfinite(value)) {
        return import_bad(m, place, "a number", text);
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
            status = pare_level_parse(c->cell, &level, NULL) == PARE_OK ? import_set_level(m, config, column, level)
                                                                        : import_bad(m, place, "a level such as int8 or w4a8", c->cell);
        }
    }
    const bool empty = k <= 1 && c->cell[0] == '\0';
    if (status == PARE_OK && c->open) {
        snprintf(place, sizeof place, "line %d", line);
        status = import_bad(m, place, "a quote that ends", "the end of the file");
    }
    if (status == PARE_OK && k != n && !empty) {
        char found[32];
        snprintf(place, sizeof place, "line %d", line);
        snprintf(found, sizeof found, "%d", k);
        status = import_bad(m, place, "as many cells as the header has", found);
    }
    if (status != PARE_OK || empty) {
        json_decref(config);
        json_decref(claimed);
        return status;
    }
    char shown[256];
    pare_escape(label, strlen(label), shown, sizeof shown);
    return import_add_point(m, config, claimed, shown[0] != '\0' ? shown : NULL);
}

static enum pare_status debugger_rows(struct import *m, struct csv *c, const int *columns, int n)
{
    const struct pare_level int8 = {PARE_LEVEL_INT, 8, 8};
    json_t *config = json_object();
    enum pare_status status = config != NULL ? PARE_OK : pare_error_nomem(m->err);
    int k = 0;
    bool last;
    while (status == PARE_OK && next_cell(c, &last)) {
        const int layer = k < n && columns[k] == COLUMN_TENSOR ? import_layer_of(m, c->cell) : -1;
        k = last ? 0 : k + 1;
        status = layer >= 0 ? import_set_level(m, config, layer, int8) : layer == -2 ? import_ambiguous(m, "tensor_name", c->cell) : PARE_OK;
    }
    if (status == PARE_OK && json_object_size(config) == 0) {
        status = import_bad(m, "tensor_name", "outputs of this pipeline's layers", "none of them");
    }
    if (status != PARE_OK) {
        json_decref(config);
        return status;
    }
    return import_add_point(m, config, json_object(), "debugger");
}

enum pare_status import_csv(struct import *m, const char *text, size_t size, const char **kind)
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
                                                                     : import_bad(m, "rows", "at most 1000 configurations", "more");
    }
    free(c.cell);
    free(columns);
    return status;
}
