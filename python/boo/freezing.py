"""Weights that are known ahead: folded, packed once, and never read again.

``freeze`` marks a module's parameters and buffers. Inference graphs that torch.compile makes of it
afterwards fold batch norms into the convolutions before them, compute what depends on weights alone,
and keep the packed result. Each call looks whether a weight is another tensor, lies elsewhere in
memory, or was written to by an operator of torch, and packs anew if so. Writes that torch does not
count, through ``.data`` or numpy, need ``refresh``.
"""

from __future__ import annotations

import torch

_MARK = "_boo_frozen"
_epoch = 0
_any = False


def freeze(module: torch.nn.Module) -> torch.nn.Module:
    """Marks the module's parameters and buffers as known ahead. Returns the module.

    Raises:
        ValueError: for inference tensors, of which torch does not count the writes.
    """
    global _any
    tensors = [*module.named_parameters(), *module.named_buffers()]
    for name, tensor in tensors:
        if tensor.is_inference():
            raise ValueError(
                f"{name} is an inference tensor, whose changes cannot be noticed: make it outside of"
                " torch.inference_mode(), or clone it there"
            )
    for _, tensor in tensors:
        setattr(tensor, _MARK, True)
    _any = True
    return module


def unfreeze(module: torch.nn.Module) -> torch.nn.Module:
    """Takes the marks back. Returns the module."""
    for tensor in (*module.parameters(), *module.buffers()):
        if hasattr(tensor, _MARK):
            delattr(tensor, _MARK)
    refresh()
    return module


def refresh() -> None:
    """Has every program pack its weights anew at its next call: after writes through ``.data``,
    numpy or other memory, which torch does not count."""
    global _epoch
    _epoch += 1


def epoch() -> int:
    """Grows with every refresh."""
    return _epoch


def any_frozen() -> bool:
    """Whether something was ever frozen in this process."""
    return _any


def is_frozen(value) -> bool:
    return isinstance(value, torch.Tensor) and getattr(value, _MARK, False)
