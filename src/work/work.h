/*
 * work.h: what a worker does when asked, one file per kind of job.
 *
 * Every job's params carry "pipeline" (path), "models" (folder or null) and, except describe, "content" (the hash
 * that describe gave): the worker keeps the opened pipeline while these stay the same. Rows that a job needs are
 * named in its params ("calibration").
 */
#ifndef PARE_WORK_H
#define PARE_WORK_H

#include "job/worker.h"
#include "measure/engine.h"
#include "search/solver.h"

/* The table of kinds: describe, calibrate, sense, explain, accuracy, metric, profile, latency, perturb, solve, script (if a runner is
 * set). */
extern const struct pare_worker_kind pare_work_kinds[];
extern const int pare_work_kind_count;

/* Scripts are Lua and so are run by lua/; set once by main.c. */
void pare_work_set_script(pare_worker_run run);

/* Solvers written in Lua (method "lua:..."): one step, a struct pare_solver_file in step->user. Set once by main.c. */
void pare_work_set_lua_step(enum pare_status (*step)(struct pare_step *s, struct pare_error *err));

/* ---- for the files of this room ---- */

/* The reference outcome of a sample, kept between jobs: what losses compare, and what metrics score. */
struct pare_work_reference {
    bool known;
    struct pare_outcome outcome; /* scores point into own memory; no answer */
    float *scores;
    json_t *item, *extra;        /* pare_work_items */
};
/* What the pipeline's metric (NULL for top1, whose rows are letters) and the metrics beside it (NULL = none; an object
 * by their names) keep of a sample. New references. */
enum pare_status pare_work_items(const struct pare_pipeline *p, const struct pare_sample *sample,
                                 const struct pare_outcome *outcome, json_t **item, json_t **extra,
                                 struct pare_error *err);

/* The engine of this job's pipeline, opened or taken from the worker's cache, calibrated if params name a row. */
enum pare_status pare_work_engine(struct pare_worker *w, const json_t *params, struct pare_engine **e,
                                  struct pare_error *err);
enum pare_status pare_work_split(const json_t *params, enum pare_split *split, struct pare_error *err);
/* fp32 outcome of a loaded sample, from the cache or run now. */
enum pare_status pare_work_reference(struct pare_worker *w, enum pare_split split, const struct pare_sample *sample,
                                     const struct pare_work_reference **reference, struct pare_error *err);
void pare_work_progress(void *worker, int done, int total);

enum pare_status pare_work_describe(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_calibrate(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_sense(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_explain(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_accuracy(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_metric(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_profile(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_stopwatch(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_latency(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_step(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_perturb(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);
enum pare_status pare_work_solve(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);

#endif
