/*
 * declared.h: what of a pipeline.lua its results depend on. Private to lua/.
 */
#ifndef PARE_LUA_DECLARED_H
#define PARE_LUA_DECLARED_H

#include <stddef.h>

#include "base/hash.h"

/*
 * Adds a pipeline.lua to the hash of what measured results depend on. `tie` and `rows` only tell solvers what to look for:
 * where the file ends with `return { ... }` and their values are written out there (numbers, texts, tables of them), nothing
 * else in the file can see them, and they are left out, as are remarks and blanks. A file that could see its own line numbers
 * in an error's text (pcall, coroutine, load, require), or that is not understood, is added as it is.
 */
void pare_lua_hash_declared(struct pare_hash *hash, const char *text, size_t size);

#endif
