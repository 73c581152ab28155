/* make.c: see the header. */
#include "quant/make.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/bytes.h"
#include "quant/make_parts.h"
#include "quant/qkeras.h"
#include "quant/squant.h"

int make_code(const struct make_grid *g, float v)
{
    if (g->signs) {
        return v >= 0.0f ? 1 : -1;
    }
    if (g->ternary) {
        return (int)pare_qkeras_ternary(v, g->scale / 2.0f);
    }
    if (g->powers) {
        const float e = fabsf(v) < g->small ? -INFINITY : rintf(log2f(fabsf(v)));
        const float place = e - (float)ilogbf(g->scale) + (float)g->hi;
        const int code = place < 1.0f ? 1 : place > (float)g->hi ? g->hi : (int)place;
        return v >= 0.0f ? code : -code;
    }
    const float q = rintf(v / g->scale) + (float)g->zero;
    return (int)(q < (float)g->lo ? (float)g->lo : q > (float)g->hi ? (float)g->hi : q);
}

double make_real(const struct make_grid *g, int code)
{
    if (g->powers && code != 0) {
        return copysign(ldexp((double)g->scale, abs(code) - g->hi), (double)code);
    }
    return (double)g->scale * (double)(code - g->zero);
}

double make_error(const struct make_grid *g, const float *w, int k)
{
    double error = 0.0;
    for (int i = 0; i < k; i++) {
        const double d = (double)w[i] - make_real(g, make_code(g, w[i]));
        error += d * d;
    }
    return error;
}

int make_column(const struct make_layer *l, int c, int i)
{
    if (l->depthwise) {
        return i * (l->rows->columns / l->taps) + c / (l->channels * l->taps / l->rows->columns);
    }
    const int group = c / (l->channels / l->groups);
    return i / l->depth * l->depth * l->groups + group * l->depth + i % l->depth;
}

/* ---- grids ---- */

static void extremes(const float *w, int n, float *lo, float *hi, double *sum)
{
    *lo = *hi = 0.0f;
    *sum = 0.0;
    for (int i = 0; i < n; i++) {
        *lo = w[i] < *lo ? w[i] : *lo;
        *hi = w[i] > *hi ? w[i] : *hi;
        *sum += fabs((double)w[i]);
    }
}

/* Among max * i / 20 the scale with the least squared error; the largest among equals. */
static void shrink(struct make_grid *g, const float *w, int n)
{
    const float whole = g->scale;
    struct make_grid best = *g;
    double least = make_error(g, w, n);
    for (int i = 19; i >= 4; i--) {
        g->scale = whole * (float)i / 20.0f;
        const double error = make_error(g, w, n);
        if (error < least) {
            least = error;
            best = *g;
        }
    }
    *g = best;
}

static void symmetric(struct make_grid *g, const float *w, int n, int bits, float max, double sum)
{
    g->hi = (1 << (bits - 1)) - 1;
    g->lo = bits == 2 ? -2 : -g->hi;
    if (bits == 1) {
        g->signs = true;
        g->scale = (float)(sum / (double)n);
        g->lo = -1;
        g->hi = 1;
    } else if (bits == 2) { /* as weights.c */
        double least = INFINITY;
        struct make_grid best = *g;
        for (int k = 8; k >= 1; k--) {
            g->scale = max * (float)k / 8.0f;
            const double error = make_error(g, w, n);
            if (error < least) {
                least = error;
                best = *g;
            }
        }
        *g = best;
    } else {
        g->scale = max / (float)g->hi;
    }
}

/* most: max_value of QKeras, 0 = the channel's own exponents. */
static void powers_of_two(struct make_grid *g, float most, int bits, float max)
{
    int least = -126, top;
    if (most > 0.0f) {
        pare_qkeras_po2_exponents(bits, isinf(most) ? 0.0f : most, false, &least, &top);
        top = isinf(most) || rintf(log2f(most)) > (float)top ? top : (int)rintf(log2f(most));
        g->small = PARE_QKERAS_EPSILON;
    } else {
        top = (int)rintf(log2f(max));
        least = top - (1 << (bits - 1)) + 1 > least ? top - (1 << (bits - 1)) + 1 : least;
    }
    top = top < least ? least : top;
    g->powers = true;
    g->hi = top - least + 1;
    g->lo = -g->hi;
    g->scale = ldexpf(1.0f, top);
}

