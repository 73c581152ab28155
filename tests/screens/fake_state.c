/* fake_state.c: an invented session. */
#include "screens/fake_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

#define N_LEVELS 8
#define N_LAYERS 23
#define N_STAGES 3
#define MAX_POINTS 300
#define N_RUNS 3
#define N_JOBS 7

struct fake {
    struct pare_state st;
    struct pare_level levels[N_LEVELS];
    const char *level_names[N_LEVELS];
    char word[N_LEVELS][128];
    struct pare_stage_state stages[N_STAGES];
    struct pare_layer layers[N_LAYERS];
    struct pare_cell cells[N_LAYERS][N_LEVELS];
    struct pare_point points[MAX_POINTS];
    unsigned char assignment[MAX_POINTS][N_LAYERS];
    struct pare_run runs[N_RUNS];
    struct pare_job_row jobs[N_JOBS];
    const char *log[12];
    char last[256], message[256];
    uint32_t random;
};

static double uniform(struct fake *f)
{
    f->random = f->random * 1664525u + 1013904223u;
    return (double)(f->random >> 8) / 16777216.0;
}

static const struct {
    int stage;
    const char *name, *short_name, *kind, *shape;
    double k_macs, k_weights, fragile;
} facts[N_LAYERS] = {{0, "detector/conv1", "conv1", "conv", "3x3/2 3>16", 1769, 0.4, 0.5},
                     {0, "detector/dw2", "dw2", "dw", "3x3 16", 590, 0.1, 0.9},
                     {0, "detector/pw2", "pw2", "conv", "1x1 16>32", 2097, 0.5, 0.4},
                     {0, "detector/dw3", "dw3", "dw", "3x3/2 32", 295, 0.3, 1.0},
                     {0, "detector/pw3", "pw3", "conv", "1x1 32>64", 2097, 2.0, 3.2},
                     {0, "detector/dw4", "dw4", "dw", "3x3 64", 590, 0.6, 0.7},
                     {0, "detector/pw4", "pw4", "conv", "1x1 64>64", 4194, 4.1, 0.3},
                     {0, "detector/dw5", "dw5", "dw", "3x3/2 64", 147, 0.6, 0.5},
                     {0, "detector/pw5", "pw5", "conv", "1x1 64>128", 2097, 8.2, 0.2},
                     {0, "detector/head", "head", "conv", "1x1 128>12", 393, 1.5, 0.8},
                     {1, "keypoints/conv1", "conv1", "conv", "3x3/2 1>16", 589, 0.1, 0.6},
                     {1, "keypoints/dw2", "dw2", "dw", "3x3 16", 590, 0.1, 0.8},
                     {1, "keypoints/pw2", "pw2", "conv", "1x1 16>32", 2097, 0.5, 0.4},
                     {1, "keypoints/dw3", "dw3", "dw", "3x3/2 32", 295, 0.3, 1.3},
                     {1, "keypoints/pw3", "pw3", "conv", "1x1 32>64", 2097, 2.0, 0.5},
                     {1, "keypoints/dw4", "dw4", "dw", "3x3 64", 590, 0.6, 0.6},
                     {1, "keypoints/pw4", "pw4", "conv", "1x1 64>128", 8388, 8.2, 0.3},
                     {1, "keypoints/block5/expand_conv_before_pool",
                      "block5/expand_conv_before_pool", "conv", "1x1 128>128", 4194, 16.4, 0.2},
                     {1, "keypoints/fc", "fc", "fc", "2048>42", 86, 86.0, 1.6},
                     {2, "classifier/fc1", "fc1", "fc", "42>64", 2.7, 2.7, 0.2},
                     {2, "classifier/fc2", "fc2", "fc", "64>64", 4.1, 4.1, 0.2},
                     {2, "classifier/fc3", "fc3", "fc", "64>32", 2.0, 2.0, 0.2},
                     {2, "classifier/fc4", "fc4", "fc", "32>8", 0.3, 0.3, 0.4}};

static const double level_error[N_LEVELS] = {0, 0.0004, 0.016, 0.09, 0.16, 0.33, 0.5, 0.62};
static const double level_speed[N_LEVELS] = {1, 0.58, 0.27, 0.23, 0.17, 0.15, 0.115, 0.07};

