/*
 * session.h: everything that Pare knows about one pipeline, in one SQLite file.
 *
 * Tables (schema version 1, application id "PARE"):
 *   meta(key, value)            pipeline path, name, version of Pare that wrote it
 *   row(key, kind, params, result, seconds, created)   finished jobs; a pure function of the key
 *   run(id, name, method, settings, status, created)   one use of a solver; settings and status are JSON
 *   point(id, run, number, config, facts)              config = JSON {layer: level}; facts = JSON of predictions
 *   action(id, line, undone)    the user's choices, in order; undo marks, never deletes
 *   note(id, text, created)
 *
 * journal_mode = TRUNCATE, synchronous = FULL. One writer at a time, by flock on the file; a second
 * process opens it read-only (`follower`) and sees commits through data_version.
 */
#ifndef PARE_SESSION_H
#define PARE_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct pare_session;

/* Path of the session of a pipeline: $XDG_DATA_HOME/pare/NAME-HASH.pare (HOME/.local/share when unset or
 * relative). real_path is the pipeline's absolute path. */
enum pare_status pare_session_path(const char *name, const char *real_path, char *path, size_t size,
                                   struct pare_error *err);

/* Opens or creates (":memory:" = kept nowhere). Held by another process: with `follow` opened read-only (*follower = true), else ERR_BUSY
 * naming the process. Not a session, damaged, or of a newer schema: ERR_FORMAT, nothing is written. */
enum pare_status pare_session_open(const char *path, bool follow, struct pare_session **session,
                                   bool *follower, struct pare_error *err);
/* Opens an existing session to look at, whoever holds it; *holder = the process that does, 0 = none, -1 = one that
 * cannot be seen from here. */
enum pare_status pare_session_peek(const char *path, struct pare_session **session, int *holder, struct pare_error *err);
/* A follower whose holder has gone becomes the holder: *taken. Otherwise nothing changes. */
enum pare_status pare_session_take(struct pare_session *s, bool *taken, struct pare_error *err);
void pare_session_close(struct pare_session *s);
const char *pare_session_file(const struct pare_session *s);

/* Rows. get: a new reference or NULL. put: committed when it returns. */
json_t *pare_session_get_row(struct pare_session *s, const char *key);
enum pare_status pare_session_put_row(struct pare_session *s, const char *key, const char *kind,
                                      const json_t *params, const json_t *result, double seconds,
                                      struct pare_error *err);
int pare_session_count_rows(struct pare_session *s);
/* Of the newest `most` rows of a kind: how many, their seconds, and the sum of a number in their params. */
void pare_session_spent(struct pare_session *s, const char *kind, const char *number, int most, int *rows,
                        double *seconds, double *sum);
/* Keys of the rows written after *last (a counter of the session, 0 = from the start); *last moves on. */
void pare_session_new_rows(struct pare_session *s, int64_t *last, void *self,
                           void (*each)(void *self, const char *key, const char *kind));
/* Calls each(self, key, kind, params, result, seconds) for every row of a kind (NULL = all), oldest first. Rows whose text
 * cannot be read are skipped and counted. Returns the number skipped. */
int pare_session_each_row(struct pare_session *s, const char *kind, void *self,
                          void (*each)(void *self, const char *key, const char *kind, const json_t *params,
                                       const json_t *result, double seconds));

/* Runs and points. */
enum pare_status pare_session_add_run(struct pare_session *s, const char *name, const char *method,
                                      const json_t *settings, int64_t *id, struct pare_error *err);
enum pare_status pare_session_set_run(struct pare_session *s, int64_t id, const char *name_or_null,
                                      const json_t *status_or_null, struct pare_error *err);
enum pare_status pare_session_add_point(struct pare_session *s, int64_t run, int number, const json_t *config,
                                        const json_t *facts, int64_t *id, struct pare_error *err);
enum pare_status pare_session_set_point(struct pare_session *s, int64_t id, const json_t *facts,
                                        struct pare_error *err);
void pare_session_each_run(struct pare_session *s, void *self,
                           void (*each)(void *self, int64_t id, const char *name, const char *method,
                                        const json_t *settings, const json_t *status));
void pare_session_each_point(struct pare_session *s, void *self,
                             void (*each)(void *self, int64_t id, int64_t run, int number,
                                          const json_t *config, const json_t *facts));

/* The user's choices. Adding drops what was undone (as in every editor). */
enum pare_status pare_session_add_action(struct pare_session *s, const char *line, struct pare_error *err);
/* undo = true: the newest action that is not undone; false: the oldest undone one. *line is malloc'ed, NULL = none. */
enum pare_status pare_session_undo(struct pare_session *s, bool undo, char **line, struct pare_error *err);
void pare_session_each_action(struct pare_session *s, void *self,
                              void (*each)(void *self, const char *line, bool undone));

enum pare_status pare_session_add_note(struct pare_session *s, const char *text, struct pare_error *err);
enum pare_status pare_session_set_meta(struct pare_session *s, const char *key, const char *value,
                                       struct pare_error *err);
char *pare_session_get_meta(struct pare_session *s, const char *key); /* malloc'ed or NULL */

/* {rows, kinds: {kind: {rows, seconds}}, runs, points, actions, notes: [text]}; a new reference. */
json_t *pare_session_facts(struct pare_session *s);
/* Rows whose params have another value of a member than this one: counted, and with `really` deleted. */
enum pare_status pare_session_discard(struct pare_session *s, const char *member, const char *value, bool really, int *rows,
                                      struct pare_error *err);

/* Grows when another process has committed (followers poll it). */
int64_t pare_session_data_version(struct pare_session *s);

#endif
