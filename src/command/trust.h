/*
 * trust.h: code that somebody else could have written. A pipeline.lua and a batch script run in a sandbox, but they run:
 * one that belongs to another user, or that others may write, is run only after it was trusted once, by the SHA-256 of it
 * and the modules beside it ($XDG_STATE_HOME/pare/trust, one line each: hash, path). What belongs to us or to root, and
 * what lies in the source tree that the running program was built in, is trusted as it is. The same holds for a plugin
 * (.so, alone), which runs in a process of its own but in no sandbox.
 */
#ifndef PARE_TRUST_H
#define PARE_TRUST_H

#include <limits.h>
#include <stdbool.h>

#include "base/status.h"

struct pare_trust {
    char path[PATH_MAX]; /* the file that would run */
    char why[160];       /* "it belongs to bob" */
    char hash[65];
    bool native;         /* a shared object: no sandbox around it */
};

/* path: a pipeline (folder or file), a script or a plugin; models without Lua are OK. exe: the running program. Foreign and not
 * trusted: ERR_PERMISSION, and t filled. */
enum pare_status pare_trust_check(const char *path, const char *exe, struct pare_trust *t, struct pare_error *err);
/* Trusts this version from now on. */
enum pare_status pare_trust_add(const struct pare_trust *t, struct pare_error *err);

#endif
