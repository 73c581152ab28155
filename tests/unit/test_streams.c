/* Streams of channels equalized by their peaks, layers made in a sequence, BatchNorm estimated again. */
#include "quant/equalize.h"
#include "quant/make.h"
#include "quant/method.h"
#include "tests/unit/plan_build.h"

#define MOST 4096

static void methods_of(struct pare_method *m, const char *text)
{
    struct pare_error err = {0};
    for (int i = 0; i < 32; i++) {
        MUST(pare_method_parse(text, NULL, &m[i], &err));
    }
}

/* conv, prelu-like leak, two residual blocks (depthwise, conv, add, leak), conv. Channels are very uneven. */
static struct pare_graph *residual_net(void)
{
    struct pare_graph *g = pare_graph_new();
    int t = add_input(g, 1, 8, 8, 6);
    t = add_conv(g, "stem", t, (struct conv_spec){.out_c = 8, .kernel = 1});
    t = add_unary(g, PARE_OP_LEAKY_RELU, "leak", t);
    for (int b = 0; b < 2; b++) {
        const int from = t;
        t = add_conv(g, b ? "dw1" : "dw0", t, (struct conv_spec){.out_c = 8, .kernel = 3, .pad = 1, .groups = 8, .depthwise = true});
        t = add_conv(g, b ? "pw1" : "pw0", t, (struct conv_spec){.out_c = 8, .kernel = 1});
        t = add_binary(g, PARE_OP_ADD, b ? "add1" : "add0", from, t);
        t = add_unary(g, PARE_OP_LEAKY_RELU, b ? "leak1" : "leak0", t);
    }
    t = add_conv(g, "head", t, (struct conv_spec){.out_c = 4, .kernel = 1});
    add_output(g, t);
    finish_graph(g);
    for (int i = 0; i < g->n_nodes; i++) {
        g->nodes[i].attr.alpha = g->nodes[i].op == PARE_OP_LEAKY_RELU ? 0.1f : g->nodes[i].attr.alpha;
    }
    for (int i = 0; i < g->n_nodes; i++) { /* the whole stream is uneven: the stem and both 1x1 that add to it */
        const struct pare_node *n = &g->nodes[i];
        if (n->op != PARE_OP_CONV || g->tensors[n->out[0]].is_output) {
            continue;
        }
        float *w = (float *)(uintptr_t)g->tensors[n->in[1]].data, *b = (float *)(uintptr_t)g->tensors[n->in[2]].data;
        const int depth = (int)(pare_node_weights(g, i) / 8);
        for (int c = 0; c < 8; c++) {
            for (int k = 0; k < depth; k++) {
                w[c * depth + k] *= ldexpf(1.0f, c - 4);
            }
            b[c] *= ldexpf(1.0f, c - 4);
        }
    }
    return g;
}

struct seen {
    struct pare_channel_seen *channels[64];
    float out[MOST];
};

static void look(const struct pare_graph *g, const float *x, size_t n_x, struct seen *s)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    const struct pare_plan_options options = {.isa = PK_REF, .keep_all = true};
    MUST(pare_plan_new(g, &options, &plan, &err));
    MUST(pare_plan_set_input(plan, 0, x, n_x, &err));
    MUST(pare_plan_run(plan, &err));
    for (int i = 0; i < g->n_nodes; i++) {
        if (!pare_node_is_layer(g, i)) {
            continue;
        }
        const int t = g->nodes[i].in[0], c = (int)g->tensors[t].dims[3];
        static float v[MOST];
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[t]);
        MUST(pare_plan_read_tensor(plan, t, v, n, &err));
        struct pare_channel_seen *to = s->channels[t] = realloc(s->channels[t], sizeof *to * (size_t)c);
        for (size_t k = 0; k < (size_t)c; k++) {
            double sum = 0.0, squares = 0.0;
            to[k].peak = 0.0f;
            for (size_t at = k; at < n; at += (size_t)c) {
                to[k].peak = fmaxf(to[k].peak, fabsf(v[at]));
                sum += (double)v[at];
                squares += (double)v[at] * (double)v[at];
            }
            const double rows = (double)n / c, mean = sum / rows;
            to[k].mean = (float)mean;
            to[k].sd = (float)sqrt(fmax(squares / rows - mean * mean, 0.0));
        }
    }
    MUST(pare_plan_get_output(plan, 0, s->out, (size_t)pare_tensor_elements(&g->tensors[g->outputs[0]]), &err));
    pare_plan_free(plan);
}

