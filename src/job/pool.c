#include "job/pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEAT_LIMIT_SECONDS 10.0
#define MAX_FAILED_STARTS 5

struct write_request {
    uv_write_t request;
    char *bytes;
};

static void on_written(uv_write_t *request, int status)
{
    struct write_request *w = (struct write_request *)(void *)request;
    (void)status; /* a broken pipe shows as end of file on the reading side */
    free(w->bytes);
    free(w);
}

static bool send_frame(struct pare_pool_worker *w, enum pare_frame_type type, uint64_t job,
                       const json_t *body, struct pare_error *err)
{
    struct write_request *request = calloc(1, sizeof *request);
    size_t size = 0;
    if (request == NULL || pare_frame_encode(type, job, body, &request->bytes, &size, err) != PARE_OK) {
        free(request);
        return false;
    }
    uv_buf_t buffer = uv_buf_init(request->bytes, (unsigned)size);
    if (uv_write(&request->request, (uv_stream_t *)&w->pipe, &buffer, 1, on_written) != 0) {
        free(request->bytes);
        free(request);
        return false;
    }
    return true;
}

/* The job's worker is gone: once more, or failed. */
static void job_lost(struct pare_sched *s, struct pare_task *t, const char *why)
{
    t->worker = -1;
    t->attempts++;
    if (t->attempts < t->max_attempts && !s->stopping) {
        t->state = PARE_TASK_QUEUED;
        t->done = 0;
        return;
    }
    pare_error(&t->error, PARE_ERR_FAIL, t->title, "%s (%d %s)", why, t->attempts,
               t->attempts == 1 ? "attempt" : "attempts");
    pare_sched_end_task(s, t, PARE_TASK_FAILED);
}

