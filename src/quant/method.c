/* method.c: the words of a method. */
#include "quant/method.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

static const struct pare_method defaults = {
    .percentile = 0.9999, .sigmas = 6.0, .integer_bits = -1, .group = 64};

static bool number_after(const char *value, const char *word, double lo, double hi, double *number)
{
    const size_t n = strlen(word);
    char *end;
    if (strncmp(value, word, n) != 0) {
        return false;
    }
    if (value[n] == '\0') {
        return true; /* the default stays */
    }
    if (value[n] != ':') {
        return false;
    }
    const double v = strtod(value + n + 1, &end);
    if (*end != '\0' || end == value + n + 1 || !(v >= lo && v <= hi)) {
        return false;
    }
    *number = v;
    return true;
}

static int choice(const char *value, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static bool set_ranges(struct pare_method *m, const char *value)
{
    static const char *const words[] = {"minmax", "average", "", "mse", "kl", NULL};
    const int i = choice(value, words);
    char *end;
    if (i >= 0 && value[0] != '\0') {
        m->ranges = (enum pare_ranges_by)i;
        return true;
    }
    if (number_after(value, "percentile", 0.5, 1.0, &m->percentile)) {
        m->ranges = PARE_RANGES_PERCENTILE;
        return true;
    }
    if (number_after(value, "bn", 0.1, 100.0, &m->sigmas)) {
        m->ranges = PARE_RANGES_BN;
        return true;
    }
    const char *dots = strstr(value, "..");
    if (dots == NULL) {
        return false;
    }
    char first[32];
    snprintf(first, sizeof first, "%.*s", (int)(dots - value < 31 ? dots - value : 31), value);
    m->given_lo = strtof(first, &end);
    if (*end != '\0' || first[0] == '\0') {
        return false;
    }
    m->given_hi = strtof(dots + 2, &end);
    m->ranges = PARE_RANGES_GIVEN;
    return *end == '\0' && dots[2] != '\0' && isfinite(m->given_lo) && isfinite(m->given_hi) &&
           m->given_lo <= m->given_hi;
}

static bool set_weights(struct pare_method *m, const char *value)
{
    static const char *const words[] = {"symmetric", "asymmetric", "quantized_bits", "po2", "binary", "ternary", NULL};
    const int i = choice(value, words);
    double integer = -1.0, most = 0.0;
    if (i >= 0) {
        m->weights = (enum pare_weight_kind)i;
        m->most = 0.0f;
        return true;
    }
    if (number_after(value, "po2", 1e-6, (double)INFINITY, &most)) {
        m->weights = PARE_WEIGHTS_PO2;
        m->most = (float)most;
        return true;
    }
    if (!number_after(value, "quantized_bits", 0.0, 8.0, &integer)) {
        return false;
    }
    m->weights = PARE_WEIGHTS_BITS;
    m->integer_bits = (int)integer;
    return true;
}

static bool set_per(struct pare_method *m, const char *value)
{
    static const char *const words[] = {"channel", "tensor", NULL};
    const int i = choice(value, words);
    double group = m->group;
    if (i >= 0) {
        m->per = (enum pare_per)i;
        return true;
    }
    if (!number_after(value, "group", 32.0, 128.0, &group)) {
        return false;
    }
    m->per = PARE_PER_GROUP;
    m->group = (int)group;
    return true;
}

static bool set_word(struct pare_method *m, const char *key, const char *value)
{
    static const char *const roundings[] = {"nearest", "squant", "adaround", "descent", "seqmse", NULL};
    static const char *const biases[] = {"off", "analytic", "empirical", "reestimate", NULL};
    static const char *const switches[] = {"off", "on", NULL};
    static const char *const equalize[] = {"off", "on", "streams", NULL};
    static const char *const inputs[] = {"calibration", "synthetic", NULL};
    static const char *const orders[] = {"alone", "sequence", NULL};
    static const char *const scales[] = {"minmax", "mse", NULL};
    int i = 0;
    if (strcmp(key, "ranges") == 0) {
        return set_ranges(m, value);
    } else if (strcmp(key, "weights") == 0) {
        return set_weights(m, value);
    } else if (strcmp(key, "per") == 0) {
        return set_per(m, value);
    } else if (strcmp(key, "rounding") == 0 && (i = choice(value, roundings)) >= 0) {
        m->rounding = (enum pare_rounding)i;
    } else if (strcmp(key, "bias") == 0 && (i = choice(value, biases)) >= 0) {
        m->bias = (enum pare_bias_by)i;
    } else if (strcmp(key, "equalize") == 0 && (i = choice(value, equalize)) >= 0) {
        m->equalize = i == 1;
        m->streams = i == 2;
    } else if (strcmp(key, "absorb") == 0 && (i = choice(value, switches)) >= 0) {
        m->absorb = i == 1;
    } else if (strcmp(key, "inputs") == 0 && (i = choice(value, inputs)) >= 0) {
        m->synthetic = i == 1;
    } else if (strcmp(key, "order") == 0 && (i = choice(value, orders)) >= 0) {
        m->sequence = i == 1;
    } else if (strcmp(key, "scales") == 0 && (i = choice(value, scales)) >= 0) {
        m->mse_scales = i == 1;
    } else {
        return false;
    }
    return true;
}

static bool set_preset(struct pare_method *m, const char *word)
{
    if (strcmp(word, "minmax") == 0) {
        *m = defaults;
    } else if (strcmp(word, "datafree") == 0) {
        *m = defaults;
        m->ranges = PARE_RANGES_BN;
        m->rounding = PARE_ROUND_SQUANT;
        m->equalize = m->absorb = m->synthetic = true;
        m->bias = PARE_BIAS_ANALYTIC;
    } else if (strcmp(word, "best") == 0) {
        *m = defaults;
        m->ranges = PARE_RANGES_MSE;
        m->rounding = PARE_ROUND_ADAROUND;
        m->mse_scales = m->streams = m->sequence = true;
        m->bias = PARE_BIAS_EMPIRICAL;
    } else {
        return false;
    }
    return true;
}

/* One rule's words, separated by blanks or commas. */
static enum pare_status set_words(struct pare_method *m, const char *text, size_t n, struct pare_error *err)
{
    for (size_t at = 0; at < n;) {
        const size_t skip = strspn(text + at, ", \t\n");
        at += skip;
        size_t length = at < n ? strcspn(text + at, ", \t\n;") : 0;
        length = at + length > n ? n - at : length;
        if (at >= n || length == 0) {
            break;
        }
        char word[96];
        snprintf(word, sizeof word, "%.*s", (int)(length < 95 ? length : 95), text + at);
        at += length;
        char *equals = strchr(word, '=');
        bool known;
        if (equals != NULL) {
            *equals = '\0';
            known = set_word(m, word, equals + 1);
            *equals = '=';
        } else {
            known = set_preset(m, word);
        }
        if (!known) {
            return pare_error(err, PARE_ERR_USAGE, "quantize",
                              "\"%s\" is no method (ranges=, rounding=, weights=, scales=, per=, equalize=, absorb=, "
                              "bias=, inputs=, order=, or minmax, datafree, best)",
                              word);
        }
    }
    return PARE_OK;
}

/* The next of the rules at *p: its glob ("" = everywhere), where its words begin, how many bytes they are. False at the end. */
static bool next_rule(const char **p, char glob[256], const char **words, size_t *n)
{
    if (*p == NULL || **p == '\0') {
        return false;
    }
    const char *at = *p + strspn(*p, " \t\n");
    const size_t length = strcspn(at, ";");
    const char *colon = memchr(at, ':', length), *equals = memchr(at, '=', length);
    glob[0] = '\0';
    *words = at;
    if (colon != NULL && (equals == NULL || colon < equals)) { /* "GLOB:" */
        snprintf(glob, 256, "%.*s", (int)(colon - at < 255 ? colon - at : 255), at);
        *words = colon + 1;
    }
    *n = (size_t)(at + length - *words);
    *p = at + length + (at[length] == ';');
    return true;
}

bool pare_method_glob_hits(const char *glob, const char *name)
{
    char stage[256];
    const char *slash = strchr(name, '/');
    if (pare_glob_match(glob, name)) {
        return true;
    }
    snprintf(stage, sizeof stage, "%.*s", slash != NULL && slash - name < 255 ? (int)(slash - name) : 0, name);
    return stage[0] != '\0' && strchr(glob, '/') == NULL && pare_glob_match(glob, stage);
}

enum pare_status pare_method_parse_either(const char *text, const char *name, const char *reader,
                                          struct pare_method *m, struct pare_error *err)
{
    char glob[256];
    const char *p = text, *words;
    size_t n;
    *m = defaults;
    while (next_rule(&p, glob, &words, &n)) {
        struct pare_method unused = defaults;
        const bool holds = glob[0] == '\0' || (name != NULL && pare_method_glob_hits(glob, name)) ||
                           (reader != NULL && pare_method_glob_hits(glob, reader));
        enum pare_status status = set_words(holds ? m : &unused, words, n, err);
        if (status != PARE_OK) {
            return status;
        }
    }
    return PARE_OK;
}

enum pare_status pare_method_check_globs(const char *text, void *self, bool (*hits)(void *self, const char *glob), struct pare_error *err)
{
    char glob[256];
    const char *p = text, *words;
    size_t n;
    while (next_rule(&p, glob, &words, &n)) {
        if (glob[0] != '\0' && !hits(self, glob)) {
            return pare_error(err, PARE_ERR_USAGE, "quantize", "the pattern \"%s\" matches no stage, layer or tensor", glob);
        }
    }
    return PARE_OK;
}

const char *pare_method_word(int i)
{
    static const char *const words[] = {
        "minmax", "datafree", "best", "ranges=minmax", "ranges=average", "ranges=percentile", "ranges=mse", "ranges=kl", "ranges=bn",
        "rounding=nearest", "rounding=squant", "rounding=adaround", "rounding=descent", "rounding=seqmse", "weights=symmetric",
        "weights=asymmetric", "weights=quantized_bits", "weights=po2", "weights=binary", "weights=ternary", "scales=minmax",
        "scales=mse", "per=channel", "per=tensor", "per=group", "equalize=off", "equalize=on", "equalize=streams", "absorb=off",
        "absorb=on", "bias=off", "bias=analytic", "bias=empirical", "bias=reestimate", "inputs=calibration", "inputs=synthetic",
        "order=alone", "order=sequence"};
    return i >= 0 && i < (int)(sizeof words / sizeof words[0]) ? words[i] : NULL;
}

enum pare_status pare_method_parse(const char *text, const char *name, struct pare_method *m, struct pare_error *err)
{
    return pare_method_parse_either(text, name, NULL, m, err);
}

bool pare_method_needs_samples(const struct pare_method *m)
{
    return m->rounding >= PARE_ROUND_ADAROUND || m->bias >= PARE_BIAS_EMPIRICAL || m->sequence;
}
