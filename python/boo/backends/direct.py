"""Calls of inference programs that leave out aot_autograd's wrappers where those would do nothing.

The wrappers around a compiled inference graph handle inputs that are written to, results that are
views of inputs, subclasses, autocast and duplicate arguments, at some 6 µs a call. A graph with none
of these is called with its arguments as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch._functorch._aot_autograd.schemas import OutputType, PlainTensorMeta


def _is_plain(meta, count: int) -> bool:
    """Whether what aot_autograd found out about a graph of `count` inputs leaves it nothing to do."""
    try:
        return (
            len(meta.input_info) == count
            and meta.grad_enabled_mutation is None
            and not any(
                each.mutates_data or each.mutates_metadata or each.mutates_storage_metadata
                for each in meta.input_info
            )
            and all(
                each.output_type == OutputType.non_alias and issubclass(each.raw_type, torch.Tensor)
                for each in meta.output_info
            )
            and all(
                isinstance(each, PlainTensorMeta)
                for each in (*meta.subclass_inp_meta, *meta.subclass_fw_graph_out_meta)
            )
            and not meta.tokens
            and not meta.num_graphsafe_rng_states
            and meta.num_intermediate_bases == 0
        )
    except AttributeError:
        return False  # another version of torch: its wrappers stay


class Watch:
    """Compiles inference graphs for aot_autograd, and notes the program of one that can be called
    directly."""

    def __init__(self, compile_inference: Callable) -> None:
        self._compile = compile_inference
        self._program: Callable | None = None
        self._inputs = -1

    def compile(self, gm: torch.fx.GraphModule, example_inputs):
        """The inference_compiler of aot_autograd."""
        program = self._compile(gm, example_inputs)
        context = torch._guards.TracingContext.try_get()
        inputs = sum(node.op == "placeholder" for node in gm.graph.nodes)
        if (
            context is not None
            and context.fw_metadata is not None
            and not torch._C._is_any_autocast_enabled()
            and _is_plain(context.fw_metadata, inputs)
        ):
            self._program, self._inputs = program, inputs
        return program

    def direct(self, compiled: Callable, example_inputs) -> Callable:
        """What dynamo is to call: the program or its one kernel, or what aot_autograd made of it."""
        program = self._program
        if program is None or len(example_inputs) != self._inputs:
            return compiled
        kernel, order = getattr(program, "whole", None) or (None, None)
        # Dynamo's guards see to it that inputs stay without a pending negation.
        if order == list(range(self._inputs)) and not any(each.is_neg() for each in example_inputs):
            run = kernel.call_for_tuple
            # Dynamo asks a function for its name at each call: other callables answer slowly.
            return lambda *args: run(*args)

        def call(*args):
            if not torch.is_grad_enabled():
                return program(list(args))
            # What torch computes of it must not record gradients that the graph has none of.
            with torch.no_grad():
                return program(list(args))

        return call
