"""Poolings and reductions of a Graph in torch."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F

__all__ = ["OPS"]

_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAX_BACKWARD = {
    2: torch.ops.aten.max_pool2d_with_indices_backward.default,
    3: torch.ops.aten.max_pool3d_with_indices_backward.default,
}
_AVERAGE_BACKWARD = {
    2: torch.ops.aten.avg_pool2d_backward.default,
    3: torch.ops.aten.avg_pool3d_backward.default,
}


def _takes_padding(given) -> bool:
    """Whether torch's functions take the padding: equal ends, at most half a window."""
    return list(given["pad_lo"]) == list(given["pad_hi"]) and all(
        2 * pad <= window for pad, window in zip(given["pad_lo"], given["window"], strict=True)
    )


def _ends(given) -> list[int]:
    pairs = reversed(list(zip(given["pad_lo"], given["pad_hi"], strict=True)))
    return [end for pair in pairs for end in pair]


def _max_pool(made, node, x):
    given = node.attributes
    spatial, padding = len(given["window"]), list(given["pad_lo"])
    if not _takes_padding(given):
        if given["indices"] or given["ceil"]:
            raise NotImplementedError("torch has no maximum with such a padding")
        x = made.call(F.pad, x, _ends(given), value=float("-inf"))
        padding = [0] * spatial
    return made.call(
        _MAX[spatial], x, list(given["window"]), list(given["stride"]), padding,
        list(given["dilation"]), given["ceil"], given["indices"],
    )  # fmt: skip


def _average_pool(made, node, x):
    given = node.attributes
    if any(each != 1 for each in given["dilation"]):
        raise NotImplementedError("torch has no average of dilated windows")
    average = _AVERAGE[len(given["window"])]
    window, stride = list(given["window"]), list(given["stride"])
    inside = given["fn"] == "avg"
    if _takes_padding(given):
        return made.call(
            average, x, window, stride, list(given["pad_lo"]), given["ceil"], not inside
        )
    if given["ceil"]:
        raise NotImplementedError("torch has no average with such a padding")
    y = made.call(average, made.call(F.pad, x, _ends(given)), window, stride)
    if not inside:
        return y
    ones = made.call(F.pad, made.call(torch.ones_like, x), _ends(given))
    return made.call(torch.div, y, made.call(average, ones, window, stride))


def _pool(made, node) -> None:
    x = made.operand(node, 0)
    if node.attributes["fn"] != "max":
        made.give(node, _average_pool(made, node, x))
        return
    y = _max_pool(made, node, x)
    if node.attributes["indices"]:
        made.give(node, *(made.view(operator.getitem, y, i) for i in range(2)))
    else:
        made.give(node, y)


def _pool_grad(made, node) -> None:
    given, dy = node.attributes, made.operand(node, 0)
    sizes = list(made.types[node.results[0]].sizes)
    spatial, maximum = len(given["window"]), given["fn"] == "max"
    if not maximum and (not _takes_padding(given) or any(d != 1 for d in given["dilation"])):
        raise NotImplementedError("torch has no gradient of such an average")
    if maximum and (spatial == 1 or not _takes_padding(given)):
        rows = [*sizes[:2], -1]
        zeros = made.call(torch.Tensor.new_zeros, dy, [*sizes[:2], _product(sizes[2:])])
        index = made.view(torch.reshape, made.operand(node, 1), rows)
        grad = made.call(torch.scatter_add, zeros, 2, index, made.view(torch.reshape, dy, rows))
        made.give(node, made.view(torch.reshape, grad, sizes))
        return
    lists = [list(given[name]) for name in ("window", "stride", "pad_lo")]
    line = spatial == 1
    if line:
        dy, sizes = made.view(torch.unsqueeze, dy, 2), [*sizes[:2], 1, *sizes[2:]]
        lists = [[first, *each] for first, each in zip((1, 1, 0), lists, strict=True)]
    x = made.view(torch.Tensor.expand, made.view(torch.Tensor.new_empty, dy, [1]), sizes)
    if maximum:
        dx = made.call(
            _MAX_BACKWARD[spatial], dy, x, *lists, list(given["dilation"]), given["ceil"],
            made.operand(node, 1),
        )  # fmt: skip
    else:
        inside = given["fn"] == "avg"
        dx = made.call(
            _AVERAGE_BACKWARD[max(spatial, 2)], dy, x, *lists, given["ceil"], not inside, None
        )
    made.give(node, made.view(torch.squeeze, dx, 2) if line else dx)


def _product(sizes) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _reduce(made, node) -> None:
    given, rank = node.attributes, len(made.operand_type(node, 0).sizes)
    x, fn, keep = made.operand(node, 0), given["fn"], given["keep"]
    dims = given["dims"]
    dims = list(range(rank - dims, rank)) if isinstance(dims, int) else list(dims)
    if fn == "prod":  # torch takes one dimension at a time
        for dim in reversed(dims):
            x = made.call(torch.prod, x, dim, keep)
    elif fn in ("sum", "mean"):
        x = made.call(getattr(torch, fn), x, dims, keep)
    elif fn in ("norm1", "norm2"):
        x = made.call(torch.linalg.vector_norm, x, int(fn[-1]), dims, keep)
    else:
        x = made.call(torch.abs, x) if fn == "amax" else x
        x = made.call(torch.amin if fn == "min" else torch.amax, x, dims, keep)
    made.give(node, x)


def _argreduce(made, node) -> None:
    given, sizes = node.attributes, made.operand_type(node, 0).sizes
    x, keep, count = made.operand(node, 0), given["keep"], given["dims"]
    if count > 1:
        x = made.view(torch.flatten, x, len(sizes) - count)
    dim = len(sizes) - count
    if given["values"]:
        both = made.call(torch.max if given["fn"] == "max" else torch.min, x, dim, keep)
        results = [made.view(operator.getitem, both, i) for i in (1, 0)]
    else:
        results = [made.call(getattr(torch, "arg" + given["fn"]), x, dim, keep)]
    if keep and count > 1:
        shape = [*sizes[:dim], *[1] * count]
        results = [made.view(torch.reshape, each, shape) for each in results]
    made.give(node, *results)


OPS = {"pool": _pool, "pool_grad": _pool_grad, "reduce": _reduce, "argreduce": _argreduce}
