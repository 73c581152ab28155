/*
 * choices.c: which levels a layer may have (pins, the first/last rule) and which layers take one level (ties). Both are
 * kept as they were said, in order; what they mean for the layers is worked out anew after every change, so that a
 * change which contradicts another is refused with both named, and undo needs no undoing.
 *
 *   a pin     holds every layer it matches within its range; of several pins on a layer all hold
 *   the same pattern again   takes the place of the pin before
 *   free      ends all pins of the layers it matches
 *   a tie     all layers that its patterns match take one level, within the ranges of all of them
 *   suspected:X   holds what the sensitivity table says: worked out again whenever that table grows, nothing until it is
 *             there. Said together with another pin it must not contradict it; what is measured later gives way instead,
 *             layer by layer (the lenient way, also of the session's actions when it is opened)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/linear.h"

static const char *const meetings[] = {"shared-inputs", "residual"};

/* A pattern matches layers by their names; one without '/' also all layers of a stage; the sets of keep.c by their names. */
static bool matches(const struct pare_front *f, const char *glob, int layer)
{
    const struct front_layer *l = &f->layers[layer];
    return pare_glob_match(glob, l->name) || (strchr(glob, '/') == NULL && pare_glob_match(glob, f->stages[l->stage].name)) ||
           front_set_hit(f, glob, layer);
}

bool front_pattern_hit(const struct pare_front *f, const char *glob, int layer)
{
    return matches(f, glob, layer);
}

static int count_matches(const struct pare_front *f, const char *glob)
{
    int n = 0;
    for (int i = 0; i < f->n_layers; i++) {
        n += matches(f, glob, i);
    }
    return n;
}

static const char *glob_of(const json_t *pin)
{
    return pare_json_get_string(pin, "glob", "");
}

/* What the entries of f->pins, f->ties mean: lo -1 = free; which entries set the two ends; the tie's first layer; which
 * entry of f->ties joined a layer to it. */
struct meaning {
    int lo, hi, by_lo, by_hi, tie, by_tie;
};

static const char *range_text(const struct pare_front *f, int lo, int hi, char text[48])
{
    snprintf(text, 48, lo == hi ? "%s" : "%s..%s", f->level_alias[lo], f->level_alias[hi]);
    return text;
}

static enum pare_status contradiction(const struct pare_front *f, const json_t *pin, const json_t *other, int layer,
                                      const struct meaning *m, struct pare_error *err)
{
    char mine[48], theirs[48], held[48], where[600];
    range_text(f, (int)pare_json_get_int(pin, "lo", 0), (int)pare_json_get_int(pin, "hi", 0), mine);
    range_text(f, (int)pare_json_get_int(other, "lo", 0), (int)pare_json_get_int(other, "hi", 0), theirs);
    range_text(f, m->lo, m->hi, held);
    snprintf(where, sizeof where, "%s=%s", glob_of(pin), mine);
    return pare_error(err, PARE_ERR_USAGE, where, "contradicts the pin %s=%s: %s: expected a level within %s, found %s (free '%s' first)",
                      glob_of(other), theirs, f->layers[layer].name, held, mine, glob_of(other));
}

static bool is_measured(const json_t *pin)
{
    return strncmp(glob_of(pin), "suspected:", 10) == 0;
}

/* One pin on one layer that it matches. */
static enum pare_status settle_pin(const struct pare_front *f, const json_t *pins, int i, int l, bool lenient, struct meaning *m,
                                   struct pare_error *err)
{
    const json_t *pin = json_array_get(pins, (size_t)i);
    const int lo = (int)pare_json_get_int(pin, "lo", -1), hi = (int)pare_json_get_int(pin, "hi", -1);
    if (lo < 0 || m->lo < 0) {
        m->lo = lo;
        m->hi = hi;
        m->by_lo = m->by_hi = lo < 0 ? -1 : i;
        return PARE_OK;
    }
    if (lo > m->hi || hi < m->lo) {
        return lenient && is_measured(pin) ? PARE_OK
                                           : contradiction(f, pin, json_array_get(pins, (size_t)(lo > m->hi ? m->by_hi : m->by_lo)), l, m, err);
    }
    if (lo > m->lo) {
        m->lo = lo;
        m->by_lo = i;
    }
    if (hi < m->hi) {
        m->hi = hi;
        m->by_hi = i;
    }
    return PARE_OK;
}

