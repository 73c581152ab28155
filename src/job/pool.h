/*
 * pool.h: inside job/: the worker processes of a scheduler.
 */
#ifndef PARE_POOL_H
#define PARE_POOL_H

#include "job/frame.h"
#include "job/sched.h"

#define PARE_MAX_WORKERS 66

enum pare_worker_role { PARE_ROLE_COMPUTE, PARE_ROLE_INTERACTIVE, PARE_ROLE_QUIET };
enum pare_worker_state { PARE_WORKER_NONE, PARE_WORKER_IDLE, PARE_WORKER_BUSY, PARE_WORKER_PAUSING, PARE_WORKER_PAUSED, PARE_WORKER_DYING };

struct pare_pool_worker {
    struct pare_sched *sched;
    int index;
    enum pare_worker_role role;
    enum pare_worker_state state;
    uv_process_t process;
    uv_pipe_t pipe;
    int open_handles;
    struct pare_frame_reader reader;
    struct pare_task *task;
    json_t *sent_rows;      /* keys that this worker has */
    double last_beat, last_progress;
    char why[160];          /* why it was killed */
};

struct pare_sched {
    uv_loop_t *loop;
    char *exe;
    double start_seconds;
    struct pare_sched_owner owner;
    int n_tasks, cap_tasks, n_pending, first_pending;
    struct pare_task **tasks;
    uint64_t last_id;
    int n_compute;
    struct pare_pool_worker *workers[PARE_MAX_WORKERS];
    uv_timer_t tick;
    uv_idle_t kick;
    bool kicked, stopping, quiet_running;
    int failed_starts;
    char start_error[96];   /* why the last worker could not be started */
    double last_tick;
};

/* Looks for work soon (from the loop, never from inside the caller). */
void pare_pool_kick(struct pare_sched *s);
void pare_pool_kill_worker(struct pare_sched *s, int worker);
/* The best queued job of a kind of worker whose needs are there; NULL when none. */
struct pare_task *pare_sched_pick(struct pare_sched *s, bool interactive, bool quiet);
void pare_sched_end_task(struct pare_sched *s, struct pare_task *t, enum pare_task_state state);

#endif
