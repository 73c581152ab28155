"""Single TFLite operators against LiteRT: one model per operator and setting is written here, run by Pare at fp32 and by
LiteRT's kernels, and compared: |difference| <= 1e-5 of the largest magnitude.
Arguments: the pare_run_model executable, a folder for temporary files."""
import os
import subprocess
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

TYPES = {"float32": 0, "float16": 1, "int32": 2}
TOLERANCE = 1e-5


class Model:
    """One subgraph; tensors are numbers, in the order in which they are made."""

    def __init__(self, name, low=-2.0, high=2.0):
        self.name, self.low, self.high = name, low, high
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.description = 3, "single operator"
        self.model.buffers, self.model.operatorCodes, self.model.subgraphs = [schema.BufferT()], [], [self.graph]
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []

    def tensor(self, shape, dtype="float32", data=None):
        t = schema.TensorT()
        t.shape, t.type, t.name, t.buffer = list(shape), TYPES[dtype], "t%d" % len(self.graph.tensors), 0
        t.hasRank = True
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, dtype=dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            t.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def input(self, *shape):
        self.graph.inputs.append(self.tensor(shape))
        return self.graph.inputs[-1]

    def output(self, *shape):
        self.graph.outputs.append(self.tensor(shape))
        return self.graph.outputs[-1]

    def constant(self, values, dtype="float32"):
        values = np.asarray(values, dtype=dtype)
        return self.tensor(values.shape, dtype, values)

    def add(self, operator, inputs, outputs, options=None, version=1, **fields):
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = getattr(schema.BuiltinOperator, operator), version
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        node = schema.OperatorT()
        node.opcodeIndex, node.inputs, node.outputs = len(self.model.operatorCodes), list(inputs), list(outputs)
        self.model.operatorCodes.append(code)
        if options is not None:
            node.builtinOptionsType = getattr(schema.BuiltinOptions, options + "Options")
            node.builtinOptions = getattr(schema, options + "OptionsT")()
            for field, value in fields.items():
                assert hasattr(node.builtinOptions, field), field
                setattr(node.builtinOptions, field, value)
        self.graph.operators.append(node)
        return self

    def bytes(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def same(size, stride):
    return -(-size // stride)


def valid(size, kernel, stride, dilation):
    return -(-(size - (kernel - 1) * dilation) // stride)


def layers(random):
    def values(*shape):
        return random.standard_normal(shape)

    for padding in (0, 1):
        for stride, dilation in ((1, 1), (2, 1), (1, 2)):
            def out(size, kernel):
                return same(size, stride) if padding == 0 else valid(size, kernel, stride, dilation)
            window = dict(padding=padding, strideW=stride, strideH=stride, dilationWFactor=dilation,
                          dilationHFactor=dilation)
            for activation in (0, 1, 2, 3):
                m = Model("CONV_2D %s activation %d" % (window, activation))
                x, y = m.input(1, 9, 8, 4), m.output(1, out(9, 3), out(8, 2), 6)
                yield m.add("CONV_2D", [x, m.constant(values(6, 3, 2, 4)), m.constant(values(6))], [y], "Conv2D",
                            fusedActivationFunction=activation, **window)
            for multiplier in (1, 2):
                m = Model("DEPTHWISE_CONV_2D %s multiplier %d" % (window, multiplier))
                x, y = m.input(1, 9, 8, 4), m.output(1, out(9, 3), out(8, 2), 4 * multiplier)
                w, b = m.constant(values(1, 3, 2, 4 * multiplier)), m.constant(values(4 * multiplier))
                yield m.add("DEPTHWISE_CONV_2D", [x, w, b], [y], "DepthwiseConv2D", depthMultiplier=multiplier,
                            fusedActivationFunction=3, **window)
        for stride in (1, 2, 3):
            for kernel in (1, 2, 3, 4):
                for extra in range(min(2, stride)):
                    size = 5 * stride - extra if padding == 0 else 4 * stride + kernel + extra
                    m = Model("TRANSPOSE_CONV padding %d stride %d kernel %d extra %d" % (padding, stride, kernel, extra))
                    x, y = m.input(1, 5, 5, 3), m.output(1, size, size, 4)
                    yield m.add("TRANSPOSE_CONV", [m.constant([1, size, size, 4], "int32"),
                                                   m.constant(values(4, kernel, kernel, 3)), x], [y],
                                "TransposeConv", padding=padding, strideW=stride, strideH=stride)
        for operator in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            for stride, kernel in ((1, 3), (2, 2), (2, 3)):
                def size(n):
                    return same(n, stride) if padding == 0 else valid(n, kernel, stride, 1)
                m = Model("%s padding %d stride %d kernel %d" % (operator, padding, stride, kernel))
                x, y = m.input(1, 7, 6, 3), m.output(1, size(7), size(6), 3)
                yield m.add(operator, [x], [y], "Pool2D", padding=padding, strideW=stride, strideH=stride,
                            filterWidth=kernel, filterHeight=kernel)
    m = Model("grouped CONV_2D")
    x, y = m.input(1, 5, 5, 8), m.output(1, 5, 5, 6)
    yield m.add("CONV_2D", [x, m.constant(values(6, 3, 3, 4)), m.constant(values(6))], [y], "Conv2D", strideW=1, strideH=1)
    for keep, shape in ((False, [2, 3, 4]), (True, [2, 3, 4]), (False, [6, 4]), (False, [2, 2, 6])):
        m = Model("FULLY_CONNECTED %s keep %s" % (shape, keep))
        x, y = m.input(*shape), m.output(*(shape[:-1] if keep else [int(np.prod(shape)) // 4]), 5)
        yield m.add("FULLY_CONNECTED", [x, m.constant(values(5, 4)), -1 if keep else m.constant(values(5))], [y],
                    "FullyConnected", keepNumDims=keep, fusedActivationFunction=1)
    for left, right in ((False, False), (True, False), (False, True), (True, True)):
        m = Model("BATCH_MATMUL adjoint %s %s" % (left, right))
        a, b = m.input(*([2, 4, 3] if left else [2, 3, 4])), m.input(*([2, 5, 4] if right else [2, 4, 5]))
        yield m.add("BATCH_MATMUL", [a, b], [m.output(2, 3, 5)], "BatchMatMul", adjX=left, adjY=right)


def elementwise(random):
    for operator, options in (("ADD", "Add"), ("SUB", "Sub"), ("MUL", "Mul"), ("DIV", "Div")):
        for activation in (0, 1, 3):
            m = Model("%s activation %d" % (operator, activation), 0.5)
            yield m.add(operator, [m.input(2, 3, 4), m.input(3, 1)], [m.output(2, 3, 4)], options,
                        fusedActivationFunction=activation)
    for operator in ("MAXIMUM", "MINIMUM"):
        m = Model(operator)
        yield m.add(operator, [m.input(2, 4), m.constant(random.standard_normal(4))], [m.output(2, 4)])
    for operator in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "TANH", "LOGISTIC", "ABS", "NEG", "EXP", "SQRT",
                     "RSQRT", "LOG", "FLOOR", "CEIL", "ROUND", "ELU", "HARD_SWISH", "SQUARE"):
        m = Model(operator, 0.1 if operator in ("SQRT", "RSQRT", "LOG") else -4, 7)
        yield m.add(operator, [m.input(2, 9)], [m.output(2, 9)])
    m = Model("LEAKY_RELU")
    yield m.add("LEAKY_RELU", [m.input(2, 9)], [m.output(2, 9)], "LeakyRelu", alpha=0.3)
    m = Model("PRELU")
    yield m.add("PRELU", [m.input(1, 3, 4, 5), m.constant(random.standard_normal((1, 1, 5)))], [m.output(1, 3, 4, 5)])
    for beta in (1.0, 0.5):
        m = Model("SOFTMAX beta %g" % beta)
        yield m.add("SOFTMAX", [m.input(2, 9)], [m.output(2, 9)], "Softmax", beta=beta)
    m = Model("SQUARED_DIFFERENCE")
    yield m.add("SQUARED_DIFFERENCE", [m.input(2, 3), m.input(2, 3)], [m.output(2, 3)])
    m = Model("float16 constant behind DEQUANTIZE")
    half, real = m.constant(random.standard_normal((2, 3)), "float16"), m.tensor([2, 3])
    x, y = m.input(2, 3), m.output(2, 3)
    yield m.add("DEQUANTIZE", [half], [real]).add("ADD", [x, real], [y], "Add")


def moves(random):
    for operator in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
        for axes in ([1, 2], [-1], [0], [0, 1, 2, 3]):
            for keep in (False, True):
                shape = np.zeros([2, 3, 4, 5]).sum(axis=tuple(axes), keepdims=keep).shape
                m = Model("%s %s keep %s" % (operator, axes, keep))
                yield m.add(operator, [m.input(2, 3, 4, 5), m.constant(axes, "int32")], [m.output(*shape)], "Reducer",
                            keepDims=keep)
    for operator, options in (("RESIZE_BILINEAR", "ResizeBilinear"), ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor")):
        for corners, half in ((False, False), (True, False), (False, True)):
            for size in ([6, 10], [3, 5], [7, 4], [2, 3]):
                m = Model("%s to %s corners %s half %s" % (operator, size, corners, half))
                yield m.add(operator, [m.input(1, 3, 5, 2), m.constant(size, "int32")], [m.output(1, *size, 2)], options,
                            version=3, alignCorners=corners, halfPixelCenters=half)
    m = Model("CONCATENATION")
    yield m.add("CONCATENATION", [m.input(2, 3), m.input(2, 2)], [m.output(2, 5)], "Concatenation", axis=-1)
    m = Model("SPLIT")
    yield m.add("SPLIT", [m.constant(1, "int32"), m.input(2, 6)], [m.output(2, 2) for _ in range(3)], "Split", numSplits=3)
    m = Model("SPLIT_V")
    yield m.add("SPLIT_V", [m.input(2, 6), m.constant([1, -1, 2], "int32"), m.constant(-1, "int32")],
                [m.output(2, 1), m.output(2, 3), m.output(2, 2)], "SplitV", numSplits=3)
    m = Model("PACK")
    yield m.add("PACK", [m.input(2, 3), m.input(2, 3)], [m.output(2, 2, 3)], "Pack", valuesCount=2, axis=1)
    m = Model("UNPACK")
    yield m.add("UNPACK", [m.input(2, 3)], [m.output(2) for _ in range(3)], "Unpack", num=3, axis=-1)
    m = Model("RESHAPE")
    yield m.add("RESHAPE", [m.input(2, 6), m.constant([3, -1], "int32")], [m.output(3, 4)], "Reshape", newShape=[3, -1])
    m = Model("SQUEEZE")
    yield m.add("SQUEEZE", [m.input(1, 6, 1)], [m.output(1, 6)], "Squeeze", squeezeDims=[-1])
    m = Model("EXPAND_DIMS")
    yield m.add("EXPAND_DIMS", [m.input(2, 3), m.constant(-1, "int32")], [m.output(2, 3, 1)])
    m = Model("TRANSPOSE")
    yield m.add("TRANSPOSE", [m.input(2, 3, 4), m.constant([2, 0, 1], "int32")], [m.output(4, 2, 3)])
    m = Model("SLICE")
    yield m.add("SLICE", [m.input(4, 5), m.constant([1, 1], "int32"), m.constant([2, -1], "int32")], [m.output(2, 4)])
    m = Model("STRIDED_SLICE")
    yield m.add("STRIDED_SLICE", [m.input(4, 5, 3)] + [m.constant(v, "int32") for v in ([-1, 1, 0], [0, 9, 2], [-2, 2, 1])],
                [m.output(2, 2)], "StridedSlice", endMask=1, shrinkAxisMask=4)
    for axis in (0, 1, -1):
        shape = [4, 5, 3]
        shape[axis] = 2
        m = Model("GATHER axis %d" % axis)
        yield m.add("GATHER", [m.input(4, 5, 3), m.constant([2, 0], "int32")], [m.output(*shape)], "Gather", axis=axis)
    for operator, options, mode in (("PAD", "Pad", None), ("PADV2", "PadV2", None), ("MIRROR_PAD", "MirrorPad", 0),
                                    ("MIRROR_PAD", "MirrorPad", 1)):
        m = Model("%s mode %s" % (operator, mode))
        more = [m.constant(1.5)] if operator == "PADV2" else []
        yield m.add(operator, [m.input(3, 4), m.constant([[1, 2], [2, 1]], "int32")] + more, [m.output(6, 7)], options,
                    **({} if mode is None else {"mode": mode}))
    m = Model("DEPTH_TO_SPACE")
    yield m.add("DEPTH_TO_SPACE", [m.input(1, 4, 4, 8)], [m.output(1, 8, 8, 2)], "DepthToSpace", blockSize=2)
    m = Model("SPACE_TO_DEPTH")
    yield m.add("SPACE_TO_DEPTH", [m.input(1, 4, 4, 2)], [m.output(1, 2, 2, 8)], "SpaceToDepth", blockSize=2)


def run_litert(model, inputs):
    interpreter = Interpreter(model_content=model,
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    for details, x in zip(interpreter.get_input_details(), inputs):
        interpreter.set_tensor(details["index"], x)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def difference(run_model, folder, m, random):
    path, x_path, y_path = (os.path.join(folder, name) for name in ("op.tflite", "x.bin", "y.bin"))
    data = m.bytes()
    with open(path, "wb") as f:
        f.write(data)
    inputs = [random.uniform(m.low, m.high, m.graph.tensors[t].shape).astype(np.float32) for t in m.graph.inputs]
    np.concatenate([x.ravel() for x in inputs]).tofile(x_path)
    done = subprocess.run([run_model, path, x_path, y_path], capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr.strip()
    wanted = np.concatenate([y.ravel() for y in run_litert(data, inputs)])
    ours = np.fromfile(y_path, np.float32)
    if ours.size != wanted.size:
        return "%d values, expected %d" % (ours.size, wanted.size)
    apart, limit = np.abs(ours - wanted).max(), TOLERANCE * max(1.0, np.abs(wanted).max())
    return None if apart <= limit else "differs by %g, limit %g" % (apart, limit)


def main(run_model, folder):
    random, n, wrong = np.random.default_rng(8), 0, 0
    for family in (layers, elementwise, moves):
        for m in family(random):
            why = difference(run_model, folder, m, random)
            n += 1
            if why is not None:
                wrong += 1
                print("%s: %s" % (m.name, why))
    print("%d single operators against LiteRT, %d wrong" % (n, wrong))
    return 1 if wrong > 0 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
