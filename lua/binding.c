#include "lua/binding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#define TENSOR "tensor"
#define OUTCOME "outcome"
#define MAX_VALUES 100000

struct handle {
    uint64_t generation;
    int index;
};

struct outcome_handle {
    uint64_t generation;
    struct pare_outcome outcome;
};

struct pare_binding *pare_binding_of(lua_State *L)
{
    return pare_lua_of(L)->user;
}

int pare_raise(lua_State *L, const struct pare_error *err)
{
    return err->code == PARE_ERR_NOMEM ? pare_lua_nomem(L) : luaL_error(L, "%s", err->message);
}

struct pare_arena *pare_check_arena(lua_State *L)
{
    struct pare_binding *b = pare_binding_of(L);
    if (b->arena == NULL) {
        luaL_error(L, "operations work only inside infer");
    }
    return b->arena;
}

/* ---- tensors ---- */

struct pare_value *pare_check_tensor(lua_State *L, int i, bool *probabilities)
{
    const struct handle *h = luaL_checkudata(L, i, TENSOR);
    const struct pare_binding *b = pare_binding_of(L);
    if (b->arena == NULL || h->generation != b->generation || h->index >= b->n_values) {
        luaL_argerror(L, i, "this tensor belongs to an earlier sample");
    }
    if (probabilities != NULL) {
        *probabilities = b->values[h->index].probabilities;
    }
    return b->values[h->index].value;
}

void pare_push_tensor(lua_State *L, struct pare_value *v, bool probabilities)
{
    struct pare_binding *b = pare_binding_of(L);
    if (b->n_values == b->cap_values) {
        const int cap = b->cap_values > 0 ? 2 * b->cap_values : 64;
        void *p = cap <= MAX_VALUES ? realloc(b->values, (size_t)cap * sizeof *b->values) : NULL;
        if (cap > MAX_VALUES) {
            luaL_error(L, "too many tensors in one sample");
        }
        if (p == NULL) {
            pare_lua_nomem(L);
        }
        b->values = p;
        b->cap_values = cap;
    }
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    h->generation = b->generation;
    h->index = b->n_values;
    b->values[b->n_values++] = (struct pare_binding_value){v, probabilities};
    luaL_setmetatable(L, TENSOR);
}

static int tensor_shape(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    luaL_checkstack(L, v->rank, NULL);
    for (int i = 0; i < v->rank; i++) {
        lua_pushinteger(L, v->dims[i]);
    }
    return v->rank;
}

static int tensor_index(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    if (lua_type(L, 2) == LUA_TSTRING) {
        if (strcmp(lua_tostring(L, 2), "shape") == 0) {
            lua_pushcfunction(L, tensor_shape);
            return 1;
        }
        return luaL_error(L, "a tensor has no '%s': t[i], #t and t:shape()", lua_tostring(L, 2));
    }
    int exact;
    const lua_Integer i = lua_tointegerx(L, 2, &exact);
    if (!exact || i < 1 || i > pare_value_elements(v)) {
        return luaL_error(L, "a tensor of %d elements is indexed by 1 to %d",
                          (int)pare_value_elements(v), (int)pare_value_elements(v));
    }
    lua_pushnumber(L, (lua_Number)v->data[i - 1]);
    return 1;
}

static int tensor_newindex(lua_State *L)
{
    return luaL_error(L, "a tensor cannot be changed");
}

static int tensor_len(lua_State *L)
{
    lua_pushinteger(L, pare_value_elements(pare_check_tensor(L, 1, NULL)));
    return 1;
}

static int tensor_tostring(lua_State *L)
{
    const struct pare_value *v = pare_check_tensor(L, 1, NULL);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "tensor ");
    for (int i = 0; i < v->rank; i++) {
        lua_pushfstring(L, i > 0 ? "x%I" : "%I", (LUAI_UACINT)v->dims[i]);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    return 1;
}

/* ---- outcomes ---- */

void pare_push_outcome(lua_State *L, const struct pare_outcome *outcome)
{
    struct outcome_handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    h->generation = pare_binding_of(L)->generation;
    h->outcome = *outcome;
    luaL_setmetatable(L, OUTCOME);
}

bool pare_get_outcome(lua_State *L, int i, struct pare_outcome *outcome)
{
    const struct outcome_handle *h = luaL_testudata(L, i, OUTCOME);
    if (h == NULL || h->generation != pare_binding_of(L)->generation) {
        return false;
    }
    *outcome = h->outcome;
    return true;
}

/* outcome.class: its number from 1, nil when there is none; outcome.score: the score of that class.
 */
