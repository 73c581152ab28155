/*
 * sessions.h: sessions as files, without opening their pipelines: what they hold, who works on them, what may go.
 */
#ifndef PARE_SESSIONS_H
#define PARE_SESSIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* The session file that an argument names: a session file itself, else the session of a pipeline. */
enum pare_status pare_sessions_find(const char *argument, char *path, size_t size, struct pare_error *err);
/* [{file, pipeline, bytes, modified, rows, runs, points, holder, unfinished, error}], newest first; a new reference.
 * holder: 0 = nobody, -1 = a process that cannot be seen from here. */
json_t *pare_sessions_list(struct pare_error *err);
/* The same of one file, and kinds, notes, runs: [{name, method, settings, status}], choices: [line]. NULL with err. */
json_t *pare_sessions_show(const char *path, struct pare_error *err);
/* Removes empty sessions, rows of earlier versions of a pipeline, and with `all` sessions whose pipeline is gone; held ones
 * are left alone. With `dry` nothing is changed. [{file, what, rows, bytes, done}] */
json_t *pare_sessions_gc(bool dry, bool all, struct pare_error *err);

struct uv_loop_s;
/* Watches who works on a session: told(self, news) for every answer (struct as follow.c gives it), NULL when nobody
 * answers (any more); told returns false to end. `request` "stop" asks once to save and leave. Runs the loop. */
enum pare_status pare_sessions_talk(struct uv_loop_s *loop, const char *path, const char *request, void *self,
                                    bool (*told)(void *self, const json_t *news), struct pare_error *err);

#endif
