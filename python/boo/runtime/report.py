"""What ran where: ``boo.report()`` tells of every compiled graph, its kernels, and what torch computes."""

from __future__ import annotations

import collections
import dataclasses
import threading
import weakref

from . import fallbacks, kernels

_lock = threading.Lock()
_graphs: list[dict] = []


def add_graph(kind: str, steps: list, reasons: dict) -> None:
    """Notes a compiled graph: "forward", "backward" or "inference", its steps in the order in which
    they run, and why torch computes some of its nodes."""
    made = [weakref.ref(step.kernel) for step in steps if not hasattr(step, "op")]
    counted = collections.Counter((str(node.target), why) for node, why in reasons.items())
    entry = {
        "kind": kind,
        "kernels": made,
        "torch": dict(counted.keys()),
        "torch_counts": counted,
    }
    with _lock:
        _graphs.append(entry)


def graphs() -> list[dict]:
    """For each compiled graph: kind, kernels, and by the names of operators that torch computes the
    reason."""
    with _lock:
        entries = list(_graphs)
    return [
        {**each, "kernels": [kernel for ref in each["kernels"] if (kernel := ref()) is not None]}
        for each in entries
    ]


def reset() -> None:
    """Forgets the graphs and counts so far; kernels stay as they are."""
    with _lock:
        _graphs.clear()
    fallbacks.reset()


@dataclasses.dataclass(frozen=True)
class Report:
    """As it stood when it was asked for; ``str`` makes a table of at most 80 columns of it."""

    #: Of each compiled graph: kind, kernels (names of their groups), torch ((operator, reason): count).
    graphs: list[dict]
    #: By name of a kernel's group: algorithm, cache ("hit", "miss", "off"), compile_ms, calls.
    kernels: list[dict]
    #: How often torch computed what a kernel was asked for, by (what, why).
    fallbacks: dict[tuple[str, str], int]
    #: Arguments that were copied because they lay otherwise in memory.
    copies: int
    copied_bytes: int

    def __str__(self) -> str:
        lines = []
        for number, graph in enumerate(self.graphs):
            groups = sum(len(each) for each in graph["kernels"])
            lines.append(
                f"graph {number}, {graph['kind']}: {len(graph['kernels'])} launches of"
                f" {groups} kernels"
            )
            for (what, why), count in graph["torch"].items():
                lines += _wrapped(f"  torch computes {count} {what}: ", why)
        outcomes = collections.Counter(each["cache"] for each in self.kernels)
        spent = sum(each["compile_ms"] for each in self.kernels)
        lines.append(
            f"kernels: {len(self.kernels)} ({outcomes['hit']} from the cache,"
            f" {outcomes['miss'] + outcomes['off']} compiled in {spent:.0f} ms)"
        )
        lines.append(f"  {'calls':>9}  {'cache':5}  {'algorithm':13} name")
        for each in sorted(self.kernels, key=lambda each: -each["calls"]):
            name = each["name"] if len(each["name"]) <= 46 else each["name"][:45] + "…"
            algorithm = each["algorithm"][:13]
            lines.append(f"  {each['calls']:>9}  {each['cache']:5}  {algorithm:13} {name}")
        if self.copies:
            lines.append(f"copies: {self.copies} arguments, {self.copied_bytes} bytes")
        for (what, why), count in self.fallbacks.items():
            lines += _wrapped(f"fallback: torch computed {what} {count} times: ", why)
        return "\n".join(lines)


def _wrapped(head: str, text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(head + " ".join(text.split()), 80, subsequent_indent="      ")


def make() -> Report:
    """``boo.report()``: which node ran where, by which kernel, and why not by one."""
    listed, copies, copied = [], 0, 0
    for kernel in kernels.living():
        copies += kernel.copies
        copied += kernel.copied_bytes
        for group in kernel.groups:
            kept = ("name", "key", "algorithm", "schedule", "cache", "compile_ms", "load_ms")
            listed.append({**{name: group[name] for name in kept}, "calls": kernel.calls})
    told = [
        {
            "kind": graph["kind"],
            "kernels": [[group["name"] for group in each.groups] for each in graph["kernels"]],
            "torch": dict(graph["torch_counts"]),
        }
        for graph in graphs()
    ]
    return Report(told, listed, fallbacks.counts(), copies, copied)
