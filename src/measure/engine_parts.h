/*
 * engine_parts.h: inside measure/: what engine.c and engine_calibrate.c share.
 */
#ifndef PARE_ENGINE_PARTS_H
#define PARE_ENGINE_PARTS_H

#include "measure/engine.h"
#include "measure/engine_method.h"
#include "measure/engine_sequence.h"

#define MAX_PLANS 512
struct cached_plan {
    int stage;
    bool keep_all, brief;
    char key[33];
    struct pare_plan *plan;
    size_t bytes;
    uint64_t used;
};

struct pare_engine {
    struct pare_pipeline *p;
    enum pk_isa isa;
    struct pare_arena arena;
    int n_layers;
    struct pare_layer_ref *layers;
    int first_layer[PARE_MAX_STAGES + 1];
    struct pare_calibration calibration[PARE_MAX_STAGES];
    bool calibrated[PARE_MAX_STAGES];
    struct cached_plan plans[MAX_PLANS];
    int n_plans;
    uint64_t clock;
    size_t plan_bytes;
    struct pare_plan_room room; /* of brief plans; made when first needed */
    struct pare_pack_cache *packs; /* packed weights, shared by all plans */
    struct engine_method *method;  /* NULL = defaults */
    void *step_self;
    void (*step)(void *self, int done, int total);
    struct engine_sequences *sequences; /* of the method; NULL = none recorded */
};

/* Forgets the cached plans of a stage. */
void engine_drop_plans(struct pare_engine *e, int stage);
/* Gives a new method what was seen of the channels, where it wants that: at most 48 samples of the calibration split through
 * the pipeline's own networks at fp32. */
enum pare_status engine_peaks(struct pare_engine *e, struct engine_method *method, struct pare_error *err);
/* Calls a stage on inputs made from `seed`, through the runner. */
enum pare_status engine_synthetic_call(struct pare_engine *e, int stage, bool invented, const struct pare_runner *runner, int seed,
                                       struct pare_arena *arena, struct pare_value **out, int *n_out,
                                       struct pare_error *err);

#endif
