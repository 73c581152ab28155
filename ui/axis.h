/*
 * axis.h: a linear or logarithmic scale between two values, and its ticks at round numbers. No
 * drawing.
 */
#ifndef PARE_AXIS_H
#define PARE_AXIS_H

#include <stdbool.h>

struct pare_axis {
    double low, high; /* low < high; both > 0 when log */
    bool log;
};

#define PARE_AXIS_TICKS 32

/* An axis over the values low..high with a little room; degenerate and unknown ranges become usable
 * ones. */
struct pare_axis pare_axis_make(double low, double high, bool log);
/* 0 at low, 1 at high; values beyond give numbers beyond. NaN for NaN, and for values <= 0 on a log
 * axis. */
double pare_axis_place(const struct pare_axis *a, double value);
double pare_axis_value(const struct pare_axis *a, double fraction);
/* Zooms by factor (< 1 = closer) so that the value at fraction stays where it is. */
struct pare_axis pare_axis_zoom(const struct pare_axis *a, double factor, double fraction);
/* At most max (<= PARE_AXIS_TICKS) round values inside, ascending; *decimals = digits that tell
 * them apart. */
int pare_axis_ticks(const struct pare_axis *a, int max, double *ticks, int *decimals);

#endif
