#include "measure/peer_link.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* In the child: nothing but calls that are safe after fork. */
static void become(const char *const *argv, int fd, char *const *environment)
{
    (void)dup2(fd, 0);
    (void)dup2(fd, 1);
    for (int i = 3; i < 256; i++) {
        (void)close(i);
    }
    (void)execvpe(argv[0], (char *const *)(void *)(size_t)argv, environment);
    _exit(127);
}

/* This process's environment with one thread for every library; NULL when memory is out. Freed by free(). */
static char **make_environment(char *blas)
{
    static char *const ours[] = {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "PYTHONDONTWRITEBYTECODE=1", "TF_CPP_MIN_LOG_LEVEL=3"};
    enum { OURS = 4 };
    size_t n = 0, at = 0;
    while (environ[n] != NULL) {
        n++;
    }
    char **all = calloc(n + OURS + 2, sizeof *all);
    if (all == NULL) {
        return NULL;
    }
    for (int i = 0; i < OURS; i++) {
        all[at++] = ours[i];
    }
    all[at++] = blas;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(environ[i], "OMP_", 4) != 0 && strncmp(environ[i], "OPENBLAS_", 9) != 0) {
            all[at++] = environ[i];
        }
    }
    return all;
}

enum pare_status pare_peer_start(struct pare_peer_link *link, const char *const *argv, const char *blas,
                                 struct pare_error *err)
{
    int pair[2];
    char core[64];
    *link = (struct pare_peer_link){.pid = -1, .fd = -1};
    snprintf(core, sizeof core, "OPENBLAS_CORETYPE=%s", blas);
    char **environment = make_environment(core);
    if (environment == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        free(environment);
        return pare_error(err, PARE_ERR_FAIL, argv[0], "cannot start a helper");
    }
    const pid_t pid = fork();
    if (pid == 0) {
        become(argv, pair[1], environment);
    }
    (void)close(pair[1]);
    free(environment);
    if (pid < 0) {
        (void)close(pair[0]);
        return pare_error(err, PARE_ERR_FAIL, argv[0], "cannot start a helper");
    }
    link->pid = (int)pid;
    link->fd = pair[0];
    return PARE_OK;
}

void pare_peer_stop(struct pare_peer_link *link)
{
    if (link->fd >= 0) {
        (void)close(link->fd);
        (void)kill(link->pid, SIGKILL);
        (void)waitpid(link->pid, NULL, 0);
    }
    link->fd = link->pid = -1;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Why a helper does not answer, after its line has closed or its time is over. */
static enum pare_status no_answer(struct pare_peer_link *link, struct pare_error *err)
{
    int status = 0;
    const double until = now_s() + 0.2;
    pid_t ended = 0;
    while ((ended = waitpid(link->pid, &status, WNOHANG)) == 0 && now_s() < until) {
        (void)poll(NULL, 0, 5);
    }
    if (ended > 0) {
        (void)close(link->fd);
        link->fd = link->pid = -1;
    }
    const bool left = ended > 0 && WIFEXITED(status) != 0;
    pare_peer_stop(link);
    return left && WEXITSTATUS(status) == 127 ? pare_error(err, PARE_ERR_FAIL, "peer", "cannot be started")
           : left                             ? pare_error(err, PARE_ERR_FAIL, "peer", "the helper ended (exit %d)", WEXITSTATUS(status))
           : ended > 0                        ? pare_error(err, PARE_ERR_FAIL, "peer", "the helper died (signal %d)", WTERMSIG(status))
                                              : pare_error(err, PARE_ERR_FAIL, "peer", "the helper did not answer");
}

/* A whole line into link->buffer, without its end. */
static bool read_line(struct pare_peer_link *link, double seconds)
{
    const double until = now_s() + seconds;
    link->filled = 0;
    for (;;) {
        char *end = memchr(link->buffer, '\n', link->filled);
        if (end != NULL) {
            *end = '\0';
            return true;
        }
        struct pollfd p = {.fd = link->fd, .events = POLLIN};
        const double left = until - now_s();
        if (left <= 0 || link->filled == sizeof link->buffer || poll(&p, 1, (int)(1e3 * left) + 1) <= 0) {
            return false;
        }
        const ssize_t n = recv(link->fd, link->buffer + link->filled, sizeof link->buffer - link->filled, 0);
        if (n <= 0) {
            return false;
        }
        link->filled += (size_t)n;
    }
}

enum pare_status pare_peer_ask(struct pare_peer_link *link, const char *line, double seconds, char *answer, size_t size,
                               struct pare_error *err)
{
    const size_t length = strlen(line);
    if (link->fd < 0) {
        return pare_error(err, PARE_ERR_FAIL, "peer", "its helper had ended before");
    }
    if (send(link->fd, line, length, MSG_NOSIGNAL) != (ssize_t)length || send(link->fd, "\n", 1, MSG_NOSIGNAL) != 1 ||
        !read_line(link, seconds)) {
        return no_answer(link, err);
    }
    if (strncmp(link->buffer, "ok", 2) != 0) {
        return pare_error(err, PARE_ERR_FAIL, "peer", "%s", strncmp(link->buffer, "error ", 6) == 0 ? link->buffer + 6 : "no answer");
    }
    snprintf(answer, size, "%s", link->buffer[2] == ' ' ? link->buffer + 3 : "");
    return PARE_OK;
}
