"""The options of the backends: what ``torch.compile(options={...})`` may say."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import NamedTuple

import torch

from ..runtime import fallbacks
from ..runtime.settings import using_math


class Options(NamedTuple):
    #: "strict", "default" or "fast"; None: as boo.set_math has it.
    math: str | None = None
    #: "torch", or "error": an operator that no kernel computes raises boo.Unsupported.
    fallback: str = "torch"
    #: How many threads run a compiled graph; None: as many as torch is set to use.
    threads: int | None = None


def split(given: dict | None) -> tuple[Options, dict]:
    """The backends' own options, and all others. Raises ValueError for values that none takes."""
    rest = dict(given or {})
    options = Options(**{name: rest.pop(name) for name in Options._fields if name in rest})
    if options.fallback not in ("torch", "error"):
        raise ValueError(f'fallback is "torch" or "error", not {options.fallback!r}')
    if options.math not in (None, "strict", "default", "fast"):
        raise ValueError(f'math is "strict", "default" or "fast", not {options.math!r}')
    if options.threads is not None and (
        not isinstance(options.threads, int) or options.threads < 1
    ):
        raise ValueError(f"threads is a number of 1 or more, not {options.threads!r}")
    return options, rest


@contextlib.contextmanager
def options_applied(options: Options):
    """What this thread compiles inside obeys the options."""
    with using_math(options.math), fallbacks.refused(options.fallback == "error"):
        yield


def on_threads(run: Callable, threads: int | None) -> Callable:
    """`run`, a function of a list, on so many threads of torch's."""
    if threads is None:
        return run

    @functools.wraps(run)
    def limited(args):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return run(args)
        finally:
            torch.set_num_threads(before)

    limited.whole = None  # it is more than a launch
    limited._boxed_call = True
    return limited
