#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/linear.h"
#include "measure/stats.h"

const char *front_state_text(struct pare_front *f, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *copy = pare_arena_strdup(&f->state_arena, text);
    return copy != NULL ? copy : "";
}

static struct pare_figure no_figure(void)
{
    return (struct pare_figure){PARE_FIGURE_NONE, NAN, NAN, NAN};
}

static void build_cells(struct pare_front *f, int layer, struct pare_cell *cells)
{
    bool bare = pare_json_get_bool(f->description, "bare", false);
    for (int l = 0; l < f->n_levels; l++) {
        struct front_cell *c = &f->cells[layer * f->n_levels + l];
        struct pare_cell *out = &cells[l];
        const double mse = front_own(c, PARE_OWN_MSE);
        out->state = l == 0 || front_cell_done(f, c) ? PARE_CELL_DONE
                     : c->samples > 0                         ? PARE_CELL_RUNNING
                                                              : PARE_CELL_NONE;
        out->rmse = l == 0 ? 0 : sqrt(mse);
        out->rmse_over_scale = c->scale > 0 ? out->rmse / c->scale : NAN;
        out->rmse_over_sigma = l == 0 ? 0 : c->sigma > 0 ? out->rmse / c->sigma : NAN;
        out->sqnr_db = mse > 0 ? 10 * log10(front_own(c, PARE_OWN_POWER) / mse) : NAN;
        out->clipped = front_own(c, PARE_OWN_CLIPPED);
        out->cosine = front_own(c, PARE_OWN_COSINE);
        out->max_error = c->own_n > 0 ? c->most : NAN;
        out->step_rmse = front_own_rmse(c, PARE_OWN_STEP);
        out->weight_rmse = front_own_rmse(c, PARE_OWN_WEIGHTS);
        out->activation_rmse = front_own_rmse(c, PARE_OWN_ACTIVATIONS);
        out->accumulated_rmse = front_own_rmse(c, PARE_OWN_ACCUMULATED);
        out->loss = l == 0 ? 0 : c->samples > 0 ? c->loss / c->samples : NAN;
        out->drop = out->drop_low = out->drop_high = l == 0 ? 0 : NAN;
        if (l > 0 && c->samples > 0 && !bare) {
            const struct pare_figures *figures = front_cell_figures(f, c);
            out->drop = figures->drop;
            out->drop_low = figures->drop_low;
            out->drop_high = figures->drop_high;
        }
        out->samples = c->samples;
        out->suspected = out->rmse_over_scale > 0.7;
        out->ms = c->ms;
        out->ms_p10 = c->ms_p10;
        out->ms_p90 = c->ms_p90;
        out->slower = front_slower_than(f, layer, l) >= 0;
        out->bytes = f->levels[l].w_bits <= 32 ? f->layers[layer].bytes[f->levels[l].w_bits] : NAN;
    }
}

/* Pins and other choices that are kept without holding (everywhere). */
static void build_waiting(struct pare_front *f, struct pare_state *s)
{
    const size_t n_pins = json_array_size(f->pins);
    const char **waiting = pare_arena_array(&f->state_arena, n_pins + (size_t)f->n_unmet + 1, sizeof *waiting);
    char text[240];
    for (size_t i = 0; waiting != NULL && i < n_pins; i++) {
        if (front_choice_waits(f, (int)i, text) != NULL) {
            waiting[s->n_waiting++] = front_state_text(f, "%s", text);
        }
    }
    for (int i = 0; waiting != NULL && i < f->n_unmet; i++) {
        waiting[s->n_waiting++] = front_state_text(f, "%s", f->unmet[i]);
    }
    s->waiting = waiting;
}

static void add_rows(struct pare_front *f, struct pare_state *s)
{
    const size_t n = json_array_size(f->rows);
    const char **names = pare_arena_array(&f->state_arena, n + 1, sizeof *names);
    const char **words = pare_arena_array(&f->state_arena, n + 1, sizeof *words);
    const char **json = pare_arena_array(&f->state_arena, n + 1, sizeof *json);
    const bool ok = names != NULL && words != NULL && json != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        char text[400], *its = json_dumps(json_array_get(f->rows, i), JSON_COMPACT);
        front_row_words(json_array_get(f->rows, i), text, sizeof text);
        names[i] = front_state_text(f, "%s", pare_json_get_string(json_array_get(f->rows, i), "name", ""));
        words[i] = front_state_text(f, "%s", text);
        json[i] = front_state_text(f, "%s", its != NULL ? its : "");
        free(its);
    }
    s->n_rows = ok ? (int)n : 0;
    s->row_json = json;
    s->row_names = names;
    s->row_words = words;
}

