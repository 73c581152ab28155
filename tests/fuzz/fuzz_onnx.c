/* An ONNX file's whole way to a graph that can run, on any bytes. */
#include "fuzz.h"
#include "model/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pare_graph *g = NULL;
    struct pare_error err;
    struct pare_pass_report report;
    if (pare_onnx_parse(data, size, "fuzz.onnx", &g, &err) == PARE_OK &&
        pare_graph_finish(g, "fuzz.onnx", &err) == PARE_OK &&
        pare_shapes_infer(g, "fuzz.onnx", &err) == PARE_OK &&
        pare_passes_run(g, "fuzz.onnx", &report, &err) == PARE_OK) {
        pare_shapes_infer(g, "fuzz.onnx", &err);
    }
    pare_graph_free(g);
    return 0;
}
