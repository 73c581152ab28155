/*
 * solve.c: a pure function of a problem. {"problem": ..., "method": "exact" | "ilp"} -> the answer; with "sweep":
 * {"figure", "limits": [...]} the same problem at a row of limits -> {"answers": [...]}; with "different": k in it those
 * that differ, and when they are fewer than k the next best at the first limit besides. Without a method: exact, and
 * what exact is not made for (several budgets, many borders open at once, extra rows) goes to ilp, and the answer
 * notes it when exact was asked for. An answer by itself says what each row costs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "search/problem.h"
#include "work/work.h"

static enum pare_status add_gains(const struct pare_problem *p, struct pare_answer *a, struct pare_error *err)
{
    a->row_gain = calloc(PARE_MAX_ROWS, sizeof *a->row_gain);
    return a->row_gain != NULL ? pare_rows_gain(p, a, a->row_gain, err) : pare_error_nomem(err);
}

static enum pare_status one(const struct pare_problem *p, const char *method, bool with_gains, json_t **answer, struct pare_error *err)
{
    struct pare_answer a = {0};
    const bool exact = strcmp(method, "exact") == 0;
    const bool any = method[0] == '\0' || exact;
    int budgets = 0;
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        budgets += isfinite(p->limit[c]);
    }
    enum pare_status status = PARE_ERR_USAGE;
    if (p->n_rows == 0 && any) {
        status = pare_solve_exact(p, &a, err);
        method = "exact";
    }
    if (status == PARE_ERR_USAGE && (any || strcmp(method, "ilp") == 0)) {
        status = pare_solve_glpk(p, &a, err);
        method = "ilp";
    }
    if (status == PARE_OK && with_gains && p->n_rows > 0 && a.status == PARE_SOLVE_OPTIMAL) {
        status = add_gains(p, &a, err);
    }
    if (status == PARE_OK) {
        *answer = pare_answer_to_json(p, &a);
        json_object_set_new(*answer, "method", json_string(method));
        if ((p->n_rows > 0 || exact) && strcmp(method, "ilp") == 0 && any) {
            json_object_set_new(*answer, "note", json_string(p->n_rows > 0  ? "exact hands programs with rows to ilp"
                                                             : budgets > 1 ? "exact hands several budgets to ilp"
                                                                           : "exact hands this program to ilp"));
        }
    }
    pare_answer_clear(&a);
    return status;
}

/* ---- the next best ---- */

#define FILL_SECONDS 2.0

/* A part of all configurations: `allowed` says which; its best answer, NULL = none (or taken). */
struct part {
    bool *allowed;
    json_t *answer;
    double objective;
};

struct parts {
    struct part *at;
    size_t n, cap;
};

static bool is_among(const json_t *answers, const json_t *answer)
{
    const json_t *config = json_object_get(answer, "config");
    for (size_t i = 0; i < json_array_size(answers); i++) {
        if (json_equal(json_object_get(json_array_get(answers, i), "config"), config)) {
            return true;
        }
    }
    return config == NULL;
}

/* Solves the part whose levels p has now, and adds it; PARTIAL and infeasible parts are left out. */
static enum pare_status add_part(struct parts *parts, struct pare_problem *p, const char *method, struct pare_error *err)
{
    const size_t cells = (size_t)p->n_groups * (size_t)p->n_levels;
    struct pare_error own = {0};
    json_t *answer = NULL;
    enum pare_status status = one(p, method, false, &answer, &own);
    if (status != PARE_OK || json_object_get(answer, "config") == NULL) {
        json_decref(answer);
        return status == PARE_ERR_NOMEM ? pare_error_nomem(err) : PARE_OK;
    }
    if (parts->n == parts->cap) {
        struct part *more = realloc(parts->at, 2 * (parts->cap + 16) * sizeof *more);
        if (more == NULL) {
            json_decref(answer);
            return pare_error_nomem(err);
        }
        parts->at = more;
        parts->cap = 2 * (parts->cap + 16);
    }
    struct part *part = &parts->at[parts->n];
    *part = (struct part){malloc(cells * sizeof *part->allowed), answer,
                          pare_json_at_real(json_object_get(answer, "total"), (size_t)p->objective)};
    if (part->allowed == NULL) {
        json_decref(answer);
        return pare_error_nomem(err);
    }
    memcpy(part->allowed, p->allowed, cells * sizeof *part->allowed);
    parts->n++;
    return PARE_OK;
}

