/* flow_front.c: solvers at a row of budgets; and policies written in Lua, whose answers are runs like any other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/flow.h"

#define FRONT_STEPS 16

static json_t *sweep_limits(const struct pare_front *f)
{
    json_t *limits = json_array();
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    if (levels != NULL) {
        front_uniform(f, f->int8_level, levels);
        double low = front_loss_sum(f, levels) / 4;
        front_uniform(f, f->n_levels - 1, levels);
        double high = front_loss_sum(f, levels);
        low = low > 1e-9 ? low : 1e-9;
        for (int i = 0; i < FRONT_STEPS; i++) {
            json_array_append_new(limits, pare_json_real(low * pow(high / low, (double)i / (FRONT_STEPS - 1))));
        }
    }
    free(levels);
    return limits;
}

static bool measure_answers(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, bool *failed)
{
    const json_t *answers = json_object_get(flow->answer, "answers");
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    bool all = levels != NULL, bare = pare_json_get_bool(f->description, "bare", false);
    for (size_t i = 0; levels != NULL && i < json_array_size(answers) && !*failed; i++) {
        const json_t *answer = json_array_get(answers, i);
        struct front_eval eval;
        if (json_object_get(answer, "config") == NULL) {
            continue;
        }
        front_answer_levels(f, answer, b->per_model, levels);
        json_t *facts = json_object();
        int point = front_add_point(f, flow->run, levels, facts, &flow->err);
        json_decref(facts);
        if (point < 0 || bare) {
            continue;
        }
        json_t *config = json_incref(f->points[point].config);
        int before = f->points[point].search.samples;
        bool have = front_ensure_eval(f, config, "search", 0, 45, "accuracy of a point of the front", &eval, failed, &flow->err);
        json_decref(config);
        if (eval.samples > before) {
            front_load_point(f, &f->points[point]);
        }
        all = all && have;
    }
    free(levels);
    return all && !*failed;
}

void flow_advance_front(struct pare_front *f, struct front_flow *flow)
{
    struct front_budget b = flow_budget(f, flow->args);
    bool failed = false;
    b.max_drop = NAN;
    b.minimize = b.minimize == PARE_COST_LOSS ? PARE_COST_LATENCY : b.minimize;
    if (flow->task == 0) {
        if (!flow_costs_ready(f, flow, &b)) {
            return;
        }
        flow_make_run(f, flow, &b, "front", NULL);
        if (flow->run < 0) {
            flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
            return;
        }
        json_t *sweep = json_pack("{s:i, s:o}", "figure", (int)PARE_COST_LOSS, "limits", sweep_limits(f));
        if (!flow_start_solver(f, flow, &b, sweep)) {
            return;
        }
    }
    if (!flow_solver_done(f, flow)) {
        return;
    }
    flow->later_samples[1] = 0;
    if (measure_answers(f, flow, &b, &failed)) {
        json_t *points = json_array();
        front_fit(f);
        for (int i = 0; i < f->n_points; i++) {
            const struct front_point *p = &f->points[i];
            if (p->run == flow->run) {
                json_array_append_new(points, json_pack("{s:i, s:O, s:o, s:o, s:o, s:o, s:o, s:o}", "point", p->number, "config",
                                                        p->config, "drop", pare_json_real(p->search.figures.drop),
                                                        "drop_predicted", pare_json_real(p->drop_predicted),
                                                        "latency_predicted_ms", pare_json_real(p->latency_predicted),
                                                        "bytes", pare_json_real(front_bytes(f, p->levels)), "bitops",
                                                        pare_json_real(front_bitops(f, p->levels)), "energy_predicted_uj",
                                                        pare_json_real(front_energy(f, p->levels))));
            }
        }
        flow_end(f, flow, PARE_OK, json_pack("{s:i, s:s, s:o}", "schema", 1, "run", f->runs[flow->run].name, "points", points));
    } else {
        (void)flow_ends_badly(f, flow, failed);
    }
}

/* ---- policies written in Lua ---- */

void flow_advance_problem(struct pare_front *f, struct front_flow *flow)
{
    struct front_budget b = flow_budget(f, flow->args);
    struct pare_problem *p = NULL;
    if (!flow_costs_ready(f, flow, &b)) {
        return;
    }
    enum pare_status status = front_problem(f, &b, &p, &flow->err);
    if (status == PARE_OK) {
        status = pare_problem_check(p, &flow->err);
    }
    flow_end(f, flow, status, status == PARE_OK ? pare_problem_to_json(p) : NULL);
    pare_problem_free(p);
}

void flow_advance_propose(struct pare_front *f, struct front_flow *flow)
{
    const char *method = pare_json_get_string(flow->args, "method", "policy");
    struct front_budget b = flow_budget(f, flow->args);
    bool failed = false;
    struct front_eval eval;
    if (!flow_config(f, flow)) {
        return;
    }
    if (flow->run < 0) {
        flow_make_run(f, flow, &b, method, NULL);
        flow->answer = json_pack("{s:s, s:s}", "status", "proposed", "method", method);
    }
    if (flow->run < 0) {
        flow_end(f, flow, flow->err.code, NULL);
        return;
    }
    json_t *facts = json_object();
    int point = front_add_point(f, flow->run, flow->levels, facts, &flow->err);
    json_decref(facts);
    if (point < 0) {
        flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
        return;
    }
    flow->best = point;
    bool bare = pare_json_get_bool(f->description, "bare", false), have = true;
    if (have && pare_json_get_bool(flow->args, "measure", true)) {
        json_t *config = json_incref(f->points[point].config);
        double latency[6], fp32_ms;
        have = bare || front_ensure_eval(f, config, "search", 0, 80, "accuracy of a proposal", &eval, &failed, &flow->err);
        have = front_ensure_latency(f, config, 75, latency, &fp32_ms, &failed, &flow->err) && have;
        json_decref(config);
    }
    if (flow_ends_badly(f, flow, failed) || !have) {
        return;
    }
    front_load_point(f, &f->points[point]);
    flow->evaluations = 1;
    front_fit(f);
    flow_end_solve(f, flow);
}
