/*
 * linear_use.c: where extra rows are used: in the problem, at a point, in words when they cannot hold, as choices of the
 * session.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/linear.h"

/* ---- lists ---- */

static const char *name_of(const json_t *row)
{
    return pare_json_get_string(row, "name", "");
}

json_t *front_rows_named(const json_t *list)
{
    if (!json_is_array(list)) {
        return json_incref((json_t *)(uintptr_t)list);
    }
    json_t *named = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_copy(json_array_get(list, i));
        if (json_is_object(row) && json_object_get(row, "name") == NULL) {
            char words[160];
            front_row_words(row, words, sizeof words);
            json_object_set_new(row, "name", json_string(words));
        }
        json_array_append_new(named, row);
    }
    return named;
}

/* Where the row of this name is; the list's length when it is not there. */
static size_t find_row(const json_t *list, const char *name)
{
    size_t i = 0;
    while (i < json_array_size(list) && strcmp(name_of(json_array_get(list, i)), name) != 0) {
        i++;
    }
    return i;
}

json_t *front_rows_of(const struct pare_front *f, const json_t *own)
{
    json_t *all = f->rows != NULL ? json_copy(f->rows) : json_array(), *named = front_rows_named(own);
    for (size_t i = 0; i < json_array_size(named); i++) {
        json_t *row = json_array_get(named, i);
        const size_t at = find_row(all, name_of(row));
        if (at < json_array_size(all)) {
            json_array_set(all, at, row);
        } else {
            json_array_append(all, row);
        }
    }
    json_decref(named);
    return all;
}

bool front_rows_want_loss(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i), *terms = json_object_get(row, "terms");
        bool wants = strcmp(pare_json_get_string(row, "of", ""), "loss") == 0;
        for (size_t k = 0; k < json_array_size(terms); k++) {
            wants = wants || strcmp(pare_json_get_string(json_array_get(terms, k), "of", ""), "loss") == 0;
        }
        if (wants) {
            return true;
        }
    }
    return false;
}

/* ---- the problem ---- */

/* A row over layers becomes one over models: a model's level is what its layers have by their own pins and rules. */
static bool by_model(const struct pare_front *f, const struct front_budget *b, const struct pare_row *r, struct pare_row *out)
{
    const int cells = f->n_stages * f->n_levels;
    if (!pare_row_init(out, r->name, cells, 0)) {
        return false;
    }
    out->at_least = r->at_least;
    out->at_most = r->at_most;
    for (int i = 0; i < f->n_layers; i++) {
        for (int l = 0; l < f->n_levels; l++) {
            out->cost[f->layers[i].stage * f->n_levels + l] += r->cost[i * f->n_levels + front_model_level(f, i, l, b->use_pins)];
        }
    }
    for (int k = 0; k < r->n_pairs; k++) { /* both of one stage: who reads another model's tensor is glue */
        const struct pare_row_pair *q = &r->pairs[k];
        for (int l = 0; l < f->n_levels; l++) {
            if (front_model_level(f, q->a, l, b->use_pins) != front_model_level(f, q->b, l, b->use_pins)) {
                out->cost[f->layers[q->a].stage * f->n_levels + l] += q->weight;
            }
        }
    }
    return true;
}

enum pare_status front_rows_add(const struct pare_front *f, const struct front_budget *b, struct pare_problem *p, struct pare_error *err)
{
    struct pare_row *rows;
    int n;
    json_t *list = front_rows_of(f, b->rows);
    enum pare_status status = front_rows_read(f, list, false, &rows, &n, err);
    const int cells = p->n_groups * p->n_levels;
    for (int i = 0; status == PARE_OK && i < n; i++) {
        struct pare_row *r = &rows[i], row = {0};
        bool ok = true;
        if (b->per_model) {
            ok = by_model(f, b, r, &row);
        } else {
            row = *r;
            memset(r, 0, sizeof *r);
        }
        for (int k = 0; ok && k < cells; k++) {
            row.cost[k] = p->allowed[k] ? row.cost[k] : 0;
        }
        if (ok) {
            pare_row_settle(&row, cells);
        }
        ok = ok && pare_problem_take_row(p, &row);
        status = ok ? PARE_OK : pare_error(err, PARE_ERR_USAGE, "rows", "expected at most %d of them", PARE_MAX_ROWS);
    }
    front_rows_free(rows, n);
    json_decref(list);
    return status;
}

