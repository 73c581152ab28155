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

/* What ran at a level: the kernel's name (kernels.inc; NULL: not known), the bytes it writes for an element of the output, to all
 * that read it (0: not known). */
struct pare_ran {
    const char *kernel;
    int out_bytes;
};

/* One line why, into text. conv: the layer's call. Returns text. */
const char *pare_slower_why(struct pare_ran narrow, struct pare_ran wide, const struct pk_conv *conv, char text[200]);

/* Does a kernel of fp16 widen values to fp32 to compute (no half precision arithmetic in its instruction set)? */
bool pare_fp16_is_widened(const char *kernel);

#endif
