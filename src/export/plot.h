/*
 * plot.h: the plot of accuracy against latency as a picture.
 */
#ifndef PARE_PLOT_H
#define PARE_PLOT_H

#include "pare.h"

/* format "png" or "svg"; the chosen points (indices into s->points) stand out, two or more have their runs alone in the
 * row of names. Written whole or not at all. */
enum pare_status pare_plot_write(const struct pare_state *s, const int *chosen, int n_chosen, const char *format, const char *path,
                                 struct pare_error *err);

#endif
