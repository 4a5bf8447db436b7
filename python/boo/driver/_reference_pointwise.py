"""Pointwise functions of a Graph in torch, and reductions."""

from __future__ import annotations

import math
import operator

import torch
import torch.nn.functional as F

__all__ = ["translate"]

#: Functions of one or two tensors without parameters.
_PLAIN = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "neg": torch.neg,
    "abs": torch.abs,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "relu": torch.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
}


def _gate(made, x, y, low: float, high: float):
    if low == 0.0 and high == math.inf:
        return made.call(torch.ops.aten.threshold_backward.default, x, y, 0)
    return_zero = made.view(torch.zeros_like, x)
    within = made.call(operator.le, y, high)
    if low != -math.inf:
        within = made.call(operator.and_, within, made.call(operator.gt, y, low))
    return made.call(torch.where, within, x, return_zero)


def _with_parameters(made, fn: str, x: list, given: dict):
    if fn == "gelu_tanh":
        return made.call(F.gelu, x[0], approximate="tanh")
    if fn == "leaky_relu":
        return made.call(F.leaky_relu, x[0], given["slope"])
    if fn == "elu":
        return made.call(F.elu, x[0], given["alpha"])
    if fn == "clamp":
        return made.call(torch.clamp, x[0], given["min"], given["max"])
    if fn == "pow":
        return made.call(torch.pow, x[0], given["exponent"])
    if fn == "gate":
        return _gate(made, *x, given["min"], given["max"])
    if fn == "scale":
        y = x[0] if given["mul"] == 1.0 else made.call(torch.mul, x[0], given["mul"])
        return y if given["add"] == 0.0 else made.call(torch.add, y, given["add"])
    raise NotImplementedError(f"the pointwise function {fn} has no counterpart in torch")


def translate(made, node) -> None:
    fn = node.attributes["fn"]
    operands = [made.operand(node, i) for i in range(len(node.operands))]
    if fn in _PLAIN:
        made.give(node, made.call(_PLAIN[fn], *operands))
    else:
        made.give(node, _with_parameters(made, fn, operands, node.attributes))