/* ---- at a point ---- */

bool front_rows_hold(const struct pare_front *f, const struct pare_row *rows, int n, const unsigned char *levels)
{
    int *wide = malloc(((size_t)f->n_layers + 1) * sizeof *wide);
    bool hold = wide != NULL;
    for (int i = 0; hold && i < f->n_layers; i++) {
        wide[i] = levels[i];
    }
    for (int r = 0; hold && r < n; r++) {
        hold = pare_row_over(&rows[r], pare_row_value(&rows[r], f->n_layers, f->n_levels, wide)) <= 0;
    }
    free(wide);
    return hold;
}

/* Adds the words, and what the solver said of the same row. */
static void complete(json_t *item, const json_t *list, const json_t *answer)
{
    const char *name = name_of(item);
    char words[400];
    const json_t *its = json_array_get(answer, find_row(answer, name));
    front_row_words(json_array_get(list, find_row(list, name)), words, sizeof words);
    json_object_set_new(item, "says", json_string(words));
    if (its != NULL && json_object_get(its, "binds") != NULL) {
        json_object_set(item, "binds", json_object_get(its, "binds"));
        json_object_set(item, "gain_without", json_object_get(its, "gain_without"));
    }
}

json_t *front_rows_json(const struct pare_front *f, const json_t *list, const unsigned char *levels, const json_t *answer)
{
    struct pare_row *rows = NULL;
    int n = 0, *wide = malloc(((size_t)f->n_layers + 1) * sizeof *wide);
    bool *allowed = calloc((size_t)(f->n_layers * f->n_levels) + 1, sizeof *allowed);
    json_t *report = NULL;
    if (wide != NULL && allowed != NULL && json_array_size(list) > 0 && front_rows_read(f, list, false, &rows, &n, NULL) == PARE_OK) {
        struct pare_problem q = {.n_groups = f->n_layers, .n_levels = f->n_levels, .allowed = allowed, .n_rows = n, .rows = rows};
        for (int i = 0; i < f->n_layers; i++) {
            int lo, hi;
            front_range(f, i, true, &lo, &hi);
            wide[i] = levels[i];
            for (int l = lo; l <= hi; l++) {
                allowed[i * f->n_levels + l] = true;
            }
        }
        report = pare_rows_report(&q, wide, NULL);
        for (size_t i = 0; i < json_array_size(report); i++) {
            complete(json_array_get(report, i), list, answer);
        }
    }
    front_rows_free(rows, n);
    free(wide);
    free(allowed);
    return report;
}