static void build_layers(struct pare_front *f, struct pare_state *s)
{
    struct pare_layer *layers = pare_arena_array(&f->state_arena, (size_t)f->n_layers + 1, sizeof *layers);
    struct pare_cell *cells =
        pare_arena_array(&f->state_arena, (size_t)(f->n_layers * f->n_levels) + 1, sizeof *cells);
    if (layers == NULL || cells == NULL) {
        return;
    }
    for (int i = 0; i < f->n_layers; i++) {
        const struct front_layer *l = &f->layers[i];
        build_cells(f, i, cells + i * f->n_levels);
        layers[i] = (struct pare_layer){.name = l->name,
                                        .short_name = l->short_label,
                                        .label = l->label,
                                        .kind = l->kind,
                                        .shape = l->shape,
                                        .stage = l->stage,
                                        .macs = l->macs,
                                        .weights = l->weights,
                                        .first = l->first,
                                        .last = l->last,
                                        .pin_lo = l->pin_lo < 0 && l->held ? 0 : l->pin_lo,
                                        .pin_hi = l->pin_lo < 0 && l->held ? l->keep : l->pin_hi,
                                        .tie = l->tied ? l->tie : -1,
                                        .cells = cells + i * f->n_levels};
        s->n_pins += layers[i].pin_lo >= 0;
    }
    s->n_layers = f->n_layers;
    s->layers = layers;
    const char **ties = pare_arena_array(&f->state_arena, json_array_size(f->ties) + 1, sizeof *ties);
    for (size_t i = 0; ties != NULL && i < json_array_size(f->ties); i++) {
        ties[i] = front_state_text(f, "%s", json_string_value(json_array_get(f->ties, i)));
    }
    add_rows(f, s);
    s->n_ties = ties != NULL ? (int)json_array_size(f->ties) : 0;
    s->ties = ties;
    build_waiting(f, s);
    struct pare_stage_state *stages = pare_arena_array(&f->state_arena, (size_t)f->n_stages + 1, sizeof *stages);
    for (int i = 0; stages != NULL && i < f->n_stages; i++) {
        stages[i] = (struct pare_stage_state){.name = f->stages[i].name,
                                              .file = f->stages[i].file,
                                              .n_layers = f->stages[i].n_layers,
                                              .first_layer = f->stages[i].first_layer,
                                              .ms_fp32 = f->profiled ? f->stages[i].total_ms[0] : NAN,
                                              .calls_per_sample = f->profiled ? f->stages[i].calls : NAN};
        for (int k = 0; k < f->stages[i].n_layers; k++) {
            stages[i].macs += f->layers[f->stages[i].first_layer + k].macs;
            stages[i].weights += f->layers[f->stages[i].first_layer + k].weights;
        }
    }
    s->n_stages = stages != NULL ? f->n_stages : 0;
    s->stages = stages;
}

static struct pare_figure measured(double value, double low, double high)
{
    return (struct pare_figure){PARE_FIGURE_MEASURED, value, low, high};
}

static struct pare_figure predicted(double value)
{
    return isfinite(value) ? (struct pare_figure){PARE_FIGURE_PREDICTED, value, NAN, NAN} : no_figure();
}

