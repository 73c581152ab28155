#include "pipeline/pipeline.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/strbuf.h"
#include "pipeline/ops.h"

#define MAX_MODEL_BYTES ((size_t)2 << 30)

static const struct pare_pipeline_loader *the_loader;

void pare_pipeline_set_loader(const struct pare_pipeline_loader *loader)
{
    the_loader = loader;
}

static const char *const split_names[PARE_SPLIT_COUNT] = {"calibration", "search", "test", "all"};

const char *pare_split_name(enum pare_split s)
{
    return (unsigned)s < PARE_SPLIT_COUNT ? split_names[s] : "?";
}

enum pare_status pare_split_parse(const char *text, enum pare_split *s, struct pare_error *err)
{
    for (int i = 0; i < PARE_SPLIT_COUNT; i++) {
        if (strcmp(text, split_names[i]) == 0) {
            *s = (enum pare_split)i;
            return PARE_OK;
        }
    }
    return pare_error(err, PARE_ERR_USAGE, NULL,
                      "'%s' is no split: expected calibration, search, test or all", text);
}

/* ---- making and finding ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* dir, and a name from the folder of pipeline.lua or from the model's file name. */
static bool set_names(struct pare_pipeline *p, const char *path)
{
    char full[PATH_MAX];
    const char *real = realpath(path, full) != NULL ? full : path;
    const char *slash = strrchr(real, '/');
    const size_t n = slash == NULL ? 0 : (size_t)(slash - real);
    p->path = pare_arena_strdup(&p->arena, path);
    p->dir = slash == NULL ? pare_arena_strdup(&p->arena, ".")
             : n == 0      ? pare_arena_strdup(&p->arena, "/")
                           : pare_arena_strndup(&p->arena, real, n);
    if (p->path == NULL || p->dir == NULL) {
        return false;
    }
    const char *base = last_part(real);
    const char *dot = strrchr(base, '.');
    if (dot != NULL && strcmp(dot, ".lua") == 0) {
        p->name = pare_arena_strdup(&p->arena, last_part(p->dir));
    } else {
        p->name = pare_arena_strndup(
            &p->arena, base, dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base));
    }
    return p->name != NULL;
}

struct pare_pipeline *pare_pipeline_new(const char *path, const char *models_dir)
{
    struct pare_pipeline *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->lua_hash = "";
    p->glue = pare_default_glue;
    if (models_dir != NULL) {
        p->models_dir = pare_arena_strdup(&p->arena, models_dir);
    }
    if (!set_names(p, path) || (models_dir != NULL && p->models_dir == NULL)) {
        pare_pipeline_free(p);
        return NULL;
    }
    return p;
}

/* Place i where a file may lie, NULL behind the last. */
static const char *place(struct pare_pipeline *p, int i)
{
    switch (i) {
    case 0:
        return p->dir;
    case 1:
        return p->models_dir != NULL ? p->models_dir : "";
    case 2: {
        const char *env = getenv("PARE_MODELS");
        return env != NULL ? env : "";
    }
    case 3: {
        const char *at = strstr(p->dir, "/sample_pipelines/");
        return at == NULL ? ""
                          : pare_arena_printf(&p->arena, "%.*s/../shared/models",
                                              (int)(at - p->dir), p->dir);
    }
    default:
        return NULL;
    }
}

const char *pare_pipeline_find(struct pare_pipeline *p, const char *file)
{
    if (file[0] == '/') {
        return pare_is_file(file) || pare_is_dir(file) ? file : NULL;
    }
    const char *dir;
    for (int i = 0; (dir = place(p, i)) != NULL; i++) {
        if (dir[0] == '\0') {
            continue;
        }
        const char *path = pare_arena_printf(&p->arena, "%s/%s", dir, file);
        if (path != NULL && (pare_is_file(path) || pare_is_dir(path))) {
            return path;
        }
    }
    return NULL;
}

