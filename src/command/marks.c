/*
 * marks.c: which points stand out in two figures: the front, the front of before, and what is tied with the front. A pure
 * function of the state, so that every pair of axes has its own.
 */
#include <math.h>
#include <stdlib.h>

#include "measure/stats.h"
#include "pare.h"
#include "search/front.h"

const struct pare_figure *pare_point_figure(const struct pare_point *p, enum pare_point_figure figure)
{
    switch (figure) {
    case PARE_POINT_DROP: return &p->drop;
    case PARE_POINT_LATENCY: return &p->latency;
    case PARE_POINT_BYTES: return &p->bytes;
    case PARE_POINT_BITOPS: return &p->bitops;
    case PARE_POINT_ENERGY: return &p->energy;
    case PARE_POINT_LOSS: return &p->loss;
    case PARE_POINT_DROP_PREDICTED: return &p->drop_predicted;
    case PARE_POINT_LATENCY_PREDICTED: return &p->latency_predicted;
    default: return &p->accuracy;
    }
}

/* Smaller is better. */
static double cost_of(const struct pare_point *p, enum pare_point_figure figure)
{
    double value = pare_point_figure(p, figure)->value;
    return figure == PARE_POINT_ACCURACY ? -value : value;
}

static bool is_sampled(enum pare_point_figure figure)
{
    return figure == PARE_POINT_ACCURACY || figure == PARE_POINT_DROP;
}

/* Does each value lie within the other's interval? */
static bool overlap(const struct pare_figure *a, const struct pare_figure *b)
{
    return a->value >= b->low && a->value <= b->high && b->value >= a->low && b->value <= a->high;
}

/* Samples of which a is right and b is not, and the reverse. */
static void count_paired(const struct pare_point *a, const struct pare_point *b, int *a_only, int *b_only)
{
    *a_only = *b_only = 0;
    for (int i = 0; i < (a->n_right + 63) / 64; i++) {
        *a_only += __builtin_popcountll(a->right[i] & ~b->right[i]);
        *b_only += __builtin_popcountll(b->right[i] & ~a->right[i]);
    }
}

/* Is `better` better than `p` beyond what the measurement can tell? */
static bool significant(const struct pare_point *better, const struct pare_point *p, enum pare_point_figure figure)
{
    double gain = cost_of(p, figure) - cost_of(better, figure), drop, low, high;
    if (!(gain > 0)) {
        return false;
    }
    if (is_sampled(figure) && p->n_right > 0 && p->n_right == better->n_right) {
        int lost, won;
        count_paired(better, p, &lost, &won);
        pare_interval_paired(lost, won, p->n_right, &drop, &low, &high);
        return low > 0;
    }
    return !overlap(pare_point_figure(p, figure), pare_point_figure(better, figure));
}

/* The front among the points `taken` whose two figures are of these kinds. */
static bool mark_kind(const struct pare_state *s, const enum pare_point_figure axes[2], const enum pare_figure_kind kinds[2],
                      bool old_only, double *room, bool *kept, unsigned char *marks)
{
    double *x = room, *y = room + s->n_points;
    for (int i = 0; i < s->n_points; i++) {
        const struct pare_point *p = &s->points[i];
        bool taken = (p->old || !old_only) && pare_point_figure(p, axes[0])->kind == kinds[0] &&
                     pare_point_figure(p, axes[1])->kind == kinds[1];
        x[i] = taken ? cost_of(p, axes[0]) : NAN;
        y[i] = taken ? cost_of(p, axes[1]) : NAN;
    }
    if (pare_front_of(s->n_points, x, y, kept, NULL) != PARE_OK) {
        return false;
    }
    for (int i = 0; i < s->n_points; i++) {
        if (kept[i]) {
            marks[i] |= old_only ? PARE_MARK_GHOST : PARE_MARK_FRONT;
        }
    }
    return true;
}

