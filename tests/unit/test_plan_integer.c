/*
 * The integer path, byte for byte, against a reference written from the contract alone: sums of (a
 * - za) * w in int64, then q = zp + rne(clamp(fmaf(acc, m, b), lo - zp, hi - zp)); with a residual see plan_layer.c.
 */
#include "tests/unit/plan_build.h"

struct codes {
    int64_t n, h, w, c;
    uint8_t *v;
    struct pare_grid grid;
};

/* The contract's grid, from the range, written out again. */
static struct pare_grid grid_of(const struct pare_calibration *c, int tensor, int bits)
{
    const struct pare_range *r = &c->ranges[tensor];
    if (bits == 1) {
        return (struct pare_grid){PARE_FORM_CODES, 1, r->two_hi - r->two_lo, r->two_lo, 0};
    }
    const float lo = fminf(r->min, 0), hi = fmaxf(r->max, 0);
    const float scale = (float)(((double)hi - (double)lo) / ((1 << bits) - 1));
    return (struct pare_grid){PARE_FORM_CODES, bits, scale, 0, (int)rintf(-lo / scale)};
}

static int encode(const struct pare_grid *g, float u)
{
    const float lo = (float)-g->zero, hi = (float)((1 << g->bits) - 1 - g->zero);
    u = u > lo ? u : lo;
    return g->zero + (int)rintf(u < hi ? u : hi);
}

static struct codes quantized(const float *x, const struct pare_tensor *t,
                              const struct pare_grid *g)
{
    struct codes q = {t->dims[0], t->dims[1], t->dims[2], t->dims[3], NULL, *g};
    const int64_t n = pare_tensor_elements(t);
    q.v = malloc((size_t)n);
    for (int64_t i = 0; i < n; i++) {
        q.v[i] = (uint8_t)encode(g, (x[i] - g->offset) * (1.0f / g->scale));
    }
    return q;
}

/* Real value of one output of a conv layer in units of s and with its bias. */
struct layer {
    const struct pare_graph *g;
    const struct pare_node *n;
    int64_t kh, kw, depth, out_c, mult;
    bool depthwise;
    int8_t *w;
    float *scale;
    const float *bias;
};

static struct layer layer_of(const struct pare_graph *g, int tensor, int bits)
{
    struct layer l = {.g = g, .n = &g->nodes[maker(g, tensor)]};
    const struct pare_tensor *w = &g->tensors[l.n->in[1]];
    const float *real = w->data;
    l.depthwise = l.n->op == PARE_OP_DEPTHWISE;
    l.kh = w->dims[l.depthwise ? 0 : 1];
    l.kw = w->dims[l.depthwise ? 1 : 2];
    l.out_c = w->dims[l.depthwise ? 2 : 0];
    l.depth = l.depthwise ? 1 : w->dims[3];
    l.mult = l.depthwise ? l.out_c / g->tensors[l.n->in[0]].dims[3] : 1;
    l.bias = g->tensors[l.n->in[2]].data;
    const int64_t k = l.kh * l.kw * l.depth;
    l.w = malloc((size_t)(k * l.out_c));
    l.scale = malloc(sizeof(float) * (size_t)l.out_c);
    for (int64_t o = 0; o < l.out_c; o++) {
        float max = 0;
        double sum = 0;
        for (int64_t i = 0; i < k; i++) {
            const float v = fabsf(real[l.depthwise ? i * l.out_c + o : o * k + i]);
            max = fmaxf(max, v);
            sum += (double)v;
        }
        const int top = bits > 1 ? (1 << (bits - 1)) - 1 : 1;
        l.scale[o] = bits == 1 ? (float)(sum / (double)k) : max / (float)top;
        for (int64_t i = 0; i < k; i++) {
            const int64_t at = l.depthwise ? i * l.out_c + o : o * k + i;
            const float code =
                bits == 1 ? (real[at] >= 0 ? 1.0f : -1.0f) : rintf(real[at] / l.scale[o]);
            l.w[at] = (int8_t)fminf(fmaxf(code, (float)-top), (float)top);
        }
    }
    return l;
}

static void free_layer(struct layer *l)
{
    free(l->w);
    free(l->scale);
}

