"""Fills the kernel cache with convolutions: CachePopulator, and ``python preload.py FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by its path, whose folder would shadow modules of other packages
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from boo.conv_exports.miopen_parser import ConvParser
from boo.driver import preload
from boo.driver.preload import main

__all__ = ["CachePopulator", "CachePrepopulator", "main"]


class CachePopulator(preload.CachePopulator):
    """As boo.driver.preload's, for convolutions alone, whose signatures are this package's."""

    def _parse(self, command):
        return ConvParser.command_to_signature(command, ignore_unhandled_args=True)


CachePrepopulator = CachePopulator


if __name__ == "__main__":
    sys.exit(main())
