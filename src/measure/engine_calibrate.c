/*
 * engine_calibrate.c: what the networks do on samples at fp32: ranges of all tensors, and rows of layers' inputs for
 * methods that want them.
 */
#include <stdlib.h>

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

enum pare_status pare_engine_calibrate(struct pare_engine *e, enum pare_split split, int limit, void *self,
                                       void (*done)(void *self, int done, int total), struct pare_error *err)
{
    struct pare_calibration fresh[PARE_MAX_STAGES] = {{0}};
    struct pare_level *fp32 = calloc((size_t)e->n_layers + 1, sizeof *fp32);
    struct pare_arena arena = {0};
    int n = run_count(e, split);
    enum pare_status status = fp32 != NULL ? PARE_OK : pare_error_nomem(err);
    n = limit > 0 && n > limit ? limit : n;
    if (status == PARE_OK && n == 0) {
        status = pare_error(err, PARE_ERR_FORMAT, e->p->path, "the calibration split has no samples");
    }
    for (int i = 0; status == PARE_OK && i < e->n_layers; i++) {
        fp32[i] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    for (int s = 0; status == PARE_OK && s < e->p->n_stages; s++) {
        status = pare_calibration_init(&fresh[s], e->p->stages[s].graph->n_tensors, err);
    }
    for (int pass = 0; status == PARE_OK && pass < 2; pass++) {
        struct observe_context context = {e, fp32, fresh, pass};
        struct pare_runner runner = {&context, observe_stage};
        for (int i = 0; status == PARE_OK && i < n; i++) {
            status = run_one(e, &runner, split, i, &arena, err);
            pare_arena_clear(&arena);
            if (done != NULL) {
                done(self, pass * n + i + 1, 2 * n);
            }
        }
    }
    for (int s = 0; s < e->p->n_stages; s++) {
        if (status == PARE_OK) {
            for (int t = 0; t < fresh[s].n_tensors; t++) {
                pare_range_finish(&fresh[s].ranges[t]);
            }
            if (e->method != NULL) {
                engine_method_ranges(e->method, s, &fresh[s]);
            }
            engine_drop_plans(e, s);
            engine_sequences_forget(e->sequences, s);
            pare_calibration_clear(&e->calibration[s]);
            e->calibration[s] = fresh[s];
            e->calibrated[s] = true;
        } else {
            pare_calibration_clear(&fresh[s]);
        }
    }
    free(fp32);
    return status;
}
