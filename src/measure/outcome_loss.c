/*
 * outcome_loss.c: how far an outcome is from the reference's, smoothly.
 */
#include <math.h>

#include "measure/engine.h"

static void softmax_of(const struct pare_outcome *o, int i, double largest, double sum, double *p)
{
    *p = o->scores_are_probabilities ? (double)o->scores[i] : exp((double)o->scores[i] - largest) / sum;
}

static void softmax_sums(const struct pare_outcome *o, double *largest, double *sum)
{
    *largest = -INFINITY;
    *sum = 0;
    for (int i = 0; i < o->n_scores; i++) {
        *largest = (double)o->scores[i] > *largest ? (double)o->scores[i] : *largest;
    }
    for (int i = 0; i < o->n_scores; i++) {
        *sum += exp((double)o->scores[i] - *largest);
    }
}

/* Squared error relative to the reference's power, part by part; a reference of all zeros counts as power 1. */
static double relative_error(const struct pare_outcome *reference, const struct pare_outcome *outcome)
{
    const int parts = reference->n_parts > 0 ? reference->n_parts : 1;
    double loss = 0;
    for (int p = 0, at = 0; p < parts; p++) {
        const int n = reference->n_parts > 0 ? reference->parts[p] : reference->n_scores;
        double error = 0, power = 0;
        for (int i = 0; i < n; i++, at++) {
            const double d = (double)outcome->scores[at] - (double)reference->scores[at];
            error += d * d;
            power += (double)reference->scores[at] * (double)reference->scores[at];
        }
        loss += (power > 0 ? error / power : error) / parts;
    }
    return loss;
}

double pare_outcome_loss(const struct pare_outcome *reference, const struct pare_outcome *outcome)
{
    double loss = 0, r_largest, r_sum, o_largest, o_sum;
    if (reference->kind != outcome->kind || reference->n_scores != outcome->n_scores) {
        return PARE_LOSS_MAX;
    }
    if (reference->kind == PARE_OUTCOME_NONE || reference->n_scores == 0) {
        return 0;
    }
    if (reference->kind == PARE_OUTCOME_CLASS) {
        softmax_sums(reference, &r_largest, &r_sum);
        softmax_sums(outcome, &o_largest, &o_sum);
        for (int i = 0; i < reference->n_scores; i++) {
            double p, q;
            softmax_of(reference, i, r_largest, r_sum, &p);
            softmax_of(outcome, i, o_largest, o_sum, &q);
            loss += p > 1e-12 ? p * log(p / (q > 1e-12 ? q : 1e-12)) : 0;
        }
    } else {
        loss = relative_error(reference, outcome);
    }
    return !(loss > 0) ? (isnan(loss) ? PARE_LOSS_MAX : 0) : loss > PARE_LOSS_MAX ? PARE_LOSS_MAX : loss;
}
