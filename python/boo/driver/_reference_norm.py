"""Norms and softmaxes of a Graph in torch."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F

__all__ = ["OPS"]

_aten = torch.ops.aten
_NARROW = (torch.bfloat16, torch.float16)


def _wide(made, value, dtype):
    """torch keeps statistics in f32 for narrow inputs if parameters are f32, as a Graph does."""
    return made.view(torch.Tensor.float, value) if dtype in _NARROW and value is not None else value


def _ones(made, like, sizes, dtype):
    wide = torch.float32 if dtype in _NARROW else dtype
    return made.view(torch.Tensor.new_ones, like, list(sizes), dtype=wide)


def _pick(made, results, index):
    return made.view(operator.getitem, results, index)


def _group_norm(made, node, x, weight, bias):
    """A norm whose parameters belong to channels: [1, groups, channels, 1, …]."""
    given, type_ = node.attributes, made.operand_type(node, 0)
    sizes, parameter = type_.sizes, made.operand_type(node, 1).sizes
    if len(sizes) < 3 or parameter[1:3] != sizes[1:3] or _count(parameter) != sizes[1] * sizes[2]:
        return None
    n, groups, each = sizes[:3]
    channels = groups * each
    flat = made.view(torch.flatten, x, 1, 2)
    w, b = (None if p is None else made.view(torch.flatten, p) for p in (weight, bias))
    if not given["stats"]:
        y = made.call(F.group_norm, flat, groups, w, b, given["eps"])
        return [made.view(torch.reshape, y, list(sizes))]
    w, b = (_wide(made, p, type_.dtype) for p in (w, b))
    results = made.call(
        _aten.native_group_norm.default, flat, w, b, n, channels, _count(sizes[3:]), groups,
        given["eps"],
    )  # fmt: skip
    stats = [n, groups, *[1] * (len(sizes) - 2)]
    return [
        made.view(torch.reshape, _pick(made, results, i), s)
        for i, s in enumerate((list(sizes), stats, stats))
    ]


def _count(sizes) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _norm(made, node) -> None:
    given, type_ = node.attributes, made.operand_type(node, 0)
    x, weight, bias = (made.operand(node, i) for i in range(3))
    row = list(type_.sizes[-given["dims"] :])
    dims = list(range(len(type_.sizes) - len(row), len(type_.sizes)))
    rows = all(
        made.operand_type(node, i) is None or list(made.operand_type(node, i).sizes) == row
        for i in (1, 2)
    )
    if given.get("rms"):
        if not rows:
            raise NotImplementedError("torch has no RMS norm with parameters of channels")
        _rms_norm(made, node, x, row, dims, weight)
        return
    if not rows:
        results = _group_norm(made, node, x, weight, bias)
        if results is None or len(type_.sizes) - len(row) != 2:
            raise NotImplementedError("torch has no norm with such parameters")
        made.give(node, *results)
        return
    if not given["stats"]:
        made.give(node, made.call(F.layer_norm, x, row, weight, bias, given["eps"]))
        return
    if weight is None and type_.dtype in _NARROW:
        weight = _ones(made, x, row, type_.dtype)
    weight, bias = (_wide(made, each, type_.dtype) for each in (weight, bias))
    results = made.call(torch.native_layer_norm, x, row, weight, bias, given["eps"])
    made.give(node, *(_pick(made, results, i) for i in range(3)))


def _rms_norm(made, node, x, row, dims, weight) -> None:
    given, dtype = node.attributes, made.operand_type(node, 0).dtype
    bias = made.operand(node, 2)
    y = made.call(F.rms_norm, x, row, weight, given["eps"])
    y = y if bias is None else made.call(torch.add, y, bias)
    stats = []
    if given["stats"]:
        squares = made.call(torch.square, _wide(made, x, dtype))
        mean = made.call(torch.mean, squares, dims, True)
        stats.append(made.call(torch.rsqrt, made.call(torch.add, mean, given["eps"])))
    made.give(node, y, *stats)


def _norm_grad(made, node) -> None:
    given, type_ = node.attributes, made.operand_type(node, 0)
    count = given["dims"]
    row = list(type_.sizes[-count:])
    before = list(range(len(type_.sizes) - count))
    dy, x = made.operand(node, 0), made.operand(node, 1)
    if len(node.operands) == 1:
        made.give(node, made.call(torch.sum, dy, before) if before else dy)
        return
    if given.get("rms"):
        _rms_norm_grad(made, node, row, before)
        return
    weight = made.operand(node, 4)
    if weight is None:
        weight = _ones(made, x, row, type_.dtype)
    weight = _wide(made, weight, type_.dtype)
    wanted = [given["dx"], given["dweight"], given["dbias"]]
    results = made.call(
        _aten.native_layer_norm_backward.default, dy, x, row, made.operand(node, 2),
        made.operand(node, 3), weight, weight, wanted,
    )  # fmt: skip
    made.give(node, *(_pick(made, results, i) for i in range(3) if wanted[i]))


def _rms_norm_grad(made, node, row, before) -> None:
    given, type_ = node.attributes, made.operand_type(node, 0)
    dy, x, rstd, weight = (made.operand(node, i) for i in range(4))
    dy, x, weight = (_wide(made, each, type_.dtype) for each in (dy, x, weight))
    last = list(range(len(before), len(type_.sizes)))
    n = made.call(torch.mul, x, rstd)
    scaled = dy if weight is None else made.call(torch.mul, dy, weight)
    results = []
    if given["dx"]:
        mean = made.call(torch.mean, made.call(torch.mul, scaled, n), last, True)
        inner = made.call(torch.sub, scaled, made.call(torch.mul, n, mean))
        results.append(made.call(torch.mul, rstd, inner))
    if given["dweight"]:
        product = made.call(torch.mul, dy, n)
        results.append(made.call(torch.sum, product, before) if before else product)
    if given["dbias"]:
        results.append(made.call(torch.sum, dy, before) if before else dy)
    made.give(node, *results)


def _spatial(made, node, scale: int, tensors):
    """Tensors of a batch norm with the channels in dimension 1, and their sizes before."""
    sizes, parameter = made.operand_type(node, 0).sizes, made.operand_type(node, scale).sizes
    if len(sizes) > 1 and parameter[0] == 1 and parameter[1:] == sizes[1:]:
        return [made.view(torch.flatten, each, 1) for each in tensors]
    if len(sizes) < 2 or _count(parameter) != sizes[1] or parameter[1] != sizes[1]:
        raise NotImplementedError("torch normalises channels, or each element for itself")
    return tensors


def _batch_norm(made, node) -> None:
    given = node.attributes
    sizes, parameter = made.operand_type(node, 0).sizes, made.operand_type(node, 1).sizes
    (x,) = _spatial(made, node, 1, [made.operand(node, 0)])
    w, b, mean, variance = (
        None if made.operand(node, i) is None else made.view(torch.flatten, made.operand(node, i))
        for i in range(1, 5)
    )
    if mean is None:
        function, running = _aten._native_batch_norm_legit.no_stats, []
    else:
        function, running = _aten._native_batch_norm_legit_functional.default, [mean, variance]
    results = made.call(function, x, w, b, *running, True, given["momentum"], given["eps"])
    picked = [0, *([1, 2] if given["stats"] else []), *([3, 4] if running else [])]
    made.give(node, *(
        made.view(torch.reshape, _pick(made, results, i), list(parameter if i else sizes))
        for i in picked
    ))  # fmt: skip


def _batch_norm_grad(made, node) -> None:
    sizes, parameter = made.operand_type(node, 0).sizes, made.operand_type(node, 4).sizes
    dy, x = _spatial(made, node, 4, [made.operand(node, 0), made.operand(node, 1)])
    mean, rstd, scale = (made.view(torch.flatten, made.operand(node, i)) for i in (2, 3, 4))
    results = made.call(
        _aten.native_batch_norm_backward.default, dy, x, scale, None, None, mean, rstd, True, 0.0,
        [True, True, True],
    )  # fmt: skip
    made.give(node, *(
        made.view(torch.reshape, _pick(made, results, i), list(parameter if i else sizes))
        for i in range(3)
    ))  # fmt: skip


def _softmax(made, node) -> None:
    function = torch.log_softmax if node.attributes["log"] else torch.softmax
    made.give(node, made.call(function, made.operand(node, 0), node.attributes["axis"]))


def _softmax_grad(made, node) -> None:
    log = node.attributes["log"]
    function = _aten._log_softmax_backward_data if log else _aten._softmax_backward_data
    made.give(node, made.call(
        function.default, made.operand(node, 0), made.operand(node, 1), node.attributes["axis"],
        made.operand_type(node, 0).dtype,
    ))  # fmt: skip


OPS = {
    "norm": _norm,
    "norm_grad": _norm_grad,
    "batch_norm": _batch_norm,
    "batch_norm_grad": _batch_norm_grad,
    "softmax": _softmax,
    "softmax_grad": _softmax_grad,
}
