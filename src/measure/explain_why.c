/* explain_why.c: a layer's weights, its errors by other rules, and what all of it says in one line. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "measure/explain_parts.h"
#include "quant/clip.h"

static int by_value(const void *a, const void *b)
{
    const float p = *(const float *)a, q = *(const float *)b;
    return (p > q) - (p < q);
}

/* The weights as the level holds them, in the layer's layout; false where it keeps floats or cannot. */
static bool lowered_weights(const struct explanation *x, float *out, int64_t n, double *range)
{
    struct pare_arena arena = {0};
    struct pare_weight_codes codes;
    const struct pare_maker *maker = pare_engine_maker(x->e, x->stage);
    const bool depthwise = x->g->nodes[x->node].op == PARE_OP_DEPTHWISE;
    enum pare_status status = maker != NULL ? pare_maker_weights(maker, x->node, x->level, NULL, &arena, &codes, NULL)
                                            : pare_weights_quantize(x->g, x->node, x->level.w_bits, &arena, &codes, NULL);
    const bool real = status == PARE_OK && codes.real != NULL;
    const bool plain = real || (status == PARE_OK && codes.codes != NULL && codes.scale != NULL && codes.zero_point == NULL);
    *range = 0;
    for (int64_t i = 0; real && i < n; i++) {
        out[i] = codes.real[i];
        *range = fmax(*range, fabs((double)out[i]));
    }
    for (int64_t i = 0; plain && !real && i < n; i++) {
        const int64_t c = depthwise ? i % codes.n_channels : i / codes.per_channel;
        const double end = (double)codes.scale[c] * (x->level.w_bits > 1 ? (1 << (x->level.w_bits - 1)) - 1 : 1);
        out[i] = (float)codes.codes[i] * codes.scale[c];
        *range = end > *range ? end : *range;
    }
    pare_arena_clear(&arena);
    return plain;
}

static void count_channels(struct explanation *x, const float *w, const float *lowered, int64_t n, float *reach, double *errors)
{
    struct explain_channels *c = &x->channels;
    const bool depthwise = x->g->nodes[x->node].op == PARE_OP_DEPTHWISE;
    const int64_t k = n / c->n;
    double all = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = depthwise ? i % c->n : i / k;
        const double d = lowered != NULL ? (double)lowered[i] - (double)w[i] : 0;
        reach[at] = fabsf(w[i]) > reach[at] ? fabsf(w[i]) : reach[at];
        errors[at] += d * d;
        all += d * d;
    }
    for (int i = 0; i < c->n; i++) {
        c->dead += reach[i] == 0.0f;
        c->worst = errors[i] > errors[c->worst] ? i : c->worst;
    }
    c->worst_share = all > 0 ? errors[c->worst] / all : 0;
    explain_take_reach(c, reach);
    qsort(reach, (size_t)c->n, sizeof *reach, by_value);
    const float median = c->n > c->dead ? reach[c->dead + (c->n - c->dead) / 2] : 0.0f;
    c->spread = median > 0.0f ? (double)reach[c->n - 1] / (double)median : 1;
}

static void count_weights(struct explanation *x, const float *w, const float *lowered, int64_t n, double range)
{
    struct explain_histogram *h = &x->weights;
    double sum = 0, squares = 0, clipped = 0;
    for (int64_t i = 0; i < n; i++) {
        h->lo = (double)w[i] < h->lo ? (double)w[i] : h->lo;
        h->hi = (double)w[i] > h->hi ? (double)w[i] : h->hi;
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
    }
    const double step = h->hi > h->lo ? PARE_EXPLAIN_BINS / (h->hi - h->lo) : 0;
    for (int64_t i = 0; i < n; i++) {
        const int bin = (int)(((double)w[i] - h->lo) * step);
        h->bins[bin < 0 ? 0 : bin < PARE_EXPLAIN_BINS ? bin : PARE_EXPLAIN_BINS - 1]++;
        /* beyond the last code: the code is nearer to 0 than the weight by more than half of the widest step */
        clipped += lowered != NULL && fabs((double)w[i]) > range * (1 + 0.5 / ((1 << (x->level.w_bits - 1)) | 1));
    }
    const double variance = squares / (double)n - sum / (double)n * (sum / (double)n);
    h->sigma = sqrt(variance > 0 ? variance : 0);
    h->peak = fmax(-h->lo, h->hi);
    h->range_lo = lowered != NULL ? -range : (double)NAN;
    h->range_hi = lowered != NULL ? range : (double)NAN;
    h->clipped = lowered != NULL ? clipped / (double)n : (double)NAN;
}

