"""The backends themselves. Their names are entry points, so no import is needed to use them."""

from __future__ import annotations

import functools

import torch
from torch._dynamo.backends.common import aot_autograd

from . import compiler


def _compile(gm: torch.fx.GraphModule, example_inputs, *, kind: str):
    return compiler.compile_graph(gm, kind)


def backend():
    """A backend whose kernels compute all of a graph that they can, and torch the rest, forward and
    backward."""
    return aot_autograd(
        fw_compiler=functools.partial(_compile, kind="forward"),
        bw_compiler=functools.partial(_compile, kind="backward"),
        inference_compiler=functools.partial(_compile, kind="inference"),
    )


default_backend = backend()
