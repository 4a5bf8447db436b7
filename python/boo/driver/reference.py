"""Graphs in torch: what the driver's torch backends run.

A Graph becomes a torch.fx.GraphModule, straight-line code that calls one function of torch for each
node, or for a node and its tail where torch has a function for both: what a user of torch would have
written, so that torch's time is fair. ops/<op>/Reference.h says what each op means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import fx

from .. import _boo
from . import _reference_attention, _reference_conv, _reference_norm, _reference_pool
from . import _reference_pointwise as pointwise

__all__ = ["Type", "translate"]


class Type(NamedTuple):
    """A tensor of the Graph: its dtype, sizes and element strides."""

    dtype: torch.dtype
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


class Node(NamedTuple):
    """A node of the Graph: operands and results are numbers of values, -1 an absent operand."""

    op: str
    operands: Sequence[int]
    results: Sequence[int]
    attributes: dict[str, Any]


class Translation:
    """The Graph, and the code that grows of it."""

    def __init__(self, text: str) -> None:
        graph = _boo.read_graph(text)
        self.types = [
            Type(getattr(torch, dtype), tuple(sizes), tuple(strides))
            for dtype, sizes, strides, _ in graph["values"]
        ]
        self.nodes = [Node(*each) for each in graph["nodes"]]
        self.arguments = list(graph["arguments"])
        self.outputs = [value for value, _ in graph["outputs"]]
        if any(size < 0 for type in self.types for size in type.sizes):
            raise NotImplementedError("sizes that are symbols have no values here")
        self.code = fx.Graph()
        self.made: dict[int, fx.Node] = {
            value: self.code.placeholder(f"x{i}") for i, value in enumerate(self.arguments)
        }
        self.calls: list[str] = []

    def call(self, function, *args, **kwargs) -> fx.Node:
        """A call of the code, told in reports."""
        name = getattr(function, "__name__", str(function))
        self.calls.append(str(function) if "OpOverload" in type(function).__name__ else name)
        return self.code.call_function(function, args, kwargs)

    def view(self, function, *args, **kwargs) -> fx.Node:
        """A call that moves no data, or picks one of several results."""
        return self.code.call_function(function, args, kwargs)

    def operand(self, node: Node, index: int) -> fx.Node | None:
        """The code's value for an operand, None for an absent one."""
        if index >= len(node.operands) or node.operands[index] < 0:
            return None
        return self.made[node.operands[index]]

    def operand_type(self, node: Node, index: int) -> Type | None:
        if index >= len(node.operands) or node.operands[index] < 0:
            return None
        return self.types[node.operands[index]]

    def give(self, node: Node, *values: fx.Node) -> None:
        """The results of a node, in its order."""
        self.made.update(zip(node.results, values, strict=True))

    def only_user(self, value: int) -> Node | None:
        """The node that uses a value, if there is but one and the value is no result."""
        users = [node for node in self.nodes if value in node.operands]
        if value in self.outputs or len(users) != 1:
            return None
        return users[0]

    def bias_of(self, node: Node) -> tuple[Node, int] | None:
        """The sum that is all that happens to a node's result, and the other value in it."""
        (value,) = node.results
        user = self.only_user(value)
        if user is None or user.op != "pointwise" or user.attributes["fn"] != "add":
            return None
        other = [each for each in user.operands if each != value]
        if len(other) != 1 or other[0] not in self.made:
            return None
        return user, other[0]


def _mlir(made: Translation, node: Node) -> None:
    raise NotImplementedError("an mlir node holds a module that torch cannot run")


def _cast(made: Translation, node: Node) -> None:
    x = made.operand(node, 0)
    made.give(node, made.call(torch.Tensor.to, x, getattr(torch, node.attributes["to"])))


def _pad(made: Translation, node: Node) -> None:
    borders = [
        each
        for pair in reversed(list(zip(node.attributes["lo"], node.attributes["hi"], strict=True)))
        for each in pair
    ]
    value = node.attributes["value"]
    x = made.operand(node, 0)
    made.give(node, made.call(torch.nn.functional.pad, x, borders, value=value))


_OPS = {
    "mlir": _mlir,
    "cast": _cast,
    "pad": _pad,
    "pointwise": pointwise.translate,
    **_reference_attention.OPS,
    **_reference_conv.OPS,
    **_reference_norm.OPS,
    **_reference_pool.OPS,
}


def translate(text: str) -> tuple[fx.GraphModule, list[str]]:
    """A Graph's text as a module, and the functions that it calls, in order.

    The module takes the Graph's arguments and returns its outputs as a tuple. Its results have the
    Graph's sizes; their strides, and the dtype of an output that torch computes in another, are as
    torch makes them.

    Raises:
        NotImplementedError: torch has no function for a node, or the node is `mlir`.
    """
    made = Translation(text)
    for node in made.nodes:
        if node.results[0] in made.made:
            continue  # with the node before it
        if node.op not in _OPS:
            raise NotImplementedError(f"{node.op} has no function in torch that is known here")
        _OPS[node.op](made, node)
    made.code.output(tuple(made.made[value] for value in made.outputs))
    made.code.eliminate_dead_code()
    return fx.GraphModule(torch.nn.Module(), made.code), made.calls