static float spread(const struct pare_channel_seen *c, int n)
{
    float lo = INFINITY, hi = 0.0f;
    for (int i = 0; i < n; i++) {
        lo = fminf(lo, c[i].peak);
        hi = fmaxf(hi, c[i].peak);
    }
    return hi / lo;
}

/* shared: both depthwise layers read one constant bias (as in MediaPipe's palm detector); the head has none. */
static void check_streams(bool shared)
{
    struct pare_error err = {0};
    struct pare_graph *g = residual_net();
    for (int i = 0, first = -1; shared && i < g->n_nodes; i++) {
        if (g->nodes[i].op == PARE_OP_DEPTHWISE) {
            first = first < 0 ? g->nodes[i].in[2] : first;
            g->nodes[i].in[2] = first;
        }
        g->nodes[i].n_in -= g->nodes[i].op == PARE_OP_CONV && g->tensors[g->nodes[i].out[0]].is_output;
    }
    struct pare_method methods[32];
    size_t n_x;
    float *x = random_input(g, 0, &n_x);
    static struct seen before, after;
    json_t *notes = json_array();
    methods_of(methods, "equalize=streams");
    look(g, x, n_x, &before);
    MUST(pare_equalize_streams(g, methods, (const struct pare_channel_seen *const *)before.channels, "net", notes, &err));
    look(g, x, n_x, &after);
    for (int i = 0; i < 8 * 8 * 4; i++) {
        assert_true(fabsf(before.out[i] - after.out[i]) <= 1e-4f * (1.0f + fabsf(before.out[i])));
    }
    int looked = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const int t = g->nodes[i].in[0];
        if (g->nodes[i].op == PARE_OP_DEPTHWISE) {
            assert_true(spread(after.channels[t], 8) < 0.25f * spread(before.channels[t], 8));
            looked++;
        } else if (g->tensors[t].producer >= 0 && g->nodes[g->tensors[t].producer].op == PARE_OP_DEPTHWISE) {
            for (int c = 0; c < 8; c++) { /* between layers alone: centred */
                assert_true(fabsf(before.channels[t][c].mean) > 1e-3f && fabsf(after.channels[t][c].mean) < 1e-4f);
            }
            looked++;
        }
    }
    assert_int_equal(looked, 4);
    assert_int_equal(json_array_size(notes), 1);
    json_decref(notes);
    for (int i = 0; i < 64; i++) {
        free(before.channels[i]);
        free(after.channels[i]);
        before.channels[i] = after.channels[i] = NULL;
    }
    free(x);
    pare_graph_free(g);
}

static void streams_keep_the_function_and_level_the_peaks(void **state)
{
    (void)state;
    check_streams(false);
}

static void a_bias_that_layers_share_holds_no_stream(void **state)
{
    (void)state;
    check_streams(true);
}

static void a_relu6_holds_its_stream(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_graph *g = pare_graph_new();
    struct pare_method methods[32];
    int t = add_input(g, 1, 4, 4, 3);
    t = add_conv(g, "a", t, (struct conv_spec){.out_c = 4, .kernel = 1});
    const int clip = t = add_unary(g, PARE_OP_CLIP, "r6", t);
    t = add_conv(g, "b", t, (struct conv_spec){.out_c = 4, .kernel = 1});
    add_output(g, t);
    finish_graph(g);
    g->nodes[maker(g, clip)].attr.hi = 6.0f;
    const struct pare_channel_seen uneven[4] = {{0.1f, 0.0f, 0.1f}, {1.0f, 0.0f, 1.0f}, {3.0f, 0.0f, 1.0f}, {6.0f, 0.0f, 1.0f}};
    const struct pare_channel_seen *seen[64] = {0};
    float w[12];
    memcpy(w, g->tensors[g->nodes[0].in[1]].data, sizeof w);
    seen[clip] = uneven;
    json_t *notes = json_array();
    methods_of(methods, "equalize=streams");
    MUST(pare_equalize_streams(g, methods, seen, "net", notes, &err));
    assert_memory_equal(w, g->tensors[g->nodes[0].in[1]].data, sizeof w);
    json_decref(notes);
    pare_graph_free(g);
}

