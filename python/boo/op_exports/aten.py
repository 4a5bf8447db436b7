"""Operators of torch's, as its profiler records their calls."""

from __future__ import annotations

import argparse
import ast
import functools
import re
import shlex
from collections.abc import Sequence

import torch

from .. import _boo, _graph
from .base import KernelModule, OpSignature, Program
from .parser import OpCLIParser

__all__ = ["AtenParser", "AtenSignature"]

#: Element types by the names that the profiler records.
PROFILER_TYPES = {
    "float": torch.float32,
    "double": torch.float64,
    "c10::Half": torch.float16,
    "c10::BFloat16": torch.bfloat16,
    "long int": torch.int64,
    "long": torch.int64,
    "int": torch.int32,
    "signed char": torch.int8,
    "bool": torch.bool,
}


class AtenSignature(OpSignature):
    """A call of an operator, with the five things that torch's profiler records of it.

    Args:
        name: as ``aten::mm``.
        input_dims: sizes of each argument, ``[]`` for one that is no tensor.
        input_type: ``float``, ``double``, ``c10::Half`` or ``c10::BFloat16`` for tensors;
            ``Scalar``, ``ScalarList`` or ``''`` for others.
        input_strides: element strides of each argument.
        concrete_inputs: text of each argument that is no tensor; ``''`` is an absent one.

    Launches take the tensors, in order, and give the operator's results. Tensors that the
    operator itself writes to (running statistics) are written to.

    Raises:
        ValueError: lists of different lengths.
    """

    def __init__(
        self,
        name: str,
        input_dims: Sequence[Sequence[int]],
        input_type: Sequence[str],
        input_strides: Sequence[Sequence[int]],
        concrete_inputs: Sequence[str],
    ) -> None:
        self.name = name if name.startswith("aten::") else f"aten::{name}"
        self.input_dims = tuple(tuple(each) for each in input_dims)
        self.input_type = tuple(input_type)
        self.input_strides = tuple(tuple(each) for each in input_strides)
        self.concrete_inputs = tuple(concrete_inputs)
        lists = (self.input_dims, self.input_type, self.input_strides, self.concrete_inputs)
        if len({len(each) for each in lists}) != 1:
            lengths = ", ".join(str(len(each)) for each in lists)
            raise ValueError(f"{self.name}: lists of {lengths} entries")
        for sizes, strides in zip(self.input_dims, self.input_strides):
            if len(sizes) != len(strides):
                raise ValueError(f"{self.name}: sizes {sizes} with strides {strides}")

    def as_init_kwargs(self) -> dict:
        names = ("name", "input_dims", "input_type", "input_strides", "concrete_inputs")
        return {name: getattr(self, name) for name in names}

    @property
    def command(self) -> str:
        """The command of ``boo driver``."""
        lists = (
            [list(each) for each in self.input_dims],
            list(self.input_type),
            [list(each) for each in self.input_strides],
            list(self.concrete_inputs),
        )
        return shlex.join([self.name, *map(repr, lists)])

    @functools.cached_property
    def _graph_and_name(self) -> tuple[str, str]:
        return _boo.graph_of_command(self.command)

    @property
    def func_name(self) -> str:
        """Raises as graph() does."""
        return self._graph_and_name[1]

    @property
    def is_forward(self) -> bool:
        return not self.name.endswith("_backward")

    @property
    def torch_op(self) -> torch._ops.OpOverload:
        """The overload that takes these arguments. Raises ValueError if there is none."""
        return self._overload

    @functools.cached_property
    def _overload(self) -> torch._ops.OpOverload:
        packet = getattr(torch.ops.aten, self.name.removeprefix("aten::"), None)
        if packet is None:
            raise ValueError(f"torch has no operator {self.name}")
        for overload in sorted(packet.overloads(), key=lambda each: each != "default"):
            op = getattr(packet, overload)
            if self._fits(op._schema):
                return op
        raise ValueError(f"no overload of {self.name} takes {self.input_type}")

    def _fits(self, schema: torch.FunctionSchema) -> bool:
        given = len(self.input_type)
        if given > len(schema.arguments) or any(each.is_out for each in schema.arguments):
            return False
        if not all(each.has_default_value() for each in schema.arguments[given:]):
            return False
        for argument, type, value in zip(schema.arguments, self.input_type, self.concrete_inputs):
            wanted = str(argument.type)
            if type in PROFILER_TYPES:
                if "Tensor" not in wanted:
                    return False
            elif value in ("", "None"):
                if not (argument.has_default_value() or "Optional" in wanted):
                    return False
            elif "Tensor" in wanted or ("List" not in wanted and _is_list(value)):
                return False
        return True

    def get_non_concrete_args(self) -> list[_graph.Type]:
        """Types of the tensors, in order. Raises boo.Unsupported for other element types."""
        types = []
        for sizes, type, strides in zip(self.input_dims, self.input_type, self.input_strides):
            if type in PROFILER_TYPES:
                types.append(_graph.Type(PROFILER_TYPES[type], sizes, strides))
            elif sizes:
                raise _boo.Unsupported(f"{self.name}: a tensor of type {type!r}")
        return types

    def get_concrete_args(self) -> list[tuple[torch.Argument, object]]:
        """(argument of the schema, value) for all that are no tensors and not absent."""
        return [
            (argument, _value(value))
            for argument, type, value in zip(
                self.torch_op._schema.arguments, self.input_type, self.concrete_inputs
            )
            if type not in PROFILER_TYPES and (value != "" or not argument.has_default_value())
        ]

    def argument_types(self) -> Sequence[_graph.Type | None]:
        return self.get_non_concrete_args()

    def get_sample_args(self, *, device=None, splat_value=None, seed=None):
        """As OpSignature's; a running variance is positive."""
        args = super().get_sample_args(device=device, splat_value=splat_value, seed=seed)
        if splat_value is not None or "batch_norm" not in self.name:
            return args
        names = [
            argument.name
            for argument, type in zip(self.torch_op._schema.arguments, self.input_type)
            if type in PROFILER_TYPES
        ]
        return tuple(
            each.abs() + 0.5 if name == "running_var" else each for name, each in zip(names, args)
        )

    def arrange_backward_launch_args(self, forward_args, forward_results):
        raise _boo.Unsupported(f"{self.name} is called with all its arguments")

    def _make_program(self) -> Program:
        text = self._graph_and_name[0]
        tensors = self.get_non_concrete_args()
        reads = self._reads(text.count(" = input ") + text.count(" = inout "), len(tensors))
        arguments = tuple(tensors[i] for i in reads)
        last = text.strip().rpartition("\n")[2].removeprefix("return ")
        returned = [each.split(" into ") for each in last.split(", ")]
        types = {
            int(number): _type_of(type)
            for numbers, given in re.findall(r"^(%[%\d, ]+) = (?:.* : )?(.*)$", text, re.MULTILINE)
            for number, type in zip(re.findall(r"\d+", numbers), re.findall(_TYPE, given))
        }
        updates = tuple(
            (i, int(each[1].removeprefix("%"))) for i, each in enumerate(returned) if len(each) == 2
        )
        made = [types[int(each[0].removeprefix("%"))] for each in returned]
        seen = self._seen_results(tensors)
        count = len(made) - len(updates)
        slots, own = [], list(made)
        left = iter(range(count))
        for sizes in seen:
            slot = None if sizes is None else next(left, None)
            if slot is not None:
                own[slot] = _with_sizes(made[slot], sizes)
            slots.append(slot)
        for result, argument in updates:
            own[result] = arguments[argument]
        forms = {len(reads): tuple(range(len(reads))), len(tensors): reads}
        return Program(text, arguments, tuple(own), forms, tuple(slots), updates)

    def _reads(self, used: int, given: int) -> tuple[int, ...]:
        """Which of the tensors the Graph has: a gradient alone does not read all."""
        reads = tuple(range(given))
        if used != given and self.name == "aten::convolution_backward":
            mask = _value(self.concrete_inputs[-1])
            reads = (0, *(i for i, wanted in ((1, mask[1]), (2, mask[0])) if wanted))
        if len(reads) != used:
            raise _boo.Unsupported(f"{self.name} reads {used} of {given} tensors")
        return reads

    def _seen_results(self, arguments: Sequence[_graph.Type]) -> list[tuple[int, ...] | None]:
        """Sizes of the operator's results, None for one that it does not give or that is empty."""
        tensors = [
            torch.empty_strided(each.sizes, each.strides, dtype=each.dtype, device="meta")
            for each in arguments
        ]
        results = self.get_nn_module()(*tensors)
        several = results if isinstance(results, (tuple, list)) else (results,)
        return [
            None if each is None or each.numel() == 0 else tuple(each.shape) for each in several
        ]

    def get_nn_module(self, *, use_custom: bool = False) -> torch.nn.Module:
        return KernelModule(self) if use_custom else _Call(self)


