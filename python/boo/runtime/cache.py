"""The cache of kernels on disk, and that of launchables in this process."""

from __future__ import annotations

import collections
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from .. import _boo
from . import settings

if TYPE_CHECKING:
    from .launch import Launchable

__all__ = [
    "LaunchableRuntimeCache",
    "OpCacheFiles",
    "clear_cache",
    "is_cache_enabled",
    "set_cache_dir",
    "toggle_cache_on",
    "use_cache_dir",
]


def set_cache_dir(cache_dir: str | os.PathLike | None = None) -> Path:
    """Keeps kernels there from now on; without an argument the folder stays what it is.

    Returns the folder, which need not exist yet. BOO_CACHE_DIR says what it is at first.
    """
    if cache_dir is not None:
        folder = os.fspath(Path(cache_dir).expanduser().absolute())
        settings.set_cache(folder, _boo.is_cache_on())
    return Path(_boo.cache_dir()).expanduser()


def is_cache_enabled() -> bool:
    """Whether kernels are read from the folder and kept there; BOO_CACHE_ON says so at first."""
    return _boo.is_cache_on()


def toggle_cache_on(cache_on: int | bool) -> None:
    """Turns the cache on disk on (1) or off (0). Raises ValueError for anything else."""
    if cache_on not in (0, 1):
        raise ValueError(f"the cache is on (1) or off (0), not {cache_on!r}")
    settings.set_cache(_boo.cache_dir(), bool(cache_on))


@contextlib.contextmanager
def use_cache_dir(cache_dir: str | os.PathLike) -> Iterator[Path]:
    """Keeps kernels in this folder for a while, with the cache on.

    It is a setting of the process: other threads use the folder too.
    """
    before, was_on = _boo.cache_dir(), _boo.is_cache_on()
    try:
        toggle_cache_on(1)
        yield set_cache_dir(cache_dir)
    finally:
        settings.set_cache(before, was_on)


def clear_cache() -> None:
    """Removes all kernels from the cache's folder, and nothing that BOO did not write.

    Launchables that were made stay as they are. Raises OSError for what cannot be removed.
    """
    folder = set_cache_dir()
    if not folder.is_dir():
        return
    if _boo.main(["cache", "--cache-dir", str(folder), "clear"]) != 0:
        raise OSError(f"not all kernels could be removed from {folder}")


class OpCacheFiles:
    """Where the files of a kernel lie, whether they are there or not."""

    def __init__(self, func_name: str) -> None:
        self.func_name = func_name

    @property
    def base_dir(self) -> Path:
        """The folder of all kernels of this name."""
        return set_cache_dir() / self.func_name

    @property
    def mlir_path(self) -> Path:
        """The newest kernel's module, before any pass."""
        return self.base_dir / f"{self.func_name}.mlir"

    def artifact_path(self, key: str) -> Path:
        """The compiled kernel with this key."""
        return self.base_dir / f"{key}.so"

    def vmfb_path(self, key: str) -> Path:
        """``artifact_path``, by the name that upstream's users know."""
        return self.artifact_path(key)

    def compile_command_log(self, key: str) -> Path:
        """Where upstream logs how it ran its compiler; BOO runs none and writes no such file."""
        return self.base_dir / f"compile_command_{key}.txt"


class LaunchableRuntimeCache:
    """The launchables of this process by name; the least recently used go first.

    Safe to use from several threads.
    """

    _lock: ClassVar[threading.RLock] = threading.RLock()
    _launchables: ClassVar[collections.OrderedDict[str, Launchable]] = collections.OrderedDict()
    _limit: ClassVar[int | None] = None

    @classmethod
    def add(cls, key: str, launchable: Launchable) -> None:
        """Keeps it, in place of what had the name before."""
        with cls._lock:
            cls._launchables[key] = launchable
            cls._launchables.move_to_end(key)
            cls._shrink()

    @classmethod
    def get(cls, key: str) -> Launchable | None:
        """What has the name, which thereby is the most recently used."""
        with cls._lock:
            launchable = cls._launchables.get(key)
            if launchable is not None:
                cls._launchables.move_to_end(key)
            return launchable

    @classmethod
    def get_launchable_cache(cls) -> collections.OrderedDict[str, Launchable]:
        """A copy of all, the least recently used first."""
        with cls._lock:
            return cls._launchables.copy()

    @classmethod
    def reset(cls) -> None:
        """Forgets all launchables, and the kernels of eager calls; those in use keep working."""
        with cls._lock:
            cls._launchables.clear()
        settings.forget_kernels()

    @classmethod
    def set_cache_limit(cls, limit: int | None) -> None:
        """Keeps at most so many from now on; None is as many as there are.

        Raises ValueError for a negative number.
        """
        if limit is not None and limit < 0:
            raise ValueError(f"a cache of {limit} launchables")
        with cls._lock:
            cls._limit = limit
            cls._shrink()

    @classmethod
    def _shrink(cls) -> None:
        while cls._limit is not None and len(cls._launchables) > cls._limit:
            cls._launchables.popitem(last=False)
