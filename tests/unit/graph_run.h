/*
 * graph_run.h: builds small graphs by hand and runs them node by node with pare_op_eval, so that
 * tests of passes can compare a graph's numbers before and after.
 */
#ifndef PARE_TEST_GRAPH_RUN_H
#define PARE_TEST_GRAPH_RUN_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/eval.h"
#include "model/graph.h"

#define GR_UNUSED __attribute__((unused)) static
#define GR_MAX_OUT 8

/* ---- building; every function returns a tensor index ---- */

GR_UNUSED float gr_random(uint32_t *seed)
{
    return (float)(int32_t)(test_random(seed) % 2001u - 1000) / 500.0f; /* [-2, 2] */
}

GR_UNUSED void gr_append(int **list, int *n, int value)
{
    *list = realloc(*list, (size_t)(*n + 1) * sizeof **list);
    (*list)[(*n)++] = value;
}

GR_UNUSED int gr_input(struct pare_graph *g, const char *name, int rank, const int64_t *dims)
{
    int t = pare_graph_add_tensor(g, name, PARE_F32);
    g->tensors[t].rank = rank;
    memcpy(g->tensors[t].dims, dims, (size_t)rank * sizeof *dims);
    gr_append(&g->inputs, &g->n_inputs, t);
    return t;
}

GR_UNUSED void gr_output(struct pare_graph *g, int t)
{
    gr_append(&g->outputs, &g->n_outputs, t);
}

/* A random constant; seed 0: ones. */
GR_UNUSED int gr_const(struct pare_graph *g, int rank, const int64_t *dims, uint32_t *seed)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) {
        n *= dims[i];
    }
    float *data = malloc((size_t)n * sizeof *data + 1);
    for (int64_t i = 0; i < n; i++) {
        data[i] = seed != NULL ? gr_random(seed) : 1.0f;
    }
    int t = pare_graph_add_const(g, "c", PARE_F32, rank, dims, data, (size_t)n * sizeof *data);
    free(data);
    return t;
}

GR_UNUSED int gr_scalar(struct pare_graph *g, float value)
{
    return pare_graph_add_const(g, "s", PARE_F32, 0, NULL, &value, sizeof value);
}

GR_UNUSED int gr_ints(struct pare_graph *g, int n, const int64_t *values)
{
    int64_t dims[1] = {n};
    return pare_graph_add_const(g, "i", PARE_I64, 1, dims, values, (size_t)n * sizeof *values);
}

/* A node with one new output of unknown shape; gr_attr gives its attributes. */
GR_UNUSED int gr_node(struct pare_graph *g, enum pare_op op, int n_in, const int *in)
{
    char name[32];
    snprintf(name, sizeof name, "t%d", g->n_tensors);
    int out = pare_graph_add_tensor(g, name, PARE_F32);
    pare_graph_add_node(g, op, "", n_in, in, 1, &out);
    return out;
}

GR_UNUSED struct pare_attr *gr_attr(struct pare_graph *g)
{
    return &g->nodes[g->n_nodes - 1].attr;
}

GR_UNUSED int gr_unary(struct pare_graph *g, enum pare_op op, int x)
{
    return gr_node(g, op, 1, &x);
}

GR_UNUSED int gr_binary(struct pare_graph *g, enum pare_op op, int a, int b)
{
    int in[2] = {a, b};
    return gr_node(g, op, 2, in);
}

GR_UNUSED int gr_transpose(struct pare_graph *g, int x, int n, const int *perm)
{
    int out = gr_unary(g, PARE_OP_TRANSPOSE, x);
    memcpy(gr_attr(g)->perm, perm, (size_t)n * sizeof *perm);
    return out;
}

GR_UNUSED int gr_reshape(struct pare_graph *g, int x, int n, const int64_t *dims)
{
    return gr_binary(g, PARE_OP_RESHAPE, x, gr_ints(g, n, dims));
}

/* A convolution with random weights [O, k, k, I / groups], stride 1, padded to keep the size. */
GR_UNUSED int gr_conv(struct pare_graph *g, int x, int in_c, int out_c, int k, int groups,
                      bool bias, uint32_t *seed)
{
    int64_t dims[4] = {out_c, k, k, in_c / groups}, bias_dims[1] = {out_c};
    int in[3] = {x, gr_const(g, 4, dims, seed), -1};
    in[2] = bias ? gr_const(g, 1, bias_dims, seed) : -1;
    int out = gr_node(g, PARE_OP_CONV, bias ? 3 : 2, in);
    struct pare_attr *attr = gr_attr(g);
    attr->groups = groups;
    attr->window.n_spatial = 2;
    for (int i = 0; i < 2; i++) {
        attr->window.kernel[i] = k;
        attr->window.pad_before[i] = (k - 1) / 2;
        attr->window.pad_after[i] = k / 2;
    }
    return out;
}

/* ---- running ---- */

struct gr_result {
    int n;
    size_t elements[GR_MAX_OUT];
    float *values[GR_MAX_OUT];
    enum pare_dtype dtype[GR_MAX_OUT];
};

GR_UNUSED void gr_free(struct gr_result *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->values[i]);
    }
}

