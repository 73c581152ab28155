/*
 * engine.h: a pipeline that can be run at any config. Holds the opened models, their calibration and a cache
 * of plans; gives glue a runner. One thread.
 *
 * A config is one level for every layer of the pipeline, by global layer index (stages in order, layers in
 * graph order).
 */
#ifndef PARE_ENGINE_H
#define PARE_ENGINE_H

#include "base/json.h"
#include "exec/plan.h"
#include "pipeline/pipeline.h"

struct pare_layer_ref {
    int stage, node;
    const char *name; /* "stage/node" */
};

struct pare_engine;

/* Takes the pipeline (models opened). */
enum pare_status pare_engine_new(struct pare_pipeline *p_take, enum pk_isa isa, struct pare_engine **e,
                                 struct pare_error *err);
void pare_engine_free(struct pare_engine *e);
struct pare_pipeline *pare_engine_pipeline(struct pare_engine *e);
enum pk_isa pare_engine_isa(const struct pare_engine *e);
int pare_engine_layer_count(const struct pare_engine *e);
const struct pare_layer_ref *pare_engine_layer(const struct pare_engine *e, int layer);
/* Layers of a stage are [first, first + count). */
void pare_engine_stage_layers(const struct pare_engine *e, int stage, int *first, int *count);

/* {"detector/conv1": "w8a8", ...}: layers that are not named stay fp32; a name that is no layer is an error.
 * levels: [layer_count]. */
enum pare_status pare_engine_parse_config(const struct pare_engine *e, const json_t *config,
                                          struct pare_level *levels, struct pare_error *err);

/* Takes calibration of a stage from JSON (pare_calibration_to_json). */
enum pare_status pare_engine_set_calibration(struct pare_engine *e, int stage, const json_t *json,
                                             struct pare_error *err);
const struct pare_calibration *pare_engine_calibration(const struct pare_engine *e, int stage);
/* Runs all of the split's samples twice at fp32 and keeps the ranges. done() is called per sample. */
enum pare_status pare_engine_calibrate(struct pare_engine *e, enum pare_split split, int limit, void *self,
                                       void (*done)(void *self, int done, int total), struct pare_error *err);

/* The same in parts of PARE_CALIBRATE_PART samples, which several processes may make: pass 0 of all parts, added up in order
 * from ranges_init on; pass 1 of all parts, each from what pass 0 has `seen`, added to the same; take_ranges. The result is
 * the same bytes as calibrate's. `part` is made by observe and cleared by the caller, also after an error. */
struct pare_engine_ranges {
    struct pare_calibration stage[PARE_MAX_STAGES];
    struct pare_run_log log[PARE_MAX_STAGES]; /* where the method wants averages of runs */
};
enum pare_status pare_engine_ranges_init(const struct pare_engine *e, struct pare_engine_ranges *r, struct pare_error *err);
void pare_engine_ranges_clear(struct pare_engine_ranges *r);
enum pare_status pare_engine_observe(struct pare_engine *e, enum pare_split split, int pass, int first, int n,
                                     const struct pare_engine_ranges *seen, struct pare_engine_ranges *part, void *self,
                                     void (*done)(void *self, int done, int total), struct pare_error *err);
void pare_engine_ranges_merge(const struct pare_engine *e, struct pare_engine_ranges *to, const struct pare_engine_ranges *part,
                              int pass);
/* Finishes the ranges and keeps them as the engine's calibration; clears r. */
void pare_engine_take_ranges(struct pare_engine *e, struct pare_engine_ranges *r);

/* How layers are quantized (quant/method.h); "" = defaults. Drops plans and calibration when the text changes. Rewrites
 * the networks where it asks for that: all plans run the rewritten network then, but those of fp32 layers alone that keep
 * nothing. notes: what was done and what did not apply (borrowed array of lines; NULL = nothing). */
