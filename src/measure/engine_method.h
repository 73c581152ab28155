/* engine_method.h: an engine's method (quant/method.h) applied to the pipeline's networks; inside measure/ only. */
#ifndef PARE_ENGINE_METHOD_H
#define PARE_ENGINE_METHOD_H

#include "base/json.h"
#include "exec/plan.h"
#include "pipeline/pipeline.h"

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
/* Chooses the range of every tensor of a finished calibration (histograms there). */
void engine_method_ranges(struct engine_method *m, int stage, struct pare_calibration *c);

#endif
