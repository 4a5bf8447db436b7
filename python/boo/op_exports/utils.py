"""Orders of dimensions, and tensors that lie in memory in such an order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from .. import _graph

__all__ = ["Permutation", "make_tuple", "permute_layout", "sample_tensor"]


class Permutation:
    """An order of dimensions: applied to a list, entry i of the result is entry ``ordering[i]``."""

    __slots__ = ("_items",)

    def __init__(self, ordering: Sequence[int]) -> None:
        items = tuple(int(each) for each in ordering)
        if sorted(items) != list(range(len(items))):
            raise ValueError(f"{items} is no order of {len(items)} dimensions")
        self._items = items

    @staticmethod
    def identity(size: int) -> Permutation:
        return Permutation(range(size))

    @staticmethod
    def get(source: Sequence, target: Sequence) -> Permutation:
        """What turns `source` into `target`: ``Permutation.get("NCHW", "NHWC")("NCHW")`` is NHWC.

        Raises ValueError unless both hold the same items, each once.
        """
        if len(set(source)) != len(source) or sorted(source) != sorted(target):
            raise ValueError(f"{target!r} is no order of {source!r}")
        return Permutation([list(source).index(each) for each in target])

    @property
    def size(self) -> int:
        return len(self._items)

    @property
    def items(self) -> tuple[int, ...]:
        return self._items

    def inv(self) -> Permutation:
        """What undoes it."""
        return Permutation([self._items.index(i) for i in range(self.size)])

    def __call__(self, values):
        """The list, tuple, string or tensor in this order; a tensor becomes a view."""
        if isinstance(values, torch.Tensor):
            return values.permute(self._items)
        if len(values) != self.size:
            raise ValueError(f"{len(values)} entries for an order of {self.size}")
        ordered = [values[i] for i in self._items]
        if isinstance(values, str):
            return "".join(ordered)
        return tuple(ordered) if isinstance(values, tuple) else ordered

    def __mul__(self, other: Permutation) -> Permutation:
        """``(a * b)(x) == a(b(x))``."""
        if not isinstance(other, Permutation):
            return NotImplemented
        return Permutation(self(other.items))

    def __getitem__(self, index: int) -> int:
        return self._items[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Permutation) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"Permutation({list(self._items)})"


def permute_layout(tensor: torch.Tensor, permutation: Permutation | None) -> torch.Tensor:
    """The same values and sizes, with memory in the order of ``permutation(sizes)``.

    A NCHW tensor with ``Permutation([0, 2, 3, 1])`` becomes channels last. None changes nothing.
    """
    if permutation is None:
        return tensor
    return permutation.inv()(permutation(tensor).contiguous())


def make_tuple(value: int | Sequence[int], size: int, what: str) -> tuple[int, ...]:
    """One entry a dimension. Raises ValueError for another number of entries than one or `size`."""
    entries = (int(value),) if isinstance(value, int) else tuple(int(each) for each in value)
    if len(entries) == 1:
        return entries * size
    if len(entries) != size:
        raise ValueError(f"{what} has {len(entries)} entries for {size} dimensions")
    return entries


def sample_tensor(
    type: _graph.Type,
    device: str | torch.device | None,
    splat_value: float | None,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """A tensor of that type: normally distributed, or all `splat_value`."""
    span = 1 + sum((size - 1) * stride for size, stride in zip(type.sizes, type.strides))
    elements = 0 if 0 in type.sizes else span
    if splat_value is not None:
        flat = torch.full((elements,), splat_value, dtype=type.dtype, device=device)
    elif type.dtype.is_floating_point:
        # float32 or wider, so that all types get the same numbers, rounded.
        wide = _graph.accumulator(type.dtype)
        flat = torch.randn(elements, generator=generator, dtype=wide, device=device)
        flat = flat.to(type.dtype)
    else:
        most = 2 if type.dtype == torch.bool else 8
        flat = torch.randint(0, most, (elements,), generator=generator, device=device)
        flat = flat.to(type.dtype)
    return flat.as_strided(type.sizes, type.strides)


def dense(
    dtype: torch.dtype, sizes: Sequence[int], order: Sequence[int] | None = None
) -> _graph.Type:
    """A tensor type without gaps: row-major, or with dimensions in memory in this order."""
    sizes = tuple(sizes)
    strides = _graph.strides_in_order(sizes, range(len(sizes)) if order is None else order)
    return _graph.Type(dtype, sizes, strides)


def text_of(values: Sequence[int], between: str = "x") -> str:
    return between.join(map(str, values))


def bytes_of(type: _graph.Type) -> int:
    return math.prod(type.sizes) * type.dtype.itemsize