static void resume_all(struct pare_sched *s)
{
    s->quiet_running = false;
    for (int i = 0; i < PARE_MAX_WORKERS; i++) {
        struct pare_pool_worker *w = s->workers[i];
        if (w != NULL && (w->state == PARE_WORKER_PAUSED || w->state == PARE_WORKER_PAUSING)) {
            w->state = PARE_WORKER_BUSY;
            w->last_progress = pare_sched_now(s);
            (void)send_frame(w, PARE_FRAME_RESUME, 0, NULL, NULL);
        }
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct pare_pool_worker *w = handle->data;
    if (--w->open_handles > 0) {
        return;
    }
    struct pare_sched *s = w->sched;
    s->workers[w->index] = NULL;
    pare_frame_reader_clear(&w->reader);
    json_decref(w->sent_rows);
    free(w);
    if (!s->stopping) {
        pare_pool_kick(s);
    }
}

static void close_handles(struct pare_pool_worker *w)
{
    if (!uv_is_closing((uv_handle_t *)&w->pipe)) {
        uv_close((uv_handle_t *)&w->pipe, on_handle_closed);
    }
    if (!uv_is_closing((uv_handle_t *)&w->process)) {
        uv_close((uv_handle_t *)&w->process, on_handle_closed);
    }
}

static void on_exit_worker(uv_process_t *process, int64_t status, int signal_number)
{
    struct pare_pool_worker *w = process->data;
    struct pare_sched *s = w->sched;
    struct pare_task *t = w->task;
    char why[200];
    if (w->why[0] != '\0') {
        snprintf(why, sizeof why, "%s", w->why);
    } else if (signal_number != 0) {
        snprintf(why, sizeof why, "the worker died of signal %d", signal_number);
    } else {
        snprintf(why, sizeof why, "the worker ended with %d", (int)status);
    }
    w->task = NULL;
    w->state = PARE_WORKER_DYING;
    if (w->role == PARE_ROLE_QUIET) {
        resume_all(s);
    }
    close_handles(w);
    if (t != NULL && t->state == PARE_TASK_RUNNING) {
        job_lost(s, t, why);
    } else if (t == NULL && !s->stopping && w->why[0] == '\0') {
        s->failed_starts++;
    }
    s->owner.changed(s->owner.self);
}

static void kill_worker(struct pare_pool_worker *w, const char *why)
{
    if (w->state == PARE_WORKER_DYING) {
        return;
    }
    snprintf(w->why, sizeof w->why, "%.159s", why);
    w->state = PARE_WORKER_DYING;
    (void)uv_process_kill(&w->process, SIGKILL);
}

void pare_pool_kill_worker(struct pare_sched *s, int worker)
{
    if (worker >= 0 && worker < PARE_MAX_WORKERS && s->workers[worker] != NULL) {
        kill_worker(s->workers[worker], "cancelled");
    }
}

static void worker_free_again(struct pare_pool_worker *w)
{
    w->task = NULL;
    w->state = PARE_WORKER_IDLE;
    w->sched->failed_starts = 0;
    if (w->role == PARE_ROLE_QUIET) {
        resume_all(w->sched);
    }
    pare_pool_kick(w->sched);
}

static void job_answered(struct pare_pool_worker *w, const struct pare_frame *frame)
{
    struct pare_sched *s = w->sched;
    struct pare_task *t = w->task;
    if (t == NULL || t->id != frame->job) {
        return; /* late or doubled: ignored */
    }
    worker_free_again(w);
    if (frame->type == PARE_FRAME_RESULT) {
        enum pare_status status = s->owner.finished(s->owner.self, t, frame->body, &t->error);
        pare_sched_end_task(s, t, status == PARE_OK ? PARE_TASK_DONE : PARE_TASK_FAILED);
    } else {
        const char *message = json_string_value(json_object_get(frame->body, "message"));
        const char *where = json_string_value(json_object_get(frame->body, "where"));
        int code = (int)json_integer_value(json_object_get(frame->body, "code"));
        pare_error(&t->error, (enum pare_status)code, where, "%s", message != NULL ? message : "failed");
        pare_sched_end_task(s, t, PARE_TASK_FAILED);
    }
    s->owner.changed(s->owner.self);
}

static void answer_call(struct pare_pool_worker *w, const json_t *value, const struct pare_error *error)
{
    json_t *body = error != NULL && error->code != PARE_OK
                       ? json_pack("{s:{s:i, s:s, s:s}}", "error", "code", (int)error->code, "where",
                                   error->where, "message", error->message)
                       : json_pack("{s:O?}", "value", value);
    (void)send_frame(w, PARE_FRAME_RETURN, w->task != NULL ? w->task->id : 0, body, NULL);
    json_decref(body);
}

void pare_sched_answer(struct pare_sched *s, uint64_t task, json_t *value_take, const struct pare_error *error)
{
    for (int i = 0; i < PARE_MAX_WORKERS; i++) {
        struct pare_pool_worker *w = s->workers[i];
        if (w != NULL && w->task != NULL && w->task->id == task && w->state != PARE_WORKER_DYING) {
            w->last_progress = pare_sched_now(s);
            answer_call(w, value_take, error);
        }
    }
    json_decref(value_take);
}

static void script_called(struct pare_pool_worker *w, const struct pare_frame *frame)
{
    struct pare_sched *s = w->sched;
    struct pare_error error = {0};
    json_t *value = NULL;
    const char *verb = json_string_value(json_object_get(frame->body, "verb"));
    w->last_progress = pare_sched_now(s) + 1e9; /* waiting for us is no hang */
    enum pare_status status =
        s->owner.call != NULL && verb != NULL
            ? s->owner.call(s->owner.self, frame->job, verb, json_object_get(frame->body, "args"), &value, &error)
            : pare_error(&error, PARE_ERR_FAIL, "script", "scripts are not served here");
    if (status != PARE_ERR_BUSY) {
        w->last_progress = pare_sched_now(s);
        error.code = status;
        answer_call(w, value, &error);
    }
    json_decref(value);
}

static void frame_arrived(struct pare_pool_worker *w, const struct pare_frame *frame)
{
    struct pare_sched *s = w->sched;
    double now = pare_sched_now(s);
    w->last_beat = now;
    switch (frame->type) {
    case PARE_FRAME_PROGRESS:
        w->last_progress = now > w->last_progress ? now : w->last_progress;
        if (w->task != NULL) {
            double done = json_number_value(json_object_get(frame->body, "done"));
            double total = json_number_value(json_object_get(frame->body, "total"));
            w->task->total = total > 0 ? total : w->task->total;
            w->task->done = done < 0 ? 0 : done < w->task->total ? done : w->task->total;
        }
        s->owner.changed(s->owner.self);
        break;
    case PARE_FRAME_RESULT:
    case PARE_FRAME_ERROR:
        job_answered(w, frame);
        break;
    case PARE_FRAME_PAUSED:
        if (w->state == PARE_WORKER_PAUSING) {
            w->state = PARE_WORKER_PAUSED;
            pare_pool_kick(s);
        }
        break;
    case PARE_FRAME_CALL:
        script_called(w, frame);
        break;
    case PARE_FRAME_PRINT:
        if (s->owner.print != NULL && json_is_string(json_object_get(frame->body, "text"))) {
            s->owner.print(s->owner.self, frame->job, json_string_value(json_object_get(frame->body, "text")));
        }
        break;
    default:
        break;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char chunk[65536];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(chunk, sizeof chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct pare_pool_worker *w = stream->data;
    struct pare_error err = {0};
    if (n <= 0) {
        if (n < 0) {
            uv_read_stop(stream);
        }
        return;
    }
    enum pare_status status = pare_frame_feed(&w->reader, buffer->base, (size_t)n, &err);
    while (status == PARE_OK && w->state != PARE_WORKER_DYING) {
        struct pare_frame frame;
        int ready = 0;
        status = pare_frame_next(&w->reader, &frame, &ready, &err);
        if (status != PARE_OK || !ready) {
            break;
        }
        frame_arrived(w, &frame);
        json_decref(frame.body);
    }
    if (status != PARE_OK) {
        kill_worker(w, err.message);
    }
}

static struct pare_pool_worker *start_worker(struct pare_sched *s, enum pare_worker_role role)
{
    int index = 0;
    while (index < PARE_MAX_WORKERS && s->workers[index] != NULL) {
        index++;
    }
    if (index == PARE_MAX_WORKERS || s->failed_starts >= MAX_FAILED_STARTS) {
        return NULL;
    }
    struct pare_pool_worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return NULL;
    }
    char *args[] = {s->exe, (char[]){"worker"}, NULL};
    uv_stdio_container_t stdio[4] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data = {.fd = 2}},
        {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE)},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_worker, .file = s->exe, .args = args, .stdio_count = 4, .stdio = stdio};
    w->sched = s;
    w->index = index;
    w->role = role;
    w->sent_rows = json_object();
    uv_pipe_init(s->loop, &w->pipe, 0);
    w->pipe.data = w;
    w->process.data = w;
    w->open_handles = 2;
    stdio[3].data.stream = (uv_stream_t *)&w->pipe;
    s->workers[index] = w;
    int rc = uv_spawn(s->loop, &w->process, &options);
    if (rc != 0) {
        w->state = PARE_WORKER_DYING;
        s->failed_starts++;
        snprintf(s->start_error, sizeof s->start_error, ": %.80s", uv_strerror(rc));
        close_handles(w);
        return NULL;
    }
    w->state = PARE_WORKER_IDLE;
    w->last_beat = pare_sched_now(s);
    uv_read_start((uv_stream_t *)&w->pipe, on_alloc, on_read);
    return w;
}

