/*
 * The integer contract on random layers, bit by bit: dense, grouped, depthwise, transposed and fully connected layers at
 * random levels, with weights per tensor, per channel and per group of input channels, weight zero points, channels and
 * groups of zeros, one-bit affine activations. Every instruction set gives the bytes of the reference, and those are what
 * a float64 model of the contract says (plan_layer.c, at the top), which adds in int64 and in double, one rounding to
 * float32 where the contract has one.
 */
#include "tests/unit/plan_build.h"

enum { MOST_NODES = 4, LAYERS = 260 };

struct random_layer {
    struct pare_graph *g;
    struct pare_calibration c;
    struct pare_method methods[MOST_NODES];
    struct pare_maker maker;
    struct pare_level level;
    char text[160];
    bool relu;
    int channels, depth, groups, taps_h, taps_w; /* of the layer, node 0 */
};

/* ---- the network ---- */

static int add_transposed(struct pare_graph *g, int x, int out_c, int groups)
{
    const int64_t *d = g->tensors[x].dims;
    const int kernel = random_int(1, 4), stride = random_int(1, 3), pad = random_int(0, kernel > 1);
    const int64_t oh = (d[1] - 1) * stride + kernel - 2 * pad, ow = (d[2] - 1) * stride + kernel - 2 * pad;
    if (oh < 1 || ow < 1) {
        return add_conv(g, "conv", x, (struct conv_spec){.out_c = out_c, .kernel = 1, .groups = groups});
    }
    const int64_t wd[4] = {out_c, kernel, kernel, d[3] / groups}, bd[1] = {out_c};
    const int in[3] = {x, add_floats(g, "w", 4, wd, -1, 1), add_floats(g, "b", 1, bd, -0.5f, 0.5f)};
    const int y = add_tensor(g, "y", 4, d[0], oh, ow, out_c);
    const int at = pare_graph_add_node(g, PARE_OP_CONV_TRANSPOSE, "up", 3, in, 1, &y);
    struct pare_node *n = &g->nodes[at];
    n->attr.groups = groups;
    n->attr.window.n_spatial = 2;
    for (int i = 0; i < 2; i++) {
        n->attr.window.kernel[i] = kernel;
        n->attr.window.stride[i] = stride;
        n->attr.window.dilation[i] = 1;
        n->attr.window.pad_before[i] = n->attr.window.pad_after[i] = pad;
    }
    return y;
}

static int add_fully_connected(struct pare_graph *g, int in_c, int out_c)
{
    const int rows = random_int(1, 3);
    const int x = add_tensor(g, "x", 2, rows, in_c, 0, 0);
    const int64_t wd[2] = {out_c, in_c}, bd[1] = {out_c};
    g->inputs = malloc(sizeof *g->inputs);
    g->inputs[g->n_inputs++] = x;
    const int in[3] = {x, add_floats(g, "w", 2, wd, -1, 1), add_floats(g, "b", 1, bd, -0.5f, 0.5f)};
    const int y = add_tensor(g, "y", 2, rows, out_c, 0, 0);
    pare_graph_add_node(g, PARE_OP_FULLY_CONNECTED, "fc", 3, in, 1, &y);
    return y;
}

static int add_layer(struct pare_graph *g)
{
    const int kind = random_int(0, 5), groups = kind == 1 ? random_int(2, 3) : 1;
    const int in_c = groups * random_int(1, kind == 4 ? 24 : 150), out_c = groups * random_int(1, 20);
    if (kind == 0) {
        return add_fully_connected(g, random_int(1, 400), out_c);
    }
    const int x = add_input(g, random_int(1, 2), random_int(1, 6), random_int(1, 6), in_c);
    if (kind == 2) {
        return add_transposed(g, x, out_c, groups);
    }
    const int kernel = random_int(1, 3), pad = random_int(kernel > 1, kernel - 1);
    const struct conv_spec s = {.out_c = kind == 4 ? in_c * random_int(1, 2) : out_c, .kernel = kernel,
                                .stride = random_int(1, 2), .pad = pad, .groups = groups, .depthwise = kind == 4};
    return add_conv(g, "conv", x, s);
}