static void make_layers(struct fake *f)
{
    static const char *const names[N_LEVELS] = {"fp32", "fp16", "int8", "w4a8",
                                                "int4", "w2a8", "int2", "bin1"};
    for (int l = 0; l < N_LEVELS; l++) {
        pare_level_parse(names[l], &f->levels[l], NULL);
        f->level_names[l] = names[l];
    }
    for (int i = 0; i < N_LAYERS; i++) {
        struct pare_layer *layer = &f->layers[i];
        *layer = (struct pare_layer){.name = facts[i].name,
                                     .short_name = facts[i].short_name,
                                     .kind = facts[i].kind,
                                     .shape = facts[i].shape,
                                     .stage = facts[i].stage,
                                     .macs = (int64_t)(facts[i].k_macs * 1000),
                                     .weights = (int64_t)(facts[i].k_weights * 1000),
                                     .pin_lo = -1,
                                     .pin_hi = -1,
                                     .tie = i == 6 || i == 8 ? 6 : i == 4 || i == 5 ? 4 : -1,
                                     .cells = f->cells[i]};
        for (int l = 0; l < N_LEVELS; l++) {
            struct pare_cell *c = &f->cells[i][l];
            const double e = level_error[l] * (0.6 + facts[i].fragile * 0.5);
            c->state = PARE_CELL_DONE;
            c->rmse_over_scale = l == 0 ? 0 : 0.26 + e * 0.7 + 0.02 * sin(i * 3.1 + l);
            c->rmse = e * 0.4;
            c->rmse_over_sigma = e;
            c->sqnr_db = l == 0 ? INFINITY : -20 * log10(e + 1e-6);
            c->weight_rmse = l < 2 ? NAN : 0.5 * c->rmse;
            c->activation_rmse = l < 2 ? NAN : 0.8 * c->rmse;
            c->step_rmse = 1.3 * c->rmse;
            c->accumulated_rmse = c->rmse * (1.3 + 0.2 * (i % 10));
            c->cosine = 1 - 0.02 * e * e;
            c->max_error = 6 * c->rmse;
            c->clipped = 0.001 * e;
            c->suspected = c->rmse_over_scale > 0.7;
            c->loss = e * e * facts[i].fragile * 0.9;
            c->drop = floor(c->loss * 0.22 * 2000) / 2000;
            c->drop_low = c->drop - 0.006;
            c->drop_high = c->drop + 0.006;
            c->samples = 200;
            c->ms = (facts[i].k_macs / 5000 + 0.004) * level_speed[l];
            c->bytes = facts[i].k_weights * 1000 * f->levels[l].w_bits / 8;
            if (i >= 17 && l >= 6) {
                c->state = i == 17 && l == 6 ? PARE_CELL_RUNNING : PARE_CELL_QUEUED;
                c->loss = c->drop = c->rmse_over_scale = NAN;
                c->suspected = false;
            }
        }
    }
    f->layers[0].pin_lo = f->layers[0].pin_hi = 2;
    f->layers[9].pin_lo = f->layers[9].pin_hi = 2;
    f->layers[4].pin_lo = 2;
    f->layers[4].pin_hi = 4;
}

static void make_stages(struct fake *f)
{
    static const char *const names[N_STAGES] = {"detector", "keypoints", "classifier"};
    static const char *const files[N_STAGES] = {"detector.onnx", "keypoints.onnx",
                                                "classifier.onnx"};
    for (int s = 0; s < N_STAGES; s++) {
        struct pare_stage_state *stage = &f->stages[s];
        *stage = (struct pare_stage_state){
            .name = names[s], .file = files[s], .calls_per_sample = s == 0 ? 1 : 0.98};
        for (int i = N_LAYERS - 1; i >= 0; i--) {
            if (f->layers[i].stage == s) {
                stage->n_layers++;
                stage->first_layer = i;
                stage->macs += f->layers[i].macs;
                stage->weights += f->layers[i].weights;
                stage->ms_fp32 += f->cells[i][0].ms;
            }
        }
    }
}

