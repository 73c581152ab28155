/*
 * Real networks, when the folder of models is there: mnist_cnn on its 10,000 test images, the int8
 * networks of mlperf_tiny on the grids of their files, every network with two instruction sets.
 */
#include "tests/unit/plan_build.h"

#include <zlib.h>

static struct pare_graph *open_model(const char *name)
{
    struct pare_error err = {0};
    struct pare_graph *g = NULL;
    const char *path = test_model(name);
    if (path == NULL) {
        test_skip("the folder of models is not there");
        return NULL;
    }
    MUST(pare_model_open(path, &g, &err));
    return g;
}

static struct pare_plan *network_plan(const struct pare_graph *g, const char *level,
                                      const struct pare_calibration *c, enum pk_isa isa)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    struct pare_level *levels = levels_all(g, level);
    const struct pare_plan_options options = {.levels = levels, .calibration = c, .isa = isa};
    MUST(pare_plan_new(g, &options, &plan, &err));
    free(levels);
    return plan;
}

/* ---- mnist ---- */

#define MNIST_N 10000
#define MNIST_PIXELS (28 * 28)

struct mnist {
    uint8_t *pixels, *labels;
};

static uint8_t *gunzip(const char *name, size_t skip, size_t n)
{
    const char *path = test_model(name);
    gzFile f = path != NULL ? gzopen(path, "rb") : NULL;
    if (f == NULL) {
        return NULL;
    }
    uint8_t *v = malloc(n + skip);
    const bool whole = gzread(f, v, (unsigned)(n + skip)) == (int)(n + skip);
    gzclose(f);
    assert_true(whole);
    memmove(v, v + skip, n);
    return v;
}

static void image(const struct mnist *m, int i, float *x)
{
    for (int k = 0; k < MNIST_PIXELS; k++) {
        x[k] = (float)m->pixels[(size_t)i * MNIST_PIXELS + (size_t)k];
    }
}

static int right_of(struct pare_plan *plan, const struct mnist *m, int n)
{
    struct pare_error err = {0};
    int right = 0;
    for (int i = 0; i < n; i++) {
        float x[MNIST_PIXELS], y[10];
        image(m, i, x);
        MUST(pare_plan_set_input(plan, 0, x, MNIST_PIXELS, &err));
        MUST(pare_plan_run(plan, &err));
        MUST(pare_plan_get_output(plan, 0, y, 10, &err));
        int best = 0;
        for (int k = 1; k < 10; k++) {
            best = y[k] > y[best] ? k : best;
        }
        right += best == m->labels[i];
    }
    return right;
}

static void calibrate_mnist(const struct pare_graph *g, const struct mnist *m,
                            struct pare_calibration *c)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    const struct pare_plan_options options = {.isa = pk_isa_best(), .keep_all = true};
    MUST(pare_plan_new(g, &options, &plan, &err));
    MUST(pare_calibration_init(c, g->n_tensors, &err));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 100; i++) {
            float x[MNIST_PIXELS];
            image(m, 9900 + i, x);
            MUST(pare_plan_set_input(plan, 0, x, MNIST_PIXELS, &err));
            MUST(pare_plan_run(plan, &err));
            MUST(pare_plan_observe(plan, c, pass, &err));
        }
    }
    for (int i = 0; i < c->n_tensors; i++) {
        pare_range_finish(&c->ranges[i]);
    }
    pare_plan_free(plan);
}

