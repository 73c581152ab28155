/*
 * target.h: machines whose latencies count: a table of latencies (measured here or on a board and imported), or limits
 * alone (the built-in rpi3, derived). Layers that a table does not hold are predicted from it, and say so, with the error
 * found on held-out rows.
 *
 * Tables live in $XDG_DATA_HOME/pare/targets/NAME.csv (format: table_write.h); "host" is this machine's own, and its
 * kernels are chosen by it.
 */
#ifndef PARE_TARGET_H
#define PARE_TARGET_H

#include <stdbool.h>

#include "base/status.h"
#include "measure/limits.h"
#include "measure/predict.h"
#include "pk.h"
#include "quant/level.h"

enum pare_basis { PARE_BASIS_MEASURED, PARE_BASIS_PREDICTED, PARE_BASIS_DERIVED };
const char *pare_basis_name(enum pare_basis basis); /* "measured" "predicted" "derived" */

enum { PARE_TARGET_ROWS = 4096, PARE_TARGET_NAME = 64 };

/* One row of the table. */
struct pare_target_row {
    int kind;             /* PARE_KERNEL_CONV ... */
    struct pare_level level;
    char kernel[48];
    struct pk_conv conv;
    double us, us_slow;
};

struct pare_target;

/* By name. ERR_NOINPUT: no such target; ERR_FORMAT: FILE:LINE and what was expected there. */
enum pare_status pare_target_load(const char *name, struct pare_target **target, struct pare_error *err);
/* A table from any file, under a name. */
enum pare_status pare_target_open(const char *path, const char *name, struct pare_target **target, struct pare_error *err);
void pare_target_free(struct pare_target *t);
const char *pare_target_name(const struct pare_target *t);
const char *pare_target_machine(const struct pare_target *t); /* "Cortex-A53, 1.2 GHz: limits, not measured" */
bool pare_target_derived(const struct pare_target *t);
/* Does the table say itself that this is all of it? (Tables written by hand do not.) */
bool pare_target_complete(const struct pare_target *t);
/* Is it a table of the machine that this runs on, by its own words and its instruction sets? */
bool pare_target_is_here(const struct pare_target *t);
int pare_target_row_count(const struct pare_target *t);
const struct pare_target_row *pare_target_rows(const struct pare_target *t);

/* Microseconds of one layer at a level; NaN when nothing is known. error: mean relative error of the held-out rows (0 when
 * measured, 0.3 when derived). AMX counts by its slow state. An integer level without rows of its own takes those of the
 * next wider one that has them: its kernels run it. */
double pare_target_us(const struct pare_target *t, int kind, struct pare_level level, const struct pk_conv *conv,
                      enum pare_basis *basis, double *error);
/* Is a prediction for this layer one beyond the sizes of the rows that it is made from (less or more multiply-adds than any)? */
bool pare_target_extrapolates(const struct pare_target *t, int kind, struct pare_level level, const struct pk_conv *conv);
/* The fit of a kind at a level, or NULL. */
const struct pare_predictor *pare_target_predictor(const struct pare_target *t, int kind, struct pare_level level);

/* $XDG_DATA_HOME/pare/targets/NAME.csv. A name is letters, digits, . _ - and does not begin with a dot. */
enum pare_status pare_target_path(const char *name, char *path, size_t size, struct pare_error *err);
/* Checks a table and copies it there; name NULL: the file's own name without its ending. out_name: [PARE_TARGET_NAME]. */
enum pare_status pare_target_import(const char *path, const char *name, char *out_name, struct pare_error *err);
/* Names of all targets with a table and of the built-in ones, sorted; returns how many (at most max). */
int pare_target_names(char (*names)[PARE_TARGET_NAME], int max);

/* The host's table, if there is one, decides from now on which of the kernels that give the same bytes a layer runs
 * (pk_set_choices). Returns its hash as text in hash[40], "" without a table. Once per process. */
void pare_target_use_host(char hash[40]);

#endif