void front_conflict_words(const struct pare_front *f, const json_t *list, const json_t *conflict, char *text, size_t size)
{
    const json_t *names = json_object_get(conflict, "rows"), *budgets = json_object_get(conflict, "budgets");
    const size_t n = json_array_size(names), n_budgets = json_array_size(budgets);
    const double nearest = pare_json_get_real(conflict, "nearest");
    struct pare_strbuf b;
    struct pare_row *rows = NULL;
    int n_rows = 0;
    pare_strbuf_init(&b);
    pare_strbuf_printf(&b, "infeasible: the row%s ", n > 1 ? "s" : "");
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        char words[160];
        front_row_words(json_array_get(list, find_row(list, name)), words, sizeof words);
        pare_strbuf_printf(&b, "%s'%s'", i == 0 ? "" : i + 1 < n ? ", " : " and ", name);
        if (strcmp(words, name) != 0) {
            pare_strbuf_printf(&b, " (%s)", words);
        }
    }
    pare_strbuf_printf(&b, " cannot hold%s", n > 1 ? " together" : "");
    for (size_t i = 0; i < n_budgets; i++) {
        pare_strbuf_printf(&b, "%s%s", i == 0 ? (n_budgets > 1 ? " with the budgets of " : " with the budget of ") : " and ",
                           json_string_value(json_array_get(budgets, i)));
    }
    if (isfinite(nearest) && n > 0 && front_rows_read(f, list, false, &rows, &n_rows, NULL) == PARE_OK) {
        const char *last = json_string_value(json_array_get(names, n - 1));
        const size_t at = find_row(list, last);
        const bool above = at < (size_t)n_rows && nearest > rows[at].at_most;
        pare_strbuf_printf(&b, "; %s%s%s is %s %.10g%s", n > 1 ? "'" : "", n > 1 ? last : "it", n > 1 ? "'" : "",
                           above ? "at least" : "at most", nearest, n > 1 || n_budgets > 0 ? " beside the others" : "");
    }
    front_rows_free(rows, n_rows);
    snprintf(text, size, "%s", b.text != NULL ? b.text : "infeasible: rows");
    pare_strbuf_clear(&b);
}

/* ---- as choices ---- */

enum pare_status front_row_take(struct pare_front *f, const json_t *row, bool twice, bool dry, struct pare_error *err)
{
    struct pare_row *rows = NULL;
    int n = 0;
    json_t *list = json_array(), *named, *all = f->rows != NULL ? json_copy(f->rows) : json_array();
    json_array_append(list, (json_t *)(uintptr_t)row);
    named = front_rows_named(list);
    json_t *its = json_array_get(named, 0);
    const size_t at = find_row(all, name_of(its));
    /* of the session and pipeline.lua: the candidate levels may be others another time */
    enum pare_status status = front_rows_read(f, named, twice && !f->replaying, &rows, &n, err);
    front_rows_free(rows, n);
    if (status == PARE_OK && at < json_array_size(all) && !twice) {
        status = pare_error(err, PARE_ERR_USAGE, "rows", "two of them are called '%s'", name_of(its));
    } else if (status == PARE_OK && at >= PARE_MAX_ROWS) {
        status = pare_error(err, PARE_ERR_USAGE, "rows", "expected at most %d of them", PARE_MAX_ROWS);
    } else if (status == PARE_OK && at < json_array_size(all)) {
        json_array_set(all, at, its);
    } else if (status == PARE_OK) {
        json_array_append(all, its);
    }
    if (status == PARE_OK && !dry) {
        json_decref(f->rows);
        f->rows = json_incref(all);
    }
    json_decref(all);
    json_decref(list);
    json_decref(named);
    return status;
}

enum pare_status front_row_drop(struct pare_front *f, const char *name, bool dry, struct pare_error *err)
{
    json_t *left = json_array();
    const bool all = strcmp(name, "all") == 0;
    const size_t at = find_row(f->rows, name);
    for (size_t i = 0; i < json_array_size(f->rows); i++) {
        if (!all && i != at) {
            json_array_append(left, json_array_get(f->rows, i));
        }
    }
    const bool found = json_array_size(left) < json_array_size(f->rows);
    if (found && !dry) {
        json_decref(f->rows);
        f->rows = json_incref(left);
    }
    json_decref(left);
    return found ? PARE_OK : pare_error(err, PARE_ERR_USAGE, name, "no such row (:pins lists them)");
}

enum pare_status front_rows_clear(struct pare_front *f, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    const json_t *own = json_object_get(f->description, "rows");
    struct pare_row *rows = NULL;
    int n = 0;
    json_decref(f->rows);
    f->rows = json_array();
    if (own != NULL && !json_is_array(own)) {
        status = front_rows_read(f, own, false, &rows, &n, err);
        front_rows_free(rows, n);
    }
    for (size_t i = 0; status == PARE_OK && i < json_array_size(own); i++) {
        status = front_row_take(f, json_array_get(own, i), false, false, err);
    }
    return status;
}
