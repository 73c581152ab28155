#include "measure/latency_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/stage_inputs.h"
#include "measure/stats.h"
#include "measure/stopwatch.h"

double latency_now_ms(void)
{
    return 1e-6 * pare_watch_ns();
}

/* Time that this thread really had a core. */
double latency_cpu_ms(void)
{
    return 1e-6 * pare_watch_cpu_ns();
}

json_t *latency_times_json(double *ms, size_t n)
{
    pare_sort(ms, n);
    return json_pack("[o,o,o,o,o,i]", pare_json_real(n > 0 ? ms[0] : NAN),
                     pare_json_real(pare_quantile_sorted(ms, n, 0.5)),
                     pare_json_real(pare_quantile_sorted(ms, n, 0.1)),
                     pare_json_real(pare_quantile_sorted(ms, n, 0.9)),
                     pare_json_real(n >= GOOD_ROUNDS ? pare_quantile_sorted(ms, n, 0.99) : NAN), (int)n);
}

/* Were there enough rounds in which nobody else had the core? Else all of them count: a busy machine is what was
 * measured, and "disturbed" says so. */
bool latency_enough_clean(const bool *disturbed, int rounds)
{
    int clean = 0;
    for (int r = 0; r < rounds; r++) {
        clean += !disturbed[r];
    }
    return clean >= MIN_ROUNDS / 2;
}

double latency_disturbed_share(const bool *disturbed, int rounds)
{
    int n = 0;
    for (int r = 0; r < rounds; r++) {
        n += disturbed[r];
    }
    return rounds > 0 ? (double)n / rounds : NAN;
}

/* ms[round][item] by item, without disturbed rounds. Returns the number kept. */
size_t latency_column_of(const double *ms, int rounds, int items, int item, const bool *disturbed, double *column)
{
    size_t n = 0;
    bool all = !latency_enough_clean(disturbed, rounds);
    for (int r = 0; r < rounds; r++) {
        if (all || !disturbed[r]) {
            column[n++] = ms[(size_t)r * (size_t)items + (size_t)item];
        }
    }
    return n;
}

/* ---- uniform profiles ---- */

struct profile {
    struct pare_engine *e;
    const struct pare_level *levels;
    int n_levels;
    struct pare_level *config; /* [n_levels + 1][layer_count]; the last one alternates int8 and fp32 */
    json_t *stages, *layers;
};

/* Per-level arrays of one stage's rounds. */
struct stage_rounds {
    int rounds, items;      /* items = levels + 1 */
    double *total;          /* [MAX_ROUNDS][levels] */
    bool disturbed[MAX_ROUNDS];
    double **step;          /* [levels] -> [MAX_ROUNDS][steps of that plan], ms */
    int *n_steps;           /* [levels] */
};

static void rounds_free(struct stage_rounds *s)
{
    for (int l = 0; s->step != NULL && l < s->items; l++) {
        free(s->step[l]);
    }
    free(s->step);
    free(s->n_steps);
    free(s->total);
}

static enum pare_status time_level(struct profile *p, int stage, int level, const struct pare_stage_inputs *inputs,
                                   int round, struct stage_rounds *s, struct pare_error *err)
{
    struct pare_plan *plan;
    struct pare_arena arena = {0};
    int n_layers = pare_engine_layer_count(p->e);
    enum pare_status status = pare_engine_plan(p->e, stage, p->config + (size_t)level * (size_t)n_layers, false, &plan, err);
    if (status != PARE_OK) {
        return status;
    }
    int steps = pare_plan_step_count(plan);
    if (s->step[level] == NULL) {
        s->n_steps[level] = steps;
        s->step[level] = calloc((size_t)MAX_ROUNDS * (size_t)steps + 1, sizeof **s->step);
    }
    uint64_t *ns = calloc((size_t)steps + 1, sizeof *ns);
    if (ns == NULL || s->step[level] == NULL) {
        free(ns);
        return pare_error_nomem(err);
    }
    int which = (round + 2) % inputs->n;
    status = pare_engine_feed(p->e, stage, plan, inputs->in[which], inputs->n_in, &arena, err);
    /* The other levels' weights have pushed this one's out of the caches, which in use they never do: one run that does
     * not count. Then the whole and its steps (a run of its own: the clock itself costs time), in alternating order. */
    status = status == PARE_OK ? pare_plan_run(plan, err) : status;
    for (int i = 0; status == PARE_OK && i < 2; i++) {
        if ((i == 0) == (round % 2 == 0)) {
            double cpu = latency_cpu_ms(), t = latency_now_ms();
            status = pare_plan_run(plan, err);
            t = latency_now_ms() - t;
            cpu = latency_cpu_ms() - cpu;
            if (round >= 0) {
                s->disturbed[round] = s->disturbed[round] || cpu < DISTURBED * t;
                s->total[(size_t)round * (size_t)s->items + (size_t)level] = t;
            }
        } else {
            status = pare_plan_run_timed(plan, ns, err);
        }
    }
    for (int i = 0; status == PARE_OK && round >= 0 && i < steps; i++) {
        s->step[level][(size_t)round * (size_t)steps + (size_t)i] = 1e-6 * (double)ns[i];
    }
    free(ns);
    pare_arena_clear(&arena);
    return status;
}

