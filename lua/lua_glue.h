/*
 * lua_glue.h: what the rest of the program knows of lua/: the loader of pipeline.lua and the table
 * of operations.
 */
#ifndef PARE_LUA_GLUE_H
#define PARE_LUA_GLUE_H

#include "base/status.h"
#include "base/strbuf.h"
#include "pipeline/pipeline.h"

/* Give it to pare_pipeline_set_loader at start. A pipeline that it loads is used from one thread at
 * a time. */
const struct pare_pipeline_loader *pare_lua_pipeline_loader(void);

/* Where print in scripts goes (control bytes escaped); NULL = nowhere. For pipelines loaded
 * afterwards. */
void pare_lua_set_print(void (*print)(void *self, const char *line), void *self);

/* Operations of `op` for help: NULL behind the last. */
struct pare_lua_op_info {
    const char *name, *parameters, *results, *doc;
};
const struct pare_lua_op_info *pare_lua_op_info(int i);
/* Functions of batch scripts; owner is "pare" or "pipeline". NULL behind the last. */
struct pare_lua_verb_info {
    const char *owner, *name, *parameters, *results, *doc;
};
const struct pare_lua_verb_info *pare_lua_verb_info(int i);
/* The editor stub lua/meta/pare.d.lua, made from the same tables. */
void pare_lua_stub(struct pare_strbuf *text);

#endif
