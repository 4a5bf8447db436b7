#!/usr/bin/env python3
"""Compares BOO with other engines on the same tensors: compare.py --help."""

import sys

from compare.cli import main

if __name__ == "__main__":
    sys.exit(main())