/* Medians by layer from the steps of one level; what is no layer goes to "other". */
static void add_layers(struct profile *p, int stage, int level, const struct stage_rounds *s,
                       const char *level_name, json_t *other)
{
    struct pare_plan *plan;
    double column[MAX_ROUNDS], rest = 0;
    int n_layers = pare_engine_layer_count(p->e), first, count;
    if (pare_engine_plan(p->e, stage, p->config + (size_t)level * (size_t)n_layers, false, &plan, NULL) != PARE_OK) {
        return;
    }
    pare_engine_stage_layers(p->e, stage, &first, &count);
    for (int i = 0; i < s->n_steps[level]; i++) {
        struct pare_step_info info;
        const char *name = NULL;
        pare_plan_step_info(plan, i, &info);
        for (int r = 0; r < s->rounds; r++) {
            column[r] = s->step[level][(size_t)r * (size_t)s->n_steps[level] + (size_t)i];
        }
        pare_sort(column, (size_t)s->rounds);
        double median = pare_quantile_sorted(column, (size_t)s->rounds, 0.5);
        for (int l = first; info.node >= 0 && l < first + count; l++) {
            if (pare_engine_layer(p->e, l)->node == info.node) {
                name = pare_engine_layer(p->e, l)->name;
            }
        }
        if (name == NULL) {
            rest += median;
            continue;
        }
        json_t *layer = json_object_get(p->layers, name);
        if (layer == NULL) {
            layer = json_object();
            json_object_set_new(p->layers, name, layer);
        }
        json_t *old = json_object_get(layer, level_name); /* several steps of one layer add up */
        struct pare_step_work work;
        const int out_bytes = pare_plan_step_work(plan, i, 0, &work) ? work.out_bytes : 0;
        json_t *now = json_pack("[o,o,o,s,i]", pare_json_real(median + (old != NULL ? pare_json_at_real(old, 0) : 0)),
                                pare_json_real(pare_quantile_sorted(column, (size_t)s->rounds, 0.1) +
                                               (old != NULL ? pare_json_at_real(old, 1) : 0)),
                                pare_json_real(pare_quantile_sorted(column, (size_t)s->rounds, 0.9) +
                                               (old != NULL ? pare_json_at_real(old, 2) : 0)),
                                info.kernel != NULL ? info.kernel : "", out_bytes);
        json_object_set_new(layer, level_name, now);
    }
    json_object_set_new(other, level_name, pare_json_real(rest));
}

