"""Convolutions in any layouts: signatures of all directions, and the parser of their commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from .. import _boo, _graph
from ._conv_graph import make_program
from ._conv_names import Mode, get_conv_func_name
from ._conv_reference import ConvBackward, ConvForward
from .base import KernelModule, OpSignature, Program
from .parser import OpCLIParser, add_flags, refuse
from .utils import Permutation, dense, make_tuple

__all__ = ["ConvParser", "ConvSignature", "Mode", "get_conv_func_name"]

PLAIN_LAYOUTS = {1: "NCH", 2: "NCHW", 3: "NCDHW"}


class ConvSignature(OpSignature):
    """A convolution.

    Args:
        input_shape: sizes in the order of `input_layout`.
        kernel_shape: sizes in the order of `kernel_layout`, in which N is the number of output
            channels and C that of input channels a group; of a transposed convolution N is the
            number of input channels and C that of output channels a group.
        shared_layout: a layout for all three tensors: an order of NCH, NCHW or NCDHW.
        input_layout, kernel_layout, output_layout: layouts of single tensors, plain by default.
        bias: whether a forward launch takes a bias, one value an output channel.
        stride, padding, dilation, output_padding: one number, or one a spatial dimension, in the
            order of plain layouts.
        mode: what is computed, as Mode.parse takes it.
        backward_mask: gradients of input, weight and bias, instead of a mode.

    Launches take (input, weight[, bias]) forward and (dL/dy, input, weight) backward, all
    contiguous in their layouts. They give the output, or the gradients in the order of the mask.

    Raises:
        ValueError: layouts, sizes or parameters that do not fit together.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        kernel_shape: Sequence[int],
        shared_layout: str | None = None,
        input_layout: str | None = None,
        kernel_layout: str | None = None,
        output_layout: str | None = None,
        bias: bool = False,
        dtype: torch.dtype = torch.bfloat16,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        transposed: bool = False,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        mode: str | Mode = Mode.FORWARD,
        backward_mask: Sequence[bool] | None = None,
    ) -> None:
        rank = len(input_shape) - 2
        if rank not in PLAIN_LAYOUTS or len(kernel_shape) != rank + 2:
            raise ValueError(
                f"a convolution takes tensors of 3, 4 or 5 dimensions, not {len(input_shape)} and"
                f" {len(kernel_shape)}"
            )
        self.num_spatial_dims = rank
        self.input_shape = tuple(int(each) for each in input_shape)
        self.kernel_shape = tuple(int(each) for each in kernel_shape)
        self.input_layout, self.kernel_layout, self.output_layout = _layouts(
            rank, shared_layout, input_layout, kernel_layout, output_layout
        )
        self.bias = bool(bias)
        self.dtype = dtype
        self.stride = make_tuple(stride, rank, "stride")
        self.padding = make_tuple(padding, rank, "padding")
        self.dilation = make_tuple(dilation, rank, "dilation")
        self.transposed = bool(transposed)
        self.output_padding = make_tuple(output_padding, rank, "output_padding")
        self.groups = int(groups)
        self.mode = Mode.parse(mode)
        if backward_mask is not None:
            self.mode = Mode.from_mask(tuple(backward_mask))
        self._check()

    def _check(self) -> None:
        if self.dtype not in _graph.FLOATS:
            raise ValueError(f"no convolution of {self.dtype}")
        x, w = self.plain_input_shape, self.plain_kernel_shape
        if min(*x, *w, *self.stride, *self.dilation, self.groups) < 1 or min(self.padding) < 0:
            raise ValueError("sizes, strides, dilations and groups are at least 1, paddings 0")
        # What the input's channels are divided among is the kernel's C, or its N if transposed.
        takes = w[0] if self.transposed else w[1] * self.groups
        if x[1] != takes or w[0] % self.groups:
            raise ValueError(
                f"an input with {x[1]} channels does not fit a kernel with N={w[0]} and C={w[1]} in"
                f" {self.groups} groups{', transposed' if self.transposed else ''}"
            )
        if not self.transposed and any(self.output_padding):
            raise ValueError("output_padding belongs to transposed convolutions")
        for extra, stride, dilation in zip(self.output_padding, self.stride, self.dilation):
            if extra < 0 or (extra and extra >= max(stride, dilation)):
                raise ValueError(f"output_padding {extra} is not below stride or dilation")
        if min(self.plain_output_shape) < 1:
            raise ValueError(f"the output would have sizes {self.plain_output_shape}")

    @property
    def input_perms(self) -> Permutation:
        """From the input's layout to the plain one."""
        return self._to_plain(self.input_layout)

    @property
    def kernel_perms(self) -> Permutation:
        """From the kernel's layout to the plain one."""
        return self._to_plain(self.kernel_layout)

    @property
    def output_perms(self) -> Permutation:
        """From the plain layout to the output's."""
        return self._to_plain(self.output_layout).inv()

    def _to_plain(self, layout: str) -> Permutation:
        return Permutation.get(layout, PLAIN_LAYOUTS[self.num_spatial_dims])

    @property
    def plain_input_shape(self) -> tuple[int, ...]:
        return self.input_perms(self.input_shape)

    @property
    def plain_kernel_shape(self) -> tuple[int, ...]:
        return self.kernel_perms(self.kernel_shape)

    @property
    def plain_output_shape(self) -> tuple[int, ...]:
        x, w = self.plain_input_shape, self.plain_kernel_shape
        reach = [dilation * (taps - 1) + 1 for dilation, taps in zip(self.dilation, w[2:])]
        if self.transposed:
            spatial = (
                (size - 1) * stride - 2 * pad + each + extra
                for size, stride, pad, each, extra in zip(
                    x[2:], self.stride, self.padding, reach, self.output_padding
                )
            )
            return (x[0], w[1] * self.groups, *spatial)
        spatial = (
            (size + 2 * pad - each) // stride + 1
            for size, stride, pad, each in zip(x[2:], self.stride, self.padding, reach)
        )
        return (x[0], w[0], *spatial)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Sizes of the forward output, in its layout."""
        return self.output_perms(self.plain_output_shape)

    @property
    def explicit_padding(self) -> list[int]:
        """What torch.nn.functional.pad takes to pad an input in its layout."""
        pads = dict(zip(PLAIN_LAYOUTS[self.num_spatial_dims][2:], self.padding))
        return [pads.get(letter, 0) for letter in reversed(self.input_layout) for _ in range(2)]

    @property
    def input_grouped_dim(self) -> int:
        """The dimension of the input that groups split."""
        return self.input_layout.index("C")

    @property
    def kernel_grouped_dim(self) -> int:
        return self.kernel_layout.index("N")

    @property
    def output_grouped_dim(self) -> int:
        return self.output_layout.index("C")

    @property
    def backward_mask(self) -> tuple[bool, bool, bool]:
        """Which gradients are computed: of input, weight, bias."""
        return self.mode.mask

    @property
    def is_forward(self) -> bool:
        return self.mode == Mode.FORWARD

    @property
    def func_name(self) -> str:
        return get_conv_func_name(
            self.input_shape, self.kernel_shape, self.dtype, self.mode, self.bias, self.stride,
            self.padding, self.dilation, self.groups, self.input_layout, self.kernel_layout,
            self.output_layout, self.transposed, self.output_padding,
        )  # fmt: skip

    @staticmethod
    def get(
        input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, **kwargs
    ) -> ConvSignature:
        """The signature of these tensors; `kwargs` are those of ConvSignature."""
        return ConvSignature(
            input_shape=tuple(input.shape),
            kernel_shape=tuple(weight.shape),
            bias=bias is not None,
            dtype=input.dtype,
            **kwargs,
        )

    def as_init_kwargs(self) -> dict:
        names = (
            "input_shape", "kernel_shape", "input_layout", "kernel_layout", "output_layout",
            "bias", "dtype", "stride", "padding", "dilation", "transposed", "output_padding",
            "groups", "mode",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def get_conv_kwargs(self) -> dict:
        """What torch.convolution takes beside the tensors."""
        names = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
        return {name: getattr(self, name) for name in names}

    def make_signature_copy_for_forward(self) -> ConvSignature:
        return type(self)(**{**self.as_init_kwargs(), "mode": Mode.FORWARD})

    def get_arg_index_for_backward(self) -> int:
        self._refuse_forward()
        return self.backward_mask.index(True)

    def tensor_types(self) -> tuple[_graph.Type, _graph.Type, _graph.Type]:
        """Types of input, weight and output in their layouts."""
        shapes = (self.input_shape, self.kernel_shape, self.output_shape)
        x, w, y = (dense(self.dtype, each) for each in shapes)
        return x, w, y

    def bias_type(self) -> _graph.Type:
        return dense(self.dtype, self.plain_output_shape[1:2])

    def argument_types(self) -> Sequence[_graph.Type | None]:
        x, w, y = self.tensor_types()
        if not self.is_forward:
            return y, x, w
        return (x, w, self.bias_type()) if self.bias else (x, w)

    def arrange_backward_launch_args(self, forward_args, forward_results):
        self._refuse_forward()
        return tuple(forward_args[:2])

    def _make_program(self) -> Program:
        return make_program(self)

    def get_nn_module(self, *, use_custom: bool = False) -> torch.nn.Module:
        if use_custom:
            return KernelModule(self)
        return ConvForward(self) if self.is_forward else ConvBackward(self)

    def get_compiled_module(self, *, backend: str) -> torch.nn.Module:
        """``torch.compile`` of the module of torch's.

        iree_boo and its like make one operator of a forward convolution, with no copy behind it:
        called, their modules raise ValueError for an output layout that torch does not choose.
        """
        if not self.is_forward or not str(backend).startswith("iree_boo"):
            return super().get_compiled_module(backend=backend)
        module = ConvForward(self, copies=False)
        compiled = torch.compile(module, dynamic=False, backend=backend)
        compiled.register_forward_hook(self._refuse_copy)
        return compiled

    def _refuse_copy(self, module, args, y: torch.Tensor) -> None:
        if not y.is_contiguous():
            raise ValueError(
                "Inferred output layout is not contiguous in requested layout:"
                f" {self.output_layout}, {y.stride()=}"
            )


def _layouts(rank: int, shared: str | None, *given: str | None) -> list[str]:
    plain = PLAIN_LAYOUTS[rank]
    layouts = []
    for each in given:
        if shared is not None and each is not None and each.upper() != shared.upper():
            raise ValueError("shared_layout stands for all three layouts: give it or those")
        layout = (each or shared or plain).upper()
        if sorted(layout) != sorted(plain):
            raise ValueError(f"layout {layout!r} is no order of {plain}")
        layouts.append(layout)
    return layouts


#: What -F asks for.
DIRECTIONS = {
    1: Mode.FORWARD,
    2: Mode.INPUT_BACKWARD,
    4: Mode.WEIGHT_BACKWARD,
    6: Mode.INPUT_WEIGHT_BACKWARD,
    7: Mode.BIAS_BACKWARD,
    8: Mode.INPUT_BIAS_BACKWARD,
    9: Mode.WEIGHT_BIAS_BACKWARD,
    10: Mode.ALL_BACKWARD,
}


class ConvParser(OpCLIParser):
    """``conv``, ``convfp16``, ``convbfp16`` and ``convfp64``."""

    OP_NAME = "conv"

    @classmethod
    def get_signature(cls, args: argparse.Namespace) -> ConvSignature:
        if args.forw in (0, 3, 5):
            raise _boo.Unsupported(
                f"{args.command}: --forw {args.forw} asks for several launches; a signature has one"
            )
        if args.forw not in DIRECTIONS:
            raise ValueError(f"{args.command}: --forw {args.forw} is none of {list(DIRECTIONS)}")
        given = {"in_cast_type", "wei_cast_type", "out_cast_type", "tail"}
        refuse(args, *((name, ("-1", None)) for name in sorted(given)))
        refuse(args, ("pad_val", (0.0,)), ("pad_mode", ("default",)), ("residual", (0,)))
        layouts = [args.in_layout, args.fil_layout, args.out_layout]
        lengths = {len(each) for each in layouts if each is not None}
        if len(lengths) > 1:
            raise ValueError(f"{args.command}: layouts of {sorted(lengths)} letters")
        rank = lengths.pop() - 2 if lengths else args.spatial_dim
        if rank not in PLAIN_LAYOUTS:
            raise ValueError(f"{args.command}: there is no convolution in {rank} dimensions")
        dims = {1: "h", 2: "hw", 3: "dhw"}[rank]

        def spatial(name: str) -> tuple[int, ...]:
            return tuple(getattr(args, f"{name}_{dim}") for dim in dims)

        transposed = args.mode == "trans"
        if args.group_count < 1 or args.in_channels % args.group_count or (
            args.out_channels % args.group_count
        ):  # fmt: skip
            raise ValueError(f"{args.command}: channels cannot be split in {args.group_count}")
        first, second = args.out_channels, args.in_channels
        if transposed:
            first, second = second, first
        plain = PLAIN_LAYOUTS[rank]
        named = [each.upper() if each else plain for each in layouts]
        shapes = (
            (args.batchsize, args.in_channels, *spatial("in")),
            (first, second // args.group_count, *spatial("fil")),
        )
        for layout in named:
            if sorted(layout) != sorted(plain):
                raise ValueError(f"{args.command}: layout {layout!r} is no order of {plain}")
        return cls.SIGNATURE(
            input_shape=Permutation.get(plain, named[0])(shapes[0]),
            kernel_shape=Permutation.get(plain, named[1])(shapes[1]),
            input_layout=named[0],
            kernel_layout=named[1],
            output_layout=named[2],
            bias=bool(args.bias),
            dtype=cls.dtype_of(args.command),
            stride=spatial("conv_stride"),
            padding=spatial("pad"),
            dilation=spatial("dilation"),
            transposed=transposed,
            output_padding=spatial("trans_output_pad") if transposed else 0,
            groups=args.group_count,
            mode=DIRECTIONS[args.forw],
        )

    #: What it makes.
    SIGNATURE = ConvSignature

    @classmethod
    def get_miopen_parser(cls) -> argparse.ArgumentParser:
        parser = cls._parser()
        add_flags(parser, _FLAGS)
        parser.add_argument("--mode", "-m", choices=("conv", "trans"), default="conv")
        parser.add_argument("--pad_val", "-r", type=float, default=0.0)
        parser.add_argument("--pad_mode", "-z", default="default")
        parser.add_argument("--residual", type=int, nargs="?", const=1, default=0)
        return parser


_FLAGS = """
--spatial_dim -_ 2
--batchsize -n 100
--in_channels -c 3
--in_d -! 32
--in_h -H 32
--in_w -W 32
--in_layout -I None
--out_channels -k 32
--fil_d -@ 3
--fil_h -y 3
--fil_w -x 3
--fil_layout -f None
--bias -b 0
--out_layout -O None
--forw -F 1
--conv_stride_d -# 1
--conv_stride_h -u 1
--conv_stride_w -v 1
--pad_d -$ 0
--pad_h -p 0
--pad_w -q 0
--dilation_d -^ 1
--dilation_h -l 1
--dilation_w -j 1
--trans_output_pad_d -% 0
--trans_output_pad_h -Y 0
--trans_output_pad_w -X 0
--group_count -g 1
--in_cast_type -U None
--wei_cast_type -R None
--out_cast_type -T None
--tail None
"""