GR_UNUSED void gr_fill_inputs(const struct pare_graph *g, void **data, uint32_t seed)
{
    for (int i = 0; i < g->n_inputs; i++) {
        const struct pare_tensor *t = &g->tensors[g->inputs[i]];
        size_t n = (size_t)pare_tensor_elements(t);
        float *x = malloc(n * sizeof *x + 1);
        for (size_t k = 0; k < n; k++) {
            x[k] = gr_random(&seed);
        }
        data[g->inputs[i]] = x;
    }
}

GR_UNUSED struct pare_view gr_view(const struct pare_graph *g, int t, void *data)
{
    struct pare_view v = {0};
    if (t >= 0) {
        v.dtype = g->tensors[t].dtype;
        v.rank = g->tensors[t].rank;
        memcpy(v.dims, g->tensors[t].dims, sizeof v.dims);
        v.data = data;
    }
    return v;
}

/* Runs a graph whose shapes are inferred, on random inputs drawn from seed. Fails the test on an
 * error. */
GR_UNUSED struct gr_result gr_run(const struct pare_graph *g, uint32_t seed)
{
    void **data = calloc((size_t)g->n_tensors + 1, sizeof *data);
    struct gr_result r = {0};
    struct pare_error err = {0};
    gr_fill_inputs(g, data, seed);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct pare_node *n = &g->nodes[i];
        struct pare_view in[PARE_MAX_INPUTS], out[PARE_MAX_INPUTS];
        assert_true(n->n_in <= PARE_MAX_INPUTS && n->n_out <= PARE_MAX_INPUTS);
        for (int k = 0; k < n->n_in; k++) {
            union {
                const void *in;
                void *out;
            } p = {n->in[k] >= 0 ? g->tensors[n->in[k]].data : NULL};
            in[k] = gr_view(g, n->in[k], p.in != NULL || n->in[k] < 0 ? p.out : data[n->in[k]]);
        }
        for (int k = 0; k < n->n_out; k++) {
            const struct pare_tensor *t = &g->tensors[n->out[k]];
            data[n->out[k]] = malloc(pare_dtype_bytes(t->dtype, pare_tensor_elements(t)) + 1);
            out[k] = gr_view(g, n->out[k], data[n->out[k]]);
        }
        void *scratch = malloc(pare_op_scratch_bytes(g, i) + 1);
        if (pare_op_eval(g, i, in, out, scratch, &err) != PARE_OK) {
            fail_msg("%s: %s", pare_op_name(n->op), err.message);
        }
        free(scratch);
    }
    for (int i = 0; i < g->n_outputs && i < GR_MAX_OUT; i++) {
        const struct pare_tensor *t = &g->tensors[g->outputs[i]];
        size_t bytes = pare_dtype_bytes(t->dtype, pare_tensor_elements(t));
        const void *from = t->data != NULL ? t->data : data[g->outputs[i]];
        r.values[i] = malloc(bytes + 1);
        memcpy(r.values[i], from, bytes);
        r.elements[i] = (size_t)pare_tensor_elements(t);
        r.dtype[i] = t->dtype;
        r.n++;
    }
    for (int t = 0; t < g->n_tensors; t++) {
        free(data[t]);
    }
    free(data);
    return r;
}

/* Largest difference over the largest magnitude, over all float outputs; integer outputs must be
 * equal. */
GR_UNUSED double gr_difference(const struct gr_result *a, const struct gr_result *b)
{
    double worst = 0;
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        double largest = 1e-6, apart = 0;
        assert_int_equal(a->elements[i], b->elements[i]);
        assert_int_equal(a->dtype[i], b->dtype[i]);
        if (a->dtype[i] != PARE_F32) {
            assert_memory_equal(a->values[i], b->values[i],
                                pare_dtype_bytes(a->dtype[i], (int64_t)a->elements[i]));
            continue;
        }
        for (size_t k = 0; k < a->elements[i]; k++) {
            double x = (double)a->values[i][k], y = (double)b->values[i][k];
            largest = fabs(x) > largest ? fabs(x) : largest;
            apart = fabs(x - y) > apart || isnan(x - y) ? fabs(x - y) : apart;
        }
        worst = apart / largest > worst || isnan(apart) ? apart / largest : worst;
    }
    return worst;
}

GR_UNUSED int gr_count(const struct pare_graph *g, enum pare_op op)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        n += g->nodes[i].op == op;
    }
    return n;
}

/* Finish and shapes, then runs, then passes and shapes, runs again; the numbers must agree to
 * `tolerance`. */
GR_UNUSED void gr_check_passes(struct pare_graph *g, struct pare_pass_report *report,
                               double tolerance)
{
    struct pare_error err = {0};
    struct pare_pass_report ignored;
    report = report != NULL ? report : &ignored;
    if (pare_graph_finish(g, "built", &err) != PARE_OK ||
        pare_shapes_infer(g, "built", &err) != PARE_OK) {
        fail_msg("before: %s", err.message);
    }
    struct gr_result before = gr_run(g, 7);
    if (pare_passes_run(g, "built", report, &err) != PARE_OK ||
        pare_shapes_infer(g, "built", &err) != PARE_OK) {
        fail_msg("passes: %s", err.message);
    }
    struct gr_result after = gr_run(g, 7);
    double difference = gr_difference(&before, &after);
    if (!(difference <= tolerance)) {
        fail_msg("the passes change the result by %g of its largest value", difference);
    }
    gr_free(&before);
    gr_free(&after);
}

#endif
