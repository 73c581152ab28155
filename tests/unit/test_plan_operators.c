/*
 * Operators that are no layers, between integer layers: moved codes stay codes, computed values
 * round once per consumer's grid, and what only computes stays float.
 */
#include "tests/unit/plan_build.h"

/* x -> conv 1x1 (makes codes on the tensor's grid) -> op -> conv. Returns the op's output. */
struct made {
    struct pare_graph *g;
    int x, front, middle, back;
};

static struct made begin(int64_t h, int64_t w, int64_t c)
{
    struct made m = {.g = pare_graph_new()};
    m.x = add_input(m.g, 1, h, w, c);
    m.front = add_conv(m.g, "front", m.x, (struct conv_spec){.out_c = 6, .kernel = 3, .pad = 1});
    return m;
}

static void end(struct made *m)
{
    m->back = add_conv(m->g, "back", m->middle, (struct conv_spec){.out_c = 4, .kernel = 1});
    add_output(m->g, m->back);
    finish_graph(m->g);
}

static int add_pool(struct pare_graph *g, enum pare_op op, int x, int kernel, int stride, int pad)
{
    const int64_t *d = g->tensors[x].dims;
    const int64_t oh = (d[1] + 2 * pad - kernel) / stride + 1,
                  ow = (d[2] + 2 * pad - kernel) / stride + 1;
    const int64_t c = d[3];
    const int y = add_tensor(g, "pool_out", 4, 1, oh, ow, c);
    const int node = pare_graph_add_node(g, op, "pool", 1, &x, 1, &y);
    struct pare_window *win = &g->nodes[node].attr.window;
    win->n_spatial = 2;
    for (int i = 0; i < 2; i++) {
        win->kernel[i] = kernel;
        win->stride[i] = stride;
        win->pad_before[i] = win->pad_after[i] = pad;
    }
    return y;
}

struct ran {
    struct pare_calibration c;
    struct pare_plan *plan;
    struct pare_level *levels;
};

static struct ran run_at(const struct made *m, const char *level)
{
    struct pare_error err = {0};
    struct ran r = {.levels = levels_all(m->g, level)};
    calibrate(m->g, &r.c);
    const struct pare_plan_options options = {
        .levels = r.levels, .calibration = &r.c, .isa = pk_isa_best(), .keep_all = true};
    MUST(pare_plan_new(m->g, &options, &r.plan, &err));
    feed(m->g, r.plan, NULL);
    MUST(pare_plan_run(r.plan, &err));
    return r;
}

static void finish(struct made *m, struct ran *r)
{
    pare_plan_free(r->plan);
    pare_calibration_clear(&r->c);
    free(r->levels);
    pare_graph_free(m->g);
}

static const uint8_t *codes_of(struct ran *r, int tensor, struct pare_grid *grid)
{
    const uint8_t *v = pare_plan_raw_tensor(r->plan, tensor, grid);
    assert_non_null(v);
    assert_int_equal(grid->form, PARE_FORM_CODES);
    return v;
}

static const char *const tested[] = {"int8", "int4", "w8a2", "bin1"};

/* Max pool works on codes: the front layer writes the pool's grid, the pool takes the largest code.
 */
static void test_max_pool(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct made m = begin(6, 8, 3);
        m.middle = add_pool(m.g, PARE_OP_MAX_POOL, m.front, 3, 2, 1);
        end(&m);
        struct ran r = run_at(&m, tested[i]);
        struct pare_grid a, b;
        const uint8_t *in = codes_of(&r, m.front, &a), *out = codes_of(&r, m.middle, &b);
        const struct pare_grid want =
            pare_grid_from_range(&r.c.ranges[m.middle], level_of(tested[i]).a_bits);
        assert_true(pare_grid_equal(&a, &b) && pare_grid_equal(&b, &want));
        const int64_t *d = m.g->tensors[m.middle].dims;
        for (int64_t k = 0; k < d[1] * d[2] * 6; k++) {
            int best = 0;
            for (int t = 0; t < 9; t++) {
                const int64_t y = k / 6 / d[2] * 2 + t / 3 - 1, x = k / 6 % d[2] * 2 + t % 3 - 1;
                if (y >= 0 && y < 6 && x >= 0 && x < 8 && in[(y * 8 + x) * 6 + k % 6] > best) {
                    best = in[(y * 8 + x) * 6 + k % 6];
                }
            }
            assert_int_equal(out[k], best);
        }
        finish(&m, &r);
    }
}

