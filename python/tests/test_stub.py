"""_boo.pyi says what the extension module has: the same names, parameters and docstrings for all."""

import ast
from pathlib import Path

import pytest

import boo
from boo import _boo

STUB = ast.parse((Path(boo.__file__).parent / "_boo.pyi").read_text())
#: Special methods that a class may define; others come from object or nanobind.
SPECIAL = {"__init__", "__call__", "__len__"}


def definitions(body):
    """Classes and functions by name, but those that the stub has for itself."""
    nodes = (each for each in body if isinstance(each, (ast.ClassDef, ast.FunctionDef)))
    return {
        each.name: each for each in nodes if each.name in SPECIAL or not each.name.startswith("_")
    }


CLASSES = {name: node for name, node in definitions(STUB.body).items()
           if isinstance(node, ast.ClassDef)}  # fmt: skip


def members(cls):
    own = vars(cls)
    return {name for name in own if name in SPECIAL or not name.startswith("_")}


def test_module():
    names = {name for name in vars(_boo) if not name.startswith("_")}
    assert names == set(definitions(STUB.body))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_class(name):
    cls, stub = getattr(_boo, name), CLASSES[name]
    if issubclass(cls, Exception):
        bases = [base.id for base in stub.bases]
        assert [base.__name__ for base in cls.__bases__] == bases
        assert cls.__doc__ == ast.get_docstring(stub)
        return
    methods = definitions(stub.body)
    given = members(cls) - ({"__init__"} - set(methods))
    assert given == set(methods)
    for member, node in methods.items():
        is_property = any(getattr(each, "id", "") == "property" for each in node.decorator_list)
        assert is_property == isinstance(vars(cls)[member], property), member


def parameters(node):
    """Names in order; those without a name for callers are None, a star stands for itself."""
    spec = node.args
    names = [None for _ in spec.posonlyargs] + [each.arg for each in spec.args]
    if spec.vararg:
        names.append("*" + spec.vararg.arg)
    elif spec.kwonlyargs:
        names.append("*")
    return names + [each.arg for each in spec.kwonlyargs]


def real(function):
    """The definition that nanobind writes into the docstring."""
    (definition,) = ast.parse(f"def {function.__doc__.splitlines()[0]}: ...").body
    return definition


def functions():
    found = []
    for name, node in definitions(STUB.body).items():
        if isinstance(node, ast.FunctionDef):
            found.append(pytest.param(getattr(_boo, name), node, id=name))
            continue
        for member, method in definitions(node.body).items():
            own = vars(getattr(_boo, name)).get(member)
            if not isinstance(own, property):
                found.append(pytest.param(own, method, id=f"{name}.{member}"))
    return found


@pytest.mark.parametrize(("function", "node"), functions())
def test_parameters(function, node):
    given, own = parameters(node), parameters(real(function))
    if node.args.vararg:
        assert own[-1] == "*args"
    else:
        assert given == own


def test_everything_is_described():
    for name, node in definitions(STUB.body).items():
        assert ast.get_docstring(node), name
        for member, method in definitions(getattr(node, "body", [])).items():
            plain = isinstance(node, ast.FunctionDef) or member in SPECIAL
            assert plain or ast.get_docstring(method), f"{name}.{member}"
