"""The backends themselves. Their names are entry points, so no import is needed to use them."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch._dynamo.backends.common import aot_autograd

from ..fusion import fusion_transform
from ..fusion.schema import (
    DEFAULT_POST_DECOMPOSITION_REPLACEMENTS,
    DEFAULT_POST_FUSION_REPLACEMENTS,
    DEFAULT_SUPPORTED_BOO_FUSIONS,
    EXPERIMENTAL_POST_FUSION_REPLACEMENTS,
    EXPERIMENTAL_SUPPORTED_BOO_FUSIONS,
    FusionSchema,
    ReplacementSchema,
)
from . import compiler, nested
from . import options as options_
from .direct import Watch
from .region_ops import regions_transform

__all__ = [
    "backend",
    "boo_backend",
    "boo_inductor_backend",
    "default_backend",
    "experimental_backend",
    "fusion_transform",
    "inductor_backend",
]


def _through_regions(options: options_.Options) -> Callable:
    def compile_one(gm: torch.fx.GraphModule, example_inputs, *, kind: str):
        run = compiler.compile_graph(gm, kind, options)
        return options_.on_threads(run, options.threads)

    def compile_all(gm: torch.fx.GraphModule, example_inputs):
        watch = Watch(functools.partial(compile_one, kind="inference"))
        compiled = aot_autograd(
            fw_compiler=functools.partial(compile_one, kind="forward"),
            bw_compiler=functools.partial(compile_one, kind="backward"),
            inference_compiler=watch.compile,
        )(gm, example_inputs)
        return watch.direct(compiled, example_inputs)

    return compile_all


def _named(name: str, make: Callable) -> Callable:
    """A backend of torch.compile; `make` gives the one for some options."""

    def compile_fn(gm: torch.fx.GraphModule, example_inputs, *, options=None, mode=None):
        given = dict(options or {})
        if mode is not None:
            given = {**torch._inductor.list_mode_options(mode), **given}
        return make(*options_.split(given))(gm, example_inputs)

    compile_fn.__name__ = compile_fn.__qualname__ = name
    return compile_fn


def backend(
    *,
    nested_backend: str | Callable | None = None,
    fusion_schema: FusionSchema | None = None,
    post_fusion_replacements: ReplacementSchema | None = None,
    post_decomposition_replacements: ReplacementSchema | None = None,
) -> Callable:
    """A backend of torch.compile, for forward, backward and inference.

    Without arguments, kernels compute all of a graph that they can: each region of it is one
    launch. With any of them, the schema's fusions alone become operators of BOO's, and the nested
    backend compiles the rest.

    Args:
        nested_backend: "eager", "inductor", the name of another backend, or one itself, which
            takes graphs of aten operators; "eager" if left out.
        fusion_schema: which operators are fused, and with what; DEFAULT_SUPPORTED_BOO_FUSIONS.
        post_fusion_replacements: how fused operators are rewritten;
            DEFAULT_POST_FUSION_REPLACEMENTS.
        post_decomposition_replacements: the same, after tracing again;
            DEFAULT_POST_DECOMPOSITION_REPLACEMENTS.

    Returns:
        What torch.compile takes as `backend`. Its `options` are `math` ("strict", "default",
        "fast"), `fallback` ("torch", or "error": boo.Unsupported for what no kernel computes) and
        `threads`, and inductor's own if that is nested.
    """
    schema_parts = (fusion_schema, post_fusion_replacements, post_decomposition_replacements)
    if nested_backend is None and all(each is None for each in schema_parts):

        def make_regions(options, rest):
            if rest:
                raise ValueError(f"unknown options: {', '.join(sorted(map(str, rest)))}")
            return _through_regions(options)

        return _named("boo", make_regions)

    def given(value, default):
        return default if value is None else value

    def transform(gm: torch.fx.GraphModule) -> None:
        fusion_transform(
            gm,
            fusion_schema=given(fusion_schema, DEFAULT_SUPPORTED_BOO_FUSIONS),
            post_fusion_replacements=given(
                post_fusion_replacements, DEFAULT_POST_FUSION_REPLACEMENTS
            ),
            post_decomposition_replacements=given(
                post_decomposition_replacements, DEFAULT_POST_DECOMPOSITION_REPLACEMENTS
            ),
        )

    return _named(
        "boo_fusions",
        functools.partial(nested.through, given(nested_backend, "eager"), transform),
    )


def _called(name: str, made: Callable) -> Callable:
    made.__name__ = made.__qualname__ = name
    return made


default_backend = _called("iree_boo", backend(nested_backend="eager"))
inductor_backend = _called("iree_boo_inductor", backend(nested_backend="inductor"))
experimental_backend = _called(
    "iree_boo_experimental",
    backend(
        nested_backend="eager",
        fusion_schema=EXPERIMENTAL_SUPPORTED_BOO_FUSIONS,
        post_fusion_replacements=EXPERIMENTAL_POST_FUSION_REPLACEMENTS,
    ),
)
boo_backend = _called("boo", backend())
boo_inductor_backend = _named(
    "boo_inductor", functools.partial(nested.through, "inductor", regions_transform)
)
