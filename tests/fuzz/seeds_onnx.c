/* Small models that together use every operator's reader. */
#include "fuzz.h"
#include "unit/onnx_writer.h"

struct form {
    const char *op, *in, *out;
    int64_t opset;
    int ints; /* attribute with a list: index into lists */
};

static const struct {
    const char *name;
    int n;
    int64_t v[8];
} lists[] = {
    {"", 0, {0}},
    {"kernel_shape", 2, {2, 2}},
    {"axes", 2, {0, -1}},
    {"perm", 4, {0, 2, 3, 1}},
    {"pads", 8, {0, 0, 1, 1, 0, 0, 1, 1}},
    {"starts", 1, {1}},
    {"split", 2, {1, 1}},
    {"shape", 2, {1, -1}},
};

static const struct form forms[] = {
    {"Conv", "x,w", "y", 11, 0},
    {"ConvTranspose", "x,u", "y", 11, 0},
    {"MaxPool", "x", "y,i", 12, 1},
    {"AveragePool", "x", "y", 19, 1},
    {"GlobalMaxPool", "x", "y", 1, 0},
    {"BatchNormalization", "x,s,s,s,s", "y", 9, 0},
    {"DepthToSpace", "x", "y", 13, 0},
    {"Resize", "x,,f", "y", 13, 0},
    {"Upsample", "x,f", "y", 9, 0},
    {"Add", "x,s", "y", 1, 0},
    {"Max", "x,x,x", "y", 8, 0},
    {"Mean", "x,x,x", "y", 8, 0},
    {"Clip", "x,,one", "y", 12, 0},
    {"Clip", "x", "y", 6, 0},
    {"PRelu", "x,s", "y", 1, 0},
    {"Softmax", "x", "y", 13, 0},
    {"MatMul", "x,x", "y", 13, 0},
    {"Gemm", "x,x,s", "y", 13, 0},
    {"ReduceMean", "x", "y", 13, 2},
    {"ReduceSum", "x,axes", "y", 13, 0},
    {"ArgMax", "x", "y", 13, 0},
    {"Cast", "x", "y", 13, 0},
    {"NonMaxSuppression", "x,x,one,one,one", "y", 11, 0},
    {"Dropout", "x", "y,m", 10, 0},
    {"Concat", "x,x", "y", 13, 0},
    {"Split", "x", "y,t", 11, 6},
    {"Split", "x,axes", "y,t", 13, 0},
    {"Reshape", "x", "y", 1, 7},
    {"Reshape", "x,axes", "y", 14, 0},
    {"Squeeze", "x", "y", 11, 2},
    {"Unsqueeze", "x,axes", "y", 13, 0},
    {"Flatten", "x", "y", 13, 0},
    {"Transpose", "x", "y", 13, 3},
    {"Slice", "x", "y", 9, 5},
    {"Slice", "x,axes,axes,axes,axes", "y", 13, 0},
    {"Gather", "x,axes", "y", 13, 0},
    {"Pad", "x", "y", 10, 4},
    {"Pad", "x,axes", "y", 13, 0},
    {"Shape", "x", "y", 15, 0},
    {"Expand", "x,axes", "y", 13, 0},
    {"Tile", "x,axes", "y", 13, 0},
    {"Range", "one,one,one", "y", 13, 0},
    {"ConstantOfShape", "axes", "y", 13, 0},
    {"QuantizeLinear", "x,one,z", "y", 13, 0},
    {"DequantizeLinear", "q,one,z", "y", 21, 0},
    {"DynamicQuantizeLinear", "x", "y,a,b", 13, 0},
    {"QLinearConv", "q,one,z,p,one,z,one,z", "y", 10, 0},
    {"QLinearMatMul", "q,one,z,q,one,z,one,z", "y", 10, 0},
    {"ConvInteger", "q,p,z,z", "y", 10, 0},
    {"MatMulInteger", "q,q,z,z", "y", 10, 0},
    {"If", "x", "y", 13, 0},
};
#define N_FORMS ((int)(sizeof forms / sizeof forms[0]))

static struct bytes node_of(const struct form *f)
{
    struct bytes n = onnx_node(f->op, "n", f->in, f->out);
    if (f->ints != 0) {
        onnx_attr_ints(&n, lists[f->ints].name, lists[f->ints].n, lists[f->ints].v);
    }
    if (f->ints == 5) {
        onnx_attr_ints(&n, "ends", 1, (int64_t[]){3});
    }
    onnx_attr_int(&n, "axis", 1);
    onnx_attr_int(&n, "broadcast", 1);
    if (strcmp(f->op, "DepthToSpace") == 0) {
        onnx_attr_int(&n, "blocksize", 1);
    } else if (strcmp(f->op, "Cast") == 0) {
        onnx_attr_int(&n, "to", ONNX_INT64);
    } else if (strcmp(f->op, "If") == 0) {
        struct bytes a = onnx_attr("then_branch", 5);
        onnx_put_message(&a, 6, onnx_small_graph());
        onnx_put_message(&n, 5, a);
    }
    return n;
}

static void put_float_const(struct bytes *g, const char *name, int rank, const int64_t *dims)
{
    float v[64];
    size_t n = 1;
    for (int i = 0; i < rank; i++) {
        n *= (size_t)dims[i];
    }
    for (size_t i = 0; i < n; i++) {
        v[i] = 1.0f;
    }
    onnx_put_message(g, 5, onnx_raw_tensor(name, ONNX_FLOAT, rank, dims, v, n * 4));
}

uint8_t *fuzz_seed(int i, size_t *size)
{
    struct bytes g = {0};
    int64_t axes[2] = {1, 2};
    if (i > N_FORMS) {
        return NULL;
    }
    if (i == N_FORMS) {
        struct bytes m = onnx_model(13, onnx_small_graph());
        *size = m.size;
        return m.data;
    }
    onnx_put_message(&g, 1, node_of(&forms[i]));
    put_float_const(&g, "w", 4, (int64_t[]){4, 2, 2, 2});
    put_float_const(&g, "u", 4, (int64_t[]){2, 2, 2, 2});
    put_float_const(&g, "s", 1, (int64_t[]){2});
    put_float_const(&g, "f", 1, (int64_t[]){4});
    put_float_const(&g, "one", 0, NULL);
    onnx_put_message(&g, 5, onnx_raw_tensor("axes", ONNX_INT64, 1, (int64_t[]){2}, axes, 16));
    onnx_put_message(&g, 5, onnx_raw_tensor("z", ONNX_UINT8, 0, NULL, "\x01", 1));
    onnx_put_message(&g, 5, onnx_raw_tensor("p", ONNX_UINT8, 4, (int64_t[]){1, 2, 1, 1}, "ab", 2));
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 4, (int64_t[]){1, 2, 4, 4}));
    onnx_put_message(&g, 11, onnx_value("q", ONNX_UINT8, 4, (int64_t[]){1, 2, 4, 4}));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 0, NULL));
    struct bytes m = onnx_model(forms[i].opset, g);
    *size = m.size;
    return m.data;
}
