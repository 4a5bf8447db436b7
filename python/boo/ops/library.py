"""The operators ``torch.ops.boo.*``: registered by torch.library, 1.6 µs a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

LIBRARY = torch.library.Library("boo", "DEF")

#: Names of operators that are defined.
_defined: set[str] = set()


def define_schema(name: str, schema: str) -> None:
    """Defines ``torch.ops.boo.<name>``; `schema` is all behind the name: "(Tensor x) -> Tensor"."""
    LIBRARY.define(name + schema)
    _defined.add(name)


def is_op_defined(name: str) -> bool:
    """Whether ``torch.ops.boo.<name>`` was defined by this package."""
    return name in _defined


def get_library_op(name: str) -> torch._ops.OpOverload:
    """``torch.ops.boo.<name>.default``. Raises KeyError if it is not defined."""
    if name not in _defined:
        raise KeyError(f"torch.ops.boo has no operator {name}")
    return getattr(torch.ops.boo, name).default


def register_impl(
    name: str, function: Callable | None = None, *, keys: Sequence[str] = ("CPU", "CUDA")
):
    """Has `function` compute an operator, on the dispatch keys given; also a decorator."""
    if function is None:
        return lambda given: register_impl(name, given, keys=keys)
    for key in keys:
        LIBRARY.impl(name, function, key)
    return function


def register_meta(name: str, function: Callable | None = None):
    """Has `function` say what an operator returns for meta and fake tensors; also a decorator."""
    return register_impl(name, function, keys=("Meta",))


def define(
    schema: str,
    *,
    cpu: Callable,
    meta: Callable,
    autograd: Callable | None = None,
) -> None:
    """Defines an operator and what computes it on the CPU, on fake tensors, and with gradients."""
    name = schema[: schema.index("(")]
    define_schema(name, schema[len(name) :])
    register_impl(name, cpu, keys=("CPU",))
    register_meta(name, meta)
    if autograd is not None:
        register_impl(name, autograd, keys=("Autograd",))


def operator(name: str, layouts) -> torch._ops.OpOverload:
    """The convolution operator `name`, of the form that takes layouts if there are some."""
    if layouts is not None:
        name = f"layout_customizable_{name}"
    return getattr(torch.ops.boo, name).default
