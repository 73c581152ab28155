/* plan_build.h: small graphs made by hand for the tests of quant/ and exec/. */
#ifndef PARE_TEST_PLAN_BUILD_H
#define PARE_TEST_PLAN_BUILD_H

#include <math.h>
#include <stdio.h>

#include "support.h"

#include "exec/plan.h"
#include "quant/weights.h"

/* The call succeeds, or its struct pare_error `err` is printed. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        enum pare_status s_ = (call);                                                              \
        if (s_ != PARE_OK) {                                                                       \
            print_error("%s: %s: %s\n", #call, err.where, err.message);                            \
        }                                                                                          \
        assert_int_equal(s_, PARE_OK);                                                             \
    } while (0)

static uint32_t seed = 12345;

static inline float random_real(float lo, float hi)
{
    return lo + (hi - lo) * (float)(test_random(&seed) >> 8) / 16777216.0f;
}

static inline int random_int(int lo, int hi)
{
    return lo + (int)(test_random(&seed) % (uint32_t)(hi - lo + 1));
}

static inline int add_tensor(struct pare_graph *g, const char *name, int rank, int64_t a, int64_t b,
                             int64_t c, int64_t d)
{
    const int t = pare_graph_add_tensor(g, name, PARE_F32);
    const int64_t dims[4] = {a, b, c, d};
    assert_true(t >= 0);
    g->tensors[t].rank = rank;
    memcpy(g->tensors[t].dims, dims, sizeof dims);
    return t;
}

static inline int add_input(struct pare_graph *g, int64_t n, int64_t h, int64_t w, int64_t c)
{
    const int t = add_tensor(g, "x", 4, n, h, w, c);
    g->inputs = realloc(g->inputs, sizeof(int) * (size_t)(g->n_inputs + 1));
    g->inputs[g->n_inputs++] = t;
    return t;
}

static inline void add_output(struct pare_graph *g, int t)
{
    g->outputs = realloc(g->outputs, sizeof(int) * (size_t)(g->n_outputs + 1));
    g->outputs[g->n_outputs++] = t;
}

static inline int add_floats(struct pare_graph *g, const char *name, int rank, const int64_t *dims,
                             float lo, float hi)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) {
        n *= dims[i];
    }
    float *v = malloc(sizeof *v * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        v[i] = random_real(lo, hi);
    }
    const int t = pare_graph_add_const(g, name, PARE_F32, rank, dims, v, sizeof *v * (size_t)n);
    free(v);
    assert_true(t >= 0);
    return t;
}

/* A node with one output shaped like `like`. Returns the output tensor. */
static inline int add_like(struct pare_graph *g, enum pare_op op, const char *name, int n_in,
                           const int *in, int like)
{
    char text[64];
    snprintf(text, sizeof text, "%s_out", name);
    const int out = pare_graph_add_tensor(g, text, PARE_F32);
    g->tensors[out].rank = g->tensors[like].rank;
    memcpy(g->tensors[out].dims, g->tensors[like].dims, sizeof g->tensors[like].dims);
    assert_true(pare_graph_add_node(g, op, name, n_in, in, 1, &out) >= 0);
    return out;
}

static inline int add_unary(struct pare_graph *g, enum pare_op op, const char *name, int x)
{
    return add_like(g, op, name, 1, &x, x);
}

static inline int add_binary(struct pare_graph *g, enum pare_op op, const char *name, int a, int b)
{
    const int in[2] = {a, b};
    return add_like(g, op, name, 2, in, a);
}

struct conv_spec {
    int out_c, kernel, stride, dilation, pad, groups;
    bool depthwise; /* out_c = multiplier * channels */
};

