/*
 * linear.c: extra linear rows: as they are said (JSON of a Lua table), in words, and as coefficients. A row is
 *
 *   {"name", term or "terms": [term, ...], "at_most", "at_least" or "equals" with "within"}
 *   term: {"layers": GLOB or [GLOB, ...], "at": LEVEL, "FROM..TO" or a list, "of": what, "times": number}
 *
 * and sums `times` what `of` says over the layers that a pattern matches (as pins match; none: all of them) when they have
 * one of the levels (none: any). of: "count" (one for each; it needs levels), "bytes", "latency" (ms), "bitops",
 * "energy" (J), "loss", of the layer at its level, or "changes": pairs of a layer and one that it reads, both of the
 * pattern, whose levels differ. What is no layer (glue, other operators, conversions) is not in it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/linear.h"

static const struct {
    const char *name;
    int figure; /* COUNT, CHANGES or pare_figure_id */
    double unit;
} of_what[] = {{"count", -1, 1}, {"changes", -2, 1}, {"bytes", PARE_COST_BYTES, 1}, {"latency", PARE_COST_LATENCY, 1},
               {"bitops", PARE_COST_BITOPS, 1}, {"energy", PARE_COST_ENERGY, 1e-6}, {"loss", PARE_COST_LOSS, 1}};
enum { COUNT = -1, CHANGES = -2 };

struct term {
    bool *layers; /* [n_layers] */
    bool levels[PARE_MAX_LEVELS], has_levels;
    int figure;
    double times, unit;
};

static const char *const term_keys[] = {"layers", "at", "of", "times", NULL};
static const char *const row_keys[] = {"name", "terms", "at_most", "at_least", "equals", "within", NULL};

static bool is_among(const char *key, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        if (strcmp(*keys, key) == 0) {
            return true;
        }
    }
    return false;
}

static bool no_memory(struct pare_error *err)
{
    (void)pare_error_nomem(err);
    return false;
}

static const char *name_of(const json_t *row)
{
    return pare_json_get_string(row, "name", "?");
}

static bool bad(struct pare_error *err, const json_t *row, const char *what, const char *expected, const json_t *found)
{
    char where[200], *text = found != NULL ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    snprintf(where, sizeof where, "row '%.150s'", name_of(row));
    (void)pare_error(err, PARE_ERR_USAGE, where, "%s: expected %s, found %.100s", what, expected, text != NULL ? text : "nothing");
    free(text);
    return false;
}

static bool check_keys(const json_t *row, const json_t *table, bool is_row, bool is_term, struct pare_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)table, key, value) {
        if (!(is_row && is_among(key, row_keys)) && !(is_term && is_among(key, term_keys))) {
            json_t *text = json_string(key);
            (void)bad(err, row, is_row ? "its keys" : "a term's keys",
                      is_row ? "name, layers, at, of, times or terms, at_most, at_least, equals, within" : "layers, at, of, times", text);
            json_decref(text);
            return false;
        }
    }
    return true;
}

/* *value is left alone when there is none. */
static bool read_number(const json_t *row, const json_t *table, const char *key, double *value, struct pare_error *err)
{
    const json_t *item = json_object_get(table, key);
    if (item != NULL && !json_is_number(item)) {
        return bad(err, row, key, "a finite number", item);
    }
    *value = item != NULL ? json_number_value(item) : *value;
    return item == NULL || isfinite(*value) || bad(err, row, key, "a finite number", item);
}

/* Text or a list of texts: the i-th, NULL behind the last; *ok false when it is neither. */
static const char *text_at(const json_t *item, size_t i, bool *ok)
{
    const bool list = json_is_array(item);
    const json_t *one = list ? json_array_get(item, i) : i == 0 ? item : NULL;
    *ok = *ok && (one == NULL || json_is_string(one)) && (!list || json_array_size(item) > 0);
    return *ok ? json_string_value(one) : NULL;
}

