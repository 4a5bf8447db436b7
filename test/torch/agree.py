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
        if direction == 1:
            return first @ second
        # Sizes in files are logical: operands as the product reads them.
        return first @ second

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
def softmax(rng):
    n, c, h, w = (rng.randint(1, 9) for _ in range(4))
    words = ["softmaxfp64", "-n", str(n), "-c", str(c), "-H", str(h), "-W", str(w)]
    log = rng.randint(0, 1)
    function = F.log_softmax if log else F.softmax
    return [*words, "-a", "2" if log else "1"], lambda x: function(x, 1)


def run(boo, words, folder):
    """Inputs and outputs of a command, as torch's tensors."""
    for old in glob.glob(os.path.join(folder, "*.npy")):
        os.remove(old)
    done = subprocess.run([boo, "driver", *words, "--no-cache", "--no-verbose", "--save-dir", folder],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())

    def load(part):
        paths = glob.glob(os.path.join(folder, f"*.{part}*.npy"))
        paths.sort(key=lambda path: int(os.path.basename(path).split(f".{part}")[1].split(".")[0]))
        return [torch.from_numpy(numpy.load(path)) for path in paths]

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