static void grid_of(const struct make_layer *l, const float *w, int n, float layer_max, struct make_grid *g)
{
    const int bits = l->level.w_bits;
    float lo, hi;
    double sum;
    extremes(w, n, &lo, &hi, &sum);
    const float max = hi > -lo ? hi : -lo;
    enum pare_weight_kind kind = l->method->weights;
    *g = (struct make_grid){.scale = 1.0f};
    if (!(max > 1e-37f) && !(kind == PARE_WEIGHTS_PO2 && l->method->most > 0.0f && bits > 1)) {
        return; /* codes 0, scale 1 */
    }
    kind = kind == PARE_WEIGHTS_ASYMMETRIC && bits == 1 ? PARE_WEIGHTS_SYMMETRIC : kind;
    kind = kind == PARE_WEIGHTS_PO2 && bits == 1 ? PARE_WEIGHTS_BINARY : kind;
    if (kind == PARE_WEIGHTS_ASYMMETRIC) {
        g->lo = -(1 << (bits - 1));
        g->hi = -g->lo - 1;
        g->scale = (hi - lo) / (float)((1 << bits) - 1);
        g->zero = g->lo + (int)rintf(-lo / g->scale);
    } else if (kind == PARE_WEIGHTS_BITS) {
        const int integer = l->method->integer_bits >= 0 ? l->method->integer_bits : (int)ceilf(log2f(layer_max));
        pare_qkeras_bits_grid(bits, integer, false, &g->scale, &g->lo, &g->hi);
        g->signs = bits == 1;
    } else if (kind == PARE_WEIGHTS_PO2) {
        powers_of_two(g, l->method->most, bits, max);
    } else if (kind == PARE_WEIGHTS_BINARY) {
        symmetric(g, w, n, 1, max, sum);
    } else if (kind == PARE_WEIGHTS_TERNARY) {
        float *z = malloc((size_t)n * sizeof *z);
        g->ternary = true;
        g->lo = -1;
        g->hi = 1;
        g->scale = z != NULL ? pare_qkeras_ternary_auto(w, (size_t)n, 1, z) : max;
        free(z);
    } else {
        symmetric(g, w, n, bits, max, sum);
    }
    if (!(g->scale > 1e-37f)) {
        *g = (struct make_grid){.scale = 1.0f};
    } else if (l->method->mse_scales && bits >= 3 &&
               (kind == PARE_WEIGHTS_SYMMETRIC || kind == PARE_WEIGHTS_ASYMMETRIC)) {
        shrink(g, w, n);
    }
}

/* The weights of one part of a channel, tap by tap; returns how many. */
static int gather_part(const struct make_layer *l, const float *w, int part, float *to)
{
    int n = 0;
    for (int i = 0; i < l->k; i++) {
        if (make_part(l, i) == part) {
            to[n++] = w[i];
        }
    }
    return n;
}

static bool choose_part_grids(struct make_layer *l, float max)
{
    float *w = malloc((size_t)l->k * sizeof *w);
    for (int c = 0; w != NULL && c < l->channels; c++) {
        for (int part = 0; part < l->n_parts; part++) {
            const int n = gather_part(l, l->w + (size_t)c * (size_t)l->k, part, w);
            grid_of(l, w, n, max, &make_grids(l, c)[part]);
        }
    }
    free(w);
    return w != NULL;
}

static bool choose_grids(struct make_layer *l)
{
    float lo, hi;
    double sum;
    extremes(l->w, l->channels * l->k, &lo, &hi, &sum);
    const float max = hi > -lo ? hi : -lo;
    if (l->n_parts > 1) {
        return choose_part_grids(l, max);
    }
    for (int c = 0; c < l->channels; c++) {
        if (l->method->per == PARE_PER_TENSOR && c > 0) {
            l->grid[c] = l->grid[0];
        } else if (l->method->per == PARE_PER_TENSOR) {
            grid_of(l, l->w, l->channels * l->k, max, &l->grid[0]);
        } else {
            grid_of(l, l->w + (size_t)c * (size_t)l->k, l->k, max, &l->grid[c]);
        }
    }
    return true;
}

/* ---- rounding without samples ---- */

static bool uniform(const struct make_grid *g)
{
    return !g->signs && !g->powers && !g->ternary && g->hi > g->lo;
}

