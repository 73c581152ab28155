/* peers_parts.h: shared by peers.c (helpers, products) and peers_models.c (networks). */
#ifndef PARE_PEERS_PARTS_H
#define PARE_PEERS_PARTS_H

#include "measure/peer_link.h"
#include "measure/peers.h"

enum { PEERS_LINKS = 5, PEERS_MOST = 8 };

struct peers {
    const struct pare_peers_options *options;
    struct pare_peer_link links[PEERS_LINKS]; /* 0: the helper, then one per Python */
    int n_links, next_id, n_rows;
    struct pare_series *series;               /* [PEERS_MOST] */
};

/* One loaded piece of work of a peer. */
struct peer_work {
    struct pare_peer_link *link;
    int id;
    const char *peer, *level;
    struct pare_error err;
    bool broken;
};

/* Loads "PEER ARGS" in the first helper that can; false after saying why not. */
bool peers_load(struct peers *p, const char *name, const char *peer, const char *args, struct peer_work *work);
/* For a contender. */
void peers_run_once(void *peer_work);
double peers_run_many(void *peer_work, int n, double *own_ns);
/* Gives a row for contender ours beside contender theirs, which is work. */
void peers_row(struct peers *p, struct pare_peer_row *row, int ours, int theirs, const struct peer_work *work, bool tiles);

/* peers_models.c */
enum pare_status peers_model(struct peers *p, const char *path, struct pare_error *err);

#endif
