"""JAX, jit-compiled by XLA for the CPU, channels last."""

import jax
import numpy as np

from ..ops import Unsupported
from .base import Engine, first_call_ms

DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}


class Jax(Engine):
    def version(self):
        return jax.__version__

    def prepare(self, problem, arrays, constant):
        if problem.dtype not in DTYPES:
            raise Unsupported(f"left out for {problem.dtype}")
        jax.clear_caches()
        self.problem = problem
        function = problem.jax_function(jax)
        values = [jax.numpy.asarray(array).astype(DTYPES[problem.dtype])
                  for array in problem.jax_arrays(arrays)]
        known = {i: values[i] for i in (problem.constants if constant else ())}
        self.inputs = [value for i, value in enumerate(values) if i not in known]

        def whole(*inputs):
            rest = iter(inputs)
            return function(*[known[i] if i in known else next(rest)
                              for i in range(len(values))])

        self.function = jax.jit(whole)
        return {"compile_ms": first_call_ms(self.run)}

    def run(self):
        self.output = self.function(*self.inputs).block_until_ready()

    def result(self):
        return self.problem.jax_result(np.asarray(self.output.astype("float32")))


def make(_name, threads, _build):
    return Jax(threads)
