/* equalize.c: see the header. */
#include "quant/equalize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/equalize_parts.h"
#include "quant/weights.h"

bool equalize_shape_of(const struct pare_graph *g, int node, struct equalize_shape *s)
{
    const struct pare_node *n = &g->nodes[node];
    const int64_t weights = pare_node_weights(g, node), out = pare_node_out_channels(g, node);
    s->depthwise = n->op == PARE_OP_DEPTHWISE;
    s->out = (int)out;
    s->taps = 1;
    if (n->op == PARE_OP_CONV_TRANSPOSE || (n->op == PARE_OP_CONV && n->attr.groups != 1)) {
        return false;
    }
    for (int i = 0; n->op != PARE_OP_FULLY_CONNECTED && i < n->attr.window.n_spatial; i++) {
        s->taps *= n->attr.window.kernel[i];
    }
    s->in = s->depthwise ? s->out : (int)(weights / out / s->taps);
    const struct pare_tensor *x = &g->tensors[n->in[0]];
    return x->rank > 0 && x->dims[x->rank - 1] == s->in && (s->depthwise ? weights == out * s->taps : true);
}

size_t equalize_at(const struct equalize_shape *s, int o, int tap, int i)
{
    return s->depthwise ? (size_t)tap * (size_t)s->out + (size_t)o
                        : ((size_t)o * (size_t)s->taps + (size_t)tap) * (size_t)s->in + (size_t)i;
}

bool equalize_own(struct equalize_work *k, int node, enum pare_status *status, struct pare_error *err)
{
    struct pare_graph *g = k->g;
    const struct pare_node *n = &g->nodes[node];
    if (k->w[node] != NULL) {
        return true;
    }
    const int bias = n->n_in > 2 ? n->in[2] : -1;
    if (g->tensors[n->in[1]].quant != NULL || (bias >= 0 && g->tensors[bias].quant != NULL)) {
        k->codes++;
        return false;
    }
    if (pare_graph_consumers(g, n->in[1]) != 1 || (bias >= 0 && pare_graph_consumers(g, bias) != 1)) {
        k->shared++;
        return false;
    }
    const size_t weights = (size_t)pare_node_weights(g, node), out = (size_t)pare_node_out_channels(g, node);
    if (bias >= 0 && pare_tensor_elements(&g->tensors[bias]) != (int64_t)out) {
        k->shared++;
        return false;
    }
    k->w[node] = pare_arena_array(&g->arena, weights, sizeof(float));
    k->b[node] = pare_arena_array(&g->arena, out, sizeof(float));
    if (k->w[node] == NULL || k->b[node] == NULL) {
        *status = pare_error_nomem(err);
        return false;
    }
    *status = pare_weights_f32(g, node, k->w[node], err);
    if (*status == PARE_OK) {
        *status = pare_bias_f32(g, node, k->b[node], err);
    }
    if (*status != PARE_OK) {
        return false;
    }
    const int tensors[2] = {n->in[1], bias};
    float *const data[2] = {k->w[node], k->b[node]};
    const size_t elements[2] = {weights, out};
    for (int i = 0; i < 2; i++) {
        if (tensors[i] >= 0) {
            struct pare_tensor *t = &g->tensors[tensors[i]];
            t->dtype = PARE_F32;
            t->data = data[i];
            t->size_bytes = elements[i] * sizeof(float);
        }
    }
    return true;
}

/* The single node that reads tensor t; -1 = several, or an output. */
static int only_reader(const struct pare_graph *g, int t)
{
    int reader = -1;
    if (t < 0 || g->tensors[t].is_output || pare_graph_consumers(g, t) != 1) {
        return -1;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        for (int j = 0; j < g->nodes[i].n_in; j++) {
            reader = g->nodes[i].in[j] == t ? i : reader;
        }
    }
    return reader;
}

static bool is_relu(const struct pare_node *n)
{
    return n->op == PARE_OP_RELU || (n->op == PARE_OP_CLIP && n->n_in == 1 && n->attr.lo == 0.0f);
}

/* The layer that alone reads what `node` makes, through one relu at most; -1 = none. */
static int next_layer(const struct pare_graph *g, int node, int *relu)
{
    int reader = only_reader(g, g->nodes[node].out[0]);
    *relu = -1;
    if (reader >= 0 && is_relu(&g->nodes[reader])) {
        *relu = reader;
        reader = only_reader(g, g->nodes[reader].out[0]);
    }
    return reader >= 0 && pare_node_is_layer(g, reader) ? reader : -1;
}

