"""Other ways to write operators, with which a subgraph is rewritten before it is compiled."""

from __future__ import annotations

import operator
from collections.abc import Callable
from unittest import mock

import torch
from torch.fx import GraphModule, Node
from torch.fx.node import Target
from torch.utils import _pytree as pytree

from ..ops import graph_program
from ..ops.conv_replacement import convolution_backward_replacement, convolution_replacement

#: By the operator that it replaces: a function that rewrites the graph around one node.
ReplacementSchema = dict[Target, Callable[[Node], None]]


def inline(node: Node, function: Callable, decompositions: dict | None = None) -> None:
    """Replaces a node by what `function` does with the node's arguments, traced.

    Its results have to be those of the node, each a tensor or None. The node's arguments carry fake
    tensors in meta["val"], and the nodes that are made do as well.
    """
    from torch._guards import detect_fake_mode
    from torch.fx.experimental.proxy_tensor import make_fx

    leaves, spec = pytree.tree_flatten((node.args, node.kwargs))
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Node)]

    def flat(*given):
        filled = list(leaves)
        for place, value in zip(places, given):
            filled[place] = value
        args, kwargs = pytree.tree_unflatten(filled, spec)
        return function(*args, **kwargs)

    values = [leaves[place].meta["val"] for place in places]
    mode = detect_fake_mode(values)
    with graph_program.alone(), mock.patch.object(mode, "allow_non_fake_inputs", True):
        traced = make_fx(flat, decomposition_table=decompositions or {})(*values)
    graph = node.graph
    for each in traced.graph.find_nodes(op="get_attr"):
        constant = getattr(traced, each.target)
        each.target = _add_constant(graph.owning_module, constant)
        each.meta["val"] = mode.from_tensor(constant, static_shapes=True)
    given = dict(
        zip(
            (each for each in traced.graph.nodes if each.op == "placeholder"),
            (leaves[place] for place in places),
        )
    )
    with graph.inserting_before(node):
        results = graph.graph_copy(traced.graph, given)
    _replace(node, results)


def _add_constant(gm: GraphModule, constant: torch.Tensor) -> str:
    number = 0
    while hasattr(gm, name := f"_boo_constant{number}"):
        number += 1
    gm.register_buffer(name, constant, persistent=False)
    return name


def _replace(node: Node, results) -> None:
    if not isinstance(results, (tuple, list)):
        node.replace_all_uses_with(results)
    else:
        for user in list(node.users):
            if user.target is not operator.getitem:
                raise ValueError(f"{user.name} uses all results of {node.name} at once")
            result = results[user.args[1]]
            if result is None and user.users:
                raise ValueError(f"result {user.args[1]} of {node.name} is used, but has no tensor")
            if result is not None:
                user.replace_all_uses_with(result)
            node.graph.erase_node(user)
    node.graph.erase_node(node)


def apply(gm: GraphModule, replacements: ReplacementSchema) -> None:
    """Rewrites each node of the graph whose operator is in the list."""
    for node in list(gm.graph.nodes):
        if node.op == "call_function" and node.target in replacements:
            replacements[node.target](node)
    gm.graph.lint()
    gm.recompile()


def replace_convolution(node: Node) -> None:
    """aten.convolution by BOO's, in the layouts of the tensors; transposed ones stay."""

    def convolution(x, w, b, stride, padding, dilation, transposed, output_padding, groups):
        made = node.meta.get("val")
        last = None
        if made is not None and made.dim() in (4, 5):
            formats = {4: torch.channels_last, 5: torch.channels_last_3d}
            last = not made.is_contiguous() and made.is_contiguous(
                memory_format=formats[made.dim()]
            )
        return convolution_replacement(x, w, b, stride, padding, dilation, groups, last)

    if not node.args[6]:
        inline(node, convolution)


def replace_convolution_backward(node: Node) -> None:
    """aten.convolution_backward by BOO's, in the layouts of the tensors; transposed ones stay."""

    def backward(
        grad, x, w, bias_sizes, stride, padding, dilation, transposed, out_padding, groups, mask
    ):
        return convolution_backward_replacement(grad, x, w, stride, padding, dilation, groups, mask)

    if not node.args[7]:
        inline(node, backward)


def replace_miopen_batch_norm(node: Node) -> None:
    """MIOpen's batch norm by the functional one, whose new statistics are results."""

    def functional(x, weight, bias, mean, var, training, momentum, eps):
        return torch.ops.aten._native_batch_norm_legit_functional(
            x, weight, bias, mean, var, training, momentum, eps
        )[:3]

    inline(node, functional)


def replace_attention(node: Node) -> None:
    """An attention of one kernel library by aten.scaled_dot_product_attention, which has one result:
    where others are used the node stays."""
    schema = node.target._schema
    given = {argument.name: value for argument, value in zip(schema.arguments, node.args)}
    given.update(node.kwargs)
    if given.get("dropout_p") or any(
        user.target is not operator.getitem or (user.args[1] != 0 and user.users)
        for user in node.users
    ):
        return
    graph = node.graph
    with graph.inserting_before(node):
        made = graph.call_function(
            torch.ops.aten.scaled_dot_product_attention.default,
            (given["query"], given["key"], given["value"]),
            {
                "attn_mask": given.get("attn_mask", given.get("attn_bias")),
                "is_causal": given.get("is_causal", False),
                "scale": given.get("scale"),
            },
        )
    for user in list(node.users):
        if user.args[1] == 0:
            made.meta.update(user.meta)
            user.replace_all_uses_with(made)
        graph.erase_node(user)
    graph.erase_node(node)
