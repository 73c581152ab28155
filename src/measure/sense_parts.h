/* sense_parts.h: inside measure/: what sense.c and sense_own.c share. */
#ifndef PARE_SENSE_PARTS_H
#define PARE_SENSE_PARTS_H

#include "measure/sense.h"

#define SENSE_MAX_CALLS 16
#define SENSE_MAX_INPUTS 16

/* One stage call of the reference pass: its input, by address and by hash, and its outputs. */
struct reference_call {
    int stage, n_in;
    const struct pare_value *in[SENSE_MAX_INPUTS];
    char input[33];
    int n_out;
    struct pare_value *out[PARE_MAX_OUTPUTS];
};

struct sense_context {
    struct pare_engine *e;
    struct pare_level *base, *lowered; /* [n_layers] */
    struct pare_level *uniform;       /* [n_layers] every layer at the level */
    struct pare_level level;
    int layer;                        /* the lowered one */
    int n_calls;
    struct reference_call calls[SENSE_MAX_CALLS];
    char kept[PARE_MAX_STAGES][33];   /* the input that the kept plan of a stage last ran on */
    bool has_kept[PARE_MAX_STAGES];
    struct pare_own **own;            /* [n_layers], NULL where there is none */
};

/* Makes what own errors need of every wanted layer; layers that cannot run are marked as failed. */
enum pare_status sense_own_new(struct sense_context *c, struct pare_sense *s, struct pare_error *err);
void sense_own_free(struct sense_context *c, int n_layers);
/* Own and accumulated errors of all wanted layers on the reference's present state. */
enum pare_status sense_own_add(struct sense_context *c, struct pare_sense *s, struct pare_arena *arena, struct pare_error *err);
/* Sums to means. */
void sense_own_finish(struct pare_sense *s);
/* A layer that cannot run at the level: flagged; the rest of the table goes on. */
void sense_give_up(struct pare_sense_cell *cell, const struct pare_error *err);

#endif
