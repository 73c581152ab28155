#include "work/work.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

static pare_worker_run script_run;

void pare_work_set_script(pare_worker_run run)
{
    script_run = run;
}

static enum pare_status run_script(struct pare_worker *w, const json_t *params, json_t **result,
                                   struct pare_error *err)
{
    return script_run != NULL ? script_run(w, params, result, err)
                              : pare_error(err, PARE_ERR_FAIL, "script", "this build runs no scripts");
}

const struct pare_worker_kind pare_work_kinds[] = {
    {"describe", pare_work_describe}, {"calibrate", pare_work_calibrate}, {"sense", pare_work_sense}, {"explain", pare_work_explain},
    {"accuracy", pare_work_accuracy}, {"profile", pare_work_profile},     {"latency", pare_work_latency},
    {"stopwatch", pare_work_stopwatch}, {"solve", pare_work_solve}, {"step", pare_work_step}, {"metric", pare_work_metric},
    {"perturb", pare_work_perturb},
    {"script", run_script},
};
const int pare_work_kind_count = (int)(sizeof pare_work_kinds / sizeof pare_work_kinds[0]);

/* What stays open between jobs. */
struct cache {
    char *path, *models, *content, *calibration, *method;
    struct pare_engine *engine;
    int n_references[PARE_SPLIT_COUNT];
    struct pare_work_reference *references[PARE_SPLIT_COUNT];
};

static void free_cache(void *memory)
{
    struct cache *c = memory;
    for (int s = 0; s < PARE_SPLIT_COUNT; s++) {
        for (int i = 0; i < c->n_references[s]; i++) {
            free(c->references[s][i].scores);
            json_decref(c->references[s][i].item);
            json_decref(c->references[s][i].extra);
        }
        free(c->references[s]);
    }
    pare_engine_free(c->engine);
    free(c->path);
    free(c->models);
    free(c->content);
    free(c->calibration);
    free(c->method);
    free(c);
}

