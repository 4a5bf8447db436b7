"""Runs, times and verifies kernels: ``python driver.py COMMAND…`` is ``boo driver COMMAND…``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by its path, whose folder would shadow modules of other packages
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from boo.driver.utils import run_program

__all__ = ["ALL_STATS", "DEFAULT_BACKEND", "main"]

#: What runs a command when no --backend is given.
DEFAULT_BACKEND = "boo"
#: The columns of a backend in a .csv table; times are in µs.
ALL_STATS = ("min", "max", "mean", "stddev", "num_dispatches")


def main(args: Sequence[str] | None = None) -> int:
    """``boo driver`` with these arguments, those of the process by default; its exit status."""
    return run_program("driver", sys.argv[1:] if args is None else args)


if __name__ == "__main__":
    sys.exit(main())