/* Every front point that beats p does so by less than can be told. */
static bool is_tied(const struct pare_state *s, const struct pare_point *p, const enum pare_point_figure axes[2],
                    const unsigned char *marks)
{
    bool beaten = false;
    for (int k = 0; k < 2; k++) {
        if (pare_point_figure(p, axes[k])->kind != PARE_FIGURE_MEASURED || isnan(pare_point_figure(p, axes[k])->value)) {
            return false;
        }
    }
    for (int i = 0; i < s->n_points; i++) {
        const struct pare_point *q = &s->points[i];
        bool same = (marks[i] & PARE_MARK_FRONT) != 0 && q != p;
        for (int k = 0; k < 2 && same; k++) {
            same = pare_point_figure(q, axes[k])->kind == PARE_FIGURE_MEASURED && cost_of(q, axes[k]) <= cost_of(p, axes[k]);
        }
        if (same && (significant(q, p, axes[0]) || significant(q, p, axes[1]))) {
            return false;
        }
        beaten = beaten || same;
    }
    return beaten;
}

bool pare_state_marks(const struct pare_state *s, enum pare_point_figure x, enum pare_point_figure y, unsigned char *marks)
{
    static const enum pare_figure_kind kinds[] = {PARE_FIGURE_MEASURED, PARE_FIGURE_PREDICTED, PARE_FIGURE_SIMULATED};
    const enum pare_point_figure axes[2] = {x, y};
    double *room = malloc(((size_t)s->n_points * 2 + 1) * sizeof *room);
    bool *kept = malloc((size_t)s->n_points + 1), ok = room != NULL && kept != NULL;
    for (int i = 0; i < s->n_points; i++) {
        marks[i] = 0;
    }
    for (int k = 0; ok && k < 18; k++) { /* a prediction does not beat a measurement, nor the reverse */
        const enum pare_figure_kind both[2] = {kinds[k / 2 % 3], kinds[k / 6]};
        ok = mark_kind(s, axes, both, k % 2 != 0, room, kept, marks);
    }
    for (int i = 0; ok && i < s->n_points; i++) {
        marks[i] &= (unsigned char)((marks[i] & PARE_MARK_FRONT) != 0 ? ~PARE_MARK_GHOST : ~0);
    }
    for (int i = 0; ok && i < s->n_points; i++) {
        if ((marks[i] & PARE_MARK_FRONT) == 0 && is_tied(s, &s->points[i], axes, marks)) {
            marks[i] |= PARE_MARK_TIED;
        }
    }
    free(room);
    free(kept);
    return ok;
}

void pare_state_reference(const struct pare_state *s, double *ms, double *drop)
{
    *ms = s->fp32_latency.value;
    *drop = isfinite(s->max_drop) && s->max_drop > 0 ? s->max_drop : 1;
}

double pare_state_hypervolume(const struct pare_state *s, int run)
{
    double *x = malloc(((size_t)s->n_points + 1) * 2 * sizeof *x), result = NAN, ms, drop;
    int n = 0;
    pare_state_reference(s, &ms, &drop);
    if (x != NULL && isfinite(ms)) {
        double *y = x + s->n_points + 1;
        for (int i = 0; i < s->n_points; i++) {
            if (s->points[i].run == run) {
                x[n] = s->points[i].latency.value;
                y[n] = isfinite(s->points[i].drop.value) ? fmax(s->points[i].drop.value, 0) : NAN;
                n += isfinite(x[n]) && isfinite(y[n]);
            }
        }
        result = n > 0 ? pare_hypervolume(n, x, y, ms, drop) / (ms * drop) : NAN;
    }
    free(x);
    return result;
}

int pare_state_tied(const struct pare_state *s, int a, int b)
{
    const struct pare_point *p = &s->points[a], *q = &s->points[b];
    const int n = p->n_right < q->n_right ? p->n_right : q->n_right;
    int lost = 0, won = 0;
    double drop, low, high;
    if (n == 0 || p->right == NULL || q->right == NULL) {
        return isfinite(p->drop.low) && isfinite(q->drop.low) ? overlap(&p->drop, &q->drop) : -1;
    }
    for (int i = 0; i < n; i++) { /* the samples that both know */
        const int x = (int)(p->right[i / 64] >> (i % 64) & 1), y = (int)(q->right[i / 64] >> (i % 64) & 1);
        lost += x && !y;
        won += !x && y;
    }
    pare_interval_paired(lost, won, n, &drop, &low, &high);
    return low <= 0 && high >= 0;
}