static void nearest(struct make_layer *l)
{
    for (int c = 0; c < l->channels; c++) {
        for (int i = 0; i < l->k; i++) {
            const size_t at = (size_t)c * (size_t)l->k + (size_t)i;
            const struct make_grid *g = &make_grids(l, c)[make_part(l, i)];
            l->codes[at] = g->hi > g->lo ? make_code(g, l->w[at]) : 0;
        }
    }
}

/* One part of one channel: kernels, then the sum of all of them. x: [2 * k], whole: [2 * k]. */
static void squant_part(struct make_layer *l, int c, int part, float *x, int *whole)
{
    const size_t n = (size_t)l->k;
    const struct make_grid *g = &make_grids(l, c)[part];
    const int first = part * l->part;
    const int depth = l->n_parts == 1 ? l->depth : l->depth - first < l->part ? l->depth - first : l->part;
    struct pare_squant s = {depth, l->taps, g->lo, g->hi, x, whole, x + n, whole + n};
    if (!uniform(g)) {
        return; /* keeps the nearest */
    }
    for (int i = 0; i < l->k; i++) { /* [tap][depth] to [depth][tap] */
        if (make_part(l, i) == part) {
            x[(i % l->depth - first) * l->taps + i / l->depth] = l->w[(size_t)c * n + (size_t)i] / g->scale + (float)g->zero;
        }
    }
    pare_squant_elements(&s);
    if (l->taps > 1) {
        pare_squant_kernels(&s);
    }
    pare_squant_channel(&s);
    for (int i = 0; i < l->k; i++) {
        if (make_part(l, i) == part) {
            l->codes[(size_t)c * n + (size_t)i] = whole[(i % l->depth - first) * l->taps + i / l->depth];
        }
    }
}

static bool squant(struct make_layer *l)
{
    const size_t n = (size_t)l->k;
    float *x = malloc(2 * n * sizeof *x);
    int *whole = malloc(2 * n * sizeof *whole);
    for (int c = 0; x != NULL && whole != NULL && c < l->channels; c++) {
        for (int part = 0; part < l->n_parts; part++) {
            squant_part(l, c, part, x, whole);
        }
    }
    const bool ok = x != NULL && whole != NULL;
    free(x);
    free(whole);
    return ok;
}

/* ---- analytic correction of the bias ---- */

static double density(double z)
{
    return exp(-0.5 * z * z) * 0.3989422804014327;
}

static double below(double z)
{
    return 0.5 * erfc(-z * 0.7071067811865476);
}

/* E[clip(v, 0, top)] of v ~ N(beta, gamma^2); top may be INFINITY. */
static double clipped_mean(double beta, double gamma, double top)
{
    if (!(gamma > 1e-12)) {
        return beta < 0.0 ? 0.0 : beta > top ? top : beta;
    }
    const double a = -beta / gamma;
    if (isinf(top)) {
        return beta * (1.0 - below(a)) + gamma * density(a);
    }
    const double b = (top - beta) / gamma;
    return gamma * (density(a) - density(b)) + beta * (below(b) - below(a)) + top * (1.0 - below(b));
}

bool pare_batch_norm_means(const struct pare_graph *g, int tensor, int channels, double *mean)
{
    bool relu = false;
    double top = INFINITY;
    for (int steps = 0; tensor >= 0 && steps < 3; steps++) {
        const int node = g->tensors[tensor].producer;
        if (node < 0) {
            return false;
        }
        const struct pare_node *n = &g->nodes[node];
        if (n->bn != NULL) {
            for (int c = 0; n->bn->n == channels && c < channels; c++) {
                const double beta = (double)n->bn->beta[c], gamma = fabs((double)n->bn->gamma[c]);
                mean[c] = relu ? clipped_mean(beta, gamma, top) : beta;
            }
            return n->bn->n == channels;
        }
        if (relu || !(n->op == PARE_OP_RELU || (n->op == PARE_OP_CLIP && n->n_in == 1 && n->attr.lo == 0.0f))) {
            return false;
        }
        relu = true;
        top = n->op == PARE_OP_CLIP ? (double)n->attr.hi : INFINITY;
        tensor = n->in[0];
    }
    return false;
}

