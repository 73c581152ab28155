/*
 * hash.h: content hashes. xxh3-128 for keys of cached rows, SHA-256 for named files.
 */
#ifndef PARE_HASH_H
#define PARE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct pare_hash {
    void *state;
};

enum pare_status pare_hash_init(struct pare_hash *h);
void pare_hash_add(struct pare_hash *h, const void *data, size_t n);
void pare_hash_add_string(struct pare_hash *h, const char *s); /* with its length, so that "ab","c" != "a","bc" */
/* 32 lower-case hex digits and NUL; frees the state. */
void pare_hash_final(struct pare_hash *h, char hex[33]);

void pare_hash_bytes(const void *data, size_t n, char hex[33]);
void pare_sha256_bytes(const void *data, size_t n, char hex[65]);

#endif
