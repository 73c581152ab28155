/*
 * workbench.h: the screen on a real front: plugs ui.h into pare.h and the loop.
 */
#ifndef PARE_WORKBENCH_H
#define PARE_WORKBENCH_H

#include "ui/cli.h"

/* Opens the pipeline of o->args[0] on the terminal; returns an exit code. */
int workbench_run(const struct cli_options *o);

#endif
