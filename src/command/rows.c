#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "command/front.h"

void front_job_key(const struct pare_front *f, const char *kind, const json_t *params, char key[40])
{
    struct pare_hash h;
    char *text = pare_json_text(params);
    key[0] = '\0';
    if (text == NULL || pare_hash_init(&h) != PARE_OK) {
        free(text);
        return;
    }
    pare_hash_add_string(&h, kind);
    pare_hash_add_string(&h, f->content);
    pare_hash_add_string(&h, f->isa); /* float results differ in the last bits between instruction sets */
    const bool timing = strcmp(kind, "profile") == 0 || strcmp(kind, "latency") == 0 || strcmp(kind, "stopwatch") == 0;
    pare_hash_add_string(&h, timing ? f->cpu : "");
    if (timing && f->table[0] != '\0') {
        pare_hash_add_string(&h, f->table); /* other kernels, other times */
    }
    pare_hash_add_string(&h, text);
    if (f->options.quantize != NULL && f->options.quantize[0] != '\0') {
        pare_hash_add_string(&h, f->options.quantize); /* another method is another result */
    }
    pare_hash_final(&h, key);
    free(text);
}

const json_t *front_find_row(struct pare_front *f, const char *key)
{
    json_t *row = json_object_get(f->recent, key);
    if (row != NULL) {
        return row;
    }
    if (f->options.fresh || f->session == NULL || json_object_get(f->absent, key) != NULL) {
        return NULL;
    }
    row = pare_session_get_row(f->session, key);
    if (row != NULL) {
        json_object_set_new(f->recent, key, row);
    } else {
        json_object_set_new(f->absent, key, json_true());
    }
    return row;
}

/* A job with this key that failed since the verb began: it is not tried again by itself, only by a new verb. */
static const struct pare_task *failed_task(const struct pare_front *f, const char *key)
{
    for (int i = pare_sched_count(f->sched) - 1; i >= 0; i--) {
        const struct pare_task *t = pare_sched_task(f->sched, i);
        if (t->id <= f->failures_after) {
            break;
        }
        if (strcmp(t->key, key) == 0) {
            return t->state == PARE_TASK_FAILED || t->state == PARE_TASK_CANCELLED ? t : NULL;
        }
    }
    return NULL;
}

const json_t *front_row(struct pare_front *f, struct front_job *job, bool *failed, struct pare_error *err)
{
    char key[40];
    front_job_key(f, job->kind, job->params, key);
    if (key[0] == '\0') {
        json_decref(job->params);
        *failed = true;
        pare_error_nomem(err);
        return NULL;
    }
    const json_t *row = front_find_row(f, key);
    const struct pare_task *lost = row == NULL ? failed_task(f, key) : NULL;
    if (lost != NULL && lost->state == PARE_TASK_FAILED) {
        *failed = true;
        if (err != NULL) {
            *err = lost->error;
        }
    }
    if (row == NULL && f->pricing != NULL) {
        front_price_row(f, key, job);
    }
    if (row != NULL || lost != NULL || f->follower || f->looking) {
        if (lost != NULL && lost->state == PARE_TASK_CANCELLED) {
            *failed = true;
            pare_error(err, PARE_ERR_FAIL, job->title, "cancelled");
        }
        json_decref(job->params);
        return row;
    }
    json_object_set_new(job->params, "pipeline", json_string(f->real_path));
    json_object_set_new(job->params, "models", f->models != NULL ? json_string(f->models) : json_null());
    json_object_set_new(job->params, "content", json_string(f->content));
    if (f->options.quantize != NULL) {
        json_object_set_new(job->params, "quantize", json_string(f->options.quantize));
    }
    const size_t n_rows = json_array_size(job->rows);
    const char **needs = malloc((n_rows + 1) * sizeof *needs);
    int n_needs = 0;
    if (job->needs_calibration) {
        json_object_set_new(job->params, "calibration", json_string(f->calibration_key));
        if (needs != NULL) {
            needs[n_needs++] = f->calibration_key;
        }
    }
    for (size_t i = 0; needs != NULL && i < n_rows; i++) {
        needs[n_needs++] = json_string_value(json_array_get(job->rows, i));
    }
    struct pare_task_spec spec = {.kind = job->kind,
                                  .title = job->title,
                                  .key = key,
                                  .params_take = job->params,
                                  .n_needs = n_needs,
                                  .needs = needs,
                                  .quiet = job->quiet,
                                  .interactive = job->interactive,
                                  .priority = job->priority,
                                  .limit_seconds = job->limit_seconds,
                                  .total = job->total};
    if (needs == NULL || pare_sched_add(f->sched, &spec) == 0) {
        *failed = true;
        pare_error_nomem(err);
    }
    free((void *)needs);
    return NULL;
}