static void release_relu(struct equalize_work *k, int relu)
{
    struct pare_node *n = relu >= 0 ? &k->g->nodes[relu] : NULL;
    if (n != NULL && n->op == PARE_OP_CLIP && isfinite(n->attr.hi)) {
        n->op = PARE_OP_RELU;
        k->relu6++;
    }
}

static float out_range(const struct equalize_work *k, int node, const struct equalize_shape *s, int o)
{
    float r = 0.0f;
    for (int tap = 0; tap < s->taps; tap++) {
        for (int i = 0; i < (s->depthwise ? 1 : s->in); i++) {
            r = fmaxf(r, fabsf(k->w[node][equalize_at(s, o, tap, i)]));
        }
    }
    return r;
}

float equalize_in_range(const struct equalize_work *k, int node, const struct equalize_shape *s, int i)
{
    float r = 0.0f;
    for (int o = 0; o < s->out; o++) {
        for (int tap = 0; tap < s->taps; tap++) {
            r = fmaxf(r, fabsf(k->w[node][equalize_at(s, o, tap, i)]));
        }
    }
    return r;
}

void equalize_scale_out(struct equalize_work *k, int node, const struct equalize_shape *s, int o, float factor)
{
    for (int tap = 0; tap < s->taps; tap++) {
        for (int i = 0; i < (s->depthwise ? 1 : s->in); i++) {
            k->w[node][equalize_at(s, o, tap, i)] *= factor;
        }
    }
    k->b[node][o] *= factor;
    k->divided[node][o] /= factor;
}

void equalize_scale_in(struct equalize_work *k, int node, const struct equalize_shape *s, int i, float factor)
{
    for (int o = 0; o < s->out; o++) {
        for (int tap = 0; tap < s->taps; tap++) {
            k->w[node][equalize_at(s, o, tap, i)] *= factor;
        }
    }
}

static float usable(float s)
{
    return isfinite(s) && s > 1e-6f && s < 1e6f ? s : 1.0f;
}

static void equalize_pair(struct equalize_work *k, int a, const struct equalize_shape *sa, int b, const struct equalize_shape *sb)
{
    for (int i = 0; i < sa->out; i++) {
        const float s = usable(sqrtf(out_range(k, a, sa, i) / equalize_in_range(k, b, sb, i)));
        equalize_scale_out(k, a, sa, i, 1.0f / s);
        equalize_scale_in(k, b, sb, i, s);
    }
}

static void equalize_triple(struct equalize_work *k, const int node[3], const struct equalize_shape s[3])
{
    for (int i = 0; i < s[0].out; i++) {
        const float r1 = out_range(k, node[0], &s[0], i), r2 = out_range(k, node[1], &s[1], i);
        const float r3 = equalize_in_range(k, node[2], &s[2], i), mean = cbrtf(r1 * r2 * r3);
        float s12 = r1 / mean, s23 = mean / r3;
        if (usable(s12) != s12 || usable(s23) != s23) {
            s12 = s23 = 1.0f;
        }
        equalize_scale_out(k, node[0], &s[0], i, 1.0f / s12);
        equalize_scale_in(k, node[2], &s[2], i, s23);
        equalize_scale_out(k, node[1], &s[1], i, s12 / s23);
        /* scale_out also moved the depthwise layer's bias by s12: its outputs are only divided by s23 */
        k->b[node[1]][i] /= s12;
        k->divided[node[1]][i] *= s12;
    }
}

static bool asks(const struct equalize_work *k, int a, int b)
{
    return k->methods[a].equalize && k->methods[b].equalize;
}

