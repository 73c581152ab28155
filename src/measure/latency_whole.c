/* latency_whole.c: whole configs, end to end. */
#include "measure/latency_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/stats.h"
#include "measure/stopwatch.h"

struct whole {
    struct pare_engine *e;
    const struct pare_level *const *configs;
    int n_configs, n_samples, rounds, repeated, warm_rounds;
    struct pare_sample *samples;
    struct pare_arena work;
    double *ms, *cycles;         /* [MAX_ROUNDS][n_configs] */
    double ghz[MAX_ROUNDS];      /* by the last config of the round */
    bool disturbed[MAX_ROUNDS];
    struct pare_error *err;
};

/* Runs one config on one sample. ghz: read at once, before anything lets the clock rise (core_clock.c); share: of the time the
 * thread had its core. */
static enum pare_status run_config(struct whole *w, int config, int sample, double *ms, double *ghz, double *share)
{
    struct pare_outcome outcome;
    const double cpu = latency_cpu_ms(), start = latency_now_ms();
    const enum pare_status status = pare_engine_infer(w->e, w->configs[config], &w->samples[sample], &w->work, &outcome, w->err);
    *ms = latency_now_ms() - start;
    *ghz = pare_watch_ghz();
    const double whole = latency_now_ms() - start;
    *share = (latency_cpu_ms() - cpu) / whole;
    pare_arena_clear(&w->work);
    return status;
}

/* Rounds of one sample, so that they are alike, until the median of five differs from that of the five before by less than 1 %
 * (at most a quarter of the time asked for, at least WARM_MS and two rounds). */
static enum pare_status warm_up(struct whole *w, double seconds)
{
    enum pare_status status = PARE_OK;
    const double start = latency_now_ms(), most = 250 * seconds > WARM_MS ? 250 * seconds : WARM_MS;
    double last[5], previous = NAN, ms, ghz, share;
    bool settled = false;
    while (status == PARE_OK) {
        const double round = latency_now_ms(), spent = round - start;
        if (w->warm_rounds >= 2 && spent > WARM_MS && (settled || spent > most)) {
            break;
        }
        for (int c = 0; status == PARE_OK && c < w->n_configs; c++) {
            status = run_config(w, c, 0, &ms, &ghz, &share);
        }
        last[w->warm_rounds % 5] = latency_now_ms() - round;
        if (w->warm_rounds++ % 5 == 4) {
            double sorted[5];
            memcpy(sorted, last, sizeof sorted);
            pare_sort(sorted, 5);
            settled = fabs(sorted[2] - previous) < 0.01 * previous;
            previous = sorted[2];
        }
    }
    return status;
}

/* All configs once, each again (twice at most) while somebody else had the core. */
static enum pare_status time_round(struct whole *w, int round)
{
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < w->n_configs; i++) {
        const int c = round % 2 == 0 ? i : w->n_configs - 1 - i; /* nobody always runs after the same neighbour */
        double ms = NAN, share = 0;
        for (int tries = 0; status == PARE_OK && tries < TRIES && share < DISTURBED; tries++) {
            status = run_config(w, c, round % w->n_samples, &ms, &w->ghz[round], &share);
            w->repeated += tries > 0;
        }
        w->ms[(size_t)round * (size_t)w->n_configs + (size_t)c] = ms;
        w->cycles[(size_t)round * (size_t)w->n_configs + (size_t)c] = 1e6 * ms * w->ghz[round];
        w->disturbed[round] = w->disturbed[round] || share < DISTURBED;
    }
    return status;
}

static json_t *whole_json(struct whole *w, double seconds)
{
    double column[MAX_ROUNDS];
    json_t *times = json_array(), *cycles = json_array();
    for (int c = 0; c < w->n_configs; c++) {
        json_array_append_new(times, latency_times_json(column, latency_column_of(w->ms, w->rounds, w->n_configs, c, w->disturbed, column)));
        const size_t n = latency_column_of(w->cycles, w->rounds, w->n_configs, c, w->disturbed, column);
        pare_sort(column, n);
        json_array_append_new(cycles, pare_json_real(pare_quantile_sorted(column, n, 0.5)));
    }
    pare_sort(w->ghz, (size_t)w->rounds);
    return json_pack("{s:o, s:o, s:o, s:f, s:i, s:i, s:i, s:o, s:b}", "configs", times, "cycles", cycles, "ghz",
                     pare_json_real(pare_quantile_sorted(w->ghz, (size_t)w->rounds, 0.5)), "seconds", seconds, "rounds", w->rounds,
                     "repeated", w->repeated, "warm_rounds", w->warm_rounds, "disturbed",
                     pare_json_real(latency_disturbed_share(w->disturbed, w->rounds)), "noisy", (int)!latency_enough_clean(w->disturbed, w->rounds));
}

static enum pare_status time_rounds(struct whole *w, double seconds, void *self, void (*done)(void *self, int done, int total))
{
    enum pare_status status = warm_up(w, seconds);
    const double start = latency_now_ms();
    while (status == PARE_OK && w->rounds < MAX_ROUNDS) {
        status = time_round(w, w->rounds++);
        const double spent = latency_now_ms() - start;
        if (done != NULL) {
            const int percent = (int)(100 * spent / (1e3 * seconds));
            done(self, percent < 99 ? percent : 99, 100);
        }
        if ((w->rounds >= MIN_ROUNDS && spent > 2e3 * seconds) || (w->rounds >= GOOD_ROUNDS && spent > 1e3 * seconds)) {
            break;
        }
    }
    return status;
}

enum pare_status pare_latency_configs(struct pare_engine *e, const struct pare_level *const *configs,
                                      int n_configs, enum pare_split split, int samples, double seconds,
                                      void *self, void (*done)(void *self, int done, int total),
                                      json_t **result, struct pare_error *err)
{
    struct pare_arena data = {0};
    struct pare_pin pin;
    const int available = pare_engine_sample_count(e, split);
    struct whole *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return pare_error_nomem(err);
    }
    *w = (struct whole){.e = e, .configs = configs, .n_configs = n_configs, .n_samples = samples < available ? samples : available, .err = err};
    w->samples = pare_arena_array(&data, (size_t)(w->n_samples > 0 ? w->n_samples : 0) + 1, sizeof *w->samples);
    w->ms = calloc((size_t)MAX_ROUNDS * (size_t)n_configs, sizeof *w->ms);
    w->cycles = calloc((size_t)MAX_ROUNDS * (size_t)n_configs, sizeof *w->cycles);
    enum pare_status status = w->n_samples < 1 ? pare_error(err, PARE_ERR_FORMAT, "latency", "no samples to time")
                              : w->samples != NULL && w->ms != NULL && w->cycles != NULL ? PARE_OK : pare_error_nomem(err);
    for (int i = 0; status == PARE_OK && i < w->n_samples; i++) {
        status = pare_engine_sample(e, split, i, &data, &w->samples[i], err);
    }
    (void)pare_watch_pin(&pin, 0);
    const double start = latency_now_ms();
    status = status == PARE_OK ? time_rounds(w, seconds, self, done) : status;
    pare_watch_unpin(&pin);
    if (status == PARE_OK) {
        *result = whole_json(w, (latency_now_ms() - start) / 1e3);
    }
    pare_arena_clear(&data);
    pare_arena_clear(&w->work);
    free(w->ms);
    free(w->cycles);
    free(w);
    return status;
}