/* acc and the sum of the codes of the weights, of one output element. */
static int64_t sum_at(const struct layer *l, const struct codes *x, int64_t n, int64_t oy,
                      int64_t ox, int64_t o, int64_t *sum_w)
{
    const struct pare_window *win = &l->n->attr.window;
    const int pad = encode(&x->grid, (0 - x->grid.offset) * (1.0f / x->grid.scale));
    const int64_t first =
        l->depthwise ? o / l->mult : o / (l->out_c / l->n->attr.groups) * l->depth;
    int64_t acc = 0;
    *sum_w = 0;
    for (int64_t ky = 0; ky < l->kh; ky++) {
        for (int64_t kx = 0; kx < l->kw; kx++) {
            const int64_t y = oy * win->stride[0] - win->pad_before[0] + ky * win->dilation[0];
            const int64_t c = ox * win->stride[1] - win->pad_before[1] + kx * win->dilation[1];
            for (int64_t i = 0; i < l->depth; i++) {
                const bool in = y >= 0 && y < x->h && c >= 0 && c < x->w;
                const int code = in ? x->v[((n * x->h + y) * x->w + c) * x->c + first + i] : pad;
                const int w = l->depthwise ? l->w[(ky * l->kw + kx) * l->out_c + o]
                                           : l->w[((o * l->kh + ky) * l->kw + kx) * l->depth + i];
                acc += (int64_t)(code - x->grid.zero) * w;
                *sum_w += w;
            }
        }
    }
    return acc;
}

/* Codes of a layer's output on a grid; clamp [lo, hi] in real units; residual added before it, in units of v (the scale that
 * the sum is carried on). */
static struct codes run_added(const struct pare_graph *g, int tensor, int w_bits, const struct codes *x,
                              const struct pare_grid *y, float lo, float hi, const struct codes *residual, float v,
                              const struct pare_tensor *shape)
{
    struct layer l = layer_of(g, tensor, w_bits);
    struct codes q = {shape->dims[0], shape->dims[1], shape->dims[2], shape->dims[3], NULL, *y};
    q.v = malloc((size_t)pare_tensor_elements(shape));
    for (int64_t i = 0; i < q.n * q.h * q.w; i++) {
        for (int64_t o = 0; o < q.c; o++) {
            int64_t sum_w;
            const int64_t acc = sum_at(&l, x, i / (q.h * q.w), i / q.w % q.h, i % q.w, o, &sum_w);
            const float s = x->grid.scale * l.scale[o];
            float r = l.bias[o];
            if (x->grid.offset != 0) {
                r = r + x->grid.offset * (l.scale[o] * (float)sum_w);
            }
            float u;
            if (residual == NULL) {
                u = fmaf((float)acc, s / y->scale, (r - y->offset) / y->scale);
                u = fminf(fmaxf(u, (lo - y->offset) / y->scale), (hi - y->offset) / y->scale);
            } else {
                const int code = residual->v[i * q.c + o] - residual->grid.zero;
                float t = fmaf((float)acc, s / v, r / v) + residual->grid.offset / v;
                t = fmaf((float)code, residual->grid.scale / v, t);
                t = fminf(fmaxf(t, lo / v), hi / v);
                u = (t - y->offset / v) * (v / y->scale);
            }
            q.v[i * q.c + o] = (uint8_t)encode(y, u);
        }
    }
    free_layer(&l);
    return q;
}

static struct codes run_layer(const struct pare_graph *g, int tensor, int w_bits, const struct codes *x,
                              const struct pare_grid *y, float lo, float hi, const struct codes *residual,
                              const struct pare_tensor *shape)
{
    return run_added(g, tensor, w_bits, x, y, lo, hi, residual, 1.0f, shape);
}

static void assert_codes(struct pare_plan *plan, int tensor, const struct codes *want)
{
    struct pare_grid grid;
    const uint8_t *got = pare_plan_raw_tensor(plan, tensor, &grid);
    assert_non_null(got);
    assert_true(pare_grid_equal(&grid, &want->grid));
    const int64_t n = want->n * want->h * want->w * want->c;
    for (int64_t i = 0; i < n; i++) {
        if (got[i] != want->v[i]) {
            print_error("tensor %d element %d: %d, expected %d\n", tensor, (int)i, got[i],
                        want->v[i]);
        }
        assert_int_equal(got[i], want->v[i]);
    }
}

