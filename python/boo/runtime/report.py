"""What ran where: for each graph that was compiled, its kernels, and why torch computes the rest."""

from __future__ import annotations

import threading

_lock = threading.Lock()
_graphs: list[dict] = []


def add_graph(kind: str, gm, steps: list, regions) -> None:
    """Notes a compiled graph: its steps in order."""
    kernels = [step.kernel for step in steps if not hasattr(step, "op")]
    with _lock:
        _graphs.append(
            {
                "kind": kind,
                "kernels": kernels,
                "torch": {str(node.target): why for node, why in regions.reasons.items()},
            }
        )


def graphs() -> list[dict]:
    with _lock:
        return list(_graphs)


def reset() -> None:
    with _lock:
        _graphs.clear()
