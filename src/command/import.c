/*
 * import.c: configurations of other tools as runs of points (search/import.h). A run is a file as it was: the same path with
 * the same bytes is the same run; a file that has changed is a new run, NAME.v2, and the one before stays as it was read.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/strbuf.h"
#include "command/front.h"
#include "search/import.h"

#define MAX_BYTES ((size_t)64 << 20)
#define READER "3 " /* raised when the same bytes mean other points */

struct source {
    const char *given;   /* as it was said, without the stage */
    char path[PATH_MAX]; /* absolute */
    int stage;           /* its names are this one's; -1 = of all */
    char hash[33];
};

/* STAGE=FILE or FILE. */
static void source_of(const struct pare_front *f, const char *text, struct source *s)
{
    *s = (struct source){.given = text, .stage = -1};
    for (int i = 0; i < f->n_stages; i++) {
        const size_t length = strlen(f->stages[i].name);
        if (strncmp(text, f->stages[i].name, length) == 0 && text[length] == '=') {
            s->stage = i;
            s->given = text + length + 1;
        }
    }
    if (realpath(s->given, s->path) == NULL) {
        snprintf(s->path, sizeof s->path, "%s", s->given); /* whoever opens it says why not */
    }
}

static const char *stage_name(const struct pare_front *f, const struct source *s)
{
    return s->stage >= 0 ? f->stages[s->stage].name : "";
}

/* The newest run of this file, or of it with these bytes; -1 = none. */
static int newest_run(const struct pare_front *f, const struct source *s, const char *hash)
{
    int found = -1;
    for (int r = 0; r < f->n_runs; r++) {
        const json_t *settings = f->runs[r].settings;
        const bool same_file = strcmp(f->runs[r].method, "imported") == 0 && strcmp(pare_json_get_string(settings, "file", ""), s->path) == 0 &&
                               strcmp(pare_json_get_string(settings, "stage", ""), stage_name(f, s)) == 0;
        found = same_file && (hash == NULL || strcmp(pare_json_get_string(settings, "hash", ""), hash) == 0) ? r : found;
    }
    return found;
}

int pare_front_imported(const struct pare_front *f)
{
    return f->imported - 1;
}

static bool is_taken(const struct pare_front *f, const char *name)
{
    for (int r = 0; r < f->n_runs; r++) {
        if (strcmp(f->runs[r].name, name) == 0) {
            return true;
        }
    }
    return front_find_point(f, name) >= 0; /* "int8" */
}

/* The file's name without its folder and ending, with its stage; -2, -3 where another file has it; .v2 behind. */
static void name_run(const struct pare_front *f, const struct source *s, int before, int version, char *name, size_t size)
{
    const char *slash = strrchr(s->path, '/'), *base = slash != NULL ? slash + 1 : s->path, *dot = strrchr(base, '.');
    char text[80], stem[160], escaped[100];
    snprintf(text, sizeof text, "%.*s", dot != NULL && dot > base ? (int)(dot - base) : (int)strlen(base), base);
    pare_escape(text, strlen(text), escaped, sizeof escaped);
    for (char *p = escaped; *p != '\0'; p++) {
        *p = strchr(": '\"", *p) != NULL ? '-' : *p; /* RUN:POINT, and words of a command */
    }
    const bool says_stage = s->stage < 0 || strcmp(escaped, stage_name(f, s)) == 0;
    snprintf(stem, sizeof stem, "%s%s%.30s", escaped, says_stage ? "" : ".", says_stage ? "" : stage_name(f, s));
    if (before >= 0) {
        snprintf(stem, sizeof stem, "%s", pare_json_get_string(f->runs[before].settings, "base", f->runs[before].name));
    }
    snprintf(name, size, version > 1 ? "%s.v%d" : "%s", stem, version);
    for (int k = 2; is_taken(f, name); k++) {
        snprintf(name, size, version > 1 ? "%s-%d.v%d" : "%s-%d", stem, k, version);
    }
}

