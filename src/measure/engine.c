#include "measure/engine_parts.h"

#include <stdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "measure/engine_method.h"
#include "pipeline/ops.h"

#define MAX_PLAN_BYTES ((size_t)1500 << 20)
#define ROOM_BYTES ((size_t)256 << 20) /* reserved; what plans never touch is never there */

enum pare_status pare_engine_new(struct pare_pipeline *p_take, enum pk_isa isa, struct pare_engine **out,
                                 struct pare_error *err)
{
    struct pare_engine *e = calloc(1, sizeof *e);
    *out = NULL;
    if (e == NULL) {
        pare_pipeline_free(p_take);
        return pare_error_nomem(err);
    }
    e->p = p_take;
    e->isa = isa;
    int count = 0;
    for (int s = 0; s < e->p->n_stages; s++) {
        for (int n = 0; n < e->p->stages[s].graph->n_nodes; n++) {
            count += pare_node_is_layer(e->p->stages[s].graph, n);
        }
    }
    e->layers = pare_arena_array(&e->arena, (size_t)count + 1, sizeof *e->layers);
    e->packs = pare_pack_cache_new();
    bool ok = e->layers != NULL && e->packs != NULL;
    for (int s = 0; ok && s < e->p->n_stages; s++) {
        const struct pare_graph *g = e->p->stages[s].graph;
        e->first_layer[s] = e->n_layers;
        for (int n = 0; ok && n < g->n_nodes; n++) {
            if (!pare_node_is_layer(g, n)) {
                continue;
            }
            struct pare_layer_ref *ref = &e->layers[e->n_layers++];
            ref->stage = s;
            ref->node = n;
            ref->name = pare_arena_printf(&e->arena, "%s/%s", e->p->stages[s].name, g->nodes[n].name);
            ok = ref->name != NULL;
        }
        e->first_layer[s + 1] = e->n_layers;
    }
    if (!ok) {
        pare_engine_free(e);
        return pare_error_nomem(err);
    }
    *out = e;
    return PARE_OK;
}

void engine_drop_plans(struct pare_engine *e, int stage)
{
    for (int i = e->n_plans - 1; i >= 0; i--) {
        if (stage < 0 || e->plans[i].stage == stage) {
            pare_plan_free(e->plans[i].plan);
            e->plan_bytes -= e->plans[i].bytes;
            e->plans[i] = e->plans[--e->n_plans];
        }
    }
}

void pare_engine_free(struct pare_engine *e)
{
    if (e == NULL) {
        return;
    }
    engine_drop_plans(e, -1);
    for (int s = 0; s < e->p->n_stages; s++) {
        pare_calibration_clear(&e->calibration[s]);
    }
    engine_method_free(e->method);
    engine_sequences_free(e->sequences);
    pare_pack_cache_free(e->packs);
    free(e->room.memory);
    pare_pipeline_free(e->p);
    pare_arena_clear(&e->arena);
    free(e);
}

struct pare_pipeline *pare_engine_pipeline(struct pare_engine *e)
{
    return e->p;
}

enum pk_isa pare_engine_isa(const struct pare_engine *e)
{
    return e->isa;
}

int pare_engine_layer_count(const struct pare_engine *e)
{
    return e->n_layers;
}

const struct pare_layer_ref *pare_engine_layer(const struct pare_engine *e, int layer)
{
    return &e->layers[layer];
}

void pare_engine_stage_layers(const struct pare_engine *e, int stage, int *first, int *count)
{
    *first = e->first_layer[stage];
    *count = e->first_layer[stage + 1] - *first;
}

