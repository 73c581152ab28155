/* explain.c: gathers what a layer reads and writes on real samples, and counts it. */
#include "measure/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/explain_parts.h"

struct capture {
    struct explanation *x;
    struct pare_level *fp32;
};

static enum pare_status take_call(struct explanation *x, struct pare_plan *plan, struct pare_error *err)
{
    const int i = x->n_calls;
    if (i == EXPLAIN_CALLS) {
        return PARE_OK;
    }
    x->x[i] = malloc((x->n_in + 1) * sizeof(float));
    x->y[i] = malloc((x->n_out + 1) * sizeof(float));
    if (x->x[i] == NULL || x->y[i] == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_plan_read_tensor(plan, x->in, x->x[i], x->n_in, err);
    status = status == PARE_OK ? pare_plan_read_tensor(plan, x->out, x->y[i], x->n_out, err) : status;
    x->n_calls += status == PARE_OK;
    return status;
}

static enum pare_status capture_stage(void *self, int stage, const struct pare_value *const *in, int n_in,
                                      struct pare_arena *arena, struct pare_value **out, int *n_out, struct pare_error *err)
{
    struct capture *c = self;
    struct pare_plan *plan;
    enum pare_status status = pare_engine_plan(c->x->e, stage, c->fp32, true, &plan, err);
    status = status == PARE_OK ? pare_engine_feed(c->x->e, stage, plan, in, n_in, arena, err) : status;
    status = status == PARE_OK ? pare_plan_run(plan, err) : status;
    status = status == PARE_OK && stage == c->x->stage ? take_call(c->x, plan, err) : status;
    return status == PARE_OK ? pare_engine_fetch(c->x->e, stage, plan, arena, out, n_out, err) : status;
}

static enum pare_status capture(struct explanation *x, enum pare_split split, int n, void *self,
                                void (*done)(void *self, int done, int total), struct pare_error *err)
{
    const int n_layers = pare_engine_layer_count(x->e);
    struct capture c = {x, calloc((size_t)n_layers + 1, sizeof *c.fp32)};
    struct pare_runner runner = {&c, capture_stage};
    enum pare_status status = c.fp32 != NULL ? PARE_OK : pare_error_nomem(err);
    for (int l = 0; c.fp32 != NULL && l < n_layers; l++) {
        c.fp32[l] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    for (int i = 0; i < n && status == PARE_OK; i++) {
        struct pare_arena arena = {0};
        struct pare_sample sample;
        struct pare_outcome outcome;
        status = pare_engine_sample(x->e, split, i, &arena, &sample, err);
        status = status == PARE_OK ? pare_engine_infer_with(x->e, &runner, &sample, &arena, &outcome, err) : status;
        pare_arena_clear(&arena);
        if (done != NULL) {
            done(self, i + 1, n);
        }
    }
    free(c.fp32);
    return status;
}

/* Values of all calls: moments, 64 bins between their ends, what lies beyond the grid of the level. */
static void count(const struct explanation *x, float *const *values, size_t n, const struct pare_range *range,
                  struct explain_histogram *h)
{
    double sum = 0, squares = 0, total = 0, beyond = 0;
    h->lo = h->hi = 0;
    for (int c = 0; c < x->n_calls; c++) {
        for (size_t i = 0; i < n; i++) {
            const double v = (double)values[c][i];
            if (isfinite(v)) {
                h->lo = v < h->lo ? v : h->lo;
                h->hi = v > h->hi ? v : h->hi;
                sum += v;
                squares += v * v;
                total++;
            }
        }
    }
    const bool codes = x->level.kind == PARE_LEVEL_INT && range->n > 0;
    const struct pare_grid grid = codes ? pare_grid_from_range(range, x->level.a_bits) : (struct pare_grid){.scale = 1};
    h->range_lo = codes ? (double)pare_grid_real(&grid, 0) : (double)NAN;
    h->range_hi = codes ? (double)pare_grid_real(&grid, (1 << grid.bits) - 1) : (double)NAN;
    const double half = codes ? 0.5 * (double)grid.scale : 0, step = h->hi > h->lo ? PARE_EXPLAIN_BINS / (h->hi - h->lo) : 0;
    for (int c = 0; c < x->n_calls; c++) {
        for (size_t i = 0; i < n; i++) {
            const double v = (double)values[c][i];
            if (isfinite(v)) {
                const int bin = (int)((v - h->lo) * step);
                h->bins[bin < PARE_EXPLAIN_BINS ? bin : PARE_EXPLAIN_BINS - 1]++;
                beyond += codes && (v < h->range_lo - half || v > h->range_hi + half);
            }
        }
    }
    h->clipped = total > 0 && codes ? beyond / total : codes ? 0 : (double)NAN;
    const double variance = total > 0 ? squares / total - sum / total * (sum / total) : 0;
    h->sigma = sqrt(variance > 0 ? variance : 0);
    h->peak = fmax(-h->lo, h->hi);
}

static int by_value(const void *a, const void *b)
{
    const float p = *(const float *)a, q = *(const float *)b;
    return (p > q) - (p < q);
}

void explain_take_reach(struct explain_channels *c, const float *reach)
{
    c->n_reach = c->n < PARE_EXPLAIN_REACHES ? c->n : PARE_EXPLAIN_REACHES;
    for (int i = 0; i < c->n; i++) {
        double *to = &c->reach[(int64_t)i * c->n_reach / c->n];
        *to = (double)reach[i] > *to ? (double)reach[i] : *to;
    }
}

/* Reach of every channel of the input (the last dimension): the farthest against the median of those that live. */
static enum pare_status input_channels(struct explanation *x, struct pare_error *err)
{
    const struct pare_tensor *t = &x->g->tensors[x->in];
    const int n = t->rank > 0 ? (int)t->dims[t->rank - 1] : 1;
    float *reach = calloc((size_t)n + 1, sizeof *reach);
    struct explain_channels *c = &x->inputs;
    if (reach == NULL) {
        return pare_error_nomem(err);
    }
    c->n = n;
    for (int k = 0; k < x->n_calls; k++) {
        for (size_t i = 0; i < x->n_in && n > 0; i++) {
            const float v = fabsf(x->x[k][i]);
            reach[i % (size_t)n] = v > reach[i % (size_t)n] ? v : reach[i % (size_t)n];
        }
    }
    for (int i = 0; i < n; i++) {
        c->dead += reach[i] == 0.0f;
        c->worst = reach[i] > reach[c->worst] ? i : c->worst;
    }
    explain_take_reach(c, reach);
    qsort(reach, (size_t)n, sizeof *reach, by_value);
    const float median = n > c->dead ? reach[c->dead + (n - c->dead) / 2] : 0.0f;
    c->spread = median > 0.0f ? (double)reach[n - 1] / (double)median : 1;
    free(reach);
    return PARE_OK;
}

static double outside_calibration(const struct explanation *x)
{
    const struct pare_range *r = &x->calibration->ranges[x->in];
    double beyond = 0;
    for (int k = 0; k < x->n_calls; k++) {
        for (size_t i = 0; i < x->n_in; i++) {
            beyond += x->x[k][i] < r->min || x->x[k][i] > r->max;
        }
    }
    return x->n_calls > 0 ? beyond / ((double)x->n_calls * (double)x->n_in) : 0;
}

static json_t *histogram_json(const struct explain_histogram *h)
{
    json_t *bins = json_array();
    for (int i = 0; i < PARE_EXPLAIN_BINS; i++) {
        json_array_append_new(bins, pare_json_real(h->bins[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "bins", bins, "lo", pare_json_real(h->lo), "hi",
                     pare_json_real(h->hi), "range_lo", pare_json_real(h->range_lo), "range_hi", pare_json_real(h->range_hi),
                     "clipped", pare_json_real(h->clipped), "sigma", pare_json_real(h->sigma), "peak", pare_json_real(h->peak));
}

static json_t *channels_json(const struct explain_channels *c)
{
    json_t *reach = json_array();
    for (int i = 0; i < c->n_reach; i++) {
        json_array_append_new(reach, pare_json_real(c->reach[i]));
    }
    return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o}", "n", c->n, "dead", c->dead, "worst", c->worst, "spread", pare_json_real(c->spread),
                     "worst_share", pare_json_real(c->worst_share), "reach", reach);
}

static json_t *to_json(struct explanation *x)
{
    char why[320], level[16];
    explain_why(x, why, sizeof why);
    json_t *rmse = json_pack("{s:o, s:o, s:o, s:o}", "own", pare_json_real(sqrt(x->fields[PARE_OWN_MSE])), "step",
                             pare_json_real(sqrt(x->fields[PARE_OWN_STEP])), "weights",
                             pare_json_real(sqrt(x->fields[PARE_OWN_WEIGHTS])), "activations",
                             pare_json_real(sqrt(x->fields[PARE_OWN_ACTIVATIONS])));
    return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "layer", x->name, "level",
                     pare_level_name(x->level, level), "calls", x->n_calls, "weights", histogram_json(&x->weights), "input",
                     histogram_json(&x->input), "output", histogram_json(&x->output), "channels", channels_json(&x->channels),
                     "input_channels", channels_json(&x->inputs), "outside", pare_json_real(x->outside), "rmse", rmse, "why", why,
                     "cures", explain_cures(x));
}

enum pare_status pare_explain(struct pare_engine *e, int layer, struct pare_level level, enum pare_split split, int n,
                              void *self, void (*done)(void *self, int done, int total), json_t **row, struct pare_error *err)
{
    const struct pare_layer_ref *ref = pare_engine_layer(e, layer);
    struct explanation x = {.e = e, .g = pare_engine_graph(e, ref->stage), .level = level, .name = ref->name,
                            .calibration = pare_engine_calibration(e, ref->stage), .stage = ref->stage, .node = ref->node};
    *row = NULL;
    if (x.calibration == NULL) {
        return pare_error(err, PARE_ERR_INTERNAL, ref->name, "not calibrated");
    }
    x.in = x.g->nodes[x.node].in[0];
    x.out = pare_layer_output(x.g, x.node);
    x.n_in = (size_t)pare_tensor_elements(&x.g->tensors[x.in]);
    x.n_out = (size_t)pare_tensor_elements(&x.g->tensors[x.out]);
    enum pare_status status = capture(&x, split, n, self, done, err);
    if (status == PARE_OK && x.n_calls == 0) {
        status = pare_error(err, PARE_ERR_FAIL, ref->name, "its stage was not called for any of %d samples", n);
    }
    if (status == PARE_OK) {
        count(&x, x.x, x.n_in, &x.calibration->ranges[x.in], &x.input);
        count(&x, x.y, x.n_out, &x.calibration->ranges[x.out], &x.output);
        x.outside = outside_calibration(&x);
        status = input_channels(&x, err);
    }
    status = status == PARE_OK ? explain_weights(&x, err) : status;
    status = status == PARE_OK ? explain_errors(&x, NULL, x.n_calls, x.fields, &x.scale, err) : status;
    if (status == PARE_OK) {
        *row = to_json(&x);
        status = *row != NULL ? PARE_OK : pare_error_nomem(err);
    }
    for (int i = 0; i < EXPLAIN_CALLS; i++) {
        free(x.x[i]);
        free(x.y[i]);
    }
    return status;
}
