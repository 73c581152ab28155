/*
 * Plans as a whole: every instruction set gives the same bytes, a partial run equals a full one,
 * live tensors never share memory, nothing is allocated while running, rows, float levels.
 */
#include "tests/unit/plan_build.h"

#include "exec/plan_parts.h"

/* ---- counting allocations ---- */

static volatile int n_allocations;
static volatile bool counting; /* volatile: the compiler believes that malloc changes nothing */

#if defined(__SANITIZE_ADDRESS__)
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
static void on_malloc(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    n_allocations += counting;
}

static void on_free(const volatile void *p)
{
    (void)p;
}

static void count_allocations(void)
{
    static bool installed;
    if (!installed) {
        __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
        installed = true;
    }
}
#else
void *__libc_malloc(size_t n);
void *malloc(size_t n)
{
    n_allocations += counting;
    return __libc_malloc(n);
}

static void count_allocations(void)
{
}
#endif

/* ---- a random network ---- */

static const char *const mixed_levels[] = {"fp32", "fp16", "w8a8", "w4a8",
                                           "w4a4", "w2a8", "w1a1", "w8a32", "w16a16"};

/* Convolutions, depthwise, residuals, activations, concats in a random order. */
static struct pare_graph *random_graph(int n_ops)
{
    struct pare_graph *g = pare_graph_new();
    int open[64], n_open = 1;
    open[0] = add_input(g, random_int(1, 2), 6, 5, 4);
    for (int i = 0; i < n_ops; i++) {
        char name[16];
        snprintf(name, sizeof name, "op%d", i);
        const int x = open[random_int(n_open > 3 ? n_open - 3 : 0, n_open - 1)];
        const int other = open[random_int(0, n_open - 1)];
        const int64_t channels = g->tensors[x].dims[3];
        const bool same = other != x && g->tensors[other].dims[3] == channels;
        const int pick = random_int(0, 9);
        int y;
        if (pick < 4) {
            y = add_conv(
                g, name, x,
                (struct conv_spec){.out_c = random_int(0, 1) ? (int)channels : random_int(3, 9),
                                   .kernel = random_int(0, 1) ? 1 : 3,
                                   .pad = 0});
            if (g->nodes[maker(g, y)].attr.window.kernel[0] == 3) {
                struct pare_window *win = &g->nodes[maker(g, y)].attr.window;
                win->pad_before[0] = win->pad_before[1] = win->pad_after[0] = win->pad_after[1] = 1;
                g->tensors[y].dims[1] = 6;
                g->tensors[y].dims[2] = 5;
            }
        } else if (pick == 4) {
            y = add_conv(g, name, x,
                         (struct conv_spec){
                             .out_c = (int)channels, .kernel = 3, .pad = 1, .depthwise = true});
        } else if (pick == 5) {
            y = add_unary(g, random_int(0, 1) ? PARE_OP_RELU : PARE_OP_LEAKY_RELU, name, x);
            g->nodes[maker(g, y)].attr.alpha = 0.25f;
        } else if (pick == 6 && channels < 30) {
            const int in[2] = {x, other};
            y = add_tensor(g, name, 4, g->tensors[x].dims[0], 6, 5,
                           channels + g->tensors[other].dims[3]);
            const int node = pare_graph_add_node(g, PARE_OP_CONCAT, name, 2, in, 1, &y);
            g->nodes[node].attr.axis = 3;
        } else if (pick == 7) {
            const int64_t dims[1] = {channels};
            const int in[2] = {x, add_floats(g, "slope", 1, dims, -0.5f, 0.5f)};
            y = add_like(g, PARE_OP_PRELU, name, 2, in, x);
        } else {
            y = same ? add_binary(g, random_int(0, 2) ? PARE_OP_ADD : PARE_OP_SUB, name, x, other)
                     : add_unary(g, PARE_OP_RELU, name, x);
        }
        open[n_open++] = y;
    }
    for (int i = 0; i < 3; i++) {
        const int t = open[n_open - 1 - i];
        bool known = t == open[0];
        for (int k = 0; k < g->n_outputs; k++) {
            known = known || g->outputs[k] == t;
        }
        if (!known) {
            add_output(g, t);
        }
    }
    finish_graph(g);
    return g;
}