/* Figures of a point from its levels. */
static void weigh(struct fake *f, struct pare_point *p, bool measured)
{
    double drop = 0, ms = 0.05, bytes = 0, bitops = 0;
    for (int i = 0; i < N_LAYERS; i++) {
        const int l = p->levels[i];
        const double e = level_error[l] * (0.6 + facts[i].fragile * 0.5);
        drop += e * e * facts[i].fragile * 0.05;
        ms += (facts[i].k_macs / 5000 + 0.004) * level_speed[l];
        bytes += facts[i].k_weights * 1000 * f->levels[l].w_bits / 8;
        bitops += facts[i].k_macs * 1000 * pare_level_bitops(f->levels[l]);
    }
    drop = 0.62 * (1 - exp(-drop * 1.6));
    const enum pare_figure_kind kind = measured ? PARE_FIGURE_MEASURED : PARE_FIGURE_PREDICTED;
    p->drop_predicted = (struct pare_figure){PARE_FIGURE_PREDICTED, drop, NAN, NAN};
    p->latency_predicted = (struct pare_figure){PARE_FIGURE_PREDICTED, ms, NAN, NAN};
    p->loss = (struct pare_figure){PARE_FIGURE_PREDICTED, 4 * drop * (1 + drop), NAN, NAN};
    const double moved = measured ? drop * 1.15 + 0.002 * uniform(f) : drop,
                 at = measured ? ms * (1 + 0.05 * uniform(f)) : ms;
    const double half = measured ? 0.009 + 0.012 * sqrt(moved) : NAN;
    p->drop = (struct pare_figure){kind, moved, moved - half, moved + half};
    p->accuracy =
        (struct pare_figure){kind, 0.964 - moved, 0.964 - moved - half, 0.964 - moved + half};
    p->latency =
        (struct pare_figure){kind, at, measured ? at * 0.97 : NAN, measured ? at * 1.06 : NAN};
    p->bytes = (struct pare_figure){PARE_FIGURE_MEASURED, bytes, NAN, NAN};
    p->bitops = (struct pare_figure){PARE_FIGURE_MEASURED, bitops, NAN, NAN};
    p->energy = (struct pare_figure){PARE_FIGURE_PREDICTED, bitops / 2e7 + bytes / 5e3, NAN, NAN};
    p->latency_sum = ms;
    p->from_exact = 0.11 * ms;
    p->p99_ms = measured ? at * 1.11 : NAN;
    p->test_accuracy = p->test_drop = (struct pare_figure){PARE_FIGURE_NONE, NAN, NAN, NAN};
    p->samples = measured ? 2000 : 0;
}

static void mark_front(struct fake *f)
{
    for (int i = 0; i < f->st.n_points; i++) {
        struct pare_point *p = &f->points[i];
        p->front = true;
        for (int j = 0; j < f->st.n_points; j++) {
            const struct pare_point *q = &f->points[j];
            const bool better =
                q->latency.value <= p->latency.value && q->drop.value <= p->drop.value &&
                (q->latency.value < p->latency.value || q->drop.value < p->drop.value);
            p->front = p->front && !(better && q->drop.kind == p->drop.kind);
        }
    }
}

static struct pare_point *new_point(struct fake *f, int run, const char *label)
{
    struct pare_point *p = &f->points[f->st.n_points];
    *p = (struct pare_point){.run = run, .levels = f->assignment[f->st.n_points], .label = label};
    p->number = ++f->runs[run].n_points;
    f->st.n_points++;
    return p;
}

static void uniform_point(struct fake *f, int run, int level, const char *label)
{
    struct pare_point *p = new_point(f, run, label);
    memset(f->assignment[p - f->points], level, N_LAYERS);
    weigh(f, p, true);
}

static void random_point(struct fake *f, int run, double greed, bool measured)
{
    struct pare_point *p = new_point(f, run, "");
    unsigned char *levels = f->assignment[p - f->points];
    for (int i = 0; i < N_LAYERS; i++) {
        const double r = uniform(f) * greed / (0.4 + facts[i].fragile);
        levels[i] = (unsigned char)(r < 0.25  ? 2
                                    : r < 0.5 ? 3
                                    : r < 0.8 ? 4
                                    : r < 1.1 ? 5
                                    : r < 1.5 ? 6
                                              : 7);
        levels[i] = facts[i].fragile < 0.35 && uniform(f) < greed * 0.5 ? 7 : levels[i];
        if (f->layers[i].pin_lo >= 0 && run > 0) {
            levels[i] = (unsigned char)(levels[i] < f->layers[i].pin_lo   ? f->layers[i].pin_lo
                                        : levels[i] > f->layers[i].pin_hi ? f->layers[i].pin_hi
                                                                          : levels[i]);
        }
    }
    weigh(f, p, measured);
}