/* ---- latency ---- */

static json_t *profile_params(const struct pare_front *f)
{
    json_t *levels = json_array(), *keep = json_array();
    int at[PARE_MAX_LEVELS]; /* simulated levels have no time: they stand for the next wider one */
    for (int l = 0; l < f->n_levels; l++) {
        if (!pare_level_simulated(f->levels[l])) {
            json_array_append_new(levels, json_string(f->level_names[l]));
        }
        at[l] = (int)json_array_size(levels) - 1;
    }
    for (int i = 0; i < f->n_layers; i++) {
        json_array_append_new(keep, json_integer(at[f->layers[i].keep]));
    }
    return json_pack("{s:o, s:o, s:i, s:s}", "levels", levels, "keep", keep, "samples", 16, "split",
                     f->split_samples[1] > 0 ? "search" : "calibration");
}

/* What an element costs that crosses between forms: a stage with every second layer at int8 took so much longer than its
 * layers' own times add up to. */
static double measure_borders(const struct pare_front *f, const json_t *stages)
{
    double over = 0, elements = 0;
    for (int s = 0; s < f->n_stages; s++) {
        const struct front_stage *stage = &f->stages[s];
        const json_t *mixed = json_object_get(json_object_get(stages, stage->name), "mixed");
        double left = mixed != NULL ? pare_json_at_real(mixed, 1) : NAN, crossing = 0;
        left -= 0.5 * (stage->other_ms[0] + stage->other_ms[f->int8_level]);
        for (int i = stage->first_layer; i < stage->first_layer + stage->n_layers; i++) {
            const struct front_layer *l = &f->layers[i];
            int level = i % 2 != 0 ? 0 : f->int8_level < l->keep ? f->int8_level : l->keep;
            left -= f->cells[i * f->n_levels + level].ms;
            for (int k = 0; k < l->n_from; k++) {
                crossing += l->from[k] % 2 != i % 2 && isfinite(l->elements) ? l->elements : 0;
            }
        }
        if (isfinite(left)) {
            over += left;
            elements += crossing;
        }
    }
    return elements > 0 && over > 0 ? over / elements : 0;
}

static void take_profile(struct pare_front *f, const json_t *row)
{
    const json_t *layers = json_object_get(row, "layers"), *stages = json_object_get(row, "stages");
    for (int i = 0; i < f->n_layers; i++) {
        const json_t *item = json_object_get(layers, f->layers[i].name);
        for (int l = 0; l < f->n_levels; l++) {
            struct front_cell *cell = &f->cells[i * f->n_levels + l];
            const json_t *times = json_object_get(item, f->level_names[l]);
            if (l > f->layers[i].keep) {
                continue; /* the profile ran this layer at a wider level: not a time of this one */
            }
            const bool none = times == NULL || front_layer_simulated(&f->layers[i], f->levels[l]);
            cell->ms = !none ? pare_json_at_real(times, 0) : NAN;
            cell->ms_p10 = !none ? pare_json_at_real(times, 1) : NAN;
            cell->ms_p90 = !none ? pare_json_at_real(times, 2) : NAN;
            cell->kernel = json_string_value(json_array_get(times, 3));
            cell->out_bytes = (int)json_integer_value(json_array_get(times, 4));
        }
    }
    for (int s = 0; s < f->n_stages; s++) {
        const json_t *stage = json_object_get(stages, f->stages[s].name);
        double calls = pare_json_get_real(stage, "calls");
        f->stages[s].calls = isfinite(calls) ? calls : 0;
        for (int l = 0; l < f->n_levels; l++) {
            f->stages[s].other_ms[l] = pare_json_get_real(json_object_get(stage, "other"), f->level_names[l]);
            const json_t *total = json_object_get(json_object_get(stage, "total"), f->level_names[l]);
            f->stages[s].total_ms[l] = total != NULL ? pare_json_at_real(total, 1) : NAN;
        }
    }
    f->glue_ms = pare_json_get_real(row, "glue");
    f->border_ms = measure_borders(f, stages);
    f->profiled = true;
    f->costs++;
    front_target_apply(f);
    front_changed(f);
}

