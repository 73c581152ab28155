/*
 * figures.h: what rows of samples say of a metric: value, drop, intervals.
 */
#ifndef PARE_FIGURES_H
#define PARE_FIGURES_H

#include "measure/stats.h"
#include "pipeline/pipeline.h"

#define PARE_RESAMPLES 1000          /* of a metric that we compute */
#define PARE_RESAMPLES_FUNCTION 200  /* of a function in Lua */

/* Of a metric other than top1 and function. resamples 0 = no intervals. */
enum pare_status pare_figures_of_set(struct pare_metric_set *s, enum pare_metric_kind kind, int resamples,
                                     struct pare_figures *f, struct pare_error *err);
/* Of the pipeline's own function, on n pairs of items as pare_metric_item makes them. */
enum pare_status pare_figures_of_function(const struct pare_glue *glue, int n, const json_t *const *reference,
                                          const json_t *const *candidate, struct pare_figures *f,
                                          struct pare_error *err);

json_t *pare_figures_to_json(const struct pare_figures *f);
void pare_figures_from_json(const json_t *json, struct pare_figures *f);

#endif
