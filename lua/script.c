#include "lua/script.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/json.h"
#include "lua/sandbox.h"

#define MAX_DEPTH 64
#define PIPELINE_TYPE "pare.pipeline"

/* ---- JSON <-> Lua ---- */

void pare_lua_push_json(lua_State *L, const json_t *json)
{
    size_t i;
    const char *key;
    json_t *item;
    luaL_checkstack(L, 4, "value nested too deep");
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(json));
        json_object_foreach((json_t *)(uintptr_t)json, key, item) {
            if (!json_is_null(item)) {
                pare_lua_push_json(L, item);
                lua_setfield(L, -2, key);
            }
        }
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(json), 0);
        json_array_foreach((json_t *)(uintptr_t)json, i, item) {
            if (json_is_null(item)) {
                lua_pushboolean(L, 0); /* keeps the list without holes */
            } else {
                pare_lua_push_json(L, item);
            }
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case JSON_STRING: lua_pushlstring(L, json_string_value(json), json_string_length(json)); break;
    case JSON_INTEGER: lua_pushinteger(L, json_integer_value(json)); break;
    case JSON_REAL: lua_pushnumber(L, json_real_value(json)); break;
    case JSON_TRUE:
    case JSON_FALSE: lua_pushboolean(L, json_is_true(json)); break;
    case JSON_NULL: lua_pushnil(L); break;
    }
}

/* A table with t[1] is a list. NULL when something cannot travel: *why says what. odd_numbers: numbers that are not finite
 * travel as text, for who names them better. */
static json_t *to_json(lua_State *L, int index, int depth, bool odd_numbers, const char **why)
{
    index = lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TNIL: return json_null();
    case LUA_TBOOLEAN: return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            return json_integer(lua_tointeger(L, index));
        }
        if (odd_numbers && !isfinite(lua_tonumber(L, index))) {
            const double x = lua_tonumber(L, index);
            return json_string(isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        }
        if (!isfinite(lua_tonumber(L, index))) {
            *why = "a number that is not finite";
            return NULL;
        }
        return json_real(lua_tonumber(L, index));
    case LUA_TSTRING: {
        size_t n;
        const char *text = lua_tolstring(L, index, &n);
        json_t *json = json_stringn(text, n);
        *why = json == NULL ? "a string that is not UTF-8" : *why;
        return json;
    }
    case LUA_TTABLE: break;
    default: *why = "a value that is no number, string, boolean or table"; return NULL;
    }
    if (depth > MAX_DEPTH || !lua_checkstack(L, 6)) {
        *why = "a table nested too deep";
        return NULL;
    }
    bool list = lua_rawlen(L, index) > 0;
    json_t *json = list ? json_array() : json_object();
    for (lua_pushnil(L); json != NULL && lua_next(L, index) != 0; lua_pop(L, 1)) {
        json_t *item = NULL;
        if (list ? !lua_isinteger(L, -2) : lua_type(L, -2) != LUA_TSTRING) {
            *why = "a table that is neither a list nor has names only";
        } else {
            item = to_json(L, -1, depth + 1, odd_numbers, why);
        }
        if (item == NULL || (list ? 0 : json_object_set_new(json, lua_tostring(L, -2), item)) != 0) {
            json_decref(json);
            json = NULL;
            lua_pop(L, 1);
            break;
        }
        if (list) {
            json_decref(item);
        }
    }
    for (lua_Integer i = 1; list && json != NULL && i <= (lua_Integer)lua_rawlen(L, index); i++) {
        lua_rawgeti(L, index, i);
        json_t *item = to_json(L, -1, depth + 1, odd_numbers, why);
        lua_pop(L, 1);
        if (item == NULL || json_array_append_new(json, item) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

json_t *pare_lua_to_json(lua_State *L, int index, const char **why)
{
    return to_json(L, index, 0, false, why);
}

json_t *pare_lua_rows_to_json(lua_State *L, int index, const char **why)
{
    return to_json(L, index, 0, true, why);
}

/* ---- calls ---- */

static struct pare_worker *worker_of(lua_State *L)
{
    return pare_lua_of(L)->user;
}

/* Sends a call, pushes its value; on failure nil, message, code (expected failures do not raise). */
static int call_front(lua_State *L, const char *verb, json_t *args_take)
{
    struct pare_error err = {0};
    json_t *value = NULL;
    pare_lua_pause(pare_lua_of(L));
    enum pare_status status = pare_worker_call(worker_of(L), verb, args_take, &value, &err);
    pare_lua_resume(pare_lua_of(L));
    if (status != PARE_OK) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s%s%s", err.where, err.where[0] != '\0' ? ": " : "", err.message);
        lua_pushinteger(L, (lua_Integer)status);
        return 3;
    }
    if (value == NULL) {
        lua_pushboolean(L, 1);
        return 1;
    }
    pare_lua_push_json(L, value);
    json_decref(value);
    return 1;
}

static json_t *check_table(lua_State *L, int index)
{
    const char *why = "an odd value";
    json_t *json = lua_isnoneornil(L, index) ? json_object() : NULL;
    if (json == NULL) {
        luaL_checktype(L, index, LUA_TTABLE);
        json = to_json(L, index, 0, false, &why);
        if (json_is_array(json) && json_array_size(json) == 0) {
            json_decref(json);
            json = json_object();
        }
    }
    if (!json_is_object(json)) {
        json_decref(json);
        luaL_argerror(L, index, why);
    }
    return json;
}

static lua_Integer check_pipeline(lua_State *L)
{
    return *(lua_Integer *)luaL_checkudata(L, 1, PIPELINE_TYPE);
}

/* The table at index as JSON, its rows apart: what is odd in them is named by the front. */
static json_t *check_budget(lua_State *L, int index)
{
    const char *why = "an odd value";
    json_t *rows = NULL;
    if (lua_istable(L, index) && lua_getfield(L, index, "rows") != LUA_TNIL) {
        rows = pare_lua_rows_to_json(L, -1, &why);
        if (rows == NULL) {
            (void)luaL_error(L, "rows: %s", why);
        }
        lua_newtable(L); /* the others: the caller's table stays as it is */
        for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "rows") != 0) {
                lua_pushvalue(L, -2);
                lua_pushvalue(L, -2);
                lua_rawset(L, -5);
            }
        }
        lua_replace(L, index);
    }
    json_t *args = check_table(L, index);
    if (rows != NULL) {
        json_object_set_new(args, "rows", rows);
    }
    return args;
}