bool front_ensure_profile(struct pare_front *f, bool *failed, struct pare_error *err)
{
    if (f->profiled) {
        return true;
    }
    if (!front_ensure_calibration(f, failed, err) && f->pricing == NULL) {
        return false;
    }
    struct front_job job = {.kind = "profile",
                            .title = "latency of every layer at every level",
                            .params = profile_params(f),
                            .needs_calibration = true,
                            .quiet = true,
                            .priority = 60,
                            .limit_seconds = 300,
                            .total = f->n_stages};
    const json_t *row = front_row(f, &job, failed, err);
    if (row != NULL) {
        take_profile(f, row);
    }
    return row != NULL;
}

bool front_ensure_perturbation(struct pare_front *f, bool *failed, struct pare_error *err)
{
    if (f->perturbation != NULL) {
        return true;
    }
    if (!front_ensure_calibration(f, failed, err) && f->pricing == NULL) { /* some methods round by what layers read */
        return false;
    }
    json_t *levels = json_array();
    for (int l = 0; l < f->n_levels; l++) {
        json_array_append_new(levels, json_string(f->level_names[l]));
    }
    struct front_job job = {.kind = "perturb",
                            .title = "how far every level moves the weights",
                            .params = json_pack("{s:o}", "levels", levels),
                            .needs_calibration = true,
                            .priority = 60,
                            .total = f->n_layers};
    const json_t *row = front_row(f, &job, failed, err);
    f->perturbation = row != NULL ? json_incref((json_t *)(uintptr_t)row) : NULL;
    return row != NULL;
}

static json_t *fp32_config(const struct pare_front *f)
{
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    json_t *config = levels != NULL ? front_config_json(f, levels) : json_object();
    free(levels);
    return config;
}

const json_t *front_ensure_stopwatch(struct pare_front *f, json_t *config, int threads, bool *failed, struct pare_error *err)
{
    if (!front_ensure_calibration(f, failed, err) && f->pricing == NULL) {
        return NULL;
    }
    struct front_job job = {.kind = "stopwatch",
                            .title = "a configuration under the stopwatch, layer by layer",
                            .params = json_pack("{s:O, s:i, s:i, s:s}", "config", config, "samples", 16, "threads", threads,
                                                "split", f->split_samples[1] > 0 ? "search" : "calibration"),
                            .needs_calibration = true,
                            .quiet = true,
                            .priority = 55,
                            .limit_seconds = 300,
                            .total = f->n_stages};
    return front_row(f, &job, failed, err);
}

const json_t *front_ensure_latency_row(struct pare_front *f, json_t *config, int priority, bool *failed, struct pare_error *err)
{
    if (!front_ensure_calibration(f, failed, err) && f->pricing == NULL) {
        return NULL;
    }
    struct front_job job = {
        .kind = "latency",
        .title = "latency of a configuration, end to end",
        .params = json_pack("{s:[o,O], s:i, s:s}", "configs", fp32_config(f), config, "samples", 32, "split",
                            f->split_samples[1] > 0 ? "search" : "calibration"),
        .needs_calibration = true,
        .quiet = true,
        .priority = priority,
        .total = 100};
    return front_row(f, &job, failed, err);
}

bool front_ensure_latency(struct pare_front *f, json_t *config, int priority, double latency[6], double *fp32_ms,
                          bool *failed, struct pare_error *err)
{
    /* nothing is measured end to end on another machine (predictions stand), and a simulated level has no time at all */
    if (f->target != NULL || front_config_simulated(f, config)) {
        for (int i = 0; i < 6; i++) {
            latency[i] = NAN;
        }
        *fp32_ms = NAN;
        return true;
    }
    const json_t *row = front_ensure_latency_row(f, config, priority, failed, err);
    const json_t *both = json_object_get(row, "configs");
    for (int i = 0; i < 6; i++) {
        latency[i] = row != NULL ? pare_json_at_real(json_array_get(both, 1), (size_t)i) : NAN;
    }
    *fp32_ms = row != NULL ? pare_json_at_real(json_array_get(both, 0), 1) : NAN;
    return row != NULL;
}

/* ---- accuracy ---- */

