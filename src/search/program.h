/*
 * program.h: inside search/: one run of GLPK on a problem, as it is; whoever wants to know more (conflict.c) runs it on
 * problems with less in them.
 */
#ifndef PARE_PROGRAM_H
#define PARE_PROGRAM_H

#include "search/problem.h"

/* goal: NULL, or a row whose value times sign (1 or -1) is made small instead of the problem's objective. Infeasible is an
 * answer without a reason; ERR_PARTIAL: neither a configuration nor that there is none was found within the time limit. */
enum pare_status pare_program_solve(const struct pare_problem *p, const struct pare_row *goal, double sign, struct pare_answer *a,
                                    struct pare_error *err);

#endif
