/*
 * sched.h: the queue of jobs and the workers that run them, on one libuv loop. Knows jobs as (kind, params,
 * key, needs), not what they mean. The owner keeps finished rows and hands them out when another job needs them.
 *
 * Roles: N compute workers; one worker for interactive jobs (solves), so that these never queue behind work;
 * one for quiet jobs (timing): while it runs, the compute workers stop at a sample boundary.
 * A worker that dies, hangs (no heartbeat for ten seconds) or shows no progress within the job's limit costs
 * its job one of two attempts; cancel = kill. Workers start when first needed and stay warm.
 */
#ifndef PARE_SCHED_H
#define PARE_SCHED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"

enum pare_task_state { PARE_TASK_QUEUED, PARE_TASK_RUNNING, PARE_TASK_DONE, PARE_TASK_FAILED, PARE_TASK_CANCELLED };

struct pare_task {
    uint64_t id;
    const char *kind, *title, *key;   /* key "" = the result is not kept as a row */
    json_t *params;
    int n_needs;
    char **needs;                     /* row keys */
    bool quiet, interactive;
    int priority;                     /* larger first */
    double limit_seconds;             /* without progress; 0 = 120 */
    enum pare_task_state state;
    double done, total;
    double started, finished;         /* loop seconds */
    int attempts, worker;             /* worker -1 = none */
    int max_attempts;
    struct pare_error error;
    void *tag;                        /* the owner's */
};

struct pare_sched_owner {
    void *self;
    /* A row by key, borrowed; NULL when it is not there (yet): a job waits for its needs. */
    const json_t *(*find_row)(void *self, const char *key);
    /* A job ended well; the owner commits its row before this returns. Not OK = the job has failed. */
    enum pare_status (*finished)(void *self, const struct pare_task *task, const json_t *result,
                                 struct pare_error *err);
    /* A job failed for good or was cancelled. */
    void (*failed)(void *self, const struct pare_task *task);
    /* Something to redraw: progress, a state. */
    void (*changed)(void *self);
    /* A script calls or prints. *value is a new reference. NULL = scripts are not served. The answer may come
     * later: return PARE_ERR_BUSY and call pare_sched_answer when it is known. */
    enum pare_status (*call)(void *self, uint64_t task, const char *verb, const json_t *args, json_t **value,
                             struct pare_error *err);
    void (*print)(void *self, uint64_t task, const char *text);
};

struct pare_sched;

/* Writing to a worker that died must not end the process: SIGPIPE is ignored from here on.
 * exe = path of this executable (spawned as `exe worker`); n_workers >= 1. NULL when memory is out. */
struct pare_sched *pare_sched_new(uv_loop_t *loop, const char *exe, int n_workers,
                                  const struct pare_sched_owner *owner);
/* Kills all workers; run the loop once more afterwards so that handles close, then the memory is freed. */
void pare_sched_stop(struct pare_sched *s);
/* Stopped, and its workers are gone: after one more turn of the loop it may be freed. */
bool pare_sched_closed(const struct pare_sched *s);
void pare_sched_free(struct pare_sched *s);

struct pare_task_spec {
    const char *kind, *title, *key;
    json_t *params_take;
    int n_needs;
    const char *const *needs;
    bool quiet, interactive;
    int priority;
    double limit_seconds;
    double total;                     /* expected units of progress; 0 = 1 */
    int max_attempts;                 /* workers that it may cost; 0 = 2 */
    void *tag;
};
/* Queues a job; 0 when memory is out. A job with the key of one that is queued or running is that one. */
uint64_t pare_sched_add(struct pare_sched *s, const struct pare_task_spec *spec);
/* The id of the newest job; 0 when there was none. Forgets that workers could not be started, so that new jobs try. */
uint64_t pare_sched_last_id(const struct pare_sched *s);
void pare_sched_forgive(struct pare_sched *s);
bool pare_sched_cancel(struct pare_sched *s, uint64_t id);
void pare_sched_cancel_all(struct pare_sched *s);
/* Answers a script's call that was put off. error code 0 = ok. */
void pare_sched_answer(struct pare_sched *s, uint64_t task, json_t *value_take, const struct pare_error *error);

int pare_sched_count(const struct pare_sched *s);              /* tasks in all states, oldest first */
const struct pare_task *pare_sched_task(const struct pare_sched *s, int i);
const struct pare_task *pare_sched_find(const struct pare_sched *s, uint64_t id);
int pare_sched_pending(const struct pare_sched *s);            /* queued or running */
int pare_sched_workers(const struct pare_sched *s, int *busy, int *quiet);
int pare_sched_compute(const struct pare_sched *s);            /* compute workers that there may be */
double pare_sched_now(const struct pare_sched *s);

#endif
