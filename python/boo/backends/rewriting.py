"""What kernels compute, in a form that they do: before a graph is cut into regions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from torch.fx import GraphModule, Node
from torch.utils import _pytree as pytree

from .. import _boo, _graph
from ..fusion.replacement import inline
from ..ops.conv import BY_ATEN
from . import lowering


def rewrite(gm: GraphModule) -> None:
    """Changes the graph in place: BOO's own convolutions, which modules and ``boo_conv`` become, are
    written by aten's."""
    changed = False
    for node in list(gm.graph.nodes):
        if node.target in BY_ATEN:
            with contextlib.suppress(_boo.Unsupported):  # it stays
                inline(node, _form_of(node))
                changed = True
    if changed:
        gm.graph.eliminate_dead_code()
        gm.recompile()


def _form_of(node: Node) -> Callable:
    """The node by aten's operators. Raises Unsupported, or does so when traced, where sizes are
    symbols or results would have to be copied to where the node has them."""
    if _graph.has_symbols(map(lowering.value_of, node.all_input_nodes)):
        raise _boo.Unsupported("has sizes that are symbols")

    def traced(*args):
        made = BY_ATEN[node.target](*args)
        if _placed(made) != _placed(lowering.value_of(node)):
            raise _boo.Unsupported("lies otherwise in memory")
        return made

    return traced


def _placed(results) -> list[list[tuple[int, int]]]:
    """Sizes and strides of each tensor, but those of single elements."""
    tensors = [each for each in pytree.tree_leaves(results) if each is not None]
    return [[pair for pair in zip(each.shape, each.stride()) if pair[0] != 1] for each in tensors]
