"""Which operators of a graph are fused: lists that the transform reads."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch.fx import Node
from torch.fx.node import Target

from . import replacement
from .replacement import ReplacementSchema

__all__ = [
    "DEFAULT_POST_DECOMPOSITION_REPLACEMENTS",
    "DEFAULT_POST_FUSION_REPLACEMENTS",
    "DEFAULT_SUPPORTED_BOO_FUSIONS",
    "EXPERIMENTAL_POST_FUSION_REPLACEMENTS",
    "EXPERIMENTAL_SUPPORTED_BOO_FUSIONS",
    "FusionSchema",
    "OpFusionSpec",
    "ReplacementSchema",
]


@dataclass
class OpFusionSpec:
    """What is fused with an operator.

    recursive: whether producers of producers and consumers of consumers are fused as well.
    make_single_dispatch: whether the fused operator is meant to be one launch.
    match_filters: functions of a node; one that says no keeps any node out, the root too.
    producers, consumers: operators that are fused when they are in front or behind.
    """

    recursive: bool = True
    make_single_dispatch: bool = False
    match_filters: Sequence[Callable[[Node], bool]] = ()
    producers: Sequence[Target] = ()
    consumers: Sequence[Target] = ()

    def check_filters(self, node: Node) -> bool:
        return all(each(node) for each in self.match_filters)

    def is_fusable_producer(self, node: Node) -> bool:
        return (
            node.op == "call_function"
            and node.target in self.producers
            and self.check_filters(node)
        )

    def is_fusable_consumer(self, node: Node) -> bool:
        """Also true of what takes one of several results."""
        return (
            node.op == "call_function"
            and (node.target is operator.getitem or node.target in self.consumers)
            and self.check_filters(node)
        )


FusionSchema = dict[Target, OpFusionSpec]

_aten = torch.ops.aten


def _argument(node: Node, name: str):
    """An argument of the node's operator, given or its default."""
    for place, argument in enumerate(node.target._schema.arguments):
        if argument.name == name:
            if place < len(node.args):
                return node.args[place]
            return node.kwargs.get(name, argument.default_value)
    raise KeyError(name)


def _is_not_transposed(node: Node) -> bool:
    convolutions = (_aten.convolution.default, _aten.convolution_backward.default)
    return node.target not in convolutions or not _argument(node, "transposed")


def _has_dense_rows(node: Node) -> bool:
    """The last dimension of a layer norm's input is dense in memory."""
    if node.target is not _aten.native_layer_norm.default:
        return True
    value = _argument(node, "input").meta.get("val")
    return value is None or value.stride()[-1] == 1


#: Casts in front and behind, which autocast leaves round a norm.
_LAYER_NORM = OpFusionSpec(
    recursive=False,
    make_single_dispatch=True,
    producers=(_aten._to_copy.default,),
    consumers=(_aten._to_copy.default,),
)

DEFAULT_SUPPORTED_BOO_FUSIONS: FusionSchema = {
    _aten.convolution.default: OpFusionSpec(
        match_filters=(_is_not_transposed,),
        consumers=(_aten.relu.default, _aten.sigmoid.default),
    ),
    _aten.native_layer_norm.default: replace(_LAYER_NORM, match_filters=(_has_dense_rows,)),
}

EXPERIMENTAL_SUPPORTED_BOO_FUSIONS: FusionSchema = {
    **DEFAULT_SUPPORTED_BOO_FUSIONS,
    _aten.convolution_backward.default: OpFusionSpec(
        recursive=False, match_filters=(_is_not_transposed,)
    ),
    _aten.native_layer_norm.default: _LAYER_NORM,
    **{
        target.default: OpFusionSpec()
        for target in (
            _aten.mm,
            _aten.bmm,
            _aten.addmm,
            _aten._native_batch_norm_legit_functional,
            _aten.miopen_batch_norm,
            _aten._scaled_dot_product_flash_attention,
            _aten._scaled_dot_product_flash_attention_for_cpu,
            _aten._scaled_dot_product_efficient_attention,
            _aten.argmax,
            _aten.argmin,
        )
    },
}

DEFAULT_POST_FUSION_REPLACEMENTS: ReplacementSchema = {
    _aten.convolution.default: replacement.replace_convolution,
}

EXPERIMENTAL_POST_FUSION_REPLACEMENTS: ReplacementSchema = {
    **DEFAULT_POST_FUSION_REPLACEMENTS,
    _aten.convolution_backward.default: replacement.replace_convolution_backward,
    _aten.miopen_batch_norm.default: replacement.replace_miopen_batch_norm,
}

DEFAULT_POST_DECOMPOSITION_REPLACEMENTS: ReplacementSchema = {
    target.default: replacement.replace_attention
    for target in (
        _aten._scaled_dot_product_flash_attention,
        _aten._scaled_dot_product_flash_attention_for_cpu,
        _aten._scaled_dot_product_efficient_attention,
    )
}
