/*
 * format.h: numbers as people read them. Unknown (NaN) shows as a dash. Every function fills `out`
 * (terminated) and returns it.
 */
#ifndef PARE_FORMAT_H
#define PARE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "ui/glyph.h"

/* Digits after the point so that numbers between low and high, about spread apart, can be told
 * apart: two significant digits of the spread, three of the largest, 0..4. */
int pare_format_decimals(double largest, double spread);
/* Fixed digits; decimals < 0 = three significant ones. */
const char *pare_format_number(char *out, size_t size, double value, int decimals,
                               const struct pare_glyphs *g);
/* A fraction as points of a percent: 0.0123 -> "1.2". */
const char *pare_format_percent(char *out, size_t size, double fraction,
                                const struct pare_glyphs *g);
/* "2.08 MB", "41.3 kB", "812 B". */
const char *pare_format_bytes(char *out, size_t size, double bytes, const struct pare_glyphs *g);
/* "12.4 M", "812". */
const char *pare_format_count(char *out, size_t size, double count, const struct pare_glyphs *g);
/* Seconds as "0:12", "1:02:03". */
const char *pare_format_duration(char *out, size_t size, double seconds,
                                 const struct pare_glyphs *g);
/* Milliseconds: "8.31", "0.061", "1250" (no unit; tables carry it in the head). */
const char *pare_format_ms(char *out, size_t size, double ms, const struct pare_glyphs *g);

#endif
