/* latency_parts.h: shared by latency.c (uniform profiles) and latency_whole.c (whole configs). */
#ifndef PARE_LATENCY_PARTS_H
#define PARE_LATENCY_PARTS_H

#include "measure/latency.h"

#define MIN_ROUNDS 20
#define MAX_ROUNDS 400
#define GOOD_ROUNDS 100     /* wanted, within twice the time asked for: a 99th percentile of fewer is no percentile */
#define TRIES 3
#define WARM_MS 200.0       /* at least two rounds and this long before anything counts */
#define DISTURBED 0.95      /* a round in which the thread had the core for a smaller part of the time is left out */

double latency_now_ms(void);
double latency_cpu_ms(void); /* time that this thread really had a core */
/* [min, median, p10, p90, p99, n] of ms[n], which it sorts. */
json_t *latency_times_json(double *ms, size_t n);
/* Were there enough rounds in which nobody else had the core? Else all of them count, and are called noisy. */
bool latency_enough_clean(const bool *disturbed, int rounds);
double latency_disturbed_share(const bool *disturbed, int rounds);
/* ms[round][item] by item into column[rounds], without disturbed rounds. Returns the number kept. */
size_t latency_column_of(const double *ms, int rounds, int items, int item, const bool *disturbed, double *column);

#endif
