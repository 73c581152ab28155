/* engine_method.c: see the header. */
#include "measure/engine_method.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/clip.h"
#include "quant/equalize.h"
#include "quant/make.h"

#define ROW_NUMBERS (384 * 1024) /* of one layer's samples at most */
#define MOST_ROWS 768
/* Ranges from invented inputs are widened by this factor (hand_gesture at w6a6, 2026-11-21). */
#define SYNTHETIC_MARGIN 2.0f

struct stage_method {
    struct pare_graph *rewritten; /* NULL = the pipeline's */
    const struct pare_graph *graph;
    struct pare_method *methods;
    struct pare_rows *rows;
    struct pare_maker maker;
    bool wants_rows;
};

struct engine_method {
    struct pare_pipeline *p;
    char *text;
    bool synthetic, has_rows;
    json_t *notes;
    int n_samples;
    uint32_t random;
    struct stage_method stages[PARE_MAX_STAGES];
};

static enum pare_status open_stage(struct engine_method *m, int s, struct pare_error *err)
{
    struct stage_method *st = &m->stages[s];
    const struct pare_stage *stage = &m->p->stages[s];
    enum pare_status status = PARE_OK;
    bool rewrites = false;
    st->graph = stage->graph;
    st->methods = calloc((size_t)st->graph->n_nodes + 1, sizeof *st->methods);
    st->rows = calloc((size_t)st->graph->n_nodes + 1, sizeof *st->rows);
    if (st->methods == NULL || st->rows == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; status == PARE_OK && i < st->graph->n_nodes; i++) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", stage->name, st->graph->nodes[i].name);
        status = pare_method_parse(m->text, name, &st->methods[i], err);
        if (status == PARE_OK && pare_node_is_layer(st->graph, i)) {
            rewrites = rewrites || st->methods[i].equalize || st->methods[i].absorb || st->methods[i].streams;
            st->wants_rows = st->wants_rows || pare_method_needs_samples(&st->methods[i]);
            m->synthetic = m->synthetic || st->methods[i].synthetic;
        }
    }
    if (status == PARE_OK && rewrites) {
        status = pare_model_open(stage->path, &st->rewritten, err);
        if (status == PARE_OK && (st->rewritten->n_nodes != st->graph->n_nodes ||
                                  st->rewritten->n_tensors != st->graph->n_tensors)) {
            status = pare_error(err, PARE_ERR_FORMAT, stage->path, "the file changed while it was open");
        }
        if (status == PARE_OK) {
            st->graph = st->rewritten;
            status = pare_equalize(st->rewritten, st->methods, stage->name, m->notes, err);
        }
    }
    st->maker = (struct pare_maker){.graph = st->graph, .methods = st->methods, .rows = st->rows, .own_node = -1};
    return status;
}

/* What analytic bias correction finds no BatchNorm for. */
static void note_bias(struct engine_method *m, int s)
{
    const struct stage_method *st = &m->stages[s];
    int asked = 0, found = 0;
    for (int i = 0; i < st->graph->n_nodes; i++) {
        if (pare_node_is_layer(st->graph, i) && st->methods[i].bias == PARE_BIAS_ANALYTIC) {
            const struct pare_tensor *x = &st->graph->tensors[st->graph->nodes[i].in[0]];
            const int n = x->rank > 0 ? (int)x->dims[x->rank - 1] : 0;
            double *mean = calloc((size_t)(n > 0 ? n : 0) + 1, sizeof *mean);
            asked++;
            found += mean != NULL && n > 0 && pare_batch_norm_means(st->graph, st->graph->nodes[i].in[0], n, mean);
            free(mean);
        }
    }
    if (asked > found) {
        json_array_append_new(m->notes, json_sprintf("%s: the biases of %d of %d layers not corrected: no BatchNorm was "
                                                     "folded in front of them",
                                                     m->p->stages[s].name, asked - found, asked));
    }
}

/* Layers whose BatchNorm cannot be estimated again. */
static void note_reestimate(struct engine_method *m, int s)
{
    const struct stage_method *st = &m->stages[s];
    int asked = 0, none = 0, shared = 0;
    for (int i = 0; i < st->graph->n_nodes; i++) {
        if (pare_node_is_layer(st->graph, i) && st->methods[i].bias == PARE_BIAS_REESTIMATE) {
            const bool bn = st->graph->nodes[i].bn != NULL &&
                            st->graph->nodes[i].bn->n == (int)pare_node_out_channels(st->graph, i);
            asked++;
            none += !bn;
            shared += bn && (st->methods[i].per == PARE_PER_TENSOR || st->methods[i].weights == PARE_WEIGHTS_BITS ||
                             st->methods[i].weights == PARE_WEIGHTS_PO2);
        }
    }
    if (none > 0) {
        json_array_append_new(m->notes, json_sprintf("%s: BatchNorm of %d of %d layers not estimated again: none was folded "
                                                     "into them", m->p->stages[s].name, none, asked));
    }
    if (shared > 0) {
        json_array_append_new(m->notes, json_sprintf("%s: only the means of %d layers estimated again: their channels have no "
                                                     "scale of their own", m->p->stages[s].name, shared));
    }
}

