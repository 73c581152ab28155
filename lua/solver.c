/*
 * solver.c: one step of a solver written in Lua (`--method lua:NAME`). The file returns a function
 *
 *   step(problem, settings, state, told) -> { done =, ask =, answers =, state = }
 *
 *   problem   pare.problem: groups, levels, costs, limits
 *   settings  what --set said, seed, quality_limit (the drop asked for; in --predicted the loss)
 *   state     what the step before returned as state; nil at first
 *   told      the quality of every configuration asked for, smaller is better, false = it failed; nil at first
 *   ask       configurations to measure; answers: best first, when done
 *
 * A configuration is a list of levels by group, counted from 1, or { [group] = level }, in which groups left out take
 * their widest level; ask also takes { levels = configuration, samples = n }. The file is read once, when the run begins;
 * its text is loaded anew for every step, and nothing but state outlives it: a run that was killed goes on. There is no require.
 */
#include "lua/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "lua/sandbox.h"

struct step_call {
    struct pare_step *step;
    json_t *problem, *result;
};

static void push_or_nil(lua_State *L, const json_t *json)
{
    if (json == NULL || json_is_null(json)) {
        lua_pushnil(L);
    } else {
        pare_lua_push_json(L, json);
    }
}

static int push_arguments(lua_State *L)
{
    struct step_call *c = lua_touserdata(L, 1);
    luaL_checkstack(L, 8, NULL);
    if (!lua_isfunction(L, lua_upvalueindex(1))) {
        return luaL_error(L, "a solver's file returns a function, this one a %s", luaL_typename(L, lua_upvalueindex(1)));
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    pare_lua_push_json(L, c->problem);
    push_or_nil(L, c->step->settings);
    push_or_nil(L, c->step->state);
    push_or_nil(L, c->step->told);
    lua_call(L, 4, 1);
    if (!lua_istable(L, -1)) {
        return luaL_error(L, "step: expected a table {done, ask, answers, state}, found %s", luaL_typename(L, -1));
    }
    const char *why = "an odd value";
    c->result = pare_lua_to_json(L, -1, &why);
    if (c->result == NULL) {
        return luaL_error(L, "step: its table holds %s", why);
    }
    return 0;
}

/* {group: level} or [level...] into s->p's indices; false with words in err. */
static bool read_config(const struct pare_problem *p, const json_t *config, const char *what, size_t at, int *levels,
                        const char *path, struct pare_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        bool known = false;
        for (int g = 0; g < p->n_groups && !known; g++) {
            known = strcmp(p->group_names[g], key) == 0;
        }
        if (!known) {
            pare_error(err, PARE_ERR_FAIL, path, "%s[%zu]: expected names of layers, found \"%s\"", what, at + 1, key);
            return false;
        }
    }
    for (int g = 0; g < p->n_groups; g++) {
        const json_t *item = json_is_array(config) ? json_array_get(config, (size_t)g) : json_object_get(config, p->group_names[g]);
        const char *name = json_string_value(item);
        const json_int_t number = json_is_integer(item) ? json_integer_value(item) : 0;
        levels[g] = number >= 1 && number <= p->n_levels ? (int)number - 1 : -1;
        for (int l = 0; l < p->n_levels; l++) {
            const bool widest = item == NULL && json_is_object(config) && p->allowed[g * p->n_levels + l];
            levels[g] = levels[g] < 0 && (widest || (name != NULL && strcmp(name, p->level_names[l]) == 0)) ? l : levels[g];
        }
        if (levels[g] < 0 || levels[g] >= p->n_levels || !p->allowed[g * p->n_levels + levels[g]]) {
            pare_error(err, PARE_ERR_FAIL, path, "%s[%zu]: %s: expected an allowed level, found %s", what, at + 1, p->group_names[g],
                       name != NULL ? name : item == NULL ? "nothing" : levels[g] >= 0 && levels[g] < p->n_levels ? p->level_names[levels[g]] : "no level");
            return false;
        }
    }
    return true;
}

