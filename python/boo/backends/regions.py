"""Cuts an FX graph into regions, each of which becomes one Graph and is launched at once.

A node that a kernel can compute has a level: that of the nodes whose results it uses directly, and
one more where such a result reaches it through something that torch computes. Nodes of one level
are a region: nothing that torch computes lies between them, so no cut can make a cycle.
"""

from __future__ import annotations

import torch
from torch.fx import Graph, Node

from .. import _boo
from ..ops.conv import BY_ATEN
from . import lowering


class Regions:
    """Which nodes of a graph run in which region, and why others do not."""

    def __init__(self, graph: Graph, refuse: dict[Node, str] | None = None) -> None:
        #: Why torch computes a node; views, results of other nodes and BOO's own operators are not
        #: listed.
        self.reasons: dict[Node, str] = dict(refuse or {})
        self._level: dict[Node, int] = {}
        self._inside: set[Node] = set()
        self._outside_alone: set[Node] = set()
        self._random_level = 0
        self._least_level = 0
        for node in graph.nodes:
            self._place(node)
        self.count = 1 + max((self._level[node] for node in self._inside), default=-1)

    def _place(self, node: Node) -> None:
        if lowering.is_result_of(node):
            source = node.args[0]
            self._level[node] = self._level[source]
            if source in self._inside:
                self._inside.add(node)
            return
        inside = self._serves(node)
        level = self._least_level
        for used in node.all_input_nodes:
            # What torch computes from a region's result comes behind that region.
            behind = used in self._inside and (not inside or used in self._outside_alone)
            level = max(level, self._level[used] + behind)
        if not inside and _writes(node):
            # Behind every region so far, and before all that follows.
            level = 1 + max((self._level[each] for each in self._inside), default=-1)
            level = self._least_level = max(level, self._least_level)
        if not inside and _is_random(node):
            level = self._random_level = max(level, self._random_level)
        self._level[node] = level
        if inside:
            self._inside.add(node)

    def _serves(self, node: Node) -> bool:
        if node.op != "call_function" or node in self.reasons:
            return False
        if node.target in lowering.VIEWS or node.target in BY_ATEN:
            return False
        try:
            self._outside_alone.update(lowering.check(node))
        except (_boo.Unsupported, ValueError, RuntimeError) as error:
            self.reasons[node] = str(error)
            return False
        return True

    def region_of(self, node: Node) -> int | None:
        """The number of its region, or None if torch computes it."""
        return self._level[node] if node in self._inside else None

    def turn_of(self, node: Node) -> int:
        """Of a node that torch computes: the region before which it can run."""
        return self._level[node]

    def nodes_of(self, graph: Graph, region: int) -> list[Node]:
        """The nodes of a region, in order, those that take results of others left out."""
        return [
            node
            for node in graph.nodes
            if self.region_of(node) == region and not lowering.is_result_of(node)
        ]


def _writes(node: Node) -> bool:
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def _is_random(node: Node) -> bool:
    target = node.target
    return (
        isinstance(target, torch._ops.OpOverload)
        and torch.Tag.nondeterministic_seeded in target.tags
    )
