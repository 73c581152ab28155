/*
 * target.c: latencies of another machine. Layers take the target's times (from its table, or predicted from it, or derived);
 * what is no layer (other operators, glue, borders) has no table: it takes the host's times in the proportion of the layers'
 * times at fp32. Nothing is measured end to end there, so every latency of a point stays a prediction.
 */
#include <math.h>
#include <string.h>

#include "command/front.h"

static int kind_of(const struct front_layer *l)
{
    return strcmp(l->kind, "dw") == 0                                  ? PARE_KERNEL_DEPTHWISE
           : strcmp(l->kind, "fc") == 0 && l->conv.out_w <= 1 ? PARE_KERNEL_FC
                                                                       : PARE_KERNEL_CONV;
}

/* Milliseconds of one call of a layer at a level; NaN. */
static double target_ms(const struct pare_front *f, const struct front_layer *l, int level, enum pare_basis *basis, double *error)
{
    struct pk_conv conv = l->conv;
    const int kind = kind_of(l);
    if (front_layer_simulated(l, f->levels[level]) || conv.in_c < 1 || conv.groups < 1 || conv.out_w < 1) {
        return NAN;
    }
    if (kind != PARE_KERNEL_DEPTHWISE && conv.groups > 1) { /* tables hold one group: as many calls of it */
        const int groups = conv.groups;
        conv.in_c /= groups;
        conv.out_c /= groups;
        conv.groups = 1;
        return 1e-3 * l->batch * groups * pare_target_us(f->target, kind, f->levels[level], &conv, basis, error);
    }
    return 1e-3 * l->batch * pare_target_us(f->target, kind, f->levels[level], &conv, basis, error);
}

void front_target_apply(struct pare_front *f)
{
    double host = 0, there = 0;
    enum pare_basis basis;
    double error;
    if (f->target == NULL) {
        return;
    }
    for (int i = 0; i < f->n_layers; i++) {
        const double ms = f->cells[i * f->n_levels].ms, theirs = target_ms(f, &f->layers[i], 0, &basis, &error);
        if (isfinite(ms) && isfinite(theirs)) {
            host += ms * f->stages[f->layers[i].stage].calls;
            there += theirs * f->stages[f->layers[i].stage].calls;
        }
    }
    const double slower = host > 0 ? there / host : 1;
    for (int i = 0; i < f->n_layers; i++) {
        for (int l = 0; l <= f->layers[i].keep && l < f->n_levels; l++) {
            struct front_cell *c = &f->cells[i * f->n_levels + l];
            c->ms = target_ms(f, &f->layers[i], l, &basis, &error);
            c->ms_p10 = c->ms * (1 - error);
            c->ms_p90 = c->ms * (1 + error);
            c->kernel = pare_basis_name(basis);
        }
    }
    for (int s = 0; s < f->n_stages; s++) {
        for (int l = 0; l < f->n_levels; l++) {
            f->stages[s].other_ms[l] *= slower;
            f->stages[s].total_ms[l] *= slower;
        }
    }
    f->glue_ms *= slower;
    f->border_ms *= slower;
    for (int i = 0; i < f->n_points; i++) {
        f->points[i].latency_predicted = front_latency_sum(f, f->points[i].levels);
    }
}

json_t *front_target_describe(const struct pare_front *f)
{
    json_t *root = json_deep_copy(f->description), *layer, *list = json_object_get(root, "layers");
    size_t i;
    json_object_set_new(root, "target", json_pack("{s:s, s:s, s:b}", "name", pare_target_name(f->target), "machine",
                                                  pare_target_machine(f->target), "derived", (int)pare_target_derived(f->target)));
    json_array_foreach(list, i, layer) {
        json_t *times = json_object();
        for (int l = 0; (int)i < f->n_layers && l < f->n_levels; l++) {
            enum pare_basis basis = PARE_BASIS_MEASURED;
            double error = NAN;
            const double ms = target_ms(f, &f->layers[i], l, &basis, &error);
            const bool beyond = isfinite(ms) && pare_target_extrapolates(f->target, kind_of(&f->layers[i]), f->levels[l], &f->layers[i].conv);
            json_object_set_new(times, f->level_names[l], json_pack("{s:o, s:s, s:o, s:b}", "ms", pare_json_real(ms), "basis",
                                                                    pare_basis_name(basis), "error", pare_json_real(error), "extrapolated", (int)beyond));
        }
        json_object_set_new(layer, "target_ms", times);
    }
    return root;
}
