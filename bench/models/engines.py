"""What runs a network: each engine readies a task and then runs it once a call."""

from __future__ import annotations

import contextlib
import io
import tempfile
from typing import NamedTuple

import torch

from .networks import MODELS


class Task(NamedTuple):
    model: str
    dtype: str  # as torch names it
    batch: int
    training: bool


def _module(task: Task):
    """The module, its input, both as users have them: images channels last."""
    torch.manual_seed(0)
    make, sizes, images = MODELS[task.model]
    module, x = make().train(task.training), torch.randn(task.batch, *sizes)
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(each.weight, 0.5, 1.5)
            each.running_mean.uniform_(-0.1, 0.1)
            each.running_var.uniform_(0.5, 2)
    if images:
        module = module.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    dtype = getattr(torch, task.dtype)
    return module.to(dtype), x.to(dtype)


class TorchEngine:
    """Eager torch, or torch.compile with a backend."""

    def __init__(self, backend: str | None = None, freezing: bool = False) -> None:
        self.backend, self.freezing = backend, freezing

    def prepare(self, task: Task) -> None:
        module, x = _module(task)
        if self.freezing and self.backend == "inductor":
            import torch._inductor.config as config

            config.freezing = True
        if self.freezing and self.backend == "boo":
            import boo

            boo.freeze(module)
        call = module
        if self.backend:
            call = torch.compile(module, backend=self.backend, dynamic=False)
        self._run = self._training(module, call, x) if task.training else self._inference(call, x)
        self.run()

    @staticmethod
    def _inference(call, x):
        def run():
            with torch.no_grad():
                return call(x)

        return run

    @staticmethod
    def _training(module, call, x):
        optimizer = torch.optim.SGD(module.parameters(), lr=1e-3)

        def run():
            optimizer.zero_grad()
            y = call(x)
            y.float().square().mean().backward()
            optimizer.step()
            return y.detach()

        return run

    def run(self) -> None:
        self.output = self._run()

    def result(self):
        return self.output.float().contiguous().numpy()


def _onnx_bytes(task: Task) -> tuple[bytes, torch.Tensor]:
    module, x = _module(task)
    module = module.float().to(memory_format=torch.contiguous_format)
    x = x.float().contiguous()
    target = io.BytesIO()
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(module, (x,), target, input_names=["x"], output_names=["y"], dynamo=False)
    return target.getvalue(), x


class OrtEngine:
    def prepare(self, task: Task) -> None:
        import onnxruntime

        if task.training or task.dtype != "float32":
            raise NotImplementedError("ONNX Runtime has no " + task.dtype + " on the CPU")
        data, x = _onnx_bytes(task)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
        self.feed = {"x": x.numpy()}
        self.run()

    def run(self) -> None:
        (self.output,) = self.session.run(None, self.feed)

    def result(self):
        return self.output


class OpenVinoEngine:
    def prepare(self, task: Task) -> None:
        import openvino

        if task.training:
            raise NotImplementedError("OpenVINO does not train")
        data, x = _onnx_bytes(task)
        core = openvino.Core()
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            file.write(data)
            file.flush()
            model = core.read_model(file.name)
        hint = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}[task.dtype]
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self.request = core.compile_model(model, "CPU", options).create_infer_request()
        self.request.set_input_tensor(openvino.Tensor(x.numpy()))
        self.run()

    def run(self) -> None:
        self.request.infer()

    def result(self):
        return self.request.get_output_tensor().data.copy()


#: In the order of the table.
ENGINES = {
    "boo": lambda: TorchEngine("boo"),
    "boo-frozen": lambda: TorchEngine("boo", freezing=True),
    "eager": TorchEngine,
    "inductor": lambda: TorchEngine("inductor"),
    "inductor-frozen": lambda: TorchEngine("inductor", freezing=True),
    "ort": OrtEngine,
    "openvino": OpenVinoEngine,
}
