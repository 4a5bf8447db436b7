"""IREE's CPU backend on linalg text, channels last."""

import time

import iree.compiler
import iree.runtime
import numpy as np
from iree.compiler import version as compiler_version

from ..dtypes import from_bits, storage, to_bits
from ..ops import Unsupported
from .base import Engine

FLAGS = ["--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3"]


class Iree(Engine):
    def __init__(self, threads):
        super().__init__(threads)
        if threads > 1:
            iree.runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
        self.config = iree.runtime.Config("local-task" if threads > 1 else "local-sync")

    def version(self):
        return getattr(compiler_version, "VERSION", "unknown")

    def prepare(self, problem, arrays, constant):
        if problem.dtype == "f64":
            raise Unsupported("left out for f64")
        self.problem = problem
        elements = [to_bits(array, problem.dtype) for array in problem.linalg_arrays(arrays)]
        constants = problem.constants if constant else ()
        text = problem.linalg({i: elements[i].tobytes().hex() for i in constants})
        start = time.perf_counter()
        binary = iree.compiler.compile_str(text, target_backends=["llvm-cpu"], extra_args=FLAGS)
        compile_ms = (time.perf_counter() - start) * 1e3
        runtime, instance = iree.runtime, self.config.vm_instance
        module = runtime.VmModule.copy_buffer(instance, binary)
        self.context = runtime.VmContext(instance, [*self.config.default_vm_modules, module])
        self.function = module.lookup_function("main")
        kind = {"f32": runtime.HalElementType.FLOAT_32, "f16": runtime.HalElementType.FLOAT_16,
                "bf16": runtime.HalElementType.BFLOAT_16}[problem.dtype]
        self.inputs = runtime.VmVariantList(len(elements))
        for index, element in enumerate(elements):
            if index not in constants:
                self.inputs.push_ref(self.config.device.allocator.allocate_buffer_copy(
                    memory_type=runtime.MemoryType.DEVICE_LOCAL,
                    allowed_usage=runtime.BufferUsage.DEFAULT | runtime.BufferUsage.MAPPING,
                    device=self.config.device, buffer=np.ascontiguousarray(element),
                    element_type=kind))
        self.run()
        return {"compile_ms": compile_ms}

    def run(self):
        self.outputs = iree.runtime.VmVariantList(1)
        self.context.invoke(self.function, self.inputs, self.outputs)

    def result(self):
        view = self.outputs.get_as_object(0, iree.runtime.HalBufferView)
        dtype = self.problem.dtype
        elements = view.map().asarray(view.shape, np.dtype(storage(dtype)))
        return self.problem.linalg_result(from_bits(elements, dtype))


def make(_name, threads, _build):
    return Iree(threads)
