/*
 * arena.h: memory that is freed all at once. Not thread safe. Blocks come from calloc, so memory is zero.
 */
#ifndef PARE_ARENA_H
#define PARE_ARENA_H

#include <stddef.h>

struct pare_arena {
    struct pare_arena_block *head;
    size_t used_bytes; /* sum of what was handed out */
};

/* n bytes aligned to 16 (64 when n >= 64), zeroed; NULL when memory is out. n == 0 gives a valid pointer. */
void *pare_arena_alloc(struct pare_arena *a, size_t n);
/* count * size with an overflow check. */
void *pare_arena_array(struct pare_arena *a, size_t count, size_t size);
char *pare_arena_strdup(struct pare_arena *a, const char *s);
char *pare_arena_strndup(struct pare_arena *a, const char *s, size_t n);
char *pare_arena_printf(struct pare_arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Frees everything; the arena may be used again. */
void pare_arena_clear(struct pare_arena *a);

#endif
