/* clock.h: a clock that never goes back. */
#ifndef PARE_CLOCK_H
#define PARE_CLOCK_H

#include <time.h>

/* Seconds since some moment that stays the same while the machine is up. */
static inline double pare_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