enum pare_status pare_engine_set_method(struct pare_engine *e, const char *text, struct pare_error *err);
bool pare_engine_synthetic(const struct pare_engine *e); /* its method reads no sample: ranges come from invented inputs */
/* Its rules; "" = none. */
const char *pare_engine_method(const struct pare_engine *e);
const json_t *pare_engine_notes(const struct pare_engine *e);
/* Gathers the samples of layers' inputs that the method needs (from the calibration split), once; to be called before
 * plans of integer levels are asked for. */
enum pare_status pare_engine_prepare(struct pare_engine *e, struct pare_error *err);

/* Called during long work that has no callback of its own (sequences): step `done` of `total`. NULL = nobody. */
void pare_engine_on_step(struct pare_engine *e, void *self, void (*step)(void *self, int done, int total));

/* The network that plans of a stage run (rewritten where the method asks for it), and what makes its weights (NULL = the
 * default codes). */
const struct pare_graph *pare_engine_graph(struct pare_engine *e, int stage);
const struct pare_maker *pare_engine_maker(const struct pare_engine *e, int stage);

/* A plan of a stage at levels[layer_count] (only the stage's own count); cached, borrowed, valid until the
 * cache is full of newer ones: fetch it again for each sample. */
enum pare_status pare_engine_plan(struct pare_engine *e, int stage, const struct pare_level *levels,
                                  bool keep_all, struct pare_plan **plan, struct pare_error *err);

/* One that keeps nothing, in memory that all of these share: what it holds is gone once another one has run. For many
 * configs in turn; the memory stays in the cache of the core. */
enum pare_status pare_engine_plan_brief(struct pare_engine *e, int stage, const struct pare_level *levels,
                                        struct pare_plan **plan, struct pare_error *err);

/* A plan that is not cached, with weights of its own: the caller's, also for another thread. */
enum pare_status pare_engine_plan_new(struct pare_engine *e, int stage, const struct pare_level *levels,
                                      struct pare_plan **plan, struct pare_error *err);

/* Number of samples of a split; bare models have `bare_samples` synthetic ones. */
int pare_engine_sample_count(struct pare_engine *e, enum pare_split split);
/* Loads sample i into arena (synthetic for bare models: uniform in the input's range, seeded by i). */
enum pare_status pare_engine_sample(struct pare_engine *e, enum pare_split split, int i,
                                    struct pare_arena *arena, struct pare_sample *sample,
                                    struct pare_error *err);

/* Runs a loaded sample at a config. */
enum pare_status pare_engine_infer(struct pare_engine *e, const struct pare_level *levels,
                                   const struct pare_sample *sample, struct pare_arena *arena,
                                   struct pare_outcome *outcome, struct pare_error *err);
/* The same through a runner of the caller. */
enum pare_status pare_engine_infer_with(struct pare_engine *e, const struct pare_runner *runner,
                                        const struct pare_sample *sample, struct pare_arena *arena,
                                        struct pare_outcome *outcome, struct pare_error *err);

/* Puts values into a plan's inputs, and its outputs into new values. */
enum pare_status pare_engine_feed(struct pare_engine *e, int stage, struct pare_plan *plan,
                                  const struct pare_value *const *in, int n_in, struct pare_arena *arena,
                                  struct pare_error *err);
enum pare_status pare_engine_fetch(struct pare_engine *e, int stage, struct pare_plan *plan,
                                   struct pare_arena *arena, struct pare_value **out, int *n_out,
                                   struct pare_error *err);

/* Smooth non-negative loss of an outcome beside the reference's: KL(reference || outcome) of the decision's
 * probabilities, at most PARE_LOSS_MAX (also when one of the two has no decision); for other outcomes (points, scores,
 * boxes) the squared error of what stands behind them relative to the reference's power: the points themselves, or the
 * outputs of the stage that was called last, averaged over these outputs. */
#define PARE_LOSS_MAX 10.0
double pare_outcome_loss(const struct pare_outcome *reference, const struct pare_outcome *outcome);

#define PARE_BARE_SAMPLES 64

#endif
