/*
 * histogram.h: the pictures of the why view: a histogram with the range of its grid marked, and a strip of channels. Heights
 * of a histogram are logarithms of counts (tails are what a range is about), those of a strip are linear.
 */
#ifndef PARE_HISTOGRAM_H
#define PARE_HISTOGRAM_H

#include "pare.h"
#include "ui/surface.h"

struct pare_ui;

#define PARE_HISTOGRAM_LEAST 5 /* lines: title, two of the plot, axis, numbers */

/*
 * Title, plot, axis and numbers inside r. What lies beyond the range is hatched and in a colour of its own; the range's ends
 * are dotted lines that end in [ and ], or < and > where they lie outside the picture. codes: of the grid, when its steps shall be marked on the axis; 0 = not.
 */
void pare_histogram_draw(struct pare_ui *ui, struct pare_rect r, const struct pare_histogram *h, const char *title, uint32_t ink,
                         int codes);
/* One line of words, below it the reach of every channel (or group of neighbours) against the farthest; dead ones crossed. */
void pare_strip_draw(struct pare_ui *ui, struct pare_rect r, const struct pare_channels *c, uint32_t ink);

#endif
