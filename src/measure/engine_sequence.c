/* engine_sequence.c: see the header. */
#include "measure/engine_sequence.h"

#include <stdlib.h>
#include <string.h>

#include "measure/engine_parts.h"

#define RECORD_BYTES ((size_t)12 << 20)
#define RECORD_CALLS 256
#define ROW_NUMBERS (4 * 1024 * 1024)
#define MOST_ROWS 1536

struct sequence {
    struct sequence *next;
    int stage;
    struct pare_level level;
    struct pare_maker maker;
};

struct recorded {
    struct pare_arena arena;
    size_t bytes;
    int n, n_in;
    const struct pare_value **in; /* [RECORD_CALLS][n_in] */
};

struct engine_sequences {
    struct sequence *first;
    int n_made;
    struct recorded stages[PARE_MAX_STAGES];
};

void engine_sequences_forget(struct engine_sequences *s, int stage)
{
    struct sequence **at = s != NULL ? &s->first : NULL;
    while (at != NULL && *at != NULL) {
        struct sequence *q = *at;
        if (q->stage != stage) {
            at = &q->next;
            continue;
        }
        *at = q->next;
        free(q);
    }
}

void engine_sequences_free(struct engine_sequences *s)
{
    if (s == NULL) {
        return;
    }
    for (int i = 0; i < PARE_MAX_STAGES; i++) {
        engine_sequences_forget(s, i);
        pare_arena_clear(&s->stages[i].arena);
    }
    free(s);
}

enum pare_status engine_sequence_record(struct pare_engine *e, int stage, const struct pare_value *const *in, int n_in,
                                        struct pare_error *err)
{
    if (!engine_method_sequence(e->method, stage)) {
        return PARE_OK;
    }
    e->sequences = e->sequences != NULL ? e->sequences : calloc(1, sizeof *e->sequences);
    struct recorded *r = e->sequences != NULL ? &e->sequences->stages[stage] : NULL;
    if (r == NULL) {
        return pare_error_nomem(err);
    }
    size_t bytes = 0;
    for (int i = 0; i < n_in; i++) {
        bytes += (size_t)pare_value_elements(in[i]) * sizeof(float);
    }
    if (r->n == RECORD_CALLS || (r->n > 0 && r->bytes + bytes > RECORD_BYTES)) {
        return PARE_OK;
    }
    if (r->in == NULL) {
        r->n_in = n_in;
        r->in = pare_arena_array(&r->arena, (size_t)RECORD_CALLS * (size_t)n_in + 1, sizeof *r->in);
    }
    for (int i = 0; r->in != NULL && i < n_in; i++) {
        struct pare_value *copy = pare_value_new(&r->arena, in[i]->rank, in[i]->dims);
        if (copy == NULL) {
            return pare_error_nomem(err);
        }
        memcpy(copy->data, in[i]->data, (size_t)pare_value_elements(in[i]) * sizeof(float));
        r->in[r->n * n_in + i] = copy;
    }
    r->bytes += bytes;
    r->n++;
    return r->in != NULL ? PARE_OK : pare_error_nomem(err);
}

/* ---- levels ---- */

/* The integer level that more than half of the stage's layers have. */
static bool common_level(struct pare_engine *e, int stage, const struct pare_level *levels, struct pare_level *common)
{
    int first, count;
    pare_engine_stage_layers(e, stage, &first, &count);
    for (int i = first; i < first + count; i++) {
        int same = 0;
        for (int k = first; k < first + count; k++) {
            same += pare_level_equal(levels[i], levels[k]);
        }
        if (levels[i].kind == PARE_LEVEL_INT && 2 * same > count) {
            *common = levels[i];
            return true;
        }
    }
    return false;
}

