/*
 * clip.h: the range of a tensor's grid, from what calibration saw: its histogram, or the BatchNorm behind it.
 * The result is kept in the range itself (clip_lo, clip_hi for every number of bits) and used by pare_grid_from_range.
 */
#ifndef PARE_CLIP_H
#define PARE_CLIP_H

#include "model/graph.h"
#include "quant/method.h"
#include "quant/range.h"

/* Chooses lo..hi for bits 2..8 by m (nothing for minmax). `clipped` limits: the range never leaves min..max of what was
 * seen, except for ranges given by hand and BatchNorm's. Ranges that need a histogram leave an empty one alone. */
void pare_clip_choose(struct pare_range *r, const struct pare_method *m);
/* k sigma around the mean of every channel of the BatchNorm behind `tensor`, seen through relu and clips;
 * false when no BatchNorm was folded there. */
bool pare_clip_batch_norm(const struct pare_graph *g, int tensor, double sigmas, float *lo, float *hi);
/* Expected squared error of the histogram on the grid lo..hi of `bits` bits, values spread evenly in their bins. */
double pare_clip_error(const struct pare_range *r, float lo, float hi, int bits);

#endif
