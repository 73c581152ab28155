/* level.c: names of precisions. */
#include "quant/level.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    struct pare_level level;
} aliases[] = {
    {"int8", {PARE_LEVEL_INT, 8, 8}},    {"int4", {PARE_LEVEL_INT, 4, 4}},
    {"int2", {PARE_LEVEL_INT, 2, 2}},    {"bin1", {PARE_LEVEL_INT, 1, 1}},
    {"fp32", {PARE_LEVEL_FP32, 32, 32}}, {"fp16", {PARE_LEVEL_FP16, 16, 16}},
};
#define N_ALIASES (sizeof aliases / sizeof aliases[0])

/* One or two decimal digits without a leading zero; -1 when there is no such number. */
static int number(const char **p)
{
    if (**p < '1' || **p > '9') {
        return -1;
    }
    int n = *(*p)++ - '0';
    if (**p >= '0' && **p <= '9') {
        n = n * 10 + (*(*p)++ - '0');
    }
    return n;
}

/* The level of one number of bits, as the thesis writes inputs and outputs. */
static bool level_of_bits(int bits, struct pare_level *level)
{
    *level = bits == 32   ? (struct pare_level){PARE_LEVEL_FP32, 32, 32}
             : bits == 16 ? (struct pare_level){PARE_LEVEL_SIMULATED, 16, 16}
                          : (struct pare_level){PARE_LEVEL_INT, (unsigned char)bits, (unsigned char)bits};
    return bits == 32 || bits == 16 || (bits >= 1 && bits <= 8);
}

/* At "I32O32", "I8" or "O16" (p); false when something else stands there. */
static bool read_ends(const char *p, struct pare_level ends[2], bool given[2])
{
    given[0] = given[1] = false;
    while (*p != '\0') {
        const int c = tolower((unsigned char)*p), e = c == 'i' ? 0 : c == 'o' ? 1 : -1;
        p++;
        if (e < 0 || given[e] || !level_of_bits(number(&p), &ends[e])) {
            return false;
        }
        given[e] = true;
    }
    return true;
}

enum pare_status pare_notation_ends(const char *text, struct pare_level ends[2], bool given[2], struct pare_error *err)
{
    struct pare_level unused;
    given[0] = given[1] = false;
    if (tolower((unsigned char)text[0]) != 'w') {
        return PARE_OK; /* an alias */
    }
    enum pare_status status = pare_level_parse(text, &unused, err);
    const size_t at = strcspn(text, "iIoO");
    if (status == PARE_OK) {
        (void)read_ends(text + at, ends, given);
    }
    return status;
}

enum pare_status pare_level_parse(const char *text, struct pare_level *level,
                                  struct pare_error *err)
{
    for (size_t i = 0; i < N_ALIASES; i++) {
        if (strcasecmp(text, aliases[i].name) == 0) {
            *level = aliases[i].level;
            return PARE_OK;
        }
    }
    const char *p = text;
    int w = -1, a = -1;
    if (strcasecmp(text, "w8a16-sim") == 0 || strcasecmp(text, "w16a16-sim") == 0) { /* as they are shown */
        *level = (struct pare_level){PARE_LEVEL_SIMULATED, text[1] == '8' ? 8 : 16, 16};
        return PARE_OK;
    }
    if (tolower((unsigned char)*p) == 'w') {
        p++;
        w = number(&p);
        if (tolower((unsigned char)*p) == 'a') {
            p++;
            a = number(&p);
        }
    }
    struct pare_level ends[2];
    bool given[2];
    const bool end = w > 0 && read_ends(p, ends, given);
    if (end && *p != '\0' && w == 32 && a == 32) {
        level_of_bits(w, level);
        return PARE_OK;
    }
    if (end && a == 16 && (w == 8 || w == 16)) {
        *level = (struct pare_level){PARE_LEVEL_SIMULATED, (unsigned char)w, 16};
        return PARE_OK;
    }
    if (!end || w < 1 || w > 8 || !((a >= 1 && a <= 8) || a == 32)) {
        return pare_error(
            err, PARE_ERR_USAGE, NULL,
            "unknown level \"%s\" (fp32, fp16, int8, int4, int2, bin1, w1..8a1..8, w1..8a32, w8a16, w16a16)",
            text);
    }
    level->kind = a == 32 ? PARE_LEVEL_WEIGHT_ONLY : PARE_LEVEL_INT;
    level->w_bits = (unsigned char)w;
    level->a_bits = (unsigned char)a;
    return PARE_OK;
}

const char *pare_level_name(struct pare_level level, char buf[16])
{
    switch (level.kind) {
    case PARE_LEVEL_FP32:
        snprintf(buf, 16, "fp32");
        break;
    case PARE_LEVEL_FP16:
        snprintf(buf, 16, "fp16");
        break;
    default:
        snprintf(buf, 16, "w%ua%u", (unsigned)level.w_bits, (unsigned)level.a_bits);
        break;
    }
    return buf;
}

const char *pare_level_alias(struct pare_level level, char buf[16])
{
    for (size_t i = 0; i < N_ALIASES; i++) {
        if (pare_level_equal(level, aliases[i].level)) {
            snprintf(buf, 16, "%s", aliases[i].name);
            return buf;
        }
    }
    pare_level_name(level, buf);
    if (level.kind == PARE_LEVEL_SIMULATED) {
        snprintf(buf, 16, "w%ua%u-sim", (unsigned)level.w_bits, (unsigned)level.a_bits);
    }
    return buf;
}

bool pare_level_equal(struct pare_level a, struct pare_level b)
{
    return a.kind == b.kind && a.w_bits == b.w_bits && a.a_bits == b.a_bits;
}

bool pare_level_simulated(struct pare_level level)
{
    return level.kind == PARE_LEVEL_SIMULATED;
}

int pare_level_compare(struct pare_level a, struct pare_level b)
{
    const int product_a = a.w_bits * a.a_bits, product_b = b.w_bits * b.a_bits;
    if (product_a != product_b) {
        return product_a > product_b ? -1 : 1;
    }
    if (a.w_bits != b.w_bits) {
        return a.w_bits > b.w_bits ? -1 : 1;
    }
    return (int)a.kind - (int)b.kind;
}

enum pare_status pare_levels_parse(const char *text, struct pare_level *levels, int max, int *n,
                                   struct pare_error *err)
{
    if (strcasecmp(text, "paper") == 0) {
        text = "fp16,int8,int4,int2,bin1";
    } else if (strcasecmp(text, "default") == 0) {
        text = "fp16,w8a8,w4a8,w4a4,w2a8,w1a1";
    }
    *n = 0;
    for (const char *p = text;;) {
        const size_t length = strcspn(p, ", ");
        char word[24];
        if (length > 0) {
            snprintf(word, sizeof word, "%.*s", (int)(length < 23 ? length : 23), p);
            struct pare_level level;
            enum pare_status status = pare_level_parse(word, &level, err);
            if (status != PARE_OK) {
                return status;
            }
            bool known = false;
            for (int i = 0; i < *n; i++) {
                known = known || pare_level_equal(levels[i], level);
            }
            if (!known && *n == max) {
                return pare_error(err, PARE_ERR_USAGE, NULL, "more than %d levels in \"%s\"", max,
                                  text);
            }
            if (!known) {
                levels[(*n)++] = level;
            }
        }
        if (p[length] == '\0') {
            break;
        }
        p += length + 1;
    }
    if (*n == 0) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "no level in \"%s\"", text);
    }
    return PARE_OK;
}

double pare_level_bitops(struct pare_level level)
{
    return (double)level.w_bits * (double)level.a_bits;
}
