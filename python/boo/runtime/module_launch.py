"""Launchables of modules."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .. import _boo
from . import kernels
from .launch import Launchable

__all__ = ["ModuleLaunchable", "get_launchable"]


class ModuleLaunchable(Launchable):
    """A kernel that computes a module, with the parameters and buffers that this has at each launch.

    Args:
        kernel: what to launch.
        reads: which of `held` and then of a launch's tensors each argument of the kernel is.
        held: the module's parameters and buffers.
        count: how many tensors a launch has.
        results: how many results the kernel has.
        name: for messages.
    """

    def __init__(
        self,
        kernel: _boo.Kernel,
        *,
        reads: list[int],
        held: tuple[torch.Tensor, ...],
        count: int,
        results: int,
        name: str,
    ) -> None:
        super().__init__(
            lambda: kernel, forms={len(held) + count: reads}, slots=range(results), name=name
        )
        self._held = held
        self._count = count

    def launch(self, *args, device=None, outputs=()):
        if len(args) != self._count:
            raise ValueError(f"{self.name} takes {self._count} tensors, and there are {len(args)}")
        return super().launch(*self._held, *args, device=device, outputs=outputs)

    launch.__doc__ = Launchable.launch.__doc__
    __call__ = launch


def _function_of(module: torch.nn.Module, held: dict[str, torch.Tensor]) -> Callable:
    """The module as a function of `held` and then its arguments, without writes to memory."""

    def function(*values):
        own = dict(zip(held, values))
        result = torch.func.functional_call(module, own, values[len(held) :])
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    return torch.func.functionalize(function, remove="mutations")


def get_launchable(
    module_factory: Callable[[], torch.nn.Module],
    arg_factory: Callable[[], tuple[torch.Tensor, ...]],
    func_name: str = "main",
    *,
    cache_only: bool = False,
    force_single_dispatch: bool = False,
    compiler_flags_callback: Callable | None = None,
) -> ModuleLaunchable:
    """Something to call with tensors like those of `arg_factory`, which computes the module.

    The kernel is compiled now, or taken from the cache. What the module does in Python is done now,
    once; its parameters and buffers are read at each launch. Gradients are not recorded.

    Args:
        module_factory: makes the module; its results are tensors.
        arg_factory: makes tensors of the sizes, strides and types of a launch.
        func_name: for messages.
        cache_only: compiles nothing.
        force_single_dispatch: refuses a module that takes several kernels, one after another.
        compiler_flags_callback: accepted as upstream's; kernels have no flags.

    Raises:
        boo.Unsupported: the module is not one launch; the message names the operators in the way.
        boo.CompileError: the kernel does not compile.
        ValueError: `cache_only` with the cache off, or without its folder.
        RuntimeError: `cache_only` and a kernel is not in the cache.
    """
    from ..backends import compiler

    module, args = module_factory(), tuple(arg_factory())
    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    gm = compiler.traced(_function_of(module, held), (*held.values(), *args))
    with kernels.cached_only(cache_only):
        run = compiler.compile_static(gm, "inference")
    if run.whole is None:
        why = "; ".join(f"{name}: {reason}" for name, reason in run.reasons.items())
        raise _boo.Unsupported(f"{func_name} is not one launch{why and ': '}{why}")
    kernel, reads = run.whole
    if force_single_dispatch and len(kernel.groups) > 1:
        names = ", ".join(group["name"] for group in kernel.groups)
        raise _boo.Unsupported(f"{func_name} takes {len(kernel.groups)} kernels: {names}")
    return ModuleLaunchable(
        kernel,
        reads=reads,
        held=tuple(each.detach() for each in held.values()),
        count=len(args),
        results=len(kernel.results),
        name=func_name,
    )
