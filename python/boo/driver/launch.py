"""From a signature to what launches its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _boo
from ..runtime import kernels
from ..runtime.cache import LaunchableRuntimeCache
from ..runtime.launch import Launchable
from ..runtime.settings import math

if TYPE_CHECKING:
    from ..op_exports.base import OpSignature

__all__ = ["get_launchable", "get_module_asm"]


def get_launchable(
    signature: OpSignature, *, use_custom: bool = True, cache_only: bool = False
) -> Launchable:
    """Something to call with the tensors of the signature's launches.

    The kernel is compiled now, or taken from the cache. The same launchable serves equal
    signatures of this process, until the cache's folder or the math mode is changed.

    Args:
        signature: what to launch.
        use_custom: accepted as upstream's; all kernels are BOO's own.
        cache_only: compiles nothing.

    Raises:
        boo.Unsupported: no kernel computes it.
        boo.CompileError: the kernel does not compile.
        ValueError: `cache_only` with the cache off, or without its folder.
        RuntimeError: `cache_only` and the kernel is not in the cache.
    """
    name = signature.func_name
    key = f"{name}_no_jit" if cache_only else name
    settings = (_boo.cache_dir(), _boo.is_cache_on(), math())
    known = LaunchableRuntimeCache.get(key)
    if known is not None and known.settings == settings:
        return known
    program = signature.program()
    if cache_only:
        kernels.check_cache()
        kernels.check_cached(program.graph, name)
    launchable = Launchable(
        signature.kernel,
        forms=program.forms,
        slots=program.slots,
        updates=program.updates,
        name=name,
        settings=settings,
    )
    launchable.preload()
    LaunchableRuntimeCache.add(key, launchable)
    return launchable


def get_module_asm(
    signature: OpSignature, func_name: str | None = None, use_custom: bool = True
) -> str:
    """The kernel's module in MLIR, as its emitter writes it; of several kernels one after another.

    Args:
        func_name: what to name the kernel; the signature's name by default.
        use_custom: accepted as upstream's; all kernels are BOO's own.
    """
    return "\n".join(_boo.emit(signature.graph(), func_name or signature.func_name))
