#include "lua/sandbox.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>

#include "base/file.h"
#include "lua/declared.h"

#define DEFAULT_MEMORY ((size_t)64 << 20)
#define DEFAULT_TIME_MS 5000.0
#define MAX_SCRIPT_BYTES ((size_t)1 << 20)
#define HOOK_COUNT 10000

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *allocate(void *self, void *old, size_t old_size, size_t size)
{
    struct pare_lua *lua = self;
    if (old == NULL) {
        old_size = 0; /* Lua passes the kind of object here */
    }
    if (size == 0) {
        lua->mem_used -= old_size;
        free(old);
        return NULL;
    }
    if (size > old_size) {
        const bool failed = lua->fail_at == 1;
        lua->fail_at -= lua->fail_at > 1;
        if (failed || lua->mem_used - old_size > lua->limits.mem_bytes - size ||
            size > lua->limits.mem_bytes) {
            return NULL;
        }
    }
    void *p = realloc(old, size);
    if (p != NULL) {
        lua->mem_used = lua->mem_used - old_size + size;
    }
    return p;
}

static void hook(lua_State *L, lua_Debug *ar)
{
    struct pare_lua *lua = pare_lua_of(L);
    (void)ar;
    if (lua->deadline > 0 && (lua->expired || thread_seconds() > lua->deadline)) {
        lua->expired = true;
        lua_sethook(L, hook, LUA_MASKLINE | LUA_MASKCALL | LUA_MASKCOUNT, 1);
        luaL_error(L, "the time limit of %d ms is reached", (int)lua->limits.time_ms);
    }
}

struct pare_lua *pare_lua_of(lua_State *L)
{
    struct pare_lua *lua;
    memcpy(&lua, lua_getextraspace(L), sizeof lua);
    return lua;
}

enum pare_status pare_lua_new(const struct pare_lua_limits *limits, struct pare_lua **out,
                              struct pare_error *err)
{
    *out = NULL;
    struct pare_lua *lua = calloc(1, sizeof *lua);
    if (lua == NULL) {
        return pare_error_nomem(err);
    }
    lua->limits.time_ms = limits != NULL ? limits->time_ms : DEFAULT_TIME_MS;
    lua->limits.mem_bytes =
        limits != NULL && limits->mem_bytes > 0 ? limits->mem_bytes : DEFAULT_MEMORY;
    strcpy(lua->dir, ".");
    lua->L = lua_newstate(allocate, lua);
    if (lua->L == NULL) {
        free(lua);
        return pare_error_nomem(err);
    }
    memcpy(lua_getextraspace(lua->L), &lua, sizeof lua);
    const enum pare_status status = pare_lua_protect(lua, pare_lua_open_libs, NULL, err);
    if (status != PARE_OK) {
        pare_lua_free(lua);
        return status;
    }
    *out = lua;
    return PARE_OK;
}

void pare_lua_free(struct pare_lua *lua)
{
    if (lua != NULL) {
        lua_sethook(lua->L, NULL, 0, 0);
        lua_close(lua->L);
        free(lua);
    }
}

/* "name.lua:12: text" -> where = dir/name.lua:12, message = text. */
static enum pare_status lua_error_of(struct pare_lua *lua, const char *text, struct pare_error *err)
{
    const char *colon = strstr(text, ".lua:");
    char where[sizeof err->where];
    if (colon != NULL && memchr(text, ' ', (size_t)(colon - text)) == NULL &&
        isdigit((unsigned char)colon[5])) {
        const char *end = colon + 5;
        while (isdigit((unsigned char)*end)) {
            end++;
        }
        if (end[0] == ':' && end[1] == ' ') {
            snprintf(where, sizeof where, "%.400s/%.*s", lua->dir,
                     (int)(end - text < 100 ? end - text : 100), text);
            return pare_error(err, PARE_ERR_CONFIG, where, "%s", end + 2);
        }
    }
    return pare_error(err, PARE_ERR_CONFIG, lua->dir, "%s", text);
}

/* The message handler: strings and numbers stay, other error values become words. Calls no
 * metamethod. */
static int to_message(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TSTRING && lua_type(L, 1) != LUA_TNUMBER) {
        lua_pushfstring(L, "the script raised a %s value", luaL_typename(L, 1));
    }
    return 1;
}

int pare_lua_nomem(lua_State *L)
{
    pare_lua_of(L)->host_nomem = true;
    return luaL_error(L, "not enough memory");
}

static enum pare_status finish(struct pare_lua *lua, int status, struct pare_error *err)
{
    lua_State *L = lua->L;
    enum pare_status result = PARE_OK;
    if (status == LUA_ERRMEM) {
        result = pare_error(err, PARE_ERR_NOMEM, lua->dir,
                            "the script needs more than its %zu MiB of memory",
                            lua->limits.mem_bytes >> 20);
    } else if (status != LUA_OK) {
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        result = lua_error_of(lua, text != NULL ? text : "an error without a message", err);
        if (lua->host_nomem && text != NULL && strstr(text, "not enough memory") != NULL) {
            result = pare_error(err, PARE_ERR_NOMEM, lua->dir, "out of memory");
        }
    }
    if (status != LUA_OK) {
        lua_settop(L, 0);
    }
    lua->host_nomem = false;
    return result;
}

