/*
 * fake_state.h: a realistic state without a front, for screen tests, pictures and the
 * demonstration: 3 stages, 23 layers, 8 levels, 261 points in 3 runs, jobs. Everything is computed
 * from fixed formulas.
 */
#ifndef PARE_FAKE_STATE_H
#define PARE_FAKE_STATE_H

#include "ui/ui.h"

struct fake;

enum fake_kind { FAKE_FULL, FAKE_EMPTY, FAKE_LOADING, FAKE_FAILED, FAKE_FOLLOWER, FAKE_BARE };

struct fake *fake_new(enum fake_kind kind);
void fake_free(struct fake *f);
/* A host whose `user` is the fake: pins, budgets and cancels change the state. */
struct pare_ui_host fake_host(struct fake *f);
/* One more measured point, a job's progress, or nothing but a new version. */
void fake_add_point(struct fake *f);
void fake_progress(struct fake *f);
/* The last command line that was run. */
const char *fake_last_command(const struct fake *f);

#endif
