#include "search/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GROUPS 100000
#define MAX_LEVELS PARE_MOST_LEVELS

const char *pare_cost_name(enum pare_figure_id c)
{
    static const char *const names[PARE_COST_COUNT] = {"drop", "latency", "bytes", "bitops", "energy"};
    return (unsigned)c < PARE_COST_COUNT ? names[c] : "?";
}

enum pare_status pare_problem_new(int n_groups, int n_levels, struct pare_problem **out,
                                  struct pare_error *err)
{
    *out = NULL;
    if (n_groups < 1 || n_groups > MAX_GROUPS || n_levels < 1 || n_levels > MAX_LEVELS) {
        return pare_error(err, PARE_ERR_FORMAT, "problem", "expected 1..%d layers and 1..%d levels, found %d and %d",
                          MAX_GROUPS, MAX_LEVELS, n_groups, n_levels);
    }
    struct pare_problem *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return pare_error_nomem(err);
    }
    size_t cells = (size_t)n_groups * (size_t)n_levels;
    p->n_groups = n_groups;
    p->n_levels = n_levels;
    p->group_names = calloc((size_t)n_groups, sizeof *p->group_names);
    p->level_names = calloc((size_t)n_levels, sizeof *p->level_names);
    p->form = calloc((size_t)n_levels, sizeof *p->form);
    p->allowed = calloc(cells, sizeof *p->allowed);
    bool ok = p->group_names != NULL && p->level_names != NULL && p->form != NULL && p->allowed != NULL;
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        p->cost[c] = calloc(cells, sizeof *p->cost[c]);
        p->limit[c] = NAN;
        ok = ok && p->cost[c] != NULL;
    }
    if (!ok) {
        pare_problem_free(p);
        return pare_error_nomem(err);
    }
    *out = p;
    return PARE_OK;
}

void pare_problem_free(struct pare_problem *p)
{
    if (p == NULL) {
        return;
    }
    for (int g = 0; p->group_names != NULL && g < p->n_groups; g++) {
        free((char *)(size_t)p->group_names[g]);
    }
    for (int l = 0; p->level_names != NULL && l < p->n_levels; l++) {
        free((char *)(size_t)p->level_names[l]);
    }
    free(p->group_names);
    free(p->level_names);
    free(p->form);
    free(p->allowed);
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        free(p->cost[c]);
    }
    for (int r = 0; r < p->n_rows; r++) {
        pare_row_clear(&p->rows[r]);
    }
    free(p->rows);
    free(p->borders);
    free(p);
}

bool pare_problem_take_row(struct pare_problem *p, struct pare_row *row)
{
    struct pare_row *rows = p->n_rows < PARE_MAX_ROWS ? realloc(p->rows, ((size_t)p->n_rows + 1) * sizeof *rows) : NULL;
    if (rows == NULL) {
        pare_row_clear(row);
        return false;
    }
    p->rows = rows;
    p->rows[p->n_rows++] = *row;
    memset(row, 0, sizeof *row);
    return true;
}

static enum pare_status check_row(const struct pare_problem *p, const struct pare_row *r, struct pare_error *err)
{
    if (isnan(r->at_least) || isnan(r->at_most) || r->at_least > r->at_most) {
        return pare_error(err, PARE_ERR_USAGE, r->name, "nothing is at least %g and at most %g", r->at_least, r->at_most);
    }
    for (int i = 0; i < p->n_groups * p->n_levels; i++) {
        if (p->allowed[i] && (!isfinite(r->cost[i]) || fabs(r->cost[i]) > 1e15)) {
            return pare_error(err, PARE_ERR_FORMAT, r->name, "the coefficient of %s at %s is not a finite number",
                              p->group_names[i / p->n_levels], p->level_names[i % p->n_levels]);
        }
    }
    for (int i = 0; i < r->n_pairs; i++) {
        if (!isfinite(r->pairs[i].weight) || r->pairs[i].a < 0 || r->pairs[i].a >= p->n_groups || r->pairs[i].b < 0 ||
            r->pairs[i].b >= p->n_groups) {
            return pare_error(err, PARE_ERR_FORMAT, r->name, "pair %d is none", i);
        }
    }
    return PARE_OK;
}

