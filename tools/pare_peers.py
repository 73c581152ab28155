"""Other people's runtimes, for `pare bench --peers`: onnxruntime and ai-edge-litert, one thread, over pipes.

Lines in, one line out for each (the same words as pare_peers.c):
  peers                        -> ok NAME VERSION|NAME VERSION
  load ID PEER ARGS            -> ok or error WHY
      ort-f32 M N K, ort-u8 M N K      a MatMul, a QLinearMatMul (u8 x s8 -> u8)
      ort-model PATH                    an ONNX file as it is
      ort-qdq PATH                      the same after onnxruntime's own static int8 QDQ quantization
      litert-model PATH                 a TFLite file
  run ID COUNT                 -> ok WALL_NS CPU_NS of COUNT runs together
What is not installed answers with an error; nothing here is needed to build or run pare.
"""
import functools
import os
import sys
import tempfile
import time

try:
    import numpy as np

    rng = np.random.default_rng(1)
except ImportError:
    np = None

runs = {}


def ort_session(model):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def feeds(session):
    types = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(float16)": np.float16}
    out = {}
    for i in session.get_inputs():
        shape = [d if isinstance(d, int) and d > 0 else 1 for d in i.shape]
        out[i.name] = rng.random(shape).astype(types[i.type]) if "float" in i.type else rng.integers(0, 100, shape).astype(types[i.type])
    return out


def ort_runner(session):
    """Inputs and outputs bound once, so that only the run is timed: the extension's own function, without Python around it."""
    binding = session.io_binding()
    for name, value in feeds(session).items():
        binding.bind_cpu_input(name, value)
    for o in session.get_outputs():
        binding.bind_output(o.name)
    try:
        run = functools.partial(session._sess.run_with_iobinding, binding._iobinding, None)
        run.binding = binding  # which holds the inputs: the extension only knows where they were
        run()
        return run
    except Exception:  # names of another version
        return lambda: session.run_with_iobinding(binding)


def ort_matmul(m, n, k, u8):
    import onnx
    from onnx import TensorProto as T, helper as h, numpy_helper as nh

    if u8:
        b = rng.integers(-127, 128, (k, n)).astype(np.int8)
        tensors = [nh.from_array(b, "b"), nh.from_array(np.float32(0.02), "as"), nh.from_array(np.uint8(0), "az"),
                   nh.from_array(np.float32(0.01), "bs"), nh.from_array(np.int8(0), "bz"), nh.from_array(np.float32(0.5), "cs"),
                   nh.from_array(np.uint8(128), "cz")]
        node = h.make_node("QLinearMatMul", ["a", "as", "az", "b", "bs", "bz", "cs", "cz"], ["c"])
    else:
        tensors = [nh.from_array(rng.standard_normal((k, n)).astype(np.float32), "b")]
        node = h.make_node("MatMul", ["a", "b"], ["c"])
    t = T.UINT8 if u8 else T.FLOAT
    graph = h.make_graph([node], "g", [h.make_tensor_value_info("a", t, [m, k])], [h.make_tensor_value_info("c", t, [m, n])], tensors)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
    return ort_runner(ort_session(model.SerializeToString()))


def ort_qdq(path):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, session):
            self.items = iter([feeds(session) for _ in range(4)])

        def get_next(self):
            return next(self.items, None)

    with tempfile.TemporaryDirectory() as folder:
        ready, done = os.path.join(folder, "ready.onnx"), os.path.join(folder, "qdq.onnx")
        try:
            quant_pre_process(path, ready, skip_symbolic_shape=True)
        except Exception:
            ready = path
        quantize_static(ready, done, Reader(ort_session(path)), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        return ort_runner(ort_session(done))


def litert(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    for d in interpreter.get_input_details():
        shape = d["shape"]
        value = rng.random(shape).astype(np.float32) if d["dtype"] == np.float32 else rng.integers(0, 100, shape).astype(d["dtype"])
        interpreter.set_tensor(d["index"], value)
    return getattr(getattr(interpreter, "_interpreter", None), "Invoke", interpreter.invoke)


def load(peer, args):
    if np is None:
        raise ImportError("numpy is not installed")
    if peer == "ort-f32":
        return ort_matmul(*map(int, args), False)
    if peer == "ort-u8":
        return ort_matmul(*map(int, args), True)
    if peer == "ort-model":
        return ort_runner(ort_session(args[0]))
    if peer == "ort-qdq":
        return ort_qdq(args[0])
    if peer == "litert-model":
        return litert(args[0])
    raise ValueError("no such peer")


def peers():
    from importlib.metadata import version

    found = []
    if np is None:
        return ""
    for name in ("onnxruntime", "ai-edge-litert"):
        try:
            found.append(name + " " + version(name))
        except Exception:
            pass
    return "|".join(found)


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the runtimes print does not get between the lines
    for line in sys.stdin:
        words = line.split()
        try:
            if words[0] == "peers":
                answer = "ok " + peers()
            elif words[0] == "load":
                runs[words[1]] = load(words[2], line.rstrip("\n").split(" ", 3)[3:] if words[2].endswith(("model", "qdq")) else words[3:])
                runs[words[1]]()
                answer = "ok"
            else:
                run, count = runs[words[1]], range(int(words[2]))
                cpu, start = time.thread_time_ns(), time.monotonic_ns()
                for _ in count:
                    run()
                wall = time.monotonic_ns() - start
                answer = f"ok {wall} {time.thread_time_ns() - cpu}"
        except Exception as e:  # an answer in any case: one line
            answer = "error " + " ".join(f"{type(e).__name__}: {e}".split())[:300]
        print(answer, file=out, flush=True)


main()
