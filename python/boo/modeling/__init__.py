"""Modules that compute with BOO's kernels, and what puts them into a model."""

from .conv import BooConv1d, BooConv2d, BooConv3d
from .replace import replace_conv2d_with_boo_conv, replace_convs_with_boo

__all__ = [
    "BooConv1d",
    "BooConv2d",
    "BooConv3d",
    "replace_conv2d_with_boo_conv",
    "replace_convs_with_boo",
]
