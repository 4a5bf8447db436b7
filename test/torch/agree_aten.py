"""Calls of torch's operators for agree.py: a table of (name, arguments, inputs).

An argument is a list of sizes in a Tensor, or a value. `inputs` tells which arguments the
command reads, in the order of its inputs; of the others torch is given zeros.
"""

import itertools

import torch


class Tensor(list):
    """Sizes of an argument that is a tensor of float64, channels last or not."""

    def __init__(self, *sizes, last=False):
        super().__init__(sizes)
        self.last = last

    def strides(self):
        order = [0, *range(2, len(self)), 1] if self.last else list(range(len(self)))
        strides, step = [0] * len(self), 1
        for dim in reversed(order):
            strides[dim] = step
            step *= self[dim]
        return strides

    def zeros(self):
        return torch.empty_strided(list(self), self.strides(), dtype=torch.float64).zero_()


def words(name, arguments):
    """The command's line."""
    def each(function, otherwise):
        return str([function(a) if isinstance(a, Tensor) else otherwise(a) for a in arguments])

    return [f"aten::{name}", each(list, lambda a: []),
            each(lambda a: "double", lambda a: "" if a is None else "Scalar"),
            each(lambda a: a.strides(), lambda a: []),
            each(lambda a: "", lambda a: "" if a is None else str(a))]


def compute(name, arguments, inputs):
    """What torch makes of the inputs; what is None or empty is left out."""
    read = [i for i, a in enumerate(arguments) if isinstance(a, Tensor)] if inputs is None else inputs

    def function(*given):
        actual = [a.zeros() if isinstance(a, Tensor) else a for a in arguments]
        for i, value in zip(read, given):
            actual[i].copy_(value.reshape(actual[i].shape))
        packet = getattr(torch.ops.aten, name)
        made = getattr(packet, OVERLOADS.get(name, "default"))
        schema = made._schema.arguments
        actual = [torch.float64 if a.name in ("dtype", "input_dtype") and value == 7 else value
                  for a, value in zip(schema, actual)]
        count = sum(not a.kwarg_only for a in schema)
        rest = {a.name: value for a, value in zip(schema[count:], actual[count:])}
        made = made(*actual[:count], **rest)
        made = made if isinstance(made, (tuple, list)) else [made]
        return [each for each in made if each is not None and each.numel()]

    return function


OVERLOADS = {"sum": "dim_IntList", "mean": "dim", "pow": "Tensor_Scalar", "rsub": "Tensor"}


def calls(rng):
    """All calls, in sizes that `rng` draws."""
    n, c = rng.randint(1, 3), rng.randint(2, 9)
    last = rng.random() < 0.5
    window, pad, ceil = [3, 2], [1, 1], rng.random() < 0.5
    stride = [rng.randint(1, 3), rng.randint(1, 3)]
    x, channel = Tensor(n, c, 6, 8, last=last), Tensor(c)
    any_ = torch.zeros(n, c, 6, 8)
    pooled = Tensor(*torch.max_pool2d(any_, window, stride, pad, 1, ceil).shape, last=last)
    yield "max_pool2d_with_indices", [x, window, stride, pad, [1, 1], ceil], None
    yield "avg_pool2d", [x, window, stride, pad, ceil, rng.random() < 0.5, None], None
    yield "avg_pool2d_backward", [pooled, x, window, stride, pad, ceil, last, None], [0]
    for out in ([1, 1], [2, 4]):
        yield "_adaptive_avg_pool2d", [x, out], None
        yield "_adaptive_avg_pool2d_backward", [Tensor(n, c, *out), x], [0]
    yield "_native_batch_norm_legit_no_training", [x, *[channel] * 4, 0.1, 1e-3], None
    yield "_native_batch_norm_legit_no_training", [x, None, None, *[channel] * 2, 0.1, 1e-3], None
    yield "_native_batch_norm_legit_functional", [x, *[channel] * 4, True, 0.1, 1e-3], None
    for mask in ([True] * 3, [False, True, True], [True, False, False]):
        arguments = [x, x, *[channel] * 5, True, 1e-3, mask]
        yield "native_batch_norm_backward", arguments, [0, 1, 5, 6, 2]
    arguments = [x, x, *[channel] * 5, False, 1e-3, [True] * 3]
    yield "native_batch_norm_backward", arguments, [0, 4, 2, 1, 3]
    rows = Tensor(n, c, 5)
    for mask in ([True] * 3, [True, False, False], [False, True, True], [False, False, True]):
        read = [0, 1, 3, 4, 5] if mask[0] else [0, 1, 3, 4] if mask[1] else [0]
        yield "native_layer_norm_backward", [rows, rows, [5], *[Tensor(n, c, 1)] * 2,
                                             *[Tensor(5)] * 2, mask], read
    for name in ("_softmax_backward_data", "_log_softmax_backward_data"):
        yield name, [rows, rows, rng.randint(0, 2), 7], None
    heads, keys, sums = Tensor(n, 2, 5, 8), Tensor(n, 2, 7, 8), Tensor(n, 2, 5)
    for causal, mask in itertools.product([False, True], [None, Tensor(5, 7)]):
        if causal and mask:
            continue
        name = "_scaled_dot_product_flash_attention_for_cpu"
        yield name, [heads, keys, keys, 0.0, causal, mask, 0.5], None
        arguments = [heads, heads, keys, keys, heads, sums, 0.0, causal, mask, 0.5]
        yield f"{name}_backward", arguments, [0, 1, 2, 3, 8, 4, 5] if mask else [0, 1, 2, 3, 4, 5]
    for name, keep in itertools.product(["sum", "mean"], [True, False]):
        # What does not stay is read as the last dimensions.
        dims = rng.choice([[2, 3], [-1], *([[1], [0, 2]] if keep else [])])
        yield name, [x, dims, keep, None], None
    yield "rsub", [rows, rows, 0.5], None
    yield "addcmul", [rows, rows, rows, 0.5], None
    yield "addcdiv", [rows, rows, rows, 0.5], None
    for exponent in (2, 3, -1, 1):
        yield "pow", [rows, exponent], None
    yield "reciprocal", [rows], None
    yield "square", [rows], None
    yield "hardtanh", [rows, -0.5, 0.25], None
    yield "elu", [rows, 1.5, 2, 1], None
    yield "clamp", [rows, None, 0.5], None
    yield "_to_copy", [x, None, None, None, None, False, 0], None
    # Of hardsigmoid_backward torch rounds 1 / 6 to float.
    for name, rest in (("threshold", [0.25]), ("sigmoid", []), ("tanh", []),
                       ("hardtanh", [-0.5, 0.25]), ("hardswish", []), ("silu", []),
                       ("gelu", ["none"]), ("gelu", ["tanh"]),
                       ("leaky_relu", [0.1, False]), ("leaky_relu", [0.1, True])):
        yield f"{name}_backward", [x, x, *rest], None
    for of_result in (False, True):
        yield "elu_backward", [x, 1.5, 2.0, 1.0, of_result, x], None
