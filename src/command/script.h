/*
 * script.h: a Lua script that runs in a worker and asks the front for verbs. Its calls:
 *   open    {path, models?}             -> {id, name, bare, levels, stages, layers}
 *   verb    {id, verb, args}            -> the verb's JSON
 *   command {id, line}                  -> {message}
 *   points  {id}                        -> list of points with their figures
 *   export  {id, format, path, run?}    -> {}
 *   write   {path, text}                -> {}
 */
#ifndef PARE_SCRIPT_H
#define PARE_SCRIPT_H

#include <jansson.h>

#include "pare.h"

struct pare_script;

struct pare_script_options {
    const char *path;             /* the script */
    int n_args;
    char *const *args;            /* `arg` in the script */
    struct pare_front_options front; /* for the pipelines that it opens (path is ignored) */
    struct pare_front *reuse;     /* the workbench's own front, or NULL */
    void *self;
    void (*print)(void *self, const char *text);
};

/* Starts the script's worker on the loop. */
enum pare_status pare_script_start(struct uv_loop_s *loop, const struct pare_script_options *options,
                                   struct pare_script **script, struct pare_error *err);
/* true when it has ended, well or badly (status, err). */
bool pare_script_ended(struct pare_script *s, enum pare_status *status, struct pare_error *err);
/* Stops the worker and its pipelines; run the loop until it is empty, then free. */
void pare_script_stop(struct pare_script *s);
/* Stopped, and all of its handles are closed: it may be freed while the loop goes on. */
bool pare_script_closed(const struct pare_script *s);
void pare_script_free(struct pare_script *s);

#endif
