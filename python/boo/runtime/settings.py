"""What holds for kernels that are made from now on."""

from __future__ import annotations

import sys

from .. import _boo


def set_math(math: str) -> None:
    """Accuracy of kernels made from now on, as BOO_MATH sets it: "strict" sums directly in float32,
    "default" adds Winograd within a stated bound, "fast" sums of reduced precision.

    Eager operations choose their kernels anew; graphs that torch.compile has made keep theirs.

    Raises:
        ValueError: another name.
    """
    _boo.set_math(math)
    if conv := sys.modules.get("boo.ops.conv"):
        conv.forget_kernels()


def math() -> str:
    """What set_math or BOO_MATH has set."""
    return _boo.math()
