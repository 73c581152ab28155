/*
 * solve.c: a pure function of a problem. {"problem": ...} -> the answer; with "sweep": {"figure", "limits": [...]}
 * the same problem at a row of limits -> {"answers": [...]}.
 */
#include "search/problem.h"

#include "work/work.h"

static enum pare_status one(const struct pare_problem *p, json_t **answer, struct pare_error *err)
{
    struct pare_answer a;
    enum pare_status status = pare_solve_glpk(p, &a, err);
    if (status == PARE_OK) {
        *answer = pare_answer_to_json(p, &a);
    }
    pare_answer_clear(&a);
    return status;
}

enum pare_status pare_work_solve(struct pare_worker *w, const json_t *params, json_t **result,
                                 struct pare_error *err)
{
    const json_t *sweep = json_object_get(params, "sweep"), *limits = json_object_get(sweep, "limits");
    int64_t figure = pare_json_get_int(sweep, "figure", -1);
    struct pare_problem *p = NULL;
    enum pare_status status = pare_problem_from_json(json_object_get(params, "problem"), &p, err);
    if (status != PARE_OK) {
        return status;
    }
    if (figure < 0 || figure >= PARE_COST_COUNT) {
        status = one(p, result, err);
    } else {
        json_t *answers = json_array();
        for (size_t i = 0; status == PARE_OK && i < json_array_size(limits); i++) {
            json_t *answer = NULL;
            p->limit[figure] = pare_json_at_real(limits, i);
            status = one(p, &answer, err);
            json_array_append_new(answers, answer);
            pare_worker_progress(w, (double)i + 1, (double)json_array_size(limits));
        }
        *result = json_pack("{s:o}", "answers", answers);
    }
    pare_problem_free(p);
    return status;
}