static struct pare_level *random_levels(const struct pare_graph *g)
{
    struct pare_level *levels = levels_all(g, "fp32");
    for (int i = 0; i < g->n_nodes; i++) {
        levels[i] = level_of(mixed_levels[random_int(0, 8)]);
    }
    return levels;
}

/* Outputs of two plans are the same bits. */
static void assert_same_outputs(const struct pare_graph *g, struct pare_plan *a,
                                struct pare_plan *b)
{
    struct pare_error err = {0};
    for (int i = 0; i < g->n_outputs; i++) {
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->outputs[i]]);
        float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
        MUST(pare_plan_get_output(a, i, x, n, &err));
        MUST(pare_plan_get_output(b, i, y, n, &err));
        for (size_t k = 0; k < n; k++) {
            if (memcmp(&x[k], &y[k], sizeof(float)) != 0) {
                print_error("output %d element %d: %.9g, %.9g\n", i, (int)k, (double)x[k],
                            (double)y[k]);
            }
            assert_memory_equal(&x[k], &y[k], sizeof(float));
        }
        free(x);
        free(y);
    }
}

/* Integer networks: the same bytes with every instruction set of this machine. */
static void test_instruction_sets(void **state)
{
    (void)state;
    struct pare_error err = {0};
    for (int round = 0; round < 12; round++) {
        struct pare_graph *g = random_graph(14);
        struct pare_calibration c;
        calibrate(g, &c);
        struct pare_level *levels = levels_all(g, "int8");
        for (int i = 0; i < g->n_nodes; i++) {
            levels[i] = level_of(mixed_levels[random_int(2, 6)]);
        }
        struct pare_plan *reference = new_plan(g, levels, &c, PK_REF, false, NULL);
        for (int isa = PK_REF + 1; isa < PK_ISA_COUNT; isa++) {
            if (!pk_isa_supported((enum pk_isa)isa)) {
                continue;
            }
            struct pare_plan *plan = new_plan(g, levels, &c, (enum pk_isa)isa, false, NULL);
            feed(g, plan, reference);
            MUST(pare_plan_run(plan, &err));
            MUST(pare_plan_run(reference, &err));
            assert_same_outputs(g, plan, reference);
            pare_plan_free(plan);
        }
        pare_plan_free(reference);
        pare_calibration_clear(&c);
        pare_graph_free(g);
        free(levels);
    }
}

/* One layer changes, behind an fp32 or a mixed reference: the partial run is the full run, bit for
 * bit. */
static void test_suffix(void **state)
{
    (void)state;
    struct pare_error err = {0};
    int shorter = 0;
    for (int round = 0; round < 24; round++) {
        struct pare_graph *g = random_graph(14);
        struct pare_calibration c;
        calibrate(g, &c);
        struct pare_pack_cache *cache = pare_pack_cache_new();
        struct pare_level *levels = round % 2 ? random_levels(g) : levels_all(g, "fp32");
        struct pare_plan *reference = new_plan(g, levels, &c, pk_isa_best(), true, cache);
        feed(g, reference, NULL);
        MUST(pare_plan_run(reference, &err));
        for (int node = 0; node < g->n_nodes; node++) {
            if (!pare_node_is_layer(g, node)) {
                continue;
            }
            const struct pare_level before = levels[node];
            levels[node] = level_of(mixed_levels[random_int(0, 8)]);
            struct pare_plan *part =
                new_plan(g, levels, &c, pk_isa_best(), random_int(0, 1), cache);
            struct pare_plan *full = new_plan(g, levels, &c, pk_isa_best(), false, cache);
            const int64_t n = pare_tensor_elements(&g->tensors[g->inputs[0]]);
            float *x = malloc((size_t)n * sizeof *x);
            MUST(pare_plan_read_tensor(reference, g->inputs[0], x, (size_t)n, &err));
            MUST(pare_plan_set_input(full, 0, x, (size_t)n, &err));
            MUST(pare_plan_run(full, &err));
            MUST(pare_plan_run_suffix(part, reference, random_int(0, 1) ? node : -1, &err));
            assert_same_outputs(g, part, full);
            int run = 0;
            for (int i = 0; i < part->n_steps; i++) {
                run += part->mark[i];
            }
            shorter += run < part->n_steps;
            free(x);
            pare_plan_free(part);
            pare_plan_free(full);
            levels[node] = before;
        }
        pare_plan_free(reference);
        pare_pack_cache_free(cache);
        pare_calibration_clear(&c);
        pare_graph_free(g);
        free(levels);
    }
    assert_true(shorter > 50);
}