struct case_run {
    struct pare_graph *g;
    struct pare_calibration c;
    struct pare_plan *plan;
    struct pare_level *levels;
    float *x;
    size_t n;
};

/* Calibrates, plans at the levels with codes as the carrier (outputs too) (all `name` when levels
 * is NULL), runs on one random input. In place: the plan keeps a pointer to the calibration. */
static void run_case(struct case_run *r, struct pare_graph *g, struct pare_level *levels,
                     const char *name)
{
    struct pare_error err = {0};
    *r = (struct case_run){.g = g, .levels = levels != NULL ? levels : levels_all(g, name)};
    calibrate(g, &r->c);
    const struct pare_plan_options options = {.levels = r->levels,
                                              .calibration = &r->c,
                                              .carrier = PARE_CARRIER_CODES,
                                              .isa = pk_isa_best(),
                                              .keep_all = true};
    MUST(pare_plan_new(g, &options, &r->plan, &err));
    r->x = random_input(g, 0, &r->n);
    MUST(pare_plan_set_input(r->plan, 0, r->x, r->n, &err));
    MUST(pare_plan_run(r->plan, &err));
}

static void end_case(struct case_run *r)
{
    pare_plan_free(r->plan);
    pare_calibration_clear(&r->c);
    pare_graph_free(r->g);
    free(r->levels);
    free(r->x);
}

static const char *const levels_tested[] = {"w8a8", "w4a4", "w3a5", "w8a2",
                                            "w1a8", "w4a1", "w1a1", "w6a7"};
#define N_LEVELS (sizeof levels_tested / sizeof levels_tested[0])

/* conv + bias + relu6, at every level and several shapes; batch of 2. */
static void test_conv_relu(void **state)
{
    (void)state;
    static const struct conv_spec shapes[] = {
        {.out_c = 8, .kernel = 3, .pad = 1},
        {.out_c = 12, .kernel = 1},
        {.out_c = 7, .kernel = 5, .stride = 2, .pad = 2},
        {.out_c = 6, .kernel = 3, .dilation = 2, .pad = 2, .groups = 3},
        {.out_c = 6, .kernel = 3, .pad = 1, .depthwise = true},
        {.out_c = 12, .kernel = 3, .stride = 2, .pad = 1, .depthwise = true},
    };
    for (size_t i = 0; i < N_LEVELS; i++) {
        for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
            struct pare_graph *g = pare_graph_new();
            const int x = add_input(g, 2, 9, 7, 6);
            const int y = add_conv(g, "conv", x, shapes[k]);
            const int r = add_unary(g, PARE_OP_CLIP, "relu6", y);
            g->nodes[1].attr.lo = 0;
            g->nodes[1].attr.hi = 6;
            add_output(g, r);
            finish_graph(g);
            struct case_run run;
            run_case(&run, g, NULL, levels_tested[i]);
            const struct pare_level level = run.levels[0];
            const struct pare_grid in = grid_of(&run.c, x, level.a_bits),
                                   out = grid_of(&run.c, r, 8);
            struct codes q = quantized(run.x, &g->tensors[x], &in);
            struct codes want = run_layer(g, y, level.w_bits, &q, &out, 0, 6, NULL, &g->tensors[r]);
            assert_codes(run.plan, r, &want);
            free(q.v);
            free(want.v);
            end_case(&run);
        }
    }
}

/* x -> conv a -> relu -> conv b -> (+ relu) -> relu -> conv c: the residual on the 8-bit carrier,
 * conv b and c at other widths. */
