/*
 * plugin.h: solvers in shared objects (plugins/pare_plugin.h is what they see). Their code runs only in processes that
 * base/contain.h makes.
 */
#ifndef PARE_PLUGIN_HOST_H
#define PARE_PLUGIN_HOST_H

#include "search/solver.h"

#define PARE_PLUGIN_SECONDS 30.0 /* of one process, unless --time-limit says otherwise */

/* One step of the plugin that s->user, a struct pare_solver_file, names. To be called in a contained process: the plugin is
 * loaded there by the first step, and stays. ERR_FORMAT: it is no plugin for this pare. ERR_CONFIG: this build loads none.
 * ERR_USAGE: it refuses the problem. ERR_INFEASIBLE: it says so. ERR_FAIL: it failed, gave nonsense, or its file changed. */
enum pare_status pare_plugin_step(struct pare_step *s, struct pare_error *err);

/* What the file at `path` says of itself: {"name", "version", "doc", "abi"}. It is loaded in a process of its own, for 2 s at
 * most. Errors as above. */
enum pare_status pare_plugin_inspect(const char *path, json_t **info, struct pare_error *err);

/* ---- for these files ---- */

struct pare_plugin;
/* In a contained process: loads the file for good and checks its entry. hash: what it has to be, or NULL. */
enum pare_status pare_plugin_load(const char *path, const char *hash, const struct pare_plugin **plugin, struct pare_error *err);

#endif
