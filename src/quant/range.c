/* range.c: extremes, moments and histogram of one tensor; the two means of a one-bit quantizer. */
#include "quant/range.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pk.h"
#include "pk_ops.h"

void pare_range_init(struct pare_range *r)
{
    memset(r, 0, sizeof *r);
}

void pare_range_average(struct pare_range *to, float min, float max)
{
    const double part = to->n_runs < 100 ? 1.0 / (double)(to->n_runs + 1) : 0.01;
    to->average_min += (float)(part * ((double)min - (double)to->average_min));
    to->average_max += (float)(part * ((double)max - (double)to->average_max));
    to->n_runs++;
}

void pare_range_add_run(struct pare_range *to, const struct pare_range *run)
{
    if (run->n > 0) {
        pare_range_average(to, run->min, run->max);
        to->min = to->n == 0 || run->min < to->min ? run->min : to->min;
        to->max = to->n == 0 || run->max > to->max ? run->max : to->max;
    }
    to->n += run->n;
    to->n_nonfinite += run->n_nonfinite;
    to->sum += run->sum;
    to->sum_squares += run->sum_squares;
}

void pare_range_add(struct pare_range *r, const float *x, size_t n)
{
    struct pk_moments m;
    pk_moments_f32(pk_isa_best(), x, n, &m);
    if (m.n > 0) {
        r->min = r->n == 0 || m.min < r->min ? m.min : r->min;
        r->max = r->n == 0 || m.max > r->max ? m.max : r->max;
    }
    r->n += m.n;
    r->n_nonfinite += (int64_t)n - m.n;
    r->sum += m.sum;
    r->sum_squares += m.squares;
}

void pare_range_add_histogram(struct pare_range *r, const float *x, size_t n)
{
    const double span = (double)r->max - (double)r->min;
    const float per_unit = span > 0.0 ? (float)(PARE_HISTOGRAM_BINS / span) : 0.0f;
    pk_histogram(x, n, r->min, per_unit, PARE_HISTOGRAM_BINS, r->bins);
}

/* Means of the values below and above position `cut` (in bins), values spread evenly inside their
 * bin; an empty side keeps its old mean. Positions and means are in bins from min. */
static void side_means(const struct pare_range *r, double cut, double *lo, double *hi)
{
    double sum[2] = {0.0, 0.0}, count[2] = {0.0, 0.0};
    for (int i = 0; i < PARE_HISTOGRAM_BINS; i++) {
        const double n = r->bins[i];
        double below = cut - (double)i; /* part of the bin below the cut */
        below = below < 0.0 ? 0.0 : below > 1.0 ? 1.0 : below;
        sum[0] += n * below * ((double)i + below / 2.0);
        sum[1] += n * (1.0 - below) * ((double)i + (1.0 + below) / 2.0);
        count[0] += n * below;
        count[1] += n * (1.0 - below);
    }
    *lo = count[0] > 0.0 ? sum[0] / count[0] : *lo;
    *hi = count[1] > 0.0 ? sum[1] / count[1] : *hi;
}

void pare_range_finish(struct pare_range *r)
{
    /* Lloyd's iteration from the extremes: the border is the middle of the two means. */
    const double span = (double)r->max - (double)r->min;
    double lo = 0.0, hi = PARE_HISTOGRAM_BINS, cut = -1.0;
    uint64_t counted = 0;
    for (int i = 0; i < PARE_HISTOGRAM_BINS; i++) {
        counted += r->bins[i];
    }
    for (int round = 0; counted > 0 && span > 0.0 && round < 500; round++) {
        const double next = (lo + hi) / 2.0;
        if (fabs(next - cut) < 1e-6) {
            break;
        }
        cut = next;
        side_means(r, cut, &lo, &hi);
    }
    r->two_lo = (float)((double)r->min + span * lo / PARE_HISTOGRAM_BINS);
    r->two_hi = (float)((double)r->min + span * hi / PARE_HISTOGRAM_BINS);
}

double pare_range_sigma(const struct pare_range *r)
{
    if (r->n == 0) {
        return 0.0;
    }
    const double mean = r->sum / (double)r->n;
    const double variance = r->sum_squares / (double)r->n - mean * mean;
    return variance > 0.0 ? sqrt(variance) : 0.0;
}