/* A layer or an activation of some stage. */
static bool glob_hits(void *self, const char *glob)
{
    const struct engine_method *m = self;
    char name[512];
    for (int s = 0; s < m->p->n_stages; s++) {
        const struct pare_graph *g = m->p->stages[s].graph;
        for (int i = 0; i < g->n_nodes; i++) {
            snprintf(name, sizeof name, "%s/%s", m->p->stages[s].name, g->nodes[i].name);
            if (pare_node_is_layer(g, i) && pare_method_glob_hits(glob, name)) {
                return true;
            }
        }
        for (int t = 0; t < g->n_tensors; t++) {
            snprintf(name, sizeof name, "%s/%s", m->p->stages[s].name, g->tensors[t].name);
            if (g->tensors[t].data == NULL && pare_method_glob_hits(glob, name)) {
                return true;
            }
        }
    }
    return false;
}

enum pare_status engine_method_new(struct pare_pipeline *p, const char *text, struct engine_method **out,
                                   struct pare_error *err)
{
    struct engine_method *m = calloc(1, sizeof *m);
    *out = NULL;
    if (m == NULL) {
        return pare_error_nomem(err);
    }
    m->p = p;
    m->random = 12345;
    m->text = strdup(text);
    m->notes = json_array();
    enum pare_status status = m->text != NULL && m->notes != NULL ? PARE_OK : pare_error_nomem(err);
    status = status == PARE_OK ? pare_method_check_globs(text, m, glob_hits, err) : status;
    for (int s = 0; status == PARE_OK && s < p->n_stages; s++) {
        status = open_stage(m, s, err);
        if (status == PARE_OK) {
            note_bias(m, s);
            note_reestimate(m, s);
        }
    }
    if (status != PARE_OK) {
        engine_method_free(m);
        return status;
    }
    if (m->synthetic) {
        json_array_append_new(m->notes, json_string("ranges from synthetic inputs: no sample was read"));
    }
    *out = m;
    return PARE_OK;
}

void engine_method_free(struct engine_method *m)
{
    if (m == NULL) {
        return;
    }
    for (int s = 0; s < PARE_MAX_STAGES; s++) {
        struct stage_method *st = &m->stages[s];
        for (int i = 0; st->rows != NULL && i < m->p->stages[s].graph->n_nodes; i++) {
            free(st->rows[i].x);
        }
        free(st->rows);
        free(st->methods);
        pare_graph_free(st->rewritten);
    }
    json_decref(m->notes);
    free(m->text);
    free(m);
}

const char *engine_method_text(const struct engine_method *m)
{
    return m->text;
}

const json_t *engine_method_notes(const struct engine_method *m)
{
    return m->notes;
}

const struct pare_graph *engine_method_graph(const struct engine_method *m, int stage)
{
    return m->stages[stage].graph;
}

const struct pare_maker *engine_method_maker(const struct engine_method *m, int stage)
{
    return &m->stages[stage].maker;
}

bool engine_method_wants_channels(const struct engine_method *m, int stage)
{
    bool any = false;
    const struct stage_method *st = &m->stages[stage];
    for (int i = 0; i < st->graph->n_nodes; i++) {
        any = any || (st->methods[i].streams && pare_node_is_layer(st->graph, i));
    }
    return any;
}

enum pare_status engine_method_set_channels(struct engine_method *m, int stage,
                                            const struct pare_channel_seen *const *seen, struct pare_error *err)
{
    struct stage_method *st = &m->stages[stage];
    return pare_equalize_streams(st->rewritten, st->methods, seen, m->p->stages[stage].name, m->notes, err);
}

bool engine_method_sequence(const struct engine_method *m, int stage)
{
    bool any = false;
    const struct stage_method *st = &m->stages[stage];
    for (int i = 0; i < st->graph->n_nodes; i++) {
        any = any || (st->methods[i].sequence && pare_node_is_layer(st->graph, i));
    }
    return any;
}

