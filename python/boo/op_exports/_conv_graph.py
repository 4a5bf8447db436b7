"""The Graph of each direction of a convolution.

A transposed convolution is the gradient of the input of a plain one whose output is its input, so
that its own gradients are those of plain ones with the roles exchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _boo, _graph
from .base import Program
from .utils import dense

if TYPE_CHECKING:
    from .conv import ConvSignature


def _channel(bias: _graph.Type, rank: int) -> _graph.Type:
    """A bias [K] as [1, K, 1, …]."""
    ones = (1,) * rank
    return _graph.Type(bias.dtype, (1, *bias.sizes, *ones), (0, 1, *(0 for _ in ones)))


class _Writer:
    """Adds the nodes of one convolution to a Graph; types are in plain order."""

    def __init__(self, signature: ConvSignature) -> None:
        self.signature = signature
        self.graph = _graph.GraphBuilder()
        x, w, y = signature.tensor_types()
        self.own = {"x": x, "w": w, "y": y}
        self.plain = {
            "x": x.permuted(signature.input_perms.items),
            "w": w.permuted(signature.kernel_perms.items),
            "y": y.permuted(signature.output_perms.inv().items),
        }

    def argument(self, name: str) -> int:
        return self.graph.argument(self.plain[name])

    def _attributes(self) -> dict:
        signature = self.signature
        high = signature.padding
        if signature.transposed:
            # A plain convolution of the output must not make a pixel more than the input has.
            extra = zip(signature.padding, signature.output_padding, signature.stride)
            high = tuple(pad - max(more - (stride - 1), 0) for pad, more, stride in extra)
            if min(high) < 0:
                raise _boo.Unsupported(
                    f"output_padding {signature.output_padding} with stride {signature.stride}"
                    f" needs more padding than {signature.padding}"
                )
        return dict(
            acc=_graph.accumulator(signature.dtype),
            dilation=signature.dilation,
            groups=signature.groups,
            pad_hi=high,
            pad_lo=signature.padding,
            stride=signature.stride,
        )

    def _node(self, op: str, operands: tuple[int, int], result: str) -> int:
        more = {} if op == "conv" else {"size": self.plain[result].sizes[2:]}
        attributes = self._attributes()
        return self.graph.node(op, operands, self.plain[result], **more, **attributes)

    def forward(self, x: int, w: int) -> int:
        op = "conv_grad_input" if self.signature.transposed else "conv"
        return self._node(op, (x, w), "y")

    def input_gradient(self, dy: int, w: int) -> int:
        op = "conv" if self.signature.transposed else "conv_grad_input"
        return self._node(op, (dy, w), "x")

    def weight_gradient(self, dy: int, x: int) -> int:
        operands = (x, dy) if self.signature.transposed else (dy, x)
        return self._node("conv_grad_weight", operands, "w")

    def bias_gradient(self, dy: int) -> int:
        rank = self.signature.num_spatial_dims
        return self.graph.node(
            "reduce",
            (dy,),
            _channel(self.signature.bias_type(), rank),
            acc=_graph.accumulator(self.signature.dtype),
            dims=(0, *range(2, rank + 2)),
            fn="sum",
            keep=True,
        )


def make_program(signature: ConvSignature) -> Program:
    """Raises boo.Unsupported for transposed convolutions that no plain one is the gradient of."""
    if signature.is_forward:
        return _forward(signature)
    return _backward(signature)


def _forward(signature: ConvSignature) -> Program:
    writer = _Writer(signature)
    x, w = writer.argument("x"), writer.argument("w")
    types = [writer.own["x"], writer.own["w"]]
    bias = None
    if signature.bias:
        types.append(signature.bias_type())
        bias = writer.graph.argument(_channel(types[-1], signature.num_spatial_dims))
    y = writer.forward(x, w)
    if bias is not None:
        y = writer.graph.pointwise("add", (y, bias), writer.plain["y"])
    reads = tuple(range(len(types)))
    text = writer.graph.finish([y])
    return Program(text, tuple(types), (writer.own["y"],), {len(reads): reads}, (0,))


def _backward(signature: ConvSignature) -> Program:
    """Launches have (dy, x, w), or only those of them that the direction reads."""
    to_input, to_weight, to_bias = signature.backward_mask
    reads = {"y": 0}
    if to_weight:
        reads["x"] = 1
    if to_input:
        reads["w"] = 2
    writer = _Writer(signature)
    ids = {name: writer.argument(name) for name in reads}
    made, results = [], []
    if to_input:
        made.append(writer.input_gradient(ids["y"], ids["w"]))
        results.append(writer.own["x"])
    if to_weight:
        made.append(writer.weight_gradient(ids["y"], ids["x"]))
        results.append(writer.own["w"])
    if to_bias:
        made.append(writer.bias_gradient(ids["y"]))
        results.append(dense(signature.dtype, signature.bias_type().sizes))
    few = tuple(range(len(reads)))
    return Program(
        writer.graph.finish(made),
        tuple(writer.own[name] for name in reads),
        tuple(results),
        {len(few): few, 3: tuple(reads.values())},
        tuple(range(len(results))),
    )