/* Channels of zeros, and runs of zeros that are whole groups now and then. */
static void put_zeros(const struct random_layer *l)
{
    const struct pare_tensor *t = &l->g->tensors[l->g->nodes[0].in[1]];
    const bool depthwise = l->g->nodes[0].op == PARE_OP_DEPTHWISE;
    float *w = (float *)(uintptr_t)t->data;
    const int64_t n = pare_tensor_elements(t), k = n / l->channels, zero = random_int(0, l->channels - 1);
    const int from = random_int(0, 2) * 32;
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = depthwise ? i % l->channels : i / k;
        if (c == zero || (!depthwise && c == (zero + 1) % l->channels && i % l->depth >= from && i % l->depth < from + 64)) {
            w[i] = 0;
        }
    }
}

static void random_method(struct random_layer *l)
{
    static const char *const kinds[] = {"symmetric", "asymmetric", "asymmetric", "quantized_bits", "binary", "ternary"};
    static const char *const pers[] = {"channel", "tensor", "group:32", "group:37", "group:64", "group:128"};
    static const char *const rest[] = {"", ",rounding=squant", ",scales=mse", ",rounding=squant,scales=mse"};
    struct pare_error err = {0};
    snprintf(l->text, sizeof l->text, "weights=%s,per=%s%s", kinds[random_int(0, 5)], pers[random_int(0, 5)],
             rest[random_int(0, 3)]);
    for (int i = 0; i < MOST_NODES; i++) {
        MUST(pare_method_parse(l->text, NULL, &l->methods[i], &err));
    }
    l->maker = (struct pare_maker){.graph = l->g, .methods = l->methods};
    const int a_bits = random_int(0, 3) == 0 ? 1 : random_int(1, 8), w_bits = random_int(1, 8);
    l->level = (struct pare_level){PARE_LEVEL_INT, (unsigned char)w_bits, (unsigned char)a_bits};
}

static void make_layer(struct random_layer *l)
{
    memset(l, 0, sizeof *l);
    l->g = pare_graph_new();
    int y = add_layer(l->g);
    l->relu = random_int(0, 1) == 1;
    if (l->relu) {
        y = add_unary(l->g, PARE_OP_RELU, "relu", y);
    }
    add_output(l->g, y);
    finish_graph(l->g);
    struct pk_conv c;
    int64_t batch;
    pare_layer_geometry(l->g, 0, &c, &batch);
    const bool depthwise = l->g->nodes[0].op == PARE_OP_DEPTHWISE;
    l->channels = c.out_c;
    l->groups = depthwise ? 1 : c.groups;
    l->depth = depthwise ? 1 : c.in_c / c.groups;
    l->taps_h = c.kernel_h;
    l->taps_w = c.kernel_w;
    put_zeros(l);
    calibrate(l->g, &l->c);
    random_method(l);
}

/* ---- the model ---- */

struct model {
    const struct random_layer *l;
    struct pare_weight_codes w;
    struct pare_grid x, y;
    const float *input;
    int64_t in_h, in_w, in_c, out_h, out_w;
    int64_t stride, pad, dilation;
    bool transposed, depthwise;
};

/* fmaf with one rounding: the product is exact in double. */
static float add_product(double a, double b, double t)
{
    return (float)(a * b + t);
}

/* The input row or column that tap k of output o reads; false: this output has no such tap. */
static bool tap_reads(const struct model *m, int64_t o, int64_t k, int64_t *i)
{
    if (!m->transposed) {
        *i = o * m->stride - m->pad + k * m->dilation;
        return true;
    }
    const int64_t at = o + m->pad - k;
    *i = at >= 0 ? at / m->stride : -1;
    return ((at % m->stride) + m->stride) % m->stride == 0;
}

