"""The engines, by name: where each lives, and what pip installs it.

`columns` are the comparisons that it takes part in: "run" (weights are arguments of
every call) and "const" (weights are known when the kernel is made). An operation
without weights has the first alone, and then every engine takes part.
"""

import importlib
import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """An engine that may or may not be installed."""

    name: str
    module: str  # below this package
    needs: tuple  # modules that must be there
    pip: str  # arguments of pip install
    columns: tuple = ("run", "const")

    def missing(self):
        """True if a module that it needs is not installed."""
        for name in self.needs:
            try:
                if importlib.util.find_spec(name) is None:
                    return True
            except ModuleNotFoundError:  # the parent of a dotted name
                return True
        return False

    def takes(self, column, constants):
        """Whether it runs in that column of an operation with these constants."""
        return column in self.columns or not constants

    def make(self, threads, build):
        """The engine itself, in this process."""
        module = importlib.import_module(f".{self.module}", __package__)
        return module.make(self.name, threads, build)


ENTRIES = [
    Entry("boo", "boo", (), "", ("run", "const")),
    Entry("torch", "torch", ("torch",), "torch"),
    Entry("inductor", "torch", ("torch",), "torch"),
    Entry("openvino", "openvino", ("openvino", "onnx"), "openvino onnx", ("const",)),
    Entry("ort", "ort", ("onnxruntime", "onnx"), "onnxruntime onnx", ("const",)),
    Entry("jax", "jax", ("jax",), "jax"),
    Entry("iree", "iree", ("iree.compiler", "iree.runtime"),
          "iree-base-compiler iree-base-runtime"),
]
ENGINES = {entry.name: entry for entry in ENTRIES}
OURS = "boo"
PEERS = tuple(name for name in ENGINES if name != OURS)