static void build_point(struct pare_front *f, const struct front_point *p, struct pare_point *out)
{
    const struct pare_figures *on_search = &p->search.figures, *on_test = &p->test.figures;
    *out = (struct pare_point){.run = p->run,
                               .number = p->number,
                               .levels = p->levels,
                               .accuracy = no_figure(),
                               .drop = no_figure(),
                               .latency = no_figure(),
                               .test_accuracy = no_figure(),
                               .test_drop = no_figure(),
                               .drop_predicted = predicted(p->drop_predicted),
                               .latency_predicted = predicted(p->latency_predicted),
                               .loss = predicted(p->loss_sum),
                               .latency_sum = front_latency_sum(f, p->levels),
                               .from_exact = p->exact_at == f->costs ? p->from_exact : NAN,
                               .p99_ms = p->latency[4],
                               .right = p->right,
                               .n_right = p->n_right,
                               .samples = p->search.samples};
    if (isfinite(on_search->value)) {
        out->accuracy = measured(on_search->value, on_search->low, on_search->high);
        out->drop = measured(on_search->drop, on_search->drop_low, on_search->drop_high);
        if (front_simulated(f, p->levels)) {
            out->accuracy.kind = out->drop.kind = PARE_FIGURE_SIMULATED;
        }
    } else if (isfinite(p->drop_predicted)) {
        double reference = f->state.fp32_accuracy.value;
        out->drop = predicted(p->drop_predicted);
        out->accuracy = predicted(reference - p->drop_predicted);
    }
    if (isfinite(p->latency[1])) {
        out->latency = measured(p->latency[1], p->latency[2], p->latency[3]);
    } else {
        out->latency = predicted(p->latency_predicted);
    }
    if (isfinite(on_test->value)) {
        out->test_accuracy = measured(on_test->value, on_test->low, on_test->high);
        out->test_drop = measured(on_test->drop, on_test->drop_low, on_test->drop_high);
    }
    out->bytes = measured(front_bytes(f, p->levels), NAN, NAN);
    out->bitops = measured(front_bitops(f, p->levels), NAN, NAN);
    out->energy = (struct pare_figure){PARE_FIGURE_PREDICTED, front_energy(f, p->levels), NAN, NAN};
    out->over_budget = (isfinite(f->max_drop) && out->drop.value > f->max_drop) ||
                       (isfinite(f->max_latency_ms) && out->latency.value > f->max_latency_ms) ||
                       (isfinite(f->max_bytes) && out->bytes.value > f->max_bytes) ||
                       (isfinite(f->max_bitops) && out->bitops.value > f->max_bitops) ||
                       (isfinite(f->max_energy_uj) && out->energy.value > f->max_energy_uj);
    const struct front_run *run = &f->runs[p->run];
    const int uniform = front_uniform_level(f, p);
    out->label = uniform >= 0 ? f->level_alias[uniform] : front_state_text(f, "%s:%d", run->name, p->number);
}

/* A point is old when its run came before the last solve's. */
static void mark_points(const struct pare_front *f, struct pare_state *s, struct pare_point *points)
{
    unsigned char *marks = malloc((size_t)s->n_points + 1);
    int last = 0;
    for (int r = 0; r < f->n_runs; r++) {
        const char *method = f->runs[r].method;
        last = strcmp(method, "uniform") == 0 || strcmp(method, "mixed") == 0 ? last : r;
    }
    for (int i = 0; i < s->n_points; i++) {
        points[i].old = points[i].run < last;
    }
    if (marks != NULL && pare_state_marks(s, PARE_POINT_LATENCY, PARE_POINT_DROP, marks)) {
        for (int i = 0; i < s->n_points; i++) {
            points[i].front = (marks[i] & PARE_MARK_FRONT) != 0;
            points[i].ghost = (marks[i] & PARE_MARK_GHOST) != 0;
            points[i].tied = (marks[i] & PARE_MARK_TIED) != 0;
        }
    }
    free(marks);
}

static void build_points(struct pare_front *f, struct pare_state *s)
{
    struct pare_point *points = pare_arena_array(&f->state_arena, (size_t)f->n_points + 1, sizeof *points);
    struct pare_run *runs = pare_arena_array(&f->state_arena, (size_t)f->n_runs + 1, sizeof *runs);
    if (points == NULL || runs == NULL) {
        return;
    }
    for (int r = 0; r < f->n_runs; r++) {
        const struct front_run *run = &f->runs[r];
        runs[r] = (struct pare_run){.name = run->name,
                                    .method = run->method,
                                    .budget = pare_json_get_string(run->settings, "budget", ""),
                                    .pins = "",
                                    .status = pare_json_get_string(run->status, "status", "not ended"),
                                    .seconds = pare_json_get_real(run->status, "seconds"),
                                    .gap = pare_json_get_real(run->status, "gap"),
                                    .evaluations = (int)pare_json_get_int(run->status, "evaluations", 0),
                                    .quantize = pare_json_get_string(run->settings, "quantize", NULL),
                                    .first_point = -1,
                                    .glyph = (char)('a' + r % 26)};
    }
    for (int i = 0; i < f->n_points; i++) {
        struct pare_run *run = &runs[f->points[i].run];
        build_point(f, &f->points[i], &points[i]);
        run->first_point = run->first_point < 0 ? i : run->first_point;
        run->n_points++;
        run->status = json_object_get(f->runs[f->points[i].run].status, "status") == NULL ? "measured" : run->status;
    }
    s->points = points;
    s->n_points = f->n_points;
    mark_points(f, s, points);
    s->runs = runs;
    s->n_runs = f->n_runs;
}