static void test_residual(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_LEVELS; i++) {
        struct pare_graph *g = pare_graph_new();
        const int x = add_input(g, 1, 6, 6, 4);
        const int a = add_conv(g, "a", x, (struct conv_spec){.out_c = 8, .kernel = 3, .pad = 1});
        const int ra = add_unary(g, PARE_OP_RELU, "ra", a);
        const int b = add_conv(g, "b", ra, (struct conv_spec){.out_c = 8, .kernel = 3, .pad = 1});
        const int sum = i % 2 ? add_binary(g, PARE_OP_ADD, "add", b, ra)
                              : add_binary(g, PARE_OP_ADD, "add", ra, b);
        const int rs = add_unary(g, PARE_OP_RELU, "rs", sum);
        const int c = add_conv(g, "c", rs, (struct conv_spec){.out_c = 5, .kernel = 1});
        add_output(g, c);
        finish_graph(g);
        struct pare_level *levels = levels_all(g, "int8");
        const struct pare_level low = level_of(levels_tested[i]);
        levels[maker(g, b)] = low;
        levels[maker(g, c)] = low;
        struct case_run run;
            run_case(&run, g, levels, NULL);
        const struct pare_grid gx = grid_of(&run.c, x, 8), carrier = grid_of(&run.c, ra, 8);
        const struct pare_grid gb = grid_of(&run.c, ra, low.a_bits),
                               gc = grid_of(&run.c, rs, low.a_bits);
        const struct pare_grid gy = grid_of(&run.c, c, 8);
        struct codes q = quantized(run.x, &g->tensors[x], &gx);
        struct codes residual =
            run_layer(g, a, 8, &q, &carrier, 0, INFINITY, NULL, &g->tensors[ra]);
        struct codes ab = run_layer(g, a, 8, &q, &gb, 0, INFINITY, NULL, &g->tensors[ra]);
        struct codes bc =
            run_added(g, b, low.w_bits, &ab, &gc, 0, INFINITY, &residual, grid_of(&run.c, rs, 8).scale, &g->tensors[rs]);
        struct codes want =
            run_layer(g, c, low.w_bits, &bc, &gy, -INFINITY, INFINITY, NULL, &g->tensors[c]);
        assert_codes(run.plan, rs, &bc);
        assert_codes(run.plan, c, &want);
        free(q.v);
        free(residual.v);
        free(ab.v);
        free(bc.v);
        free(want.v);
        end_case(&run);
    }
}

/* One tensor read by layers at 8, 4 and 1 bits: each gets its own codes from the same sums. */
static void test_many_consumers(void **state)
{
    (void)state;
    static const char *const names[5] = {"w8a8", "w4a4", "w1a1", "w5a3", "w8a6"};
    struct pare_graph *g = pare_graph_new();
    const int x = add_input(g, 1, 5, 8, 3);
    const int a = add_conv(g, "a", x, (struct conv_spec){.out_c = 9, .kernel = 3, .pad = 1});
    int y[5];
    for (int i = 0; i < 5; i++) {
        char name[2] = {(char)('b' + i), 0};
        y[i] = add_conv(g, name, a, (struct conv_spec){.out_c = 4, .kernel = 3, .pad = 1});
        add_output(g, y[i]);
    }
    finish_graph(g);
    struct pare_level *levels = levels_all(g, "int8");
    for (int i = 0; i < 5; i++) {
        levels[maker(g, y[i])] = level_of(names[i]);
    }
    struct case_run run;
            run_case(&run, g, levels, NULL);
    const struct pare_grid gx = grid_of(&run.c, x, 8);
    struct codes q = quantized(run.x, &g->tensors[x], &gx);
    for (int i = 0; i < 5; i++) {
        const struct pare_level level = level_of(names[i]);
        const struct pare_grid in = grid_of(&run.c, a, level.a_bits),
                               out = grid_of(&run.c, y[i], 8);
        struct codes qa = run_layer(g, a, 8, &q, &in, -INFINITY, INFINITY, NULL, &g->tensors[a]);
        struct codes want = run_layer(g, y[i], level.w_bits, &qa, &out, -INFINITY, INFINITY, NULL,
                                      &g->tensors[y[i]]);
        assert_codes(run.plan, y[i], &want);
        free(qa.v);
        free(want.v);
    }
    free(q.v);
    end_case(&run);
}

