"""Compiles a graph that became an operator: traced on fake tensors, down to aten, then in regions."""

from __future__ import annotations

import contextlib

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes

from ..runtime.settings import using_math
from . import conv

#: No key is excluded.
_NOTHING = torch._C.DispatchKeySet(torch._C.DispatchKey.Undefined)


@contextlib.contextmanager
def alone():
    """Tracing on its own: no modes, casts, gradients or tracing of a caller, be that an operator's
    kernel, in which torch skips what functionalizes."""
    with (
        _disable_current_modes(),
        torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), _NOTHING),
        torch._guards.tracing(None),
        torch._C._DisableAutocast(),
        torch.no_grad(),
    ):
        yield


def mixed_layer_norm(x, sizes, weight, bias, eps):
    """A layer norm whose parameters have a wider type than its input, as autocast has it: computed in
    theirs, and the statistics stay in it, as eager torch's do. Other ones stay as they are."""
    wide = next((each.dtype for each in (weight, bias) if each is not None), x.dtype)
    if wide == x.dtype:
        return NotImplemented
    y, mean, rstd = torch.ops.aten.native_layer_norm(x.to(wide), sizes, weight, bias, eps)
    return y.to(x.dtype), mean, rstd


def _contiguous(by_aten):
    """In layouts of a caller's, results are contiguous."""
    return lambda *args: pytree.tree_map_only(torch.Tensor, torch.Tensor.contiguous, by_aten(*args))


#: BOO's own operators by aten's, which kernels compute together with what surrounds them.
_TO_ATEN = {
    torch.ops.aten.native_layer_norm.default: mixed_layer_norm,
    **{
        operator: _contiguous(by_aten) if "layout" in operator.name() else by_aten
        for operator, by_aten in conv.BY_ATEN.items()
    },
}


def _fake(mode: FakeTensorMode, arg):
    if arg is None:
        return None
    return torch.empty_strided(tuple(arg.shape), arg.stride(), dtype=arg.dtype, device=arg.device)


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def trace(gm: GraphModule, args: tuple) -> GraphModule:
    """The graph of aten operators for arguments like `args`, real or fake; it returns a tuple, none
    of whose tensors shares memory with another or with an argument."""

    def flat(*given):
        results = pytree.tree_leaves(gm(*given), is_leaf=lambda each: each is None)
        taken = {_storage(each) for each in given if each is not None}
        apart = []
        for each in results:
            if each is not None and _storage(each) in taken:
                each = each.clone()
            if each is not None:
                taken.add(_storage(each))
            apart.append(each)
        return tuple(apart)

    with alone(), FakeTensorMode(allow_non_fake_inputs=True) as mode:
        given = [_fake(mode, each) for each in args]
        # Without writes to memory, which have no place among regions.
        pure = torch.func.functionalize(flat, remove="mutations")
        traced = make_fx(pure, decomposition_table=_TO_ATEN)(*given)
        for node in traced.graph.nodes:
            if node.op == "get_attr" and "val" not in node.meta:
                node.meta["val"] = mode.from_tensor(getattr(traced, node.target))
    _fold_permutes(traced)
    return traced


def _fold_permutes(gm: GraphModule) -> None:
    """Permutations of permutations become one, or none: layouts come and go between operators, and
    what lies between two kernels keeps them apart."""
    permute = torch.ops.aten.permute.default
    for node in gm.graph.nodes:
        if node.target is not permute:
            continue
        source: Node = node.args[0]
        order = [int(dim) % len(node.args[1]) for dim in node.args[1]]
        if source.target is permute:
            first = source.args[1]
            order = [int(first[dim]) % len(order) for dim in order]
            source = source.args[0]
            node.args = (source, order)
        if order == sorted(order):
            node.replace_all_uses_with(source)
    gm.graph.eliminate_dead_code()
    gm.recompile()


def _type_of(node):
    if node is None:
        return None
    value = node.meta["val"]
    return value.dtype, tuple(value.shape), value.stride()


def build(gm: GraphModule, args: tuple, name: str, math: str) -> tuple:
    """The program of a list of arguments like `args`, the (dtype, sizes, strides) of its results,
    and why torch computes parts of it, by operator."""
    from ..backends import compiler

    traced = trace(gm, args)
    output = next(node for node in traced.graph.nodes if node.op == "output")
    results = tuple(_type_of(each) for each in output.args[0])
    with alone(), using_math(math):
        program = compiler.compile_static(traced, name)
    return program, results, program.reasons