enum pare_status pare_problem_check(const struct pare_problem *p, struct pare_error *err)
{
    for (int g = 0; g < p->n_groups; g++) {
        bool any = false;
        for (int l = 0; l < p->n_levels; l++) {
            int cell = g * p->n_levels + l;
            if (!p->allowed[cell]) {
                continue;
            }
            any = true;
            for (int c = 0; c < PARE_COST_COUNT; c++) {
                if (!isfinite(p->cost[c][cell]) || fabs(p->cost[c][cell]) > 1e15) {
                    return pare_error(err, PARE_ERR_FORMAT, p->group_names[g],
                                      "the %s at %s is not a finite number", pare_cost_name((enum pare_figure_id)c),
                                      p->level_names[l]);
                }
            }
        }
        if (!any) {
            return pare_error(err, PARE_ERR_INFEASIBLE, p->group_names[g],
                              "no level is left for this layer by the pins");
        }
    }
    for (int b = 0; b < p->n_borders; b++) {
        const struct pare_border *border = &p->borders[b];
        if (border->from < 0 || border->from >= p->n_groups || border->to < 0 || border->to >= p->n_groups ||
            !isfinite(border->ms)) {
            return pare_error(err, PARE_ERR_FORMAT, "problem", "border %d names a layer that is not there", b);
        }
    }
    enum pare_status status = PARE_OK;
    for (int r = 0; r < p->n_rows && status == PARE_OK; r++) {
        status = check_row(p, &p->rows[r], err);
    }
    return status;
}

void pare_problem_total(const struct pare_problem *p, const int *levels, double total[PARE_COST_COUNT])
{
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        total[c] = p->fixed[c];
        for (int g = 0; g < p->n_groups; g++) {
            total[c] += p->cost[c][g * p->n_levels + levels[g]];
        }
    }
    for (int b = 0; b < p->n_borders; b++) {
        if (p->form[levels[p->borders[b].from]] != p->form[levels[p->borders[b].to]]) {
            total[PARE_COST_LATENCY] += p->borders[b].ms;
        }
    }
}

json_t *pare_problem_to_json(const struct pare_problem *p)
{
    json_t *groups = json_array(), *levels = json_array(), *forms = json_array(), *borders = json_array();
    json_t *root = json_object(), *limits = json_array(), *fixed = json_array();
    for (int g = 0; g < p->n_groups; g++) {
        json_array_append_new(groups, json_string(p->group_names[g]));
    }
    for (int l = 0; l < p->n_levels; l++) {
        json_array_append_new(levels, json_string(p->level_names[l]));
        json_array_append_new(forms, json_integer(p->form[l]));
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        json_t *cells = json_array();
        for (int i = 0; i < p->n_groups * p->n_levels; i++) {
            json_array_append_new(cells, p->allowed[i] ? pare_json_real(p->cost[c][i]) : json_null());
        }
        json_object_set_new(root, pare_cost_name((enum pare_figure_id)c), cells);
        json_array_append_new(limits, pare_json_real(p->limit[c]));
        json_array_append_new(fixed, pare_json_real(p->fixed[c]));
    }
    for (int b = 0; b < p->n_borders; b++) {
        json_array_append_new(borders, json_pack("[i,i,f]", p->borders[b].from, p->borders[b].to, p->borders[b].ms));
    }
    json_object_set_new(root, "groups", groups);
    json_object_set_new(root, "levels", levels);
    json_object_set_new(root, "forms", forms);
    json_object_set_new(root, "limits", limits);
    json_object_set_new(root, "fixed", fixed);
    json_object_set_new(root, "borders", borders);
    json_object_set_new(root, "objective", json_integer(p->objective));
    json_object_set_new(root, "time_limit", pare_json_real(p->time_limit_seconds));
    json_t *rows = p->n_rows > 0 ? json_array() : NULL;
    for (int r = 0; r < p->n_rows; r++) {
        json_array_append_new(rows, pare_row_to_json(&p->rows[r], p->n_groups * p->n_levels));
    }
    if (rows != NULL) { /* without any a problem is written as before there were rows: kept results are found again */
        json_object_set_new(root, "rows", rows);
    }
    return root;
}