/* Two convs into a concat into a conv: both write the concat's grid. */
static void test_concat(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        for (size_t i = 0; i < N_LEVELS; i++) {
            struct pare_error err = {0};
            struct pare_graph *g = pare_graph_new();
            const int x = add_input(g, 1, 4, 5, 3);
            const int a =
                add_conv(g, "a", x, (struct conv_spec){.out_c = 5, .kernel = 3, .pad = 1});
            const int b = add_conv(g, "b", x, (struct conv_spec){.out_c = 8, .kernel = 1});
            const int in[2] = {a, b}, cat = add_tensor(g, "cat", 4, 1, 4, 5, 13);
            const int node = pare_graph_add_node(g, PARE_OP_CONCAT, "cat", 2, in, 1, &cat);
            g->nodes[node].attr.axis = 3;
            const int c =
                add_conv(g, "c", cat, (struct conv_spec){.out_c = 4, .kernel = 3, .pad = 1});
            add_output(g, c);
            finish_graph(g);
            struct pare_level *levels = levels_all(g, "int8");
            levels[maker(g, c)] = level_of(levels_tested[i]);
            struct case_run run;
            run_case(&run, g, levels, NULL);
            const struct pare_level low = levels[maker(g, c)];
            const struct pare_grid gx = grid_of(&run.c, x, 8),
                                   gcat = grid_of(&run.c, cat, low.a_bits);
            const struct pare_grid gy = grid_of(&run.c, c, 8);
            if (!keep) { /* in place */
                pare_plan_free(run.plan);
                const struct pare_plan_options options = {.levels = levels,
                                                          .calibration = &run.c,
                                                          .carrier = PARE_CARRIER_CODES,
                                                          .isa = PK_REF};
                MUST(pare_plan_new(g, &options, &run.plan, &err));
                MUST(pare_plan_set_input(run.plan, 0, run.x, run.n, &err));
                MUST(pare_plan_run(run.plan, &err));
            }
            struct codes q = quantized(run.x, &g->tensors[x], &gx);
            struct codes qa =
                run_layer(g, a, 8, &q, &gcat, -INFINITY, INFINITY, NULL, &g->tensors[a]);
            struct codes qb =
                run_layer(g, b, 8, &q, &gcat, -INFINITY, INFINITY, NULL, &g->tensors[b]);
            struct codes both = {1, 4, 5, 13, malloc(4 * 5 * 13), gcat};
            for (int p = 0; p < 20; p++) {
                memcpy(both.v + p * 13, qa.v + p * 5, 5);
                memcpy(both.v + p * 13 + 5, qb.v + p * 8, 8);
            }
            struct codes want =
                run_layer(g, c, low.w_bits, &both, &gy, -INFINITY, INFINITY, NULL, &g->tensors[c]);
            assert_codes(run.plan, c, &want);
            free(q.v);
            free(qa.v);
            free(qb.v);
            free(both.v);
            free(want.v);
            end_case(&run);
        }
    }
}

/* fp32 -> int4 -> fp16 -> int8: the border between float and integer layers. */
static void test_mixed_borders(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = pare_graph_new();
    const int x = add_input(g, 1, 6, 6, 4);
    const int a = add_conv(g, "a", x, (struct conv_spec){.out_c = 6, .kernel = 3, .pad = 1});
    const int ra = add_unary(g, PARE_OP_RELU, "ra", a);
    const int b = add_conv(g, "b", ra, (struct conv_spec){.out_c = 6, .kernel = 3, .pad = 1});
    add_output(g, b);
    finish_graph(g);
    struct pare_level *levels = levels_all(g, "fp32");
    levels[maker(g, b)] = level_of("w4a4");
    struct case_run run;
            run_case(&run, g, levels, NULL);
    /* the float layer alone, then its value to codes */
    struct pare_plan *f32;
    const struct pare_plan_options options = {.isa = pk_isa_best(), .keep_all = true};
    MUST(pare_plan_new(g, &options, &f32, &err));
    MUST(pare_plan_set_input(f32, 0, run.x, run.n, &err));
    MUST(pare_plan_run(f32, &err));
    float real[6 * 6 * 6];
    MUST(pare_plan_read_tensor(f32, a, real, 216, &err));
    for (int i = 0; i < 216; i++) {
        real[i] = real[i] > 0 ? real[i] : 0;
    }
    const struct pare_grid ga = grid_of(&run.c, ra, 4), gb = grid_of(&run.c, b, 8);
    struct codes q = quantized(real, &g->tensors[ra], &ga);
    struct codes want = run_layer(g, b, 4, &q, &gb, -INFINITY, INFINITY, NULL, &g->tensors[b]);
    assert_codes(run.plan, ra, &q);
    assert_codes(run.plan, b, &want);
    free(q.v);
    free(want.v);
    pare_plan_free(f32);
    end_case(&run);
}

