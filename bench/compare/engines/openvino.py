"""OpenVINO's CPU plugin; tensors stay f32, the precision hint says what it computes in."""

import io
import time

import numpy as np
import openvino

from ..ops import Unsupported
from .base import Engine
from .onnx_model import to_onnx


class OpenVino(Engine):
    def __init__(self, threads):
        super().__init__(threads)
        self.core = openvino.Core()

    def version(self):
        return openvino.__version__.split("-")[0]

    def prepare(self, problem, arrays, constant):
        constants = problem.constants if constant else ()
        model = self.core.read_model(io.BytesIO(to_onnx(problem, arrays, constants)))
        start = time.perf_counter()
        compiled = self.core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": problem.dtype})
        compile_ms = (time.perf_counter() - start) * 1e3
        used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if used != problem.dtype:
            raise Unsupported(f"it computes in {used} here")
        self.request = compiled.create_infer_request()
        self.inputs = [np.ascontiguousarray(array, np.float32)
                       for i, array in enumerate(arrays) if i not in constants]
        for index, array in enumerate(self.inputs):
            self.request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))
        self.run()
        return {"compile_ms": compile_ms}

    def run(self):
        self.request.start_async()
        self.request.wait()

    def result(self):
        return np.array(self.request.get_output_tensor(0).data, np.float32)


def make(_name, threads, _build):
    return OpenVino(threads)
