"""Convolutions in one to three dimensions, forward and both gradients."""

import numpy as np

from ..commands import CommandError
from .base import Problem, Unsupported
from .conv_linalg import conv_linalg, from_nhwc, linalg_arrays, to_hwcf, to_nhwc
from .conv_reference import conv_reference

# letter of the flag for depth, height and width; 1-D uses height's
SIZES = {"in": "!HW", "fil": "@yx", "stride": "#uv", "pad": "$pq", "dilation": "^lj"}
LONG = {"in": "--in_", "fil": "--fil_", "stride": "--conv_stride_", "pad": "--pad_",
        "dilation": "--dilation_"}
DEFAULT = {"in": 32, "fil": 3, "stride": 1, "pad": 0, "dilation": 1}
CANONICAL = {1: "NCH", 2: "NCHW", 3: "NCDHW"}
TAILS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
IGNORED = ("-t", "--time", "-i", "--iter", "-V", "--verify", "-w", "-s", "-S", "-P", "-G")


class Conv(Problem):
    """out = conv(x, w) [+ bias] [+ residual], then pointwise functions.

    Forward takes (x, w[, bias][, residual]), -F 2 (dy, w), -F 4 (dy, x).
    """

    @staticmethod
    def flags(parser):
        parser.add_argument("--spatial_dim", "-_", type=int, default=2)
        parser.add_argument("--batchsize", "-n", type=int, default=100)
        parser.add_argument("--in_channels", "-c", type=int, default=3)
        parser.add_argument("--out_channels", "-k", type=int, default=32)
        parser.add_argument("--group_count", "-g", type=int, default=1)
        parser.add_argument("--bias", "-b", type=int, default=0)
        parser.add_argument("--residual", type=int, default=0, nargs="?", const=1)
        parser.add_argument("--tail", default="")
        parser.add_argument("--forw", "-F", type=int, default=1)
        parser.add_argument("--mode", "-m", default="conv")
        parser.add_argument("--pad_mode", "-z", default="default")
        for name, letter in (("in", "I"), ("fil", "f"), ("out", "O")):
            parser.add_argument(f"--{name}_layout", f"-{letter}")
        for what, letters in SIZES.items():
            for axis, letter in zip("dhw", letters, strict=True):
                parser.add_argument(LONG[what] + axis, f"-{letter}", type=int,
                                    default=DEFAULT[what], dest=f"{what}_{axis}")
        for flag in IGNORED:
            parser.add_argument(flag, nargs="?", dest="ignored")

    def setup(self, options):
        o = options
        if o.mode != "conv" or o.pad_mode not in ("default", "valid") or o.forw not in (1, 2, 4):
            raise CommandError("only -m conv, -z default or valid, and -F 1, 2 or 4 are compared")
        given = [name for name in (o.in_layout, o.fil_layout, o.out_layout) if name]
        self.rank = len(given[0]) - 2 if given else o.spatial_dim
        if self.rank not in CANONICAL or any(len(name) != self.rank + 2 for name in given):
            raise CommandError("layouts and --spatial_dim tell different ranks")
        self.layouts = [name or CANONICAL[self.rank]
                        for name in (o.in_layout, o.fil_layout, o.out_layout)]
        axes = {1: "h", 2: "hw", 3: "dhw"}[self.rank]
        self.size, self.fil, self.stride, self.pad, self.dilation = (
            tuple(getattr(o, f"{what}_{axis}") for axis in axes) for what in SIZES)
        if o.pad_mode == "valid":
            self.pad = (0,) * self.rank
        self.n, self.c, self.k, self.groups = o.batchsize, o.in_channels, o.out_channels, o.group_count
        if self.groups < 1 or self.c % self.groups or self.k % self.groups:
            raise CommandError(f"{self.groups} groups of {self.c} and {self.k} channels")
        self.tails = [name for name in o.tail.split(",") if name]
        if any(name not in TAILS for name in self.tails):
            raise CommandError(f"of tails, only {', '.join(TAILS)} are compared")
        self.forw, self.bias, self.residual = o.forw, o.bias, o.residual
        if self.forw != 1 and (self.bias or self.residual or self.tails):
            raise CommandError("gradients with bias, residual or tail are not compared")
        self.out = tuple((size + 2 * pad - dil * (fil - 1) - 1) // stride + 1
                         for size, fil, stride, pad, dil in
                         zip(self.size, self.fil, self.stride, self.pad, self.dilation, strict=True))
        if min(self.out) < 1:
            raise CommandError("the output is empty")
        self.x_shape = (self.n, self.c, *self.size)
        self.w_shape = (self.k, self.c // self.groups, *self.fil)
        self.y_shape = (self.n, self.k, *self.out)
        outputs = self.n * self.k * int(np.prod(self.out))
        taps = self.c // self.groups * int(np.prod(self.fil))
        self.flops = 2.0 * outputs * taps
        self.terms = {1: taps, 2: self.k // self.groups * int(np.prod(self.fil)),
                      4: self.n * int(np.prod(self.out))}[self.forw]
        if self.forw == 1:
            self.shapes = [self.x_shape, self.w_shape]
            self.shapes += [(self.k,)] if self.bias else []
            self.shapes += [self.y_shape] if self.residual else []
            self.out_shape, self.constants = self.y_shape, (1, 2) if self.bias else (1,)
        else:
            self.shapes = [self.y_shape, self.w_shape if self.forw == 2 else self.x_shape]
            self.out_shape = self.x_shape if self.forw == 2 else self.w_shape
            self.constants = (1,) if self.forw == 2 else ()
        self.label = self._label()

    def _label(self):
        def short(letter, values, plain):
            same = len(set(values)) == 1
            text = str(values[0]) if same else "x".join(map(str, values))
            return "" if same and values[0] == plain else f" {letter}{text}"

        label = "x".join(map(str, self.x_shape)) + f" k{self.k} " + "x".join(map(str, self.fil))
        label += short("s", self.stride, 1) + short("p", self.pad, 0) + short("d", self.dilation, 1)
        label += f" g{self.groups}" if self.groups > 1 else ""
        extras = (["bias"] if self.bias else []) + (["res"] if self.residual else []) + self.tails
        return " ".join([label, *extras])

    def scales(self):
        return [1.0, self.terms**-0.5] + [1.0] * (len(self.shapes) - 2)

    def memory_orders(self):
        canonical = CANONICAL[self.rank]
        x, w, y = ([canonical.index(letter) for letter in name] for name in self.layouts)
        orders = {1: [x, w], 2: [y, w], 4: [y, x]}[self.forw]
        orders += [None] if self.bias else []
        return orders + ([y] if self.residual else [])

    def reference(self, arrays):
        return conv_reference(self, arrays)

    def torch_function(self, torch):
        """1-D ones go as images of one row: torch.conv1d is far slower, channels last or not."""
        rank = max(self.rank, 2)
        lift = self.rank == 1
        common = [[fill] * lift + list(values) for fill, values in
                  ((1, self.stride), (0, self.pad), (1, self.dilation))]
        if self.forw == 1:
            function = self._torch_forward(torch, rank, common)
        else:
            function = self._torch_gradient(torch, rank, common, lift)
        if not lift:
            return function
        return lambda *inputs: function(
            *[x.unsqueeze(2) if x.ndim == 3 else x for x in inputs]).squeeze(2)

    def _torch_forward(self, torch, rank, common):
        conv = torch.conv2d if rank == 2 else torch.conv3d
        bias, residual = self.bias, self.residual
        tails = [getattr(torch, name) for name in self.tails]

        def forward(x, w, *rest):
            y = conv(x, w, rest[0] if bias else None, *common, self.groups)
            y = y + rest[-1] if residual else y
            for tail in tails:
                y = tail(y)
            return y

        return forward

    def _torch_gradient(self, torch, rank, common, lift):
        shape = (*self.out_shape[:2], *[1] * lift, *self.out_shape[2:])
        other = torch.empty(shape, dtype=getattr(torch, TORCH_DTYPE[self.dtype]))
        if self.layouts[0].endswith("C"):
            last = torch.channels_last if rank == 2 else torch.channels_last_3d
            other = other.to(memory_format=last)
        grad = torch.ops.aten.convolution_backward
        args = (None, *common, False, [0] * rank, self.groups)
        if self.forw == 2:
            return lambda dy, w: grad(dy, other, w, *args, [True, False, False])[0]
        return lambda dy, x: grad(dy, x, other, *args, [False, True, False])[1]

    def jax_arrays(self, arrays):
        images = [to_nhwc(array) if index == 0 or self.forw == 4 or array.ndim > 1 else array
                  for index, array in enumerate(arrays)]
        if self.forw != 4:
            images[1] = to_hwcf(arrays[1])
        return images

    def jax_function(self, jax):
        space = CANONICAL[self.rank][2:]
        numbers = (f"N{space}C", f"{space}IO", f"N{space}C")

        def conv(x, w):
            return jax.lax.conv_general_dilated(
                x, w, self.stride, [(pad, pad) for pad in self.pad], rhs_dilation=self.dilation,
                dimension_numbers=numbers, feature_group_count=self.groups)

        def zeros(shape, like):
            return jax.numpy.zeros(shape, like.dtype)

        if self.forw == 2:
            shape = (self.n, *self.size, self.c)
            return lambda dy, w: jax.vjp(lambda x: conv(x, w), zeros(shape, dy))[1](dy)[0]
        if self.forw == 4:
            shape = (*self.fil, self.c // self.groups, self.k)
            return lambda dy, x: jax.vjp(lambda w: conv(x, w), zeros(shape, dy))[1](dy)[0]
        tails = [getattr(jax.nn, name) for name in self.tails]

        def forward(x, w, *rest):
            y = conv(x, w)
            for operand in rest:
                y = y + operand
            for tail in tails:
                y = tail(y)
            return y

        return forward

    def jax_result(self, result):
        if self.forw == 4:
            return result.transpose(result.ndim - 1, result.ndim - 2, *range(self.rank))
        return from_nhwc(result)

    def onnx_nodes(self, onnx):
        if self.forw != 1:
            raise Unsupported("ONNX has no gradients")
        last = len(self.tails) + bool(self.residual)
        names = [f"t{index}" for index in range(last)] + ["y"]
        nodes = [onnx.helper.make_node(
            "Conv", ["a0", "a1"] + (["a2"] if self.bias else []), [names[0]], group=self.groups,
            strides=self.stride, pads=self.pad * 2, dilations=self.dilation, kernel_shape=self.fil)]
        if self.residual:
            nodes.append(onnx.helper.make_node("Add", [names[0], f"a{2 + bool(self.bias)}"],
                                               [names[1]]))
        for tail in self.tails:
            at = len(nodes)
            nodes.append(onnx.helper.make_node(TAILS[tail], [names[at - 1]], [names[at]]))
        return nodes

    def linalg(self, constants):
        return conv_linalg(self, constants)

    def linalg_arrays(self, arrays):
        return [*linalg_arrays(self, arrays), *arrays[2:]]

    def linalg_result(self, result):
        return from_nhwc(result.reshape(self.n, *self.out, self.k))


TORCH_DTYPE = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "f64": "float64"}
