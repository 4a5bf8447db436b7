#!/usr/bin/env python3
"""Whole networks, by BOO's backend of torch.compile and its peers: see docs/performance.md."""

import sys

from models.cli import main

sys.exit(main(sys.argv[1:]))