static enum pare_status equalize_from(struct equalize_work *k, int a, unsigned char *done, struct pare_error *err)
{
    int relu, relu2 = -1;
    struct equalize_shape s[3];
    enum pare_status status = PARE_OK;
    const int b = next_layer(k->g, a, &relu);
    if (b < 0 || !asks(k, a, b) || !equalize_shape_of(k->g, a, &s[0]) || !equalize_shape_of(k->g, b, &s[1]) || s[0].out != s[1].in ||
        !equalize_own(k, a, &status, err) || !equalize_own(k, b, &status, err)) {
        return status;
    }
    const int c = s[1].depthwise ? next_layer(k->g, b, &relu2) : -1;
    if (s[1].depthwise) {
        if (c < 0 || !asks(k, b, c) || !equalize_shape_of(k->g, c, &s[2]) || s[2].depthwise || s[1].out != s[2].in ||
            !equalize_own(k, c, &status, err)) {
            return status;
        }
        release_relu(k, relu);
        release_relu(k, relu2);
        equalize_triple(k, (const int[3]){a, b, c}, s);
        k->triples += !done[a];
        done[b] = 1; /* its pair with c is part of this triple */
    } else if (!done[a] || !s[0].depthwise) {
        release_relu(k, relu);
        equalize_pair(k, a, &s[0], b, &s[1]);
        k->pairs += !done[a];
    }
    done[a] = 1;
    return PARE_OK;
}

static enum pare_status absorb_from(struct equalize_work *k, int a, struct pare_error *err)
{
    int relu;
    struct equalize_shape sa, sb;
    enum pare_status status = PARE_OK;
    const struct pare_bn_stats *bn = k->g->nodes[a].bn;
    const int b = next_layer(k->g, a, &relu);
    if (b < 0 || !k->methods[a].absorb || !k->methods[b].absorb || !equalize_shape_of(k->g, a, &sa) ||
        !equalize_shape_of(k->g, b, &sb) || sa.out != sb.in) {
        return PARE_OK;
    }
    if (bn == NULL || bn->n != sa.out) {
        k->no_bn++;
        return PARE_OK;
    }
    const struct pare_node *n1 = &k->g->nodes[a], *n2 = &k->g->nodes[b];
    if (n1->n_in < 3 || n1->in[2] < 0 || n2->n_in < 3 || n2->in[2] < 0) {
        k->no_bias++;
        return PARE_OK;
    }
    if (relu >= 0 && k->g->nodes[relu].op == PARE_OP_CLIP) {
        return PARE_OK; /* a relu6 that stayed is not linear above */
    }
    if (n2->op != PARE_OP_FULLY_CONNECTED) { /* borders see padding 0, not c: only exact without padding */
        const struct pare_window *win = &n2->attr.window;
        for (int i = 0; i < win->n_spatial; i++) {
            if (win->pad_before[i] != 0 || win->pad_after[i] != 0) {
                return PARE_OK;
            }
        }
    }
    if (!equalize_own(k, a, &status, err) || !equalize_own(k, b, &status, err)) {
        return status;
    }
    for (int i = 0; i < sa.out; i++) {
        const float beta = bn->beta[i] / k->divided[a][i], gamma = fabsf(bn->gamma[i] / k->divided[a][i]);
        const float c = relu < 0 ? beta : fmaxf(0.0f, beta - 3.0f * gamma);
        if (!(c != 0.0f) || !isfinite(c)) {
            continue;
        }
        k->b[a][i] -= c;
        k->absorb[a][i] += c;
        for (int o = sb.depthwise ? i : 0; o < (sb.depthwise ? i + 1 : sb.out); o++) {
            float sum = 0.0f;
            for (int tap = 0; tap < sb.taps; tap++) {
                sum += k->w[b][equalize_at(&sb, o, tap, i)];
            }
            k->b[b][o] += sum * c;
        }
        k->absorbed++;
    }
    return PARE_OK;
}

enum pare_status equalize_move_statistics(struct equalize_work *k, struct pare_error *err)
{
    for (int i = 0; i < k->g->n_nodes; i++) {
        const struct pare_bn_stats *bn = k->g->nodes[i].bn;
        if (bn == NULL || k->w[i] == NULL || bn->n != (int)pare_node_out_channels(k->g, i)) {
            continue;
        }
        struct pare_bn_stats *moved = pare_arena_alloc(&k->g->arena, sizeof *moved);
        float *values = pare_arena_array(&k->g->arena, 2 * (size_t)bn->n, sizeof *values);
        if (moved == NULL || values == NULL) {
            return pare_error_nomem(err);
        }
        *moved = *bn;
        for (int c = 0; c < bn->n; c++) {
            values[c] = bn->gamma[c] / k->divided[i][c];
            values[bn->n + c] = bn->beta[c] / k->divided[i][c] - k->absorb[i][c];
        }
        moved->gamma = values;
        moved->beta = values + bn->n;
        k->g->nodes[i].bn = moved;
    }
    return PARE_OK;
}

