"""A signature: one operation with all its sizes, as a Graph, a kernel, and a module of torch's."""

from __future__ import annotations

import abc
import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch

from .. import _boo, _graph
from ..runtime import kernels
from .utils import bytes_of, sample_tensor

__all__ = ["OpSignature", "Program"]

Tensors = tuple[torch.Tensor | None, ...]


class Program(NamedTuple):
    """A Graph, and how the arguments and results of a launch are those of its kernel."""

    graph: str
    #: Types of the kernel's arguments and results, as a caller has them.
    arguments: tuple[_graph.Type, ...]
    results: tuple[_graph.Type, ...]
    #: For each number of arguments that a launch may have, which of them the kernel reads.
    forms: dict[int, tuple[int, ...]]
    #: For each result of a launch, which one of the kernel's it is, or None.
    slots: tuple[int | None, ...]
    #: (result of the kernel, its argument): results that arguments are overwritten with.
    updates: tuple[tuple[int, int], ...] = ()


class OpSignature(abc.ABC):
    """One operation with its element type, sizes, layouts and direction.

    Signatures are immutable; two are equal if they were made with the same arguments.
    """

    @property
    @abc.abstractmethod
    def func_name(self) -> str:
        """Names the kernel, its folder in the cache and its entry in the session's cache.

        Different kernels never share a name.
        """

    def get_func_name(self) -> str:
        """``func_name``, as code of mid 2025 asks for it."""
        return self.func_name

    @property
    @abc.abstractmethod
    def is_forward(self) -> bool: ...

    @property
    def main_result_index(self) -> int:
        """Which result of a launch is what the operation is for."""
        return 0

    @property
    def force_single_dispatch(self) -> bool:
        """Whether the operation must not be cut into several kernels."""
        return False

    @abc.abstractmethod
    def as_init_kwargs(self) -> dict:
        """Arguments that make an equal signature."""

    @abc.abstractmethod
    def argument_types(self) -> Sequence[_graph.Type | None]:
        """Types of the arguments of a launch, in order; None for one that is left out."""

    @abc.abstractmethod
    def _make_program(self) -> Program: ...

    @functools.cached_property
    def _program(self) -> Program:
        return self._make_program()

    def program(self) -> Program:
        """Raises boo.Unsupported for what no kernel computes."""
        return self._program

    def graph(self) -> str:
        """The operation in the text form of Graphs, which names the kernel's work exactly.

        Raises boo.Unsupported for what no kernel computes.
        """
        return self.program().graph

    def kernel(self) -> _boo.Kernel:
        """The compiled kernel, from the cache if it has it.

        It takes the tensors that this direction reads, in the order of a launch.

        Raises boo.Unsupported, or boo.CompileError if the kernel does not compile.
        """
        program = self.program()
        return kernels.make(
            program.graph,
            name=self.func_name,
            arguments=[each.spec for each in program.arguments],
            results=[each.spec for each in program.results],
        )

    def get_sample_args(
        self,
        *,
        device: str | torch.device | None = None,
        splat_value: float | None = None,
        seed: int | None = None,
    ) -> Tensors:
        """Arguments of a launch: normally distributed, or all `splat_value`.

        The numbers depend on the seed alone; without one they are new at each call.
        """
        generator = torch.Generator(device="cpu" if device is None else device)
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        return tuple(
            None if each is None else sample_tensor(each, device, splat_value, generator)
            for each in self.argument_types()
        )

    @abc.abstractmethod
    def get_nn_module(self, *, use_custom: bool = False) -> torch.nn.Module:
        """The same operation by torch, called with the arguments of a launch, of any float type.

        `use_custom` asks for BOO's kernel in the module instead, for the signature's own type.
        """

    def get_compiled_module(self, *, backend: str) -> torch.nn.Module:
        """``torch.compile`` of the module of torch's."""
        return torch.compile(self.get_nn_module(), dynamic=False, backend=backend)

    @abc.abstractmethod
    def arrange_backward_launch_args(
        self, forward_args: Sequence[torch.Tensor], forward_results: Sequence[torch.Tensor]
    ) -> Tensors:
        """What follows dL/dy among the arguments of this backward launch.

        Raises ValueError for a forward signature.
        """

    def make_signature_copy_for_forward(self) -> OpSignature:
        """The forward signature with the same sizes."""
        raise _boo.Unsupported(f"{type(self).__name__} has one direction alone")

    def get_arg_index_for_backward(self) -> int:
        """Which forward argument the (first) gradient of this backward signature belongs to.

        Raises ValueError for a forward signature.
        """
        raise ValueError(f"{self.func_name} is a forward signature")

    def get_output_size(self) -> int:
        """Bytes of all results of a launch together."""
        return sum(bytes_of(each) for each in self.program().results)

    def _refuse_forward(self) -> None:
        if self.is_forward:
            raise ValueError(f"{self.func_name} is a forward signature")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.as_init_kwargs() == other.as_init_kwargs()

    def __hash__(self) -> int:
        return hash((type(self), *self.as_init_kwargs().values()))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.as_init_kwargs().items())
        return f"{type(self).__name__}({given})"


class KernelModule(torch.nn.Module):
    """A signature's kernel as a module: called with the arguments of a launch."""

    def __init__(self, signature: OpSignature) -> None:
        super().__init__()
        from ..driver.launch import get_launchable

        self._launchable = get_launchable(signature)

    def forward(self, *args):
        return self._launchable(*args)
