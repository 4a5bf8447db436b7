"""Inference programs whose weights were frozen: made at their first call, when the weights are there."""

from __future__ import annotations

import copy

import torch
from torch.fx import GraphModule

from .. import _boo, freezing
from . import compiler
from .folding import Folder


class FrozenProgram:
    """A compiled graph that is called with a list of its inputs, which it empties."""

    _boxed_call = True

    def __init__(self, gm: GraphModule, kind: str) -> None:
        self._gm, self._kind = gm, kind
        self._run = None
        self._frozen: _boo.Frozen | None = None
        self._epoch = -1

    def __call__(self, args: list):
        if self._run is None or self._epoch != freezing.epoch() or not self._frozen.holds(args):
            self._make(args)
        return self._run(args)

    def _make(self, args: list) -> None:
        """Folds and packs the weights that `args` has now."""
        self._epoch = freezing.epoch()
        held = [(i, each) for i, each in enumerate(args) if freezing.is_frozen(each)]
        gm = copy.deepcopy(self._gm)
        inputs = [node for node in gm.graph.nodes if node.op == "placeholder"]
        folder = Folder(gm, {inputs[i]: each.detach() for i, each in held})
        with torch.no_grad():
            folder.fold()
        self._run = compiler.compile_static(gm, self._kind, folder.values)
        self._frozen = _boo.Frozen(held)