/* Imported: uint8 weights with a zero point, int32 bias, file grids; int64 arithmetic straight from
 * the meaning. */
static void test_imported(void **state)
{
    (void)state;
    static const float wx = 0.02f, ws = 0.005f, wy = 0.03f;
    static const int32_t zx = 17, zw = 133, zy = -9;
    static const struct pare_quant qx = {1, -1, &wx, &zx, PARE_U8}, qw = {1, -1, &ws, &zw, PARE_U8};
    static const struct pare_quant qy = {1, -1, &wy, &zy, PARE_I8};
    for (int depthwise = 0; depthwise < 2; depthwise++) {
        struct pare_error err = {0};
        struct pare_graph *g = pare_graph_new();
        const int x = add_input(g, 1, 7, 5, 4);
        g->tensors[x].quant = &qx;
        const int y = add_conv(
            g, "conv", x,
            (struct conv_spec){
                .out_c = depthwise ? 4 : 6, .kernel = 3, .pad = 1, .depthwise = depthwise});
        g->tensors[y].quant = &qy;
        add_output(g, y);
        finish_graph(g);
        const int w = g->nodes[0].in[1], b = g->nodes[0].in[2];
        const int64_t n_w = pare_tensor_elements(&g->tensors[w]), channels = depthwise ? 4 : 6;
        uint8_t *codes = pare_arena_alloc(&g->arena, (size_t)n_w);
        int32_t *bias = pare_arena_array(&g->arena, (size_t)channels, 4);
        for (int i = 0; i < n_w; i++) {
            codes[i] = (uint8_t)random_int(0, 255);
        }
        for (int i = 0; i < channels; i++) {
            bias[i] = random_int(-3000, 3000);
        }
        g->tensors[w].dtype = PARE_U8;
        g->tensors[w].data = codes;
        g->tensors[w].size_bytes = (size_t)n_w;
        g->tensors[w].quant = &qw;
        g->tensors[b].dtype = PARE_I32;
        g->tensors[b].data = bias;
        struct pare_level *levels = levels_all(g, "int8");
        const struct pare_plan_options options = {.levels = levels, .isa = pk_isa_best()};
        struct pare_plan *plan;
        MUST(pare_plan_new(g, &options, &plan, &err));
        feed(g, plan, NULL);
        MUST(pare_plan_run(plan, &err));
        float in[7 * 5 * 4];
        MUST(pare_plan_read_tensor(plan, x, in, 140, &err));
        struct pare_grid grid;
        const uint8_t *got = pare_plan_raw_tensor(plan, y, &grid);
        assert_non_null(got);
        assert_int_equal(grid.zero, zy + 128);
        for (int i = 0; i < 35 * channels; i++) {
            const int64_t o = i % channels, oy = i / channels / 5, ox = i / channels % 5;
            int64_t acc = bias[o];
            for (int64_t t = 0; t < 9 * (depthwise ? 1 : 4); t++) {
                const int64_t tap = depthwise ? t : t / 4, ic = depthwise ? o : t % 4;
                const int64_t iy = oy + tap / 3 - 1, ix = ox + tap % 3 - 1;
                if (iy < 0 || ix < 0 || iy >= 7 || ix >= 5) {
                    continue; /* padding is real zero */
                }
                const float u = fminf(fmaxf(in[(iy * 5 + ix) * 4 + ic] * (1.0f / wx), (float)-zx),
                                      (float)(255 - zx));
                const int64_t a = (int64_t)rintf(u);
                acc += a * (codes[depthwise ? tap * 4 + o : o * 36 + t] - zw);
            }
            const float u = fmaf((float)acc, wx * ws / wy, 0.0f);
            assert_int_equal(got[i], encode(&grid, u));
        }
        pare_plan_free(plan);
        pare_graph_free(g);
        free(levels);
    }
}

/* A file may leave its relu6 to the range of the grid: float runs stay inside that range too, also
 * in front of a residual add. */