static int pipeline_verb(lua_State *L, const char *verb)
{
    lua_Integer id = check_pipeline(L);
    json_t *args = check_budget(L, 2);
    return call_front(L, "verb", json_pack("{s:I, s:s, s:o}", "id", (json_int_t)id, "verb", verb, "args", args));
}

static int p_sense(lua_State *L) { return pipeline_verb(L, "sense"); }
static int p_explain(lua_State *L) { return pipeline_verb(L, "explain"); }
static int p_bench(lua_State *L) { return pipeline_verb(L, "bench"); }
static int p_eval(lua_State *L) { return pipeline_verb(L, "eval"); }
static int p_solve(lua_State *L) { return pipeline_verb(L, "solve"); }
static int p_front(lua_State *L) { return pipeline_verb(L, "front"); }
static int p_compare(lua_State *L) { return pipeline_verb(L, "compare"); }
static int p_problem(lua_State *L) { return pipeline_verb(L, "problem"); }
static int p_propose(lua_State *L) { return pipeline_verb(L, "propose"); }

static int p_pin(lua_State *L)
{
    lua_Integer id = check_pipeline(L);
    const char *pin = luaL_checkstring(L, 2);
    lua_pushfstring(L, "pin '%s'", pin);
    return call_front(L, "command", json_pack("{s:I, s:s}", "id", (json_int_t)id, "line", lua_tostring(L, -1)));
}

static int p_tie(lua_State *L)
{
    lua_Integer id = check_pipeline(L);
    const char *tie = luaL_checkstring(L, 2);
    lua_pushfstring(L, "tie '%s'", tie);
    return call_front(L, "command", json_pack("{s:I, s:s}", "id", (json_int_t)id, "line", lua_tostring(L, -1)));
}

/* p:row{...}: the row travels as JSON; a quote in it must not end the command's word. */
static int p_row(lua_State *L)
{
    lua_Integer id = check_pipeline(L);
    const char *why = "an odd value";
    luaL_checktype(L, 2, LUA_TTABLE);
    json_t *row = pare_lua_rows_to_json(L, 2, &why);
    char *text = row != NULL ? json_dumps(row, JSON_COMPACT) : NULL;
    json_decref(row);
    if (text == NULL) {
        return luaL_argerror(L, 2, why);
    }
    lua_pushstring(L, text);
    free(text);
    luaL_gsub(L, lua_tostring(L, -1), "'", "\\u0027");
    lua_pushfstring(L, "row '%s'", lua_tostring(L, -1));
    return call_front(L, "command", json_pack("{s:I, s:s}", "id", (json_int_t)id, "line", lua_tostring(L, -1)));
}

static int p_free(lua_State *L)
{
    lua_Integer id = check_pipeline(L);
    const char *glob = luaL_checkstring(L, 2);
    lua_pushfstring(L, "free '%s'", glob);
    return call_front(L, "command", json_pack("{s:I, s:s}", "id", (json_int_t)id, "line", lua_tostring(L, -1)));
}

static int p_quantize(lua_State *L)
{
    lua_Integer id = check_pipeline(L);
    const char *rules = luaL_checkstring(L, 2);
    lua_pushfstring(L, "quantize '%s'", rules[0] != '\0' ? rules : "none");
    return call_front(L, "command", json_pack("{s:I, s:s}", "id", (json_int_t)id, "line", lua_tostring(L, -1)));
}

static int p_command(lua_State *L)
{
    lua_Integer id = check_pipeline(L);
    return call_front(L, "command", json_pack("{s:I, s:s}", "id", (json_int_t)id, "line", luaL_checkstring(L, 2)));
}

