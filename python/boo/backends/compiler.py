"""Compiles FX graphs of aten operators: regions of them into kernels, the rest stays with torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.fx import GraphModule, Node

from .. import _boo, _graph, freezing
from ..runtime import fallbacks, report
from ..runtime.log import log
from . import lowering, program, region_kernel, rewriting, whole
from .options import Options, options_applied
from .regions import Regions


def _kernels(
    nodes: Sequence[Node], refused: dict[Node, str], constants: dict[Node, torch.Tensor]
) -> list[region_kernel.RegionKernel]:
    """The region's kernel; if that cannot be had, one a node, and those without go to `refused`."""
    try:
        return [region_kernel.build(nodes, constants)]
    except (_boo.Error, ValueError) as error:
        if len(nodes) == 1:
            refused[nodes[0]] = str(error)
            return []
        log.warning("a region of %d operators goes node by node: %s", len(nodes), error)
    return [kernel for node in nodes for kernel in _kernels((node,), refused, constants)]


def _steps(gm: GraphModule, constants: dict[Node, torch.Tensor]) -> tuple[list, Regions]:
    """What runs in turn, and the regions that it comes from."""
    refused: dict[Node, str] = {}
    built: dict[tuple[Node, ...], list[region_kernel.RegionKernel]] = {}
    while True:
        regions = Regions(gm.graph, refused)
        made, known = [], len(refused)
        for region in range(regions.count):
            nodes = tuple(regions.nodes_of(gm.graph, region))
            if nodes not in built:
                built[nodes] = _kernels(nodes, refused, constants) if nodes else []
            made.append(built[nodes])
        if len(refused) == known:
            break
    by_turn: dict[int, list[Node]] = {}
    for node in gm.graph.nodes:
        if node.op in ("call_function", "get_attr") and regions.region_of(node) is None:
            by_turn.setdefault(regions.turn_of(node), []).append(node)
    steps: list = []
    for turn in range(max([regions.count - 1, *by_turn], default=-1) + 1):
        steps += by_turn.get(turn, [])
        if turn < regions.count:
            steps += made[turn]
    return steps, regions


def compile_static(gm: GraphModule, kind: str, constants: dict[Node, torch.Tensor] | None = None):
    """A function of a list of the graph's inputs, which it empties. Kernels pack the values of the
    nodes in `constants` now, and never look at them again."""
    gm.graph.eliminate_dead_code()
    steps, regions = _steps(gm, constants or {})
    kept = _without_unread(gm, steps)
    run = program.write(gm, kept)
    report.add_graph(kind, steps, regions.reasons)
    run.reasons = {str(node.target): why for node, why in regions.reasons.items()}
    fallbacks.check(run.reasons)
    run.launches = sum(isinstance(step, region_kernel.RegionKernel) for step in kept)
    run.whole = whole.kernel_of(gm, kept)
    run._boxed_call = True
    return run


def _without_unread(gm: GraphModule, steps: list) -> list:
    """Steps without the views and constants that only kernels would have read, which look at the
    memory themselves."""
    output = next(node for node in gm.graph.nodes if node.op == "output")
    needed = set(output.all_input_nodes)
    kept = []
    for step in reversed(steps):
        if isinstance(step, region_kernel.RegionKernel):
            needed.update(step.arguments)
        elif (step.op == "get_attr" or step.target in lowering.VIEWS) and step not in needed:
            continue
        else:
            needed.update(step.all_input_nodes)
        kept.append(step)
    return kept[::-1]


_PLAIN = Options()


def compile_graph(gm: GraphModule, kind: str, options: Options = _PLAIN):
    """Like compile_static, by options, of which `threads` is left to the caller. A graph whose sizes
    are symbols is compiled for each set of sizes that it is called with."""
    inputs = (node for node in gm.graph.nodes if node.op == "placeholder")
    if not _graph.has_symbols(map(lowering.value_of, inputs)):
        rewriting.rewrite(gm)
        if kind == "inference" and freezing.any_frozen():
            from .frozen import FrozenProgram

            return FrozenProgram(gm, kind, options)
        with options_applied(options):
            return compile_static(gm, kind)
    programs: dict[tuple, object] = {}

    def run(args):
        key = tuple(
            (tuple(each.shape), tuple(each.stride())) if isinstance(each, torch.Tensor) else each
            for each in args
        )
        made = programs.get(key)
        if made is None:
            log.info("graph with symbolic sizes: a program for %s", key)
            with options_applied(options):
                made = programs[key] = compile_static(traced(gm, args), kind)
        return made(args)

    run._boxed_call = True
    return run


def traced(function: Callable, args: Sequence) -> GraphModule:
    """The function, or graph, of tensors like `args` as a graph that compile_static takes."""
    from torch.fx.experimental.proxy_tensor import make_fx

    with torch.no_grad():
        made = make_fx(function, tracing_mode="fake")(*args)
    rewriting.rewrite(made)
    return made