static void build_reference(struct pare_front *f, struct pare_state *s)
{
    unsigned char *levels = pare_arena_array(&f->state_arena, (size_t)f->n_layers + 1, 1);
    s->fp32_accuracy = s->fp32_latency = no_figure();
    s->fp32_bytes = levels != NULL ? front_bytes(f, levels) : NAN;
    const struct front_point *most = NULL;
    for (int i = 0; i < f->n_points; i++) {
        const struct front_point *p = &f->points[i];
        if (isfinite(p->search.figures.reference) && (most == NULL || p->search.samples > most->search.samples)) {
            most = p;
        }
        if (isfinite(p->fp32_ms)) {
            s->fp32_latency = measured(p->fp32_ms, NAN, NAN);
        }
    }
    if (most != NULL) {
        const struct front_eval *e = &most->search;
        double low = NAN, high = NAN;
        if (f->metric == PARE_METRIC_TOP1) {
            pare_interval_proportion(e->reference_right, e->labelled, &low, &high);
        }
        for (int i = 0; i < f->n_points && f->metric != PARE_METRIC_TOP1; i++) { /* fp32 measured as any other */
            const struct front_point *p = &f->points[i];
            if (levels != NULL && memcmp(p->levels, levels, (size_t)f->n_layers) == 0 && isfinite(p->search.figures.low)) {
                low = p->search.figures.low;
                high = p->search.figures.high;
            }
        }
        s->fp32_accuracy = measured(e->figures.reference, low, high);
    }
    if (s->fp32_latency.kind == PARE_FIGURE_NONE && f->profiled && levels != NULL) {
        s->fp32_latency = (struct pare_figure){PARE_FIGURE_PREDICTED, front_latency_sum(f, levels), NAN, NAN};
    }
}

/* While we follow: the holder's queue and progress, as it last said. */
static void build_remote_jobs(struct pare_front *f, struct pare_state *s)
{
    const json_t *list = json_object_get(f->remote, "jobs");
    size_t n = json_array_size(list);
    struct pare_job_row *jobs = pare_arena_array(&f->state_arena, n + 1, sizeof *jobs);
    for (size_t i = 0; jobs != NULL && i < n; i++) {
        const json_t *j = json_array_get(list, i);
        int64_t state = pare_json_get_int(j, "state", PARE_JOB_QUEUED);
        jobs[i] = (struct pare_job_row){.id = (uint64_t)pare_json_get_int(j, "id", 0),
                                        .kind = front_state_text(f, "%s", pare_json_get_string(j, "kind", "?")),
                                        .title = front_state_text(f, "%s", pare_json_get_string(j, "title", "?")),
                                        .state = state >= 0 && state <= PARE_JOB_CANCELLED ? (enum pare_job_state)state : PARE_JOB_QUEUED,
                                        .done = pare_json_get_real(j, "done"),
                                        .total = pare_json_get_real(j, "total"),
                                        .seconds = pare_json_get_real(j, "seconds"),
                                        .left_seconds = pare_json_get_real(j, "left"),
                                        .worker = (int)pare_json_get_int(j, "worker", -1),
                                        .error = front_state_text(f, "%s", pare_json_get_string(j, "error", ""))};
    }
    s->jobs = jobs;
    s->n_jobs = jobs != NULL ? (int)n : 0;
    s->progress_done = pare_json_get_real(f->remote, "done");
    s->progress_total = pare_json_get_real(f->remote, "total");
    s->left_seconds = pare_json_get_real(f->remote, "left");
    s->progress_title = front_state_text(f, "%s", pare_json_get_string(f->remote, "title", ""));
    s->n_workers = (int)pare_json_get_int(f->remote, "workers", 0);
    s->n_quiet = (int)pare_json_get_int(f->remote, "quiet", 0);
}

