#include "measure/stopwatch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_ROUNDS = 60, TRIES = 3 };
#define PRIME_NS 60e3
#define OWN_CORE 0.95   /* of a block, else someone else had the core */
#define CLOCK_MOVES 0.03
/* Of the additions per cycle that the core did at its best: alone 5, shared 3 and less; a clock that moves meanwhile
 * makes 4 of 5 (2026-11-21). */
#define SHARED_CORE 0.75

/* Order statistics of its own: stats.h belongs to the core, which bare boards have not. */
static int compare_reals(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort_reals(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, compare_reals);
}

static double quantile_sorted(const double *x, int n, double q)
{
    const double at = q * (n - 1);
    const int low = (int)at, high = low + 1 < n ? low + 1 : low;
    return n > 0 ? x[low] + (at - low) * (x[high] - x[low]) : NAN;
}

static bool is_shared(const struct pare_block *b, float best_width)
{
    return (double)b->width < SHARED_CORE * (double)best_width;
}

/* The thread's time on its core since a moment, over the time since then. */
struct own_time {
    double cpu, wall;
};

static struct own_time own_time_start(void)
{
    return (struct own_time){pare_watch_cpu_ns(), pare_watch_ns()};
}

/*
 * Runs a contender until the clock stands: wide instructions lower it within some 20 us. expected: GHz that it came to stand at
 * before, or 0. The block must follow at once: nothing but runs and short readings since `since`.
 */
static double settle(const struct pare_contender *c, double expected, struct own_time *since)
{
    double ghz = expected, last;
    for (int i = 0; i < 6; i++) {
        *since = own_time_start();
        const double prime = pare_watch_ns();
        do {
            c->run(c->self);
        } while (pare_watch_ns() - prime < PRIME_NS);
        last = ghz;
        ghz = pare_watch_ghz();
        if (!(fabs(ghz - last) > 0.02 * ghz)) {
            break;
        }
    }
    return ghz;
}

/* One block; true when it was clean. best_width: of all blocks so far; b->ghz: of an earlier block, or 0. */
static bool time_block(const struct pare_contender *c, const struct pare_watch_options *o, float *best_width,
                       struct pare_block *b)
{
    const bool hot = o->between == NULL;
    if (!hot) {
        o->between(o->between_self);
    }
    double ghz = pare_watch_ghz(), ns, own, whole, ghz_after; /* own: on the core, of whole */
    const double width = pare_watch_width(ghz);
    const enum pare_tiles before = c->tiles ? pare_watch_tiles(ghz) : PARE_TILES_NONE;
    struct own_time since;
    if (hot) {
        ghz = settle(c, (double)b->ghz, &since);
    } else {
        since = own_time_start();
    }
    if (c->remote != NULL) {
        ns = whole = c->remote(c->self, c->repeats, &own);
        ghz_after = pare_watch_ghz();
    } else {
        const double start = pare_watch_ns();
        for (int i = 0; i < c->repeats; i++) {
            c->run(c->self);
        }
        ns = pare_watch_ns() - start;
        ghz_after = pare_watch_ghz(); /* at once: asking for the time on the core is long enough for the clock to rise */
        whole = pare_watch_ns() - since.wall;
        own = pare_watch_cpu_ns() - since.cpu;
    }
    const double width_after = pare_watch_width(ghz_after);
    const enum pare_tiles after = c->tiles ? pare_watch_tiles(ghz_after) : PARE_TILES_NONE;
    const bool moved = hot && fabs(ghz_after - ghz) > CLOCK_MOVES * ghz;
    b->ns = ns / c->repeats;
    b->ghz = (float)(hot ? 0.5 * (ghz + ghz_after) : ghz_after);
    b->tiles = (unsigned char)(before == after ? before : PARE_TILES_MIXED);
    b->width = isfinite(width) && isfinite(width_after) ? (float)(width < width_after ? width : width_after) : 0;
    *best_width = b->width > *best_width ? b->width : *best_width;
    /* a clock that cannot be read cannot be seen to move */
    b->disturbed = (unsigned char)((own < OWN_CORE * whole ? PARE_LOST_CORE : 0) | (moved ? PARE_CLOCK_MOVED : 0) |
                                   (b->tiles == PARE_TILES_MIXED ? PARE_TILES_MOVED : 0) |
                                   (is_shared(b, *best_width) ? PARE_SHARED_CORE : 0));
    return !b->disturbed;
}

