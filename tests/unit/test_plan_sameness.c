/*
 * Every integer instruction set gives the same bytes in every layer: 100 samples of each sample
 * pipeline run through each of its networks at int8, and some at levels of fewer bits, under every instruction
 * set of this machine. The first layer whose bytes differ is named. The portable reference, which is slow, sees the
 * first samples.
 * With PARE_SUMS=FOLDER it writes, for the machines of tests/kernels/test_arm.sh, what they need to run the same (FOLDER/NAME.sums, of
 * PARE_SUMS_SAMPLES samples at int8 for the networks of others), and compares nothing.
 */
#include "tests/unit/plan_build.h"

#include "data/dataset.h"
#include "tests/cross/layer_sums.h"

enum { CALIBRATION = 8, MOST_RANK = 8 };

static const struct {
    const char *level;
    int samples, reference_samples;
} runs[] = {{"int8", 100, 2}, {"w4a8", 8, 1}, {"w2a2", 8, 1}, {"w1a1", 8, 1}};

struct network {
    const char *model, *data; /* relative to the source tree, or to the folder of models */
    bool ours;
};

static const struct network networks[] = {
    {"sample_pipelines/hand_gesture/detector.onnx", "sample_pipelines/hand_gesture/search", true},
    {"sample_pipelines/hand_gesture/keypoints.onnx", "sample_pipelines/hand_gesture/search", true},
    {"sample_pipelines/hand_gesture/classifier.onnx", "sample_pipelines/hand_gesture/search", true},
    {"mediapipe/palm_detection_lite.tflite", "sign_digits", false},
    {"mediapipe/hand_landmark_lite.tflite", "sign_digits", false},
    {"mediapipe/gesture_embedder.tflite", "sign_digits", false},
    {"mediapipe/canned_gesture_classifier.tflite", "sign_digits", false},
};

/* One input's values, *n of them, to be freed: the picture at the size of the network's input (nearest); other inputs: its
 * values in turn. */
static float *input_of(const struct pare_graph *g, const struct pare_dataset *d, int sample, int input, struct pare_arena *arena, size_t *n)
{
    struct pare_error err = {0};
    int rank;
    int64_t dims[MOST_RANK];
    float *image;
    MUST(pare_dataset_image(d, sample % pare_dataset_count(d), arena, &rank, dims, &image, &err));
    const int64_t h = dims[1], w = dims[2];
    const struct pare_tensor *t = &g->tensors[g->inputs[input]];
    const bool picture = t->rank == 4 && t->dims[3] == 3;
    *n = (size_t)pare_tensor_elements(t);
    float *x = malloc(sizeof *x * *n);
    for (int64_t k = 0; k < (int64_t)*n; k++) {
        const int64_t y = picture ? k / 3 / t->dims[2] * h / t->dims[1] : 0;
        const int64_t from = picture ? (y * w + k / 3 % t->dims[2] * w / t->dims[2]) * 3 + k % 3 : k * 7 % (h * w * 3);
        x[k] = image[from];
    }
    return x;
}

static void feed_sample(const struct pare_graph *g, const struct pare_dataset *d, int sample,
                 struct pare_plan *plan)
{
    struct pare_error err = {0};
    struct pare_arena arena = {0};
    for (int i = 0; i < g->n_inputs; i++) {
        size_t n;
        float *x = input_of(g, d, sample, i, &arena, &n);
        MUST(pare_plan_set_input(plan, i, x, n, &err));
        free(x);
    }
    MUST(pare_plan_run(plan, &err));
    pare_arena_clear(&arena);
}

static void calibrate_on(const struct pare_graph *g, const struct pare_dataset *d,
                      struct pare_calibration *c)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    const struct pare_plan_options options = {.isa = pk_isa_best(), .keep_all = true};
    MUST(pare_plan_new(g, &options, &plan, &err));
    MUST(pare_calibration_init(c, g->n_tensors, &err));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < CALIBRATION; i++) {
            feed_sample(g, d, i, plan);
            MUST(pare_plan_observe(plan, c, pass, &err));
        }
    }
    for (int i = 0; i < c->n_tensors; i++) {
        pare_range_finish(&c->ranges[i]);
    }
    pare_plan_free(plan);
}

/* Compares every output of every node, in the order of the graph; returns how many were compared. */
static int compare(const struct pare_graph *g, struct pare_plan *a, struct pare_plan *b,
                   const char *where)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_out; k++) {
            const int tensor = g->nodes[i].out[k];
            uint64_t x, y;
            if (tensor < 0 || !sums_of(g, a, tensor, &x) || !sums_of(g, b, tensor, &y)) {
                continue;
            }
            if (x != y) {
                fail_msg("%s: the first layer that differs is %s (%016llx, %016llx)", where,
                         g->tensors[tensor].name, (unsigned long long)x, (unsigned long long)y);
            }
            n++;
        }
    }
    return n;
}

static struct pare_plan *plan_for(const struct pare_graph *g, const struct pare_calibration *c,
                                  const char *level, enum pk_isa isa)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    struct pare_level *levels = levels_all(g, level);
    const struct pare_plan_options options = {
        .levels = levels, .calibration = c, .isa = isa, .keep_all = true};
    MUST(pare_plan_new(g, &options, &plan, &err));
    free(levels);
    return plan;
}

