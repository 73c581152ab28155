/*
 * flow_explain.c: why a layer loses what it loses at a level (measure/explain.h), beside what other levels of it would lose,
 * hold and take, from the table. For the screen the same in a struct, started by looking at it.
 */
#include <math.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/flow.h"

static int find_layer(const struct pare_front *f, const char *pattern)
{
    for (int i = 0; i < f->n_layers; i++) {
        if (strcmp(f->layers[i].name, pattern) == 0) {
            return i;
        }
    }
    for (int i = 0; i < f->n_layers; i++) {
        if (pare_glob_match(pattern, f->layers[i].name)) {
            return i;
        }
    }
    return -1;
}

static int find_level(const struct pare_front *f, const char *name)
{
    struct pare_level level;
    for (int l = 1; name != NULL && pare_level_parse(name, &level, NULL) == PARE_OK && l < f->n_levels; l++) {
        if (pare_level_equal(f->levels[l], level)) {
            return l;
        }
    }
    return -1;
}

/* The widest level at which the layer hurts; the narrowest when none does. */
static int worst_level(const struct pare_front *f, int layer)
{
    for (int l = 1; l < f->n_levels; l++) {
        const double loss = front_cell_loss(f, layer, l);
        if (isfinite(loss) && loss > 0.02) {
            return l;
        }
    }
    return f->n_levels - 1;
}

/* What wider levels would make of the layer. */
static json_t *wider_levels(const struct pare_front *f, int layer, int level)
{
    json_t *list = json_array();
    const struct front_cell *now = &f->cells[layer * f->n_levels + level];
    const struct front_layer *l = &f->layers[layer];
    for (int k = level - 1; k > 0; k--) {
        const struct front_cell *c = &f->cells[layer * f->n_levels + k];
        const double bytes = l->bytes[f->levels[k].w_bits] - l->bytes[f->levels[level].w_bits];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o}", "level", f->level_names[k], "step_rmse",
                                              pare_json_real(front_own_rmse(c, PARE_OWN_STEP)), "loss",
                                              pare_json_real(front_cell_loss(f, layer, k)), "bytes", pare_json_real(bytes), "ms",
                                              pare_json_real(c->ms - now->ms)));
    }
    return list;
}

/* The row, NULL after queueing its job (while f->looking: without). title: of the job. */
static const json_t *explain_row(struct pare_front *f, int layer, int level, char title[160], bool *failed, struct pare_error *err)
{
    snprintf(title, 160, "why %s loses at %s", f->layers[layer].name, f->level_alias[level]);
    struct front_job job = {.kind = "explain",
                            .title = title,
                            .params = json_pack("{s:i, s:i, s:s, s:s, s:i}", "version", 4, "layer", layer, "level",
                                                f->level_names[level], "split", f->split_samples[1] > 0 ? "search" : "calibration",
                                                "samples", 16),
                            .needs_calibration = true,
                            .interactive = true,
                            .priority = 80,
                            .total = 16};
    return front_row(f, &job, failed, err);
}

void flow_advance_explain(struct pare_front *f, struct front_flow *flow)
{
    bool failed = false;
    const char *name = pare_json_get_string(flow->args, "layer", ""), *asked = pare_json_get_string(flow->args, "level", NULL);
    const int layer = find_layer(f, name), level = layer < 0 ? -1 : asked != NULL ? find_level(f, asked) : worst_level(f, layer);
    char title[160];
    if (layer < 0 || level < 0) {
        pare_error(&flow->err, PARE_ERR_USAGE, layer < 0 ? name : asked, layer < 0 ? "the pattern matches no layer" : "no candidate level (--levels)");
        flow_end(f, flow, PARE_ERR_USAGE, NULL);
        return;
    }
    if (front_ensure_calibration(f, &failed, &flow->err)) {
        const json_t *row = explain_row(f, layer, level, title, &failed, &flow->err);
        if (row != NULL) {
            json_t *answer = json_copy((json_t *)(uintptr_t)row);
            json_object_set_new(answer, "schema", json_integer(1));
            json_object_set_new(answer, "wider", wider_levels(f, layer, level));
            if (f->options.quantize != NULL) {
                json_object_set_new(answer, "quantize", json_string(f->options.quantize));
            }
            flow_end(f, flow, PARE_OK, answer);
            return;
        }
        for (int i = pare_sched_count(f->sched) - 1; i >= 0 && flow->task == 0; i--) { /* cancelled when nobody waits any more */
            const struct pare_task *t = pare_sched_task(f->sched, i);
            flow->task = t->state == PARE_TASK_QUEUED && strcmp(t->title, title) == 0 ? t->id : 0;
        }
    }
    if (failed) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_FAIL, NULL);
    }
}

