"""Batch norms in training: the signature, and the parser of its commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from .. import _graph
from .base import KernelModule, OpSignature, Program
from .parser import OpCLIParser, add_flags, refuse
from .utils import dense, text_of

__all__ = ["BatchNormParser", "BatchNormSignature"]


class BatchNormSignature(OpSignature):
    """The forward direction in training, with momentum 0.1 and eps 1e-5.

    Launches take (x, weight, bias, running mean, running variance) and give (y, mean, rstd, new
    running mean, new running variance); all but x and y have one value a channel, in float32
    (float64 for float64). The arguments stay as they are.

    Args:
        input_shape: (N, C, …) with up to three spatial sizes.
        input_dtype: type of x and y.
        channels_last: whether x and y lie in memory with the channels innermost.

    Raises:
        ValueError: sizes or a type that no batch norm has.
    """

    MOMENTUM, EPS = 0.1, 1e-5

    def __init__(
        self,
        input_shape: Sequence[int],
        input_dtype: torch.dtype = torch.bfloat16,
        channels_last: bool = True,
    ) -> None:
        self.input_shape = tuple(int(each) for each in input_shape)
        if not 2 <= len(self.input_shape) <= 5 or min(self.input_shape) < 1:
            raise ValueError(f"no batch norm of sizes {self.input_shape}")
        if self.input_shape[0] * _product(self.input_shape[2:]) < 2:
            raise ValueError("one value a channel has no variance to train with")
        if input_dtype not in _graph.FLOATS:
            raise ValueError(f"no batch norm of {input_dtype}")
        self.input_dtype = input_dtype
        self.channels_last = bool(channels_last)

    @property
    def dtype(self) -> torch.dtype:
        return self.input_dtype

    @property
    def is_forward(self) -> bool:
        return True

    @property
    def func_name(self) -> str:
        spatial = {2: "", 3: "h", 4: "hw", 5: "dhw"}[len(self.input_shape)]
        layout = f"n{spatial}c" if self.channels_last else f"nc{spatial}"
        dtype = _graph.TORCH_NAMES[self.input_dtype]
        return f"batch_norm_{dtype}_forward_{text_of(self.input_shape)}_{layout}_spatial_save_run"

    def as_init_kwargs(self) -> dict:
        names = ("input_shape", "input_dtype", "channels_last")
        return {name: getattr(self, name) for name in names}

    def make_signature_copy_for_forward(self) -> BatchNormSignature:
        return self

    def argument_types(self) -> Sequence[_graph.Type | None]:
        channel = dense(_graph.accumulator(self.input_dtype), self.input_shape[1:2])
        return [self._input_type(), *[channel] * 4]

    def _input_type(self) -> _graph.Type:
        rank = len(self.input_shape)
        order = (0, *range(2, rank), 1) if self.channels_last else range(rank)
        return dense(self.input_dtype, self.input_shape, order)

    def get_sample_args(self, *, device=None, splat_value=None, seed=None):
        """As OpSignature's; running variances are positive."""
        args = super().get_sample_args(device=device, splat_value=splat_value, seed=seed)
        return args if splat_value is not None else (*args[:4], args[4].abs() + 0.5)

    def arrange_backward_launch_args(self, forward_args, forward_results):
        self._refuse_forward()

    def _make_program(self) -> Program:
        graph = _graph.GraphBuilder()
        own = tuple(self.argument_types())
        ones = (1,) * (len(self.input_shape) - 2)
        flat = own[1]
        channel = _graph.Type(flat.dtype, (1, *flat.sizes, *ones), (0, 1, *(0 for _ in ones)))
        x = graph.argument(own[0])
        parameters = [graph.argument(channel) for _ in range(4)]
        made = graph.node(
            "batch_norm", (x, *parameters), [own[0], *[channel] * 4],
            acc=flat.dtype, eps=self.EPS, momentum=self.MOMENTUM, stats=True,
        )  # fmt: skip
        return Program(graph.finish(made), own, own, {5: tuple(range(5))}, tuple(range(5)))

    def get_nn_module(self, *, use_custom: bool = False) -> torch.nn.Module:
        return KernelModule(self) if use_custom else _Forward()


class _Forward(torch.nn.Module):
    def forward(self, x, weight, bias, mean, var):
        return torch.ops.aten._native_batch_norm_legit_functional(
            x, weight, bias, mean, var, True, BatchNormSignature.MOMENTUM, BatchNormSignature.EPS
        )


def _product(sizes: Sequence[int]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product


class BatchNormParser(OpCLIParser):
    """``bnorm``, ``bnormfp16``, ``bnormbfp16`` and ``bnormfp64``: training with all results."""

    OP_NAME = "bnorm"

    @classmethod
    def get_signature(cls, args: argparse.Namespace) -> BatchNormSignature:
        refuse(
            args, ("alpha", (1.0,)), ("beta", (0.0,)), ("forw", (1,)), ("back", (0,)),
            ("mode", (1,)), ("run", (1,)), ("save", (1,)), ("eps", (1e-5,)), ("momentum", (0.1,)),
        )  # fmt: skip
        depth = [args.in_d] if args.in_d else []
        layouts = ("NCDHW", "NDHWC") if depth else ("NCHW", "NHWC")
        if args.layout not in layouts:
            if args.layout != "NCHW":
                raise ValueError(f"{args.command}: --layout {args.layout} is none of {layouts}")
            args.layout = layouts[0]
        return BatchNormSignature(
            [args.batchsize, args.in_channels, *depth, args.in_h, args.in_w],
            cls.dtype_of(args.command),
            channels_last=args.layout == layouts[1],
        )

    @classmethod
    def get_miopen_parser(cls) -> argparse.ArgumentParser:
        parser = cls._parser()
        add_flags(parser, _FLAGS)
        parser.add_argument("--alpha", "-A", type=float, default=1.0)
        parser.add_argument("--beta", "-B", type=float, default=0.0)
        parser.add_argument("--eps", "-e", type=float, default=1e-5)
        parser.add_argument("--momentum", type=float, default=0.1)
        parser.add_argument("--layout", "-L", default="NCHW")
        return parser


_FLAGS = """
--batchsize -n 32
--in_channels -c 3
--in_d -D 0
--in_h -H 32
--in_w -W 32
--forw -F 1
--back -b 0
--mode -m 1
--run -r 0
--save -s 0
"""