static bool same(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static enum pare_status open_engine(const char *path, const char *models, const char *content,
                                    struct cache **out, struct pare_error *err)
{
    struct cache *c = calloc(1, sizeof *c);
    struct pare_pipeline *p = NULL;
    if (c == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_pipeline_open(path, models, &p, err);
    if (status == PARE_OK) {
        status = pare_pipeline_open_models(p, err);
    }
    if (status != PARE_OK) {
        pare_pipeline_free(p);
    } else {
        status = pare_engine_new(p, pk_isa_best(), &c->engine, err);
    }
    if (status == PARE_OK) {
        c->path = strdup(path);
        c->models = strdup(models != NULL ? models : "");
        c->content = strdup(content != NULL ? content : "");
        if (c->path == NULL || c->models == NULL || c->content == NULL) {
            status = pare_error_nomem(err);
        }
    }
    if (status != PARE_OK) {
        free_cache(c);
        return status;
    }
    *out = c;
    return PARE_OK;
}

static enum pare_status use_calibration(struct pare_worker *w, struct cache *c, const json_t *params,
                                        struct pare_error *err)
{
    const char *key = pare_json_get_string(params, "calibration", NULL);
    if (key == NULL || same(key, c->calibration)) {
        return PARE_OK;
    }
    const json_t *row = pare_worker_row(w, key);
    struct pare_pipeline *p = pare_engine_pipeline(c->engine);
    free(c->calibration);
    c->calibration = NULL; /* half set is not set */
    for (int s = 0; s < p->n_stages; s++) {
        const json_t *stage = json_object_get(json_object_get(row, "stages"), p->stages[s].name);
        if (stage == NULL) {
            return pare_error(err, PARE_ERR_INTERNAL, p->stages[s].name, "the calibration row is missing");
        }
        enum pare_status status = pare_engine_set_calibration(c->engine, s, stage, err);
        if (status != PARE_OK) {
            return status;
        }
    }
    c->calibration = strdup(key);
    return PARE_OK;
}

/* The pipeline's own method, then the job's. */
static enum pare_status use_method(struct cache *c, const json_t *params, struct pare_error *err)
{
    const char *own = pare_engine_pipeline(c->engine)->quantize;
    const char *asked = pare_json_get_string(params, "quantize", "");
    struct pare_strbuf text;
    pare_strbuf_init(&text);
    pare_strbuf_printf(&text, "%s%s%s", own != NULL ? own : "", own != NULL && asked[0] != '\0' ? "; " : "", asked);
    if (text.failed || text.text == NULL) {
        pare_strbuf_clear(&text);
        return pare_error_nomem(err);
    }
    char *before = c->method;
    enum pare_status status = pare_engine_set_method(c->engine, text.text, err);
    if (status == PARE_OK && !same(before, text.text)) {
        c->method = strdup(text.text);
        free(before);
        free(c->calibration); /* it was of another method */
        c->calibration = NULL;
    }
    pare_strbuf_clear(&text);
    return status;
}

enum pare_status pare_work_engine(struct pare_worker *w, const json_t *params, struct pare_engine **e,
                                  struct pare_error *err)
{
    const char *path = pare_json_get_string(params, "pipeline", "");
    const char *models = pare_json_get_string(params, "models", NULL);
    const char *content = pare_json_get_string(params, "content", NULL);
    struct cache *c = pare_worker_cache(w);
    *e = NULL;
    if (c == NULL || !same(c->path, path) || !same(c->models, models) || !same(c->content, content)) {
        enum pare_status status = open_engine(path, models, content, &c, err);
        if (status != PARE_OK) {
            return status;
        }
        pare_worker_set_cache(w, c, free_cache);
    }
    *e = c->engine;
    pare_engine_on_step(*e, w, pare_work_progress);
    enum pare_status status = use_method(c, params, err);
    if (status == PARE_OK) {
        status = use_calibration(w, c, params, err);
    }
    return status == PARE_OK && pare_json_get_string(params, "calibration", NULL) != NULL ? pare_engine_prepare(c->engine, err)
                                                                                          : status;
}

enum pare_status pare_work_split(const json_t *params, enum pare_split *split, struct pare_error *err)
{
    return pare_split_parse(pare_json_get_string(params, "split", "search"), split, err);
}

void pare_work_progress(void *worker, int done, int total)
{
    pare_worker_progress(worker, done, total);
}

static enum pare_status extra_item(const struct pare_pipeline *p, const struct pare_extra_metric *extra,
                                   const struct pare_sample *sample, const struct pare_outcome *outcome, json_t **item,
                                   struct pare_error *err)
{
    if (extra->stage < 0) {
        return pare_metric_item(&extra->scoring, sample, outcome, p->path, item, err);
    }
    const struct pare_report *r = sample->reports != NULL ? &sample->reports[extra->stage] : NULL;
    struct pare_sample own = *sample;
    if (r == NULL || !r->given) {
        *item = json_null(); /* the stage was not reached */
        return PARE_OK;
    }
    own.label = r->label >= 0 ? r->label : sample->label;
    own.target = r->target != NULL ? r->target : sample->target;
    return pare_metric_item(&extra->scoring, &own, &r->outcome, extra->name, item, err);
}

enum pare_status pare_work_items(const struct pare_pipeline *p, const struct pare_sample *sample,
                                 const struct pare_outcome *outcome, json_t **item, json_t **extra,
                                 struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    *item = *extra = NULL;
    if (p->bare) {
        return PARE_OK;
    }
    if (p->scoring.kind != PARE_METRIC_TOP1) {
        status = pare_metric_item(&p->scoring, sample, outcome, p->path, item, err);
    }
    for (int i = 0; status == PARE_OK && i < p->n_extra; i++) {
        json_t *one = NULL;
        *extra = *extra != NULL ? *extra : json_object();
        status = extra_item(p, &p->extra[i], sample, outcome, &one, err);
        if (status == PARE_OK && json_object_set_new(*extra, p->extra[i].name, one) != 0) {
            status = pare_error_nomem(err);
        }
    }
    if (status != PARE_OK) {
        json_decref(*item);
        json_decref(*extra);
        *item = *extra = NULL;
    }
    return status;
}

enum pare_status pare_work_reference(struct pare_worker *w, enum pare_split split, const struct pare_sample *sample,
                                     const struct pare_work_reference **reference, struct pare_error *err)
{
    struct cache *c = pare_worker_cache(w);
    int n = pare_engine_sample_count(c->engine, split), n_layers = pare_engine_layer_count(c->engine);
    int at = pare_engine_pipeline(c->engine)->bare ? sample->index % 1000003 : sample->index;
    if (c->n_references[split] < n) {
        struct pare_work_reference *references = calloc((size_t)n, sizeof *references);
        if (references == NULL) {
            return pare_error_nomem(err);
        }
        free(c->references[split]);
        c->references[split] = references;
        c->n_references[split] = n;
    }
    if (at < 0 || at >= n) {
        return pare_error(err, PARE_ERR_INTERNAL, "accuracy", "sample %d of %d", at, n);
    }
    struct pare_work_reference *r = &c->references[split][at];
    *reference = r;
    if (r->known) {
        return PARE_OK;
    }
    struct pare_report reports[PARE_MAX_STAGES] = {0};
    struct pare_sample own = *sample; /* the caller's reports are of another config */
    own.reports = reports;
    struct pare_level *fp32 = calloc((size_t)n_layers + 1, sizeof *fp32);
    struct pare_arena arena = {0};
    for (int i = 0; fp32 != NULL && i < n_layers; i++) {
        fp32[i] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    enum pare_status status = fp32 == NULL ? pare_error_nomem(err)
                                           : pare_engine_infer(c->engine, fp32, &own, &arena, &r->outcome, err);
    if (status == PARE_OK) {
        status = pare_work_items(pare_engine_pipeline(c->engine), &own, &r->outcome, &r->item, &r->extra, err);
        r->outcome.n_answer = 0; /* it lives in the sample's memory */
        r->outcome.answer = NULL;
    }
    if (status == PARE_OK) {
        r->scores = calloc((size_t)r->outcome.n_scores + 1, sizeof *r->scores);
        if (r->scores == NULL) {
            status = pare_error_nomem(err);
        } else {
            for (int i = 0; i < r->outcome.n_scores; i++) {
                r->scores[i] = r->outcome.scores[i];
            }
            r->outcome.scores = r->scores;
            r->known = true;
        }
    }
    free(fp32);
    pare_arena_clear(&arena);
    return status;
}
