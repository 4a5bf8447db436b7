"""What holds for kernels that are made from now on."""

from __future__ import annotations

import contextlib
import contextvars
import sys

from .. import _boo

_own_math: contextvars.ContextVar[str | None] = contextvars.ContextVar("boo_math", default=None)


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
def assigned(variable: contextvars.ContextVar, value):
    """Inside, the variable has this value in this thread."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def using_math(math: str | None):
    """Kernels that this thread makes inside have this accuracy; None leaves it."""
    return assigned(_own_math, math or _own_math.get())


def math() -> str:
    """What using_math says here, or else set_math or BOO_MATH."""
    return _own_math.get() or _boo.math()


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
