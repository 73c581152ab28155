/*
 * engine_calibrate.c: what the networks do on samples at fp32: ranges of all tensors, and rows of layers' inputs for
 * methods that want them.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/engine_parts.h"

struct observe_context {
    struct pare_engine *e;
    const struct pare_level *levels;
    struct pare_calibration *c; /* by stage; NULL: the method takes its rows instead */
    int pass;
};

static enum pare_status observe_stage(void *self, int stage, const struct pare_value *const *in, int n_in,
                                      struct pare_arena *arena, struct pare_value **out, int *n_out,
                                      struct pare_error *err)
{
    struct observe_context *context = self;
    struct pare_plan *plan;
    enum pare_status status = pare_engine_plan(context->e, stage, context->levels, true, &plan, err);
    if (status == PARE_OK) {
        status = pare_engine_feed(context->e, stage, plan, in, n_in, arena, err);
    }
    if (status == PARE_OK) {
        status = pare_plan_run(plan, err);
    }
    if (status == PARE_OK && context->c == NULL) {
        status = engine_sequence_record(context->e, stage, in, n_in, err);
    }
    if (status == PARE_OK) {
        status = context->c != NULL ? pare_plan_observe(plan, &context->c[stage], context->pass, err)
                                    : engine_method_take_rows(context->e->method, stage, plan, err);
    }
    return status == PARE_OK ? pare_engine_fetch(context->e, stage, plan, arena, out, n_out, err) : status;
}

/* One sample through `runner`: of the split, or (synthetic) every stage on inputs of its own. */
static enum pare_status run_one(struct pare_engine *e, const struct pare_runner *runner, enum pare_split split, int i,
                                struct pare_arena *arena, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    struct pare_sample sample;
    struct pare_outcome outcome;
    if (e->method != NULL && engine_method_synthetic(e->method)) {
        for (int s = 0; status == PARE_OK && s < e->p->n_stages; s++) {
            struct pare_value *out[PARE_MAX_OUTPUTS];
            int n_out = 0;
            status = engine_synthetic_call(e, s, true, runner, i, arena, out, &n_out, err);
        }
        return status;
    }
    status = pare_engine_sample(e, split, i, arena, &sample, err);
    return status == PARE_OK ? pare_engine_infer_with(e, runner, &sample, arena, &outcome, err) : status;
}

static int run_count(struct pare_engine *e, enum pare_split split)
{
    return e->method != NULL && engine_method_synthetic(e->method) ? 16 : pare_engine_sample_count(e, split);
}

bool pare_engine_synthetic(const struct pare_engine *e)
{
    return e->method != NULL && engine_method_synthetic(e->method);
}

