/*
 * tie.h: groups that take one level. Tied groups become one group of the problem, so every solver honours ties without
 * knowing of them: its cost at a level is the sum of theirs, a level is allowed where it is allowed for all of them.
 */
#ifndef PARE_TIE_H
#define PARE_TIE_H

#include "search/problem.h"

/* tie[g]: the first group (lowest index) of the tie that g belongs to; g itself when it is not tied. *p is replaced by the
 * problem of the ties, whose groups are in the order of their first members and have their names; borders inside a tie
 * can cost nothing and go, those between the same two groups are added; extra rows add up in the same way. The old problem is freed.
 * ERR_INTERNAL when tie does not point to first groups; *p is unchanged on errors. Without any tie nothing is done. */
enum pare_status pare_problem_tie(struct pare_problem **p, const int *tie, struct pare_error *err);

#endif
