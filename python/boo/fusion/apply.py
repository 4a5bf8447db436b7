"""The transform of a graph: subgraphs found, rewritten, and replaced by operators of BOO's."""

from __future__ import annotations

import operator

import torch
from torch.fx import Graph, GraphModule, Node

from .. import _boo
from ..ops import get_custom_graph_op, graph_program
from ..ops.graph import fused_op
from ..runtime import fallbacks
from ..runtime.log import log
from . import replacement, subgraph
from .replacement import ReplacementSchema
from .schema import (
    DEFAULT_POST_DECOMPOSITION_REPLACEMENTS,
    DEFAULT_POST_FUSION_REPLACEMENTS,
    DEFAULT_SUPPORTED_BOO_FUSIONS,
    FusionSchema,
)


class _LeftAlone(Exception):
    """A subgraph that does not become an operator, and why."""


def _tensor_of(node: Node) -> torch.Tensor:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        raise _LeftAlone(f"{node.name} is no tensor")
    if not all(isinstance(each, int) for each in (*value.shape, *value.stride())):
        raise _LeftAlone(f"{node.name} has sizes that are symbols")
    return value


def _inputs_of(nodes: list[Node]) -> list[Node]:
    members = set(nodes)
    inputs = dict.fromkeys(
        used for node in nodes for used in node.all_input_nodes if used not in members
    )
    return list(inputs)


def _outputs_of(nodes: list[Node]) -> list[Node]:
    """The tensors that are used outside."""
    members = set(nodes)
    outside = [
        node
        for node in nodes
        if any(user not in members for user in node.users) and node.meta.get("val") is not None
    ]
    for node in outside:
        _tensor_of(node)
    return outside


def _extract(nodes: list[Node], inputs: list[Node], outputs: list[Node]) -> GraphModule:
    graph = Graph()
    copies: dict[Node, Node] = {}
    for node in inputs:
        copies[node] = graph.placeholder(node.name)
        copies[node].meta["val"] = _tensor_of(node)
    for node in nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(tuple(copies[node] for node in outputs))
    return GraphModule(torch.nn.Module(), graph)


def _types(values) -> list[tuple]:
    """What tells tensors apart for those who use them: strides of single elements do not."""
    return [
        (
            value.dtype,
            tuple(value.shape),
            tuple(step for size, step in zip(value.shape, value.stride()) if size > 1),
        )
        for value in values
    ]


