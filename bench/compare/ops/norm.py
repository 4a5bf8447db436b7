"""Layer normalisation and, in training, batch normalisation."""

import numpy as np

from ..commands import CommandError
from .base import Problem


class LayerNorm(Problem):
    """Over the dimensions from --normalized_dim on; --mode 1 has weight and bias."""

    @staticmethod
    def flags(parser):
        parser.add_argument("--input", "-X", required=True)
        parser.add_argument("--eps", "-e", type=float, default=1e-5)
        parser.add_argument("--mode", "-m", type=int, default=0)
        parser.add_argument("--normalized_dim", "-o", type=int, default=3)
        parser.add_argument("--forw", "-F", type=int, default=1)

    def setup(self, options):
        shape = tuple(map(int, options.input.split("x")))
        if options.forw != 1 or not 0 < options.normalized_dim < len(shape):
            raise CommandError("only -F 1 is compared, with -o inside the shape")
        self.eps, self.inner = options.eps, shape[options.normalized_dim:]
        self.shapes = [shape] + [self.inner] * 2 * (options.mode == 1)
        self.out_shape, self.terms = shape, int(np.prod(self.inner))
        self.flops = 8.0 * np.prod(shape)
        self.label = f"layernorm {options.input} m{options.mode}"

    def reference(self, arrays):
        x, *affine = (array.astype(np.float64) for array in arrays)
        axes = tuple(range(x.ndim - len(self.inner), x.ndim))
        y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + self.eps)
        return (), y * affine[0] + affine[1] if affine else y

    def torch_function(self, torch):
        norm = torch.nn.functional.layer_norm
        return lambda x, *affine: norm(x, self.inner, *(affine or (None, None)), self.eps)

    def jax_function(self, jax):
        axes = tuple(range(len(self.out_shape) - len(self.inner), len(self.out_shape)))

        def norm(x, *affine):
            wide = x.astype("float32")
            wide -= wide.mean(axes, keepdims=True)
            y = wide * jax.lax.rsqrt((wide * wide).mean(axes, keepdims=True) + self.eps)
            return (y * affine[0] + affine[1] if affine else y).astype(x.dtype)

        return norm

    def onnx_nodes(self, onnx):
        if len(self.shapes) == 1:
            return super().onnx_nodes(onnx)
        axis = len(self.out_shape) - len(self.inner)
        return [onnx.helper.make_node("LayerNormalization", ["a0", "a1", "a2"], ["y"],
                                      axis=axis, epsilon=self.eps)]


class BatchNorm(Problem):
    """Training forward over all but the channels, weight and bias given; only y is compared."""

    @staticmethod
    def flags(parser):
        for name, letter, default in (("batchsize", "n", 32), ("in_channels", "c", 3),
                                      ("in_d", "D", 0), ("in_h", "H", 32), ("in_w", "W", 32),
                                      ("forw", "F", 1), ("back", "b", 0), ("mode", "m", 0),
                                      ("run", "r", 0), ("save", "s", 0)):
            parser.add_argument(f"--{name}", f"-{letter}", type=int, default=default)
        parser.add_argument("--alpha", "-A", type=float, default=1)
        parser.add_argument("--beta", "-B", type=float, default=0)
        parser.add_argument("--layout", "-L", default="NCHW")

    def setup(self, options):
        o = options
        if o.forw != 1 or o.back or o.in_d or o.layout not in ("NCHW", "NHWC"):
            raise CommandError("only the training forward pass in NCHW or NHWC is compared")
        self.channels_last = o.layout == "NHWC"
        self.out_shape = (o.batchsize, o.in_channels, o.in_h, o.in_w)
        self.shapes = [self.out_shape, (o.in_channels,), (o.in_channels,)]
        self.terms = o.batchsize * o.in_h * o.in_w
        self.flops = 8.0 * np.prod(self.out_shape)
        self.label = "bnorm " + "x".join(map(str, self.out_shape))

    def memory_orders(self):
        return [[0, 2, 3, 1] if self.channels_last else None, None, None]

    def reference(self, arrays):
        x, weight, bias = (array.astype(np.float64) for array in arrays)
        x = x - x.mean((0, 2, 3), keepdims=True)
        x /= np.sqrt((x * x).mean((0, 2, 3), keepdims=True) + 1e-5)
        return (), x * weight.reshape(1, -1, 1, 1) + bias.reshape(1, -1, 1, 1)

    def torch_function(self, torch):
        norm = torch.nn.functional.batch_norm
        stats = {}

        def train(x, weight, bias):
            if not stats:
                stats.update(running_mean=torch.zeros_like(bias), running_var=torch.ones_like(bias))
            return norm(x, weight=weight, bias=bias, training=True, eps=1e-5, **stats)

        return train

    def jax_arrays(self, arrays):
        return [np.ascontiguousarray(np.moveaxis(arrays[0], 1, -1)), *arrays[1:]]

    def jax_function(self, jax):
        def norm(x, weight, bias):
            wide = x.astype("float32")
            wide -= wide.mean((0, 1, 2))
            y = wide * jax.lax.rsqrt((wide * wide).mean((0, 1, 2)) + 1e-5)
            return (y * weight + bias).astype(x.dtype)

        return norm

    def jax_result(self, result):
        return np.moveaxis(result, -1, 1)