static struct pare_pool_worker *idle_worker(struct pare_sched *s, enum pare_worker_role role)
{
    int n = 0;
    for (int i = 0; i < PARE_MAX_WORKERS; i++) {
        struct pare_pool_worker *w = s->workers[i];
        if (w == NULL || w->role != role) {
            continue;
        }
        n++;
        if (w->state == PARE_WORKER_IDLE) {
            return w;
        }
    }
    return n < (role == PARE_ROLE_COMPUTE ? s->n_compute : 1) ? start_worker(s, role) : NULL;
}

static void give_job(struct pare_pool_worker *w, struct pare_task *t)
{
    struct pare_sched *s = w->sched;
    bool ok = true;
    for (int i = 0; ok && i < t->n_needs; i++) {
        const json_t *row = s->owner.find_row(s->owner.self, t->needs[i]);
        if (row != NULL && json_object_get(w->sent_rows, t->needs[i]) == NULL) {
            json_t *body = json_pack("{s:s, s:O}", "key", t->needs[i], "value", row);
            ok = body != NULL && send_frame(w, PARE_FRAME_ROW, 0, body, &t->error);
            if (ok) {
                json_object_set_new(w->sent_rows, t->needs[i], json_true());
            }
            json_decref(body);
        }
    }
    json_t *body = json_pack("{s:s, s:O}", "kind", t->kind, "params", t->params);
    ok = ok && body != NULL && send_frame(w, PARE_FRAME_JOB, t->id, body, &t->error);
    json_decref(body);
    t->state = PARE_TASK_RUNNING;
    t->started = w->last_progress = w->last_beat = pare_sched_now(s);
    t->worker = w->index;
    if (!ok) {
        if (t->error.code == PARE_OK) {
            pare_error(&t->error, PARE_ERR_FAIL, t->title, "the job could not be given to a worker");
        }
        pare_sched_end_task(s, t, PARE_TASK_FAILED);
        return;
    }
    w->task = t;
    w->state = PARE_WORKER_BUSY;
}

