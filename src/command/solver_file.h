/*
 * solver_file.h: where the file of `--method lua:NAME` or `plugin:NAME` lies.
 *
 *   lua:NAME        NAME.lua beside the pipeline        lua:PATH      a path with a '/' or that ends in .lua
 *   plugin:NAME     NAME.so in the folders below        plugin:PATH   a path with a '/' or that ends in .so
 *
 * Folders of plugins, the first that has it: those of $PARE_PLUGINS (separated by colons; only absolute ones count),
 * $XDG_DATA_HOME/pare/plugins, the pipeline's own. Wherever it lies, a file that others could have written is refused until it
 * was trusted (command/trust.h).
 */
#ifndef PARE_SOLVER_FILE_H
#define PARE_SOLVER_FILE_H

#include <limits.h>
#include <stdbool.h>

#include "base/json.h"

bool pare_solver_is_lua(const char *method);
bool pare_solver_is_plugin(const char *method);

/* The real path of the method's file, not yet looked at or trusted. pipeline: a folder or file, or NULL. Not there:
 * ERR_NOINPUT with the places. */
enum pare_status pare_solver_file_find(const char *pipeline, const char *method, char real[PATH_MAX], struct pare_error *err);

/* What `pare plugins` shows: {"schema", "folders": [path], "plugins": [{"name", "version", "doc", "abi", "path", "hash",
 * "hidden" (an earlier folder has one of this name), "error": {"code", "where", "message"} or null}]}. Each is loaded in a
 * process of its own, except those that are not trusted. exe: the running program. NULL when memory is out. */
json_t *pare_plugin_list(const char *pipeline, const char *exe);

#endif
