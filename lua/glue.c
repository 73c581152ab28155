#include "lua/glue.h"

#include <math.h>
#include <stdlib.h>

#include <lauxlib.h>

#define MAX_STAGE_CALLS 10000
#define MAX_STAGE_INPUTS 16

/* A stage's argument: a tensor, or a number as [1,1]. */
static const struct pare_value *stage_input(lua_State *L, int i)
{
    static const int64_t ones[2] = {1, 1};
    if (lua_type(L, i) != LUA_TNUMBER) {
        return pare_check_tensor(L, i, NULL);
    }
    struct pare_value *v = pare_value_new(pare_check_arena(L), 2, ones);
    if (v == NULL) {
        pare_lua_nomem(L);
    }
    v->data[0] = (float)lua_tonumber(L, i);
    return v;
}

/* stage.NAME(tensor, ...): upvalue 1 is the stage's index. */
static int call_stage(lua_State *L)
{
    struct pare_binding *b = pare_binding_of(L);
    const int stage = (int)lua_tointeger(L, lua_upvalueindex(1));
    const struct pare_stage *s = &b->pipeline->stages[stage];
    const struct pare_value *in[MAX_STAGE_INPUTS];
    struct pare_value *out[PARE_MAX_OUTPUTS] = {NULL};
    int n_out = 0;
    const int n_in = lua_gettop(L);
    struct pare_arena *arena = pare_check_arena(L);
    if (n_in < 1 || n_in > MAX_STAGE_INPUTS) {
        return luaL_error(L, "stage '%s' is called with 1 to %d tensors", s->name,
                          MAX_STAGE_INPUTS);
    }
    for (int i = 0; i < n_in; i++) {
        in[i] = stage_input(L, i + 1);
    }
    if (b->runner == NULL || ++b->stage_calls > MAX_STAGE_CALLS) {
        return luaL_error(L, "too many calls of stages in one sample");
    }
    pare_lua_pause(b->lua);
    const enum pare_status status =
        b->runner->call(b->runner->self, stage, in, n_in, arena, out, &n_out, &b->failure);
    pare_lua_resume(b->lua);
    if (status != PARE_OK) {
        b->failure.code = status;
        return luaL_error(L, "stage '%s': %s", s->name, b->failure.message);
    }
    b->n_last = n_out < PARE_MAX_OUTPUTS ? n_out : PARE_MAX_OUTPUTS;
    for (int i = 0; i < b->n_last; i++) {
        b->last[i] = out[i];
    }
    luaL_checkstack(L, n_out + 2, NULL);
    for (int i = 0; i < n_out; i++) {
        pare_push_tensor(L, out[i], pare_output_is_softmax(s->graph, i));
    }
    return n_out;
}

void pare_glue_push_stages(lua_State *L, const struct pare_pipeline *p)
{
    lua_createtable(L, 0, p->n_stages);
    for (int i = 0; i < p->n_stages; i++) {
        lua_pushinteger(L, i);
        lua_pushcclosure(L, call_stage, 1);
        lua_setfield(L, -2, p->stages[i].name);
    }
    pare_lua_lock_table(L, "stage");
}

/* ---- infer ---- */

static void push_sample(lua_State *L, const struct pare_sample *sample)
{
    lua_createtable(L, 0, 3);
    if (sample->image != NULL) {
        pare_push_tensor(L, (struct pare_value *)(uintptr_t)sample->image, false);
        lua_setfield(L, -2, "image");
    }
    if (sample->target != NULL) {
        pare_push_tensor(L, (struct pare_value *)(uintptr_t)sample->target, false);
        lua_setfield(L, -2, "target");
    }
    lua_pushinteger(L, sample->index + 1);
    lua_setfield(L, -2, "index");
}

/* Raises with the place where the function below (a registry reference) is defined. */
static int bad_return(lua_State *L, int ref, const char *what)
{
    lua_Debug ar;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    lua_getinfo(L, ">S", &ar);
    return luaL_error(L, "%s:%d: %s", ar.short_src, ar.linedefined, what);
}