/* ---- for the screen ---- */

static void take_histogram(const json_t *json, struct pare_histogram *h)
{
    const json_t *bins = json_object_get(json, "bins");
    for (int i = 0; i < PARE_WHY_BINS; i++) {
        const double n = pare_json_at_real(bins, (size_t)i);
        h->bins[i] = isfinite(n) ? n : 0;
    }
    h->lo = pare_json_get_real(json, "lo");
    h->hi = pare_json_get_real(json, "hi");
    h->range_lo = pare_json_get_real(json, "range_lo");
    h->range_hi = pare_json_get_real(json, "range_hi");
    h->clipped = pare_json_get_real(json, "clipped");
    h->sigma = pare_json_get_real(json, "sigma");
    h->peak = pare_json_get_real(json, "peak");
}

static void take_channels(const json_t *json, struct pare_channels *c)
{
    const json_t *reach = json_object_get(json, "reach");
    c->n = (int)pare_json_get_int(json, "n", 0);
    c->dead = (int)pare_json_get_int(json, "dead", 0);
    c->worst = (int)pare_json_get_int(json, "worst", 0);
    c->spread = pare_json_get_real(json, "spread");
    c->worst_share = pare_json_get_real(json, "worst_share");
    c->n_reach = json_array_size(reach) < PARE_WHY_REACHES ? (int)json_array_size(reach) : PARE_WHY_REACHES;
    for (int i = 0; i < c->n_reach; i++) {
        const double r = pare_json_at_real(reach, (size_t)i);
        c->reach[i] = isfinite(r) ? r : 0;
    }
}

/* Rules as they were tried, then wider levels, the nearest first. */
static void take_cures(const struct pare_front *f, int layer, int level, const json_t *row, struct pare_why *why)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(row, "cures"), i, item) {
        if (why->n_cures < PARE_CURES / 2) {
            why->cures[why->n_cures++] = (struct pare_cure){.rule = pare_json_get_string(item, "rule", ""), .level = -1,
                                                            .step_rmse = pare_json_get_real(item, "step_rmse"), .loss = NAN,
                                                            .gain = pare_json_get_real(item, "gain"),
                                                            .bytes = pare_json_get_real(item, "bytes"),
                                                            .ms = pare_json_get_real(item, "bytes") > 0 ? NAN : 0};
        }
    }
    const struct front_cell *now = &f->cells[layer * f->n_levels + level];
    const struct front_layer *l = &f->layers[layer];
    for (int k = level - 1; k > 0 && why->n_cures < PARE_CURES; k--) {
        const struct front_cell *c = &f->cells[layer * f->n_levels + k];
        why->cures[why->n_cures++] = (struct pare_cure){.level = k, .step_rmse = front_own_rmse(c, PARE_OWN_STEP), .gain = NAN,
                                                        .loss = front_cell_loss(f, layer, k),
                                                        .bytes = l->bytes[f->levels[k].w_bits] - l->bytes[f->levels[level].w_bits],
                                                        .ms = c->ms - now->ms};
    }
}

