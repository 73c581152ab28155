#include "measure/stage_inputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/stats.h"
#include "measure/stopwatch.h"

#define GLUE_PASSES 5

struct capture {
    struct pare_engine *e;
    struct pare_level *fp32;
    struct pare_arena *data;
    struct pare_stage_inputs *stages;
    double stage_ms;
    int pass;
};

static enum pare_status capture_stage(void *self, int stage, const struct pare_value *const *in, int n_in,
                                      struct pare_arena *arena, struct pare_value **out, int *n_out,
                                      struct pare_error *err)
{
    struct capture *c = self;
    struct pare_stage_inputs *s = &c->stages[stage];
    s->calls += c->pass == 0;
    if (s->n < PARE_STAGE_INPUTS) {
        s->n_in = n_in;
        for (int i = 0; i < n_in; i++) {
            struct pare_value *copy = pare_value_new(c->data, in[i]->rank, in[i]->dims);
            if (copy == NULL) {
                return pare_error_nomem(err);
            }
            memcpy(copy->data, in[i]->data, sizeof(float) * (size_t)pare_value_elements(copy));
            s->in[s->n][i] = copy;
        }
        s->n++;
    }
    struct pare_plan *plan;
    enum pare_status status = pare_engine_plan(c->e, stage, c->fp32, false, &plan, err);
    if (status == PARE_OK) {
        status = pare_engine_feed(c->e, stage, plan, in, n_in, arena, err);
    }
    /* only the run itself: bringing values in and out counts as glue, so that the parts add up to the whole */
    double start = 1e-6 * pare_watch_ns();
    if (status == PARE_OK) {
        status = pare_plan_run(plan, err);
    }
    c->stage_ms += 1e-6 * pare_watch_ns() - start;
    return status == PARE_OK ? pare_engine_fetch(c->e, stage, plan, arena, out, n_out, err) : status;
}

/* fp32: all of the layers. */
static enum pare_status capture(struct capture *c, enum pare_split split, int samples, double *glue_ms,
                                struct pare_error *err)
{
    struct pare_runner runner = {c, capture_stage};
    struct pare_arena arena = {0};
    double *ms = calloc((size_t)samples + 1, sizeof *ms);
    enum pare_status status = ms != NULL ? PARE_OK : pare_error_nomem(err);
    /* the first pass captures and warms up; of the others the least of each sample counts: what disturbs only adds */
    for (int pass = 0, i = 0; status == PARE_OK && pass < GLUE_PASSES; i++, pass += i == samples, i %= samples) {
        struct pare_sample sample;
        struct pare_outcome outcome;
        status = pare_engine_sample(c->e, split, i, &arena, &sample, err);
        double start = 1e-6 * pare_watch_ns();
        c->stage_ms = 0;
        c->pass = pass;
        if (status == PARE_OK) {
            status = pare_engine_infer_with(c->e, &runner, &sample, &arena, &outcome, err);
        }
        const double took = 1e-6 * pare_watch_ns() - start - c->stage_ms;
        ms[i] = pass < 2 || took < ms[i] ? took : ms[i];
        pare_arena_clear(&arena);
    }
    if (ms != NULL) {
        pare_sort(ms, (size_t)samples);
        *glue_ms = pare_quantile_sorted(ms, (size_t)samples, 0.5);
    }
    free(ms);
    return status;
}

enum pare_status pare_stage_inputs_capture(struct pare_engine *e, enum pare_split split, int samples,
                                           struct pare_arena *data, struct pare_stage_inputs *stages, double *glue_ms,
                                           struct pare_error *err)
{
    const int n_layers = pare_engine_layer_count(e);
    struct pare_level *fp32 = pare_arena_array(data, (size_t)n_layers + 1, sizeof *fp32);
    if (fp32 == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < n_layers; i++) {
        fp32[i] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    struct capture c = {e, fp32, data, stages, 0, 0};
    return capture(&c, split, samples, glue_ms, err);
}