static void build_jobs(struct pare_front *f, struct pare_state *s)
{
    int n = pare_sched_count(f->sched), busy;
    int shown = n < 400 ? n : 400;
    double now = pare_sched_now(f->sched), spent = 0;
    struct pare_job_row *jobs = pare_arena_array(&f->state_arena, (size_t)shown + 1, sizeof *jobs);
    for (int i = 0; jobs != NULL && i < n; i++) {
        const struct pare_task *t = pare_sched_task(f->sched, i);
        bool pending = t->state == PARE_TASK_QUEUED || t->state == PARE_TASK_RUNNING;
        if (i >= n - shown) {
            jobs[n - 1 - i] = (struct pare_job_row){.id = t->id,
                                                    .kind = t->kind,
                                                    .title = t->title,
                                                    .state = (enum pare_job_state)t->state,
                                                    .done = t->done,
                                                    .total = t->total,
                                                    .seconds = t->started > 0 ? (pending ? now : t->finished) - t->started : 0,
                                                    .left_seconds = NAN,
                                                    .worker = t->worker,
                                                    .error = t->error.message};
            if (t->state == PARE_TASK_RUNNING && t->done > 0) {
                jobs[n - 1 - i].left_seconds = (now - t->started) * (t->total - t->done) / t->done;
            }
        }
        if (pending) {
            s->progress_total += 1;
            s->progress_done += t->total > 0 ? t->done / t->total : 0;
            s->progress_title = t->state == PARE_TASK_RUNNING ? t->kind : s->progress_title;
        }
    }
    /* Finished jobs since the last idle moment count as done; their speed gives the time left. */
    double first = now;
    for (int i = n - 1; i >= 0 && s->progress_total > 0; i--) {
        const struct pare_task *t = pare_sched_task(f->sched, i);
        if (t->state == PARE_TASK_DONE && strcmp(t->kind, "describe") != 0 && t->finished > f->idle_since) {
            s->progress_total += 1;
            s->progress_done += 1;
        }
        first = t->started > f->idle_since && t->started < first ? t->started : first;
    }
    spent = now - first;
    s->left_seconds = front_seconds_left(f);
    if (!isfinite(s->left_seconds) && s->progress_done > 0.5) {
        s->left_seconds = spent * (s->progress_total - s->progress_done) / s->progress_done;
    }
    if (s->progress_total == 0) {
        f->idle_since = now;
    }
    s->jobs = jobs;
    s->n_jobs = jobs != NULL ? shown : 0;
    s->n_workers = pare_sched_workers(f->sched, &busy, &s->n_quiet);
}

void front_build_state(struct pare_front *f)
{
    struct pare_state *s = &f->state;
    struct pare_arena old = f->spare_arena;
    const char *levels_names[PARE_MAX_LEVELS];
    /* what was handed out stays valid until the state after the next is made */
    f->spare_arena = f->state_arena;
    pare_arena_clear(&old);
    f->state_arena = (struct pare_arena){0};
    memset(s, 0, sizeof *s);
    s->version = f->version;
    s->name = pare_json_get_string(f->description, "name", "");
    s->path = f->path;
    s->bare = pare_json_get_bool(f->description, "bare", false);
    s->loading = !f->described && !f->failed;
    s->failed = f->failed ? front_state_text(f, "%s%s%s", f->failure.where, f->failure.where[0] != '\0' ? ": " : "",
                                             f->failure.message)
                          : NULL;
    s->target = f->target == NULL ? "host, 1 thread"
                                  : front_state_text(f, "%s, %s", pare_target_name(f->target),
                                                     pare_target_derived(f->target) ? "derived" : "predicted");
    s->cpu = f->isa;
    s->split = "search";
    s->n_samples = f->split_samples[1];
    s->n_levels = f->n_levels;
    s->levels = f->levels;
    for (int l = 0; l < f->n_levels; l++) {
        levels_names[l] = f->level_alias[l];
    }
    const char **names = pare_arena_array(&f->state_arena, PARE_MAX_LEVELS, sizeof *names);
    if (names != NULL) {
        memcpy(names, levels_names, (size_t)f->n_levels * sizeof *names);
    }
    s->level_names = names;
    s->max_drop = f->max_drop;
    s->max_latency_ms = f->max_latency_ms;
    s->max_bytes = f->max_bytes;
    s->max_bitops = f->max_bitops;
    s->max_energy_uj = f->max_energy_uj;
    s->minimize = pare_cost_name(f->minimize);
    s->solver = f->solver;
    s->message = f->message;
    s->message_is_error = f->message_is_error;
    s->quantize = f->options.quantize;
    s->redescribing = f->redescribing;
    s->follower = f->follower;
    s->since = f->since[0] != '\0' ? f->since : NULL;
    s->progress_title = "";
    s->can_undo = f->can_undo;
    s->can_redo = f->can_redo;
    s->log = (const char *const *)f->log;
    s->n_log = f->n_log;
    s->fp32_accuracy = s->fp32_latency = no_figure();
    s->fp32_bytes = NAN;
    if (f->follower && f->remote != NULL) {
        build_remote_jobs(f, s);
    } else {
        build_jobs(f, s);
    }
    if (f->described) {
        build_layers(f, s);
        build_reference(f, s);
        build_points(f, s);
    }
    f->dirty = false;
}

const struct pare_state *pare_front_state(const struct pare_front *f)
{
    struct pare_front *mutable_front = (struct pare_front *)(uintptr_t)f;
    if (f->dirty || f->state.path == NULL) {
        front_build_state(mutable_front);
    }
    return &f->state;
}
