/*
 * onnx_ops.c: the operators of the default domain that the reader translates, one line each. Names
 * that are not here become UNKNOWN nodes.
 */
#include "model/onnx.h"

#include <string.h>

/* clang-format off */
#define OP(name, read, op, min_in, max_in, max_out) {name, onnx_op_##read, PARE_OP_##op, min_in, max_in, max_out}

static const struct onnx_op table[] = {
    OP("Abs", unary, ABS, 1, 1, 1),
    OP("Add", binary, ADD, 2, 2, 1),
    OP("ArgMax", arg, ARGMAX, 1, 1, 1),
    OP("ArgMin", arg, ARGMIN, 1, 1, 1),
    OP("AveragePool", pool, AVG_POOL, 1, 1, 1),
    OP("BatchNormalization", batch_norm, BATCH_NORM, 5, 5, 5),
    OP("Cast", cast, CAST, 1, 1, 1),
    OP("Ceil", unary, CEIL, 1, 1, 1),
    OP("Celu", unary, CELU, 1, 1, 1),
    OP("Clip", clip, CLIP, 1, 3, 1),
    OP("Concat", concat, CONCAT, 1, -1, 1),
    OP("Constant", constant, IDENTITY, 0, 0, 1),
    OP("ConstantOfShape", fill, CONSTANT_OF_SHAPE, 1, 1, 1),
    OP("Conv", conv, CONV, 2, 3, 1),
    OP("ConvInteger", conv_integer, CONV, 2, 4, 1),
    OP("ConvTranspose", conv_transpose, CONV_TRANSPOSE, 2, 3, 1),
    OP("DepthToSpace", depth_space, DEPTH_TO_SPACE, 1, 1, 1),
    OP("DequantizeLinear", quantize, DEQUANTIZE, 2, 3, 1),
    OP("Div", binary, DIV, 2, 2, 1),
    OP("Dropout", dropout, IDENTITY, 1, 3, 2),
    OP("DynamicQuantizeLinear", dynamic_quantize, DYNAMIC_QUANTIZE, 1, 1, 3),
    OP("Elu", unary, ELU, 1, 1, 1),
    OP("Exp", unary, EXP, 1, 1, 1),
    OP("Expand", fill, EXPAND, 2, 2, 1),
    OP("Flatten", flatten, FLATTEN, 1, 1, 1),
    OP("Floor", unary, FLOOR, 1, 1, 1),
    OP("Gather", gather, GATHER, 2, 2, 1),
    OP("GatherElements", gather, GATHER_ELEMENTS, 2, 2, 1),
    OP("Gemm", gemm, GEMM, 2, 3, 1),
    OP("GlobalAveragePool", global_pool, REDUCE_MEAN, 1, 1, 1),
    OP("GlobalMaxPool", global_pool, REDUCE_MAX, 1, 1, 1),
    OP("HardSigmoid", unary, HARD_SIGMOID, 1, 1, 1),
    OP("HardSwish", unary, HARD_SWISH, 1, 1, 1),
    OP("Identity", identity, IDENTITY, 1, 1, 1),
    OP("LeakyRelu", unary, LEAKY_RELU, 1, 1, 1),
    OP("Log", unary, LOG, 1, 1, 1),
    OP("MatMul", matmul, MATMUL, 2, 2, 1),
    OP("MatMulInteger", matmul_integer, MATMUL, 2, 4, 1),
    OP("Max", chain, MAX, 1, -1, 1),
    OP("MaxPool", pool, MAX_POOL, 1, 1, 2),
    OP("Mean", mean, ADD, 1, -1, 1),
    OP("Min", chain, MIN, 1, -1, 1),
    OP("Mish", unary, MISH, 1, 1, 1),
    OP("Mul", binary, MUL, 2, 2, 1),
    OP("Neg", unary, NEG, 1, 1, 1),
    OP("NonMaxSuppression", nms, NMS, 2, 5, 1),
    OP("PRelu", prelu, PRELU, 2, 2, 1),
    OP("Pad", pad, PAD, 1, 4, 1),
    OP("Pow", binary, POW, 2, 2, 1),
    OP("QLinearConv", qlinear_conv, CONV, 8, 9, 1),
    OP("QLinearMatMul", qlinear_matmul, MATMUL, 8, 8, 1),
    OP("QuantizeLinear", quantize, QUANTIZE, 2, 3, 1),
    OP("Range", fill, RANGE, 3, 3, 1),
    OP("ReduceMax", reduce, REDUCE_MAX, 1, 2, 1),
    OP("ReduceMean", reduce, REDUCE_MEAN, 1, 2, 1),
    OP("ReduceMin", reduce, REDUCE_MIN, 1, 2, 1),
    OP("ReduceSum", reduce, REDUCE_SUM, 1, 2, 1),
    OP("Relu", unary, RELU, 1, 1, 1),
    OP("Reshape", reshape, RESHAPE, 1, 2, 1),
    OP("Resize", resize, RESIZE, 1, 4, 1),
    OP("Round", unary, ROUND, 1, 1, 1),
    OP("Shape", shape, SHAPE, 1, 1, 1),
    OP("Sigmoid", unary, SIGMOID, 1, 1, 1),
    OP("Slice", slice, SLICE, 1, 5, 1),
    OP("Softmax", softmax, SOFTMAX, 1, 1, 1),
    OP("SpaceToDepth", depth_space, SPACE_TO_DEPTH, 1, 1, 1),
    OP("Split", split, SPLIT, 1, 2, -1),
    OP("Sqrt", unary, SQRT, 1, 1, 1),
    OP("Squeeze", squeeze, SQUEEZE, 1, 2, 1),
    OP("Sub", binary, SUB, 2, 2, 1),
    OP("Sum", chain, ADD, 1, -1, 1),
    OP("Swish", unary, SWISH, 1, 1, 1),
    OP("Tanh", unary, TANH, 1, 1, 1),
    OP("Tile", fill, TILE, 2, 3, 1),
    OP("Transpose", transpose, TRANSPOSE, 1, 1, 1),
    OP("Unsqueeze", squeeze, UNSQUEEZE, 1, 2, 1),
    OP("Upsample", upsample, RESIZE, 1, 2, 1),
};
/* clang-format on */
#define N_OPS ((int)(sizeof table / sizeof table[0]))

void onnx_ops_init(struct onnx_importer *c)
{
    for (int i = 0; i < N_OPS; i++) {
        int *at = onnx_names_at(
            &c->ops, (struct pare_pb_span){(const uint8_t *)table[i].name, strlen(table[i].name)});
        if (at == NULL) {
            onnx_fail_nomem(c);
            return;
        }
        *at = i;
    }
}

const struct onnx_op *onnx_op_find(const struct onnx_importer *c, struct pare_pb_span op_type)
{
    int i = onnx_names_find(&c->ops, op_type);
    return i >= 0 ? &table[i] : NULL;
}