static bool read_layers(const struct pare_front *f, const json_t *row, const json_t *table, struct term *t, struct pare_error *err)
{
    const json_t *item = json_object_get(table, "layers");
    const char *glob;
    bool ok = true;
    for (size_t i = 0; item != NULL && (glob = text_at(item, i, &ok)) != NULL; i++) {
        int hits = 0;
        for (int l = 0; l < f->n_layers; l++) {
            const bool hit = front_pattern_hit(f, glob, l);
            t->layers[l] = t->layers[l] || hit;
            hits += hit;
        }
        if (hits == 0) {
            char where[200];
            snprintf(where, sizeof where, "row '%.150s'", name_of(row));
            (void)pare_error(err, PARE_ERR_USAGE, where, "the pattern '%s' matches no layer", glob);
            return false;
        }
    }
    for (int l = 0; item == NULL && l < f->n_layers; l++) {
        t->layers[l] = true;
    }
    return ok || bad(err, row, "layers", "a pattern or a list of patterns", item);
}

static bool read_level(const struct pare_front *f, const json_t *row, const char *text, size_t n, bool strict,
                       struct pare_level *level, struct pare_error *err)
{
    char name[32], where[200];
    snprintf(name, sizeof name, "%.*s", (int)(n < 31 ? n : 31), text);
    snprintf(where, sizeof where, "row '%.150s'", name_of(row));
    if (pare_level_parse(name, level, NULL) != PARE_OK) {
        (void)pare_error(err, PARE_ERR_USAGE, where, "at: expected a level such as int4 or w4a8, found '%.60s'", text);
        return false;
    }
    bool known = false;
    for (int l = 0; l < f->n_levels; l++) {
        known = known || pare_level_equal(*level, f->levels[l]);
    }
    if (!known && strict) {
        (void)pare_error(err, PARE_ERR_USAGE, where, "at: level %s is not among the candidates (use --levels)", name);
    }
    return known || !strict;
}

/* A level that is no candidate is nobody's: only who gives the row with the candidates (strict) has it wrong. */
static bool read_levels(const struct pare_front *f, const json_t *row, const json_t *table, bool strict, struct term *t,
                        struct pare_error *err)
{
    const json_t *item = json_object_get(table, "at");
    const char *text;
    bool ok = true;
    t->has_levels = item != NULL;
    for (size_t i = 0; item != NULL && (text = text_at(item, i, &ok)) != NULL; i++) {
        const char *dots = strstr(text, "..");
        struct pare_level from, to;
        if (!read_level(f, row, text, dots != NULL ? (size_t)(dots - text) : strlen(text), strict, &from, err) ||
            !read_level(f, row, dots != NULL ? dots + 2 : text, strlen(dots != NULL ? dots + 2 : text), strict, &to, err)) {
            return false;
        }
        if (pare_level_compare(from, to) > 0) {
            const struct pare_level swap = from;
            from = to;
            to = swap;
        }
        for (int l = 0; l < f->n_levels; l++) {
            const bool within = pare_level_compare(from, f->levels[l]) <= 0 && pare_level_compare(f->levels[l], to) <= 0;
            t->levels[l] = t->levels[l] || (dots != NULL ? within : pare_level_equal(from, f->levels[l]));
        }
    }
    for (int l = 0; item == NULL && l < f->n_levels; l++) {
        t->levels[l] = true;
    }
    return ok || bad(err, row, "at", "a level, FROM..TO or a list of them", item);
}

static bool read_term(const struct pare_front *f, const json_t *row, const json_t *table, bool strict, struct term *t, struct pare_error *err)
{
    const json_t *of = json_object_get(table, "of");
    const char *what = of == NULL ? "count" : json_is_string(of) ? json_string_value(of) : "";
    bool known = false;
    t->times = 1;
    for (size_t i = 0; i < sizeof of_what / sizeof *of_what; i++) {
        if (strcmp(what, of_what[i].name) == 0) {
            t->figure = of_what[i].figure;
            t->unit = of_what[i].unit;
            known = true;
        }
    }
    if (!known) {
        return bad(err, row, "of", "count, changes, bytes, latency, bitops, energy or loss", of);
    }
    if (!read_number(row, table, "times", &t->times, err) || !read_layers(f, row, table, t, err) ||
        !read_levels(f, row, table, strict, t, err)) {
        return false;
    }
    if (t->figure == COUNT && !t->has_levels) {
        return bad(err, row, "at", "the levels to count (without them all layers are)", NULL);
    }
    return t->figure != CHANGES || !t->has_levels || bad(err, row, "at", "nothing (changes are between any two levels)", json_object_get(table, "at"));
}

