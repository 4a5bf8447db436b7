#!/usr/bin/env python3
"""What a call from Python costs: eager operations, compiled functions, importing, compiling.

Times are the least of several rounds for calls of microseconds, and medians of whole processes for
importing and compiling. Needs torch and the boo package.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types

ROUNDS, CALLS = 25, 2000


def least_us(*functions) -> list[float]:
    """Microseconds of a call of each function: the mean of its shortest round. They take turns, as
    a busy machine's speed changes by the second."""
    rounds = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, times in zip(functions, rounds):
            start = time.perf_counter()
            for _ in range(CALLS):
                function()
            times.append((time.perf_counter() - start) / CALLS)
    return [min(times) * 1e6 for times in rounds]


def eager_calls() -> None:
    import torch

    from boo.ops import boo_conv

    print("1x8x4x4, 1x1 to 8 channels, no gradient, us a call")
    for dtype in (torch.float32, torch.bfloat16):
        x, w = torch.randn(1, 8, 4, 4).to(dtype), torch.randn(8, 8, 1, 1).to(dtype)
        with torch.no_grad():
            ours, his = least_us(lambda: boo_conv(x, w), lambda: torch.conv2d(x, w))
        print(f"  {str(dtype):15} boo_conv {ours:7.2f}   torch.conv2d {his:7.2f}")


def fused(x, w):
    return torch.relu(torch.conv2d(x, w))  # noqa: F821 among the globals of its copies


def compiled_calls() -> None:
    import torch

    print("a compiled function, us a call")
    x, w = torch.randn(1, 8, 4, 4), torch.randn(8, 8, 1, 1)
    ready = torch.empty(1, 8, 4, 4)

    def nothing(gm, example_inputs):
        """A backend whose graphs compute nothing: what is left is dynamo's own."""
        return lambda *args: (ready,)

    compiled = {}
    with torch.no_grad():
        for backend in (nothing, "boo", "eager", "inductor"):
            name = backend if isinstance(backend, str) else "an empty graph"
            # Dynamo keeps what it compiles beside the code object.
            code = fused.__code__.replace(co_name=f"fused_{len(compiled)}")
            own = types.FunctionType(code, {**globals(), "torch": torch})
            call = torch.compile(own, backend=backend, dynamic=False)
            try:
                call(x, w)
            except Exception as error:  # noqa: BLE001 a machine without a C++ compiler
                print(f"  conv + relu, {name:15} {type(error).__name__}")
                continue
            compiled[name] = functools.partial(call, x, w)
        for name, us in zip(compiled, least_us(*compiled.values())):
            print(f"  conv + relu, {name:15} {us:7.2f}")


COMPILE = """
import sys, time
sys.path.insert(0, {models!r})
import torch, torch._dynamo
import networks
backend, training = sys.argv[1], sys.argv[2] == "training"
model = networks.resnet50().train(training)
x = torch.randn(1, 3, 224, 224)
torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
call = torch.compile(model, backend=backend, dynamic=False)
start = time.perf_counter()
if training:
    call(x).sum().backward()
else:
    with torch.no_grad():
        call(x)
print(time.perf_counter() - start)
"""


def process_seconds(source: str, *arguments: str, **env: str) -> float:
    """What the source prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    return float(done.stdout.split()[-1])


def compile_times(repeats: int) -> None:
    print("torch.compile of ResNet-50, first call, s (median of whole processes)")
    source = COMPILE.format(models=os.path.join(os.path.dirname(__file__), "models"))
    for kind in ("inference", "training"):
        base = statistics.median(process_seconds(source, "aot_eager", kind) for _ in range(repeats))
        cold, warm = [], []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as cache:
                cold.append(process_seconds(source, "boo", kind, BOO_CACHE_DIR=cache))
                warm.append(process_seconds(source, "boo", kind, BOO_CACHE_DIR=cache))
        cold_s, warm_s = statistics.median(cold), statistics.median(warm)
        print(
            f"  {kind:9} aot_eager {base:6.2f}   boo, empty cache {cold_s:6.2f} (+{cold_s - base:.2f})"
            f"   warm {warm_s:6.2f} (+{warm_s - base:.2f})"
        )


def imports(repeats: int) -> None:
    source = "import torch, time; t = time.perf_counter(); import boo, boo.ops; print(time.perf_counter() - t)"
    print("import boo and boo.ops beyond torch, ms")
    print(f"  {1e3 * statistics.median(process_seconds(source) for _ in range(repeats)):.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="processes of each kind")
    parser.add_argument("parts", nargs="*", help="of eager compiled import compile")
    options = parser.parse_args()
    parts = {
        "eager": eager_calls,
        "compiled": compiled_calls,
        "import": lambda: imports(options.repeats),
        "compile": lambda: compile_times(options.repeats),
    }
    for name in options.parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