static int outcome_index(lua_State *L)
{
    struct pare_outcome o;
    luaL_checkudata(L, 1, OUTCOME);
    const char *key = luaL_checkstring(L, 2);
    if (!pare_get_outcome(L, 1, &o)) {
        return luaL_error(L, "this outcome belongs to an earlier sample");
    }
    if (strcmp(key, "class") == 0) {
        if (o.kind == PARE_OUTCOME_CLASS && o.prediction >= 0) {
            lua_pushinteger(L, o.prediction + 1);
        } else {
            lua_pushnil(L);
        }
    } else if (strcmp(key, "score") == 0) {
        const int at = o.kind == PARE_OUTCOME_CLASS ? o.prediction : 0;
        if (at >= 0 && at < o.n_scores) {
            lua_pushnumber(L, (lua_Number)o.scores[at]);
        } else {
            lua_pushnil(L);
        }
    } else {
        return luaL_error(L, "an outcome has no '%s': class and score", key);
    }
    return 1;
}

static int outcome_tostring(lua_State *L)
{
    lua_pushliteral(L, "outcome");
    return 1;
}

/* ---- boxes ---- */

static double number_field(lua_State *L, int i, const char *key, bool required, double otherwise)
{
    lua_pushstring(L, key);
    lua_rawget(L, i);
    int is_number;
    double x = lua_tonumberx(L, -1, &is_number);
    if (!is_number) {
        if (required || !lua_isnil(L, -1)) {
            luaL_error(L, "bad argument #%d: a box needs a number '%s'", i, key);
        }
        x = otherwise;
    }
    lua_pop(L, 1);
    return x;
}

void pare_check_box(lua_State *L, int i, struct pare_box *box)
{
    luaL_checktype(L, i, LUA_TTABLE);
    luaL_checkstack(L, 6, NULL);
    memset(box, 0, sizeof *box);
    box->cx = number_field(L, i, "cx", true, 0);
    box->cy = number_field(L, i, "cy", true, 0);
    box->w = number_field(L, i, "w", true, 0);
    box->h = number_field(L, i, "h", true, 0);
    box->angle = number_field(L, i, "angle", false, 0);
    box->score = number_field(L, i, "score", false, 1);
    lua_pushliteral(L, "points");
    if (lua_rawget(L, i) == LUA_TTABLE) {
        const lua_Unsigned n = lua_rawlen(L, -1);
        box->n_points = n > PARE_OP_MAX_POINTS ? PARE_OP_MAX_POINTS : (int)n;
        for (int p = 0; p < box->n_points; p++) {
            if (lua_rawgeti(L, -1, p + 1) != LUA_TTABLE) {
                luaL_error(L, "bad argument #%d: points of a box are {x, y}", i);
            }
            for (int a = 0; a < 2; a++) {
                lua_rawgeti(L, -1, a + 1);
                box->points[p][a] = lua_tonumber(L, -1);
                lua_pop(L, 1);
            }
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

static void set_number(lua_State *L, const char *key, double x)
{
    lua_pushnumber(L, x);
    lua_setfield(L, -2, key);
}

void pare_push_box(lua_State *L, const struct pare_box *box)
{
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, 7);
    set_number(L, "cx", box->cx);
    set_number(L, "cy", box->cy);
    set_number(L, "w", box->w);
    set_number(L, "h", box->h);
    set_number(L, "angle", box->angle);
    set_number(L, "score", box->score);
    if (box->n_points > 0) {
        lua_createtable(L, box->n_points, 0);
        for (int p = 0; p < box->n_points; p++) {
            lua_createtable(L, 2, 0);
            for (int a = 0; a < 2; a++) {
                lua_pushnumber(L, box->points[p][a]);
                lua_rawseti(L, -2, a + 1);
            }
            lua_rawseti(L, -2, p + 1);
        }
        lua_setfield(L, -2, "points");
    }
}

/* ---- registering ---- */

static void new_type(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, methods, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void pare_binding_register(lua_State *L)
{
    static const luaL_Reg tensor[] = {{"__index", tensor_index},
                                      {"__newindex", tensor_newindex},
                                      {"__len", tensor_len},
                                      {"__tostring", tensor_tostring},
                                      {NULL, NULL}};
    static const luaL_Reg outcome[] = {{"__index", outcome_index},
                                       {"__newindex", tensor_newindex},
                                       {"__tostring", outcome_tostring},
                                       {NULL, NULL}};
    new_type(L, TENSOR, tensor);
    new_type(L, OUTCOME, outcome);
}

void pare_binding_push_ops(lua_State *L)
{
    static const luaL_Reg all[] = {
#define PARE_LUA_OP(name, parameters, results, doc) {#name, pare_lua_op_##name},
#include "lua/ops.inc"
        {NULL, NULL}};
    luaL_newlib(L, all);
    pare_lua_lock_table(L, "operation");
}