/* When a layer is freed, what was said before of it ends; leniently, what is measured comes after what was said. */
static enum pare_status settle_layer(const struct pare_front *f, const json_t *pins, int l, bool lenient, struct meaning *m, struct pare_error *err)
{
    const int n = (int)json_array_size(pins);
    enum pare_status status = PARE_OK;
    int from = 0;
    for (int i = 0; i < n; i++) {
        const json_t *pin = json_array_get(pins, (size_t)i);
        from = pare_json_get_int(pin, "lo", -1) < 0 && matches(f, glob_of(pin), l) ? i + 1 : from;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int i = from; status == PARE_OK && i < n; i++) {
            const json_t *pin = json_array_get(pins, (size_t)i);
            const int its = lenient && is_measured(pin) ? 1 : 0;
            status = its == pass && matches(f, glob_of(pin), l) ? settle_pin(f, pins, i, l, lenient, m, err) : status;
        }
    }
    return status;
}

static enum pare_status settle_pins(const struct pare_front *f, const json_t *pins, bool lenient, struct meaning *m, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int l = 0; status == PARE_OK && l < f->n_layers; l++) {
        status = settle_layer(f, pins, l, lenient, &m[l], err);
    }
    return status;
}

/* The ties of a and b become one, which begins with the lower layer. */
static void join(const struct pare_front *f, struct meaning *m, int a, int b, int by)
{
    const int first = m[a].tie < m[b].tie ? m[a].tie : m[b].tie, other = m[a].tie < m[b].tie ? m[b].tie : m[a].tie;
    for (int l = 0; l < f->n_layers && first != other; l++) {
        m[l].tie = m[l].tie == other ? first : m[l].tie;
    }
    m[a].by_tie = m[a].by_tie < 0 ? by : m[a].by_tie;
    m[b].by_tie = m[b].by_tie < 0 ? by : m[b].by_tie;
}

/* "auto", "shared-inputs", "residual": from the graphs; returns how many pairs, -1 when it is no such word. */
static int settle_word(const struct pare_front *f, const char *word, int by, struct meaning *m)
{
    int pairs = -1;
    for (int k = 0; k < 2; k++) {
        if (strcmp(word, "auto") != 0 && strcmp(word, meetings[k]) != 0) {
            continue;
        }
        const json_t *list = json_object_get(json_object_get(f->description, "meet"), meetings[k]);
        pairs = pairs < 0 ? 0 : pairs;
        for (size_t i = 0; i < json_array_size(list); i++) {
            const int a = (int)json_integer_value(json_array_get(json_array_get(list, i), 0));
            const int b = (int)json_integer_value(json_array_get(json_array_get(list, i), 1));
            if (a >= 0 && b >= 0 && a < f->n_layers && b < f->n_layers) {
                join(f, m, a, b, by);
                pairs++;
            }
        }
    }
    return pairs;
}

/* PATTERN+PATTERN...: all that they match is one tie. */
static enum pare_status settle_patterns(const struct pare_front *f, const char *text, int by, struct meaning *m, int *tied,
                                        struct pare_error *err)
{
    int first = -1;
    *tied = 0;
    for (const char *at = text; at != NULL;) {
        char glob[512];
        const char *plus = strchr(at, '+');
        const int n = plus != NULL ? (int)(plus - at) : (int)strlen(at);
        int hits = 0;
        snprintf(glob, sizeof glob, "%.*s", n, at);
        for (int l = 0; n > 0 && l < f->n_layers; l++) {
            if (matches(f, glob, l)) {
                first = first < 0 ? l : first;
                *tied += l == first || m[l].tie != m[first].tie;
                join(f, m, first, l, by);
                hits++;
            }
        }
        if (hits == 0) {
            return pare_error(err, PARE_ERR_USAGE, text, "the pattern '%s' matches no layer", glob);
        }
        at = plus != NULL ? plus + 1 : NULL;
    }
    return PARE_OK;
}

/* The range of one layer without its ties: its pins, else the first/last rule. */
static void own_range(const struct pare_front *f, const struct meaning *m, int layer, int *lo, int *hi)
{
    *lo = m[layer].lo >= 0 ? m[layer].lo : 0;
    *hi = m[layer].lo >= 0 ? m[layer].hi : f->layers[layer].keep;
}

static void say_range(const struct pare_front *f, const json_t *pins, const struct meaning *m, int layer, bool upper, char *text, size_t size)
{
    int lo, hi;
    char range[48];
    own_range(f, m, layer, &lo, &hi);
    const int by = upper ? m[layer].by_hi : m[layer].by_lo;
    range_text(f, lo, hi, range);
    if (m[layer].lo >= 0) {
        snprintf(text, size, "%s at %s by the pin '%s'", f->layers[layer].name, range, glob_of(json_array_get(pins, (size_t)by)));
    } else {
        snprintf(text, size, "%s at %s by the rule of first, last and kept layers", f->layers[layer].name, range);
    }
}

