/* fit.c: from summed smooth loss to drop: a monotone fit over measured configurations, and the mixed ones behind it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/front.h"
#include "measure/stats.h"

/* Losses below it are the same in the logarithm. */
#define MIN_LOSS 1e-9
/* Measured configurations that tell how far a prediction may be off. */
#define SPREAD_POINTS 8

static int by_loss(const void *a, const void *b)
{
    const struct front_fitted *x = a, *y = b;
    return (x->loss > y->loss) - (x->loss < y->loss);
}

/* Layers in the pipeline are slower than alone (caches that other layers emptied, a neighbour on the machine): by fp32's measured
 * time end to end, which every measurement of an answer interleaves, all times but the glue's are taken as slower in the same
 * proportion. So the prediction of fp32 is its own measured time, and that of a configuration with half its time about half. (As a
 * remainder that all configurations have, what delayed fp32 made int8 look 1.3 to 1.7 times slower than it was measured.) */
static void front_anchor_latency(struct pare_front *f)
{
    unsigned char fp32[4096] = {0};
    double times[64];
    size_t n = 0;
    for (int i = 0; f->target == NULL && i < f->n_points && n < 64; i++) {
        if (isfinite(f->points[i].fp32_ms)) {
            times[n++] = f->points[i].fp32_ms;
        }
    }
    for (int i = 0; n == 0 && f->profiled && i < f->n_points; i++) { /* nothing measured, as on another target */
        f->points[i].latency_predicted = front_latency_sum(f, f->points[i].levels);
    }
    if (n == 0 || !f->profiled || f->n_layers > (int)sizeof fp32) {
        return;
    }
    pare_sort(times, n);
    double glue = isfinite(f->glue_ms) ? f->glue_ms : 0;
    const double parts = (front_latency_sum(f, fp32) - glue) / f->pace, pace = (pare_quantile_sorted(times, n, 0.5) - glue) / parts;
    if (isfinite(pace) && pace > 0 && pace != f->pace) {
        f->pace = pace;
        f->costs++;
    }
    for (int i = 0; i < f->n_points; i++) {
        double said = pare_json_get_real(f->points[i].facts, "latency_predicted");
        f->points[i].latency_predicted = isfinite(said) && isfinite(f->points[i].latency[1])
                                             ? said
                                             : front_latency_sum(f, f->points[i].levels);
    }
}

/* Every measured configuration as one pair of summed loss and drop, weighted by its samples; n of them, or 0. */
static int fit_pairs(struct pare_front *f, struct front_fitted *pairs)
{
    int n = 0;
    for (int i = 0; i < f->n_points; i++) {
        struct front_point *p = &f->points[i];
        p->loss_sum = front_loss_sum(f, p->levels);
        if (isfinite(p->search.figures.drop) && isfinite(p->loss_sum)) {
            pairs[n++] = (struct front_fitted){p->loss_sum, p->search.figures.drop, 0, p->search.samples};
        }
    }
    if (n > 0) {
        pairs[n++] = (struct front_fitted){0, 0, 0, FRONT_MIXED_SAMPLES}; /* nothing lost, nothing dropped */
    }
    qsort(pairs, (size_t)n, sizeof *pairs, by_loss);
    return n;
}

/* Equal losses have one value in a function: their mean. */
static void average_ties(const double *x, double *y, const double *weights, int n)
{
    for (int i = 0, end; i < n; i = end) {
        double sum = 0, total = 0;
        for (end = i; end < n && x[end] == x[i]; end++) {
            sum += weights[end] * y[end];
            total += weights[end];
        }
        for (int k = i; k < end && total > 0; k++) {
            y[k] = sum / total;
        }
    }
}

void front_fit(struct pare_front *f)
{
    size_t room = (size_t)f->n_points + 1;
    struct front_fitted *pairs = calloc(room, sizeof *pairs);
    double *numbers = calloc(4 * room, sizeof *numbers);
    if (pairs == NULL || numbers == NULL) {
        free(pairs);
        free(numbers);
        return; /* the fit before stands */
    }
    double *x = numbers, *y = numbers + room, *weights = numbers + 2 * room, *fitted = numbers + 3 * room;
    int n = fit_pairs(f, pairs);
    for (int i = 0; i < n; i++) {
        x[i] = pairs[i].loss;
        y[i] = pairs[i].drop > 0 ? pairs[i].drop : 0;
        weights[i] = pairs[i].weight;
    }
    average_ties(x, y, weights, n);
    pare_isotonic(x, y, weights, n, fitted);
    for (int i = 0; i < n; i++) {
        pairs[i].fitted = fitted[i];
    }
    free(numbers);
    free(f->fit);
    f->fit = pairs;
    f->n_fit = n;
    front_anchor_latency(f);
    /* A prediction is what was said before the point was measured: the fit that knows its own answer is none. */
    for (int i = 0; i < f->n_points; i++) {
        struct front_point *p = &f->points[i];
        const char *of = pare_json_get_string(p->facts, "quantize", ""), *now = f->options.quantize != NULL ? f->options.quantize : "";
        double said = strcmp(of, now) == 0 ? pare_json_get_real(p->facts, "drop_predicted") : NAN;
        p->drop_predicted = isfinite(said) ? said : p->search.samples > 0 ? NAN : front_drop_of_loss(f, p->loss_sum);
    }
}

