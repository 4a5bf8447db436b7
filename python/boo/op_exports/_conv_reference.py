"""Convolutions by torch, in any layouts and of any float type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .conv import ConvSignature


class ConvForward(torch.nn.Module):
    """Called with (input, weight[, bias]); the result is contiguous in the output's layout.

    Without `copies` it lies as torch's operator leaves it.
    """

    def __init__(self, signature: ConvSignature, *, copies: bool = True) -> None:
        super().__init__()
        self.copies = copies
        self.kwargs = signature.get_conv_kwargs()
        self.orders = (signature.input_perms, signature.kernel_perms, signature.output_perms)

    def forward(self, x, w, b=None):
        y = torch.convolution(self.orders[0](x), self.orders[1](w), b, **self.kwargs)
        y = self.orders[2](y)
        return y.contiguous() if self.copies else y


class ConvBackward(torch.nn.Module):
    """Called with (dL/dy, input, weight), or what the signature's launches take."""

    def __init__(self, signature: ConvSignature) -> None:
        super().__init__()
        self.kwargs = signature.get_conv_kwargs()
        self.mask = signature.backward_mask
        self.orders = (
            signature.output_perms.inv(),
            signature.input_perms,
            signature.kernel_perms,
        )
        self.shapes = (signature.input_shape, signature.kernel_shape)

    def forward(self, dy, *others):
        x, w = self._operands(dy, others)
        plain = [order(each) for order, each in zip(self.orders, (dy, x, w))]
        channels = plain[0].shape[1]
        made = torch.ops.aten.convolution_backward(
            *plain, [channels] if self.mask[2] else None, *self.kwargs.values(), list(self.mask)
        )
        back = [*(order.inv() for order in self.orders[1:]), None]
        results = tuple(
            each.contiguous() if order is None else order(each).contiguous()
            for each, order, wanted in zip(made, back, self.mask)
            if wanted
        )
        return results[0] if len(results) == 1 else results

    def _operands(self, dy, others):
        """Input and weight; one that is not given is not read, and its sizes are all that counts."""
        if len(others) == 2:
            return others
        needed = (self.mask[1], self.mask[0])
        given = iter(others)
        return [
            next(given) if wanted else dy.new_empty(()).expand(shape)
            for wanted, shape in zip(needed, self.shapes)
        ]
