"""Element types: names, suffixes of commands, rounding, and their bits in numpy."""

import numpy as np

# Suffix of a command's name, as MIOpenDriver and `boo driver` spell it.
SUFFIX = {"f32": "", "f16": "fp16", "bf16": "bfp16", "f64": "fp64"}
# Twice the relative error of rounding once to nearest.
EPS = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7, "f64": 2.0**-52}


def round_to(values, dtype):
    """`values` rounded to `dtype`, still as float32 (float64 for f64): exact to convert."""
    if dtype == "f64":
        return np.asarray(values, np.float64)
    values = np.ascontiguousarray(values, np.float32)
    if dtype == "f16":
        return values.astype(np.float16).astype(np.float32)
    if dtype == "bf16":
        return from_bits(to_bits(values, "bf16"), "bf16")
    return values


def storage(dtype):
    """The numpy type that holds an element; bf16, which numpy lacks, is its bits."""
    return {"f32": np.float32, "f16": np.float16, "bf16": np.uint16, "f64": np.float64}[dtype]


def to_bits(values, dtype):
    """float32 or float64 values as elements of storage(dtype), bf16 rounded to nearest even."""
    if dtype != "bf16":
        return values.astype(storage(dtype))
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bits(elements, dtype):
    """Elements of storage(dtype) as float32 (float64 for f64)."""
    if dtype == "bf16":
        return (np.ascontiguousarray(elements).astype(np.uint32) << 16).view(np.float32)
    return elements.astype(np.float64 if dtype == "f64" else np.float32)