static bool read_bounds(const json_t *row, struct pare_row *r, struct pare_error *err)
{
    double equals = NAN, within = 0, least = NAN, most = NAN;
    if (!read_number(row, row, "at_most", &most, err) || !read_number(row, row, "at_least", &least, err) ||
        !read_number(row, row, "equals", &equals, err) || !read_number(row, row, "within", &within, err)) {
        return false;
    }
    const bool either = isfinite(most) || isfinite(least), exact = isfinite(equals);
    if (either == exact) {
        return bad(err, row, "its bounds", either ? "at_most and at_least, or equals" : "at_most, at_least or equals", either ? json_object_get(row, "equals") : NULL);
    }
    if ((json_object_get(row, "within") != NULL && !exact) || within < 0) {
        return bad(err, row, "within", "how far from equals it may be, 0 or more", json_object_get(row, "within"));
    }
    r->at_least = exact ? equals - within : isfinite(least) ? least : -INFINITY;
    r->at_most = exact ? equals + within : isfinite(most) ? most : INFINITY;
    if (r->at_least > r->at_most) {
        char where[200];
        snprintf(where, sizeof where, "row '%.150s'", name_of(row));
        (void)pare_error(err, PARE_ERR_USAGE, where, "it contradicts itself: nothing is at least %.10g and at most %.10g", r->at_least, r->at_most);
        return false;
    }
    return true;
}

/* Adds a term to the coefficients. */
static bool add_term(const struct pare_front *f, const struct term *t, struct pare_row *r)
{
    for (int i = 0; i < f->n_layers; i++) {
        for (int l = 0; t->figure != CHANGES && t->layers[i] && l < f->n_levels; l++) {
            if (t->levels[l]) {
                const double cost = t->figure == COUNT ? 1 : front_layer_cost(f, i, l, (enum pare_figure_id)t->figure);
                r->cost[i * f->n_levels + l] += t->times * t->unit * cost;
            }
        }
        const int *from = f->layers[i].from;
        for (int k = 0; t->figure == CHANGES && t->layers[i] && k < f->layers[i].n_from; k++) {
            bool again = from[k] == i || !t->layers[from[k]];
            for (int j = 0; j < k; j++) {
                again = again || from[j] == from[k];
            }
            struct pare_row_pair *pairs = again ? NULL : realloc(r->pairs, ((size_t)r->n_pairs + 1) * sizeof *pairs);
            if (pairs != NULL) {
                r->pairs = pairs;
                r->pairs[r->n_pairs++] = (struct pare_row_pair){from[k], i, t->times};
            } else if (!again) {
                return false;
            }
        }
    }
    return true;
}

static bool read_row(const struct pare_front *f, const json_t *row, bool strict, struct pare_row *r, struct pare_error *err)
{
    const json_t *terms = json_object_get(row, "terms");
    const size_t n = terms != NULL ? json_array_size(terms) : 1;
    if (!check_keys(row, row, true, terms == NULL, err) || !read_bounds(row, r, err)) {
        return false;
    }
    if (n == 0) {
        return bad(err, row, "terms", "a list of terms", terms);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *table = terms != NULL ? json_array_get(terms, i) : row;
        struct term t = {.layers = calloc((size_t)f->n_layers + 1, sizeof *t.layers)};
        bool ok = t.layers != NULL || no_memory(err);
        ok = ok && (json_is_object(table) || bad(err, row, "terms", "tables {layers, at, of, times}", table));
        ok = ok && (terms == NULL || check_keys(row, table, false, true, err)) && read_term(f, row, table, strict, &t, err);
        ok = ok && (add_term(f, &t, r) || no_memory(err));
        free(t.layers);
        if (!ok) {
            return false;
        }
    }
    pare_row_settle(r, f->n_layers * f->n_levels);
    return true;
}

