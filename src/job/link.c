#include "job/link.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hash.h"
#include "job/frame.h"

#define MAX_PEERS 16
#define MAX_WAITING (1u << 20) /* bytes that a peer may leave unread */

enum pare_status pare_link_path(const char *session_file, char *path, size_t size, struct pare_error *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char folder[256], hash[33];
    struct stat st;
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < 64) {
        snprintf(folder, sizeof folder, "%s/pare", runtime);
    } else {
        snprintf(folder, sizeof folder, "/tmp/pare-%u", (unsigned)getuid());
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return pare_error(err, PARE_ERR_CANTCREATE, folder, "no place for the socket of a session: %s", strerror(errno));
    }
    if (lstat(folder, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077) != 0) {
        return pare_error(err, PARE_ERR_PERMISSION, folder, "expected a folder that is ours alone (mode 0700)");
    }
    pare_hash_bytes(session_file, strlen(session_file), hash);
    struct sockaddr_un address;
    size = size < sizeof address.sun_path ? size : sizeof address.sun_path;
    if ((size_t)snprintf(path, size, "%s/%.16s.sock", folder, hash) >= size) {
        return pare_error(err, PARE_ERR_CONFIG, folder, "the path of the socket is too long");
    }
    return PARE_OK;
}

/* One end of a line. */
struct peer {
    uv_pipe_t pipe;
    struct pare_frame_reader reader;
    void *self;
    void (*arrived)(struct peer *peer, const json_t *body); /* NULL body: the line is broken */
    void (*closed)(struct peer *peer);
    bool lost;
};

struct write_request {
    uv_write_t request;
    char *bytes;
};

static void on_written(uv_write_t *request, int status)
{
    struct write_request *w = (struct write_request *)(void *)request;
    (void)status;
    free(w->bytes);
    free(w);
}

static void on_peer_closed(uv_handle_t *handle)
{
    struct peer *p = handle->data;
    pare_frame_reader_clear(&p->reader);
    p->closed(p);
}

static void close_peer(struct peer *p)
{
    if (!uv_is_closing((uv_handle_t *)&p->pipe)) {
        uv_close((uv_handle_t *)&p->pipe, on_peer_closed);
    }
}

static void peer_lost(struct peer *p)
{
    if (!p->lost) {
        p->lost = true;
        p->arrived(p, NULL);
    }
}