static enum pare_status profile_stage(struct profile *p, int stage, const struct pare_stage_inputs *inputs,
                                      int samples, double seconds, struct pare_error *err)
{
    struct stage_rounds s = {.items = p->n_levels + 1};
    s.total = calloc((size_t)MAX_ROUNDS * (size_t)s.items, sizeof *s.total);
    s.step = calloc((size_t)s.items, sizeof *s.step);
    s.n_steps = calloc((size_t)s.items, sizeof *s.n_steps);
    enum pare_status status = s.total != NULL && s.step != NULL && s.n_steps != NULL ? PARE_OK : pare_error_nomem(err);
    double start = latency_now_ms();
    for (int r = -2; status == PARE_OK && r < MAX_ROUNDS; r++) {
        for (int l = 0; status == PARE_OK && l < s.items; l++) {
            status = time_level(p, stage, l, inputs, r, &s, err);
        }
        if (r == -1 && latency_now_ms() - start < WARM_MS / 4) {
            r = -2; /* once more */
            continue;
        }
        s.rounds = r + 1;
        if (s.rounds >= MIN_ROUNDS && latency_now_ms() - start > 1e3 * seconds) {
            break;
        }
    }
    if (status == PARE_OK) {
        double column[MAX_ROUNDS];
        json_t *total = json_object(), *other = json_object();
        for (int l = 0; l < p->n_levels; l++) {
            char name[16];
            pare_level_name(p->levels[l], name);
            size_t n = latency_column_of(s.total, s.rounds, s.items, l, s.disturbed, column);
            json_object_set_new(total, name, latency_times_json(column, n));
            add_layers(p, stage, l, &s, name, other);
        }
        size_t n = latency_column_of(s.total, s.rounds, s.items, p->n_levels, s.disturbed, column);
        json_t *mixed = latency_times_json(column, n);
        json_object_set_new(p->stages, pare_engine_pipeline(p->e)->stages[stage].name,
                            json_pack("{s:f, s:o, s:o, s:o, s:f}", "calls", (double)inputs->calls / samples, "total", total,
                                      "other", other, "mixed", mixed, "disturbed",
                                      latency_disturbed_share(s.disturbed, s.rounds)));
    }
    rounds_free(&s);
    return status;
}

enum pare_status pare_latency_profile(struct pare_engine *e, const struct pare_level *levels, int n_levels,
                                      const int *keep, enum pare_split split, int samples, double seconds,
                                      void *self, void (*done)(void *self, int done, int total),
                                      json_t **result, struct pare_error *err)
{
    struct pare_arena data = {0};
    int n_layers = pare_engine_layer_count(e), n_stages = pare_engine_pipeline(e)->n_stages;
    int available = pare_engine_sample_count(e, split);
    struct pare_stage_inputs *inputs = pare_arena_array(&data, (size_t)n_stages, sizeof *inputs);
    struct pare_level *fp32 = pare_arena_array(&data, (size_t)n_layers + 1, sizeof *fp32);
    struct profile p = {.e = e, .levels = levels, .n_levels = n_levels};
    double start = latency_now_ms(), glue = NAN;
    p.config = pare_arena_array(&data, (size_t)(n_levels + 1) * (size_t)n_layers + 1, sizeof *p.config);
    samples = samples < available ? samples : available;
    if (inputs == NULL || fp32 == NULL || p.config == NULL || samples < 1) {
        pare_arena_clear(&data);
        return samples < 1 ? pare_error(err, PARE_ERR_FORMAT, "latency", "no samples to time") : pare_error_nomem(err);
    }
    int int8 = 0;
    for (int l = 0; l < n_levels; l++) {
        int8 = levels[l].kind == PARE_LEVEL_INT && levels[l].w_bits == 8 && levels[l].a_bits == 8 ? l : int8;
    }
    for (int i = 0; i < n_layers; i++) {
        fp32[i] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
        for (int l = 0; l < n_levels; l++) {
            p.config[l * n_layers + i] = levels[keep != NULL && keep[i] < l ? keep[i] : l];
        }
        int mixed = i % 2 == 0 ? int8 : 0;
        p.config[n_levels * n_layers + i] = levels[keep != NULL && keep[i] < mixed ? keep[i] : mixed];
    }
    p.stages = json_object();
    p.layers = json_object();
    struct pare_pin pin;
    (void)pare_watch_pin(&pin, 0);
    enum pare_status status = pare_stage_inputs_capture(e, split, samples, &data, inputs, &glue, err);
    for (int s = 0; status == PARE_OK && s < n_stages; s++) {
        if (inputs[s].n > 0) {
            status = profile_stage(&p, s, &inputs[s], samples, seconds / n_stages, err);
        }
        if (done != NULL) {
            done(self, s + 1, n_stages);
        }
    }
    pare_watch_unpin(&pin);
    if (status == PARE_OK) {
        *result = json_pack("{s:O, s:O, s:o, s:f}", "stages", p.stages, "layers", p.layers, "glue",
                            pare_json_real(glue), "seconds", (latency_now_ms() - start) / 1e3);
    }
    json_decref(p.stages);
    json_decref(p.layers);
    pare_arena_clear(&data);
    return status;
}
