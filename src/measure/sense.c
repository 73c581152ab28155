#include "measure/sense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "measure/flags.h"
#include "measure/sense_parts.h"

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

/* Brings the kept plan of the baseline of a stage to the state behind this input. */
static enum pare_status keep_reference(struct sense_context *c, int stage, const struct pare_value *const *in,
                                       int n_in, const char *input, struct pare_arena *arena,
                                       struct pare_plan **plan, struct pare_error *err)
{
    enum pare_status status = pare_engine_plan(c->e, stage, c->base, true, plan, err);
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

/* The call of the reference pass with this very input: glue that made it again found what it had made before. */
static const struct reference_call *same_call(const struct sense_context *c, int stage, const struct pare_value *const *in, int n_in)
{
    for (int i = 0; i < c->n_calls; i++) {
        const struct reference_call *call = &c->calls[i];
        if (call->stage == stage && call->n_in == n_in && memcmp(call->in, in, (size_t)n_in * sizeof *in) == 0) {
            return call;
        }
    }
    return NULL;
}

/* The one with an input of the same content. */
static const struct reference_call *equal_call(const struct sense_context *c, int stage, const char *input)
{
    for (int i = 0; i < c->n_calls; i++) {
        if (c->calls[i].stage == stage && strcmp(c->calls[i].input, input) == 0) {
            return &c->calls[i];
        }
    }
    return NULL;
}

static enum pare_status reference_stage(void *self, int stage, const struct pare_value *const *in, int n_in,
                                        struct pare_arena *arena, struct pare_value **out, int *n_out,
                                        struct pare_error *err)
{
    struct sense_context *c = self;
    struct pare_plan *plan;
    char input[33];
    hash_inputs(in, n_in, input);
    enum pare_status status = keep_reference(c, stage, in, n_in, input, arena, &plan, err);
    if (status == PARE_OK) {
        status = pare_engine_fetch(c->e, stage, plan, arena, out, n_out, err);
    }
    if (status == PARE_OK && c->n_calls < SENSE_MAX_CALLS) {
        struct reference_call *call = &c->calls[c->n_calls++];
        call->stage = stage;
        call->n_in = n_in <= SENSE_MAX_INPUTS ? n_in : -1;
        memcpy(call->in, in, (size_t)(call->n_in > 0 ? n_in : 0) * sizeof *in);
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
    struct sense_context *c = self;
    const struct pare_layer_ref *ref = pare_engine_layer(c->e, c->layer);
    struct pare_plan *plan, *kept;
    const struct reference_call *call = same_call(c, stage, in, n_in);
    char input[33];
    if (call != NULL) {
        memcpy(input, call->input, sizeof input);
    } else {
        hash_inputs(in, n_in, input);
        call = equal_call(c, stage, input);
    }
    if (ref->stage != stage && call != NULL) {
        *n_out = call->n_out;
        memcpy(out, call->out, (size_t)*n_out * sizeof *out);
        return PARE_OK;
    }
    enum pare_status status =
        pare_engine_plan_brief(c->e, stage, ref->stage == stage ? c->lowered : c->base, &plan, err);
    if (status == PARE_OK && ref->stage == stage) {
        status = keep_reference(c, stage, in, n_in, input, arena, &kept, err);
        /* keep_reference may have made a plan and so dropped an old one: fetch ours again */
        if (status == PARE_OK) {
            status = pare_engine_plan_brief(c->e, stage, c->lowered, &plan, err);
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

static enum pare_status run_cell(struct sense_context *c, struct pare_sense *s, int layer, int i,
                                 const struct pare_sample *sample, const struct pare_outcome *reference, struct pare_error *err)
{
    struct pare_runner lower = {c, lowered_stage};
    struct pare_arena arena = {0}; /* what one cell makes is of no use to the next */
    struct pare_outcome outcome;
    if (pare_level_equal(c->base[layer], c->level)) { /* it is at that level already */
        s->cells[layer].right[i] = is_right(sample, reference);
        return keep_item(c->e, sample, reference, s->cells[layer].items, err);
    }
    c->layer = layer;
    c->lowered[layer] = c->level;
    enum pare_status status = pare_engine_infer_with(c->e, &lower, sample, &arena, &outcome, err);
    c->lowered[layer] = c->base[layer];
    if (status == PARE_OK) {
        s->cells[layer].loss[i] = pare_outcome_loss(reference, &outcome);
        s->cells[layer].right[i] = is_right(sample, &outcome);
        status = keep_item(c->e, sample, &outcome, s->cells[layer].items, err);
    }
    pare_arena_clear(&arena);
    return status;
}

static enum pare_status run_sample(struct sense_context *c, struct pare_sense *s, enum pare_split split, int i, bool with_own,
                                   struct pare_error *err)
{
    struct pare_arena arena = {0};
    struct pare_sample sample;
    struct pare_outcome reference;
    struct pare_memo memo = {.learning = true};
    struct pare_runner keep = {c, reference_stage};
    c->n_calls = 0;
    memset(c->has_kept, 0, sizeof c->has_kept);
    enum pare_status status = pare_engine_sample(c->e, split, s->first_sample + i, &arena, &sample, err);
    if (status == PARE_OK) {
        sample.memo = &memo;
        status = pare_engine_infer_with(c->e, &keep, &sample, &arena, &reference, err);
        memo.learning = false; /* the cells' own values live shorter */
    }
    if (status == PARE_OK) {
        s->reference_right[i] = is_right(&sample, &reference);
        status = keep_item(c->e, &sample, &reference, s->reference_items, err);
    }
    /* own errors first, while the kept plans stand behind this sample's own calls */
    if (status == PARE_OK && with_own) {
        status = sense_own_add(c, s, &arena, err);
    }
    for (int l = 0; status == PARE_OK && l < s->n_layers; l++) {
        if (s->cells[l].wanted && !s->cells[l].failed) {
            status = run_cell(c, s, l, i, &sample, &reference, err);
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

static void flag(struct sense_context *c, struct pare_sense *s)
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

/* Can this layer of its stage be lowered alone? PARE_OK with *can, or what else is wrong. */
static enum pare_status can_lower(struct sense_context *c, int layer, struct pare_level level, bool *can, struct pare_error *err)
{
    struct pare_plan *plan;
    const struct pare_level before = c->lowered[layer];
    c->lowered[layer] = level;
    enum pare_status status = pare_engine_plan_brief(c->e, pare_engine_layer(c->e, layer)->stage, c->lowered, &plan, err);
    c->lowered[layer] = before;
    *can = status == PARE_OK;
    return status == PARE_ERR_FORMAT || status == PARE_ERR_USAGE ? PARE_OK : status;
}

/* The levels of all other layers: those that cannot run at the baseline stay fp32. */
static enum pare_status set_baseline(struct sense_context *c, int n_layers, struct pare_level baseline, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int l = 0; l < n_layers && status == PARE_OK && baseline.kind != PARE_LEVEL_FP32; l++) {
        bool can = false;
        status = can_lower(c, l, baseline, &can, err);
        c->base[l] = can ? baseline : c->base[l];
    }
    memcpy(c->lowered, c->base, (size_t)n_layers * sizeof *c->base);
    return status;
}

/* Layers whose plan cannot be made at the level are flagged before any sample runs. */
static enum pare_status try_plans(struct sense_context *c, struct pare_sense *s, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int l = 0; l < s->n_layers && status == PARE_OK; l++) {
        bool can = true;
        if (!s->cells[l].failed && s->cells[l].wanted) {
            status = can_lower(c, l, c->level, &can, err);
        }
        if (status == PARE_OK && !can) {
            sense_give_up(&s->cells[l], err);
        }
        c->uniform[l] = can && !s->cells[l].failed ? c->level : c->base[l];
    }
    return status;
}

static struct sense_context *new_context(struct pare_engine *e, struct pare_level level)
{
    const size_t n = (size_t)pare_engine_layer_count(e) + 1;
    struct sense_context *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->e = e;
    c->level = level;
    c->base = calloc(3 * n, sizeof *c->base);
    if (c->base == NULL) {
        free(c);
        return NULL;
    }
    c->lowered = c->base + n;
    c->uniform = c->base + 2 * n;
    for (size_t l = 0; l < 3 * n; l++) {
        c->base[l] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    return c;
}

enum pare_status pare_sense_run(struct pare_engine *e, const struct pare_sense_options *o, struct pare_sense **out,
                                struct pare_error *err)
{
    const int n_layers = pare_engine_layer_count(e);
    struct sense_context *c = new_context(e, o->level);
    struct pare_sense *s = new_sense(n_layers, o->first, o->n);
    enum pare_status status = c == NULL || s == NULL ? pare_error_nomem(err) : PARE_OK;
    *out = NULL;
    for (int l = 0; status == PARE_OK && l < n_layers; l++) {
        s->cells[l].wanted = o->wanted == NULL || o->wanted[l];
        s->cells[l].tensor = -1;
    }
    if (status == PARE_OK) {
        flag(c, s);
        status = set_baseline(c, n_layers, o->baseline, err);
    }
    status = status == PARE_OK ? try_plans(c, s, err) : status;
    if (status == PARE_OK && o->own_every > 0) {
        status = sense_own_new(c, s, err);
    }
    for (int i = 0; status == PARE_OK && i < o->n; i++) {
        status = run_sample(c, s, o->split, i, o->own_every > 0 && (o->first + i) % o->own_every == 0, err);
        if (o->done != NULL) {
            o->done(o->self, i + 1, o->n);
        }
    }
    if (c != NULL) {
        sense_own_free(c, n_layers);
        free(c->base);
        free(c);
    }
    if (status != PARE_OK) {
        pare_sense_free(s);
        return status;
    }
    sense_own_finish(s);
    *out = s;
    return PARE_OK;
}
