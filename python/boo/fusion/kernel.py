"""Functions of tensors as kernels: ``@boo.fusion.kernel``."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch.utils import _pytree as pytree

from ..runtime import settings


def kernel(function: Callable) -> Callable:
    """A decorator: compiles a function of tensors as one graph, for each set of types that it is
    called with.

    Args:
        function: takes tensors and returns tensors, in any nest of tuples, lists and dicts. It is
            traced once for each set of types, so what it does may depend on types, not on values.

    Returns:
        A function of the same tensors. What no kernel computes runs in torch, and
        boo.runtime.fallbacks counts it. Gradients are recorded as for any function of tensors.
        Autocast does not reach into it.

    Raises:
        TypeError: called with something else than tensors.
    """
    made: dict[tuple, Callable] = {}

    @functools.wraps(function)
    def launch(*args):
        for place, each in enumerate(args):
            if not isinstance(each, torch.Tensor):
                raise TypeError(
                    f"{function.__name__} takes tensors; argument {place} is a {type(each).__name__}"
                )
        grad = torch.is_grad_enabled() and any(each.requires_grad for each in args)
        key = (
            grad,
            settings.math(),
            *(
                (each.dtype, each.shape, each.stride(), each.device, grad and each.requires_grad)
                for each in args
            ),
        )
        run = made.get(key)
        if run is None:
            run = made[key] = (_with_gradients if grad else _without)(function, args)
        return run(*args)

    return launch


def _without(function: Callable, args: tuple) -> Callable:
    """One operator for these types; called directly, since nothing has to dispatch it."""
    from torch.fx.experimental.proxy_tensor import make_fx

    from ..ops import get_custom_graph_op, graph_program
    from ..ops.graph import fused_op

    spec = None

    def flat(*given):
        nonlocal spec
        leaves, spec = pytree.tree_flatten(function(*given))
        return tuple(leaves)

    with graph_program.alone():
        traced = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)(*args)
    op = fused_op(get_custom_graph_op(traced))

    def run(*given):
        results = op(*given)
        return pytree.tree_unflatten(
            list(results) if isinstance(results, tuple) else [results], spec
        )

    return run


def _with_gradients(function: Callable, args: tuple) -> Callable:
    from torch._functorch.aot_autograd import aot_function

    from ..backends import compiler

    return aot_function(
        function,
        fw_compiler=lambda gm, inputs: compiler.compile_graph(gm, "forward"),
        bw_compiler=lambda gm, inputs: compiler.compile_graph(gm, "backward"),
    )