enum pare_status explain_weights(struct explanation *x, struct pare_error *err)
{
    const int64_t n = pare_node_weights(x->g, x->node), channels = pare_node_out_channels(x->g, x->node);
    if (n < 1 || channels < 1 || n % channels != 0) {
        return PARE_OK;
    }
    float *w = calloc(2 * (size_t)n + (size_t)channels + 1, sizeof *w), *lowered = w + n, *reach = lowered + n;
    double *errors = calloc((size_t)channels + 1, sizeof *errors), range = 0;
    enum pare_status status = w != NULL && errors != NULL ? pare_weights_f32(x->g, x->node, w, err) : pare_error_nomem(err);
    if (status == PARE_OK) {
        const bool is_lowered = (x->level.kind == PARE_LEVEL_INT || x->level.kind == PARE_LEVEL_WEIGHT_ONLY) &&
                                lowered_weights(x, lowered, n, &range);
        x->channels.n = (int)channels;
        count_channels(x, w, is_lowered ? lowered : NULL, n, reach, errors);
        count_weights(x, w, is_lowered ? lowered : NULL, n, range);
    }
    free(w);
    free(errors);
    return status;
}

/* The range of what the layer reads, chosen anew by a rule from the gathered calls; that of what it writes is its readers'. */
static void choose_ranges(const struct explanation *x, const struct pare_method *m, struct pare_range *range, float *const *values, size_t n)
{
    if (m->ranges == PARE_RANGES_MINMAX || range->n == 0) {
        return;
    }
    struct pare_range seen;
    pare_range_init(&seen);
    for (int pass = 0; pass < 2; pass++) {
        for (int c = 0; c < x->n_calls; c++) {
            if (pass == 0) {
                pare_range_add(&seen, values[c], n);
            } else {
                pare_range_add_histogram(&seen, values[c], n);
            }
        }
    }
    pare_range_finish(&seen);
    pare_clip_choose(&seen, m);
    *range = seen;
}

/* The rule for this layer behind those that hold: as `:quantize +LAYER: RULE` means it. */
static enum pare_status parse_behind(const struct explanation *x, const char *rule, struct pare_method *m, struct pare_error *err)
{
    struct pare_strbuf text;
    pare_strbuf_init(&text);
    pare_strbuf_printf(&text, "%s; %s", pare_engine_method(x->e), rule);
    enum pare_status status = text.failed ? pare_error_nomem(err) : pare_method_parse(text.text, x->name, m, err);
    pare_strbuf_clear(&text);
    return status;
}

enum pare_status explain_errors(struct explanation *x, const char *rule, int calls, double *fields, double *scale, struct pare_error *err)
{
    const struct pare_maker *now = pare_engine_maker(x->e, x->stage);
    struct pare_maker maker = {.graph = x->g, .rows = now != NULL ? now->rows : NULL, .own_node = -1};
    struct pare_calibration calibration = {x->calibration->n_tensors, NULL, NULL};
    struct pare_own *own = NULL;
    double one[PARE_OWN_FIELDS];
    int zero;
    enum pare_status status = PARE_OK;
    calibration.ranges = malloc(((size_t)calibration.n_tensors + 1) * sizeof *calibration.ranges);
    maker.methods = calloc((size_t)x->g->n_nodes + 1, sizeof *maker.methods);
    if (calibration.ranges == NULL || maker.methods == NULL) {
        status = pare_error_nomem(err);
    } else {
        memcpy(calibration.ranges, x->calibration->ranges, (size_t)calibration.n_tensors * sizeof *calibration.ranges);
    }
    if (status == PARE_OK && rule != NULL) {
        status = parse_behind(x, rule, &maker.methods[x->node], err);
        if (status == PARE_OK && strstr(rule, "ranges=") != NULL) {
            choose_ranges(x, &maker.methods[x->node], &calibration.ranges[x->in], x->x, x->n_in);
        }
    }
    const struct pare_maker *use = rule != NULL ? &maker : now;
    status = status == PARE_OK ? pare_own_new(x->g, x->node, &calibration, x->level, pare_engine_isa(x->e), use, &own, err) : status;
    for (int k = 0; k < PARE_OWN_FIELDS; k++) {
        fields[k] = 0;
    }
    calls = calls < x->n_calls ? calls : x->n_calls;
    for (int c = 0; c < calls && status == PARE_OK; c++) {
        status = pare_own_run(own, x->x[c], x->n_in, one, err);
        for (int k = 0; k < PARE_OWN_FIELDS; k++) {
            fields[k] += one[k] / calls;
        }
    }
    if (own != NULL) {
        pare_own_grid(own, scale, &zero);
    }
    pare_own_free(own);
    free(calibration.ranges);
    free(maker.methods);
    return status;
}

