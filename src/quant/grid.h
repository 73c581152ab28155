/*
 * grid.h: the grid that a tensor's codes live on. Codes are unsigned bytes 0 .. 2^bits - 1.
 *   real = scale * (code - zero) + offset
 * offset is 0 except for one-bit grids, where code 0 means two_lo and code 1 means two_hi
 * (scale = two_hi - two_lo, zero = 0, offset = two_lo).
 */
#ifndef PARE_GRID_H
#define PARE_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "quant/range.h"

enum pare_form { PARE_FORM_F32, PARE_FORM_F16, PARE_FORM_CODES };

struct pare_grid {
    enum pare_form form;
    int bits; /* CODES only: 1..8, and 16 where a level is simulated (no kernel reads those) */
    float scale, offset;
    int zero;
};

/* Asymmetric grid of `bits` over [min(lo, 0), max(hi, 0)]: scale = (hi - lo) / (2^bits - 1),
 * zero = rne(-lo / scale) clamped; an empty range (lo == hi == 0) takes scale 1, zero 0. */
struct pare_grid pare_grid_asymmetric(float lo, float hi, int bits);
/* By level: bits >= 2 from min/max, bits == 1 from the two Lloyd means. */
struct pare_grid pare_grid_from_range(const struct pare_range *r, int bits);
bool pare_grid_equal(const struct pare_grid *a, const struct pare_grid *b);
/* The code that stands for padding: the one nearest to real 0. */
int pare_grid_pad_code(const struct pare_grid *g);
float pare_grid_real(const struct pare_grid *g, int code);
int pare_grid_code(const struct pare_grid *g,
                   float real); /* reference; the kernels give the same */

#endif
