"""Serves code written for iree-turbine's BOO: ``import boo.dropin``, and it runs unchanged.

``python -m boo.dropin script.py ARGS…`` and ``python -m boo.dropin -m module ARGS…`` run a program
so. From then on

- ``iree.turbine.kernel.boo.X`` is the module ``boo.X``, and ``iree.turbine.dynamo.backends.boo`` is
  ``boo.backends.boo``. All other names below ``iree`` stay with the packages that have them;
- torch.compile's backends "iree_boo", "iree_boo_inductor" and "iree_boo_experimental" are BOO's;
- a CUDA device is read as the CPU where CUDA is not available (``cpu_for_cuda``).

An installed iree-turbine keeps everything else: ``served`` says who serves what.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import runpy
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from . import _devices

__all__ = ["Served", "cpu_for_cuda", "install", "main", "served", "uninstall"]

#: Modules, with all that is below them, and where BOO has them; the longest name that fits counts.
_MODULES = {
    "iree.turbine.dynamo.backends.boo": "boo.backends.boo",
    "iree.turbine.kernel.boo": "boo",
    "iree.turbine.kernel.boo.exports": "boo.op_exports",
    "iree.turbine.kernel.boo.exports.signature": "boo.op_exports.base",
}
#: Backends of torch.compile, and what they are in boo.backends.boo.
_BACKENDS = {
    "iree_boo": "default_backend",
    "iree_boo_inductor": "inductor_backend",
    "iree_boo_experimental": "experimental_backend",
}
#: Packages that hold the modules; made here where nothing installed has them.
_PARENTS = (
    "iree", "iree.turbine", "iree.turbine.dynamo", "iree.turbine.dynamo.backends",
    "iree.turbine.kernel",
)  # fmt: skip


def _target(name: str) -> str | None:
    """The module of BOO's that has this name."""
    rest = name
    while rest:
        if rest in _MODULES:
            return _MODULES[rest] + name[len(rest) :]
        rest = rest.rpartition(".")[0]
    return None


class _Alias(importlib.abc.Loader):
    """Gives a module of BOO's a second name."""

    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec):
        module = importlib.import_module(self._target)
        self._spec = module.__spec__
        return module

    def exec_module(self, module):
        # It was executed under its own name, whose spec importlib has just overwritten.
        alias, module.__spec__ = module.__spec__.name, self._spec
        # What the package has imported itself gets its second name now: importing it later would
        # set an attribute of the package, where fusion.kernel is a function.
        for name in [each for each in sys.modules if each.startswith(self._target + ".")]:
            sys.modules.setdefault(alias + name[len(self._target) :], sys.modules[name])

    def get_code(self, name):
        """For ``python -m``, which executes a module's code anew."""
        return importlib.util.find_spec(self._target).loader.get_code(self._target)


class _Folders:
    """The path of a package that stands in for one: folders of that name that are there by now."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __iter__(self):
        parent = self._name.rpartition(".")[0]
        path = list(sys.modules[parent].__path__) if parent else None
        spec = importlib.machinery.PathFinder.find_spec(self._name, path)
        return iter(spec.submodule_search_locations or () if spec else ())


class _Finder(importlib.abc.MetaPathFinder):
    """Comes first, and knows the names above; others find what it does not."""

    def __init__(self, hooks: dict[str, Callable[[], AbstractContextManager]]) -> None:
        #: What surrounds the import of a module of somebody else's.
        self._hooks = hooks

    def find_spec(self, name, path=None, target=None):
        if name.startswith("iree"):
            own = _target(name)
            if own is not None:
                return _alias_spec(name, own)
            return self._parent_spec(name, path) if name in _PARENTS else None
        hook = self._hooks.get(name)
        return None if hook is None else self._surrounded(hook, name, path)

    def _elsewhere(self, name, path):
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path)
            if spec is not None:
                return spec
        return None

    def _parent_spec(self, name, path):
        spec = self._elsewhere(name, path)
        if spec is None:
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = _Folders(name)
        return spec

    def _surrounded(self, hook, name, path):
        spec = self._elsewhere(name, path)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            del spec.loader.exec_module  # the loader is as it was
            with hook():
                execute(module)

        spec.loader.exec_module = exec_module
        return spec


def _alias_spec(name: str, target: str):
    """None where BOO has no such module, so that the error is Python's usual one."""
    try:
        own = importlib.util.find_spec(target)
    except ModuleNotFoundError:  # a parent is no package
        return None
    if own is None:
        return None
    spec = importlib.util.spec_from_loader(name, _Alias(target), origin=own.origin)
    spec.submodule_search_locations = own.submodule_search_locations
    return spec


def _backend(attribute: str):
    def compile_fn(gm, example_inputs, **options):
        home = importlib.import_module("boo.backends.boo")
        return getattr(home, attribute)(gm, example_inputs, **options)

    return compile_fn


