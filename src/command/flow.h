/*
 * flow.h: inside command/: a verb in progress.
 */
#ifndef PARE_COMMAND_FLOW_H
#define PARE_COMMAND_FLOW_H

#include "command/front.h"

enum flow_verb { FLOW_DESCRIBE, FLOW_SENSE, FLOW_BENCH, FLOW_EVAL, FLOW_SOLVE, FLOW_FRONT, FLOW_MEASURE, FLOW_TEST, FLOW_PROBLEM, FLOW_PROPOSE, FLOW_VERB_COUNT };

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
    double max_loss;          /* tightened after a measured drop over budget */
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

/* flow_solve.c */
void flow_advance_solve(struct pare_front *f, struct front_flow *flow);
void flow_advance_front(struct pare_front *f, struct front_flow *flow);
/* The problem with its costs, for policies in Lua; and an answer of theirs, taken as a run and measured. */
void flow_advance_problem(struct pare_front *f, struct front_flow *flow);
void flow_advance_propose(struct pare_front *f, struct front_flow *flow);
/* The budget of a solve from its args, else from the front's choices. */
struct front_budget flow_budget(const struct pare_front *f, const json_t *args);

/* flow_json.c: results as --json prints them */
json_t *flow_sense_json(struct pare_front *f);
json_t *flow_bench_json(const struct pare_front *f, const unsigned char *levels, const double latency[6], double fp32_ms);
json_t *flow_eval_json(const struct pare_front *f, const unsigned char *levels, const char *split,
                       const struct front_eval *eval);
json_t *flow_solve_json(const struct pare_front *f, const struct front_flow *flow);

#endif
