#!/usr/bin/env python3
"""Results and gradients in float64 against torch and its autograd.

agree.py BOO [COUNT [SEED]] draws COUNT commands of each kind from SEED, runs
them with `BOO driver … --save-dir`, and computes the same with torch from the same
inputs, gradients by autograd. Prints a line a command; exits with 1 if any
differs by more than a few units of float64, and with 77 (skipped) if torch or
numpy is not there.
"""

import glob
import os
import random
import subprocess
import sys
import tempfile

try:
    import agree_aten
    import numpy
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

KINDS = {}


def kind(function):
    """A function that draws a command and how torch computes it: (command, compute)."""
    KINDS[function.__name__] = function
    return function


def gradients(result, wanted, *outer):
    """The gradients of `wanted` from those of `result`."""
    return torch.autograd.grad(result, wanted, outer if len(outer) != 1 else outer[0])


def draw_conv(rng):
    rank = rng.choice([1, 2, 2, 3])
    groups = rng.choice([1, 1, 2, 3])
    shape = {"n": rng.randint(1, 2), "c": groups * rng.randint(1, 4),
             "k": groups * rng.randint(1, 4)}
    spatial = []
    for _ in range(rank):
        y, dilation = rng.randint(1, 3), rng.randint(1, 2)
        spatial.append({"in": rng.randint(1, 6) + (y - 1) * dilation, "y": y,
                        "stride": rng.randint(1, 4), "pad": rng.randint(0, 3),
                        "dilation": dilation})
    letters = {1: [("H", "y", "u", "p", "l")],
               2: [("H", "y", "u", "p", "l"), ("W", "x", "v", "q", "j")],
               3: [("!", "@", "#", "$", "^"), ("H", "y", "u", "p", "l"),
                   ("W", "x", "v", "q", "j")]}[rank]
    words = ["-_", str(rank), "-g", str(groups)]
    for name, value in shape.items():
        words += [f"-{name}", str(value)]
    for dim, spelled in zip(spatial, letters):
        for letter, name in zip(spelled, ("in", "y", "stride", "pad", "dilation")):
            words += [f"-{letter}", str(dim[name])]
    options = {name: [dim[name] for dim in spatial] for name in ("stride", "dilation")}
    options["padding"] = [dim["pad"] for dim in spatial]
    options["groups"] = groups
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    sizes = [shape["n"], shape["c"]] + [dim["in"] for dim in spatial]
    filters = [shape["k"], shape["c"] // groups] + [dim["y"] for dim in spatial]
    return words, sizes, filters, lambda x, w: function(x, w, **options)


@kind
def conv(rng):
    words, _, _, function = draw_conv(rng)
    return ["convfp64", *words], function


@kind
def conv_input_gradient(rng):
    words, sizes, _, function = draw_conv(rng)

    def compute(dy, w):
        x = torch.zeros(sizes, dtype=torch.float64, requires_grad=True)
        return gradients(function(x, w), x, dy)

    return ["convfp64", *words, "-F", "2"], compute


@kind
def conv_weight_gradient(rng):
    words, _, filters, function = draw_conv(rng)

    def compute(dy, x):
        w = torch.zeros(filters, dtype=torch.float64, requires_grad=True)
        return gradients(function(x, w), w, dy)

    return ["convfp64", *words, "-F", "4"], compute


@kind
def gemm(rng):
    m, k, n = (rng.randint(1, 40) for _ in range(3))
    words = ["gemmfp64", "-k", str(m), "-m", str(k), "-n", str(n)]
    words += ["-u", str(rng.randint(0, 1)), "-v", str(rng.randint(0, 1))]
    direction = rng.randint(1, 3)

    def compute(first, second):
        # Operands come as the product reads them, the gradient first.
        return second @ first if direction == 3 else first @ second

    return [*words, "-F", str(direction)], compute


@kind
def layer_norm(rng):
    sizes = [rng.randint(1, 5), rng.randint(1, 7), rng.randint(2, 30)]
    first = rng.randint(1, 2)
    words = ["layernormfp64", "-X", "x".join(map(str, sizes)), "-o", str(first), "-m", "1"]

    def compute(x, weight, bias):
        y, mean, rstd = torch.native_layer_norm(x, sizes[first:], weight, bias, 1e-5)
        return y, mean, rstd

    return words, compute


@kind
def layer_norm_gradients(rng):
    sizes = [rng.randint(1, 5), rng.randint(1, 7), rng.randint(2, 30)]
    first = rng.randint(1, 2)
    words = ["layernormfp64", "-X", "x".join(map(str, sizes)), "-o", str(first), "-m", "1"]

    def compute(dy, x, weight, _mean, _rstd):
        x, weight = x.requires_grad_(), weight.requires_grad_()
        bias = torch.zeros_like(weight, requires_grad=True)
        y = F.layer_norm(x, sizes[first:], weight, bias, 1e-5)
        return gradients(y, (x, weight, bias), dy)

    return [*words, "-F", "14"], compute


@kind
def softmax_gradient(rng):
    n, c, h, w = (rng.randint(1, 9) for _ in range(4))
    words = ["softmaxfp64", "-n", str(n), "-c", str(c), "-H", str(h), "-W", str(w), "-F", "2"]
    log = rng.randint(0, 1)

    def compute(dy, y):
        # Logarithms of probabilities are an input that gives them.
        x = (y if log else y.log()).requires_grad_()
        return gradients((F.log_softmax if log else F.softmax)(x, 1), x, dy)

    return [*words, "-a", "2" if log else "1"], compute


def draw_attention(rng):
    kv, causal = rng.randint(1, 3), rng.randint(0, 1)
    heads = kv * rng.randint(1, 3)
    words = ["mhsafp64", "--batch", str(rng.randint(1, 2)), "--heads", str(heads),
             "--kv_heads", str(kv), "--seq", str(rng.randint(1, 40)),
             "--kv_seq", str(rng.randint(1, 40)), "--head_dim", str(rng.randint(1, 40)),
             "--causal", str(causal)]

    def function(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=bool(causal), enable_gqa=True)

    return words, function


@kind
def attention(rng):
    return draw_attention(rng)


@kind
def attention_gradients(rng):
    words, function = draw_attention(rng)

    def compute(q, k, v, _out, _logsumexp, dout):
        operands = [each.clone().requires_grad_() for each in (q, k, v)]
        return gradients(function(*operands), operands, dout)

    return [*words, "-F", "2"], compute


def aten(name, tensors, *values):
    """The line of a call: sizes of tensors (None: no tensor), row-major, then values."""
    def strides(sizes):
        return [int(numpy.prod(sizes[i + 1:])) for i in range(len(sizes))]

    rest = len(values)
    return [f"aten::{name}", str([list(each or []) for each in tensors] + [[]] * rest),
            str(["double" if each else "" for each in tensors] + ["Scalar"] * rest),
            str([strides(each or []) for each in tensors] + [[]] * rest),
            str([""] * len(tensors) + [str(value) for value in values])]


@kind
def convolution_backward(rng):
    rank, groups, transposed = rng.randint(1, 3), rng.choice([1, 1, 2]), rng.random() < 0.5
    stride, dilation, filters, pad, more, space = [], [], [], [], [], []
    for _ in range(rank):
        stride.append(rng.randint(1, 3))
        dilation.append(rng.randint(1, 3))
        filters.append(rng.randint(1, 3))
        least = rng.randint(0, max(stride[-1], dilation[-1]) - 1) if transposed else 0
        more.append(least)
        pad.append(rng.randint(max(0, least - stride[-1] + 1), 3))
        space.append(rng.randint(1, 6) + (filters[-1] - 1) * dilation[-1] + 2 * pad[-1])
    ins, outs = groups * rng.randint(1, 3), groups * rng.randint(1, 3)
    sizes = [rng.randint(1, 2), ins, *space]
    weight = [ins, outs // groups, *filters] if transposed else [outs, ins // groups, *filters]
    mask = [rng.random() < 0.7 for _ in range(3)]
    if not any(mask):
        mask[rng.randint(0, 2)] = True
    options = [[outs], stride, pad, dilation, transposed, more, groups, mask]
    make = {"dtype": torch.float64, "requires_grad": True}
    x, w = torch.zeros(sizes, **make), torch.zeros(weight, **make)
    y = torch.convolution(x, w, None, *options[1:7])
    words = aten("convolution_backward", [list(y.shape), sizes, weight], *options)

    def compute(dy, *read):
        read = list(read)
        a = read.pop(0) if mask[1] else x.detach()
        b = read.pop(0) if mask[0] else w.detach()
        made = torch.ops.aten.convolution_backward(dy, a, b, *options)
        return [each for each in made if each is not None]

    return words, compute


@kind
def transposed_convolution(rng):
    stride, dilation, pad = rng.randint(1, 3), rng.randint(1, 4), rng.randint(0, 3)
    more = rng.randint(0, max(stride, dilation) - 1)
    pad = max(pad, more - stride + 1)
    sizes, weight = [2, 3, rng.randint(4, 9) + 2 * pad], [3, 2, rng.randint(1, 4)]
    values = [[stride], [pad], [dilation], True, [more], 1]
    words = aten("convolution", [sizes, weight, None], *values)
    return words, lambda x, w: torch.convolution(x, w, None, *values)


@kind
def constant_pad(rng):
    sizes = [rng.randint(1, 6) for _ in range(rng.randint(1, 4))]
    pad = []
    for size in reversed(sizes[rng.randint(0, len(sizes) - 1):]):
        low = rng.randint(-(size - 1), 4)
        pad += [low, rng.randint(-(size + min(low, 0) - 1), 4)]
    values = [pad, rng.choice([0, 1.5, -3])]
    return (aten("constant_pad_nd", [sizes], *values),
            lambda x: torch.ops.aten.constant_pad_nd(x, *values))


@kind
def padded_conv(rng):
    pad, stride, value = rng.randint(1, 3), rng.randint(1, 2), rng.choice([0.5, -2, 3])
    words = ["convfp64", "-n", "2", "-c", "3", "-k", "4", "-H", str(rng.randint(3, 9)),
             "-W", str(rng.randint(3, 9)), "-p", str(pad), "-q", "1", "-u", str(stride),
             "-r", str(value)]

    def function(x, w):
        return F.conv2d(F.pad(x, (1, 1, pad, pad), value=value), w, stride=(stride, 1))

    if rng.random() < 0.5:
        return words, function

    def compute(dy, x):
        w = torch.zeros([4, 3, 3, 3], dtype=torch.float64, requires_grad=True)
        return gradients(function(x, w), w, dy)

    return [*words, "-F", "4"], compute


@kind
def batch_norm_in_training(rng):
    sizes = [rng.randint(2, 4), rng.randint(1, 20), rng.randint(1, 6), rng.randint(2, 6)]
    channel, running = [sizes[1]], rng.random() < 0.7
    values = [True, 0.2, 1e-3]
    statistics = [channel if running else None] * 2
    words = aten("native_batch_norm", [sizes, channel, channel, *statistics], *values)

    def compute(x, weight, bias, *moved):
        moved = [each.flatten().clone() for each in moved] or [None, None]
        made = torch.native_batch_norm(x, weight.flatten(), bias.flatten(), *moved, *values)
        return [*made, *moved] if running else list(made)

    return words, compute


def draw_pool(rng):
    window, stride, pad = rng.randint(1, 4), rng.randint(1, 4), 0
    pad = rng.randint(0, window // 2)
    words = ["poolfp64", "-n", str(rng.randint(1, 2)), "-c", str(rng.randint(1, 5)),
             "-H", str(rng.randint(4, 12)), "-W", str(rng.randint(4, 12)),
             "-y", str(window), "-x", str(window), "-u", str(stride), "-v", str(stride),
             "-p", str(pad), "-q", str(pad)]
    if rng.randint(0, 1):
        return [*words, "-m", "max"], lambda x: F.max_pool2d(x, window, stride, pad)
    inside = rng.randint(0, 1)
    return ([*words, "-m", "avg_in" if inside else "avg"],
            lambda x: F.avg_pool2d(x, window, stride, pad, count_include_pad=bool(inside)))


@kind
def pool(rng):
    return draw_pool(rng)


@kind
def pool_gradient(rng):
    words, function = draw_pool(rng)
    sizes = [int(words[i]) for i in (2, 4, 6, 8)]

    def compute(*operands):
        *x, dy = operands  # an average's gradient needs no input
        x = x[0] if x else torch.zeros(sizes, dtype=torch.float64)
        return gradients(function(x.requires_grad_()), x, dy)

    return [*words, "-F", "2"], compute


@kind
def batch_norm(rng):
    n, c, h, w = rng.randint(2, 4), rng.randint(1, 20), rng.randint(1, 6), rng.randint(2, 6)
    words = ["bnormfp64", "-n", str(n), "-c", str(c), "-H", str(h), "-W", str(w)]
    words += ["--layout", rng.choice(["NCHW", "NHWC"])]

    def compute(x, scale, bias):
        return F.batch_norm(x, None, None, scale.flatten(), bias.flatten(), True, 0.1, 1e-5)

    return words, compute


@kind
def softmax(rng):
    n, c, h, w = (rng.randint(1, 9) for _ in range(4))
    words = ["softmaxfp64", "-n", str(n), "-c", str(c), "-H", str(h), "-W", str(w)]
    log = rng.randint(0, 1)
    function = F.log_softmax if log else F.softmax
    return [*words, "-a", "2" if log else "1"], lambda x: function(x, 1)


def aten_kind(name):
    def draw(rng):
        call = rng.choice([each for each in agree_aten.calls(rng) if each[0] == name])
        return agree_aten.words(*call[:2]), agree_aten.compute(*call)

    return draw


for call in agree_aten.calls(random.Random(0)):
    KINDS[f"aten::{call[0]}"] = aten_kind(call[0])


def run(boo, words, folder):
    """Inputs and outputs of a command, as torch's tensors."""
    for old in glob.glob(os.path.join(folder, "*.npy")):
        os.remove(old)

    def call(*flags):
        done = subprocess.run([boo, "driver", *words, "--no-cache", "--no-verbose", *flags],
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())

    def paths(part):
        found = glob.glob(os.path.join(folder, f"*.{part}*.npy"))
        return sorted(found, key=lambda path: int(path.rsplit(f".{part}", 1)[1].split(".")[0]))

    def load(part):
        return [torch.from_numpy(numpy.load(path)) for path in paths(part)]

    call("--save-dir", folder)
    return load("input"), load("output")


def differs(ours, theirs):
    """Why two results are not the same, or None."""
    if not isinstance(theirs, (tuple, list)):
        theirs = (theirs,)
    if len(ours) != len(theirs):
        return f"{len(ours)} results, not {len(theirs)}"
    for i, (mine, other) in enumerate(zip(ours, theirs)):
        other = other.reshape(mine.shape) if mine.numel() == other.numel() else other
        if mine.shape != other.shape:
            return f"result {i} is {list(mine.shape)}, not {list(other.shape)}"
        worst = float((mine - other).abs().max()) if mine.numel() else 0.0
        scale = max(1.0, float(other.abs().max()) if other.numel() else 1.0)
        if not worst <= 1e-11 * scale:
            return f"result {i} is off by {worst:g}"
    return None


def main():
    boo, count, seed = sys.argv[1], 5, 0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else count
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else seed
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, function in KINDS.items():
            for i in range(count):
                words, compute = function(random.Random(f"{name} {seed} {i}"))
                try:
                    inputs, outputs = run(boo, words, folder)
                    why = differs(outputs, compute(*inputs))
                except (RuntimeError, ValueError, TypeError) as error:
                    why = str(error)
                failed += why is not None
                print(f"{name} seed {seed} number {i}: {' '.join(words)}: {why or 'agrees'}")
    print(f"{failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
