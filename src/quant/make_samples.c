/*
 * make_samples.c: weights chosen by what they do to samples of the layer's input.
 *
 * With x the float inputs, x^ the same on the grid that the layer reads, the output error of a channel is
 *   | x^ s q - x w |^2 = s^2 q'Gq - 2 s q'Cw + const,   G = x^'x^, C = x^'x
 * (columns without their means when the bias is corrected by samples; G and C take a ridge that pulls towards w). Codes with
 * the least error give outputs that are too small: errors in x^ weaken what they have to do with x w, and least squares answers by
 * less of it (regression dilution), from layer to layer again. So where the bias is corrected too, the scale of a channel of its
 * own is multiplied by what gives its outputs the variance of x w on these rows.
 * seqmse: the scale among 20 shrunken ones whose nearest codes have the least error, on up to 128 rows.
 * adaround: every weight to the code below or above it (AdaRound's choice), by coordinate descent on this error from the
 *   nearest codes. (The paper relaxes the same problem to sigmoids and uses Adam; descent needs no tuning and is exact at
 *   every step.) Powers of two: to the power below or above it.
 * descent: the same with any code of the grid, and the scale fitted again in between (powers of two: as adaround).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/make_parts.h"

#define MAX_K 2304
#define RIDGE 0.02f
#define LEAST_FACTOR 0.8 /* few samples say no more */
#define MOST_FACTOR 1.6

struct block {
    int n, k;
    float *x, *xq;           /* [n][k] of the channels under way; centred */
    float *mean_x, *mean_xq; /* [k] */
    float *g, *c;            /* [k][k]; NULL when not needed */
    float *a, *b;            /* [k] */
};

static void gather(const struct make_layer *l, int channel, struct block *b)
{
    const struct pare_rows *r = l->rows;
    const bool codes = l->x != NULL && l->x->form == PARE_FORM_CODES;
    memset(b->mean_x, 0, (size_t)b->k * sizeof *b->mean_x);
    memset(b->mean_xq, 0, (size_t)b->k * sizeof *b->mean_xq);
    for (int i = 0; i < b->k; i++) {
        const int column = make_column(l, channel, i);
        double sum = 0.0, sum_q = 0.0;
        int rows = 0; /* of those at any position */
        for (int row = 0; row < b->n; row++) {
            const size_t at = (size_t)row * (size_t)r->columns + (size_t)column;
            const float v = r->x[at], u = r->xq != NULL ? r->xq[at] : v;
            const float q = codes ? pare_grid_real(l->x, pare_grid_code(l->x, u)) : u;
            b->x[(size_t)row * (size_t)b->k + (size_t)i] = v;
            b->xq[(size_t)row * (size_t)b->k + (size_t)i] = q;
            if (!r->loud || row % 2 == 0) {
                sum += (double)v;
                sum_q += (double)q;
                rows++;
            }
        }
        b->mean_x[i] = (float)(sum / rows);
        b->mean_xq[i] = (float)(sum_q / rows);
    }
    if (l->method->bias >= PARE_BIAS_EMPIRICAL) {
        for (int row = 0; row < b->n; row++) {
            for (int i = 0; i < b->k; i++) {
                b->x[(size_t)row * (size_t)b->k + (size_t)i] -= b->mean_x[i];
                b->xq[(size_t)row * (size_t)b->k + (size_t)i] -= b->mean_xq[i];
            }
        }
    }
}

/* to[k][k] = p' q, and the ridge on its diagonal. */
static void product(const struct block *b, const float *p, const float *q, float ridge, float *to)
{
    const size_t k = (size_t)b->k;
    memset(to, 0, k * k * sizeof *to);
    for (int row = 0; row < b->n; row++) {
        const float *pr = p + (size_t)row * k, *qr = q + (size_t)row * k;
        for (size_t i = 0; i < k; i++) {
            const float v = pr[i];
            float *line = to + i * k;
            for (size_t j = 0; v != 0.0f && j < k; j++) {
                line[j] += v * qr[j];
            }
        }
    }
    for (size_t i = 0; i < k; i++) {
        to[i * k + i] += ridge;
    }
}

static void squares(struct block *b)
{
    double power = 0.0;
    for (size_t i = 0; i < (size_t)b->n * (size_t)b->k; i++) {
        power += (double)b->xq[i] * (double)b->xq[i];
    }
    const float ridge = RIDGE * (float)(power / b->k) + 1e-12f;
    product(b, b->xq, b->xq, ridge, b->g);
    product(b, b->xq, b->x, ridge, b->c);
}

