"""Settings that kernels depend on, and the kernels that eager operations have made under them."""

from __future__ import annotations

from collections.abc import Callable

from . import _boo

_dispatchers: list[_boo.Dispatcher] = []


def dispatcher(build: Callable) -> _boo.Dispatcher:
    """A Dispatcher for the whole life of the process, which settings make forget its kernels."""
    made = _boo.Dispatcher(build)
    _dispatchers.append(made)
    return made


def forget_kernels() -> None:
    """Has eager operations ask for their kernels again, as the settings are now."""
    for each in _dispatchers:
        each.clear()


def set_math(math: str) -> None:
    """How exact kernels are from now on; launchables and compiled models stay as they are.

    Args:
        math: "strict", what direct accumulation in float32 gives; "default", which adds Winograd's
            algorithms within a stated bound; "fast", which adds accumulation in narrower types.

    Raises ValueError for another one.
    """
    before = _boo.math()
    _boo.set_math(math)
    if math != before:
        forget_kernels()


def set_cache(folder: str, on: bool) -> None:
    """Where kernels are kept, and whether they are."""
    before = _boo.cache_dir(), _boo.is_cache_on()
    _boo.set_cache_dir(folder)
    _boo.set_cache_on(on)
    if before != (_boo.cache_dir(), _boo.is_cache_on()):
        forget_kernels()