static void test_mnist(void **state)
{
    (void)state;
    struct pare_graph *g = open_model("mnist/mnist_cnn.onnx");
    struct mnist m = {gunzip("mnist/t10k-images-idx3-ubyte.gz", 16, (size_t)MNIST_N * MNIST_PIXELS),
                      gunzip("mnist/t10k-labels-idx1-ubyte.gz", 8, MNIST_N)};
    assert_non_null(m.pixels);
    assert_non_null(m.labels);
    struct pare_calibration c;
    calibrate_mnist(g, &m, &c);
    static const struct {
        const char *level;
        int n, least, most;
    } rows[] = {{"fp32", MNIST_N, 9891, 9891},  {"fp16", MNIST_N, 9885, 9897},
                {"int8", MNIST_N, 9870, 10000}, {"w4a8", 2000, 1900, 2000},
                {"int4", 2000, 1900, 2000},     {"w2a8", 2000, 1400, 2000},
                {"int2", 2000, 1200, 2000},     {"bin1", 2000, 600, 2000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pare_plan *plan = network_plan(g, rows[i].level, &c, pk_isa_best());
        const int right = right_of(plan, &m, rows[i].n);
        print_message("mnist_cnn %-5s %6.2f %% of %d\n", rows[i].level, 100.0 * right / rows[i].n,
                      rows[i].n);
        assert_in_range(right, rows[i].least, rows[i].most);
        pare_plan_free(plan);
    }
    pare_calibration_clear(&c);
    pare_graph_free(g);
    free(m.pixels);
    free(m.labels);
}

/* ---- all networks ---- */

/* A reproducible picture-like input: smooth, in [0, 1]; int8 networks: over the file's own range.
 */
static void smooth_input(const struct pare_graph *g, int i, float *x)
{
    const struct pare_tensor *t = &g->tensors[g->inputs[i]];
    const int64_t n = pare_tensor_elements(t);
    float lo = 0, hi = 1;
    if (t->quant != NULL) {
        const int first = t->quant->dtype == PARE_I8 ? -128 : 0;
        lo = t->quant->scale[0] * (float)(first - t->quant->zero_point[0]);
        hi = t->quant->scale[0] * (float)(first + 255 - t->quant->zero_point[0]);
    }
    float value = 0.5f;
    for (int64_t k = 0; k < n; k++) {
        value += random_real(-0.2f, 0.2f);
        value = value < 0 ? 0 : value > 1 ? 1 : value;
        x[k] = lo + (hi - lo) * value;
    }
}

static void feed_smooth(const struct pare_graph *g, struct pare_plan *a, struct pare_plan *b)
{
    struct pare_error err = {0};
    for (int i = 0; i < g->n_inputs; i++) {
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->inputs[i]]);
        float *x = malloc(n * sizeof *x);
        smooth_input(g, i, x);
        MUST(pare_plan_set_input(a, i, x, n, &err));
        if (b != NULL) {
            MUST(pare_plan_set_input(b, i, x, n, &err));
        }
        free(x);
    }
}

static void calibrate_smooth(const struct pare_graph *g, struct pare_calibration *c)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    const struct pare_plan_options options = {.isa = pk_isa_best(), .keep_all = true};
    MUST(pare_plan_new(g, &options, &plan, &err));
    MUST(pare_calibration_init(c, g->n_tensors, &err));
    feed_smooth(g, plan, NULL);
    MUST(pare_plan_run(plan, &err));
    MUST(pare_plan_observe(plan, c, 0, &err));
    MUST(pare_plan_observe(plan, c, 1, &err));
    for (int i = 0; i < c->n_tensors; i++) {
        pare_range_finish(&c->ranges[i]);
    }
    pare_plan_free(plan);
}

/* Largest difference of two plans' outputs, relative to the largest magnitude of each output. */
static float output_difference(const struct pare_graph *g, struct pare_plan *a, struct pare_plan *b)
{
    struct pare_error err = {0};
    float worst = 0;
    for (int i = 0; i < g->n_outputs; i++) {
        const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->outputs[i]]);
        float *x = malloc((n + 1) * sizeof *x), *y = malloc((n + 1) * sizeof *y), largest = 1e-6f,
              d = 0;
        MUST(pare_plan_get_output(a, i, x, n, &err));
        MUST(pare_plan_get_output(b, i, y, n, &err));
        for (size_t k = 0; k < n; k++) {
            largest = fmaxf(largest, fabsf(x[k]));
            d = fmaxf(d, fabsf(x[k] - y[k]));
        }
        worst = fmaxf(worst, d / largest);
        free(x);
        free(y);
    }
    return worst;
}

static const char *const small_models[] = {"mediapipe/gesture_embedder.tflite",
                                           "mediapipe/canned_gesture_classifier.tflite",
                                           "keypoints/keypoint_classifier.tflite",
                                           "mlperf_tiny/pretrainedResnet.tflite",
                                           "mlperf_tiny/pretrainedResnet_quant.tflite",
                                           "mlperf_tiny/kws_ref_model.tflite",
                                           "mlperf_tiny/ad01_int8.tflite",
                                           "mediapipe/palm_detection_lite.tflite",
                                           "mediapipe/hand_landmark_lite.tflite"};

static int64_t macs_of(const struct pare_graph *g)
{
    int64_t macs = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        macs += pare_node_macs(g, i);
    }
    return macs;
}

/* Whole networks at int8 and at lower levels: the portable kernels and the best ones give the same
 * bytes. */
