"""Convolutions: ``boo_conv`` for people, and the operators ``torch.ops.boo.*`` behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.autograd import forward_ad
from torch.compiler import is_dynamo_compiling as _is_traced

from .. import _boo, _graph
from ..runtime import fallbacks
from . import _conv_kernels, library
from ._conv_types import (
    PLAIN_LAYOUTS,
    ConvArgs,
    conv_types,
    given_args,
    gradient_type,
    spread,
    to_layout,
    to_plain,
)

__all__ = [
    "boo_conv",
    "boo_convolution",
    "boo_layout_customizable_convolution",
    "disable_backward",
    "enable_backward",
    "is_boo_backward_enabled",
]

_backward_enabled = _boo.use_backward_kernels()


def enable_backward() -> None:
    """Compute gradients of BOO's convolutions by BOO's kernels, as BOO_USE_BACKWARD_KERNELS=1 does."""
    global _backward_enabled
    _backward_enabled = True


def disable_backward() -> None:
    """Compute gradients of BOO's convolutions by torch's kernels."""
    global _backward_enabled
    _backward_enabled = False


def is_boo_backward_enabled() -> bool:
    return _backward_enabled


_CONVOLUTIONS = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}


def _torch_forward(x, w, b, args: ConvArgs):
    """What torch computes where no kernel of BOO's serves."""
    y = _by_aten(x, w, b, args)
    return y if args.layouts is None else y.contiguous()


def _by_aten(x, w, b, args: ConvArgs):
    rank = len(args.stride)
    x_layout, w_layout, y_layout = args.all_layouts
    x, w = to_plain(x, x_layout), to_plain(w, w_layout)
    if x.is_complex():
        # torch makes real convolutions of it, and has no other operator that does.
        y = _CONVOLUTIONS[rank](x, w, b, *args[:4])
    else:
        y = torch.ops.aten.convolution(
            x, w, b, args.stride, args.padding, args.dilation, False, (0,) * rank, args.groups
        )
    return to_layout(y, y_layout)


def _torch_backward(grad, x, w, args: ConvArgs, mask):
    x_layout, w_layout, y_layout = args.all_layouts
    w = to_plain(w, w_layout)
    gx, gw, gb = torch.ops.aten.convolution_backward(
        to_plain(grad, y_layout), to_plain(x, x_layout), w, [w.shape[0]] if mask[2] else None,
        args.stride, args.padding, args.dilation, False, (0,) * len(args.stride), args.groups, mask,
    )  # fmt: skip
    return (
        gx if gx is None else to_layout(gx, x_layout),
        gw if gw is None else to_layout(gw, w_layout),
        gb,
    )


def _fall_back(what: str) -> None:
    why = "no kernel for these types"
    fallbacks.check({what: why})
    fallbacks.count(what, why)


def _forward_cpu(x, w, b, args: ConvArgs):
    y = _conv_kernels.forward.direct((x, w, b), args)
    if y is NotImplemented:
        _fall_back("convolution")
        return _torch_forward(x, w, b, args)
    return y


def _backward_cpu(grad, x, w, args: ConvArgs, mask):
    mask = tuple(mask)
    if not any(mask):
        return None, None, None
    made = NotImplemented
    if x.dtype == w.dtype == grad.dtype:
        read = (grad, x if mask[1] else None, w if mask[0] else None)
        made = _conv_kernels.gradients.direct(read, (mask, tuple(x.shape), tuple(w.shape), *args))
    if made is NotImplemented:
        _fall_back("convolution_backward")
        return _torch_backward(grad, x, w, args, mask)
    results = iter(made if isinstance(made, tuple) else (made,))
    return tuple(next(results) if wanted else None for wanted in mask)


def _meta(x, w, args: ConvArgs):
    result = conv_types(_graph.type_of(x), _graph.type_of(w), args).result
    return x.new_empty_strided(result.sizes, result.strides)


class _Convolution(torch.autograd.Function):
    """A convolution with gradients; those of gradients are torch's."""

    @staticmethod
    def forward(ctx, x, w, b, args: ConvArgs):
        ctx.save_for_backward(x, w)
        ctx.args = args
        ctx.has_bias = b is not None
        with torch._C._AutoDispatchBelowAutograd():
            return _call_operator(x, w, b, args)

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        mask = [*ctx.needs_input_grad[:2], ctx.has_bias and ctx.needs_input_grad[2]]
        if not _backward_enabled or torch.is_grad_enabled():
            return *_torch_backward(grad, x, w, ctx.args, mask), None
        operator = library.operator("convolution_backward", ctx.args.layouts)
        layouts = ctx.args.layouts or ()
        return *operator(grad, x, w, *ctx.args[:4], *layouts, mask), None


def _call_operator(x, w, b, args: ConvArgs):
    return library.operator("convolution", args.layouts)(x, w, b, *args[:4], *(args.layouts or ()))


def _with_autograd(x, w, b, args: ConvArgs):
    if forward_ad._current_level >= 0:
        return _torch_forward(x, w, b, args)
    if x.is_complex():
        _fall_back("convolution")
        return _torch_forward(x, w, b, args)
    if torch.is_grad_enabled() and any(
        each is not None and each.requires_grad for each in (x, w, b)
    ):
        return _Convolution.apply(x, w, b, args)
    with torch._C._AutoDispatchBelowAutograd():
        return _call_operator(x, w, b, args)