def _traced(gm: GraphModule, args: list[torch.Tensor]) -> GraphModule:
    """Named by its operators, with fake tensors at each node."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    with graph_program.alone(), FakeTensorMode():
        given = [
            torch.empty_strided(each.shape, each.stride(), dtype=each.dtype, device=each.device)
            for each in args
        ]
        return make_fx(gm)(*given)


def _operator(
    gm: GraphModule,
    args: list[torch.Tensor],
    single_dispatch: bool,
    post_fusion: ReplacementSchema,
    post_decomposition: ReplacementSchema,
) -> torch._ops.OpOverload:
    """The operator of a subgraph, rewritten as the lists say as long as its results stay as they are:
    what was traced behind it relies on their types and strides."""
    wanted = _types(node.meta["val"] for node in gm.graph.find_nodes(op="output")[0].args[0])
    tried = [(post_fusion, post_decomposition)]
    if post_fusion or post_decomposition:
        tried.append(({}, {}))
    for before, behind in tried:
        changed = _copy(gm)
        replacement.apply(changed, before)
        traced = _traced(changed, args)
        replacement.apply(traced, behind)
        op = get_custom_graph_op(traced, force_single_dispatch=single_dispatch)
        made = _types(fused_op(op).results(args))
        if made == wanted:
            return op
        log.info("%s would give %s, not %s", op, made, wanted)
    raise ValueError(f"compiled, the results are {made}, not {wanted}")


def _copy(gm: GraphModule) -> GraphModule:
    graph = Graph()
    graph.output(graph.graph_copy(gm.graph, {}))
    return GraphModule(torch.nn.Module(), graph)


def fuse(
    gm: GraphModule,
    nodes: list[Node],
    *,
    single_dispatch: bool = False,
    post_fusion_replacements: ReplacementSchema | None = None,
    post_decomposition_replacements: ReplacementSchema | None = None,
) -> Node | None:
    """Replaces nodes, in the graph's order and no cycle when taken together, by a call of one operator.

    Returns the call, or None where they are left as they were: no tensor goes in or comes out, or
    sizes are symbols. Raises what get_custom_graph_op raises.
    """
    try:
        inputs, outputs = _inputs_of(nodes), _outputs_of(nodes)
        if not inputs or not outputs:
            raise _LeftAlone("no tensor goes in, or none comes out")
        values = [_tensor_of(node) for node in inputs]
        found = _extract(nodes, inputs, outputs)
    except _LeftAlone as why:
        log.info("%s is not fused: %s", nodes[0].name, why)
        return None
    op = _operator(
        found,
        values,
        single_dispatch,
        post_fusion_replacements or {},
        post_decomposition_replacements or {},
    )
    return _call(gm.graph, nodes, inputs, outputs, op)


def _call(graph: Graph, nodes: list[Node], inputs: list[Node], outputs: list[Node], op) -> Node:
    last = nodes[-1]
    with graph.inserting_after(last):
        call = graph.call_function(op, tuple(inputs))
    results = [call]
    if len(outputs) > 1:
        call.meta["val"] = tuple(node.meta["val"] for node in outputs)
        results, behind = [], call
        for number, node in enumerate(outputs):
            with graph.inserting_after(behind):
                behind = graph.call_function(operator.getitem, (call, number))
            results.append(behind)
    for node, result in zip(outputs, results):
        result.meta = dict(node.meta)
        node.replace_all_uses_with(result)
    members = set(nodes)
    _move_behind([call, *results], nodes[0], members)
    for node in reversed(nodes):
        # Results that are None, of gradients nobody asked for, may still be passed on.
        for user in [user for user in node.users if user not in members]:
            user.args = torch.fx.map_arg(user.args, lambda each: None if each is node else each)  # noqa: B023
        graph.erase_node(node)
    return call


def _move_behind(made: list[Node], first: Node, members: set[Node]) -> None:
    """What was made stands where the last of its nodes was; users of earlier ones follow, in order."""
    waiting = set(made)
    node, place = first, made[-1]
    moved: list[Node] = []
    while node is not made[0]:
        if node not in members and not waiting.isdisjoint(node.all_input_nodes):
            waiting.add(node)
            moved.append(node)
        node = node.next
    for node in moved:
        place.append(node)
        place = node


def fusion_transform(
    module: GraphModule,
    *,
    fusion_schema: FusionSchema = DEFAULT_SUPPORTED_BOO_FUSIONS,
    post_fusion_replacements: ReplacementSchema = DEFAULT_POST_FUSION_REPLACEMENTS,
    post_decomposition_replacements: ReplacementSchema = DEFAULT_POST_DECOMPOSITION_REPLACEMENTS,
) -> None:
    """Replaces subgraphs of a graph of aten operators by operators ``torch.ops.boo.fused_op_*``.

    Args:
        module: changed in place. Its nodes have fake tensors in meta["val"], as graphs that
            aot_autograd and torch.export give.
        fusion_schema: the operators that are fused, and with what.
        post_fusion_replacements: how operators of a subgraph are rewritten when it is cut out.
        post_decomposition_replacements: the same after it was traced again.

    A subgraph is left as it is if a tensor's sizes are symbols, or if it takes no tensors; also if
    it cannot be traced, which boo.runtime.fallbacks counts; that is raised where boo.runtime.fallbacks
    refuses any fallback.
    """
    graph = module.graph
    barriers = subgraph.Barriers(graph)
    for node in list(graph.nodes):
        if node._erased or node.op != "call_function":
            continue
        spec = fusion_schema.get(node.target)
        if spec is None or not spec.check_filters(node):
            continue
        nodes = subgraph.find(node, spec, barriers)
        try:
            call = fuse(
                module,
                nodes,
                single_dispatch=spec.make_single_dispatch,
                post_fusion_replacements=post_fusion_replacements,
                post_decomposition_replacements=post_decomposition_replacements,
            )
        except (_boo.Error, RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            if fallbacks.are_refused():
                raise
            fallbacks.count(str(node.target), f"{type(error).__name__}: {error}")
            continue
        if call is not None:
            for each in (call, *call.users):
                barriers.add(each, node)
    graph.lint()
    module.recompile()
