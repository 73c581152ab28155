/* threads.c: several plans of one stage at once, each on its own thread and core. Nothing is shared but the weights'
 * source: what is measured is how a machine fills up, not how one layer is split. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "measure/in_place.h"
#include "measure/stats.h"
#include "measure/stopwatch.h"

enum { MOST_THREADS = 64, MOST_RUNS = 2000 };

/* All lanes wait here until the last one is ready. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    enum { GATE_WAIT, GATE_GO, GATE_LEAVE } state;
};

struct lane {
    struct pare_plan *plan;
    int core, runs, inner; /* inner runs are timed together, so that runs fill the time that they are given */
    double until, from, cpu, seconds, *ns; /* cpu: time on a core between from and until */
    struct gate *gate;
    enum pare_status status;
    struct pare_error err;
};

static void *run_lane(void *self)
{
    struct lane *l = self;
    struct pare_pin pin;
    (void)pare_watch_pin(&pin, l->core);
    for (int i = 0; i < 3 && l->status == PARE_OK; i++) {
        l->status = pare_plan_run(l->plan, &l->err);
    }
    (void)pthread_mutex_lock(&l->gate->mutex);
    while (l->gate->state == GATE_WAIT) {
        (void)pthread_cond_wait(&l->gate->opened, &l->gate->mutex);
    }
    const bool go = l->gate->state == GATE_GO;
    (void)pthread_mutex_unlock(&l->gate->mutex);
    const double cpu = pare_watch_cpu_ns();
    l->from = pare_watch_ns();
    for (l->until = l->from; go && l->status == PARE_OK && l->runs < MOST_RUNS && l->until - l->from < 1e9 * l->seconds; l->runs++) {
        const double before = l->until;
        for (int i = 0; i < l->inner && l->status == PARE_OK; i++) {
            l->status = pare_plan_run(l->plan, &l->err);
        }
        l->until = pare_watch_ns();
        l->ns[l->runs] = (l->until - before) / l->inner;
    }
    l->cpu = pare_watch_cpu_ns() - cpu;
    pare_watch_unpin(&pin);
    return NULL;
}

/* Runs n lanes together: runs per second of all, the median time of a run, and the share of the time that they had a core. */
static enum pare_status run_lanes(struct lane *lanes, int n, double seconds, double *per_second, double *median_ms, double *own,
                                  struct pare_error *err)
{
    pthread_t threads[MOST_THREADS];
    struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    double *all = calloc((size_t)n * MOST_RUNS, sizeof *all);
    int started = 0;
    size_t total = 0;
    enum pare_status status = all != NULL ? PARE_OK : pare_error_nomem(err);
    for (; status == PARE_OK && started < n; started++) {
        lanes[started].gate = &gate;
        lanes[started].seconds = seconds;
        lanes[started].runs = 0;
        if (pthread_create(&threads[started], NULL, run_lane, &lanes[started]) != 0) {
            status = pare_error(err, PARE_ERR_FAIL, "bench", "cannot start %d threads", n);
            break;
        }
    }
    (void)pthread_mutex_lock(&gate.mutex);
    gate.state = status == PARE_OK ? GATE_GO : GATE_LEAVE;
    (void)pthread_cond_broadcast(&gate.opened);
    (void)pthread_mutex_unlock(&gate.mutex);
    double from = INFINITY, until = 0, runs = 0, cpu = 0, time = 0;
    for (int i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
        if (status == PARE_OK && lanes[i].status != PARE_OK) {
            *err = lanes[i].err;
            status = lanes[i].status;
        }
        runs += (double)lanes[i].runs * lanes[i].inner;
        cpu += lanes[i].cpu;
        time += lanes[i].until - lanes[i].from;
        from = fmin(from, lanes[i].from);
        until = fmax(until, lanes[i].until);
        for (int r = 0; r < lanes[i].runs; r++) {
            all[total++] = 1e-6 * lanes[i].ns[r];
        }
    }
    *per_second = runs / (1e-9 * (until - from)); /* of one time for all: lanes that took turns on a core gained nothing */
    *own = fmin(1, cpu / time);
    if (status == PARE_OK) {
        pare_sort(all, total);
        *median_ms = pare_quantile_sorted(all, total, 0.5);
    }
    free(all);
    return status;
}

/* So many runs at a time that MOST_RUNS of them take longer than `seconds`. */
static enum pare_status find_inner(struct lane *lanes, int n, double seconds, struct pare_error *err)
{
    enum pare_status status = pare_plan_run(lanes[0].plan, err);
    const double start = pare_watch_ns();
    status = status == PARE_OK ? pare_plan_run(lanes[0].plan, err) : status;
    const double ns = pare_watch_ns() - start + 20;
    for (int i = 0; i < n; i++) {
        lanes[i].inner = 1 + (int)(1.5e9 * seconds / MOST_RUNS / ns);
    }
    return status;
}

enum pare_status pare_time_threads(struct pare_engine *e, int stage, const struct pare_level *levels,
                                   const struct pare_stage_inputs *inputs, int threads, double seconds, json_t **result,
                                   struct pare_error *err)
{
    struct lane lanes[MOST_THREADS];
    struct pare_arena arena = {0};
    enum pare_status status = PARE_OK;
    double alone, alone_ms, alone_own, together, together_ms, own;
    int made = 0;
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    for (; status == PARE_OK && made < threads; made++) {
        lanes[made] = (struct lane){.core = made, .ns = calloc(MOST_RUNS, sizeof(double))};
        status = lanes[made].ns == NULL ? pare_error_nomem(err) : pare_engine_plan_new(e, stage, levels, &lanes[made].plan, err);
        if (status == PARE_OK) {
            status = pare_engine_feed(e, stage, lanes[made].plan, inputs->in[made % inputs->n], inputs->n_in, &arena, err);
        }
    }
    if (status == PARE_OK) {
        status = find_inner(lanes, threads, seconds, err);
    }
    if (status == PARE_OK) {
        status = run_lanes(lanes, 1, seconds / 2, &alone, &alone_ms, &alone_own, err);
    }
    if (status == PARE_OK) {
        status = run_lanes(lanes, threads, seconds, &together, &together_ms, &own, err);
    }
    if (status == PARE_OK) {
        *result = json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "n", threads, "cores", pare_watch_cores(), "ms",
                            pare_json_real(together_ms), "alone_ms", pare_json_real(alone_ms), "runs_per_s",
                            pare_json_real(together), "speedup", pare_json_real(together * alone_own / alone), "own_core", /* against one thread that has a core to itself */
                            
                            pare_json_real(own), "alone_own_core", pare_json_real(alone_own));
    }
    for (int i = 0; i < made; i++) {
        pare_plan_free(lanes[i].plan);
        free(lanes[i].ns);
    }
    pare_arena_clear(&arena);
    return status;
}