static void times(const float *m, const float *v, int k, float *to)
{
    for (int i = 0; i < k; i++) {
        float sum = 0.0f;
        const float *line = m + (size_t)i * (size_t)k;
        for (int j = 0; j < k; j++) {
            sum += line[j] * v[j];
        }
        to[i] = sum;
    }
}

/* Grid g with its scale times twentieths / 20. */
static struct make_grid shrunken(const struct make_grid *g, int twentieths)
{
    struct make_grid to = *g;
    to.scale = twentieths == 20 ? g->scale : g->scale * (float)twentieths / 20.0f;
    return to;
}

/* Output error of nearest codes at shrunken scales, on at most 128 rows. */
static double output_error(const struct make_layer *l, const struct make_grid *grids, int twentieths, const float *w,
                           const struct block *b, float *wq)
{
    double error = 0.0;
    const int rows = b->n < 128 ? b->n : 128;
    for (int i = 0; i < b->k; i++) {
        const struct make_grid g = shrunken(&grids[make_part(l, i)], twentieths);
        wq[i] = g.scale * (float)(make_code(&g, w[i]) - g.zero);
    }
    for (int row = 0; row < rows; row++) {
        const float *x = b->x + (size_t)row * (size_t)b->k, *xq = b->xq + (size_t)row * (size_t)b->k;
        float sum = 0.0f;
        for (int i = 0; i < b->k; i++) {
            sum += xq[i] * wq[i] - x[i] * w[i];
        }
        error += (double)sum * (double)sum;
    }
    return error;
}

/* All grids of a channel shrink alike. */
static void best_scale(const struct make_layer *l, struct make_grid *grids, const float *w, const struct block *b, float *wq)
{
    int best = 20;
    double least = output_error(l, grids, 20, w, b, wq);
    for (int i = 1; i < 16; i++) {
        const double error = output_error(l, grids, 20 - i, w, b, wq);
        if (error < least) {
            least = error;
            best = 20 - i;
        }
    }
    for (int part = 0; part < l->n_parts; part++) {
        grids[part] = shrunken(&grids[part], best);
    }
}

/* Coordinate descent over the codes of one channel; b->a holds G q s - C w. */
static void descend(const struct make_layer *l, const struct make_grid *grids, const float *w, const struct block *b,
                    bool neighbours, int *codes)
{
    for (int round = 0; round < 20; round++) {
        int moved = 0;
        for (int i = 0; i < b->k; i++) {
            const float *line = b->g + (size_t)i * (size_t)b->k;
            const struct make_grid *g = &grids[make_part(l, i)];
            const float s = g->scale;
            const float ideal = -b->a[i] / (s * line[i]); /* steps to the minimum along i */
            int step = (int)rintf(fmaxf(fminf(ideal, 300.0f), -300.0f));
            if (step == 0) {
                continue;
            }
            int lo = g->lo, hi = g->hi;
            if (neighbours) {
                const float real = w[i] / s + (float)g->zero;
                const int under = (int)floorf(fmaxf(fminf(real, (float)hi), (float)lo));
                lo = under > lo ? under : lo;
                hi = under + 1 < hi ? under + 1 : hi;
            }
            int to = codes[i] + step;
            to = to < lo ? lo : to > hi ? hi : to;
            step = to - codes[i];
            const float change = s * (float)step;
            if (step == 0 || change * (2.0f * b->a[i] + change * line[i]) >= 0.0f) {
                continue;
            }
            codes[i] = to;
            for (int j = 0; j < b->k; j++) {
                b->a[j] += change * line[j];
            }
            moved++;
        }
        if (moved == 0) {
            break;
        }
    }
}

/* The same between the power below and the power above every weight. */
static void descend_powers(const struct make_layer *l, const struct make_grid *grids, const float *w, const struct block *b, int *codes)
{
    int moved = 1;
    for (int round = 0; round < 20 && moved > 0; round++) {
        moved = 0;
        for (int i = 0; i < b->k; i++) {
            const struct make_grid *g = &grids[make_part(l, i)];
            const float *line = b->g + (size_t)i * (size_t)b->k;
            const float place = log2f(fabsf(w[i])) - (float)ilogbf(g->scale) + (float)g->hi;
            if (!g->powers || !(place >= 1.0f && place < (float)g->hi)) {
                continue; /* one power alone is near */
            }
            const int under = (int)place, size = abs(codes[i]) == under ? under + 1 : under;
            const int to = codes[i] < 0 ? -size : size;
            const float change = (float)(make_real(g, to) - make_real(g, codes[i]));
            if (change * (2.0f * b->a[i] + change * line[i]) >= 0.0f) {
                continue;
            }
            codes[i] = to;
            for (int j = 0; j < b->k; j++) {
                b->a[j] += change * line[j];
            }
            moved++;
        }
    }
}

