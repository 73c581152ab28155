/*
 * flow_verify.c: solve with --verify K, the closed loop. That what layers lose adds up is a hypothesis; so the K best
 * answers are measured, the losses are corrected by what the measurements say (additive.c), and the problem is solved
 * again, until the measured answer stops getting better.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/additive.h"
#include "command/flow.h"

#define MAX_ROUNDS 5
#define MOST_ANSWERS 64
#define LEAST_GAIN 1e-3 /* relative: less is no improvement */

/* The corrected problem, with pairs linearised at the best point so far. */
static enum pare_status corrected_problem(struct pare_front *f, struct front_flow *flow, const struct front_budget *b,
                                          const struct additive *v, struct pare_problem **out)
{
    struct front_budget mine = *b;
    mine.max_drop = mine.max_loss = NAN;
    mine.untied = true;
    enum pare_status status = front_problem(f, &mine, out, &flow->err);
    if (status != PARE_OK) {
        return status;
    }
    struct pare_problem *p = *out;
    for (int l = 0; l < f->n_layers; l++) {
        for (int q = 0; q < f->n_levels; q++) {
            p->cost[PARE_COST_LOSS][l * f->n_levels + q] *= v->factor[l];
        }
    }
    for (int k = 0; k < v->n_pairs && flow->best >= 0; k++) {
        const struct additive_pair *pair = &v->pairs[k];
        const unsigned char *at = f->points[flow->best].levels;
        for (int q = 0; q < f->n_levels; q++) {
            const double a = additive_cell_loss(f, pair->a, q), z = additive_cell_loss(f, pair->b, q);
            const double fa = additive_cell_loss(f, pair->a, at[pair->a]), fb = additive_cell_loss(f, pair->b, at[pair->b]);
            double *ca = &p->cost[PARE_COST_LOSS][pair->a * f->n_levels + q], *cb = &p->cost[PARE_COST_LOSS][pair->b * f->n_levels + q];
            *ca += isfinite(a) ? 0.5 * pair->weight * sqrt(fmax(a, 0) * fmax(fb, 0)) : 0;
            *cb += isfinite(z) ? 0.5 * pair->weight * sqrt(fmax(fa, 0) * fmax(z, 0)) : 0;
        }
    }
    status = front_problem_tie(f, &mine, out, &flow->err);
    return status == PARE_OK ? pare_problem_check(*out, &flow->err) : status;
}

/* K limits around the budget: of the loss, or of the first other budget when the drop is what is made small. */
static json_t *limits_of(const struct front_flow *flow, const struct front_budget *b, struct pare_problem *p, double loss, int *figure)
{
    const int k = (int)pare_json_get_int(flow->args, "verify", 4);
    json_t *limits = json_array();
    *figure = PARE_COST_LOSS;
    for (int c = 0; b->minimize == PARE_COST_LOSS && c < PARE_COST_COUNT; c++) {
        *figure = isfinite(p->limit[c]) ? c : *figure;
    }
    const double at = b->minimize == PARE_COST_LOSS ? p->limit[*figure] : loss;
    for (int i = 0; i < k; i++) {
        /* the budget itself, of the loss also one a little over it, then under it */
        const double wider = *figure != PARE_COST_LOSS ? 1 - 0.02 * i : i == 0 ? 1 : pow(1.25, i == 1 ? 1 : 1 - i);
        json_array_append_new(limits, pare_json_real(isfinite(at) ? at * wider : NAN));
        if (!isfinite(at)) {
            break;
        }
    }
    return limits;
}