static enum pare_status not_found(struct pare_pipeline *p, const char *file, const char *what,
                                  struct pare_error *err)
{
    char places[600] = "";
    const char *dir;
    size_t used = 0;
    for (int i = 0; file[0] != '/' && (dir = place(p, i)) != NULL; i++) {
        bool again = false; /* --models and PARE_MODELS may name one folder */
        for (int k = 0; k < i; k++) {
            again = again || strcmp(dir, place(p, k)) == 0;
        }
        if (dir[0] != '\0' && !again && used + strlen(dir) + 3 < sizeof places) {
            memcpy(places + used, used > 0 ? ", " : "", used > 0 ? 2 : 0);
            used += used > 0 ? 2 : 0;
            memcpy(places + used, dir, strlen(dir) + 1);
            used += strlen(dir);
        }
    }
    return pare_error(err, PARE_ERR_NOINPUT, file,
                      "%s was not found%s%s; give its folder with --models or "
                      "PARE_MODELS",
                      what, used > 0 ? ": looked in " : "", places);
}

/* ---- opening ---- */

static enum pare_status open_bare(const char *path, const char *models_dir,
                                  struct pare_pipeline **out, struct pare_error *err)
{
    struct pare_pipeline *p = pare_pipeline_new(path, models_dir);
    if (p == NULL) {
        return pare_error_nomem(err);
    }
    p->bare = true;
    p->n_stages = 1;
    p->stages[0] = (struct pare_stage){.name = p->name, .path = p->path, .file = p->path};
    *out = p;
    return PARE_OK;
}

enum pare_status pare_pipeline_open(const char *path, const char *models_dir,
                                    struct pare_pipeline **p, struct pare_error *err)
{
    char lua[PATH_MAX];
    *p = NULL;
    if (strlen(path) + sizeof "/pipeline.lua" > sizeof lua) {
        return pare_error(err, PARE_ERR_USAGE, path, "the path is too long");
    }
    strcpy(lua, path);
    if (pare_is_dir(path)) {
        strcat(lua, "/pipeline.lua");
        if (!pare_is_file(lua)) {
            return pare_error(err, PARE_ERR_NOINPUT, path,
                              "there is no pipeline.lua in this folder");
        }
    } else if (!pare_is_file(path)) {
        return pare_error(err, PARE_ERR_NOINPUT, path,
                          access(path, F_OK) == 0 ? "expected a file or a folder, found something else" : "no such file or folder");
    }
    const char *dot = strrchr(lua, '.');
    if (dot == NULL || strcmp(dot, ".lua") != 0) {
        return open_bare(path, models_dir, p, err);
    }
    if (the_loader == NULL) {
        return pare_error(err, PARE_ERR_INTERNAL, lua, "no loader for Lua files is set");
    }
    return the_loader->load(lua, models_dir, p, err);
}

void pare_pipeline_free(struct pare_pipeline *p)
{
    if (p == NULL) {
        return;
    }
    if (p->glue.free != NULL) {
        p->glue.free(p->glue.self);
    }
    for (int i = 0; i < PARE_SPLIT_COUNT; i++) {
        if (p->data[i] != NULL) {
            pare_dataset_free(p->data[i]);
        }
    }
    for (int i = 0; i < p->n_stages; i++) {
        pare_graph_free(p->stages[i].graph);
    }
    pare_arena_clear(&p->arena);
    free(p);
}