static void make_points(struct fake *f)
{
    static const char *const names[N_RUNS] = {"uniform", "model", "exact"};
    static const char *const methods[N_RUNS] = {"uniform", "exact per model", "exact"};
    for (int r = 0; r < N_RUNS; r++) {
        f->runs[r] = (struct pare_run){.name = names[r],
                                       .method = methods[r],
                                       .glyph = (char)('a' + r),
                                       .budget = r == 0 ? "" : "drop <= 1.0 %",
                                       .pins = r == 2 ? "3 pins" : "",
                                       .status = r == 2 ? "running" : "optimal",
                                       .seconds = 0.008 * r + 0.4 * (r == 1),
                                       .gap = 0,
                                       .evaluations = 40 * r,
                                       .first_point = f->st.n_points};
        if (r == 0) {
            uniform_point(f, 0, 0, "fp32");
            uniform_point(f, 0, 1, "fp16");
            uniform_point(f, 0, 2, "int8");
            uniform_point(f, 0, 4, "int4");
            uniform_point(f, 0, 6, "int2");
            uniform_point(f, 0, 7, "bin1");
        }
        for (int k = 0; r == 1 && k < 15; k++) {
            random_point(f, 1, 0.5 + k * 0.1, true);
            f->points[f->st.n_points - 1].old = true;
        }
        for (int k = 0; r == 2 && k < 240; k++) {
            random_point(f, 2, 0.2 + k * 0.009, k % 8 == 0);
        }
    }
    mark_front(f);
    for (int i = 0; i < f->st.n_points; i++) {
        f->points[i].over_budget = f->points[i].drop.value > 0.01;
    }
}

static void make_jobs(struct fake *f)
{
    static const struct pare_job_row rows[N_JOBS] = {
        {47, "sense", "keypoints at int2, 200 samples", PARE_JOB_RUNNING, 312, 460, 41, 12, 0, ""},
        {46, "accuracy", "exact:88, 2000 samples", PARE_JOB_RUNNING, 1180, 2000, 9, 7, 1, ""},
        {45, "latency", "exact:80 on host, 1 thread", PARE_JOB_QUEUED, 0, 40, 0, 4, -1, ""},
        {44, "accuracy", "exact:80, 2000 samples", PARE_JOB_DONE, 2000, 2000, 16, NAN, -1, ""},
        {43, "latency", "uniform:3 on host, 1 thread", PARE_JOB_DONE, 40, 40, 6, NAN, -1, ""},
        {42, "accuracy", "model:12", PARE_JOB_FAILED, 700, 2000, 5, NAN, -1,
         "the worker was killed twice (signal 9)"},
        {41, "solve", "exact, drop <= 1.0 %", PARE_JOB_CANCELLED, 0, 1, 1, NAN, -1, ""}};
    static const char *const log[] = {
        "opened sample_pipelines/hand_gesture: 3 models, 23 layers",
        "calibrate: 300 samples, 1.9 s",
        "bench: 23 layers at 8 levels, median of 40 interleaved blocks, 38 s",
        "sense: detector at int8, 200 samples, 4.1 s",
        "run model: exact per model, optimal, 15 points",
        "job 42 accuracy failed: the worker was killed twice (signal 9)",
        "run exact: optimal, gap 0, re-solved in 8 ms"};
    memcpy(f->jobs, rows, sizeof rows);
    memcpy(f->log, log, sizeof log);
    f->st.jobs = f->jobs;
    f->st.n_jobs = N_JOBS;
    f->st.log = f->log;
    f->st.n_log = (int)(sizeof log / sizeof log[0]);
}

static void make_full(struct fake *f)
{
    struct pare_state *st = &f->st;
    make_layers(f);
    make_stages(f);
    st->levels = f->levels;
    st->level_names = f->level_names;
    st->n_levels = N_LEVELS;
    st->stages = f->stages;
    st->n_stages = N_STAGES;
    st->layers = f->layers;
    st->n_layers = N_LAYERS;
    st->points = f->points;
    st->runs = f->runs;
    st->n_workers = 2;
    st->fp32_bytes = 0;
    for (int i = 0; i < N_LAYERS; i++) {
        st->fp32_bytes += f->cells[i][0].bytes;
    }
    st->n_pins = 3;
    st->can_undo = true;
}

