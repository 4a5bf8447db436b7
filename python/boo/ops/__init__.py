"""Single operations on torch tensors, each computed by a kernel of BOO's."""

from .conv import (
    boo_conv,
    boo_convolution,
    boo_layout_customizable_convolution,
    disable_backward,
    enable_backward,
    is_boo_backward_enabled,
)

__all__ = [
    "boo_conv",
    "boo_convolution",
    "boo_layout_customizable_convolution",
    "disable_backward",
    "enable_backward",
    "is_boo_backward_enabled",
]