/* Ranges on a line that meet in pairs meet in one place: it is enough to look at the two extreme ends. */
static enum pare_status check_tie(const struct pare_front *f, const json_t *pins, const json_t *ties, const struct meaning *m,
                                  int first, struct pare_error *err)
{
    int lowest = -1, highest = -1, least = 0, most = 0;
    for (int l = first; l < f->n_layers; l++) {
        int lo, hi;
        own_range(f, m, l, &lo, &hi);
        if (m[l].tie == first && (lowest < 0 || hi < least)) {
            lowest = l;
            least = hi;
        }
        if (m[l].tie == first && (highest < 0 || lo > most)) {
            highest = l;
            most = lo;
        }
    }
    if (lowest < 0 || most <= least) {
        return PARE_OK;
    }
    char a[400], b[400];
    const char *text = json_string_value(json_array_get(ties, (size_t)(m[highest].by_tie >= 0 ? m[highest].by_tie : 0)));
    say_range(f, pins, m, lowest, true, a, sizeof a);
    say_range(f, pins, m, highest, false, b, sizeof b);
    return pare_error(err, PARE_ERR_USAGE, text, "this tie expects one level for %s and %s, found %s, %s", f->layers[lowest].name,
                      f->layers[highest].name, a, b);
}

static enum pare_status settle(const struct pare_front *f, const json_t *pins, const json_t *ties, bool lenient, struct meaning *m,
                               int *tied, struct pare_error *err)
{
    for (int l = 0; l < f->n_layers; l++) {
        m[l] = (struct meaning){-1, -1, -1, -1, l, -1};
    }
    enum pare_status status = settle_pins(f, pins, lenient, m, err);
    for (size_t i = 0; status == PARE_OK && i < json_array_size(ties); i++) {
        const char *text = json_string_value(json_array_get(ties, i));
        *tied = settle_word(f, text, (int)i, m);
        if (*tied < 0) {
            status = settle_patterns(f, text, (int)i, m, tied, err);
        }
    }
    for (int l = 0; status == PARE_OK && l < f->n_layers; l++) {
        status = m[l].tie == l ? check_tie(f, pins, ties, m, l, err) : PARE_OK;
    }
    return status;
}

/* Takes the new lists when they mean something (and are not only tried); frees them otherwise. */
static enum pare_status take(struct pare_front *f, json_t *pins_take, json_t *ties_take, bool lenient, bool dry, int *tied,
                             struct pare_error *err)
{
    struct meaning *m = calloc((size_t)f->n_layers + 1, sizeof *m);
    enum pare_status status = m != NULL && pins_take != NULL && ties_take != NULL
                                  ? settle(f, pins_take, ties_take, lenient, m, tied, err) : pare_error_nomem(err);
    if (status == PARE_OK && !dry) {
        f->costs++;
        for (int l = 0; l < f->n_layers; l++) {
            f->layers[l].pin_lo = m[l].lo;
            f->layers[l].pin_hi = m[l].hi;
            f->layers[l].tie = m[l].tie;
            f->layers[l].tied = false;
        }
        for (int l = 0; l < f->n_layers; l++) {
            if (m[l].tie != l) {
                f->layers[l].tied = f->layers[m[l].tie].tied = true;
            }
        }
        json_t *before[2] = {f->pins, f->ties};
        f->pins = json_incref(pins_take);
        f->ties = json_incref(ties_take);
        json_decref(before[0]);
        json_decref(before[1]);
    }
    json_decref(pins_take);
    json_decref(ties_take);
    free(m);
    return status;
}

/* A copy of the pins without those of this pattern: they are said anew. What was freed stays, unless it is freed again. */
static json_t *pins_without(const struct pare_front *f, const char *glob, bool frees)
{
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(f->pins); i++) {
        json_t *pin = json_array_get(f->pins, i);
        if (strcmp(glob_of(pin), glob) != 0 || (!frees && pare_json_get_int(pin, "lo", -1) < 0)) {
            json_array_append(list, pin);
        }
    }
    return list;
}

enum pare_status front_pin(struct pare_front *f, const char *glob, int lo, int hi, bool dry, int *matched, struct pare_error *err)
{
    int tied = 0;
    *matched = count_matches(f, glob);
    if (*matched == 0 && !(front_set_measured(glob) && (f->replaying || !front_set_known(f)))) {
        return pare_error(err, PARE_ERR_USAGE, glob, front_set_measured(glob) ? "no layer is suspected at int8" : "the pattern matches no layer");
    }
    json_t *pins = pins_without(f, glob, lo < 0);
    const bool everything = lo < 0 && *matched == f->n_layers;
    if (everything) {
        json_array_clear(pins);
    } else {
        json_array_append_new(pins, json_pack("{s:s, s:i, s:i}", "glob", glob, "lo", lo, "hi", hi));
    }
    return take(f, pins, f->ties != NULL ? json_copy(f->ties) : json_array(), f->replaying, dry, &tied, err);
}