static void take_why(const struct pare_front *f, int layer, int level, const json_t *row, struct pare_why *why)
{
    const json_t *rmse = json_object_get(row, "rmse");
    why->state = PARE_CELL_DONE;
    snprintf(why->text, sizeof why->text, "%s", pare_json_get_string(row, "why", ""));
    why->calls = (int)pare_json_get_int(row, "calls", 0);
    take_histogram(json_object_get(row, "weights"), &why->weights);
    take_histogram(json_object_get(row, "input"), &why->input);
    take_histogram(json_object_get(row, "output"), &why->output);
    take_channels(json_object_get(row, "channels"), &why->channels);
    take_channels(json_object_get(row, "input_channels"), &why->input_channels);
    why->outside = pare_json_get_real(row, "outside");
    why->own = pare_json_get_real(rmse, "own");
    why->step = pare_json_get_real(rmse, "step");
    why->by_weights = pare_json_get_real(rmse, "weights");
    why->by_activations = pare_json_get_real(rmse, "activations");
    why->output_sigma = why->output.sigma;
    take_cures(f, layer, level, row, why);
}

/* The screen's own flow for this cell: the newest one. Those for other cells are dropped. */
static struct front_flow *find_own(struct pare_front *f, const char *layer, const char *level)
{
    struct front_flow *found = NULL;
    for (struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        const bool own = flow->verb == FLOW_EXPLAIN && pare_json_get_bool(flow->args, "screen", false);
        const bool same = own && strcmp(pare_json_get_string(flow->args, "layer", ""), layer) == 0 &&
                          strcmp(pare_json_get_string(flow->args, "level", ""), level) == 0;
        if (same && found == NULL) {
            found = flow;
        } else if (own && !flow->ended) {
            front_drop_flow(f, flow->id);
        }
    }
    return found;
}

/* What the flow waits for. */
static void say_progress(const struct pare_front *f, struct pare_why *why)
{
    why->state = PARE_CELL_QUEUED;
    snprintf(why->text, sizeof why->text, "waits for a worker");
    for (int i = pare_sched_count(f->sched) - 1; i >= 0; i--) {
        const struct pare_task *t = pare_sched_task(f->sched, i);
        const bool mine = strcmp(t->kind, "explain") == 0 || strcmp(t->kind, "calibrate") == 0;
        if (mine && t->state == PARE_TASK_RUNNING) {
            why->state = PARE_CELL_RUNNING;
            why->part = t->total > 0 ? t->done / t->total : 0;
            snprintf(why->text, sizeof why->text, "%s",
                     t->kind[0] == 'c' ? "calibration comes first: the ranges are chosen by what it sees"
                                       : "16 samples run through the layer; histograms and cures appear here");
        }
    }
}

json_t *front_explain_for_follower(struct pare_front *f, const json_t *asked)
{
    const char *rules = pare_json_get_string(asked, "quantize", ""), *now = f->options.quantize != NULL ? f->options.quantize : "";
    const char *layer = pare_json_get_string(asked, "layer", ""), *level = pare_json_get_string(asked, "level", "");
    if (!f->described || strcmp(rules, now) != 0) {
        return json_pack("{s:s}", "explaining", f->described ? "the pare that holds this session quantizes by other rules" : "it is still being opened");
    }
    for (struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
        if (flow->verb == FLOW_EXPLAIN && !flow->ended && pare_json_get_bool(flow->args, "follower", false)) {
            if (strcmp(pare_json_get_string(flow->args, "layer", ""), layer) == 0 && strcmp(pare_json_get_string(flow->args, "level", ""), level) == 0) {
                return json_pack("{s:s}", "explaining", "");
            }
            front_drop_flow(f, flow->id); /* nobody looks there any more */
        }
    }
    struct pare_error err = {0};
    json_t *args = json_pack("{s:s, s:s, s:b}", "layer", layer, "level", level, "follower", 1);
    const bool started = args != NULL && pare_front_start(f, "explain", args, &err) != 0;
    json_decref(args);
    return json_pack("{s:s}", "explaining", started ? "" : err.message);
}

