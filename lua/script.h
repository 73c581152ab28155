/*
 * script.h: batch scripts: the `pare` module in a worker. Every function travels to the front as a call.
 */
#ifndef PARE_LUA_SCRIPT_H
#define PARE_LUA_SCRIPT_H

#include <lua.h>

#include "job/worker.h"
#include "search/solver.h"

/* The job kind "script": params {path, args}. */
enum pare_status pare_lua_run_script(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err);

/* One step of the solver in the Lua file that s->user, a struct pare_solver_file, holds (lua/solver.c says what it gets and gives). Errors name file and line. */
enum pare_status pare_lua_step(struct pare_step *s, struct pare_error *err);

/* ---- for this room ---- */

/* Pushes a value; nulls in lists become false. May raise. */
void pare_lua_push_json(lua_State *L, const json_t *json);
/* The value at index as JSON (a table with t[1] is a list); NULL when something in it cannot travel: *why says what. */
json_t *pare_lua_to_json(lua_State *L, int index, const char **why);
/* The same for `rows`: numbers that are not finite become "inf", "-inf", "nan", so that the row can be named. */
json_t *pare_lua_rows_to_json(lua_State *L, int index, const char **why);

#endif