class _Call(torch.nn.Module):
    """Calls the operator with the tensors, and with the concrete arguments baked in."""

    def __init__(self, signature: AtenSignature) -> None:
        super().__init__()
        self.op = signature.torch_op
        self.is_tensor = [type in PROFILER_TYPES for type in signature.input_type]
        self.concrete = {argument.name: value for argument, value in signature.get_concrete_args()}

    def forward(self, *tensors):
        left, kwargs = iter(tensors), dict(self.concrete)
        for argument, is_tensor in zip(self.op._schema.arguments, self.is_tensor):
            if is_tensor:
                kwargs[argument.name] = next(left)
        return self.op(**kwargs)


_TYPE = r"[a-z0-9]+\[[\d,]*\]\{[\d,]*\}"
_DTYPES = {name: dtype for dtype, name in _graph.DTYPES.items()}


def _type_of(text: str) -> _graph.Type:
    """A type as Graphs spell it: f32[3,4]{4,1}."""
    dtype, sizes, strides = re.fullmatch(r"(\w+)\[(.*)\]\{(.*)\}", text).groups()
    numbers = (tuple(int(each) for each in part.split(",") if each) for part in (sizes, strides))
    return _graph.Type(_DTYPES[dtype], *numbers)


def _with_sizes(type: _graph.Type, sizes: tuple[int, ...]) -> _graph.Type:
    """The same memory with sizes that differ by dimensions of size 1; else the type as it is."""
    real = [(size, stride) for size, stride in zip(type.sizes, type.strides) if size != 1]
    if [size for size, _ in real] != [size for size in sizes if size != 1]:
        return type
    strides, step = [], 1
    for size in reversed(sizes):
        if size != 1:
            step = real.pop()[1]
        strides.append(step)
        step *= size
    return _graph.Type(type.dtype, sizes, tuple(reversed(strides)))


