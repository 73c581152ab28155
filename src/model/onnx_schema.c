/*
 * onnx_schema.c: the messages of ONNX (onnx.proto, IR 1 to 13), field by field. Fields that are not
 * listed are skipped. Old models (IR 1, 2) use the same numbers.
 */
#include "model/onnx.h"

/* clang-format off */
#define INT(n) {n, PARE_PB_INT, 0}
#define TEXT(n) {n, PARE_PB_TEXT, 0}
#define SUB(n, message) {n, PARE_PB_MESSAGE, message}
#define LAST {0, PARE_PB_ANY, 0}

static const struct pare_pb_rule model[] = {
    INT(1), TEXT(2), TEXT(3), TEXT(4), INT(5), TEXT(6), SUB(7, ONNX_GRAPH), SUB(8, ONNX_OPSET),
    SUB(14, ONNX_PAIR), SUB(20, ONNX_TRAINING), SUB(25, ONNX_FUNCTION), LAST,
};
static const struct pare_pb_rule graph[] = {
    SUB(1, ONNX_NODE), TEXT(2), SUB(5, ONNX_TENSOR), TEXT(10), SUB(11, ONNX_VALUE_INFO),
    SUB(12, ONNX_VALUE_INFO), SUB(13, ONNX_VALUE_INFO), SUB(14, ONNX_ANNOTATION), SUB(15, ONNX_SPARSE),
    SUB(16, ONNX_PAIR), LAST,
};
static const struct pare_pb_rule node[] = {
    TEXT(1), TEXT(2), TEXT(3), TEXT(4), SUB(5, ONNX_ATTRIBUTE), TEXT(6), TEXT(7), TEXT(8),
    SUB(9, ONNX_PAIR), LAST,
};
static const struct pare_pb_rule attribute[] = {
    TEXT(1), {2, PARE_PB_FLOAT, 0}, INT(3), TEXT(4), SUB(5, ONNX_TENSOR), SUB(6, ONNX_GRAPH),
    {7, PARE_PB_FLOATS, 0}, {8, PARE_PB_INTS, 0}, TEXT(9), SUB(10, ONNX_TENSOR), SUB(11, ONNX_GRAPH),
    TEXT(13), SUB(14, ONNX_TYPE), SUB(15, ONNX_TYPE), INT(20), TEXT(21), SUB(22, ONNX_SPARSE),
    SUB(23, ONNX_SPARSE), LAST,
};
static const struct pare_pb_rule tensor[] = {
    {1, PARE_PB_INTS, 0}, INT(2), SUB(3, ONNX_SEGMENT), {4, PARE_PB_FLOATS, 0}, {5, PARE_PB_INTS, 0},
    TEXT(6), {7, PARE_PB_INTS, 0}, TEXT(8), TEXT(9), {10, PARE_PB_DOUBLES, 0}, {11, PARE_PB_INTS, 0},
    TEXT(12), SUB(13, ONNX_PAIR), INT(14), SUB(16, ONNX_PAIR), LAST,
};
static const struct pare_pb_rule segment[] = {INT(1), INT(2), LAST};
static const struct pare_pb_rule sparse[] = {
    SUB(1, ONNX_TENSOR), SUB(2, ONNX_TENSOR), {3, PARE_PB_INTS, 0}, LAST,
};
static const struct pare_pb_rule value_info[] = {
    TEXT(1), SUB(2, ONNX_TYPE), TEXT(3), SUB(4, ONNX_PAIR), LAST,
};
static const struct pare_pb_rule type[] = {
    SUB(1, ONNX_TYPE_TENSOR), SUB(4, ONNX_TYPE_LIST), SUB(5, ONNX_TYPE_MAP), TEXT(6),
    SUB(8, ONNX_TYPE_TENSOR), SUB(9, ONNX_TYPE_LIST), LAST,
};
static const struct pare_pb_rule type_tensor[] = {INT(1), SUB(2, ONNX_SHAPE), LAST};
static const struct pare_pb_rule type_list[] = {SUB(1, ONNX_TYPE), LAST};
static const struct pare_pb_rule type_map[] = {INT(1), SUB(2, ONNX_TYPE), LAST};
static const struct pare_pb_rule shape[] = {SUB(1, ONNX_DIM), LAST};
static const struct pare_pb_rule dim[] = {INT(1), TEXT(2), TEXT(3), LAST};
static const struct pare_pb_rule opset[] = {TEXT(1), INT(2), LAST};
static const struct pare_pb_rule pair[] = {TEXT(1), TEXT(2), LAST};
static const struct pare_pb_rule annotation[] = {TEXT(1), SUB(2, ONNX_PAIR), LAST};
static const struct pare_pb_rule function[] = {
    TEXT(1), TEXT(4), TEXT(5), TEXT(6), SUB(7, ONNX_NODE), TEXT(8), SUB(9, ONNX_OPSET), TEXT(10),
    SUB(11, ONNX_ATTRIBUTE), SUB(12, ONNX_VALUE_INFO), TEXT(13), SUB(14, ONNX_PAIR), LAST,
};
static const struct pare_pb_rule training[] = {
    SUB(1, ONNX_GRAPH), SUB(2, ONNX_GRAPH), SUB(3, ONNX_PAIR), SUB(4, ONNX_PAIR), LAST,
};

/* clang-format on */
const struct pare_pb_message onnx_messages[ONNX_MESSAGE_COUNT] = {
    [ONNX_MODEL] = {"ModelProto", model},
    [ONNX_GRAPH] = {"GraphProto", graph},
    [ONNX_NODE] = {"NodeProto", node},
    [ONNX_ATTRIBUTE] = {"AttributeProto", attribute},
    [ONNX_TENSOR] = {"TensorProto", tensor},
    [ONNX_SEGMENT] = {"TensorProto.Segment", segment},
    [ONNX_SPARSE] = {"SparseTensorProto", sparse},
    [ONNX_VALUE_INFO] = {"ValueInfoProto", value_info},
    [ONNX_TYPE] = {"TypeProto", type},
    [ONNX_TYPE_TENSOR] = {"TypeProto.Tensor", type_tensor},
    [ONNX_TYPE_LIST] = {"TypeProto.Sequence", type_list},
    [ONNX_TYPE_MAP] = {"TypeProto.Map", type_map},
    [ONNX_SHAPE] = {"TensorShapeProto", shape},
    [ONNX_DIM] = {"TensorShapeProto.Dimension", dim},
    [ONNX_OPSET] = {"OperatorSetIdProto", opset},
    [ONNX_PAIR] = {"StringStringEntryProto", pair},
    [ONNX_ANNOTATION] = {"TensorAnnotation", annotation},
    [ONNX_FUNCTION] = {"FunctionProto", function},
    [ONNX_TRAINING] = {"TrainingInfoProto", training},
};