/* Asks busy compute workers to stop at a sample; true when all have. */
static bool is_quiet(struct pare_sched *s)
{
    bool quiet = true;
    for (int i = 0; i < PARE_MAX_WORKERS; i++) {
        struct pare_pool_worker *w = s->workers[i];
        if (w == NULL || w->role != PARE_ROLE_COMPUTE) {
            continue;
        }
        if (w->state == PARE_WORKER_BUSY) {
            w->state = PARE_WORKER_PAUSING;
            (void)send_frame(w, PARE_FRAME_PAUSE, 0, NULL, NULL);
        }
        quiet = quiet && w->state != PARE_WORKER_PAUSING;
    }
    return quiet;
}

static void fail_all(struct pare_sched *s)
{
    for (int i = s->first_pending; i < s->n_tasks; i++) {
        struct pare_task *t = s->tasks[i];
        if (t->state == PARE_TASK_QUEUED) {
            pare_error(&t->error, PARE_ERR_FAIL, t->title, "no worker can be started%s", s->start_error);
            pare_sched_end_task(s, t, PARE_TASK_FAILED);
        }
    }
}

static void look_for_work(struct pare_sched *s)
{
    struct pare_task *t;
    struct pare_pool_worker *w;
    if (s->failed_starts >= MAX_FAILED_STARTS) {
        fail_all(s);
        return;
    }
    while ((t = pare_sched_pick(s, true, false)) != NULL && (w = idle_worker(s, PARE_ROLE_INTERACTIVE)) != NULL) {
        give_job(w, t);
    }
    struct pare_task *timing = pare_sched_pick(s, false, true);
    struct pare_task *work = pare_sched_pick(s, false, false);
    if (s->quiet_running) {
        return;
    }
    if (timing != NULL && (work == NULL || timing->priority >= work->priority)) {
        /* start the process before asking for quiet: it would disturb nobody's timing but its own */
        w = idle_worker(s, PARE_ROLE_QUIET);
        if (w != NULL && is_quiet(s)) {
            s->quiet_running = true;
            give_job(w, timing);
            if (w->task == NULL) {
                resume_all(s);
            }
        }
        return;
    }
    resume_all(s); /* the timing job that asked for quiet was cancelled, or has become less urgent */
    while (work != NULL && (w = idle_worker(s, PARE_ROLE_COMPUTE)) != NULL) {
        give_job(w, work);
        work = pare_sched_pick(s, false, false);
    }
}

