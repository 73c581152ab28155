/*
 * step.c: one step of a solver that asks. A pure function of {"method", "problem", "settings", "state", "told"} ->
 * {"done", "ask", "answers", "curve", "state"}; with "predict": true it runs to the end on the summed loss, and says
 * how many configurations it "asked" for.
 */
#include "search/solver.h"

#include "work/work.h"

static json_t *or_null(json_t *json)
{
    return json != NULL ? json_incref(json) : json_null();
}

enum pare_status pare_work_step(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    const char *method = pare_json_get_string(params, "method", "");
    const struct pare_solver *solver = pare_solver_find(method);
    struct pare_problem *p = NULL;
    struct pare_step s = {0};
    int asked = 0;
    (void)w;
    if (solver == NULL) {
        return pare_error(err, PARE_ERR_USAGE, method, "no such solver");
    }
    enum pare_status status = pare_problem_from_json(json_object_get(params, "problem"), &p, err);
    if (status == PARE_OK && pare_json_get_bool(params, "predict", false)) {
        json_t *settings = json_deep_copy(json_object_get(params, "settings"));
        settings = settings != NULL ? settings : json_object();
        status = pare_solver_predict(solver, p, settings, 10000000, &s, &asked, err);
        json_decref(settings);
    } else if (status == PARE_OK) {
        const json_t *state = json_object_get(params, "state");
        s.p = p;
        s.settings = json_object_get(params, "settings");
        s.state = json_is_object(state) ? state : NULL;
        s.told = json_object_get(params, "told");
        status = solver->step(&s, err);
    }
    if (status == PARE_OK) {
        *result = json_pack("{s:b, s:o, s:o, s:o, s:o, s:i}", "done", (int)s.done, "ask", or_null(s.ask), "answers",
                            or_null(s.answers), "curve", or_null(s.curve), "state", or_null(s.new_state), "asked", asked);
        status = *result != NULL ? PARE_OK : pare_error_nomem(err);
    }
    pare_step_clear(&s);
    pare_problem_free(p);
    return status;
}
