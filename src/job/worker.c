#include "job/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "job/frame.h"

struct pare_worker {
    int fd; /* -1: inline, no front */
    uint64_t job;
    struct pare_frame_reader reader;
    pthread_mutex_t write_lock;
    json_t *rows;
    double last_progress;
    void *cache;
    void (*free_cache)(void *);
};

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            return false;
        }
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static enum pare_status send_frame(struct pare_worker *w, enum pare_frame_type type, json_t *body_take,
                                   struct pare_error *err)
{
    char *bytes = NULL;
    size_t size = 0;
    enum pare_status status = PARE_OK;
    if (w->fd >= 0) {
        status = pare_frame_encode(type, w->job, body_take, &bytes, &size, err);
        if (status == PARE_OK) {
            pthread_mutex_lock(&w->write_lock);
            if (!write_all(w->fd, bytes, size)) {
                status = pare_error(err, PARE_ERR_IO, "worker", "the front is gone");
            }
            pthread_mutex_unlock(&w->write_lock);
        }
        free(bytes);
    }
    json_decref(body_take);
    return status;
}

/* Blocks for the next frame; false when the front is gone or talks nonsense. */
static bool read_frame(struct pare_worker *w, struct pare_frame *frame)
{
    char chunk[65536];
    for (;;) {
        int ready = 0;
        if (pare_frame_next(&w->reader, frame, &ready, NULL) != PARE_OK) {
            return false;
        }
        if (ready) {
            return true;
        }
        ssize_t n = read(w->fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || pare_frame_feed(&w->reader, chunk, (size_t)n, NULL) != PARE_OK) {
            return false;
        }
    }
}

static bool frame_waiting(struct pare_worker *w)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    return w->reader.used >= 16 || poll(&p, 1, 0) > 0;
}

static void keep_row(struct pare_worker *w, const json_t *body)
{
    const char *key = json_string_value(json_object_get(body, "key"));
    json_t *value = json_object_get(body, "value");
    if (key != NULL && value != NULL) {
        json_object_set(w->rows, key, value);
    }
}

/* Answers what the front says while a job runs. RETURN ends the wait of pare_worker_call. */
static bool between_samples(struct pare_worker *w, struct pare_frame *frame)
{
    bool paused = false;
    do {
        if (!read_frame(w, frame)) {
            _exit(0); /* the front is gone: nobody wants the result */
        }
        if (frame->type == PARE_FRAME_RETURN) {
            return true;
        }
        if (frame->type == PARE_FRAME_PAUSE && !paused) {
            paused = true;
            (void)send_frame(w, PARE_FRAME_PAUSED, NULL, NULL);
        } else if (frame->type == PARE_FRAME_RESUME) {
            paused = false;
        } else if (frame->type == PARE_FRAME_ROW) {
            keep_row(w, frame->body);
        }
        json_decref(frame->body);
    } while (paused);
    return false;
}

void pare_worker_progress(struct pare_worker *w, double done, double total)
{
    double now = now_seconds();
    if (w->fd < 0) {
        return;
    }
    if (now - w->last_progress >= 0.1 || done >= total) {
        w->last_progress = now;
        (void)send_frame(w, PARE_FRAME_PROGRESS, json_pack("{s:f, s:f}", "done", done, "total", total), NULL);
    }
    while (frame_waiting(w)) {
        struct pare_frame frame;
        if (between_samples(w, &frame)) {
            json_decref(frame.body); /* an answer that nobody waits for */
        }
    }
}

enum pare_status pare_worker_call(struct pare_worker *w, const char *verb, json_t *args_take, json_t **value,
                                  struct pare_error *err)
{
    struct pare_frame frame;
    *value = NULL;
    if (w->fd < 0) {
        json_decref(args_take);
        return pare_error(err, PARE_ERR_FAIL, verb, "no front to ask");
    }
    enum pare_status status =
        send_frame(w, PARE_FRAME_CALL, json_pack("{s:s, s:o}", "verb", verb, "args", args_take), err);
    if (status != PARE_OK) {
        return status;
    }
    while (!between_samples(w, &frame)) {
    }
    const json_t *error = json_object_get(frame.body, "error");
    if (error != NULL) {
        const char *where = json_string_value(json_object_get(error, "where"));
        const char *message = json_string_value(json_object_get(error, "message"));
        status = pare_error(err, (enum pare_status)json_integer_value(json_object_get(error, "code")),
                            where, "%s", message != NULL ? message : "failed");
    } else {
        *value = json_incref(json_object_get(frame.body, "value"));
    }
    json_decref(frame.body);
    return status;
}

void pare_worker_print(struct pare_worker *w, const char *text)
{
    (void)send_frame(w, PARE_FRAME_PRINT, json_pack("{s:s}", "text", text), NULL);
}

const json_t *pare_worker_row(struct pare_worker *w, const char *key)
{
    return json_object_get(w->rows, key);
}

void pare_worker_set_cache(struct pare_worker *w, void *cache, void (*free_cache)(void *))
{
    if (w->cache != NULL && w->free_cache != NULL && w->cache != cache) {
        w->free_cache(w->cache);
    }
    w->cache = cache;
    w->free_cache = free_cache;
}

