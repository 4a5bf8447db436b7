"""Finds what is fused with a node: its producers and consumers, without ever making a cycle."""

from __future__ import annotations

import operator
from collections import deque

import torch
from torch.fx import Graph, Node

from .schema import OpFusionSpec


class Barriers:
    """Nodes whose order counts: they write to memory or draw random numbers. No subgraph reaches
    across one."""

    def __init__(self, graph: Graph) -> None:
        self._passed: dict[Node, int] = {}
        passed = 0
        for node in graph.nodes:
            passed += _keeps_order(node)
            self._passed[node] = passed

    def between(self, first: Node, second: Node) -> bool:
        return self._passed[first] != self._passed[second]

    def add(self, node: Node, like: Node) -> None:
        """A new node stands where `like` does."""
        self._passed[node] = self._passed[like]


def _keeps_order(node: Node) -> bool:
    if node.op in ("call_module", "call_method"):
        return True
    if not isinstance(node.target, torch._ops.OpOverload):
        return node.op == "call_function" and node.target is not operator.getitem
    return node.target._schema.is_mutable or torch.Tag.nondeterministic_seeded in node.target.tags


def _makes_cycle(members: set[Node], node: Node, graph: Graph) -> bool:
    """Whether a path leads from the members with `node` out of them and back into them."""
    if all(used in members or used.op in ("placeholder", "get_attr") for used in
           node.all_input_nodes):  # fmt: skip
        return False
    if all(user in members for user in node.users):
        return False
    inside = {*members, node}
    seen: set[Node] = set()
    ahead = [user for each in inside for user in each.users if user not in inside]
    while ahead:
        each = ahead.pop()
        if each in inside:
            return True
        if each not in seen:
            seen.add(each)
            ahead.extend(each.users)
    return False


def find(root: Node, spec: OpFusionSpec, barriers: Barriers) -> list[Node]:
    """The root with what is fused with it, in the graph's order.

    Producers come first, then consumers, each as far as the graph allows it: a candidate through
    which a path would leave the subgraph and come back stays outside.
    """
    members = {root}

    def joins(node: Node) -> bool:
        return (
            node not in members
            and not barriers.between(root, node)
            and not _makes_cycle(members, node, root.graph)
        )

    ahead = deque([root])
    while ahead:
        node = ahead.popleft()
        for used in node.all_input_nodes:
            if spec.is_fusable_producer(used) and joins(used):
                members.add(used)
                if spec.recursive:
                    ahead.append(used)
    ahead = deque(node for node in root.graph.nodes if node in members)
    while ahead:
        node = ahead.popleft()
        for user in list(node.users):
            # What takes one of several results belongs to the node that has them.
            taken = user.target is operator.getitem
            if spec.is_fusable_consumer(user) and joins(user):
                members.add(user)
                if spec.recursive or taken:
                    ahead.append(user)
    return [node for node in root.graph.nodes if node in members]