static enum pare_status read_cells(const json_t *json, struct pare_problem *p, struct pare_error *err)
{
    size_t cells = (size_t)(p->n_groups * p->n_levels);
    for (size_t i = 0; i < cells; i++) {
        p->allowed[i] = true;
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        const json_t *array = json_object_get(json, pare_cost_name((enum pare_figure_id)c));
        if (array == NULL && c == PARE_COST_ENERGY) { /* frozen before there was energy: it says nothing */
            p->limit[c] = NAN;
            continue;
        }
        if (json_array_size(array) != cells) {
            return pare_error(err, PARE_ERR_FORMAT, "problem", "expected %zu numbers of %s, found %zu", cells,
                              pare_cost_name((enum pare_figure_id)c), json_array_size(array));
        }
        for (size_t i = 0; i < cells; i++) {
            p->cost[c][i] = pare_json_at_real(array, i);
            p->allowed[i] = p->allowed[i] && isfinite(p->cost[c][i]);
        }
        p->limit[c] = pare_json_at_real(json_object_get(json, "limits"), (size_t)c);
        p->fixed[c] = pare_json_at_real(json_object_get(json, "fixed"), (size_t)c);
        p->fixed[c] = isfinite(p->fixed[c]) ? p->fixed[c] : 0;
    }
    return PARE_OK;
}

static enum pare_status read_rows(const json_t *rows, struct pare_problem *p, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (size_t r = 0; status == PARE_OK && r < json_array_size(rows); r++) {
        struct pare_row row;
        status = pare_row_from_json(json_array_get(rows, r), p->n_groups, p->n_levels, &row, err);
        if (status == PARE_OK && !pare_problem_take_row(p, &row)) {
            status = pare_error(err, PARE_ERR_FORMAT, "problem", "expected at most %d rows", PARE_MAX_ROWS);
        }
    }
    return status;
}

enum pare_status pare_problem_from_json(const json_t *json, struct pare_problem **out, struct pare_error *err)
{
    const json_t *groups = json_object_get(json, "groups"), *levels = json_object_get(json, "levels");
    const json_t *borders = json_object_get(json, "borders");
    struct pare_problem *p = NULL;
    *out = NULL;
    if (json_array_size(groups) > MAX_GROUPS || json_array_size(levels) > MAX_LEVELS) {
        return pare_error(err, PARE_ERR_FORMAT, "problem", "too many layers or levels");
    }
    enum pare_status status =
        pare_problem_new((int)json_array_size(groups), (int)json_array_size(levels), &p, err);
    if (status != PARE_OK) {
        return status;
    }
    for (int g = 0; g < p->n_groups; g++) {
        const char *name = json_string_value(json_array_get(groups, (size_t)g));
        p->group_names[g] = strdup(name != NULL ? name : "?");
    }
    for (int l = 0; l < p->n_levels; l++) {
        const char *name = json_string_value(json_array_get(levels, (size_t)l));
        p->level_names[l] = strdup(name != NULL ? name : "?");
        p->form[l] = (int)json_integer_value(json_array_get(json_object_get(json, "forms"), (size_t)l));
    }
    status = read_cells(json, p, err);
    size_t n_borders = json_array_size(borders);
    p->borders = calloc(n_borders + 1, sizeof *p->borders);
    for (size_t b = 0; status == PARE_OK && p->borders != NULL && b < n_borders; b++) {
        const json_t *item = json_array_get(borders, b);
        p->borders[b].from = (int)json_integer_value(json_array_get(item, 0));
        p->borders[b].to = (int)json_integer_value(json_array_get(item, 1));
        p->borders[b].ms = pare_json_at_real(item, 2);
        p->n_borders = (int)b + 1;
    }
    int64_t objective = pare_json_get_int(json, "objective", PARE_COST_LATENCY);
    p->objective = objective >= 0 && objective < PARE_COST_COUNT ? (enum pare_figure_id)objective : PARE_COST_LATENCY;
    double limit = pare_json_get_real(json, "time_limit");
    p->time_limit_seconds = isfinite(limit) ? limit : 0;
    if (status == PARE_OK) {
        status = read_rows(json_object_get(json, "rows"), p, err);
    }
    if (status == PARE_OK) {
        status = pare_problem_check(p, err);
    }
    if (status != PARE_OK) {
        pare_problem_free(p);
        return status;
    }
    *out = p;
    return PARE_OK;
}