void *pare_worker_cache(struct pare_worker *w)
{
    return w->cache;
}

static enum pare_status run_kind(struct pare_worker *w, const struct pare_worker_kind *kinds, int n_kinds,
                                 const char *kind, const json_t *params, json_t **result,
                                 struct pare_error *err)
{
    *result = NULL;
    for (int i = 0; i < n_kinds; i++) {
        if (kind != NULL && strcmp(kinds[i].kind, kind) == 0) {
            enum pare_status status = kinds[i].run(w, params, result, err);
            if (status == PARE_OK && !json_is_object(*result)) {
                status = pare_error(err, PARE_ERR_INTERNAL, kind, "the job gave no result");
            }
            return status;
        }
    }
    return pare_error(err, PARE_ERR_INTERNAL, "worker", "unknown kind of job: %s", kind != NULL ? kind : "?");
}

static const char *ascii_only(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        *p = *p >= ' ' && *p < 127 ? *p : '?';
    }
    return text;
}

static void run_job(struct pare_worker *w, const struct pare_worker_kind *kinds, int n_kinds,
                    const json_t *body)
{
    struct pare_error err = {0};
    json_t *result = NULL;
    w->last_progress = now_seconds();
    enum pare_status status = run_kind(w, kinds, n_kinds, json_string_value(json_object_get(body, "kind")),
                                       json_object_get(body, "params"), &result, &err);
    if (status == PARE_OK) {
        status = send_frame(w, PARE_FRAME_RESULT, result, &err);
        if (status == PARE_OK) {
            return;
        }
    } else {
        json_decref(result);
    }
    json_t *told = json_pack("{s:i, s:s, s:s}", "code", (int)status, "where", err.where, "message", err.message);
    if (told == NULL) { /* names that are not UTF-8 */
        told = json_pack("{s:i, s:s}", "code", (int)status, "message", ascii_only(err.message));
    }
    (void)send_frame(w, PARE_FRAME_ERROR, told, NULL);
}

static void *beat(void *argument)
{
    struct pare_worker *w = argument;
    for (;;) {
        struct timespec second = {.tv_sec = 1};
        nanosleep(&second, NULL);
        char *bytes = NULL;
        size_t size = 0;
        if (pare_frame_encode(PARE_FRAME_HEARTBEAT, 0, NULL, &bytes, &size, NULL) != PARE_OK) {
            continue;
        }
        pthread_mutex_lock(&w->write_lock);
        bool ok = write_all(w->fd, bytes, size);
        pthread_mutex_unlock(&w->write_lock);
        free(bytes);
        if (!ok) {
            _exit(0);
        }
    }
    return NULL;
}

static void limit(unsigned resource, rlim_t value)
{
    struct rlimit r;
    if (getrlimit(resource, &r) == 0 && (r.rlim_max == RLIM_INFINITY || r.rlim_max > value)) {
        r.rlim_cur = r.rlim_max = value;
        (void)setrlimit(resource, &r);
    }
}

static void set_limits(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 256);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    limit(RLIMIT_AS, (rlim_t)8 << 30);
    limit(RLIMIT_FSIZE, 0); /* results travel as frames; a worker writes no file */
    signal(SIGXFSZ, SIG_IGN);
#endif
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* ^C at the terminal is the front's business */
}

int pare_worker_serve(int fd, const struct pare_worker_kind *kinds, int n_kinds, const char *isa)
{
    struct pare_worker w = {.fd = fd, .rows = json_object()};
    pthread_t thread;
    pthread_attr_t attributes;
    set_limits();
    pthread_mutex_init(&w.write_lock, NULL);
    (void)send_frame(&w, PARE_FRAME_HELLO,
                     json_pack("{s:i, s:s, s:i}", "version", PARE_FRAME_VERSION, "isa", isa, "pid",
                               (int)getpid()),
                     NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, beat, &w) != 0) {
        return 70;
    }
    struct pare_frame frame;
    while (read_frame(&w, &frame)) {
        if (frame.type == PARE_FRAME_ROW) {
            keep_row(&w, frame.body);
        } else if (frame.type == PARE_FRAME_PAUSE) {
            (void)send_frame(&w, PARE_FRAME_PAUSED, NULL, NULL);
        } else if (frame.type == PARE_FRAME_JOB) {
            w.job = frame.job;
            run_job(&w, kinds, n_kinds, frame.body);
            w.job = 0;
        }
        json_decref(frame.body);
    }
    pare_worker_set_cache(&w, NULL, NULL);
    _exit(0); /* the beating thread must not touch what is freed */
}

enum pare_status pare_worker_run_inline(const struct pare_worker_kind *kinds, int n_kinds, const char *kind,
                                        const json_t *params, json_t *rows, json_t **result,
                                        struct pare_error *err)
{
    struct pare_worker w = {.fd = -1, .rows = rows};
    enum pare_status status = run_kind(&w, kinds, n_kinds, kind, params, result, err);
    pare_worker_set_cache(&w, NULL, NULL);
    return status;
}
