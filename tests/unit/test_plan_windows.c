/*
 * Windows that a plan carries out by way of others: transposed convolutions against their meaning, convolutions of one
 * dimension against those of two.
 */
#include "tests/unit/plan_build.h"

/* Straight from the meaning: every input pixel adds its weights to the output. */
static void transposed_reference(const struct pare_graph *g, const float *x, const float *w,
                                 double *y)
{
    const struct pare_node *n = &g->nodes[0];
    const struct pare_tensor *xt = &g->tensors[n->in[0]], *wt = &g->tensors[n->in[1]],
                             *yt = &g->tensors[n->out[0]];
    const float *b = g->tensors[n->in[2]].data;
    const struct pare_window *win = &n->attr.window;
    const int64_t depth = wt->dims[3], out_c = yt->dims[3], per_group = out_c / n->attr.groups;
    for (int64_t i = 0; i < pare_tensor_elements(yt); i++) {
        y[i] = (double)b[i % out_c];
    }
    for (int64_t p = 0; p < xt->dims[0] * xt->dims[1] * xt->dims[2]; p++) {
        const int64_t image = p / (xt->dims[1] * xt->dims[2]), iy = p / xt->dims[2] % xt->dims[1],
                      ix = p % xt->dims[2];
        for (int64_t t = 0; t < win->kernel[0] * win->kernel[1]; t++) {
            const int64_t ky = t / win->kernel[1], kx = t % win->kernel[1];
            const int64_t oy = iy * win->stride[0] + ky * win->dilation[0] - win->pad_before[0];
            const int64_t ox = ix * win->stride[1] + kx * win->dilation[1] - win->pad_before[1];
            if (oy < 0 || ox < 0 || oy >= yt->dims[1] || ox >= yt->dims[2]) {
                continue;
            }
            for (int64_t o = 0; o < out_c; o++) {
                for (int64_t i = 0; i < depth; i++) {
                    y[((image * yt->dims[1] + oy) * yt->dims[2] + ox) * out_c + o] +=
                        (double)x[p * xt->dims[3] + o / per_group * depth + i] *
                        (double)w[((o * win->kernel[0] + ky) * win->kernel[1] + kx) * depth + i];
                }
            }
        }
    }
}

static struct pare_graph *transposed_graph(void)
{
    struct pare_graph *g = pare_graph_new();
    const int groups = random_int(1, 2), in_c = 4, out_c = 2 * random_int(1, 4),
              batch = random_int(1, 2);
    const int h = random_int(1, 5), w = random_int(1, 5);
    const int x = add_input(g, batch, h, w, in_c);
    int kernel[2], stride[2], dilation[2], before[2], after[2], out[2];
    for (int i = 0; i < 2; i++) {
        const int in = i ? w : h;
        do {
            kernel[i] = random_int(1, 4);
            stride[i] = random_int(1, 3);
            dilation[i] = random_int(1, 2);
            before[i] = random_int(0, 2);
            after[i] = random_int(-2, 1); /* below 0: output padding */
            out[i] =
                (in - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - before[i] - after[i];
        } while (out[i] < 1);
    }
    const int64_t wd[4] = {out_c, kernel[0], kernel[1], in_c / groups}, bd[1] = {out_c};
    const int in[3] = {x, add_floats(g, "w", 4, wd, -1, 1), add_floats(g, "b", 1, bd, -1, 1)};
    const int y = add_tensor(g, "y", 4, batch, out[0], out[1], out_c);
    const int node = pare_graph_add_node(g, PARE_OP_CONV_TRANSPOSE, "up", 3, in, 1, &y);
    struct pare_window *win = &g->nodes[node].attr.window;
    g->nodes[node].attr.groups = groups;
    win->n_spatial = 2;
    for (int i = 0; i < 2; i++) {
        win->kernel[i] = kernel[i];
        win->stride[i] = stride[i];
        win->dilation[i] = dilation[i];
        win->pad_before[i] = before[i];
        win->pad_after[i] = after[i] > 0 ? after[i] : 0;
        win->output_padding[i] = after[i] < 0 ? -after[i] : 0;
    }
    const int r = add_unary(g, PARE_OP_RELU, "relu", y);
    add_output(g, r);
    finish_graph(g);
    return g;
}

/* The numbers that 8-bit codes stand for: x on its grid, w symmetric per output channel. */
static void to_eight_bits(const struct pare_graph *g, const struct pare_calibration *c,
                          const float *x, size_t n, float *xq, float *wq)
{
    const struct pare_grid grid = pare_grid_from_range(&c->ranges[g->inputs[0]], 8);
    for (size_t i = 0; i < n; i++) {
        xq[i] = pare_grid_real(&grid, pare_grid_code(&grid, x[i]));
    }
    const struct pare_tensor *wt = &g->tensors[g->nodes[0].in[1]];
    const int64_t channels = wt->dims[0], k = pare_tensor_elements(wt) / channels;
    const float *w = wt->data;
    for (int64_t o = 0; o < channels; o++) {
        float max = 0;
        for (int64_t i = 0; i < k; i++) {
            max = fmaxf(max, fabsf(w[o * k + i]));
        }
        for (int64_t i = 0; i < k; i++) {
            wq[o * k + i] = rintf(w[o * k + i] / (max / 127)) * (max / 127);
        }
    }
}

static void check_transposed(struct pare_graph *g, const struct pare_calibration *c,
                             const char *level, const float *x, size_t n_in, const float *w_used,
                             const float *x_used)
{
    struct pare_error err = {0};
    const int out = g->outputs[0];
    const size_t n = (size_t)pare_tensor_elements(&g->tensors[out]);
    double *want = malloc(n * sizeof *want);
    float *got = malloc(n * sizeof *got);
    struct pare_level *levels = levels_all(g, level);
    struct pare_plan *plan = new_plan(g, levels, c, pk_isa_best(), false, NULL);
    transposed_reference(g, x_used, w_used, want);
    MUST(pare_plan_set_input(plan, 0, x, n_in, &err));
    MUST(pare_plan_run(plan, &err));
    MUST(pare_plan_get_output(plan, 0, got, n, &err));
    for (size_t k = 0; k < n; k++) {
        const double real = fmax(want[k], 0.0);
        const double tolerance = 1e-5 * (1 + fabs(real));
        if (fabs((double)got[k] - real) > tolerance) {
            print_error("%s element %d: %g, expected %g\n", level, (int)k, (double)got[k], real);
        }
        assert_true(fabs((double)got[k] - real) <= tolerance);
    }
    pare_plan_free(plan);
    free(levels);
    free(want);
    free(got);
}

static void test_transposed(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct pare_graph *g = transposed_graph();
        struct pare_calibration c;
        calibrate(g, &c);
        size_t n;
        float *x = random_input(g, 0, &n), *xq = malloc(n * sizeof *xq);
        const struct pare_tensor *wt = &g->tensors[g->nodes[0].in[1]];
        float *wq = malloc((size_t)pare_tensor_elements(wt) * sizeof *wq);
        to_eight_bits(g, &c, x, n, xq, wq);
        check_transposed(g, &c, "fp32", x, n, wt->data, x);
        check_transposed(g, &c, "w8a8", x, n, wq, xq);
        check_transposed(g, &c, "w8a32", x, n, wq, x);
        free(x);
        free(xq);
        free(wq);
        pare_calibration_clear(&c);
        pare_graph_free(g);
    }
}