/* The holder measures; until its row is there, what the table says. */
static void follow_why(struct pare_front *f, int layer, int level, struct pare_why *why)
{
    const struct front_cell *c = &f->cells[layer * f->n_levels + level];
    const double loss = front_cell_loss(f, layer, level), step = front_own_rmse(c, PARE_OWN_STEP);
    const int cell = layer * f->n_levels + level + 1;
    size_t i, used;
    const json_t *job;
    if (f->asked_why != cell) {
        f->asked_why = cell;
        if (!front_ask_why(f, f->layers[layer].name, f->level_names[level])) {
            snprintf(f->why_refused, sizeof f->why_refused, "no pare that holds this session answers");
        }
    }
    why->state = f->why_refused[0] != '\0' ? PARE_CELL_NONE : PARE_CELL_QUEUED;
    json_array_foreach(json_object_get(f->remote, "jobs"), i, job) {
        const double done = pare_json_get_real(job, "done"), total = pare_json_get_real(job, "total");
        const bool mine = strcmp(pare_json_get_string(job, "kind", ""), "explain") == 0;
        if (mine && why->state == PARE_CELL_QUEUED && pare_json_get_int(job, "state", -1) == PARE_TASK_RUNNING) {
            why->state = PARE_CELL_RUNNING;
            why->part = total > 0 && done <= total ? done / total : 0;
        }
    }
    used = (size_t)snprintf(why->text, sizeof why->text, "%s", f->why_refused[0] != '\0' ? f->why_refused
                                                          : "the pare that holds this session was asked to measure it; it appears here");
    if (used < sizeof why->text && isfinite(loss)) {
        used += (size_t)snprintf(why->text + used, sizeof why->text - used, "; known from the table: loss %.4f", loss);
    }
    if (used < sizeof why->text && isfinite(step)) {
        snprintf(why->text + used, sizeof why->text - used, "%s step RMSE %.4g", isfinite(loss) ? "," : "; known from the table:", step);
    }
}

void pare_front_why(struct pare_front *f, int layer, int level, struct pare_why *why)
{
    char title[160];
    bool failed = false;
    const bool looking = f->looking;
    memset(why, 0, sizeof *why);
    if (!f->described || layer < 0 || layer >= f->n_layers || level < 0 || level >= f->n_levels) {
        snprintf(why->text, sizeof why->text, "no layers: the models hold nothing that can be quantized");
        return;
    }
    if (level == 0) {
        snprintf(why->text, sizeof why->text, "fp32 loses nothing; h and l choose another level");
        return;
    }
    f->looking = true;
    const json_t *row = front_ensure_calibration(f, &failed, NULL) ? explain_row(f, layer, level, title, &failed, NULL) : NULL;
    f->looking = looking;
    if (row != NULL) {
        (void)find_own(f, f->layers[layer].name, f->level_names[level]);
        take_why(f, layer, level, row, why);
        return;
    }
    if (f->follower) {
        follow_why(f, layer, level, why);
        return;
    }
    struct front_flow *flow = find_own(f, f->layers[layer].name, f->level_names[level]);
    if (flow == NULL || (flow->ended && (flow->status == PARE_OK || strcmp(flow->err.message, "replaced") == 0))) {
        json_t *args = json_pack("{s:s, s:s, s:b}", "layer", f->layers[layer].name, "level", f->level_names[level], "screen", 1);
        (void)pare_front_start(f, "explain", args, NULL);
        json_decref(args);
        flow = find_own(f, f->layers[layer].name, f->level_names[level]);
    }
    if (flow != NULL && flow->ended && flow->status != PARE_OK) {
        why->state = PARE_CELL_FAILED;
        snprintf(why->text, sizeof why->text, "%.100s%s%.200s", flow->err.where, flow->err.where[0] != '\0' ? ": " : "", flow->err.message);
    } else {
        say_progress(f, why);
    }
}
