"""The console scripts: the same commands as the boo program, in C++; torch is only loaded on demand."""

from __future__ import annotations

import sys

from . import _boo


def main() -> int:
    """``boo``: the arguments of the process."""
    return _boo.main(sys.argv[1:])


def driver() -> int:
    """``iree-boo-driver``: ``boo driver`` with the arguments of the process."""
    return _boo.main(["driver", *sys.argv[1:]])