static double median_of(const double *x, int n)
{
    double sorted[8];
    memcpy(sorted, x, (size_t)n * sizeof *x);
    sort_reals(sorted, n);
    return quantile_sorted(sorted, n, 0.5);
}

/* Until the median of the last five rounds differs from that of the five before by less than 1 %. */
static void warm_up(struct pare_contender *c, int n, const struct pare_watch_options *o, double window_ns)
{
    double last[5], previous = NAN;
    const double start = pare_watch_ns(), limit = o->seconds > 0 ? 0.5e9 * o->seconds : 0.5e9;
    for (int i = 0; i < n; i++) {
        const double t = pare_watch_ns();
        c[i].run(c[i].self);
        double ns = pare_watch_ns() - t;
        if (ns < window_ns / 4) {
            const double again = pare_watch_ns();
            c[i].run(c[i].self);
            ns = pare_watch_ns() - again;
        }
        if (c[i].repeats <= 0) {
            c[i].repeats = o->between != NULL || ns >= window_ns ? 1 : (int)(window_ns / (ns + 1)) + 1;
        }
    }
    for (int round = 0; round < WARM_ROUNDS && pare_watch_ns() - start < limit; round++) {
        const double t = pare_watch_ns();
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < c[i].repeats; k++) {
                c[i].run(c[i].self);
            }
        }
        last[round % 5] = pare_watch_ns() - t;
        if (round % 5 == 4) {
            const double now = median_of(last, 5);
            if (fabs(now - previous) < 0.01 * previous) {
                return;
            }
            previous = now;
        }
    }
}

/* Long runs make few rounds: a few more, rather than nine clean blocks of ten and no figure. */
static bool all_have_enough(const struct pare_series *series, int n)
{
    for (int i = 0; i < n; i++) {
        int clean = 0;
        for (int r = 0; r < series[i].n; r++) {
            clean += series[i].blocks[r].disturbed == 0;
        }
        if (clean < PARE_WATCH_CLEAN + 1) { /* one may be marked later */
            return false;
        }
    }
    return true;
}

/* Additions per cycle of most blocks of a watch: what the core can do, unless somebody shared it all the time. */
static double usual_width(const struct pare_series *series, int n)
{
    double medians[64], widths[PARE_WATCH_ROUNDS];
    int known = 0;
    for (int i = 0; i < n && known < 64; i++) {
        for (int r = 0; r < series[i].n; r++) {
            widths[r] = (double)series[i].blocks[r].width;
        }
        sort_reals(widths, series[i].n);
        if (series[i].n > 0) {
            medians[known++] = quantile_sorted(widths, series[i].n, 0.5);
        }
    }
    sort_reals(medians, known);
    return known > 0 ? quantile_sorted(medians, known, 0.5) : 0;
}

int pare_watch(struct pare_contender *c, int n, const struct pare_watch_options *o, struct pare_series *series)
{
    const double window = o->window_ns > 0 ? o->window_ns : 3e5, seconds = o->seconds > 0 ? o->seconds : 1;
    const int least = o->min_rounds > 0 ? o->min_rounds : 21;
    warm_up(c, n, o, window);
    for (int i = 0; i < n; i++) {
        series[i].n = series[i].repeated = 0;
    }
    const double start = pare_watch_ns();
    static _Thread_local float best_before; /* of earlier watches: a core that is shared throughout this one shows by it */
    float best_width = best_before;
    int round = 0;
    for (; round < PARE_WATCH_ROUNDS; round++) {
        const double spent = 1e-9 * (pare_watch_ns() - start);
        if ((round >= least && spent > seconds) ||
            (round >= PARE_WATCH_CLEAN && spent > 3 * seconds &&
             (round >= 2 * PARE_WATCH_CLEAN || spent > 40 * seconds || all_have_enough(series, n)))) {
            break;
        }
        for (int k = 0; k < n; k++) {
            const int i = round % 2 == 0 ? k : n - 1 - k; /* nobody always runs after the same neighbour */
            struct pare_block *b = &series[i].blocks[round];
            if (o->prepare != NULL) {
                o->prepare(o->hook_self, i, round);
            }
            b->ghz = round > 0 ? series[i].blocks[round - 1].ghz : 0;
            for (int tries = 0; tries < TRIES && !time_block(&c[i], o, &best_width, b); tries++) {
                series[i].repeated++;
            }
            series[i].n = round + 1;
            if (o->finish != NULL) {
                o->finish(o->hook_self, i, round);
            }
        }
        if (o->done != NULL) {
            o->done(o->done_self, spent < seconds ? spent / seconds : 0.99);
        }
    }
    const float usual = (float)usual_width(series, n);
    best_before = usual > best_before ? usual : best_before;
    for (int i = 0; i < n; i++) {
        for (int r = 0; r < series[i].n; r++) {
            struct pare_block *b = &series[i].blocks[r];
            b->disturbed |= is_shared(b, best_width) ? PARE_SHARED_CORE : 0; /* the best may have come later */
        }
    }
    return round;
}