/* One 1x1 layer, its samples in the float network and behind quantized layers. */
static struct pare_graph *one_layer(struct pare_rows *r, int n)
{
    struct pare_graph *g = pare_graph_new();
    int t = add_input(g, 1, 4, 4, 8);
    t = add_conv(g, "c", t, (struct conv_spec){.out_c = 4, .kernel = 1});
    add_output(g, t);
    finish_graph(g);
    *r = (struct pare_rows){.n = n, .columns = 8, .x = malloc(sizeof(float) * (size_t)n * 8),
                            .xq = malloc(sizeof(float) * (size_t)n * 8)};
    for (int i = 0; i < n * 8; i++) {
        r->x[i] = random_real(0.0f, 1.0f);
        r->xq[i] = 0.8f * r->x[i] + 0.3f + random_real(-0.05f, 0.05f); /* what the layers in front got wrong */
    }
    return g;
}

/* Mean and mean square of (quantized output - float output) of channel 0..3 together. */
static void errors_of(const struct pare_graph *g, const struct pare_weight_codes *out, const struct pare_rows *r, double *mean,
                      double *square)
{
    const float *w = g->tensors[g->nodes[0].in[1]].data;
    *mean = *square = 0.0;
    for (int row = 0; row < r->n; row++) {
        for (int c = 0; c < 4; c++) {
            double d = out->correction != NULL ? (double)out->correction[c] : 0.0;
            for (int i = 0; i < 8; i++) {
                const int zero = out->zero_point != NULL ? out->zero_point[c] : 0;
                d += (double)r->xq[row * 8 + i] * (double)out->scale[c] * (double)(out->codes[c * 8 + i] - zero) -
                     (double)r->x[row * 8 + i] * (double)w[c * 8 + i];
            }
            *mean += d / r->n;
            *square += d * d / r->n;
        }
    }
}

static void a_layer_in_a_sequence_takes_up_the_error_in_front(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_rows rows;
    struct pare_graph *g = one_layer(&rows, 400);
    struct pare_method methods[32];
    double mean, alone, sequence;
    for (int own = 0; own < 2; own++) {
        struct pare_arena arena = {0};
        struct pare_weight_codes out;
        struct pare_rows same = rows;
        same.xq = NULL;
        methods_of(methods, "rounding=descent,bias=empirical");
        const struct pare_maker m = {.graph = g, .methods = methods, .rows = &same, .own_node = 0, .own = own ? &rows : NULL};
        MUST(pare_maker_weights(&m, 0, level_of("w6a8"), NULL, &arena, &out, &err));
        errors_of(g, &out, &rows, &mean, own ? &sequence : &alone);
        assert_true(!own || fabs(mean) < 1e-3);
        pare_arena_clear(&arena);
    }
    assert_true(sequence < 0.2 * alone);
    free(rows.x);
    free(rows.xq);
    pare_graph_free(g);
}

/* Noise in front weakens what least squares finds: the outputs would be smaller than the float ones. */
static void outputs_behind_noise_keep_their_power(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_rows rows;
    struct pare_graph *g = one_layer(&rows, 400);
    const float *w = g->tensors[g->nodes[0].in[1]].data;
    struct pare_method methods[32];
    struct pare_arena arena = {0};
    struct pare_weight_codes out;
    for (int i = 0; i < 400 * 8; i++) {
        rows.xq[i] = rows.x[i] + random_real(-0.5f, 0.5f);
    }
    methods_of(methods, "rounding=descent,scales=mse,bias=empirical");
    const struct pare_maker m = {.graph = g, .methods = methods, .own_node = 0, .own = &rows};
    MUST(pare_maker_weights(&m, 0, level_of("w6a8"), NULL, &arena, &out, &err));
    for (int c = 0; c < 4; c++) {
        double sum[2] = {0.0, 0.0}, squares[2] = {0.0, 0.0};
        for (int row = 0; row < rows.n; row++) {
            double y[2] = {0.0, 0.0};
            for (int i = 0; i < 8; i++) {
                y[0] += (double)rows.x[row * 8 + i] * (double)w[c * 8 + i];
                y[1] += (double)rows.xq[row * 8 + i] * (double)out.scale[c] * (double)out.codes[c * 8 + i];
            }
            for (int q = 0; q < 2; q++) {
                sum[q] += y[q] / rows.n;
                squares[q] += y[q] * y[q] / rows.n;
            }
        }
        const double real = sqrt(squares[0] - sum[0] * sum[0]), quantized = sqrt(squares[1] - sum[1] * sum[1]);
        assert_true(fabs(quantized / real - 1.0) < 1e-3);
    }
    pare_arena_clear(&arena);
    free(rows.x);
    free(rows.xq);
    pare_graph_free(g);
}

