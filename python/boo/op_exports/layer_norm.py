"""Layer norms: signatures of all directions, and the parser of their commands."""

from __future__ import annotations

import argparse
import enum
import math
from collections.abc import Sequence

import torch

from .. import _boo, _graph
from .base import KernelModule, OpSignature, Program
from .parser import OpCLIParser, refuse
from .utils import Permutation, dense, text_of

__all__ = ["LayerNormParser", "LayerNormSignature", "Mode"]


class Mode(enum.IntEnum):
    FORWARD = 1
    INPUT_BACKWARD = 2
    WEIGHT_BACKWARD = 4
    BIAS_BACKWARD = 8
    FULL_BACKWARD = 14

    @staticmethod
    def parse(spec: str | int | Mode) -> Mode:
        return Mode[spec.upper()] if isinstance(spec, str) else Mode(spec)


class LayerNormSignature(OpSignature):
    """y = (x - mean) rstd [weight] [+ bias] over the last dimensions, with
    rstd = 1 / sqrt(variance + eps).

    Args:
        input_shape: sizes of the input.
        normalized_shape: its last sizes: those of the dimensions normalised together.
        eps: added to the variance.
        elementwise_affine, bias: whether there is a weight, and a bias beside it.
        forwarded_args_dtype: type of mean and rstd; that of the sums by default, float32
            (float64 for float64).
        input_permutation: order of the input's dimensions in memory, outermost first.
        use_aten: how upstream writes the operation; it marks the name and changes nothing.

    Launches take and give, mean and rstd having the input's sizes with the last ones 1:

    ========= =========================================== ==================
    forward   x[, weight][, bias]                         y, mean, rstd
    input     dL/dy, x[, weight], mean, rstd              dL/dx
    weight    dL/dy, x, mean, rstd                        dL/dweight
    bias      dL/dy                                       dL/dbias
    full      dL/dy, x, weight | None, bias | None, mean, dL/dx, dL/dweight,
              rstd                                        dL/dbias; None for absent ones
    ========= =========================================== ==================

    Raises:
        ValueError: sizes or types that do not fit.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        normalized_shape: Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: torch.dtype = torch.bfloat16,
        mode: str | Mode = Mode.FORWARD,
        forwarded_args_dtype: torch.dtype | None = None,
        input_permutation: Sequence[int] | Permutation | None = None,
        use_aten: bool = True,
    ) -> None:
        self.input_shape = tuple(int(each) for each in input_shape)
        self.normalized_shape = tuple(int(each) for each in normalized_shape)
        dims = len(self.normalized_shape)
        if not dims or self.input_shape[-dims:] != self.normalized_shape:
            raise ValueError(
                f"{self.normalized_shape} are not the last sizes of {self.input_shape}"
            )
        if min(self.input_shape) < 1 or not 0 <= eps <= 1e30:
            raise ValueError(f"no layer norm of sizes {self.input_shape} with eps {eps}")
        if dtype not in _graph.FLOATS:
            raise ValueError(f"no layer norm of {dtype}")
        self.eps = float(eps)
        self.elementwise_affine = bool(elementwise_affine)
        self.bias = bool(bias) and self.elementwise_affine
        self.dtype = dtype
        self.mode = Mode.parse(mode)
        self.forwarded_args_dtype = forwarded_args_dtype or _graph.accumulator(dtype)
        if self.forwarded_args_dtype not in _graph.FLOATS:
            raise ValueError(f"no mean of {self.forwarded_args_dtype}")
        self.input_permutation = None
        if input_permutation is not None:
            order = Permutation(list(input_permutation))
            if order.size != len(self.input_shape):
                raise ValueError(f"{order} is no order of {len(self.input_shape)} dimensions")
            # The plain order is no permutation, so that it has one name.
            self.input_permutation = None if order == Permutation.identity(order.size) else order
        self.use_aten = bool(use_aten)

    @staticmethod
    def get(
        input: torch.Tensor,
        normalized_shape: Sequence[int],
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        mode: str | Mode = Mode.FORWARD,
        eps: float = 1e-5,
    ) -> LayerNormSignature:
        """The signature of these tensors."""
        return LayerNormSignature(
            input_shape=tuple(input.shape),
            normalized_shape=normalized_shape,
            eps=eps,
            elementwise_affine=weight is not None,
            bias=bias is not None,
            dtype=input.dtype,
            mode=mode,
        )

    @property
    def aggregate_shape(self) -> tuple[int, ...]:
        """Sizes of mean and rstd: the input's, with 1 where it is normalised."""
        dims = len(self.normalized_shape)
        return (*self.input_shape[:-dims], *(1,) * dims)

    @property
    def is_forward(self) -> bool:
        return self.mode == Mode.FORWARD

    @property
    def force_single_dispatch(self) -> bool:
        return self.is_forward

    @property
    def func_name(self) -> str:
        parts = [
            f"layer_norm_{len(self.normalized_shape)}d",
            _graph.TORCH_NAMES[self.dtype],
            _graph.TORCH_NAMES[self.forwarded_args_dtype],
            self.mode.name.lower(),
            text_of(self.input_shape),
            "w" if self.elementwise_affine else "",
            "b" if self.bias else "",
            f"perm_{text_of(self.input_permutation, '_')}" if self.input_permutation else "",
            f"eps{self.eps!r}" if self.is_forward and self.eps != 1e-5 else "",
            "aten" if self.use_aten else "",
        ]
        return "_".join(part for part in parts if part)

    def as_init_kwargs(self) -> dict:
        names = (
            "input_shape", "normalized_shape", "eps", "elementwise_affine", "bias", "dtype", "mode",
            "forwarded_args_dtype", "input_permutation", "use_aten",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def make_signature_copy_for_forward(self) -> LayerNormSignature:
        return LayerNormSignature(**{**self.as_init_kwargs(), "mode": Mode.FORWARD})

    def get_arg_index_for_backward(self) -> int:
        self._refuse_forward()
        return {Mode.WEIGHT_BACKWARD: 1, Mode.BIAS_BACKWARD: 2}.get(self.mode, 0)

    def _types(self) -> dict[str, _graph.Type]:
        order = self.input_permutation
        plain = dense(self.dtype, self.input_shape)
        row = dense(self.dtype, self.normalized_shape)
        stats = dense(self.forwarded_args_dtype, self.aggregate_shape)
        return dict(
            x=dense(self.dtype, self.input_shape, order.items if order else None),
            dy=plain, y=plain, weight=row, bias=row, mean=stats, rstd=stats,
        )  # fmt: skip

    def argument_names(self) -> list[str | None]:
        """What launches take, in order; None is left out."""
        weight = "weight" if self.elementwise_affine else None
        bias = "bias" if self.bias else None
        if self.mode == Mode.FORWARD:
            return [each for each in ("x", weight, bias) if each]
        if self.mode == Mode.INPUT_BACKWARD:
            return [each for each in ("dy", "x", weight, "mean", "rstd") if each]
        if self.mode == Mode.WEIGHT_BACKWARD:
            return ["dy", "x", "mean", "rstd"]
        if self.mode == Mode.BIAS_BACKWARD:
            return ["dy"]
        return ["dy", "x", weight, bias, "mean", "rstd"]

    def argument_types(self) -> Sequence[_graph.Type | None]:
        types = self._types()
        return [None if name is None else types[name] for name in self.argument_names()]

    def get_sample_args(self, *, device=None, splat_value=None, seed=None):
        """As OpSignature's; backward ones have the mean and rstd of their input."""
        args = super().get_sample_args(device=device, splat_value=splat_value, seed=seed)
        names = self.argument_names()
        if splat_value is not None or "mean" not in names:
            return args
        x = args[names.index("x")].to(_graph.accumulator(self.dtype))
        dims = tuple(range(-len(self.normalized_shape), 0))
        mean = x.mean(dims, keepdim=True)
        rstd = (x.var(dims, unbiased=False, keepdim=True) + self.eps).rsqrt()
        stats = [each.to(self.forwarded_args_dtype).contiguous() for each in (mean, rstd)]
        return (*args[:-2], *stats)

    def arrange_backward_launch_args(self, forward_args, forward_results):
        self._refuse_forward()
        _, mean, rstd = forward_results
        given = dict(x=forward_args[0], mean=mean, rstd=rstd)
        given.update(zip(("weight", "bias"), forward_args[1:]))
        return tuple(None if name is None else given[name] for name in self.argument_names()[1:])

    @property
    def wanted(self) -> tuple[bool, bool, bool]:
        """Which gradients a backward launch gives: input, weight, bias."""
        if self.mode == Mode.FULL_BACKWARD:
            return True, self.elementwise_affine, self.bias
        return tuple(bool(self.mode & each) for each in (2, 4, 8))

    def _make_program(self) -> Program:
        return _Writer(self).program()

    def get_nn_module(self, *, use_custom: bool = False) -> torch.nn.Module:
        if use_custom:
            return KernelModule(self)
        return _Forward(self) if self.is_forward else _Backward(self)


class _Writer:
    """Writes the Graph of a signature: mean and rstd are cast to and from the type of sums."""

    def __init__(self, signature: LayerNormSignature) -> None:
        self.signature = signature
        self.types = signature._types()
        self.graph = _graph.GraphBuilder()
        self.acc = _graph.accumulator(signature.dtype)

    def _cast(self, value: int, to: torch.dtype) -> int:
        type = self.graph.type(value)
        if type.dtype == to:
            return value
        return self.graph.node("cast", (value,), type._replace(dtype=to), to=to)

    def program(self) -> Program:
        signature = self.signature
        names = signature.argument_names()
        reads = [name for name in names if name and not (name == "bias" and "dy" in names)]
        ids = {name: self.graph.argument(self.types[name]) for name in reads}
        dims = len(signature.normalized_shape)
        if signature.is_forward:
            made, results = self._forward(ids, dims)
            slots = (0, 1, 2)
        else:
            made, results = self._backward(ids, dims)
            slots = tuple(range(len(made)))
            if signature.mode == Mode.FULL_BACKWARD:
                left = iter(slots)
                slots = tuple(next(left) if each else None for each in signature.wanted)
        few = tuple(range(len(reads)))
        forms = {len(few): few, len(names): tuple(names.index(name) for name in reads)}
        types = tuple(self.types[name] for name in reads)
        return Program(self.graph.finish(made), types, tuple(results), forms, slots)

    def _forward(self, ids: dict[str, int], dims: int):
        stats = self.types["mean"]._replace(dtype=self.acc)
        results = [self.types["y"], stats, stats]
        made = self.graph.node(
            "norm", tuple(ids.values()), results, acc=self.acc, dims=dims,
            eps=self.signature.eps, stats=True,
        )  # fmt: skip
        to = self.signature.forwarded_args_dtype
        made = [made[0], *(self._cast(each, to) for each in made[1:])]
        return made, [self.graph.type(each) for each in made]

    def _backward(self, ids: dict[str, int], dims: int):
        dx, dweight, dbias = self.signature.wanted
        operands = [ids["dy"]]
        if dx or dweight:
            operands += [ids["x"], *(self._cast(ids[each], self.acc) for each in ("mean", "rstd"))]
        if dx and "weight" in ids:
            operands.append(ids["weight"])
        wanted = zip((self.types["y"], self.types["weight"], self.types["bias"]),
                     (dx, dweight, dbias))  # fmt: skip
        results = [type for type, each in wanted if each]
        made = self.graph.node(
            "norm_grad", operands, results, acc=self.acc, dims=dims,
            dx=dx, dweight=dweight, dbias=dbias,
        )  # fmt: skip
        return list(made), results


class _Forward(torch.nn.Module):
    def __init__(self, signature: LayerNormSignature) -> None:
        super().__init__()
        self.signature = signature

    def forward(self, x, weight=None, bias=None):
        signature = self.signature
        # torch gives the statistics of narrow types in these: too few bits for the gradients.
        wide = [None if each is None else each.to(_graph.accumulator(each.dtype))
                for each in (x, weight, bias)]  # fmt: skip
        y, mean, rstd = torch.native_layer_norm(
            wide[0], signature.normalized_shape, wide[1], wide[2], signature.eps
        )
        stats = signature.forwarded_args_dtype if x.dtype == signature.dtype else mean.dtype
        return y.to(x.dtype), mean.to(stats), rstd.to(stats)


class _Backward(torch.nn.Module):
    def __init__(self, signature: LayerNormSignature) -> None:
        super().__init__()
        self.names = signature.argument_names()
        self.shape = signature.normalized_shape
        self.aggregate = signature.aggregate_shape
        self.wanted = signature.wanted
        self.is_full = signature.mode == Mode.FULL_BACKWARD

    def forward(self, *args):
        given = {name: each for name, each in zip(self.names, args) if name}
        own = given["dy"].dtype
        wide = {name: each.to(_graph.accumulator(own)) for name, each in given.items()}
        dy = wide["dy"]
        weight = wide.get("weight", dy.new_ones(self.shape))
        results = torch.ops.aten.native_layer_norm_backward(
            dy, wide.get("x", dy), list(self.shape), wide.get("mean", dy.new_zeros(self.aggregate)),
            wide.get("rstd", dy.new_ones(self.aggregate)), weight, torch.zeros_like(weight),
            list(self.wanted),
        )  # fmt: skip
        narrow = tuple(
            each.to(own) if wanted else None for each, wanted in zip(results, self.wanted)
        )
        if self.is_full:
            return narrow
        return next(each for each in narrow if each is not None)


class LayerNormParser(OpCLIParser):
    """``layernorm``, ``layernormfp16``, ``layernormbfp16`` and ``layernormfp64``."""

    OP_NAME = "layernorm"

    @classmethod
    def get_signature(cls, args: argparse.Namespace) -> LayerNormSignature:
        refuse(args, ("stats", (1,)))
        try:
            shape = [int(each) for each in args.input.split("x")]
        except ValueError:
            raise ValueError(f"{args.command}: --input {args.input} is not as 8x128x768") from None
        first = args.normalized_dim
        if not 0 <= first < len(shape):
            raise ValueError(f"{args.command}: --normalized_dim {first} for {len(shape)} sizes")
        if args.forw not in Mode.__members__.values():
            raise _boo.Unsupported(
                f"{args.command}: --forw {args.forw} makes no signature, only"
                f" {', '.join(str(int(each)) for each in Mode)} do"
            )
        if not math.isfinite(args.eps):
            raise ValueError(f"{args.command}: --eps {args.eps}")
        return LayerNormSignature(
            input_shape=shape,
            normalized_shape=shape[first:],
            eps=args.eps,
            elementwise_affine=args.mode == 1 or bool(args.weight),
            bias=args.mode == 1,
            dtype=cls.dtype_of(args.command),
            mode=args.forw,
            input_permutation=args.input_permutation,
            use_aten=args.use_aten,
        )

    @classmethod
    def get_miopen_parser(cls) -> argparse.ArgumentParser:
        parser = cls._parser()
        parser.add_argument("--input", "-X", required=True, metavar="NxCx…")
        parser.add_argument("--eps", "-e", type=float, default=1e-5)
        parser.add_argument("--mode", "-m", type=int, choices=(0, 1), default=0)
        parser.add_argument("--normalized_dim", "-o", type=int, default=3)
        parser.add_argument("--forw", "-F", type=int, default=1)
        parser.add_argument("--input-permutation", type=int, nargs="+", default=None)
        parser.add_argument("--weight", type=int, nargs="?", const=1, default=0)
        parser.add_argument("--stats", type=int, nargs="?", const=1, default=1)
        parser.add_argument("--use-aten", type=_truth, default=True)
        return parser


def _truth(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{text} is neither true nor false")
