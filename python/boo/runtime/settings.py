"""What holds for kernels that are made from now on."""

from __future__ import annotations

import contextlib
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
    forget_kernels()


@contextlib.contextmanager
def using_math(math: str | None):
    """Kernels made inside have this accuracy; None leaves it. The setting is the process's."""
    before = _boo.math()
    if math is None or math == before:
        yield
        return
    _boo.set_math(math)
    try:
        yield
    finally:
        _boo.set_math(before)


def math() -> str:
    """What set_math or BOO_MATH has set."""
    return _boo.math()


def set_cache(folder: str, on: bool) -> None:
    """Where kernels are kept, and whether they are; eager operations find theirs there anew."""
    before = _boo.cache_dir(), _boo.is_cache_on()
    _boo.set_cache_dir(folder)
    _boo.set_cache_on(on)
    if before != (_boo.cache_dir(), _boo.is_cache_on()):
        forget_kernels()


def forget_kernels() -> None:
    """Has eager operations ask for their kernels again, as the settings are now."""
    if convolutions := sys.modules.get("boo.ops._conv_kernels"):
        convolutions.forget()