static enum pare_status peer_send(struct peer *p, enum pare_frame_type type, const json_t *body, struct pare_error *err)
{
    struct write_request *w;
    size_t size = 0;
    if (p->lost || uv_stream_get_write_queue_size((uv_stream_t *)&p->pipe) > MAX_WAITING) {
        return pare_error(err, PARE_ERR_IO, "session", "the other pare does not listen");
    }
    w = calloc(1, sizeof *w);
    if (w == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_frame_encode(type, 0, body, &w->bytes, &size, err);
    if (status == PARE_OK) {
        uv_buf_t buffer = uv_buf_init(w->bytes, (unsigned)size);
        int rc = uv_write(&w->request, (uv_stream_t *)&p->pipe, &buffer, 1, on_written);
        status = rc == 0 ? PARE_OK : pare_error(err, PARE_ERR_IO, "session", "cannot write to the other pare: %s", uv_strerror(rc));
    }
    if (status != PARE_OK) {
        free(w->bytes);
        free(w);
    }
    return status;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char chunk[16384];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(chunk, sizeof chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct peer *p = stream->data;
    if (n == 0) {
        return;
    }
    bool ok = n > 0 && pare_frame_feed(&p->reader, buffer->base, (size_t)n, NULL) == PARE_OK;
    while (ok && !p->lost && !uv_is_closing((uv_handle_t *)&p->pipe)) {
        struct pare_frame frame;
        int ready = 0;
        ok = pare_frame_next(&p->reader, &frame, &ready, NULL) == PARE_OK;
        if (!ok || !ready) {
            break;
        }
        p->arrived(p, frame.body);
        json_decref(frame.body);
    }
    if (!ok) {
        uv_read_stop(stream);
        peer_lost(p);
    }
}

static void start_reading(struct peer *p)
{
    if (uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read) != 0) {
        peer_lost(p);
    }
    uv_unref((uv_handle_t *)&p->pipe);
}

/* ---- the holder ---- */

struct pare_link_server {
    uv_pipe_t pipe;
    void *self;
    json_t *(*answer)(void *self, const json_t *request);
    struct peer *peers[MAX_PEERS];
    int n_open; /* handles */
    bool stopped;
    char path[128];
};

static void server_handle_closed(struct pare_link_server *s)
{
    if (--s->n_open == 0) {
        free(s);
    }
}

static void on_server_closed(uv_handle_t *handle)
{
    server_handle_closed(handle->data);
}

static void guest_closed(struct peer *p)
{
    struct pare_link_server *s = p->self;
    for (int i = 0; i < MAX_PEERS; i++) {
        s->peers[i] = s->peers[i] == p ? NULL : s->peers[i];
    }
    free(p);
    server_handle_closed(s);
}

static void guest_asks(struct peer *p, const json_t *body)
{
    struct pare_link_server *s = p->self;
    json_t *answer = body != NULL && !s->stopped ? s->answer(s->self, body) : NULL;
    if (answer == NULL || peer_send(p, PARE_FRAME_RETURN, answer, NULL) != PARE_OK) {
        p->lost = true;
        close_peer(p);
    }
    json_decref(answer);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct pare_link_server *s = stream->data;
    int at = 0;
    while (at < MAX_PEERS && s->peers[at] != NULL) {
        at++;
    }
    struct peer *p = status == 0 && !s->stopped ? calloc(1, sizeof *p) : NULL;
    if (p == NULL) {
        return;
    }
    p->self = s;
    p->arrived = guest_asks;
    p->closed = guest_closed;
    uv_pipe_init(stream->loop, &p->pipe, 0);
    p->pipe.data = p;
    s->n_open++;
    if (uv_accept(stream, (uv_stream_t *)&p->pipe) != 0 || at == MAX_PEERS) {
        close_peer(p);
        return;
    }
    s->peers[at] = p;
    start_reading(p);
}

enum pare_status pare_link_serve(uv_loop_t *loop, const char *path, void *self,
                                 json_t *(*answer)(void *self, const json_t *request),
                                 struct pare_link_server **server, struct pare_error *err)
{
    struct pare_link_server *s = calloc(1, sizeof *s);
    *server = NULL;
    if (s == NULL) {
        return pare_error_nomem(err);
    }
    s->self = self;
    s->answer = answer;
    snprintf(s->path, sizeof s->path, "%s", path);
    uv_pipe_init(loop, &s->pipe, 0);
    s->pipe.data = s;
    s->n_open = 1;
    (void)unlink(path); /* whoever left it is gone: the session's lock is ours */
    mode_t mask = umask(0177);
    int rc = uv_pipe_bind(&s->pipe, path);
    (void)umask(mask);
    rc = rc == 0 ? uv_listen((uv_stream_t *)&s->pipe, 4, on_connection) : rc;
    uv_unref((uv_handle_t *)&s->pipe);
    if (rc != 0) {
        s->path[0] = '\0';
        pare_link_stop(s);
        return pare_error(err, PARE_ERR_IO, path, "cannot listen: %s", uv_strerror(rc));
    }
    *server = s;
    return PARE_OK;
}

void pare_link_stop(struct pare_link_server *s)
{
    if (s == NULL || s->stopped) {
        return;
    }
    s->stopped = true;
    if (s->path[0] != '\0') {
        (void)unlink(s->path);
    }
    for (int i = 0; i < MAX_PEERS; i++) {
        if (s->peers[i] != NULL) {
            close_peer(s->peers[i]);
        }
    }
    uv_close((uv_handle_t *)&s->pipe, on_server_closed);
}

/* ---- the follower ---- */

struct pare_link_client {
    struct peer peer;
    uv_connect_t connect;
    void *self;
    void (*answered)(void *self, const json_t *answer);
    bool hung_up;
};

static void client_arrived(struct peer *p, const json_t *body)
{
    struct pare_link_client *c = p->self;
    if (!c->hung_up) {
        c->answered(c->self, body);
    }
}

static void client_closed(struct peer *p)
{
    free(p->self);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct pare_link_client *c = request->data;
    if (status != 0) {
        peer_lost(&c->peer);
    } else if (!c->hung_up) {
        start_reading(&c->peer);
    }
}

enum pare_status pare_link_connect(uv_loop_t *loop, const char *path, void *self,
                                   void (*answered)(void *self, const json_t *answer),
                                   struct pare_link_client **client, struct pare_error *err)
{
    struct pare_link_client *c = calloc(1, sizeof *c);
    *client = NULL;
    if (c == NULL) {
        return pare_error_nomem(err);
    }
    c->self = self;
    c->answered = answered;
    c->peer.self = c;
    c->peer.arrived = client_arrived;
    c->peer.closed = client_closed;
    uv_pipe_init(loop, &c->peer.pipe, 0);
    c->peer.pipe.data = &c->peer;
    c->connect.data = c;
    uv_pipe_connect(&c->connect, &c->peer.pipe, path, on_connected);
    *client = c;
    return PARE_OK;
}

enum pare_status pare_link_ask(struct pare_link_client *c, const json_t *request, struct pare_error *err)
{
    return peer_send(&c->peer, PARE_FRAME_CALL, request, err);
}

void pare_link_hang_up(struct pare_link_client *c)
{
    if (c != NULL && !c->hung_up) {
        c->hung_up = true;
        c->peer.lost = true;
        close_peer(&c->peer);
    }
}