/* The level of group g in an answer; -1 = not there. */
static int level_in(const struct pare_problem *p, const json_t *answer, int g)
{
    const char *name = json_string_value(json_object_get(json_object_get(answer, "config"), p->group_names[g]));
    for (int l = 0; name != NULL && l < p->n_levels; l++) {
        if (strcmp(p->level_names[l], name) == 0) {
            return l;
        }
    }
    return -1;
}

/* A part without its best answer falls into one part for each group: the groups before as in the answer, this one not. */
static enum pare_status split(struct parts *parts, size_t which, struct pare_problem *p, const char *method, double deadline,
                              struct pare_error *err)
{
    const int levels = p->n_levels;
    bool *allowed = parts->at[which].allowed;
    json_t *answer = parts->at[which].answer;
    enum pare_status status = PARE_OK;
    parts->at[which].answer = NULL;
    for (int g = 0; g < p->n_groups && status == PARE_OK && pare_seconds() < deadline; g++) {
        const int level = level_in(p, answer, g);
        int left = 0;
        memcpy(p->allowed, allowed, (size_t)p->n_groups * (size_t)levels * sizeof *allowed);
        p->allowed[g * levels + level] = false;
        for (int l = 0; l < levels; l++) {
            left += p->allowed[g * levels + l];
        }
        status = left > 0 ? add_part(parts, p, method, err) : PARE_OK;
        for (int l = 0; l < levels; l++) { /* for the groups behind */
            allowed[g * levels + l] = l == level;
        }
    }
    json_decref(answer);
    return status;
}

/* The best answers of all, one after the other (Lawler, "A procedure for computing the K best solutions", 1972), until there
 * are k that differ, or no more, or FILL_SECONDS have passed. p->allowed is changed. */
static enum pare_status fill(struct pare_problem *p, const char *method, size_t k, json_t *answers, struct pare_error *err)
{
    const double deadline = pare_seconds() + FILL_SECONDS;
    struct parts parts = {0};
    enum pare_status status = add_part(&parts, p, method, err);
    while (status == PARE_OK && json_array_size(answers) < k && pare_seconds() < deadline) {
        size_t best = parts.n;
        for (size_t i = 0; i < parts.n; i++) {
            if (parts.at[i].answer != NULL && (best == parts.n || parts.at[i].objective < parts.at[best].objective)) {
                best = i;
            }
        }
        if (best == parts.n) {
            break;
        }
        if (!is_among(answers, parts.at[best].answer)) {
            json_array_append(answers, parts.at[best].answer);
        }
        status = json_array_size(answers) < k ? split(&parts, best, p, method, deadline, err) : PARE_OK;
    }
    for (size_t i = 0; i < parts.n; i++) {
        free(parts.at[i].allowed);
        json_decref(parts.at[i].answer);
    }
    free(parts.at);
    return status;
}

/* Of equal answers the first. */
static json_t *different(const json_t *answers)
{
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(answers); i++) {
        json_t *answer = json_array_get(answers, i);
        if (i == 0 || !is_among(list, answer)) {
            json_array_append(list, answer);
        }
    }
    return list;
}

enum pare_status pare_work_solve(struct pare_worker *w, const json_t *params, json_t **result,
                                 struct pare_error *err)
{
    const json_t *sweep = json_object_get(params, "sweep"), *limits = json_object_get(sweep, "limits");
    const char *method = pare_json_get_string(params, "method", "");
    int64_t figure = pare_json_get_int(sweep, "figure", -1);
    struct pare_problem *p = NULL;
    enum pare_status status = pare_problem_from_json(json_object_get(params, "problem"), &p, err);
    if (status != PARE_OK) {
        return status;
    }
    if (figure < 0 || figure >= PARE_COST_COUNT) {
        status = one(p, method, true, result, err);
    } else {
        json_t *answers = json_array();
        for (size_t i = 0; status == PARE_OK && i < json_array_size(limits); i++) {
            json_t *answer = NULL;
            p->limit[figure] = pare_json_at_real(limits, i);
            status = one(p, method, false, &answer, err);
            json_array_append_new(answers, answer);
            pare_worker_progress(w, (double)i + 1, (double)json_array_size(limits));
        }
        const int64_t wanted = pare_json_get_int(sweep, "different", 0);
        if (status == PARE_OK && wanted > 0) {
            json_t *all = answers;
            answers = different(all);
            json_decref(all);
            p->limit[figure] = pare_json_at_real(limits, 0);
            status = (int64_t)json_array_size(answers) < wanted ? fill(p, method, (size_t)wanted, answers, err) : PARE_OK;
        }
        *result = json_pack("{s:o}", "answers", answers);
    }
    pare_problem_free(p);
    return status;
}
