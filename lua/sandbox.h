/*
 * sandbox.h: one Lua state with nothing dangerous in it and with limits. One state per script; no
 * globals.
 *
 * Inside: base (without dofile, loadfile, collectgarbage, xpcall; `load` takes text only), string
 * (without dump), table, math (random is seeded), utf8, coroutine, and os.clock, os.time, os.date.
 * `require` finds NAME.lua beside the script while the script is loaded. Reading or writing an
 * undeclared global is an error. Addresses never show. print goes to a function of the host.
 *
 * Limits: memory by the allocator, time (of this thread's processor) by a count hook that fires at
 * every line once the limit has passed, so that pcall cannot swallow it. A C function such as
 * string.find cannot be interrupted: whoever runs foreign scripts does so in a worker that can be
 * killed.
 *
 * xpcall is absent because a message handler called for an error that a hook raised runs without
 * hooks.
 * `__gc`, `__close` and `__mode` are refused in setmetatable.
 */
#ifndef PARE_LUA_SANDBOX_H
#define PARE_LUA_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#include "base/hash.h"
#include "base/status.h"

struct pare_lua_limits {
    double time_ms;   /* of one pare_lua_call, without time between pause and resume; 0 = none */
    size_t mem_bytes; /* of the whole state; 0 = 64 MiB */
};

struct pare_lua {
    lua_State *L;
    struct pare_lua_limits limits;
    size_t mem_used;
    long fail_at; /* tests: from this allocation on all fail (1 = the next; Lua tries again after
                     collecting); 0 = none */
    bool host_nomem; /* the host's memory was out; see pare_lua_nomem */
    double deadline; /* processor seconds of this thread */
    double paused_at;
    bool expired;
    bool loading; /* require works */
    int require_depth;
    char dir[1024];         /* of the script */
    struct pare_hash *hash; /* while loading: every Lua file that takes part is added; or NULL */
    bool declares;          /* the first of them is a pipeline.lua (declared.h) */
    void (*print)(void *self, const char *line);
    void *print_self;
    void *user; /* of the binding */
};

/* Opens the libraries. limits may be NULL (64 MiB, 5 s). */
enum pare_status pare_lua_new(const struct pare_lua_limits *limits, struct pare_lua **lua,
                              struct pare_error *err);
void pare_lua_free(struct pare_lua *lua);
struct pare_lua *pare_lua_of(lua_State *L);

/* Loads a text file (at most 1 MiB, regular, no byte code, no NUL) and leaves its function on the
 * stack. */
enum pare_status pare_lua_load_file(struct pare_lua *lua, const char *path, struct pare_error *err);
/* The same of a text that was read already; path names it. */
enum pare_status pare_lua_load_text(struct pare_lua *lua, const char *path, const char *text, size_t size, struct pare_error *err);
/* Calls the function below n_in arguments under the limits; n_out results stay on the stack (none
 * on error). Errors: where = "DIR/FILE.lua:LINE" when the message names one. */
enum pare_status pare_lua_call(struct pare_lua *lua, int n_in, int n_out, struct pare_error *err);
/* Runs f(lua, data) protected, without results: for host code that may raise (allocations, argument
 * checks). */
enum pare_status pare_lua_protect(struct pare_lua *lua, lua_CFunction f, void *data,
                                  struct pare_error *err);

/* Raises "not enough memory"; the call that runs the script then ends with ERR_NOMEM, not with an
 * error of the script. */
int pare_lua_nomem(lua_State *L);

/* The clock stops while the host works for the script (a stage runs). */
void pare_lua_pause(struct pare_lua *lua);
void pare_lua_resume(struct pare_lua *lua);

/* A proxy of the table on top of the stack that can be read but not changed; reading a name that is
 * not there raises "there is no WHAT 'NAME'". Replaces the table. May raise. */
void pare_lua_lock_table(lua_State *L, const char *what);

/* sandbox_libs.c: fills the globals. Runs protected. */
int pare_lua_open_libs(lua_State *L);

#endif