static void make_results(struct fake *f)
{
    struct pare_state *st = &f->st;
    make_points(f);
    make_jobs(f);
    st->n_runs = N_RUNS;
    st->fp32_accuracy = f->points[0].accuracy;
    st->fp32_latency = f->points[0].latency;
    st->max_drop = 0.01;
    st->solver = "exact: optimal, gap 0, re-solved in 8 ms";
    st->progress_title = "sense";
    st->progress_done = 312;
    st->progress_total = 460;
    st->left_seconds = 12;
    st->n_quiet = 1;
    st->since = "while you were away: 31 cells measured, run exact solved";
}

struct fake *fake_new(enum fake_kind kind)
{
    struct fake *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    struct pare_state *st = &f->st;
    f->random = 7;
    st->version = 1;
    st->name = "hand_gesture";
    st->path = "sample_pipelines/hand_gesture";
    st->target = "host, 1 thread";
    st->cpu = "AVX-512 VNNI";
    st->split = "search";
    st->n_samples = 2000;
    st->max_drop = st->max_latency_ms = st->max_bytes = st->max_bitops = st->max_energy_uj = st->left_seconds = NAN;
    st->fp32_accuracy = st->fp32_latency = (struct pare_figure){PARE_FIGURE_NONE, NAN, NAN, NAN};
    st->minimize = "latency";
    st->solver = "";
    st->message = f->message;
    st->loading = kind == FAKE_LOADING;
    st->failed = kind == FAKE_FAILED
                     ? "detector.onnx: byte 4711: tensor \"w3\" says 1.2 GB, the file has 310 kB"
                     : NULL;
    st->follower = kind == FAKE_FOLLOWER;
    st->bare = kind == FAKE_BARE;
    if (kind != FAKE_LOADING && kind != FAKE_FAILED) {
        make_full(f);
    }
    if (kind == FAKE_FULL || kind == FAKE_FOLLOWER) {
        make_results(f);
    }
    return f;
}

void fake_free(struct fake *f)
{
    free(f);
}

void fake_add_point(struct fake *f)
{
    if (f->st.n_points < MAX_POINTS) {
        random_point(f, 2, 0.3 + uniform(f), true);
        mark_front(f);
    }
    f->st.version++;
}

void fake_progress(struct fake *f)
{
    f->st.progress_done += f->st.progress_done < f->st.progress_total ? 1 : 0;
    f->jobs[0].done = f->st.progress_done;
    f->st.version++;
}

const char *fake_last_command(const struct fake *f)
{
    return f->last;
}

/* ---- the host ---- */

static const struct pare_state *host_state(void *user)
{
    return &((struct fake *)user)->st;
}

static enum pare_status pin(struct fake *f, const char *argument, bool free_it,
                            struct pare_error *err)
{
    char glob[128] = "", level[64] = "";
    sscanf(argument, "%127[^=]=%63s", glob, level);
    int at = -1, n = 0;
    if (f->st.n_layers == 0) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "no layer matches \"%s\"", glob);
    }
    for (int l = 0; l < N_LEVELS && !free_it; l++) {
        at = strcmp(level, f->level_names[l]) == 0 ? l : at;
    }
    if (!free_it && at < 0) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "unknown level \"%s\"", level);
    }
    for (int i = 0; i < N_LAYERS; i++) {
        if (pare_glob_match(glob, f->layers[i].name)) {
            f->layers[i].pin_lo = f->layers[i].pin_hi = at;
            n++;
        }
    }
    if (n == 0) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "no layer matches \"%s\"", glob);
    }
    f->st.n_pins = 0;
    for (int i = 0; i < N_LAYERS; i++) {
        f->st.n_pins += f->layers[i].pin_lo >= 0;
    }
    snprintf(f->message, sizeof f->message,
             free_it ? "%.100s is free; re-solved in 8 ms: 0.94 -> 0.93 ms"
                     : "%.100s pinned; re-solved in 8 ms: drop 1.4 -> 0.9, 0.94 -> 0.95 ms",
             glob);
    return PARE_OK;
}

static enum pare_status host_command(void *user, const char *line, int point,
                                     struct pare_error *err)
{
    struct fake *f = user;
    char name[32] = "";
    (void)point;
    sscanf(line, "%31s", name);
    snprintf(f->last, sizeof f->last, "%s", line);
    f->st.version++;
    const char *argument = line + strlen(name) + strspn(line + strlen(name), " ");
    if (strcmp(name, "pin") == 0 || strcmp(name, "free") == 0) {
        return pin(f, argument, name[0] == 'f', err);
    }
    if (strcmp(name, "budget") == 0) {
        sscanf(argument, "drop %lf", &f->st.max_drop);
        snprintf(f->message, sizeof f->message, "budget: drop %.1f %%", f->st.max_drop * 100);
        return PARE_OK;
    }
    snprintf(f->message, sizeof f->message, "%s: done", name);
    return PARE_OK;
}

