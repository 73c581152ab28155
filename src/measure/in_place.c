#include "measure/in_place.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/bench_kernels.h"
#include "measure/stats.h"

enum { EVICT_BYTES = 16 << 20 };
#define SHORT_NS 2e4
#define PARTS_AGREE 0.03 /* farther from the whole the layers' times are no parts of it, and that is said */

/* One stage while it is timed. Contender 0: the plain run; 1: the run with a clock between steps. */
struct timed {
    struct pare_engine *e;
    int stage;
    struct pare_plan *plan;
    const struct pare_stage_inputs *inputs;
    struct pare_arena arena;
    int steps;
    uint64_t *ns;              /* [steps] of the last run */
    float *kept;               /* [PARE_WATCH_ROUNDS][steps] ns */
    double reading;            /* what reading the time costs, cycles */
    int inner;                 /* runs at a time: more than one where a run is too short for a clock */
    enum pare_status status;
    struct pare_error *err;
};

static void run_plain(void *self)
{
    struct timed *t = self;
    for (int i = 0; i < t->inner && t->status == PARE_OK; i++) {
        t->status = pare_plan_run(t->plan, t->err);
    }
}

static void run_timed(void *self)
{
    struct timed *t = self;
    memset(t->ns, 0, (size_t)t->steps * sizeof *t->ns);
    for (int i = 0; i < t->inner && t->status == PARE_OK; i++) {
        t->status = pare_plan_run_timed(t->plan, t->ns, t->err); /* adds up */
    }
}

static void feed(void *self, int contender, int round)
{
    struct timed *t = self;
    (void)contender;
    const int which = round % t->inputs->n; /* both contenders of a round get the same input */
    if (t->status == PARE_OK) {
        t->status = pare_engine_feed(t->e, t->stage, t->plan, t->inputs->in[which], t->inputs->n_in, &t->arena, t->err);
    }
    pare_arena_clear(&t->arena);
}

static void keep_steps(void *self, int contender, int round)
{
    struct timed *t = self;
    for (int i = 0; contender == 1 && i < t->steps; i++) {
        t->kept[(size_t)round * (size_t)t->steps + (size_t)i] = (float)((double)t->ns[i] / t->inner);
    }
}

/* Takes what reading the time costs from the kept steps, at the clock of their rounds: 20 ns at 3.6 GHz are 25 beside work that
 * lowers it to 2.9, a tenth of a step of a small classifier. */
static void take_readings(const struct timed *t, const struct pare_series *timed)
{
    for (int r = 0; r < timed->n; r++) {
        for (int i = 0; i < t->steps; i++) {
            float *kept = &t->kept[(size_t)r * (size_t)t->steps + (size_t)i];
            const double ns = (double)*kept - t->reading / (double)timed->blocks[r].ghz;
            *kept = (float)(ns > 0 ? ns : 0);
        }
    }
}

/* One reading in a row of them, as between steps; cycles. */
static double clock_cost(void)
{
    enum { ROW = 64 };
    double best = 1e9;
    for (int i = 0; i < 16; i++) {
        const double start = pare_watch_ns();
        double end = start;
        for (int k = 0; k < ROW; k++) {
            end = pare_watch_ns();
        }
        best = fmin(best, (end - start) / ROW);
    }
    return best * pare_watch_ghz();
}

/* So many runs at a time that they take SHORT_NS. */
static void find_inner(struct timed *t)
{
    t->inner = 1;
    run_plain(t);
    const double start = pare_watch_ns();
    run_plain(t);
    const double ns = pare_watch_ns() - start;
    t->inner = ns < SHORT_NS ? (int)(SHORT_NS / (ns + 50)) + 1 : 1;
}

/* From the time of t->inner runs to that of one. */
static void per_run(const struct timed *t, struct pare_series s[2])
{
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < s[c].n; i++) {
            s[c].blocks[i].ns /= t->inner;
        }
    }
}

static json_t *timing_json(const struct pare_timing *t)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "n", t->n, "min", pare_json_real(1e-6 * t->min), "median",
                     pare_json_real(1e-6 * t->median), "p90", pare_json_real(1e-6 * t->p90), "p99",
                     pare_json_real(1e-6 * t->p99), "disturbed", pare_json_real(t->disturbed), "lost_core",
                     pare_json_real(t->lost), "clock_moved", pare_json_real(t->moved), "shared_core", pare_json_real(t->shared),
                     "noisy", (int)t->noisy);
}

