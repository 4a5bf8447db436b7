"""Compares kernels with torch: ``python numerics_runner.py FILE`` is ``boo numerics FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by its path, whose folder would shadow modules of other packages
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from boo.driver.numerics import main

__all__ = ["main"]


if __name__ == "__main__":
    sys.exit(main())
