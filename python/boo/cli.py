"""The console scripts: the same commands as the boo program, in C++; torch is only loaded on demand."""

from __future__ import annotations

import sys

from .driver import backends


def main() -> int:
    """``boo``: the arguments of the process."""
    return backends.main(sys.argv[1:])


def driver() -> int:
    """``iree-boo-driver``: ``boo driver`` with the arguments of the process."""
    return backends.main(["driver", *sys.argv[1:]])