static bool host_preview(void *user, int layer, int lo, int hi, char *text, size_t size)
{
    struct fake *f = user;
    (void)hi;
    if (f->cells[layer][lo].state != PARE_CELL_DONE) {
        return false;
    }
    snprintf(text, size, "drop 1.4 -> %.1f, latency 0.94 -> %.2f ms",
             0.9 + 100 * f->cells[layer][lo].drop, 0.9 + f->cells[layer][lo].ms);
    return true;
}

static double host_price(void *user, const char *line, int point, char *text, size_t size)
{
    (void)user;
    (void)point;
    if (strncmp(line, "sense", 5) != 0 && strncmp(line, "solve", 5) != 0) {
        return NAN;
    }
    snprintf(text, size, "243 jobs, about 1:20 on 2 workers");
    return 80;
}

static int host_complete(void *user, const char *line, const char **words, int max)
{
    struct fake *f = user;
    const char *space = strrchr(line, ' ');
    const char *stem = space != NULL ? space + 1 : line;
    const char *equals = strchr(stem, '=');
    int n = 0;
    if (f->st.n_layers == 0) {
        return 0;
    }
    for (int l = 0; l < N_LEVELS && n < max && equals != NULL; l++) {
        if (strncmp(f->level_names[l], equals + 1, strlen(equals + 1)) == 0) {
            snprintf(f->word[n], sizeof f->word[n], "%.*s%s", (int)(equals - stem + 1), stem,
                     f->level_names[l]);
            words[n] = f->word[n];
            n++;
        }
    }
    for (int i = 0; i < N_LAYERS && n < max && equals == NULL; i++) {
        if (strncmp(f->layers[i].name, stem, strlen(stem)) == 0) {
            words[n++] = f->layers[i].name;
        }
    }
    return n;
}

static void host_explain_cell(void *user, int layer, int level, char *text, size_t size)
{
    struct fake *f = user;
    const struct pare_cell *c = &f->cells[layer][level];
    snprintf(text, size,
             "drop:\n  %.2f points of top-1 on 200 samples of search, 95 %% interval %.2f .. %.2f\n"
             "own error:\n  RMSE %.4f, RMSE/scale %.2f, SQNR %.1f dB\n"
             "latency:\n  %.3f ms in place, median of 40 interleaved blocks, host, 1 thread\n"
             "from:\n  job 44 sense, models 3f9a..c2, data 77b1..09, seed 1",
             c->drop * 100, c->drop_low * 100, c->drop_high * 100, c->rmse, c->rmse_over_scale,
             c->sqnr_db, c->ms);
}

static void host_explain_point(void *user, int point, char *text, size_t size)
{
    struct fake *f = user;
    const struct pare_point *p = &f->points[point];
    snprintf(text, size,
             "accuracy:\n  %.1f %% on %d samples of search\nlatency:\n  %.3f ms, predicted %.3f",
             p->accuracy.value * 100, p->samples, p->latency.value, p->latency_predicted.value);
}

/* Round bells and flanks; layer 17 is still measured, 18 has failed. */
static void fake_histogram(struct pare_histogram *h, double lo, double hi, double sigma, double limit, double scale)
{
    *h = (struct pare_histogram){.lo = lo, .hi = hi, .sigma = sigma, .peak = fmax(-lo, hi)};
    h->range_lo = fmax(lo, -limit) - 0.02 * limit;
    h->range_hi = limit;
    double all = 0, beyond = 0;
    for (int i = 0; i < PARE_WHY_BINS; i++) {
        const double v = lo + (hi - lo) * (i + 0.5) / PARE_WHY_BINS, z = v / sigma;
        h->bins[i] = floor(scale * (exp(-0.5 * z * z) + 0.002 * exp(-fabs(z) / 3)) + (i == 0 || i == PARE_WHY_BINS - 1));
        all += h->bins[i];
        beyond += v < h->range_lo || v > h->range_hi ? h->bins[i] : 0;
    }
    h->clipped = beyond / all;
}

