"""What kernels compute, in a form that they do: before a graph is cut into regions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from torch.fx import GraphModule, Node
from torch.utils import _pytree as pytree

from .. import _boo, _graph
from ..fusion.replacement import inline
from ..ops import graph_program
from ..ops.conv import BY_ATEN
from . import lowering, views

_aten = torch.ops.aten
_NORMS = (_aten._native_batch_norm_legit_no_training.default, _aten.native_batch_norm.default)
_NORM_BACKWARD = _aten.native_batch_norm_backward.default


def rewrite(gm: GraphModule) -> None:
    """Changes the graph in place, its code when that is recompiled.

    BOO's own convolutions, which modules and ``boo_conv`` become, are written by aten's; batch norms
    with running statistics neither give nor take others; changes of shape move out of the way.
    """
    for node in list(gm.graph.nodes):
        if node.target in BY_ATEN:
            with contextlib.suppress(_boo.Unsupported):  # it stays
                inline(node, _form_of(node))
        elif node.target in _NORMS:
            _without_empty_results(gm, node)
        elif node.target is _NORM_BACKWARD and node.args[7] is False:
            # Statistics of the batch, which it does not read.
            node.args = (*node.args[:5], None, None, *node.args[7:])
    views.move(gm.graph)
    gm.graph.eliminate_dead_code()


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


def _without_empty_results(gm: GraphModule, norm: Node) -> None:
    """Results without elements are constants."""
    for _, result in lowering.results_of(norm):
        value = lowering.value_of(result)
        if tuple(value.shape) != (0,):
            continue
        name = f"_boo_empty_{result.name}"
        with graph_program.alone():
            empty = torch.empty(0, dtype=value.dtype, device=value.device)
        gm.register_buffer(name, empty, persistent=False)
        with gm.graph.inserting_before(result):
            made = gm.graph.get_attr(name)
        made.meta = dict(result.meta)
        result.replace_all_uses_with(made)
