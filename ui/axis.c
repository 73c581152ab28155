/* axis.c: scales and round ticks. */
#include "ui/axis.h"

#include <math.h>

struct pare_axis pare_axis_make(double low, double high, bool log)
{
    if (!isfinite(low) || !isfinite(high) || low > high) {
        low = log ? 1 : 0;
        high = log ? 10 : 1;
    }
    if (log && low <= 0) {
        low = high > 0 ? high / 1000 : 1;
        high = high > 0 ? high : 10;
    }
    if (log) {
        const double room = pow(high / low, 0.04) * 1.01;
        return (struct pare_axis){low / room, high * room, true};
    }
    double room = (high - low) * 0.04;
    if (room <= fabs(high) * 1e-9) {
        room = high == 0 ? 1 : fabs(high) * 0.1;
    }
    return (struct pare_axis){low - room, high + room, false};
}

double pare_axis_place(const struct pare_axis *a, double value)
{
    if (isnan(value) || (a->log && value <= 0)) {
        return NAN;
    }
    return a->log ? log(value / a->low) / log(a->high / a->low)
                  : (value - a->low) / (a->high - a->low);
}

double pare_axis_value(const struct pare_axis *a, double fraction)
{
    return a->log ? a->low * pow(a->high / a->low, fraction)
                  : a->low + (a->high - a->low) * fraction;
}

struct pare_axis pare_axis_zoom(const struct pare_axis *a, double factor, double fraction)
{
    struct pare_axis z = *a;
    z.low = pare_axis_value(a, fraction - fraction * factor);
    z.high = pare_axis_value(a, fraction + (1 - fraction) * factor);
    const bool usable = isfinite(z.low) && isfinite(z.high) && z.high > z.low &&
                        z.high - z.low > 1e-12 * (fabs(z.high) + fabs(z.low)) &&
                        (!z.log || (z.low > 0 && z.high / z.low < 1e12)) && fabs(z.high) < 1e18;
    return usable ? z : *a;
}

/* Round step (1, 2, 2.5, 5 times a power of ten) that gives at most max ticks. */
static double linear_step(double span, int max)
{
    static const double steps[] = {1, 2, 5, 10};
    const double raw = span / (max < 1 ? 1 : max);
    const double power = pow(10, floor(log10(raw)));
    for (int i = 0; i < 4; i++) {
        if (steps[i] * power >= raw * 0.999) {
            return steps[i] * power;
        }
    }
    return 10 * power;
}

static int decimals_of(double step)
{
    int d = 0;
    while (d < 6 && fabs(step * pow(10, d) - round(step * pow(10, d))) > 1e-6 * pow(10, d) * step) {
        d++;
    }
    return d;
}

static int linear_ticks(const struct pare_axis *a, int max, double *ticks, int *decimals)
{
    double step = linear_step(a->high - a->low, max);
    int n = 0;
    for (int tries = 0; tries < 3; tries++, step *= 2) {
        n = 0;
        const double first = ceil(a->low / step - 1e-9);
        while (n <= max && n < PARE_AXIS_TICKS && (first + n) * step <= a->high + step * 1e-9) {
            ticks[n] = (first + n) * step;
            ticks[n] = fabs(ticks[n]) < step * 1e-6 ? 0 : ticks[n];
            n++;
        }
        if (n <= max) {
            break;
        }
    }
    *decimals = decimals_of(step);
    return n > max ? max : n;
}

int pare_axis_ticks(const struct pare_axis *a, int max, double *ticks, int *decimals)
{
    max = max > PARE_AXIS_TICKS ? PARE_AXIS_TICKS : max;
    *decimals = 0;
    if (max < 1 || !(a->high > a->low)) {
        return 0;
    }
    if (!a->log || a->high / a->low < 3) {
        return linear_ticks(a, max, ticks, decimals);
    }
    static const int sets[4][10] = {
        {1, 2, 3, 4, 5, 6, 7, 8, 9, 0}, {1, 2, 5, 0}, {1, 3, 0}, {1, 0}};
    for (int set = a->high / a->low < 20 ? 0 : 1; set < 4; set++) {
        int n = 0;
        const int from = (int)floor(log10(a->low)), to = (int)ceil(log10(a->high));
        for (int e = from; e <= to; e++) {
            for (int i = 0; sets[set][i] != 0; i++) {
                const double v = sets[set][i] * pow(10, e);
                if (v >= a->low * 0.9999 && v <= a->high * 1.0001 && n <= max &&
                    n < PARE_AXIS_TICKS) {
                    ticks[n++] = v;
                }
            }
        }
        if (n <= max && n > 0) {
            *decimals = ticks[0] < 1 ? (int)ceil(-log10(ticks[0]) - 1e-9) : 0;
            return n;
        }
    }
    ticks[0] = pow(10, round(log10(a->low * a->high) / 2));
    *decimals = ticks[0] < 1 ? (int)ceil(-log10(ticks[0]) - 1e-9) : 0;
    return ticks[0] >= a->low && ticks[0] <= a->high ? 1 : 0;
}
