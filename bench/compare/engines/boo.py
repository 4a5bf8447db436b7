"""BOO itself, through its C interface."""

import ctypes
import os
import shutil
import tempfile
import time

import numpy as np

from ..dtypes import from_bits, storage, to_bits
from ..ops import Unsupported
from .base import Engine

UNSUPPORTED, INVALID = 2, 1
DTYPES = ["f64", "f32", "f16", "bf16"]  # enum boo_dtype
ALIGN = 64  # bytes


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("target", ctypes.c_char_p),
                ("math", ctypes.c_char_p), ("cache_dir", ctypes.c_char_p),
                ("use_cache", ctypes.c_int), ("recompile", ctypes.c_int),
                ("pack_constants", ctypes.c_int)]


class Tensor(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int), ("rank", ctypes.c_int32),
                ("sizes", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("bytes", ctypes.c_int64)]


class Buffer:
    """Memory for a tensor as the operation describes it."""

    def __init__(self, tensor):
        self.dtype = DTYPES[tensor.dtype]
        self.shape = tuple(tensor.sizes[: tensor.rank])
        memory = np.zeros(tensor.bytes + ALIGN, np.uint8)
        start = -memory.ctypes.data % ALIGN
        flat = memory[start : start + tensor.bytes].view(storage(self.dtype))
        self.view = np.lib.stride_tricks.as_strided(
            flat, self.shape, [s * flat.itemsize for s in tensor.strides[: tensor.rank]])
        self.address = flat.ctypes.data

    def fill(self, array):
        self.view[...] = to_bits(array, self.dtype)

    def read(self):
        return from_bits(self.view, self.dtype)


def match(shapes, arrays):
    """The index of the array for each argument, in order; None where none fits.

    An operation may take more than the harness has: the filter's shape beside a gradient.
    """
    found, at = [], 0
    for shape in shapes:
        fits = at < len(arrays) and shape_fits(arrays[at].shape, shape)
        found.append(at if fits else None)
        at += fits
    if at < len(arrays):
        raise ValueError(f"arguments are {shapes}, not {[array.shape for array in arrays]}")
    return found


def shape_fits(given, wanted):
    """Equal but for dimensions of one: a bias may be [1, K, 1, 1]."""
    return [size for size in given if size != 1] == [size for size in wanted if size != 1]


class Boo(Engine):
    def __init__(self, threads, build):
        super().__init__(threads)
        path = os.path.join(build, "lib", "libboo.so")
        if not os.path.exists(path):
            raise Unsupported(f"{path} does not exist; build BOO, or name its build: --build")
        self.lib = ctypes.CDLL(path)
        self.lib.boo_last_error.restype = ctypes.c_char_p
        self.lib.boo_name.restype = ctypes.c_char_p
        self.lib.boo_num_arguments.restype = self.lib.boo_num_outputs.restype = ctypes.c_size_t
        self.op = None
        self.cache = tempfile.mkdtemp(prefix="boo-compare-")

    def close(self):
        shutil.rmtree(self.cache, ignore_errors=True)

    def version(self):
        return f"api {self.lib.boo_api_version()}"

    def _check(self, code):
        if code:
            text = self.lib.boo_last_error().decode(errors="replace")
            if code == UNSUPPORTED or (code == INVALID and "unknown command" in text):
                raise Unsupported(text)
            raise RuntimeError(text)

    def _tensors(self, count, describe):
        tensors = []
        for index in range(count(self.op)):
            tensor = Tensor()
            self._check(describe(self.op, ctypes.c_size_t(index), ctypes.byref(tensor)))
            tensors.append(tensor)
        return tensors

    def prepare(self, problem, arrays, constant):
        if self.op:
            self.lib.boo_destroy(self.op)
            self.op = None
        options = Options()
        self.lib.boo_options_init(ctypes.byref(options))
        options.cache_dir = self.cache.encode()
        options.use_cache = options.recompile = 1
        options.pack_constants = int(constant)
        op = ctypes.c_void_p()
        start = time.perf_counter()
        self._check(self.lib.boo_create_from_command(
            problem.command.encode(), ctypes.byref(options), ctypes.byref(op)))
        compile_ms = (time.perf_counter() - start) * 1e3
        self.op = op
        inputs = self._tensors(self.lib.boo_num_arguments, self.lib.boo_argument)
        self.inputs = [Buffer(tensor) for tensor in inputs]
        self.outputs = [Buffer(tensor) for tensor in
                        self._tensors(self.lib.boo_num_outputs, self.lib.boo_output)]
        arrays = problem.boo_arrays(arrays)
        places = match([buffer.shape for buffer in self.inputs], arrays)
        for buffer, index in zip(self.inputs, places, strict=True):
            if index is not None:
                buffer.fill(arrays[index].reshape(buffer.shape))
        given = (ctypes.c_void_p * len(self.inputs))(*[b.address for b in self.inputs])
        wanted = (ctypes.c_void_p * len(self.outputs))(*[b.address for b in self.outputs])
        if constant:
            self._check(self.lib.boo_prepare(op, given, self.threads))
        self.call = (op, given, wanted, ctypes.c_int(self.threads))
        self._check(self.lib.boo_run(*self.call))
        self.out_shape = problem.out_shape
        return {"compile_ms": compile_ms, "artifact_bytes": self._artifact()}

    def _artifact(self):
        """Bytes of the kernels in the cache of this process, which is then emptied."""
        total = 0
        for folder, _, names in os.walk(self.cache):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(".so") and not os.path.islink(path):
                    total += os.path.getsize(path)
                os.unlink(path)
        return total

    def run(self):
        if self.lib.boo_run(*self.call):
            raise RuntimeError(self.lib.boo_last_error().decode(errors="replace"))

    def result(self):
        return self.outputs[0].read().reshape(self.out_shape)


def make(_name, threads, build):
    return Boo(threads, build)
