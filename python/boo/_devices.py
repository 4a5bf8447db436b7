"""CUDA devices in code that was written for one, read as the CPU where CUDA is not available.

``boo.dropin`` turns it on. It replaces the functions of torch that take a device while they make or
move a tensor, and nothing else: a mode that sees all of torch's functions would do without
replacing any, but costs 42 µs of each eager convolution, which takes 3 µs without.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterator

#: Functions of torch with a keyword `device`, and methods of tensors.
_FUNCTIONS = (
    "arange", "as_tensor", "asarray", "bartlett_window", "blackman_window", "empty", "empty_like",
    "empty_permuted", "empty_strided", "eye", "full", "full_like", "hamming_window", "hann_window",
    "kaiser_window", "linspace", "logspace", "ones", "ones_like", "rand", "rand_like", "randint",
    "randint_like", "randn", "randn_like", "randperm", "range", "scalar_tensor", "tensor",
    "tril_indices", "triu_indices", "zeros", "zeros_like",
)  # fmt: skip
_METHODS = ("new_empty", "new_empty_strided", "new_full", "new_ones", "new_tensor", "new_zeros")

_on = False
_warned = False
#: What turning it off does, the last thing first.
_undo: list[Callable[[], None]] = []


def is_on() -> bool:
    """Whether CUDA devices are read as the CPU, if CUDA is not available."""
    return _on


def placed(device):
    """The device to use where `device` is asked for: the same one, unless it is to be the CPU."""
    if not _on or not _is_cuda(device):
        return device
    import torch

    if torch.cuda.is_available():
        return device
    if not torch.compiler.is_compiling():
        _warn(device)
    return torch.device("cpu")


def _is_cuda(device) -> bool:
    if isinstance(device, str):
        return device.partition(":")[0] == "cuda"
    if isinstance(device, int):  # torch takes a number for that of an accelerator
        return not isinstance(device, bool)
    return getattr(device, "type", None) == "cuda"


def _warn(device) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"CUDA is not available: boo.dropin takes the CPU for {device}, now and from now on",
            stacklevel=4,
        )


def turn_on() -> None:
    """Has CUDA devices read as the CPU, by the functions of torch that make or move tensors."""
    global _on
    if _on:
        return
    import torch

    _on = True
    _show_to_dynamo()
    for name in _FUNCTIONS:
        _replace(torch, name, _by_keyword(getattr(torch, name)))
    for name in _METHODS:
        _replace(torch.Tensor, name, _by_keyword(getattr(torch.Tensor, name)))
    _replace(torch.Tensor, "to", _by_any(torch.Tensor.to))
    _replace(torch.Tensor, "cuda", _cuda(torch.Tensor.cuda))


def turn_off() -> None:
    """Gives torch its own functions back."""
    global _on
    _on = False
    while _undo:
        _undo.pop()()


@contextlib.contextmanager
def around_dynamo() -> Iterator[None]:
    """While torch._dynamo is imported: it finds torch's own functions, which it knows by identity,
    and then traces what replaces them as any other Python code."""
    was_on = _on
    turn_off()
    try:
        yield
    finally:
        if was_on:
            turn_on()


def _show_to_dynamo() -> None:
    """Has torch._dynamo look up now what it otherwise does when it first traces."""
    module = sys.modules.get("torch._dynamo.variables.torch")
    tables = getattr(module, "TorchInGraphFunctionVariable", None)
    with contextlib.suppress(AttributeError):  # another version of torch
        tables._get_handlers()


def _replace(owner, name: str, replacement) -> None:
    own = vars(owner).get(name)  # methods are inherited from a class in C
    setattr(owner, name, replacement)
    if own is None:
        _undo.append(lambda: delattr(owner, name))
    else:
        _undo.append(lambda: setattr(owner, name, own))


def _by_keyword(function):
    @functools.wraps(function)
    def make(*args, **kwargs):
        if kwargs.get("device") is not None:
            kwargs["device"] = placed(kwargs["device"])
        return function(*args, **kwargs)

    return make


def _by_any(function):
    @functools.wraps(function)
    def to(self, *args, **kwargs):
        if kwargs.get("device") is not None:
            kwargs["device"] = placed(kwargs["device"])
        elif args and _is_cuda(args[0]):
            args = (placed(args[0]), *args[1:])
        return function(self, *args, **kwargs)

    return to


def _cuda(function):
    @functools.wraps(function)
    def cuda(self, device=None, *args, **kwargs):
        where = placed("cuda" if device is None else device)
        if _is_cuda(where):
            return function(self, device, *args, **kwargs)
        return self.to(where)

    return cuda