static void same_at(const struct pare_graph *g, const struct pare_dataset *d, const struct pare_calibration *c,
                    const char *name, int run)
{
    struct pare_plan *plans[PK_ISA_COUNT] = {0};
    int compared = 0, first = -1;
    for (int isa = PK_REF; isa < PK_ISA_COUNT; isa++) {
        if (pk_isa_supported((enum pk_isa)isa)) {
            plans[isa] = plan_for(g, c, runs[run].level, (enum pk_isa)isa);
            first = first < 0 && isa > PK_REF ? isa : first;
        }
    }
    for (int i = 0; i < runs[run].samples && first > 0; i++) {
        feed_sample(g, d, i, plans[first]);
        for (int isa = PK_REF; isa < PK_ISA_COUNT; isa++) {
            if (plans[isa] == NULL || isa == first || (isa == PK_REF && i >= runs[run].reference_samples)) {
                continue;
            }
            char where[256];
            snprintf(where, sizeof where, "%s at %s, sample %d, %s against %s", name, runs[run].level, i,
                     pk_isa_name((enum pk_isa)isa), pk_isa_name((enum pk_isa)first));
            feed_sample(g, d, i, plans[isa]);
            compared = compare(g, plans[isa], plans[first], where);
            assert_true(compared > 0);
        }
    }
    print_message("%-50s %s: %d tensors, %d samples\n", name, runs[run].level, compared, runs[run].samples);
    for (int isa = PK_REF; isa < PK_ISA_COUNT; isa++) {
        pare_plan_free(plans[isa]);
    }
}

static void write_all(FILE *out, const void *data, size_t n)
{
    assert_int_equal(fwrite(data, 1, n, out), n);
}

/* Checksums of every tensor at one level, on the best instruction set. */
static void write_level(FILE *out, const struct pare_graph *g, const struct pare_dataset *d, const struct pare_calibration *c, int run, int samples)
{
    struct pare_plan *plan = plan_for(g, c, runs[run].level, pk_isa_best());
    uint64_t *sums = calloc((size_t)g->n_tensors, sizeof *sums);
    struct sums_level level = {.n_samples = samples};
    snprintf(level.name, sizeof level.name, "%s", runs[run].level);
    write_all(out, &level, sizeof level);
    for (int i = 0; i < samples; i++) {
        feed_sample(g, d, i, plan);
        for (int t = 0; t < g->n_tensors; t++) {
            sums[t] = sums_of(g, plan, t, &sums[t]) ? sums[t] : 0;
        }
        write_all(out, sums, sizeof *sums * (size_t)g->n_tensors);
    }
    free(sums);
    pare_plan_free(plan);
}

/* The inputs of every sample, as feed_sample gives them. */
static void write_inputs(FILE *out, const struct pare_graph *g, const struct pare_dataset *d, int samples)
{
    for (int s = 0; s < samples; s++) {
        struct pare_arena arena = {0};
        for (int i = 0; i < g->n_inputs; i++) {
            size_t n;
            float *x = input_of(g, d, s, i, &arena, &n);
            write_all(out, x, sizeof *x * n);
            free(x);
        }
        pare_arena_clear(&arena);
    }
}

static void write_sums(const struct network *network, const struct pare_graph *g, const struct pare_dataset *d, const struct pare_calibration *c)
{
    const char *slash = strrchr(network->model, '/'), *asked = getenv("PARE_SUMS_SAMPLES");
    char path[1024];
    const int others = asked != NULL ? atoi(asked) : 100, n_runs = (int)(sizeof runs / sizeof runs[0]);
    struct sums_head head = {.magic = "paresum1", .n_tensors = g->n_tensors, .n_levels = n_runs, .range_bytes = (int)sizeof(struct pare_range),
                             .n_samples = network->ours || others > runs[0].samples ? runs[0].samples : others};
    for (int i = 0; i < g->n_inputs; i++) {
        head.n_inputs += pare_tensor_elements(&g->tensors[g->inputs[i]]);
    }
    snprintf(path, sizeof path, "%s/%s.sums", getenv("PARE_SUMS"), slash + 1);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    write_all(out, &head, sizeof head);
    write_all(out, c->ranges, sizeof *c->ranges * (size_t)c->n_tensors);
    write_inputs(out, g, d, head.n_samples);
    for (int run = 0; run < n_runs; run++) {
        write_level(out, g, d, c, run, runs[run].samples < head.n_samples ? runs[run].samples : head.n_samples);
    }
    assert_int_equal(fclose(out), 0);
}

static void same(const struct network *network, const char *model, const char *data)
{
    struct pare_error err = {0};
    struct pare_graph *g;
    struct pare_dataset *d;
    struct pare_calibration c;
    const struct pare_data_spec spec = {.path = data, .seed = 1};
    MUST(pare_model_open(model, &g, &err));
    MUST(pare_dataset_open(&spec, &d, &err));
    calibrate_on(g, d, &c);
    for (int run = 0; getenv("PARE_SUMS") == NULL && run < (int)(sizeof runs / sizeof runs[0]); run++) {
        same_at(g, d, &c, network->model, run);
    }
    if (getenv("PARE_SUMS") != NULL) {
        write_sums(network, g, d, &c);
    }
    pare_calibration_clear(&c);
    pare_dataset_free(d);
    pare_graph_free(g);
}

static void every_instruction_set_gives_the_same_bytes(void **state)
{
    (void)state;
    bool skipped = false;
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        const struct network *n = &networks[i];
        const char *model = n->ours ? test_source(n->model) : test_model(n->model);
        const char *data = n->ours ? test_source(n->data) : test_model(n->data);
        if (model == NULL || data == NULL) {
            skipped = true;
            continue;
        }
        same(n, model, data);
    }
    if (skipped) {
        test_skip("the folder of models is not there");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_set_gives_the_same_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
