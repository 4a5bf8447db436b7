"""Memory formats and names of tensors, as graphs of torch operators need them.

Tables are by number of spatial dimensions: 1 for N C H, 2 for N C H W, 3 for N C D H W.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import NamedTuple

import torch

from ._conv_types import CHANNELS_LAST_LAYOUTS

__all__ = [
    "CHANNELS_LAST_LAYOUTS",
    "CHANNELS_LAST_MEMORY_FORMAT",
    "CHANNELS_LAST_TO_CONTIGUOUS_PERMUTATION",
    "CONTIGUOUS_TO_CHANNELS_LAST_PERMUTATION",
    "MemoryFormatPermutation",
    "get_arg_spec_name",
    "get_memory_format_permutation",
    "make_tuple",
]

CHANNELS_LAST_MEMORY_FORMAT = {2: torch.channels_last, 3: torch.channels_last_3d}

#: The order of dimensions in which a channels-last tensor is contiguous: (N, C, H, W) as N H W C.
CHANNELS_LAST_TO_CONTIGUOUS_PERMUTATION = {
    rank: [0, *range(2, rank + 2), 1] for rank in CHANNELS_LAST_LAYOUTS
}

#: Its inverse: from N H W C back to a channels-last (N, C, H, W).
CONTIGUOUS_TO_CHANNELS_LAST_PERMUTATION = {
    rank: [0, rank + 1, *range(1, rank + 1)] for rank in CHANNELS_LAST_LAYOUTS
}


class MemoryFormatPermutation(NamedTuple):
    #: ``tensor.permute(permutation)`` is contiguous.
    permutation: list[int]
    #: Undoes it.
    inverse_permutation: list[int]


def make_tuple(value: Iterable[int] | int, size: int) -> tuple[int, ...]:
    """`size` integers: `value` that many times, or the entries of `value`.

    Raises ValueError for another number of entries, TypeError for what are no integers.
    """
    if isinstance(value, int):
        return (value,) * size
    if not isinstance(value, Iterable):
        raise TypeError(f"{value!r} is neither an integer nor a sequence of integers")
    entries = tuple(value)
    if not all(isinstance(each, int) for each in entries):
        raise TypeError(f"{value!r} has entries that are no integers")
    if len(entries) != size:
        raise ValueError(f"{value!r} has {len(entries)} entries, not {size}")
    return entries


def get_arg_spec_name(base_name: str, *args: torch.Tensor | None) -> str:
    """`base_name` with sizes and type of each tensor: ``name_2x3xfloat32_5xint64``; None is "none".

    Raises TypeError for an argument that is neither a tensor nor None.
    """
    parts = [base_name]
    for place, arg in enumerate(args):
        if arg is None:
            parts.append("none")
        elif isinstance(arg, torch.Tensor):
            dtype = str(arg.dtype).removeprefix("torch.")
            parts.append("x".join([*map(str, arg.shape), dtype]))
        else:
            raise TypeError(f"argument {place} is no tensor but of type {type(arg).__name__}")
    return "_".join(parts)


def get_memory_format_permutation(
    t: torch.Tensor, num_dims: int | None = None, *, strict: bool = False
) -> MemoryFormatPermutation | None:
    """How to permute the dimensions of `t`, a fake tensor too, so that it is contiguous.

    Args:
        t: a tensor.
        num_dims: its number of spatial dimensions; without it, two less than it has dimensions.
        strict: raise ValueError where no permutation helps, instead of a warning.

    Returns:
        None if `t` is contiguous as it is and not channels last too, or if no permutation makes it so: it has holes, or
        elements that are many times in it.
    """
    rank = t.dim() - 2 if num_dims is None else num_dims
    memory_format = CHANNELS_LAST_MEMORY_FORMAT.get(rank)
    # First, as it is in torch: with one channel a tensor is both.
    if memory_format is not None and t.is_contiguous(memory_format=memory_format):
        return MemoryFormatPermutation(
            list(CHANNELS_LAST_TO_CONTIGUOUS_PERMUTATION[rank]),
            list(CONTIGUOUS_TO_CHANNELS_LAST_PERMUTATION[rank]),
        )
    if t.is_contiguous():
        return None
    strides = t.stride()
    order = sorted(range(t.dim()), key=lambda dim: -strides[dim])
    if t.permute(order).is_contiguous():
        return MemoryFormatPermutation(order, [order.index(dim) for dim in range(t.dim())])
    problem = f"sizes {tuple(t.shape)} with strides {tuple(strides)} are no permuted dense tensor"
    if strict:
        raise ValueError(problem)
    warnings.warn(f"{problem}: it is taken as contiguous", stacklevel=2)
    return None