enum pare_status pare_engine_parse_config(const struct pare_engine *e, const json_t *config,
                                          struct pare_level *levels, struct pare_error *err)
{
    const struct pare_level fp32 = {PARE_LEVEL_FP32, 32, 32};
    size_t found = 0;
    for (int i = 0; i < e->n_layers; i++) {
        const json_t *item = json_object_get(config, e->layers[i].name);
        levels[i] = fp32;
        if (item == NULL) {
            continue;
        }
        found++;
        if (!json_is_string(item)) {
            return pare_error(err, PARE_ERR_FORMAT, e->layers[i].name, "expected the name of a level");
        }
        enum pare_status status = pare_level_parse(json_string_value(item), &levels[i], err);
        if (status != PARE_OK) {
            return status;
        }
    }
    if (found == json_object_size(config)) {
        return PARE_OK;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        bool known = false;
        for (int i = 0; i < e->n_layers; i++) {
            known = known || strcmp(key, e->layers[i].name) == 0;
        }
        if (!known) {
            return pare_error(err, PARE_ERR_FORMAT, key, "the config names a layer that the pipeline does not have");
        }
    }
    return PARE_OK;
}

enum pare_status pare_engine_set_calibration(struct pare_engine *e, int stage, const json_t *json,
                                             struct pare_error *err)
{
    struct pare_calibration c = {0};
    enum pare_status status = pare_calibration_from_json(json, &c, err);
    if (status != PARE_OK) {
        return status;
    }
    if (c.n_tensors != e->p->stages[stage].graph->n_tensors) {
        int n = c.n_tensors;
        pare_calibration_clear(&c);
        return pare_error(err, PARE_ERR_FORMAT, e->p->stages[stage].name,
                          "expected the calibration of %d tensors, found %d",
                          e->p->stages[stage].graph->n_tensors, n);
    }
    engine_drop_plans(e, stage);
    engine_sequences_forget(e->sequences, stage);
    pare_calibration_clear(&e->calibration[stage]);
    e->calibration[stage] = c;
    e->calibrated[stage] = true;
    return PARE_OK;
}

const struct pare_calibration *pare_engine_calibration(const struct pare_engine *e, int stage)
{
    return e->calibrated[stage] ? &e->calibration[stage] : NULL;
}

enum pare_status pare_engine_set_method(struct pare_engine *e, const char *text, struct pare_error *err)
{
    struct engine_method *method = NULL;
    if (strcmp(text, e->method != NULL ? engine_method_text(e->method) : "") == 0) {
        return PARE_OK;
    }
    struct pare_pack_cache *packs = pare_pack_cache_new();
    enum pare_status status = packs == NULL ? pare_error_nomem(err)
                              : text[0] != '\0' ? engine_method_new(e->p, text, &method, err)
                                                : PARE_OK;
    status = status == PARE_OK && method != NULL ? engine_peaks(e, method, err) : status;
    if (status != PARE_OK) {
        engine_method_free(method);
        pare_pack_cache_free(packs);
        return status;
    }
    engine_drop_plans(e, -1);
    pare_pack_cache_free(e->packs);
    engine_method_free(e->method);
    engine_sequences_free(e->sequences);
    e->sequences = NULL;
    e->packs = packs;
    e->method = method;
    for (int s = 0; s < e->p->n_stages; s++) {
        pare_calibration_clear(&e->calibration[s]);
        e->calibrated[s] = false;
    }
    return PARE_OK;
}

void pare_engine_on_step(struct pare_engine *e, void *self, void (*step)(void *self, int done, int total))
{
    e->step_self = self;
    e->step = step;
}

const struct pare_graph *pare_engine_graph(struct pare_engine *e, int stage)
{
    return e->method != NULL ? engine_method_graph(e->method, stage) : e->p->stages[stage].graph;
}

const struct pare_maker *pare_engine_maker(const struct pare_engine *e, int stage)
{
    return e->method != NULL ? engine_method_maker(e->method, stage) : NULL;
}

const char *pare_engine_method(const struct pare_engine *e)
{
    return e->method != NULL ? engine_method_text(e->method) : "";
}

const json_t *pare_engine_notes(const struct pare_engine *e)
{
    return e->method != NULL ? engine_method_notes(e->method) : NULL;
}

/* Frees the plan that was not used for the longest time. */
static void evict(struct pare_engine *e)
{
    int oldest = 0;
    for (int i = 1; i < e->n_plans; i++) {
        if (e->plans[i].used < e->plans[oldest].used) {
            oldest = i;
        }
    }
    pare_plan_free(e->plans[oldest].plan);
    e->plan_bytes -= e->plans[oldest].bytes;
    e->plans[oldest] = e->plans[--e->n_plans];
}