void front_rows_free(struct pare_row *rows, int n)
{
    for (int i = 0; i < n; i++) {
        pare_row_clear(&rows[i]);
    }
    free(rows);
}

enum pare_status front_rows_read(const struct pare_front *f, const json_t *list, bool strict, struct pare_row **rows, int *n,
                                 struct pare_error *err)
{
    const size_t count = json_array_size(list);
    struct pare_error own = {0};
    err = err != NULL ? err : &own;
    *n = 0;
    *rows = NULL;
    const bool empty = json_is_object(list) && json_object_size(list) == 0; /* Lua's {} */
    if ((list != NULL && !json_is_array(list) && !empty) || count > PARE_MAX_ROWS) {
        return pare_error(err, PARE_ERR_USAGE, "rows", "expected a list of at most %d tables", PARE_MAX_ROWS);
    }
    *rows = calloc(count + 1, sizeof **rows);
    if (*rows == NULL) {
        return pare_error_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(list, i);
        if (!json_is_object(row) || (json_object_get(row, "name") != NULL && !json_is_string(json_object_get(row, "name")))) {
            (void)pare_error(err, PARE_ERR_USAGE, "rows", "number %zu: expected a table with a text as name", i + 1);
        } else if (!pare_row_init(&(*rows)[i], name_of(row), f->n_layers * f->n_levels, 0)) {
            (void)pare_error_nomem(err);
        } else if (++*n && read_row(f, row, strict, &(*rows)[i], err)) {
            continue;
        }
        front_rows_free(*rows, *n);
        *rows = NULL;
        *n = 0;
        return err->code != PARE_OK ? err->code : PARE_ERR_USAGE;
    }
    return PARE_OK;
}

/* ---- in words ---- */

static void say_list(struct pare_strbuf *b, const char *before, const json_t *item)
{
    bool ok = true;
    const char *text;
    for (size_t i = 0; item != NULL && (text = text_at(item, i, &ok)) != NULL; i++) {
        pare_strbuf_printf(b, "%s%s", i == 0 ? before : ", ", text);
    }
}

static void say_term(struct pare_strbuf *b, const json_t *table, bool first)
{
    const char *of = pare_json_get_string(table, "of", "count");
    const bool given = json_is_number(json_object_get(table, "times"));
    const double times = given ? pare_json_get_real(table, "times") : 1;
    pare_strbuf_append(b, times < 0 ? (first ? "-" : " - ") : first ? "" : " + ");
    if (fabs(times) != 1) {
        pare_strbuf_printf(b, "%.10g ", fabs(times));
    }
    pare_strbuf_append(b, strcmp(of, "count") == 0 ? "layers" : of);
    say_list(b, " of ", json_object_get(table, "layers"));
    say_list(b, " at ", json_object_get(table, "at"));
}

void front_row_words(const json_t *row, char *text, size_t size)
{
    static const char *const bounds[][2] = {{"at_least", ">="}, {"at_most", "<="}, {"equals", "="}, {"within", "within"}};
    const json_t *terms = json_object_get(row, "terms");
    struct pare_strbuf b;
    bool said = false;
    pare_strbuf_init(&b);
    for (size_t i = 0; i < (terms != NULL ? json_array_size(terms) : 1); i++) {
        say_term(&b, terms != NULL ? json_array_get(terms, i) : row, i == 0);
    }
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const double value = pare_json_get_real(row, bounds[i][0]);
        if (isfinite(value)) {
            pare_strbuf_printf(&b, "%s %s %.10g", said && i < 3 ? "," : "", bounds[i][1], value);
            said = true;
        }
    }
    snprintf(text, size, "%s", b.text != NULL ? b.text : "");
    pare_strbuf_clear(&b);
}
