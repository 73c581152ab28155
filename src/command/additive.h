/*
 * additive.h: inside command/: what measurements say of the hypothesis that the layers' losses add up.
 */
#ifndef PARE_COMMAND_ADDITIVE_H
#define PARE_COMMAND_ADDITIVE_H

#include "command/front.h"

#define ADDITIVE_PAIRS 3

struct additive_pair {
    int a, b;
    double weight;        /* of sqrt(loss_a * loss_b) */
};

struct additive {
    double *factor;       /* [n_layers] */
    int n_pairs;
    struct additive_pair pairs[ADDITIVE_PAIRS];
    int n;                /* measured configurations */
    int *point;           /* their indices */
    double *sum;          /* corrected */
};

/* Takes the measured configurations of the session; no correction yet. false when memory is out (clear it all the same). */
bool additive_new(const struct pare_front *f, struct additive *v);
void additive_clear(struct additive *v);
/* Fills factor and pairs from the measured configurations. */
bool additive_learn(const struct pare_front *f, struct additive *v);
/* Mean loss per sample of a layer at a level; 0 at the widest, NaN where it was not measured. */
double additive_cell_loss(const struct pare_front *f, int layer, int level);
/* The corrected sum of a configuration. */
double additive_sum(const struct pare_front *f, const struct additive *v, const unsigned char *levels);
/* The largest corrected sum whose fitted drop is within the budget; infinite when all are. */
double additive_sum_of_drop(const struct pare_front *f, const struct additive *v, double max_drop);

#endif
