/* engine_peaks.c: peak, mean and deviation of every channel that a layer reads, for equalize=streams. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/engine_parts.h"

#define MOST_SAMPLES 48

struct channel_sums {
    double n, sum, squares;
};

struct peaks {
    struct pare_engine *e;
    struct pare_plan *plans[PARE_MAX_STAGES];
    struct pare_channel_seen **of[PARE_MAX_STAGES]; /* [n_tensors] of [channels], NULL = no layer reads it */
    struct channel_sums **sums[PARE_MAX_STAGES];    /* the same */
    bool wanted[PARE_MAX_STAGES];
};

static enum pare_status see_tensor(struct peaks *p, int stage, int tensor, struct pare_error *err)
{
    const struct pare_tensor *t = &p->e->p->stages[stage].graph->tensors[tensor];
    const int64_t n = pare_tensor_elements(t), channels = t->rank > 0 ? t->dims[t->rank - 1] : 0;
    if (t->data != NULL || n < 1 || channels < 1 || n % channels != 0) {
        return PARE_OK;
    }
    struct pare_channel_seen **seen = &p->of[stage][tensor];
    struct channel_sums **sums = &p->sums[stage][tensor];
    float *x = malloc((size_t)n * sizeof *x);
    *seen = *seen != NULL ? *seen : calloc((size_t)channels, sizeof **seen);
    *sums = *sums != NULL ? *sums : calloc((size_t)channels, sizeof **sums);
    enum pare_status status = x != NULL && *seen != NULL && *sums != NULL
                                  ? pare_plan_read_tensor(p->plans[stage], tensor, x, (size_t)n, err)
                                  : pare_error_nomem(err);
    for (int64_t i = 0; status == PARE_OK && i < n; i++) {
        float *peak = &(*seen)[i % channels].peak;
        struct channel_sums *to = &(*sums)[i % channels];
        *peak = fabsf(x[i]) > *peak ? fabsf(x[i]) : *peak;
        to->n += 1.0;
        to->sum += (double)x[i];
        to->squares += (double)x[i] * (double)x[i];
    }
    for (int64_t c = 0; status == PARE_OK && c < channels; c++) {
        const struct channel_sums *of = &(*sums)[c];
        const double mean = of->sum / of->n, variance = of->squares / of->n - mean * mean;
        (*seen)[c].mean = (float)mean;
        (*seen)[c].sd = (float)sqrt(variance > 0.0 ? variance : 0.0);
    }
    free(x);
    return status;
}

static enum pare_status see_stage(void *self, int stage, const struct pare_value *const *in, int n_in,
                                  struct pare_arena *arena, struct pare_value **out, int *n_out, struct pare_error *err)
{
    struct peaks *p = self;
    const struct pare_graph *g = p->e->p->stages[stage].graph;
    enum pare_status status = PARE_OK;
    if (p->plans[stage] == NULL) {
        const struct pare_plan_options options = {.isa = p->e->isa, .keep_all = true};
        status = pare_plan_new(g, &options, &p->plans[stage], err);
    }
    if (status == PARE_OK) {
        status = pare_engine_feed(p->e, stage, p->plans[stage], in, n_in, arena, err);
    }
    if (status == PARE_OK) {
        status = pare_plan_run(p->plans[stage], err);
    }
    for (int i = 0; status == PARE_OK && p->wanted[stage] && i < g->n_nodes; i++) {
        status = pare_node_is_layer(g, i) ? see_tensor(p, stage, g->nodes[i].in[0], err) : PARE_OK;
    }
    return status == PARE_OK ? pare_engine_fetch(p->e, stage, p->plans[stage], arena, out, n_out, err) : status;
}

static enum pare_status see_samples(struct peaks *p, bool synthetic, struct pare_error *err)
{
    struct pare_engine *e = p->e;
    const struct pare_runner runner = {p, see_stage};
    enum pare_status status = e->p->bare || synthetic ? PARE_OK
                                                      : pare_pipeline_open_split(e->p, PARE_SPLIT_CALIBRATION, err);
    const int all = status != PARE_OK ? 0 : synthetic ? 16 : pare_engine_sample_count(e, PARE_SPLIT_CALIBRATION);
    const int n = all < MOST_SAMPLES ? all : MOST_SAMPLES;
    struct pare_arena arena = {0};
    for (int i = 0; status == PARE_OK && i < n; i++) {
        if (synthetic) {
            for (int s = 0; status == PARE_OK && s < e->p->n_stages; s++) {
                struct pare_value *out[PARE_MAX_OUTPUTS];
                int n_out = 0;
                status = engine_synthetic_call(e, s, true, &runner, i, &arena, out, &n_out, err);
            }
        } else {
            struct pare_sample sample;
            struct pare_outcome outcome;
            status = pare_engine_sample(e, PARE_SPLIT_CALIBRATION, (int)((int64_t)i * all / n), &arena, &sample, err);
            status = status == PARE_OK ? pare_engine_infer_with(e, &runner, &sample, &arena, &outcome, err) : status;
        }
        pare_arena_clear(&arena);
        if (e->step != NULL) {
            e->step(e->step_self, i + 1, n);
        }
    }
    return status;
}

enum pare_status engine_peaks(struct pare_engine *e, struct engine_method *method, struct pare_error *err)
{
    struct peaks p = {.e = e};
    bool any = false;
    enum pare_status status = PARE_OK;
    for (int s = 0; s < e->p->n_stages; s++) {
        p.wanted[s] = engine_method_wants_channels(method, s);
        any = any || p.wanted[s];
        p.of[s] = calloc((size_t)e->p->stages[s].graph->n_tensors + 1, sizeof *p.of[s]);
        p.sums[s] = calloc((size_t)e->p->stages[s].graph->n_tensors + 1, sizeof *p.sums[s]);
        status = p.of[s] != NULL && p.sums[s] != NULL ? status : pare_error_nomem(err);
    }
    if (status == PARE_OK && any) {
        status = see_samples(&p, engine_method_synthetic(method), err);
    }
    for (int s = 0; s < e->p->n_stages; s++) {
        if (status == PARE_OK && p.wanted[s]) {
            status = engine_method_set_channels(method, s, (const struct pare_channel_seen *const *)p.of[s], err);
        }
        for (int t = 0; p.of[s] != NULL && t < e->p->stages[s].graph->n_tensors; t++) {
            free(p.of[s][t]);
        }
        for (int t = 0; p.sums[s] != NULL && t < e->p->stages[s].graph->n_tensors; t++) {
            free(p.sums[s][t]);
        }
        free(p.of[s]);
        free(p.sums[s]);
        pare_plan_free(p.plans[s]);
    }
    return status;
}
