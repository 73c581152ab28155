/*
 * engine_sequence.h: layers quantized one after another (method word order=sequence); inside measure/ only.
 *
 * A sequence belongs to a stage and an integer level L: all of the stage's layers at L, those next to its inputs and outputs
 * at 8 bits at least. From the first layer to the last, the layer's inputs are gathered twice at the same positions, in
 * the float network and behind the layers that are quantized already, and its weights are made so that the quantized
 * inputs give the float outputs. A plan uses the sequence of the level that most of its integer layers of that stage have, if these are more than half of all; layers at
 * other levels are made alone, as in plans without a sequence.
 * Cost: about one and a half runs of the stage per layer and recorded call. Memory: the recorded inputs (RECORD_BYTES a
 * stage) and the rows of one layer.
 */
#ifndef PARE_ENGINE_SEQUENCE_H
#define PARE_ENGINE_SEQUENCE_H

#include "measure/engine.h"

struct engine_sequences;

void engine_sequences_free(struct engine_sequences *s); /* NULL is fine */
/* Forgets what was made for a stage (its calibration changes); keeps the recorded inputs. */
void engine_sequences_forget(struct engine_sequences *s, int stage);
/* Keeps the inputs of one call of a stage while there is room. */
enum pare_status engine_sequence_record(struct pare_engine *e, int stage, const struct pare_value *const *in, int n_in,
                                        struct pare_error *err);
/* The maker of the sequence that a plan of these levels ([layer_count]) uses, made now if it is not there yet; unchanged
 * where there is none. */
enum pare_status engine_sequence_use(struct pare_engine *e, int stage, const struct pare_level *levels,
                                     const struct pare_maker **maker, struct pare_error *err);

#endif