/* Rules that need no samples of their own and can be judged on one layer. */
static const char *const rules[] = {"ranges=mse", "scales=mse", "rounding=squant", "ranges=mse,scales=mse",
                                    "ranges=mse,rounding=squant", "weights=asymmetric", "per=group:32"};

json_t *explain_cures(struct explanation *x)
{
    json_t *cures = json_array();
    const int calls = x->n_calls < EXPLAIN_CURE_CALLS ? x->n_calls : EXPLAIN_CURE_CALLS;
    double now[PARE_OWN_FIELDS], fields[PARE_OWN_FIELDS], scale;
    if (x->level.kind != PARE_LEVEL_INT || explain_errors(x, NULL, calls, now, &scale, NULL) != PARE_OK) {
        return cures;
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct pare_tensor *t = &x->g->tensors[x->in];
        const int64_t channels = t->rank > 0 ? t->dims[t->rank - 1] : 0, out = pare_node_out_channels(x->g, x->node);
        const bool group = strncmp(rules[i], "per=", 4) == 0;
        if ((group && (channels <= 32 || x->g->nodes[x->node].op == PARE_OP_DEPTHWISE)) ||
            explain_errors(x, rules[i], calls, fields, &scale, NULL) != PARE_OK) {
            continue;
        }
        const double gain = fields[PARE_OWN_STEP] / now[PARE_OWN_STEP];
        const int64_t bytes = group ? 4 * out * ((channels + 31) / 32 - 1) : 0;
        if (!(gain < 0.81)) { /* less than a tenth of the RMSE is no cure */
            continue;
        }
        json_t *cure = json_pack("{s:s, s:o, s:o, s:I}", "rule", rules[i], "step_rmse", pare_json_real(sqrt(fields[PARE_OWN_STEP])),
                                 "gain", pare_json_real(sqrt(gain)), "bytes", (json_int_t)bytes);
        size_t at = 0;
        while (at < json_array_size(cures) && pare_json_get_real(json_array_get(cures, at), "gain") <= sqrt(gain) * 1.02) {
            at++; /* a rule with one word more has to earn it */
        }
        json_array_insert_new(cures, at, cure);
    }
    return cures;
}

void explain_why(const struct explanation *x, char *text, size_t size)
{
    const double w = x->fields[PARE_OWN_WEIGHTS], a = x->fields[PARE_OWN_ACTIVATIONS], step = x->fields[PARE_OWN_STEP];
    const double sigma = x->output.sigma, noise = sigma > 0 ? sqrt(step) / sigma : 0;
    const double reach = x->input.sigma > 0 ? (x->input.range_hi - x->input.range_lo) / x->input.sigma : 0;
    int used = snprintf(text, size, "error %.1f %% of the output's sigma: ", 100 * noise);
    char *rest = text + (used < 0 || (size_t)used >= size ? 0 : used);
    const size_t left = size - (size_t)(rest - text);
    if (x->level.kind != PARE_LEVEL_INT) {
        snprintf(rest, left, "%s", x->level.kind == PARE_LEVEL_FP16 ? "half precision rounds 11 bits" : "from the weights' bits alone");
    } else if (noise < 0.02) {
        snprintf(rest, left, "this layer does not hurt by itself");
    } else if (x->outside > 0.001) {
        snprintf(rest, left, "range shift: %.2f %% of what it reads lies beyond what calibration saw (few or other samples)", 100 * x->outside);
    } else if (a > w && x->inputs.spread > 4) {
        snprintf(rest, left, "outlier channel: input channel %d reaches %.1f times the median channel, all share %d codes",
                 x->inputs.worst, x->inputs.spread, 1 << x->level.a_bits);
    } else if (a > w && reach > 12) {
        snprintf(rest, left, "wide activation: its range is %.0f sigma, so %d codes leave %.1f for the bulk (4 sigma)", reach,
                 1 << x->level.a_bits, 4.0 / reach * (1 << x->level.a_bits));
    } else if (a > w) {
        snprintf(rest, left, "%d-bit activations are coarse here (%.0f %% of the error)", x->level.a_bits, 100 * a / (a + w));
    } else if (x->channels.n > 1 && x->channels.worst_share * x->channels.n > 6) {
        snprintf(rest, left, "outlier channel: output channel %d has %.0f %% of the weights' squared error", x->channels.worst,
                 100 * x->channels.worst_share);
    } else if (x->weights.sigma > 0 && x->weights.peak / x->weights.sigma > 8) {
        snprintf(rest, left, "wide weights: the largest is %.0f sigma", x->weights.peak / x->weights.sigma);
    } else {
        snprintf(rest, left, "%d-bit weights are coarse here (%.0f %% of the error)", x->level.w_bits, 100 * w / (a + w));
    }
}
