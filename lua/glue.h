/*
 * glue.h: infer and metric of a loaded pipeline.lua. Private to lua/.
 */
#ifndef PARE_LUA_GLUE_PRIVATE_H
#define PARE_LUA_GLUE_PRIVATE_H

#include "lua/binding.h"

/* Pushes the locked table of stages; may raise. */
void pare_glue_push_stages(lua_State *L, const struct pare_pipeline *p);
/* The function pointers; the glue owns b from now on. References of infer and metric may be
 * LUA_NOREF. */
void pare_glue_fill(struct pare_glue *glue, struct pare_binding *b);
/* Frees a struct pare_binding and its state. */
void pare_glue_free(void *self);

#endif
