/* scatter.h: shared by the two files of the plot: choosing (view_scatter.c) and drawing
 * (scatter_plot.c). */
#ifndef PARE_SCATTER_H
#define PARE_SCATTER_H

#include "ui/app.h"

/* A point's value on an axis (0 = x, 1 = y), in the unit that is shown; NaN = unknown. */
double pare_scatter_value(const struct pare_ui *ui, int point, int axis);
/* Points that have a place, in plot order; order holds n_points. Returns how many. */
int pare_scatter_order(const struct pare_ui *ui, int *order, bool front_only);
/* Front, ghost or tied in the two figures that are shown (PARE_MARK_*). */
bool pare_scatter_marked(const struct pare_ui *ui, int point, int mark);
/* Marks the points anew when the state or an axis has changed. */
void pare_scatter_update(struct pare_ui *ui);
/* Is the figure a prediction by nature; does an axis show one, to be held against what was measured? */
bool pare_quantity_is_prediction(enum pare_quantity q);
bool pare_scatter_is_trust(const struct pare_ui *ui);
/* scatter_trust.c: how well the cheap figures rank what was measured, in the corner that such a plot leaves empty. */
void pare_trust_draw(struct pare_ui *ui, struct pare_rect area);
bool pare_quantity_small_is_better(enum pare_quantity q);
/* Draws axes and points inside r with the axes of ui->scatter. */
void pare_scatter_plot(struct pare_ui *ui, struct pare_rect r);

#endif