def _args_of(x, stride, padding, dilation, groups, *layouts) -> ConvArgs:
    rank = x.dim() - 2
    return ConvArgs(
        spread(stride, rank, "stride"),
        spread(padding, rank, "padding"),
        spread(dilation, rank, "dilation"),
        int(groups),
        tuple(layouts) or None,
    )


#: The operators by aten's, for tracers: a kernel of a whole region has what lies around a convolution.
#: Results lie as aten's, which in layouts of a caller's need not be contiguous.
BY_ATEN: dict[torch._ops.OpOverload, Callable] = {}


def _register() -> None:
    conv = "int[] stride, int[] padding, int[] dilation, int groups"
    layouts = ", str input_layout, str kernel_layout, str output_layout"
    for name, more in (("convolution", ""), ("layout_customizable_convolution", layouts)):
        library.define(
            f"{name}(Tensor input, Tensor weight, Tensor? bias, {conv}{more}) -> Tensor",
            cpu=lambda x, w, b, *rest: _forward_cpu(x, w, b, _args_of(x, *rest)),
            meta=lambda x, w, b, *rest: _meta(x, w, _args_of(x, *rest)),
            autograd=lambda x, w, b, *rest: _with_autograd(x, w, b, _args_of(x, *rest)),
        )
        library.define(
            f"{name}_backward(Tensor grad_output, Tensor input, Tensor weight, {conv}{more},"
            " bool[] mask) -> (Tensor?, Tensor?, Tensor?)",
            cpu=lambda g, x, w, *rest: _backward_cpu(g, x, w, _args_of(x, *rest[:-1]), rest[-1]),
            meta=lambda g, x, w, *rest: _backward_meta(g, x, w, _args_of(x, *rest[:-1]), rest[-1]),
        )
        BY_ATEN[library.get_library_op(name)] = lambda x, w, b, *rest: _by_aten(
            x, w, b, _args_of(x, *rest)
        )
        BY_ATEN[library.get_library_op(f"{name}_backward")] = lambda g, x, w, *rest: (
            _torch_backward(g, x, w, _args_of(x, *rest[:-1]), rest[-1])
        )


def _backward_meta(grad, x, w, args: ConvArgs, mask):
    types = (
        gradient_type(tuple(own.shape), _graph.type_of(other), args) if wanted else None
        for wanted, own, other in ((mask[0], x, w), (mask[1], w, x))
    )
    gx, gw = (each and grad.new_empty_strided(each.sizes, each.strides) for each in types)
    return gx, gw, grad.new_empty((w.shape[args.all_layouts[1].index("N")],)) if mask[2] else None


_register()


def boo_conv(
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    shared_layout: str | None = None,
    input_layout: str | None = None,
    kernel_layout: str | None = None,
    output_layout: str | None = None,
) -> torch.Tensor:
    """A convolution in one, two or three dimensions, computed by a kernel of BOO's.

    Args:
        input: sizes (N, C, H[, W]) or (N, C, D, H, W), or those of `input_layout`.
        weight: sizes (K, C / groups, …), or those of `kernel_layout`, in which N means K.
        bias: sizes (K,), added to every output channel.
        stride, padding, dilation: one number, or one a spatial dimension.
        groups: how many groups the channels are split into.
        shared_layout: a layout for all three tensors, as "NHWC": an order of NCH, NCHW or NCDHW.
        input_layout, kernel_layout, output_layout: layouts of single tensors; those left out are
            in plain order.

    Returns:
        Without layouts, what torch.nn.functional.convNd returns, strides included; with layouts, a
        contiguous tensor in the output's layout. Sums are accumulated in float32 (float64 for
        float64). Gradients are recorded as for any operator of torch.

    Raises:
        ValueError: sizes, types or layouts that do not fit together.
        boo.CompileError: the kernel does not compile.
    """
    given = (stride, padding, dilation, groups,
             shared_layout, input_layout, kernel_layout, output_layout)  # fmt: skip
    if _is_traced() or (result := _call_kernel((input, weight, bias), given)) is NotImplemented:
        return _boo_conv_slow(input, weight, bias, given)
    return result


_call_kernel = _conv_kernels.eager.call


def _autocast(*tensors):
    """The tensors in autocast's type, if it is on for their kind of device."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind):
        return tensors
    dtype = torch.get_autocast_dtype(kind)
    return tuple(
        each.to(dtype) if each is not None and each.dtype in _CASTABLE else each for each in tensors
    )


_CASTABLE = (torch.float32, torch.float16, torch.bfloat16)


def _boo_conv_slow(x, w, b, given: tuple):
    x, w, b = _autocast(x, w, b)
    args = given_args(*given, x.dim())
    return _call_operator(x, w, b, args)


def boo_convolution(input, weight, bias, stride, padding, dilation, groups) -> torch.Tensor:
    """``torch.ops.boo.convolution``: a convolution whose result has eager torch's memory format."""
    return torch.ops.boo.convolution(input, weight, bias, stride, padding, dilation, groups)


def boo_layout_customizable_convolution(
    input, weight, bias, stride, padding, dilation, groups, input_layout, kernel_layout, output_layout
) -> torch.Tensor:  # fmt: skip
    """``torch.ops.boo.layout_customizable_convolution``: all tensors in the layouts given."""
    return torch.ops.boo.layout_customizable_convolution(
        input, weight, bias, stride, padding, dilation, groups, input_layout, kernel_layout,
        output_layout,
    )  # fmt: skip