enum pare_status pare_lua_protect(struct pare_lua *lua, lua_CFunction f, void *data,
                                  struct pare_error *err)
{
    lua_State *L = lua->L;
    if (!lua_checkstack(L, 4)) {
        return pare_error_nomem(err);
    }
    lua_pushcfunction(L, f);
    lua_pushlightuserdata(L, data);
    return finish(lua, lua_pcall(L, 1, 0, 0), err);
}

enum pare_status pare_lua_call(struct pare_lua *lua, int n_in, int n_out, struct pare_error *err)
{
    lua_State *L = lua->L;
    const int base = lua_gettop(L) - n_in;
    if (!lua_checkstack(L, 4)) {
        return pare_error_nomem(err);
    }
    lua_pushcfunction(L, to_message);
    lua_insert(L, base);
    lua->expired = false;
    lua->deadline = lua->limits.time_ms > 0 ? thread_seconds() + lua->limits.time_ms / 1000 : 0;
    lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
    const int status = lua_pcall(L, n_in, n_out, base);
    lua_sethook(L, NULL, 0, 0);
    if (status == LUA_OK) {
        lua_remove(L, base);
    }
    return finish(lua, status, err);
}

void pare_lua_pause(struct pare_lua *lua)
{
    lua->paused_at = thread_seconds();
}

void pare_lua_resume(struct pare_lua *lua)
{
    if (lua->deadline > 0) {
        lua->deadline += thread_seconds() - lua->paused_at;
    }
}

struct load_args {
    const char *text, *chunk;
    size_t size;
    int status;
};

static int load_text(lua_State *L)
{
    struct load_args *a = lua_touserdata(L, 1);
    a->status = luaL_loadbufferx(L, a->text, a->size, a->chunk, "t");
    if (a->status == LUA_ERRSYNTAX) {
        return lua_error(L);
    }
    if (a->status != LUA_OK) {
        return luaL_error(L, "not enough memory to load the script");
    }
    return 1;
}

enum pare_status pare_lua_load_text(struct pare_lua *lua, const char *path, const char *text, size_t size, struct pare_error *err)
{
    char chunk[256];
    const char *slash = strrchr(path, '/');
    snprintf(chunk, sizeof chunk, "@%.50s", slash != NULL ? slash + 1 : path);
    struct load_args args = {text, chunk, size, LUA_OK};
    if (args.size >= 3 && memcmp(args.text, "\xEF\xBB\xBF", 3) == 0) {
        args.text += 3;
        args.size -= 3;
    }
    if (args.size > 0 && (memchr(args.text, '\0', args.size) != NULL || args.text[0] == '\x1B')) {
        return pare_error(err, PARE_ERR_FORMAT, path, "this is no Lua text");
    }
    if (lua->hash != NULL) {
        pare_hash_add_string(lua->hash, chunk);
        if (lua->declares && lua->require_depth == 0) {
            pare_lua_hash_declared(lua->hash, args.text, args.size);
        } else {
            pare_hash_add(lua->hash, text, size);
        }
    }
    if (!lua_checkstack(lua->L, 4)) {
        return pare_error_nomem(err);
    }
    lua_pushcfunction(lua->L, load_text);
    lua_pushlightuserdata(lua->L, &args);
    return finish(lua, lua_pcall(lua->L, 1, 1, 0), err);
}

enum pare_status pare_lua_load_file(struct pare_lua *lua, const char *path, struct pare_error *err)
{
    struct pare_file file;
    enum pare_status status = pare_file_open(path, MAX_SCRIPT_BYTES, &file, err);
    if (status == PARE_OK) {
        status = pare_lua_load_text(lua, path, (const char *)file.data, file.size, err);
        pare_file_close(&file);
    }
    return status;
}

/* ---- tables that cannot be changed ---- */

static int locked_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    if (lua_type(L, 2) == LUA_TSTRING) {
        return luaL_error(L, "there is no %s '%s'", lua_tostring(L, lua_upvalueindex(2)),
                          lua_tostring(L, 2));
    }
    return luaL_error(L, "a %s is found by its name", lua_tostring(L, lua_upvalueindex(2)));
}

static int locked_newindex(lua_State *L)
{
    return luaL_error(L, "this table cannot be changed");
}

void pare_lua_lock_table(lua_State *L, const char *what)
{
    luaL_checkstack(L, 6, NULL);
    lua_newtable(L);          /* table proxy */
    lua_createtable(L, 0, 3); /* table proxy meta */
    lua_pushvalue(L, -3);
    lua_pushstring(L, what);
    lua_pushcclosure(L, locked_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, locked_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}
