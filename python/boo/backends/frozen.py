"""Inference programs whose weights were frozen: made at their first call, when the weights are there."""

from __future__ import annotations

import copy
import threading

import torch
from torch.fx import GraphModule

from .. import _boo, _graph, freezing
from . import compiler
from .folding import Folder
from .options import Options, options_applied


class FrozenProgram:
    """A compiled graph that is called with a list of its inputs, which it empties."""

    _boxed_call = True

    def __init__(self, gm: GraphModule, kind: str, options: Options) -> None:
        self._gm, self._kind, self._options = gm, kind, options
        self._written = _written_inputs()
        self._lock = threading.Lock()
        #: The program, the weights that it has packed, and when: one object, for threads.
        self._made: tuple | None = None

    def __call__(self, args: list):
        made = self._made
        if made is None or made[2] != freezing.epoch() or not made[1].holds(args):
            made = self._make(args)
        return made[0](args)

    def _make(self, args: list) -> tuple:
        """Folds and packs the weights that `args` has now."""
        with self._lock:
            # As they are now: what is written to them while they are packed counts as a change.
            epoch = freezing.epoch()
            held = [
                (i, each)
                for i, each in enumerate(args)
                if i not in self._written and freezing.is_frozen(each) and _can_be_held(each)
            ]
            frozen = _boo.Frozen(held)
            made = self._made
            if made is not None and made[2] == epoch and made[1].holds(args):
                return made
            gm = copy.deepcopy(self._gm)
            inputs = [node for node in gm.graph.nodes if node.op == "placeholder"]
            with torch.inference_mode(False), torch.no_grad():
                folder = Folder(gm, {inputs[i]: each.detach() for i, each in held})
                folder.fold()
            with options_applied(self._options):
                run = compiler.compile_static(gm, self._kind, folder.values)
            self._made = run, frozen, epoch
            return self._made


def _written_inputs() -> set[int]:
    """The inputs that the graph being compiled writes to: they are no constants."""
    context = torch._guards.TracingContext.try_get()
    if context is None or context.fw_metadata is None:
        return set()
    return {i for i, each in enumerate(context.fw_metadata.input_info) if each.mutates_data}


def _can_be_held(tensor: torch.Tensor) -> bool:
    return (
        tensor.dtype in _graph.DTYPES
        and tensor.device.type == "cpu"
        and tensor.layout == torch.strided
    )