/* Sums of one group: acc of (a - za) * (w - zw), and of w - zw alone. */
static void sum_group(const struct model *m, int64_t pixel, int64_t o, int group, int64_t *acc, int64_t *sum)
{
    const struct random_layer *l = m->l;
    const int64_t image = pixel / (m->out_h * m->out_w), oy = pixel / m->out_w % m->out_h, ox = pixel % m->out_w;
    const int64_t per = l->channels / l->groups, mult = m->depthwise ? l->channels / m->in_c : 1;
    const int64_t first = m->depthwise ? o / mult : o / per * l->depth;
    const int zero_w = m->w.zero_point != NULL ? m->w.zero_point[group * l->channels + o] : 0;
    *acc = *sum = 0;
    for (int64_t t = 0; t < (int64_t)l->taps_h * l->taps_w; t++) {
        int64_t iy, ix;
        const bool has_y = tap_reads(m, oy, t / l->taps_w, &iy), has_x = tap_reads(m, ox, t % l->taps_w, &ix);
        const bool inside = iy >= 0 && ix >= 0 && iy < m->in_h && ix < m->in_w;
        for (int64_t i = 0; has_y && has_x && i < l->depth; i++) {
            if (m->w.n_groups > 1 && i / m->w.group != group) {
                continue;
            }
            const float *x = &m->input[((image * m->in_h + iy) * m->in_w + ix) * m->in_c + first + i];
            const int a = inside ? pare_grid_code(&m->x, *x) : pare_grid_pad_code(&m->x);
            const int w = m->w.codes[m->depthwise ? t * l->channels + o : (o * l->taps_h * l->taps_w + t) * l->depth + i] - zero_w;
            *acc += (int64_t)(a - m->x.zero) * w;
            *sum += w;
        }
    }
}

/* The real value of the 8-bit code of one output: of t with groups, else of the sum itself. */
static float on_grid(const struct model *m, float t, double acc, float s, float r)
{
    const struct pare_grid *g = &m->y;
    const float least = (float)-g->zero, most = (float)(255 - g->zero), zero = (0 - g->offset) / g->scale;
    const bool stepped = m->w.n_groups > 1;
    const float u = stepped ? (t - g->offset) * (1.0f / g->scale)
                            : add_product(acc, (double)(s / g->scale), (double)((r - g->offset) / g->scale));
    const float lo = m->l->relu && !stepped && zero > least ? zero : least;
    return pare_grid_real(g, g->zero + (int)rintf(u > lo ? (u < most ? u : most) : lo));
}

/* One output in float32, and *code: that of its code. */
static float model_output(const struct model *m, int64_t pixel, int64_t o, const float *bias, float *code)
{
    float r = m->w.correction != NULL ? bias[o] + m->w.correction[o] : bias[o], t = 0, s = 0;
    int64_t acc, sum;
    for (int g = 0; m->x.offset != 0.0f && g < m->w.n_groups; g++) {
        sum_group(m, pixel, o, g, &acc, &sum);
        r = r + m->x.offset * (m->w.scale[g * m->l->channels + o] * (float)sum);
    }
    t = r;
    for (int g = 0; g < m->w.n_groups; g++) {
        sum_group(m, pixel, o, g, &acc, &sum);
        assert_true(acc < INT32_MAX && acc > INT32_MIN);
        s = m->x.scale * m->w.scale[g * m->l->channels + o];
        t = add_product((double)(float)acc, (double)s, (double)t);
    }
    t = m->l->relu && !(t > 0) ? 0 : t;
    *code = on_grid(m, t, (double)(float)acc, s, r);
    return t;
}

static struct model model_of(const struct random_layer *l, const float *input, struct pare_arena *arena)
{
    struct pare_error err = {0};
    const struct pare_node *n = &l->g->nodes[0];
    struct model m = {.l = l, .input = input, .stride = 1, .dilation = 1};
    const struct pare_tensor *y = &l->g->tensors[n->out[0]];
    struct pk_conv c;
    int64_t batch;
    pare_layer_geometry(l->g, 0, &c, &batch);
    m.transposed = n->op == PARE_OP_CONV_TRANSPOSE;
    m.depthwise = n->op == PARE_OP_DEPTHWISE;
    m.in_h = c.in_h;
    m.in_w = c.in_w;
    m.in_c = c.in_c;
    m.out_h = y->rank == 4 ? y->dims[1] : c.out_h;
    m.out_w = y->rank == 4 ? y->dims[2] : c.out_w;
    if (n->op != PARE_OP_FULLY_CONNECTED) {
        m.stride = n->attr.window.stride[0];
        m.pad = n->attr.window.pad_before[0];
    }
    m.x = pare_grid_from_range(&l->c.ranges[n->in[0]], l->level.a_bits);
    m.y = pare_grid_from_range(&l->c.ranges[l->g->outputs[0]], 8);
    MUST(pare_maker_weights(&l->maker, 0, l->level, &m.x, arena, &m.w, &err));
    return m;
}

