/* Every .tflite model of the folder of real models opens, with the layers that it has. */
#include "support.h"

#include <stdio.h>

#include "model/graph.h"

struct expected {
    const char *path;
    int n_in, n_out, n_layers, n_conv, n_depthwise, n_fc, n_prelu;
    bool integer;
};

static const struct expected models[] = {
    {"mediapipe/palm_detection_lite.tflite", 1, 2, 53, 30, 23, 0, 26, false},
    {"mediapipe/palm_detection_full.tflite", 1, 2, 63, 35, 28, 0, 31, false},
    {"mediapipe/hand_landmark_lite.tflite", 1, 4, 51, 31, 16, 4, 0, false},
    {"mediapipe/gesture_embedder.tflite", 3, 1, 9, 0, 0, 9, 0, false},
    {"mediapipe/canned_gesture_classifier.tflite", 1, 1, 1, 0, 0, 1, 0, false},
    {"keypoints/keypoint_classifier.tflite", 1, 1, 3, 0, 0, 3, 0, false},
    {"mlperf_tiny/pretrainedResnet.tflite", 1, 1, 10, 9, 0, 1, 0, false},
    {"mlperf_tiny/pretrainedResnet_quant.tflite", 1, 1, 10, 9, 0, 1, 0, true},
    {"mlperf_tiny/kws_ref_model.tflite", 1, 1, 10, 5, 4, 1, 0, true},
    {"mlperf_tiny/ad01_fp32.tflite", 1, 1, 10, 0, 0, 10, 0, false},
    {"mlperf_tiny/ad01_int8.tflite", 1, 1, 10, 0, 0, 10, 0, true},
    {"detectors/ssd_mobilenet_v1_coco_quant_detect.tflite", 1, 4, 47, 34, 13, 0, 0, true},
};

static int count_op(const struct pare_graph *g, enum pare_op op)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        n += g->nodes[i].op == op;
    }
    return n;
}

static void check_layer(const struct pare_graph *g, int node, bool integer)
{
    const struct pare_node *n = &g->nodes[node];
    const struct pare_tensor *w = &g->tensors[n->in[1]], *x = &g->tensors[n->in[0]];
    int64_t channels = pare_node_out_channels(g, node);
    assert_true(pare_node_macs(g, node) > 0);
    assert_int_equal(x->dtype, PARE_F32);
    assert_int_equal(w->size_bytes, pare_dtype_bytes(w->dtype, pare_tensor_elements(w)));
    assert_int_equal((uintptr_t)w->data % (size_t)(pare_dtype_bits(w->dtype) / 8), 0);
    if (n->n_in > 2) {
        assert_int_equal(pare_tensor_elements(&g->tensors[n->in[2]]), channels);
    }
    if (!integer) {
        assert_int_equal(w->dtype, PARE_F32);
        assert_null(w->quant);
        return;
    }
    assert_non_null(x->quant);
    assert_non_null(w->quant);
    assert_int_equal(x->quant->n, 1);
    assert_true(w->dtype == PARE_I8 || w->dtype == PARE_U8);
    assert_true(w->quant->n == 1 || w->quant->n == channels);
    if (w->quant->n > 1) {
        assert_int_equal(w->quant->axis, n->op == PARE_OP_DEPTHWISE ? 2 : 0);
    }
    const struct pare_tensor *b = &g->tensors[n->in[2]];
    assert_int_equal(b->dtype, PARE_I32);
    assert_non_null(b->quant);
    assert_int_equal(b->quant->n, w->quant->n);
    float product = x->quant->scale[0] * w->quant->scale[0];
    assert_true(b->quant->scale[0] == product);
}

static void models_open(void **state)
{
    (void)state;
    if (test_models_dir() == NULL) {
        test_skip("no folder of real models");
    }
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        const struct expected *e = &models[m];
        const char *path = test_model(e->path);
        struct pare_graph *g = NULL;
        struct pare_error err = {0};
        int n_layers = 0;
        int64_t macs = 0, weights = 0;
        assert_non_null(path);
        enum pare_status status = pare_tflite_read(path, &g, &err);
        if (status == PARE_OK) {
            status = pare_graph_finish(g, path, &err);
        }
        if (status != PARE_OK) {
            fail_msg("%s: %s", err.where, err.message);
        }
        for (int i = 0; i < g->n_nodes; i++) {
            if (pare_node_is_layer(g, i)) {
                check_layer(g, i, e->integer);
                n_layers++;
                macs += pare_node_macs(g, i);
                weights += pare_node_weights(g, i);
            }
        }
        printf("%-52s %3d nodes %2d layers %9lld weights %11lld MACs\n", e->path, g->n_nodes,
               n_layers, (long long)weights, (long long)macs);
        for (int i = 0; i < g->n_warnings; i++) {
            printf("    warning: %s\n", g->warnings[i]);
        }
        assert_int_equal(g->n_inputs, e->n_in);
        assert_int_equal(g->n_outputs, e->n_out);
        assert_int_equal(n_layers, e->n_layers);
        assert_int_equal(count_op(g, PARE_OP_CONV), e->n_conv);
        assert_int_equal(count_op(g, PARE_OP_DEPTHWISE), e->n_depthwise);
        assert_int_equal(count_op(g, PARE_OP_FULLY_CONNECTED), e->n_fc);
        assert_int_equal(count_op(g, PARE_OP_PRELU), e->n_prelu);
        assert_int_equal(count_op(g, PARE_OP_DEQUANTIZE), 0);
        assert_int_equal(g->n_unknown, 0);
        assert_int_equal(g->n_warnings, 0);
        pare_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(models_open)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