/* Marks nodes that no layer stands in front of (inputs), or behind (outputs). */
static void mark_ends(const struct pare_graph *g, unsigned char *behind, unsigned char *end)
{
    for (int i = 0; i < g->n_nodes; i++) { /* behind: [n_tensors] */
        bool any = false;
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            any = any || (g->nodes[i].in[k] >= 0 && behind[g->nodes[i].in[k]]);
        }
        end[i] = !any;
        for (int k = 0; k < g->nodes[i].n_out; k++) {
            if (g->nodes[i].out[k] >= 0) {
                behind[g->nodes[i].out[k]] = any || pare_node_is_layer(g, i);
            }
        }
    }
    memset(behind, 0, (size_t)g->n_tensors);
    for (int i = g->n_nodes - 1; i >= 0; i--) { /* now: in front of a layer */
        bool any = false;
        for (int k = 0; k < g->nodes[i].n_out; k++) {
            any = any || (g->nodes[i].out[k] >= 0 && behind[g->nodes[i].out[k]]);
        }
        end[i] = end[i] || !any;
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            if (g->nodes[i].in[k] >= 0) {
                behind[g->nodes[i].in[k]] |= (unsigned char)(any || pare_node_is_layer(g, i));
            }
        }
    }
}

static struct pare_level at_least_8(struct pare_level level)
{
    level.w_bits = level.w_bits < 8 ? 8 : level.w_bits;
    level.a_bits = level.a_bits < 8 ? 8 : level.a_bits;
    return level;
}

/* Level of every node in the sequence. */
static struct pare_level *levels_of(const struct pare_graph *g, struct pare_level level)
{
    struct pare_level *levels = calloc((size_t)g->n_nodes + 1, sizeof *levels);
    unsigned char *behind = calloc((size_t)g->n_tensors + 1, 1), *end = calloc((size_t)g->n_nodes + 1, 1);
    if (levels != NULL && behind != NULL && end != NULL) {
        mark_ends(g, behind, end);
        for (int i = 0; i < g->n_nodes; i++) {
            levels[i] = end[i] ? at_least_8(level) : level;
        }
    } else {
        free(levels);
        levels = NULL;
    }
    free(behind);
    free(end);
    return levels;
}

/* ---- one layer after another ---- */

struct walk {
    struct pare_engine *e;
    struct sequence *q;
    const struct pare_graph *graph;
    const struct recorded *calls;
    struct pare_level *wanted, *now; /* [n_nodes] of the sequence; fp32 from the layer under way */
    struct pare_plan *real;          /* fp32 */
    int picked[MOST_ROWS];
};

static enum pare_status open_plan(const struct walk *w, const struct pare_level *levels, struct pare_plan **plan,
                                  struct pare_error *err)
{
    const struct pare_plan_options options = {.levels = levels, .calibration = pare_engine_calibration(w->e, w->q->stage), .isa = w->e->isa,
                                              .keep_all = true, .cache = w->e->packs, .maker = &w->q->maker};
    return pare_plan_new(w->graph, &options, plan, err);
}

/* real: picks the positions; behind quantized layers the same ones are taken. */
static enum pare_status rows_of(struct walk *w, struct pare_plan *plan, int node, struct pare_rows *rows,
                                struct pare_error *err)
{
    struct engine_row_limits limits = {.numbers = ROW_NUMBERS, .rows = MOST_ROWS, .n_samples = w->calls->n,
                                       .random = 2654435761u * (uint32_t)(node + 1), .picked = w->picked,
                                       .replay = plan != w->real};
    struct pare_arena arena = {0};
    enum pare_status status = PARE_OK;
    for (int i = 0; status == PARE_OK && i < w->calls->n; i++) {
        status = pare_engine_feed(w->e, w->q->stage, plan, w->calls->in + (size_t)i * (size_t)w->calls->n_in,
                                  w->calls->n_in, &arena, err);
        if (status == PARE_OK) {
            status = pare_plan_run_until(plan, node, err);
        }
        if (status == PARE_OK) {
            status = engine_layer_rows(w->graph, node, &limits, rows, plan, err);
        }
        pare_arena_clear(&arena);
    }
    return status;
}