static int p_close(lua_State *L)
{
    return call_front(L, "close", json_pack("{s:I}", "id", (json_int_t)check_pipeline(L)));
}

static int p_points(lua_State *L)
{
    return call_front(L, "points", json_pack("{s:I}", "id", (json_int_t)check_pipeline(L)));
}

static int p_export(lua_State *L)
{
    lua_Integer id = check_pipeline(L);
    json_t *args = check_table(L, 2);
    json_object_set_new(args, "id", json_integer(id));
    return call_front(L, "export", args);
}

/* p:policy(name, function(problem) ... return {layer = level} end [, budget]): the policy's answer is a run like a solver's. */
static int p_policy(lua_State *L)
{
    lua_Integer id = check_pipeline(L);
    const char *name = luaL_checkstring(L, 2), *why = "an odd value";
    luaL_checktype(L, 3, LUA_TFUNCTION);
    json_t *budget = check_budget(L, 4), *args = json_copy(budget);
    int n = call_front(L, "verb", json_pack("{s:I, s:s, s:o}", "id", (json_int_t)id, "verb", "problem", "args", budget));
    if (n != 1) {
        json_decref(args);
        return n;
    }
    lua_pushvalue(L, 3);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        json_decref(args);
        return lua_error(L);
    }
    json_t *config = lua_istable(L, -1) ? to_json(L, -1, 0, false, &why) : NULL;
    if (!json_is_object(config)) {
        json_decref(config);
        json_decref(args);
        return luaL_error(L, "policy '%s': expected a table {layer = level}, found %s", name, luaL_typename(L, -1));
    }
    json_object_set_new(args, "config", config);
    json_object_set_new(args, "method", json_string(name));
    return call_front(L, "verb", json_pack("{s:I, s:s, s:o}", "id", (json_int_t)id, "verb", "propose", "args", args));
}

/* pare.open(path [, {models=, levels=, samples=}]) -> pipeline, description */
static int m_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    json_t *args = check_table(L, 2);
    json_object_set_new(args, "path", json_string(path));
    int n = call_front(L, "open", args);
    if (n != 1) {
        return n;
    }
    lua_getfield(L, -1, "id");
    lua_Integer id = lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_Integer *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    *handle = id;
    luaL_setmetatable(L, PIPELINE_TYPE);
    lua_insert(L, -2);
    return 2;
}

/* pare.write(path, text): the whole file or nothing. */
static int m_write(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);
    json_t *args = json_pack("{s:s, s:s}", "path", path, "text", text);
    luaL_argcheck(L, args != NULL, 2, "expected UTF-8 text");
    return call_front(L, "write", args);
}

static int m_chart(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    return call_front(L, "chart", check_table(L, 1));
}

/* The functions of one owner into the table on top of the stack. */
static void add_functions(lua_State *L, const char *wanted)
{
    static const struct {
        const char *owner, *name;
        lua_CFunction function;
    } verbs[] = {
#define PARE_LUA_VERB(owner, name, function, parameters, results, doc) {#owner, #name, function},
#include "lua/script.inc"
    };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].owner, wanted) == 0) {
            lua_pushcfunction(L, verbs[i].function);
            lua_setfield(L, -2, verbs[i].name);
        }
    }
}

static int register_module(lua_State *L)
{
    const json_t *args = lua_touserdata(L, 1);
    luaL_newmetatable(L, PIPELINE_TYPE);
    lua_newtable(L);
    add_functions(L, "pipeline");
    pare_lua_lock_table(L, "method");
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "pipeline");
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_pushglobaltable(L);
    lua_newtable(L);
    add_functions(L, "pare");
    pare_lua_lock_table(L, "function of pare");
    lua_pushliteral(L, "pare");
    lua_insert(L, -2);
    lua_rawset(L, -3);
    lua_pushliteral(L, "arg");
    pare_lua_push_json(L, args);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return 0;
}

static void print_line(void *self, const char *line)
{
    pare_worker_print(self, line);
}

enum pare_status pare_lua_run_script(struct pare_worker *w, const json_t *params, json_t **result, struct pare_error *err)
{
    struct pare_lua_limits limits = {.time_ms = 60000, .mem_bytes = (size_t)256 << 20};
    struct pare_lua *lua = NULL;
    const char *path = pare_json_get_string(params, "path", "");
    enum pare_status status = pare_lua_new(&limits, &lua, err);
    if (status != PARE_OK) {
        return status;
    }
    lua->user = w;
    lua->print = print_line;
    lua->print_self = w;
    status = pare_lua_protect(lua, register_module, (void *)(uintptr_t)json_object_get(params, "args"), err);
    if (status == PARE_OK) {
        status = pare_lua_load_file(lua, path, err);
    }
    if (status == PARE_OK) {
        status = pare_lua_call(lua, 0, 0, err);
    }
    pare_lua_free(lua);
    if (status == PARE_ERR_CONFIG) {
        status = err->code = PARE_ERR_FAIL; /* a script that fails is no bad configuration */
    }
    if (status == PARE_OK) {
        *result = json_object();
    }
    return status;
}
