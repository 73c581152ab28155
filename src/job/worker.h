/*
 * worker.h: the worker's side of a job. `pare worker` runs one job after the other, each a pure function
 * of its parameters and of the rows it needs. Blocking, one compute thread, and a thread that only beats.
 */
#ifndef PARE_WORKER_H
#define PARE_WORKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct pare_worker;

/* Runs one job: *result is a new JSON object. Called again and again in one process: keep what is
 * costly to make (open models, plans) in pare_worker_set_cache. */
typedef enum pare_status (*pare_worker_run)(struct pare_worker *w, const json_t *params, json_t **result,
                                            struct pare_error *err);
struct pare_worker_kind {
    const char *kind;
    pare_worker_run run;
};

/* Serves frames on fd until the front closes it. Returns an exit code. isa is told to the front. */
int pare_worker_serve(int fd, const struct pare_worker_kind *kinds, int n_kinds, const char *isa);

/* A job without a process around it (tests, `PARE_INLINE`): rows are looked up in `rows` {key: value}. */
enum pare_status pare_worker_run_inline(const struct pare_worker_kind *kinds, int n_kinds, const char *kind,
                                        const json_t *params, json_t *rows, json_t **result,
                                        struct pare_error *err);

/* To be called at sample boundaries: tells progress (at most ten frames a second) and stops here while a
 * timing job wants quiet. */
void pare_worker_progress(struct pare_worker *w, double done, double total);

/* A row that the job needs, by its key; NULL when the front did not send it. Borrowed. */
const json_t *pare_worker_row(struct pare_worker *w, const char *key);

/* A script's call to the front; blocks until it is answered. *value is a new reference. */
enum pare_status pare_worker_call(struct pare_worker *w, const char *verb, json_t *args_take, json_t **value,
                                  struct pare_error *err);
void pare_worker_print(struct pare_worker *w, const char *text);

/* One pointer that lives as long as the worker, with its destructor. */
void pare_worker_set_cache(struct pare_worker *w, void *cache, void (*free_cache)(void *));
void *pare_worker_cache(struct pare_worker *w);

#endif
