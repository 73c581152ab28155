/* pk_sums.h: inside kernels/: the lanes of pk_moments_f32 and pk_distance_f32, and how they end. */
#ifndef PARE_PK_SUMS_H
#define PARE_PK_SUMS_H

#include "pk.h"

struct pk_moment_lanes {
    double sum[PK_SUM_LANES], squares[PK_SUM_LANES], lo[PK_SUM_LANES], hi[PK_SUM_LANES];
};
/* Adds what is left over (fewer than PK_SUM_LANES elements; the first goes to lane 0) and adds up the lanes in order.
 * false: some of the n were not finite, *m says nothing. */
bool pk_moments_end(struct pk_moment_lanes *lanes, const float *rest, size_t n_rest, size_t n, struct pk_moments *m);

struct pk_distance_lanes {
    double sum[PK_SUM_LANES], squares[PK_SUM_LANES], signal[PK_SUM_LANES], power[PK_SUM_LANES], dot[PK_SUM_LANES],
        most[PK_SUM_LANES];
};
void pk_distance_end(struct pk_distance_lanes *lanes, const float *y, const float *x, size_t n_rest, struct pk_distance *d);

#endif