/* Two slots whose memory meets are never alive in the same step, unless one lies in the other by
 * design. */
static void test_memory(void **state)
{
    (void)state;
    int shared = 0;
    for (int round = 0; round < 30; round++) {
        struct pare_graph *g = random_graph(20);
        struct pare_calibration c;
        calibrate(g, &c);
        struct pare_level *levels = random_levels(g);
        struct pare_plan *p = new_plan(g, levels, &c, PK_REF, round % 5 == 0, NULL);
        for (int i = 0; i < p->n_slots; i++) {
            const struct plan_slot *a = &p->slots[i];
            if (a->parent >= 0 || a->constant || a->first > a->last) {
                continue;
            }
            assert_int_equal((uintptr_t)a->data % 64, 0);
            assert_true(a->offset + a->bytes <= p->block_bytes);
            for (int k = 0; k < i; k++) {
                const struct plan_slot *b = &p->slots[k];
                if (b->parent >= 0 || b->constant || b->first > b->last) {
                    continue;
                }
                const bool meet =
                    a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
                const bool alive = a->first <= b->last && b->first <= a->last;
                assert_false(meet && alive);
                shared += meet;
            }
        }
        /* lives cover every use */
        for (int s = 0; s < p->n_steps; s++) {
            for (int k = 0; k < p->steps[s].n_in; k++) {
                const struct plan_slot *root = &p->slots[plan_root(p, p->steps[s].in[k])];
                assert_true(root->constant || (root->first <= s && s <= root->last));
                const int made = p->slots[p->steps[s].in[k]].producer;
                assert_true(made < s);
            }
        }
        pare_plan_free(p);
        pare_calibration_clear(&c);
        pare_graph_free(g);
        free(levels);
    }
    assert_true(shared > 100);
}

/* Runs the plan in every way while allocations are counted. */
static void run_without_allocation(const struct pare_graph *g, const struct pare_level *levels,
                                   const struct pare_calibration *c)
{
    struct pare_error err = {0};
    struct pare_plan *reference = new_plan(g, NULL, c, pk_isa_best(), true, NULL);
    struct pare_plan *plan = new_plan(g, levels, c, pk_isa_best(), false, NULL);
    const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->outputs[0]]);
    float *y = malloc(n * sizeof *y);
    uint64_t *ns = calloc((size_t)pare_plan_step_count(plan) + 1, sizeof *ns);
    feed(g, plan, reference);
    n_allocations = 0;
    counting = true;
    enum pare_status status = pare_plan_run(plan, &err);
    status = status == PARE_OK ? pare_plan_run_timed(plan, ns, &err) : status;
    status = status == PARE_OK ? pare_plan_get_output(plan, 0, y, n, &err) : status;
    status = status == PARE_OK ? pare_plan_run(reference, &err) : status;
    status = status == PARE_OK ? pare_plan_run_suffix(plan, reference, 0, &err) : status;
    counting = false;
    MUST(status);
    assert_int_equal(n_allocations, 0);
    counting = true; /* the counter itself works */
    void *probe = malloc(16);
    counting = false;
    assert_non_null(probe);
    free(probe);
    assert_int_equal(n_allocations, 1);
    free(ns);
    free(y);
    pare_plan_free(plan);
    pare_plan_free(reference);
}

