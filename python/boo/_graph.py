"""Writes Graphs, the one request type, as text (``boo.graph 1``).

A Graph knows tensors by dtype, logical sizes and element strides; layouts exist only as strides,
so NHWC is an NCHW tensor whose channel stride is 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch

DTYPES = {
    torch.float64: "f64",
    torch.float32: "f32",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int8: "i8",
    torch.bool: "i1",
}
TORCH_NAMES = {dtype: str(dtype).removeprefix("torch.") for dtype in DTYPES}
FLOATS = frozenset(dtype for dtype in DTYPES if dtype.is_floating_point)

Attribute = int | float | bool | str | Sequence[int] | torch.dtype


class Type(NamedTuple):
    """A tensor as a Graph sees it: sizes and element strides in the op's own order."""

    dtype: torch.dtype
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    def __str__(self) -> str:
        sizes, strides = (",".join(map(str, each)) for each in (self.sizes, self.strides))
        return f"{DTYPES[self.dtype]}[{sizes}]{{{strides}}}"

    @property
    def spec(self) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
        """As Kernel takes it: the dtype by torch's name, sizes, strides."""
        return TORCH_NAMES[self.dtype], self.sizes, self.strides

    def permuted(self, order: Sequence[int]) -> Type:
        """Dimension i of the result is dimension order[i] of this."""
        return Type(
            self.dtype,
            tuple(self.sizes[i] for i in order),
            tuple(self.strides[i] for i in order),
        )


def type_of(tensor: torch.Tensor) -> Type:
    """The type of a tensor, a fake one too; Graphs have those of DTYPES alone."""
    return Type(tensor.dtype, tuple(tensor.shape), tuple(tensor.stride()))


def has_symbols(values: Iterable) -> bool:
    """Whether a value is a symbol, or a tensor with sizes or strides that are."""
    return any(
        isinstance(part, torch.SymInt)
        for value in values
        for part in (_layout(value) if isinstance(value, torch.Tensor) else (value,))
    )


def _layout(tensor: torch.Tensor) -> tuple:
    return (*tensor.shape, *(tensor.stride() if tensor.layout == torch.strided else ()))


def contiguous_strides(sizes: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides, as torch computes them: a size of 0 counts as 1."""
    return strides_in_order(sizes, range(len(sizes)))


def strides_in_order(sizes: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    """Dense strides with the dimensions laid out in `order`, outermost first."""
    strides, step = [0] * len(sizes), 1
    for dim in reversed(tuple(order)):
        strides[dim] = step
        step *= max(sizes[dim], 1)
    return tuple(strides)


def _text_of(value: Attribute) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(value)
        return text if any(c in text for c in ".en") else text + ".0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, torch.dtype):
        return DTYPES[value]
    return "[" + ", ".join(str(int(each)) for each in value) + "]"


class GraphBuilder:
    """Adds arguments and nodes in order; ids are numbers, None an absent optional operand."""

    def __init__(self) -> None:
        self._lines = ["boo.graph 1"]
        self._types: list[Type] = []

    def argument(self, type: Type, role: str = "input") -> int:
        """An argument of the kernel: role is input, constant or inout."""
        self._types.append(type)
        self._lines.append(f"%{len(self._types) - 1} = {role} {type}")
        return len(self._types) - 1

    def node(self, op: str, operands: Sequence[int | None], results: Type | Sequence[Type],
             **attributes: Attribute):  # fmt: skip
        """The id of the node's result, or a tuple of ids if `results` is a list."""
        many = not isinstance(results, Type)
        types = list(results) if many else [results]
        first = len(self._types)
        ids = tuple(range(first, first + len(types)))
        self._types.extend(types)
        values = ", ".join("_" if each is None else f"%{each}" for each in operands)
        given = ", ".join(f"{name} = {_text_of(attributes[name])}" for name in sorted(attributes))
        self._lines.append(
            f"{', '.join(f'%{i}' for i in ids)} = {op}({values})"
            f"{' {' + given + '}' if given else ''} : {', '.join(map(str, types))}"
        )
        return ids if many else ids[0]

    def pointwise(self, fn: str, operands: Sequence[int], result: Type, **parameters: float) -> int:
        """A function of ops/pointwise; operands broadcast as numpy's do."""
        floats = {name: float(value) for name, value in parameters.items()}
        return self.node("pointwise", operands, result, fn=fn, **floats)

    def type(self, value: int) -> Type:
        return self._types[value]

    def finish(self, outputs: Sequence[int]) -> str:
        """The text, whose results are `outputs`."""
        returned = ", ".join(f"%{each}" for each in outputs)
        return "\n".join([*self._lines, f"return {returned}", ""])


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """What sums of `dtype` are computed in."""
    return torch.float64 if dtype == torch.float64 else torch.float32
