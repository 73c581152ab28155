/*
 * price.c: what a verb would cost before it starts, and how long the queue still takes. The price is made by asking
 * the rows for everything that the verb needs, with nothing queued: what is not there is counted. Seconds per unit come
 * from jobs that this session has finished (on this machine or another: it is an estimate); where there are none, from
 * the multiplications of one sample.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/flow.h"

/* A unit is a sample (calibrate, accuracy), a sample at one level over all layers (sense), or a whole job. */
static const char *const kinds[FRONT_RATES] = {"calibrate", "sense", "accuracy", "profile", "latency"};

/* Measured on hand_gesture (27 layers) and mediapipe_hands (114), one core of a Xeon with AVX-512, 2026-11-21: a guess,
 * within a factor of two or three on such a machine. */
#define GUESS_MACS_PER_SECOND 3.5e10
#define GUESS_MACS_PER_SECOND_REF 1e9
#define GUESS_SAMPLE_SECONDS 4e-4

static int kind_index(const char *kind)
{
    for (int k = 0; k < FRONT_RATES; k++) {
        if (strcmp(kinds[k], kind) == 0) {
            return k;
        }
    }
    return -1;
}

static double units_of(const struct pare_front *f, int kind, const json_t *params)
{
    const json_t *layers = json_object_get(params, "layers"); /* of sense: those that were left */
    const double part = json_is_array(layers) && f->n_layers > 0 ? ((double)json_array_size(layers) + 1) / (f->n_layers + 1) : 1;
    if (kind == 0 && front_is_part(kinds[0], params)) { /* one of two passes */
        return 0.5 * (double)pare_json_get_int(params, "n", 1);
    }
    if (kind == 0 && json_object_get(params, "bins") != NULL) {
        return 0; /* adds them up */
    }
    return kind == 0 ? fmax(f->split_samples[0], 1) : kind < 3 ? fmax((double)pare_json_get_int(params, "n", 1), 1) * part : 1;
}

void front_rate_add(struct pare_front *f, const char *kind, const json_t *params, double seconds)
{
    int k = kind_index(kind);
    if (k < 0 || !(seconds >= 0)) {
        return;
    }
    struct front_rate *rate = &f->rates[k];
    double units = units_of(f, k, params);
    if (rate->units > 40 * units) { /* old jobs fade: the machine may be busier now */
        rate->units *= 0.9;
        rate->seconds *= 0.9;
    }
    rate->seconds += seconds;
    rate->units += units;
}

void front_rates_load(struct pare_front *f)
{
    for (int k = 0; k < FRONT_RATES; k++) {
        int rows = 0;
        double seconds = 0, units = 0;
        pare_session_spent(f->session, kinds[k], "n", 40, &rows, &seconds, &units);
        if (rows > 0) {
            f->rates[k].seconds = seconds;
            f->rates[k].units = k == 0 ? rows * fmax(f->split_samples[0], 1) : k < 3 ? units : rows;
        }
    }
}

/* Seconds of one unit; *measured says whether a job of this kind has ever been finished. */
static double unit_seconds(const struct pare_front *f, int kind, bool *measured)
{
    *measured = f->rates[kind].units > 0;
    if (*measured) {
        return f->rates[kind].seconds / f->rates[kind].units;
    }
    double macs = 0;
    for (int i = 0; i < f->n_layers; i++) {
        macs += (double)f->layers[i].macs;
    }
    double one = GUESS_SAMPLE_SECONDS + macs / (strcmp(f->isa, "ref") == 0 ? GUESS_MACS_PER_SECOND_REF : GUESS_MACS_PER_SECOND);
    bool known;
    if (kind > 0 && f->rates[0].units > 0) { /* calibrating passes over every sample twice, and reads it */
        one = unit_seconds(f, 0, &known) / 5;
    }
    switch (kind) {
    case 0: return 5 * one;
    case 1: return one * (2 + 0.4 * f->n_layers);
    case 2: return 1.1 * one;
    case 3: return 0.5 + (0.2 + 25 * one) * f->n_levels;
    default: return 0.4 + 200 * one;
    }
}

/* ---- what a verb needs ---- */

struct front_pricing {
    int jobs;
    double units[FRONT_RATES];
    json_t *seen; /* keys */
};

