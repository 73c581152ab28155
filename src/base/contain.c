#include "base/contain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define MAX_BYTES ((size_t)64 << 20) /* as of a job's frame */
#define MAX_FDS 4096

/* What comes through the pipe: its length and kind, then its bytes. */
enum kind { SAYS = 1, ENDS };
struct head {
    uint64_t n;
    enum kind kind;
};

/* ---- the child ---- */

struct pare_child {
    volatile int *steps;
    int out;
};

static void send_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        const ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            return;
        }
        p += k;
        n -= (size_t)k;
    }
}

/* Nothing of ours stays open but `out` and standard error. */
static void close_others(int out)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    for (int fd = 3; fd < MAX_FDS; fd++) {
        if (fd != out) {
            close(fd);
        }
    }
}

static json_t *told(enum pare_status status, json_t *result_take, const struct pare_error *err)
{
    if (status == PARE_OK) {
        return json_pack("{s:o}", "result", result_take);
    }
    json_decref(result_take);
    json_t *json = json_pack("{s:i, s:s, s:s}", "code", (int)status, "where", err->where, "message", err->message);
    return json != NULL ? json : json_pack("{s:i, s:s, s:s}", "code", (int)status, "where", "", "message", "failed");
}

static void send_text(int out, enum kind kind, const char *text)
{
    struct head head;
    memset(&head, 0, sizeof head);
    head.n = text != NULL ? strlen(text) : 0;
    head.kind = kind;
    send_all(out, &head, sizeof head);
    send_all(out, text, (size_t)head.n);
}

void pare_child_step(struct pare_child *child)
{
    ++*child->steps;
}

void pare_child_say(struct pare_child *child, const char *line)
{
    send_text(child->out, SAYS, line);
}

static void run_child(struct pare_child *child, pid_t parent, const struct pare_contain *how)
{
    const struct rlimit no_core = {0, 0};
    struct pare_error err = {0};
    json_t *result = NULL;
    setpgid(0, 0); /* so that what it starts ends with it */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(0);
    }
    setrlimit(RLIMIT_CORE, &no_core);
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        signal(crashes[i], SIG_DFL);
    }
    close_others(child->out);
    const enum pare_status status = how->run(how->self, child, &result, &err);
    json_t *json = told(status, result, &err);
    send_text(child->out, ENDS, json != NULL ? json_dumps(json, JSON_COMPACT) : NULL);
    _exit(0); /* no destructors: neither ours nor the plugin's */
}

/* ---- the parent ---- */

struct reply {
    char *bytes; /* a head and what follows it */
    size_t used, size;
};

static const char *body_of(const struct reply *r)
{
    return r->bytes + sizeof(struct head);
}

/* Hands on what was said; true when the result is whole or nonsense came: its head. */
static bool take_lines(struct reply *r, const struct pare_contain *how, struct head *head)
{
    while (r->used >= sizeof *head) {
        memcpy(head, r->bytes, sizeof *head);
        const bool odd = head->n > MAX_BYTES || (head->kind != SAYS && head->kind != ENDS);
        if (odd || r->used - sizeof *head < head->n) {
            return odd;
        }
        if (head->kind == ENDS) {
            return true;
        }
        char *line = strndup(body_of(r), (size_t)head->n);
        if (line != NULL && how->say != NULL) {
            how->say(how->self, line);
        }
        free(line);
        r->used -= sizeof *head + (size_t)head->n;
        memmove(r->bytes, body_of(r) + head->n, r->used);
    }
    return false;
}