/* Quantile over the clean rounds of a column of kept step times, in ms or (cycles) cycles. */
static double step_quantile(const struct timed *t, const struct pare_series *s, int step, double q, bool cycles)
{
    double column[PARE_WATCH_ROUNDS];
    size_t n = 0;
    for (int r = 0; r < s->n; r++) {
        if (s->blocks[r].disturbed == 0) {
            const double ns = (double)t->kept[(size_t)r * (size_t)t->steps + (size_t)step];
            column[n++] = cycles ? ns * (double)s->blocks[r].ghz : 1e-6 * ns;
        }
    }
    if (n < PARE_WATCH_CLEAN) {
        return NAN;
    }
    pare_sort(column, n);
    return pare_quantile_sorted(column, n, q);
}

static enum pk_isa isa_of_kernel(const struct pk_layer_kernel *kernel)
{
    int n;
    const struct pare_bench_entry *entries = pare_bench_entries(&n);
    for (int i = 0; i < n; i++) {
        if (entries[i].kernel == kernel) {
            return entries[i].isa;
        }
    }
    return PK_REF;
}

static bool uses_tiles(const struct pare_plan *plan)
{
    struct pare_step_work w;
    for (int i = 0; i < pare_plan_step_count(plan); i++) {
        for (int k = 0; pare_plan_step_work(plan, i, k, &w); k++) {
            if (isa_of_kernel(w.kernel) == PK_AMX) {
                return true;
            }
        }
    }
    return false;
}

/* The floor of a layer step, over its calls and images, in cycles. */
static void step_floor(const struct pare_plan *plan, int step, struct pare_floor *sum, double *weight_bytes)
{
    struct pare_step_work w;
    memset(sum, 0, sizeof *sum);
    sum->binds = "";
    *weight_bytes = 0;
    for (int k = 0; pare_plan_step_work(plan, step, k, &w); k++) {
        struct pare_kernel_traits traits;
        struct pare_floor f;
        pare_kernel_traits(w.family, &traits);
        pare_layer_floor(w.conv, &traits, isa_of_kernel(w.kernel), (double)w.weight_bytes, w.out_bytes, true, &f);
        const double n = (double)w.batch;
        sum->macs += n * f.macs;
        sum->bytes += n * f.bytes;
        sum->mac_cycles += n * f.mac_cycles;
        sum->byte_cycles += n * f.byte_cycles;
        sum->epilogue_cycles += n * f.epilogue_cycles;
        sum->cycles += n * f.cycles;
        sum->binds = f.binds;
        *weight_bytes += (double)w.weight_bytes;
    }
}

static void add_real(json_t *o, const char *key, double value)
{
    const double old = pare_json_get_real(o, key);
    json_object_set_new(o, key, pare_json_real(isfinite(old) ? old + value : value));
}

/* Adds one step to its layer's row (several steps of one layer add up). Noise has no figures: the floor stays. */
static void add_step(json_t *row, const struct timed *t, const struct pare_series *s, int step, const struct pare_timing *whole)
{
    struct pare_step_info info;
    struct pare_floor f;
    double weights;
    pare_plan_step_info(t->plan, step, &info);
    step_floor(t->plan, step, &f, &weights);
    const double to_ms = 1e-6 / whole->ghz;
    add_real(row, "ms", whole->noisy ? NAN : step_quantile(t, s, step, 0.5, false));
    add_real(row, "p10", whole->noisy ? NAN : step_quantile(t, s, step, 0.1, false));
    add_real(row, "p90", whole->noisy ? NAN : step_quantile(t, s, step, 0.9, false));
    add_real(row, "cycles", whole->noisy ? NAN : step_quantile(t, s, step, 0.5, true));
    if (f.macs > 0) {
        json_object_set_new(row, "kernel", json_string(info.kernel != NULL ? info.kernel : ""));
        json_object_set_new(row, "binds", json_string(f.binds));
    }
    add_real(row, "macs", f.macs);
    add_real(row, "bytes", f.bytes);
    add_real(row, "weight_bytes", weights);
    add_real(row, "mac_ms", f.mac_cycles * to_ms);
    add_real(row, "byte_ms", f.byte_cycles * to_ms);
    add_real(row, "epilogue_ms", f.epilogue_cycles * to_ms);
    add_real(row, "floor_ms", f.cycles * to_ms);
    json_object_set_new(row, "share_of_limit", pare_json_real(f.cycles > 0 ? f.cycles / pare_json_get_real(row, "cycles") : NAN));
}