enum pare_status front_tie(struct pare_front *f, const char *text, bool dry, int *tied, struct pare_error *err)
{
    json_t *ties = f->ties != NULL ? json_copy(f->ties) : json_array();
    for (size_t i = json_array_size(ties); i-- > 0;) { /* said twice is said once */
        if (strcmp(json_string_value(json_array_get(ties, i)), text) == 0) {
            json_array_remove(ties, i);
        }
    }
    json_array_append_new(ties, json_string(text));
    return take(f, f->pins != NULL ? json_copy(f->pins) : json_array(), ties, f->replaying, dry, tied, err);
}

enum pare_status front_untie(struct pare_front *f, const char *text, bool dry, struct pare_error *err)
{
    json_t *ties = json_array();
    bool found = false;
    int tied = 0;
    for (size_t i = 0; i < json_array_size(f->ties); i++) {
        json_t *tie = json_array_get(f->ties, i);
        const bool hit = strcmp(text, "all") == 0 || strcmp(json_string_value(tie), text) == 0;
        found = found || hit;
        if (!hit) {
            json_array_append(ties, tie);
        }
    }
    if (!found) {
        json_decref(ties);
        return pare_error(err, PARE_ERR_USAGE, text, "no such tie (:pins lists them)");
    }
    return take(f, f->pins != NULL ? json_copy(f->pins) : json_array(), ties, f->replaying, dry, &tied, err);
}

bool front_choices_measured(const struct pare_front *f)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(f->pins); i++) {
        found = found || is_measured(json_array_get(f->pins, i));
    }
    return found;
}

void front_choices_again(struct pare_front *f)
{
    struct pare_error err = {0};
    int tied;
    if (front_choices_measured(f) && take(f, json_copy(f->pins), json_copy(f->ties), true, false, &tied, &err) != PARE_OK) {
        front_log(f, "pins stay as they were before this measurement: %s: %s", err.where, err.message);
    }
}

const char *front_choice_waits(const struct pare_front *f, int i, char text[240])
{
    const json_t *pin = json_array_get(f->pins, (size_t)i);
    const int lo = (int)pare_json_get_int(pin, "lo", -1), hi = (int)pare_json_get_int(pin, "hi", -1);
    char range[48];
    int n = 0, n_kept_out = 0;
    if (!is_measured(pin) || lo < 0) {
        return NULL;
    }
    for (int l = 0; l < f->n_layers; l++) {
        const struct front_layer *layer = &f->layers[l];
        n += matches(f, glob_of(pin), l);
        n_kept_out += matches(f, glob_of(pin), l) && (layer->pin_lo < lo || layer->pin_hi > hi);
    }
    range_text(f, lo, hi, range);
    if (!front_set_known(f)) {
        snprintf(text, 240, "%.100s=%s waits for the sensitivity table (pare sense)", glob_of(pin), range);
    } else if (n == 0) {
        snprintf(text, 240, "%.100s=%s holds nothing: no layer is suspected", glob_of(pin), range);
    } else if (n_kept_out > 0) {
        snprintf(text, 240, "%.100s=%s gives way to other pins on %d of %d layers", glob_of(pin), range, n_kept_out, n);
    } else {
        return NULL;
    }
    return text;
}

enum pare_status front_choices_clear(struct pare_front *f, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    int tied;
    json_decref(f->pins);
    json_decref(f->ties);
    f->pins = json_array();
    f->ties = json_array();
    f->n_unmet = 0;
    for (int l = 0; l < f->n_layers; l++) {
        f->layers[l].pin_lo = f->layers[l].pin_hi = -1;
        f->layers[l].tie = l;
        f->layers[l].tied = false;
    }
    const json_t *own = json_object_get(f->description, "tie"); /* pipeline.lua's */
    for (size_t i = 0; status == PARE_OK && i < json_array_size(own); i++) {
        status = front_tie(f, json_string_value(json_array_get(own, i)), false, &tied, err);
    }
    return status == PARE_OK ? front_rows_clear(f, err) : status;
}

void front_range(const struct pare_front *f, int layer, bool use_pins, int *lo, int *hi)
{
    const int tie = f->layers[layer].tie, end = f->layers[layer].tied ? f->n_layers : layer + 1;
    *lo = 0;
    *hi = f->n_levels - 1;
    for (int l = f->layers[layer].tied ? tie : layer; l < end; l++) {
        const struct front_layer *m = &f->layers[l];
        const bool pinned = use_pins && m->pin_lo >= 0;
        if (m->tie == tie) {
            const int from = pinned ? m->pin_lo : 0, to = pinned ? m->pin_hi : m->keep;
            *lo = from > *lo ? from : *lo;
            *hi = to < *hi ? to : *hi;
        }
    }
}