static bool start_round(struct pare_front *f, struct front_flow *flow, const struct front_budget *b)
{
    struct additive v;
    struct pare_problem *p = NULL;
    int figure;
    bool ok = additive_new(f, &v) && (flow->round == 0 || additive_learn(f, &v));
    enum pare_status status = ok ? corrected_problem(f, flow, b, &v, &p) : pare_error_nomem(&flow->err);
    if (status == PARE_OK) {
        const double loss = isfinite(b->max_drop) ? additive_sum_of_drop(f, &v, b->max_drop) : NAN;
        json_t *limits = limits_of(flow, b, p, loss, &figure);
        const double seconds = pare_json_get_real(flow->args, "time_limit");
        p->time_limit_seconds = seconds > 0 ? seconds : 0;
        json_t *params = json_pack("{s:o, s:s, s:{s:i, s:o, s:i}}", "problem", pare_problem_to_json(p), "method",
                                   pare_json_get_string(flow->args, "method", ""), "sweep", "figure", figure, "limits", limits, "different",
                                   (int)pare_json_get_int(flow->args, "verify", 4));
        json_decref(flow->answer);
        flow->answer = NULL;
        struct pare_task_spec spec = {.kind = "solve", .title = "solve", .key = "", .params_take = params, .interactive = true,
                                      .priority = 100, .tag = &flow->answer};
        flow->task = pare_sched_add(f->sched, &spec);
        status = flow->task != 0 ? PARE_OK : pare_error_nomem(&flow->err);
    }
    pare_problem_free(p);
    additive_clear(&v);
    if (status != PARE_OK) {
        flow_end(f, flow, status, NULL);
    }
    return status == PARE_OK;
}

static double objective_of(const struct pare_front *f, const struct front_budget *b, const struct front_point *p)
{
    switch (b->minimize) {
    case PARE_COST_LOSS: return p->search.figures.drop;
    case PARE_COST_BYTES: return front_bytes(f, p->levels);
    case PARE_COST_BITOPS: return front_bitops(f, p->levels);
    case PARE_COST_ENERGY: return front_energy(f, p->levels);
    default: return front_latency_sum(f, p->levels);
    }
}

static bool holds_drop(const struct front_budget *b, const struct front_point *p)
{
    return !isfinite(b->max_drop) || (b->sure ? p->search.figures.drop_upper : p->search.figures.drop) <= b->max_drop;
}

/* Is point i a better answer than the best so far? */
static bool is_better(const struct pare_front *f, const struct front_budget *b, int i, int best, double gain)
{
    const struct front_point *p = &f->points[i], *q = best >= 0 ? &f->points[best] : NULL;
    if (q == NULL || holds_drop(b, p) != holds_drop(b, q)) {
        return q == NULL || holds_drop(b, p);
    }
    if (!holds_drop(b, p)) {
        return p->search.figures.drop < q->search.figures.drop;
    }
    const double x = objective_of(f, b, p), y = objective_of(f, b, q);
    return x < y - gain * fabs(y);
}

