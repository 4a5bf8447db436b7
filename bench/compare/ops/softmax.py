"""Softmax over the channels, with MIOpenDriver's flags."""

import numpy as np

from ..commands import CommandError
from .base import Problem


class Softmax(Problem):
    """Mode 1 (MIOpen's channel mode): over C of N x C x H x W; H and W are 1 for rows."""

    @staticmethod
    def flags(parser):
        for name, letter, default in (("batchsize", "n", 100), ("in_channels", "c", 3),
                                      ("in_h", "H", 32), ("in_w", "W", 32), ("algorithm", "a", 1),
                                      ("mode", "m", 1), ("forw", "F", 1)):
            parser.add_argument(f"--{name}", f"-{letter}", type=int, default=default)

    def setup(self, options):
        o = options
        if o.forw != 1 or o.mode != 1 or o.algorithm == 2:
            raise CommandError("only -F 1 -m 1, no logarithm, is compared")
        self.out_shape = (o.batchsize, o.in_channels, o.in_h, o.in_w)
        self.shapes, self.terms = [self.out_shape], o.in_channels
        self.flops = 4.0 * np.prod(self.out_shape)
        self.label = "softmax " + "x".join(map(str, self.out_shape))

    def reference(self, arrays):
        x = arrays[0].astype(np.float64)
        x = np.exp(x - x.max(1, keepdims=True))
        return (), x / x.sum(1, keepdims=True)

    def torch_function(self, torch):
        return lambda x: torch.softmax(x, 1)

    def jax_function(self, jax):
        return lambda x: jax.nn.softmax(x, 1)

    def onnx_nodes(self, onnx):
        return [onnx.helper.make_node("Softmax", ["a0"], ["y"], axis=1)]