static void test_no_allocation(void **state)
{
    (void)state;
    count_allocations();
    for (int round = 0; round < 6; round++) {
        struct pare_graph *g = random_graph(16);
        struct pare_calibration c;
        calibrate(g, &c);
        struct pare_level *levels = round == 0 ? levels_all(g, "fp32") : random_levels(g);
        run_without_allocation(g, levels, &c);
        pare_calibration_clear(&c);
        pare_graph_free(g);
        free(levels);
    }
    static const char *const names[] = {"detector", "keypoints", "classifier"};
    for (int i = 0; i < 3; i++) {
        struct pare_error err = {0};
        struct pare_graph *g;
        char path[128];
        snprintf(path, sizeof path, "sample_pipelines/hand_gesture/%s.onnx", names[i]);
        MUST(pare_model_open(test_source(path), &g, &err));
        struct pare_calibration c;
        calibrate(g, &c);
        struct pare_level *levels = random_levels(g);
        run_without_allocation(g, levels, &c);
        pare_calibration_clear(&c);
        pare_graph_free(g);
        free(levels);
    }
}

/* ---- rows, float levels ---- */

/* A fully connected layer over 6 rows equals six runs over one row, in integers and floats. */
static void test_rows(void **state)
{
    (void)state;
    struct pare_error err = {0};
    static const char *const names[] = {"fp32", "fp16", "w8a8", "w4a4", "w1a1"};
    const int64_t wd[2] = {5, 19}, bd[1] = {5};
    struct pare_graph *graphs[2];
    const uint32_t start = seed;
    for (int i = 0; i < 2; i++) {
        seed = start;
        struct pare_graph *g = graphs[i] = pare_graph_new();
        const int x = add_tensor(g, "x", 3, i ? 1 : 2, i ? 1 : 3, 19, 0);
        g->inputs = malloc(sizeof(int));
        g->inputs[g->n_inputs++] = x;
        const int in[3] = {x, add_floats(g, "w", 2, wd, -1, 1), add_floats(g, "b", 1, bd, -1, 1)};
        const int y = add_tensor(g, "y", 3, i ? 1 : 2, i ? 1 : 3, 5, 0);
        pare_graph_add_node(g, PARE_OP_FULLY_CONNECTED, "fc", 3, in, 1, &y);
        add_output(g, y);
        finish_graph(g);
    }
    struct pare_calibration c;
    calibrate(graphs[0], &c);
    for (int i = 0; i < 5; i++) {
        struct pare_level *levels = levels_all(graphs[0], names[i]);
        struct pare_plan *many = new_plan(graphs[0], levels, &c, PK_REF, false, NULL);
        struct pare_plan *one = new_plan(graphs[1], levels, &c, PK_REF, false, NULL);
        float x[6 * 19], y[30], row[5];
        for (int k = 0; k < 6 * 19; k++) {
            x[k] = random_real(-1, 1.5f);
        }
        MUST(pare_plan_set_input(many, 0, x, 6 * 19, &err));
        MUST(pare_plan_run(many, &err));
        MUST(pare_plan_get_output(many, 0, y, 30, &err));
        for (int r = 0; r < 6; r++) {
            MUST(pare_plan_set_input(one, 0, x + 19 * r, 19, &err));
            MUST(pare_plan_run(one, &err));
            MUST(pare_plan_get_output(one, 0, row, 5, &err));
            assert_memory_equal(row, y + 5 * r, sizeof row);
        }
        pare_plan_free(many);
        pare_plan_free(one);
        free(levels);
    }
    pare_calibration_clear(&c);
    pare_graph_free(graphs[0]);
    pare_graph_free(graphs[1]);
}

/* Weight-only and fp16 stay close to fp32; a plan that keeps everything gives the same outputs as
 * one that does not. */