static void test_grid_is_a_clamp(void **state)
{
    (void)state;
    struct pare_error err = {0};
    static const float scale = 0.002f;
    static const int32_t zero = 0;
    static const struct pare_quant quant = {1, -1, &scale, &zero, PARE_U8};
    static const char *const names[] = {"fp32", "fp16", "int8", "w4a4"};
    for (int i = 0; i < 8; i++) {
        struct pare_graph *g = pare_graph_new();
        const int x = add_input(g, 1, 5, 5, 6);
        g->tensors[x].quant = &quant;
        const int y = add_conv(g, "conv", x, (struct conv_spec){.out_c = 6, .kernel = 3, .pad = 1});
        g->tensors[y].quant = &quant;
        const int sum = add_binary(g, PARE_OP_ADD, "add", y, x);
        add_output(g, sum);
        if (i >= 4) { /* not fused: the conv's own value is an output as well */
            add_output(g, y);
        }
        finish_graph(g);
        struct pare_level *levels = levels_all(g, names[i % 4]);
        const struct pare_plan_options options = {
            .levels = levels, .isa = pk_isa_best(), .carrier = PARE_CARRIER_F32};
        struct pare_plan *plan;
        MUST(pare_plan_new(g, &options, &plan, &err));
        feed(g, plan, NULL);
        MUST(pare_plan_run(plan, &err));
        float in[150], out[150];
        int ends = 0;
        MUST(pare_plan_read_tensor(plan, x, in, 150, &err));
        MUST(pare_plan_get_output(plan, 0, out, 150, &err));
        for (int k = 0; k < 150; k++) {
            const float own = out[k] - in[k];
            assert_true(own >= -1e-3f && own <= 255 * scale + 1e-3f);
            ends += own < 1e-3f || own > 255 * scale - 1e-3f;
        }
        assert_true(ends > 50);
        pare_plan_free(plan);
        pare_graph_free(g);
        free(levels);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_plan *plan;
    struct pare_graph *g = pare_graph_new();
    const int x = add_input(g, 1, 4, 4, 3);
    const int y = add_conv(g, "stem", x, (struct conv_spec){.out_c = 5, .kernel = 3, .pad = 1});
    add_output(g, y);
    finish_graph(g);
    struct pare_level *levels = levels_all(g, "int8");
    struct pare_plan_options options = {.levels = levels, .isa = PK_REF};
    assert_int_equal(pare_plan_new(g, &options, &plan, &err), PARE_ERR_USAGE); /* no calibration */
    assert_string_equal(err.where, "stem");
    assert_null(plan);
    options.levels = NULL;
    g->nodes[0].op = PARE_OP_UNKNOWN;
    g->nodes[0].attr.op_name = "Mystery";
    assert_int_equal(pare_plan_new(g, &options, &plan, &err), PARE_ERR_FORMAT);
    assert_string_equal(err.where, "stem");
    assert_non_null(strstr(err.message, "Mystery"));
    free(levels);
    pare_graph_free(g);
}

/* 255 * 127 * K reaches 2^31 at K = 66313: refused; narrower codes of the same layer are not. */
static void test_overflow_refused(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_plan *plan;
    struct pare_graph *g = pare_graph_new();
    const int64_t k = 66400, dims[2] = {1, k};
    const int x = add_tensor(g, "x", 2, 1, k, 0, 0);
    g->inputs = malloc(sizeof(int));
    g->inputs[g->n_inputs++] = x;
    const int w = add_floats(g, "w", 2, dims, -1, 1), out = add_tensor(g, "y", 2, 1, 1, 0, 0),
              in[2] = {x, w};
    pare_graph_add_node(g, PARE_OP_FULLY_CONNECTED, "wide", 2, in, 1, &out);
    add_output(g, out);
    finish_graph(g);
    struct pare_calibration c;
    calibrate(g, &c);
    struct pare_level *levels = levels_all(g, "int8");
    struct pare_plan_options options = {.levels = levels, .calibration = &c, .isa = pk_isa_best()};
    assert_int_equal(pare_plan_new(g, &options, &plan, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "overflow"));
    levels[0] = level_of("w4a8");
    MUST(pare_plan_new(g, &options, &plan, &err));
    pare_plan_free(plan);
    pare_calibration_clear(&c);
    free(levels);
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_relu),        cmocka_unit_test(test_residual),
        cmocka_unit_test(test_many_consumers),   cmocka_unit_test(test_concat),
        cmocka_unit_test(test_mixed_borders),    cmocka_unit_test(test_imported),
        cmocka_unit_test(test_grid_is_a_clamp),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_overflow_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
