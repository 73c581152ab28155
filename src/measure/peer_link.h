/*
 * peer_link.h: a helper process that runs other people's code (tools/pare_peers.c, tools/pare_peers.py) and answers line by
 * line. It is never trusted to answer: every question has a time limit, and a helper that broke is only absent.
 */
#ifndef PARE_PEER_LINK_H
#define PARE_PEER_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct pare_peer_link {
    int pid, fd;       /* -1 when closed */
    char buffer[1024];
    size_t filled;
};

/* Starts argv (found by PATH), on this thread's cores, one thread each by its environment; blas: OPENBLAS_CORETYPE. */
enum pare_status pare_peer_start(struct pare_peer_link *link, const char *const *argv, const char *blas,
                                 struct pare_error *err);
void pare_peer_stop(struct pare_peer_link *link);
/* Sends a line, waits for one. answer: what follows "ok ". ERR_FAIL with the helper's reason, or that it did not answer
 * (then the link is closed). */
enum pare_status pare_peer_ask(struct pare_peer_link *link, const char *line, double seconds, char *answer, size_t size,
                               struct pare_error *err);

#endif