static enum pare_status check_sha256(const struct pare_stage *s, struct pare_error *err)
{
    struct pare_file file;
    char hex[65];
    if (s->sha256 == NULL) {
        return PARE_OK;
    }
    const enum pare_status status = pare_file_open(s->path, MAX_MODEL_BYTES, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    pare_sha256_bytes(file.data, file.size, hex);
    pare_file_close(&file);
    if (strcmp(hex, s->sha256) != 0) {
        return pare_error(err, PARE_ERR_FORMAT, s->path, "SHA-256 is %s, the pipeline wants %s",
                          hex, s->sha256);
    }
    return PARE_OK;
}

enum pare_status pare_pipeline_open_models(struct pare_pipeline *p, struct pare_error *err)
{
    for (int i = 0; i < p->n_stages; i++) {
        struct pare_stage *s = &p->stages[i];
        if (s->graph != NULL) {
            continue;
        }
        if (s->path == NULL) {
            return not_found(p, s->file, "the model", err);
        }
        enum pare_status status = check_sha256(s, err);
        if (status == PARE_OK) {
            status = pare_model_open(s->path, &s->graph, err);
        }
        if (status != PARE_OK) {
            s->graph = NULL;
            return status;
        }
    }
    return PARE_OK;
}

enum pare_status pare_pipeline_open_split(struct pare_pipeline *p, enum pare_split split,
                                          struct pare_error *err)
{
    if (p->data[split] != NULL) {
        return PARE_OK;
    }
    if (p->data_as_written[split] == NULL) {
        return pare_error(err, PARE_ERR_CONFIG, p->path, "%s has no data for split '%s'",
                          p->bare ? "a bare model" : "the pipeline", pare_split_name(split));
    }
    if (p->specs[split].path == NULL) {
        return not_found(p, p->data_as_written[split], "the data", err);
    }
    return pare_dataset_open(&p->specs[split], &p->data[split], err);
}

/* ---- samples ---- */

static enum pare_status as_value(int rank, const int64_t *dims, float *data,
                                 struct pare_arena *arena, const struct pare_value **out,
                                 struct pare_error *err)
{
    struct pare_value *v = pare_arena_alloc(arena, sizeof *v);
    if (v == NULL) {
        return pare_error_nomem(err);
    }
    v->rank = rank;
    memcpy(v->dims, dims, (size_t)rank * sizeof *dims);
    v->data = data;
    *out = v;
    return PARE_OK;
}

enum pare_status pare_pipeline_sample(const struct pare_pipeline *p, enum pare_split split, int i,
                                      struct pare_arena *arena, struct pare_sample *sample,
                                      struct pare_error *err)
{
    const struct pare_dataset *d = p->data[split];
    int rank;
    int64_t dims[PARE_MAX_RANK];
    float *data;
    if (d == NULL || i < 0 || i >= pare_dataset_count(d)) {
        return pare_error(err, PARE_ERR_INTERNAL, p->path, "split '%s' has no sample %d",
                          pare_split_name(split), i);
    }
    *sample = (struct pare_sample){.index = i, .label = pare_dataset_label(d, i)};
    enum pare_status status = pare_dataset_image(d, i, arena, &rank, dims, &data, err);
    if (status == PARE_OK) {
        status = as_value(rank, dims, data, arena, &sample->image, err);
    }
    if (status == PARE_OK) {
        status = pare_dataset_target(d, i, arena, &rank, dims, &data, err);
    }
    if (status == PARE_OK && data != NULL) {
        status = as_value(rank, dims, data, arena, &sample->target, err);
    }
    return status;
}

/* ---- the glue of a bare model ---- */

bool pare_output_is_softmax(const struct pare_graph *g, int i)
{
    int t = g != NULL && i < g->n_outputs ? g->outputs[i] : -1;
    for (int steps = 0; t >= 0 && steps < 8; steps++) {
        const int node = g->tensors[t].producer;
        if (node < 0) {
            return false;
        }
        switch (g->nodes[node].op) {
        case PARE_OP_SOFTMAX:
            return true;
        case PARE_OP_RESHAPE:
        case PARE_OP_SQUEEZE:
        case PARE_OP_FLATTEN:
        case PARE_OP_IDENTITY:
        case PARE_OP_DEQUANTIZE:
            t = g->nodes[node].n_in > 0 ? g->nodes[node].in[0] : -1;
            break;
        default:
            return false;
        }
    }
    return false;
}

static enum pare_status default_infer(void *self, const struct pare_pipeline *p,
                                      const struct pare_sample *sample,
                                      const struct pare_runner *runner, struct pare_arena *arena,
                                      struct pare_outcome *outcome, struct pare_error *err)
{
    struct pare_value *out[PARE_MAX_OUTPUTS];
    int n_out = 0;
    (void)self;
    const enum pare_status status =
        runner->call(runner->self, 0, &sample->image, 1, arena, out, &n_out, err);
    if (status != PARE_OK) {
        return status;
    }
    *outcome = (struct pare_outcome){.kind = PARE_OUTCOME_NONE, .prediction = -1};
    if (n_out > 0) {
        outcome->kind = PARE_OUTCOME_CLASS;
        outcome->prediction = pare_op_argmax(out[0]);
        outcome->n_scores = (int)pare_value_elements(out[0]);
        outcome->scores = out[0]->data;
        outcome->scores_are_probabilities = pare_output_is_softmax(p->stages[0].graph, 0);
    }
    return PARE_OK;
}

const struct pare_glue pare_default_glue = {.infer = default_infer};
