/*
 * method.h: how layers are quantized after training, as text and as a struct.
 *
 * A text is rules separated by ';', each "[GLOB:] word[,word...]". A rule without a glob holds everywhere; later rules
 * win. A glob is matched against a layer ("stage/node", for its weights and the tensors that it reads) and against a
 * tensor ("stage/tensor", for its range); one without '/' also against the stage. Words (defaults first):
 *   ranges=minmax|average|percentile[:P]|mse|kl|bn[:K]|LO..HI   P in 0.5..1 (0.9999), K sigmas (6), or given by hand
 *   rounding=nearest|squant|adaround|descent|seqmse
 *   weights=symmetric|asymmetric|quantized_bits[:I]|po2[:M]|binary|ternary    (I integer bits; po2 is simulated,
 *     M its largest value as in QKeras, inf: any)
 *   scales=minmax|mse        per=channel|tensor|group:N (N 32..128 input channels, 64)
 *   equalize=off|on|streams  absorb=off|on     bias=off|analytic|empirical|reestimate   inputs=calibration|synthetic
 *   order=alone|sequence     sequence: layer after layer, each on what the quantized layers in front of it give
 * and presets: minmax (all defaults), datafree (equalize, absorb, analytic bias, squant, bn ranges, synthetic inputs),
 * best (streams, mse ranges and scales, adaround, empirical bias, sequence).
 */
#ifndef PARE_METHOD_H
#define PARE_METHOD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum pare_ranges_by {
    PARE_RANGES_MINMAX,
    PARE_RANGES_AVERAGE,
    PARE_RANGES_PERCENTILE,
    PARE_RANGES_MSE,
    PARE_RANGES_KL,
    PARE_RANGES_BN,
    PARE_RANGES_GIVEN
};
enum pare_rounding {
    PARE_ROUND_NEAREST,
    PARE_ROUND_SQUANT,
    PARE_ROUND_ADAROUND,
    PARE_ROUND_DESCENT,
    PARE_ROUND_SEQMSE
};
enum pare_weight_kind {
    PARE_WEIGHTS_SYMMETRIC,
    PARE_WEIGHTS_ASYMMETRIC,
    PARE_WEIGHTS_BITS,
    PARE_WEIGHTS_PO2,
    PARE_WEIGHTS_BINARY,
    PARE_WEIGHTS_TERNARY
};
enum pare_per { PARE_PER_CHANNEL, PARE_PER_TENSOR, PARE_PER_GROUP };
enum pare_bias_by { PARE_BIAS_OFF, PARE_BIAS_ANALYTIC, PARE_BIAS_EMPIRICAL, PARE_BIAS_REESTIMATE };

struct pare_method {
    enum pare_ranges_by ranges;
    double percentile, sigmas;
    float given_lo, given_hi;
    enum pare_rounding rounding;
    enum pare_weight_kind weights;
    int integer_bits; /* quantized_bits; -1 = from the largest weight */
    float most;       /* po2: QKeras' max_value, INFINITY = none; 0 = exponents of every channel's own */
    bool mse_scales;
    enum pare_per per;
    int group;
    bool equalize, absorb, synthetic, sequence, streams;
    enum pare_bias_by bias;
};

/* The method of one layer or tensor under all rules of `text` (NULL or "" = defaults). name may be NULL: only rules
 * without a glob. Errors name the word. */
enum pare_status pare_method_parse(const char *text, const char *name, struct pare_method *m, struct pare_error *err);
/* The same for a tensor that is read by the layer `reader` (NULL = none): rules that match either one hold. */
enum pare_status pare_method_parse_either(const char *text, const char *name, const char *reader,
                                          struct pare_method *m, struct pare_error *err);
/* Does a rule's glob hold for this layer or tensor? */
bool pare_method_glob_hits(const char *glob, const char *name);
/* Every glob of the rules must hit something: ERR_USAGE names the first that does not. */
enum pare_status pare_method_check_globs(const char *text, void *self, bool (*hits)(void *self, const char *glob), struct pare_error *err);
/* The i-th word that a rule may hold, presets first; NULL after the last. Numbers that may follow are left out. */
const char *pare_method_word(int i);
/* Does quantizing by this method need real samples of the network? */
bool pare_method_needs_samples(const struct pare_method *m);

#endif
