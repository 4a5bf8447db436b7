"""The rest of a graph, when BOO's operators are in it: compiled by another backend."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch._dynamo.backends.common import aot_autograd
from torch.fx import GraphModule

from ..ops import graph_program
from . import options as options_
from .options import Options

#: Applied to forward and backward before anything is fused. torch's fake tensors have statistics of
#: a mixed layer norm in the input's type, while its kernels give and take them in the parameters'.
DECOMPOSITIONS = {
    torch.ops.aten.native_layer_norm.default: graph_program.mixed_layer_norm,
}

#: Changes a graph of aten operators in place.
Transform = Callable[[GraphModule], None]


def _boxed(function: Callable) -> Callable:
    if getattr(function, "_boxed_call", False):
        return function

    def run(args):
        given = tuple(args)
        args.clear()
        return function(*given)

    run._boxed_call = True
    return run


def _eager(gm: GraphModule, example_inputs) -> Callable:
    from torch.fx.graph import _BoxedCodeGen

    # A boxed function lets go of each tensor behind its last use.
    gm.graph.set_codegen(_BoxedCodeGen())
    gm.recompile()
    run = gm.forward
    return lambda args: run(args)


def through(name: str | Callable, transform: Transform, options: Options, rest: dict) -> Callable:
    """A backend that transforms the graphs of forward and backward and has the nested backend
    compile what that leaves. `rest` are options for the nested one: inductor's alone has some."""
    if name == "inductor":
        return _through_inductor(transform, options, rest)
    if rest:
        raise ValueError(f"unknown options: {', '.join(sorted(map(str, rest)))}")
    if name == "eager":
        compile_rest = _eager
    elif callable(name):
        compile_rest = name
    else:
        from torch._dynamo.backends.registry import lookup_backend

        compile_rest = lookup_backend(name)
        warnings.warn(
            f"backend {name!r} is given graphs of aten operators that aot_autograd has split in"
            " forward and backward already; not every backend takes those",
            stacklevel=3,
        )

    def compile_one(gm: GraphModule, example_inputs):
        with options_.options_applied(options):
            transform(gm)
        run = compile_rest(gm, example_inputs)
        if compile_rest is _eager:
            run._boxed_call = True
        return options_.on_threads(_boxed(run), options.threads)

    return aot_autograd(fw_compiler=compile_one, decompositions=DECOMPOSITIONS)


def _through_inductor(transform: Transform, options: Options, rest: dict) -> Callable:
    """compile_fx with a compile_fx_inner of our own: aot_autograd runs once, so that graphs which
    DistributedDataParallel has cut reach it as inductor's do, and passes of inductor run as ever."""
    from torch._functorch import config as functorch_config
    from torch._inductor.compile_fx import compile_fx, compile_fx_inner

    def compile_one(gm: GraphModule, example_inputs, **kwargs):
        with options_.options_applied(options):
            transform(gm)
        decompose_rest(gm)
        return compile_fx_inner(gm, example_inputs, **kwargs)

    def compile_all(gm: GraphModule, example_inputs):
        # That cache's key does not know of the transform.
        with functorch_config.patch(enable_autograd_cache=False):
            run = compile_fx(
                gm,
                example_inputs,
                inner_compile=compile_one,
                config_patches=rest or None,
                decompositions=_table(),
            )
        if options.threads is None:
            return run
        limited = options_.on_threads(lambda args: run(*args), options.threads)
        return lambda *args: limited(args)

    return compile_all


#: Operators that inductor would decompose, but that kernels compute whole.
KEPT = tuple(
    getattr(torch.ops.aten, name).default
    for name in (
        "_adaptive_avg_pool2d",
        "_log_softmax",
        "_log_softmax_backward_data",
        "_native_batch_norm_legit_functional",
        "_native_batch_norm_legit_no_training",
        "_softmax",
        "_softmax_backward_data",
        "addmm",
        "elu",
        "gelu",
        "gelu_backward",
        "hardsigmoid",
        "hardswish",
        "hardtanh",
        "leaky_relu",
        "native_batch_norm",
        "native_batch_norm_backward",
        "native_layer_norm",
        "native_layer_norm_backward",
        "silu",
        "silu_backward",
        "softplus",
        "threshold_backward",
    )
)


def _table() -> dict:
    from torch._inductor.decomposition import select_decomp_table

    table = {target: rule for target, rule in select_decomp_table().items() if target not in KEPT}
    return {**table, **DECOMPOSITIONS}


def decompose_rest(gm: GraphModule) -> None:
    """Decomposes, for inductor, the operators that were kept whole and went into no kernel."""
    from torch._inductor.decomposition import select_decomp_table

    from ..fusion.replacement import inline

    table = select_decomp_table()
    for node in list(gm.graph.nodes):
        if node.target in KEPT and node.target in table:
            inline(node, node.target, table)
    gm.graph.lint()
    gm.recompile()