enum pare_status pare_calibration_init(struct pare_calibration *c, int n_tensors,
                                       struct pare_error *err)
{
    c->n_tensors = n_tensors;
    c->log = NULL;
    c->ranges = calloc(n_tensors > 0 ? (size_t)n_tensors : 1, sizeof *c->ranges);
    if (c->ranges == NULL) {
        c->n_tensors = 0;
        return pare_error_nomem(err);
    }
    return PARE_OK;
}

void pare_calibration_clear(struct pare_calibration *c)
{
    free(c->ranges);
    c->ranges = NULL;
    c->n_tensors = 0;
}

json_t *pare_calibration_to_json(const struct pare_calibration *c)
{
    json_t *rows = json_array();
    for (int i = 0; i < c->n_tensors; i++) {
        const struct pare_range *r = &c->ranges[i];
        const double mean = r->n > 0 ? r->sum / (double)r->n : 0.0;
        json_t *row = json_pack("[I,f,f,f,f,f,f,I]", (json_int_t)r->n, (double)r->min, (double)r->max, mean,
                                pare_range_sigma(r), (double)r->two_lo, (double)r->two_hi, (json_int_t)r->n_nonfinite);
        if (r->clipped) {
            json_t *clip = json_array();
            for (int bits = 2; bits <= 8; bits++) {
                json_array_append_new(clip, json_real((double)r->clip_lo[bits]));
                json_array_append_new(clip, json_real((double)r->clip_hi[bits]));
            }
            json_array_append_new(row, clip);
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

/* A finite number of a row that fits a float. */
static bool row_number(const json_t *row, size_t i, double *value)
{
    const json_t *item = json_array_get(row, i);
    *value = json_number_value(item);
    return json_is_number(item) && isfinite(*value);
}

static bool clip_from_row(const json_t *clip, struct pare_range *r)
{
    r->clipped = clip != NULL;
    for (int bits = 2; r->clipped && bits <= 8; bits++) {
        double lo, hi;
        if (!row_number(clip, 2 * (size_t)(bits - 2), &lo) || !row_number(clip, 2 * (size_t)(bits - 2) + 1, &hi)) {
            return false;
        }
        r->clip_lo[bits] = (float)lo;
        r->clip_hi[bits] = (float)hi;
        if (!(lo <= hi) || !isfinite(r->clip_lo[bits]) || !isfinite(r->clip_hi[bits])) {
            return false;
        }
    }
    return true;
}

static bool range_from_row(const json_t *row, struct pare_range *r)
{
    double v[8];
    for (size_t i = 0; i < 8; i++) {
        if (!row_number(row, i, &v[i])) {
            return false;
        }
    }
    pare_range_init(r);
    r->n = (int64_t)v[0];
    r->min = (float)v[1];
    r->max = (float)v[2];
    r->sum = v[3] * v[0];
    r->sum_squares = (v[4] * v[4] + v[3] * v[3]) * v[0];
    r->two_lo = (float)v[5];
    r->two_hi = (float)v[6];
    r->n_nonfinite = (int64_t)v[7];
    return clip_from_row(json_array_get(row, 8), r) && r->n >= 0 && r->min <= r->max && r->two_lo <= r->two_hi && isfinite(r->min) &&
           isfinite(r->max) && isfinite(r->two_lo) && isfinite(r->two_hi);
}

enum pare_status pare_calibration_from_json(const json_t *json, struct pare_calibration *c,
                                            struct pare_error *err)
{
    const size_t n = json_array_size(json);
    if (!json_is_array(json) || n > INT32_MAX) {
        return pare_error(err, PARE_ERR_FORMAT, "calibration", "not an array of ranges");
    }
    enum pare_status status = pare_calibration_init(c, (int)n, err);
    for (size_t i = 0; status == PARE_OK && i < n; i++) {
        const json_t *row = json_array_get(json, i);
        if ((json_array_size(row) != 8 && json_array_size(row) != 9) || !range_from_row(row, &c->ranges[i])) {
            status = pare_error(
                err, PARE_ERR_FORMAT, "calibration",
                "range %zu is not [n, min, max, mean, sigma, two_lo, two_hi, n_nonfinite]", i);
            pare_calibration_clear(c);
        }
    }
    return status;
}