/* Measures the answers of this round; false until all are there. Adds what came of the round to flow->rounds. */
static bool measure_round(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, bool *improved)
{
    const json_t *answers = json_object_get(flow->answer, "answers");
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    bool all = levels != NULL, failed = false;
    json_t *seen = json_array();
    double seconds = 0;
    for (size_t i = 0; levels != NULL && i < json_array_size(answers) && !failed; i++) {
        const json_t *answer = json_array_get(answers, i);
        const double its = pare_json_get_real(answer, "seconds");
        struct front_eval eval;
        seconds += isfinite(its) ? its : 0;
        if (json_object_get(answer, "config") == NULL) {
            continue;
        }
        front_answer_levels(f, answer, false, levels);
        json_t *facts = json_object();
        const int point = front_add_point(f, flow->run, levels, facts, &flow->err);
        json_decref(facts);
        failed = point < 0;
        if (failed) {
            break;
        }
        json_t *config = json_incref(f->points[point].config);
        const bool have = front_ensure_eval(f, config, "search", 0, 80, "accuracy of an answer", &eval, &failed, &flow->err);
        json_decref(config);
        all = all && have;
        if (have) {
            front_load_point(f, &f->points[point]);
            bool again = false; /* several budgets may have one answer */
            for (size_t k = 0; k < json_array_size(seen); k++) {
                again = again || json_integer_value(json_array_get(seen, k)) == point;
            }
            if (!again) {
                json_array_append_new(seen, json_integer(point));
            }
        }
    }
    free(levels);
    if (!all || flow_ends_badly(f, flow, failed)) {
        json_decref(seen);
        return false;
    }
    json_t *lines = json_array();
    size_t i;
    json_t *item;
    json_array_foreach(seen, i, item) {
        const int point = (int)json_integer_value(item);
        const struct front_point *p = &f->points[point];
        json_array_append_new(lines, json_pack("{s:i, s:o, s:o, s:o, s:b}", "point", p->number, "drop_predicted",
                                               pare_json_real(p->drop_predicted), "drop", pare_json_real(p->search.figures.drop),
                                               "objective", pare_json_real(objective_of(f, b, p)), "within", (int)holds_drop(b, p)));
        if (is_better(f, b, point, flow->best, LEAST_GAIN)) {
            flow->best = point;
            *improved = true;
        }
    }
    flow->solve_seconds += seconds;
    flow->evaluations = 0; /* an answer that comes again is measured once */
    for (int k = 0; k < f->n_points; k++) {
        flow->evaluations += f->points[k].run == flow->run;
    }
    json_decref(seen);
    flow->rounds = flow->rounds != NULL ? flow->rounds : json_array();
    json_array_append_new(flow->rounds, json_pack("{s:i, s:o, s:i}", "round", flow->round + 1, "answers", lines, "best",
                                                 flow->best >= 0 ? f->points[flow->best].number : 0));
    return true;
}

void flow_advance_verify(struct pare_front *f, struct front_flow *flow)
{
    struct front_budget b = flow_budget(f, flow->args);
    if (pare_json_get_int(flow->args, "verify", 0) > MOST_ANSWERS) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, "--verify", "expected 1 to %d answers in a round", MOST_ANSWERS), NULL);
        return;
    }
    if (b.per_model || pare_json_get_bool(f->description, "bare", false)) {
        flow_end(f, flow, pare_error(&flow->err, PARE_ERR_USAGE, "--verify", "works on layers, with labelled data"), NULL);
        return;
    }
    if (flow->run < 0) {
        if (!flow_costs_ready(f, flow, &b)) {
            return;
        }
        flow_make_run(f, flow, &b, "verify", NULL);
        if (flow->run < 0) {
            flow_end(f, flow, flow->err.code != PARE_OK ? flow->err.code : PARE_ERR_IO, NULL);
            return;
        }
    }
    while (!flow->verified) {
        bool improved = false;
        if (flow->task == 0 && !start_round(f, flow, &b)) {
            return;
        }
        if (!flow_solver_done(f, flow) || !measure_round(f, flow, &b, &improved)) {
            return;
        }
        front_fit(f);
        flow->task = 0;
        flow->round++;
        const bool within = flow->best >= 0 && holds_drop(&b, &f->points[flow->best]);
        flow->verified = flow->best < 0 || (within && !improved && flow->round > 1) || flow->round >= MAX_ROUNDS;
    }
    if (flow->best < 0) {
        flow_say_infeasible(f, flow, &b);
        flow_end(f, flow, PARE_ERR_INFEASIBLE, flow_solve_json(f, flow));
        return;
    }
    const int evaluations = flow->evaluations;
    if (!flow_measure_answer(f, flow, flow->best)) {
        return;
    }
    flow->evaluations = evaluations;
    json_decref(flow->answer);
    flow->answer = json_pack("{s:s, s:s, s:o}", "status", "verified", "method", "verify", "proxies", flow_proxies_json(f));
    if (flow_over(f, &b, &f->points[flow->best]) > 1) {
        flow_end_over(f, flow, &b, PARE_ERR_PARTIAL);
    } else {
        flow_end_solve(f, flow);
    }
}
