/* centre.c: channels between layers lose their means to the biases around them (see equalize.h). */
#include <string.h>

#include "quant/equalize_parts.h"
#include "quant/weights.h"

static enum pare_status own_bias(struct pare_graph *g, int node, struct pare_error *err)
{
    const struct pare_node *n = &g->nodes[node];
    const int64_t channels = pare_node_out_channels(g, node);
    const int bias = n->n_in > 2 ? n->in[2] : -1;
    if (bias >= 0 && (g->tensors[bias].quant != NULL || g->tensors[bias].data == NULL ||
                      (pare_graph_consumers(g, bias) == 1 && pare_tensor_elements(&g->tensors[bias]) == channels))) {
        return PARE_OK;
    }
    float *values = pare_arena_array(&g->arena, (size_t)channels, sizeof *values);
    int *in = pare_arena_array(&g->arena, (size_t)(n->n_in > 3 ? n->n_in : 3), sizeof *in);
    const char *name = pare_arena_printf(&g->arena, "%s/bias", n->name);
    enum pare_status status = values != NULL && in != NULL && name != NULL ? pare_bias_f32(g, node, values, err)
                                                                         : pare_error_nomem(err);
    if (status != PARE_OK) {
        return status;
    }
    const int own = pare_graph_add_const(g, name, PARE_F32, 1, &channels, values, (size_t)channels * sizeof *values);
    if (own < 0) {
        return pare_error_nomem(err);
    }
    memcpy(in, n->in, (size_t)n->n_in * sizeof *in);
    in[2] = own;
    g->nodes[node].in = in;
    g->nodes[node].n_in = n->n_in > 3 ? n->n_in : 3;
    return PARE_OK;
}

enum pare_status equalize_own_biases(struct pare_graph *g, const struct pare_method *methods, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < g->n_nodes; i++) {
        struct equalize_shape shape;
        if (pare_node_is_layer(g, i) && methods[i].streams && g->tensors[g->nodes[i].in[1]].quant == NULL &&
            equalize_shape_of(g, i, &shape)) {
            status = own_bias(g, i, err);
        }
    }
    return status;
}

static bool pads(const struct pare_node *n)
{
    const struct pare_window *w = &n->attr.window;
    bool any = false;
    for (int i = 0; n->op != PARE_OP_FULLY_CONNECTED && i < w->n_spatial; i++) {
        any = any || w->pad_before[i] != 0 || w->pad_after[i] != 0;
    }
    return any;
}

static bool takes_constants(const struct equalize_work *k, int node, struct equalize_shape *s)
{
    const struct pare_node *n = &k->g->nodes[node];
    return pare_node_is_layer(k->g, node) && k->w[node] != NULL && equalize_shape_of(k->g, node, s) && n->n_in > 2 &&
           n->in[2] >= 0;
}

bool equalize_can_centre(const struct equalize_work *k, int t)
{
    const struct pare_graph *g = k->g;
    struct equalize_shape s;
    const int producer = t >= 0 ? g->tensors[t].producer : -1;
    if (producer < 0 || g->tensors[t].is_output || !takes_constants(k, producer, &s)) {
        return false;
    }
    const int channels = s.out;
    bool all = true, any = false;
    for (int i = 0; all && i < g->n_nodes; i++) {
        for (int j = 0; j < g->nodes[i].n_in; j++) {
            if (g->nodes[i].in[j] == t) {
                any = true;
                all = all && j == 0 && takes_constants(k, i, &s) && s.in == channels && !pads(&g->nodes[i]);
            }
        }
    }
    return any && all;
}

static void lower(struct equalize_work *k, int t, const struct pare_channel_seen *seen)
{
    const int producer = k->g->tensors[t].producer;
    struct equalize_shape s;
    equalize_shape_of(k->g, producer, &s);
    const int channels = s.out;
    for (int c = 0; c < channels; c++) {
        k->absorb[producer][c] += seen[c].mean / k->divided[producer][c];
        k->b[producer][c] -= seen[c].mean / k->divided[producer][c];
    }
    for (int i = 0; i < k->g->n_nodes; i++) {
        if (!pare_node_is_layer(k->g, i) || k->g->nodes[i].in[0] != t) {
            continue;
        }
        equalize_shape_of(k->g, i, &s);
        for (int o = 0; o < s.out; o++) {
            double sum = 0.0;
            for (int c = s.depthwise ? o : 0; c < (s.depthwise ? o + 1 : channels); c++) {
                const double mean = (double)(seen[c].mean / k->divided[producer][c]);
                for (int tap = 0; tap < s.taps; tap++) {
                    sum += (double)k->w[i][equalize_at(&s, o, tap, c)] * mean;
                }
            }
            k->b[i][o] += (float)sum;
        }
    }
}

int equalize_centre(struct equalize_work *k, const struct pare_channel_seen *const *seen)
{
    int n = 0;
    for (int t = 0; t < k->g->n_tensors; t++) {
        const int producer = k->g->tensors[t].producer;
        if (producer >= 0 && equalize_can_centre(k, t) && seen[t] != NULL) {
            lower(k, t, seen[t]);
            n++;
        }
    }
    return n;
}
