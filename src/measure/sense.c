#include "measure/sense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "measure/flags.h"
#include "measure/own_error.h"

#define MAX_CALLS 16

/* One stage call of the reference pass: its input's hash and its outputs. */
struct reference_call {
    int stage;
    char input[33];
    int n_out;
    struct pare_value *out[PARE_MAX_OUTPUTS];
};

struct context {
    struct pare_engine *e;
    struct pare_level *fp32, *lowered; /* [n_layers] */
    struct pare_level level;
    int layer;                        /* the lowered one */
    int n_calls;
    struct reference_call calls[MAX_CALLS];
    char kept[PARE_MAX_STAGES][33];   /* the input that the kept plan of a stage last ran on */
    bool has_kept[PARE_MAX_STAGES];
};

static void hash_inputs(const struct pare_value *const *in, int n_in, char hex[33])
{
    struct pare_hash h;
    hex[0] = '\0';
    if (pare_hash_init(&h) != PARE_OK) {
        return;
    }
    for (int i = 0; i < n_in; i++) {
        pare_hash_add(&h, in[i]->dims, sizeof in[i]->dims[0] * (size_t)in[i]->rank);
        pare_hash_add(&h, in[i]->data, sizeof(float) * (size_t)pare_value_elements(in[i]));
    }
    pare_hash_final(&h, hex);
}

/* Brings the kept fp32 plan of a stage to the state behind this input. */
static enum pare_status keep_reference(struct context *c, int stage, const struct pare_value *const *in,
                                       int n_in, const char *input, struct pare_arena *arena,
                                       struct pare_plan **plan, struct pare_error *err)
{
    enum pare_status status = pare_engine_plan(c->e, stage, c->fp32, true, plan, err);
    if (status != PARE_OK || (c->has_kept[stage] && strcmp(c->kept[stage], input) == 0)) {
        return status;
    }
    status = pare_engine_feed(c->e, stage, *plan, in, n_in, arena, err);
    if (status == PARE_OK) {
        status = pare_plan_run(*plan, err);
    }
    c->has_kept[stage] = status == PARE_OK;
    memcpy(c->kept[stage], input, 33);
    return status;
}

static enum pare_status reference_stage(void *self, int stage, const struct pare_value *const *in, int n_in,
                                        struct pare_arena *arena, struct pare_value **out, int *n_out,
                                        struct pare_error *err)
{
    struct context *c = self;
    struct pare_plan *plan;
    char input[33];
    hash_inputs(in, n_in, input);
    enum pare_status status = keep_reference(c, stage, in, n_in, input, arena, &plan, err);
    if (status == PARE_OK) {
        status = pare_engine_fetch(c->e, stage, plan, arena, out, n_out, err);
    }
    if (status == PARE_OK && c->n_calls < MAX_CALLS) {
        struct reference_call *call = &c->calls[c->n_calls++];
        call->stage = stage;
        memcpy(call->input, input, sizeof input);
        call->n_out = *n_out;
        memcpy(call->out, out, (size_t)*n_out * sizeof *out);
    }
    return status;
}

static enum pare_status lowered_stage(void *self, int stage, const struct pare_value *const *in, int n_in,
                                      struct pare_arena *arena, struct pare_value **out, int *n_out,
                                      struct pare_error *err)
{
    struct context *c = self;
    const struct pare_layer_ref *ref = pare_engine_layer(c->e, c->layer);
    struct pare_plan *plan, *kept;
    char input[33];
    hash_inputs(in, n_in, input);
    for (int i = 0; ref->stage != stage && i < c->n_calls; i++) {
        if (c->calls[i].stage == stage && strcmp(c->calls[i].input, input) == 0) {
            *n_out = c->calls[i].n_out;
            memcpy(out, c->calls[i].out, (size_t)*n_out * sizeof *out);
            return PARE_OK;
        }
    }
    enum pare_status status =
        pare_engine_plan(c->e, stage, ref->stage == stage ? c->lowered : c->fp32, false, &plan, err);
    if (status == PARE_OK && ref->stage == stage) {
        status = keep_reference(c, stage, in, n_in, input, arena, &kept, err);
        /* keep_reference may have made a plan and so dropped an old one: fetch ours again */
        if (status == PARE_OK) {
            status = pare_engine_plan(c->e, stage, c->lowered, false, &plan, err);
        }
        if (status == PARE_OK) {
            status = pare_plan_run_suffix(plan, kept, ref->node, err);
        }
    } else if (status == PARE_OK) {
        status = pare_engine_feed(c->e, stage, plan, in, n_in, arena, err);
        if (status == PARE_OK) {
            status = pare_plan_run(plan, err);
        }
    }
    return status == PARE_OK ? pare_engine_fetch(c->e, stage, plan, arena, out, n_out, err) : status;
}