static enum pare_status next_layer(struct walk *w, int node, struct pare_error *err)
{
    struct pare_rows real = {0}, quantized = {0};
    struct pare_plan *plan = NULL, *made = NULL;
    enum pare_status status = open_plan(w, w->now, &plan, err);
    const bool alone = !w->q->maker.methods[node].sequence; /* on its own samples, as without a sequence */
    if (status == PARE_OK && !alone) {
        status = rows_of(w, w->real, node, &real, err);
    }
    if (status == PARE_OK && !alone) {
        status = rows_of(w, plan, node, &quantized, err);
    }
    if (status == PARE_OK && !alone && real.n == quantized.n && real.columns == quantized.columns) {
        real.xq = quantized.x;
        real.loud = w->graph->nodes[node].op != PARE_OP_FULLY_CONNECTED;
        w->q->maker.own_node = node;
        w->q->maker.own = &real;
    }
    w->now[node] = w->wanted[node];
    if (status == PARE_OK) { /* makes and keeps its weights */
        status = open_plan(w, w->now, &made, err);
    }
    w->q->maker.own = NULL;
    w->q->maker.own_node = -1;
    pare_plan_free(plan);
    pare_plan_free(made);
    free(real.x);
    free(quantized.x);
    return status;
}

static enum pare_status walk(struct walk *w, struct pare_error *err)
{
    const struct pare_level fp32 = {PARE_LEVEL_FP32, 32, 32};
    w->wanted = levels_of(w->graph, w->q->level);
    w->now = calloc((size_t)w->graph->n_nodes + 1, sizeof *w->now);
    if (w->wanted == NULL || w->now == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < w->graph->n_nodes; i++) {
        w->now[i] = fp32;
    }
    enum pare_status status = open_plan(w, w->now, &w->real, err);
    for (int i = 0; status == PARE_OK && i < w->graph->n_nodes; i++) {
        if (pare_node_is_layer(w->graph, i)) {
            if (w->e->step != NULL) {
                w->e->step(w->e->step_self, i, w->graph->n_nodes);
            }
            status = next_layer(w, i, err);
        }
    }
    return status;
}

static enum pare_status make_sequence(struct pare_engine *e, int stage, struct pare_level level, struct sequence **out,
                                      struct pare_error *err)
{
    struct sequence *q = calloc(1, sizeof *q);
    if (q == NULL) {
        return pare_error_nomem(err);
    }
    q->stage = stage;
    q->level = level;
    q->maker = *engine_method_maker(e->method, stage);
    q->maker.id = ++e->sequences->n_made;
    struct walk w = {.e = e, .q = q, .graph = q->maker.graph, .calls = &e->sequences->stages[stage]};
    enum pare_status status = walk(&w, err);
    pare_plan_free(w.real);
    free(w.wanted);
    free(w.now);
    if (status != PARE_OK) {
        free(q);
        return status;
    }
    q->next = e->sequences->first;
    e->sequences->first = q;
    *out = q;
    return PARE_OK;
}

enum pare_status engine_sequence_use(struct pare_engine *e, int stage, const struct pare_level *levels,
                                     const struct pare_maker **maker, struct pare_error *err)
{
    struct pare_level level;
    enum pare_status status = PARE_OK;
    if (e->sequences == NULL || e->sequences->stages[stage].n == 0 || pare_engine_calibration(e, stage) == NULL ||
        !common_level(e, stage, levels, &level)) {
        return PARE_OK;
    }
    struct sequence *q = e->sequences->first;
    while (q != NULL && (q->stage != stage || !pare_level_equal(q->level, level))) {
        q = q->next;
    }
    if (q == NULL) {
        status = make_sequence(e, stage, level, &q, err);
    }
    if (status == PARE_OK) {
        *maker = &q->maker;
    }
    return status;
}
