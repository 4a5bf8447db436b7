"""What of an inference graph depends on frozen weights alone is computed ahead."""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from . import lowering

_BATCH_NORM = torch.ops.aten._native_batch_norm_legit_no_training.default
_CONVOLUTION = torch.ops.aten.convolution.default


class Folder:
    """Rewrites a graph, a part of whose placeholders are constants."""

    def __init__(self, gm: GraphModule, constants: dict[Node, torch.Tensor]) -> None:
        self._gm = gm
        self._graph = gm.graph
        #: The value of each node that is known ahead.
        self.values = dict(constants)

    def fold(self) -> None:
        """Computes constant nodes, and turns a convolution and its batch norm into one convolution."""
        for node in list(self._graph.nodes):
            if node.op == "call_function":
                self._compute(node)
        for node in list(self._graph.nodes):
            if node.target is _BATCH_NORM:
                self._fold_norm(node)
        self._own_results()
        self._graph.eliminate_dead_code()

    def _own_results(self) -> None:
        """Gives each call a copy of what it returns of the constants."""
        output = next(node for node in self._graph.nodes if node.op == "output")

        def own(node: Node) -> Node:
            root = node
            while root.target in lowering.VIEWS:
                root = root.args[0]
            if root not in self.values:
                return node
            with self._graph.inserting_before(output):
                made = self._graph.call_function(torch.ops.aten.clone.default, (node,))
            made.meta = dict(node.meta)
            return made

        output.args = torch.fx.map_arg(output.args, own)

    def _compute(self, node: Node) -> None:
        inputs = node.all_input_nodes
        if not inputs or not all(each in self.values for each in inputs) or node.is_impure():
            return
        if not lowering.is_tensor(node) or not isinstance(node.target, torch._ops.OpOverload):
            return
        values = torch.fx.map_arg(node.args, self.values.__getitem__)
        named = torch.fx.map_arg(node.kwargs, self.values.__getitem__)
        self._become_constant(node, node.target(*values, **named))

    def _become_constant(self, node: Node, value: torch.Tensor) -> None:
        with self._graph.inserting_before(node):
            made = self._constant(value, like=node)
        node.replace_all_uses_with(made)

    def _constant(self, value: torch.Tensor, like: Node) -> Node:
        name = f"_frozen{len(self.values)}"
        self._gm.register_buffer(name, value, persistent=False)
        made = self._graph.get_attr(name)
        fake_mode = lowering.value_of(like).fake_mode if lowering.is_tensor(like) else None
        made.meta["val"] = fake_mode.from_tensor(value, static_shapes=True) if fake_mode else value
        self.values[made] = value
        return made

    def _fold_norm(self, norm: Node) -> None:
        """y = (conv(x, w) + b - mean) * scale + shift is a convolution with w * scale."""
        conv = norm.args[0]
        results = [user for user in norm.users if user.users]
        if (
            conv.target is not _CONVOLUTION
            or len(conv.users) != 1
            or [user.args[1] for user in results] != [0]
        ):
            return
        x, w, b, stride, padding, dilation, transposed, output_padding, groups = conv.args
        weight, bias, mean, variance, _, eps = norm.args[1:]
        known = [each for each in (w, b, weight, bias, mean, variance) if each is not None]
        if transposed or not all(each in self.values for each in known):
            return
        value = {each: self.values[each].double() for each in known}
        scale = torch.rsqrt(value[variance] + eps)
        if weight is not None:
            scale = scale * value[weight]
        shift = -value[mean] * scale
        if b is not None:
            shift = shift + value[b] * scale
        if bias is not None:
            shift = shift + value[bias]
        old = self.values[w]
        new = (value[w] * scale.view(-1, *(1,) * (old.dim() - 1))).to(old.dtype)
        if 0 not in old.stride():
            new = torch.empty_strided(old.shape, old.stride(), dtype=old.dtype).copy_(new)
        if not (new.isfinite().all() and shift.to(old.dtype).isfinite().all()):
            return  # the norm's own arithmetic has a wider range
        with self._graph.inserting_before(conv):
            weights = self._constant(new, like=conv)
            shifts = self._constant(shift.to(old.dtype), like=conv)
            made = self._graph.call_function(
                _CONVOLUTION,
                (x, weights, shifts, stride, padding, dilation, transposed, output_padding, groups),
            )
        made.meta = dict(conv.meta)
        results[0].replace_all_uses_with(made)
        for node in (results[0], norm, conv):
            if not node.users:
                self._graph.erase_node(node)
