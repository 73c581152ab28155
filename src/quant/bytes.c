#include "quant/bytes.h"

#include "quant/weights.h"
#include "quant/wide.h"

static int64_t file_bytes(const struct pare_graph *g, int node)
{
    const struct pare_tensor *w = &g->tensors[g->nodes[node].in[1]];
    bool zeros = false;
    for (int64_t i = 0; i < w->quant->n; i++) {
        zeros = zeros || w->quant->zero_point[i] != 0;
    }
    return (pare_node_weights(g, node) * pare_dtype_bits(w->dtype) + 7) / 8 + (4 + (zeros ? 1 : 0)) * (int64_t)w->quant->n;
}

static int code_bits(const struct pare_method *m, int w_bits)
{
    switch (m->weights) {
    case PARE_WEIGHTS_BINARY: return 1;
    case PARE_WEIGHTS_TERNARY: return 2;
    case PARE_WEIGHTS_PO2: return w_bits > 8 ? 9 : w_bits;
    default: return w_bits;
    }
}

static int64_t scale_count(const struct pare_graph *g, int node, const struct pare_method *m)
{
    const int64_t channels = pare_node_out_channels(g, node);
    if (m->per == PARE_PER_TENSOR || m->weights == PARE_WEIGHTS_BITS || (m->weights == PARE_WEIGHTS_PO2 && m->most > 0.0f)) {
        return 1;
    }
    if (m->per == PARE_PER_GROUP && m->group > 0) {
        const int64_t depth = pare_layer_depth(g, node);
        return depth > 0 ? channels * ((depth + m->group - 1) / m->group) : channels;
    }
    return channels;
}

int64_t pare_layer_bytes(const struct pare_graph *g, int node, struct pare_level level, const struct pare_method *m)
{
    static const struct pare_method usual = {.weights = PARE_WEIGHTS_SYMMETRIC, .per = PARE_PER_CHANNEL, .bias = PARE_BIAS_OFF};
    const int64_t weights = pare_node_weights(g, node), channels = pare_node_out_channels(g, node);
    m = m != NULL ? m : &usual;
    int64_t biases = 4 * pare_node_biases(g, node);
    if (level.kind == PARE_LEVEL_FP32 || level.kind == PARE_LEVEL_FP16) {
        return (level.kind == PARE_LEVEL_FP32 ? 4 : 2) * weights + biases;
    }
    biases = m->bias != PARE_BIAS_OFF ? 4 * channels : biases;
    if (pare_weights_imported(g, node, level.w_bits)) {
        return file_bytes(g, node) + biases;
    }
    const bool powers = m->weights == PARE_WEIGHTS_PO2 || m->weights == PARE_WEIGHTS_BITS;
    const bool zeros = m->weights == PARE_WEIGHTS_ASYMMETRIC && level.w_bits > 1;
    const int64_t each = (powers ? 1 : 4) + (!zeros ? 0 : level.w_bits > 8 ? 2 : 1);
    return (weights * code_bits(m, level.w_bits) + 7) / 8 + each * scale_count(g, node, m) + biases;
}