/* A convolution with random weights and biases; same padding before and after. */
static inline int add_conv(struct pare_graph *g, const char *name, int x, struct conv_spec s)
{
    const int64_t *d = g->tensors[x].dims;
    const int stride = s.stride ? s.stride : 1, dilation = s.dilation ? s.dilation : 1;
    const int groups = s.groups ? s.groups : 1;
    const int reach = (s.kernel - 1) * dilation;
    const int64_t oh = (d[1] + 2 * s.pad - reach - 1) / stride + 1,
                  ow = (d[2] + 2 * s.pad - reach - 1) / stride + 1;
    const int64_t dense[4] = {s.out_c, s.kernel, s.kernel, d[3] / groups};
    const int64_t depth[3] = {s.kernel, s.kernel, s.out_c}, bias_dims[1] = {s.out_c};
    const int64_t batch = d[0];
    char text[64];
    snprintf(text, sizeof text, "%s_w", name);
    const int w =
        s.depthwise ? add_floats(g, text, 3, depth, -1, 1) : add_floats(g, text, 4, dense, -1, 1);
    snprintf(text, sizeof text, "%s_b", name);
    const int b = add_floats(g, text, 1, bias_dims, -0.5f, 0.5f);
    snprintf(text, sizeof text, "%s_out", name);
    const int out = add_tensor(g, text, 4, batch, oh, ow, s.out_c);
    const int in[3] = {x, w, b};
    const int node = pare_graph_add_node(g, s.depthwise ? PARE_OP_DEPTHWISE : PARE_OP_CONV, name, 3,
                                         in, 1, &out);
    struct pare_window *win = &g->nodes[node].attr.window;
    win->n_spatial = 2;
    for (int i = 0; i < 2; i++) {
        win->kernel[i] = s.kernel;
        win->stride[i] = stride;
        win->dilation[i] = dilation;
        win->pad_before[i] = win->pad_after[i] = s.pad;
    }
    g->nodes[node].attr.groups = groups;
    return out;
}

static inline void finish_graph(struct pare_graph *g)
{
    struct pare_error err = {0};
    MUST(pare_graph_finish(g, "test", &err));
}

/* The node that makes a tensor. */
static inline int maker(const struct pare_graph *g, int tensor)
{
    return g->tensors[tensor].producer;
}

/* Ranges of every float activation from a few runs of random inputs. */
static inline void calibrate(const struct pare_graph *g, struct pare_calibration *c)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    const struct pare_plan_options options = {.isa = PK_REF, .keep_all = true};
    MUST(pare_plan_new(g, &options, &plan, &err));
    MUST(pare_calibration_init(c, g->n_tensors, &err));
    const uint32_t start = seed;
    for (int pass = 0; pass < 2; pass++) {
        seed = start;
        for (int run = 0; run < 3; run++) {
            for (int i = 0; i < g->n_inputs; i++) {
                const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->inputs[i]]);
                float *x = malloc(n * sizeof *x);
                for (size_t k = 0; k < n; k++) {
                    x[k] = random_real(-1, 1.5f);
                }
                MUST(pare_plan_set_input(plan, i, x, n, &err));
                free(x);
            }
            MUST(pare_plan_run(plan, &err));
            MUST(pare_plan_observe(plan, c, pass, &err));
        }
    }
    for (int i = 0; i < c->n_tensors; i++) {
        pare_range_finish(&c->ranges[i]);
    }
    pare_plan_free(plan);
}

static inline float *random_input(const struct pare_graph *g, int i, size_t *n)
{
    *n = (size_t)pare_tensor_elements(&g->tensors[g->inputs[i]]);
    float *x = malloc(*n * sizeof *x);
    for (size_t k = 0; k < *n; k++) {
        x[k] = random_real(-1, 1.5f);
    }
    return x;
}

/* Sets the same random numbers as the inputs of both plans (b may be NULL). */
static inline void feed(const struct pare_graph *g, struct pare_plan *a, struct pare_plan *b)
{
    struct pare_error err = {0};
    for (int i = 0; i < g->n_inputs; i++) {
        size_t n;
        float *x = random_input(g, i, &n);
        MUST(pare_plan_set_input(a, i, x, n, &err));
        if (b != NULL) {
            MUST(pare_plan_set_input(b, i, x, n, &err));
        }
        free(x);
    }
}

static inline struct pare_level level_of(const char *name)
{
    struct pare_level level;
    struct pare_error err = {0};
    MUST(pare_level_parse(name, &level, &err));
    return level;
}

/* levels[n_nodes], all `name`. */
static inline struct pare_level *levels_all(const struct pare_graph *g, const char *name)
{
    struct pare_level *levels = calloc((size_t)g->n_nodes + 1, sizeof *levels);
    for (int i = 0; i < g->n_nodes; i++) {
        levels[i] = level_of(name);
    }
    return levels;
}

static inline struct pare_plan *new_plan(const struct pare_graph *g, const struct pare_level *levels,
                                  const struct pare_calibration *c, enum pk_isa isa, bool keep,
                                  struct pare_pack_cache *cache)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    const struct pare_plan_options options = {
        .levels = levels, .calibration = c, .isa = isa, .keep_all = keep, .cache = cache};
    MUST(pare_plan_new(g, &options, &plan, &err));
    return plan;
}

#endif
