"""Moves changes of shape out of the way of fusion.

A linear layer on a tensor of three dimensions and more is a product of matrices between two views,
which would part it from what follows. Such a view moves behind what reads it: ``op(view(x))`` is
``view(op(x))`` for pointwise operators and norms of rows. Views of views become one, or none.
"""

from __future__ import annotations

import operator

import torch
from torch.fx import Graph, Node

from . import lowering

_VIEW = torch.ops.aten.view.default
_LAYER_NORM = torch.ops.aten.native_layer_norm.default
_AS_STRIDED = torch.ops.aten.as_strided.default

#: Operators that show the elements of a contiguous tensor in other sizes.
_RESHAPES = frozenset(
    (
        _VIEW,
        torch.ops.aten._unsafe_view.default,
        torch.ops.aten.unsqueeze.default,
        torch.ops.aten.squeeze.dim,
        torch.ops.aten.squeeze.dims,
    )
)


def move(graph: Graph) -> None:
    """Rewrites a graph of aten operators; what nobody reads then stays."""
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        if node.target in _RESHAPES:
            _collapse(graph, node)
        elif node.target is _AS_STRIDED:
            _step_past(node)
        elif node.target is _LAYER_NORM:
            _move_behind_norm(graph, node)
        elif torch.Tag.pointwise in getattr(node.target, "tags", ()):
            _move_behind_pointwise(graph, node)


def _sizes(node: Node) -> tuple[int, ...] | None:
    """Those of a contiguous tensor of the CPU's, all known."""
    value = lowering.value_of(node)
    if (
        not isinstance(value, torch.Tensor)
        or value.layout != torch.strided
        or not all(isinstance(size, int) for size in value.shape)
        or not value.is_contiguous()
    ):
        return None
    return tuple(value.shape)


def _source(node: Node) -> Node | None:
    """What a chain of reshapes shows in other sizes."""
    if node.op != "call_function" or node.target not in _RESHAPES:
        return None
    source = node.args[0]
    if _sizes(node) is None or _sizes(source) is None:
        return None
    return _source(source) or source


def _view(graph: Graph, node: Node, sizes: tuple[int, ...]) -> Node:
    if _sizes(node) == sizes:
        return node
    source = _source(node) or node
    if _sizes(source) == sizes:
        return source
    made = graph.call_function(_VIEW, (source, list(sizes)))
    made.meta["val"] = lowering.value_of(source).view(sizes)
    return made


def _collapse(graph: Graph, node: Node) -> None:
    sizes, source = _sizes(node), _source(node)
    if source is None or (source is node.args[0] and _sizes(source) != sizes):
        return
    with graph.inserting_before(node):
        node.replace_all_uses_with(_view(graph, source, sizes))


def _step_past(view: Node) -> None:
    """What computes with a view of a tensor in its own sizes and strides computes with the tensor:
    adaptive pools to a single pixel give that pixel other strides. The program's results keep them.
    """
    source = view.args[0]
    if None is not _placed(view) == _placed(source):
        view.replace_all_uses_with(source, lambda user: user.op != "output")


def _placed(node: Node) -> tuple | None:
    """Where the elements of a tensor of the CPU's lie, all numbers known; a single one along a
    dimension lies there with any stride."""
    value = lowering.value_of(node)
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
        return None
    strides = [stride for size, stride in zip(value.shape, value.stride()) if size != 1]
    placed = (*value.shape, value.storage_offset(), *strides)
    return placed if all(isinstance(each, int) for each in placed) else None


def _inner_sizes(inputs: list[Node], result: Node) -> tuple[int, ...] | None:
    """The sizes in which an operator meets those beside it: a computed tensor that an input shows in
    other sizes has them, or all that read its result look at it in them."""
    for each in inputs:
        source = _source(each)
        if source and source.op == "call_function" and source.target not in lowering.VIEWS:
            return _sizes(source)
    wanted = {_sizes(user) if _source(user) else None for user in result.users}
    return wanted.pop() if len(wanted) == 1 else None


def _move_behind_pointwise(graph: Graph, node: Node) -> None:
    sizes = _sizes(node)
    inner = _inner_sizes([each for each in node.all_input_nodes if _sizes(each) == sizes], node)
    if None in (sizes, inner) or inner == sizes:
        return
    if not _all_move(node.all_input_nodes, sizes, inner):
        return

    def moved(used: Node) -> Node:
        return _view(graph, used, inner) if _sizes(used) == sizes else used

    with graph.inserting_before(node):
        args, kwargs = (torch.fx.map_arg(each, moved) for each in (node.args, node.kwargs))
        made = graph.call_function(node.target, args, kwargs)
        made.meta["val"] = lowering.value_of(node).view(inner)
        node.replace_all_uses_with(_view(graph, made, sizes))


def _all_move(nodes: list[Node], sizes: tuple[int, ...], inner: tuple[int, ...]) -> bool:
    """Whether an operator on these tensors is the same one in sizes `inner`: each has all elements,
    or one, or one for each place along the last dimension."""
    for node in nodes:
        value = lowering.value_of(node)
        if not isinstance(value, torch.Tensor) or value.device.type != "cpu":
            return False
        if _sizes(node) == sizes or value.dim() == 0:
            continue
        row = tuple(value.shape) == (sizes[-1:] if sizes else ())
        if not row or inner[-1:] != sizes[-1:]:
            return False
    return True


def _move_behind_norm(graph: Graph, node: Node) -> None:
    rows = tuple(node.args[1])
    if not all(map(lowering.is_result_of, node.users)):
        return
    result = next((user for user in node.users if user.args[1] == 0), node)
    sizes, inner = _sizes(node.args[0]), _inner_sizes([node.args[0]], result)
    if None in (sizes, inner) or inner == sizes or inner[-len(rows) :] != rows:
        return
    lead, inner_lead = sizes[: -len(rows)], inner[: -len(rows)]
    ones = (1,) * len(rows)
    values = lowering.value_of(node)
    if not inner_lead or not all(each.is_contiguous() for each in values):
        return
    with graph.inserting_before(node):
        source = _view(graph, node.args[0], inner)
        made = graph.call_function(_LAYER_NORM, (source, *node.args[1:]))
        made.meta["val"] = (
            values[0].view(inner),
            *(each.view(inner_lead + ones) for each in values[1:]),
        )
        for user in list(node.users):
            number = user.args[1]
            result = graph.call_function(operator.getitem, (made, number))
            result.meta["val"] = made.meta["val"][number]
            shape = sizes if number == 0 else lead + ones
            user.replace_all_uses_with(_view(graph, result, shape))