/* The layer of a step of this stage, NULL for what is no layer. */
static const char *layer_of(const struct timed *t, int step)
{
    struct pare_step_info info;
    int first, count;
    pare_plan_step_info(t->plan, step, &info);
    pare_engine_stage_layers(t->e, t->stage, &first, &count);
    for (int l = first; info.node >= 0 && l < first + count; l++) {
        if (pare_engine_layer(t->e, l)->node == info.node) {
            return pare_engine_layer(t->e, l)->name;
        }
    }
    return NULL;
}

/* Median over rounds of the sum of the steps over the plain run beside them. */
static double sum_over_whole(const struct timed *t, const struct pare_series s[2])
{
    double ratio[PARE_WATCH_ROUNDS];
    size_t n = 0;
    for (int r = 0; r < s[0].n; r++) {
        double sum = 0;
        for (int i = 0; i < t->steps; i++) {
            sum += (double)t->kept[(size_t)r * (size_t)t->steps + (size_t)i];
        }
        if (s[0].blocks[r].disturbed == 0 && s[1].blocks[r].disturbed == 0) {
            ratio[n++] = sum / s[0].blocks[r].ns;
        }
    }
    pare_sort(ratio, n);
    return n >= PARE_WATCH_CLEAN ? pare_quantile_sorted(ratio, n, 0.5) : NAN;
}

static json_t *stage_json(const struct timed *t, const struct pare_series s[2], double calls, json_t *layers)
{
    struct pare_timing whole, timed, fast, slow;
    double low, high, other = 0;
    pare_series_timing(&s[0], PARE_TILES_NONE, &whole);
    pare_series_timing(&s[1], PARE_TILES_NONE, &timed);
    for (int i = 0; i < t->steps; i++) {
        const char *name = layer_of(t, i);
        if (name == NULL) {
            other += step_quantile(t, &s[1], i, 0.5, false);
            continue;
        }
        json_t *row = json_object_get(layers, name);
        if (row == NULL) {
            row = json_object();
            json_object_set_new(layers, name, row);
        }
        add_step(row, t, &s[1], i, &timed);
    }
    json_t *stage = json_pack("{s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "calls", calls, "whole", timing_json(&whole), "timed",
                              timing_json(&timed), "profiling",
                              pare_json_real(pare_series_ratio(&s[1], &s[0], PARE_TILES_NONE, &low, &high)), "sum_over_whole",
                              pare_json_real(sum_over_whole(t, s)), "other_ms", pare_json_real(other), "ghz",
                              pare_json_real(whole.ghz), "repeated", s[0].repeated + s[1].repeated);
    const double parts = pare_json_get_real(stage, "sum_over_whole");
    json_object_set_new(stage, "parts_agree", isfinite(parts) ? json_boolean(fabs(parts - 1) <= PARTS_AGREE) : json_null());
    pare_series_timing(&s[0], PARE_TILES_FAST, &fast);
    pare_series_timing(&s[0], PARE_TILES_SLOW, &slow);
    json_object_set_new(stage, "tiles_fast_ms", pare_json_real(1e-6 * fast.median));
    json_object_set_new(stage, "tiles_slow_ms", pare_json_real(1e-6 * slow.median));
    return stage;
}

/* The same with the caches emptied before every run: weights come from memory. */
static void add_cold(struct timed *t, struct pare_series s[2], double seconds, double hot_ms, json_t *stage, json_t *layers)
{
    struct pare_evict evict = {calloc(EVICT_BYTES, 1), EVICT_BYTES, 0};
    struct pare_contender c[2] = {{.run = run_plain, .self = t, .repeats = 1}, {.run = run_timed, .self = t, .repeats = 1}};
    const struct pare_watch_options o = {.seconds = seconds, .min_rounds = 15, .between = pare_evict_caches, .between_self = &evict,
                                         .prepare = feed, .finish = keep_steps, .hook_self = t};
    struct pare_timing cold, steps;
    if (evict.memory == NULL) {
        return;
    }
    t->inner = 1;
    pare_watch(c, 2, &o, s);
    take_readings(t, &s[1]);
    pare_series_timing(&s[0], PARE_TILES_NONE, &cold);
    pare_series_timing(&s[1], PARE_TILES_NONE, &steps);
    json_object_set_new(stage, "cold", timing_json(&cold));
    json_object_set_new(stage, "cold_over_hot", pare_json_real(1e-6 * cold.median / hot_ms));
    for (int i = 0; i < t->steps; i++) {
        const char *name = layer_of(t, i);
        if (name != NULL) {
            add_real(json_object_get(layers, name), "cold_ms", steps.noisy ? NAN : step_quantile(t, &s[1], i, 0.5, false));
        }
    }
    free(evict.memory);
}

