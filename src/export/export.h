/*
 * export.h: configurations, tables and pictures out of the state that the screen shows. Files appear whole or not at all.
 */
#ifndef PARE_EXPORT_H
#define PARE_EXPORT_H

#include "pare.h"

/* format: json (config of `point`), csv (all points; the front marked), md (report), png, svg (plot of accuracy against
 * latency). point -1 = the best point of the newest solve, else uniform int8. "-" as path = standard output is refused:
 * use /dev/stdout. */
enum pare_status pare_export_state(const struct pare_state *state, const char *format, int point, const char *path,
                                   struct pare_error *err);

/* The config JSON as text (malloc'ed): {"schema":1,"pipeline","levels":{layer: level},"predicted","measured"}. */
char *pare_export_config(const struct pare_state *state, int point);

#endif
