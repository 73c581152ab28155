/*
 * flow.h: inside command/: a verb in progress.
 */
#ifndef PARE_COMMAND_FLOW_H
#define PARE_COMMAND_FLOW_H

#include "command/front.h"

enum flow_verb { FLOW_DESCRIBE, FLOW_SENSE, FLOW_BENCH, FLOW_EVAL, FLOW_SOLVE, FLOW_FRONT, FLOW_MEASURE, FLOW_TEST, FLOW_PROBLEM, FLOW_PROPOSE, FLOW_COMPARE, FLOW_EXPLAIN, FLOW_VERB_COUNT };

struct front_flow {
    uint64_t id;
    enum flow_verb verb;
    json_t *args, *result;
    bool ended, priced;
    enum pare_status status;
    struct pare_error err;
    unsigned char *levels;    /* the config that this verb is about */
    /* solve */
    int run, round, best;     /* index of the run; rounds of solving; point chosen so far */
    int rows;                 /* in the session when the verb began */
    uint64_t since;           /* the newest job when the verb began: older failures do not count */
    uint64_t task;            /* the solve job under way */
    json_t *answer;           /* its answer */
    json_t *step;             /* the newest step of a solver that asks */
    json_t *script;           /* of a solver in a file: {"path", "hash"} */
    json_t *script_text;      /* and its text, when it is Lua */
    json_t *rounds;           /* --verify: what came of them */
    bool verified;            /* they are over */
    json_t *answers;          /* those of its answers that hold the rows */
    size_t answer_at;         /* which of them is measured now */
    double max_loss, max_latency; /* tightened after a measurement over budget; NaN = not */
    json_t *tried;            /* every measured answer: what was predicted, what was measured, was it within */
    double solve_seconds;
    double later_samples[2], later_timings; /* not queued yet: of the fit's configs, of the answer */
    int evaluations;
    struct front_flow *next;
};

void flow_end(struct pare_front *f, struct front_flow *flow, enum pare_status status, json_t *result_take);
const char *front_verb_name(enum flow_verb verb);
bool flow_config(struct pare_front *f, struct front_flow *flow);
/* The same into flow->levels, without ending the flow when it cannot be found. */
bool flow_levels(struct pare_front *f, struct front_flow *flow, struct pare_error *err);
/* price.c: what a verb would measure: seconds, and in words into text (may be NULL). Fills flow->later_*. */
double front_price_flow(struct pare_front *f, struct front_flow *flow, char *text, size_t size);

/* flow_solve.c: one budget */
void flow_advance_solve(struct pare_front *f, struct front_flow *flow);
/* The budget of a solve from its args, else from the front's choices. */
struct front_budget flow_budget(const struct pare_front *f, const json_t *args);
/* Ends the flow when `failed`; returns it. */
bool flow_ends_badly(struct pare_front *f, struct front_flow *flow, bool failed);
/* What costs need: sensitivity, profile, the configs behind the fit. false until it is there, or when the flow ended. */
bool flow_costs_ready(struct pare_front *f, struct front_flow *flow, const struct front_budget *b);
/* A run of this method, named after it and its budget; `more` (may be NULL) is added to its settings; flow->run, -1 when the session cannot be written. */
void flow_make_run(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, const char *method,
                   json_t *more);
bool flow_start_solver(struct pare_front *f, struct front_flow *flow, struct front_budget *b, json_t *sweep_take);
/* The run's own facts, for the list of runs and later sessions; a run without them goes on when it is asked for again. */
void flow_keep_status(struct pare_front *f, struct front_flow *flow, const char *status);
/* false while the solver works, or after it failed. */
bool flow_solver_done(struct pare_front *f, struct front_flow *flow);
void flow_end_solve(struct pare_front *f, struct front_flow *flow);
/* Accuracy and latency of the answer; false until they are there, or when the flow has ended. */
bool flow_measure_answer(struct pare_front *f, struct front_flow *flow, int point);
/* Ends with what was measured and is over the budget: `status` and words that say by how much. */
void flow_end_over(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, enum pare_status status);

/* flow_steps.c: with a solver that asks */
bool flow_is_stepped(const struct front_flow *flow);
/* Whether it measures, and then about how many configurations on how many samples it will ask for. */
bool flow_steps_ask(const struct pare_front *f, const struct front_flow *flow, int *configs, int *samples);
void flow_advance_steps(struct pare_front *f, struct front_flow *flow);

/* flow_verify.c: --verify K, and how well each proxy ranks the drops that were measured:
 * [{"proxy", "what", "spearman", "points", "fitted", "latency"}], best first */
void flow_advance_verify(struct pare_front *f, struct front_flow *flow);
json_t *flow_proxies_json(struct pare_front *f);

/* flow_compare.c */
void flow_advance_compare(struct pare_front *f, struct front_flow *flow);

/* flow_accept.c: is a measured answer within its budgets? */
/* Takes the measured point into flow->tried and flow->best; true when it is over budget and a tighter problem is worth
 * another round: flow->max_loss and flow->max_latency then exclude it. */
bool flow_try_again(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, int point);
/* How far a measured point is over its budgets: the largest figure / budget of all five; <= 1 is within, 0 when there is
 * none. */
double flow_over(const struct pare_front *f, const struct front_budget *b, const struct front_point *p);
/* Budgets of bytes, BitOps, energy or latency under the least that any configuration has, which no search would find:
 * ERR_INFEASIBLE with the words of flow_say_infeasible. */
enum pare_status flow_check_budgets(struct pare_front *f, struct front_flow *flow, const struct front_budget *b,
                                    const struct pare_problem *p);
/* What the answer gained, in words: against the best point of earlier runs that holds the same budgets and pins when
 * measured. "" when there is none. */
void flow_say_gain(const struct pare_front *f, const struct front_flow *flow, char *text, size_t size);
/* Fills flow->err: what was asked and cannot be had, predicted or measured, and by how much. */
void flow_say_infeasible(struct pare_front *f, struct front_flow *flow, const struct front_budget *b);
void flow_say_over(struct pare_front *f, struct front_flow *flow, const struct front_budget *b, enum pare_status status);

/* flow_front.c: a row of budgets at once; and policies written in Lua: the problem with its costs, and an answer of
 * theirs, taken as a run and measured */
void flow_advance_front(struct pare_front *f, struct front_flow *flow);
void flow_advance_problem(struct pare_front *f, struct front_flow *flow);
void flow_advance_propose(struct pare_front *f, struct front_flow *flow);

/* flow_json.c: results as --json prints them */
/* "kept" and "kept_by" of a row: the levels that the layer may take and who says so; null where it may take this one.
 * level -1: of any level, by pins and --keep alone. */
void flow_add_kept(const struct pare_front *f, int layer, int level, json_t *item);
json_t *flow_sense_json(struct pare_front *f);
/* whole, watch: the rows of measure/latency.h (behind fp32) and measure/in_place.h of this config. Noise has no figures. */
/* A layer that takes longer at its level than at the next wider one: {name, level, than, times, why}; NULL: it does not, or
 * nobody measured. New reference. */
json_t *flow_slower_json(const struct pare_front *f, int layer, int level);
json_t *flow_bench_json(const struct pare_front *f, const unsigned char *levels, const json_t *whole, const json_t *watch);
json_t *flow_eval_json(const struct pare_front *f, const unsigned char *levels, const char *split,
                       const struct front_eval *eval);
json_t *flow_solve_json(const struct pare_front *f, const struct front_flow *flow);

/* flow_explain.c: {"layer": glob or name, "level"}: why a layer loses what it loses. */
void flow_advance_explain(struct pare_front *f, struct front_flow *flow);

#endif
