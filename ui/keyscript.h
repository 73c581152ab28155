/*
 * keyscript.h: key scripts: what a person would press, as text; for tests and pictures.
 *
 *   # comment
 *   j j ENTER C-l        keys, separated by blanks (names of keys.h)
 *   "text"               typed letter by letter
 *   :command ...         a command line of the workbench
 *   :save-display FILE   writes the screen as text
 *   :resize 120x36
 *   :wait [SECONDS]      runs the loop until no work is left (or so many seconds passed)
 */
#ifndef PARE_KEYSCRIPT_H
#define PARE_KEYSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Reads a whole script; *text is NUL-terminated, the caller frees it. */
enum pare_status pare_keyscript_read(const char *path, char **text, size_t *size,
                                     struct pare_error *err);

struct uv_loop_s;
/* Runs the loop (loop.c) until `idle` says so, or so many seconds passed. */
void pare_loop_wait(struct uv_loop_s *loop, double seconds, bool (*idle)(void *user), void *user);

#endif