static bool analytic_correction(struct make_layer *l)
{
    const struct pare_tensor *x = &l->g->tensors[l->g->nodes[l->node].in[0]];
    const int inputs = x->rank > 0 ? (int)x->dims[x->rank - 1] : 0;
    double *mean = calloc((size_t)inputs + 1, sizeof *mean);
    if (mean == NULL) {
        return false;
    }
    if (pare_batch_norm_means(l->g, l->g->nodes[l->node].in[0], inputs, mean)) {
        for (int c = 0; c < l->channels; c++) {
            double sum = 0.0;
            for (int i = 0; i < l->k; i++) {
                const size_t at = (size_t)c * (size_t)l->k + (size_t)i;
                const int group = c / (l->channels / l->groups);
                const int in = l->depthwise ? c * inputs / l->channels : group * l->depth + i % l->depth;
                const struct make_grid *grid = &make_grids(l, c)[make_part(l, i)];
                sum += (make_real(grid, l->codes[at]) - (double)l->w[at]) * mean[in];
            }
            l->correction[c] = (float)-sum;
        }
    }
    free(mean);
    return true;
}

/* ---- the layer ---- */

static bool fill(struct make_layer *l, struct pare_arena *arena, struct pare_weight_codes *out)
{
    const size_t n = (size_t)l->channels * (size_t)l->k, channels = (size_t)l->channels;
    const size_t grids = channels * (size_t)l->n_parts;
    out->n_channels = l->channels;
    out->per_channel = l->k;
    out->n_groups = l->n_parts;
    out->group = l->part;
    const bool real = l->method->weights == PARE_WEIGHTS_PO2 && l->level.w_bits > 1;
    out->codes = real ? NULL : pare_arena_array(arena, n, 1);
    out->real = real ? pare_arena_array(arena, n, sizeof *out->real) : NULL;
    out->scale = pare_arena_array(arena, grids, sizeof *out->scale);
    out->sum = pare_arena_array(arena, grids, sizeof *out->sum);
    out->zero_point = pare_arena_array(arena, grids, sizeof *out->zero_point);
    out->correction = pare_arena_array(arena, channels, sizeof *out->correction);
    if ((out->codes == NULL && out->real == NULL) || out->scale == NULL || out->sum == NULL || out->zero_point == NULL ||
        out->correction == NULL) {
        return false;
    }
    bool zeros = false, corrected = false;
    for (int c = 0; c < l->channels; c++) {
        for (int part = 0; part < l->n_parts; part++) {
            const struct make_grid *g = &make_grids(l, c)[part];
            out->scale[(size_t)part * channels + (size_t)c] = g->scale;
            out->zero_point[(size_t)part * channels + (size_t)c] = g->zero;
            zeros = zeros || g->zero != 0;
        }
        out->correction[c] = l->correction[c];
        corrected = corrected || l->correction[c] != 0.0f;
        for (int i = 0; i < l->k; i++) {
            const int code = l->codes[(size_t)c * (size_t)l->k + (size_t)i];
            const size_t at = l->depthwise ? (size_t)i * channels + (size_t)c : (size_t)c * (size_t)l->k + (size_t)i;
            if (real) {
                out->real[at] = (float)make_real(&make_grids(l, c)[make_part(l, i)], code);
                continue;
            }
            out->codes[at] = (int8_t)code;
            out->sum[(size_t)make_part(l, i) * channels + (size_t)c] += code;
        }
    }
    out->zero_point = zeros ? out->zero_point : NULL;
    out->correction = corrected ? out->correction : NULL;
    return true;
}

static enum pare_status load(struct make_layer *l, struct pare_error *err)
{
    const size_t n = (size_t)l->channels * (size_t)l->k;
    float *raw = malloc(n * sizeof *raw);
    l->w = malloc(n * sizeof *l->w);
    l->codes = calloc(n, sizeof *l->codes);
    l->grid = calloc((size_t)l->channels * (size_t)l->n_parts, sizeof *l->grid);
    l->correction = calloc((size_t)l->channels, sizeof *l->correction);
    enum pare_status status = raw != NULL && l->w != NULL && l->codes != NULL && l->grid != NULL && l->correction != NULL
                                  ? pare_weights_f32(l->g, l->node, raw, err)
                                  : pare_error_nomem(err);
    for (size_t i = 0; status == PARE_OK && i < n; i++) {
        const size_t c = l->depthwise ? i % (size_t)l->channels : i / (size_t)l->k;
        const size_t k = l->depthwise ? i / (size_t)l->channels : i % (size_t)l->k;
        l->w[c * (size_t)l->k + k] = raw[i];
        if (!isfinite(raw[i])) {
            status = pare_error(err, PARE_ERR_FORMAT, l->name, "weight %zu of channel %zu is not finite", k, c);
        }
    }
    free(raw);
    return status;
}