void front_price_row(struct pare_front *f, const char *key, const struct front_job *job)
{
    struct front_pricing *p = f->pricing;
    int k = kind_index(job->kind);
    if (k >= 0 && json_object_get(p->seen, key) == NULL) {
        json_object_set_new(p->seen, key, json_true());
        p->jobs++;
        p->units[k] += units_of(f, k, job->params);
    }
}

static void add_samples(struct front_pricing *p, int configs, int samples)
{
    p->jobs += configs * ((samples + FRONT_EVAL_CHUNK - 1) / FRONT_EVAL_CHUNK);
    p->units[2] += (double)configs * samples;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static bool is_bare(const struct pare_front *f)
{
    return pare_json_get_bool(f->description, "bare", false);
}

/* The configs behind the fit; which the mixed ones are is known only when the sensitivity is. */
static void price_probes(struct pare_front *f, bool sensed)
{
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    int samples = least(FRONT_MIXED_SAMPLES, f->split_samples[1]);
    bool failed = false;
    if (!sensed) {
        add_samples(f->pricing, FRONT_MIXED, samples);
    }
    for (int i = 0; levels != NULL && i < f->n_levels + (sensed ? FRONT_MIXED : 0); i++) {
        struct front_eval eval;
        if (f->probe_done[i]) {
            continue;
        }
        if (i < f->n_levels) {
            front_uniform(f, i, levels);
        } else {
            front_mixed(f, i - f->n_levels, levels);
        }
        json_t *config = front_config_json(f, levels);
        (void)front_ensure_eval(f, config, "search", FRONT_MIXED_SAMPLES, 0, "", &eval, &failed, NULL);
        json_decref(config);
    }
    free(levels);
}

static void price_config(struct pare_front *f, struct front_flow *flow, bool accuracy, bool latency)
{
    struct front_eval eval;
    double times[6], fp32_ms;
    bool failed = false;
    if (!flow_levels(f, flow, &(struct pare_error){0})) {
        return;
    }
    json_t *config = front_config_json(f, flow->levels);
    if (accuracy && !is_bare(f)) {
        (void)front_ensure_eval(f, config, pare_json_get_string(flow->args, "split", flow->verb == FLOW_TEST ? "test" : "search"),
                                (int)pare_json_get_int(flow->args, "samples", 0), 0, "", &eval, &failed, NULL);
    }
    if (latency) {
        (void)front_ensure_latency(f, config, 0, times, &fp32_ms, &failed, NULL);
    }
    json_decref(config);
}

static void price_solve(struct pare_front *f, struct front_flow *flow)
{
    int configs, samples;
    const bool asks = flow_steps_ask(f, flow, &configs, &samples);
    const bool listed = strcmp(pare_json_get_string(flow->args, "method", "greedy"), "greedy") == 0;
    bool failed = false, sensed = (asks && !listed && !front_choices_measured(f)) || front_ensure_sense(f, f->sense_samples, &failed, NULL);
    (void)front_ensure_profile(f, &failed, NULL);
    if (asks) {
        add_samples(f->pricing, configs, samples);
    } else if (!is_bare(f)) {
        price_probes(f, sensed);
    }
    struct front_pricing *p = f->pricing;
    /* which configs will be the answer is not known yet: one is, and it may be there already */
    int answers = flow->verb == FLOW_FRONT ? 12 : pare_json_get_bool(flow->args, "measure", true) ? 1 : 0;
    if (!is_bare(f)) {
        flow->later_samples[0] = p->units[2];
        add_samples(p, answers, least(f->eval_samples, f->split_samples[1]));
        flow->later_samples[1] = p->units[2] - flow->later_samples[0];
    }
    if (flow->verb != FLOW_FRONT && answers > 0) {
        p->jobs++;
        p->units[4] += answers;
        flow->later_timings = answers;
    }
}

static bool price_verb(struct pare_front *f, struct front_flow *flow)
{
    bool failed = false;
    switch (flow->verb) {
    case FLOW_SENSE: (void)front_ensure_sense(f, f->sense_samples, &failed, NULL); return true;
    case FLOW_BENCH:
        (void)front_ensure_profile(f, &failed, NULL);
        price_config(f, flow, false, true);
        return true;
    case FLOW_EVAL:
    case FLOW_TEST: price_config(f, flow, true, false); return true;
    case FLOW_MEASURE: price_config(f, flow, true, true); return true;
    case FLOW_SOLVE:
    case FLOW_FRONT: price_solve(f, flow); return true;
    case FLOW_PROBLEM:
    case FLOW_PROPOSE: price_solve(f, flow); return true;
    default: return false;
    }
}

static double total_seconds(const struct pare_front *f, const double units[FRONT_RATES], bool *measured)
{
    double alone = 0, shared = 0;
    *measured = true;
    for (int k = 0; k < FRONT_RATES; k++) {
        bool known;
        double seconds = units[k] > 0 ? units[k] * unit_seconds(f, k, &known) : 0;
        *measured = *measured && (units[k] <= 0 || known);
        const bool splits = k == 1 || k == 2 || (k == 0 && f->split_samples[0] > PARE_CALIBRATE_PART);
        *(splits ? &shared : &alone) += seconds; /* timing wants quiet */
    }
    return alone + shared / pare_sched_compute(f->sched);
}

/* What was counted: seconds, and in words. */
static double say_price(const struct pare_front *f, const struct front_pricing *p, char *text, size_t size)
{
    bool measured;
    const double seconds = total_seconds(f, p->units, &measured);
    const int minutes = (int)(seconds / 60), rest = (int)(seconds - 60.0 * minutes), workers = pare_sched_compute(f->sched);
    if (text == NULL || size == 0) {
        return seconds;
    }
    if (p->jobs == 0) {
        snprintf(text, size, "nothing is to be measured for it");
    } else {
        snprintf(text, size, "%d %s, %s %d:%02d on %d %s", p->jobs, p->jobs == 1 ? "job" : "jobs", measured ? "about" : "guessed",
                 minutes, rest, workers, workers == 1 ? "worker" : "workers");
    }
    return seconds;
}

double front_price_flow(struct pare_front *f, struct front_flow *flow, char *text, size_t size)
{
    struct front_pricing p = {.seen = json_object()};
    const bool looking = f->looking;
    f->pricing = &p;
    f->looking = true;
    const bool known = price_verb(f, flow);
    f->looking = looking;
    f->pricing = NULL;
    json_decref(p.seen);
    const double seconds = say_price(f, &p, text, size);
    return known ? seconds : NAN;
}

double front_price_with(struct pare_front *f, bool (*need)(struct pare_front *f), bool *there, char *text, size_t size)
{
    struct front_pricing p = {.seen = json_object()};
    const bool looking = f->looking;
    f->pricing = &p;
    f->looking = true;
    *there = need(f);
    f->looking = looking;
    f->pricing = NULL;
    json_decref(p.seen);
    return say_price(f, &p, text, size);
}

double pare_front_price(struct pare_front *f, const char *verb, const void *json_args, char *text, size_t size)
{
    struct front_flow flow = {.run = -1, .best = -1, .max_loss = NAN, .max_latency = NAN, .verb = FLOW_VERB_COUNT};
    if (!f->described) {
        return NAN;
    }
    for (int v = 0; v < FLOW_VERB_COUNT; v++) {
        flow.verb = strcmp(front_verb_name((enum flow_verb)v), verb) == 0 ? (enum flow_verb)v : flow.verb;
    }
    flow.args = json_args != NULL ? json_incref((json_t *)(uintptr_t)json_args) : json_object();
    double seconds = front_price_flow(f, &flow, text, size);
    free(flow.levels);
    json_decref(flow.args);
    return seconds;
}

/* ---- how long the queue still takes ---- */

double front_seconds_left(struct pare_front *f)
{
    double units[FRONT_RATES] = {0};
    bool measured, any = false;
    for (int i = pare_sched_count(f->sched) - 1, left = pare_sched_pending(f->sched); i >= 0 && left > 0; i--) {
        const struct pare_task *t = pare_sched_task(f->sched, i);
        int k = kind_index(t->kind);
        if (t->state == PARE_TASK_QUEUED || t->state == PARE_TASK_RUNNING) {
            left--;
            if (k >= 0) {
                double part = t->total > 0 && t->done <= t->total ? t->done / t->total : 0;
                units[k] += units_of(f, k, t->params) * (1 - part);
                any = true;
            }
        }
    }
    for (const struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        if (!flow->ended) { /* what it will queue when this is done */
            units[2] += flow->later_samples[0] + flow->later_samples[1];
            units[4] += flow->later_timings;
        }
    }
    double seconds = total_seconds(f, units, &measured);
    return any ? seconds : NAN;
}
