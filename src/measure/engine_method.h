/* engine_method.h: an engine's method (quant/method.h) applied to the pipeline's networks; inside measure/ only. */
#ifndef PARE_ENGINE_METHOD_H
#define PARE_ENGINE_METHOD_H

#include "base/json.h"
#include "exec/plan.h"
#include "pipeline/pipeline.h"
#include "quant/equalize.h"
#include "quant/make.h"

struct engine_method;

/* Parses `text` for every layer and rewrites copies of the networks where it asks for that. */
enum pare_status engine_method_new(struct pare_pipeline *p, const char *text, struct engine_method **m,
                                   struct pare_error *err);
void engine_method_free(struct engine_method *m); /* NULL is fine */
const char *engine_method_text(const struct engine_method *m);
const json_t *engine_method_notes(const struct engine_method *m);
/* The network that plans run: the rewritten one, or the pipeline's. */
const struct pare_graph *engine_method_graph(const struct engine_method *m, int stage);
const struct pare_maker *engine_method_maker(const struct engine_method *m, int stage);
bool engine_method_synthetic(const struct engine_method *m);
/* Are samples of layers' inputs needed and not there yet? Then: begin before each of n samples, take_rows after every run
 * of a keep_all fp32 plan, end_rows at the end. */
bool engine_method_wants_rows(const struct engine_method *m);
enum pare_status engine_method_begin(struct engine_method *m, int n_samples, struct pare_error *err);
enum pare_status engine_method_take_rows(struct engine_method *m, int stage, struct pare_plan *plan,
                                         struct pare_error *err);
void engine_method_end_rows(struct engine_method *m);
/* Adds rows of what layer `node` reads in the plan's last run: at most `numbers` values and `rows` rows in all, an equal
 * part of every sample, at positions by `random`. With `picked` ([rows]), every second position is the strongest input of
 * LOUD ones: what a detector looks for is rare; they are written there, or (replay) taken from there. */
#define ENGINE_ROWS_LOUD 8
struct engine_row_limits {
    int numbers, rows, n_samples;
    uint32_t random;
    int *picked;
    bool replay;
};
enum pare_status engine_layer_rows(const struct pare_graph *g, int node, struct engine_row_limits *limits, struct pare_rows *r, struct pare_plan *plan, struct pare_error *err);
/* Does any layer of the stage ask for equalize=streams? Then, before anything runs on the rewritten networks: what was
 * seen of the channels that the pipeline's own layers read ([n_tensors] of [channels] or NULL). */
bool engine_method_wants_channels(const struct engine_method *m, int stage);
enum pare_status engine_method_set_channels(struct engine_method *m, int stage,
                                            const struct pare_channel_seen *const *seen, struct pare_error *err);
/* Does any layer of the stage ask for order=sequence? */
bool engine_method_sequence(const struct engine_method *m, int stage);
/* Chooses the range of every tensor of a finished calibration (histograms there). */
void engine_method_ranges(struct engine_method *m, int stage, struct pare_calibration *c);

#endif