static void on_kick(uv_idle_t *idle)
{
    struct pare_sched *s = idle->data;
    uv_idle_stop(idle);
    s->kicked = false;
    if (!s->stopping) {
        look_for_work(s);
        s->owner.changed(s->owner.self);
    }
}

void pare_pool_kick(struct pare_sched *s)
{
    if (!s->kicked && !s->stopping) {
        s->kicked = true;
        uv_idle_start(&s->kick, on_kick);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct pare_sched *s = timer->data;
    double now = pare_sched_now(s), slept = now - s->last_tick - 1;
    s->last_tick = now;
    for (int i = 0; i < PARE_MAX_WORKERS; i++) {
        struct pare_pool_worker *w = s->workers[i];
        if (w == NULL || w->state == PARE_WORKER_DYING || w->state == PARE_WORKER_NONE) {
            continue;
        }
        if (slept > 1) { /* it was us who were stopped (^Z): the beats lie in the pipe */
            w->last_beat += slept;
            w->last_progress += slept;
        }
        if (now - w->last_beat > BEAT_LIMIT_SECONDS) {
            kill_worker(w, "the worker hangs: no heartbeat for 10 s");
        } else if ((w->state == PARE_WORKER_BUSY || w->state == PARE_WORKER_PAUSING) && w->task != NULL &&
                   now - w->last_progress > w->task->limit_seconds) {
            char why[sizeof w->why];
            snprintf(why, sizeof why, "no progress for %.0f s", w->task->limit_seconds);
            kill_worker(w, why);
        }
    }
    if (s->n_pending > 0) {
        s->owner.changed(s->owner.self); /* elapsed times move */
    }
}

struct pare_sched *pare_sched_new(uv_loop_t *loop, const char *exe, int n_workers,
                                  const struct pare_sched_owner *owner)
{
    struct pare_sched *s = calloc(1, sizeof *s);
    if (s == NULL || (s->exe = strdup(exe)) == NULL) {
        free(s);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN); /* a worker that dies while we write to it must not take us along */
    s->loop = loop;
    s->owner = *owner;
    s->n_compute = n_workers < 1 ? 1 : n_workers > PARE_MAX_WORKERS - 2 ? PARE_MAX_WORKERS - 2 : n_workers;
    s->start_seconds = (double)uv_hrtime() * 1e-9;
    uv_timer_init(loop, &s->tick);
    s->tick.data = s;
    uv_timer_start(&s->tick, on_tick, 1000, 1000);
    uv_unref((uv_handle_t *)&s->tick);
    uv_idle_init(loop, &s->kick);
    s->kick.data = s;
    return s;
}

void pare_sched_stop(struct pare_sched *s)
{
    if (s->stopping) {
        return;
    }
    s->stopping = true;
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_close((uv_handle_t *)&s->kick, NULL);
    for (int i = 0; i < PARE_MAX_WORKERS; i++) {
        if (s->workers[i] != NULL) {
            kill_worker(s->workers[i], "stopped");
        }
    }
}

bool pare_sched_closed(const struct pare_sched *s)
{
    bool closed = s->stopping;
    for (int i = 0; i < PARE_MAX_WORKERS; i++) {
        closed = closed && s->workers[i] == NULL;
    }
    return closed;
}

int pare_sched_workers(const struct pare_sched *s, int *busy, int *quiet)
{
    int n = 0;
    *busy = 0;
    *quiet = 0;
    for (int i = 0; i < PARE_MAX_WORKERS; i++) {
        const struct pare_pool_worker *w = s->workers[i];
        if (w != NULL && w->state != PARE_WORKER_DYING) {
            n++;
            *busy += w->task != NULL;
            *quiet += w->task != NULL && w->task->quiet;
        }
    }
    return n;
}
