#include "lua/sandbox.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/strbuf.h"

#define MAX_REPEAT 10000000
#define MAX_REQUIRE_DEPTH 16

/* ---- text without addresses ---- */

/* Pushes argument i as text; tables, functions and the like by kind only. */
static const char *push_text(lua_State *L, int i, size_t *n)
{
    switch (lua_type(L, i)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
        return luaL_tolstring(L, i, n);
    default:
        if (luaL_getmetafield(L, i, "__tostring") != LUA_TNIL) {
            lua_pop(L, 1);
            return luaL_tolstring(L, i, n);
        }
        lua_pushstring(L, luaL_typename(L, i));
        return lua_tolstring(L, -1, n);
    }
}

static int safe_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    push_text(L, 1, NULL);
    return 1;
}

static int safe_print(lua_State *L)
{
    struct pare_lua *lua = pare_lua_of(L);
    const int n = lua_gettop(L);
    luaL_Buffer b;
    if (lua->print == NULL) {
        return 0;
    }
    luaL_checkstack(L, 8, NULL);
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1) {
            luaL_addchar(&b, ' ');
        }
        push_text(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    char *escaped = lua_newuserdatauv(L, 4 * size + 1, 0);
    const char *const stop = text + size, *end = NULL;
    do { /* hosts show single lines */
        text = end != NULL ? end + 1 : text;
        end = memchr(text, '\n', (size_t)(stop - text));
        const size_t length = (size_t)((end != NULL ? end : stop) - text);
        pare_escape(text, length, escaped, 4 * length + 1);
        lua->print(lua->print_self, escaped);
    } while (end != NULL);
    return 0;
}

/* string.format; upvalue 1 is the real one. %p is refused, objects become their kind. */
static int safe_format(lua_State *L)
{
    size_t size;
    const char *format = luaL_checklstring(L, 1, &size);
    for (size_t i = 0; i + 1 < size; i++) {
        if (format[i] != '%') {
            continue;
        }
        for (i++; i < size && strchr("-+ #0123456789.", format[i]) != NULL && format[i] != '\0';) {
            i++;
        }
        luaL_argcheck(L, i >= size || format[i] != 'p', 1, "%p is not available");
    }
    const int n = lua_gettop(L);
    luaL_checkstack(L, n + 2, "too many values");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    for (int i = 2; i <= n; i++) {
        if (lua_type(L, i) >= LUA_TTABLE || lua_type(L, i) == LUA_TLIGHTUSERDATA) {
            push_text(L, i, NULL);
        } else {
            lua_pushvalue(L, i);
        }
    }
    lua_call(L, n, 1);
    return 1;
}

/* ---- functions that could run too long without the hook ---- */

static int safe_rep(lua_State *L)
{
    luaL_argcheck(L, luaL_checkinteger(L, 2) <= MAX_REPEAT, 2, "too many repetitions");
    const int n = lua_gettop(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, n, 1);
    return 1;
}

static int safe_move(lua_State *L)
{
    const lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    luaL_argcheck(L, last < first || (lua_Unsigned)last - (lua_Unsigned)first <= MAX_REPEAT, 3,
                  "too many elements");
    const int n = lua_gettop(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, n, 1);
    return 1;
}

/* ---- base ---- */

static int safe_load(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    const char *name = luaL_optstring(L, 2, "=(load)");
    const bool has_env = lua_gettop(L) >= 4;
    if (luaL_loadbufferx(L, text, size, name, "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 4);
        lua_setupvalue(L, -2, 1);
    }
    return 1;
}

static int safe_setmetatable(lua_State *L)
{
    static const char *const refused[] = {"__gc", "__close", "__mode"};
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "expected a table or nil");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
        return luaL_error(L, "this metatable is protected");
    }
    for (int i = 0; lua_istable(L, 2) && i < 3; i++) {
        lua_pushstring(L, refused[i]);
        if (lua_rawget(L, 2) != LUA_TNIL) {
            return luaL_error(L, "%s is not available", refused[i]);
        }
        lua_pop(L, 1);
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int undeclared_read(lua_State *L)
{
    return luaL_error(L, "global '%s' is not declared",
                      lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2));
}

