/* The reader of other tools' configurations, on any bytes. */
#include "fuzz.h"
#include "search/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pare_import_layer layers[] = {{"net/conv1", "conv1", "conv1.weight", "x", "y1"},
                                                      {"net/fc", "fc", "fc.weight", "y1", "y2"},
                                                      {"two/fc", "fc", "w", "x2", "y3"}};
    struct pare_error err;
    json_t *points = NULL;
    const char *kind;
    (void)pare_import_parse((const char *)data, size, "fuzz", layers, 3, &points, &kind, &err);
    json_decref(points);
    return 0;
}