/* Losses are kept to six digits: on their grid a sum is the same in any order, so neither the number of workers nor a
 * run cut and resumed moves the last digit printed. */
double front_add_on_grid(double sum, double value, double grid)
{
    return isfinite(value) ? round((sum + value) * grid) / grid : sum;
}

void front_add_eval(struct front_eval *eval, const json_t *row)
{
    const char *right = pare_json_get_string(row, "right", "");
    const char *reference = pare_json_get_string(row, "reference_right", "");
    const json_t *loss = json_object_get(row, "loss");
    const json_t *prediction = json_object_get(row, "prediction"), *expected = json_object_get(row, "reference");
    for (size_t i = 0; right[i] != '\0' && reference[i] != '\0'; i++) {
        double value = pare_json_at_real(loss, i);
        eval->samples++;
        eval->labelled += right[i] != '-';
        eval->right += right[i] == '1';
        eval->reference_right += reference[i] == '1';
        eval->lost += reference[i] == '1' && right[i] == '0';
        eval->won += reference[i] == '0' && right[i] == '1';
        eval->agree += json_integer_value(json_array_get(prediction, i)) == json_integer_value(json_array_get(expected, i));
        eval->loss = front_add_on_grid(eval->loss, value, 1e6);
    }
    eval->none += (int)pare_json_get_int(row, "none", 0);
    eval->reference_none += (int)pare_json_get_int(row, "reference_none", 0);
    eval->chunks++;
}

static int split_index(const char *split)
{
    return strcmp(split, "all") == 0 ? 3 : strcmp(split, "test") == 0 ? 2 : strcmp(split, "calibration") == 0 ? 0 : 1;
}

bool front_ensure_eval(struct pare_front *f, json_t *config, const char *split, int samples, int priority,
                       const char *title, struct front_eval *eval, bool *failed, struct pare_error *err)
{
    bool all = front_ensure_calibration(f, failed, err);
    int n = f->split_samples[split_index(split)];
    memset(eval, 0, sizeof *eval);
    samples = samples > 0 ? samples : f->eval_samples;
    n = samples < n ? samples : n;
    for (int first = 0; first < n && !*failed; first += FRONT_EVAL_CHUNK) {
        int count = n - first < FRONT_EVAL_CHUNK ? n - first : FRONT_EVAL_CHUNK;
        struct front_job job = {.kind = "accuracy",
                                .title = title,
                                .params = json_pack("{s:O, s:s, s:i, s:i}", "config", config, "split", split, "first",
                                                    first, "n", count),
                                .needs_calibration = true,
                                .priority = priority,
                                .total = count};
        const json_t *row = front_row(f, &job, failed, err);
        if (row != NULL) {
            front_add_eval(eval, row);
        } else {
            all = false;
        }
    }
    if (*failed) {
        return false;
    }
    json_t *keys = front_eval_keys(f, config, split, samples);
    all = front_eval_figures(f, keys, all, priority, eval, failed, err) && all;
    json_decref(keys);
    return all && !*failed;
}

json_t *front_eval_keys(struct pare_front *f, json_t *config, const char *split, int samples)
{
    json_t *keys = json_array();
    int n = f->split_samples[split_index(split)];
    samples = samples > 0 ? samples : f->eval_samples;
    n = samples < n ? samples : n;
    for (int first = 0; first < n; first += FRONT_EVAL_CHUNK) {
        char key[40];
        int count = n - first < FRONT_EVAL_CHUNK ? n - first : FRONT_EVAL_CHUNK;
        json_t *params = json_pack("{s:O, s:s, s:i, s:i}", "config", config, "split", split, "first", first, "n", count);
        front_job_key(f, "accuracy", params, key);
        json_decref(params);
        if (front_find_row(f, key) != NULL) {
            json_array_append_new(keys, json_string(key));
        }
    }
    return keys;
}

/* ---- what earlier sessions know ---- */

const json_t *front_known_row(struct pare_front *f, const char *kind, json_t *params_take)
{
    char key[40];
    front_job_key(f, kind, params_take, key);
    json_decref(params_take);
    return front_find_row(f, key);
}

static int chunks_of(const struct pare_front *f, int split)
{
    int n = f->split_samples[split];
    n = f->eval_samples < n ? f->eval_samples : n;
    return (n + FRONT_EVAL_CHUNK - 1) / FRONT_EVAL_CHUNK;
}