static int undeclared_write(lua_State *L)
{
    return luaL_error(L, "global '%s' is not declared: write 'local' before it",
                      lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2));
}

static int safe_randomseed(lua_State *L)
{
    luaL_checkinteger(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 0);
    return 0;
}

/* ---- require ---- */

static int safe_require(lua_State *L)
{
    struct pare_lua *lua = pare_lua_of(L);
    const char *name = luaL_checkstring(L, 1);
    char path[1400];
    struct stat st;
    struct pare_error error;
    for (const char *c = name; *c != '\0' || c == name; c++) {
        luaL_argcheck(L, isalnum((unsigned char)*c) || *c == '_', 1, "expected a plain name");
    }
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    lua_settop(L, 1);
    if (!lua->loading || lua->require_depth >= MAX_REQUIRE_DEPTH) {
        return luaL_error(L, lua->loading ? "modules require each other too deeply"
                                          : "require works only while the script is loaded");
    }
    snprintf(path, sizeof path, "%s/%.100s.lua", lua->dir, name);
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return luaL_error(L, "there is no file '%s.lua' beside the script", name);
    }
    /* The text is loaded on the main thread's stack; require may be called from a coroutine. */
    if (L != lua->L) {
        return luaL_error(L, "require is not available in a coroutine");
    }
    lua->require_depth++;
    const int top = lua_gettop(L);
    const enum pare_status status = pare_lua_load_file(lua, path, &error);
    if (status != PARE_OK) {
        lua->require_depth--;
        lua_settop(L, top < lua_gettop(L) ? top : lua_gettop(L));
        return luaL_error(L, "%s: %s", error.where, error.message);
    }
    lua_call(L, 0, 1); /* require_depth stays high when this raises: loading is over then */
    lua->require_depth--;
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(1));
    return 1;
}

/* ---- opening ---- */

static void wrap(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

static void forget(lua_State *L, const char *const *names)
{
    for (; *names != NULL; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
}

static void open_base(lua_State *L)
{
    static const luaL_Reg own[] = {{"tostring", safe_tostring},
                                   {"print", safe_print},
                                   {"load", safe_load},
                                   {"setmetatable", safe_setmetatable},
                                   {NULL, NULL}};
    static const char *const gone[] = {"dofile", "loadfile", "collectgarbage",
                                       "xpcall", "warn",     NULL};
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    forget(L, gone);
    luaL_setfuncs(L, own, 0);
    lua_newtable(L);
    lua_pushcclosure(L, safe_require, 1);
    lua_setfield(L, -2, "require");
    lua_pop(L, 1);
}

static void open_string(lua_State *L)
{
    static const char *const gone[] = {"dump", NULL};
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    forget(L, gone);
    wrap(L, "format", safe_format);
    wrap(L, "rep", safe_rep);
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

static void open_os(lua_State *L)
{
    static const char *const kept[] = {"clock", "time", "date"};
    lua_pushcfunction(L, luaopen_os);
    lua_call(L, 0, 1);
    lua_newtable(L);
    for (int i = 0; i < 3; i++) {
        lua_getfield(L, -2, kept[i]);
        lua_setfield(L, -2, kept[i]);
    }
    lua_setglobal(L, LUA_OSLIBNAME);
    lua_pop(L, 1);
}

int pare_lua_open_libs(lua_State *L)
{
    static const luaL_Reg strict[] = {
        {"__index", undeclared_read}, {"__newindex", undeclared_write}, {NULL, NULL}};
    static const char *const registry[] = {LUA_LOADED_TABLE, LUA_PRELOAD_TABLE, NULL};
    lua_settop(L, 0);
    open_base(L);
    open_string(L);
    open_os(L);
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    wrap(L, "move", safe_move);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, 1);
    lua_call(L, 1, 0); /* the same numbers in every run */
    wrap(L, "randomseed", safe_randomseed);
    luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
    luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 1);
    lua_settop(L, 0);
    lua_pushvalue(L, LUA_REGISTRYINDEX);
    forget(L, registry);
    lua_pushglobaltable(L);
    luaL_newlib(L, strict);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_settop(L, 0);
    return 0;
}
