"""Command lines: reading lists of them, and rewriting element type and direction."""

import shlex

from .dtypes import SUFFIX

DIRECTIONS = {"fwd": 1, "bwd": 2, "wrw": 4}


class CommandError(Exception):
    """A line that is no command, or one that this harness cannot measure."""


def read_list(path):
    """The command lines of a file, without blank lines and comments."""
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and not line.startswith("#")]


def split_name(name, ops):
    """"convbfp16" as ("conv", "bf16"), given the names of the operations."""
    for dtype, suffix in sorted(SUFFIX.items(), key=lambda item: -len(item[1])):
        base = name.removesuffix(suffix) if suffix else name
        if base in ops and base + suffix == name:
            return base, dtype
    raise CommandError(f"no such command: {name} (there are {', '.join(sorted(ops))})")


def rewrite(line, ops, dtype=None, direction=None):
    """The line with another element type (f32, bf16, …) and direction (fwd, bwd, wrw)."""
    words = shlex.split(line)
    if not words:
        raise CommandError("an empty command")
    base, own = split_name(words[0], ops)
    words[0] = base + SUFFIX[dtype or own]
    if direction and direction != "fwd":
        words += ["-F", str(DIRECTIONS[direction])]
    return shlex.join(words)