static void note(json_t *notes, const char *stage, const char *format, int n)
{
    if (n > 0) {
        json_array_append_new(notes, json_sprintf(format, stage, n));
    }
}

static void say(const struct equalize_work *k, json_t *notes, const char *stage, bool equalize, bool absorb)
{
    note(notes, stage, "%s: %d pairs of layers equalized", k->pairs);
    note(notes, stage, "%s: %d depthwise triples equalized", k->triples);
    note(notes, stage, "%s: %d relu6 became relu for equalization", k->relu6);
    note(notes, stage, "%s: %d channels' high biases absorbed", k->absorbed);
    note(notes, stage, "%s: %d layers not equalized: their file holds codes", k->codes);
    note(notes, stage, "%s: %d layers not equalized: they share weights", k->shared);
    note(notes, stage, "%s: high biases of %d layers not absorbed: no BatchNorm was folded there", k->no_bn);
    note(notes, stage, "%s: high biases of %d layers not absorbed: a layer has no bias", k->no_bias);
    if (equalize && k->pairs + k->triples == 0) {
        json_array_append_new(notes, json_sprintf("%s: nothing equalized: no two layers with only a relu between", stage));
    }
    if (absorb && k->absorbed == 0 && k->no_bn + k->no_bias == 0) {
        json_array_append_new(notes, json_sprintf("%s: no bias is high enough to absorb", stage));
    }
}

static enum pare_status rewrite(struct equalize_work *k, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    unsigned char *done = calloc((size_t)k->g->n_nodes + 1, 1);
    if (done == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; status == PARE_OK && i < k->g->n_nodes; i++) {
        if (pare_node_is_layer(k->g, i)) {
            const size_t n = (size_t)pare_node_out_channels(k->g, i);
            k->divided[i] = malloc((n + 1) * sizeof(float));
            k->absorb[i] = calloc(n + 1, sizeof(float));
            status = k->divided[i] != NULL && k->absorb[i] != NULL ? PARE_OK : pare_error_nomem(err);
            for (size_t c = 0; status == PARE_OK && c < n; c++) {
                k->divided[i][c] = 1.0f;
            }
        }
    }
    /* a chain of pairs settles in a few rounds */
    for (int round = 0; round < 10; round++) {
        for (int i = 0; status == PARE_OK && i < k->g->n_nodes; i++) {
            if (pare_node_is_layer(k->g, i) && k->methods[i].equalize) {
                status = equalize_from(k, i, done, err);
            }
        }
    }
    if (status == PARE_OK) {
        for (int i = 0; status == PARE_OK && i < k->g->n_nodes; i++) {
            if (pare_node_is_layer(k->g, i) && k->methods[i].absorb) {
                status = absorb_from(k, i, err);
            }
        }
    }
    free(done);
    return status == PARE_OK ? equalize_move_statistics(k, err) : status;
}

enum pare_status pare_equalize(struct pare_graph *g, const struct pare_method *methods, const char *stage,
                               json_t *notes, struct pare_error *err)
{
    const size_t n = (size_t)g->n_nodes + 1;
    bool equalize = false, absorb = false;
    for (int i = 0; i < g->n_nodes; i++) {
        equalize = equalize || methods[i].equalize;
        absorb = absorb || methods[i].absorb;
    }
    if (!equalize && !absorb) {
        return PARE_OK;
    }
    struct equalize_work k = {.g = g, .methods = methods, .w = calloc(n, sizeof *k.w), .b = calloc(n, sizeof *k.b),
                     .divided = calloc(n, sizeof *k.divided), .absorb = calloc(n, sizeof *k.absorb)};
    enum pare_status status = k.w != NULL && k.b != NULL && k.divided != NULL && k.absorb != NULL
                                  ? rewrite(&k, err) : pare_error_nomem(err);
    if (status == PARE_OK) {
        say(&k, notes, stage, equalize, absorb);
    }
    for (int i = 0; k.divided != NULL && k.absorb != NULL && i < g->n_nodes; i++) {
        free(k.divided[i]);
        free(k.absorb[i]);
    }
    free(k.absorb);
    free(k.w);
    free(k.b);
    free(k.divided);
    return status;
}
