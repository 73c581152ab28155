#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64u * 1024u)

struct pare_arena_block {
    struct pare_arena_block *next;
    unsigned char *memory;
    size_t size, used;
};

static size_t align_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static struct pare_arena_block *new_block(struct pare_arena *a, size_t n)
{
    size_t size = n > BLOCK_BYTES / 2 ? n + 64 : BLOCK_BYTES;
    struct pare_arena_block *block = malloc(sizeof *block);
    if (block == NULL) {
        return NULL;
    }
    block->memory = calloc(1, size);
    if (block->memory == NULL) {
        free(block);
        return NULL;
    }
    block->size = size;
    block->used = 0;
    if (n > BLOCK_BYTES / 2 && a->head != NULL) {
        block->next = a->head->next; /* keep filling the small block in front */
        a->head->next = block;
    } else {
        block->next = a->head;
        a->head = block;
    }
    return block;
}

void *pare_arena_alloc(struct pare_arena *a, size_t n)
{
    if (n > SIZE_MAX / 2) {
        return NULL;
    }
    size_t to = n >= 64 ? 64 : 16;
    struct pare_arena_block *block = a->head;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (block != NULL) {
            size_t base = (size_t)(uintptr_t)block->memory;
            size_t start = align_up(base + block->used, to) - base;
            if (start <= block->size && n <= block->size - start) {
                block->used = start + n;
                a->used_bytes += n;
                return block->memory + start;
            }
        }
        if (attempt == 0) {
            block = new_block(a, n);
            if (block == NULL) {
                return NULL;
            }
        }
    }
    return NULL;
}

void *pare_arena_array(struct pare_arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    return pare_arena_alloc(a, count * size);
}

char *pare_arena_strndup(struct pare_arena *a, const char *s, size_t n)
{
    char *copy = n < SIZE_MAX ? pare_arena_alloc(a, n + 1) : NULL;
    if (copy != NULL && n > 0) {
        memcpy(copy, s, n);
    }
    return copy;
}

char *pare_arena_strdup(struct pare_arena *a, const char *s)
{
    return pare_arena_strndup(a, s, strlen(s));
}

char *pare_arena_printf(struct pare_arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        return NULL;
    }
    char *text = pare_arena_alloc(a, (size_t)n + 1);
    if (text != NULL) {
        va_start(args, format);
        vsnprintf(text, (size_t)n + 1, format, args);
        va_end(args);
    }
    return text;
}

void pare_arena_clear(struct pare_arena *a)
{
    for (struct pare_arena_block *block = a->head, *next; block != NULL; block = next) {
        next = block->next;
        free(block->memory);
        free(block);
    }
    a->head = NULL;
    a->used_bytes = 0;
}
