/*
 * solver.h: solvers as pure steps (ask and tell). A step gets the problem, its settings, the state that the step
 * before left (none at first) and what was found out about the configurations that it asked for; it gives a new state
 * and either more questions or its answers. The same inputs give the same outputs, so a solver that was killed goes
 * on from its last state.
 *
 *   settings {"seed": n, "quality_limit": x, ...}: each solver's own besides; see its file
 *   ask      [{"levels": [l, ...], "samples": n}]: level of every group; samples 0 = all
 *   told     [x, ...]: the quality of each configuration asked for, smaller is better, null = it failed. Measured: the
 *            drop; predicted: the summed loss. quality_limit has the same unit (null = no limit).
 *   answers  [[l, ...], ...]: best first
 *   curve    [{"levels", "quality", ...}]: what it saw on the way and can stand beside the answer
 */
#ifndef PARE_SOLVER_H
#define PARE_SOLVER_H

#include "search/problem.h"

struct pare_child;

struct pare_step {
    const struct pare_problem *p;
    const json_t *settings, *state, *told; /* state and told NULL at first */
    json_t *new_state, *ask, *answers, *curve; /* made by the step; NULL = none */
    bool done;
    void *user; /* the solver's */
};

struct pare_solver {
    const char *name, *doc;
    bool asks; /* false: one step, from the problem alone */
    enum pare_status (*step)(struct pare_step *s, struct pare_error *err);
    void *user; /* given to its steps */
    const char *settings; /* that it knows, "name:kind ...": count (whole, 1 or more), share (0 to 1), number, numbers (one, or a
                           * list), yes (true or false), level, figure (bytes or latency), table */
};
/* A solver in a file (lua:NAME, plugin:NAME): the user of its steps. */
struct pare_solver_file {
    const char *path, *hash; /* hash: pare_hash_bytes of the file when the run began */
    const char *text;        /* of a Lua file, as it was then */
    bool measured;           /* what is told was measured */
    double stop_at;          /* CLOCK_MONOTONIC, seconds: when a plugin should come to its end */
    struct pare_child *child; /* a plugin's process (base/contain.h), which is told its steps and log; NULL = none */
    const void *loaded;      /* the plugin, once it is there */
};
/* exhaustive, paper, hawq, greedy, bisect, nsga2, random (exact and ilp: problem.h). NULL: no such solver. */
const struct pare_solver *pare_solver_find(const char *name);
const struct pare_solver *pare_solver_at(int i); /* NULL behind the last */

/* Settings as a person gave them: unknown names and values out of range are ERR_USAGE that names them. */
enum pare_status pare_solver_check_settings(const struct pare_solver *solver, const json_t *settings, struct pare_error *err);

void pare_step_clear(struct pare_step *s);

/* Runs a solver to its end on predicted quality: told = the summed loss. settings gets quality_limit from the
 * problem's own limit. The step holds the answers; at most max_asked questions are answered (then ERR_PARTIAL, with
 * the last state's answers if it had any). */
enum pare_status pare_solver_predict(const struct pare_solver *solver, const struct pare_problem *p, json_t *settings,
                                     int max_asked, struct pare_step *last, int *asked, struct pare_error *err);

/* ---- for solvers ---- */

json_t *pare_levels_json(const struct pare_problem *p, const int *levels);
/* levels: [n_groups]; false when the JSON is not such a list of allowed levels. */
bool pare_levels_read(const struct pare_problem *p, const json_t *json, int *levels);
/* Asks for one configuration; false when memory is out. */
bool pare_step_ask(struct pare_step *s, const int *levels, int samples);
/* What was told of question i; infinite when it failed. */
double pare_step_told(const struct pare_step *s, size_t i);

/* A configuration's worth: what it costs, and by how much it is over its limits and outside its rows (relative, summed). */
struct pare_worth {
    double objective, over;
};
/* quality: told; the other figures are the problem's own sums. limit: quality_limit, NaN = none. */
struct pare_worth pare_worth_of(const struct pare_problem *p, const int *levels, double quality, double quality_limit);
/* Is a better than b? Within limits beats over them; then less over; then the lower objective. */
bool pare_worth_less(struct pare_worth a, struct pare_worth b);

/* xorshift64*: the state is kept in 16 hex digits. */
struct pare_rng {
    uint64_t state;
};
void pare_rng_seed(struct pare_rng *r, uint64_t seed);
uint32_t pare_rng_below(struct pare_rng *r, uint32_t n); /* 0..n-1 */
double pare_rng_unit(struct pare_rng *r);                /* [0, 1) */
json_t *pare_rng_json(const struct pare_rng *r);
void pare_rng_read(struct pare_rng *r, const json_t *json);

/* Changes one group after the other, each time what brings the rows nearest to holding (one of equals by chance); true when
 * all hold. Without rows nothing is done and nothing drawn. */
bool pare_levels_repair(const struct pare_problem *p, struct pare_rng *rng, int *levels);

enum pare_status pare_step_exhaustive(struct pare_step *s, struct pare_error *err);
enum pare_status pare_step_paper(struct pare_step *s, struct pare_error *err);
enum pare_status pare_step_hawq(struct pare_step *s, struct pare_error *err);
enum pare_status pare_step_greedy(struct pare_step *s, struct pare_error *err);
enum pare_status pare_step_bisect(struct pare_step *s, struct pare_error *err);
enum pare_status pare_step_nsga2(struct pare_step *s, struct pare_error *err);
enum pare_status pare_step_random(struct pare_step *s, struct pare_error *err);

#endif
