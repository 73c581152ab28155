/*
 * slower.h: why a layer may take longer at a level than at the next wider one. Fewer bits are less work only where the
 * machine has instructions for them, and where products, not their surroundings, take the time.
 */
#ifndef PARE_SLOWER_H
#define PARE_SLOWER_H

#include <stdbool.h>

#include "pk.h"

#define PARE_SLOWER_FROM 1.05 /* times; less is nothing to speak of */

/* Is it slower by more than that, and by more than both scatter? Medians, the narrower level's 10th and the wider one's 90th
 * percentile, in one unit. False where something is not known. */
bool pare_is_slower(double narrow, double narrow_p10, double wide, double wide_p90);

/* One line why, into text. narrow, wide: names of kernels (kernels.inc); conv: the layer's call. Returns text. */
const char *pare_slower_why(const char *narrow, const char *wide, const struct pk_conv *conv, char text[200]);

/* Does a kernel of fp16 widen values to fp32 to compute (no half precision arithmetic in its instruction set)? */
bool pare_fp16_is_widened(const char *kernel);

#endif
