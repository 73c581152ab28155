/* The TFLite reader and the steps behind it, on any bytes. */
#include "fuzz.h"
#include "model/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pare_graph *g = NULL;
    struct pare_error err;
    struct pare_pass_report report;
    if (pare_tflite_parse(data, size, "fuzz.tflite", &g, &err) == PARE_OK &&
        pare_graph_finish(g, "fuzz.tflite", &err) == PARE_OK &&
        pare_shapes_infer(g, "fuzz.tflite", &err) == PARE_OK &&
        pare_passes_run(g, "fuzz.tflite", &report, &err) == PARE_OK) {
        pare_shapes_infer(g, "fuzz.tflite", &err);
    }
    pare_graph_free(g);
    return 0;
}
