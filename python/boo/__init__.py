"""BOO, the Bag of Ops: fuses and launches standalone kernels, compiled and cached one by one.

``boo.ops.boo_conv`` runs one convolution; ``torch.compile(model, backend="boo")`` a whole model.
Submodules are loaded when they are first used, so that the ``boo`` command does without torch.
"""

from __future__ import annotations

import importlib

from ._boo import CompileError, Error, KernelError, Unsupported

__version__ = "0.1.0"

#: Where each name of the package itself is defined, by which name if it has another one there.
_HOMES = {
    "boo_conv": ".ops",
    "freeze": ".freezing",
    "record": ".runtime.record",
    "refresh": ".freezing",
    "report": ".runtime.report:make",
    "set_math": ".runtime.settings",
    "unfreeze": ".freezing",
}
_SUBMODULES = (
    "backends", "conv_exports", "driver", "fusion", "modeling", "op_exports", "ops", "runtime",
)  # fmt: skip

__all__ = ["CompileError", "Error", "KernelError", "Unsupported", *sorted(_HOMES), *_SUBMODULES]  # noqa: PLE0604


def __getattr__(name: str):
    if name in _HOMES:
        home, _, own = _HOMES[name].partition(":")
        value = getattr(importlib.import_module(home, __name__), own or name)
    elif name in _SUBMODULES:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
