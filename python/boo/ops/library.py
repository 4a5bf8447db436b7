"""The operators ``torch.ops.boo.*``: registered by torch.library, 1.6 µs a call."""

from __future__ import annotations

from collections.abc import Callable

import torch

LIBRARY = torch.library.Library("boo", "DEF")


def define(
    schema: str,
    *,
    cpu: Callable,
    meta: Callable,
    autograd: Callable | None = None,
) -> None:
    """Defines an operator and what computes it on the CPU, on fake tensors, and with gradients."""
    name = schema[: schema.index("(")]
    LIBRARY.define(schema)
    LIBRARY.impl(name, cpu, "CPU")
    LIBRARY.impl(name, meta, "Meta")
    if autograd is not None:
        LIBRARY.impl(name, autograd, "Autograd")


def operator(name: str, layouts) -> torch._ops.OpOverload:
    """The convolution operator `name`, of the form that takes layouts if there are some."""
    if layouts is not None:
        name = f"layout_customizable_{name}"
    return getattr(torch.ops.boo, name).default
