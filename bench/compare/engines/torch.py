"""PyTorch, eager (oneDNN behind it) and compiled by its inductor."""

import os
import shutil
import tempfile

import torch

from ..ops import Unsupported
from .base import Engine, first_call_ms

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
          "f64": torch.float64}
FORMATS = {(0, 2, 3, 1): torch.channels_last, (0, 2, 3, 4, 1): torch.channels_last_3d}


def to_tensor(array, dtype, order):
    """The array with its axes in memory as `order` says, from the outermost."""
    tensor = torch.from_numpy(array.copy()).to(DTYPES[dtype])
    if order is None:
        return tensor
    if tuple(order) in FORMATS:
        return tensor.contiguous(memory_format=FORMATS[tuple(order)])
    return tensor.permute(order).contiguous().permute(*[order.index(i) for i in range(len(order))])


class Eager(Engine):
    def __init__(self, threads):
        super().__init__(threads)
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def version(self):
        return torch.__version__

    def tensors(self, problem, arrays):
        return [to_tensor(array, problem.dtype, order)
                for array, order in zip(arrays, problem.memory_orders(), strict=True)]

    def prepare(self, problem, arrays, constant):
        self.function = problem.torch_function(torch)
        self.inputs = self.tensors(problem, arrays)
        self.run()
        return {}

    def run(self):
        self.output = self.function(*self.inputs)

    def result(self):
        tensor = self.output.contiguous()
        return (tensor if tensor.dtype == torch.float64 else tensor.float()).numpy()


class Frozen(torch.nn.Module):
    """The function with its constants as parameters."""

    def __init__(self, function, tensors, constants):
        super().__init__()
        self.function, self.count = function, len(tensors)
        for index in constants:
            self.register_parameter(f"p{index}", torch.nn.Parameter(tensors[index], False))
        self.names = [f"p{i}" if i in constants else None for i in range(len(tensors))]

    def forward(self, *inputs):
        rest = iter(inputs)
        return self.function(*[getattr(self, name) if name else next(rest)
                               for name in self.names])


class Inductor(Eager):
    """torch.compile, with freezing where weights are constant."""

    def __init__(self, threads):
        super().__init__(threads)
        # Nothing that an earlier run compiled counts.
        self.folder = tempfile.mkdtemp(prefix="inductor-compare-")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = self.folder
        os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
        # Its pool of compilers would be processes that nobody stops during others' turns.
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self, problem, arrays, constant):
        if problem.dtype == "f64":
            raise Unsupported("left out for f64")
        from torch._inductor import config

        torch._dynamo.reset()
        config.freezing = constant
        function = problem.torch_function(torch)
        tensors = self.tensors(problem, arrays)
        constants = problem.constants if constant else ()
        self.inputs = [t for i, t in enumerate(tensors) if i not in constants]
        self.function = torch.compile(Frozen(function, tensors, constants).eval(), dynamic=False)
        return {"compile_ms": first_call_ms(self.run)}


def make(name, threads, _build):
    return Inductor(threads) if name == "inductor" else Eager(threads)
