"""What ran in torch although a kernel of BOO's was asked for, and why: nothing falls back silently."""

from __future__ import annotations

import collections
import logging

_log = logging.getLogger("turbine.runtime")
_counts: collections.Counter[tuple[str, str]] = collections.Counter()


def count(what: str, why: str) -> None:
    """Notes that torch computed `what`; the first time it is logged."""
    if (what, why) not in _counts:
        _log.info("torch computes %s: %s", what, why)
    _counts[what, why] += 1


def counts() -> dict[tuple[str, str], int]:
    """How often, by (what, why)."""
    return dict(_counts)


def reset() -> None:
    _counts.clear()
