"""Compiled graphs that are one launch and nothing else, which need no program round it."""

from __future__ import annotations

from torch.fx import GraphModule

from .. import _boo
from .region_kernel import RegionKernel


def kernel_of(gm: GraphModule, steps: list) -> tuple[_boo.Kernel, list[int]] | None:
    """The kernel that computes the whole graph, and which of the graph's inputs each of its arguments
    is; None if the steps are more than one launch, or give their results in another order."""
    if len(steps) != 1 or not isinstance(steps[0], RegionKernel):
        return None
    step = steps[0]
    inputs = [node for node in gm.graph.nodes if node.op == "placeholder"]
    output = next(node for node in gm.graph.nodes if node.op == "output")
    if list(output.args[0]) != step.results or any(each not in inputs for each in step.arguments):
        return None
    return step.kernel, [inputs.index(each) for each in step.arguments]