/* Average pool reads the 8-bit carrier as real numbers and rounds once. */
static void test_average_pool(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct made m = begin(6, 8, 3);
        m.middle = add_pool(m.g, PARE_OP_AVG_POOL, m.front, 2, 2, 0);
        end(&m);
        struct ran r = run_at(&m, tested[i]);
        struct pare_grid a, b;
        const uint8_t *in = codes_of(&r, m.front, &a), *out = codes_of(&r, m.middle, &b);
        assert_int_equal(a.bits, 8);
        assert_int_equal(b.bits, level_of(tested[i]).a_bits);
        for (int64_t k = 0; k < 3 * 4 * 6; k++) {
            double sum = 0;
            for (int t = 0; t < 4; t++) {
                const int64_t y = k / 6 / 4 * 2 + t / 2, x = k / 6 % 4 * 2 + t % 2;
                sum += (double)pare_grid_real(&a, in[(y * 8 + x) * 6 + k % 6]);
            }
            const double u = (sum / 4 - (double)b.offset) / (double)b.scale + b.zero;
            const double limited = fmin(fmax(u, 0), (1 << b.bits) - 1);
            assert_true(fabs(limited - out[k]) <= 0.5 + 1e-3);
        }
        finish(&m, &r);
    }
}

/* Padding with real zero: the code nearest to it. */
static void test_pad(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct made m = begin(4, 4, 3);
        m.middle = add_tensor(m.g, "padded", 4, 1, 5, 4, 8);
        const int node = pare_graph_add_node(m.g, PARE_OP_PAD, "pad", 1, &m.front, 1, &m.middle);
        struct pare_attr *attr = &m.g->nodes[node].attr;
        attr->n_axes = 4;
        for (int d = 0; d < 4; d++) {
            attr->axes[d] = d;
        }
        attr->pad_after[1] = 1;
        attr->pad_before[3] = 2;
        end(&m);
        struct ran r = run_at(&m, tested[i]);
        struct pare_grid a, b;
        const uint8_t *in = codes_of(&r, m.front, &a), *out = codes_of(&r, m.middle, &b);
        assert_true(pare_grid_equal(&a, &b));
        for (int y = 0; y < 5; y++) {
            for (int x = 0; x < 4; x++) {
                for (int c = 0; c < 8; c++) {
                    const int want =
                        y < 4 && c >= 2 ? in[(y * 4 + x) * 6 + c - 2] : pare_grid_pad_code(&b);
                    assert_int_equal(out[(y * 4 + x) * 8 + c], want);
                }
            }
        }
        finish(&m, &r);
    }
}

/* What only a sigmoid reads, the sigmoid's result and an output stay fp32; a layer behind gets
 * codes. */
static void test_float_functions(void **state)
{
    (void)state;
    struct made m = begin(4, 4, 3);
    const int s = add_unary(m.g, PARE_OP_SIGMOID, "sigmoid", m.front);
    m.middle = s;
    add_output(m.g, s);
    end(&m);
    struct ran r = run_at(&m, "int8");
    struct pare_error err = {0};
    struct pare_grid a, b;
    assert_non_null(pare_plan_raw_tensor(r.plan, m.front, &a));
    assert_int_equal(a.form, PARE_FORM_F32);
    const uint8_t *out = codes_of(&r, s, &b);
    float front[4 * 4 * 6], real[4 * 4 * 6];
    MUST(pare_plan_read_tensor(r.plan, m.front, front, 96, &err));
    MUST(pare_plan_get_output(r.plan, 0, real, 96, &err));
    for (int i = 0; i < 96; i++) {
        const double want = 1 / (1 + exp(-(double)front[i]));
        assert_true(fabs((double)real[i] - want) < 1e-6);
        assert_int_equal(out[i], pare_grid_code(&b, real[i]));
    }
    finish(&m, &r);
}

/* Reshape keeps memory; two integer layers around it meet on one grid. */
static void test_reshape(void **state)
{
    (void)state;
    struct made m = begin(4, 4, 3);
    const int64_t shape[4] = {1, 2, 8, 6};
    const int in[2] = {m.front, pare_graph_add_const(m.g, "shape", PARE_I64, 1, (int64_t[]){4},
                                                     shape, sizeof shape)};
    m.middle = add_tensor(m.g, "reshaped", 4, 1, 2, 8, 6);
    pare_graph_add_node(m.g, PARE_OP_RESHAPE, "reshape", 2, in, 1, &m.middle);
    end(&m);
    struct ran r = run_at(&m, "int4");
    struct pare_grid a, b;
    const uint8_t *x = codes_of(&r, m.front, &a), *y = codes_of(&r, m.middle, &b);
    assert_true(pare_grid_equal(&a, &b));
    assert_ptr_equal(x, y);
    finish(&m, &r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_pool), cmocka_unit_test(test_average_pool),
        cmocka_unit_test(test_pad),      cmocka_unit_test(test_float_functions),
        cmocka_unit_test(test_reshape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