static void residual(const struct make_layer *l, const struct make_grid *grids, const struct block *b, const int *codes,
                     float *wq)
{
    for (int i = 0; i < b->k; i++) {
        wq[i] = (float)make_real(&grids[make_part(l, i)], codes[i]);
    }
    times(b->g, wq, b->k, b->a);
    for (int i = 0; i < b->k; i++) {
        b->a[i] -= b->b[i];
    }
}

/* The scale (of a channel's groups: one factor for all) with the least error for these codes, kept within 1.5. */
static void refit(const struct make_layer *l, struct make_grid *grids, const struct block *b, const float *wq)
{
    double qc = 0.0, qgq = 0.0; /* of wq = s q; b->a + b->b = G wq */
    for (int i = 0; i < b->k; i++) {
        qc += (double)wq[i] * (double)b->b[i];
        qgq += (double)wq[i] * ((double)b->a[i] + (double)b->b[i]);
    }
    if (qgq > 0.0 && qc > qgq / 1.5 && qc < qgq * 1.5) {
        for (int part = 0; part < l->n_parts; part++) {
            grids[part].scale = (float)((double)grids[part].scale * qc / qgq);
        }
    }
}

/* May a channel's scale be any number? */
static bool has_own_scale(const struct pare_method *m)
{
    return m->per != PARE_PER_TENSOR && m->weights != PARE_WEIGHTS_BITS && m->weights != PARE_WEIGHTS_PO2;
}

static void round_channel(struct make_layer *l, int channel, struct block *b, float *wq)
{
    const float *w = l->w + (size_t)channel * (size_t)l->k;
    int *codes = l->codes + (size_t)channel * (size_t)l->k;
    struct make_grid *g = make_grids(l, channel);
    const enum pare_rounding by = l->method->rounding;
    const bool own_scale = has_own_scale(l->method);
    bool any = false, powers = false; /* a group of zeros stays at 0 */
    for (int part = 0; part < l->n_parts; part++) {
        if (g[part].signs || g[part].ternary) {
            return;
        }
        any = any || g[part].hi > g[part].lo;
        powers = powers || g[part].powers;
    }
    if (!any) {
        return;
    }
    if (own_scale && (by == PARE_ROUND_SEQMSE || (by != PARE_ROUND_NEAREST && l->method->mse_scales))) {
        best_scale(l, g, w, b, wq);
    }
    for (int i = 0; by >= PARE_ROUND_ADAROUND && i < b->k; i++) {
        codes[i] = make_code(&g[make_part(l, i)], w[i]);
    }
    if ((by != PARE_ROUND_ADAROUND && by != PARE_ROUND_DESCENT) || b->g == NULL) {
        return;
    }
    times(b->c, w, b->k, b->b);
    residual(l, g, b, codes, wq);
    if (powers) {
        descend_powers(l, g, w, b, codes);
        return;
    }
    descend(l, g, w, b, by == PARE_ROUND_ADAROUND, codes);
    for (int round = 0; by == PARE_ROUND_DESCENT && own_scale && round < 2; round++) {
        residual(l, g, b, codes, wq);
        refit(l, g, b, wq);
        residual(l, g, b, codes, wq);
        descend(l, g, w, b, false, codes);
    }
}

/* Gives a channel's quantized outputs the variance of its float ones, by its scale. */
static void match_power(struct make_layer *l, int channel, const struct block *b, float *wq)
{
    const float *w = l->w + (size_t)channel * (size_t)l->k;
    const int *codes = l->codes + (size_t)channel * (size_t)l->k;
    struct make_grid *grids = make_grids(l, channel);
    double real = 0.0, quantized = 0.0;
    for (int i = 0; i < b->k; i++) {
        const struct make_grid *g = &grids[make_part(l, i)];
        wq[i] = g->scale * (float)(codes[i] - g->zero);
    }
    for (int row = 0; row < b->n; row++) {
        const float *x = b->x + (size_t)row * (size_t)b->k, *xq = b->xq + (size_t)row * (size_t)b->k;
        float y = 0.0f, q = 0.0f;
        for (int i = 0; i < b->k; i++) {
            y += x[i] * w[i];
            q += xq[i] * wq[i];
        }
        real += (double)y * (double)y;
        quantized += (double)q * (double)q;
    }
    if (!(real > 0.0) || !(quantized > 0.0)) {
        return;
    }
    const double factor = sqrt(real / quantized);
    for (int part = 0; part < l->n_parts; part++) {
        grids[part].scale *= (float)(factor < LEAST_FACTOR ? LEAST_FACTOR : factor > MOST_FACTOR ? MOST_FACTOR : factor);
    }
}

