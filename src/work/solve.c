/*
 * solve.c: a pure function of a problem. {"problem": ..., "method": "exact" | "ilp"} -> the answer; with "sweep":
 * {"figure", "limits": [...]} the same problem at a row of limits -> {"answers": [...]}. Without a method: exact, and
 * what exact is not made for (several budgets, many borders open at once) goes to ilp, as do extra rows in any case. An answer
 * by itself says what each row costs.
 */
#include <stdlib.h>
#include <string.h>

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
    const bool rows = p->n_rows > 0 && strcmp(method, "exact") == 0;
    const bool any = method[0] == '\0' || rows;
    enum pare_status status = PARE_ERR_USAGE;
    if (p->n_rows == 0 && (any || strcmp(method, "exact") == 0)) {
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
        if (p->n_rows > 0 && strcmp(method, "ilp") == 0 && any) {
            json_object_set_new(*answer, "note", json_string("exact hands programs with rows to ilp"));
        }
    }
    pare_answer_clear(&a);
    return status;
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
        *result = json_pack("{s:o}", "answers", answers);
    }
    pare_problem_free(p);
    return status;
}