/* ---- the comparison ---- */

static void run_layer(const struct random_layer *l, enum pk_isa isa, enum pare_carrier carrier, const float *x, size_t n_x,
                      float *y, size_t n_y)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    struct pare_level levels[MOST_NODES] = {l->level, l->level, l->level, l->level};
    const struct pare_plan_options options = {
        .levels = levels, .calibration = &l->c, .carrier = carrier, .isa = isa, .maker = &l->maker};
    MUST(pare_plan_new(l->g, &options, &plan, &err));
    MUST(pare_plan_set_input(plan, 0, x, n_x, &err));
    MUST(pare_plan_run(plan, &err));
    MUST(pare_plan_get_output(plan, 0, y, n_y, &err));
    pare_plan_free(plan);
}

static void describe(const struct random_layer *l, int number, char *text, size_t size)
{
    char level[16];
    const struct pare_node *n = &l->g->nodes[0];
    snprintf(text, size, "layer %d: %s, %dx%d taps, %d input channels in %d groups, %d outputs, %s, %s", number,
             n->name, l->taps_h, l->taps_w, l->depth, l->groups, l->channels, pare_level_name(l->level, level), l->text);
}

static void compare(const struct random_layer *l, int number, int counts[3])
{
    const struct pare_tensor *y = &l->g->tensors[l->g->outputs[0]];
    const size_t n_y = (size_t)pare_tensor_elements(y);
    const float *bias = l->g->tensors[l->g->nodes[0].in[2]].data;
    struct pare_arena arena = {0};
    size_t n_x;
    char text[400];
    float *x = random_input(l->g, 0, &n_x), *want = malloc(4 * n_y * sizeof *want), *got = want + n_y;
    const struct model m = model_of(l, x, &arena);
    describe(l, number, text, sizeof text);
    run_layer(l, PK_REF, PARE_CARRIER_F32, x, n_x, want, n_y);
    run_layer(l, PK_REF, PARE_CARRIER_CODES, x, n_x, want + 2 * n_y, n_y);
    for (size_t i = 0; i < n_y; i++) {
        float code;
        const int64_t pixel = (int64_t)(i / (size_t)l->channels), channel = (int64_t)(i % (size_t)l->channels);
        const float value = model_output(&m, pixel, channel, bias, &code);
        if (!(want[i] == value) || !(want[2 * n_y + i] == code)) {
            fail_msg("%s: output %zu is %.9g, as a code %.9g; the model says %.9g, %.9g", text, i, (double)want[i],
                     (double)want[2 * n_y + i], (double)value, (double)code);
        }
    }
    for (int isa = PK_REF + 1; isa < PK_ISA_COUNT; isa++) {
        if (!pk_isa_supported((enum pk_isa)isa)) {
            continue;
        }
        for (int codes = 0; codes < 2; codes++) {
            run_layer(l, (enum pk_isa)isa, codes ? PARE_CARRIER_CODES : PARE_CARRIER_F32, x, n_x, got, n_y);
            if (memcmp(got, want + (codes ? 2 * n_y : 0), n_y * sizeof *got) != 0) {
                fail_msg("%s: %s differs from the reference (%s)", text, pk_isa_name((enum pk_isa)isa), codes ? "codes" : "real");
            }
        }
    }
    counts[0] += m.w.n_groups > 1;
    counts[1] += m.w.zero_point != NULL;
    counts[2] += m.x.offset != 0.0f;
    pare_arena_clear(&arena);
    free(want);
    free(x);
}

static void every_instruction_set_is_the_float64_model(void **state)
{
    (void)state;
    int counts[3] = {0};
    for (int i = 0; i < LAYERS; i++) {
        struct random_layer l;
        make_layer(&l);
        compare(&l, i, counts);
        pare_calibration_clear(&l.c);
        pare_graph_free(l.g);
    }
    print_message("%d layers: %d with groups, %d with weight zero points, %d on one-bit affine activations\n", LAYERS, counts[0],
                  counts[1], counts[2]);
    assert_true(counts[0] > LAYERS / 8 && counts[1] > LAYERS / 8 && counts[2] > LAYERS / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_set_is_the_float64_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
