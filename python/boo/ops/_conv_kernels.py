"""The Graphs of eager convolutions and of their gradients, and the kernels made of them so far."""

from __future__ import annotations

import torch

from .. import _boo, _graph
from ..runtime import kernels
from ._conv_types import (
    ConvArgs,
    conv_name,
    conv_types,
    given_args,
    gradient_type,
    layout_order,
)


def _attributes(args: ConvArgs, dtype: torch.dtype) -> dict:
    return dict(
        acc=_graph.accumulator(dtype),
        dilation=args.dilation,
        groups=args.groups,
        pad_hi=args.padding,
        pad_lo=args.padding,
        stride=args.stride,
    )


def _channel_type(bias: _graph.Type, rank: int) -> _graph.Type:
    """A bias [K] as [1, K, 1, …]."""
    return _graph.Type(
        bias.dtype,
        (1, bias.sizes[0], *(1,) * rank),
        (0, bias.strides[0], *(0,) * rank),
    )


def _specs(*types: _graph.Type) -> list:
    return [each.spec for each in types]


def _make(graph: str, **options) -> _boo.Kernel:
    """A kernel that serves all callers: not as exact as the program that is compiled now may want."""
    return kernels.make(graph, math=_boo.math(), **options)


def _build_forward(tensors, statics):
    """The kernel of input, kernel, bias or None; None where no kernel serves."""
    args = ConvArgs(*statics)
    given = [_graph.type_of(each) for each in tensors if each is not None]
    types = conv_types(given[0], given[1], args)
    if given[0].dtype not in _graph.FLOATS or 0 in types.output.sizes or 0 in types.input.sizes:
        return None
    graph = _graph.GraphBuilder()
    x, w = graph.argument(types.input), graph.argument(types.kernel)
    b = None
    if len(given) == 3:
        if given[2].sizes != types.kernel.sizes[:1] or given[2].dtype != given[0].dtype:
            raise ValueError(
                f"the bias is {given[2].dtype} with sizes {given[2].sizes}; one {given[0].dtype}"
                f" for each of {types.kernel.sizes[0]} output channels is needed"
            )
        b = graph.argument(_channel_type(given[2], len(args.stride)))
    y = graph.node("conv", (x, w), types.output, **_attributes(args, given[0].dtype))
    if b is not None:
        y = graph.pointwise("add", (y, b), types.output)
    return _make(
        graph.finish([y]),
        name=conv_name("fwd", given[0], given[1], types.result, args, bias=b is not None),
        arguments=_specs(*given),
        results=_specs(types.result),
    )


def _build_gradients(tensors, statics):
    """The kernel of the gradients of input, kernel and bias that a mask asks for: one launch for all.
    Its tensors are the gradient of the result, and input and kernel, None where they are not read."""
    mask, x_sizes, w_sizes, *rest = statics
    args = ConvArgs(*rest)
    rank = len(args.stride)
    grad, x, w = (each if each is None else _graph.type_of(each) for each in tensors)
    if grad.dtype not in _graph.FLOATS or 0 in (*grad.sizes, *x_sizes, *w_sizes):
        return None
    x_order, w_order, y_order = (layout_order(each, rank) for each in args.all_layouts)
    attributes = _attributes(args, grad.dtype)
    graph = _graph.GraphBuilder()
    dy = graph.argument(grad.permuted(y_order))
    read_x = graph.argument(x.permuted(x_order)) if mask[1] else None
    read_w = graph.argument(w.permuted(w_order)) if mask[0] else None
    dx = gradient_type(x_sizes, w, args) if mask[0] else None
    dw = gradient_type(w_sizes, x, args) if mask[1] else None
    db = _graph.Type(grad.dtype, (w_sizes[w_order[0]],), (1,)) if mask[2] else None
    made = []
    if dx:
        plain = dx.permuted(x_order)
        size = plain.sizes[2:]
        made.append(graph.node("conv_grad_input", (dy, read_w), plain, size=size, **attributes))
    if dw:
        plain = dw.permuted(w_order)
        size = plain.sizes[2:]
        made.append(graph.node("conv_grad_weight", (dy, read_x), plain, size=size, **attributes))
    if db:
        dims = (0, *range(2, rank + 2))
        sums = dict(acc=attributes["acc"], dims=dims, fn="sum", keep=True)
        made.append(graph.node("reduce", (dy,), _channel_type(db, rank), **sums))
    # What is not read lies in memory as its gradient, to the name.
    named = (
        read or own or _graph.Type(grad.dtype, sizes, _graph.contiguous_strides(sizes))
        for read, own, sizes in ((x, dx, x_sizes), (w, dw, w_sizes))
    )
    mode = sum(wanted << place for place, wanted in enumerate(mask))
    return _make(
        graph.finish(made),
        name=conv_name(mode, *named, grad, args),
        arguments=_specs(*filter(None, (grad, x, w))),
        results=_specs(*filter(None, (dx, dw, db))),
    )


forward = _boo.Dispatcher(_build_forward)
#: The same kernels by the arguments of boo_conv as they were given.
eager = _boo.Dispatcher(
    lambda tensors, given: forward.kernel(tensors, given_args(*given, tensors[0].dim()))
)
gradients = _boo.Dispatcher(_build_gradients)


def forget() -> None:
    """Has the next call of each operation find its kernel anew."""
    eager.clear()
    forward.clear()
    gradients.clear()