static enum pare_status make(struct make_layer *l, struct pare_arena *arena, struct pare_weight_codes *out,
                             struct pare_error *err)
{
    enum pare_status status = load(l, err);
    if (status != PARE_OK) {
        return status;
    }
    bool ok = choose_grids(l);
    nearest(l);
    const bool samples = l->rows != NULL && l->rows->n > 0;
    ok = ok && (l->method->rounding != PARE_ROUND_SQUANT || squant(l));
    if (ok && samples && (l->method->rounding >= PARE_ROUND_ADAROUND || l->method->bias >= PARE_BIAS_EMPIRICAL)) {
        ok = make_by_samples(l);
    }
    if (ok && l->method->bias == PARE_BIAS_ANALYTIC) {
        ok = analytic_correction(l);
    }
    ok = ok && fill(l, arena, out);
    return ok ? PARE_OK : pare_error_nomem(err);
}

/* Taps, groups of the convolution, input channels of a tap and their parts; false: only the default codes. */
static bool shape_of(const struct pare_graph *g, struct make_layer *l)
{
    const struct pare_node *n = &g->nodes[l->node];
    l->taps = l->groups = l->n_parts = 1;
    l->depthwise = n->op == PARE_OP_DEPTHWISE;
    if (n->op != PARE_OP_FULLY_CONNECTED) {
        for (int i = 0; i < n->attr.window.n_spatial; i++) {
            l->taps *= n->attr.window.kernel[i];
        }
        l->groups = l->depthwise ? 1 : n->attr.groups;
    }
    if (l->taps < 1 || l->k % l->taps != 0) {
        return false;
    }
    l->depth = l->part = l->k / l->taps;
    if (l->method->per == PARE_PER_GROUP && l->depth > l->method->group) {
        l->part = l->method->group;
        l->n_parts = (l->depth + l->part - 1) / l->part;
    }
    return true;
}

/* Does the method make this layer's weights? Fills l for shape_of. */
static bool takes(const struct pare_maker *m, int node, struct pare_level level, struct make_layer *l)
{
    const int64_t weights = pare_node_weights(m->graph, node), channels = pare_node_out_channels(m->graph, node);
    if (pare_weights_imported(m->graph, node, level.w_bits) || weights < 1 || channels < 1 || weights % channels != 0 ||
        weights > INT32_MAX / 8) {
        return false;
    }
    *l = (struct make_layer){.g = m->graph, .name = m->graph->nodes[node].name, .node = node, .channels = (int)channels,
                             .k = (int)(weights / channels), .method = &m->methods[node], .level = level,
                             .rows = m->own != NULL && m->own_node == node ? m->own
                                     : m->rows != NULL                     ? &m->rows[node]
                                                                           : NULL};
    return shape_of(m->graph, l);
}

bool pare_maker_real(const struct pare_maker *m, int node, struct pare_level level)
{
    struct make_layer l;
    return m->methods[node].weights == PARE_WEIGHTS_PO2 && level.w_bits >= 2 && level.w_bits <= 8 &&
           level.kind != PARE_LEVEL_FP32 && level.kind != PARE_LEVEL_FP16 && takes(m, node, level, &l);
}

int64_t pare_maker_bytes(const struct pare_maker *m, int node, struct pare_level level)
{
    return pare_layer_bytes(m->graph, node, level, &m->methods[node]);
}

enum pare_status pare_maker_weights(const struct pare_maker *m, int node, struct pare_level level,
                                    const struct pare_grid *x, struct pare_arena *arena,
                                    struct pare_weight_codes *out, struct pare_error *err)
{
    struct make_layer l;
    if (!takes(m, node, level, &l)) {
        return pare_weights_quantize(m->graph, node, level.w_bits, arena, out, err);
    }
    l.x = x;
    memset(out, 0, sizeof *out);
    enum pare_status status = make(&l, arena, out, err);
    free(l.w);
    free(l.codes);
    free(l.grid);
    free(l.correction);
    return status;
}