static bool counts(const struct pare_block *b, enum pare_tiles state)
{
    return b->disturbed == 0 && (state == PARE_TILES_NONE || b->tiles == (unsigned char)state);
}

void pare_series_timing(const struct pare_series *s, enum pare_tiles state, struct pare_timing *t)
{
    double ns[PARE_WATCH_ROUNDS], cycles[PARE_WATCH_ROUNDS], ghz[PARE_WATCH_ROUNDS];
    int disturbed = 0, n = 0, why[4] = {0};
    for (int i = 0; i < s->n; i++) {
        const struct pare_block *b = &s->blocks[i];
        disturbed += b->disturbed != 0;
        for (int k = 0; k < 4; k++) {
            why[k] += (b->disturbed >> k) & 1;
        }
        if (counts(b, state)) {
            ns[n] = b->ns;
            ghz[n] = (double)b->ghz;
            cycles[n++] = b->ns * (double)b->ghz;
        }
    }
    *t = (struct pare_timing){.n = n, .min = NAN, .median = NAN, .p90 = NAN, .p99 = NAN, .cycles_min = NAN, .cycles = NAN,
                              .ghz = NAN, .disturbed = s->n > 0 ? (double)disturbed / s->n : NAN, .noisy = true};
    double *const shares[4] = {&t->lost, &t->moved, &t->shared, &t->tiles};
    for (int k = 0; k < 4; k++) {
        *shares[k] = s->n > 0 ? (double)why[k] / s->n : NAN;
    }
    if (n < PARE_WATCH_CLEAN) {
        return;
    }
    sort_reals(ns, n);
    sort_reals(ghz, n);
    sort_reals(cycles, n);
    t->min = ns[0];
    t->median = quantile_sorted(ns, n, 0.5);
    t->p90 = quantile_sorted(ns, n, 0.9);
    t->p99 = n >= 100 ? quantile_sorted(ns, n, 0.99) : NAN;
    t->cycles_min = cycles[0];
    t->cycles = quantile_sorted(cycles, n, 0.5);
    t->ghz = quantile_sorted(ghz, n, 0.5);
    t->noisy = quantile_sorted(cycles, n, 0.75) - quantile_sorted(cycles, n, 0.25) > 0.2 * t->cycles;
}

/* A clock that moved makes cycles unknown, not which of two neighbours took longer: long runs of mixed instructions move it
 * themselves. */
static bool in_ratio(const struct pare_block *b, enum pare_tiles state)
{
    return (b->disturbed & ~PARE_CLOCK_MOVED) == 0 && (state == PARE_TILES_NONE || b->tiles == (unsigned char)state);
}

double pare_series_ratio(const struct pare_series *a, const struct pare_series *b, enum pare_tiles state, double *low,
                         double *high)
{
    double ratio[PARE_WATCH_ROUNDS];
    int n = 0;
    for (int i = 0; i < a->n && i < b->n; i++) {
        if (in_ratio(&a->blocks[i], state) && in_ratio(&b->blocks[i], state)) {
            ratio[n++] = a->blocks[i].ns / b->blocks[i].ns;
        }
    }
    *low = *high = NAN;
    if (n < PARE_WATCH_CLEAN) {
        return NAN;
    }
    sort_reals(ratio, n);
    const double spread = 0.98 / sqrt((double)n); /* of the median's rank, as a share: 1.96 sqrt(n) / 2 / n */
    *low = quantile_sorted(ratio, n, fmax(0, 0.5 - spread));
    *high = quantile_sorted(ratio, n, fmin(1, 0.5 + spread));
    return quantile_sorted(ratio, n, 0.5);
}
