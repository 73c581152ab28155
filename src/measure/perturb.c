#include "measure/perturb.h"

#include <math.h>
#include <stdlib.h>

#include "quant/make.h"

/* Half precision's own rounding. */
static enum pare_status half_distance(enum pk_isa isa, const float *w, int64_t n, double *squared, struct pare_error *err)
{
    uint16_t *half = malloc((size_t)n * sizeof *half);
    float *back = malloc((size_t)n * sizeof *back);
    *squared = 0;
    if (half != NULL && back != NULL) {
        pk_f32_to_f16(isa, w, (size_t)n, half);
        pk_f16_to_f32(isa, half, (size_t)n, back);
        for (int64_t i = 0; i < n; i++) {
            *squared += ((double)back[i] - (double)w[i]) * ((double)back[i] - (double)w[i]);
        }
    }
    const bool ok = half != NULL && back != NULL;
    free(half);
    free(back);
    return ok ? PARE_OK : pare_error_nomem(err);
}

/* depth: input channels of a group of the layer, the last axis of its weights. */
static double distance(const struct pare_weight_codes *q, bool depthwise, int64_t depth, const float *w, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t group = q->n_groups > 1 ? i % depth / q->group : 0;
        const int64_t c = group * q->n_channels + (depthwise ? i % q->n_channels : i / q->per_channel);
        const double zero = q->zero_point != NULL ? q->zero_point[c] : 0;
        const double value = q->real != NULL ? (double)q->real[i] : (double)q->scale[c] * ((double)q->codes[i] - zero);
        sum += (value - (double)w[i]) * (value - (double)w[i]);
    }
    return sum;
}

enum pare_status pare_perturb_layer(struct pare_engine *e, int layer, struct pare_level level, double *squared,
                                    struct pare_error *err)
{
    const struct pare_layer_ref *ref = pare_engine_layer(e, layer);
    const struct pare_graph *g = pare_engine_graph(e, ref->stage);
    const struct pare_maker *maker = pare_engine_maker(e, ref->stage);
    const struct pare_tensor *weights = &g->tensors[g->nodes[ref->node].in[1]];
    const int64_t n = pare_node_weights(g, ref->node);
    struct pare_arena arena = {0};
    struct pare_weight_codes q = {0};
    *squared = 0;
    if (level.kind == PARE_LEVEL_FP32) {
        return PARE_OK;
    }
    float *w = malloc(((size_t)n + 1) * sizeof *w);
    enum pare_status status = w != NULL ? pare_weights_f32(g, ref->node, w, err) : pare_error_nomem(err);
    for (int64_t i = 0; status == PARE_OK && i < n; i++) {
        if (!isfinite(w[i])) {
            status = pare_error(err, PARE_ERR_FORMAT, ref->name, "weight %lld is not finite", (long long)i);
        }
    }
    if (status == PARE_OK && level.kind == PARE_LEVEL_FP16) {
        status = half_distance(pare_engine_isa(e), w, n, squared, err);
    } else if (status == PARE_OK) {
        status = maker != NULL ? pare_maker_weights(maker, ref->node, level, NULL, &arena, &q, err)
                               : pare_weights_quantize(g, ref->node, level.w_bits, &arena, &q, err);
        *squared = status == PARE_OK ? distance(&q, g->nodes[ref->node].op == PARE_OP_DEPTHWISE, weights->dims[weights->rank - 1], w, n) : 0;
    }
    pare_arena_clear(&arena);
    free(w);
    return status;
}
