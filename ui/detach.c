/*
 * detach.c: work that goes on without a terminal: a process in a session of its own, whose output goes to a file. Who
 * started it waits until it holds its session, so that what cannot start is said at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/file.h"
#include "ui/cli.h"

static int waiting = -1; /* the pipe to who started us */

/* $XDG_STATE_HOME/pare/VERB-PID.log, of the process that goes on. */
static enum pare_status open_log(const char *verb, char *path, size_t size, int *fd, struct pare_error *err)
{
    char folder[PATH_MAX];
    enum pare_status status = pare_user_folder(PARE_USER_STATE, folder, sizeof folder, err);
    if (status == PARE_OK) {
        status = pare_make_dirs(folder, err);
    }
    if (status != PARE_OK) {
        return status;
    }
    if ((size_t)snprintf(path, size, "%s/%s-%d.log", folder, verb, (int)getpid()) >= size) {
        return pare_error(err, PARE_ERR_CONFIG, folder, "the path of the log is too long");
    }
    *fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return *fd >= 0 ? PARE_OK : pare_error(err, PARE_ERR_CANTCREATE, path, "%s", strerror(errno));
}

static int copy_to_stderr(const char *path)
{
    char buffer[4096];
    FILE *in = fopen(path, "re");
    for (size_t n; in != NULL && (n = fread(buffer, 1, sizeof buffer, in)) > 0;) {
        fwrite(buffer, 1, n, stderr);
    }
    if (in != NULL) {
        fclose(in);
    }
    return unlink(path);
}

/* The side that was started: until the other is ready, or has ended. */
static int wait_for(pid_t child, int from, const struct cli_options *o)
{
    char path[PATH_MAX] = "";
    size_t used = 0;
    int status = 0;
    for (ssize_t n; used + 1 < sizeof path && (n = read(from, path + used, sizeof path - 1 - used)) != 0;) {
        if (n > 0) {
            used += (size_t)n;
        } else if (errno != EINTR) {
            break;
        }
    }
    path[used] = '\0';
    bool ready = used > 0 && path[used - 1] == '\n';
    path[strcspn(path, "\n")] = '\0';
    if (ready) {
        if (o->json) {
            json_t *json = json_pack("{s:i, s:i, s:s}", "schema", 1, "pid", (int)child, "log", path);
            cli_print_json(json);
            json_decref(json);
        } else {
            printf("process %d goes on without a terminal; what it prints goes to %s\n", (int)child, path);
            if (strcmp(o->verb, "script") != 0 && o->n_args > 0) {
                printf("pare session tail %s follows it, pare session stop %s ends it\n", o->args[0], o->args[0]);
            }
        }
        return 0;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    (void)copy_to_stderr(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int detach(const struct cli_options *o)
{
    struct pare_error err = {0};
    char path[PATH_MAX];
    int ends[2], log = -1;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)pare_error(&err, PARE_ERR_FAIL, "--detach", "%s", strerror(errno));
        return cli_fail(o, &err);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        (void)pare_error(&err, PARE_ERR_FAIL, "--detach", "%s", strerror(errno));
        return cli_fail(o, &err);
    }
    if (child > 0) {
        close(ends[1]);
        int rc = wait_for(child, ends[0], o);
        close(ends[0]);
        return rc;
    }
    close(ends[0]);
    (void)setsid();
    (void)signal(SIGHUP, SIG_IGN);
    if (open_log(o->verb, path, sizeof path, &log, &err) != PARE_OK) {
        return cli_fail(o, &err); /* the terminal is still ours */
    }
    (void)!write(ends[1], path, strlen(path));
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)dup2(null, 0);
    (void)dup2(log, 1);
    (void)dup2(log, 2);
    waiting = ends[1];
    return -1;
}

void detach_ready(void)
{
    if (waiting >= 0) {
        (void)!write(waiting, "\n", 1);
        close(waiting);
        waiting = -1;
    }
}
