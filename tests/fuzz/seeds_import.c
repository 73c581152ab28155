#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

uint8_t *fuzz_seed(int i, size_t *size)
{
    static const char *const seeds[] = {
        "run,accuracy,net/conv1,\"two/fc\"\r\na,0.9,int8,w4a8\n\"b,\"\"c\"\"\",,fp32,\n",
        "op_name,tensor_idx,num_elements,scale,zero_point,tensor_name\nCONV_2D,3,10,0.1,0,y1\nADD,4,1,1,0,other\n",
        "{\"version\": \"0.6.1\", \"activation_encodings\": {\"x\": [{\"bitwidth\": 8, \"dtype\": \"int\"}]},"
        " \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 4}], \"w\": [{\"bitwidth\": 16, \"dtype\": \"float\"}]}}",
        "{\"version\": \"1.0.0\", \"activation_encodings\": [{\"name\": \"x\", \"bw\": 8, \"dtype\": \"INT\"}],"
        " \"param_encodings\": [{\"name\": \"conv1.weight\", \"bw\": 4, \"dtype\": \"INT\"}]}",
        "[[[\"conv1\", \"y2\"], [[8, \"int\"], [4, \"int\"]], 0.91, 0.5], [\"net/fc\", [[16, \"float\"], [16, \"float\"]], 0.95]]",
        "{\"activation_encodings\": {\"conv1\": {\"input\": {\"0\": {\"bitwidth\": 16}}, \"output\": [{\"bitwidth\": 4}]}},"
        " \"param_encodings\": {\"conv1.weight\": [{\"bitwidth\": 8}]}}",
        "{\"version\": \"2.0.0\", \"encodings\": [{\"name\": \"x\", \"output_dtype\": \"uint16\"}, {\"name\": \"conv1.weight\","
        " \"output_dtype\": \"int8\"}]}",
        "[[[[\"weight\", \"conv1\"]], \"((8, <QuantizationDataType.int: 1>), (8, <QuantizationDataType.int: 1>))\", 0.9, 1]]",
        "{\"config\": {\"net/conv1\": \"int8\"}}"};
    if (i < 0 || (size_t)i >= sizeof seeds / sizeof *seeds) {
        return NULL;
    }
    *size = strlen(seeds[i]);
    uint8_t *out = malloc(*size + 1);
    if (out != NULL) {
        memcpy(out, seeds[i], *size + 1);
    }
    return out;
}