static enum pare_status time_stage(struct pare_engine *e, int stage, const struct pare_level *levels,
                                   const struct pare_stage_inputs *inputs, double calls,
                                   const struct pare_in_place_options *options, double seconds, struct pare_pin *pin,
                                   json_t *stages, json_t *layers, struct pare_error *err)
{
    struct timed t = {.e = e, .stage = stage, .inputs = inputs, .err = err, .reading = clock_cost()};
    struct pare_series *s = calloc(2, sizeof *s);
    t.status = pare_engine_plan(e, stage, levels, false, &t.plan, err);
    t.steps = t.status == PARE_OK ? pare_plan_step_count(t.plan) : 0;
    t.ns = calloc((size_t)t.steps + 1, sizeof *t.ns);
    t.kept = calloc((size_t)PARE_WATCH_ROUNDS * (size_t)t.steps + 1, sizeof *t.kept);
    if (s == NULL || t.ns == NULL || t.kept == NULL) {
        t.status = pare_error_nomem(err);
    }
    if (t.status == PARE_OK) {
        feed(&t, 0, 0);
        find_inner(&t);
        const bool tiles = uses_tiles(t.plan);
        struct pare_contender c[2] = {{.run = run_plain, .self = &t, .repeats = 1, .tiles = tiles},
                                      {.run = run_timed, .self = &t, .repeats = 1, .tiles = tiles}};
        const struct pare_watch_options o = {.seconds = 0.7 * seconds, .min_rounds = 31, .prepare = feed, .finish = keep_steps,
                                             .hook_self = &t};
        pare_watch(c, 2, &o, s);
        per_run(&t, s);
        take_readings(&t, &s[1]);
        json_t *json = stage_json(&t, s, calls, layers);
        add_cold(&t, s, 0.3 * seconds, pare_json_get_real(json_object_get(json, "whole"), "median"), json, layers);
        if (options->threads > 1 && t.status == PARE_OK) {
            json_t *threads = NULL;
            pare_watch_unpin(pin);
            t.status = pare_time_threads(e, stage, levels, inputs, options->threads, seconds, &threads, err);
            (void)pare_watch_pin(pin, 0);
            json_object_set_new(json, "threads", threads != NULL ? threads : json_null());
        }
        json_object_set_new(stages, pare_engine_pipeline(e)->stages[stage].name, json);
    }
    free(s);
    free(t.ns);
    free(t.kept);
    pare_arena_clear(&t.arena);
    return t.status;
}

enum pare_status pare_in_place(struct pare_engine *e, const struct pare_level *levels, enum pare_split split,
                               const struct pare_in_place_options *options, json_t **result, struct pare_error *err)
{
    struct pare_arena data = {0};
    struct pare_pin pin;
    const int n_stages = pare_engine_pipeline(e)->n_stages, available = pare_engine_sample_count(e, split);
    const int samples = options->samples < available ? options->samples : available;
    struct pare_stage_inputs *inputs = pare_arena_array(&data, (size_t)n_stages, sizeof *inputs);
    double glue = NAN;
    if (inputs == NULL || samples < 1) {
        pare_arena_clear(&data);
        return samples < 1 ? pare_error(err, PARE_ERR_FORMAT, "bench", "no samples to time") : pare_error_nomem(err);
    }
    json_t *stages = json_object(), *layers = json_object();
    (void)pare_watch_pin(&pin, 0);
    enum pare_status status = pare_stage_inputs_capture(e, split, samples, &data, inputs, &glue, err);
    for (int s = 0; status == PARE_OK && s < n_stages; s++) {
        if (inputs[s].n > 0) {
            status = time_stage(e, s, levels, &inputs[s], (double)inputs[s].calls / samples, options,
                                options->seconds / n_stages, &pin, stages, layers, err);
        }
        if (options->done != NULL) {
            options->done(options->self, s + 1, n_stages);
        }
    }
    const double ghz = pare_watch_ghz();
    const enum pare_tiles tiles = pare_watch_tiles(ghz);
    pare_watch_unpin(&pin);
    if (status == PARE_OK) {
        *result = json_pack("{s:o, s:o, s:s, s:o, s:O, s:O}", "ghz", pare_json_real(ghz), "width",
                            pare_json_real(pare_watch_width(ghz)), "tiles", pare_tiles_name(tiles), "glue_ms",
                            pare_json_real(glue), "stages", stages, "layers", layers);
    }
    json_decref(stages);
    json_decref(layers);
    pare_arena_clear(&data);
    return status;
}