static void test_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof small_models / sizeof small_models[0]; i++) {
        struct pare_error err = {0};
        struct pare_graph *g = open_model(small_models[i]);
        struct pare_calibration c;
        calibrate_smooth(g, &c);
        static const char *const levels[] = {"int8", "int4", "bin1"};
        const bool large = macs_of(g) > 30000000;
        for (int k = 0; k < (large ? 1 : 3); k++) {
            struct pare_plan *portable = network_plan(g, levels[k], &c, PK_REF);
            struct pare_plan *best = network_plan(g, levels[k], &c, pk_isa_best());
            feed_smooth(g, portable, best);
            MUST(pare_plan_run(portable, &err));
            MUST(pare_plan_run(best, &err));
            assert_true(output_difference(g, portable, best) == 0.0f);
            pare_plan_free(portable);
            pare_plan_free(best);
        }
        pare_calibration_clear(&c);
        pare_graph_free(g);
    }
}

/* int8 networks on the file's own grids, without calibration, near the float run of their
 * dequantized weights. (Codes against another runtime: tests/oracle.) */
static void test_file_grids(void **state)
{
    (void)state;
    static const char *const names[] = {"mlperf_tiny/pretrainedResnet_quant.tflite",
                                        "mlperf_tiny/kws_ref_model.tflite",
                                        "mlperf_tiny/ad01_int8.tflite"};
    static const float tolerance[] = {0.3f, 0.3f, 0.05f}; /* the first two end in a softmax */
    for (int i = 0; i < 3; i++) {
        struct pare_error err = {0};
        struct pare_graph *g = open_model(names[i]);
        struct pare_plan *codes = network_plan(g, "int8", NULL, pk_isa_best());
        struct pare_plan *real = network_plan(g, "fp32", NULL, pk_isa_best());
        float worst = 0;
        seed = 77;
        for (int run = 0; run < 5; run++) {
            feed_smooth(g, real, codes);
            MUST(pare_plan_run(real, &err));
            MUST(pare_plan_run(codes, &err));
            worst = fmaxf(worst, output_difference(g, real, codes));
        }
        print_message("%s: int8 on its own grids differs by at most %.3f of the largest output\n",
                      names[i], (double)worst);
        assert_true(worst <= tolerance[i]);
        pare_plan_free(codes);
        pare_plan_free(real);
        pare_graph_free(g);
    }
}

/* Partial runs on a real network: one layer lowered, behind an fp32 and behind an int8 reference.
 */
static void test_suffix_on_network(void **state)
{
    (void)state;
    struct pare_error err = {0};
    static const char *const names[] = {"mediapipe/palm_detection_lite.tflite",
                                        "detectors/FastestDet.onnx"};
    for (int i = 0; i < 4; i++) {
        struct pare_graph *g = open_model(names[i / 2]);
        struct pare_calibration c;
        calibrate_smooth(g, &c);
        struct pare_pack_cache *cache = pare_pack_cache_new();
        struct pare_level *levels = levels_all(g, i % 2 ? "int8" : "fp32");
        struct pare_plan_options options = {.levels = levels,
                                            .calibration = &c,
                                            .isa = pk_isa_best(),
                                            .keep_all = true,
                                            .cache = cache};
        struct pare_plan *reference;
        MUST(pare_plan_new(g, &options, &reference, &err));
        feed_smooth(g, reference, NULL);
        MUST(pare_plan_run(reference, &err));
        options.keep_all = false;
        for (int node = 0, seen = 0; node < g->n_nodes; node++) {
            if (!pare_node_is_layer(g, node) || seen++ % 9 != 0) {
                continue;
            }
            const struct pare_level before = levels[node];
            levels[node] = level_of("w4a4");
            struct pare_plan *part, *full;
            MUST(pare_plan_new(g, &options, &part, &err));
            MUST(pare_plan_new(g, &options, &full, &err));
            const size_t n = (size_t)pare_tensor_elements(&g->tensors[g->inputs[0]]);
            float *x = malloc(n * sizeof *x);
            MUST(pare_plan_read_tensor(reference, g->inputs[0], x, n, &err));
            MUST(pare_plan_set_input(full, 0, x, n, &err));
            MUST(pare_plan_run(full, &err));
            MUST(pare_plan_run_suffix(part, reference, node, &err));
            assert_true(output_difference(g, part, full) == 0.0f);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mnist),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_file_grids),
        cmocka_unit_test(test_suffix_on_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
