/*
 * chain.h: a problem laid out for dynamic programming: its groups in order, and what must be remembered of the
 * groups behind (the forms of those that still have a border ahead). Without border costs nothing is remembered and
 * there is one state; a chain of layers remembers one form; residual branches remember a few.
 */
#ifndef PARE_CHAIN_H
#define PARE_CHAIN_H

#include "search/problem.h"

struct pare_chain {
    const struct pare_problem *p;
    int n_forms;
    int *form;     /* [n_levels] compact: 0..n_forms-1 */
    int *n_states; /* [n_groups + 1] before each group; n_states[0] = n_states[n_groups] = 1 */
    int **next;    /* [n_groups][n_states[k] * n_forms]: the state behind group k */
    double **pay;  /* [n_groups][n_states[k] * n_forms]: ms of the borders between group k and those behind it */
};

/* with_borders: whether latency counts in what is solved (borders cost nothing else). Borders that would need more
 * than a thousand states are ERR_USAGE: such a program is for pare_solve_glpk. The problem must outlive the chain. */
enum pare_status pare_chain_new(const struct pare_problem *p, bool with_borders, struct pare_chain **chain,
                                struct pare_error *err);
void pare_chain_free(struct pare_chain *c);

/* The transition of group k from state s at level l. */
static inline int pare_chain_next(const struct pare_chain *c, int k, int s, int l)
{
    return c->next[k][s * c->n_forms + c->form[l]];
}
static inline double pare_chain_pay(const struct pare_chain *c, int k, int s, int l)
{
    return c->pay[k][s * c->n_forms + c->form[l]];
}

#endif
