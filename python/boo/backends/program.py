"""A compiled graph as one Python function: kernels and what torch computes, in turn."""

from __future__ import annotations

import torch
from torch.fx import Graph, GraphModule, Node

from .region_kernel import RegionKernel


class _Writer:
    """Source text with the objects that it names."""

    def __init__(self) -> None:
        self.objects: dict[str, object] = {}
        self._names: dict[int, str] = {}

    def name(self, prefix: str, value: object) -> str:
        if id(value) not in self._names:
            name = f"{prefix}_{len(self.objects)}"
            self.objects[name] = value
            self._names[id(value)] = name
        return self._names[id(value)]

    def text(self, value) -> str:
        """An argument as it stands in the source."""
        if isinstance(value, Node):
            return _variable(value)
        if isinstance(value, (list, tuple)):
            items = ", ".join(self.text(each) for each in value)
            if isinstance(value, list):
                return f"[{items}]"
            return f"({items},)" if value else "()"
        if isinstance(value, slice):
            return (
                f"slice({self.text(value.start)}, {self.text(value.stop)}, {self.text(value.step)})"
            )
        if value is None or type(value) in (bool, int, str):
            return repr(value)
        return self.name("constant", value)


def _variable(node: Node) -> str:
    """A name that no object, keyword or argument of the function has."""
    return f"v_{node.name}"


def _tuple(names: list[str]) -> str:
    return ", ".join(names) + ("," if len(names) == 1 else "")


def write(gm: GraphModule, steps: list[Node | RegionKernel]):
    """A function of a list, which it empties, that runs the steps in order; it returns what the
    graph's output node has. A tensor is let go behind its last use."""
    graph: Graph = gm.graph
    writer = _Writer()
    lines: list[tuple[str, list[Node], list[Node]]] = []  # text, made, used
    for step in steps:
        if isinstance(step, RegionKernel):
            left = _tuple([_variable(each) for each in step.results])
            if len(step.results) == 1:
                left = left.rstrip(",")
            call = (
                f"{writer.name('kernel', step.kernel)}({', '.join(map(_variable, step.arguments))})"
            )
            lines.append((f"{left} = {call}" if left else call, step.results, step.arguments))
        elif step.op == "get_attr":
            value = gm
            for part in step.target.split("."):
                value = getattr(value, part)
            lines.append((f"{_variable(step)} = {writer.name('constant', value)}", [step], []))
        elif step.op == "call_function":
            arguments = [writer.text(each) for each in step.args]
            arguments += [f"{key}={writer.text(each)}" for key, each in step.kwargs.items()]
            call = f"{writer.name('call', step.target)}({', '.join(arguments)})"
            lines.append((f"{_variable(step)} = {call}", [step], step.all_input_nodes))
        else:
            raise AssertionError(f"a graph of aten operators has a node {step.op}")
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    output = next(node for node in graph.nodes if node.op == "output")
    body = [f"    {_tuple([_variable(each) for each in inputs])} = args"] if inputs else []
    body.append("    args.clear()")
    last: dict[Node, int] = {}
    for number, (_, made, used) in enumerate(lines):
        for node in (*made, *used):
            last[node] = number
    for node in output.all_input_nodes:
        last[node] = len(lines)
    dead = [node for node in inputs if node not in last]
    for number, (text, _, _) in enumerate(lines):
        body.append(f"    {text}")
        dead += [node for node, at in last.items() if at == number]
        if dead:
            body.append(f"    del {', '.join(_variable(each) for each in dead)}")
            dead = []
    body.append(f"    return {writer.text(tuple(output.args[0]))}")
    source = "\n".join(["def run(args):", *body, ""])
    namespace = {**writer.objects, "torch": torch}
    exec(compile(source, "<boo program>", "exec"), namespace)  # noqa: S102
    run = namespace["run"]
    run.source = source
    return run
