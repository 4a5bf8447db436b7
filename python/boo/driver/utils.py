"""Files of commands, and the programs of the boo command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from . import backends

__all__ = ["load_commands", "run_program"]


def load_commands(commands_file: str | os.PathLike) -> list[list[str]]:
    """The commands of a file, one a line, each split into its words.

    Lines of a .tsv file split at tabs, others as a shell splits them. Blank lines, and those that
    begin with #, are left out. Raises OSError for a file that cannot be read, and ValueError for a
    quote that does not end.
    """
    path = Path(commands_file)
    commands = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if path.suffix == ".tsv" and "\t" in line:
            commands.append([each.strip() for each in line.split("\t")])
            continue
        try:
            commands.append(shlex.split(line))
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}: {line.strip()}") from None
    return commands


def run_program(name: str, args: Sequence[str]) -> int:
    """``boo NAME ARGS``, in this process; returns its exit status."""
    return backends.main([name, *args])