/* Reads until the result is whole (true), the child has closed its end, or the time is over (*late). */
static bool read_reply(int fd, double deadline, const struct pare_contain *how, struct reply *r, bool *late)
{
    struct head head = {0};
    while (!take_lines(r, how, &head)) {
        const double left = deadline - pare_seconds();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        *late = left <= 0;
        if (*late) {
            return false;
        }
        if (poll(&p, 1, left < 1 ? (int)(1000 * left) + 1 : 1000) <= 0) {
            continue;
        }
        if (r->size - r->used < 65536) {
            char *more = realloc(r->bytes, 2 * r->size + 65536);
            if (more == NULL) {
                return false;
            }
            r->bytes = more;
            r->size = 2 * r->size + 65536;
        }
        const ssize_t k = read(fd, r->bytes + r->used, r->size - r->used);
        if (k == 0 || (k < 0 && errno != EINTR && errno != EAGAIN)) {
            return false;
        }
        r->used += k > 0 ? (size_t)k : 0;
    }
    return head.kind == ENDS && head.n <= MAX_BYTES && head.n > 0;
}

static enum pare_status take_reply(const struct reply *r, const char *where, json_t **result, struct pare_error *err)
{
    json_t *json = NULL;
    struct head head;
    memcpy(&head, r->bytes, sizeof head);
    enum pare_status status = pare_json_parse(body_of(r), (size_t)head.n, where, &json, err);
    if (status == PARE_OK && json_object_get(json, "result") != NULL) {
        *result = json_incref(json_object_get(json, "result"));
    } else if (status == PARE_OK) {
        status = (enum pare_status)pare_json_get_int(json, "code", PARE_ERR_FAIL);
        status = pare_error(err, status != PARE_OK ? status : PARE_ERR_INTERNAL, pare_json_get_string(json, "where", where), "%s",
                            pare_json_get_string(json, "message", "failed"));
    }
    json_decref(json);
    return status;
}

static enum pare_status say_death(const struct pare_contain *how, bool late, int status, struct pare_error *err)
{
    const char *where = how->where;
    if (late) {
        return pare_error(err, PARE_ERR_FAIL, where, "not done after %.3g s, killed", how->limit_seconds);
    }
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        return pare_error(err, PARE_ERR_FAIL, where, "crashed (SIG%s)", name != NULL ? name : "?");
    }
    return pare_error(err, PARE_ERR_FAIL, where, "ended its process (exit %d)", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* *whole: it answered. */
static enum pare_status wait_child(pid_t child, int fd, const struct pare_contain *how, bool *whole, json_t **result,
                                   struct pare_error *err)
{
    struct reply reply = {0};
    bool late = false;
    int status = 0;
    *whole = read_reply(fd, pare_seconds() + how->limit_seconds, how, &reply, &late);
    if (*whole || late) {
        kill(child, SIGKILL);
    } else {
        siginfo_t info; /* its end of the pipe is closed: it is dying, or has closed all that it found */
        const double until = pare_seconds() + 2;
        while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0 && pare_seconds() < until) {
            poll(NULL, 0, 5);
        }
        kill(child, SIGKILL);
    }
    kill(-child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    const enum pare_status code = *whole ? take_reply(&reply, how->where, result, err) : say_death(how, late, status, err);
    free(reply.bytes);
    return code;
}

enum pare_status pare_contain(const struct pare_contain *how, int *steps, json_t **result, struct pare_error *err)
{
    int fds[2];
    bool whole = false;
    const pid_t me = getpid();
    *result = NULL;
    volatile int *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return pare_error_nomem(err);
    }
    if (pipe2(fds, O_CLOEXEC) != 0) {
        munmap((void *)(uintptr_t)shared, sizeof *shared);
        return pare_error(err, PARE_ERR_FAIL, how->where, "no process for it: %s", strerror(errno));
    }
    const pid_t child = fork();
    if (child == 0) {
        struct pare_child its = {shared, fds[1]};
        run_child(&its, me, how);
    }
    close(fds[1]);
    enum pare_status status = child < 0 ? pare_error(err, PARE_ERR_FAIL, how->where, "no process for it: %s", strerror(errno))
                                        : wait_child(child, fds[0], how, &whole, result, err);
    close(fds[0]);
    if (steps != NULL) {
        *steps = whole || child < 0 ? -1 : *shared;
    }
    munmap((void *)(uintptr_t)shared, sizeof *shared);
    return status;
}