bool engine_method_synthetic(const struct engine_method *m)
{
    return m->synthetic;
}

/* ---- samples of layers' inputs ---- */

bool engine_method_wants_rows(const struct engine_method *m)
{
    bool any = false;
    for (int s = 0; s < m->p->n_stages; s++) {
        any = any || m->stages[s].wants_rows;
    }
    return any && !m->has_rows;
}

enum pare_status engine_method_begin(struct engine_method *m, int n_samples, struct pare_error *err)
{
    (void)err;
    m->n_samples = n_samples;
    return PARE_OK;
}

void engine_method_end_rows(struct engine_method *m)
{
    m->has_rows = true;
}

static int random_below(uint32_t *random, int n)
{
    *random = *random * 1664525u + 1013904223u;
    return (int)(((uint64_t)(*random >> 1) * (uint64_t)n) >> 31);
}

/* Room for one more row; NULL = full or no memory. */
static float *add_row(struct pare_rows *r, int columns, int most)
{
    if (r->x == NULL) {
        r->columns = columns;
        r->x = calloc((size_t)(most > 0 ? most : 1) * (size_t)columns, sizeof *r->x);
    }
    return r->x != NULL && r->n < (most > 0 ? most : 1) ? r->x + (size_t)r->n++ * (size_t)columns : NULL;
}

/* The patch of image x [h][w][c] that output position (oy, ox) reads. */
static void take_patch(const struct pare_window *win, const float *x, int64_t h, int64_t w, int64_t c, int oy, int ox,
                       float *to)
{
    const int last = win->n_spatial - 1, kh = win->n_spatial == 2 ? win->kernel[0] : 1;
    for (int ky = 0; ky < kh; ky++) {
        for (int kx = 0; kx < win->kernel[last]; kx++, to += c) {
            const int64_t y = win->n_spatial == 2
                                  ? (int64_t)oy * win->stride[0] + (int64_t)ky * win->dilation[0] - win->pad_before[0]
                                  : 0;
            const int64_t at = (int64_t)ox * win->stride[last] + (int64_t)kx * win->dilation[last] - win->pad_before[last];
            if (y >= 0 && y < h && at >= 0 && at < w) {
                memcpy(to, x + (y * w + at) * c, (size_t)c * sizeof *to);
            }
        }
    }
}

/* An output position: oy * width + ox. */
static int pick(const struct pare_window *win, const float *x, const int64_t in[3], const int64_t out[2], int row,
                struct engine_row_limits *limits)
{
    if (limits->picked != NULL && limits->replay) {
        return limits->picked[row];
    }
    const int last = win->n_spatial - 1, tries = limits->picked != NULL && row % 2 == 1 ? ENGINE_ROWS_LOUD : 1;
    int best = 0;
    float most = -1.0f;
    for (int t = 0; t < tries; t++) {
        const int oy = random_below(&limits->random, (int)out[0]), ox = random_below(&limits->random, (int)out[1]);
        const int64_t y = in[0] > 1 ? (int64_t)oy * win->stride[0] : 0, at = (int64_t)ox * win->stride[last];
        const float *v = x + ((y < in[0] ? y : in[0] - 1) * in[1] + (at < in[1] ? at : in[1] - 1)) * in[2];
        float power = 0.0f;
        for (int64_t c = 0; tries > 1 && c < in[2]; c++) {
            power += v[c] * v[c];
        }
        best = power > most ? oy * (int)out[1] + ox : best;
        most = power > most ? power : most;
    }
    if (limits->picked != NULL) {
        limits->picked[row] = best;
    }
    return best;
}