def _value(text: str) -> object:
    """A concrete input: a literal of Python, inf or nan, or a word; '' is absent."""
    if text == "":
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _is_list(text: str) -> bool:
    return isinstance(_value(text), list)


class AtenParser(OpCLIParser):
    """``aten::NAME`` and four lists, as AtenSignature takes them."""

    OP_NAME = "aten::"

    #: Those that the registry lists; any other that boo driver takes has a signature as well.
    OPERATORS = ("addmm", "mm", "bmm", "argmax", "argmin", "scaled_dot_product_attention")

    @classmethod
    def commands(cls) -> tuple[str, ...]:
        return tuple(f"aten::{name}" for name in cls.OPERATORS)

    @classmethod
    def is_command(cls, token: str) -> bool:
        return token.startswith("aten::")

    @classmethod
    def get_signature(cls, args: argparse.Namespace) -> AtenSignature:
        lists = []
        for name in ("input_dims", "input_type", "input_strides", "concrete_inputs"):
            text = getattr(args, name)
            if not _is_list(text):
                raise ValueError(f"{args.command}: {name} is no list: {text}")
            lists.append(_value(text))
        return AtenSignature(args.command, *lists)

    @classmethod
    def get_miopen_parser(cls) -> argparse.ArgumentParser:
        parser = super()._parser()
        # Which names there are, the driver says.
        parser._actions[0].choices = None
        for name in ("input_dims", "input_type", "input_strides", "concrete_inputs"):
            parser.add_argument(name)
        return parser
