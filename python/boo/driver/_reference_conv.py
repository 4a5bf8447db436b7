"""Convolutions and matrix products of a Graph in torch."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F

__all__ = ["OPS"]

_CONVS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_backward = torch.ops.aten.convolution_backward.default


def _padding(made, attributes, x):
    """The padding that torch's function takes, and its input, padded if the ends differ."""
    low, high = list(attributes["pad_lo"]), list(attributes["pad_hi"])
    if low == high:
        return low, x
    ends = [end for pair in reversed(list(zip(low, high, strict=True))) for end in pair]
    return [0] * len(low), made.call(F.pad, x, ends)


def _is_bias(made, value: int, channels: int) -> bool:
    sizes = made.types[value].sizes
    return len(sizes) > 2 and sizes[1] == channels and all(
        size == 1 for i, size in enumerate(sizes) if i != 1
    )  # fmt: skip


def _conv(made, node) -> None:
    given = node.attributes
    padding, x = _padding(made, given, made.operand(node, 0))
    filter_type = made.operand_type(node, 1)
    sum_, bias = made.bias_of(node) or (None, None)
    if sum_ is not None and not _is_bias(made, bias, filter_type.sizes[0]):
        sum_ = None
    y = made.call(
        _CONVS[len(padding)],
        x,
        made.operand(node, 1),
        None if sum_ is None else made.view(torch.flatten, made.made[bias]),
        list(given["stride"]),
        padding,
        list(given["dilation"]),
        given["groups"],
    )
    made.give(node, y)
    if sum_ is not None:
        made.give(sum_, y)


def _gradient(made, node, dy, x, w, padding, which: int):
    given = node.attributes
    spatial = len(padding)
    mask = [i == which for i in range(3)]
    results = made.call(
        _backward, dy, x, w, None, list(given["stride"]), padding, list(given["dilation"]),
        False, [0] * spatial, given["groups"], mask,
    )  # fmt: skip
    return made.view(operator.getitem, results, which)


def _placeholder(made, like, sizes):
    """A tensor that torch asks for and takes nothing from but its sizes."""
    return made.view(torch.Tensor.expand, made.view(torch.Tensor.new_empty, like, [1]), sizes)


def _grad_input(made, node) -> None:
    given, dy = node.attributes, made.operand(node, 0)
    low, high = list(given["pad_lo"]), list(given["pad_hi"])
    sizes = list(made.types[node.results[0]].sizes)
    padding = low
    if low != high:
        padding = [0] * len(low)
        sizes[2:] = [s + a + b for s, a, b in zip(sizes[2:], low, high, strict=True)]
    x = _placeholder(made, dy, sizes)
    dx = _gradient(made, node, dy, x, made.operand(node, 1), padding, 0)
    if low != high:
        for i, begin in enumerate(low):
            dx = made.view(torch.narrow, dx, 2 + i, begin, given["size"][i])
    made.give(node, dx)


def _grad_weight(made, node) -> None:
    dy = made.operand(node, 0)
    padding, x = _padding(made, node.attributes, made.operand(node, 1))
    w = _placeholder(made, dy, list(made.types[node.results[0]].sizes))
    made.give(node, _gradient(made, node, dy, x, w, padding, 1))


def _matmul(made, node) -> None:
    a, b = made.operand(node, 0), made.operand(node, 1)
    sum_, bias = made.bias_of(node) or (None, None)
    ranks = {len(made.operand_type(node, i).sizes) for i in (0, 1)}
    if sum_ is not None and ranks == {2} and len(made.types[bias].sizes) <= 2:
        y = made.call(torch.addmm, made.made[bias], a, b)
        made.give(sum_, y)
    else:
        y = made.call(torch.matmul, a, b)
    made.give(node, y)


OPS = {
    "conv": _conv,
    "conv_grad_input": _grad_input,
    "conv_grad_weight": _grad_weight,
    "matmul": _matmul,
}
