/*
 * level.h: a precision that a layer can take. fp32, fp16, w<W>a<A> with W, A in 1..8 (aliases int8
 * = w8a8, int4 = w4a4, int2 = w2a2, bin1 = w1a1), weight-only w<W>a32, and w8a16 and w16a16: simulated (weights and
 * what the layer reads are put on their grids, the arithmetic is float32: no integer kernel, no latency).
 */
#ifndef PARE_LEVEL_H
#define PARE_LEVEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum pare_level_kind { PARE_LEVEL_FP32, PARE_LEVEL_FP16, PARE_LEVEL_INT, PARE_LEVEL_WEIGHT_ONLY, PARE_LEVEL_SIMULATED };

struct pare_level {
    unsigned char kind;   /* enum pare_level_kind */
    unsigned char w_bits; /* 32, 16, or 1..8 */
    unsigned char a_bits; /* 32, 16, or 1..8 */
};

#define PARE_MAX_LEVELS 16

/* Parses a name or alias, case-insensitively. The thesis' notation "W8A8I32O32" gives its w8a8 (and W32A32... fp32,
 * W16A16... w16a16); what it says of inputs and outputs: pare_notation_ends. */
enum pare_status pare_level_parse(const char *text, struct pare_level *level,
                                  struct pare_error *err);
/* The levels of first ([0]) and last ([1]) layers that "...I<bits>" and "...O<bits>" ask for (32 fp32, b w<b>a<b>);
 * given: which are there. */
enum pare_status pare_notation_ends(const char *text, struct pare_level ends[2], bool given[2], struct pare_error *err);
/* "fp32", "w4a8" (canonical; buf of 16). With alias, as people see it: "int8" for w8a8, "w16a16-sim" and so on. */
const char *pare_level_name(struct pare_level level, char buf[16]);
const char *pare_level_alias(struct pare_level level, char buf[16]);
bool pare_level_equal(struct pare_level a, struct pare_level b);
/* Does no kernel of ours run it (w8a16, w16a16)? Accuracy and bytes are real, latency there is none. */
bool pare_level_simulated(struct pare_level level);
/* Order from widest to narrowest: by w_bits * a_bits effective product, then w_bits. <0 when a is
 * wider. */
int pare_level_compare(struct pare_level a, struct pare_level b);
/* "fp16,w8a8,..." or "paper" (fp16 int8 int4 int2 bin1) or "default" (fp16 w8a8 w4a8 w4a4 w2a8
 * w1a1). */
enum pare_status pare_levels_parse(const char *text, struct pare_level *levels, int max, int *n,
                                   struct pare_error *err);
/* Bit operations of one MAC: w_bits * a_bits (fp16: 256, fp32: 1024, weight-only: w * 32). */
double pare_level_bitops(struct pare_level level);

#endif
