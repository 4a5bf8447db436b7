"""Whole graphs of torch operators as single operators: ``torch.ops.boo.fused_op_*``."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

import torch
from torch.fx import GraphModule, Node

from .. import _boo, _graph
from ..runtime import fallbacks, settings
from . import library
from .utils import get_arg_spec_name

__all__ = ["get_custom_graph_op"]

#: Longer lists of node names are left out of an operator's name; its hash says all.
_MAX_NAMES = 120

_lock = threading.RLock()
_by_hash: dict[str, FusedOp] = {}
_by_op: dict[torch._ops.OpOverload, FusedOp] = {}


class FusedOp:
    """What computes one operator: a program for each set of argument types that it is called with.

    The first is compiled ahead, for the types that the graph was traced with.
    """

    def __init__(self, name: str, gm: GraphModule, math: str, is_tuple: bool) -> None:
        self.name = name
        self._gm = gm  # kept: its constants are told apart by identity
        self._math = math
        self._is_tuple = is_tuple
        self._programs: dict[tuple, Callable] = {}
        self._results: dict[tuple, tuple] = {}
        #: Why torch computes parts of it, by operator: empty where kernels compute all.
        self.reasons: dict[str, str] = {}
        #: Which argument each of the kernel's is, if the first program is one kernel and no more:
        #: then calls go to it without a look at their types in Python.
        self._order: list[int] | None = None
        self._direct = _boo.Dispatcher(self._kernel_for)

    def prepare(self, args: tuple) -> Callable:
        """The program for arguments like these. Raises what tracing the graph raises."""
        from . import graph_program

        key = _key(args)
        with _lock:
            if key not in self._programs:
                program, results, reasons = graph_program.build(
                    self._gm, args, self.name, self._math
                )
                self.reasons.update(reasons)
                self._results[key] = results
                self._programs[key] = program
                if len(self._programs) == 1 and program.whole is not None:
                    order = program.whole[1]
                    self._order = order if set(order) == set(range(len(args))) else None
            return self._programs[key]

    def results(self, args: Sequence[torch.Tensor | None]) -> list[torch.Tensor | None]:
        """Meta tensors of the types that the results have for arguments of these types."""
        self.prepare(tuple(args))
        return [
            None if each is None else torch.empty_strided(*each[1:], dtype=each[0], device="meta")
            for each in self._results[_key(args)]
        ]

    def expect_one_launch(self) -> None:
        """Counts it as a fallback, at each call, if the operator is not one launch."""
        (program,) = self._programs.values()
        if program.launches > 1:
            self.reasons[self.name] = f"takes {program.launches} launches, where one was asked for"

    def _kernel_for(self, operands: tuple, statics: tuple) -> _boo.Kernel | None:
        args = tuple(operands[self._order.index(place)] for place in range(max(self._order) + 1))
        whole = self.prepare(args).whole
        return whole[0] if whole is not None and whole[1] == self._order else None

    def __call__(self, *args):
        if self._order is not None:
            result = self._direct.direct(tuple([args[place] for place in self._order]), ())
            if result is not NotImplemented:
                return result
        program = self._programs.get(_key(args)) or self.prepare(args)
        for what, why in self.reasons.items():
            fallbacks.count(what, why)
        if torch._C._is_any_autocast_enabled() or torch.is_grad_enabled():
            # The types of a traced graph are settled: nothing in it is cast again. And it has no
            # gradient, not even one of the part that torch computes.
            with torch._C._DisableAutocast(), torch.no_grad():
                results = program(list(args))
        else:
            results = program(list(args))
        return tuple(results) if self._is_tuple else results[0]

    def meta(self, *args):
        """Empty results: of the sizes and strides that the program gives, if one is known."""
        types = None if _graph.has_symbols(args) else self._results.get(_key(args, device="cpu"))
        if types is None:
            results = self._gm(*args)
            results = list(results) if isinstance(results, (tuple, list)) else [results]
            return tuple(results) if self._is_tuple else results[0]
        like = next(each for each in args if each is not None)
        results = tuple(
            None if each is None else like.new_empty_strided(each[1], each[2], dtype=each[0])
            for each in types
        )
        return results if self._is_tuple else results[0]


def _key(args: Sequence, device: str | None = None) -> tuple:
    return tuple(
        None
        if each is None
        else (each.dtype, each.shape, each.stride(), device or each.device.type)
        for each in args
    )


def fused_op(op: torch._ops.OpOverload) -> FusedOp:
    """What computes an operator of get_custom_graph_op. Raises KeyError for another one."""
    return _by_op[op]


def _placeholders(gm: GraphModule) -> list[Node]:
    return [node for node in gm.graph.nodes if node.op == "placeholder"]


def _value_of(node: Node) -> torch.Tensor | None:
    for name in ("val", "example_value"):
        if name in node.meta:
            value = node.meta[name]
            break
    else:
        raise ValueError(f'placeholder {node.name} has no meta["val"]: trace with fake tensors')
    if value is not None and not isinstance(value, torch.Tensor):
        raise ValueError(f"placeholder {node.name} is no tensor but {type(value).__name__}")
    if _graph.has_symbols((value,)):
        raise ValueError(f"placeholder {node.name} has sizes that are symbols")
    return value


def _target_text(gm: GraphModule, node: Node) -> str:
    if node.op == "get_attr":
        value = gm
        for part in node.target.split("."):
            value = getattr(value, part)
        return f"constant {id(value)}"
    if isinstance(node.target, torch._ops.OpOverload):
        return str(node.target)
    if callable(node.target):
        return f"{node.target.__module__}.{node.target.__qualname__}"
    if node.op == "placeholder":
        return ""
    # A method, or a submodule, whose parameters may change: it is itself alone.
    return f"{node.target} {id(gm.get_submodule(node.target)) if node.op == 'call_module' else ''}"


def _canonical_text(gm: GraphModule) -> str:
    """Everything that tells one graph from another, with numbers for names."""
    numbers: dict[Node, str] = {}
    lines = []
    for node in gm.graph.nodes:
        numbers[node] = f"%{len(numbers)}"
        args = torch.fx.map_arg((node.args, dict(sorted(node.kwargs.items()))), _Text(numbers))
        line = f"{numbers[node]} = {node.op} {_target_text(gm, node)} {args!r}"
        if node.op == "placeholder":
            value = _value_of(node)
            if value is not None:
                line += f" {value.dtype} {tuple(value.shape)} {value.stride()} {value.device}"
        lines.append(line)
    return "\n".join(lines)


class _Text:
    """Nodes by their numbers, printed without quotes of strings, which arguments may be as well."""

    def __init__(self, numbers: dict[Node, str]) -> None:
        self._numbers = numbers

    def __call__(self, node: Node):
        return _Bare(self._numbers[node])


class _Bare(str):
    def __repr__(self) -> str:
        return str(self)


def _name(gm: GraphModule, digest: str, inplace: bool) -> str:
    hidden = ("getitem", "permute")
    names = "_".join(
        node.name[:10]
        for node in gm.graph.nodes
        if node.op == "call_function" and not node.name.startswith(hidden)
    )
    base = "_".join(
        part for part in ("fused_op", names if len(names) < _MAX_NAMES else "", digest) if part
    )
    values = [_value_of(node) for node in _placeholders(gm)]
    return get_arg_spec_name(base + ("_inplace" if inplace else ""), *values)


def _results(gm: GraphModule) -> tuple[list, bool]:
    """The graph's results, nodes or None, and whether it returns a tuple of them."""
    output = next(node for node in gm.graph.nodes if node.op == "output")
    returned = output.args[0]
    is_tuple = isinstance(returned, (tuple, list))
    results = list(returned) if is_tuple else [returned]
    if not all(each is None or isinstance(each, Node) for each in results):
        raise ValueError("a graph that becomes an operator returns tensors, in one tuple at most")
    return results, is_tuple and len(results) != 1