/* Rows of strong positions teach the codes; the bias is right for all positions, which the even rows are of. */
static void the_bias_is_of_any_position(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_rows rows;
    struct pare_graph *g = one_layer(&rows, 400);
    struct pare_method methods[32];
    double mean, square;
    for (int i = 0; i < 400 * 8; i++) {
        rows.x[i] += i / 8 % 2 == 1 ? 2.0f : 0.0f;
        rows.xq[i] = fminf(rows.x[i], 1.5f); /* clipped in front */
    }
    methods_of(methods, "rounding=adaround,bias=empirical");
    for (int loud = 0; loud < 2; loud++) {
        struct pare_arena arena = {0};
        struct pare_weight_codes out;
        rows.loud = loud == 1;
        const struct pare_maker m = {.graph = g, .methods = methods, .own_node = 0, .own = &rows};
        MUST(pare_maker_weights(&m, 0, level_of("w6a8"), NULL, &arena, &out, &err));
        float even[200 * 8], even_q[200 * 8];
        for (int row = 0; row < 200; row++) {
            memcpy(even + row * 8, rows.x + row * 16, 8 * sizeof *even);
            memcpy(even_q + row * 8, rows.xq + row * 16, 8 * sizeof *even_q);
        }
        const struct pare_rows any = {.n = 200, .columns = 8, .x = even, .xq = even_q};
        errors_of(g, &out, &any, &mean, &square);
        assert_true(loud ? fabs(mean) < 1e-3 : fabs(mean) > 1e-2);
        pare_arena_clear(&arena);
    }
    free(rows.x);
    free(rows.xq);
    pare_graph_free(g);
}

static void a_batch_norm_is_estimated_again(void **state)
{
    (void)state;
    struct pare_error err = {0};
    struct pare_rows rows;
    struct pare_graph *g = one_layer(&rows, 400);
    struct pare_method methods[32];
    struct pare_arena arena = {0};
    struct pare_weight_codes out;
    float gamma[4], beta[4], bias[4];
    const float *w = g->tensors[g->nodes[0].in[1]].data;
    MUST(pare_bias_f32(g, 0, bias, &err));
    for (int c = 0; c < 4; c++) { /* of the float outputs */
        double sum = 0.0, squares = 0.0;
        for (int row = 0; row < rows.n; row++) {
            double y = (double)bias[c];
            for (int i = 0; i < 8; i++) {
                y += (double)rows.x[row * 8 + i] * (double)w[c * 8 + i];
            }
            sum += y / rows.n;
            squares += y * y / rows.n;
        }
        beta[c] = (float)sum;
        gamma[c] = (float)sqrt(squares - sum * sum);
    }
    struct pare_bn_stats bn = {.n = 4, .gamma = gamma, .beta = beta};
    g->nodes[0].bn = &bn;
    methods_of(methods, "bias=reestimate");
    const struct pare_maker m = {.graph = g, .methods = methods, .own_node = 0, .own = &rows};
    MUST(pare_maker_weights(&m, 0, level_of("w8a8"), NULL, &arena, &out, &err));
    for (int c = 0; c < 4; c++) {
        double sum = 0.0, squares = 0.0;
        for (int row = 0; row < rows.n; row++) {
            double y = (double)bias[c] + (double)out.correction[c];
            for (int i = 0; i < 8; i++) {
                y += (double)rows.xq[row * 8 + i] * (double)out.scale[c] * (double)out.codes[c * 8 + i];
            }
            sum += y / rows.n;
            squares += y * y / rows.n;
        }
        assert_true(fabs(sum - (double)beta[c]) < 1e-3);
        assert_true(fabs(sqrt(squares - sum * sum) / (double)gamma[c] - 1.0) < 1e-3);
    }
    pare_arena_clear(&arena);
    free(rows.x);
    free(rows.xq);
    pare_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_keep_the_function_and_level_the_peaks),
        cmocka_unit_test(a_bias_that_layers_share_holds_no_stream),
        cmocka_unit_test(a_relu6_holds_its_stream),
        cmocka_unit_test(a_layer_in_a_sequence_takes_up_the_error_in_front),
        cmocka_unit_test(outputs_behind_noise_keep_their_power),
        cmocka_unit_test(the_bias_is_of_any_position),
        cmocka_unit_test(a_batch_norm_is_estimated_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
