/* sums.c: sums of floats in float64, and histograms. */
#include "ref.h"

#include "../pk_sums.h"
#include "../pk_tables.h"

#include <math.h>
#include <string.h>

void pk_moments_f32_ref(const float *x, size_t n, struct pk_moments *m)
{
    struct pk_moment_lanes lanes = {{0}, {0}, {0}, {0}};
    int64_t finite = 0;
    for (int l = 0; l < PK_SUM_LANES; l++) {
        lanes.lo[l] = INFINITY;
        lanes.hi[l] = -INFINITY;
    }
    for (size_t i = 0; i < n; i++) {
        const double v = (double)x[i];
        const size_t l = i % PK_SUM_LANES;
        if (isfinite(v)) {
            finite++;
            lanes.sum[l] += v;
            lanes.squares[l] += v * v;
            lanes.lo[l] = v < lanes.lo[l] ? v : lanes.lo[l];
            lanes.hi[l] = v > lanes.hi[l] ? v : lanes.hi[l];
        }
    }
    (void)pk_moments_end(&lanes, x, 0, (size_t)finite, m);
}

bool pk_moments_end(struct pk_moment_lanes *lanes, const float *rest, size_t n_rest, size_t n, struct pk_moments *m)
{
    double lo = INFINITY, hi = -INFINITY;
    *m = (struct pk_moments){.n = (int64_t)n};
    for (size_t l = 0; l < PK_SUM_LANES; l++) {
        if (l < n_rest) {
            const double v = (double)rest[l];
            lanes->sum[l] += v;
            lanes->squares[l] += v * v;
            lanes->lo[l] = v < lanes->lo[l] ? v : lanes->lo[l];
            lanes->hi[l] = v > lanes->hi[l] ? v : lanes->hi[l];
        }
        m->sum += lanes->sum[l];
        m->squares += lanes->squares[l];
        lo = lanes->lo[l] < lo ? lanes->lo[l] : lo;
        hi = lanes->hi[l] > hi ? lanes->hi[l] : hi;
    }
    if (n > 0) { /* + 0: not -0, which would tell of the order */
        m->min = (float)lo + 0.0f;
        m->max = (float)hi + 0.0f;
    }
    return isfinite(m->squares); /* squares of finite floats never overflow here */
}

static void add_distance(struct pk_distance_lanes *lanes, size_t l, float y, float x)
{
    const double a = (double)y, b = (double)x, e = a - b;
    lanes->sum[l] += e;
    lanes->squares[l] += e * e;
    lanes->signal[l] += b * b;
    lanes->power[l] += a * a;
    lanes->dot[l] += a * b;
    lanes->most[l] = fabs(e) > lanes->most[l] ? fabs(e) : lanes->most[l];
}

void pk_distance_f32_ref(const float *y, const float *x, size_t n, struct pk_distance *d)
{
    struct pk_distance_lanes lanes = {{0}, {0}, {0}, {0}, {0}, {0}};
    for (size_t i = 0; i < n; i++) {
        add_distance(&lanes, i % PK_SUM_LANES, y[i], x[i]);
    }
    pk_distance_end(&lanes, y, x, 0, d);
}

void pk_distance_end(struct pk_distance_lanes *lanes, const float *y, const float *x, size_t n_rest, struct pk_distance *d)
{
    memset(d, 0, sizeof *d);
    for (size_t l = 0; l < PK_SUM_LANES; l++) {
        if (l < n_rest) {
            add_distance(lanes, l, y[l], x[l]);
        }
        d->sum += lanes->sum[l];
        d->squares += lanes->squares[l];
        d->signal += lanes->signal[l];
        d->power += lanes->power[l];
        d->dot += lanes->dot[l];
        d->most = lanes->most[l] > d->most ? lanes->most[l] : d->most;
    }
}