/* The layer's own error on the reference's present state. */
static enum pare_status own_error(struct context *c, struct pare_own *own, struct pare_sense_cell *cell,
                                  struct pare_arena *arena, struct pare_error *err)
{
    const struct pare_layer_ref *ref = pare_engine_layer(c->e, c->layer);
    const struct pare_graph *g = pare_engine_graph(c->e, ref->stage);
    int tensor = g->nodes[ref->node].in[0];
    size_t n = (size_t)pare_tensor_elements(&g->tensors[tensor]);
    struct pare_plan *kept;
    double mse, power, clipped;
    if (!c->has_kept[ref->stage]) {
        return PARE_OK; /* the stage was not called for this sample */
    }
    float *x = pare_arena_array(arena, n, sizeof *x);
    if (x == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_engine_plan(c->e, ref->stage, c->fp32, true, &kept, err);
    if (status == PARE_OK) {
        status = pare_plan_read_tensor(kept, tensor, x, n, err);
    }
    if (status == PARE_OK) {
        status = pare_own_run(own, x, n, &mse, &power, &clipped, &cell->scale, err);
    }
    if (status == PARE_OK) {
        cell->mse += mse;
        cell->power += power;
        cell->clipped += clipped;
        cell->n++;
    }
    return status;
}

static signed char is_right(const struct pare_sample *sample, const struct pare_outcome *outcome)
{
    return sample->label < 0 ? -1
                             : outcome->kind == PARE_OUTCOME_CLASS && outcome->prediction == sample->label;
}

/* Metrics whose drop the front computes from cells; a function in Lua is not called for them. */
static enum pare_status keep_item(struct pare_engine *e, const struct pare_sample *sample,
                                  const struct pare_outcome *outcome, json_t *items, struct pare_error *err)
{
    const struct pare_pipeline *p = pare_engine_pipeline(e);
    json_t *item;
    if (p->bare || p->scoring.kind == PARE_METRIC_TOP1 || p->scoring.kind == PARE_METRIC_FUNCTION) {
        return PARE_OK;
    }
    enum pare_status status = pare_metric_item(&p->scoring, sample, outcome, p->path, &item, err);
    return status == PARE_OK && json_array_append_new(items, item) != 0 ? pare_error_nomem(err) : status;
}

static enum pare_status run_cell(struct context *c, struct pare_sense *s, int layer, int i,
                                 const struct pare_sample *sample, const struct pare_outcome *reference,
                                 struct pare_arena *arena, struct pare_error *err)
{
    struct pare_runner lower = {c, lowered_stage};
    struct pare_outcome outcome;
    c->layer = layer;
    c->lowered[layer] = c->level;
    enum pare_status status = pare_engine_infer_with(c->e, &lower, sample, arena, &outcome, err);
    c->lowered[layer] = c->fp32[layer];
    if (status == PARE_OK) {
        s->cells[layer].loss[i] = pare_outcome_loss(reference, &outcome);
        s->cells[layer].right[i] = is_right(sample, &outcome);
        status = keep_item(c->e, sample, &outcome, s->cells[layer].items, err);
    }
    return status;
}

static enum pare_status run_sample(struct context *c, struct pare_sense *s, const bool *wanted,
                                   enum pare_split split, int i, struct pare_own **own, bool with_own,
                                   struct pare_error *err)
{
    struct pare_arena arena = {0};
    struct pare_sample sample;
    struct pare_outcome reference;
    struct pare_runner keep = {c, reference_stage};
    c->n_calls = 0;
    memset(c->has_kept, 0, sizeof c->has_kept);
    enum pare_status status = pare_engine_sample(c->e, split, s->first_sample + i, &arena, &sample, err);
    if (status == PARE_OK) {
        status = pare_engine_infer_with(c->e, &keep, &sample, &arena, &reference, err);
    }
    if (status == PARE_OK) {
        s->reference_right[i] = is_right(&sample, &reference);
        status = keep_item(c->e, &sample, &reference, s->reference_items, err);
    }
    /* own errors first, while the kept plans stand behind this sample's own calls */
    for (int l = 0; with_own && status == PARE_OK && l < s->n_layers; l++) {
        if ((wanted == NULL || wanted[l]) && !s->cells[l].failed) {
            c->layer = l;
            status = own_error(c, own[l], &s->cells[l], &arena, err);
        }
    }
    for (int l = 0; status == PARE_OK && l < s->n_layers; l++) {
        if ((wanted == NULL || wanted[l]) && !s->cells[l].failed) {
            status = run_cell(c, s, l, i, &sample, &reference, &arena, err);
        }
    }
    pare_arena_clear(&arena);
    return status;
}

void pare_sense_free(struct pare_sense *s)
{
    if (s == NULL) {
        return;
    }
    for (int l = 0; s->cells != NULL && l < s->n_layers; l++) {
        free(s->cells[l].problem);
        free(s->cells[l].loss);
        free(s->cells[l].right);
        json_decref(s->cells[l].items);
    }
    free(s->cells);
    free(s->reference_right);
    json_decref(s->reference_items);
    free(s);
}

static struct pare_sense *new_sense(int n_layers, int first, int n)
{
    struct pare_sense *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->n_layers = n_layers;
    s->first_sample = first;
    s->n_samples = n;
    s->reference_right = calloc((size_t)n + 1, 1);
    s->reference_items = json_array();
    s->cells = calloc((size_t)n_layers + 1, sizeof *s->cells);
    bool ok = s->reference_right != NULL && s->reference_items != NULL && s->cells != NULL;
    for (int l = 0; ok && l < n_layers; l++) {
        s->cells[l].loss = calloc((size_t)n + 1, sizeof *s->cells[l].loss);
        s->cells[l].right = calloc((size_t)n + 1, 1);
        s->cells[l].items = json_array();
        ok = s->cells[l].loss != NULL && s->cells[l].right != NULL && s->cells[l].items != NULL;
    }
    if (!ok) {
        pare_sense_free(s);
        return NULL;
    }
    return s;
}

/* A layer that cannot run at the level: flagged; the rest of the table goes on. */
static void give_up(struct pare_sense_cell *cell, const struct pare_error *err)
{
    cell->failed = true;
    if (cell->problem == NULL) {
        cell->problem = strdup(err->message);
    }
}

static void flag(struct context *c, struct pare_sense *s)
{
    for (int l = 0; l < s->n_layers; l++) {
        const struct pare_layer_ref *ref = pare_engine_layer(c->e, l);
        struct pare_strbuf text;
        pare_strbuf_init(&text);
        pare_layer_flags(pare_engine_graph(c->e, ref->stage), ref->node, pare_engine_calibration(c->e, ref->stage), &text);
        if (text.length > 0) {
            s->cells[l].problem = pare_strbuf_take(&text);
        }
        pare_strbuf_clear(&text);
    }
}

/* Layers whose plan cannot be made at the level are flagged before any sample runs. */
static enum pare_status try_plans(struct context *c, struct pare_sense *s, const bool *wanted, struct pare_error *err)
{
    for (int l = 0; l < s->n_layers; l++) {
        struct pare_plan *plan;
        if (s->cells[l].failed || (wanted != NULL && !wanted[l])) {
            continue;
        }
        c->lowered[l] = c->level;
        enum pare_status status =
            pare_engine_plan(c->e, pare_engine_layer(c->e, l)->stage, c->lowered, false, &plan, err);
        c->lowered[l] = c->fp32[l];
        if (status == PARE_ERR_FORMAT || status == PARE_ERR_USAGE) {
            give_up(&s->cells[l], err);
        } else if (status != PARE_OK) {
            return status;
        }
    }
    return PARE_OK;
}

static enum pare_status make_owns(struct context *c, struct pare_sense *s, const bool *wanted,
                                  struct pare_own **own, struct pare_error *err)
{
    for (int l = 0; l < s->n_layers; l++) {
        const struct pare_layer_ref *ref = pare_engine_layer(c->e, l);
        const struct pare_calibration *calibration = pare_engine_calibration(c->e, ref->stage);
        if ((wanted != NULL && !wanted[l]) || s->cells[l].failed) {
            continue;
        }
        if (calibration == NULL) {
            return pare_error(err, PARE_ERR_INTERNAL, ref->name, "not calibrated");
        }
        enum pare_status status =
            pare_own_new(pare_engine_graph(c->e, ref->stage), ref->node, calibration, c->level,
                         pare_engine_isa(c->e), pare_engine_maker(c->e, ref->stage), &own[l], err);
        if (status == PARE_ERR_FORMAT || status == PARE_ERR_USAGE) {
            give_up(&s->cells[l], err);
            continue;
        }
        if (status != PARE_OK) {
            return status;
        }
        s->cells[l].sigma = pare_own_sigma(own[l]);
    }
    return PARE_OK;
}

enum pare_status pare_sense_run(struct pare_engine *e, struct pare_level level, const bool *wanted,
                                enum pare_split split, int first, int n, int own_every, void *self,
                                void (*done)(void *self, int done, int total), struct pare_sense **out,
                                struct pare_error *err)
{
    int n_layers = pare_engine_layer_count(e);
    struct context *c = calloc(1, sizeof *c);
    struct pare_sense *s = new_sense(n_layers, first, n);
    struct pare_own **own = calloc((size_t)n_layers + 1, sizeof *own);
    enum pare_status status = PARE_OK;
    *out = NULL;
    if (c != NULL) {
        c->e = e;
        c->level = level;
        c->fp32 = calloc((size_t)n_layers + 1, sizeof *c->fp32);
        c->lowered = calloc((size_t)n_layers + 1, sizeof *c->lowered);
    }
    if (c == NULL || s == NULL || own == NULL || c->fp32 == NULL || c->lowered == NULL) {
        status = pare_error_nomem(err);
    }
    for (int l = 0; status == PARE_OK && l < n_layers; l++) {
        c->fp32[l] = c->lowered[l] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    if (status == PARE_OK) {
        flag(c, s);
        status = try_plans(c, s, wanted, err);
    }
    if (status == PARE_OK && own_every > 0) {
        status = make_owns(c, s, wanted, own, err);
    }
    for (int i = 0; status == PARE_OK && i < n; i++) {
        bool with_own = own_every > 0 && (first + i) % own_every == 0;
        status = run_sample(c, s, wanted, split, i, own, with_own, err);
        if (done != NULL) {
            done(self, i + 1, n);
        }
    }
    for (int l = 0; own != NULL && l < n_layers; l++) {
        pare_own_free(own[l]);
        if (status == PARE_OK && s->cells[l].n > 0) {
            s->cells[l].mse /= s->cells[l].n;
            s->cells[l].power /= s->cells[l].n;
            s->cells[l].clipped /= s->cells[l].n;
        }
    }
    free(own);
    if (c != NULL) {
        free(c->fp32);
        free(c->lowered);
        free(c);
    }
    if (status != PARE_OK) {
        pare_sense_free(s);
        return status;
    }
    *out = s;
    return PARE_OK;
}

/* NULL when memory is out. */
static json_t *right_text(const signed char *right, int n)
{
    char *text = malloc((size_t)n + 1);
    if (text == NULL) {
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        text[i] = right[i] < 0 ? '-' : right[i] ? '1' : '0';
    }
    text[n] = '\0';
    json_t *json = json_string(text);
    free(text);
    return json;
}

json_t *pare_sense_to_json(const struct pare_engine *e, const struct pare_sense *s)
{
    json_t *cells = json_object();
    for (int l = 0; l < s->n_layers; l++) {
        const struct pare_sense_cell *cell = &s->cells[l];
        json_t *loss = json_array(), *item = json_object();
        for (int i = 0; !cell->failed && i < s->n_samples; i++) {
            /* six digits: losses are compared at far coarser steps, and rows stay small */
            json_array_append_new(loss, pare_json_real(round(cell->loss[i] * 1e6) / 1e6));
        }
        json_object_set_new(item, "n", json_integer(cell->n));
        json_object_set_new(item, "mse", pare_json_real(cell->mse));
        json_object_set_new(item, "power", pare_json_real(cell->power));
        json_object_set_new(item, "scale", pare_json_real(cell->scale));
        json_object_set_new(item, "clipped", pare_json_real(cell->clipped));
        json_object_set_new(item, "sigma", pare_json_real(cell->sigma));
        json_object_set_new(item, "loss", loss);
        if (cell->problem != NULL) {
            json_object_set_new(item, "problem", json_string(cell->problem));
        }
        if (json_object_set_new(item, "right", right_text(cell->right, s->n_samples)) != 0 ||
            (json_array_size(cell->items) > 0 && json_object_set(item, "item", cell->items) != 0)) {
            json_decref(item);
            json_decref(cells);
            return NULL;
        }
        json_object_set_new(cells, pare_engine_layer(e, l)->name, item);
    }
    json_t *root = json_pack("{s:o, s:o}", "right", right_text(s->reference_right, s->n_samples), "cells", cells);
    if (json_array_size(s->reference_items) > 0) {
        json_object_set(root, "item", s->reference_items);
    }
    return root;
}
