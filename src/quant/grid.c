/* grid.c: real numbers to codes and back. */
#include "quant/grid.h"

#include <math.h>

struct pare_grid pare_grid_asymmetric(float lo, float hi, int bits)
{
    const int top = (1 << bits) - 1;
    const float low = lo < 0.0f ? lo : 0.0f;
    const float high = hi > 0.0f ? hi : 0.0f;
    struct pare_grid g = {PARE_FORM_CODES, bits, 1.0f, 0.0f, 0};
    /* in double: high - low may overflow float, and a denormal range must not give scale 0 */
    const double step = ((double)high - (double)low) / top;
    const float scale = (float)step;
    if (!(scale > 1e-37f) || !isfinite(scale)) {
        return g;
    }
    g.scale = scale;
    const float zero = rintf(-low / scale);
    g.zero = zero < 0.0f ? 0 : zero > (float)top ? top : (int)zero;
    return g;
}

struct pare_grid pare_grid_from_range(const struct pare_range *r, int bits)
{
    if (bits >= 2) {
        const int chosen = bits > 8 ? 8 : bits;
        return r->clipped ? pare_grid_asymmetric(r->clip_lo[chosen], r->clip_hi[chosen], bits)
                          : pare_grid_asymmetric(r->min, r->max, bits);
    }
    const float scale = r->two_hi - r->two_lo;
    if (!(scale > 1e-37f) || !isfinite(scale)) {
        /* one value only: both codes must still be finite; code 0 is that value */
        return (struct pare_grid){PARE_FORM_CODES, 1, 1.0f, r->two_lo, 0};
    }
    return (struct pare_grid){PARE_FORM_CODES, 1, scale, r->two_lo, 0};
}

bool pare_grid_equal(const struct pare_grid *a, const struct pare_grid *b)
{
    if (a->form != b->form) {
        return false;
    }
    return a->form != PARE_FORM_CODES || (a->bits == b->bits && a->zero == b->zero &&
                                          a->scale == b->scale && a->offset == b->offset);
}

int pare_grid_code(const struct pare_grid *g, float real)
{
    const float lo = (float)-g->zero, hi = (float)((1 << g->bits) - 1 - g->zero);
    const float u = (real - g->offset) * (1.0f / g->scale);
    const float v = u > lo ? u : lo;
    return g->zero + (int)lrintf(v < hi ? v : hi);
}

int pare_grid_pad_code(const struct pare_grid *g)
{
    return g->form == PARE_FORM_CODES ? pare_grid_code(g, 0.0f) : 0;
}

float pare_grid_real(const struct pare_grid *g, int code)
{
    return fmaf((float)(code - g->zero), g->scale, g->offset);
}
