/*
 * Every integer instruction set gives the same bytes in every layer: 100 samples of each sample
 * pipeline run through each of its networks at int8, and some at levels of fewer bits, under every instruction
 * set of this machine. The first layer whose bytes differ is named. The portable reference, which is slow, sees the
 * first samples.
 */
#include "tests/unit/plan_build.h"

#include "data/dataset.h"

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

/* The picture at the size of the network's input (nearest); other inputs: its values in turn. */
static void feed_sample(const struct pare_graph *g, const struct pare_dataset *d, int sample,
                 struct pare_plan *plan)
{
    struct pare_error err = {0};
    struct pare_arena arena = {0};
    int rank;
    int64_t dims[MOST_RANK];
    float *image;
    MUST(pare_dataset_image(d, sample % pare_dataset_count(d), &arena, &rank, dims, &image, &err));
    const int64_t h = dims[1], w = dims[2];
    for (int i = 0; i < g->n_inputs; i++) {
        const struct pare_tensor *t = &g->tensors[g->inputs[i]];
        const int64_t n = pare_tensor_elements(t);
        float *x = malloc(sizeof *x * (size_t)n);
        const bool picture = t->rank == 4 && t->dims[3] == 3;
        for (int64_t k = 0; k < n; k++) {
            const int64_t y = picture ? k / 3 / t->dims[2] * h / t->dims[1] : 0;
            const int64_t at = picture ? (y * w + k / 3 % t->dims[2] * w / t->dims[2]) * 3 + k % 3
                                       : k * 7 % (h * w * 3);
            x[k] = image[at];
        }
        MUST(pare_plan_set_input(plan, i, x, (size_t)n, &err));
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

/* FNV-1a, eight bytes at a time, of a tensor as it is stored; false where the plan keeps none. */
static bool checksum(const struct pare_graph *g, struct pare_plan *plan, int tensor, uint64_t *sum)
{
    struct pare_grid grid;
    const unsigned char *p = pare_plan_raw_tensor(plan, tensor, &grid);
    if (p == NULL) {
        return false;
    }
    const size_t bytes = grid.form == PARE_FORM_CODES ? 1 : grid.form == PARE_FORM_F16 ? 2 : 4;
    const size_t n = (size_t)pare_tensor_elements(&g->tensors[tensor]) * bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, p + i, n - i < 8 ? n - i : 8);
        hash = (hash ^ word) * 0x100000001b3u;
    }
    *sum = hash;
    return true;
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
            if (tensor < 0 || !checksum(g, a, tensor, &x) || !checksum(g, b, tensor, &y)) {
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
    for (int run = 0; run < (int)(sizeof runs / sizeof runs[0]); run++) {
        same_at(g, d, &c, network->model, run);
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
