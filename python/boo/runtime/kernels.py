"""Every kernel of this process: the one place that makes them, so that reports and records see all."""

from __future__ import annotations

import contextvars
import logging
import threading
import weakref

from .. import _boo
from . import cache, settings
from .log import log, log_launches

_lock = threading.Lock()
_all: list[weakref.ref[_boo.Kernel]] = []

_cached_only: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "boo_cached_only", default=False
)


def cached_only(on: bool = True):
    """Kernels made inside come from the cache, if `on`. Raises ValueError where there is none."""
    if on:
        check_cache()
    return settings.assigned(_cached_only, on)


def check_cache() -> None:
    """Raises ValueError unless the cache is on and has a folder."""
    if not cache.is_cache_enabled():
        raise ValueError("cache_only, and the cache is off")
    folder = cache.set_cache_dir()
    if not folder.is_dir():
        raise ValueError(f"Specified cache_dir, {folder}, does not exist.")


def check_cached(graph: str, name: str) -> None:
    """Raises RuntimeError unless the cache has the Graph's kernels."""
    missing = [each["key"] for each in _boo.needed_kernels(graph, name) if not each["cached"]]
    if missing:
        folder = cache.set_cache_dir()
        raise RuntimeError(f"{name or 'a Graph'}: no kernel {', '.join(missing)} in {folder}")


def make(graph: str, **options) -> _boo.Kernel:
    """A kernel of a Graph text, compiled or from the cache; options are those of boo._boo.Kernel."""
    options.setdefault("math", settings.math())
    if _cached_only.get():
        check_cached(graph, options.get("name", ""))
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
