/*
 * plot.h: the plot of accuracy against latency as a picture, drawn with cairo. The one file that knows cairo is plot.c.
 */
#ifndef PARE_PLOT_H
#define PARE_PLOT_H

#include "pare.h"

/* format "png" or "svg"; `chosen` is marked (-1 = none). Written whole or not at all. */
enum pare_status pare_plot_write(const struct pare_state *s, int chosen, const char *format, const char *path,
                                 struct pare_error *err);

#endif