enum pare_status engine_layer_rows(const struct pare_graph *g, int node, struct engine_row_limits *limits, struct pare_rows *r,
                                   struct pare_plan *plan, struct pare_error *err)
{
    const struct pare_node *n = &g->nodes[node];
    const struct pare_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    const bool fc = n->op == PARE_OP_FULLY_CONNECTED;
    const int spatial = n->attr.window.n_spatial;
    const int64_t elements = pare_tensor_elements(x), c = x->rank > 0 ? x->dims[x->rank - 1] : 0;
    const int64_t k = fc ? pare_node_weights(g, node) / pare_node_out_channels(g, node) : 0;
    if (n->op == PARE_OP_CONV_TRANSPOSE || c < 1 || elements < 1 || (!fc && (spatial < 1 || spatial > 2)) ||
        (fc && (k < 1 || elements % k != 0))) {
        return PARE_OK;
    }
    int64_t columns = fc ? k : c;
    for (int i = 0; !fc && i < spatial; i++) {
        columns *= n->attr.window.kernel[i];
    }
    if (columns > limits->numbers / 8) {
        return PARE_OK;
    }
    float *values = malloc((size_t)elements * sizeof *values);
    if (values == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_plan_read_tensor(plan, n->in[0], values, (size_t)elements, err);
    const int most = (int)(limits->numbers / columns < limits->rows ? limits->numbers / columns : limits->rows);
    const int wanted = (most + limits->n_samples - 1) / limits->n_samples;
    for (int i = 0; status == PARE_OK && i < wanted; i++) {
        float *to = add_row(r, (int)columns, most);
        if (to == NULL) {
            break;
        }
        if (fc) {
            memcpy(to, values + (int64_t)random_below(&limits->random, (int)(elements / k)) * k, (size_t)k * sizeof *to);
            if (elements == k) {
                break; /* there is but one */
            }
            continue;
        }
        const int64_t h = spatial == 2 ? x->dims[1] : 1, w = x->dims[spatial], oh = spatial == 2 ? y->dims[1] : 1;
        const int ow = (int)y->dims[spatial];
        const int at = pick(&n->attr.window, values, (const int64_t[3]){h, w, c}, (const int64_t[2]){oh, ow}, r->n - 1, limits);
        take_patch(&n->attr.window, values, h, w, c, at / ow, at % ow, to);
    }
    free(values);
    return status;
}

enum pare_status engine_method_take_rows(struct engine_method *m, int stage, struct pare_plan *plan,
                                         struct pare_error *err)
{
    struct stage_method *st = &m->stages[stage];
    struct engine_row_limits limits = {.numbers = ROW_NUMBERS, .rows = MOST_ROWS, .n_samples = m->n_samples, .random = m->random};
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < st->graph->n_nodes; i++) {
        if (pare_node_is_layer(st->graph, i) && pare_method_needs_samples(&st->methods[i])) {
            status = engine_layer_rows(st->graph, i, &limits, &st->rows[i], plan, err);
        }
    }
    m->random = limits.random;
    return status;
}

/* ---- ranges ---- */

void engine_method_ranges(struct engine_method *m, int stage, struct pare_calibration *c)
{
    const struct pare_graph *g = m->stages[stage].graph;
    const char *name = m->p->stages[stage].name;
    int asked = 0, found = 0;
    int *reader = malloc(((size_t)g->n_tensors + 1) * sizeof *reader);
    for (int t = 0; reader != NULL && t < g->n_tensors; t++) {
        reader[t] = -1;
    }
    for (int i = 0; reader != NULL && i < g->n_nodes; i++) {
        if (pare_node_is_layer(g, i)) {
            reader[g->nodes[i].in[0]] = i;
        }
    }
    for (int t = 0; reader != NULL && t < c->n_tensors && t < g->n_tensors; t++) {
        char tensor[512], layer[512];
        struct pare_method method;
        struct pare_range *r = &c->ranges[t];
        snprintf(tensor, sizeof tensor, "%s/%s", name, g->tensors[t].name);
        snprintf(layer, sizeof layer, "%s/%s", name, reader[t] >= 0 ? g->nodes[reader[t]].name : "");
        if (r->n == 0 || pare_method_parse_either(m->text, tensor, reader[t] >= 0 ? layer : NULL, &method, NULL) != PARE_OK) {
            continue;
        }
        pare_clip_choose(r, &method);
        float lo, hi;
        if (method.ranges != PARE_RANGES_BN) {
            continue;
        }
        asked += reader[t] >= 0;
        if (pare_clip_batch_norm(g, t, method.sigmas, &lo, &hi)) {
            found += reader[t] >= 0;
            r->clipped = true;
            for (int bits = 2; bits <= 8; bits++) {
                r->clip_lo[bits] = lo;
                r->clip_hi[bits] = hi;
            }
        } else if (m->synthetic && g->tensors[t].producer >= 0) {
            r->clipped = true; /* invented inputs excite less than real ones */
            for (int bits = 2; bits <= 8; bits++) {
                r->clip_lo[bits] = SYNTHETIC_MARGIN * r->min;
                r->clip_hi[bits] = SYNTHETIC_MARGIN * r->max;
            }
        }
    }
    if (asked > found) {
        json_array_append_new(m->notes,
                              json_sprintf("%s: ranges of the inputs of %d of %d layers from %s: no BatchNorm was folded "
                                           "in front of them",
                                           name, asked - found, asked, m->synthetic ? "synthetic inputs" : "samples"));
    }
    free(reader);
}
