"""ONNX Runtime on its CPU provider, channels first as ONNX has it."""

import time

import numpy as np
import onnxruntime

from ..ops import Unsupported
from .base import Engine
from .onnx_model import to_onnx


class Ort(Engine):
    def version(self):
        return onnxruntime.__version__

    def prepare(self, problem, arrays, constant):
        if problem.dtype not in ("f32", "f16"):
            raise Unsupported(f"its CPU provider has no {problem.dtype}")
        element = np.float16 if problem.dtype == "f16" else np.float32
        constants = problem.constants if constant else ()
        model = to_onnx(problem, arrays, constants, element)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.log_severity_level = 3
        start = time.perf_counter()
        self.session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"])
        compile_ms = (time.perf_counter() - start) * 1e3
        self.values = [onnxruntime.OrtValue.ortvalue_from_numpy(array.astype(element))
                       for array in arrays]
        self.out = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(problem.out_shape, element))
        self.binding = self.session.io_binding()
        for index, value in enumerate(self.values):
            if index not in constants:
                self.binding.bind_ortvalue_input(f"a{index}", value)
        self.binding.bind_ortvalue_output("y", self.out)
        self.run()
        return {"compile_ms": compile_ms}

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def result(self):
        return self.out.numpy().astype(np.float32)


def make(_name, threads, _build):
    return Ort(threads)
