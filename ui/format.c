/* format.c: numbers as people read them. */
#include "ui/format.h"

#include <math.h>
#include <stdio.h>

int pare_format_decimals(double largest, double spread)
{
    largest = fabs(largest);
    spread = fabs(spread);
    if (!isfinite(largest) || largest <= 0) {
        return 2;
    }
    int decimals = 2 - (int)floor(log10(largest));
    if (isfinite(spread) && spread > 0) {
        const int apart = 1 - (int)floor(log10(spread));
        decimals = apart > decimals ? apart : decimals;
    }
    return decimals < 0 ? 0 : decimals > 4 ? 4 : decimals;
}

const char *pare_format_number(char *out, size_t size, double value, int decimals,
                               const struct pare_glyphs *g)
{
    if (!isfinite(value)) {
        snprintf(out, size, "%s", isnan(value) ? g->none : value > 0 ? "inf" : "-inf");
        return out;
    }
    if (decimals < 0) {
        decimals = pare_format_decimals(value, NAN);
    }
    if (fabs(value) < 0.5 * pow(10, -decimals)) {
        value = 0; /* no "-0.0" */
    }
    if (fabs(value) >= 1e7) {
        snprintf(out, size, "%.2e", value);
    } else {
        snprintf(out, size, "%.*f", decimals, value);
    }
    return out;
}

const char *pare_format_percent(char *out, size_t size, double fraction,
                                const struct pare_glyphs *g)
{
    return pare_format_number(out, size, fraction * 100, 1, g);
}

/* value scaled by 1000 until below 1000, with three significant digits. */
static const char *scaled(char *out, size_t size, double value, const char *const *units,
                          const struct pare_glyphs *g)
{
    if (!isfinite(value)) {
        snprintf(out, size, "%s", g->none);
        return out;
    }
    int unit = 0;
    while (fabs(value) >= 999.5 && unit < 4) {
        value /= 1000;
        unit++;
    }
    const int decimals = unit == 0 ? 0 : fabs(value) >= 99.95 ? 0 : fabs(value) >= 9.995 ? 1 : 2;
    snprintf(out, size, "%.*f%s%s", decimals, value, units[unit][0] != '\0' ? " " : "",
             units[unit]);
    return out;
}

const char *pare_format_bytes(char *out, size_t size, double bytes, const struct pare_glyphs *g)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    return scaled(out, size, bytes, units, g);
}

const char *pare_format_count(char *out, size_t size, double count, const struct pare_glyphs *g)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    return scaled(out, size, count, units, g);
}

const char *pare_format_duration(char *out, size_t size, double seconds,
                                 const struct pare_glyphs *g)
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        snprintf(out, size, "%s", g->none);
        return out;
    }
    const long s = lround(seconds);
    if (s >= 3600) {
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    } else {
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
    }
    return out;
}

const char *pare_format_ms(char *out, size_t size, double ms, const struct pare_glyphs *g)
{
    const double a = fabs(ms);
    return pare_format_number(out, size, ms,
                              a >= 99.95    ? 0
                              : a >= 9.995  ? 1
                              : a >= 0.9995 ? 2
                                            : 3,
                              g);
}
