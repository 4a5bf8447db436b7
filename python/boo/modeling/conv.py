"""torch.nn's convolutions, computed by BOO's kernels."""

from __future__ import annotations

import torch

from ..ops import boo_conv

__all__ = ["BooConv1d", "BooConv2d", "BooConv3d"]


class _BooConvolution:
    """Comes before torch.nn.ConvNd, whose constructor, parameters and state it leaves alone."""

    def _conv_forward(self, input, weight, bias):
        rank = len(self.kernel_size)
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
            weight,
            bias,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y.squeeze(0) if unbatched else y

    def _pads(self) -> list[tuple[int, int]]:
        """What is added before and after each spatial dimension."""
        if self.padding == "valid":
            return [(0, 0)] * len(self.kernel_size)
        if self.padding == "same":
            totals = [each * (taps - 1) for each, taps in zip(self.dilation, self.kernel_size)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(each, each) for each in self.padding]


class BooConv1d(_BooConvolution, torch.nn.Conv1d):
    """torch.nn.Conv1d, computed by ``boo_conv``: (N, C, L) or (C, L) to (N, K, L') or (K, L')."""


class BooConv2d(_BooConvolution, torch.nn.Conv2d):
    """torch.nn.Conv2d, computed by ``boo_conv``: (N, C, H, W) or (C, H, W) to as many dimensions.

    The result has the memory format that torch's has: channels last if input or weight is.
    """


class BooConv3d(_BooConvolution, torch.nn.Conv3d):
    """torch.nn.Conv3d, computed by ``boo_conv``: (N, C, D, H, W) or without N, likewise."""
