"""Directions of a convolution, and the names of its kernels."""

from __future__ import annotations

import enum
import functools

import torch

from .. import _graph
from .utils import text_of

__all__ = ["Mode", "get_conv_func_name"]


class Mode(enum.IntEnum):
    """What of a convolution is computed. A backward mode is the sum of 1 for the gradient of the
    input, 2 for that of the weight and 4 for that of the bias."""

    FORWARD = 0
    INPUT_BACKWARD = 1
    WEIGHT_BACKWARD = 2
    INPUT_WEIGHT_BACKWARD = 3
    BIAS_BACKWARD = 4
    INPUT_BIAS_BACKWARD = 5
    WEIGHT_BIAS_BACKWARD = 6
    ALL_BACKWARD = 7

    FWD = FORWARD
    BWD = INPUT_BACKWARD
    WRW = WEIGHT_BACKWARD

    @staticmethod
    def parse(spec: str | int | Mode) -> Mode:
        """From "fwd", "bwd", "wrw" or a mode's name in any case. Raises ValueError for others."""
        if isinstance(spec, str):
            name = spec.upper().replace("-", "_")
            for each in (name, f"{name}_BACKWARD"):
                if each in Mode.__members__:
                    return Mode[each]
            raise ValueError(f"no mode {spec!r}; there are {', '.join(Mode.__members__)}")
        return Mode(spec)

    @staticmethod
    def from_mask(mask: tuple[bool, bool, bool]) -> Mode:
        """The backward mode with these gradients: input, weight, bias."""
        return Mode(sum(1 << i for i, wanted in enumerate(mask) if wanted))

    @property
    def mask(self) -> tuple[bool, bool, bool]:
        """Which gradients are computed: input, weight, bias. None in forward mode."""
        return bool(self & 1), bool(self & 2), bool(self & 4)


@functools.lru_cache(maxsize=4096)
def get_conv_func_name(
    input_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    dtype: torch.dtype,
    mode: str | Mode,
    bias: bool,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    input_layout: str,
    kernel_layout: str,
    output_layout: str,
    transposed: bool = False,
    output_padding: tuple[int, ...] = (),
) -> str:
    """The name of a convolution's kernel; sizes are in the order of the layouts.

    As ``conv_2d_float32_forward_b_10x2x14x14_nchw_3x2x2x2_fchw_nfhw_1x1s_0x0p_1x1d_1g``; those of
    transposed convolutions go on with ``_trans_0x0op``.
    """
    parts = [
        f"conv_{len(input_shape) - 2}d",
        _graph.TORCH_NAMES[dtype],
        Mode.parse(mode).name.lower(),
        # The gradients are the same with and without a bias.
        "b" if bias and Mode.parse(mode) == Mode.FORWARD else "",
        text_of(input_shape),
        input_layout.lower(),
        text_of(kernel_shape),
        kernel_layout.lower().replace("n", "f"),
        output_layout.lower().replace("c", "f"),
        f"{text_of(stride)}s",
        f"{text_of(padding)}p",
        f"{text_of(dilation)}d",
        f"{groups}g",
        f"trans_{text_of(output_padding)}op" if transposed else "",
    ]
    return "_".join(part for part in parts if part)