/* The keys of all rows of a point, made once: a config of many layers costs time to write and to hash. */
static bool make_point_keys(struct pare_front *f, struct front_point *p)
{
    static const char *const splits[3] = {"calibration", "search", "test"};
    int at = 0, n = chunks_of(f, 1) + chunks_of(f, 2) + 1;
    p->keys = p->keys != NULL ? p->keys : calloc((size_t)n, sizeof *p->keys);
    if (p->keys == NULL || p->keys[n - 1][0] != '\0') {
        return p->keys != NULL;
    }
    for (int s = 1; s < 3; s++) {
        int samples = f->eval_samples < f->split_samples[s] ? f->eval_samples : f->split_samples[s];
        for (int first = 0; first < samples; first += FRONT_EVAL_CHUNK) {
            int count = samples - first < FRONT_EVAL_CHUNK ? samples - first : FRONT_EVAL_CHUNK;
            json_t *params = json_pack("{s:O, s:s, s:i, s:i}", "config", p->config, "split", splits[s], "first", first, "n", count);
            front_job_key(f, "accuracy", params, p->keys[at++]);
            json_decref(params);
        }
    }
    json_t *params = json_pack("{s:[o,O], s:i, s:s}", "configs", fp32_config(f), p->config, "samples", 32, "split",
                               f->split_samples[1] > 0 ? "search" : "calibration");
    front_job_key(f, "latency", params, p->keys[at]);
    json_decref(params);
    return true;
}

/* Which samples of search are right, from the first on as far as they are known without a gap. */
static void take_right(struct pare_front *f, struct front_point *p)
{
    const int n = p->search.labelled, chunks = chunks_of(f, 1);
    int at = 0;
    p->n_right = 0;
    if (f->metric != PARE_METRIC_TOP1 || n == 0) {
        return;
    }
    free(p->right);
    p->right = calloc((size_t)n / 64 + 1, sizeof *p->right);
    for (int c = 0; p->right != NULL && c < chunks; c++) {
        const json_t *row = front_find_row(f, p->keys[c]);
        const char *letters = pare_json_get_string(row, "right", "");
        if (row == NULL) {
            break;
        }
        for (; *letters != '\0'; letters++) {
            if (*letters != '-' && at < n) {
                p->right[at / 64] |= (uint64_t)(*letters == '1') << (at % 64);
                at++;
            }
        }
    }
    p->n_right = p->right != NULL ? at : 0;
}

void front_load_point(struct pare_front *f, struct front_point *p)
{
    struct front_eval *evals[2] = {&p->search, &p->test};
    int at = 0;
    if (!make_point_keys(f, p)) {
        return;
    }
    for (int s = 0; s < 2; s++) {
        json_t *keys = json_array();
        bool failed = false, looking = f->looking;
        memset(evals[s], 0, sizeof *evals[s]);
        for (int c = chunks_of(f, s + 1); c > 0; c--) {
            const json_t *row = front_find_row(f, p->keys[at]);
            if (row != NULL) {
                front_add_eval(evals[s], row);
                json_array_append_new(keys, json_string(p->keys[at]));
            }
            at++;
        }
        f->looking = true;
        (void)front_eval_figures(f, keys, true, 0, evals[s], &failed, NULL);
        f->looking = looking;
        json_decref(keys);
    }
    take_right(f, p);
    const json_t *row = f->target == NULL ? front_find_row(f, p->keys[at]) : NULL, *both = json_object_get(row, "configs");
    for (int i = 0; i < 6; i++) {
        p->latency[i] = row != NULL ? pare_json_at_real(json_array_get(both, 1), (size_t)i) : NAN;
    }
    p->fp32_ms = row != NULL ? pare_json_at_real(json_array_get(both, 0), 1) : NAN;
}

void front_load_rows(struct pare_front *f)
{
    json_t *seen, *bins, *params = front_calibration_params(f, &seen, &bins);
    json_decref(seen);
    json_decref(bins);
    const json_t *row = front_known_row(f, "calibrate", params);
    if (row != NULL && f->calibration == NULL) {
        f->calibration = json_incref((json_t *)(uintptr_t)row);
    }
    front_load_sense(f);
    row = f->profiled ? NULL : front_known_row(f, "profile", profile_params(f));
    if (row != NULL) {
        take_profile(f, row);
    }
}
