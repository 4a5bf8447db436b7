"""What an operation tells the harness; a new one is a subclass and a line in OPS."""

import argparse

import numpy as np

from ..commands import CommandError
from ..dtypes import EPS, round_to


class Unsupported(Exception):
    """An engine or an operation that does not serve this command; the text says why."""


class Flags(argparse.ArgumentParser):
    """argparse that raises CommandError, with flags spelled by their letters."""

    def __init__(self):
        super().__init__(add_help=False, allow_abbrev=True)

    def error(self, message):
        raise CommandError(message)


class Problem:
    """One operation with its sizes.

    Arrays are numpy float32 (float64 for f64) in the operation's own logical order of
    dimensions (NCHW for convolutions), whatever lies in memory.
    """

    constants = ()  # arguments that are weights: known ahead in the constant-weights column

    def __init__(self, command, dtype, options):
        self.command, self.dtype, self.options = command, dtype, options
        self.setup(options)

    @staticmethod
    def flags(parser):
        """Adds the operation's flags, all with their defaults."""

    def setup(self, options):
        """Sets label (short text), flops, terms (length of a sum), shapes, out_shape."""
        raise NotImplementedError

    def scales(self):
        """Standard deviation of each argument, so that results are of the order of 1."""
        return [1.0] * len(self.shapes)

    def arrays(self, seed=0):
        """The arguments, the same for every engine: normal values rounded to the dtype."""
        rng = np.random.default_rng(seed)
        return [
            round_to(rng.standard_normal(shape, np.float32) * np.float32(scale), self.dtype)
            for shape, scale in zip(self.shapes, self.scales(), strict=True)
        ]

    def reference(self, arrays):
        """(index, values): float64 results, and which part of the output they are.

        index is a tuple for numpy's [], () for the whole output.
        """
        raise NotImplementedError

    def tolerance(self, expected):
        """Allowed absolute error, an array: one rounding, and float32 sums of `terms`."""
        sums = 8 * min(EPS["f32"], EPS[self.dtype]) * self.terms**0.5
        return (EPS[self.dtype] + sums) * (1 + np.abs(expected))

    def memory_orders(self):
        """For each argument its axes from the outermost in memory; None = as written."""
        return [None] * len(self.shapes)

    # How each engine spells the operation. Each returns what its engine documents.
    def torch_function(self, torch):
        """A function of torch tensors, the arguments."""
        raise Unsupported("not written for torch")

    def jax_arrays(self, arrays):
        """The arguments in the order of dimensions that suits JAX."""
        return arrays

    def jax_function(self, jax):
        """A function of JAX arrays as jax_arrays orders them."""
        raise Unsupported("not written for JAX")

    def jax_result(self, result):
        """Its result back in the logical order."""
        return result

    def onnx_nodes(self, onnx):
        """ONNX nodes from inputs a0, a1, … to the output y."""
        raise Unsupported("not written for ONNX")

    def linalg(self, constants):
        """MLIR text of @main; `constants` are the arguments that are literals in it."""
        raise Unsupported("not written for IREE")

    def boo_arrays(self, arrays):
        """The arrays in the sizes that the command's arguments have, however they lie."""
        return arrays

    def linalg_arrays(self, arrays):
        """The arguments in the order of dimensions of linalg()."""
        return arrays

    def linalg_result(self, result):
        """Its result back in the logical order."""
        return result
