/*
 * script.h: batch scripts: the `pare` module in a worker. Every function travels to the front as a call.
 */
#ifndef PARE_LUA_SCRIPT_H
#define PARE_LUA_SCRIPT_H

#include "job/worker.h"

/* The job kind "script": params {path, args}. */
enum pare_status pare_lua_run_script(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);

#endif