static enum pare_status take_lists(struct pare_step *s, const json_t *result, const char *path, struct pare_error *err)
{
    const json_t *ask = json_object_get(result, "ask"), *answers = json_object_get(result, "answers");
    int *levels = calloc((size_t)s->p->n_groups, sizeof *levels);
    bool ok = levels != NULL;
    err->code = PARE_OK;
    for (size_t i = 0; ok && i < json_array_size(ask); i++) {
        const json_t *item = json_array_get(ask, i), *inner = json_object_get(item, "levels");
        const bool wrapped = json_is_array(inner) || json_is_object(inner);
        ok = read_config(s->p, wrapped ? inner : item, "ask", i, levels, path, err) &&
             pare_step_ask(s, levels, wrapped ? (int)pare_json_get_int(item, "samples", 0) : 0);
    }
    s->answers = json_array();
    for (size_t i = 0; ok && i < json_array_size(answers); i++) {
        ok = read_config(s->p, json_array_get(answers, i), "answers", i, levels, path, err) &&
             json_array_append_new(s->answers, pare_levels_json(s->p, levels)) == 0;
    }
    free(levels);
    return ok ? PARE_OK : err->code != PARE_OK ? err->code : pare_error_nomem(err);
}

static enum pare_status take_result(struct pare_step *s, const json_t *result, const char *path, struct pare_error *err)
{
    enum pare_status status = take_lists(s, result, path, err);
    s->done = pare_json_get_bool(result, "done", false);
    if (status == PARE_OK && !s->done && json_array_size(s->ask) == 0) {
        status = pare_error(err, PARE_ERR_FAIL, path, "the step neither asks for a configuration nor says done");
    }
    if (status == PARE_OK && s->done && json_array_size(s->answers) == 0) {
        status = pare_error(err, PARE_ERR_INFEASIBLE, path, "the solver found no answer");
    }
    if (status == PARE_OK) {
        s->new_state = json_pack("{s:O?}", "its", json_object_get(result, "state"));
        status = s->new_state != NULL ? PARE_OK : pare_error_nomem(err);
    }
    return status;
}

enum pare_status pare_lua_step(struct pare_step *s, struct pare_error *err)
{
    const struct pare_lua_limits limits = {.time_ms = 30000, .mem_bytes = (size_t)256 << 20};
    const struct pare_solver_file *file = s->user;
    const char *path = file->path;
    const json_t *state = s->state;
    struct pare_lua *lua = NULL;
    struct pare_error own;
    struct step_call call = {.step = s};
    err = err != NULL ? err : &own;
    s->state = json_object_get(state, "its"); /* any value, in the object that states are */
    call.problem = pare_problem_to_json(s->p);
    enum pare_status status = call.problem != NULL ? pare_lua_new(&limits, &lua, err) : pare_error_nomem(err);
    if (status == PARE_OK) {
        status = pare_lua_load_text(lua, path, file->text != NULL ? file->text : "", file->text != NULL ? strlen(file->text) : 0, err);
    }
    if (status == PARE_OK) {
        status = pare_lua_call(lua, 0, 1, err);
    }
    if (status == PARE_OK) {
        lua_pushcclosure(lua->L, push_arguments, 1);
        lua_pushlightuserdata(lua->L, &call);
        status = pare_lua_call(lua, 1, 0, err);
    }
    if (status == PARE_OK) {
        status = take_result(s, call.result, path, err);
    }
    if (status != PARE_OK && strcmp(err->where, ".") == 0) {
        snprintf(err->where, sizeof err->where, "%s", path);
    }
    if (status == PARE_ERR_CONFIG) {
        status = err->code = PARE_ERR_FAIL; /* a solver that fails is no bad configuration */
    }
    s->state = state;
    pare_lua_free(lua);
    json_decref(call.problem);
    json_decref(call.result);
    return status;
}