static void test_float_levels(void **state)
{
    (void)state;
    struct pare_error err = {0};
    for (int round = 0; round < 10; round++) {
        struct pare_graph *g = random_graph(12);
        struct pare_plan *fused = new_plan(g, NULL, NULL, pk_isa_best(), false, NULL);
        struct pare_plan *kept = new_plan(g, NULL, NULL, pk_isa_best(), true, NULL);
        feed(g, fused, kept);
        MUST(pare_plan_run(fused, &err));
        MUST(pare_plan_run(kept, &err));
        assert_same_outputs(g, fused, kept);
        for (int i = 0; i < g->n_nodes; i++) { /* every tensor can be read */
            const int t = g->nodes[i].out[0];
            const size_t n = (size_t)pare_tensor_elements(&g->tensors[t]);
            float *v = malloc(n * sizeof *v);
            MUST(pare_plan_read_tensor(kept, t, v, n, &err));
            free(v);
        }
        static const char *const names[] = {"fp16", "w8a32"};
        for (int i = 0; i < 2; i++) {
            struct pare_level *levels = levels_all(g, names[i]);
            struct pare_plan *plan = new_plan(g, levels, NULL, pk_isa_best(), false, NULL);
            float x[2 * 6 * 5 * 4];
            const size_t n_in = (size_t)pare_tensor_elements(&g->tensors[g->inputs[0]]);
            MUST(pare_plan_read_tensor(kept, g->inputs[0], x, n_in, &err));
            MUST(pare_plan_set_input(plan, 0, x, n_in, &err));
            MUST(pare_plan_run(plan, &err));
            for (int o = 0; o < g->n_outputs; o++) {
                const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->outputs[o]]);
                float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b), largest = 0;
                MUST(pare_plan_get_output(fused, o, a, n, &err));
                MUST(pare_plan_get_output(plan, o, b, n, &err));
                for (size_t k = 0; k < n; k++) {
                    largest = fmaxf(largest, fabsf(a[k]));
                }
                for (size_t k = 0; k < n; k++) {
                    assert_true(fabsf(a[k] - b[k]) <= largest * (i ? 0.1f : 0.01f));
                }
                free(a);
                free(b);
            }
            pare_plan_free(plan);
            free(levels);
        }
        pare_plan_free(fused);
        pare_plan_free(kept);
        pare_graph_free(g);
    }
}

/* Weights and inputs at 16 (or 8) bits against float64 on the same grids: only the sums round. */
static void test_simulated_levels(void **state)
{
    (void)state;
    struct pare_error err = {0};
    static const char *const names[] = {"w16a16", "w8a16"};
    for (int way = 0; way < 4; way++) {
        struct pare_graph *g = pare_graph_new();
        const int x = add_input(g, 2, 5, 4, 6);
        const bool depthwise = way >= 2;
        add_output(g, add_conv(g, "conv", x, (struct conv_spec){.out_c = 6, .kernel = 1, .depthwise = depthwise}));
        finish_graph(g);
        struct pare_calibration c;
        calibrate(g, &c);
        struct pare_level *levels = levels_all(g, names[way % 2]);
        struct pare_plan *plan = new_plan(g, levels, &c, pk_isa_best(), false, NULL);
        const struct pare_grid grid = pare_grid_from_range(&c.ranges[x], 16);
        const float *w = g->tensors[g->nodes[0].in[1]].data, *bias = g->tensors[g->nodes[0].in[2]].data;
        const int top = way % 2 == 0 ? 32767 : 127, depth = depthwise ? 1 : 6;
        float in[240], out[240];
        for (int i = 0; i < 240; i++) {
            in[i] = random_real(-1, 1);
        }
        MUST(pare_plan_set_input(plan, 0, in, 240, &err));
        MUST(pare_plan_run(plan, &err));
        MUST(pare_plan_get_output(plan, 0, out, 240, &err));
        for (int i = 0; i < 240; i++) {
            const int channel = i % 6;
            double sum = (double)bias[channel], max = 0;
            for (int k = 0; k < depth; k++) {
                max = fmax(max, fabs((double)w[depthwise ? channel : channel * 6 + k]));
            }
            for (int k = 0; k < depth; k++) {
                const float v = in[depthwise ? i : i - channel + k];
                const double scale = max / top, code = rint((double)w[depthwise ? channel : channel * 6 + k] / scale);
                sum += scale * code * (double)grid.scale * (pare_grid_code(&grid, v) - grid.zero);
            }
            assert_true(fabs(sum - (double)out[i]) < 2e-6);
        }
        pare_plan_free(plan);
        pare_calibration_clear(&c);
        free(levels);
        pare_graph_free(g);
    }
}

