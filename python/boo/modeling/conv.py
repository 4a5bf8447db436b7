"""Convolutions as modules, computed by BOO's kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from ..op_exports.utils import make_tuple
from ..ops import boo_conv

__all__ = ["BooConv1d", "BooConv2d", "BooConv3d"]

_MODES = ("zeros", "reflect", "replicate", "circular")


class _BooConv(torch.nn.Module):
    """A module with the arguments, attributes, initial values and state of torch.nn.ConvNd.

    It is none of torch's convolutions, so that code which looks for those does not take it for one.
    Output channels that `groups` does not divide are refused when it is called.
    """

    _dims: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups:
            raise ValueError(f"{in_channels} input channels do not make {groups} groups")
        if padding_mode not in _MODES:
            raise ValueError(f"padding_mode is one of {_MODES}, not {padding_mode!r}")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"padding is 'same', 'valid' or numbers, not {padding!r}")
        rank = self._dims
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = make_tuple(kernel_size, rank, "kernel_size")
        self.stride = make_tuple(stride, rank, "stride")
        named = isinstance(padding, str)
        self.padding = padding if named else make_tuple(padding, rank, "padding")
        self.dilation = make_tuple(dilation, rank, "dilation")
        self.transposed, self.output_padding = False, (0,) * rank
        self.padding_mode = padding_mode
        if padding == "same" and any(each != 1 for each in self.stride):
            raise ValueError("padding='same' belongs to a stride of 1")
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = torch.nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        made = torch.empty(out_channels, device=device, dtype=dtype) if bias else None
        self.register_parameter("bias", None if made is None else torch.nn.Parameter(made))
        self.reset_parameters()

    reset_parameters = torch.nn.Conv2d.reset_parameters
    extra_repr = torch.nn.Conv2d.extra_repr

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        rank = self._dims
        if input.dim() not in (rank + 1, rank + 2):
            raise ValueError(
                f"{type(self).__name__} takes {rank + 1} or {rank + 2} dimensions, not"
                f" {input.dim()}"
            )
        unbatched = input.dim() == rank + 1
        x = input.unsqueeze(0) if unbatched else input
        pads = self._pads()
        zeros = self.padding_mode == "zeros"
        if zeros and all(low == high for low, high in pads):
            padding = tuple(low for low, _ in pads)
        else:
            # What the kernel does not pad with; torch counts from the last dimension.
            flat = [each for pair in reversed(pads) for each in pair]
            mode = "constant" if zeros else self.padding_mode
            x, padding = torch.nn.functional.pad(x, flat, mode=mode), (0,) * rank
        y = boo_conv(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y.squeeze(0) if unbatched else y

    def _pads(self) -> list[tuple[int, int]]:
        """What is added before and after each spatial dimension."""
        if self.padding == "valid":
            return [(0, 0)] * self._dims
        if self.padding == "same":
            totals = [each * (taps - 1) for each, taps in zip(self.dilation, self.kernel_size)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(each, each) for each in self.padding]


class BooConv1d(_BooConv):
    """As torch.nn.Conv1d, computed by ``boo_conv``: (N, C, L) or (C, L) to (N, K, L') or (K, L')."""

    _dims = 1


class BooConv2d(_BooConv):
    """As torch.nn.Conv2d, computed by ``boo_conv``: (N, C, H, W) or (C, H, W) to as many dimensions.

    The result has the memory format that torch's has: channels last if input or weight is.
    """

    _dims = 2


class BooConv3d(_BooConv):
    """As torch.nn.Conv3d, computed by ``boo_conv``: (N, C, D, H, W) or without N, likewise."""

    _dims = 3
