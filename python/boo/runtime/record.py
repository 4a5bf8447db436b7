"""Writes down which kernels a piece of code launches: a list for preload, tune, numerics, driver."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

from . import kernels


@contextlib.contextmanager
def record(path: str | os.PathLike) -> Iterator[None]:
    """Around a model: the file at `path` gets one line ``graph FILE`` for each kernel that was
    launched, most often first, with its count and name in a comment line before it. The Graphs lie
    in the folder ``PATH.graphs``.

    ``boo preload``, ``boo tune``, ``boo numerics`` and ``boo driver --commands-file`` take the file.
    """
    before = {id(each): each.calls for each in kernels.living()}
    yield
    counts: dict[str, int] = {}
    groups: dict[str, dict] = {}
    for kernel in kernels.living():
        calls = kernel.calls - before.get(id(kernel), 0)
        if calls == 0:
            continue
        for group in kernel.groups:
            counts[group["key"]] = counts.get(group["key"], 0) + calls
            groups[group["key"]] = group
    path = pathlib.Path(path)
    folder = path.with_name(path.name + ".graphs")
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for key in sorted(counts, key=lambda key: (-counts[key], groups[key]["name"])):
        group = groups[key]
        file = folder / f"{group['name']}_{key[:8]}.graph"
        file.write_text(group["graph"])
        lines += [f"# {counts[key]} launches of {group['name']}", f"graph {_quoted(file)}"]
    path.write_text("\n".join([*lines, ""]))


def _quoted(file: pathlib.Path) -> str:
    text = str(file.absolute())
    return text if all(c.isalnum() or c in "/._-+" for c in text) else "'" + text + "'"
