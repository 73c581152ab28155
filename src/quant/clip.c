/*
 * clip.c: see the header.
 * MSE: both ends are moved inwards in turn, on 64 steps each, until the expected squared error stops falling.
 * KL: TensorRT's idea on our histogram: the clip whose quantized histogram has the least divergence from the clipped one
 * (mass outside goes to the end bins); one factor for both ends.
 */
#include "quant/clip.h"

#include <math.h>

#include "quant/grid.h"

enum { STEPS = 64 };

double pare_clip_error(const struct pare_range *r, float lo, float hi, int bits)
{
    const double width = ((double)r->max - (double)r->min) / PARE_HISTOGRAM_BINS;
    const struct pare_grid g = pare_grid_asymmetric(lo, hi, bits);
    const double least = (double)pare_grid_real(&g, 0), most = (double)pare_grid_real(&g, (1 << bits) - 1);
    const double scale = (double)g.scale;
    double error = 0.0;
    for (int i = 0; i < PARE_HISTOGRAM_BINS; i++) {
        if (r->bins[i] == 0) {
            continue;
        }
        /* a bin that is wide beside the step sees the step's own error; one that is narrow sees its middle's */
        const double from = (double)r->min + width * i;
        double sum = 0.0;
        for (int k = 0; k < 4; k++) {
            const double v = from + width * (k + 0.5) / 4.0;
            const double inside = v < least ? least : v > most ? most : v;
            const double q = rint(inside / scale) * scale;
            sum += (v - q) * (v - q);
        }
        const bool zero = (double)r->min + width * i <= 0.0 && from + width > 0.0; /* relu's zeros are exact */
        error += (zero && r->min >= 0.0f ? 0.0 : 1.0) * (double)r->bins[i] * sum / 4.0;
    }
    return error;
}

static void choose_mse(const struct pare_range *r, int bits, float *lo, float *hi)
{
    double best = pare_clip_error(r, *lo, *hi, bits);
    const float lo0 = *lo, hi0 = *hi;
    for (int round = 0; round < 3; round++) {
        const float lo_was = *lo, hi_was = *hi;
        for (int k = 1; k <= STEPS && hi0 > 0.0f; k++) {
            const float h = hi0 * (float)k / STEPS;
            const double error = pare_clip_error(r, *lo, h, bits);
            if (error < best) {
                best = error;
                *hi = h;
            }
        }
        for (int k = 1; k <= STEPS && lo0 < 0.0f; k++) {
            const float l = lo0 * (float)k / STEPS;
            const double error = pare_clip_error(r, l, *hi, bits);
            if (error < best) {
                best = error;
                *lo = l;
            }
        }
        if (*lo == lo_was && *hi == hi_was) {
            break;
        }
    }
}

/* Divergence of the histogram clipped to lo..hi from the same spread evenly within every code. */
static double divergence(const struct pare_range *r, float lo, float hi, int bits)
{
    const struct pare_grid g = pare_grid_asymmetric(lo, hi, bits);
    const float width = (r->max - r->min) / PARE_HISTOGRAM_BINS;
    double mass[256] = {0.0}, p[PARE_HISTOGRAM_BINS] = {0.0}, all = 0.0, sum = 0.0;
    int n[256] = {0}, first = -1, last = -1;
    for (int i = 0; i < PARE_HISTOGRAM_BINS; i++) {
        const float v = r->min + width * ((float)i + 0.5f);
        if (v >= lo && v <= hi) {
            first = first < 0 ? i : first;
            last = i;
        }
    }
    if (first < 0) {
        return INFINITY;
    }
    for (int i = 0; i < PARE_HISTOGRAM_BINS; i++) {
        p[i < first ? first : i > last ? last : i] += r->bins[i];
        all += r->bins[i];
    }
    for (int i = first; i <= last; i++) { /* what lies outside is lost to the quantized one */
        const int code = pare_grid_code(&g, r->min + width * ((float)i + 0.5f));
        mass[code] += r->bins[i];
        n[code] += r->bins[i] > 0;
    }
    double inside = 0.0;
    for (int i = first; i <= last; i++) {
        inside += r->bins[i];
    }
    for (int i = first; i <= last; i++) {
        const int code = pare_grid_code(&g, r->min + width * ((float)i + 0.5f));
        const double q = r->bins[i] > 0 ? mass[code] / n[code] / inside : 1e-9;
        sum += p[i] > 0.0 ? p[i] / all * log(p[i] / all / (q > 1e-12 ? q : 1e-12)) : 0.0;
    }
    return sum;
}

