"""The package's logger, at the level that TURBINE_LOG_LEVEL says, and what it writes of launches."""

from __future__ import annotations

import functools
import hashlib
import logging
import pathlib
import shlex
import sys
import tempfile

from .. import _boo


class _Stderr(logging.Handler):
    """One line a message, as the code in C++ writes them; silent where a program has handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        if not log.parent.hasHandlers():
            print(f"boo: {record.levelname.lower()}: {record.getMessage()}", file=sys.stderr)


log = logging.getLogger("turbine.runtime")
log.addHandler(_Stderr())
if _boo.log_level() != "WARNING":  # which is Python's own default
    log.setLevel(_boo.log_level())


@functools.cache
def _folder() -> pathlib.Path:
    """Where the Graphs lie that logged commands name; it stays when the process ends."""
    return pathlib.Path(tempfile.mkdtemp(prefix="boo-graphs-"))


def log_launches(kernel: _boo.Kernel, math: str) -> None:
    """If the level is DEBUG now, has each launch of the kernel logged by the command that repeats it."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    text = kernel.graph
    digest = hashlib.sha1(text.encode()).hexdigest()[:8]
    stem = "".join(c if c.isalnum() else "_" for c in kernel.name[:150])
    file = _folder() / f"{stem}_{digest}.graph"
    file.write_text(text)
    kernel.log_launches(f"boo driver graph {shlex.quote(str(file))} --math {math}")
