"""Regions of a graph as operators of their own, for backends that compile what lies between them."""

from __future__ import annotations

from torch.fx import GraphModule, Node

from .. import _boo
from ..fusion.apply import fuse
from ..runtime import fallbacks
from . import lowering, rewriting
from .regions import Regions


def regions_transform(gm: GraphModule) -> None:
    """Replaces each region of a graph by an operator ``torch.ops.boo.fused_op_*``, in place. What
    no kernel computes stays, and so do graphs whose sizes are symbols."""
    rewriting.rewrite(gm)
    regions = Regions(gm.graph)
    fallbacks.check({str(node.target): why for node, why in regions.reasons.items()})
    for number in range(regions.count):
        nodes = [
            node
            for node in gm.graph.nodes
            if regions.region_of(node) == number and not node._erased
        ]
        if not nodes or not _is_worth_it(nodes):
            continue
        try:
            fuse(gm, nodes)
        except (_boo.Error, RuntimeError, TypeError, ValueError) as error:
            if fallbacks.are_refused():
                raise
            fallbacks.count(f"a region of {len(nodes)} operators", str(error))
    gm.graph.lint()
    gm.recompile()


def _is_worth_it(nodes: list[Node]) -> bool:
    """Whether an anchor is in the region: lone pointwise operators fuse better with their neighbours
    in the other backend."""
    return any(lowering.schema_name(node) not in _POINTWISE for node in nodes)


_POINTWISE = frozenset(
    f"aten::{name}"
    for name in (
        "_to_copy",
        "abs",
        "add",
        "clamp",
        "div",
        "exp",
        "log",
        "maximum",
        "minimum",
        "mul",
        "neg",
        "pow",
        "reciprocal",
        "relu",
        "rsqrt",
        "sigmoid",
        "sqrt",
        "sub",
        "tanh",
    )
) | {""}
