"""Matrix products, with upstream's flags: A has --a_w rows and --a_h columns."""

import numpy as np

from ..commands import CommandError
from .base import Problem
from .conv_linalg import MLIR_DTYPE, main_header, round_result, tensor


class Gemm(Problem):
    """c = a @ b; --transA and --transB say that an operand lies transposed in memory."""

    constants = (1,)

    @staticmethod
    def flags(parser):
        parser.add_argument("--a_w", "-k", type=int, default=256)
        parser.add_argument("--a_h", "-m", type=int, default=256)
        parser.add_argument("--b_w", "-n", type=int, default=256)
        parser.add_argument("--transA", "-u", type=int, default=0)
        parser.add_argument("--transB", "-v", type=int, default=0)
        parser.add_argument("--forw", "-F", type=int, default=1)

    def setup(self, options):
        o = options
        if o.forw != 1:
            raise CommandError("gradients of gemm are gemms: only -F 1 is compared")
        self.rows, self.terms, self.cols = o.a_w, o.a_h, o.b_w
        self.trans = (o.transA, o.transB)
        a, b = (self.rows, self.terms), (self.terms, self.cols)
        self.shapes = [a[::-1] if o.transA else a, b[::-1] if o.transB else b]
        self.out_shape = (self.rows, self.cols)
        self.flops = 2.0 * self.rows * self.terms * self.cols
        turned = "".join(name for name, on in zip("AB", self.trans, strict=True) if on)
        self.label = f"gemm {self.rows}x{self.terms}x{self.cols}" + (turned and f" trans{turned}")

    def scales(self):
        return [1.0, self.terms**-0.5]

    def _turned(self, a, b):
        return a.T if self.trans[0] else a, b.T if self.trans[1] else b

    def reference(self, arrays):
        a, b = self._turned(*(array.astype(np.float64) for array in arrays))
        rows = slice(0, max(1, min(self.rows, int(4e9 * self.rows / self.flops))))
        return (rows,), a[rows] @ b

    def torch_function(self, torch):
        return lambda a, b: torch.mm(*self._turned(a, b))

    def jax_function(self, jax):
        return lambda a, b: jax.numpy.matmul(*self._turned(a, b))

    def onnx_nodes(self, onnx):
        return [onnx.helper.make_node("Gemm", ["a0", "a1"], ["y"], transA=self.trans[0],
                                      transB=self.trans[1])]

    def boo_arrays(self, arrays):
        return list(self._turned(*arrays))

    def linalg_arrays(self, arrays):
        return [np.ascontiguousarray(array) for array in self._turned(*arrays)]

    def linalg(self, constants):
        element, total = MLIR_DTYPE[self.dtype], "f64" if self.dtype == "f64" else "f32"
        a, b = (self.rows, self.terms), (self.terms, self.cols)
        out = tensor(self.out_shape, total)
        return main_header([a, b], element, constants, self.out_shape) + f"""
    %zero = arith.constant 0.0 : {total}
    %empty = tensor.empty() : {out}
    %start = linalg.fill ins(%zero : {total}) outs(%empty : {out}) -> {out}
    %sum = linalg.matmul ins(%a0, %a1 : {tensor(a, element)}, {tensor(b, element)})
        outs(%start : {out}) -> {out}
""" + round_result(self.out_shape, element, "sum") + "}\n"