static void fake_channels(struct pare_channels *c, int n, int dead, double far, double share)
{
    *c = (struct pare_channels){.n = n, .dead = dead, .worst = n / 3, .spread = far, .worst_share = share};
    c->n_reach = n < PARE_WHY_REACHES ? n : PARE_WHY_REACHES;
    for (int i = 0; i < c->n_reach; i++) {
        c->reach[i] = i < dead ? 0 : 0.3 * (1 + 0.5 * sin(i * 1.7) + 0.2 * sin(i * 5.3));
    }
    c->reach[c->n_reach / 3] = 0.3 * far;
}

static void host_why(void *user, int layer, int level, struct pare_why *why)
{
    struct fake *f = user;
    const struct pare_cell *c = &f->cells[layer][level];
    *why = (struct pare_why){.state = PARE_CELL_RUNNING, .part = 0.44};
    snprintf(why->text, sizeof why->text, "16 samples run through the layer; histograms and cures appear here");
    if (f->st.n_layers == 0 || level == 0 || layer == 17 || layer == 18) {
        why->state = level == 0 ? PARE_CELL_NONE : layer == 18 ? PARE_CELL_FAILED : PARE_CELL_RUNNING;
        snprintf(why->text, sizeof why->text, "%s", level == 0    ? "fp32 loses nothing; h and l choose another level"
                                                    : layer == 18 ? "the worker was killed twice (signal 9)"
                                                                  : "16 samples run through the layer; histograms and cures appear here");
        return;
    }
    why->state = PARE_CELL_DONE;
    why->calls = 16;
    why->step = c->rmse;
    why->own = 0.8 * c->rmse;
    why->by_weights = 0.4 * c->rmse;
    why->by_activations = 0.7 * c->rmse;
    why->output_sigma = 0.4;
    why->outside = 0.0004;
    fake_histogram(&why->weights, -0.47, 0.61, 0.09, 0.55, 900);
    fake_histogram(&why->input, 0, 17.2, 1.4, facts[layer].fragile > 2 ? 9.5 : 17.2, 250000);
    fake_histogram(&why->output, -9.1, 11.8, 2.2, 11.8, 180000);
    fake_channels(&why->channels, facts[layer].fragile > 2 ? 64 : 16, facts[layer].fragile > 2 ? 2 : 0, 2.3, 0.11);
    fake_channels(&why->input_channels, 32, 0, 7.1, NAN);
    snprintf(why->text, sizeof why->text,
             "error %.1f %% of the output's sigma: outlier channel: input channel 10 reaches 7.1 times the median channel, all share %d codes",
             100 * c->rmse_over_sigma, 1 << f->levels[level].a_bits);
    static const char *const rules[] = {"ranges=mse,scales=mse", "ranges=mse", "per=group:32"};
    for (int i = 0; i < 3; i++) {
        why->cures[i] = (struct pare_cure){rules[i], -1, c->rmse * (0.55 + 0.1 * i), 0.55 + 0.1 * i, NAN, i == 2 ? 512 : 0, i == 2 ? NAN : 0};
    }
    why->n_cures = 3;
    for (int l = level - 1; l > 0; l--) {
        const struct pare_cell *wide = &f->cells[layer][l];
        why->cures[why->n_cures++] = (struct pare_cure){NULL, l, wide->rmse, NAN, wide->loss, wide->bytes - c->bytes, wide->ms - c->ms};
    }
}

static int host_proxies(void *user, struct pare_proxy *proxies)
{
    static const struct pare_proxy fixed[] = {{"noise", "noise to signal, added", 0.861, 41, false, false},
                                              {"loss", "smooth losses, added", 0.827, 41, false, false},
                                              {"bytes", "bytes", 0.751, 41, false, false},
                                              {"corrected", "loss, corrected", 0.829, 41, true, false},
                                              {"latency", "predicted latency", 0.968, 12, false, true}};
    (void)user;
    memcpy(proxies, fixed, sizeof fixed);
    return (int)(sizeof fixed / sizeof *fixed);
}

struct pare_ui_host fake_host(struct fake *f)
{
    return (struct pare_ui_host){.user = f,
                                 .state = host_state,
                                 .command = host_command,
                                 .preview = host_preview,
                                 .price = host_price,
                                 .complete = host_complete,
                                 .explain_cell = host_explain_cell,
                                 .explain_point = host_explain_point,
                                 .why = host_why,
                                 .proxies = host_proxies};
}
