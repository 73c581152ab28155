/*
 * link.h: one line of talk between two processes of one user: who follows a session asks, who holds it answers.
 * Frames as between front and workers (CALL, RETURN) over a Unix socket that only its owner may open.
 */
#ifndef PARE_LINK_H
#define PARE_LINK_H

#include <jansson.h>
#include <stddef.h>
#include <uv.h>

#include "base/status.h"

/* Where the holder of a session listens: $XDG_RUNTIME_DIR/pare, else /tmp/pare-UID, made with mode 0700 and refused when
 * it belongs to somebody else or others may write there. */
enum pare_status pare_link_path(const char *session_file, char *path, size_t size, struct pare_error *err);

/* Both ends keep no loop alive by themselves and free themselves when the loop has run after stop. */
struct pare_link_server;
/* answer(self, request) gives a new reference. */
enum pare_status pare_link_serve(uv_loop_t *loop, const char *path, void *self,
                                 json_t *(*answer)(void *self, const json_t *request),
                                 struct pare_link_server **server, struct pare_error *err);
void pare_link_stop(struct pare_link_server *server);

struct pare_link_client;
/* answered(self, answer): an answer (borrowed), or NULL once when the line is broken or could not be opened. */
enum pare_status pare_link_connect(uv_loop_t *loop, const char *path, void *self,
                                   void (*answered)(void *self, const json_t *answer),
                                   struct pare_link_client **client, struct pare_error *err);
enum pare_status pare_link_ask(struct pare_link_client *client, const json_t *request, struct pare_error *err);
void pare_link_hang_up(struct pare_link_client *client);

#endif
