/*
 * linear.h: inside command/: extra linear rows of the problem, as scripts and pipelines say them (see linear.c for the
 * syntax). f->rows has the session's: those of pipeline.lua and what `row` added; a solve may have some of its own.
 */
#ifndef PARE_COMMAND_LINEAR_H
#define PARE_COMMAND_LINEAR_H

#include "command/front.h"

/* The rows of a list as coefficients over the pipeline's layers: [n_layers * n_levels] each, NaN where nothing is measured.
 * strict: a level that is no candidate is an error. ERR_USAGE names the row and what is wrong with it. */
enum pare_status front_rows_read(const struct pare_front *f, const json_t *list, bool strict, struct pare_row **rows, int *n,
                                 struct pare_error *err);
void front_rows_free(struct pare_row *rows, int n);
/* "layers at int4 <= 3" */
void front_row_words(const json_t *row, char *text, size_t size);

/* ---- linear_use.c ---- */

/* The session's rows and those of a solve, which take the place of others of their names; a new reference. */
json_t *front_rows_of(const struct pare_front *f, const json_t *own);
/* Gives the rows of a list that have no name their words as one. A new list. */
json_t *front_rows_named(const json_t *list);
/* Into the problem whose groups are layers or, per model, stages. */
enum pare_status front_rows_add(const struct pare_front *f, const struct front_budget *budget, struct pare_problem *p,
                                struct pare_error *err);
/* Does one of them look at the table of losses? */
bool front_rows_want_loss(const json_t *list);
/* Do they all hold at these levels (of the layers)? */
bool front_rows_hold(const struct pare_front *f, const struct pare_row *rows, int n, const unsigned char *levels);
/* [{"name", "says", "value", "at_least", "at_most", "holds", "binds", "gain_without"}]; answer: what a solver said of them, or
 * NULL. NULL when there are no rows. */
json_t *front_rows_json(const struct pare_front *f, const json_t *list, const unsigned char *levels, const json_t *answer);
/* Words for an answer's {"rows", "budgets", "nearest"}. */
void front_conflict_words(const struct pare_front *f, const json_t *list, const json_t *conflict, char *text, size_t size);

/* ---- as choices ---- */

/* Adds a row to the session's, in the place of the one of its name; twice: whether that is allowed. dry: only says whether
 * it can be. */
enum pare_status front_row_take(struct pare_front *f, const json_t *row, bool twice, bool dry, struct pare_error *err);
/* Ends a row by its name; "all" of them. */
enum pare_status front_row_drop(struct pare_front *f, const char *name, bool dry, struct pare_error *err);
/* Those of pipeline.lua. */
enum pare_status front_rows_clear(struct pare_front *f, struct pare_error *err);

#endif