static enum pare_status make_plan(struct pare_engine *e, int stage, const struct pare_level *levels, bool keep_all, bool brief,
                                  struct pare_pack_cache *cache, struct pare_plan **plan, struct pare_error *err)
{
    int first, count;
    pare_engine_stage_layers(e, stage, &first, &count);
    bool all_fp32 = true;
    for (int i = first; i < first + count; i++) {
        all_fp32 = all_fp32 && levels[i].kind == PARE_LEVEL_FP32;
    }
    const struct pare_graph *g = e->method != NULL && (keep_all || !all_fp32) ? engine_method_graph(e->method, stage)
                                                                              : e->p->stages[stage].graph;
    struct pare_level *by_node = calloc((size_t)g->n_nodes + 1, sizeof *by_node);
    if (by_node == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        by_node[i] = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    for (int i = 0; i < count; i++) {
        by_node[e->layers[first + i].node] = levels[first + i];
    }
    const struct pare_maker *maker = e->method != NULL ? engine_method_maker(e->method, stage) : NULL;
    enum pare_status status = engine_sequence_use(e, stage, levels, &maker, err);
    struct pare_plan_options options = {.levels = by_node,
                                        .calibration = pare_engine_calibration(e, stage),
                                        .isa = e->isa,
                                        .keep_all = keep_all,
                                        .cache = cache,
                                        .room = brief && e->room.memory != NULL ? &e->room : NULL,
                                        .maker = maker};
    status = status == PARE_OK ? pare_plan_new(g, &options, plan, err) : status;
    free(by_node);
    return status;
}

enum pare_status pare_engine_plan_new(struct pare_engine *e, int stage, const struct pare_level *levels,
                                      struct pare_plan **plan, struct pare_error *err)
{
    *plan = NULL;
    return make_plan(e, stage, levels, false, false, NULL, plan, err);
}

static enum pare_status cached(struct pare_engine *e, int stage, const struct pare_level *levels, bool keep_all, bool brief,
                               struct pare_plan **plan, struct pare_error *err)
{
    int first, count;
    char key[33];
    pare_engine_stage_layers(e, stage, &first, &count);
    pare_hash_bytes(levels + first, (size_t)count * sizeof *levels, key);
    *plan = NULL;
    for (int i = 0; i < e->n_plans; i++) {
        struct cached_plan *c = &e->plans[i];
        if (c->stage == stage && c->keep_all == keep_all && c->brief == brief && memcmp(c->key, key, sizeof key) == 0) {
            c->used = ++e->clock;
            *plan = c->plan;
            return PARE_OK;
        }
    }
    struct cached_plan c = {.stage = stage, .keep_all = keep_all, .brief = brief};
    enum pare_status status = make_plan(e, stage, levels, keep_all, brief, e->packs, &c.plan, err);
    if (status != PARE_OK) {
        return status;
    }
    size_t activations, weights;
    pare_plan_memory(c.plan, &activations, &weights);
    c.bytes = brief && activations + 64 <= e->room.bytes ? 0 : activations; /* the packed weights are shared */
    c.used = ++e->clock;
    memcpy(c.key, key, sizeof key);
    while (e->n_plans > 4 && (e->n_plans == MAX_PLANS || e->plan_bytes + c.bytes > MAX_PLAN_BYTES)) {
        evict(e);
    }
    e->plans[e->n_plans++] = c;
    e->plan_bytes += c.bytes;
    *plan = c.plan;
    return PARE_OK;
}

enum pare_status pare_engine_plan(struct pare_engine *e, int stage, const struct pare_level *levels,
                                  bool keep_all, struct pare_plan **plan, struct pare_error *err)
{
    return cached(e, stage, levels, keep_all, false, plan, err);
}

enum pare_status pare_engine_plan_brief(struct pare_engine *e, int stage, const struct pare_level *levels,
                                        struct pare_plan **plan, struct pare_error *err)
{
    if (e->room.memory == NULL) {
        e->room.memory = aligned_alloc(64, ROOM_BYTES); /* NULL: plans have their own */
        e->room.bytes = e->room.memory != NULL ? ROOM_BYTES : 0;
    }
    return cached(e, stage, levels, false, true, plan, err);
}

int pare_engine_sample_count(struct pare_engine *e, enum pare_split split)
{
    return e->p->bare ? PARE_BARE_SAMPLES : e->p->data[split] != NULL ? pare_dataset_count(e->p->data[split]) : 0;
}

enum pare_status pare_engine_sample(struct pare_engine *e, enum pare_split split, int i,
                                    struct pare_arena *arena, struct pare_sample *sample,
                                    struct pare_error *err)
{
    memset(sample, 0, sizeof *sample);
    if (!e->p->bare) {
        return pare_pipeline_sample(e->p, split, i, arena, sample, err);
    }
    /* the bare runner makes its own inputs from the index */
    sample->index = i + 1000003 * (int)split;
    sample->label = -1;
    return PARE_OK;
}

struct run_context {
    struct pare_engine *e;
    const struct pare_level *levels;
};

static enum pare_status call_stage(void *self, int stage, const struct pare_value *const *in, int n_in,
                                   struct pare_arena *arena, struct pare_value **out, int *n_out,
                                   struct pare_error *err)
{
    struct run_context *context = self;
    struct pare_plan *plan;
    enum pare_status status = pare_engine_plan(context->e, stage, context->levels, false, &plan, err);
    if (status == PARE_OK) {
        status = pare_engine_feed(context->e, stage, plan, in, n_in, arena, err);
    }
    if (status == PARE_OK) {
        status = pare_plan_run(plan, err);
    }
    return status == PARE_OK ? pare_engine_fetch(context->e, stage, plan, arena, out, n_out, err) : status;
}

/* Numbers that look a little like data, all in [-1, 1): pictures (rank 4) of 8x8 blocks with noise in [0, 1), other
 * inputs uniform. For ranges without samples. */
static void invent(const struct pare_tensor *t, uint32_t seed, struct pare_value *v)
{
    const bool picture = t->rank == 4;
    const int64_t w = picture ? t->dims[2] : 1, c = picture ? t->dims[3] : 1;
    for (int64_t i = 0; i < pare_value_elements(v); i++) {
        const int64_t y = i / c / w / 8, x = i / c % w / 8;
        const uint32_t block = (seed + (uint32_t)y * 7919u + (uint32_t)x * 104729u + (uint32_t)(i % c) * 15485863u) * 2654435761u;
        const uint32_t noise = (seed * 31u + (uint32_t)i) * 2654435761u;
        const float a = (float)((block ^ block >> 15) * 2246822519u >> 8) * 0x1p-24f;
        const float b = (float)((noise ^ noise >> 15) * 2246822519u >> 8) * 0x1p-24f;
        v->data[i] = picture ? 0.8f * a + 0.2f * b : 2.0f * b - 1.0f;
    }
}

/* Every input of a stage uniform in [0, 1), or over the grid that the file gives it; or invented. */
enum pare_status engine_synthetic_call(struct pare_engine *e, int stage, bool invented, const struct pare_runner *runner, int seed,
                                       struct pare_arena *arena, struct pare_value **out, int *n_out,
                                       struct pare_error *err)
{
    const struct pare_graph *g = e->p->stages[stage].graph;
    const struct pare_value *in[PARE_MAX_OUTPUTS];
    uint32_t state = 2654435761u * (uint32_t)(seed + 1);
    if (g->n_inputs > PARE_MAX_OUTPUTS) {
        return pare_error(err, PARE_ERR_FORMAT, e->p->path, "more than %d inputs", PARE_MAX_OUTPUTS);
    }
    for (int i = 0; i < g->n_inputs; i++) {
        const struct pare_tensor *t = &g->tensors[g->inputs[i]];
        struct pare_value *v = pare_value_new(arena, t->rank, t->dims);
        if (v == NULL) {
            return pare_error_nomem(err);
        }
        float low = 0, high = 1;
        if (t->quant != NULL && t->quant->n == 1) {
            int least = t->quant->dtype == PARE_U8 ? 0 : -128;
            low = t->quant->scale[0] * (float)(least - t->quant->zero_point[0]);
            high = low + 255 * t->quant->scale[0];
        }
        for (int64_t k = 0; k < pare_value_elements(v); k++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            v->data[k] = low + (high - low) * (float)(state >> 8) * 0x1p-24f;
        }
        if (invented && t->quant == NULL) {
            invent(t, (uint32_t)seed * 97u + (uint32_t)i, v);
        }
        in[i] = v;
    }
    return runner->call(runner->self, stage, in, g->n_inputs, arena, out, n_out, err);
}

/* A bare model. */
static enum pare_status bare_infer(struct pare_engine *e, const struct pare_runner *runner, int seed,
                                   struct pare_arena *arena, struct pare_outcome *outcome,
                                   struct pare_error *err)
{
    struct pare_value *out[PARE_MAX_OUTPUTS];
    int n_out = 0;
    enum pare_status status = engine_synthetic_call(e, 0, false, runner, seed, arena, out, &n_out, err);
    memset(outcome, 0, sizeof *outcome);
    if (status == PARE_OK && n_out > 0) {
        outcome->kind = PARE_OUTCOME_SCORE;
        outcome->n_scores = (int)pare_value_elements(out[0]);
        outcome->scores = out[0]->data;
    }
    return status;
}

enum pare_status pare_engine_infer_with(struct pare_engine *e, const struct pare_runner *runner,
                                        const struct pare_sample *sample, struct pare_arena *arena,
                                        struct pare_outcome *outcome, struct pare_error *err)
{
    memset(outcome, 0, sizeof *outcome);
    if (e->p->bare) {
        return bare_infer(e, runner, sample->index, arena, outcome, err);
    }
    return e->p->glue.infer(e->p->glue.self, e->p, sample, runner, arena, outcome, err);
}

enum pare_status pare_engine_infer(struct pare_engine *e, const struct pare_level *levels,
                                   const struct pare_sample *sample, struct pare_arena *arena,
                                   struct pare_outcome *outcome, struct pare_error *err)
{
    struct run_context context = {e, levels};
    struct pare_runner runner = {&context, call_stage};
    return pare_engine_infer_with(e, &runner, sample, arena, outcome, err);
}

enum pare_status pare_engine_feed(struct pare_engine *e, int stage, struct pare_plan *plan,
                                  const struct pare_value *const *in, int n_in, struct pare_arena *arena,
                                  struct pare_error *err)
{
    const struct pare_graph *g = e->p->stages[stage].graph;
    if (n_in != g->n_inputs) {
        return pare_error(err, PARE_ERR_FORMAT, e->p->stages[stage].name, "expected %d inputs, found %d",
                          g->n_inputs, n_in);
    }
    for (int i = 0; i < n_in; i++) {
        const struct pare_tensor *t = &g->tensors[g->inputs[i]];
        const float *data = NULL;
        enum pare_status status = pare_value_to_input(in[i], t, e->p->stages[stage].name, arena, &data, err);
        if (status == PARE_OK) {
            status = pare_plan_set_input(plan, i, data, (size_t)pare_tensor_elements(t), err);
        }
        if (status != PARE_OK) {
            return status;
        }
    }
    return PARE_OK;
}

enum pare_status pare_engine_fetch(struct pare_engine *e, int stage, struct pare_plan *plan,
                                   struct pare_arena *arena, struct pare_value **out, int *n_out,
                                   struct pare_error *err)
{
    const struct pare_graph *g = e->p->stages[stage].graph;
    *n_out = g->n_outputs < PARE_MAX_OUTPUTS ? g->n_outputs : PARE_MAX_OUTPUTS;
    for (int i = 0; i < *n_out; i++) {
        const struct pare_tensor *t = &g->tensors[g->outputs[i]];
        out[i] = pare_value_new(arena, t->rank, t->dims);
        if (out[i] == NULL) {
            return pare_error_nomem(err);
        }
        enum pare_status status =
            pare_plan_get_output(plan, i, out[i]->data, (size_t)pare_value_elements(out[i]), err);
        if (status != PARE_OK) {
            return status;
        }
    }
    return PARE_OK;
}