static enum pare_status parse_file(const struct pare_front *f, struct source *s, json_t **points, const char **kind, struct pare_error *err)
{
    const json_t *described = json_object_get(f->description, "layers");
    struct pare_import_layer *layers = calloc((size_t)f->n_layers + 1, sizeof *layers);
    struct pare_file file = {0};
    int n = 0;
    enum pare_status status = layers != NULL ? pare_file_open(s->given, MAX_BYTES, &file, err) : pare_error_nomem(err);
    for (int l = 0; status == PARE_OK && l < f->n_layers; l++) {
        const json_t *its = json_array_get(described, (size_t)l);
        if (s->stage >= 0 && f->layers[l].stage != s->stage) {
            continue;
        }
        layers[n++] = (struct pare_import_layer){f->layers[l].name, f->layers[l].short_name, pare_json_get_string(its, "weight", ""),
                                               pare_json_get_string(its, "input", ""), pare_json_get_string(its, "tensor", "")};
    }
    if (status == PARE_OK) {
        struct pare_hash h;
        status = pare_hash_init(&h);
        if (status == PARE_OK) {
            pare_hash_add_string(&h, READER);
            pare_hash_add(&h, file.data, file.size);
            pare_hash_final(&h, s->hash);
            status = pare_import_parse((const char *)file.data, file.size, s->given, layers, n, points, kind, err);
        }
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

/* The run of this file as it is now, a new one when there is none. -1 = the session cannot be written. */
static int run_for(struct pare_front *f, const struct source *s, const char *kind, int before, struct pare_error *err)
{
    const json_t *settings = before >= 0 ? f->runs[before].settings : NULL;
    const int same = newest_run(f, s, s->hash);
    if (same >= 0) {
        return same;
    }
    char name[200];
    const int version = before >= 0 ? (int)pare_json_get_int(settings, "version", 1) + 1 : 1;
    name_run(f, s, before, version, name, sizeof name);
    const char *base = before >= 0 ? pare_json_get_string(settings, "base", f->runs[before].name) : name;
    json_t *own = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "budget", kind, "file", s->path, "stage", stage_name(f, s), "hash", s->hash,
                            "version", version, "base", base);
    const int run = own != NULL ? front_add_run(f, name, "imported", own, err) : -1;
    json_decref(own);
    return run;
}

static enum pare_status add_points(struct pare_front *f, int run, const json_t *points, unsigned char *levels, struct pare_error *err)
{
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *point = json_array_get(points, i);
        json_t *facts = json_pack("{s:O, s:s}", "claimed", json_object_get(point, "claimed"), "label", pare_json_get_string(point, "label", ""));
        (void)front_config_levels(f, json_object_get(point, "config"), levels, err);
        const int added = front_add_point(f, run, levels, facts, err);
        json_decref(facts);
        if (added < 0) {
            return PARE_ERR_IO;
        }
    }
    return PARE_OK;
}

/* " (3 names of its weights are no layer's here: a, b, c)", or nothing. */
static void say_unknown(const json_t *points, char *text, size_t size)
{
    const json_t *names = json_object_get(json_array_get(points, 0), "unknown");
    const size_t n = json_array_size(names);
    size_t used = 0;
    text[0] = '\0';
    if (n > 0) {
        used = (size_t)snprintf(text, size, "; %zu %s no layer's here and %s left out:", n, n == 1 ? "name is" : "names are", n == 1 ? "is" : "are");
    }
    for (size_t i = 0; i < n && i < 5 && used < size; i++) {
        char shown[64];
        const char *name = json_string_value(json_array_get(names, i));
        pare_escape(name, strlen(name) < 40 ? strlen(name) : 40, shown, sizeof shown);
        used += (size_t)snprintf(text + used, size - used, "%s %s", i > 0 ? "," : "", shown);
    }
    if (n > 5 && used < size) {
        snprintf(text + used, size - used, ", ...");
    }
}

static void say_imported(struct pare_front *f, const struct source *s, const char *kind, int before, int run, const json_t *points)
{
    const size_t read = json_array_size(points);
    char unknown[400];
    char same[96] = "";
    size_t n = 0;
    for (int i = 0; i < f->n_points; i++) {
        n += f->points[i].run == run;
    }
    if (n < read) {
        snprintf(same, sizeof same, " (%zu of %zu rows say the same)", read - n, read);
    }
    say_unknown(points, unknown, sizeof unknown);
    if (run <= before) {
        front_say(f, false, run == before ? "%s has not changed: run %s" : "%s is again as it was for run %s", s->given, f->runs[run].name);
    } else if (before >= 0) {
        front_say(f, false, "%s has changed since run %s, which stays as it was: %zu %s%s as run %s%s", s->given, f->runs[before].name, n,
                  n == 1 ? "point" : "points", same, f->runs[run].name, unknown);
    } else {
        front_say(f, false, "%s: %zu %s%s as run %s%s", kind, n, n == 1 ? "point" : "points", same, f->runs[run].name, unknown);
    }
}

enum pare_status front_import(struct pare_front *f, const char *text, struct pare_error *err)
{
    const char *kind = "";
    struct source s;
    json_t *points = NULL;
    int run = -1, before = -1;
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    source_of(f, text, &s);
    enum pare_status status = levels != NULL ? parse_file(f, &s, &points, &kind, err) : pare_error_nomem(err);
    if (status == PARE_OK && !known_levels(f, points, levels, err)) {
        status = err != NULL && err->code != PARE_OK ? err->code : PARE_ERR_CONFIG;
    }
    if (status == PARE_OK) {
        before = newest_run(f, &s, NULL);
        run = run_for(f, &s, kind, before, err);
        status = run >= 0 ? add_points(f, run, points, levels, err) : PARE_ERR_IO;
    }
    if (status == PARE_OK) {
        f->imported = run + 1;
        say_imported(f, &s, kind, before, run, points);
    }
    json_decref(points);
    free(levels);
    return status;
}