static int infer_body(lua_State *L)
{
    struct pare_outcome *outcome = lua_touserdata(L, 1);
    struct pare_binding *b = pare_binding_of(L);
    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->infer_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->stage_ref);
    push_sample(L, b->sample);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->op_ref);
    lua_call(L, 3, 1);
    if (!pare_get_outcome(L, 1, outcome)) {
        return bad_return(
            L, b->infer_ref,
            "infer must return an outcome of this sample: op.argmax, op.class, op.points, "
            "op.score, op.boxes or op.none");
    }
    /* a score or a list of boxes has no smooth distance of its own: the last stage's outputs have */
    if ((outcome->kind == PARE_OUTCOME_SCORE || outcome->kind == PARE_OUTCOME_BOXES) && b->n_last > 0 &&
        !pare_outcome_take(outcome, b->last, b->n_last, b->arena)) {
        return luaL_error(L, "not enough memory");
    }
    return 0;
}

static enum pare_status infer(void *self, const struct pare_pipeline *p,
                              const struct pare_sample *sample, const struct pare_runner *runner,
                              struct pare_arena *arena, struct pare_outcome *outcome,
                              struct pare_error *err)
{
    struct pare_binding *b = self;
    b->pipeline = p;
    b->sample = sample;
    b->runner = runner;
    b->arena = arena;
    b->generation++;
    b->n_values = 0;
    b->stage_calls = 0;
    b->n_last = 0;
    b->failure.code = PARE_OK;
    *outcome = (struct pare_outcome){.kind = PARE_OUTCOME_NONE, .prediction = -1};
    lua_pushcfunction(b->lua->L, infer_body);
    lua_pushlightuserdata(b->lua->L, outcome);
    enum pare_status status = pare_lua_call(b->lua, 1, 0, err);
    b->arena = NULL;
    b->runner = NULL;
    if (b->failure.code != PARE_OK && b->failure.code != PARE_ERR_USAGE) {
        status = b->failure.code; /* also when the script swallowed it */
        if (err != NULL) {
            *err = b->failure;
        }
    }
    return status;
}

/* ---- metric ---- */

struct metric_args {
    int n;
    const json_t *const *items;
    double value;
};

/* A class from 0 as its number from 1, other numbers and lists as they are, anything else as false. */
static void push_json(lua_State *L, const json_t *x)
{
    luaL_checkstack(L, 3, NULL);
    if (json_is_integer(x)) {
        lua_pushinteger(L, (lua_Integer)json_integer_value(x) + 1);
    } else if (json_is_real(x)) {
        lua_pushnumber(L, json_real_value(x));
    } else if (json_is_array(x)) {
        lua_createtable(L, (int)json_array_size(x), 0);
        for (size_t i = 0; i < json_array_size(x); i++) {
            push_json(L, json_array_get(x, i));
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
    } else {
        lua_pushboolean(L, 0);
    }
}

static int metric_body(lua_State *L)
{
    struct metric_args *a = lua_touserdata(L, 1);
    struct pare_binding *b = pare_binding_of(L);
    int is_number;
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->metric_ref);
    for (size_t part = 0; part < 2; part++) { /* outcomes, then labels */
        lua_createtable(L, a->n, 0);
        for (int i = 0; i < a->n; i++) {
            push_json(L, json_array_get(a->items[i], part));
            lua_rawseti(L, -2, i + 1);
        }
    }
    lua_call(L, 2, 1);
    a->value = lua_tonumberx(L, -1, &is_number);
    if (!is_number || !isfinite(a->value)) {
        return bad_return(L, b->metric_ref, "metric must return a finite number");
    }
    return 0;
}

static enum pare_status metric(void *self, int n, const json_t *const *items, double *value,
                               struct pare_error *err)
{
    struct pare_binding *b = self;
    struct metric_args args = {n, items, 0};
    lua_pushcfunction(b->lua->L, metric_body);
    lua_pushlightuserdata(b->lua->L, &args);
    const enum pare_status status = pare_lua_call(b->lua, 1, 0, err);
    *value = args.value;
    return status;
}

/* ---- life ---- */

void pare_glue_free(void *self)
{
    struct pare_binding *b = self;
    if (b != NULL) {
        pare_lua_free(b->lua);
        free(b->values);
        free(b);
    }
}

void pare_glue_fill(struct pare_glue *glue, struct pare_binding *b)
{
    glue->self = b;
    glue->free = pare_glue_free;
    glue->infer = b->infer_ref != LUA_NOREF ? infer : pare_default_glue.infer;
    glue->metric = b->metric_ref != LUA_NOREF ? metric : NULL;
}