static void choose_kl(const struct pare_range *r, int bits, float *lo, float *hi)
{
    const float lo0 = *lo, hi0 = *hi;
    double best = INFINITY;
    for (int k = STEPS; k >= 4; k--) {
        const float part = (float)k / STEPS;
        const double d = divergence(r, lo0 * part, hi0 * part, bits);
        if (d < best) {
            best = d;
            *lo = lo0 * part;
            *hi = hi0 * part;
        }
    }
}

static void choose_percentile(const struct pare_range *r, double part, float *lo, float *hi)
{
    const float width = (r->max - r->min) / PARE_HISTOGRAM_BINS;
    double all = 0.0, below = 0.0, above = 0.0;
    for (int i = 0; i < PARE_HISTOGRAM_BINS; i++) {
        all += r->bins[i];
    }
    const double out = all * (1.0 - part);
    int first = 0, last = PARE_HISTOGRAM_BINS - 1;
    while (first < last && below + r->bins[first] <= out) {
        below += r->bins[first++];
    }
    while (last > first && above + r->bins[last] <= out) {
        above += r->bins[last--];
    }
    *lo = first == 0 ? r->min : r->min + width * (float)first;
    *hi = last == PARE_HISTOGRAM_BINS - 1 ? r->max : r->min + width * (float)(last + 1);
}

void pare_clip_choose(struct pare_range *r, const struct pare_method *m)
{
    bool seen = false;
    for (int i = 0; i < PARE_HISTOGRAM_BINS && !seen; i++) {
        seen = r->bins[i] > 0;
    }
    const bool given = m->ranges == PARE_RANGES_GIVEN;
    const bool from_bins =
        m->ranges == PARE_RANGES_MSE || m->ranges == PARE_RANGES_KL || m->ranges == PARE_RANGES_PERCENTILE;
    if (m->ranges == PARE_RANGES_MINMAX || m->ranges == PARE_RANGES_BN || (from_bins && (!seen || r->max <= r->min)) ||
        (!given && r->n == 0)) {
        return;
    }
    r->clipped = true;
    for (int bits = 2; bits <= 8; bits++) {
        float lo = r->min < 0.0f ? r->min : 0.0f, hi = r->max > 0.0f ? r->max : 0.0f;
        switch (m->ranges) {
        case PARE_RANGES_AVERAGE:
            lo = r->average_min;
            hi = r->average_max;
            break;
        case PARE_RANGES_PERCENTILE:
            choose_percentile(r, m->percentile, &lo, &hi);
            break;
        case PARE_RANGES_MSE:
            choose_mse(r, bits, &lo, &hi);
            break;
        case PARE_RANGES_KL:
            choose_kl(r, bits, &lo, &hi);
            break;
        default:
            lo = m->given_lo;
            hi = m->given_hi;
            break;
        }
        r->clip_lo[bits] = lo;
        r->clip_hi[bits] = hi;
    }
}

bool pare_clip_batch_norm(const struct pare_graph *g, int tensor, double sigmas, float *lo, float *hi)
{
    float least = -INFINITY, most = INFINITY;
    for (int steps = 0; tensor >= 0 && steps < 8; steps++) {
        const int node = g->tensors[tensor].producer;
        if (node < 0) {
            return false;
        }
        const struct pare_node *n = &g->nodes[node];
        if (n->bn != NULL && n->bn->n > 0) {
            *lo = INFINITY;
            *hi = -INFINITY;
            for (int c = 0; c < n->bn->n; c++) {
                const float reach = (float)sigmas * fabsf(n->bn->gamma[c]);
                *lo = fminf(*lo, n->bn->beta[c] - reach);
                *hi = fmaxf(*hi, n->bn->beta[c] + reach);
            }
            *lo = fmaxf(fminf(*lo, most), least);
            *hi = fminf(fmaxf(*hi, least), most);
            return isfinite(*lo) && isfinite(*hi);
        }
        if (n->op == PARE_OP_RELU) {
            least = fmaxf(least, 0.0f);
        } else if (n->op == PARE_OP_CLIP) {
            least = fmaxf(least, n->attr.lo);
            most = fminf(most, n->attr.hi);
        } else if (n->op != PARE_OP_MAX_POOL && n->op != PARE_OP_RESHAPE && n->op != PARE_OP_PAD) {
            return false;
        }
        tensor = n->in[0];
    }
    return false;
}
