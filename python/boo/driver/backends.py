"""Backends of ``boo driver`` that run in torch, to compare BOO's kernels with.

torch is imported when a command runs on one of them, not before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .. import _boo

if TYPE_CHECKING:
    import torch

__all__ = ["BACKENDS", "main", "register"]


class TorchRunner:
    """Runs a function of torch as the driver's Runner: results are torch's own tensors, which
    ``deliver`` copies to the driver's buffers, outside of what is timed.

    Args:
        function: takes the Graph's arguments, returns its outputs.
        calls: what the function calls, for --explain.
        name: of the backend's kind, for reports.
    """

    def __init__(self, function: Callable, calls: Sequence[str], name: str) -> None:
        import torch

        self._torch = torch
        self._function = function
        self._results: Sequence[torch.Tensor] = ()
        # Errors are bounded as for direct sums, call by call.
        self.algorithm = " + ".join(["direct"] * max(len(calls), 1))
        self.schedule = name
        self.why = [f"{name} (torch {torch.__version__}) runs {', '.join(calls)}"]
        self.compile_ms: float | None = None

    def _on_threads(self, threads: int) -> None:
        if self._torch.get_num_threads() != threads:
            self._torch.set_num_threads(threads)

    def prepare(self, inputs: list[torch.Tensor], threads: int) -> None:
        self._on_threads(threads)

    def run(self, inputs: list[torch.Tensor], threads: int) -> None:
        self._on_threads(threads)
        with self._torch.no_grad():
            self._results = self._function(*inputs)

    def deliver(self, outputs: list[torch.Tensor]) -> None:
        for output, result in zip(outputs, self._results, strict=True):
            output.copy_(result)


def _zeros(graph: str) -> list[torch.Tensor]:
    """Arguments of the Graph's types, to compile with."""
    import torch

    read = _boo.read_graph(graph)
    types = [read["values"][each] for each in read["arguments"]]
    return [
        torch.empty_strided(sizes, strides, dtype=getattr(torch, dtype)).zero_()
        for dtype, sizes, strides, _ in types
    ]


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise _boo.Unsupported(
            f"PyTorch is needed: pip install 'boo-kernels[torch]' ({error})"
        ) from None


def _translate(graph: str):
    _need_torch()
    from . import reference

    return reference.translate(graph)


def _eager(name: str) -> Callable[[str], TorchRunner]:
    return lambda graph: TorchRunner(*_translate(graph), name)


def _compiled(name: str, dynamo_backend: str | Callable) -> Callable[[str], TorchRunner]:
    """torch.compile of the Graph's function; `dynamo_backend` may be a function that gives it."""

    def make(graph: str) -> TorchRunner:
        module, calls = _translate(graph)
        import torch

        backend = dynamo_backend if isinstance(dynamo_backend, str) else dynamo_backend()
        torch.compiler.reset()
        begin = time.perf_counter()
        runner = TorchRunner(
            torch.compile(module, backend=backend, dynamic=False), calls, f"torch.compile, {name}"
        )
        with torch.no_grad():
            runner._function(*_zeros(graph))
        runner.compile_ms = 1e3 * (time.perf_counter() - begin)
        return runner

    return make


def _from_backends(name: str) -> Callable:
    """The backend of that name in boo.backends.boo."""

    def find():
        from ..backends import boo

        if not hasattr(boo, name):
            raise _boo.Unsupported(f"boo.backends.boo has no {name}")
        return getattr(boo, name)

    return find


def _launched(graph: str) -> TorchRunner:
    """BOO's kernel itself, launched on torch tensors."""
    _need_torch()
    begin = time.perf_counter()
    kernel = _boo.Kernel(graph, name="")
    ms = 1e3 * (time.perf_counter() - begin)

    def run(*inputs):
        results = kernel(*inputs)
        return results if isinstance(results, (tuple, list)) else (results,)

    runner = TorchRunner(run, ["a kernel of BOO's"], "boo, launched from Python")
    runner.compile_ms = ms
    return runner


#: What makes a Graph's runner, by the backend's name.
BACKENDS: dict[str, Callable[[str], TorchRunner]] = {
    "torch": _eager("eager"),
    "inductor": _compiled("inductor", "inductor"),
    "iree_boo": _compiled("iree_boo", _from_backends("default_backend")),
    "iree_boo_experimental": _compiled(
        "iree_boo_experimental", _from_backends("experimental_backend")
    ),
    "iree_boo_inductor": _compiled("iree_boo_inductor", _from_backends("inductor_backend")),
    "iree_boo_legacy": _launched,
    "boo_inductor": _compiled("boo_inductor", _from_backends("boo_inductor_backend")),
}


def register() -> None:
    """Adds the backends to those of the driver."""
    for name, factory in BACKENDS.items():
        _boo.register_backend(name, factory)


def main(arguments: Sequence[str]) -> int:
    """The boo command with these arguments, torch's backends among the driver's."""
    register()
    return _boo.main([*map(str, arguments)])
