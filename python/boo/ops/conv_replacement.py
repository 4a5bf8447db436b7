"""aten's convolution and its gradients, written with BOO's operators, for graphs and tracing."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import _graph
from ._conv_types import (
    CHANNELS_LAST_LAYOUTS,
    PLAIN_LAYOUTS,
    ConvArgs,
    conv_types,
    eager_output_strides,
    spread,
    to_layout,
    to_plain,
)

__all__ = ["convolution_backward_replacement", "convolution_replacement"]


def _layout(rank: int, sizes: Sequence[int], strides: Sequence[int]) -> str:
    """The layout in which a dense tensor of these strides is contiguous: channels last, or plain."""
    order = (0, *range(2, rank + 2), 1)
    wanted = _graph.strides_in_order(sizes, order)
    plain = _graph.contiguous_strides(sizes)
    differs = [dim for dim in range(rank + 2) if sizes[dim] > 1 and plain[dim] != strides[dim]]
    last = all(size <= 1 or wanted[dim] == strides[dim] for dim, size in enumerate(sizes))
    return (CHANNELS_LAST_LAYOUTS if differs and last else PLAIN_LAYOUTS)[rank]


def _args(rank: int, stride, padding, dilation, groups: int) -> ConvArgs:
    return ConvArgs(
        spread(stride, rank, "stride"),
        spread(padding, rank, "padding"),
        spread(dilation, rank, "dilation"),
        int(groups),
    )


def convolution_replacement(
    x: torch.Tensor,
    w: torch.Tensor,
    b: torch.Tensor | None,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
    output_is_channels_last: bool | None = None,
) -> torch.Tensor:
    """A convolution by ``torch.ops.boo.layout_customizable_convolution``, in the layouts that the
    tensors have in memory.

    Args:
        x, w, b: sizes (N, C, …), (K, C / groups, …) and (K,), or no `b`.
        stride, padding, dilation: one number, or one a spatial dimension.
        groups: how many groups the channels are split into.
        output_is_channels_last: how the result lies in memory; None: as eager torch's.

    Returns:
        Sizes (N, K, …). Raises ValueError for tensors that no convolution takes.
    """
    rank = x.dim() - 2
    args = _args(rank, stride, padding, dilation, groups)
    x_layout, w_layout = (_layout(rank, each.shape, each.stride()) for each in (x, w))
    if output_is_channels_last is None:
        made = conv_types(_graph.type_of(x), _graph.type_of(w), args).output
        y_layout = _layout(rank, made.sizes, made.strides)
    else:
        y_layout = (CHANNELS_LAST_LAYOUTS if output_is_channels_last else PLAIN_LAYOUTS)[rank]
    y = torch.ops.boo.layout_customizable_convolution(
        to_layout(x, x_layout), to_layout(w, w_layout), b,
        args.stride, args.padding, args.dilation, args.groups, x_layout, w_layout, y_layout,
    )  # fmt: skip
    return to_plain(y, y_layout)


def convolution_backward_replacement(
    grad_output: torch.Tensor,
    x: torch.Tensor,
    w: torch.Tensor,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
    mask: Sequence[bool],
) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
    """The gradients of input, weight and bias, those that `mask` asks for, by
    ``torch.ops.boo.layout_customizable_convolution_backward``; strides are eager torch's."""
    rank = x.dim() - 2
    args = _args(rank, stride, padding, dilation, groups)
    types = [_graph.type_of(each) for each in (x, w)]
    # The operator's results are contiguous in the layouts of x and w, whose own strides are free.
    x_layout, w_layout = (
        _layout(rank, each.sizes, eager_output_strides(*types, each.sizes)) for each in types
    )
    g_layout = _layout(rank, grad_output.shape, grad_output.stride())
    gx, gw, gb = torch.ops.boo.layout_customizable_convolution_backward(
        to_layout(grad_output, g_layout), to_layout(x, x_layout),
        to_layout(w, w_layout), args.stride, args.padding, args.dilation, args.groups,
        x_layout, w_layout, g_layout, list(mask),
    )  # fmt: skip
    return (
        to_plain(gx, x_layout) if mask[0] else None,
        to_plain(gw, w_layout) if mask[1] else None,
        gb if mask[2] else None,
    )
