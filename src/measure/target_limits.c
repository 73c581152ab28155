/*
 * target_limits.c: the built-in rpi3: a Cortex-A53 at 1.2 GHz, derived from its documented issue limits, not measured. One
 * 128-bit operation per cycle; MAC per cycle by the widths of weights and activations as in the table below (multiply and
 * accumulate long, 16-bit accumulation with a budget, bytes for two bits, exclusive or and bit count for one).
 */
#include <math.h>

#include "measure/target_parts.h"

#define GHZ 1.2
#define REACHED 0.75     /* of an inner loop's limit by a whole layer: 84 % by daBNN's on a two-pipe core, less here */
#define OVERHEAD_US 2.0  /* of a call */
#define L2_BYTES 512e3
#define L2_RATE 4.0      /* bytes per cycle */
#define MEMORY_RATE 1.5

static const struct {
    int w, a;
    double macs;
} limits[] = {
    {1, 1, 42.7}, {1, 2, 21}, {2, 2, 15}, {2, 4, 12.8}, {4, 4, 8}, {2, 8, 8}, {6, 6, 7.5}, {4, 8, 6.7}, {8, 8, 5.33},
};

static double limit_of(struct pare_level level)
{
    for (size_t i = 0; level.kind == PARE_LEVEL_INT && i < sizeof limits / sizeof limits[0]; i++) {
        if (level.w_bits <= limits[i].w && level.a_bits <= limits[i].a) {
            return limits[i].macs;
        }
    }
    return level.kind == PARE_LEVEL_FP32 || level.kind == PARE_LEVEL_FP16 || level.a_bits == 32 ? 4 : NAN;
}

double target_rpi3_us(int kind, struct pare_level level, const struct pk_conv *c)
{
    const bool depthwise = kind == PARE_KERNEL_DEPTHWISE;
    const bool codes = level.kind == PARE_LEVEL_INT && level.a_bits <= 8;
    const double outputs = (double)c->out_h * c->out_w * c->out_c, macs = pare_conv_macs(c, depthwise);
    const double a_bytes = codes ? 1 : level.kind == PARE_LEVEL_FP16 ? 2 : 4;
    const double weights = pare_conv_depth(c, depthwise) * c->out_c * level.w_bits / 8.0;
    /* depthwise: no reuse of what is loaded; long multiplies of 8 channels and as many loads */
    const double limit = depthwise ? (codes ? 3 : 1.5) : limit_of(level) * REACHED;
    const double work = macs / limit;
    const double bytes = ((double)c->in_h * c->in_w * c->in_c + outputs) * a_bytes / L2_RATE +
                         weights / (weights < L2_BYTES / 2 ? L2_RATE : MEMORY_RATE);
    const double epilogue = outputs * (codes ? 2 : level.kind == PARE_LEVEL_FP16 ? 1 : 0.5);
    return OVERHEAD_US + 1e-3 * ((work > bytes ? work : bytes) + epilogue) / GHZ;
}
