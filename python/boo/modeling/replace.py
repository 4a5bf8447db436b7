"""Makes the convolutions of a model BOO's, in place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch

from ..op_exports.utils import make_tuple
from .conv import BooConv1d, BooConv2d, BooConv3d

__all__ = ["replace_conv2d_with_boo_conv", "replace_convs_with_boo"]

_REPLACEMENTS = {
    torch.nn.Conv1d: (1, BooConv1d),
    torch.nn.Conv2d: (2, BooConv2d),
    torch.nn.Conv3d: (3, BooConv3d),
}
#: Attributes with an entry a spatial dimension.
_SPATIAL = ("stride", "padding", "dilation")


def replace_convs_with_boo(
    model: torch.nn.Module,
    *,
    allowed_spatial_dims: Collection[int] = (1, 2, 3),
    kwarg_mapping: Mapping[int, Mapping[str, Any]] | None = None,
) -> torch.nn.Module:
    """Turns each torch.nn.ConvNd of the model into a BooConvNd.

    The modules stay the same objects, with their parameters, hooks, parametrizations and training
    flags: an optimizer that has their parameters needs no change. They are instances of torch's
    convolutions no more. Subclasses of ConvNd, which may compute something else, are left alone.

    Args:
        model: changed in place, even if it is a convolution itself.
        allowed_spatial_dims: which convolutions to replace.
        kwarg_mapping: by number of spatial dimensions, attributes to set on what is replaced, as
            ``{2: {"padding_mode": "reflect"}}``.

    Returns:
        The model.

    Raises:
        ValueError: an attribute that convolutions do not have, or a number of dimensions other
            than 1, 2 and 3.
    """
    mapping = {} if kwarg_mapping is None else kwarg_mapping
    unknown = {*allowed_spatial_dims, *mapping} - {1, 2, 3}
    if unknown:
        raise ValueError(f"there are no convolutions in {sorted(unknown)} dimensions")
    found = []
    for module in model.modules():
        replacement = _replacement(type(module))
        if replacement is not None and replacement[0] in allowed_spatial_dims:
            found.append((module, replacement))
    # All is checked before anything is changed.
    changes = [(module, new, _attributes(module, dims, mapping)) for module, (dims, new) in found]
    for module, new, attributes in changes:
        module.__class__ = new
        vars(module).update(attributes)
    return model


def replace_conv2d_with_boo_conv(model: torch.nn.Module, **kwargs: Any) -> torch.nn.Module:
    """``replace_convs_with_boo`` for Conv2d alone; `kwargs` are attributes to set on them."""
    return replace_convs_with_boo(model, allowed_spatial_dims=(2,), kwarg_mapping={2: kwargs})


def _replacement(cls: type) -> tuple[int, type] | None:
    """The number of spatial dimensions and the new class, or None."""
    if cls in _REPLACEMENTS:
        return _REPLACEMENTS[cls]
    # A parametrized module has a class of its own, made from that of the module.
    if len(cls.__bases__) != 1 or cls.__name__ != f"Parametrized{cls.__bases__[0].__name__}":
        return None
    if cls.__bases__[0] not in _REPLACEMENTS:
        return None
    dims, new = _REPLACEMENTS[cls.__bases__[0]]
    own = {
        name: each for name, each in vars(cls).items() if name not in ("__dict__", "__weakref__")
    }
    return dims, type(f"Parametrized{new.__name__}", (new,), own)


def _attributes(module: torch.nn.Module, dims: int, mapping: Mapping) -> dict[str, Any]:
    """What to set on the module, in the form that a constructor brings it to."""
    attributes = dict(mapping.get(dims, {}))
    for name, value in attributes.items():
        if name not in vars(module):
            raise ValueError(f"{type(module).__name__} has no attribute {name!r} to set")
        if name in _SPATIAL and not isinstance(value, str):
            attributes[name] = make_tuple(value, dims, name)
    return attributes