/* {"rows": [name], "budgets": [name], "nearest": the value of the last row} */
static json_t *conflict_json(const struct pare_problem *p, const struct pare_answer *a)
{
    json_t *rows = json_array(), *budgets = json_array();
    for (int i = 0; i < a->n_conflict; i++) {
        json_array_append_new(rows, json_string(p->rows[a->conflict[i]].name));
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        if (a->conflict_limit[c]) {
            json_array_append_new(budgets, json_string(pare_cost_name((enum pare_figure_id)c)));
        }
    }
    return json_pack("{s:o, s:o, s:o}", "rows", rows, "budgets", budgets, "nearest", pare_json_real(a->nearest));
}

json_t *pare_answer_to_json(const struct pare_problem *p, const struct pare_answer *a)
{
    static const char *const names[] = {"optimal", "feasible", "infeasible"};
    json_t *root = json_object();
    json_object_set_new(root, "status", json_string(names[a->status]));
    json_object_set_new(root, "gap", pare_json_real(a->gap));
    json_object_set_new(root, "rounding", pare_json_real(a->rounding));
    json_object_set_new(root, "seconds", pare_json_real(a->seconds));
    json_object_set_new(root, "nodes", json_integer(a->nodes));
    if (a->levels != NULL) {
        json_t *config = json_object(), *total = json_array();
        for (int g = 0; g < p->n_groups; g++) {
            json_object_set_new(config, p->group_names[g], json_string(p->level_names[a->levels[g]]));
        }
        for (int c = 0; c < PARE_COST_COUNT; c++) {
            json_array_append_new(total, pare_json_real(a->total[c]));
        }
        json_object_set_new(root, "config", config);
        json_object_set_new(root, "total", total);
        if (p->n_rows > 0) {
            json_object_set_new(root, "rows", pare_rows_report(p, a->levels, a->row_gain));
        }
    }
    if (a->status == PARE_SOLVE_INFEASIBLE && a->n_conflict > 0) {
        json_object_set_new(root, "conflict", conflict_json(p, a));
    } else if (a->status == PARE_SOLVE_INFEASIBLE) {
        json_object_set_new(root, "violated", json_string(pare_cost_name(a->violated)));
        json_object_set_new(root, "least", pare_json_real(a->least));
        json_object_set_new(root, "limit", pare_json_real(p->limit[a->violated]));
    }
    return root;
}

void pare_answer_clear(struct pare_answer *a)
{
    free(a->levels);
    free(a->conflict);
    free(a->row_gain);
    memset(a, 0, sizeof *a);
}

enum pare_status pare_solve_exhaustive(const struct pare_problem *p, struct pare_answer *a,
                                       struct pare_error *err)
{
    double count = pow(p->n_levels, p->n_groups), best = INFINITY;
    memset(a, 0, sizeof *a);
    if (count > 16777216.0) {
        return pare_error(err, PARE_ERR_USAGE, "exhaustive", "%g configurations are too many", count);
    }
    int *levels = calloc((size_t)p->n_groups, sizeof *levels);
    a->levels = calloc((size_t)p->n_groups, sizeof *a->levels);
    if (levels == NULL || a->levels == NULL) {
        free(levels);
        return pare_error_nomem(err);
    }
    for (double i = 0; i < count; i++) {
        bool ok = true;
        double total[PARE_COST_COUNT];
        for (int g = 0; g < p->n_groups; g++) {
            ok = ok && p->allowed[g * p->n_levels + levels[g]];
        }
        pare_problem_total(p, levels, total);
        for (int c = 0; c < PARE_COST_COUNT; c++) {
            ok = ok && !(total[c] > p->limit[c] + 1e-9);
        }
        ok = ok && (p->n_rows == 0 || pare_rows_over(p, levels) <= 0);
        if (ok && total[p->objective] < best) {
            best = total[p->objective];
            memcpy(a->levels, levels, (size_t)p->n_groups * sizeof *levels);
            memcpy(a->total, total, sizeof total);
        }
        for (int g = 0; g < p->n_groups && ++levels[g] == p->n_levels; g++) {
            levels[g] = 0;
        }
    }
    free(levels);
    a->status = isfinite(best) ? PARE_SOLVE_OPTIMAL : PARE_SOLVE_INFEASIBLE;
    return PARE_OK;
}