double front_drop_of_loss(const struct pare_front *f, double loss)
{
    if (f->n_fit < 2 || !isfinite(loss)) {
        return NAN;
    }
    for (int i = 1; i < f->n_fit; i++) {
        const struct front_fitted *a = &f->fit[i - 1], *b = &f->fit[i];
        if (loss <= b->loss) {
            double width = b->loss - a->loss, t = width > 0 ? (loss - a->loss) / width : 1;
            return a->fitted + t * (b->fitted - a->fitted);
        }
    }
    return f->fit[f->n_fit - 1].fitted;
}

/* How far apart two losses are, as a factor; endless from 0. */
static double distance(double a, double b)
{
    return a > 0 && b > 0 ? fabs(log(a / b)) : INFINITY;
}

double front_spread_of_loss(const struct pare_front *f, double loss)
{
    const struct front_fitted *near[SPREAD_POINTS];
    double squares = 0, weights = 0;
    int n = 0;
    for (int i = 0; i < f->n_fit; i++) {
        const struct front_fitted *p = &f->fit[i];
        int at = n;
        for (; at > 0 && distance(p->loss, loss) < distance(near[at - 1]->loss, loss); at--) {
            if (at < SPREAD_POINTS) {
                near[at] = near[at - 1];
            }
        }
        if (at < SPREAD_POINTS) {
            near[at] = p;
            n += n < SPREAD_POINTS;
        }
    }
    for (int i = 0; i < n; i++) {
        squares += near[i]->weight * (near[i]->drop - near[i]->fitted) * (near[i]->drop - near[i]->fitted);
        weights += near[i]->weight;
    }
    return n == SPREAD_POINTS ? sqrt(squares / weights * n / (n - 1)) : NAN;
}

double front_loss_of_drop(const struct pare_front *f, double drop)
{
    if (f->n_fit < 2) {
        return NAN;
    }
    for (int i = f->n_fit - 1; i > 0; i--) {
        const struct front_fitted *a = &f->fit[i - 1], *b = &f->fit[i];
        if (b->fitted <= drop) {
            return i == f->n_fit - 1 ? INFINITY : b->loss;
        }
        if (a->fitted <= drop) {
            return a->loss + (drop - a->fitted) / (b->fitted - a->fitted) * (b->loss - a->loss);
        }
    }
    return 0;
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* From all layers at int8, random layers are lowered until the summed loss reaches a target; the targets are
 * spread evenly in the logarithm between the losses of the int8 and of the narrowest uniform config. Every second one
 * takes small steps only: solvers find many cheap cells, and many that are cheap alone lose more together than few. */
void front_mixed(const struct pare_front *f, int i, unsigned char *levels)
{
    unsigned char *low = malloc((size_t)f->n_layers + 1);
    uint32_t state = 0x9e3779b9u + 7919u * (uint32_t)(i + 1);
    if (low == NULL) {
        memset(levels, 0, (size_t)f->n_layers);
        return;
    }
    front_uniform(f, f->int8_level, levels);
    front_uniform(f, f->n_levels - 1, low);
    double from = front_loss_sum(f, levels), to = front_loss_sum(f, low);
    from = from > MIN_LOSS ? from : MIN_LOSS;
    to = to > 2 * from ? to : 2 * from;
    double target = from * pow(to / from, (i + 0.5) / FRONT_MIXED), largest = i % 2 != 0 ? target / 10 : target;
    int moves = (i % 2 != 0 ? 40 : 4) * f->n_layers;
    for (int move = 0; move < moves && front_loss_sum(f, levels) < target; move++) {
        int layer = (int)(next_random(&state) % (uint32_t)f->n_layers);
        int keep = f->layers[layer].keep, level = levels[layer];
        if (level >= keep) {
            continue;
        }
        levels[layer] = (unsigned char)(level + 1 + (int)(next_random(&state) % (uint32_t)(keep - level)));
        if (front_cell_loss(f, layer, levels[layer]) - front_cell_loss(f, layer, level) > largest || front_loss_sum(f, levels) > 2 * target) {
            levels[layer] = (unsigned char)level; /* too far: another one */
        }
    }
    free(low);
}
