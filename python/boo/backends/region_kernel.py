"""The kernel of a region: its Graph, and what is passed to it and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.fx import Node

from .. import _boo, _graph
from ..runtime import kernels
from . import lowering


class RegionKernel(NamedTuple):
    kernel: _boo.Kernel
    arguments: list[Node]  # those that a call gives
    results: list[Node]


def _root(node: Node) -> Node:
    """The tensor whose memory a chain of views shows, from its first element on."""
    while node.target in lowering.VIEWS:
        source = node.args[0]
        if not isinstance(source, Node) or not lowering.is_tensor(source):
            break
        mine, his = lowering.value_of(node), lowering.value_of(source)
        if mine.storage_offset() != his.storage_offset() or mine.dtype != his.dtype:
            break
        try:
            if _span(lowering.type_of(node)) != _span(lowering.type_of(source)):
                break
        except _boo.Unsupported:
            break
        node = source
    return node


def _span(type: _graph.Type) -> int:
    """Elements from the first to the last in memory."""
    return 1 + sum((size - 1) * stride for size, stride in zip(type.sizes, type.strides))


_CONVOLUTIONS = frozenset(
    (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default)
)


def _channels_last(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return _graph.strides_in_order(sizes, (0, *range(2, len(sizes)), 1))


def build(nodes: Sequence[Node], constants: dict[Node, torch.Tensor]) -> RegionKernel:
    """Compiles the nodes, or finds their kernels in the cache; values in `constants` are packed and
    bound to the kernel. Raises Unsupported, ValueError or boo.Error."""
    importer = _boo.AtenImport()
    inside = set(nodes)
    values: dict[Node, object] = {}
    roots: list[Node] = []

    def operand(used: Node):
        if used not in values:
            known = used in constants
            values[used] = importer.argument(*lowering.type_of(used).spec, constant=known)
            roots.append(used if known else _root(used))
        return values[used]

    # What no one outside sees lies as convolutions read and write it fastest.
    convolves = any(node.target in _CONVOLUTIONS for node in nodes)
    results: list[Node] = []
    for node in nodes:
        made = lowering.add_node(importer, node, operand)
        for number, result in lowering.results_of(node):
            values[result] = lowering.as_traced(importer, made[number], result)
            if any(user not in inside for user in result.users):
                lowering.lay_out(importer, values[result], result)
                importer.output(values[result])
                results.append(result)
            elif convolves and len(sizes := lowering.type_of(result).sizes) in (4, 5):
                importer.lay_out(values[result], _channels_last(sizes))
    graph, sources = importer.finish()
    arguments = [roots[source] for source in sources]
    kernel = kernels.make(
        graph,
        arguments=[lowering.type_of(each).spec for each in arguments],
        results=[lowering.type_of(each).spec for each in results],
        constants=any(each in constants for each in arguments),
    )
    bound = [(i, constants[each]) for i, each in enumerate(arguments) if each in constants]
    if bound:
        kernel.bind_constants(bound)
    free = [each for each in arguments if each not in constants]
    return RegionKernel(kernel, free, results)
