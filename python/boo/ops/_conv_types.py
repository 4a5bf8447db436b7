"""What a convolution's tensors look like: layouts, output sizes, memory formats as eager torch has them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch

from .. import _graph

#: The layouts that sizes are written in when none is given, by number of spatial dimensions.
PLAIN_LAYOUTS = {1: "NCH", 2: "NCHW", 3: "NCDHW"}
CHANNELS_LAST_LAYOUTS = {1: "NHC", 2: "NHWC", 3: "NDHWC"}


class ConvArgs(NamedTuple):
    """Everything of a convolution but its tensors: one entry a spatial dimension."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    #: Layouts of input, kernel and output, or none: plain order, memory format as eager torch's.
    layouts: tuple[str, str, str] | None = None

    @property
    def all_layouts(self) -> tuple[str, str, str]:
        """The plain ones where none are given."""
        return self.layouts or (PLAIN_LAYOUTS[len(self.stride)],) * 3


def spread(value: int | Sequence[int], rank: int, what: str) -> tuple[int, ...]:
    """One entry for each of `rank` spatial dimensions. Raises ValueError for another number of them."""
    if isinstance(value, int):
        return (value,) * rank
    entries = tuple(int(each) for each in value)
    if len(entries) == 1:
        return entries * rank
    if len(entries) != rank:
        raise ValueError(f"{what} has {len(entries)} entries for {rank} spatial dimensions")
    return entries


def layout_order(layout: str, rank: int) -> tuple[int, ...]:
    """For each dimension of the plain layout, where `layout` has it: NHWC gives (0, 3, 1, 2)."""
    plain = PLAIN_LAYOUTS[rank]
    if sorted(layout) != sorted(plain):
        raise ValueError(f"layout {layout!r} is no order of {plain}")
    return tuple(layout.index(letter) for letter in plain)


def given_args(stride, padding, dilation, groups, shared, input, kernel, output, ndim) -> ConvArgs:
    """The arguments of boo_conv, for tensors of `ndim` dimensions. Raises ValueError if they do not fit."""
    rank = ndim - 2
    layouts = None
    if shared is not None or input is not None or kernel is not None or output is not None:
        given = (input or shared, kernel or shared, output or shared)
        if shared is not None and any(
            each is not None and each != shared for each in (input, kernel, output)
        ):
            raise ValueError("shared_layout stands for all three layouts: give it or those")
        lengths = {len(each) for each in given if each is not None}
        if lengths - {ndim}:
            raise ValueError(
                f"a layout of {lengths.pop()} letters for tensors of {ndim} dimensions"
            )
        layouts = tuple(each or PLAIN_LAYOUTS[rank] for each in given)
        for each in layouts:
            layout_order(each, rank)
    return ConvArgs(
        spread(stride, rank, "stride"),
        spread(padding, rank, "padding"),
        spread(dilation, rank, "dilation"),
        int(groups),
        layouts,
    )