def _schema(gm: GraphModule, results: list, is_tuple: bool) -> str:
    arguments = ", ".join(
        f"Tensor{'?' if _value_of(node) is None else ''} arg{place}"
        for place, node in enumerate(_placeholders(gm))
    )
    types = ["Tensor?" if each is None else "Tensor" for each in results]
    return f"({arguments}) -> {'(' + ', '.join(types) + ')' if is_tuple else types[0]}"


def get_custom_graph_op(
    gm: GraphModule,
    *,
    force_single_dispatch: bool = False,
    inplace_convert: bool = False,
) -> torch._ops.OpOverload:
    """The operator ``torch.ops.boo.fused_op_*`` that computes a graph.

    Equal graphs on equal types share one operator, whatever their nodes are called. Its name lists
    the graph's operators, a hash of everything that matters, and the types of its arguments. It is
    compiled here, and again when it is called with tensors of other types.

    Args:
        gm: a graph of operators of torch and of BOO, at least one argument. Each placeholder has a
            fake tensor, or None, in meta["val"]. It returns a tensor or a tuple of tensors and
            None. It is not changed.
        force_single_dispatch: the graph is meant to be one launch: where it takes more,
            boo.runtime.fallbacks counts it.
        inplace_convert: has the operator's name end as those of operators that write into results
            given to them. All operators do that inside.

    Returns:
        The operator: it takes the graph's arguments and returns its results, one tensor instead of
        a tuple of one, with eager torch's strides and never the memory of an argument. It records
        no gradients. What no kernel computes runs in torch, and boo.runtime.fallbacks counts it.

    Raises:
        ValueError: a graph without arguments, or with others than tensors.
    """
    placeholders = _placeholders(gm)
    values = [_value_of(node) for node in placeholders]
    if all(each is None for each in values):
        raise ValueError("a graph without arguments becomes no operator")
    results, is_tuple = _results(gm)
    if not results:
        raise ValueError("a graph without results becomes no operator")
    math = settings.math()
    flags = f"{force_single_dispatch} {inplace_convert} {is_tuple} {math}"
    digest = hashlib.sha1(f"{flags}\n{_canonical_text(gm)}".encode()).hexdigest()
    with _lock:
        made = _by_hash.get(digest)
        if made is None:
            name = _name(gm, digest, inplace_convert)
            graph = torch.fx.Graph()
            graph.output(graph.graph_copy(gm.graph, {}))
            own = GraphModule(gm, graph)
            made = FusedOp(name, own, math, is_tuple)
            made.prepare(tuple(values))
            if force_single_dispatch:
                made.expect_one_launch()
            library.define_schema(name, _schema(gm, results, is_tuple))
            library.register_impl(name, made)
            library.register_meta(name, made.meta)
            _by_hash[digest] = made
            _by_op[library.get_library_op(name)] = made
    fallbacks.check(made.reasons)
    return library.get_library_op(made.name)
