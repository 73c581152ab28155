/*
 * pages.h: memory for arrays that are read from end to end again and again, as packed weights are. Needs only libc: the
 * program for bare boards has it too.
 */
#ifndef PARE_PAGES_H
#define PARE_PAGES_H

#include <stddef.h>

/* n bytes, 64-byte aligned, for free(); NULL when memory is out. From 2 MiB on they lie in huge pages where the system
 * lends them when asked (Linux, transparent_hugepage "madvise" or "always"): then a walk through them misses no
 * translation every 4 KiB, and the hardware's prefetching does not stop there. */
void *pare_pages_alloc(size_t n);

#endif
