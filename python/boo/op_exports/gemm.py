"""Matrix products: signatures of all directions, and the parser of their commands."""

from __future__ import annotations

import argparse
import enum
from collections.abc import Sequence

import torch

from .. import _boo, _graph
from .base import KernelModule, OpSignature, Program
from .parser import OpCLIParser, add_flags, refuse
from .utils import dense

__all__ = ["GEMMParser", "GEMMSignature", "Mode"]


class Mode(enum.IntEnum):
    FORWARD = 0
    A_BACKWARD = 1
    B_BACKWARD = 2

    @staticmethod
    def parse(spec: str | int | Mode) -> Mode:
        return Mode[spec.upper()] if isinstance(spec, str) else Mode(spec)


class GEMMSignature(OpSignature):
    """C = A B.

    Args:
        a_shape, b_shape: sizes (m, k) and (k, n) of the factors of the product.
        transpose_a, transpose_b: launches take the factor's transpose, of sizes (k, m) or (n, k);
            its gradient has those sizes too.

    Launches take (A, B) forward, (dL/dC, B) for the gradient of A and (dL/dC, A) for that of B.

    Raises:
        ValueError: sizes that do not fit, or an element type that is no float.
    """

    def __init__(
        self,
        *,
        a_shape: Sequence[int],
        b_shape: Sequence[int],
        transpose_a: bool = False,
        transpose_b: bool = False,
        dtype: torch.dtype = torch.float32,
        mode: str | Mode = Mode.FORWARD,
    ) -> None:
        self.a_shape = tuple(int(each) for each in a_shape)
        self.b_shape = tuple(int(each) for each in b_shape)
        if len(self.a_shape) != 2 or len(self.b_shape) != 2 or self.a_shape[1] != self.b_shape[0]:
            raise ValueError(f"there is no product of {self.a_shape} and {self.b_shape}")
        if min(*self.a_shape, *self.b_shape) < 1 or dtype not in _graph.FLOATS:
            raise ValueError(f"no product of {dtype} with {self.a_shape} and {self.b_shape}")
        self.transpose_a, self.transpose_b = bool(transpose_a), bool(transpose_b)
        self.dtype = dtype
        self.mode = Mode.parse(mode)

    @property
    def is_forward(self) -> bool:
        return self.mode == Mode.FORWARD

    @property
    def func_name(self) -> str:
        (m, k), n = self.a_shape, self.b_shape[1]
        ends = ("_transA" * self.transpose_a) + ("_transB" * self.transpose_b)
        dtype = _graph.TORCH_NAMES[self.dtype]
        return f"gemm_{dtype}_{self.mode.name.lower()}_{m}x{k}x{n}{ends}"

    def as_init_kwargs(self) -> dict:
        names = ("a_shape", "b_shape", "transpose_a", "transpose_b", "dtype", "mode")
        return {name: getattr(self, name) for name in names}

    def make_signature_copy_for_forward(self) -> GEMMSignature:
        return GEMMSignature(**{**self.as_init_kwargs(), "mode": Mode.FORWARD})

    def get_arg_index_for_backward(self) -> int:
        self._refuse_forward()
        return int(self.mode) - 1

    def _types(self) -> tuple[_graph.Type, _graph.Type, _graph.Type]:
        """Of A, B and C as launches have them."""
        a = self.a_shape[::-1] if self.transpose_a else self.a_shape
        b = self.b_shape[::-1] if self.transpose_b else self.b_shape
        c = (self.a_shape[0], self.b_shape[1])
        return dense(self.dtype, a), dense(self.dtype, b), dense(self.dtype, c)

    def argument_types(self) -> Sequence[_graph.Type | None]:
        a, b, c = self._types()
        return {Mode.FORWARD: (a, b), Mode.A_BACKWARD: (c, b), Mode.B_BACKWARD: (c, a)}[self.mode]

    def arrange_backward_launch_args(self, forward_args, forward_results):
        self._refuse_forward()
        return (forward_args[1 if self.mode == Mode.A_BACKWARD else 0],)

    def _make_program(self) -> Program:
        a, b, c = self._types()
        swap = (1, 0)
        plain_a = a.permuted(swap) if self.transpose_a else a
        plain_b = b.permuted(swap) if self.transpose_b else b
        graph = _graph.GraphBuilder()
        if self.mode == Mode.FORWARD:
            result, plain = c, c
            operands = graph.argument(plain_a), graph.argument(plain_b)
        elif self.mode == Mode.A_BACKWARD:
            result, plain = a, plain_a
            operands = graph.argument(c), graph.argument(plain_b.permuted(swap))
        else:
            result, plain = b, plain_b
            operands = graph.argument(c), graph.argument(plain_a.permuted(swap))
            operands = operands[::-1]
        made = graph.node("matmul", operands, plain, acc=_graph.accumulator(self.dtype))
        types = tuple(self.argument_types())
        return Program(graph.finish([made]), types, (result,), {2: (0, 1)}, (0,))

    def get_nn_module(self, *, use_custom: bool = False) -> torch.nn.Module:
        return KernelModule(self) if use_custom else _Product(self)


class _Product(torch.nn.Module):
    """A product, or a gradient of one, by torch."""

    def __init__(self, signature: GEMMSignature) -> None:
        super().__init__()
        self.mode = signature.mode
        self.transpose = (signature.transpose_a, signature.transpose_b)

    def forward(self, first, second):
        if self.mode == Mode.FORWARD:
            a, b = (x.T if turn else x for x, turn in zip((first, second), self.transpose))
            return a @ b
        if self.mode == Mode.A_BACKWARD:
            made = first @ (second if self.transpose[1] else second.T)
            return made.T.contiguous() if self.transpose[0] else made
        made = (second if self.transpose[0] else second.T) @ first
        return made.T.contiguous() if self.transpose[1] else made


class GEMMParser(OpCLIParser):
    """``gemm``, ``gemmfp16``, ``gemmbfp16`` and ``gemmfp64``; A has a_w rows and a_h columns."""

    OP_NAME = "gemm"

    @classmethod
    def get_signature(cls, args: argparse.Namespace) -> GEMMSignature:
        refuse(
            args, ("batch", (1,)), ("alpha", (1.0,)), ("beta", (0.0,)), ("isColMajor", (0,)),
            ("miopen_shape", (0,)), ("bias", (0,)), ("residual", (0,)), ("tail", (None,)),
        )  # fmt: skip
        if args.forw not in (1, 2, 3):
            raise _boo.Unsupported(f"{args.command}: --forw {args.forw} is none of 1, 2, 3")
        return GEMMSignature(
            a_shape=(args.a_w, args.a_h),
            b_shape=(args.a_h, args.b_w),
            transpose_a=bool(args.transA),
            transpose_b=bool(args.transB),
            dtype=cls.dtype_of(args.command),
            mode=Mode(args.forw - 1),
        )

    @classmethod
    def get_miopen_parser(cls) -> argparse.ArgumentParser:
        parser = cls._parser()
        add_flags(parser, _FLAGS)
        for names in (("--transA", "-u"), ("--transB", "-v"), ("--isColMajor", "-C"),
                      ("--miopen_shape",), ("--bias",), ("--residual",)):  # fmt: skip
            parser.add_argument(*names, type=int, nargs="?", const=1, default=0)
        parser.add_argument("--alpha", "-A", type=float, default=1.0)
        parser.add_argument("--beta", "-B", type=float, default=0.0)
        return parser


_FLAGS = """
--a_w -k 256
--a_h -m 256
--b_w -n 256
--forw -F 1
--batch -b 1
--tail None
"""