/* The carrier of an output: the unrounded value, or what a pin says; all round to the same code. */
static void test_carriers(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = pare_graph_new();
    const int x = add_input(g, 1, 5, 5, 3);
    const int y = add_conv(g, "conv", x, (struct conv_spec){.out_c = 6, .kernel = 3, .pad = 1});
    add_output(g, add_unary(g, PARE_OP_RELU, "relu", y));
    finish_graph(g);
    struct pare_calibration c;
    calibrate(g, &c);
    struct pare_level *levels = levels_all(g, "int8");
    float out[4][150], input[75];
    for (int i = 0; i < 75; i++) {
        input[i] = random_real(-1, 1);
    }
    static const enum pare_form forms[4] = {PARE_FORM_F32, PARE_FORM_CODES, PARE_FORM_F16,
                                            PARE_FORM_F32};
    struct pare_grid grid, codes = {0};
    for (int i = 0; i < 4; i++) {
        const struct pare_plan_options options = {
            .levels = levels, .calibration = &c, .isa = PK_REF, .carrier = (enum pare_carrier)i};
        struct pare_plan *plan;
        MUST(pare_plan_new(g, &options, &plan, &err));
        MUST(pare_plan_set_input(plan, 0, input, 75, &err));
        MUST(pare_plan_run(plan, &err));
        MUST(pare_plan_get_output(plan, 0, out[i], 150, &err));
        assert_non_null(pare_plan_raw_tensor(plan, g->outputs[0], &grid));
        assert_int_equal(grid.form, forms[i]);
        codes = i == 1 ? grid : codes;
        pare_plan_free(plan);
    }
    for (int i = 0; i < 150; i++) {
        assert_true(out[0][i] == out[3][i]);
        assert_true(fabsf(out[2][i] - out[3][i]) <= fabsf(out[3][i]) / 1024);
        assert_true(fabsf(out[1][i] - fminf(out[3][i], pare_grid_real(&codes, 255))) <=
                    0.501f * codes.scale);
    }
    pare_calibration_clear(&c);
    pare_graph_free(g);
    free(levels);
}

static void test_usage(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = random_graph(6);
    struct pare_plan *plan = new_plan(g, NULL, NULL, PK_REF, false, NULL);
    float x[4096] = {0};
    assert_int_equal(pare_plan_set_input(plan, 0, x, 3, &err), PARE_ERR_USAGE);
    assert_int_equal(pare_plan_set_input(plan, 1, x, 3, &err), PARE_ERR_USAGE);
    assert_int_equal(pare_plan_get_output(plan, 0, x, 1, &err), PARE_ERR_USAGE);
    assert_int_equal(pare_plan_run_suffix(plan, plan, 0, &err), PARE_ERR_USAGE);
    size_t activations, weights;
    pare_plan_memory(plan, &activations, &weights);
    assert_true(activations > 0);
    for (int i = 0; i < pare_plan_step_count(plan); i++) {
        struct pare_step_info info;
        pare_plan_step_info(plan, i, &info);
        assert_non_null(info.kernel);
        assert_true(!info.is_layer || pare_node_is_layer(g, info.node));
    }
    pare_plan_free(plan);
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instruction_sets), cmocka_unit_test(test_suffix),
        cmocka_unit_test(test_memory),           cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_rows),             cmocka_unit_test(test_float_levels),
        cmocka_unit_test(test_simulated_levels), cmocka_unit_test(test_carriers),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
