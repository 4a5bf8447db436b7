"""One FX node of aten operators into a Graph: argument by argument as its schema has them."""

from __future__ import annotations

import operator

import torch
from torch.fx import Node

from .. import _boo, _graph

#: torch's numbers of element types, which a `dtype` argument of an operator is.
_DTYPE_NUMBERS = {
    torch.float16: 5,
    torch.float32: 6,
    torch.float64: 7,
    torch.bfloat16: 15,
}

#: Operators that give another view of their first argument.
VIEWS = frozenset(
    getattr(getattr(torch.ops.aten, name), overload)
    for name, overload in (
        ("alias", "default"),
        ("detach", "default"),
        ("expand", "default"),
        ("permute", "default"),
        ("select", "int"),
        ("slice", "Tensor"),
        ("squeeze", "default"),
        ("squeeze", "dim"),
        ("squeeze", "dims"),
        ("t", "default"),
        ("transpose", "int"),
        ("unsqueeze", "default"),
        ("view", "default"),
        ("_unsafe_view", "default"),
    )
)


def value_of(node: Node):
    """What tracing says that the node gives: a fake tensor, or a tuple of them."""
    return node.meta.get("val")


def is_tensor(node: Node) -> bool:
    return isinstance(value_of(node), torch.Tensor)


def is_result_of(node: Node) -> bool:
    """Whether the node takes one of several results of another node."""
    return node.op == "call_function" and node.target is operator.getitem


def type_of(node: Node) -> _graph.Type:
    """Raises Unsupported for what no Graph knows: sizes that are symbols, other element types."""
    value = value_of(node)
    if not isinstance(value, torch.Tensor):
        raise _boo.Unsupported("is no tensor")
    if value.layout != torch.strided or value.device.type != "cpu":
        raise _boo.Unsupported(f"is {value.layout} on {value.device}")
    if value.dtype not in _graph.DTYPES:
        raise _boo.Unsupported(f"is a tensor of {value.dtype}")
    sizes, strides = tuple(value.shape), tuple(value.stride())
    if not all(isinstance(each, int) for each in (*sizes, *strides)):
        raise _boo.Unsupported("has sizes that are symbols")
    if 0 in sizes:
        raise _boo.Unsupported("is empty")
    return _graph.Type(value.dtype, sizes, strides)


def schema_name(node: Node) -> str:
    """ "aten::mm", or "" for what is no operator."""
    target = node.target
    return target._schema.name if isinstance(target, torch._ops.OpOverload) else ""


def _literal(argument, value):
    """An argument that is no tensor, as the importer takes it."""
    if isinstance(value, torch.dtype):
        if value not in _DTYPE_NUMBERS:
            raise _boo.Unsupported(f"its {argument.name} is {value}")
        return _DTYPE_NUMBERS[value]
    if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        raise _boo.Unsupported(f"its {argument.name} is a symbol")
    if isinstance(value, (torch.device, torch.layout)) or argument.name in (
        "device",
        "layout",
        "pin_memory",
        "non_blocking",
    ):
        return None
    if isinstance(value, torch.memory_format):
        return None  # results are laid out as tracing says
    if isinstance(value, (list, tuple)):
        if any(isinstance(each, Node) for each in value):
            raise _boo.Unsupported(f"its {argument.name} is a list of tensors")
        return [_literal(argument, each) for each in value]
    return value


def add_node(importer: _boo.AtenImport, node: Node, operand) -> list:
    """Adds the node's operator; `operand` gives the value of a node that it uses. Returns the values
    of its results. Raises Unsupported or ValueError."""
    name = schema_name(node)
    if not name.startswith("aten::"):
        raise _boo.Unsupported(f"{node.target} is no operator of aten")
    given = []
    for place, argument in enumerate(node.target._schema.arguments):
        if place < len(node.args):
            value = node.args[place]
        elif argument.name in node.kwargs:
            value = node.kwargs[argument.name]
        else:
            value = argument.default_value if argument.has_default_value() else None
        given.append(operand(value) if isinstance(value, Node) else _literal(argument, value))
    while given and given[-1] is None:
        given.pop()
    return importer.call(name, given)


def strides_for(sizes: list[int], type: _graph.Type) -> list[int] | None:
    """Strides by which a tensor of `sizes`, which may have more or fewer dimensions of one element,
    is `type`; None if there are none."""
    wanted = [pair for pair in zip(type.sizes, type.strides) if pair[0] != 1]
    if [size for size in sizes if size != 1] != [size for size, _ in wanted]:
        return None
    strides = iter(wanted)
    return [next(strides)[1] if size != 1 else 1 for size in sizes]


def as_traced(importer: _boo.AtenImport, value, node: Node):
    """A result of a call in the element type that tracing says `node` has: where torch itself gives
    another one, what follows was traced for that."""
    type = type_of(node)
    if value is None:
        raise _boo.Unsupported(f"{node.name} is not computed")
    if type.dtype not in _DTYPE_NUMBERS or importer.type(value)[0] == type.spec[0]:
        return value
    return importer.call("aten::_to_copy", [value, _DTYPE_NUMBERS[type.dtype]])[0]


def lay_out(importer: _boo.AtenImport, value, node: Node) -> bool:
    """Has a result lie in memory as tracing says of `node`. False if it has other sizes in the Graph,
    where only dimensions of one element are more or fewer. Raises Unsupported if it is another
    tensor."""
    type = type_of(node)
    dtype, sizes, _ = importer.type(value)
    strides = strides_for(sizes, type)
    if dtype != type.spec[0] or strides is None:
        raise _boo.Unsupported(
            f"{node.name} would be {dtype} of {tuple(sizes)}, not {type.spec[0]} of {type.sizes}"
        )
    same = tuple(sizes) == type.sizes
    importer.lay_out(value, type.strides if same else strides)
    return same


def results_of(node: Node) -> list[tuple[int, Node]]:
    """The results of the node that are used, each with its number and the node that is it."""
    if isinstance(value_of(node), torch.Tensor):
        return [(0, node)]
    return [(user.args[1], user) for user in node.users if is_result_of(user) and user.users]


def check(node: Node) -> list[Node]:
    """Raises Unsupported or ValueError unless a Graph can hold the node: all that it uses and gives
    has the types that tracing says. Returns those of its results that have other sizes inside of
    the Graph, and can be used outside alone."""
    importer = _boo.AtenImport()
    values = {}

    def operand(used: Node):
        if used not in values:
            values[used] = importer.argument(*type_of(used).spec)
        return values[used]

    made = add_node(importer, node, operand)
    outside = []
    for number, result in results_of(node):
        if number >= len(made):
            raise _boo.Unsupported(f"result {number} of {schema_name(node)} is not computed")
        value = as_traced(importer, made[number], result)
        if not lay_out(importer, value, result):
            outside.append(result)
        importer.output(value)
    importer.finish()
    return outside