static void correct(struct make_layer *l, int channel, const struct block *b)
{
    double sum = 0.0;
    for (int i = 0; i < b->k; i++) {
        const size_t at = (size_t)channel * (size_t)l->k + (size_t)i;
        const struct make_grid *g = &make_grids(l, channel)[make_part(l, i)];
        sum += (double)l->w[at] * (double)b->mean_x[i] - make_real(g, l->codes[at]) * (double)b->mean_xq[i];
    }
    l->correction[channel] = (float)sum;
}

/* BatchNorm again, on the quantized outputs y of the samples: gamma (y - mean) / sigma + beta, with the gamma and beta that
 * were kept when it was folded. The factor goes into the channel's scale, the rest into its bias. */
static void reestimate(struct make_layer *l, int channel, const struct block *b, float bias)
{
    const struct pare_bn_stats *bn = l->g->nodes[l->node].bn;
    struct make_grid *grids = make_grids(l, channel);
    double mean = 0.0, power = 0.0;
    for (int row = -1; row < b->n; row++) { /* -1: the mean; x^ itself is centred */
        const float *x = row < 0 ? b->mean_xq : b->xq + (size_t)row * (size_t)b->k;
        double sum = 0.0;
        for (int i = 0; i < b->k; i++) {
            const struct make_grid *g = &grids[make_part(l, i)];
            sum += make_real(g, l->codes[(size_t)channel * (size_t)l->k + (size_t)i]) * (double)x[i];
        }
        mean = row < 0 ? sum : mean;
        power += row < 0 ? 0.0 : sum * sum;
    }
    const double sigma = sqrt(power / b->n), gamma = fabs((double)bn->gamma[channel]);
    double factor = has_own_scale(l->method) && sigma > 1e-9 && gamma > 1e-9 ? gamma / sigma : 1.0;
    factor = factor < 0.5 ? 0.5 : factor > 2.0 ? 2.0 : factor; /* few samples say no more */
    for (int part = 0; part < l->n_parts; part++) {
        grids[part].scale *= (float)factor;
    }
    l->correction[channel] = (float)((double)bn->beta[channel] - factor * mean - (double)bias);
}

/* The layer's float bias where its BatchNorm is to be estimated again, else NULL. */
static float *own_bias(const struct make_layer *l)
{
    const struct pare_bn_stats *bn = l->g->nodes[l->node].bn;
    if (l->method->bias != PARE_BIAS_REESTIMATE || bn == NULL || bn->n != l->channels) {
        return NULL;
    }
    float *bias = calloc((size_t)l->channels, sizeof *bias);
    if (bias != NULL && pare_bias_f32(l->g, l->node, bias, NULL) != PARE_OK) {
        free(bias);
        bias = NULL;
    }
    return bias;
}

bool make_by_samples(struct make_layer *l)
{
    const size_t n = (size_t)l->rows->n, k = (size_t)l->k;
    const bool descends =
        (l->method->rounding == PARE_ROUND_ADAROUND || l->method->rounding == PARE_ROUND_DESCENT) && k <= MAX_K;
    struct block b = {.n = (int)n, .k = (int)k};
    float *bias = own_bias(l);
    float *memory = malloc((2 * n * k + 5 * k) * sizeof *memory);
    float *square = descends ? malloc(2 * k * k * sizeof *square) : NULL;
    const bool ok = memory != NULL && (square != NULL || !descends);
    const int per_block = l->depthwise ? 1 : l->channels / l->groups;
    if (ok) {
        b.x = memory;
        b.xq = b.x + n * k;
        b.mean_x = b.xq + n * k;
        b.mean_xq = b.mean_x + k;
        b.a = b.mean_xq + k;
        b.b = b.a + k;
        b.g = square;
        b.c = descends ? square + k * k : NULL;
    }
    for (int c = 0; ok && c < l->channels; c++) {
        if (c % per_block == 0) {
            gather(l, c, &b);
            if (descends) {
                squares(&b);
            }
        }
        if (l->method->rounding >= PARE_ROUND_ADAROUND) {
            round_channel(l, c, &b, b.b + k);
        }
        if (l->method->bias == PARE_BIAS_EMPIRICAL && l->method->rounding >= PARE_ROUND_ADAROUND && has_own_scale(l->method)) {
            match_power(l, c, &b, b.b + k);
        }
        if (l->method->bias == PARE_BIAS_EMPIRICAL) {
            correct(l, c, &b);
        } else if (l->method->bias == PARE_BIAS_REESTIMATE && bias != NULL) {
            reestimate(l, c, &b, bias[c]);
        }
    }
    free(memory);
    free(square);
    free(bias);
    return ok;
}
