/*
 * model.c: opens a model file, whatever it is, as a graph that can run.
 */
#include <stdio.h>
#include <string.h>

#include "model/graph.h"

/* TFLite files have the flatbuffer identifier TFL3 at byte 4; anything else must be ONNX. */
static enum pare_status read_any(const char *path, struct pare_graph **graph,
                                 struct pare_error *err)
{
    unsigned char head[8] = {0};
    FILE *file = pare_is_file(path) ? fopen(path, "rb") : NULL;
    size_t n = 0;
    if (file != NULL) {
        n = fread(head, 1, sizeof head, file);
        fclose(file);
    }
    if (n == sizeof head && memcmp(head + 4, "TFL3", 4) == 0) {
        return pare_tflite_read(path, graph, err);
    }
    return pare_onnx_read(path, graph, err); /* also says why a path cannot be opened */
}

enum pare_status pare_model_open(const char *path, struct pare_graph **graph,
                                 struct pare_error *err)
{
    struct pare_graph *g = NULL;
    struct pare_pass_report report;
    *graph = NULL;
    enum pare_status status = read_any(path, &g, err);
    if (status == PARE_OK) {
        status = pare_graph_finish(g, path, err);
    }
    if (status == PARE_OK) {
        status = pare_shapes_infer(g, path, err);
    }
    if (status == PARE_OK) {
        status = pare_passes_run(g, path, &report, err);
    }
    if (status == PARE_OK) {
        status = pare_shapes_infer(g, path, err);
    }
    if (status != PARE_OK) {
        pare_graph_free(g);
        return status;
    }
    *graph = g;
    return PARE_OK;
}
