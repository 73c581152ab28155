/* flags.c: see the header. */
#include "measure/flags.h"

#include <math.h>
#include <stdlib.h>

#include "quant/weights.h"

static void add(struct pare_strbuf *text, const char *part)
{
    pare_strbuf_printf(text, "%s%s", text->length > 0 ? "; " : "", part);
}

static void weight_flags(const struct pare_graph *g, int node, const float *w, const float *bias, struct pare_strbuf *text)
{
    const int64_t n = pare_node_weights(g, node), channels = pare_node_out_channels(g, node), k = n / channels;
    const bool depthwise = g->nodes[node].op == PARE_OP_DEPTHWISE;
    int64_t bad = 0, first_bad = 0, dead = 0, loud = -1;
    for (int64_t c = 0; c < channels; c++) {
        float max = 0.0f;
        for (int64_t i = 0; i < k; i++) {
            const float v = w[depthwise ? i * channels + c : c * k + i];
            if (!isfinite(v)) {
                first_bad = bad == 0 ? c : first_bad;
                bad++;
            }
            max = fabsf(v) > max ? fabsf(v) : max;
        }
        if (max == 0.0f) {
            dead++;
            loud = bias != NULL && fabsf(bias[c]) > 0.0f && (loud < 0 || fabsf(bias[c]) > fabsf(bias[loud])) ? c : loud;
        }
    }
    char part[160];
    if (bad > 0) {
        snprintf(part, sizeof part, "%lld weights are not finite, the first in channel %lld", (long long)bad, (long long)first_bad);
        add(text, part);
    }
    if (dead > 0 && loud >= 0) {
        snprintf(part, sizeof part, "%lld channels have only zero weights; channel %lld is the constant %g", (long long)dead,
                 (long long)loud, (double)bias[loud]);
        add(text, part);
    } else if (dead > 0) {
        snprintf(part, sizeof part, "%lld channels have only zero weights", (long long)dead);
        add(text, part);
    }
}

void pare_layer_flags(const struct pare_graph *g, int node, const struct pare_calibration *c, struct pare_strbuf *text)
{
    const int64_t n = pare_node_weights(g, node), channels = pare_node_out_channels(g, node);
    const int input = g->nodes[node].in[0];
    if (n < 1 || channels < 1 || n % channels != 0) {
        return;
    }
    float *w = malloc((size_t)n * sizeof *w), *bias = malloc((size_t)channels * sizeof *bias);
    if (w != NULL && bias != NULL && pare_weights_f32(g, node, w, NULL) == PARE_OK) {
        weight_flags(g, node, w, pare_bias_f32(g, node, bias, NULL) == PARE_OK ? bias : NULL, text);
    }
    free(w);
    free(bias);
    if (c == NULL || input < 0 || input >= c->n_tensors) {
        return;
    }
    const struct pare_range *r = &c->ranges[input];
    if (r->n_nonfinite > 0) {
        add(text, "what it reads is not always finite");
    } else if (r->n > 0 && r->min == r->max) {
        char part[96];
        snprintf(part, sizeof part, "what it reads is the constant %g", (double)r->min);
        add(text, part);
    }
}
