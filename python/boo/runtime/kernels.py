"""Every kernel of this process: the one place that makes them, so that reports and records see all."""

from __future__ import annotations

import logging
import threading
import weakref

from .. import _boo
from . import settings
from .log import log, log_launches

_lock = threading.Lock()
_all: list[weakref.ref[_boo.Kernel]] = []


def make(graph: str, **options) -> _boo.Kernel:
    """A kernel of a Graph text, compiled or from the cache; options are those of boo._boo.Kernel."""
    options.setdefault("math", settings.math())
    kernel = _boo.Kernel(graph, **options)
    if log.isEnabledFor(logging.INFO):
        for group in kernel.groups:
            log.info(
                "%s: cache %s, %s, compiled in %.0f ms, loaded in %.1f ms",
                group["name"],
                group["cache"],
                group["algorithm"],
                group["compile_ms"],
                group["load_ms"],
            )
    log_launches(kernel, options["math"])
    with _lock:
        _all.append(weakref.ref(kernel))
        if len(_all) % 256 == 0:
            _all[:] = [each for each in _all if each() is not None]
    return kernel


def living() -> list[_boo.Kernel]:
    """Those that something still holds, in the order in which they were made."""
    with _lock:
        return [kernel for each in _all if (kernel := each()) is not None]
