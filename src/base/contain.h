/*
 * contain.h: code that may crash, end the process, or never return, run in a process of its own: a fork of this one that ends
 * afterwards, with all that it started. What comes back is one JSON value.
 */
#ifndef PARE_CONTAIN_H
#define PARE_CONTAIN_H

#include "base/json.h"

struct pare_child; /* the child's side */

/* In the child: does the work. */
typedef enum pare_status (*pare_contained)(void *self, struct pare_child *child, json_t **result, struct pare_error *err);
/* One step further: a number from 0 that the parent knows even when the child has died. */
void pare_child_step(struct pare_child *child);
/* A line for the parent, at once. */
void pare_child_say(struct pare_child *child, const char *line);

struct pare_contain {
    const char *where;    /* of errors that are the child's death */
    double limit_seconds; /* wall clock */
    pare_contained run;
    void *self;           /* given to run and say */
    void (*say)(void *self, const char *line); /* here, while the child runs; NULL = not wanted */
};

/* Runs it in a child that has no descriptors but an empty stdin, a stdout to nowhere and our stderr. Its result and errors are
 * given as if it had run here. ERR_FAIL when it died, ended or was killed at its limit: the message says how; then *steps (may
 * be NULL) is how many it had begun, else -1. */
enum pare_status pare_contain(const struct pare_contain *how, int *steps, json_t **result, struct pare_error *err);

#endif
