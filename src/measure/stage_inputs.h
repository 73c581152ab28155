/*
 * stage_inputs.h: what the stages of a pipeline really get: copied from the first calls of the fp32 pipeline on real
 * samples, for timing one stage alone.
 */
#ifndef PARE_STAGE_INPUTS_H
#define PARE_STAGE_INPUTS_H

#include "measure/engine.h"

enum { PARE_STAGE_INPUTS = 16 };

struct pare_stage_inputs {
    int n, n_in;
    const struct pare_value *in[PARE_STAGE_INPUTS][PARE_MAX_OUTPUTS];
    int calls; /* of all samples together */
};

/* Runs `samples` samples of a split (three times); stages: [n_stages], zeroed. The copies live in data. glue_ms: median
 * time of a sample outside the stages. */
enum pare_status pare_stage_inputs_capture(struct pare_engine *e, enum pare_split split, int samples,
                                           struct pare_arena *data, struct pare_stage_inputs *stages, double *glue_ms,
                                           struct pare_error *err);

#endif