/* A 1-D convolution is the 2-D one over one row. */
static void test_one_dimension(void **state)
{
    (void)state;
    struct pare_error err = {0};
    static const char *const names[] = {"fp32", "fp16", "int8", "bin1"};
    struct pare_graph *graphs[2];
    const uint32_t start = seed;
    for (int i = 0; i < 2; i++) {
        seed = start;
        struct pare_graph *g = graphs[i] = pare_graph_new();
        const int x = i ? add_tensor(g, "x", 4, 2, 1, 11, 6) : add_tensor(g, "x", 3, 2, 11, 6, 0);
        g->inputs = malloc(sizeof(int));
        g->inputs[g->n_inputs++] = x;
        const int64_t wd[4] = {8, 1, 3, 3}, w1[3] = {8, 3, 3}, bd[1] = {8};
        const int in[3] = {x,
                           i ? add_floats(g, "w", 4, wd, -1, 1) : add_floats(g, "w", 3, w1, -1, 1),
                           add_floats(g, "b", 1, bd, -1, 1)};
        const int y = i ? add_tensor(g, "y", 4, 2, 1, 6, 8) : add_tensor(g, "y", 3, 2, 6, 8, 0);
        const int node = pare_graph_add_node(g, PARE_OP_CONV, "conv", 3, in, 1, &y);
        struct pare_attr *attr = &g->nodes[node].attr;
        attr->groups = 2;
        attr->window.n_spatial = i ? 2 : 1;
        attr->window.kernel[0] = 1;
        attr->window.kernel[i] = 3;
        attr->window.stride[i] = 2;
        attr->window.pad_before[i] = attr->window.pad_after[i] = 1;
        add_output(g, y);
        finish_graph(g);
    }
    struct pare_calibration c;
    calibrate(graphs[1], &c);
    for (int i = 0; i < 4; i++) {
        float x[2 * 11 * 6], y[2][2 * 6 * 8];
        for (int k = 0; k < 132; k++) {
            x[k] = random_real(-1, 1);
        }
        for (int k = 0; k < 2; k++) {
            struct pare_level *levels = levels_all(graphs[k], names[i]);
            struct pare_plan *plan = new_plan(graphs[k], levels, &c, pk_isa_best(), false, NULL);
            MUST(pare_plan_set_input(plan, 0, x, 132, &err));
            MUST(pare_plan_run(plan, &err));
            MUST(pare_plan_get_output(plan, 0, y[k], 96, &err));
            pare_plan_free(plan);
            free(levels);
        }
        assert_memory_equal(y[0], y[1], sizeof y[0]);
    }
    pare_calibration_clear(&c);
    pare_graph_free(graphs[0]);
    pare_graph_free(graphs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_transposed), cmocka_unit_test(test_one_dimension)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
