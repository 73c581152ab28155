/*
 * binding.h: tensors, boxes and outcomes as a glue script sees them. Private to lua/.
 *
 * A tensor in Lua is a handle {generation, index} into the values of the sample that runs now. When
 * the sample ends, the generation grows and every handle of it is stale: using one is an error,
 * never a read of freed memory. No pointer is kept in Lua.
 *
 * Every function here checks all arguments first, then calls one core function (which never
 * raises), then pushes.
 */
#ifndef PARE_LUA_BINDING_H
#define PARE_LUA_BINDING_H

#include <stdint.h>

#include "lua/sandbox.h"
#include "pipeline/ops.h"
#include "pipeline/pipeline.h"

struct pare_binding_value {
    struct pare_value *value;
    bool probabilities; /* comes from a softmax: sums to 1 */
};

struct pare_binding {
    struct pare_lua *lua;
    const struct pare_pipeline *pipeline;
    const struct pare_sample *sample;
    const struct pare_runner *runner;
    struct pare_arena *arena; /* NULL between samples */
    uint64_t generation;
    int n_values, cap_values;
    struct pare_binding_value *values;
    int stage_calls;
    int n_last; /* outputs of the stage called last */
    const struct pare_value *last[PARE_MAX_OUTPUTS];
    struct pare_error failure; /* the first error of a stage in this sample; code 0 = none */
    int infer_ref, metric_ref, stage_ref, op_ref;
    const char *const *class_names; /* of the pipeline, for op.class */
};

struct pare_binding *pare_binding_of(lua_State *L);

/* Metatables of tensors and outcomes; may raise. */
void pare_binding_register(lua_State *L);
/* Pushes the locked table of all operations; may raise. */
void pare_binding_push_ops(lua_State *L);

/* Argument i as a tensor of this sample; raises when it is none. */
struct pare_value *pare_check_tensor(lua_State *L, int i, bool *probabilities);
/* Pushes a handle; raises when memory is out. */
void pare_push_tensor(lua_State *L, struct pare_value *v, bool probabilities);
/* Argument i as an outcome of this sample; false when it is something else. */
bool pare_get_outcome(lua_State *L, int i, struct pare_outcome *outcome);
void pare_push_outcome(lua_State *L, const struct pare_outcome *outcome);
/* Argument i as a box table; raises. */
void pare_check_box(lua_State *L, int i, struct pare_box *box);
void pare_push_box(lua_State *L, const struct pare_box *box);
/* Raises err's message with the script's line. */
int pare_raise(lua_State *L, const struct pare_error *err);
/* The sample's arena; raises outside of infer. */
struct pare_arena *pare_check_arena(lua_State *L);

/* The operations, defined in ops_*.c of this folder. */
#define PARE_LUA_OP(name, parameters, results, doc) int pare_lua_op_##name(lua_State *L);
#include "lua/ops.inc"

#endif
