"""Compiles FX graphs of aten operators: regions of them into kernels, the rest stays with torch."""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from .. import _boo, freezing
from ..runtime import fallbacks, report
from ..runtime.log import log
from . import lowering, program, region_kernel, whole
from .options import Options, options_applied
from .regions import Regions


def _kernels(
    nodes: list[Node], refused: dict[Node, str], constants: dict[Node, torch.Tensor]
) -> list[region_kernel.RegionKernel]:
    """The region's kernel; if that cannot be had, one a node, and those without go to `refused`."""
    try:
        return [region_kernel.build(nodes, constants)]
    except (_boo.Error, ValueError) as error:
        if len(nodes) == 1:
            refused[nodes[0]] = str(error)
            return []
        log.warning("a region of %d operators goes node by node: %s", len(nodes), error)
    return [kernel for node in nodes for kernel in _kernels([node], refused, constants)]


def _steps(gm: GraphModule, constants: dict[Node, torch.Tensor]) -> tuple[list, Regions]:
    """What runs in turn, and the regions that it comes from."""
    refused: dict[Node, str] = {}
    while True:
        regions = Regions(gm.graph, refused)
        made, known = [], len(refused)
        for region in range(regions.count):
            nodes = regions.nodes_of(gm.graph, region)
            made.append(_kernels(nodes, refused, constants) if nodes else [])
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


def _has_symbols(gm: GraphModule) -> bool:
    for node in gm.graph.nodes:
        if node.op != "placeholder":
            continue
        value = lowering.value_of(node)
        if isinstance(value, torch.SymInt):
            return True
        if isinstance(value, torch.Tensor) and any(
            isinstance(each, torch.SymInt) for each in value.shape
        ):
            return True
    return False


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
    if not _has_symbols(gm):
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
                made = programs[key] = compile_static(_specialize(gm, args), kind)
        return made(args)

    run._boxed_call = True
    return run


def _specialize(gm: GraphModule, args: list) -> GraphModule:
    """The graph traced again for these inputs."""
    from torch.fx.experimental.proxy_tensor import make_fx

    with torch.no_grad():
        return make_fx(gm, tracing_mode="fake")(*args)