def to_layout(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """A tensor in plain order as a view in `layout`."""
    plain = PLAIN_LAYOUTS[tensor.dim() - 2]
    return tensor if layout == plain else tensor.permute([plain.index(each) for each in layout])


def to_plain(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """A tensor in `layout` as a view in plain order."""
    rank = tensor.dim() - 2
    if layout == PLAIN_LAYOUTS[rank]:
        return tensor
    return tensor.permute(layout_order(layout, rank))


def output_sizes(input: Sequence[int], kernel: Sequence[int], args: ConvArgs) -> tuple[int, ...]:
    """Sizes of the result in plain order, from those of input and kernel in plain order."""
    spatial = (
        (size + 2 * pad - dilation * (taps - 1) - 1) // stride + 1
        for size, taps, stride, pad, dilation in zip(
            input[2:], kernel[2:], args.stride, args.padding, args.dilation
        )
    )
    return (input[0], kernel[0], *spatial)


def _is_channels_last(type: _graph.Type) -> bool:
    """torch's Tensor.suggest_memory_format, whose answer depends on strides of dimensions of size 1."""
    rank = len(type.sizes)
    if rank not in (4, 5) or type.strides[1] == 0:
        return False
    least = 0
    for dim in (1, *range(rank - 1, 1, -1), 0):
        size, stride = type.sizes[dim], type.strides[dim]
        if size == 0 or stride < least or (dim == 0 and least == type.strides[1]):
            return False
        least = stride * max(size, 1)
    return True


@functools.cache
def _has_onednn(dtype: torch.dtype) -> bool:
    """Whether torch's convolutions of this type are oneDNN's on this machine."""
    if not torch.backends.mkldnn.is_available():
        return False
    if dtype == torch.bfloat16:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if dtype == torch.float16:
        return torch.ops.mkldnn._is_mkldnn_fp16_supported()
    return dtype in (torch.float32, torch.complex64)  # which is computed as two real ones


def eager_output_strides(
    input: _graph.Type, kernel: _graph.Type, sizes: Sequence[int]
) -> tuple[int, ...]:
    """Strides of what torch.nn.functional.convNd returns on the CPU: channels last if input or
    kernel is; in three dimensions only where oneDNN computes it."""
    last = _is_channels_last(input) or _is_channels_last(kernel)
    if len(sizes) == 5 and not _has_onednn(input.dtype):
        last = False
    if not last:
        return _graph.contiguous_strides(sizes)
    return _graph.strides_in_order(sizes, (0, *range(2, len(sizes)), 1))


class ConvTypes(NamedTuple):
    """The tensors of a convolution, in plain order, and the result as Python sees it."""

    input: _graph.Type
    kernel: _graph.Type
    output: _graph.Type
    result: _graph.Type


def conv_types(input: _graph.Type, kernel: _graph.Type, args: ConvArgs) -> ConvTypes:
    """Raises ValueError for tensors that no convolution takes."""
    rank = len(input.sizes) - 2
    if rank not in PLAIN_LAYOUTS or len(kernel.sizes) != rank + 2:
        raise ValueError(
            f"a convolution takes tensors of 3, 4 or 5 dimensions, not {len(input.sizes)}"
            f" and {len(kernel.sizes)}"
        )
    if input.dtype != kernel.dtype:
        raise ValueError(f"the input is {input.dtype} and the kernel {kernel.dtype}")
    if args.layouts is None:
        sizes = output_sizes(input.sizes, kernel.sizes, args)
        made = _graph.Type(input.dtype, sizes, eager_output_strides(input, kernel, sizes))
        types = ConvTypes(input, kernel, made, made)
    else:
        orders = [layout_order(layout, rank) for layout in args.layouts]
        plain_in, plain_kernel = input.permuted(orders[0]), kernel.permuted(orders[1])
        sizes = output_sizes(plain_in.sizes, plain_kernel.sizes, args)
        back = [orders[2].index(dim) for dim in range(rank + 2)]
        own = tuple(sizes[dim] for dim in back)
        result = _graph.Type(input.dtype, own, _graph.contiguous_strides(own))
        types = ConvTypes(plain_in, plain_kernel, result.permuted(orders[2]), result)
    if types.input.sizes[1] != types.kernel.sizes[1] * args.groups:
        raise ValueError(
            f"the input has {types.input.sizes[1]} channels; the kernel takes"
            f" {types.kernel.sizes[1]} in each of {args.groups} groups"
        )
    return types


def gradient_type(sizes: tuple[int, ...], other: _graph.Type, args: ConvArgs) -> _graph.Type:
    """The gradient of an operand of these sizes, beside the other operand: channels last if that is,
    as eager torch's, or contiguous in its layout."""
    made = _graph.Type(other.dtype, sizes, _graph.contiguous_strides(sizes))
    if args.layouts is not None:
        return made
    return made._replace(strides=eager_output_strides(other, made, sizes))


def _written(type: _graph.Type, layout: str | None) -> tuple[tuple[int, ...], str]:
    """The sizes in the order of memory and the layout, channels last or plain if none is given."""
    if layout is not None:
        return type.sizes, layout
    rank = len(type.sizes) - 2
    order = (0, *range(2, rank + 2), 1)
    dense = zip(type.sizes, type.strides, _graph.strides_in_order(type.sizes, order))
    plain = zip(type.sizes, type.strides, _graph.contiguous_strides(type.sizes))
    lies_plain, lies_last = (
        all(size == 1 or own == wanted for size, own, wanted in each) for each in (plain, dense)
    )
    if lies_last and not lies_plain:
        return tuple(type.sizes[i] for i in order), CHANNELS_LAST_LAYOUTS[rank]
    return type.sizes, PLAIN_LAYOUTS[rank]


def conv_name(
    mode: str | int,
    x: _graph.Type,
    w: _graph.Type,
    y: _graph.Type,
    args: ConvArgs,
    bias: bool = False,
) -> str:
    """The name that a signature of the same convolution has, of a mode as Mode.parse takes it; types
    are as a caller has them."""
    from ..op_exports.conv import get_conv_func_name  # loads all signatures, which a user may not

    given = args.layouts or (None, None, None)
    x_sizes, x_layout = _written(x, given[0])
    w_sizes, w_layout = _written(w, given[1])
    _, y_layout = _written(y, given[2])
    return get_conv_func_name(
        x_sizes, w_sizes, x.dtype, mode, bias, args.stride, args.padding, args.dilation,
        args.groups, x_layout, w_layout, y_layout,
    )  # fmt: skip
