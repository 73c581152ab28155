#include "quant/wide.h"

#include <math.h>

#include "quant/qkeras.h"

#define TOP 32767.0f

int64_t pare_layer_depth(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    const int64_t channels = pare_node_out_channels(g, node), k = channels > 0 ? pare_node_weights(g, node) / channels : 0;
    int64_t taps = 1;
    for (int i = 0; n->op != PARE_OP_FULLY_CONNECTED && i < n->attr.window.n_spatial; i++) {
        taps *= n->attr.window.kernel[i];
    }
    return taps > 0 && k % taps == 0 ? k / taps : k;
}

/* Weights that share one grid: of n, `stride` apart, those whose input channel (i modulo depth) lies in [from, to). */
struct block {
    float *w;
    int64_t n, stride, depth, from, to;
};

static bool inside(const struct block *b, int64_t i)
{
    return i % b->depth >= b->from && i % b->depth < b->to;
}

static void extremes(const struct block *b, float *lo, float *hi)
{
    for (int64_t i = 0; i < b->n; i++) {
        const float w = inside(b, i) ? b->w[i * b->stride] : 0.0f;
        *lo = w < *lo ? w : *lo;
        *hi = w > *hi ? w : *hi;
    }
}

/* most: max_value of QKeras, which then takes what is small for 0 as well; 0 = none. */
static float power_of_two(float w, float most)
{
    const float size = most > 0.0f && fabsf(w) > most ? most : fabsf(w);
    if (size == 0.0f || (most > 0.0f && size < PARE_QKERAS_EPSILON)) {
        return 0.0f;
    }
    return copysignf(exp2f(fmaxf(rintf(log2f(size)), -126.0f)), w);
}

/* layer_max: the largest |w| of the layer, for quantized_bits without a given I. */
static void put_on_grid(const struct block *b, const struct pare_method *m, float layer_max)
{
    float lo = 0, hi = 0;
    extremes(b, &lo, &hi);
    const float max = hi > -lo ? hi : -lo;
    float scale = max / TOP, zero = 0, least = -TOP, most = TOP;
    if (!(max > 1e-30f)) {
        return;
    }
    if (m->weights == PARE_WEIGHTS_ASYMMETRIC) {
        scale = (hi - lo) / 65535.0f;
        zero = rintf(-lo / scale) - 32768.0f;
        least = -32768.0f;
    } else if (m->weights == PARE_WEIGHTS_BITS) {
        const int integer = m->integer_bits >= 0 ? m->integer_bits : (int)ceilf(log2f(layer_max));
        scale = ldexpf(1.0f, integer - 15);
        least = -32768.0f;
    }
    for (int64_t i = 0; i < b->n; i++) {
        if (!inside(b, i)) {
            continue;
        }
        float *w = &b->w[i * b->stride];
        const float code = rintf(*w / scale) + zero, held = code < least ? least : code > most ? most : code;
        *w = m->weights == PARE_WEIGHTS_PO2 ? power_of_two(*w, m->most) : (held - zero) * scale;
    }
}

enum pare_status pare_weights_wide(const struct pare_graph *g, int node, const struct pare_method *method,
                                   float *out, struct pare_error *err)
{
    static const struct pare_method symmetric = {.weights = PARE_WEIGHTS_SYMMETRIC, .per = PARE_PER_CHANNEL};
    const struct pare_method *m = method != NULL ? method : &symmetric;
    const int64_t n = pare_node_weights(g, node), channels = pare_node_out_channels(g, node);
    const int64_t k = channels > 0 ? n / channels : 0, depth = pare_layer_depth(g, node);
    const bool depthwise = g->nodes[node].op == PARE_OP_DEPTHWISE;
    if (m->weights == PARE_WEIGHTS_BINARY || m->weights == PARE_WEIGHTS_TERNARY || k < 1 || n != k * channels) {
        return pare_error(err, PARE_ERR_USAGE, g->nodes[node].name, "no weights of 16 bits: binary, ternary, or none at all");
    }
    enum pare_status status = pare_weights_f32(g, node, out, err);
    for (int64_t i = 0; status == PARE_OK && i < n; i++) {
        if (!isfinite(out[i])) {
            status = pare_error(err, PARE_ERR_FORMAT, g->nodes[node].name, "weight %lld is not finite", (long long)i);
        }
    }
    const struct block all = {out, n, 1, n, 0, n};
    float lo = 0, hi = 0;
    if (status == PARE_OK) {
        extremes(&all, &lo, &hi);
    }
    const float max = hi > -lo ? hi : -lo;
    if (status == PARE_OK && m->per == PARE_PER_TENSOR) {
        put_on_grid(&all, m, max);
        return PARE_OK;
    }
    const int64_t step = m->per == PARE_PER_GROUP && m->group > 0 ? m->group : depth;
    for (int64_t c = 0; status == PARE_OK && c < channels; c++) {
        for (int64_t from = 0; from < depth; from += step) {
            const struct block b = {out + (depthwise ? c : c * k), k, depthwise ? channels : 1, depth, from, from + step};
            put_on_grid(&b, m, max);
        }
    }
    return status;
}
