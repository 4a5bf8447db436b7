"""What ran in torch although a kernel of BOO's was asked for, and why: nothing falls back silently."""

from __future__ import annotations

import collections
import contextvars

from .. import _boo
from .log import log
from .settings import assigned

_counts: collections.Counter[tuple[str, str]] = collections.Counter()
_refused: contextvars.ContextVar[bool] = contextvars.ContextVar("boo_refused", default=False)


def count(what: str, why: str) -> None:
    """Notes that torch computed `what`; the first time it is logged."""
    if (what, why) not in _counts:
        log.info("torch computes %s: %s", what, why)
    _counts[what, why] += 1


def counts() -> dict[tuple[str, str], int]:
    """How often, by (what, why)."""
    return dict(_counts)


def reset() -> None:
    _counts.clear()


def refused(on: bool = True):
    """What is compiled inside may not leave anything to torch."""
    return assigned(_refused, on)


def are_refused() -> bool:
    return _refused.get()


def check(reasons: dict[str, str]) -> None:
    """Raises boo.Unsupported for what torch would compute, by operator, where that is refused."""
    if reasons and _refused.get():
        text = "; ".join(f"{what}: {why}" for what, why in reasons.items())
        raise _boo.Unsupported(f"no kernel computes {text}")
