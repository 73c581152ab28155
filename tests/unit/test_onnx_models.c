/*
 * The four ONNX networks opened by pare_model_open: layers, multiply-accumulates and parameters are
 * those that a count over the files' own Conv and Gemm nodes gives; layout transposes have been
 * cancelled.
 */
#include "model/graph.h"
#include "support.h"

struct network {
    const char *file;
    int n_layers, most_transposes;
    int64_t macs, parameters;
    const char *first_layer, *last_layer;
};

static const struct network networks[] = {
    {"mnist/mnist_cnn.onnx", 3, 0, 786560, 5994, "Convolution28", "Times212"},
    {"mediapipe/palm_detection_lite.onnx", 53, 0, 283170816, 955512, NULL, NULL},
    {"mediapipe/hand_landmark_lite.onnx", 51, 0, 145605824, 1011712, NULL, NULL},
    {"detectors/FastestDet.onnx", 70, 2, 121491744, 240301, "Conv_0", NULL},
};

static void check_network(const struct network *network)
{
    struct pare_graph *g = NULL;
    struct pare_error err = {0};
    int64_t macs = 0, parameters = 0;
    int n_layers = 0, n_transposes = 0;
    const char *first = NULL, *last = NULL;
    if (pare_model_open(test_model(network->file), &g, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        n_transposes += g->nodes[i].op == PARE_OP_TRANSPOSE;
        if (pare_node_is_layer(g, i)) {
            n_layers++;
            macs += pare_node_macs(g, i);
            parameters += pare_node_weights(g, i) + pare_node_biases(g, i);
            first = first != NULL ? first : g->nodes[i].name;
            last = g->nodes[i].name;
        }
    }
    assert_int_equal(g->n_unknown, 0);
    assert_int_equal(n_layers, network->n_layers);
    assert_true(n_transposes <= network->most_transposes);
    assert_true(macs == network->macs);
    assert_true(parameters == network->parameters);
    if (network->first_layer != NULL) {
        assert_string_equal(first, network->first_layer);
    }
    if (network->last_layer != NULL) {
        assert_string_equal(last, network->last_layer);
    }
    pare_graph_free(g);
}

static void networks_open_with_their_layers(void **state)
{
    (void)state;
    if (test_models_dir() == NULL) {
        test_skip("no folder of models");
    }
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        check_network(&networks[i]);
    }
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    struct pare_graph *g = NULL;
    struct pare_error err = {0};
    assert_int_equal(pare_model_open("/nowhere/model.onnx", &g, &err), PARE_ERR_NOINPUT);
    assert_int_equal(pare_model_open("/dev/zero", &g, &err), PARE_ERR_NOINPUT);
    assert_int_equal(pare_model_open(test_source("src"), &g, &err), PARE_ERR_NOINPUT);
    assert_int_equal(pare_model_open(test_source("LICENSE"), &g, &err), PARE_ERR_FORMAT);
    assert_null(g);
    assert_non_null(strstr(err.where, "LICENSE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_open_with_their_layers),
        cmocka_unit_test(what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
