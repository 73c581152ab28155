/*
 * bind.h: the user's own keys, from $XDG_CONFIG_HOME/pare/keys. One binding a line, before the built-in ones:
 *
 *   # comment
 *   KEY COMMAND [ARGUMENTS]     a command of the workbench, as typed after ':'
 *   KEY none                    the key does nothing
 *
 * KEY as in keys.h: a letter, C-x, SPACE, TAB, ENTER, F1, UP, ... Keys that move and keys of prompts stay as they are
 * unless a line names them; prompts are never bound.
 */
#ifndef PARE_BIND_H
#define PARE_BIND_H

#include "base/status.h"

#define PARE_MAX_BINDINGS 64

struct pare_bindings {
    int n;
    int key[PARE_MAX_BINDINGS];
    char line[PARE_MAX_BINDINGS][160];
};

/* ERR_CONFIG names file, line and what is wrong; ERR_NOINPUT when there is no such file. */
enum pare_status pare_bindings_read(struct pare_bindings *b, const char *path, struct pare_error *err);
/* The command line of a key, "none", or NULL when it is not bound. */
const char *pare_bindings_line(const struct pare_bindings *b, int key);

#endif
