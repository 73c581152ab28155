#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/front.h"

static bool above(const struct pare_front *f, int layer, int level, double limit)
{
    const struct front_cell *c = &f->cells[layer * f->n_levels + level];
    return level > 0 && limit > 0 && c->own_n > 0 && c->scale > 0 && front_own_rmse(c, PARE_OWN_MSE) / c->scale > limit;
}

bool front_suspected(const struct pare_front *f, int layer, int level)
{
    return above(f, layer, level, f->options.keep_suspected);
}

bool front_kept_out(const struct pare_front *f, int layer, int level, bool use_pins)
{
    return !(use_pins && f->layers[layer].pin_lo >= 0) && front_suspected(f, layer, level);
}

const char *front_kept(const struct pare_front *f, int layer, int level, char range[40])
{
    const struct front_layer *l = &f->layers[layer];
    const bool use_pins = !f->options.no_pins, pinned = use_pins && l->pin_lo >= 0;
    int lo, hi;
    front_range(f, layer, use_pins, &lo, &hi);
    if (level >= lo && level <= hi) {
        snprintf(range, 40, "%s", f->level_alias[0]);
        return front_kept_out(f, layer, level, use_pins) ? "suspected" : NULL;
    }
    snprintf(range, 40, "%s%s%s", f->level_alias[lo], lo < hi ? ".." : "", lo < hi ? f->level_alias[hi] : "");
    if (level >= (pinned ? l->pin_lo : 0) && level <= (pinned ? l->pin_hi : l->keep)) {
        return "tie"; /* the other layers of the tie may not */
    }
    return pinned ? "pin" : l->held ? "keep" : l->first ? "first layer" : "last layer";
}

bool front_set_measured(const char *pattern)
{
    char *end;
    if (strncmp(pattern, "suspected:", 10) != 0) {
        return false;
    }
    const double limit = strtod(pattern + 10, &end);
    return end != pattern + 10 && *end == '\0' && limit > 0;
}

bool front_set_known(const struct pare_front *f)
{
    bool known = f->n_chunks > 0;
    for (int l = 0; l < f->n_layers && known; l++) {
        known = front_cell_done(f, &f->cells[l * f->n_levels + f->int8_level]);
    }
    return known;
}

bool front_set_hit(const struct pare_front *f, const char *pattern, int layer)
{
    const struct front_layer *l = &f->layers[layer];
    char *end;
    if (strcmp(pattern, "inputs") == 0) {
        return l->first;
    }
    if (strcmp(pattern, "outputs") == 0) {
        return l->last;
    }
    if (strncmp(pattern, "first:", 6) == 0) {
        const long n = strtol(pattern + 6, &end, 10);
        return end != pattern + 6 && *end == '\0' && layer < n;
    }
    return front_set_measured(pattern) && above(f, layer, f->int8_level, strtod(pattern + 10, NULL));
}

static int index_of(const struct pare_front *f, struct pare_level level)
{
    for (int l = 0; l < f->n_levels; l++) {
        if (pare_level_equal(level, f->levels[l])) {
            return l;
        }
    }
    return -1;
}

int front_keep_index(const struct pare_front *f, const char *text)
{
    struct pare_level level;
    const int at = text != NULL && pare_level_parse(text, &level, NULL) == PARE_OK ? index_of(f, level) : -1;
    return at >= 0 ? at : f->int8_level;
}

void front_keep_layer(const struct pare_front *f, int layer, const char *of_pipeline)
{
    struct front_layer *l = &f->layers[layer];
    const struct pare_front_options *o = &f->options;
    const int first = front_keep_index(f, o->keep_first), last = front_keep_index(f, o->keep_last);
    l->keep = of_pipeline != NULL ? front_keep_index(f, of_pipeline) : f->n_levels - 1;
    l->keep = layer < o->keep_first_n ? 0 : l->keep;
    l->keep = l->first && first < l->keep ? first : l->keep;
    l->keep = l->last && last < l->keep ? last : l->keep;
    l->held = of_pipeline != NULL || layer < o->keep_first_n || (l->first && o->keep_first != NULL) ||
              (l->last && o->keep_last != NULL);
}

/* Levels that an option names have to be among the candidates. */
static enum pare_status add(const char *text, const char *option, struct pare_level *levels, int max, int *n, struct pare_error *err)
{
    struct pare_level level;
    if (text == NULL) {
        return PARE_OK;
    }
    if (pare_level_parse(text, &level, err) != PARE_OK) {
        return err != NULL ? err->code : PARE_ERR_USAGE;
    }
    if (*n >= max) {
        return pare_error(err, PARE_ERR_USAGE, option, "more than %d levels", max);
    }
    levels[(*n)++] = level; /* the caller drops what is there twice */
    return PARE_OK;
}

enum pare_status front_keep_levels(struct pare_front *f, struct pare_level *levels, int max, int *n, struct pare_error *err)
{
    struct pare_front_options *o = &f->options;
    enum pare_status status = PARE_OK;
    for (const char *p = o->levels; p != NULL && *p != '\0' && status == PARE_OK;) { /* "W8A8I32O32": what its ends say */
        const size_t length = strcspn(p, ", ");
        struct pare_level ends[2];
        bool given[2] = {false, false};
        char word[32], name[16];
        if (length > 0 && length < sizeof word) {
            memcpy(word, p, length);
            word[length] = '\0';
            if (pare_notation_ends(word, ends, given, NULL) != PARE_OK) {
                given[0] = given[1] = false; /* "wide" or the like: no level, said elsewhere */
            }
        }
        for (int e = 0; e < 2; e++) {
            const char **to = e == 0 ? &o->keep_first : &o->keep_last;
            *to = given[e] && *to == NULL ? pare_arena_strdup(&f->arena, pare_level_name(ends[e], name)) : *to;
        }
        p += p[length] == '\0' ? length : length + 1;
    }
    status = add(o->keep_first, "--keep inputs", levels, max, n, err);
    return status == PARE_OK ? add(o->keep_last, "--keep outputs", levels, max, n, err) : status;
}