enum pare_status pare_engine_prepare(struct pare_engine *e, struct pare_error *err)
{
    if (e->method == NULL || !engine_method_wants_rows(e->method)) {
        return PARE_OK;
    }
    const bool synthetic = engine_method_synthetic(e->method);
    enum pare_status status = e->p->bare || synthetic ? PARE_OK
                                                      : pare_pipeline_open_split(e->p, PARE_SPLIT_CALIBRATION, err);
    struct pare_level *fp32 = calloc((size_t)e->n_layers + 1, sizeof *fp32);
    struct pare_arena arena = {0};
    if (status == PARE_OK && fp32 == NULL) {
        status = pare_error_nomem(err);
    }
    for (int i = 0; fp32 != NULL && i < e->n_layers; i++) {
        fp32[i] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    struct observe_context context = {e, fp32, NULL, 0};
    struct pare_runner runner = {&context, observe_stage};
    const int n = status == PARE_OK ? run_count(e, PARE_SPLIT_CALIBRATION) : 0;
    for (int i = 0; status == PARE_OK && i < n; i++) {
        status = engine_method_begin(e->method, n, err);
        if (status == PARE_OK) {
            status = run_one(e, &runner, PARE_SPLIT_CALIBRATION, i, &arena, err);
        }
        pare_arena_clear(&arena);
        if (e->step != NULL) {
            e->step(e->step_self, i + 1, n);
        }
    }
    if (status == PARE_OK) {
        engine_method_end_rows(e->method);
    }
    free(fp32);
    return status;
}

/* ---- parts ---- */

static bool wants_log(const struct pare_engine *e)
{
    return e->method != NULL && strstr(engine_method_text(e->method), "average") != NULL;
}

void pare_engine_ranges_clear(struct pare_engine_ranges *r)
{
    for (int s = 0; s < PARE_MAX_STAGES; s++) {
        pare_calibration_clear(&r->stage[s]);
        pare_run_log_clear(&r->log[s]);
    }
}

enum pare_status pare_engine_ranges_init(const struct pare_engine *e, struct pare_engine_ranges *r, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    memset(r, 0, sizeof *r);
    for (int s = 0; status == PARE_OK && s < e->p->n_stages; s++) {
        status = pare_calibration_init(&r->stage[s], e->p->stages[s].graph->n_tensors, err);
        r->stage[s].log = wants_log(e) ? &r->log[s] : NULL;
    }
    return status;
}

enum pare_status pare_engine_observe(struct pare_engine *e, enum pare_split split, int pass, int first, int n,
                                     const struct pare_engine_ranges *seen, struct pare_engine_ranges *part, void *self,
                                     void (*done)(void *self, int done, int total), struct pare_error *err)
{
    struct pare_level *fp32 = calloc((size_t)e->n_layers + 1, sizeof *fp32);
    struct pare_arena arena = {0};
    enum pare_status status = pare_engine_ranges_init(e, part, err);
    status = status == PARE_OK && fp32 == NULL ? pare_error_nomem(err) : status;
    for (int i = 0; status == PARE_OK && i < e->n_layers; i++) {
        fp32[i] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    for (int s = 0; status == PARE_OK && pass == 1 && s < e->p->n_stages; s++) {
        for (int t = 0; t < part->stage[s].n_tensors; t++) {
            part->stage[s].ranges[t].min = seen->stage[s].ranges[t].min;
            part->stage[s].ranges[t].max = seen->stage[s].ranges[t].max;
        }
    }
    struct observe_context context = {e, fp32, part->stage, pass};
    struct pare_runner runner = {&context, observe_stage};
    for (int i = 0; status == PARE_OK && i < n; i++) {
        status = run_one(e, &runner, split, first + i, &arena, err);
        pare_arena_clear(&arena);
        if (done != NULL) {
            done(self, i + 1, n);
        }
    }
    free(fp32);
    return status;
}

void pare_engine_ranges_merge(const struct pare_engine *e, struct pare_engine_ranges *to, const struct pare_engine_ranges *part,
                              int pass)
{
    for (int s = 0; s < e->p->n_stages; s++) {
        pare_calibration_merge(&to->stage[s], &part->stage[s], pass);
    }
}

void pare_engine_take_ranges(struct pare_engine *e, struct pare_engine_ranges *r)
{
    for (int s = 0; s < e->p->n_stages; s++) {
        struct pare_calibration *c = &r->stage[s];
        for (int t = 0; t < c->n_tensors; t++) {
            pare_range_finish(&c->ranges[t]);
        }
        if (e->method != NULL) {
            engine_method_ranges(e->method, s, c);
        }
        engine_drop_plans(e, s);
        engine_sequences_forget(e->sequences, s);
        pare_calibration_clear(&e->calibration[s]);
        c->log = NULL;
        e->calibration[s] = *c;
        e->calibrated[s] = true;
        *c = (struct pare_calibration){0, NULL, NULL};
    }
    pare_engine_ranges_clear(r);
}

struct whole {
    void *self;
    void (*done)(void *self, int done, int total);
    int before, total;
};

static void tell(void *self, int done, int total)
{
    const struct whole *w = self;
    (void)total;
    if (w->done != NULL) {
        w->done(w->self, w->before + done, w->total);
    }
}

enum pare_status pare_engine_calibrate(struct pare_engine *e, enum pare_split split, int limit, void *self,
                                       void (*done)(void *self, int done, int total), struct pare_error *err)
{
    struct pare_engine_ranges all;
    int n = run_count(e, split);
    n = limit > 0 && n > limit ? limit : n;
    enum pare_status status = pare_engine_ranges_init(e, &all, err);
    if (status == PARE_OK && n == 0) {
        status = pare_error(err, PARE_ERR_FORMAT, e->p->path, "the calibration split has no samples");
    }
    for (int pass = 0; status == PARE_OK && pass < 2; pass++) {
        for (int first = 0; status == PARE_OK && first < n; first += PARE_CALIBRATE_PART) {
            struct pare_engine_ranges part;
            struct whole w = {self, done, pass * n + first, 2 * n};
            const int count = n - first < PARE_CALIBRATE_PART ? n - first : PARE_CALIBRATE_PART;
            status = pare_engine_observe(e, split, pass, first, count, &all, &part, &w, tell, err);
            if (status == PARE_OK) {
                pare_engine_ranges_merge(e, &all, &part, pass);
            }
            pare_engine_ranges_clear(&part);
        }
    }
    if (status == PARE_OK) {
        pare_engine_take_ranges(e, &all);
    }
    pare_engine_ranges_clear(&all);
    return status;
}
