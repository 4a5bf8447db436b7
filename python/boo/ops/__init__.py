"""Single operations on torch tensors, each computed by a kernel of BOO's."""

from .conv import (
    boo_conv,
    boo_convolution,
    boo_layout_customizable_convolution,
    disable_backward,
    enable_backward,
    is_boo_backward_enabled,
)
from .conv_replacement import convolution_backward_replacement, convolution_replacement
from .graph import get_custom_graph_op
from .library import define_schema, get_library_op, is_op_defined, register_impl, register_meta
from .utils import (
    CHANNELS_LAST_LAYOUTS,
    CHANNELS_LAST_MEMORY_FORMAT,
    CHANNELS_LAST_TO_CONTIGUOUS_PERMUTATION,
    CONTIGUOUS_TO_CHANNELS_LAST_PERMUTATION,
    MemoryFormatPermutation,
    get_arg_spec_name,
    get_memory_format_permutation,
    make_tuple,
)

__all__ = [
    "CHANNELS_LAST_LAYOUTS",
    "CHANNELS_LAST_MEMORY_FORMAT",
    "CHANNELS_LAST_TO_CONTIGUOUS_PERMUTATION",
    "CONTIGUOUS_TO_CHANNELS_LAST_PERMUTATION",
    "MemoryFormatPermutation",
    "boo_conv",
    "boo_convolution",
    "boo_layout_customizable_convolution",
    "convolution_backward_replacement",
    "convolution_replacement",
    "define_schema",
    "disable_backward",
    "enable_backward",
    "get_arg_spec_name",
    "get_custom_graph_op",
    "get_library_op",
    "get_memory_format_permutation",
    "is_boo_backward_enabled",
    "is_op_defined",
    "make_tuple",
    "register_impl",
    "register_meta",
]