#: (names before, functions before) of torch's backends that BOO's stand in for.
_displaced: dict[str, tuple] = {}


def _register_backends() -> None:
    registry = sys.modules["torch._dynamo.backends.registry"]
    missing = object()
    for name, attribute in _BACKENDS.items():
        tables = (registry._BACKENDS, registry._COMPILER_FNS)
        _displaced[name] = tuple((table, table.pop(name, missing), missing) for table in tables)
        registry.register_backend(_backend(attribute), name)


def _restore_backends() -> None:
    for name, tables in _displaced.items():
        for table, before, missing in tables:
            table.pop(name, None)
            if before is not missing:
                table[name] = before
    _displaced.clear()


@contextlib.contextmanager
def _then(do: Callable[[], None]):
    yield
    do()


_HOOKS = {
    "torch": lambda: _then(_devices.turn_on),
    "torch._dynamo": _devices.around_dynamo,
    "torch._dynamo.backends.registry": lambda: _then(_register_backends),
}
_finder: _Finder | None = None


def install() -> None:
    """Serves the names; importing this module does it too. A second call changes nothing.

    Raises ImportError if one of the modules was imported from elsewhere already.
    """
    global _finder
    if _finder is not None:
        return
    foreign = sorted(name for name in sys.modules if _target(name) is not None)
    if foreign:
        raise ImportError(f"{foreign[0]} was imported before boo.dropin: import boo.dropin first")
    _finder = _Finder(_HOOKS)
    sys.meta_path.insert(0, _finder)
    for name, hook in _HOOKS.items():
        if name in sys.modules:
            with hook():
                pass


def uninstall() -> None:
    """Takes all of it back. What was imported under the names stays what it is to its importers."""
    global _finder
    if _finder is None:
        return
    sys.meta_path.remove(_finder)
    _finder = None
    made = [name for name in _PARENTS if isinstance(_path_of(name), _Folders)]
    for name in [each for each in sys.modules if _target(each) is not None] + made[::-1]:
        del sys.modules[name]
        parent, _, child = name.rpartition(".")
        # A parent that is a module of BOO's keeps what is its own.
        if parent in sys.modules and _target(parent) is None:
            vars(sys.modules[parent]).pop(child, None)
    _restore_backends()
    _devices.turn_off()


def _path_of(name: str):
    return getattr(sys.modules.get(name), "__path__", None)


def cpu_for_cuda(on: bool = True) -> None:
    """Whether a CUDA device is read as the CPU where CUDA is not available; it is at first.

    ``device="cuda:0"`` and the like then mean the CPU to torch's functions that make tensors, to
    ``Tensor.to``, ``Tensor.cuda`` and ``new_*`` and with them to modules, and to BOO's launchables,
    signatures and CachePopulator. The first time there is a warning. It costs those functions less
    than a microsecond and others nothing. torch.Generator, torch.load's `map_location`,
    ``with torch.device(…)`` and torch.cuda itself stay as they are, and so does ``Tensor.cuda`` in
    functions that torch.compile traces, where ``Tensor.to`` is served.
    """
    if on:
        _devices.turn_on()
    else:
        _devices.turn_off()


class Served(NamedTuple):
    """Who serves which names."""

    #: Modules, with all that is below them, and torch.compile's backends, by what serves them.
    names: dict[str, str]
    #: The version of an installed iree-turbine, which serves the rest of iree.turbine, or None.
    iree_turbine: str | None
    #: Whether a CUDA device is read as the CPU where CUDA is not available.
    cpu_for_cuda: bool


def served() -> Served:
    """The names that BOO serves now: none after ``uninstall``."""
    names: dict[str, str] = {}
    if _finder is not None:
        names = dict(_MODULES)
        names |= {name: f"boo.backends.boo.{own}" for name, own in _BACKENDS.items()}
    try:
        version = importlib.metadata.version("iree-turbine")
    except importlib.metadata.PackageNotFoundError:
        version = None
    return Served(names, version, _devices.is_on())


def main(args: Sequence[str] | None = None) -> None:
    """``python -m boo.dropin [-m] PROGRAM ARGS…``: runs a script or module as python would.

    Raises SystemExit with status 2 without a program.
    """
    given = list(sys.argv[1:] if args is None else args)
    as_module = given[:1] == ["-m"]
    program = given[1:] if as_module else given
    if not program or (program[0].startswith("-") and not as_module):
        print("usage: python -m boo.dropin [-m MODULE | SCRIPT] ARGS…", file=sys.stderr)
        raise SystemExit(2)
    install()
    sys.argv = program
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(program[0]).resolve().parent)
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    # This file is __main__ here; programs shall find the module of its own name.
    importlib.import_module("boo.dropin").main()
else:
    install()
